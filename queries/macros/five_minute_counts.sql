-- The requests of `requests`, counted per application, vantage, five minutes (UTC) and class of status: the one
-- place that says what is an error, and what is not valid.
create or replace macro five_minute_counts() as table
    with classified as (
        select
            application,
            vantage,
            time_bucket(interval 5 minutes, ts) as bucket_start,
            status_class(status) as status_class,
            status,
            traffic_class = 'user' as is_valid,
            traffic_class = 'health_check' as is_health_check,
            traffic_class = 'synthetic' as is_synthetic,
            status in (0, 460, 499) as is_client_abort
        from requests
    )

    select
        application,
        vantage,
        bucket_start,
        status_class,
        count(*) as requests_total,
        count(*) filter (where is_health_check) as health_check_requests,
        count(*) filter (where is_synthetic) as synthetic_requests,
        count(*) filter (where is_valid) as valid_requests,
        count(*) filter (where is_valid and status between 500 and 599) as server_error_requests,
        count(*) filter (
            where is_valid and status between 400 and 499 and status != 429 and not is_client_abort
        ) as client_error_requests,
        count(*) filter (where is_valid and is_client_abort) as client_abort_requests,
        count(*) filter (where is_valid and status = 429) as throttled_requests
    from classified
    group by application, vantage, bucket_start, status_class;
