from error_rate_28_days order by all
