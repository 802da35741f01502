"""Days that are there and would be others today: raw files came late, or SQL, contract or settings changed."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache

from backfill.days import DayRange
from etl.looks.account import account
from etl.sources.completeness import Severity
from etl.sources.source import ONE_DAY, Source, active_on
from etl.steps import seen
from etl.steps.seen import Seen
from etl.units import Unit, below
from lake import confirmed, sql
from lake.contract import Contract
from lake.contracts import CONTRACTS
from lake.parquet.writer import Footer
from lake.partition import Partition
from lake.provenance import Provenance

Latest = Callable[[Partition], Partition | None]


@dataclass(frozen=True)
class Outdated:
    """A published day, and a sentence of why it would be another today."""

    unit: Unit
    reason: str


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

    def outdated(self, days: DayRange) -> list[Outdated]:
        """Return the published days of a range that would be others today, and of what it is made from.

        A day of which something below is outdated is not listed itself: restating what is below restates it too.

        Raises:
            StoreError: The lake, or raw files on S3, can't be read.
            InputError: A raw file can't be read.
        """
        if not (self.late or self.stale):
            return []
        kinds = below(days.example)
        reach = _reach(kinds)
        latest = _latest(days, max(reach.values()))
        found: list[Outdated] = []
        outdated: dict[Unit, set[date]] = {}
        for kind in kinds:
            covered = {
                each + timedelta(days=n)
                for unit, wanted in kind.made_from()
                for each in outdated[unit]
                for n in range(wanted.days)
            }
            here = [
                Outdated(kind.on(day), reason)
                for day, reason in self._of(kind, days.start - reach[kind], days.stop, latest)
                if day not in covered
            ]
            outdated[kind] = covered | {each.unit.day for each in here}
            found += here
        return sorted(found, key=lambda each: each.unit.day)

    def _of(self, kind: Unit, start: date, stop: date, latest: Latest) -> Iterator[tuple[date, str]]:
        """Yield the days of a unit that would be others, by themselves, with why."""
        lake = kind.project.lake
        found: dict[date, str] = {}
        holds = cache(lambda: seen.look(kind.sources()[0], seen.last(lake, kind.sources()[0])))
        for contract in kind.contracts:
            partitions = [p for p in lake.latest(contract, start, stop) if p.source == kind.source]
            confirmations = confirmed.latest(lake, contract, partitions)
            for partition, footer in zip(partitions, lake.footers(partitions), strict=True):
                made = confirmations.get(partition, footer.provenance)
                if kind.is_extracted:
                    reasons = self._of_requests(kind.sources()[0], partition.dt, made, holds)
                else:
                    reasons = self._of_derived(kind, contract, made, latest)
                reason = (self.stale and _contract_change(contract, footer)) or next(reasons, None)
                if reason:
                    found.setdefault(partition.dt, reason)
        yield from found.items()

    def _of_requests(
        self, source: Source, day: date, made: Provenance, holds: Callable[[], list[Seen]]
    ) -> Iterator[str]:
        """Yield why a source's requests would be others."""
        if self.stale and made.source_sha256 not in source.known_as:
            yield f"stale: the settings of source {source.name} have changed"
        if not self.late:
            return
        there = None if source.files.is_dated else holds()
        for text in account(source, day, made, there, deep=self.deep).late:
            yield f"late input: {text}"

    def _of_derived(self, kind: Unit, contract: Contract, made: Provenance, latest: Latest) -> Iterator[str]:
        """Yield why what is made from other datasets would be another."""
        day = date.fromisoformat(made.dt)
        inputs = [found for each in made.inputs if (found := Partition.parse(each.name))]
        used = {each.source for each in inputs if each.source and each.dt == day}
        unused = [each for each in active_on(kind.sources(), day) if used and each.name not in used]
        for source in unused:
            if self.late and source.missing_input(day) is None:
                yield f"late input: raw logs of source {source.name} have come"
        if not self.stale:
            return
        if made.sql_sha256 not in {sql.digest(made.dataset), *contract.former_sql}:
            yield f"stale: queries/{made.dataset}.sql has changed"
        for each in inputs:
            newest = latest(each)
            if newest and newest.revision > each.revision:
                yield f"stale: {newest} is newer than what it was made from"
        for source in unused:
            if source.severities.missing_source is Severity.FAIL or not source.is_missing(day):
                yield f"stale: source {source.name} was not in it"


def _reach(kinds: Sequence[Unit]) -> dict[Unit, timedelta]:
    """Return how many days before a day of the last kind what it is made from begins, for each kind."""
    reach = dict.fromkeys(kinds, timedelta())
    for kind in reversed(kinds):
        for unit, wanted in kind.made_from():
            reach[unit] = max(reach[unit], reach[kind] + (wanted.days - 1) * ONE_DAY)
    return reach


def _latest(days: DayRange, reach: timedelta) -> Latest:
    """Return what tells the latest revision of a partition, by one listing a dataset."""
    lake = days.example.project.lake

    @cache
    def of_dataset(name: str) -> dict[str, Partition]:
        made = CONTRACTS.get(name)
        return {p.folder: p for p in lake.latest(made, days.start - reach, days.stop)} if made else {}

    return lambda partition: of_dataset(partition.dataset).get(partition.folder)


def _contract_change(made: Contract, footer: Footer) -> str | None:
    """Say that a partition lacks columns that its contract has by now."""
    lacking = [name for name in made.schema.names if name not in footer.schema.names]
    return f"stale: the contract has gained {', '.join(lacking)}" if lacking else None
