from error_rate_profile() order by all
