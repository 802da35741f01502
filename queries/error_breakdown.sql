-- Requests of one day per application, vantage, hour, path template, method and status. Of an application at a
-- vantage, those templates with 5 requests or more are named that are among the 1,000 with the most requests, or
-- among the 1,000 with the most server errors. All others are one, so the sums are those of all requests.
with candidates as (
    select
        application,
        vantage,
        path_template,
        sum(requests_total) as requests_total,
        sum(server_error_requests) as server_error_requests
    from source_breakdown
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
        source_breakdown.* replace (
            case
                when source_breakdown.path_template = '(none)' then '(none)'
                else coalesce(named.path_template, '(other)')
            end as path_template
        )
    from source_breakdown
    left join named
        on
            source_breakdown.application = named.application
            and source_breakdown.vantage = named.vantage
            and source_breakdown.path_template = named.path_template
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
