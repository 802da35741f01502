from error_rate_by('Europe/London', start := '2026-03-28', stop := '2026-03-31') order by all
