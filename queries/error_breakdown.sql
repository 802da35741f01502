-- Requests of one day per application, vantage, hour, path template, method and status. Of an application at a
-- vantage, those templates with 5 requests or more are named that are among the 1,000 with the most requests, or
-- among the 1,000 with the most server errors. All others are one, so the sums are those of all requests.
with paths as (
    select distinct path
    from requests
    where path like '/%' or path = '*'
),

templates as materialized (
    select
        path,
        path_template(path) as path_template  -- of each path once, since it takes long
    from paths
),

named_so_far as (
    select
        requests.application,
        requests.vantage,
        date_trunc('hour', requests.ts) as hour,
        case
            when requests.path is null then '(none)'
            when length(templates.path_template) <= 1000 then templates.path_template
            else '(other)'
        end as path_template,
        case
            when requests.method in ('DELETE', 'GET', 'HEAD', 'OPTIONS', 'PATCH', 'POST', 'PUT')
                then requests.method
            else '(other)'
        end as method,
        requests.status,
        requests.traffic_class
    from requests
    left join templates on requests.path = templates.path
),

counted as materialized (  -- or the ranks read the requests again
    select
        application,
        vantage,
        hour,
        path_template,
        method,
        status,
        unnest(request_counts(status, traffic_class))
    from named_so_far
    group by application, vantage, hour, path_template, method, status
),

candidates as (
    select
        application,
        vantage,
        path_template,
        sum(requests_total) as requests_total,
        sum(server_error_requests) as server_error_requests
    from counted
    where path_template not in ('(none)', '(other)')
    group by application, vantage, path_template
    having sum(requests_total) >= 5
),

ranked as (
    select
        application,
        vantage,
        path_template,
        row_number() over (
            partition by application, vantage
            order by requests_total desc, path_template asc
        ) as rank_by_requests,
        row_number() over (
            partition by application, vantage
            order by server_error_requests desc, requests_total desc, path_template asc
        ) as rank_by_errors
    from candidates
),

named as (
    select
        application,
        vantage,
        path_template
    from ranked
    where least(rank_by_requests, rank_by_errors) <= 1000
),

bounded as (
    select
        counted.* replace (
            case
                when counted.path_template = '(none)' then '(none)' else coalesce(named.path_template, '(other)')
            end as path_template
        )
    from counted
    left join named
        on
            counted.application = named.application
            and counted.vantage = named.vantage
            and counted.path_template = named.path_template
)

select
    application,
    vantage,
    hour,
    path_template,
    method,
    status,
    cast(sum(requests_total) as bigint) as requests_total,
    cast(sum(health_check_requests) as bigint) as health_check_requests,
    cast(sum(synthetic_requests) as bigint) as synthetic_requests,
    cast(sum(valid_requests) as bigint) as valid_requests,
    cast(sum(server_error_requests) as bigint) as server_error_requests,
    cast(sum(client_error_requests) as bigint) as client_error_requests,
    cast(sum(client_abort_requests) as bigint) as client_abort_requests,
    cast(sum(throttled_requests) as bigint) as throttled_requests
from bounded
group by application, vantage, hour, path_template, method, status
order by application, vantage, hour, path_template, method, status
