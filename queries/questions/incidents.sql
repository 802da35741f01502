-- Incidents, most requests lost first: consecutive five minutes in each of which the lower end of the error
-- rate's interval is above `threshold`, a share, and in which `server_error_requests` were lost, at least
-- `min_lost`; of the UTC days from `start` (or the first) to before `stop` (or all), at which an incident is cut.
create or replace macro incidents(threshold, start := null, stop := null, min_lost := 5) as table
    with buckets as (
        select
            application,
            vantage,
            bucket_start,
            sum(valid_requests) as valid_requests,
            sum(server_error_requests) as server_error_requests
        from known_counts()
        where
            (start is null or dt >= cast(start as date))
            and (stop is null or dt < cast(stop as date))
        group by application, vantage, bucket_start
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
        case when valid_requests > 0 then server_error_requests / valid_requests end as error_rate,
        wilson_low(server_error_requests, valid_requests) as error_rate_low,
        wilson_high(server_error_requests, valid_requests) as error_rate_high
    from runs
    where server_error_requests >= min_lost
    order by server_error_requests desc, started asc, application asc, vantage asc;
