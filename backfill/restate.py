"""Restating days: new revisions of them and of what is made from them, compared before they are published."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache
from pathlib import Path

import duckdb

from etl.looks.account import Account, account
from etl.project import Project
from etl.sources.source import ONE_DAY
from etl.steps import seen
from etl.steps.seen import Seen
from etl.units import Unit
from lake import confirmed, restatements, sql
from lake.contract import Contract
from lake.contracts import CONTRACTS, in_build_order
from lake.draft import Draft
from lake.errors import ConfigError, InputError, PartitionExists
from lake.lake import Lake
from lake.memory.database import connected
from lake.partition import Partition
from lake.provenance import Provenance, Revision
from lake.restatements import Begun, Wanted

BY = ("application", "vantage")
RATE = ("server_error_requests", "valid_requests")


@dataclass(frozen=True)
class Change:
    """What differs between two revisions of a partition.

    Attributes:
        new: The new revision.
        old: The one before it, None if there is none.
        rows: How many rows there were, and how many there are now.
        differing: How many rows of the old are not in the new, and the other way round.
        groups: For each application and vantage of which something differs: its name, its requests before and
            now, and its error rate before and now, where the dataset has one.
        says_otherwise: Whether what is said to be missing in the day differs.
    """

    new: Partition
    old: Partition | None
    rows: tuple[int, int]
    differing: tuple[int, int]
    groups: list[tuple[str, int | None, int | None, float | None, float | None]]
    says_otherwise: bool = False


@dataclass
class Restatement:
    """Days made anew in a draft, that nobody else sees until it is published.

    Attributes:
        draft: The lake as it would be.
        wanted: The days that were asked for.
        reason: Why, for the provenance.
        by: Who asked for it.
        told: Reason, and what is asked for beside the units.
        begun: The name under which it is recorded, None until it is.
        accounts: What became of the raw files of each day that is extracted anew.
        changes: What differs, partition by partition, in the order in which they were made.
        equal: Published partitions that came out equal and stay, with the provenance of what was made.
    """

    draft: Draft
    wanted: tuple[Wanted, ...]
    told: restatements.Restatement
    begun: str | None = None
    accounts: dict[Unit, Account] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)
    equal: list[tuple[Partition, Provenance]] = field(default_factory=list)

    def publish(self, lake: Lake, now: datetime) -> None:
        """Publish what differs, and record what came out equal, as one intention: it is recorded before it begins.

        Raises:
            PartitionExists: Somebody else was faster, with other bytes; what came before it is published.
            StoreError: The lake can't be written.
        """
        made = self.draft.partitions_made
        if made and not self.begun:
            keys = tuple(each.key for each in made)
            intended = replace(self.told, wanted=self.wanted, keys=keys)
            self.begun = restatements.begin(lake, intended, now)
        self.draft.publish_all()
        for partition, provenance in self.equal:
            confirmed.record(lake, partition, provenance, now)
        if self.begun:
            restatements.finish(lake, self.begun, now)


@contextmanager
def drafted(
    units: Sequence[Unit], reason: str, by: str, dropped: Sequence[str] = (), *, accepts_loss: bool = False
) -> Iterator[Restatement]:
    """Give a draft with new revisions of some units, and of what is published and made from one that differs.

    Each is made once, after all that it is made from, and is left out if its rows come out equal. What such a unit
    needs by now and was never published is in the draft too, and what is older than its inputs by an earlier
    restatement that was cut off.

    Args:
        units: What to make anew.
        reason: Why, for the provenance.
        by: Who asks for it.
        dropped: The sources to leave out, though the revisions before have them.
        accepts_loss: Whether to make a day without raw files that it was made from and that are gone.

    Raises:
        InputError: Raw files are gone that a published day was made from, so it would lose their requests.
        ConfigError: A unit is not published, so there is nothing to restate; or what it is made from is older
            than its own inputs.
        LakeError: It can't be built, see `backfill run`.
    """
    for each in units:
        if each.latest_revision() is None:
            raise ConfigError(
                f"{each} is not published: there is nothing to restate. Build it: "
                f"backfill run {each.of} --start {each.day} --stop {each.day + ONE_DAY}"
            )
    told = restatements.Restatement((), reason, by, (), tuple(dropped), accepts_loss)
    with _draft(units, frozenset(units), told) as found:
        yield found


@contextmanager
def resumed(project: Project, begun: Begun, *, accepts_loss: bool = False) -> Iterator[Restatement]:
    """Give a draft with what a restatement that was cut off has not published: with its reason, so the same bytes.

    Args:
        project: Whose it is.
        begun: Which one.
        accepts_loss: Whether to do without raw files that are gone since, though it wasn't told so.

    Raises:
        InputError: Raw files are gone, see `drafted`.
        ConfigError: luigi.cfg no longer has a source of it.
        LakeError: It can't be built, or its record can't be read.
    """
    recorded = restatements.read(project.lake, begun)
    recorded = replace(recorded, accepts_loss=recorded.accepts_loss or accepts_loss)
    now = {name: each.name for each in project.sources for name in each.names}
    removed = {each.source for each in recorded.wanted if each.source and each.source not in now}
    if removed:
        raise ConfigError(
            f"{begun}. It has days of {', '.join(sorted(removed))}, which luigi.cfg no longer declares. Declare "
            f"[source.{min(removed)}] again for as long as it takes to complete it: backfill restate --unfinished"
        )
    units = [
        Unit(project, each.dataset, each.day, now[each.source] if each.source else None)
        for each in recorded.wanted
    ]
    planned = [partition for key in recorded.keys if (partition := Partition.parse(key))]
    done = {each for each in units if _is_done(each, planned)}
    with _draft(units, frozenset(units) - done, recorded) as found:
        found.begun = begun.stem
        yield found


def _is_done(unit: Unit, planned: Sequence[Partition]) -> bool:
    """Tell whether all is there of what was to be published of a unit."""
    names = {each.name for each in unit.contracts}
    own = [p for p in planned if p.dt == unit.day and p.source in unit.names and p.dataset in names]
    return bool(own) and all(map(unit.project.lake.exists, own))


@contextmanager
def _draft(
    units: Sequence[Unit], asked: Collection[Unit], told: restatements.Restatement
) -> Iterator[Restatement]:
    """Give a draft with new revisions of the units that are asked for, and of what is older than its inputs."""
    lake = units[0].project.lake
    with lake.staging() as folder, connected() as connection:
        wanted = tuple(Wanted(each.dataset, each.day, each.source) for each in units)
        found = Restatement(Draft(lake, folder / "draft"), wanted, told)
        found.accounts |= _accounts([each for each in units if each in asked], accepts_loss=told.accepts_loss)
        changed: set[Unit] = set()
        for each in cascade(units):
            if each.latest_revision() is None and each not in units:
                continue
            unit = each.within(found.draft)
            if each in asked:
                unit.check_inputs()
            required = unit.requires()
            for new in (new for needed in required for new in _supply(needed)):
                changed.add(new)
                found.changes += [_change(connection, found.draft, p, folder) for p in _made(new, 0)]
            if each not in asked and not changed.intersection(required) and not unit.newer_input():
                continue
            number = _build(unit, told)
            made = [_change(connection, found.draft, new, folder) for new in _made(unit, number)]
            if any(map(_differs, made)) or any(map(lake.exists, _made(unit, number))):  # or it was cut off
                found.changes += made
                changed.add(unit)
            else:
                found.equal += [
                    (change.old, found.draft.withdraw(change.new)) for change in made if change.old is not None
                ]
        yield found


def _accounts(units: Sequence[Unit], *, accepts_loss: bool) -> dict[Unit, Account]:
    """Return what became of the raw files that days were made from, of those that are extracted anew.

    Raises:
        InputError: Some are gone.
    """
    found: dict[Unit, Account] = {}
    holds: dict[str, list[Seen]] = {}
    for unit in units:
        if not unit.is_extracted:
            continue
        source, made = unit.sources()[0], unit.made()
        if made:
            if not source.files.is_dated and source.name not in holds:
                holds[source.name] = seen.look(source, seen.last(unit.project.lake, source))
            made_of = cache(lambda day, unit=unit: unit.on(day).made())
            found[unit] = account(source, unit.day, made, holds.get(source.name), made_of=made_of)
            if found[unit].gone and not accepts_loss:
                raise InputError(
                    f"{unit} is not restated, since it would lose {source.rows_are}: "
                    f"{'; '.join(found[unit].gone)}. Bring the raw files back; to restate without them, give "
                    "--accept-loss."
                )
    return found


def _build(unit: Unit, told: restatements.Restatement) -> int:
    """Build a unit's next revision, and return its number; one that was cut off is completed by the same bytes."""
    number = unit.next_revision()
    try:
        unit.build(Revision(number, told.reason, told.by), dropped=told.dropped)
    except PartitionExists:
        number = max(number, unit.latest_revision() or 0) + 1
        unit.build(Revision(number, told.reason, told.by), dropped=told.dropped)
    return number


def groups(units: Sequence[Unit]) -> list[list[Unit]]:
    """Return units in groups that have nothing in common that is made from them, so that each is made once."""
    group_of: dict[Unit, list[Unit]] = {}
    for unit in units:
        made = [unit, *unit.serves()]
        met = list({id(group_of[each]): group_of[each] for each in made if each in group_of}.values())
        group = met[0] if met else []
        group.append(unit)
        for other in met[1:]:  # what were two groups is one by this unit
            group += other
            made += [each for each, its in group_of.items() if its is other]
        group_of |= dict.fromkeys(made, group)
    return list({id(group): group for group in group_of.values()}.values())


def cascade(units: Sequence[Unit]) -> list[Unit]:
    """Return some units and all that is made from them, each once, in the order in which they are built."""
    order = [each.name for each in in_build_order()]
    found = {each for unit in units for each in (unit, *unit.serves())}
    return sorted(found, key=lambda each: (order.index(each.dataset), each.day, each.source or ""))


def _supply(unit: Unit) -> Iterator[Unit]:
    """Build a unit that is not published, after what it needs, and yield what was built."""
    if not unit.is_published():
        for needed in unit.requires():
            yield from _supply(needed)
        unit.build()
        yield unit


def _made(unit: Unit, revision: int) -> list[Partition]:
    return [unit.partition(each, revision) for each in unit.contracts]


def _differs(change: Change) -> bool:
    return change.old is None or bool(sum(change.differing)) or change.says_otherwise


def _change(connection: duckdb.DuckDBPyConnection, draft: Draft, new: Partition, folder: Path) -> Change:
    contract = CONTRACTS[new.dataset]
    earlier = [
        each
        for each in draft.partitions(contract, new.dt, new.dt + ONE_DAY)
        if each.source == new.source and each.revision < new.revision
    ]
    old = max(earlier, key=lambda each: each.revision, default=None)
    for name, partition in (("new_rows", new), ("old_rows", old)):
        if partition:
            path = sql.quoted(str(draft.local_copy(partition, folder)))
            rows = f"from read_parquet({path}, hive_partitioning = false)"
        else:
            rows = "from new_rows limit 0"
        connection.execute(f"create or replace temporary view {name} as {rows}")

    says = [draft.provenance(each).incomplete for each in (new, old) if each]

    def count(query: str) -> int:
        found = connection.execute(f"select count(*) from ({query})").fetchone()  # noqa: S608 - queries of this module
        return int(found[0]) if found else 0

    return Change(
        new,
        old,
        (count("from old_rows"), count("from new_rows")),
        (count("from old_rows except all from new_rows"), count("from new_rows except all from old_rows")),
        _groups(connection, contract),
        len({*says}) > 1,
    )


def _groups(
    connection: duckdb.DuckDBPyConnection, contract: Contract
) -> list[tuple[str, int | None, int | None, float | None, float | None]]:
    names = contract.schema.names
    by = [name for name in BY if name in names]
    if not by:
        return []
    requests = f"sum({contract.counts})" if contract.counts else "count(*)"
    rate = f"sum({RATE[0]}) / nullif(sum({RATE[1]}), 0)" if set(RATE) <= set(names) else "null::double"
    group = ", ".join(by)
    summary = f"select {group}, {requests}::bigint as requests, {rate} as rate from {{}} group by {group}"  # noqa: S608 - a contract's names
    query = f"""
        select concat_ws(' ', {group}), old.requests, new.requests, old.rate, new.rate
        from ({summary.format("old_rows")}) as old
        full join ({summary.format("new_rows")}) as new using ({group})
        where (old.requests, old.rate) is distinct from (new.requests, new.rate)
        order by all
    """  # noqa: S608 - likewise
    return connection.execute(query).fetchall()


def lines(found: Restatement) -> Iterator[str]:
    """Yield the differences, for people."""
    for unit, of_files in found.accounts.items():
        yield from (f"{unit}: {text}" for text in of_files.sentences())
    for change in found.changes:
        before = f"revision {change.old.revision}" if change.old else "nothing"
        of = f" of source {change.new.source}" if change.new.source else ""
        gone, come = change.differing
        yield (
            f"{change.new.dataset} {change.new.dt}{of}: {before} → {change.new.revision}, "
            f"{change.rows[0]:,} → {change.rows[1]:,} rows; {gone:,} removed, {come:,} added"
        )
        for name, old, new, old_rate, new_rate in change.groups:
            rates = (
                f", error rate {_rate(old_rate)} → {_rate(new_rate)}"
                if (old_rate, new_rate) != (None, None)
                else ""
            )
            yield f"  {name}: {old or 0:,} → {new or 0:,} requests{rates}"


def _rate(rate: float | None) -> str:
    return "none" if rate is None else f"{rate:.4%}"
