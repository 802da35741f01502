-- 99.9 %: 10,000 good requests on 09-15 at 10:00, and 5 of 1,000 fail on 09-18 at 00:00. Asked from 09-18 on:
--   ticket, 1 over 3 days: 5 of 11,000 are not above 11, since windows look back before the first day asked for
--   ticket, 3 over a day: 5 of 1,000 are above 3 from 00:05 on, as long as the 2 hours hold them: to 02:00
--   pages: 5 is not above 14.4, nor above 6
from slo_alerts(start := '2026-09-18')
