-- Error rates of each month, which its first day names: the days' counts are summed, rate and interval made from
-- the sums.
create or replace view error_rate_monthly as
with summed as (
    select
        calendar.day as month,
        error_rate.application,
        error_rate.vantage,
        count(*) as days,
        count(error_rate.incomplete) as incomplete_days,
        cast(sum(error_rate.valid_requests) as bigint) as valid_requests,
        cast(sum(error_rate.server_error_requests) as bigint) as server_error_requests
    from calendar(interval 1 month) as calendar
    inner join error_rate on error_rate.dt between calendar.day and last_day(calendar.day)
    group by all
)

select
    month,
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
