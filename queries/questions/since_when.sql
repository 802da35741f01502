-- Since when an error rate is another: of each application and vantage, the five minutes from which on it differs
-- most from before, of the days or times from `start` to before `stop` (or of the last 14 days), if that is no
-- chance; with the events of the 30 minutes to then. Largest change first. `p_value` is an upper bound, with all
-- five minutes considered, of errors that are independent of each other.
create or replace macro since_when(start := null, stop := null, name := null) as table
    with known_to as (
        select cast(max(dt) + 1 as timestamp) as last_time
        from (
            select dt
            from error_counts_files
            union all
            select dt
            from error_rate_files  -- without a day of the other, known_counts() says what is missing
        ) as files
    ),

    until as (
        select
            coalesce(cast(stop as timestamp), last_time) as stop_time,
            coalesce(cast(start as timestamp), coalesce(cast(stop as timestamp), last_time) - interval 14 days)
                as start_time
        from known_to
    ),

    days as (
        select cast(unnest(range(cast(start_time as date), stop_time, interval 1 day)) as date) as day
        from until
    ),

    known as (
        select *
        from known_counts()
        where
            dt in (select days.day from days)
            and (name is null or application = name)
    ),

    counts as (
        select
            known.application,
            known.vantage,
            known.bucket_start,
            sum(known.valid_requests) as requests,
            sum(known.server_error_requests) as errors
        from known
        inner join until
            on known.bucket_start >= until.start_time and known.bucket_start < until.stop_time
        group by known.application, known.vantage, known.bucket_start
        having sum(known.valid_requests) > 0
    ),

    running as (
        select
            application,
            vantage,
            bucket_start,
            cast(sum(requests) over before_and_now - requests as bigint) as requests_before,
            cast(sum(errors) over before_and_now - errors as bigint) as errors_before,
            cast(sum(requests) over all_of_it as bigint) as requests_all,
            cast(sum(errors) over all_of_it as bigint) as errors_all,
            count(*) over all_of_it - 1 as candidates
        from counts
        window
            all_of_it as (partition by application, vantage),
            before_and_now as (partition by application, vantage order by bucket_start rows unbounded preceding)
    ),

    split as (
        select
            *,
            chernoff(errors_before, errors_all * (requests_before / requests_all), errors_all) as surprise
        from running
        where requests_before > 0
    ),

    found as (
        select
            *,
            rate_and_interval(errors_before, requests_before) as rate_before,
            rate_and_interval(errors_all - errors_before, requests_all - requests_before) as rate,
            least(1e0, 2e0 * candidates * exp(-surprise)) as p_value
        from split
        qualify
            row_number() over (partition by application, vantage order by surprise desc, bucket_start asc) = 1
            and p_value <= 0.05
    )

    select
        found.application,
        found.vantage,
        found.bucket_start as since,
        found.requests_before as valid_requests_before,
        found.errors_before as server_error_requests_before,
        found.rate_before.error_rate as error_rate_before,
        found.requests_all - found.requests_before as valid_requests,
        found.errors_all - found.errors_before as server_error_requests,
        found.rate.error_rate,
        found.rate.error_rate_low,
        found.rate.error_rate_high,
        found.rate.error_rate - found.rate_before.error_rate as difference,
        found.p_value,
        events_before(found.application, found.bucket_start + interval 5 minutes) as events
    from found
    order by abs(difference) desc, found.application asc, found.vantage asc;
