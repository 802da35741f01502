-- Error rates of windows of days, each named by a `day` of the calendar of `step` and reaching from `before` it to
-- `after` it: counts are summed, rate and interval made from the sums; `last_dt` is the last day that counts.
create or replace macro summed_error_rates(step, before, after) as table
    with windows as (
        select
            day,
            cast(day - before as date) as first_day,
            cast(day + after as date) as last_day
        from calendar(step)
    ),

    summed as (
        select
            windows.day,
            error_rate.application,
            error_rate.vantage,
            max(error_rate.dt) as last_dt,
            count(*) as days,
            count(error_rate.incomplete) as incomplete_days,
            cast(sum(error_rate.valid_requests) as bigint) as valid_requests,
            cast(sum(error_rate.server_error_requests) as bigint) as server_error_requests
        from windows
        inner join error_rate on error_rate.dt between windows.first_day and windows.last_day
        group by all
    )

    select
        day,
        last_dt,
        application,
        vantage,
        days,
        incomplete_days,
        valid_requests,
        server_error_requests,
        unnest(rate_and_interval(server_error_requests, valid_requests))
    from summed;
