-- Error rates over all days in the lake: counts are summed, rate and interval are made anew from the sums.
create or replace view error_rate_by_application as
select * exclude (day, last_dt)
from summed_error_rates(interval 200 years, interval 0 days, interval 200 years)  -- one, with all days
order by application, vantage;
