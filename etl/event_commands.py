"""The commands about events: `lake event add`, `import`, `list` and `withdraw`."""

import argparse
import sys
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

from etl import clock
from etl.events import event, read_file
from lake import config, events
from lake.cli import printable
from lake.errors import ConfigError
from lake.lake import Lake


def add(arguments: argparse.Namespace) -> int:
    """Record one event, now unless it says when; print it and return 0."""
    now = clock.utc_now().isoformat()
    one = event(
        {
            "started": arguments.at or now,
            "ended": arguments.until,
            "kind": arguments.kind,
            "name": arguments.name,
            "applications": ",".join(arguments.application or ()),
        }
    )
    is_new = events.record(_lake(), [one])
    _say(f"{one}{'' if is_new else '  (was recorded before)'}")
    return 0


def import_file(arguments: argparse.Namespace) -> int:
    """Record the events of a file, all or none; say how many and return 0."""
    path = Path(arguments.file)
    try:
        text = sys.stdin.read() if arguments.file == "-" else path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigError(f"{path} can't be read: {reason}. Nothing was recorded.") from error
    found = dict.fromkeys(read_file(path, text, arguments.format))
    new = events.record(_lake(), found)
    _say(f"{len(found):,} events, {new:,} of them new")
    return 0


def show(arguments: argparse.Namespace) -> int:
    """Print the events of days, with their ids; return 0."""
    start, stop = (
        datetime.combine(day, time(), UTC) if day else None for day in (arguments.start, arguments.stop)
    )
    for each in events.read(_lake()).known:
        ended = each.ended or each.started + timedelta(seconds=1)
        if (start is None or ended > start) and (stop is None or each.started < stop):
            _say(str(each))
    return 0


def withdraw(arguments: argparse.Namespace) -> int:
    """Record that an event doesn't stand; print it and return 0."""
    if not arguments.reason.strip():
        raise ConfigError("Give --reason: why it doesn't stand, for the record.")
    _say(f"withdrawn: {events.withdraw(_lake(), arguments.event, arguments.reason)}")
    return 0


def _lake() -> Lake:
    return Lake.of(config.read(config.find()))


def _say(text: str) -> None:
    print(printable(text), flush=True)
