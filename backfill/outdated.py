"""Days that are there and would be others today: raw files came late, or SQL, contract or settings changed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date

from backfill.days import DayRange
from etl.completeness import Severity
from etl.project import project
from etl.raw_files import digest_of, size_of
from etl.sources import Source, active_on
from lake import sql
from lake.contract import Contract
from lake.contracts import contract
from lake.lake import Lake
from lake.parquet import Footer
from lake.partition import Partition
from lake.provenance import Provenance
from tasks.daily import DailyTask


@dataclass(frozen=True)
class Outdated:
    """A published day, and a sentence of why it would be another today."""

    task: DailyTask
    reason: str

    @property
    def date(self) -> date:
        """The day."""
        day: date = self.task.date
        return day


@dataclass(frozen=True)
class Look:
    """What to look for.

    Attributes:
        late: Raw files that came, or have another size than they had.
        stale: Changes of SQL, contract and settings, sources added, and newer inputs.
        deep: With `late`, raw files that have other bytes, whatever their size; all are read.
    """

    late: bool = False
    stale: bool = False
    deep: bool = False

    def outdated(self, lake: Lake, days: DayRange) -> list[Outdated]:
        """Return the published days of a range that would be others today, of a task and of what it is made from.

        A day of which something below is outdated is not listed itself: restating what is below restates it too.

        Raises:
            StoreError: The lake, or raw files on S3, can't be read.
            InputError: A raw file can't be read.
        """
        if not (self.late or self.stale):
            return []
        below = (replace(days, example=task) for task in days.example.made_from())
        found = [each for made_from in below for each in self.outdated(lake, made_from)]
        covered = {each.date for each in found}
        example = days.example
        (*_, main) = example.contracts
        partitions = [
            p
            for p in lake.latest(main, days.start, days.stop)
            if p.source == example.source and p.dt not in covered
        ]
        latest = {p.folder: p for name in main.inputs for p in lake.latest(contract(name), days.start, days.stop)}
        for partition, footer in zip(partitions, lake.footers(partitions), strict=True):
            if example.source:
                reasons = self._of_requests(project().source(example.source), partition.dt, footer.provenance)
            else:
                reasons = self._of_metric(partition.dt, footer.provenance, example.sources(), latest)
            reason = (self.stale and _contract_change(main, footer)) or next(reasons, None)
            if reason:
                found.append(Outdated(days.task(partition.dt), reason))
        return sorted(found, key=lambda each: each.date)

    def _of_requests(self, source: Source, day: date, made: Provenance) -> Iterator[str]:
        """Yield why a source's requests would be others."""
        if self.stale and made.source_sha256 != source.settings_sha256:
            yield f"stale: the settings of source {source.name} have changed"
        if not self.late:
            return
        then = {each.name: each for each in made.inputs}
        for file in source.find_files(day):
            before = then.get(file.name)
            if before is None:
                yield f"late input: {file.name} has come"
            elif before.lines is None:  # else it may grow, and holds other days too
                size = size_of(file, source.files.endpoint_url)
                if size != before.bytes:
                    yield f"late input: {file.name} has {size:,} bytes, had {before.bytes:,}"
                elif self.deep and digest_of(file, before, source.files.endpoint_url) != before.sha256:
                    yield f"late input: {file.name} has other bytes"

    def _of_metric(
        self, day: date, made: Provenance, sources: list[Source], latest: Mapping[str, Partition]
    ) -> Iterator[str]:
        """Yield why a metric would be another."""
        inputs = [found for each in made.inputs if (found := Partition.parse(each.name))]
        used = {each.source for each in inputs}
        unused = [source for source in active_on(sources, day) if source.name not in used]
        for source in unused:
            if self.late and source.missing_input(day) is None:
                yield f"late input: raw logs of source {source.name} have come"
        if not self.stale:
            return
        if made.sql_sha256 != sql.digest(made.dataset):
            yield f"stale: queries/{made.dataset}.sql has changed"
        for each in inputs:
            newest = latest.get(each.folder)
            if newest and newest.revision > each.revision:
                yield f"stale: {newest} is newer than what it was made from"
        for source in unused:
            if source.severities.missing_source is Severity.FAIL or not source.is_missing(day):
                yield f"stale: source {source.name} was not in it"


def _contract_change(main: Contract, footer: Footer) -> str | None:
    """Say that a partition lacks columns that its contract has by now."""
    lacking = [name for name in main.schema.names if name not in footer.schema.names]
    return f"stale: the contract has gained {', '.join(lacking)}" if lacking else None
