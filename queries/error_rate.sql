-- Error rates of one day: one row per application and vantage, also of those whose source has no raw logs.
with classified as (
    select
        application,
        vantage,
        status,
        hour(ts) as hour_of_day,
        traffic_class = 'user' as is_valid,
        traffic_class = 'health_check' as is_health_check,
        traffic_class = 'synthetic' as is_synthetic,
        status in (0, 460, 499) as is_client_abort
    from requests

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
        count(status) as requests_total,
        count(*) filter (where is_health_check) as health_check_requests,
        count(*) filter (where is_synthetic) as synthetic_requests,
        count(*) filter (where is_valid) as valid_requests,
        count(*) filter (where is_valid and status between 500 and 599) as server_error_requests,
        count(*) filter (
            where is_valid and status between 400 and 499 and status != 429 and not is_client_abort
        ) as client_error_requests,
        count(*) filter (where is_valid and is_client_abort) as client_abort_requests,
        count(*) filter (where is_valid and status = 429) as throttled_requests,
        count(distinct hour_of_day) as hours_observed
    from classified
    group by application, vantage
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
    case when valid_requests > 0 then server_error_requests / valid_requests end as error_rate,
    wilson_low(server_error_requests, valid_requests) as error_rate_low,
    wilson_high(server_error_requests, valid_requests) as error_rate_high,
    hours_observed,
    (
        select string_agg(sources.source || ': ' || sources.incomplete, '; ' order by sources.source)
        from sources
        where
            sources.vantage = counted.vantage
            and (sources.application is null or sources.application = counted.application)
    ) as incomplete
from counted
order by application, vantage
