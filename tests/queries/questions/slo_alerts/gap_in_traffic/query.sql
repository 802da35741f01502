-- 99.9 %, 1,000 requests every five minutes from 09:00, none from 10:50 to 11:10; 20 fail from 10:00 to 11:20.
--   10:45  9 of the hour's 12 buckets are bad: 180 of 12,000, more than 172.8
--   10:55  five minutes without requests have no rate, and what has none is not above anything: it ends
--   11:15  8 bad buckets are all that the hour holds, 160 of 8,000 = 2 %, since a gap is no success
--   11:25  the first good five minutes
-- origin saw the same requests and no error.
from slo_alerts()
where long_minutes = 60
