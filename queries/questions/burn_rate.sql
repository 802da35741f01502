-- How fast each error budget is spent over the `minutes`, a multiple of 5, before the end of each five minutes of
-- the days from start to before stop: 1 spends it in its window, 2 in half of it; NULL without valid requests.
create or replace macro burn_rate(minutes, start := null, stop := null) as table
    with counts as (
        select *
        from running_counts(
            case
                when minutes > 0 and minutes % 5 = 0 then minutes
                else error('burn_rate(' || minutes || '): expected minutes, 5 or a multiple of it')
            end,
            start,
            stop
        )
    ),

    points as (
        select
            slo.slo,
            slo.objective,
            counts.*,
            unnest(range(1, len(counts.valid_requests) + 1)) as n
        from counts
        cross join slo
        where slo_covers(slo.applications, slo.vantage, counts.application, counts.vantage)
    ),

    sums as (
        select
            slo,
            application,
            vantage,
            objective,
            begins + to_minutes(5 * n) as bucket_end,
            in_window(valid_requests, n, minutes // 5) as valid_requests,
            in_window(server_error_requests, n, minutes // 5) as server_error_requests
        from points
    )

    select
        slo,
        application,
        vantage,
        bucket_end,
        valid_requests,
        server_error_requests,
        server_error_requests / nullif(valid_requests, 0) as error_rate,
        burn(server_error_requests, valid_requests, objective) as burn_rate
    from sums
    where start is null or bucket_end > cast(start as date)
    order by slo, application, vantage, bucket_end;
