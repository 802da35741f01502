"""Ranges of days that say what they did: Luigi's `RangeDailyBase` and `RangeDaily`, made honest.

Luigi's own look at the last 100 days only, run 50 of them, include today, and call that done. These build
every settled, missing day of the range, oldest first, and are complete only when all its days are there.
Luigi takes the most derived class of a name, so these are what `--of` on the command line gets.
"""

import atexit
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import luigi
import luigi.tools.range
from luigi.cmdline_parser import CmdlineParser

from backfill import attempts
from backfill.days import DayRange, listed
from backfill.engines.local.watch import Watch
from backfill.plan import Plan
from backfill.settings import settings
from etl import clock
from etl.project import project
from etl.sources.source import settled_at
from lake.cli import printable
from lake.errors import ConfigError, LakeError, RangeIncomplete
from tasks.daily import daily_tasks, failure_text, task_of
from tasks.day import DayParameter, DayTask
from tasks.raw_logs import RawLogsDaily, say_why_not

NO_DAYS = (luigi.MonthParameter, luigi.YearParameter)
"""Parameters of dates that stand for more than a day."""


class RangeDailyBase(luigi.tools.range.RangeDailyBase):
    """All days `[start, stop)` of a daily task of the lake.

    `stop` defaults to the day after the last settled one on which a source is active; `start` to the first
    day of any source. `days_back` and `days_forward` are accepted and mean nothing: nothing is cut off.
    `task_limit` is kept to, and a range that it left incomplete fails.
    """

    # Luigi gives the same instance to all who ask for the same range in one process
    _plan: Plan | None = None
    _reports = False
    _has_days = True

    start = DayParameter(default=None, description="first day; default: the first of any source")
    stop = DayParameter(default=None, description="day after the last; default: after the last settled one")
    # Luigi's declares a Parameter whose default it then warns of
    param_name = luigi.OptionalParameter(default=None, positional=False)

    @property
    def is_of_the_lake(self) -> bool:
        """Whether its days are days of the lake, of any kind."""
        return issubclass(self.of, DayTask)

    @contextmanager
    def without_days(self) -> Iterator[None]:
        """Let it require nothing for a while: who schedules it then schedules its days later."""
        self._has_days = False
        try:
            yield
        finally:
            self._has_days = True

    def requires(self) -> list[luigi.Task]:
        """Return the missing days that are settled, oldest first, as they were when `complete` last looked.

        Luigi asks again before `run`, and must get the same tasks.
        """
        if not self.is_of_the_lake:
            return list(super().requires())
        if not self._has_days:
            return []
        self._plan = self._plan or self._look()
        return [task_of(each, self._plan.range.stop) for each in self._plan.units]

    def complete(self) -> bool:
        """Tell whether every day on which a source is active is there, by one listing a dataset."""
        if not self.is_of_the_lake:
            return bool(super().complete())
        self._plan = self._look()
        return not self._plan.not_there

    def run(self) -> None:
        """Look once more, after all required days are built.

        Raises:
            RangeIncomplete: Some day is not there.
        """
        if not self.is_of_the_lake:
            super().run()
            return
        plan = self._look()
        if plan.not_there:
            raise RangeIncomplete(f"{plan.range}: missing: {listed(plan.not_there)}.")

    def missing_datetimes(self, finite_datetimes: list[datetime]) -> list[datetime]:
        """Return the days that are not there, of a task of somebody else's.

        Of one that needs days of the lake, such as a WrapperTask of several, those that can be there are meant:
        on which a source is active, and that are settled unless `stop` was given.
        """
        if not finite_datetimes or not self._needs_the_lake(finite_datetimes[0]):
            return list(super().missing_datetimes(finite_datetimes))
        now, sources = clock.utc_now(), project().sources
        settled = {each: settled_at(sources, each.date()) for each in finite_datetimes}
        days = [each for each, at in settled.items() if at and (self.stop or at <= now)]
        return [each for each in days if not self._theirs(each).complete()]

    def _needs_the_lake(self, day: datetime) -> bool:
        """Tell whether what a task of somebody else's requires of a day is of the lake."""
        return _is_of_the_lake(self._theirs(day))

    def _theirs(self, day: datetime) -> luigi.Task:
        """Return a task of somebody else's of a day."""
        return self.of(**self.of_params, **{_parameter(self)[0]: self.datetime_to_parameter(day)})

    def on_failure(self, exception: BaseException) -> str:
        """Return what the page of Luigi's scheduler says of a failure."""
        return failure_text(exception) or super().on_failure(exception)

    def days(self) -> DayRange:
        """Return the days that are meant.

        Raises:
            ConfigError: There are none, or no dataset has days of that kind.
        """
        if self.of not in daily_tasks().values():
            raise ConfigError(f"--of {self.of.__name__} is no daily task of the lake, such as ErrorRateDaily.")
        now = clock.utc_now()
        example = self.of(**self.of_params, date=self.start or self.stop or now.date())
        return DayRange.resolve(example.unit, self.start, self.stop, now)

    def __str__(self) -> str:
        if not self.is_of_the_lake:
            return str(super().__str__())
        return f"{self.task_family}(of={self.of.__name__}, start={self.start}, stop={self.stop})"

    def _look(self) -> Plan:
        days = self.days()
        past = attempts.Attempts(project().lake.journal(attempts.NAME), days.example)
        maximum = settings().max_attempts
        plan = Plan.of(
            days, clock.utc_now(), past, max_attempts=maximum, limit=self.task_limit, newest=self.reverse
        )
        if CmdlineParser.get_instance() and not self._reports:  # in a library call the caller looks for itself
            self._reports = True
            _report_at_exit(plan, past)
        return plan


class RangeDaily(RangeDailyBase, luigi.tools.range.RangeDaily):
    """The same as RangeDailyBase, which needs no second way here: one listing answers for all days."""


def _refuse_days(task: luigi.tools.range.RangeBase) -> None:
    """Refuse a range of hours, minutes or months over what has days: it would build some of them and say nothing.

    What has days is a task of ours, or one of somebody else's that has a date and requires tasks of ours.

    Raises:
        ConfigError: It is one.
    """
    if issubclass(task.of, DayTask) or _requires_days(task):
        raise ConfigError(
            f"{task.task_family} --of {task.of.__name__}: {task.of.__name__} has days. Use RangeDailyBase, with "
            "--start and --stop as YYYY-MM-DD."
        )


def _requires_days(task: luigi.tools.range.RangeBase) -> bool:
    """Tell whether a task of somebody else's has a date, no month or hour, and requires tasks of ours."""
    name, parameter = _parameter(task)
    if not isinstance(parameter, luigi.DateParameter) or isinstance(parameter, NO_DAYS):
        return False
    day = task.parameter_to_datetime(task.start).date() if task.start else clock.utc_now().date()
    return _is_of_the_lake(task.of(**task.of_params, **{name: day}))


def _parameter(task: luigi.tools.range.RangeBase) -> tuple[str, luigi.Parameter | None]:
    """Return the parameter that a range sets of a task of somebody else's: the one that is named, or the first."""
    parameters = {name: each for name, each in task.of.get_params() if each.positional or name == task.param_name}
    name = task.param_name or next(iter(parameters), "")
    return name, parameters.get(name)


def _is_of_the_lake(task: luigi.Task) -> bool:
    """Tell whether what a task of somebody else's requires is of the lake."""
    return any(isinstance(each, DayTask) for each in luigi.task.flatten(task.requires()))


class RangeHourlyBase(luigi.tools.range.RangeHourlyBase):
    """Luigi's own, for tasks that have hours."""

    param_name = luigi.OptionalParameter(default=None, positional=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - Luigi's
        super().__init__(*args, **kwargs)
        _refuse_days(self)


class RangeHourly(luigi.tools.range.RangeHourly):
    """Luigi's own, for tasks that have hours."""

    param_name = luigi.OptionalParameter(default=None, positional=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - Luigi's
        super().__init__(*args, **kwargs)
        _refuse_days(self)


class RangeByMinutesBase(luigi.tools.range.RangeByMinutesBase):
    """Luigi's own, for tasks that have minutes."""

    param_name = luigi.OptionalParameter(default=None, positional=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - Luigi's
        super().__init__(*args, **kwargs)
        _refuse_days(self)


class RangeByMinutes(luigi.tools.range.RangeByMinutes):
    """Luigi's own, for tasks that have minutes."""

    param_name = luigi.OptionalParameter(default=None, positional=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - Luigi's
        super().__init__(*args, **kwargs)
        _refuse_days(self)


class RangeMonthly(luigi.tools.range.RangeMonthly):
    """Luigi's own, for tasks that have months."""

    param_name = luigi.OptionalParameter(default=None, positional=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - Luigi's
        super().__init__(*args, **kwargs)
        _refuse_days(self)


def _report_at_exit(plan: Plan, past: attempts.Attempts) -> None:
    """Show the progress on a terminal, and at the end of the process record and say what came of it."""
    watch = Watch(plan.range.example, plan.chosen, attempts.new_run())
    RawLogsDaily.remove_event_handler(luigi.Event.DEPENDENCY_MISSING, say_why_not)  # the report says it

    def finish() -> None:
        watch.close()
        watch.record(past)
        try:
            found = watch.result()
            said = plan.report(found.failed, found.waiting, found.below)
            print(printable(said), flush=True)  # noqa: T201 - the command's result
        except LakeError as error:
            print(f"Can't say what is there: {error}", file=sys.stderr)  # noqa: T201

    atexit.register(finish)
