select *
from error_rate_hourly('Europe/London', start := '2026-10-25')
where application = 'shop'
union all
select *
from error_rate_hourly('Asia/Kolkata')
where application = 'kolkata'
order by application, hour_utc, vantage
