"""The files of partitions as relations of a DuckDB connection, so that no view has to look for any itself."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa

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


class Files:
    """The files of a lake that the views of one connection read.

    The table `<dataset>_objects` has a row for each. On disk they are read by lists in the connection's variables.
    On S3 they are Arrow datasets and not DuckDB's httpfs, which has to be fetched, and asks in another way for
    credentials than who publishes.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, lake: Lake, cache: Cache) -> None:
        self._connection = connection
        self._lake = lake
        self._cache = cache
        self._is_local = isinstance(lake.store, LocalStore)
        self.lists: dict[str, str] = {}
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
        self._create_table(contract, objects, others, superseded)
        if others or not rows:
            rows.append(self._rows(contract, "latest", others))
        history = [*rows, self._rows(contract, "superseded", superseded)] if superseded else rows
        return Relations(_together(rows), _together(history), f"{contract.name}_objects")

    def complete(self) -> None:
        """Let the lists have all their files; until now they had one, since each new view looks through them."""
        for name, value in self.lists.items():
            self._connection.execute(f"set variable {name} = {value}")

    def _create_table(
        self,
        contract: Contract,
        objects: Mapping[Partition, Stored],
        read: Iterable[Partition],
        superseded: Iterable[Partition],
    ) -> None:
        """Create the table of a dataset's files; `part` says of which list each is that the lake is asked for."""
        parts = dict.fromkeys(read, "latest") | dict.fromkeys(superseded, "superseded")
        self._connection.register("files_to_list", stream(_described(self._lake, contract, objects, parts)))
        self._connection.execute(f"create table {contract.name}_objects as from files_to_list")
        self._connection.unregister("files_to_list")

    def _rows(self, contract: Contract, part: str, partitions: Sequence[Partition]) -> str:
        """Return SQL for the rows of partitions, which are one part of a dataset's."""
        if not partitions:
            return f"{contract.name}_columns"
        name = f"{contract.name}_{part}"
        if not self._is_local:
            self._connection.register(name, dataset(self._lake, contract, partitions))
            return name
        files = f"from {contract.name}_objects where part = '{part}'"
        self.lists[name] = f"(select list(file order by dt, file) {files})"
        self._connection.execute(f"set variable {name} = (select [file] {files} limit 1)")
        return read_parquet(contract, f"getvariable('{name}')")


def _together(rows: Sequence[str]) -> str:
    return f"({' union all by name '.join(f'from {each}' for each in rows)})"


def _described(
    lake: Lake, contract: Contract, objects: Mapping[Partition, Stored], parts: Mapping[Partition, str]
) -> pa.Table:
    """Return objects as rows."""
    days = [days_since_epoch(each.dt) for each in objects]
    seconds = [int(each.published.timestamp()) for each in objects.values()]  # whole, as DuckDB and S3 tell them
    source = {"source": array([each.source for each in objects], pa.string())} if contract.per_source else {}
    return pa.table(
        {
            "dt": array(days, pa.int32()).cast(pa.date32()),
            **source,
            "rev": array([each.revision for each in objects], pa.int32()),
            "file": array([f"{lake.root}/{each.key}" for each in objects], pa.string()),
            "bytes": array([each.bytes for each in objects.values()], pa.int64()),
            "published": array(seconds, pa.int64()).cast(pa.timestamp("s")).cast(pa.timestamp("us")),
            "part": array([parts.get(each) for each in objects], pa.string()),
        }
    )


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
