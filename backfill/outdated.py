"""Days that are there and would be others today: raw files came late, or SQL, contract or settings changed."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache

from backfill.days import DayRange
from etl.lines.passes import PASSES, twice_within
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
from lake.partition import Partition, days_since_epoch
from lake.provenance import Provenance

LATE = "late input"


@dataclass(frozen=True)
class Outdated:
    """A published day, and a sentence of why it would be another today."""

    unit: Unit
    reason: str

    @property
    def is_late(self) -> bool:
        """Whether raw logs came or changed."""
        return self.reason.startswith(LATE)

    @property
    def is_whole(self) -> bool:
        """Whether all of it is there, and not only the rejects of requests that retention deleted."""
        return self.unit.latest_revision() is not None

    @property
    def command(self) -> str:
        """What makes the day anew."""
        of, day, stop = self.unit.of, self.unit.day, self.unit.day + ONE_DAY
        if self.is_whole:
            return f'backfill restate {of} --date {day} --reason "…"'
        return f"backfill run {of} --start {day} --stop {stop}"


@dataclass(frozen=True)
class Look:
    """What to look for; what is older than its inputs is always found, as a cut off restatement leaves it.

    Attributes:
        late: Raw files that came, or have another size than they had.
        stale: Changes of SQL, contract and settings, and sources added.
        deep: With `late`, raw files that have other bytes, whatever their size; all are read.
        older: With `late`, days before the range, too, of what is extracted from undated logs: their files tell.
    """

    late: bool = False
    stale: bool = False
    deep: bool = False
    older: bool = False

    def outdated(self, days: DayRange) -> list[Outdated]:
        """Return the published days of a range that would be others today, and of what it is made from.

        A day of which something below is outdated is not listed itself: restating what is below restates it too.
        What else is made from the same is listed where it is older than that.

        Raises:
            StoreError: The lake, or raw files on S3, can't be read.
            InputError: A raw file can't be read.
        """
        kinds, others = below(days.example), days.example.beside()
        reach = _reach(kinds)
        further = max((wanted.days - 1 for each in others for wanted in each.contract.inputs), default=0) * ONE_DAY
        inputs = _Inputs(days, max(*reach.values(), further), further)
        found: list[Outdated] = []
        outdated: dict[Unit, set[date]] = {}
        for kind in (*kinds, *others):
            covered = {
                each + timedelta(days=n)
                for unit, wanted in kind.made_from()
                for each in outdated.get(unit, ())
                for n in range(wanted.days)
            }
            if kind in reach:
                reasons = _reasons(self, kind, days.start - reach[kind], days.stop, inputs)
            else:
                reasons = _reasons(Look(), kind, days.start, days.stop + further, inputs)
            here = [Outdated(kind.on(day), reason) for day, reason in reasons if day not in covered]
            outdated[kind] = covered | {each.unit.day for each in here}
            found += here
        return sorted(found, key=lambda each: each.unit.day)

    def of_requests(
        self,
        source: Source,
        made: Provenance,
        holds: Callable[[], list[Seen]],
        made_of: Callable[[date], Provenance | None],
    ) -> Iterator[str]:
        """Yield why a source's requests would be others; see `account` for the latter."""
        day = date.fromisoformat(made.dt)
        if self.stale and made.source_sha256 not in source.on(day).known_as:
            yield f"stale: the settings of source {source.name} have changed"
        twice = twice_within(source.format.timezone, days_since_epoch(day))
        if self.stale and twice and not any(each.name == PASSES for each in made.checks):
            yield f"stale: it has {twice[0].named(source.format.timezone)} twice, which was read as once"
        if not self.late:
            return
        there = None if source.files.is_dated else holds()
        for text in account(source, day, made, there, made_of=made_of, deep=self.deep).late:
            yield f"{LATE}: {text}"

    def of_derived(self, kind: Unit, contract: Contract, made: Provenance, inputs: "_Inputs") -> Iterator[str]:
        """Yield why what is made from other datasets would be another."""
        day = date.fromisoformat(made.dt)
        links = [found for each in made.inputs if (found := Partition.parse(each.name))]
        used = {each.source for each in links if each.source and each.dt == day}
        unused = [each for each in active_on(kind.sources(), day) if used and not each.names_in(used)]
        for source in unused:
            if text := source.other_layout(day, used):
                yield f"can't be restated yet: {text.removesuffix('.')}"
            elif self.late and source.missing_input(day) is None:
                yield f"{LATE}: raw logs of source {source.declared_as} have come"
        for each in links:
            newest = inputs.latest(each)
            if newest and newest.revision > each.revision:
                yield f"stale: {newest} is newer than what it was made from"
        if not self.stale:
            return
        if made.sql_sha256 not in {sql.digest(made.dataset), *contract.former_sql}:
            yield f"stale: queries/{made.dataset}.sql has changed"
        for source in unused:
            if source.severities.missing_source is Severity.FAIL or not source.is_missing(day):
                yield f"stale: source {source.declared_as} was not in it"


def _reasons(look: Look, kind: Unit, start: date, stop: date, inputs: "_Inputs") -> Iterator[tuple[date, str]]:
    """Yield the days of a unit that would be others, by themselves, with why."""
    if kind.is_extracted and not (look.late or look.stale):
        return
    lake = kind.project.lake
    found: dict[date, str] = {}
    holds = cache(lambda: seen.look(kind.sources()[0], seen.last(lake, kind.sources()[0])))
    for contract in kind.contracts:
        there = inputs.of_days(contract, start, stop)
        if look.older and kind.is_extracted and not kind.sources()[0].files.is_dated:
            there = [*_older(kind, contract, seen.total(holds()), start), *there]
        partitions = [each for each in there if each.source in kind.names]
        if not (look.late or look.stale):  # no footer is opened of what can't be older than its inputs
            partitions = [each for each in partitions if inputs.are_restated(contract, each.dt)]
        if not partitions:
            continue
        confirmations = confirmed.latest(lake, contract, partitions)
        footers = dict(zip(partitions, lake.footers(partitions), strict=True))
        of_days = {each.dt: confirmations.get(each, footer.provenance) for each, footer in footers.items()}
        made_of = _made_of(kind, of_days)
        for partition, footer in footers.items():
            made = of_days[partition.dt]
            if kind.is_extracted:
                reasons = look.of_requests(kind.sources()[0], made, holds, made_of)
            else:
                reasons = look.of_derived(kind, contract, made, inputs)
            reason = (look.stale and _contract_change(contract, footer)) or next(reasons, None)
            if reason:
                found.setdefault(partition.dt, reason)
    yield from found.items()


def _older(kind: Unit, made: Contract, held: Collection[str], stop: date) -> list[Partition]:
    """Return the latest revisions of the days before a range that undated files hold lines of."""
    first = min(held, default=None)
    older = kind.project.lake.latest(made, date.fromisoformat(first), stop) if first and first < str(stop) else []
    return [each for each in older if str(each.dt) in held]


def _made_of(kind: Unit, known: Mapping[date, Provenance]) -> Callable[[date], Provenance | None]:
    """Return what returns what is recorded of a unit's days, some of which are known."""
    looked_up = cache(lambda day: kind.on(day).made())
    return lambda day: known[day] if day in known else looked_up(day)


def _reach(kinds: Sequence[Unit]) -> dict[Unit, timedelta]:
    """Return how many days before a day of the last kind what it is made from begins, for each kind."""
    reach = dict.fromkeys(kinds, timedelta())
    for kind in reversed(kinds):
        for unit, wanted in kind.made_from():
            reach[unit] = max(reach[unit], reach[kind] + (wanted.days - 1) * ONE_DAY)
    return reach


class _Inputs:
    """The latest revisions of what a range may be made from, by one listing a dataset."""

    def __init__(self, days: DayRange, before: timedelta, after: timedelta) -> None:
        self._lake = days.example.project.lake
        self._start, self._stop = days.start - before, days.stop + after

    def latest(self, partition: Partition) -> Partition | None:
        """Return the latest revision of a partition, None if there is none."""
        return self._of_dataset(partition.dataset).get(partition.folder)

    def of_days(self, made: Contract, start: date, stop: date) -> list[Partition]:
        """Return the latest revisions of a dataset's days `[start, stop)`."""
        return [each for each in self._of_dataset(made.name).values() if start <= each.dt < stop]

    def are_restated(self, made: Contract, day: date) -> bool:
        """Tell whether anything that a day may be made from has a revision, so that it may be older than that."""
        return any(
            each in self._restated_days(wanted.dataset) or self.are_restated(CONTRACTS[wanted.dataset], each)
            for wanted in made.inputs
            for each in wanted.window(day)
        )

    @cache  # noqa: B019 - it lives as long as a look
    def _of_dataset(self, name: str) -> dict[str, Partition]:
        made = CONTRACTS.get(name)
        return {p.folder: p for p in self._lake.latest(made, self._start, self._stop)} if made else {}

    @cache  # noqa: B019 - likewise
    def _restated_days(self, name: str) -> set[date]:
        return {each.dt for each in self._of_dataset(name).values() if each.revision}


def _contract_change(made: Contract, footer: Footer) -> str | None:
    """Say that a partition lacks columns that its contract has by now."""
    lacking = [name for name in made.schema.names if name not in footer.schema.names]
    return f"stale: the contract has gained {', '.join(lacking)}" if lacking else None
