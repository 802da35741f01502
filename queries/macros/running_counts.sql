-- Per application and vantage, totals of valid requests and errors at the end of each five minutes since `begins`,
-- gaps included: a list each, so that the sum over any window is one total minus another. Read are the days from
-- `start`, and as many minutes before it and after the last request as the longest window has.
create or replace macro running_counts(minutes, start, stop) as table
    with counted as materialized (
        select
            application,
            vantage,
            bucket_start,
            cast(sum(valid_requests) as bigint) as valid_requests,
            cast(sum(server_error_requests) as bigint) as server_error_requests
        from known_counts()
        where
            (start is null or dt >= cast(start as date) - cast(ceil(minutes / 1440) as integer))
            and (stop is null or dt < cast(stop as date))
        group by application, vantage, bucket_start
    ),

    series as materialized (
        select
            application,
            vantage,
            cast(row_number() over () as integer) as series,
            min(bucket_start) as begins,
            least(
                max(bucket_start) + to_minutes(minutes),
                (select date_trunc('day', max(every.bucket_start)) + interval 1 day from counted as every)
            ) as ends
        from counted
        group by application, vantage
    ),

    found as (
        select
            series.series,
            cast(date_diff('minute', series.begins, counted.bucket_start) // 5 + 1 as integer) as bucket,
            counted.valid_requests,
            counted.server_error_requests
        from counted
        inner join series on counted.application = series.application and counted.vantage = series.vantage
    ),

    grid as (
        select
            series,
            cast(unnest(range(1, date_diff('minute', begins, ends) // 5 + 1)) as integer) as bucket
        from series
    ),

    totals as (
        select
            grid.series,
            grid.bucket,
            cast(sum(found.valid_requests) over so_far as bigint) as valid_requests,
            cast(sum(found.server_error_requests) over so_far as bigint) as server_error_requests
        from grid
        left join found on grid.series = found.series and grid.bucket = found.bucket
        window so_far as (partition by grid.series order by grid.bucket rows unbounded preceding)
    ),

    listed as (
        select
            series,
            list(valid_requests order by bucket) as valid_requests,
            list(server_error_requests order by bucket) as server_error_requests
        from totals
        group by series
    )

    select
        series.application,
        series.vantage,
        series.begins,
        listed.valid_requests,
        listed.server_error_requests
    from series
    inner join listed on series.series = listed.series;
