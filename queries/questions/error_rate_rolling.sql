-- Error rates of the `window_days` calendar days that end with `dt`, for each day that the application has: counts
-- are summed; `days` says how many of them there are.
create or replace macro error_rate_rolling(window_days) as table
    select
        last_dt as dt,
        * exclude (day, last_dt)
    from summed_error_rates(interval 1 day, to_days(window_days - 1), interval 0 days)
    where last_dt = day;
