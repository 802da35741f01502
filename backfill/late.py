"""What came late, as it was last found: recorded, so that a monitor names it without a look at the raw logs.

    _late/requests/web/20261130T030000.123456-1a2b3c4d.json

A record holds the days of one kind of unit, each with the revision that it had then: one that was restated since
is not late any more.
"""

import json
from collections.abc import Collection, Iterable
from datetime import date, datetime
from uuid import uuid4

from backfill.days import DayRange
from backfill.outdated import Look, Outdated
from etl.sources.source import ONE_DAY
from etl.units import Unit, below
from lake import records

NAME = "late"


def look(days: DayRange, now: datetime) -> None:
    """Look for raw logs that came late, in a range and of undated logs before it, and record of which days.

    Raises:
        StoreError: The lake, or raw files on S3, can't be read, or the lake can't be written.
        InputError: A raw file can't be read.
    """
    if days.example.contracts:
        record(days, Look(late=True, older=True).outdated(days), now, older=True)


def record(days: DayRange, found: Iterable[Outdated], now: datetime, *, older: bool = False) -> None:
    """Record which days of a range are late, if others were recorded; of days outside it, what is known stays.

    Args:
        days: The range that was looked at.
        found: What was found to be outdated; what isn't late is passed over.
        now: The time.
        older: Whether days before the range were looked at, too.

    Raises:
        StoreError: The lake can't be read or written.
    """
    late: dict[Unit, set[date]] = {}
    for each in found:
        if each.is_late:
            late.setdefault(each.unit.on(days.start), set()).add(each.unit.day)
    known = recorded(days)
    for kind in below(days.example):
        before = set(known.get(kind.on(days.start), ()))
        kept = {day for day in before if day >= days.stop or (day < days.start and not older)}
        here = kept | late.get(kind.on(days.start), set())
        if here != before:
            revisions = {str(day): revision for day, revision in sorted(_revisions(kind, here).items())}
            name = f"{_folder(kind)}{now:%Y%m%dT%H%M%S.%f}-{uuid4().hex[:8]}.json"
            days.example.project.lake.journal(NAME).write(name, json.dumps(revisions) + "\n")


def recorded(days: DayRange) -> dict[Unit, list[date]]:
    """Return the days that were found to be late and not restated since, whatever the range, by kind of unit.

    One listing, and where something is late one a dataset.

    Raises:
        StoreError: The lake can't be read.
    """
    journal, last = days.example.project.lake.journal(NAME), dict[str, str]()
    for name in journal.names():  # in order of time, of each kind
        last[name[: name.rindex("/") + 1]] = name
    kinds = {last[_folder(kind)]: kind for kind in below(days.example) if _folder(kind) in last}
    found: dict[Unit, list[date]] = {}
    for (name, kind), text in zip(kinds.items(), journal.read(kinds), strict=True):
        try:
            revisions = {date.fromisoformat(day): revision for day, revision in json.loads(text).items()}
        except records.WRONG:
            records.name_unreadable(f"{journal.place}/{name}")
            continue
        late = [day for day, revision in revisions.items() if _revisions(kind, revisions).get(day) == revision]
        if late:
            found[kind.on(days.start)] = late
    return found


def _revisions(kind: Unit, days: Collection[date]) -> dict[date, int]:
    """Return the latest revisions of some days of a kind of unit."""
    if not days:
        return {}
    partitions = kind.project.lake.latest(kind.contract, min(days), max(days) + ONE_DAY)
    return {each.dt: each.revision for each in partitions if each.dt in days and each.source in kind.names}


def _folder(kind: Unit) -> str:
    return "/".join((kind.dataset, *kind.arguments.values(), ""))
