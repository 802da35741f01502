-- Requests of one day per application, vantage, five minutes and bucket of durations: the sums of all sources.
select
    application,
    vantage,
    bucket_start,
    duration_bucket,
    cast(sum(requests_total) as bigint) as requests_total,
    cast(sum(valid_requests) as bigint) as valid_requests
from source_durations
group by application, vantage, bucket_start, duration_bucket
order by application, vantage, bucket_start, duration_bucket
