"""Hours without a request that a source's own history says are a loss: judged when a day is looked at.

An hour is quiet if it has no request, though the same hour of each of the last WEEKS weeks had BUSY and more. By
chance that hardly ever happens. But sources have holidays, deployments and bursts of their own, so a quiet hour
is silence only if it is unlike the source: if there were quiet hours on no more days of the GUARD_DAYS before
than ALLOWED has it for as many days as are known, or if they were always more on end. Hours on end without a
request are a silence of each of their days, but not of the next one if quiet hours before its last EVENING hours
said it.

However often a source has silences of its own, and however long they are, if they come independently of each
other, at most 3.9 of 1,000 of its complete days are called silent, and EVENING / 24 as many for those that go on
over midnight: the first ones, and later ones if each of the n before was longer, whose probability is 1 / (n +
1).
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt

from lake.provenance import Provenance

HOURS = 24
WEEKS, WEEK_DAYS = 4, 7
BUSY = 50
GUARD_DAYS = 420
ALLOWED = {245: 1, 405: 2}
"""On how many days a source may have had quiet hours, from so many known days on; on fewer, on none."""
ENOUGH_DAYS = max(ALLOWED)
"""How many known days show how long a source's silences are."""
EVENING = 6
HISTORY_DAYS = GUARD_DAYS + WEEKS * WEEK_DAYS
"""How many days before a day say whether it is silent."""
UNKNOWN = -1
USUAL = f"which had {BUSY} and more in each of the {WEEKS} weeks before"
Booleans = npt.NDArray[np.bool_]
Integers = npt.NDArray[np.int64]
Made = Mapping[date, Provenance]


def silences(made: Made, before: Callable[[date, date], Made]) -> dict[date, dict[str, str]]:
    """Say which hours of days are silent, by source; of the days that have any.

    Args:
        made: How the days were made.
        before: Returns how those of a range were made, whose end is exclusive.
    """
    judged = [day for day, each in made.items() if _may_be_silent(each)]
    if not judged:
        return {}
    known = {**before(min(judged) - timedelta(HISTORY_DAYS), min(made)), **made}
    found: dict[date, dict[str, str]] = {}
    for source in sorted({source for day in judged for source in made[day].requests_by_hour or {}}):
        hours = {
            day: each.requests_by_hour[source]
            for day, each in known.items()
            if each.requests_by_hour and source in each.requests_by_hour
        }
        for day, silent in silent_hours(hours, [day for day in judged if day in hours]).items():
            found.setdefault(day, {})[source] = f"no request in UTC hours {listed_hours(silent)}, {USUAL}"
    return dict(sorted(found.items()))


def _may_be_silent(made: Provenance) -> bool:
    """Tell whether a source has an hour without a request, on a day on which it has a busy one or none at all."""
    of_sources = (made.requests_by_hour or {}).values()
    return any(0 in counts and not 0 < max(counts) < BUSY for counts in of_sources)


def silent_hours(hours: Mapping[date, Sequence[int]], days: Collection[date]) -> dict[date, list[int]]:
    """Return the hours of days in which silence is a loss, of the days that have any.

    Args:
        hours: How many requests a source has in each hour of the UTC days that are known.
        days: The days to judge; those HISTORY_DAYS before each say what is normal.
    """
    if not days:
        return {}
    first = min(days) - timedelta(HISTORY_DAYS)
    counts = np.full(((max(days) - first).days + 1, HOURS), UNKNOWN, np.int64)
    for day, of_day in hours.items():
        if first <= day <= max(days):
            counts[(day - first).days] = of_day
    silent = are_silent(counts)
    found = {day: np.flatnonzero(silent[(day - first).days]).tolist() for day in sorted(days)}
    return {day: of_day for day, of_day in found.items() if of_day}


def are_silent(counts: Integers) -> Booleans:
    """Tell which hours are silent.

    Args:
        counts: The requests of a source by day, one after the other, and hour; UNKNOWN where nobody knows.
    """
    quiet = are_quiet(counts).ravel()
    at = np.flatnonzero(quiet)
    hours = np.arange(quiet.size)
    # the first hour without a request of those on end in which each hour is
    runs_begin = np.maximum.accumulate(np.where(counts.ravel() != 0, hours + 1, 0))[at]
    begins, first, part, sizes = np.unique(
        np.maximum(runs_begin, at // HOURS * HOURS), return_index=True, return_inverse=True, return_counts=True
    )
    known = np.append(0, np.cumsum((counts != UNKNOWN).any(axis=1)))
    found = Parts(begins // HOURS, begins, runs_begin[first], sizes, known)
    quiet[at] = np.array([found.is_silent(number) for number in range(len(begins))], bool)[part]
    silent: Booleans = quiet.reshape(counts.shape)
    return silent


@dataclass(frozen=True)
class Parts:
    """What quiet hours are on end on a day; all but `known` have an element for each such part of a day, in order.

    Attributes:
        days: The day, counted from the first.
        begins: The first hour without a request on that day, counted from the first day's first.
        runs_begin: The first hour of those on end, which may be of a day before.
        sizes: How many hours of it are quiet.
        known: How many days are known before each day.
    """

    days: Integers
    begins: Integers
    runs_begin: Integers
    sizes: Integers
    known: Integers

    def is_silent(self, number: int) -> bool:
        """Tell whether a part is unlike the source."""
        day, run_begin = int(self.days[number]), self.runs_begin[number]
        before = slice(*np.searchsorted(self.days, (day - GUARD_DAYS, day)).tolist())
        of_run = self.begins[before] >= run_begin
        if run_begin < day * HOURS - EVENING and of_run.any():
            return False  # said on the day before
        earlier, sizes = self.days[before][~of_run], self.sizes[before][~of_run]
        known = self.known[day] - self.known[max(day - GUARD_DAYS, 0)]
        if len(np.unique(earlier)) <= max((n for days, n in ALLOWED.items() if known >= days), default=0):
            return True
        return bool(known >= ENOUGH_DAYS and sizes.min() > self.sizes[number])


def are_quiet(counts: Integers) -> Booleans:
    """Tell which hours have no request, though the same ones of the weeks before were busy."""
    quiet: Booleans = counts == 0
    quiet[: WEEKS * WEEK_DAYS] = False
    for n in range(1, WEEKS + 1):
        quiet[n * WEEK_DAYS :] &= counts[: -n * WEEK_DAYS] >= BUSY
    return quiet


def listed_hours(hours: Sequence[int]) -> str:
    """Return hours as text, runs of them shortened: `3, 6-8`."""
    runs: list[list[int]] = []
    for hour in hours:
        if runs and hour == runs[-1][-1] + 1:
            runs[-1].append(hour)
        else:
            runs.append([hour])
    return ", ".join(f"{run[0]}" if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)
