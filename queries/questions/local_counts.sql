-- Requests of each five minutes with the local time at which they began, of the local days from `start` (or the
-- first) to before `stop` (or all): what questions about local time are made of.
create or replace macro local_counts(time_zone, start := null, stop := null) as table
    select
        bucket_start,
        bucket_start at time zone 'UTC' at time zone time_zone as local_start,
        application,
        vantage,
        valid_requests,
        server_error_requests
    from known_counts()
    where
        -- of which partitions; a local day lies less than a day off the UTC day
        (start is null or dt >= cast(start as date) - 1)
        and (stop is null or dt <= cast(stop as date))
        -- of which rows
        and (start is null or local_start >= cast(start as date))
        and (stop is null or local_start < cast(stop as date));
