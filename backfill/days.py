"""What is there of a range, what is not, and why: the days of a task, looked up in the lake."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

import luigi

from etl.sources import EARLIEST, ONE_DAY, latest_settled_day, settled_at
from lake.errors import ConfigError, LakeError
from tasks.daily import DailyTask
from tasks.raw_logs import RawLogsDaily


class State(StrEnum):
    """Where a day stands."""

    THERE = "there"
    MISSING = "missing"  # it can be built
    FAILED = "failed"  # it could not be built so far, and is tried again
    SKIPPED = "skipped"  # it failed so often that it is tried again only if somebody asks for it
    NO_INPUT = "no input"  # its raw logs are not there
    UNSETTLED = "unsettled"
    INACTIVE = "inactive"  # no source has logs on it: no gap


NO_GAP = frozenset({State.THERE, State.INACTIVE})
TO_BUILD = frozenset({State.MISSING, State.FAILED})
WAITING = frozenset({State.NO_INPUT, State.UNSETTLED})


@dataclass(frozen=True)
class Day:
    """A UTC day of a task: its state, and a sentence of why it is not there, where there is more to say."""

    date: date
    state: State
    reason: str | None = None


@dataclass(frozen=True)
class DayRange:
    """The days `[start, stop)` of one task, which `example` is of."""

    example: DailyTask
    start: date
    stop: date

    @classmethod
    def resolve(cls, example: DailyTask, start: date | None, stop: date | None, now: datetime) -> "DayRange":
        """Return the range meant: from the first day of any source, up to the last settled active day.

        Raises:
            ConfigError: The range is empty, or where it starts can't be told.
        """
        sources = example.sources()
        if start is None:
            start = min(source.since or EARLIEST for source in sources)
            if start == EARLIEST:
                raise ConfigError("Give --start: a source without since says no first day.")
        latest = stop - ONE_DAY if stop else latest_settled_day(sources, now)
        if stop is None and start > latest:
            raise ConfigError(
                f"Nothing to do from --start {start} on: the latest settled day with a source is {latest}."
            )
        stop = stop or latest + ONE_DAY
        if start >= stop:
            raise ConfigError(
                f"--start {start} is not before --stop {stop}, which is exclusive. Give a later --stop."
            )
        found = cls(example, start, stop)
        if not any(settled_at(sources, day) for day in found.dates):
            raise ConfigError(f"No source is active on any day of {found}. Check since and until in luigi.cfg.")
        return found

    @property
    def dates(self) -> list[date]:
        """All days of the range, oldest first."""
        return [date.fromordinal(n) for n in range(self.start.toordinal(), self.stop.toordinal())]

    def task(self, day: date) -> DailyTask:
        """Return the task of one day."""
        return self.example.clone(date=day)

    def survey(self, now: datetime) -> list[Day]:
        """Return all days with their states, by one listing a dataset; raw logs are not looked for."""
        sources = self.example.sources()
        published = self.example.published_days(self.start, self.stop)
        days = []
        for day in self.dates:
            settled = settled_at(sources, day)
            if day in published:
                days.append(Day(day, State.THERE))
            elif settled is None:
                days.append(Day(day, State.INACTIVE))
            elif settled > now:
                days.append(Day(day, State.UNSETTLED, f"unsettled until {settled:%Y-%m-%d %H:%M} UTC"))
            else:
                days.append(Day(day, State.MISSING))
        return days

    def survey_with_input(self, now: datetime) -> list[Day]:
        """Return what `survey` does, after looking for the raw logs of each missing day."""
        return [self.with_input(day) if day.state is State.MISSING else day for day in self.survey(now)]

    def with_input(self, day: Day) -> Day:
        """Return a missing day, or if its raw logs are not there, what is not."""
        try:
            reason = _missing_raw_logs(self.task(day.date))
        except LakeError as error:  # one source that can't be looked at is no reason to say nothing of the rest
            reason = str(error)
        return Day(day.date, State.NO_INPUT, f"no input: {reason}") if reason else day

    def __str__(self) -> str:
        count = (self.stop - self.start).days
        days = f"{self.start} … {self.stop - ONE_DAY}, {count:,} days" if count > 1 else f"{self.start}, 1 day"
        return f"{self.example.task_family} {days}"


def _missing_raw_logs(task: luigi.Task) -> str | None:
    """Say which raw logs a task still waits for, itself or through what it requires."""
    if isinstance(task, RawLogsDaily):
        return task.why_not()
    if task.complete():
        return None
    reasons = (_missing_raw_logs(required) for required in task.deps())
    return next((reason for reason in reasons if reason), None)


def listed(days: Iterable[date]) -> str:
    """Return days as text, runs of them shortened: `2015-05-17, 2015-05-19 … 2015-05-21`."""
    runs: list[list[date]] = []
    for day in sorted(days):
        if runs and day - runs[-1][-1] == ONE_DAY:
            runs[-1].append(day)
        else:
            runs.append([day])
    joint = {1: "", 2: ", "}
    return ", ".join(
        str(run[0]) if len(run) == 1 else f"{run[0]}{joint.get(len(run), ' … ')}{run[-1]}" for run in runs
    )
