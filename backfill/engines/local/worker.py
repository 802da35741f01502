"""A Luigi worker that schedules a range a few days at a time, so that ten years cost no more a day than a week.

Whoever asks Luigi's scheduler for work has it look at all tasks that wait. So the days of a range are handed to it
when it has nothing left to do, and the range itself after them.
"""

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from typing import Any, NamedTuple

import luigi
import luigi.worker
from luigi.scheduler import PENDING, WORKER_STATE_DISABLED

from backfill.engines.local.ranges import RangeDailyBase

DAYS_AT_ONCE = 25
BEFOREHAND = ("duckdb", "etl.lines.compiled", "etl.steps.aggregate", "etl.steps.extract")
"""What units import when they need it. With several workers each has its own process, forked from this one."""


class View:
    """A scheduler as one worker sees it: while the worker has something to schedule, there is work.

    Attributes:
        scheduler: The scheduler itself.
        held: What was told of tasks that nobody may run yet, by their ids.
    """

    def __init__(self, scheduler: Any, more: Callable[[], bool]) -> None:  # noqa: ANN401 - Luigi's, or a remote one
        self.scheduler = scheduler
        self.held: dict[str, dict[str, Any]] = {}
        self._more = more

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever else a scheduler does
        return getattr(self.scheduler, name)

    def hold(self, task_id: str) -> None:
        """Let nobody run a task that is scheduled from now on, until `release`."""
        self.held[task_id] = {}

    def release(self, task_id: str, requires: list[str]) -> None:
        """Let a task run that was held, after those that it requires."""
        self.scheduler.add_task(**self.held.pop(task_id) | {"deps": requires})

    def add_task(self, **told: Any) -> None:  # noqa: ANN401 - Luigi's names
        """Tell the scheduler of a task."""
        if told["task_id"] in self.held and told["status"] == PENDING:
            self.held[told["task_id"]] = dict(told)
            told["runnable"] = False  # it is shown as one that waits
        self.scheduler.add_task(**told)

    def get_work(self, **asked: Any) -> dict[str, Any]:  # noqa: ANN401 - likewise
        """Return what the scheduler has to do, once there is nothing more to schedule if it has nothing."""
        while True:
            answer: dict[str, Any] = self.scheduler.get_work(**asked)
            is_last = answer.get("task_id") is not None or answer.get("worker_state") == WORKER_STATE_DISABLED
            if is_last or not self._more():
                return answer


class _Later(NamedTuple):
    """A range of which not all days are scheduled yet, and those that aren't."""

    task: RangeDailyBase
    days: deque[luigi.Task]


class Worker(luigi.worker.Worker):
    """A worker that schedules a range's days a few at a time; if that is to be done in parallel, all at once."""

    view_of: type[View] = View

    def __init__(self, scheduler: object, *, processes: int, assistant: bool) -> None:
        self.view = self.view_of(scheduler, self.schedules_more)
        self.later: deque[_Later] = deque()
        if processes > 1:
            for name in BEFOREHAND:
                with suppress(ImportError):  # of what is optional; a unit that needs another says so
                    import_module(name)
        super().__init__(scheduler=self.view, worker_processes=processes, assistant=assistant)

    def add(self, task: luigi.Task, *parallel: int) -> bool:
        """Schedule a task and what it requires; of a range, note its days for later."""
        if not isinstance(task, RangeDailyBase) or not task.is_of_the_lake or any(parallel):
            return bool(super().add(task, *parallel))
        self.view.hold(task.task_id)
        with task.without_days():
            added = bool(super().add(task))
        if self.view.held[task.task_id]:  # it is not complete, and could say so
            self.later.append(_Later(task, deque(task.deps())))
        else:
            self.view.held.pop(task.task_id)
        return added

    def schedules_more(self) -> bool:
        """Schedule the next days of a range, or the range once there are none; tell whether there was anything."""
        if not self.later:
            return False
        task, days = self.later[0]
        if days:
            for _ in range(min(DAYS_AT_ONCE, len(days))):
                self.run_succeeded &= self.add(days.popleft())
        else:
            self.later.popleft()
            self.view.release(task.task_id, [each.task_id for each in task.deps()])
        return True
