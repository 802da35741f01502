-- Hours without a request that are a loss by the source's own history: the same hour of each of the last four
-- weeks had 50 requests and more, and the source had no such hour in the 119 days before. Hours on end are one,
-- over midnight if it began after 18:00 UTC. Commands say the same of sources without expected_hours.
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

judged as (
    select
        source,
        hour_start,
        date_trunc('day', hour_start) as day_start,
        case
            when run_start >= day_start - interval 6 hours then least(run_start, day_start)
            else day_start
        end as began
    from quiet
    where is_quiet
)

select
    source,
    cast(hour_start as date) as dt,
    hour(hour_start) as hour,
    hour_start
from judged
where not exists (
    select 1
    from quiet
    where
        quiet.is_quiet
        and quiet.source = judged.source
        and quiet.hour_start >= judged.day_start - interval 119 days
        and quiet.hour_start < judged.began
);
