-- 99.9 %, 1,000 requests every five minutes from 22:00, of which 20 fail from 23:00 to 00:30: the page over 60 and
-- 5 minutes is on from 23:45 (180 of 12,000 are more than 172.8) to 00:35. Asked for one day, it is open at the
-- end where it was on; minutes are those within the day. The last day of the lake ends in another.
select
    'both' as asked,
    fired,
    ended,
    minutes
from slo_alerts()
where long_minutes = 60
union all by name
select
    'first' as asked,
    fired,
    ended,
    minutes
from slo_alerts(stop := date '2026-09-18')
where long_minutes = 60
union all by name
select
    'second' as asked,
    fired,
    ended,
    minutes
from slo_alerts(start := date '2026-09-18')
where long_minutes = 60
order by asked, fired nulls first
