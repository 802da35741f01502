"""A Luigi worker that schedules a range a few days at a time, so that ten years cost no more a day than a week.

Whoever asks Luigi's scheduler for work has it look at all tasks that wait. So the days of a range are handed to it
when it has nothing left to do, and the range itself after them.
"""

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

import luigi
import luigi.scheduler
import luigi.worker
from luigi.scheduler import PENDING, WORKER_STATE_DISABLED

from backfill.engines.local.ranges import RangeDailyBase

DAYS_AT_ONCE = 25


class _Held(NamedTuple):
    """A range that is not scheduled yet, and those of its days that aren't."""

    task: RangeDailyBase
    days: deque[luigi.Task]


class Worker(luigi.worker.Worker):
    """A worker that schedules a range's days a few at a time; if that is to be done in parallel, all at once."""

    def __init__(self, scheduler: luigi.scheduler.Scheduler, *, processes: int, assistant: bool) -> None:
        super().__init__(scheduler=scheduler, worker_processes=processes, assistant=assistant)
        self._held: deque[_Held] = deque()
        self._is_parallel = False

    def add(self, task: luigi.Task, *parallel: int) -> bool:
        """Schedule a task and what it requires; of a range, note its days for later."""
        self._is_parallel = any(parallel)
        return bool(super().add(task, *parallel))

    def _add(self, task: luigi.Task, is_complete: object) -> Iterator[luigi.Task]:
        """Schedule a task, and yield what it requires."""
        if not isinstance(task, RangeDailyBase) or is_complete is not False or self._is_parallel:
            yield from super()._add(task, is_complete)
            return
        self._held.append(_Held(task, deque(task.deps())))
        # Luigi's summary and page have it as a task that waits; nobody may run it yet
        self._scheduled_tasks[task.task_id] = task
        self._add_task_history.append((task, PENDING, True))
        self._scheduler.add_task(
            worker=self._id,
            task_id=task.task_id,
            status=PENDING,
            runnable=False,
            family=task.task_family,
            module=task.task_module,
            params=task.to_str_params(),
            param_visibilities=task._get_param_visibilities(),  # noqa: SLF001 - as Luigi does
        )

    def _get_work(self) -> luigi.worker.GetWorkResponse:
        found = super()._get_work()
        while found.task_id is None and found.worker_state != WORKER_STATE_DISABLED and self._schedules_more():
            self._get_work_response_history.pop()  # it was not the last word
            found = super()._get_work()
        return found

    def _schedules_more(self) -> bool:
        """Schedule the next days of a range, or the range once there are none; tell whether there was anything."""
        if not self._held:
            return False
        task, days = self._held[0]
        if days:
            for _ in range(min(DAYS_AT_ONCE, len(days))):
                self.run_succeeded &= self.add(days.popleft())
        else:
            self._held.popleft()
            for _ in super()._add(task, False):  # noqa: FBT003 - Luigi's signature
                """They are scheduled."""
        return True
