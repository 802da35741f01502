"""What all metrics share: SQL over one day of requests."""

import luigi

from etl.completeness import Severity
from etl.sources import Source, active_on
from lake.errors import InputError
from lake.lake import Lake
from lake.provenance import Revision
from tasks.daily import DailyTask
from tasks.requests import RequestsDaily


class MetricDaily(DailyTask):
    """One UTC day of a dataset made by SQL from the requests of all sources active on that day."""

    def requires(self) -> list[luigi.Task]:
        """Return the day's requests of each active source, without those that the day may do without."""
        import etl.aggregate  # noqa: F401, PLC0415 - DuckDB; here once, not again in each process that builds a day

        gone = self._missing()
        return [
            RequestsDaily(source=each.name, date=self.date) for each in self._active() if each.name not in gone
        ]

    def made_from(self) -> list[DailyTask]:
        """Return the requests of every source."""
        return [RequestsDaily(source=each.name, date=self.date) for each in self.sources()]

    def build(self, lake: Lake, revision: Revision) -> None:
        """Make, check and publish the day."""
        from etl.aggregate import aggregate_day  # noqa: PLC0415 - DuckDB, which a day of requests has no use for

        (contract,) = self.contracts
        aggregate_day(lake, contract, self.date, self._active(), revision, missing=self._missing())

    def _active(self) -> list[Source]:
        found = active_on(self.sources(), self.date)
        if not found:
            raise InputError(f"No source is active on {self.date}. Check since and until in luigi.cfg.")
        return found

    def _missing(self) -> set[str]:
        """Return the names of the active sources without raw logs that luigi.cfg lets a day be made without."""
        active = self._active()
        found = {
            each.name
            for each in active
            if each.severities.missing_source is Severity.WARN
            and not RequestsDaily(source=each.name, date=self.date).complete()
            and each.is_missing(self.date)
        }
        return found if len(found) < len(active) else set()
