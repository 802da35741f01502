"""The one Target: a partition, complete if and only if its object exists."""

import luigi

from lake.lake import Lake
from lake.partition import Partition
from lake.store.outage import patient


class PartitionTarget(luigi.Target):
    """A partition of the lake. It is never opened, only asked whether it is there."""

    def __init__(self, lake: Lake, partition: Partition) -> None:
        self.lake = lake
        self.partition = partition

    def exists(self) -> bool:
        """Tell whether the partition is published; StoreError if the lake can't say."""
        with patient():  # a day whose state is unknown is not built
            return self.lake.exists(self.partition)

    def __str__(self) -> str:
        return f"{self.lake.root}/{self.partition.key}"
