"""Ranges of days that say what they did: Luigi's `RangeDailyBase` and `RangeDaily`, made honest.

Luigi's own look at the last 100 days only, run 50 of them, include today, and call that done. These build
every settled, missing day of the range, oldest first, and are complete only when all its days are there.
Luigi takes the most derived class of a name, so these are what `--of` on the command line gets.
"""

import atexit
import sys
from datetime import date, datetime

import luigi
import luigi.tools.range
from luigi.cmdline_parser import CmdlineParser

from backfill.days import DayRange, State, listed
from backfill.progress import Progress
from lake.errors import ConfigError, LakeError, RangeIncomplete
from tasks import clock
from tasks.daily import DayParameter, publishing_tasks
from tasks.raw_logs import RawLogsDaily, say_why_not


class RangeDailyBase(luigi.tools.range.RangeDailyBase):
    """All days `[start, stop)` of a daily task of the lake.

    `stop` defaults to the day after the last settled one on which a source is active; `start` to the first
    day of any source. `days_back` and `days_forward` are accepted and mean nothing: nothing is cut off.
    `task_limit` is kept to, and a range that it left incomplete fails.
    """

    # Luigi gives the same instance to all who ask for the same range in one process
    _plan: "Plan | None" = None
    _reports = False

    start = DayParameter(default=None, description="first day; default: the first of any source")
    stop = DayParameter(default=None, description="day after the last; default: after the last settled one")
    # Luigi's declares a Parameter whose default it then warns of
    param_name = luigi.OptionalParameter(default=None, positional=False)

    def requires(self) -> list[luigi.Task]:
        """Return the missing days that are settled, oldest first, as they were when `complete` last looked.

        Luigi asks again before `run`, and must get the same tasks.
        """
        self._plan = self._plan or self._look()
        return self._plan.tasks

    def complete(self) -> bool:
        """Tell whether every day on which a source is active is there, by one listing a dataset."""
        self._plan = self._look()
        return not self._plan.not_there

    def run(self) -> None:
        """Look once more, after all required days are built.

        Raises:
            RangeIncomplete: Some day is not there.
        """
        plan = self._look()
        if plan.not_there:
            raise RangeIncomplete(f"{plan.range}: not there are {listed(plan.not_there)}.")

    def __str__(self) -> str:
        return f"{self.task_family}(of={self.of.__name__}, start={self.start}, stop={self.stop})"

    def _look(self) -> "Plan":
        plan = Plan(self._range(), clock.utc_now(), self.task_limit, newest=self.reverse)
        if CmdlineParser.get_instance() and not self._reports:  # in a library call the caller looks for itself
            self._reports = True
            plan.report_at_exit()
        return plan

    def _range(self) -> DayRange:
        if self.of not in publishing_tasks().values():
            raise ConfigError(f"--of {self.of.__name__} is no daily task of the lake, such as ErrorRateDaily.")
        now = clock.utc_now()
        day = self.start or self.stop or now.date()
        example = self.of(**self._task_parameters(day))
        return DayRange.resolve(example, self.start, self.stop, now)


class RangeDaily(RangeDailyBase, luigi.tools.range.RangeDaily):
    """The same as RangeDailyBase, which needs no second way here: one listing answers for all days."""


class Plan:
    """What a range has to do, as the lake is now, and later what came of it.

    Attributes:
        tasks: The missing days to build, in the order wanted.
        not_there: The days that are no gap and not there.
    """

    def __init__(self, days: DayRange, now: datetime, limit: int, *, newest: bool) -> None:
        self.range = days
        self.now = now
        self.before = days.survey(now)
        missing = [day.date for day in self.before if day.state == State.MISSING]
        chosen = missing[::-1][:limit] if newest else missing[:limit]
        self.tasks = [days.task(day) for day in chosen]
        self.not_there = [day.date for day in self.before if day.state not in {State.THERE, State.INACTIVE}]

    def report_at_exit(self) -> None:
        """Show the progress on a terminal, and at the end of the process say what came of it."""
        progress = Progress(self.range.example, [task.date for task in self.tasks])
        RawLogsDaily.remove_event_handler(luigi.Event.DEPENDENCY_MISSING, say_why_not)  # the report says it

        def finish() -> None:
            progress.close()
            try:
                print(self.report(progress.failed_days()), flush=True)  # noqa: T201 - the command's result
            except LakeError as error:
                print(f"Can't say what is there: {error}", file=sys.stderr)  # noqa: T201

        atexit.register(finish)

    def report(self, failures: set[date]) -> str:
        """Say how many days were asked for, built, already there, failed and waiting, and which.

        Args:
            failures: The days of which a task failed.
        """
        there_before = {day.date for day in self.before if day.state == State.THERE}
        after = self.range.survey_with_input(self.now)
        built = [d.date for d in after if d.state == State.THERE and d.date not in there_before]
        failed = [d.date for d in after if d.state == State.MISSING and d.date in failures]
        left = [d.date for d in after if d.state == State.MISSING and d.date not in failures]
        waiting = [d for d in after if d.state == State.WAITING]
        inactive = [d.date for d in after if d.state == State.INACTIVE]
        counts = (
            f"{len(built)} built, {len(there_before)} already there, {len(failed)} failed, "
            f"{len(waiting) + len(left)} waiting"
        )
        lines = [f"{self.range} asked for: {counts}."]
        if inactive:
            lines.append(f"  no source is active on {len(inactive)} of them: {listed(inactive)}")
        if failed:
            lines.append(f"  failed: {listed(failed)}")
        lines += [f"  waiting: {day.date} {day.reason}" for day in waiting[:WAITING_SHOWN]]
        if len(waiting) > WAITING_SHOWN:
            lines.append(f"  waiting too: {listed(day.date for day in waiting[WAITING_SHOWN:])}")
        if left:
            lines.append(f"  waiting for another run (interrupted, or task_limit): {listed(left)}")
        if failed or waiting or left:
            lines.append("  The range is incomplete. Mend what is named above and run the same again.")
        elif not built:
            lines.append("  Nothing to do, nothing was rebuilt.")
        return "\n".join(lines)


WAITING_SHOWN = 3
