-- Hours without a request that are a loss by the source's own history: the same hour of each of the last four
-- weeks had 50 requests and more, and of the 420 days before, the source had such hours on none if fewer than
-- 245 of them are known, on one if fewer than 405 are, on two, or always more of them on end. Hours on end are
-- one such silence, over midnight if it began after 18:00 UTC. Commands say the same of sources without
-- expected_hours.
create or replace view silent_hours as
with days as (
    select distinct
        source,
        dt
    from source_counts_files
),

every_hour as (
    select
        source,
        cast(dt as timestamp) + to_hours(unnest(range(24))) as hour_start
    from days
),

counted as (
    select
        source,
        time_bucket(interval 1 hour, bucket_start) as hour_start,
        sum(requests_total) as requests
    from source_counts
    group by all
),

hours as (
    select
        every_hour.source,
        every_hour.hour_start,
        coalesce(counted.requests, 0) as requests
    from every_hour
    left join counted
        on every_hour.source = counted.source and every_hour.hour_start = counted.hour_start
),

known as (
    select
        source,
        hour_start,
        requests,
        lag(hour_start) over of_source as hour_before,
        lag(hour_start, 4) over of_week as four_weeks_before,
        min(requests) over (of_week rows between 4 preceding and 1 preceding) as fewest
    from hours
    window
        of_source as (partition by source order by hour_start),
        of_week as (partition by source, isodow(hour_start), hour(hour_start) order by hour_start)
),

quiet as (
    select
        source,
        hour_start,
        requests = 0
        and fewest >= 50
        and four_weeks_before = hour_start - interval 28 days as is_quiet,
        max(
            case
                when requests > 0 then hour_start + interval 1 hour
                when hour_before is distinct from hour_start - interval 1 hour then hour_start
            end
        ) over (partition by source order by hour_start) as run_start
    from known
),

quiet_hours as (
    select
        source,
        hour_start,
        run_start,
        date_trunc('day', hour_start) as day_start,
        greatest(run_start, date_trunc('day', hour_start)) as part_start
    from quiet
    where is_quiet
),

parts as (
    select
        source,
        day_start,
        part_start,
        run_start,
        count(*) as quiet_hours
    from quiet_hours
    group by all
),

known_days as (
    select
        source,
        cast(dt as timestamp) as day_start,
        count(*) over (
            partition by source
            order by cast(dt as timestamp)
            range between interval 420 days preceding and interval 1 day preceding
        ) as days_known
    from days
),

compared as (
    select
        parts.source,
        parts.part_start,
        parts.run_start,
        parts.day_start,
        parts.quiet_hours,
        any_value(known_days.days_known) as days_known,
        count(distinct earlier.day_start) filter (where earlier.part_start < parts.run_start) as silent_days,
        min(earlier.quiet_hours) filter (where earlier.part_start < parts.run_start) as shortest,
        coalesce(
            bool_or(
                earlier.part_start >= parts.run_start
                and parts.run_start < parts.day_start - interval 6 hours
            ),
            false
        ) as was_said_before
    from parts
    inner join known_days on parts.source = known_days.source and parts.day_start = known_days.day_start
    left join parts as earlier
        on
            parts.source = earlier.source
            and parts.day_start > earlier.day_start
            and parts.day_start - interval 420 days <= earlier.day_start
    group by all
)

select
    quiet_hours.source,
    cast(quiet_hours.hour_start as date) as dt,
    hour(quiet_hours.hour_start) as hour,
    quiet_hours.hour_start
from quiet_hours
inner join compared
    on quiet_hours.source = compared.source and quiet_hours.part_start = compared.part_start
where
    not compared.was_said_before
    and (
        compared.silent_days
        <= case when compared.days_known >= 405 then 2 when compared.days_known >= 245 then 1 else 0 end
        or (compared.days_known >= 405 and compared.shortest > compared.quiet_hours)
    );
