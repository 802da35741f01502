#!/bin/sh
# What `make run` shows: sample logs, a backfill over them, and what the lake then says.
set -eu

show() {
    printf '\n$ %s\n' "$*"
}

python -m etl.sample var/logs

show luigi RangeDailyBase --of ErrorRateDaily --start 2026-09-01 --stop 2026-10-01
luigi RangeDailyBase --of ErrorRateDaily --start 2026-09-01 --stop 2026-10-01

show lake sql '"from error_rate_by_application"'
lake sql "from error_rate_by_application"

show backfill status --of ErrorRateDaily --start 2026-09-01 --stop 2026-10-01
backfill status --of ErrorRateDaily --start 2026-09-01 --stop 2026-10-01

cat <<'NEXT'

Try next, with `. .venv/bin/activate`:
  lake sql "select dt, application, valid_requests, error_rate from error_rate where dt = '2026-09-17'"
  lake sql "select file, line_number, reason, masked_line from rejects limit 10"
  luigi RangeDailyBase --of RequestsDaily --of-params '{"source": "shop"}' --start 2026-09-01
NEXT
