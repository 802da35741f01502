from error_rate_monthly order by all
