"""What carries the lake on to other systems."""

import luigi

from etl.project import project
from etl.units import DELIVERED, Unit
from tasks.daily import DailyTask
from tasks.target import PartitionTarget


class DeliveredDaily(DailyTask):
    """One UTC day of a delivery's datasets, brought to its target: complete once that has what the lake has."""

    dataset = DELIVERED
    deliver = luigi.Parameter(description="name of a [deliver.NAME] in luigi.cfg")

    @property
    def unit(self) -> Unit:
        """What is delivered."""
        from etl.delivered import Delivered  # noqa: PLC0415 - whoever delivers nothing does without

        return Delivered.of_name(project(), self.deliver, self.date)

    def output(self) -> list[PartitionTarget]:
        """Return none: nothing is published in the lake."""
        return []

    def complete(self) -> bool:
        """Tell whether the target has the day as the lake has it."""
        return self.unit.is_published()
