from worst_path_templates(start := '2026-09-16', stop := '2026-09-18')
