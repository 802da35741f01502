-- Which paths had the errors of a UTC day, most errors first, and what share of the application's errors each had;
-- paths that differ only in numbers are one, with `{number}` in it.
create or replace macro worst_paths(day) as table
    with valid as (
        select
            application,
            vantage,
            status,
            -- twice, since a slash doesn't both end a number and begin the next
            regexp_replace(
                regexp_replace(path, '/[0-9]+(/|$)', '/{number}\1', 'g'), '/[0-9]+(/|$)', '/{number}\1', 'g'
            ) as path
        from requests
        where dt = cast(day as date) and traffic_class = 'user'
    ),

    counted as materialized (  -- or the window below reads the requests again
        select
            application,
            vantage,
            path,
            count(*) as valid_requests,
            count(*) filter (where status between 500 and 599) as server_error_requests
        from valid
        group by application, vantage, path
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
