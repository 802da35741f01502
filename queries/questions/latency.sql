-- How long valid requests took, in seconds, of the days or times from `start` (or the first) to before `stop` (or
-- all): the duration that 50, 90, 95 and 99 % of them didn't exceed, within 1 %. A row is of an application at a
-- vantage in all of the time, or in a UTC day with `by_day := true`. `without_duration` are valid requests whose
-- log doesn't say how long they took.
create or replace macro latency(start := null, stop := null, name := null, by_day := false) as table
    with summed as (
        select
            case when by_day then dt end as dt,
            application,
            vantage,
            duration_bucket,
            sum(valid_requests) as requests
        from known_durations()
        where
            -- of which partitions, and of which rows
            (start is null or dt >= cast(cast(start as timestamp) as date))
            and (stop is null or dt <= cast(cast(stop as timestamp) as date))
            and (start is null or bucket_start >= cast(start as timestamp))
            and (stop is null or bucket_start < cast(stop as timestamp))
            and (name is null or application = name)
            and valid_requests > 0
        group by all
    ),

    running as (
        select
            *,
            duration_of_bucket(duration_bucket) as seconds,
            sum(requests) filter (where duration_bucket > -2) over so_far as upto,
            sum(requests) filter (where duration_bucket > -2) over all_of_it as total
        from summed
        window
            all_of_it as (partition by dt, application, vantage),
            so_far as (partition by dt, application, vantage order by duration_bucket rows unbounded preceding)
    )

    select
        dt,
        application,
        vantage,
        coalesce(cast(sum(requests) filter (where duration_bucket > -2) as bigint), 0) as valid_requests,
        coalesce(cast(sum(requests) filter (where duration_bucket = -2) as bigint), 0) as without_duration,
        min(seconds) filter (where upto >= 0.5 * total) as p50,
        min(seconds) filter (where upto >= 0.9 * total) as p90,
        min(seconds) filter (where upto >= 0.95 * total) as p95,
        min(seconds) filter (where upto >= 0.99 * total) as p99,
        max(seconds) as longest
    from running
    group by dt, application, vantage
    order by dt, application, vantage;
