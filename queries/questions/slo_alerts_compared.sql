-- The alerts of objectives a and b side by side, of applications that both are for: a row is a time in which an
-- alert of the one, of the other or of both was on, with the first firing, last end, number and minutes of each.
create or replace macro slo_alerts_compared(a, b, start := null, stop := null) as table
    with asked as (
        select a as slo
        union distinct
        select b as slo
    ),

    found as (
        select
            asked.slo,
            slo.vantage,
            case
                when slo.slo is null then error('there is no [slo.' || asked.slo || '] in luigi.cfg')
                else slo.applications
            end as applications
        from asked
        left join slo on asked.slo = slo.slo
    ),

    covered as (
        select
            slo,
            application,
            vantage,
            severity,
            long_minutes,
            short_minutes,
            coalesce(fired, cast('-infinity' as timestamp)) as fired,
            coalesce(ended, cast('infinity' as timestamp)) as ended,
            minutes
        from slo_alerts(start := start, stop := stop)
        where slo in (a, b)
    ),

    alerts as (
        select covered.*
        from covered
        cross join found
        where slo_covers(found.applications, found.vantage, covered.application, covered.vantage)
        group by all
        having count(*) = (select count(*) from asked)
    ),

    ordered as (
        select
            *,
            max(ended) over (
                partition by application, vantage, long_minutes
                order by fired, ended
                rows between unbounded preceding and 1 preceding
            ) as ended_before
        from alerts
    ),

    numbered as (
        select
            *,
            count(*) filter (where ended_before is null or fired >= ended_before) over (
                partition by application, vantage, long_minutes
                order by fired, ended
                rows unbounded preceding
            ) as spell
        from ordered
    )

    select
        application,
        vantage,
        severity,
        long_minutes,
        short_minutes,
        nullif(min(fired) filter (where slo = a), cast('-infinity' as timestamp)) as fired_a,
        nullif(max(ended) filter (where slo = a), cast('infinity' as timestamp)) as ended_a,
        count(*) filter (where slo = a) as alerts_a,
        coalesce(cast(sum(minutes) filter (where slo = a) as bigint), 0) as minutes_a,
        nullif(min(fired) filter (where slo = b), cast('-infinity' as timestamp)) as fired_b,
        nullif(max(ended) filter (where slo = b), cast('infinity' as timestamp)) as ended_b,
        count(*) filter (where slo = b) as alerts_b,
        coalesce(cast(sum(minutes) filter (where slo = b) as bigint), 0) as minutes_b
    from numbered
    group by application, vantage, severity, long_minutes, short_minutes, spell
    order by application, vantage, min(fired), long_minutes;
