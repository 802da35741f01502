-- Error rates of each week, which its Monday names: the days' counts are summed, rate and interval made from the
-- sums.
create or replace view error_rate_weekly as
select
    day as week,
    * exclude (day, last_dt)
from summed_error_rates(interval 7 days, interval 0 days, interval 6 days);
