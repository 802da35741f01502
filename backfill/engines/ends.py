"""The ends of units, as an engine's processes note them, and the days, attempts and result that they come to."""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Never

from backfill.attempts import Attempt, Outcome, host
from backfill.engines.engine import Result
from backfill.tried import Trial
from etl.units import SNAPSHOT, Unit, below
from lake.errors import NoLines, StoreError, TargetRefused

if TYPE_CHECKING:
    from tqdm import tqdm

COUNTING = frozenset({Outcome.FAILED, Outcome.NO_INPUT})
"""Outcomes that mean something as long as the day is tried with the same."""
OUTCOMES = {
    StoreError: Outcome.HINDERED,
    TargetRefused: Outcome.HINDERED,  # which says nothing of the day either
    NoLines: Outcome.NO_INPUT,
}


@dataclass(frozen=True)
class End:
    """The end of one unit's building.

    Attributes:
        date: Its day.
        name: What it is of, as `Unit.name` has it.
        started: When, in UTC.
        seconds: How long it took.
        error: Why it failed, None if it did not.
        outcome: What came of it.
        source: Of which source it is, None if it is of all.
        host: Where it was built, None for this machine.
    """

    date: date
    name: str
    started: datetime
    seconds: float
    error: str | None
    outcome: Outcome
    source: str | None = None
    host: str | None = None


class Tally:
    """What the ends of a range's units come to so far."""

    def __init__(self, example: Unit) -> None:
        self.failed: set[date] = set()
        """The days of which some unit failed, be it one that the day requires."""
        self.errors: dict[date, str] = {}
        """What was said first of each of them."""
        self.below: dict[Unit, set[date]] = {}
        """Of which days something was built that a day's own unit is made from, by kinds of units."""
        self._no_lines: dict[date, str] = {}
        self._kinds = {(each.name, each.source): each for each in below(example)[:-1]}

    def add(self, ended: Iterable[End]) -> None:
        """Count some more."""
        for each in ended:
            kind = self._kinds.get((each.name, each.source))
            if each.error is None and kind:
                self.below.setdefault(kind, set()).add(each.date)
            if each.error is not None and each.outcome is Outcome.NO_INPUT:
                self._no_lines.setdefault(each.date, each.error)
            elif each.error is not None:
                self.failed.add(each.date)
                self.errors.setdefault(each.date, each.error)

    def waiting(self) -> dict[date, str]:
        """Return the days of which no raw log has a line yet, with what was said of it."""
        return {day: said for day, said in self._no_lines.items() if day not in self.failed}

    def result(self, stopped: int | None) -> Result:
        """Return what an engine answers; `stopped` is as there."""
        below = {kind: set(days) for kind, days in self.below.items()}
        return Result(frozenset(self.failed), dict(self.errors), self.waiting(), below, stopped)


def outcome_of(error: BaseException, dataset: str) -> Outcome:
    """Return what an error means for the day of a dataset's unit."""
    # what another system answers may be otherwise next time, and nothing here would tell
    otherwise = Outcome.HINDERED if dataset == SNAPSHOT else Outcome.FAILED
    return next((found for kind, found in OUTCOMES.items() if isinstance(error, kind)), otherwise)


def told(name: str, source: str | None, error: object) -> str:
    """Return what is said of a unit's error: in one line, after what it is of."""
    named = f"{name} {source}" if source else name
    return f"{named}: {' '.join(str(error).split()) or repr(error)}"


def bar(example: Unit, days: Sequence[date]) -> "tqdm[Never]":
    """Return a bar of a range's days on a terminal."""
    from tqdm import tqdm  # noqa: PLC0415 - a day alone has no bar

    tqdm.monitor_interval = 0  # its thread would not survive the workers' forks
    return tqdm(
        total=len(days),
        desc=example.name,
        unit="day",
        disable=not days or not sys.stderr.isatty(),
        leave=False,
    )


def attempts(ends: Iterable[End], example: Unit, run: str) -> list[Attempt]:
    """Return what came of each day, whatever was built for it; none of a day that was only begun.

    Args:
        ends: What ended so far, in any order.
        example: A unit of the kind that the days are of.
        run: Which run of a command they are a part of.
    """
    by_day: dict[date, list[End]] = {}
    for each in ends:
        by_day.setdefault(each.date, []).append(each)
    trial = Trial(example, by_day)
    found = []
    for day, its in sorted(by_day.items()):
        failures = [each for each in its if each.error is not None]
        failed = min(failures, key=lambda each: each.outcome is Outcome.NO_INPUT, default=None)
        if failed is None and example.name not in {each.name for each in its}:
            continue  # only what it requires was built so far
        seconds = round(sum(each.seconds for each in its), 3)
        started = min(each.started for each in its)
        where = (failed or its[-1]).host or host()
        attempt = Attempt(day, Outcome.BUILT, started, seconds, None, where, run, "")
        if failed:
            attempt = replace(attempt, outcome=failed.outcome, error=failed.error, source=failed.source)
        if attempt.outcome in COUNTING:
            attempt = replace(attempt, setup=trial.setup(day), logs=trial.logs)
        found.append(attempt)
    return found
