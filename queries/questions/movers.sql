-- Whose error rate moved, largest change first: that of the 7 days before `stop` (or to the last day) against
-- that of the 7 days before those, only where the two intervals don't overlap.
create or replace macro movers(stop := null) as table
    with until as (
        select coalesce(cast(stop as date), max(dt) + 1) as stop_day
        from error_rate_files
        where stop is null
    ),

    days as (
        select
            error_rate.application,
            error_rate.vantage,
            error_rate.valid_requests,
            error_rate.server_error_requests,
            error_rate.dt < until.stop_day - 7 as is_before
        from until
        inner join error_rate on error_rate.dt between until.stop_day - 14 and until.stop_day - 1
    ),

    summed as (
        select
            application,
            vantage,
            cast(sum(valid_requests) filter (where is_before) as bigint) as valid_requests_before,
            cast(sum(server_error_requests) filter (where is_before) as bigint) as server_error_requests_before,
            cast(sum(valid_requests) filter (where not is_before) as bigint) as valid_requests,
            cast(sum(server_error_requests) filter (where not is_before) as bigint) as server_error_requests
        from days
        group by application, vantage
    ),

    rated as (
        select
            *,
            rate_and_interval(server_error_requests_before, valid_requests_before) as rate_before,
            rate_and_interval(server_error_requests, valid_requests) as rate
        from summed
    )

    select
        rated.application,
        rated.vantage,
        rated.valid_requests_before,
        rated.server_error_requests_before,
        rated.rate_before.error_rate as error_rate_before,
        rated.rate_before.error_rate_low as error_rate_low_before,
        rated.rate_before.error_rate_high as error_rate_high_before,
        rated.valid_requests,
        rated.server_error_requests,
        rated.rate.error_rate,
        rated.rate.error_rate_low,
        rated.rate.error_rate_high,
        rated.rate.error_rate - rated.rate_before.error_rate as difference
    from rated
    where
        rated.rate.error_rate_low > rated.rate_before.error_rate_high
        or rated.rate.error_rate_high < rated.rate_before.error_rate_low
    order by abs(difference) desc, rated.application asc, rated.vantage asc;
