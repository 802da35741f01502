-- What is left of each error budget on each day that the application has: the share not yet made of the errors
-- allowed in the `window_days` calendar days that end with `dt`; below 0 the budget is overspent.
create or replace view error_budget as
with windows as (
    select distinct window_days
    from slo
),

summed as (
    select
        calendar.day as dt,
        error_rate.application,
        error_rate.vantage,
        windows.window_days,
        count(*) as days,
        count(error_rate.incomplete) as incomplete_days,
        cast(sum(error_rate.valid_requests) as bigint) as valid_requests,
        cast(sum(error_rate.server_error_requests) as bigint) as server_error_requests
    from calendar(interval 1 day) as calendar
    -- 30 days, the longest window, are what partitions are chosen by
    inner join error_rate on error_rate.dt between calendar.day - 29 and calendar.day
    inner join windows on error_rate.dt > calendar.day - windows.window_days
    group by all
    having max(error_rate.dt) = calendar.day
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
    days,
    incomplete_days,
    valid_requests,
    server_error_requests,
    allowed_errors,
    1 - server_error_requests / nullif(allowed_errors, 0) as budget_left
from budgets
order by slo, application, vantage, dt;
