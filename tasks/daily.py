"""What all daily tasks share: the day, the revision, and oldest days first."""

import datetime as dt
from collections.abc import Container, Iterable
from contextlib import suppress
from functools import cache
from typing import ClassVar

import luigi
from luigi.parameter import ParameterVisibility

from etl import clock
from etl.project import project
from etl.sources import ONE_DAY, Source, latest_settled_day
from lake.contract import Contract
from lake.errors import ConfigError, LakeError
from lake.lake import Lake
from lake.partition import Partition, parse_day
from lake.provenance import Revision
from tasks.target import PartitionTarget

# Luigi runs the highest priority first, and never a negative one; this is above every day's ordinal
PRIORITY_BASE = 4_000_000
PUBLIC, HIDDEN = (each.serialize() for each in (ParameterVisibility.PUBLIC, ParameterVisibility.HIDDEN))


class DayParameter(luigi.DateParameter):
    """A day as YYYY-MM-DD."""

    def parse(self, s: str) -> dt.date:
        """Read a day; ParameterException, which names it, if it is none."""
        try:
            return parse_day(s)
        except ValueError as error:
            raise luigi.parameter.ParameterException(
                f"{s!r} is no day, expected YYYY-MM-DD, 1970 to 2999."
            ) from error


class SettledDayParameter(DayParameter):
    """A UTC day; without one, the latest settled day on which a source is active."""

    def normalize(self, x: dt.date | None) -> dt.date | None:
        """Return the day itself, or the latest settled one for None."""
        return super().normalize(x or latest_settled_day(project().sources, clock.utc_now()))


class DayTask(luigi.Task):
    """Something of one UTC day."""

    @classmethod
    @cache  # Luigi asks some thirty times a day, and looks through all of the class each time
    def get_params(cls) -> list[tuple[str, luigi.Parameter]]:
        """Return the names and parameters of such a task."""
        return super().get_params()


class DailyTask(DayTask):
    """One UTC day of one or more datasets, complete once this revision or a later one is published.

    Subclasses name the contracts of their datasets, and implement `requires` and `build`.
    """

    contracts: ClassVar[tuple[Contract, ...]]
    source: str | None = None  # a parameter, where a dataset is kept per source

    date = SettledDayParameter(default=None, description="UTC day; default: the latest settled one")
    revision = luigi.IntParameter(default=0, positional=False, description="0, or the number of a restatement")
    reason = luigi.Parameter(
        default="", significant=False, positional=False, description="why the day is restated"
    )

    @property
    def priority(self) -> int:
        """Oldest days first."""
        return PRIORITY_BASE - self.date.toordinal()

    def on_failure(self, exception: BaseException) -> str:
        """Return what the page of Luigi's scheduler says of a failure."""
        return failure_text(exception) or super().on_failure(exception)

    def say(self, text: str) -> None:
        """Show a text beside the task on the page of Luigi's scheduler, where one runs it."""
        if self.set_status_message:
            with suppress(LakeError):  # the page is no reason to fail
                self.set_status_message(text)

    def _get_param_visibilities(self) -> dict[str, int]:
        return shown_parameters(self)

    def build(self, lake: Lake, revision: Revision) -> None:
        """Make this day's partitions, check them, and publish them in a lake as this revision."""
        raise NotImplementedError

    def run(self) -> None:
        """Build the day in the lake of luigi.cfg."""
        self.build(project().lake, self.which_revision())

    def which_revision(self) -> Revision:
        """Return the revision that this task publishes, with its reason.

        Raises:
            ConfigError: It is not the next one, or lacks a reason.
        """
        revision = Revision(self.revision, self.reason or None)
        if not self.revision:
            return revision
        lake = project().lake
        day: dt.date = self.date
        found = [p for contract in self.contracts for p in lake.partitions(contract, day, day + ONE_DAY)]
        following = max((p.revision for p in found if p.source == self.source), default=-1) + 1
        if self.revision > following:
            raise ConfigError(f"--revision {self.revision}: the next revision of {day} is {following}.")
        return revision

    def sources(self) -> list[Source]:
        """Return the sources that such a task is made from, on whichever day.

        Raises:
            ConfigError: luigi.cfg declares no source of the task's name.
        """
        return [project().source(self.source)] if self.source else list(project().sources)

    def made_from(self) -> "list[DailyTask]":
        """Return a task of each kind that such a task is made from, on whichever day; of this task's day."""
        return []

    def published_days(self, start: dt.date, stop: dt.date) -> set[dt.date]:
        """Return the days in `[start, stop)` on which such a task is complete: one listing a dataset."""
        lake = project().lake
        return set.intersection(
            *(
                {
                    partition.dt
                    for partition in lake.partitions(contract, start, stop)
                    if partition.revision >= self.revision and partition.source == self.source
                }
                for contract in self.contracts
            )
        )

    @classmethod
    def bulk_complete(cls, parameter_tuples: Iterable[dt.date]) -> list[dt.date]:
        """Return which of the days are complete, by one listing a dataset.

        Luigi's own ranges call it with days, and with a partial of the class for `cls`.
        """
        days = list(parameter_tuples)
        if not days:
            return []
        published = cls(days[0]).published_days(min(days), max(days) + ONE_DAY)
        return [day for day in days if day in published]

    def output(self) -> list[PartitionTarget]:
        """Return this revision's partition of each dataset."""
        lake = project().lake
        return [
            PartitionTarget(
                lake,
                Partition(contract.name, contract.version, self.date, self.source, self.revision),
            )
            for contract in self.contracts
        ]


def failure_text(exception: BaseException) -> str | None:
    """Return the text of an error that is meant for the user, None for others, which need their traceback."""
    return str(exception) if isinstance(exception, LakeError) else None


def shown_parameters(task: luigi.Task, never: Container[str] = ()) -> dict[str, int]:
    """Return, as Luigi has it, which parameters its page shows: those that say something."""
    return {name: HIDDEN if name in never or not value else PUBLIC for name, value in task.param_kwargs.items()}


def publishing_tasks(base: type[DailyTask] = DailyTask) -> dict[str, type[DailyTask]]:
    """Return the daily tasks that publish a dataset, by name."""
    found = {base.__name__: base} if hasattr(base, "contracts") else {}
    for each in base.__subclasses__():
        found |= publishing_tasks(each)
    return found
