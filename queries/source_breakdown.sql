-- Requests of one source and day per application, vantage, hour, path template, method and status: of all paths.
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
)

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
order by application, vantage, hour, path_template, method, status
