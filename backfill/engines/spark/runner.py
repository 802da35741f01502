"""Building a plan's units on Spark: each once what it is made from is there, so many at a time."""

import heapq
import logging
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import date

from backfill.attempts import LONGEST_ERROR, Attempts, Outcome, new_run
from backfill.engines import ends
from backfill.engines.ends import End, Tally
from backfill.engines.engine import Result
from backfill.engines.spark.session import Lost, Session, started
from backfill.engines.spark.settings import Settings
from backfill.engines.spark.work import Came, Named, Order, setup
from backfill.engines.stop import Stop
from backfill.plan import Plan
from backfill.tried import with_all_below
from etl import clock
from etl.fetched import required
from etl.project import project
from etl.sources.source import ONE_DAY
from etl.units import SNAPSHOT, Unit
from lake import lake_id
from lake.cli import printable
from lake.errors import ConfigError, LakeError
from lake.store.outage import patient

CHUNK = 25  # days a worker, after which attempts are recorded
SAID = 100  # days between two words of how far a range has come
LOOK_SECONDS = 5.0
PATIENCE_SECONDS = 30.0
NOTHING_BEGUN = (
    "Spark has begun nothing for %.0f s: look at its master's page for workers with free cores and memory."
)
logger = logging.getLogger(__name__)


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
        ConfigError: Spark can't be used, or an executor has other code, libraries or settings than this process.
        StoreError: The lake can't be listed.
    """
    found = project()
    settings = Settings.of(found.config)
    if not plan.units:
        return Tally(plan.range.example).result(None)
    with patient():
        lake_id.of(found.lake)  # by which executors know that theirs is the same
        order = Order(found.config, setup(found), plan.range.stop)
    building = None
    with Stop.on_signals() as stop, patient():
        try:
            with started(settings, f"backfill {plan.range}", workers, order) as session:
                building = _Building(
                    plan, past, session, stop, workers=workers, max_failures=max_failures, says_errors=says_errors
                )
                building.all(say)
        except KeyboardInterrupt:
            if not stop:
                raise
        finally:
            if building:
                building.end()
    tally = building.tally if building else Tally(plan.range.example)
    return tally.result(stop.exit_code)


class _Graph:
    """Units of some days in the order in which they may be begun, and what each waits for.

    Attributes:
        units: All that is to be built, each after what it is made from.
    """

    def __init__(self, there: set[Unit]) -> None:
        self.units: list[Unit] = []
        self._there = there
        self._lacks: dict[Unit, set[Unit]] = {}
        self._made_from: dict[Unit, list[Unit]] = {}
        self._turn: dict[Unit, Unit] = {}
        self._last_of: dict[str | None, Unit] = {}
        self._ready: list[int] = []
        self._places: dict[Unit, int] = {}

    def add(self, unit: Unit, cannot: Callable[[Unit, LakeError], None]) -> None:
        """Add a unit and what it is made from; `cannot` is told of one of which that can't be said."""
        if unit in self._there or unit in self._lacks:
            return
        try:
            needs = required(unit)
        except LakeError as error:
            self._lacks[unit] = {unit}
            cannot(unit, error)
            return
        for each in needs:
            self.add(each, cannot)
        self._lacks[unit] = {each for each in needs if each not in self._there}
        for each in self._lacks[unit]:
            self._made_from.setdefault(each, []).append(unit)
        self._places[unit] = len(self.units)
        self.units.append(unit)
        if _is_undated(unit):  # the pass of one publishes the later ones, so that they wait for it
            if before := self._last_of.get(unit.source):
                self._turn[before] = unit
                self._lacks[unit].add(before)
            self._last_of[unit.source] = unit
        if not self._lacks[unit]:
            heapq.heappush(self._ready, self._places[unit])

    def next(self) -> Unit | None:
        """Return the first unit that waits for nothing, and forget it; None if there is none."""
        return self.units[heapq.heappop(self._ready)] if self._ready else None

    def ended(self, unit: Unit, *, is_there: bool) -> None:
        """Note that a unit is there, or that it failed: what is made from it then never begins."""
        if is_there:
            self._there.add(unit)
        following = list(self._made_from.pop(unit, ())) if is_there else []
        if unit in self._turn:
            following.append(self._turn.pop(unit))
        for each in following:
            self._lacks[each].discard(unit)
            if not self._lacks[each]:
                heapq.heappush(self._ready, self._places[each])


class _Building:
    """A run at work."""

    def __init__(  # noqa: PLR0913 - what it is made of
        self,
        plan: Plan,
        past: Attempts,
        session: Session,
        stop: Stop,
        *,
        workers: int,
        max_failures: int | None,
        says_errors: bool,
    ) -> None:
        self.tally = Tally(plan.range.example)
        self._plan, self._past, self._session, self._stop = plan, past, session, stop
        self._workers, self._max_failures, self._says_errors = workers, max_failures, says_errors
        self._there = _there(plan)
        self._days = frozenset(plan.chosen)
        self._run = new_run()
        self._ended: list[End] = []
        self._bar = ends.bar(plan.range.example, plan.chosen)
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="spark")

    def all(self, say: Callable[[str], None] | None) -> None:
        """Build all days, a chunk after the other; `say` as an engine has it."""
        units, size = self._plan.units, CHUNK * self._workers
        for begin in range(0, len(units), size):
            if self._is_over():
                break
            if say and begin // SAID > (begin - size) // SAID >= 0:
                say(f"{begin:,} of {len(units):,} days done, {len(self.tally.failed):,} of them failed")
            graph = _Graph(self._there)
            for each in units[begin : begin + size]:
                graph.add(each, self._cannot)
            self._build(graph)
            self._record()

    def end(self) -> None:
        """Record what ended since the last time, and wait for nothing."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._record()
        self._bar.close()

    def _is_over(self) -> bool:
        return bool(self._stop) or bool(self._max_failures and len(self.tally.failed) >= self._max_failures)

    def _build(self, graph: _Graph) -> None:
        """Build some days and what they are made from."""
        running: dict[Future[Came], Unit] = {}
        seconds = 0.0
        while True:
            while len(running) < self._workers and not self._is_over() and (unit := graph.next()):
                if _is_undated(unit) and unit.is_published():  # by the pass of another day
                    graph.ended(unit, is_there=True)
                else:
                    running[self._threads.submit(self._session.build, Named.of(unit))] = unit
            if not running:
                return
            done, _ = wait(running, LOOK_SECONDS, FIRST_COMPLETED)
            seconds += LOOK_SECONDS
            if not done and seconds == PATIENCE_SECONDS and self._session.is_idle():
                logger.warning(NOTHING_BEGUN, seconds)
            for each in done:
                seconds = 0
                unit = running.pop(each)
                graph.ended(unit, is_there=self._is_built(unit, each))

    def _is_built(self, unit: Unit, future: "Future[Came]") -> bool:
        """Note what came of a unit, and tell whether it is there.

        Raises:
            ConfigError: An executor is other than this process, or can't be used at all.
        """
        try:
            came = future.result()
        except (Lost, ConfigError) as error:
            if self._stop:  # a signal may have come to all processes, and Spark's may have ended first
                return False
            if isinstance(error, ConfigError):
                raise
            self._note(_ended(unit, f"Spark gave it up: {error}", Outcome.FAILED))
            return False
        if came.differs:
            raise ConfigError(
                f"An executor is not as the driver is, so it built nothing: {'; '.join(came.differs)}. Bring all "
                "hosts of Spark's to the same version, settings and lake."
            )
        if came.waits and not unit.why_not(clock.utc_now()):
            self._note(_ended(unit, f"on {came.host}, and not here: {came.waits}", Outcome.HINDERED))
        if came.end:
            self._note(came.end, came.unexpected)
        return not came.waits and not (came.end and came.end.error)

    def _cannot(self, unit: Unit, error: LakeError) -> None:
        self._note(_ended(unit, error, ends.outcome_of(error, unit.dataset)))

    def _note(self, end: End, unexpected: str | None = None) -> None:
        if end.error is not None and (self._says_errors or unexpected):
            logger.error("%s", printable(unexpected or f"{end.date} {end.error}"))
        if end.date not in self._days:
            return
        self._ended.append(end)
        self.tally.add([end])
        if end.error is not None or end.name == self._plan.range.example.name:
            self._bar.n = min(self._bar.n + 1, len(self._days))
            self._bar.set_postfix_str(str(end.date))

    def _record(self) -> None:
        """Record what came of the days since the last time; without it a run is as good, so it goes on."""
        found, self._ended = self._ended, []
        try:
            self._past.record(ends.attempts(found, self._plan.range.example, self._run))
        except LakeError as error:
            logger.error("The attempts could not be recorded: %s", error)  # noqa: TRY400 - its text says it


def _there(plan: Plan) -> set[Unit]:
    """Return the units that the days are made from and that are there, by one listing a kind."""
    days: dict[Unit, set[date]] = {}
    for unit in plan.units:
        for each in with_all_below(unit):
            days.setdefault(each.on(date.min), set()).add(each.day)
    return {
        kind.on(day)
        for kind, wanted in days.items()
        for day in kind.published_days(min(wanted), max(wanted) + ONE_DAY) & wanted
    }


def _is_undated(unit: Unit) -> bool:
    """Tell whether a unit's raw files may hold lines of any day."""
    return unit.is_extracted and unit.dataset != SNAPSHOT and not unit.sources()[0].files.is_dated


def _ended(unit: Unit, error: object, outcome: Outcome) -> End:
    """Return the end of a unit that no executor told of."""
    said = ends.told(unit.name, unit.source, error)[:LONGEST_ERROR]
    return End(unit.day, unit.name, clock.utc_now(), 0.0, said, outcome, unit.source)
