from error_rate_by('Pacific/Kiritimati', start := '2026-09-17', stop := '2026-09-18')
union all
from error_rate_by('Pacific/Niue', start := '2026-09-17', stop := '2026-09-18')
order by application
