-- What was tagged since the day before, and what was untagged; nothing of a day that has no day before it.
with days as (
    select
        max(dt) as today,
        min(dt) as yesterday
    from content_items
    having count(distinct dt) = 2
),

items as (
    select
        content_id,
        max_by(path, dt) as path
    from content_items
    group by content_id
),

tagged as (
    select distinct
        dt,
        content_id,
        unnest(from_json(taxons, '["varchar"]')) as taxon
    from content_items
),

changed as (
    select
        tagged.content_id,
        tagged.taxon,
        case when max(tagged.dt = days.today) then 'added' else 'removed' end as change
    from tagged
    cross join days
    group by tagged.content_id, tagged.taxon
    having count(*) = 1
)

select
    changed.content_id,
    items.path,
    changed.taxon,
    changed.change
from changed
inner join items on changed.content_id = items.content_id
order by changed.content_id, changed.taxon
