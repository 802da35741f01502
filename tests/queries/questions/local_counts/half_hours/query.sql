from local_counts('Asia/Kolkata', start := '2026-09-17', stop := '2026-09-18') order by all
