select * replace (nullif(array_to_string(events, '|'), '') as events)
from incidents(0.05)
