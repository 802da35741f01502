"""The files of partitions as relations of a DuckDB connection, so that no view has to look for any itself."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa

from lake import sql
from lake.catalog.cache import Cache
from lake.catalog.relations import Relations, partition_columns, read_parquet, with_partition_columns
from lake.contract import Contract
from lake.lake import Lake, latest
from lake.memory.arrays import array, stream
from lake.partition import Partition, days_since_epoch
from lake.store.local import LocalStore
from lake.store.protocol import Stored

if TYPE_CHECKING:
    import pyarrow.dataset as pads


BEGIN = datetime(1970, 1, 1, tzinfo=UTC)


class Files:
    """The files of a lake that the views of one connection read.

    All of it lies in the database and nothing in the connection, so that cursors and other threads see it as well.
    The table `<dataset>_objects` has a row for each file. On disk, macros list those that are read. On S3 they are
    Arrow datasets and not DuckDB's httpfs, which has to be fetched, and asks in another way for credentials than
    who publishes.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, lake: Lake, cache: Cache) -> None:
        self._connection = connection
        self._lake = lake
        self._cache = cache
        self.are_arrow = not isinstance(lake.store, LocalStore)
        self._lists: dict[str, Sequence[Partition]] = {}
        self.attached: list[str] = []

    def relations(self, contract: Contract) -> Relations:
        """List a dataset, and return what its views are made of.

        Raises:
            StoreError: It can't be listed.
        """
        objects = self._lake.objects(contract)
        newest = latest(objects)
        rows, others = [], newest
        if self._cache.has(contract):
            copied, others = self._cache.attach(
                self._connection, contract, {each: objects[each] for each in newest}
            )
            if copied:
                rows.append(copied)
                self.attached.append(self._cache.name(contract))
        there = set(newest)
        superseded = [each for each in objects if each not in there]
        self._create_table(contract, objects)
        if others or not rows:
            rows.append(self._rows(contract, "latest", others))
        history = [*rows, self._rows(contract, "superseded", superseded)] if superseded else rows
        return Relations(_together(rows), _together(history), f"{contract.name}_objects")

    def complete(self) -> None:
        """Let the lists have all their files; until now they had one, since each new view looks through them."""
        for name, partitions in self._lists.items():
            self._create_list(name, partitions)

    def _create_table(self, contract: Contract, objects: Mapping[Partition, Stored]) -> None:
        """Create the table of a dataset's files."""
        self._connection.register("files_to_list", stream(_described(self._lake, contract, objects)))
        self._connection.execute(f"create table {contract.name}_objects as from files_to_list")
        self._connection.unregister("files_to_list")

    def _rows(self, contract: Contract, part: str, partitions: Sequence[Partition]) -> str:
        """Return SQL for the rows of partitions, which are one part of a dataset's."""
        if not partitions:
            return f"{contract.name}_columns"
        name = f"{contract.name}_{part}"
        if self.are_arrow:
            from lake.catalog.scanned import Scanned  # noqa: PLC0415 - as `dataset` says

            # Unlike one that is registered, this view isn't the connection's own; the dataset lives as long as it
            rows = Scanned(dataset(self._lake, contract, partitions))
            self._connection.from_arrow(rows).create_view(name)
            return name
        self._lists[f"{name}_list"] = partitions
        self._create_list(f"{name}_list", partitions[:1])
        return read_parquet(contract, f"{name}_list()")

    def _create_list(self, name: str, partitions: Iterable[Partition]) -> None:
        """Create a macro that lists files, of one text: DuckDB takes ten times as long to parse thousands."""
        root, keys = sql.quoted(f"{self._lake.root}/"), " ".join(each.key for each in partitions)
        self._connection.execute(
            f"create or replace macro {name}() as [{root} || key for key in string_split('{keys}', ' ')]"
        )


def _together(rows: Sequence[str]) -> str:
    return f"({' union all by name '.join(f'from {each}' for each in rows)})"


def _described(lake: Lake, contract: Contract, objects: Mapping[Partition, Stored]) -> pa.Table:
    """Return objects as rows."""
    days = [days_since_epoch(each.dt) for each in objects]
    recorded = lake.published(contract)
    # where it isn't recorded, whole seconds, as DuckDB and S3 tell them
    times = [recorded.get(each) or stored.published.replace(microsecond=0) for each, stored in objects.items()]
    source = {"source": array([each.source for each in objects], pa.string())} if contract.per_source else {}
    return pa.table(
        {
            "dt": array(days, pa.int32()).cast(pa.date32()),
            **source,
            "rev": array([each.revision for each in objects], pa.int32()),
            "file": array([f"{lake.root}/{each.key}" for each in objects], pa.string()),
            "bytes": array([each.bytes for each in objects.values()], pa.int64()),
            "published": array([_microseconds(each) for each in times], pa.int64()).cast(pa.timestamp("us")),
        }
    )


def _microseconds(time: datetime) -> int:
    """Return the microseconds from 1970 to a time."""
    return (time - BEGIN) // timedelta(microseconds=1)


def dataset(lake: Lake, contract: Contract, partitions: Iterable[Partition]) -> "pads.Dataset":
    """Return files as one Arrow dataset; DuckDB hands its filters down, so that `dt` prunes files."""
    import pyarrow.dataset as pads  # noqa: PLC0415 - imports pandas, for which a local lake has no use

    filesystem, root = lake.store.filesystem()
    schema = with_partition_columns(contract)
    return pads.dataset(
        [f"{root}/{each.key}" for each in partitions],
        schema=schema,
        filesystem=filesystem,
        format="parquet",
        partitioning=pads.partitioning(
            pa.schema([schema.field(name) for name in partition_columns(contract)]), flavor="hive"
        ),
        partition_base_dir=root,
    )
