-- Error rates over all days in the lake: counts are summed, rate and interval are made anew from the sums.
create or replace view error_rate_by_application as
with summed as (
    select
        application,
        vantage,
        count(distinct dt) as days,
        count(distinct dt) filter (where incomplete is not null) as incomplete_days,
        cast(sum(valid_requests) as bigint) as valid_requests,
        cast(sum(server_error_requests) as bigint) as server_error_requests
    from error_rate
    group by application, vantage
)

select
    application,
    vantage,
    days,
    incomplete_days,
    valid_requests,
    server_error_requests,
    case when valid_requests > 0 then server_error_requests / valid_requests end as error_rate,
    wilson_low(server_error_requests, valid_requests) as error_rate_low,
    wilson_high(server_error_requests, valid_requests) as error_rate_high
from summed
order by application, vantage;
