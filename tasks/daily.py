"""Luigi's names of units: parameters, what they require, what they publish, and one call."""

import datetime as dt
from collections.abc import Iterable
from contextlib import suppress
from typing import ClassVar

import luigi

from etl import clock
from etl.project import Project, project
from etl.sources.source import ONE_DAY
from etl.units import DELIVERED, SNAPSHOT, Unit
from lake.contracts import CONTRACTS
from lake.errors import ConfigError, LakeError
from lake.provenance import Revision
from tasks.day import DayParameter, DayTask, SettledDayParameter
from tasks.raw_logs import RawLogsDaily
from tasks.target import PartitionTarget

# Luigi runs the highest priority first, and never a negative one; this is above every day's ordinal
PRIORITY_BASE = 4_000_000


class DailyTask(DayTask):
    """Luigi's name of a unit: one UTC day of a dataset, complete once this revision or a later one is published.

    A subclass names the dataset, and has a parameter `source` where it is kept per source.
    """

    dataset: ClassVar[str]
    source: str | None = None
    _required: tuple[Project, list[luigi.Task]] | None = None
    """What it requires, of which project."""

    date = SettledDayParameter(default=None, description="UTC day; default: the latest settled one")
    revision = luigi.IntParameter(default=0, positional=False, description="0, or the number of a restatement")
    reason = luigi.Parameter(
        default="", significant=False, positional=False, description="why the day is restated"
    )
    until = DayParameter(
        default=None,
        significant=False,
        positional=False,
        description="day from which on a pass over undated logs publishes none; default: only its own",
    )

    def __init_subclass__(cls) -> None:
        """Have the day without which it is called be one of its own sources."""
        super().__init_subclass__()
        cls.date = cls.date.of(cls.dataset)

    @property
    def unit(self) -> Unit:
        """What is built."""
        return Unit(project(), self.dataset, self.date, self.source)

    @property
    def priority(self) -> int:
        """Oldest days first."""
        return PRIORITY_BASE - self.date.toordinal()

    def requires(self) -> list[luigi.Task]:
        """Return the tasks of the units that this one's needs, or its raw logs."""
        now = project()
        if self._required is None or self._required[0] is not now:  # Luigi asks four times
            self._required = now, self._require()
        return self._required[1]

    def _require(self) -> list[luigi.Task]:
        if self.unit.is_extracted:
            source = self.unit.sources()[0]
            if source.asked:
                from etl.fetched import required  # noqa: PLC0415 - most fetch nothing

                return [task_of(each) for each in required(self.unit)]
            return [RawLogsDaily(source=self.source, date=self.date)]
        if self.unit.contracts:
            import etl.steps.aggregate  # noqa: F401, PLC0415 - DuckDB; here once, not again in each process that builds a day

        return [task_of(each, self.until) for each in self.unit.requires()]

    def output(self) -> list[PartitionTarget]:
        """Return this revision's partition of each dataset."""
        unit = self.unit
        return [PartitionTarget(unit.project.lake, unit.partition(each, self.revision)) for each in unit.contracts]

    def run(self) -> None:
        """Build the day in the lake of luigi.cfg."""
        if self.revision:
            self.unit.check_inputs()
        self._say(self.unit.build(Revision(self.revision, self.reason or None), self.until, clock.utc_now()))

    @classmethod
    def bulk_complete(cls, parameter_tuples: Iterable[dt.date]) -> list[dt.date]:
        """Return which of the days are complete, by one listing a dataset.

        Luigi's own ranges call it with days, and with a partial of the class for `cls`.
        """
        days = list(parameter_tuples)
        if not days:
            return []
        example = cls(days[0])
        published = example.unit.published_days(min(days), max(days) + ONE_DAY, example.revision)
        return [day for day in days if day in published]

    def on_failure(self, exception: BaseException) -> str:
        """Return what the page of Luigi's scheduler says of a failure."""
        return failure_text(exception) or super().on_failure(exception)

    def _say(self, text: str) -> None:
        """Show a text beside the task on the page of Luigi's scheduler, where one runs it."""
        if self.set_status_message:
            with suppress(LakeError):  # the page is no reason to fail
                self.set_status_message(text)


def task_of(unit: Unit, until: dt.date | None = None) -> DailyTask:
    """Return Luigi's task of a unit.

    Args:
        unit: The unit.
        until: See DailyTask.

    Raises:
        ConfigError: The dataset has none.
    """
    kind = daily_tasks().get(unit.name)
    if not kind:
        raise ConfigError(f"Dataset {unit.dataset} has no task {unit.name}: add a class of that name to tasks/.")
    return kind(date=unit.day, until=until, **unit.arguments)


def daily_tasks() -> dict[str, type[DailyTask]]:
    """Return the tasks of all datasets, and that of deliveries, by name."""
    known = {*CONTRACTS, DELIVERED, SNAPSHOT}
    return {each.__name__: each for each in DailyTask.__subclasses__() if each.dataset in known}


def failure_text(exception: BaseException) -> str | None:
    """Return the text of an error that is meant for the user, None for others, which need their traceback."""
    return str(exception) if isinstance(exception, LakeError) else None
