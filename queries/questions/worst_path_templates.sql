-- Which path templates had the errors of the UTC days from `start` (or the first) to before `stop` (or all), most
-- errors first, and what share of the application's errors each had; from error_breakdown, so also of days whose
-- requests were deleted. `days` says how many of the days have it.
create or replace macro worst_path_templates(start := null, stop := null) as table
    with built as (
        select count(distinct dt) as days
        from error_breakdown_files
        where
            (start is null or dt >= cast(start as date))
            and (stop is null or dt < cast(stop as date))
    ),

    counted as materialized (
        select
            application,
            vantage,
            path_template,
            cast(sum(valid_requests) as bigint) as valid_requests,
            cast(sum(server_error_requests) as bigint) as server_error_requests
        from known_breakdown()
        where
            (start is null or dt >= cast(start as date))
            and (stop is null or dt < cast(stop as date))
        group by application, vantage, path_template
    ),

    rated as (
        select
            *,
            unnest(rate_and_interval(server_error_requests, valid_requests)),
            server_error_requests
            / sum(server_error_requests) over (partition by application, vantage) as share_of_errors
        from counted
        where server_error_requests > 0
    )

    select
        rated.application,
        rated.vantage,
        rated.path_template,
        built.days,
        rated.valid_requests,
        rated.server_error_requests,
        rated.error_rate,
        rated.error_rate_low,
        rated.error_rate_high,
        rated.share_of_errors
    from rated
    cross join built
    order by
        rated.server_error_requests desc, rated.error_rate_low desc, rated.application asc, rated.vantage asc,
        rated.path_template asc;
