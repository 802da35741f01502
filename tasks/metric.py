"""What all metrics share: SQL over one day of requests."""

import luigi

from etl.aggregate import aggregate_day
from etl.sources import active_on
from lake.errors import InputError
from lake.lake import Lake
from lake.provenance import Revision
from tasks.daily import DailyTask
from tasks.requests import RequestsDaily


class MetricDaily(DailyTask):
    """One UTC day of a dataset made by SQL from the requests of all sources active on that day."""

    def requires(self) -> list[luigi.Task]:
        """Return the day's requests of each active source."""
        return [RequestsDaily(source=name, date=self.date) for name in self._active()]

    def made_from(self) -> list[DailyTask]:
        """Return the requests of every source."""
        return [RequestsDaily(source=each.name, date=self.date) for each in self.sources()]

    def build(self, lake: Lake, revision: Revision) -> None:
        """Make, check and publish the day."""
        (contract,) = self.contracts
        aggregate_day(lake, contract, self.date, self._active(), revision)

    def _active(self) -> list[str]:
        names = [source.name for source in active_on(self.sources(), self.date)]
        if not names:
            raise InputError(f"No source is active on {self.date}. Check since and until in luigi.cfg.")
        return names
