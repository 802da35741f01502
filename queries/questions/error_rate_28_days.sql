-- Error rates of the 28 calendar days that end with `dt`, for each day that the application has: counts are
-- summed; `days` says how many of the 28 there are.
create or replace view error_rate_28_days as
select * from error_rate_rolling(28);
