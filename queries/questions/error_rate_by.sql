-- Error rates of the days of a time zone such as 'Europe/London', of 23 or 25 hours where the clocks change; of
-- the local days from `start` (or the first) to before `stop` (or all). `hours_observed` says in how many of them
-- there was any request: at either end of the lake, it may have a part of a day.
create or replace macro error_rate_by(time_zone, start := null, stop := null) as table
    with summed as (
        select
            cast(local_start as date) as local_day,
            application,
            vantage,
            -- each row has requests; local hours by when they begin in UTC, since one may come twice
            count(distinct bucket_start - (local_start - date_trunc('hour', local_start))) as hours_observed,
            cast(sum(valid_requests) as bigint) as valid_requests,
            cast(sum(server_error_requests) as bigint) as server_error_requests
        from local_counts(time_zone, start := start, stop := stop)
        group by all
    ),

    -- counted, since a local midnight may come twice, or not at all
    quarters as (
        select
            unnest(range(
                cast(min(local_day) - 1 as timestamp), cast(max(local_day) + 2 as timestamp), interval 15 minutes
            )) as quarter_start
        from summed
    ),

    lengths as (
        select
            cast(quarter_start at time zone 'UTC' at time zone time_zone as date) as local_day,
            count(*) / 4 as hours_in_day
        from quarters
        group by all
    ),

    days as (
        select
            lengths.hours_in_day,
            summed.*
        from summed
        inner join lengths on summed.local_day = lengths.local_day
    )

    select
        local_day as day,
        hours_in_day,
        hours_observed,
        application,
        vantage,
        valid_requests,
        server_error_requests,
        unnest(rate_and_interval(server_error_requests, valid_requests))
    from days;
