"""The command that fetches days again from the system that has them."""

import sys
from datetime import date

from backfill import options
from backfill.days import DayRange, listed
from etl import clock
from etl.project import project
from etl.sources.source import ONE_DAY, Source
from etl.steps.fetching import fetch_day, snapshots_of
from etl.units import Unit
from lake.cli import printable
from lake.errors import ConfigError, InputError


def fetched(asked: options.Fetch) -> int:
    """Fetch days, print what each has by now, and return 0; 1 if one isn't there yet, or is refused."""
    found, now = project(), clock.utc_now()
    source = found.source(asked.source)
    snapshots = snapshots_of(source)
    days = _days(Unit(found, source.dataset, asked.date or asked.start or now.date(), source.name), asked)
    there = snapshots.latest(source.name, days.start, days.stop)
    changed, failed = [], False
    for day in days.dates:
        if not source.is_fetched_on(day):
            if asked.date:
                failed |= _say(
                    day,
                    f"{source.name} has no data for this day, by its since and until in luigi.cfg.",
                    is_wrong=True,
                )
            continue
        if source.settled_at(day) > now:
            failed |= _say(day, f"unsettled until {source.settled_at(day):%Y-%m-%d %H:%M} UTC", is_wrong=True)
            continue
        try:
            made = fetch_day(source, day, now)
        except InputError as error:
            failed |= _say(day, str(error), is_wrong=True)
            continue
        before = there.get(day)
        if before and before.number == made.revision:
            _say(day, f"as it was: revision {made.revision}, {made.bytes:,} bytes")
        else:
            _say(
                day,
                f"{'another content' if before else 'fetched'}: revision {made.revision}, {made.bytes:,} bytes",
            )
        if before and before.number != made.revision:
            changed.append(day)
    if changed:
        built = Unit(found, source.dataset, min(changed), source.name).published_days(
            min(changed), max(changed) + ONE_DAY
        )
        print(_to_do(source, changed, is_built=not built.isdisjoint(changed)))
    return int(failed)


def _days(example: Unit, asked: options.Fetch) -> DayRange:
    if (asked.date is None) == (asked.start is None):
        raise ConfigError("Give --date, or --start of several days.")
    if asked.date:
        return DayRange(example, asked.date, asked.date + ONE_DAY)
    return DayRange.resolve(example, asked.start, asked.stop, clock.utc_now())


def _say(day: date, text: str, *, is_wrong: bool = False) -> bool:
    print(printable(f"{day} {text}"), file=sys.stderr if is_wrong else sys.stdout, flush=True)
    return is_wrong


def _to_do(source: Source, days: list[date], *, is_built: bool) -> str:
    first, stop = min(days), max(days) + ONE_DAY
    said = f"Of {listed(days)} there is another content."
    if not is_built:
        return (
            f"{said} To build it: backfill run --of {source.task} --source {source.name} --start {first} "
            f"--stop {stop}"
        )
    return (
        f"{said} To see what it changes, and restate: backfill restate --of {source.task} "
        f'--source {source.name} --late --start {first} --stop {stop} --reason "…"'
    )
