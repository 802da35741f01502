from latency('2026-09-17 12:00', '2026-09-17 18:00', name := 'shop')
