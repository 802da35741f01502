-- What is known of one source's day: what its raw logs held, what became of their lines, and what they lack.
with lines as (
    select
        count(*) as rejects,
        count(*) filter (where reason = 'blank') as rejects_blank,
        count(*) filter (where reason = 'shape') as rejects_shape,
        count(*) filter (where reason = 'time') as rejects_time,
        count(*) filter (where reason = 'status') as rejects_status,
        count(*) filter (where reason = 'bytes') as rejects_bytes,
        count(*) filter (where reason = 'too_long') as rejects_too_long,
        count(*) filter (where reason = 'wrong_day') as rejects_wrong_day,
        count(*) filter (where reason = 'duration') as rejects_duration,
        count(*) filter (where reason = 'upstream') as rejects_upstream
    from rejects
),

found as (
    select
        count(*) as requests,
        count(distinct hour(ts)) as hours_observed
    from requests
)

select
    sources.vantage,
    sources.application,
    sources.files,
    sources.lines_read,
    found.requests,
    lines.rejects,
    lines.rejects_blank,
    lines.rejects_shape,
    lines.rejects_time,
    lines.rejects_status,
    lines.rejects_bytes,
    lines.rejects_too_long,
    lines.rejects_wrong_day,
    lines.rejects_duration,
    lines.rejects_upstream,
    found.hours_observed,
    sources.incomplete
from sources
cross join lines
cross join found
