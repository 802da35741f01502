-- Error rates of each month, which its first day names: the days' counts are summed, rate and interval made from
-- the sums.
create or replace view error_rate_monthly as
select
    day as month,
    * exclude (day, last_dt)
from summed_error_rates(interval 1 month, interval 0 days, interval '1 month -1 day');
