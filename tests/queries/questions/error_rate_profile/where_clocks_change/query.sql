from error_rate_profile('Europe/London', start := '2026-03-22', stop := '2026-03-31') order by all
