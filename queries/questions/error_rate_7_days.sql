-- Error rates of the 7 calendar days that end with `dt`, for each day that the application has: counts are
-- summed; `days` says how many of the 7 there are.
create or replace view error_rate_7_days as
with calendar as (  -- joined, since a condition on a window's rows would reach no partition
    select cast(dates.last_day as date) as last_day
    from range(timestamp '1990-01-01', timestamp '2100-01-01', interval 1 day) as dates (last_day)
),

summed as (
    select
        calendar.last_day as dt,
        error_rate.application,
        error_rate.vantage,
        count(*) as days,
        count(error_rate.incomplete) as incomplete_days,
        cast(sum(error_rate.valid_requests) as bigint) as valid_requests,
        cast(sum(error_rate.server_error_requests) as bigint) as server_error_requests
    from calendar
    inner join error_rate on error_rate.dt between calendar.last_day - 6 and calendar.last_day
    group by all
    having max(error_rate.dt) = calendar.last_day
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
