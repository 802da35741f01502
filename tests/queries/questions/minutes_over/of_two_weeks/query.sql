from minutes_over(0.001, stop := '2026-09-21')
