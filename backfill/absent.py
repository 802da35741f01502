"""What complete days lack of what they are made from today: datasets that came with a later version."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date

from backfill.days import DayRange
from etl.sources.source import ONE_DAY, active_on
from etl.units import Unit, below
from lake import retention
from lake.partition import Partition


@dataclass(frozen=True)
class Absent:
    """A kind of unit that is not there on complete days.

    Attributes:
        unit: It, of the first of the days.
        days: Those of them on which it can still be built.
        gone: Those on which it can't, since what it would be made from was deleted.
    """

    unit: Unit
    days: list[date]
    gone: list[date]


def absent(days: DayRange, there: Collection[date]) -> list[Absent]:
    """Return what some published days of a range lack below, in build order: one listing a dataset.

    What is extracted from raw logs is not among it, nor is what was deleted itself: that was somebody's wish.

    Raises:
        StoreError: The lake can't be read.
    """
    if not there or not days.example.contracts:
        return []
    first, stop = min(there), max(there) + ONE_DAY
    deleted = {each.partition for each in retention.deleted(days.example.project.lake.store)}
    found: list[Absent] = []
    can_be_there: dict[Unit, set[date]] = {}
    for kind in below(days.example):
        published = kind.published_days(first, stop)
        if kind.is_extracted:
            can_be_there[kind] = published
            continue
        made_from = [unit for unit, _ in kind.made_from()]
        lacking = {day for day in there if active_on(kind.sources(), day)} - published - _days_of([kind], deleted)
        possible = [can_be_there[unit] for unit in made_from]
        # what is made from all sources can do without one
        buildable = (
            lacking.intersection(*possible) if kind.source else lacking.intersection(set().union(*possible))
        )
        can_be_there[kind] = published | buildable
        gone = (lacking - buildable) & _days_of(made_from, deleted)
        if kind != days.example and (buildable or gone):
            found.append(Absent(kind.on(min(buildable | gone)), sorted(buildable), sorted(gone)))
    return found


def _days_of(units: Sequence[Unit], partitions: Collection[Partition]) -> set[date]:
    """Return the days of those partitions that are of some units, whatever the day of these."""
    names = {(each.name, unit.source) for unit in units for each in unit.contracts}
    return {each.dt for each in partitions if (each.dataset, each.source) in names}
