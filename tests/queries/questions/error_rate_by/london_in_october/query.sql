from error_rate_by('Europe/London', start := date '2026-10-24', stop := date '2026-10-27') order by all
