-- Error rates of each week, which its Monday names: the days' counts are summed, rate and interval made from the
-- sums.
create or replace view error_rate_weekly as
with summed as (
    select
        calendar.day as week,
        error_rate.application,
        error_rate.vantage,
        count(*) as days,
        count(error_rate.incomplete) as incomplete_days,
        cast(sum(error_rate.valid_requests) as bigint) as valid_requests,
        cast(sum(error_rate.server_error_requests) as bigint) as server_error_requests
    from calendar(interval 7 days) as calendar
    inner join error_rate on error_rate.dt between calendar.day and calendar.day + 6
    group by all
)

select
    week,
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
