-- Which alerts of slo_alert_rules would have fired in the days from start to before stop, if looked at after
-- each five minutes: `fired` is NULL for one on when the days began, `ended` for one still on when they, or the
-- lake's days, end; `minutes` are those within the days.
create or replace macro slo_alerts(start := null, stop := null) as table
    with counts as (
        select *
        from running_counts(4320, start, stop)  -- the longest window of slo_alert_rules
    ),

    points as (
        select
            slo.slo,
            slo.objective,
            rules.severity,
            rules.long_minutes,
            rules.short_minutes,
            rules.factor,
            counts.*,
            len(counts.valid_requests) as last_n,
            unnest(range(1, len(counts.valid_requests) + 1)) as n
        from counts
        cross join slo
        inner join slo_alert_rules as rules on slo.slo = rules.slo
        where slo_covers(slo.applications, slo.vantage, counts.application, counts.vantage)
    ),

    firing as (
        select
            * exclude (valid_requests, server_error_requests, objective, begins),
            begins + to_minutes(5 * n) as bucket_end
        from points
        where
            burn(
                in_window(server_error_requests, n, short_minutes // 5),
                in_window(valid_requests, n, short_minutes // 5),
                objective
            ) > factor
            and burn(
                in_window(server_error_requests, n, long_minutes // 5),
                in_window(valid_requests, n, long_minutes // 5),
                objective
            ) > factor
            and (start is null or begins + to_minutes(5 * n) >= cast(start as date))
    ),

    -- points on end are one alert: they have their number minus their rank in common
    numbered as (
        select
            *,
            n - row_number() over (
                partition by slo, application, vantage, long_minutes
                order by n
            ) as alert
        from firing
    ),

    alerts as (
        select
            slo,
            application,
            vantage,
            severity,
            long_minutes,
            short_minutes,
            factor,
            min(bucket_end) as first_at,
            max(bucket_end) as last_at,
            case when max(n) < min(last_n) then max(bucket_end) + interval 5 minutes end as ended
        from numbered
        group by slo, application, vantage, severity, long_minutes, short_minutes, factor, alert
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
