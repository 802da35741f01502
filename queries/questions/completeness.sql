-- Which days are there: each calendar day from an application's first to the lake's last. Where a row says not
-- `is_there`, `rev` tells why: with one, the day was built and had no requests of the application; NULL, it has
-- not been built. `has_counts` says whether the day's error_counts were built.
create or replace view completeness as
with days as (
    select
        dt,
        max(rev) as rev
    from error_rate_files
    group by dt
),

counted as (
    select distinct dt
    from error_counts_files
),

applications as (
    select
        application,
        vantage,
        min(dt) as first_day
    from error_rate
    group by application, vantage
),

every_day as (
    select
        application,
        vantage,
        cast(unnest(range(first_day, (select max(days.dt) + 1 from days), interval 1 day)) as date) as dt
    from applications
)

select
    every_day.dt,
    every_day.application,
    every_day.vantage,
    error_rate.application is not null as is_there,
    coalesce(error_rate.hours_observed, 0) as hours_observed,
    error_rate.incomplete,
    days.rev,
    counted.dt is not null as has_counts
from every_day
left join days on every_day.dt = days.dt
left join counted on every_day.dt = counted.dt
left join error_rate
    on
        every_day.dt = error_rate.dt
        and every_day.application = error_rate.application
        and every_day.vantage = error_rate.vantage;
