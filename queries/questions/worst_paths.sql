-- Which paths had the errors of a UTC day, most errors first, and what share of the application's errors each had;
-- paths of one template, which differ only in numbers or ids, are one.
create or replace macro worst_paths(day) as table
    with of_paths as (
        select
            application,
            vantage,
            path,
            count(*) as valid_requests,
            count(*) filter (where status between 500 and 599) as server_error_requests
        from requests
        where dt = cast(day as date) and traffic_class = 'user'
        group by application, vantage, path
    ),

    counted as materialized (  -- or the window below reads the requests again
        select
            application,
            vantage,
            path_template(path) as path,
            cast(sum(valid_requests) as bigint) as valid_requests,
            cast(sum(server_error_requests) as bigint) as server_error_requests
        from of_paths
        group by application, vantage, path_template(path)
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
        application,
        vantage,
        path,
        valid_requests,
        server_error_requests,
        error_rate,
        error_rate_low,
        error_rate_high,
        share_of_errors
    from rated
    order by server_error_requests desc, error_rate_low desc, application asc, vantage asc, path asc;
