"""Restating a day: a new revision of it and of what is made from it, compared before it is published."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from etl.sources import ONE_DAY
from lake import sql
from lake.contract import Contract
from lake.database import connected
from lake.draft import Draft
from lake.errors import ConfigError
from lake.lake import Lake
from lake.partition import Partition
from lake.provenance import FIRST, Revision
from tasks.daily import DailyTask, publishing_tasks

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
    """

    new: Partition
    old: Partition | None
    rows: tuple[int, int]
    differing: tuple[int, int]
    groups: list[tuple[str, int | None, int | None, float | None, float | None]]


@contextmanager
def drafted(lake: Lake, task: DailyTask, reason: str, by: str) -> Iterator[Draft]:
    """Give a draft with a new revision of a task's day, and of each published day of a task made from it.

    Requests that such a day needs by now and that were never published are in it too.

    Raises:
        ConfigError: The day is not published, so there is nothing to restate.
        LakeError: It can't be built, see `backfill run`.
    """
    with lake.staging() as folder:
        draft = Draft(lake, folder / "draft")
        for each in (task, *made_from(task)):
            latest = latest_revision(lake, each)
            if latest is not None:
                for required in each.deps():
                    if isinstance(required, DailyTask) and latest_revision(draft, required) is None:
                        required.build(draft, FIRST)
                each.build(draft, Revision(latest + 1, reason, by))
            elif each is task:
                raise ConfigError(f"{each} is not published: there is nothing to restate. Build it: backfill run")
        yield draft


def made_from(task: DailyTask) -> list[DailyTask]:
    """Return the tasks of the same day that are made from a task's datasets, directly or not, in build order."""
    names = {contract.name for contract in task.contracts}
    found: list[DailyTask] = []
    for kind in publishing_tasks().values():
        if names & {name for contract in kind.contracts for name in contract.inputs}:
            following = kind(date=task.date)
            found += [following, *made_from(following)]
    return list({each.task_id: each for each in found}.values())


def latest_revision(lake: Lake, task: DailyTask) -> int | None:
    """Return the latest revision of a task's day, None if it is not published as a whole."""
    day: date = task.date
    latest = []
    for contract in task.contracts:
        found = [p.revision for p in lake.partitions(contract, day, day + ONE_DAY) if p.source == task.source]
        if not found:
            return None
        latest.append(max(found))
    return max(latest)


def changes(draft: Draft, contracts: dict[str, Contract]) -> list[Change]:
    """Return what differs between each partition of a draft and the revision before it."""
    with TemporaryDirectory() as folder, connected() as connection:
        return [
            _change(connection, draft, new, contracts[new.dataset], Path(folder)) for new in draft.partitions_made
        ]


def _change(
    connection: duckdb.DuckDBPyConnection, draft: Draft, new: Partition, contract: Contract, folder: Path
) -> Change:
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

    def count(query: str) -> int:
        found = connection.execute(f"select count(*) from ({query})").fetchone()  # noqa: S608 - queries of this module
        return int(found[0]) if found else 0

    return Change(
        new,
        old,
        (count("from old_rows"), count("from new_rows")),
        (count("from old_rows except all from new_rows"), count("from new_rows except all from old_rows")),
        _groups(connection, contract),
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


def lines(found: list[Change]) -> Iterator[str]:
    """Yield the differences, for people."""
    for change in found:
        before = f"revision {change.old.revision}" if change.old else "nothing"
        of = f" of source {change.new.source}" if change.new.source else ""
        gone, come = change.differing
        yield (
            f"{change.new.dataset} {change.new.dt}{of}: {before} → {change.new.revision}, "
            f"{change.rows[0]:,} → {change.rows[1]:,} rows; {gone:,} go, {come:,} come"
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
