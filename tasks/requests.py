"""From a source's raw logs to `requests` and `rejects`."""

import datetime as dt

import luigi

from etl import clock
from etl.extract import extract_day
from etl.project import project
from etl.sources import ONE_DAY, Source
from lake.contracts import contract
from lake.lake import Lake
from lake.partition import LATEST
from lake.provenance import Revision
from tasks.daily import DailyTask
from tasks.raw_logs import RawLogsDaily


class RequestsDaily(DailyTask):
    """The requests and rejects of one source on one UTC day."""

    contracts = (contract("rejects"), contract("requests"))

    source = luigi.Parameter(description="name of a [source.NAME] in luigi.cfg")

    def requires(self) -> luigi.Task:
        """Return the day's raw logs."""
        return RawLogsDaily(source=self.source, date=self.date)

    def run(self) -> None:
        """Do what `build` does, unless the pass of another day has done it meanwhile."""
        if self.complete():
            self.say("published by the pass of another day")
        else:
            super().run()

    def build(self, lake: Lake, revision: Revision) -> None:
        """Extract, check and publish the day."""
        source = project().source(self.source)
        later = set() if revision.number else self._later_days(source)
        lines = extract_day(lake, source, self.date, revision, later)
        self.say(f"{lines.kept:,} requests, {lines.rejected:,} rejects")

    def _later_days(self, source: Source) -> set[dt.date]:
        """Return the settled days after this one that are not published: a pass over undated files may do so."""
        if source.files.is_dated:
            return set()
        now = clock.utc_now()
        first: dt.date = self.date
        day, days = first + ONE_DAY, set()
        while day < (source.until or LATEST) and source.settled_at(day) <= now:
            days.add(day)
            day += ONE_DAY
        return days - self.published_days(self.date, day) if days else days
