select * replace (nullif(array_to_string(events, '|'), '') as events)
from since_when(start := '2026-09-17', stop := '2026-09-18')
