-- In how many minutes of each week, which its Monday names, the error rate was above `threshold`, a share; of the
-- UTC days from `start` (or the first) to before `stop` (or all). Five minutes count whole. Of the
-- `minutes_with_requests` there is a rate, and `days` are those of the week with requests.
create or replace macro minutes_over(threshold, start := null, stop := null) as table
    with buckets as (
        select
            dt,
            application,
            vantage,
            bucket_start,
            sum(valid_requests) as valid_requests,
            sum(server_error_requests) as server_error_requests
        from known_counts()
        where
            share(threshold) is not null
            and (start is null or dt >= cast(start as date))
            and (stop is null or dt < cast(stop as date))
        group by dt, application, vantage, bucket_start
        having sum(valid_requests) > 0
    )

    select
        cast(date_trunc('week', dt) as date) as week,
        application,
        vantage,
        count(distinct dt) as days,
        5 * count(*) as minutes_with_requests,
        5 * count(*) filter (where server_error_requests > threshold * valid_requests) as minutes_over
    from buckets
    group by date_trunc('week', dt), application, vantage
    order by week, application, vantage;
