-- Error rates of each hour of the week in a time zone: `weekday` 1 is Monday, `hour` is 0 to 23; of the local days
-- from `start` (or the first) to before `stop` (or all).
create or replace macro error_rate_profile(time_zone := 'UTC', start := null, stop := null) as table
    with summed as (
        select
            isodow(local_start) as weekday,
            hour(local_start) as hour_of_day,
            application,
            vantage,
            cast(sum(valid_requests) as bigint) as valid_requests,
            cast(sum(server_error_requests) as bigint) as server_error_requests
        from local_counts(time_zone, start := start, stop := stop)
        group by all
    )

    select
        weekday,
        hour_of_day as hour,
        application,
        vantage,
        valid_requests,
        server_error_requests,
        unnest(rate_and_interval(server_error_requests, valid_requests))
    from summed;
