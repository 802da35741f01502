from movers('2026-01-04')
