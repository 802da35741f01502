-- Valid requests and errors of the `minutes` before each `bucket_end`, and of as many as a column's name says, per
-- objective, application and vantage, which `line` numbers. Ends are five minutes apart; `minutes` is a multiple
-- of 5, and the longest window asked for. Read are the days from `start` and `minutes` before it; the last end is
-- `minutes` after the last request, or that of the last day.
create or replace macro window_counts(minutes, start, stop) as table
    with counts as not materialized (  -- to read the names twice takes less than to keep them for each row
        select
            application,
            vantage,
            epoch_us(bucket_start) // 300000000 as bucket,  -- five minutes since 1970
            valid_requests,
            server_error_requests
        from known_counts()
        where
            (start is null or dt >= cast(start as date) - cast(ceil(minutes / 1440) as integer))
            and (stop is null or dt < cast(stop as date))
    ),

    spans as (
        select
            application,
            vantage,
            min(bucket) as first_bucket,
            max(bucket) as last_bucket
        from counts
        group by application, vantage
    ),

    -- numbered from a window's length before its first five minutes, to the last of the last day at most (of 288)
    series as materialized (
        select
            application,
            vantage,
            row_number() over () << 27 as series,  -- there are fewer five minutes in a thousand years
            first_bucket - minutes // 5 as begins,
            least(last_bucket + minutes // 5, 288 * (max(last_bucket // 288) over () + 1)) as ends
        from spans
    ),

    -- All on one line, far from each other: no window reaches into the series before, and a row after the last
    -- five minutes ends each.
    placed as (
        select
            series.series + counts.bucket - series.begins as place,
            counts.valid_requests,
            counts.server_error_requests
        from counts
        inner join series on counts.application = series.application and counts.vantage = series.vantage
        union all
        select
            series as place,
            0 as valid_requests,
            0 as server_error_requests
        from series
        union all
        select
            series + ends - begins as place,
            0 as valid_requests,
            0 as server_error_requests
        from series
    ),

    ordered as (
        select *
        from placed
        order by cast(place >> 31 as usmallint), cast(place & 2147483647 as integer)  -- faster than by `place`
    ),

    -- An empty over () takes rows as they come, in one pass without a sort, and a window's sum is the total of a
    -- row minus that of one some rows above. That they come in order is checked, here and below. There is no lead:
    -- where one follows and unnest makes many rows of few, DuckDB 1.5 takes the last ones out of their order.
    totals as (
        select
            in_order(place, coalesce(lag(place) over () <= place, true)) as place,
            case when (lag(place) over () >> 27) = (place >> 27) then place - lag(place) over () end as gap,
            cast(sum(valid_requests) over so_far as bigint) - valid_requests as valid_requests,
            cast(sum(server_error_requests) over so_far as bigint) - server_error_requests as server_error_requests
        from ordered
        window so_far as (rows unbounded preceding)  -- noqa: PRS
    ),

    -- A row for each five minutes from the one before to the one before that: of several rows of one place only
    -- the first has a gap. Most gaps are short, and range() is slow, as is any list that is not written here.
    grid as (
        select
            place - gap + unnest(
                case gap
                    when 0 then []
                    when 1 then [0]
                    when 2 then [0, 1]
                    when 3 then [0, 1, 2]
                    when 4 then [0, 1, 2, 3]
                    when 5 then [0, 1, 2, 3, 4]
                    when 6 then [0, 1, 2, 3, 4, 5]
                    when 7 then [0, 1, 2, 3, 4, 5, 6]
                    else range(gap)
                end
            ) as place,
            valid_requests,
            server_error_requests
        from totals
    ),

    windows as (
        select
            in_order(
                place,
                place & 134217727 < minutes // 5 or lag(place, minutes // 5) over () = place - minutes // 5
            ) as place,
            place & 134217727 as number,
            valid_requests - lag(valid_requests, minutes // 5) over () as valid_requests,
            server_error_requests - lag(server_error_requests, minutes // 5) over () as server_error_requests,
            valid_requests - lag(valid_requests, 1) over () as valid_requests_5,
            server_error_requests - lag(server_error_requests, 1) over () as server_error_requests_5,
            valid_requests - lag(valid_requests, 6) over () as valid_requests_30,
            server_error_requests - lag(server_error_requests, 6) over () as server_error_requests_30,
            valid_requests - lag(valid_requests, 12) over () as valid_requests_60,
            server_error_requests - lag(server_error_requests, 12) over () as server_error_requests_60,
            valid_requests - lag(valid_requests, 24) over () as valid_requests_120,
            server_error_requests - lag(server_error_requests, 24) over () as server_error_requests_120,
            valid_requests - lag(valid_requests, 72) over () as valid_requests_360,
            server_error_requests - lag(server_error_requests, 72) over () as server_error_requests_360,
            valid_requests - lag(valid_requests, 288) over () as valid_requests_1440,
            server_error_requests - lag(server_error_requests, 288) over () as server_error_requests_1440
        from grid
    ),

    whole as (
        select *
        from windows
        where number >= minutes // 5
    ),

    covered as (
        select
            row_number() over () as line,
            slo.slo,
            slo.objective,
            series.*
        from series
        inner join slo on slo_covers(slo.applications, slo.vantage, series.application, series.vantage)
    )

    select
        covered.line,
        covered.slo,
        covered.objective,
        covered.application,
        covered.vantage,
        make_timestamp(300000000 * (covered.begins + whole.number + 1)) as bucket_end,
        make_timestamp(300000000 * covered.ends) as last_bucket_end,
        whole.valid_requests,
        whole.server_error_requests,
        whole.valid_requests_5,
        whole.server_error_requests_5,
        whole.valid_requests_30,
        whole.server_error_requests_30,
        whole.valid_requests_60,
        whole.server_error_requests_60,
        whole.valid_requests_120,
        whole.server_error_requests_120,
        whole.valid_requests_360,
        whole.server_error_requests_360,
        whole.valid_requests_1440,
        whole.server_error_requests_1440
    from whole
    inner join covered on whole.place - whole.number = covered.series;
