-- Error rates of the 7 calendar days that end with `dt`, for each day that the application has: counts are
-- summed; `days` says how many of the 7 there are.
create or replace view error_rate_7_days as
select
    dt,
    application,
    vantage,
    days,
    incomplete_days,
    valid_requests,
    server_error_requests,
    error_rate,
    error_rate_low,
    error_rate_high
from error_rate_rolling(7);
