-- Error rates of the `window_days` calendar days that end with `dt`, for each day that the application has: counts
-- are summed; `days` says how many of them there are.
create or replace macro error_rate_rolling(window_days) as table
    with windows as (
        select
            day as last_day,
            day - (window_days - 1) as first_day
        from calendar(interval 1 day)
    ),

    summed as (
        select
            windows.last_day as dt,
            error_rate.application,
            error_rate.vantage,
            count(*) as days,
            count(error_rate.incomplete) as incomplete_days,
            cast(sum(error_rate.valid_requests) as bigint) as valid_requests,
            cast(sum(error_rate.server_error_requests) as bigint) as server_error_requests
        from windows
        inner join error_rate on error_rate.dt between windows.first_day and windows.last_day
        group by all
        having max(error_rate.dt) = windows.last_day
    )

    select
        dt,
        application,
        vantage,
        days,
        incomplete_days,
        valid_requests,
        server_error_requests,
        case when valid_requests > 0 then server_error_requests / valid_requests end as error_rate,
        wilson_low(server_error_requests, valid_requests) as error_rate_low,
        wilson_high(server_error_requests, valid_requests) as error_rate_high
    from summed;
