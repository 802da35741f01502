-- Which alerts of slo_alert_rules would have fired in the days from start to before stop, if looked at after
-- each five minutes: `fired` is NULL for one on when the days began, `ended` for one still on when they, or the
-- lake's days, end; `minutes` are those within the days.
create or replace macro slo_alerts(start := null, stop := null) as table
    with counts as materialized (
        select
            * exclude (bucket_end),
            epoch_us(bucket_end) // 300000000 as bucket  -- five minutes since 1970
        from window_counts(4320, start, stop)  -- the longest window of slo_alert_rules
        where
            server_error_requests_360 > 0  -- the longest short one: no alert fires without an error in it
            and (start is null or bucket_end >= cast(start as date))
    ),

    lines as (
        select
            line,
            any_value(slo) as slo,
            any_value(objective) as objective,
            any_value(application) as application,
            any_value(vantage) as vantage,
            any_value(last_bucket_end) as last_bucket_end
        from counts
        group by line
    ),

    -- the rules of each line, known by a number of their own, and by the line's with the long window's minutes
    rules as materialized (
        select
            lines.*,
            rules.severity,
            rules.long_minutes,
            rules.short_minutes,
            rules.factor,
            row_number() over () << 32 as rule,
            case
                when
                    (rules.long_minutes, rules.short_minutes) in ((60, 5), (360, 30), (1440, 120), (4320, 360))
                    then (lines.line << 16) + rules.long_minutes
                else error('slo_alerts: no sums of ' || rules.long_minutes || ' or ' || rules.short_minutes)
            end as windows
        from lines
        inner join slo_alert_rules as rules on lines.slo = rules.slo
    ),

    -- without an error in its short window none fires: most five minutes are not looked at for most rules
    points as (
        select
            (line << 16) + 60 as windows,
            bucket,
            valid_requests_5 as valid_requests_short,
            server_error_requests_5 as server_error_requests_short,
            valid_requests_60 as valid_requests_long,
            server_error_requests_60 as server_error_requests_long
        from counts
        where server_error_requests_5 > 0
        union all
        select
            (line << 16) + 360 as windows,
            bucket,
            valid_requests_30 as valid_requests_short,
            server_error_requests_30 as server_error_requests_short,
            valid_requests_360 as valid_requests_long,
            server_error_requests_360 as server_error_requests_long
        from counts
        where server_error_requests_30 > 0
        union all
        select
            (line << 16) + 1440 as windows,
            bucket,
            valid_requests_120 as valid_requests_short,
            server_error_requests_120 as server_error_requests_short,
            valid_requests_1440 as valid_requests_long,
            server_error_requests_1440 as server_error_requests_long
        from counts
        where server_error_requests_120 > 0
        union all
        select
            (line << 16) + 4320 as windows,
            bucket,
            valid_requests_360 as valid_requests_short,
            server_error_requests_360 as server_error_requests_short,
            valid_requests as valid_requests_long,
            server_error_requests as server_error_requests_long
        from counts
    ),

    -- the five minutes at whose end each alert fires, of all rules on one line
    firing as (
        select rules.rule + points.bucket as place
        from points
        inner join rules on points.windows = rules.windows
        where
            burn(points.server_error_requests_short, points.valid_requests_short, rules.objective) > rules.factor
            and burn(points.server_error_requests_long, points.valid_requests_long, rules.objective) > rules.factor
        order by place
    ),

    -- five minutes on end are one alert: they have their place minus their number in common
    numbered as (
        select
            in_order(place, coalesce(lag(place) over () < place, true)) as place,
            place - row_number() over () as spell
        from firing
    ),

    spells as (
        select
            min(place) as first_place,
            max(place) as last_place
        from numbered
        group by spell
    ),

    alerts as (
        select
            rules.slo,
            rules.application,
            rules.vantage,
            rules.severity,
            rules.long_minutes,
            rules.short_minutes,
            rules.factor,
            make_timestamp(300000000 * (spells.first_place - rules.rule)) as first_at,
            make_timestamp(300000000 * (spells.last_place - rules.rule)) as last_at,
            case when last_at < rules.last_bucket_end then last_at + interval 5 minutes end as ended
        from spells
        inner join rules on (spells.first_place >> 32) << 32 = rules.rule
    )

    select
        slo,
        application,
        vantage,
        severity,
        long_minutes,
        short_minutes,
        factor,
        nullif(first_at, cast(cast(start as date) as timestamp)) as fired,
        ended,
        date_diff('minute', first_at, coalesce(ended, last_at)) as minutes
    from alerts
    order by slo, application, vantage, first_at, long_minutes;
