-- Pages by what people do there, and by what became of the requests for them.
with pages as (
    select
        application,
        path,
        views,
        0 as useful,
        0 as not_useful
    from page_views

    union all by name

    select
        application,
        path,
        0 as views,
        useful,
        not_useful
    from page_feedback
),

summed as (
    select
        application,
        path,
        path_template(path) as path_template,
        cast(sum(views) as bigint) as views,
        cast(sum(useful) as bigint) as useful,
        cast(sum(not_useful) as bigint) as not_useful
    from pages
    group by application, path
),

nearest as (
    select
        application,
        min_by(vantage, list_position(['edge', 'load_balancer', 'origin', 'application'], vantage)) as vantage
    from error_breakdown
    group by application
),

requested as (
    select
        error_breakdown.application,
        error_breakdown.vantage,
        error_breakdown.path_template,
        sum(error_breakdown.valid_requests) as valid_requests,
        sum(error_breakdown.server_error_requests) as server_error_requests
    from error_breakdown
    inner join nearest
        on error_breakdown.application = nearest.application and error_breakdown.vantage = nearest.vantage
    group by error_breakdown.application, error_breakdown.vantage, error_breakdown.path_template
)

select
    summed.application,
    summed.path,
    summed.views,
    page_popularity.rank_14_days,
    summed.useful,
    summed.not_useful,
    summed.path_template,
    requested.vantage,
    cast(coalesce(requested.valid_requests, 0) as bigint) as valid_requests,
    cast(coalesce(requested.server_error_requests, 0) as bigint) as server_error_requests,
    unnest(rate_and_interval(
        cast(coalesce(requested.server_error_requests, 0) as bigint),
        cast(coalesce(requested.valid_requests, 0) as bigint)
    ))
from summed
left join requested
    on summed.application = requested.application and summed.path_template = requested.path_template
left join page_popularity
    on summed.application = page_popularity.application and summed.path = page_popularity.path
order by summed.application, summed.path
