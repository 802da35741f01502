-- An hour's window at the first five minutes of a day reaches into the day before: 5 + 15 of 2,000 at 00:05.
-- The last of the day ends at midnight, and is of the day that it closes.
from burn_rate(60, start := date '2026-09-17', stop := date '2026-09-18')
where bucket_end in (timestamp '2026-09-17 00:00', timestamp '2026-09-17 00:05', timestamp '2026-09-18 00:00')
