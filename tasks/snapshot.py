"""What is fetched of other systems, before anything is made of it."""

import luigi

from etl.project import project
from etl.units import SNAPSHOT, Unit
from tasks.daily import DailyTask
from tasks.raw_logs import RawLogsDaily
from tasks.target import PartitionTarget


class SnapshotDaily(DailyTask):
    """One UTC day of a source with `fetch`, kept as it came: complete once there is a snapshot of it."""

    dataset = SNAPSHOT
    source = luigi.Parameter(description="name of a [source.NAME] in luigi.cfg")

    @property
    def unit(self) -> Unit:
        """What is fetched."""
        from etl.fetched import Snapshot  # noqa: PLC0415 - most fetch nothing

        return Snapshot(project(), SNAPSHOT, self.date, self.source)

    def requires(self) -> list[luigi.Task]:
        """Return what waits until the day is settled."""
        return [RawLogsDaily(source=self.source, date=self.date)]

    def output(self) -> list[PartitionTarget]:
        """Return none: nothing is published in the lake."""
        return []

    def complete(self) -> bool:
        """Tell whether there is a snapshot of the day."""
        return self.unit.is_published()
