-- Error rates of the 7 calendar days that end with `dt`, for each day that the application has: counts are
-- summed; `days` says how many of the 7 there are.
create or replace view error_rate_7_days as
select * from error_rate_rolling(7);
