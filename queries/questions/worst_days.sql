-- Days with errors, worst first: by the lower end of the interval, so that one error of two requests makes no day
-- worst.
create or replace view worst_days as
select * from error_rate_daily
where server_error_requests > 0
order by error_rate_low desc, dt asc, application asc, vantage asc;
