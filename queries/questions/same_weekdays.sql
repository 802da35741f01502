-- A day against the same weekday of the four weeks before, as far as they are in the lake: valid requests a day,
-- and error rates with their intervals. `is_sure` says whether the two intervals don't overlap.
create or replace macro same_weekdays(day, name := null) as table
    with chosen as (
        select
            application,
            vantage,
            dt = cast(day as date) as is_day,
            valid_requests,
            server_error_requests
        from error_rate
        where
            dt in (
                cast(day as date),
                cast(day as date) - 7,
                cast(day as date) - 14,
                cast(day as date) - 21,
                cast(day as date) - 28
            )
            and (name is null or application = name)
    ),

    summed as (
        select
            application,
            vantage,
            count(*) filter (where not is_day) as days_before,
            coalesce(cast(sum(valid_requests) filter (where not is_day) as bigint), 0) as requests_0,
            coalesce(cast(sum(server_error_requests) filter (where not is_day) as bigint), 0) as errors_0,
            coalesce(cast(sum(valid_requests) filter (where is_day) as bigint), 0) as requests_1,
            coalesce(cast(sum(server_error_requests) filter (where is_day) as bigint), 0) as errors_1
        from chosen
        group by application, vantage
    ),

    rated as (
        select
            *,
            rate_and_interval(errors_0, requests_0) as rate_0,
            rate_and_interval(errors_1, requests_1) as rate_1
        from summed
    )

    select
        rated.application,
        rated.vantage,
        rated.days_before,
        rated.requests_0 / nullif(rated.days_before, 0) as valid_requests_before,
        rated.rate_0.error_rate as error_rate_before,
        rated.rate_0.error_rate_low as error_rate_low_before,
        rated.rate_0.error_rate_high as error_rate_high_before,
        rated.requests_1 as valid_requests,
        rated.errors_1 as server_error_requests,
        rated.rate_1.error_rate,
        rated.rate_1.error_rate_low,
        rated.rate_1.error_rate_high,
        rated.rate_1.error_rate_low > rated.rate_0.error_rate_high
        or rated.rate_1.error_rate_high < rated.rate_0.error_rate_low as is_sure
    from rated
    order by rated.application, rated.vantage;
