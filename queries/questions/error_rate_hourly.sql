-- Error rates of each hour of a time zone such as 'Europe/London', of the local days from `start` (or the first)
-- to before `stop` (or all). `hour` is when it began there, and `hour_utc` when it began in UTC, which tells the
-- two apart that have one name where the clocks go back. An hour without requests has no row.
create or replace macro error_rate_hourly(time_zone := 'UTC', start := null, stop := null) as table
    with summed as (
        select
            date_trunc('hour', local_start) as local_hour,
            bucket_start - (local_start - date_trunc('hour', local_start)) as hour_utc,
            application,
            vantage,
            cast(sum(valid_requests) as bigint) as valid_requests,
            cast(sum(server_error_requests) as bigint) as server_error_requests
        from local_counts(time_zone, start := start, stop := stop)
        group by all
    )

    select
        local_hour as hour,
        hour_utc,
        application,
        vantage,
        valid_requests,
        server_error_requests,
        unnest(rate_and_interval(server_error_requests, valid_requests))
    from summed;
