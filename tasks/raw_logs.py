"""A day's raw logs: made elsewhere, there when the day is settled and its files are."""

import logging
from contextlib import suppress

import luigi

from etl import clock
from etl.project import project
from etl.units import SNAPSHOT, Unit
from lake.errors import LakeError
from tasks.day import DayTask, SettledDayParameter

logger = logging.getLogger("luigi-interface")


class RawLogsDaily(DayTask, luigi.ExternalTask):
    """The raw log files of one source for one UTC day."""

    source = luigi.Parameter(description="name of a [source.NAME] in luigi.cfg")
    date = SettledDayParameter(default=None, description="UTC day; default: the latest settled one")

    def complete(self) -> bool:
        """Tell whether the day is settled and the files are there."""
        return self.why_not() is None

    def why_not(self) -> str | None:
        """Say what is still to come; None when all is there."""
        found = project()
        source = found.source(self.source)
        if source.asked:
            from etl.fetched import Snapshot  # noqa: PLC0415 - most fetch nothing

            return Snapshot(found, SNAPSHOT, self.date, self.source).why_not(clock.utc_now())
        return Unit(found, source.dataset, self.date, self.source).why_not(clock.utc_now())


@RawLogsDaily.event_handler(luigi.Event.DEPENDENCY_MISSING)
def say_why_not(task: RawLogsDaily) -> None:
    """Name what is missing, once a task."""
    with suppress(LakeError):  # then Luigi has just logged it
        logger.warning("No input for %s: %s.", task.date, task.why_not())
