-- Incidents, most requests lost first: consecutive five minutes in each of which the lower end of the error
-- rate's interval is above `threshold`, a share, and in which `server_error_requests` were lost, at least
-- `min_lost`; of the UTC days from `start` (or the first) to before `stop` (or all), at which an incident is cut.
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
    )

    select
        application,
        vantage,
        started,
        ended,
        minutes,
        valid_requests,
        server_error_requests,
        unnest(rate_and_interval(server_error_requests, valid_requests))
    from runs
    where server_error_requests >= min_lost
    order by server_error_requests desc, started asc, application asc, vantage asc;
