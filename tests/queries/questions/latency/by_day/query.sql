from latency(stop := '2026-09-18', by_day := true)
