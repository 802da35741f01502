-- Days with errors, worst first: by the lower end of the interval, so that one error of two requests makes no day
-- worst.
create or replace view worst_days as
select
    dt,
    application,
    vantage,
    valid_requests,
    server_error_requests,
    error_rate,
    error_rate_low,
    error_rate_high,
    incomplete
from error_rate
where server_error_requests > 0
order by error_rate_low desc, dt asc, application asc, vantage asc;
