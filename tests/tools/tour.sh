#!/bin/sh
# What `make run` shows: sample logs, a backfill over them, and what the lake then says.
set -eu

show() {
    printf '\n$ %s\n' "$*"
}

python "$(dirname "$0")/sample.py" var/logs

show luigi RangeDailyBase --of ErrorRateDaily --start 2026-09-01 --stop 2026-10-01
luigi RangeDailyBase --of ErrorRateDaily --start 2026-09-01 --stop 2026-10-01

query="select application, valid_requests, round(error_rate, 5) as error_rate, round(error_rate_low, 5) as low, \
round(error_rate_high, 5) as high from error_rate_by_application"
show lake sql "\"$query\""
lake sql "$query"

show lake event import var/logs/deploys.csv
lake event import var/logs/deploys.csv

query="select application, started, minutes, server_error_requests, events from incidents(0.01)"
show lake sql "\"$query\""
lake sql "$query"

show backfill status --of ErrorRateDaily --start 2026-09-01 --stop 2026-10-01
backfill status --of ErrorRateDaily --start 2026-09-01 --stop 2026-10-01

cat <<'NEXT'

Try next, with `. .venv/bin/activate`:
  lake shell
  lake sql "from worst_paths('2026-09-17') limit 5"
  lake sql "select file, line_number, reason, masked_line from rejects limit 10"
  luigi RangeDailyBase --of RequestsDaily --of-params '{"source": "shop"}' --start 2026-09-01
NEXT

show lake report --start 2026-09-01 --stop 2026-10-01 -o var/report.html
lake report --start 2026-09-01 --stop 2026-10-01 -o var/report.html
