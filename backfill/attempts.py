"""Attempts: what came of each try to build a day, recorded in the lake, where all its hosts see it.

A run records its attempts in one object a chunk of days, under a name that nobody else has:

    _attempts/ErrorRateDaily/20261122T030000.123456Z_2026-11-08_2026-11-21_13_1_4f0c….jsonl

So writers can't lose each other's records, and the listing alone says which of them hold a failure of a day.
"""

import json
import re
import socket
import statistics
import uuid
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from itertools import islice

from etl.units import Unit
from lake import records
from lake.journal import Journal

NAME = "attempts"
SUFFIX = ".jsonl"
STARTED = "%Y%m%dT%H%M%S.%fZ"
NAMED = re.compile(
    r"\d{8}T\d{6}\.\d{6}Z_(\d{4}-\d\d-\d\d)_(\d{4}-\d\d-\d\d)_(\d{1,6})_(\d{1,6})_[0-9a-f]{32}\.jsonl", re.ASCII
)
RUNS_FOR_AN_ESTIMATE = 5
LONGEST_ERROR = 500  # characters


class Outcome(StrEnum):
    """What came of an attempt."""

    BUILT = "built"
    FAILED = "failed"
    HINDERED = "hindered"  # by a disk or a server, which says nothing of the day, and doesn't count against it
    NO_INPUT = "no input"  # no raw log has a line of the day yet, which doesn't count against it either


@dataclass(frozen=True)
class Attempt:
    """One try to build one day.

    Attributes:
        date: The day.
        outcome: What came of it.
        started: When, in UTC.
        seconds: How long all that was built for it took.
        error: Why it failed, None if it did not.
        host: Where.
        run: Which run of a command it was a part of.
        setup: Digest of what it was tried with, see `tried.Trial`; empty if the day was built, or hindered.
        logs: The undated raw logs, as they were then.
        source: Of which source what failed is, None if it is of all.
    """

    date: date
    outcome: Outcome
    started: datetime
    seconds: float
    error: str | None
    host: str
    run: str
    setup: str
    logs: tuple[str, ...] = ()
    source: str | None = None

    def to_json(self) -> str:
        """Return it as a line of JSON."""
        return json.dumps(vars(self), default=str)

    @classmethod
    def from_json(cls, line: str) -> "Attempt":
        """Return what a line of JSON describes; what a later version says beside it is passed over."""
        found = records.known(cls, json.loads(line))
        day, started = date.fromisoformat(found["date"]), datetime.fromisoformat(found["started"])
        typed = {"date": day, "started": started, "outcome": Outcome(found["outcome"])}
        return cls(**found | typed | {"logs": tuple(found.get("logs", ()))})


@dataclass(frozen=True)
class _Record:
    """What the name of a record says of the attempts in it."""

    name: str
    first: date
    last: date
    built: int
    failed: int

    @classmethod
    def of(cls, name: str) -> "_Record | None":
        """Return what a name says, None if it follows another convention."""
        found = NAMED.fullmatch(name.rpartition("/")[2])
        if not found:
            return None
        first, last, built, failed = found.groups()
        try:
            return cls(name, date.fromisoformat(first), date.fromisoformat(last), int(built), int(failed))
        except ValueError:
            return None

    def may_hold(self, days: Iterable[date]) -> bool:
        """Tell whether it may have attempts of one of these days."""
        return any(self.first <= day <= self.last for day in days)


class Attempts:
    """The recorded attempts of one kind of unit."""

    def __init__(self, journal: Journal, example: Unit) -> None:
        self._journal = journal
        self._folder = "".join((f"{example.name}/", *(f"{k}={v}/" for k, v in example.arguments.items())))

    def record(self, attempts: Sequence[Attempt]) -> None:
        """Record attempts of one run; StoreError if the lake can't be written."""
        if not attempts:
            return
        days = [each.date for each in attempts]
        failed = sum(each.outcome is not Outcome.BUILT for each in attempts)
        started = min(each.started for each in attempts)
        name = "_".join(
            map(
                str,
                (started.strftime(STARTED), min(days), max(days), len(days) - failed, failed, uuid.uuid4().hex),
            )
        )
        self._journal.write(f"{self._folder}{name}{SUFFIX}", "".join(f"{each.to_json()}\n" for each in attempts))

    def failures(self, days: Collection[date]) -> dict[date, list[Attempt]]:
        """Return the attempts that built no day, oldest first; only records that hold such are opened."""
        found: dict[date, list[Attempt]] = {}
        for each in self._read(record for record in self._records() if record.failed and record.may_hold(days)):
            if each.outcome is not Outcome.BUILT and each.date in days:
                found.setdefault(each.date, []).append(each)
        return found

    def of_day(self, day: date) -> list[Attempt]:
        """Return all attempts of a day, oldest first."""
        return [each for each in self._read(r for r in self._records() if r.may_hold([day])) if each.date == day]

    def seconds_a_day(self) -> float | None:
        """Return how long a built day took in the latest runs, the median; None if there was none."""
        latest = islice((each for each in reversed(self._records()) if each.built), RUNS_FOR_AN_ESTIMATE)
        seconds = [each.seconds for each in self._read(latest) if each.outcome is Outcome.BUILT]
        return statistics.median(seconds) if seconds else None

    def _records(self) -> list[_Record]:
        found = (_Record.of(name) for name in self._journal.names(self._folder))
        return [each for each in found if each]

    def _read(self, wanted: Iterable[_Record]) -> list[Attempt]:
        wanted = list(wanted)
        found = []
        for record, text in zip(wanted, self._journal.read(each.name for each in wanted), strict=True):
            lines = text.splitlines()
            read = list(filter(None, map(_attempt, lines)))
            if len(read) < max(len(lines), record.built + record.failed):
                records.name_unreadable(f"{self._journal.place}/{record.name}")
            found += read
        return sorted(found, key=lambda each: each.started)


def _attempt(line: str) -> Attempt | None:
    """Return what a line of a record describes; None if it can't be read."""
    try:
        return Attempt.from_json(line)
    except records.WRONG:
        return None


def host() -> str:
    """Return this machine's name."""
    return socket.gethostname()


def new_run() -> str:
    """Return a name for a run that no other has."""
    return uuid.uuid4().hex[:12]
