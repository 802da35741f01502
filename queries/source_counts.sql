-- Requests of one source and day per application, vantage, five minutes and class of status.
select
    application,
    vantage,
    bucket_start,
    status_class,
    requests_total,
    health_check_requests,
    synthetic_requests,
    valid_requests,
    server_error_requests,
    client_error_requests,
    client_abort_requests,
    throttled_requests
from five_minute_counts()
order by application, vantage, bucket_start, status_class
