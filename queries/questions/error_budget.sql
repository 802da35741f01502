-- What is left of each error budget on each day that the application has: the share not yet made of the errors
-- allowed in the `window_days` calendar days that end with `dt`; below 0 the budget is overspent.
create or replace view error_budget as
with calendar as (  -- joined, since a condition on a window's rows would reach no partition
    select cast(dates.last_day as date) as last_day
    from range(timestamp '1990-01-01', timestamp '2200-01-01', interval 1 day) as dates (last_day)
),

windows as (
    select distinct window_days
    from slo
),

summed as (
    select
        calendar.last_day as dt,
        error_rate.application,
        error_rate.vantage,
        windows.window_days,
        cast(sum(error_rate.valid_requests) as bigint) as valid_requests,
        cast(sum(error_rate.server_error_requests) as bigint) as server_error_requests
    from calendar
    -- 30 days, the longest window, are what partitions are chosen by
    inner join error_rate on error_rate.dt between calendar.last_day - 29 and calendar.last_day
    inner join windows on error_rate.dt > calendar.last_day - windows.window_days
    group by all
    having max(error_rate.dt) = calendar.last_day
),

budgets as (
    select
        slo.slo,
        slo.objective,
        summed.*,
        summed.valid_requests * allowed_error_rate(slo.objective) as allowed_errors
    from summed
    inner join slo on summed.window_days = slo.window_days
    where slo_covers(slo.applications, slo.vantage, summed.application, summed.vantage)
)

select
    slo,
    application,
    vantage,
    dt,
    objective,
    window_days,
    valid_requests,
    server_error_requests,
    allowed_errors,
    1 - server_error_requests / nullif(allowed_errors, 0) as budget_left
from budgets
order by slo, application, vantage, dt;
