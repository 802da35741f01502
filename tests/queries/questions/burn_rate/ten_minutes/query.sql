-- 99.9 %: 1 of 1,000 is a burn rate of 1. Of each five minutes: 10:00 0 of 1,000, 10:05 20 of 1,000, then nothing,
-- 10:15 health checks only, 10:20 1 of 500. Over ten minutes:
--   10:10  20 of 2,000 = 0.01, ten times what is allowed
--   10:15  20 of 1,000, since nothing came after 10:10
--   10:20  nothing valid since 10:10: no rate, which is not 0
--   10:30  10:20 is still in the window, and in none after
from burn_rate(10)
