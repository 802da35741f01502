from same_weekdays('2026-09-17')
