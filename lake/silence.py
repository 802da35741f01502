"""Hours without a request that a source's own history says are a loss: judged when a day is looked at.

An hour is quiet if it has no request, though the same hour of each of the last WEEKS weeks had BUSY and more. By
chance that hardly ever happens. But sources have holidays, deployments and bursts of their own, so a quiet hour is
silence only if the source had none in the GUARD_DAYS before. A run of hours without a request is one: it counts on
the day after, too, if it began in that day's last EVENING hours.

However often a source has quiet hours of its own, if they come independently of each other, then of its complete
days at most (1 + EVENING / 24) / (e * GUARD_DAYS) are called silent: 3.9 of 1,000.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt

from lake.provenance import Provenance

HOURS = 24
WEEKS, WEEK_DAYS = 4, 7
BUSY = 50
GUARD_DAYS = 119
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
    at = np.arange(quiet.size)
    day_begins = at // HOURS * HOURS
    # the first hour without a request of those on end in which each hour is
    runs_begin = np.maximum.accumulate(np.where(counts.ravel() != 0, at + 1, 0))
    before = np.append(0, np.cumsum(quiet))
    stop = np.where(runs_begin >= day_begins - EVENING, np.minimum(runs_begin, day_begins), day_begins)
    earlier = before[stop] - before[np.minimum(np.maximum(day_begins - GUARD_DAYS * HOURS, 0), stop)]
    silent: Booleans = (quiet & (earlier == 0)).reshape(counts.shape)
    return silent


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
