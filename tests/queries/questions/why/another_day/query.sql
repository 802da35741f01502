from why('shop', date '2026-09-17', before := ['2026-09-16'])
