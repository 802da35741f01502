from error_rate_weekly order by all
