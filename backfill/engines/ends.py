"""The ends of units, as an engine's processes note them, and the attempts that they come to."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

from backfill.attempts import Attempt, Outcome, host, setup_of
from etl.units import Unit


@dataclass(frozen=True)
class End:
    """The end of one unit's building.

    Attributes:
        date: Its day.
        name: What it is of, as `Unit.name` has it.
        started: When, in UTC.
        seconds: How long it took.
        error: Why it failed, None if it did not.
        is_hindered: Whether a disk or a server prevented it, which says nothing of the day.
    """

    date: date
    name: str
    started: datetime
    seconds: float
    error: str | None
    is_hindered: bool


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
    setup = setup_of(example)
    found = []
    for day, its in sorted(by_day.items()):
        failed = next((each for each in its if each.error is not None), None)
        if failed is None and example.name not in {each.name for each in its}:
            continue  # only what it requires was built so far
        outcome, error = Outcome.BUILT, None
        if failed:
            outcome, error = Outcome.HINDERED if failed.is_hindered else Outcome.FAILED, failed.error
        seconds = round(sum(each.seconds for each in its), 3)
        started = min(each.started for each in its)
        found.append(Attempt(day, outcome, started, seconds, error, host(), run, setup))
    return found
