-- Requests of one source and day per application, vantage, five minutes and bucket of durations.
select
    application,
    vantage,
    time_bucket(interval 5 minutes, ts) as bucket_start,
    duration_bucket(duration_seconds) as duration_bucket,
    count(*) as requests_total,
    count(*) filter (where traffic_class = 'user') as valid_requests
from requests
group by application, vantage, time_bucket(interval 5 minutes, ts), duration_bucket(duration_seconds)
order by application, vantage, bucket_start, duration_bucket
