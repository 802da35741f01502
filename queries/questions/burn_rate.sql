-- How fast each error budget is spent over the `minutes`, a multiple of 5, before the end of each five minutes of
-- the days from start to before stop: 1 spends it in its window, 2 in half of it; NULL without valid requests.
create or replace macro burn_rate(minutes, start := null, stop := null) as table
    with counts as (
        select *
        from window_counts(
            case
                when minutes > 0 and minutes % 5 = 0 then minutes
                else error('burn_rate(' || minutes || '): expected minutes, 5 or a multiple of it')
            end,
            start,
            stop
        )
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
    from counts
    where start is null or bucket_end > cast(start as date)
    order by slo, application, vantage, bucket_end;
