from worst_paths('2026-09-17')
