"""Building a plan's days with Luigi: in chunks, until all are done or somebody says stop."""

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import luigi

from backfill.attempts import Attempts, new_run
from backfill.engines.engine import Result
from backfill.engines.local import central
from backfill.engines.local.watch import Watch
from backfill.plan import Plan
from lake.store.outage import patient
from tasks.daily import task_of
from tasks.raw_logs import RawLogsDaily, say_why_not

# Days a worker: Luigi's time for a task grows with the tasks that wait, and each chunk takes some time of its own
CHUNK = 25
SAID = 100  # days between two words of how far a range has come
STOPS = frozenset({signal.SIGINT, signal.SIGTERM})
STOPPING = b"Stopping: what runs is finished first. Once more to abandon it.\n"


class Stop:
    """The wish to stop: the first Ctrl-C or SIGTERM lets what runs finish, the second ends it.

    Attributes:
        signals: Those that came so far.
    """

    def __init__(self) -> None:
        self.signals: list[int] = []
        self._process = os.getpid()

    def __bool__(self) -> bool:
        return bool(self.signals)

    @property
    def exit_code(self) -> int:
        """The code of a shell for what a signal ended."""
        return 128 + self.signals[0]

    def note(self, number: int, _frame: FrameType | None) -> None:
        """Handle a signal, in this process; its workers finish what they do, and hear of it from here."""
        if os.getpid() != self._process:
            return
        self.signals.append(number)
        if len(self.signals) > 1:
            for worker in multiprocessing.active_children():
                worker.kill()
            raise KeyboardInterrupt
        os.write(sys.stderr.fileno(), STOPPING)  # print is not to be called while it may be at work
        os.kill(self._process, signal.SIGUSR1)  # on which a Luigi worker asks for no more work

    @classmethod
    @contextmanager
    def on_signals(cls) -> Iterator["Stop"]:
        """Listen to both signals for a while."""
        stop = cls()
        before = {number: signal.signal(number, stop.note) for number in STOPS}
        before[signal.SIGUSR1] = signal.signal(signal.SIGUSR1, signal.SIG_IGN)  # until a worker listens
        try:
            yield stop
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def run(
    plan: Plan,
    past: Attempts,
    *,
    workers: int,
    max_failures: int | None = None,
    say: Callable[[str], None] | None = None,
) -> Result:
    """Build the chosen days, and record the attempts after every chunk of them; it is an `Engine`.

    Raises:
        ConfigError: Luigi's central scheduler, if luigi.cfg has one, doesn't answer.
    """
    RawLogsDaily.remove_event_handler(luigi.Event.DEPENDENCY_MISSING, say_why_not)  # the report says it
    watch = Watch(plan.range.example, plan.chosen, new_run(), max_failures)
    luigi_uses = central.Factory(plan.range)
    with Stop.on_signals() as stop, patient():
        try:
            size = CHUNK * workers
            for begin in range(0, len(plan.units), size):
                failed = len(watch.failed_days())
                if stop or (max_failures and failed >= max_failures):
                    break
                if say and begin // SAID > (begin - size) // SAID >= 0:
                    say(f"{begin:,} of {len(plan.units):,} days done, {failed:,} of them failed")
                chunk = plan.units[begin : begin + size]
                tasks = [task_of(each, plan.range.stop) for each in chunk]
                luigi.build(tasks, workers=workers, worker_scheduler_factory=luigi_uses)
                watch.record(past)
            luigi_uses.end()
        except KeyboardInterrupt:
            if not stop:
                raise
        finally:
            watch.record(past)
            watch.close()
            RawLogsDaily.event_handler(luigi.Event.DEPENDENCY_MISSING)(say_why_not)
    return Result(
        frozenset(watch.failed_days()),
        watch.errors(),
        watch.waiting_days(),
        watch.built_below(),
        stop.exit_code if stop else None,
    )
