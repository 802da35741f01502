select * replace (nullif(array_to_string(events, '|'), '') as events)
from incidents(0.05, start := '2026-09-17', stop := '2026-09-18', min_lost := 1) order by started
