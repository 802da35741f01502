"""Building a plan's days with Luigi: in chunks, until all are done or somebody says stop."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Self

import luigi

from backfill.attempts import Attempts, new_run
from backfill.engines.engine import Result
from backfill.engines.local import central
from backfill.engines.local.settings import quiet
from backfill.engines.local.watch import Watch
from backfill.engines.stop import Stop
from backfill.plan import Plan
from lake.store.outage import patient
from tasks.daily import task_of
from tasks.raw_logs import RawLogsDaily, say_why_not

# Days a worker: Luigi's time for a task grows with the tasks that wait, and each chunk takes some time of its own
CHUNK = 25
SAID = 100  # days between two words of how far a range has come


class LuigisStop(Stop):
    """The same, told to Luigi's workers."""

    def begin_no_more(self) -> None:
        """Send the signal on which a Luigi worker asks for no more work."""
        os.kill(self.process, signal.SIGUSR1)

    def abandon(self) -> None:
        """End the workers."""
        for worker in multiprocessing.active_children():
            worker.kill()

    @classmethod
    @contextmanager
    def on_signals(cls) -> Iterator[Self]:
        """Listen for a while."""
        with super().on_signals() as stop:
            before = signal.signal(signal.SIGUSR1, signal.SIG_IGN)  # until a worker listens
            try:
                yield stop
            finally:
                signal.signal(signal.SIGUSR1, before)


def run(  # noqa: PLR0913 - as Engine has it
    plan: Plan,
    past: Attempts,
    *,
    workers: int,
    max_failures: int | None = None,
    say: Callable[[str], None] | None = None,
    says_errors: bool = True,
) -> Result:
    """Build the chosen days, and record the attempts after every chunk of them; it is an `Engine`.

    Raises:
        ConfigError: Luigi's central scheduler, if luigi.cfg has one, doesn't answer.
    """
    RawLogsDaily.remove_event_handler(luigi.Event.DEPENDENCY_MISSING, say_why_not)  # the report says it
    watch = Watch(plan.range.example, plan.chosen, new_run(), max_failures)
    luigi_uses = central.Factory(plan.range)
    with LuigisStop.on_signals() as stop, patient(), nullcontext() if says_errors else quiet():
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
    return watch.result(stop.exit_code)
