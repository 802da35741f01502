-- 02-26 is in the three days that end on 02-28, and not in those that end on 03-01.
from error_rate_rolling(3) order by all
