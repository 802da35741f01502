"""Luigi's central scheduler: several workers share a range, and its page shows how far they are.

With a local scheduler nothing here does anything.
"""

import json
import logging
import multiprocessing
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPException
from typing import Any

import luigi
import luigi.interface
import luigi.scheduler
import luigi.worker
from luigi.parameter import UnconsumedParameterWarning
from luigi.rpc import RemoteScheduler, RPCError
from luigi.scheduler import DONE, FAILED, PENDING
from luigi.task import task_id_str

from backfill.days import NO_GAP, DayRange, State, listed
from backfill.engines.local import worker
from backfill.engines.local.ranges import RangeDailyBase
from etl import clock
from lake.errors import ConfigError, LakeError
from tasks.daily import DailyTask
from tasks.raw_logs import RawLogsDaily

SECONDS_BETWEEN_LOOKS = 2.0
SHARE_OF_TIME_TO_LOOK = 0.02
ERRORS_SHOWN = 3
ALL_TASKS = 10**9
NO_ANSWER = (RPCError, OSError, HTTPException)
logger = logging.getLogger("luigi-interface")


class Scheduler(RemoteScheduler):
    """A central scheduler that must answer at once when it is first asked, and is given some time later."""

    _rpc_retry_attempts: int

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._patience = self._rpc_retry_attempts - 1
        self._rpc_retry_attempts, self._rpc_log_retries = 1, False
        self._retries = 0

    def _fetch(self, url_suffix: str, body: dict[str, str]) -> str:
        left = self._retries
        while True:
            try:
                answer: str = super()._fetch(url_suffix, body)
            except NO_ANSWER as error:
                if not left:
                    raise ConfigError(self._no_answer(error)) from error
                logger.warning("%s Trying again in %s s.", self._no_answer(error), self._rpc_retry_wait)
                time.sleep(self._rpc_retry_wait)
                left -= 1
            else:
                self._retries = self._patience
                return answer

    def _no_answer(self, error: BaseException) -> str:
        why = error
        while why.__cause__ or why.__context__:
            why = why.__cause__ or why.__context__ or why
        return (
            f"Luigi's scheduler at {self._url} doesn't answer: {why}. Start it with luigid, mend "
            "default-scheduler-url in [core] of luigi.cfg, or set local_scheduler = true there."
        )


class Row:
    """A range on the scheduler's page: how many of its days are there.

    Whichever process builds a day tells it, now and then.
    """

    def __init__(self, scheduler: RemoteScheduler, task_id: str, days: DayRange) -> None:
        self._scheduler = scheduler
        self._task_id = task_id
        self._days = days
        self._next = multiprocessing.Value("d", 0.0)

    def tell(self, *, at_once: bool = False) -> None:
        """Show how far it is, if it wasn't shown just now; a page that can't be told is no reason to fail."""
        begin = time.monotonic()
        with self._next.get_lock():
            if begin < self._next.value and not at_once:
                return
            self._next.value = begin + SECONDS_BETWEEN_LOOKS
        with suppress(LakeError):
            text, share, _ = self._look()
            self._scheduler.set_task_status_message(self._task_id, text)
            self._scheduler.set_task_progress_percentage(self._task_id, share)
        took = time.monotonic() - begin
        with self._next.get_lock():
            self._next.value = max(self._next.value, begin + took / SHARE_OF_TIME_TO_LOOK)

    def begin(self, worker: str) -> None:
        """Put it on the page as a task of its own, which nobody runs."""
        self._add(worker, PENDING)
        self.tell(at_once=True)

    def end(self, worker: str) -> None:
        """Say that it is done, or what is not there."""
        self.tell(at_once=True)
        _, _, gaps = self._look()
        self._add(worker, FAILED if gaps else DONE, json.dumps(f"Not there are {gaps}." if gaps else None))

    @classmethod
    def of_days(cls, scheduler: RemoteScheduler, days: DayRange) -> "Row":
        """Return a row for a range that is no Luigi task."""
        return cls(scheduler, task_id_str("Backfill", _named(days)), days)

    def _add(self, worker: str, status: str, error: str | None = None) -> None:
        self._scheduler.add_task(
            worker=worker,
            task_id=self._task_id,
            status=status,
            runnable=False,
            family="Backfill",
            module="backfill",
            params=_named(self._days),
            expl=error,
        )

    def _look(self) -> tuple[str, int, str]:
        found = [day for day in self._days.survey(clock.utc_now()) if day.state is not State.INACTIVE]
        gaps = [day.date for day in found if day.state not in NO_GAP]
        there = len(found) - len(gaps)
        return f"{there:,} of {len(found):,} days there", 100 * there // len(found), listed(gaps)


class Worker(worker.Worker):
    """A worker at a central scheduler: it shows what it does, and waits for others who do what it wants."""

    def __init__(self, scheduler: Scheduler, *, processes: int, assistant: bool, days: DayRange | None) -> None:
        super().__init__(scheduler, processes=processes, assistant=assistant)
        self._days = days
        self._row: Row | None = None
        self._roots: list[luigi.Task] = []
        self._is_running = False
        self._may_have_been_paused = True

    def add(self, task: luigi.Task, *parallel: int) -> bool:
        """Schedule a task and what it requires."""
        if not self._is_running:
            self._roots.append(task)
        with _handled({luigi.Event.DEPENDENCY_MISSING: self._show_why_not}, RawLogsDaily):
            return super().add(task, *parallel)

    def run(self) -> bool:
        """Run what the scheduler gives, until nobody is left who could do more; tell whether all went well."""
        self._is_running = True
        self._row = self._make_row()
        with _handled({luigi.Event.SUCCESS: self._show_progress}, DailyTask):
            done = bool(super().run())
            while not self._stop_requesting_work and (self._waits_for_others() or self._takes_over()):
                time.sleep(self._config.wait_interval)
                done &= bool(super().run())
        if self._row:
            self._row.tell(at_once=True)
        self._settle()
        return done

    def end(self) -> None:
        """Say on the page what came of the days that it was made for."""
        if self._row and self._days:
            with suppress(LakeError):
                self._row.end(self._id)

    def _make_row(self) -> Row | None:
        with suppress(LakeError):
            if self._days:
                row = Row.of_days(self._scheduler, self._days)
                row.begin(self._id)
                return row
            for root in self._roots:
                if isinstance(root, RangeDailyBase):
                    row = Row(self._scheduler, root.task_id, root.days())
                    row.tell(at_once=True)
                    return row
        return None

    def _show_why_not(self, task: RawLogsDaily) -> None:
        with suppress(LakeError):
            self._scheduler.set_task_status_message(task.task_id, f"waiting: {task.why_not()}")

    def _show_progress(self, _task: DailyTask) -> None:
        if self._row:
            self._row.tell()

    def _waits_for_others(self) -> bool:
        """Tell whether others run tasks that this one wants, or somebody has pressed Pause.

        The scheduler's last answer tells of the same moment that it had nothing to do and who was at work. It
        doesn't tell of a pause, so the work is asked for once more after one could have ended.
        """
        if self._get_work_response_history[-1]["running_tasks"]:
            self._scheduler.prune()  # those of a worker that is gone
            return True
        if self._held:
            return True
        if not self._scheduler.count_pending(worker=self._id)["n_pending_tasks"]:
            return False
        may_have_been_paused = self._may_have_been_paused
        self._may_have_been_paused = bool(self._scheduler.is_paused()["paused"])
        return may_have_been_paused or self._may_have_been_paused

    def _schedules_more(self) -> bool:
        """Schedule more days of a range, unless somebody has pressed Pause: then that is why there is no work."""
        return bool(self._held) and not self._scheduler.is_paused()["paused"] and super()._schedules_more()

    def _takes_over(self) -> bool:
        """Schedule again what workers ran that are gone, and tell whether there was any."""
        orphans = [each for task_id, each in self._failed().items() if not each["worker_running"]]
        for each in orphans:
            self.add(self._scheduled_tasks[each["id"]])
        return bool(orphans)

    def _failed(self) -> dict[str, dict[str, Any]]:
        """Return what the scheduler says of the tasks that this one wants and that failed."""
        found = self._scheduler.task_list(status=FAILED, upstream_status="", max_shown_tasks=ALL_TASKS)
        return {key: each | {"id": key} for key, each in found.items() if key in self._scheduled_tasks}

    def _settle(self) -> None:
        """Let Luigi's summary and exit code know what others did."""
        ended = {task for task, status, _ in self._add_task_history if status in {DONE, FAILED}}
        left = [task for task in self._scheduled_tasks.values() if task not in ended]
        if not left:
            return
        with suppress(LakeError):
            if all(root.complete() for root in self._roots):
                self._get_work_response_history.clear()
                self._add_task_history += [(task, DONE, False) for task in left]
                return
        elsewhere = [each for each in self._failed().values() if each["worker_running"] not in {self._id, None}]
        for each in elsewhere[:ERRORS_SHOWN]:  # the range's report names all days
            error = json.loads(self._scheduler.fetch_error(each["id"])["error"] or '""')
            logger.warning("%s failed at another worker: %s", each["display_name"], error)


class Factory:
    """What Luigi makes schedulers and workers with: its own, unless the scheduler is a central one."""

    def __init__(self, days: DayRange | None = None) -> None:
        self._days = days
        self._worker: Worker | None = None

    def create_local_scheduler(self) -> luigi.scheduler.Scheduler:
        """Return Luigi's scheduler within this process."""
        # pruning takes a tenth of a run, and is for tasks that are tried again while a worker waits
        is_waiting = luigi.worker.worker().keep_alive
        return luigi.scheduler.Scheduler(prune_on_get_work=is_waiting, record_task_history=False)

    def create_remote_scheduler(self, url: str) -> Scheduler:
        """Return a central scheduler.

        Raises:
            ConfigError: It doesn't answer.
        """
        made = Scheduler(url)
        try:
            made.is_paused()
        except (ValueError, KeyError) as error:
            raise ConfigError(
                f"What answers at {url} is no scheduler of Luigi's. Mend [core] of luigi.cfg."
            ) from error
        return made

    def create_worker(
        self,
        scheduler: luigi.scheduler.Scheduler | Scheduler,
        worker_processes: int,
        assistant: bool = False,  # noqa: FBT001, FBT002 - Luigi's signature
    ) -> luigi.worker.Worker:
        """Return a worker of a scheduler."""
        if not isinstance(scheduler, Scheduler):
            return worker.Worker(scheduler, processes=worker_processes, assistant=assistant)
        self._worker = Worker(scheduler, processes=worker_processes, assistant=assistant, days=self._days)
        return self._worker

    def end(self) -> None:
        """Say on the page, if there is one, what came of the days."""
        if self._worker:
            self._worker.end()


def install() -> None:
    """Let `luigi` and `luigi.build` use the factory; the command line has no other way to name one."""
    luigi.interface._WorkerSchedulerFactory = Factory  # noqa: SLF001
    # Luigi warns of its own setting
    warnings.filterwarnings("ignore", r".*'default_scheduler_(host|port|url)'", UnconsumedParameterWarning)


@contextmanager
def _handled(handlers: dict[str, Callable[..., None]], kind: type[luigi.Task]) -> Iterator[None]:
    """Handle events of a kind of task for a while."""
    for event, handler in handlers.items():
        kind.event_handler(event)(handler)
    try:
        yield
    finally:
        for event, handler in handlers.items():
            kind.remove_event_handler(event, handler)


def _named(days: DayRange) -> dict[str, str]:
    """Return a range as the page's parameters."""
    named = {"of": days.example.name, "start": str(days.start), "stop": str(days.stop)}
    return named | ({"source": days.example.source} if days.example.source else {})
