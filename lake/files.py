"""The files of partitions as relations of a DuckDB connection, so that no view has to look for any itself."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa

from lake import sql
from lake.arrays import array, stream
from lake.cache import Cache
from lake.contract import Contract
from lake.lake import Lake, latest
from lake.local import LocalStore
from lake.partition import Partition
from lake.relations import Relations, partition_columns, read_files, read_parquet, with_partition_columns
from lake.store import Stored

if TYPE_CHECKING:
    import pyarrow.dataset as pads


class Files:
    """The files of a lake that the views of one connection read.

    On disk they are lists in the connection's variables. On S3 they are Arrow datasets and not DuckDB's httpfs,
    which has to be fetched, and asks in another way for credentials than who publishes.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, lake: Lake, cache: Cache) -> None:
        self._connection = connection
        self._lake = lake
        self._cache = cache
        self._is_local = isinstance(lake.store, LocalStore)
        self._lists: dict[str, Sequence[Partition]] = {}

    def relations(self, contract: Contract) -> Relations:
        """List a dataset, and return what its views are made of.

        Raises:
            StoreError: It can't be listed.
        """
        history, newest = f"{contract.name}_all", f"{contract.name}_latest"
        has_copy = self._cache.has(contract)
        objects: dict[Partition, Stored] = {}
        if self._is_local and not has_copy:
            partitions = self._lake.partitions(contract)  # which looks at no file
        else:
            objects = self._lake.objects(contract)
            partitions = list(objects)
        if self._is_local:
            self._set_list(history, partitions)
            files = read_files(contract, f"getvariable('{history}')")
        else:
            files = f"{contract.name}_objects"
            self._connection.register(files, _described(self._lake, contract, objects))
        pulled, others = None, latest(partitions)
        if has_copy:
            pulled, others = self._cache.attach(
                self._connection, contract, {each: objects[each] for each in others}
            )
        rows = [pulled] if pulled else []
        if others or not pulled:
            rows.append(self._rows(newest, contract, others))
        return Relations(
            f"({' union all by name '.join(f'from {each}' for each in rows)})",
            self._rows(history, contract, partitions),
            files,
        )

    def _rows(self, name: str, contract: Contract, partitions: Sequence[Partition]) -> str:
        """Return SQL for the rows of partitions, which are known by a name from then on."""
        if not partitions:
            return f"{contract.name}_columns"
        if self._is_local:
            self._set_list(name, partitions)
            return read_parquet(contract, f"getvariable('{name}')")
        self._connection.register(name, dataset(self._lake, contract, partitions))
        return name

    def complete(self) -> None:
        """Let the lists have all their files; until now they had one, since each new view looks through them."""
        for name, partitions in self._lists.items():
            self._set(name, partitions)

    def _set_list(self, name: str, partitions: Sequence[Partition]) -> None:
        self._lists[name] = partitions
        one = ", ".join(sql.quoted(f"{self._lake.root}/{each.key}") for each in partitions[:1])
        self._connection.execute(f"set variable {name} = [{one}]::varchar[]")

    def _set(self, name: str, partitions: Iterable[Partition]) -> None:
        paths = array([f"{self._lake.root}/{each.key}" for each in partitions], pa.string())
        self._connection.register(
            "files_to_set", stream(pa.table({"file": paths}))
        )  # as a parameter it takes a second
        self._connection.execute(f"set variable {name} = (select coalesce(list(file), []) from files_to_set)")
        self._connection.unregister("files_to_set")


def _described(lake: Lake, contract: Contract, objects: Mapping[Partition, Stored]) -> pa.Table:
    """Return objects as rows."""
    rows = [
        {
            "dt": partition.dt,
            "source": partition.source,
            "rev": partition.revision,
            "file": f"{lake.root}/{partition.key}",
            "bytes": stored.bytes,
            "published": stored.published.replace(tzinfo=None),
        }
        for partition, stored in objects.items()
    ]
    schema = pa.schema(
        [
            pa.field("dt", pa.date32()),
            *([pa.field("source", pa.string())] if contract.per_source else []),
            pa.field("rev", pa.int32()),
            pa.field("file", pa.string()),
            pa.field("bytes", pa.int64()),
            pa.field("published", pa.timestamp("us")),
        ]
    )
    return pa.Table.from_pylist(rows, schema)


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
