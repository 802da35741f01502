"""The ends of units, as an engine's processes note them, and the attempts that they come to."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime

from backfill.attempts import Attempt, Outcome, host
from backfill.tried import Trial
from etl.units import Unit

COUNTING = frozenset({Outcome.FAILED, Outcome.NO_INPUT})
"""Outcomes that mean something as long as the day is tried with the same."""


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
    """

    date: date
    name: str
    started: datetime
    seconds: float
    error: str | None
    outcome: Outcome
    source: str | None = None


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
        attempt = Attempt(day, Outcome.BUILT, started, seconds, None, host(), run, "")
        if failed:
            attempt = replace(attempt, outcome=failed.outcome, error=failed.error, source=failed.source)
        if attempt.outcome in COUNTING:
            attempt = replace(attempt, setup=trial.setup(day), logs=trial.logs)
        found.append(attempt)
    return found
