from why_incident('shop', '2026-09-17 23:40', '2026-09-18 00:15')
