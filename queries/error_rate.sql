-- Error rates of one day: one row per application and vantage, also of those whose source has no raw logs.
with five_minutes as (
    select * exclude (status_class)
    from error_counts

    union all by name

    select
        application,
        vantage
    from sources
    where is_missing and application is not null
),

counted as (
    select
        application,
        vantage,
        cast(coalesce(sum(requests_total), 0) as bigint) as requests_total,
        cast(coalesce(sum(health_check_requests), 0) as bigint) as health_check_requests,
        cast(coalesce(sum(synthetic_requests), 0) as bigint) as synthetic_requests,
        cast(coalesce(sum(valid_requests), 0) as bigint) as valid_requests,
        cast(coalesce(sum(server_error_requests), 0) as bigint) as server_error_requests,
        cast(coalesce(sum(client_error_requests), 0) as bigint) as client_error_requests,
        cast(coalesce(sum(client_abort_requests), 0) as bigint) as client_abort_requests,
        cast(coalesce(sum(throttled_requests), 0) as bigint) as throttled_requests,
        count(distinct hour(bucket_start)) as hours_observed
    from five_minutes
    group by application, vantage
),

days as (
    select
        source,
        vantage,
        application,
        incomplete
    from sources

    union all by name

    select
        source,
        vantage,
        application,
        incomplete
    from source_days
    where source_days.source not in (select sources.source from sources)  -- luigi.cfg no longer declares those
)

select
    application,
    vantage,
    requests_total,
    health_check_requests,
    synthetic_requests,
    valid_requests,
    server_error_requests,
    client_error_requests,
    client_abort_requests,
    throttled_requests,
    unnest(rate_and_interval(server_error_requests, valid_requests)),
    hours_observed,
    (
        select string_agg(days.source || ': ' || days.incomplete, '; ' order by days.source)
        from days
        where
            days.vantage = counted.vantage
            and (days.application is null or days.application = counted.application)
    ) as incomplete
from counted
order by application, vantage
