-- The requests of `requests`, counted per application, vantage, five minutes (UTC) and class of status.
create or replace macro five_minute_counts() as table
    select
        application,
        vantage,
        time_bucket(interval 5 minutes, ts) as bucket_start,
        status_class(status) as status_class,
        unnest(request_counts(status, traffic_class))
    from requests
    group by application, vantage, time_bucket(interval 5 minutes, ts), status_class(status);
