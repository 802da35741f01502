-- 99.9 %, 10,000 requests every five minutes from 09:00, of which 144 (1.44 %) fail from 10:00 to 11:00.
--   30 days: the burn rate is 14.4 at most, at 11:00, and 14.4 is not above 14.4: no page.
--   28 days: more than 13.44 * 120 = 1,612.8 errors in the hour are 12 buckets: 11:00. The five minutes after are
--     good.
from slo_alerts()
where long_minutes = 60
