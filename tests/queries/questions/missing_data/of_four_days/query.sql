from missing_data(start := '2026-09-14', stop := '2026-09-18')
