-- Incidents, most requests lost first: consecutive five minutes in each of which the lower end of the error
-- rate's interval is above `threshold`, a share, and in which `server_error_requests` were lost, at least
-- `min_lost`; of the UTC days from `start` (or the first) to before `stop` (or all), at which an incident is cut.
-- `onset` is the five minutes of the two hours to its start from which on the rate differs most from before, and
-- `events` those of the 30 minutes to then.
create or replace macro incidents(threshold, start := null, stop := null, min_lost := 5) as table
    with counts as materialized (
        select
            application,
            vantage,
            bucket_start,
            valid_requests,
            server_error_requests
        from known_counts()
        where
            share(threshold) is not null
            and (start is null or dt >= cast(start as date))
            and (stop is null or dt < cast(stop as date))
    ),

    -- most five minutes have no error, and needn't be summed
    failing as (
        select distinct
            application,
            vantage,
            bucket_start
        from counts
        where server_error_requests > 0
    ),

    buckets as (
        select
            counts.application,
            counts.vantage,
            counts.bucket_start,
            sum(counts.valid_requests) as valid_requests,
            sum(counts.server_error_requests) as server_error_requests
        from counts
        semi join failing
            on
                counts.application = failing.application
                and counts.vantage = failing.vantage
                and counts.bucket_start = failing.bucket_start
        group by counts.application, counts.vantage, counts.bucket_start
    ),

    -- buckets in a row are all the same time after their number
    numbered as (
        select
            *,
            bucket_start - to_minutes(
                5 * row_number() over (partition by application, vantage order by bucket_start)
            ) as run
        from buckets
        where wilson_low(server_error_requests, valid_requests) > threshold
    ),

    runs as (
        select
            application,
            vantage,
            min(bucket_start) as started,
            max(bucket_start) + interval 5 minutes as ended,
            5 * count(*) as minutes,
            cast(sum(valid_requests) as bigint) as valid_requests,
            cast(sum(server_error_requests) as bigint) as server_error_requests
        from numbered
        group by application, vantage, run
    ),

    -- two hours to its start, but nothing of the run before it
    looked_at as (
        select
            *,
            greatest(
                started - interval 2 hours,
                coalesce(lag(ended) over in_turn, started - interval 2 hours)
            ) as from_then
        from runs
        window in_turn as (partition by application, vantage order by started)
        qualify server_error_requests >= min_lost
    ),

    around as (
        select
            looked_at.application,
            looked_at.vantage,
            looked_at.started,
            times.bucket_start,
            coalesce(sum(counts.valid_requests), 0) as requests,
            coalesce(sum(counts.server_error_requests), 0) as errors
        from looked_at
        cross join unnest(range(looked_at.from_then, looked_at.ended, interval 5 minutes)) as times (bucket_start)
        inner join counts
            on
                looked_at.application = counts.application
                and looked_at.vantage = counts.vantage
                and times.bucket_start = counts.bucket_start
        group by looked_at.application, looked_at.vantage, looked_at.started, times.bucket_start
    ),

    running as (
        select
            *,
            sum(requests) over from_here_on as requests_from,
            sum(errors) over from_here_on as errors_from,
            sum(requests) over all_of_it as requests_all,
            sum(errors) over all_of_it as errors_all
        from around
        window
            all_of_it as (partition by application, vantage, started),
            from_here_on as (
                partition by application, vantage, started order by bucket_start desc rows unbounded preceding
            )
    ),

    onsets as (
        select
            application,
            vantage,
            started,
            arg_max(
                bucket_start, chernoff(errors_from, errors_all * (requests_from / requests_all), errors_all)
            ) as onset
        from running
        where bucket_start <= started and errors_from * requests_all > errors_all * requests_from
        group by application, vantage, started
    ),

    begun as (
        select
            looked_at.*,
            coalesce(onsets.onset, looked_at.started) as onset
        from looked_at
        left join onsets
            on
                looked_at.application = onsets.application
                and looked_at.vantage = onsets.vantage
                and looked_at.started = onsets.started
    )

    select
        application,
        vantage,
        started,
        ended,
        minutes,
        valid_requests,
        server_error_requests,
        unnest(rate_and_interval(server_error_requests, valid_requests)),
        onset,
        events_before(application, onset + interval 5 minutes) as events
    from begun
    order by server_error_requests desc, started asc, application asc, vantage asc;
