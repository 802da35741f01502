from error_rate_daily order by all
