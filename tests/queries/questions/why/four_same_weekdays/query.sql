from why('shop', '2026-09-17')
