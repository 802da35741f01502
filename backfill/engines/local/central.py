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
from functools import partial
from http.client import HTTPException
from types import FrameType
from typing import Any

import luigi
import luigi.configuration
import luigi.scheduler
import luigi.worker
from luigi.parameter import ParameterVisibility, UnconsumedParameterWarning
from luigi.rpc import RemoteScheduler, RPCError
from luigi.scheduler import DONE, FAILED, PENDING, WORKER_STATE_DISABLED
from luigi.task import task_id_str

from backfill.days import NO_GAP, DayRange, State, listed
from backfill.engines.local import worker
from backfill.engines.local.internals.factory import use
from backfill.engines.local.internals.messages import OWN_SETTING
from backfill.engines.local.ranges import RangeDailyBase
from etl import clock
from lake.errors import ConfigError, LakeError
from tasks.daily import DailyTask
from tasks.raw_logs import RawLogsDaily

SECONDS_BETWEEN_LOOKS = 2.0
SHARE_OF_TIME_TO_LOOK = 0.02
ERRORS_SHOWN = 3
ALL_TASKS = 10**9
RETRIES, SECONDS_TO_RETRY = 3, 30  # Luigi's own defaults
OURS = frozenset({"backfill", "tasks"})
ALWAYS_HIDDEN = frozenset({"days_back", "days_forward", "task_limit", "until"})
SAY_NOTHING = frozenset({"", "0", "None", "False", "{}"})
PUBLIC, HIDDEN = (each.serialize() for each in (ParameterVisibility.PUBLIC, ParameterVisibility.HIDDEN))
NO_ANSWER = (RPCError, OSError, HTTPException)
logger = logging.getLogger("luigi-interface")


class Scheduler:
    """A central scheduler that must answer at once when it is first asked, and is given some time later.

    It does what Luigi's `RemoteScheduler` does, and asks again as often, and after as long, as luigi.cfg says.
    """

    def __init__(self, url: str) -> None:
        config = luigi.configuration.get_config()
        self._url = url.rstrip("/")
        self._patience = config.getint("core", "rpc_retry_attempts", RETRIES) - 1
        self._wait = config.getint("core", "rpc_retry_wait", SECONDS_TO_RETRY)
        self._tries_left = 0
        with _set(config, "core", rpc_retry_attempts="1", rpc_log_retries="false"):
            self._remote = RemoteScheduler(url)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return partial(self._ask, getattr(self._remote, name))

    def add_task(self, **told: Any) -> None:  # noqa: ANN401 - Luigi's names
        """Tell of a task; of its parameters, the page shows those that say something."""
        if told.get("module", "").partition(".")[0] in OURS:
            params = told.get("params") or {}
            told["param_visibilities"] = {
                name: HIDDEN if name in ALWAYS_HIDDEN or text in SAY_NOTHING else PUBLIC
                for name, text in params.items()
            }
        self._ask(self._remote.add_task, **told)

    def _ask(self, method: Callable[..., Any], *args: object, **told: object) -> Any:  # noqa: ANN401 - JSON
        left = self._tries_left
        while True:
            try:
                answer = method(*args, **told)
            except NO_ANSWER as error:
                if not left:
                    raise ConfigError(self._no_answer(error)) from error
                logger.warning("%s Trying again in %s s.", self._no_answer(error), self._wait)
                time.sleep(self._wait)
                left -= 1
            else:
                self._tries_left = self._patience
                return answer

    def _no_answer(self, error: BaseException) -> str:
        why = error
        while why.__cause__ or why.__context__:
            why = why.__cause__ or why.__context__ or why
        return (
            f"Luigi's scheduler at {self._url} doesn't answer: {why}. Start it with luigid, correct "
            "default-scheduler-url in [core] of luigi.cfg, or set local_scheduler = true there."
        )


class Row:
    """A range on the scheduler's page: how many of its days are there.

    Whichever process builds a day tells it, now and then.
    """

    def __init__(self, scheduler: Scheduler, task_id: str, days: DayRange) -> None:
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
        self._put(worker, PENDING)
        self.tell(at_once=True)

    def end(self, worker: str) -> None:
        """Say that it is done, or what is not there."""
        self.tell(at_once=True)
        _, _, gaps = self._look()
        self._put(worker, FAILED if gaps else DONE, json.dumps(f"Missing: {gaps}." if gaps else None))

    @classmethod
    def of_days(cls, scheduler: Scheduler, days: DayRange) -> "Row":
        """Return a row for a range that is no Luigi task."""
        return cls(scheduler, task_id_str("Backfill", _named(days)), days)

    def _put(self, worker: str, status: str, error: str | None = None) -> None:
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


class View(worker.View):
    """A central scheduler as one worker sees it, and what they told each other.

    Attributes:
        worker: The worker's name.
        waiting: The ids of the tasks that it told of last as waiting.
        running: Which tasks ran when there was no work, an answer each.
        is_disabled: Whether the worker is to ask for no more work.
        is_settled: Whether the scheduler need not be told any more.
    """

    def __init__(self, scheduler: Scheduler, more: Callable[[], bool]) -> None:
        super().__init__(scheduler, more)
        self.worker = ""
        self.waiting: set[str] = set()
        self.running: list[list[dict[str, Any]]] = []
        self.is_disabled = self.is_settled = False

    def add_task(self, **told: Any) -> None:  # noqa: ANN401 - Luigi's names
        """Tell the scheduler of a task."""
        self.worker = told["worker"]
        (self.waiting.add if told["status"] == PENDING else self.waiting.discard)(told["task_id"])
        if not self.is_settled:
            super().add_task(**told)

    def get_work(self, **asked: Any) -> dict[str, Any]:  # noqa: ANN401 - likewise
        """Return what the scheduler has to do."""
        answer = super().get_work(**asked)
        self.is_disabled = answer.get("worker_state") == WORKER_STATE_DISABLED
        if answer.get("task_id") is None:
            self.running.append(answer["running_tasks"])
        return answer


class Worker(worker.Worker):
    """A worker at a central scheduler: it shows what it does, and waits for others who do what it wants."""

    view: View
    view_of = View

    def __init__(self, scheduler: Scheduler, *, processes: int, assistant: bool, days: DayRange | None) -> None:
        super().__init__(scheduler, processes=processes, assistant=assistant)
        self.scheduler = scheduler
        self.days = days
        self.row: Row | None = None
        self.roots: list[luigi.Task] = []
        self.known: dict[str, luigi.Task] = {}
        self.is_running = False
        self.is_stopping = False
        self.may_have_been_paused = True

    def handle_interrupt(self, number: int, frame: FrameType | None) -> None:
        """Ask for no more work on SIGUSR1, as Luigi documents it."""
        self.is_stopping = True
        super().handle_interrupt(number, frame)

    def add(self, task: luigi.Task, *parallel: int) -> bool:
        """Schedule a task and what it requires."""
        if not self.is_running:
            self.roots.append(task)
        self.known[task.task_id] = task
        with (
            _handled({luigi.Event.DEPENDENCY_MISSING: self.show_why_not}, RawLogsDaily),
            _handled({luigi.Event.DEPENDENCY_DISCOVERED: self.note_required}, luigi.Task),
        ):
            return super().add(task, *parallel)

    def run(self) -> bool:
        """Run what the scheduler gives, until nobody is left who could do more; tell whether all went well."""
        self.is_running = True
        self.row = self.make_row()
        with _handled({luigi.Event.SUCCESS: self.show_progress}, DailyTask):
            done = bool(super().run())
            while not (self.is_stopping or self.view.is_disabled) and (
                self.waits_for_others() or self.takes_over()
            ):
                time.sleep(luigi.worker.worker().wait_interval)
                done &= bool(super().run())
        if self.row:
            self.row.tell(at_once=True)
        self.settle()
        return done

    def end(self) -> None:
        """Say on the page what came of the days that it was made for."""
        if self.row and self.days:
            with suppress(LakeError):
                self.row.end(self.view.worker)

    def make_row(self) -> Row | None:
        """Return the page's row for the days that it was made for, or for the first range that it is to build."""
        with suppress(LakeError):
            if self.days:
                row = Row.of_days(self.scheduler, self.days)
                row.begin(self.view.worker)
                return row
            for root in self.roots:
                if isinstance(root, RangeDailyBase) and root.is_of_the_lake:
                    row = Row(self.scheduler, root.task_id, root.days())
                    row.tell(at_once=True)
                    return row
        return None

    def note_required(self, _task: luigi.Task, required: luigi.Task) -> None:
        """Note a task that one to be scheduled requires."""
        self.known[required.task_id] = required

    def show_why_not(self, task: RawLogsDaily) -> None:
        """Show what raw logs wait for."""
        with suppress(LakeError):
            self.scheduler.set_task_status_message(task.task_id, f"waiting: {task.why_not()}")

    def show_progress(self, _task: DailyTask) -> None:
        """Show how far the days are, in whichever process one was built."""
        if self.row:
            self.row.tell()

    def waits_for_others(self) -> bool:
        """Tell whether others run tasks that this one wants, or somebody has pressed Pause.

        The scheduler's last answer tells of the same moment that it had nothing to do and who was at work. It
        doesn't tell of a pause, so the work is asked for once more after one could have ended.
        """
        if self.view.running and self.view.running[-1]:
            self.scheduler.prune()  # those of a worker that is gone
            return True
        if self.later:
            return True
        if not self.scheduler.count_pending(worker=self.view.worker)["n_pending_tasks"]:
            return False
        may_have_been_paused = self.may_have_been_paused
        self.may_have_been_paused = bool(self.scheduler.is_paused()["paused"])
        return may_have_been_paused or self.may_have_been_paused

    def schedules_more(self) -> bool:
        """Schedule more days of a range, unless somebody has pressed Pause: then that is why there is no work."""
        return bool(self.later) and not self.scheduler.is_paused()["paused"] and super().schedules_more()

    def takes_over(self) -> bool:
        """Schedule again what workers ran that are gone, and tell whether there was any."""
        orphans = [task_id for task_id, each in self.failures().items() if not each["worker_running"]]
        for task_id in orphans:
            self.add(self.known[task_id])
        return bool(orphans)

    def failures(self) -> dict[str, dict[str, Any]]:
        """Return what the scheduler says of the tasks that this one wants and that failed, by their ids."""
        found = self.scheduler.task_list(status=FAILED, upstream_status="", max_shown_tasks=ALL_TASKS)
        return {task_id: each for task_id, each in found.items() if task_id in self.known}

    def settle(self) -> None:
        """Let Luigi's summary and exit code know what others did."""
        if not self.view.waiting:
            return
        with suppress(LakeError):
            if all(root.complete() for root in self.roots):
                for running in self.view.running:
                    running.clear()  # nothing is left that another worker runs
                self.view.is_settled = True
                for task_id in self.known.keys() & self.view.waiting:
                    self.note_as_there(self.known[task_id])
                return
        elsewhere = [
            (task_id, each["display_name"])
            for task_id, each in self.failures().items()
            if each["worker_running"] not in {self.view.worker, None}
        ]
        for task_id, name in elsewhere[:ERRORS_SHOWN]:  # the range's report names all days
            error = json.loads(self.scheduler.fetch_error(task_id)["error"] or '""')
            logger.warning("%s failed at another worker: %s", name, error)

    def note_as_there(self, task: luigi.Task) -> None:
        """Let Luigi know that a task is complete, without a look at the lake, which has just said so of all."""
        task.complete = lambda: True
        try:
            super().add(task)
        finally:
            del task.complete


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
                f"What answers at {url} is not a Luigi scheduler. Correct [core] of luigi.cfg."
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
    use(Factory)
    warnings.filterwarnings("ignore", OWN_SETTING, UnconsumedParameterWarning)


@contextmanager
def _set(config: Any, section: str, **values: str) -> Iterator[None]:  # noqa: ANN401 - Luigi's
    """Set options for a while."""
    before = {key: config.get(section, key, None) for key in values}
    for key, value in values.items():
        config.set(section, key, value)
    try:
        yield
    finally:
        for key, value in before.items():
            if value is None:
                config.remove_option(section, key)
            else:
                config.set(section, key, value)


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
