-- Which days are there: each calendar day from an application's first to the lake's last. Where a row says not
-- `is_there`, `rev` tells why: with one, the day was built and had no requests of the application; NULL, it has
-- not been built.
create or replace view completeness as
with days as (
    select
        dt,
        max(rev) as rev
    from error_rate_files
    group by dt
),

applications as (
    select
        application,
        vantage,
        min(dt) as first_day
    from error_rate
    group by application, vantage
),

calendar as (
    select
        application,
        vantage,
        cast(unnest(range(first_day, (select max(days.dt) + 1 from days), interval 1 day)) as date) as dt
    from applications
)

select
    calendar.dt,
    calendar.application,
    calendar.vantage,
    error_rate.application is not null as is_there,
    coalesce(error_rate.hours_observed, 0) as hours_observed,
    error_rate.incomplete,
    days.rev
from calendar
left join days on calendar.dt = days.dt
left join error_rate
    on
        calendar.dt = error_rate.dt
        and calendar.application = error_rate.application
        and calendar.vantage = error_rate.vantage;
