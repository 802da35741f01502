-- Requests of one day per application, vantage, five minutes and class of status: the sums of all sources.
select
    application,
    vantage,
    bucket_start,
    status_class,
    cast(sum(requests_total) as bigint) as requests_total,
    cast(sum(health_check_requests) as bigint) as health_check_requests,
    cast(sum(synthetic_requests) as bigint) as synthetic_requests,
    cast(sum(valid_requests) as bigint) as valid_requests,
    cast(sum(server_error_requests) as bigint) as server_error_requests,
    cast(sum(client_error_requests) as bigint) as client_error_requests,
    cast(sum(client_abort_requests) as bigint) as client_abort_requests,
    cast(sum(throttled_requests) as bigint) as throttled_requests
from source_counts
group by application, vantage, bucket_start, status_class
order by application, vantage, bucket_start, status_class
