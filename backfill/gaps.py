"""Gaps that are older than the days somebody looks at: settled days that are not there, and nobody deleted."""

from collections.abc import Iterator
from datetime import date, datetime

from backfill.days import DayRange
from etl.sources.source import settled_at
from lake import retention
from lake.partition import EARLIEST


def before(days: DayRange, now: datetime) -> list[date]:
    """Return the gaps before a range, oldest first: one listing a dataset, and if there are some, retention's.

    They begin where the sources do; if one doesn't say since when it has logs, with the first day that is there.

    Raises:
        StoreError: The lake can't be read.
    """
    example, sources = days.example, days.example.sources()
    since = min(each.since or EARLIEST for each in sources)
    if since >= days.start:
        return []
    there = example.published_days(since, days.start)
    begin = min(there, default=days.start) if since == EARLIEST else since
    found = {
        day
        for day in _days(begin, days.start)
        if day not in there and (at := settled_at(sources, day)) and at <= now
    }
    if found:
        names = {each.name for each in example.contracts}
        found -= {
            each.partition.dt
            for each in retention.deleted(example.project.lake.store)
            if each.partition.dataset in names and each.partition.source == example.source
        }
    return sorted(found)


def _days(begin: date, stop: date) -> Iterator[date]:
    return map(date.fromordinal, range(begin.toordinal(), stop.toordinal()))
