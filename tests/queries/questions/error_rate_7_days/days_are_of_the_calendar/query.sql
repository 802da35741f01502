from error_rate_7_days order by all
