-- Error rates of each UTC day.
create or replace view error_rate_daily as
select
    dt,
    application,
    vantage,
    valid_requests,
    server_error_requests,
    error_rate,
    error_rate_low,
    error_rate_high,
    hours_observed,
    incomplete
from error_rate;
