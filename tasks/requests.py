"""From a source's raw logs to `requests` and `rejects`."""

import luigi

from etl.extract import extract_day
from lake.contracts import contract
from tasks.daily import DailyTask
from tasks.project import project
from tasks.raw_logs import RawLogsDaily


class RequestsDaily(DailyTask):
    """The requests and rejects of one source on one UTC day."""

    contracts = (contract("rejects"), contract("requests"))

    source = luigi.Parameter(description="name of a [source.NAME] in luigi.cfg")

    def requires(self) -> luigi.Task:
        """Return the day's raw logs."""
        return RawLogsDaily(source=self.source, date=self.date)

    def run(self) -> None:
        """Extract, check and publish the day."""
        found = project()
        extract_day(found.lake, found.source(self.source), self.date, self.which_revision())
