"""What Luigi's workers, which may be processes of their own, do with the days of a range."""

import ctypes
import fcntl
import json
import multiprocessing
import os
import signal
import sys
import tempfile
import time
import weakref
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import date, datetime
from typing import IO

import luigi

from backfill.attempts import LONGEST_ERROR, Attempt, Attempts, Outcome
from backfill.engines import ends
from backfill.engines.ends import End, Tally
from backfill.engines.engine import Result
from etl import clock
from etl.units import Unit
from lake.errors import LakeError
from tasks.daily import DailyTask

DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of prctl(2)


class Watch:
    """Notes the end of every task of a range, counts its days, and shows a bar of them on a terminal.

    The workers append to a file without a name that this process reads.
    """

    def __init__(self, example: Unit, days: Sequence[date], run: str, max_failures: int | None = None) -> None:
        self._example = example
        self._run = run
        self._days = frozenset(days)
        self._max_failures = max_failures
        self._process = os.getpid()
        self._started: dict[str, tuple[datetime, float]] = {}
        self._file = _file_without_a_name()
        weakref.finalize(self, self._file.close)
        fcntl.fcntl(self._file, fcntl.F_SETFL, fcntl.fcntl(self._file, fcntl.F_GETFL) | os.O_APPEND)
        self._done = multiprocessing.Value("i", 0)
        self._taken = 0
        self._tally = Tally(example)
        self._looked = 0
        self._bar = ends.bar(example, days)
        handlers: dict[str, Callable[..., None]] = {
            luigi.Event.START: self._begin,
            luigi.Event.SUCCESS: self._end,
            luigi.Event.FAILURE: self._end,
            luigi.Event.PROCESS_FAILURE: self._die,
            luigi.Event.BROKEN_TASK: self._end,
            luigi.Event.DEPENDENCY_MISSING: self._can_not_look,
        }
        for event, handler in handlers.items():
            DailyTask.event_handler(event)(handler)
        self._handlers = handlers

    def close(self) -> None:
        """Take the bar off the screen and hear of nothing more."""
        self._bar.close()
        for event, handler in self._handlers.items():
            DailyTask.remove_event_handler(event, handler)

    def failed_days(self) -> frozenset[date]:
        """Return the days of which some task failed, be it one that the day requires."""
        return self.result().failed

    def result(self, stopped: int | None = None) -> Result:
        """Return what came of the days so far; `stopped` is as there."""
        ended, self._looked = self._read(self._looked)
        self._tally.add(ended)
        return self._tally.result(stopped)

    def record(self, past: Attempts) -> None:
        """Record what came of the days since the last time; without it a run is as good, so it goes on."""
        try:
            past.record(self.attempts())
        except LakeError as error:
            print(f"The attempts could not be recorded: {error}", file=sys.stderr)  # noqa: T201

    def attempts(self) -> list[Attempt]:
        """Return what came of each day since this was last asked."""
        ended, self._taken = self._read(self._taken)
        return ends.attempts(ended, self._example, self._run)

    def _read(self, begin: int) -> tuple[list[End], int]:
        """Return what was noted from a place in the file on, and where it ends."""
        size = os.fstat(self._file.fileno()).st_size
        found = []
        for line in os.pread(self._file.fileno(), size - begin, begin).splitlines():
            day, name, started, seconds, error, outcome, source = json.loads(line)
            started = datetime.fromisoformat(started)
            found.append(End(date.fromisoformat(day), name, started, seconds, error, Outcome(outcome), source))
        return found, size

    def _begin(self, task: DailyTask) -> None:
        if os.getpid() != self._process:
            _die_with_parent(self._process)
        self._started[task.task_id] = clock.utc_now(), time.monotonic()

    def _end(self, task: DailyTask, error: BaseException | None = None) -> None:
        if error is None:
            self._note(task, None, Outcome.BUILT)
            return
        self._note(task, ends.told(task.task_family, task.source, error), ends.outcome_of(error, task.dataset))

    def _can_not_look(self, task: DailyTask) -> None:
        """Note a task of which the lake didn't say whether it is there; Luigi has logged why."""
        self._note(
            task,
            ends.told(task.task_family, task.source, "the lake did not say whether it is there"),
            Outcome.HINDERED,
        )

    def _die(self, task: DailyTask, error: str) -> None:
        """Note a worker that is gone, as when the kernel takes its memory; this runs in the parent."""
        self._note(task, ends.told(task.task_family, task.source, error), Outcome.FAILED)

    def _note(self, task: DailyTask, error: str | None, outcome: Outcome) -> None:
        if task.date not in self._days:
            return
        started, begin = self._started.pop(task.task_id, (clock.utc_now(), time.monotonic()))
        end = (
            str(task.date),
            task.task_family,
            started.isoformat(),
            time.monotonic() - begin,
            error and error[:LONGEST_ERROR],
            outcome,
            task.source,
        )
        os.write(self._file.fileno(), json.dumps(end).encode() + b"\n")
        if error is not None and self._max_failures and len(self.failed_days()) >= self._max_failures:
            os.kill(self._process, signal.SIGUSR1)  # on which a Luigi worker asks for no more work
        if error is not None or task.task_family == self._example.name:
            with self._done.get_lock():
                self._done.value += 1
                self._bar.n = min(self._done.value, self._bar.total)
                self._bar.set_postfix_str(str(task.date))


def _file_without_a_name() -> IO[bytes]:
    """Open a file that workers share with this process: in memory if it can be, for disks fill up."""
    if hasattr(os, "memfd_create"):  # Linux only
        return os.fdopen(os.memfd_create("backfill"), "w+b", buffering=0)
    return tempfile.TemporaryFile(buffering=0)


def _die_with_parent(parent: int) -> None:
    """Let the kernel end this process when its parent ends, however it does."""
    with suppress(OSError, AttributeError):  # Linux only
        ctypes.CDLL(None).prctl(DIE_WITH_PARENT, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
