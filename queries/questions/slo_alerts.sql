-- Which alerts of slo_alert_rules would have fired in the days from start to before stop, if looked at after
-- each five minutes: `fired` is NULL for one on when the days began, `ended` for one still on when they, or the
-- lake's days, end; `minutes` are those within the days.
create or replace macro slo_alerts(start := null, stop := null) as table
    with counts as (
        select *
        from window_counts(4320, start, stop)  -- the longest window of slo_alert_rules
        where
            server_error_requests_360 > 0  -- the longest short one: no alert fires without an error in it
            and (start is null or bucket_end >= cast(start as date))
    ),

    points as (
        select
            counts.slo,
            counts.objective,
            counts.application,
            counts.vantage,
            counts.bucket_end,
            counts.last_bucket_end,
            rules.severity,
            rules.long_minutes,
            rules.short_minutes,
            rules.factor,
            case rules.short_minutes
                when 5 then counts.valid_requests_5
                when 30 then counts.valid_requests_30
                when 120 then counts.valid_requests_120
                when 360 then counts.valid_requests_360
                else error('slo_alerts: no sums of ' || rules.short_minutes || ' minutes')
            end as valid_requests_short,
            case rules.short_minutes
                when 5 then counts.server_error_requests_5
                when 30 then counts.server_error_requests_30
                when 120 then counts.server_error_requests_120
                when 360 then counts.server_error_requests_360
            end as server_error_requests_short,
            case rules.long_minutes
                when 60 then counts.valid_requests_60
                when 360 then counts.valid_requests_360
                when 1440 then counts.valid_requests_1440
                when 4320 then counts.valid_requests
                else error('slo_alerts: no sums of ' || rules.long_minutes || ' minutes')
            end as valid_requests_long,
            case rules.long_minutes
                when 60 then counts.server_error_requests_60
                when 360 then counts.server_error_requests_360
                when 1440 then counts.server_error_requests_1440
                when 4320 then counts.server_error_requests
            end as server_error_requests_long
        from counts
        inner join slo_alert_rules as rules on counts.slo = rules.slo
    ),

    -- the five minutes at whose end each alert fires, numbered since 1970
    firing as (
        select
            slo,
            application,
            vantage,
            severity,
            long_minutes,
            short_minutes,
            factor,
            max(last_bucket_end) as last_bucket_end,
            list_sort(list(epoch_us(bucket_end) // 300000000)) as buckets
        from points
        where
            server_error_requests_short > 0  -- most are left out before burn is worked out
            and burn(server_error_requests_short, valid_requests_short, objective) > factor
            and burn(server_error_requests_long, valid_requests_long, objective) > factor
        group by slo, application, vantage, severity, long_minutes, short_minutes, factor
    ),

    numbered as (
        select
            * exclude (buckets),
            unnest(buckets) as bucket,
            unnest(range(len(buckets))) as n
        from firing
    ),

    -- five minutes on end are one alert: they have their number minus their place in the list in common
    alerts as (
        select
            slo,
            application,
            vantage,
            severity,
            long_minutes,
            short_minutes,
            factor,
            make_timestamp(300000000 * min(bucket)) as first_at,
            make_timestamp(300000000 * max(bucket)) as last_at,
            case when last_at < min(last_bucket_end) then last_at + interval 5 minutes end as ended
        from numbered
        group by slo, application, vantage, severity, long_minutes, short_minutes, factor, bucket - n
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
