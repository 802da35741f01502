-- Pages by their views of 14 days, per application.
with viewed as (
    select
        application,
        path,
        cast(sum(views) as bigint) as views_14_days
    from page_views
    group by application, path
    having sum(views) > 0
)

select
    application,
    path,
    views_14_days,
    views_14_days / sum(views_14_days) over (partition by application) as share_14_days,
    rank() over (partition by application order by views_14_days desc) as rank_14_days
from viewed
order by application, rank_14_days, path
