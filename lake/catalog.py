"""The catalog: a DuckDB connection in which every dataset is a view of its latest revisions."""

from collections.abc import Iterable, Mapping
from datetime import date

import duckdb
import pyarrow as pa
import pyarrow.dataset as pads
from duckdb.func import FunctionNullHandling, PythonUDFType

from lake import sql
from lake.contract import Contract
from lake.contracts import CONTRACTS
from lake.lake import Lake, latest
from lake.local import LocalStore
from lake.partition import Partition
from lake.relations import (
    Relations,
    create_columns,
    create_provenance,
    create_views,
    partition_columns,
    read_files,
    read_parquet,
    shown_columns,
    with_partition_columns,
)
from lake.store import Stored


def connect(lake: Lake) -> duckdb.DuckDBPyConnection:
    """Return a connection in which the lake, as it is now, can be asked.

    Each dataset is a view of its latest revisions, with its contract's columns, `dt` (and `source`, where it is
    kept per source) and `rev`, and their meanings as comments. Beside them stand what `relations` draws, macros
    and the analysts' questions. What is published later is not shown. Another thread needs a connection of its own.

    Raises:
        StoreError: There is no lake, or it can't be listed.
    """
    lake.require()
    connection = duckdb.connect()
    connection.execute("set TimeZone = 'UTC'")
    connection.execute("set parquet_metadata_cache = true")  # files are never changed
    listed: dict[str, list[Partition]] = {}
    for contract in CONTRACTS.values():
        create_columns(connection, contract)
        if isinstance(lake.store, LocalStore):
            listed[contract.name] = lake.partitions(contract)
            relations = _local_relations(connection, lake, contract, listed[contract.name][:1])
        else:
            relations = _relations(connection, lake, contract)
        create_views(connection, contract, relations)
    _create_provenance(connection, lake)
    define(connection)
    for name, partitions in listed.items():  # at last, since each view and comment so far looked through the lists
        _set_files(connection, lake, name, partitions)
    return connection


def define(connection: duckdb.DuckDBPyConnection) -> None:
    """Create the macros and the analysts' questions, with comments, where there is a relation for each dataset."""
    connection.execute(
        "create table if not exists slo "
        "(slo varchar, applications varchar[], vantage varchar, objective double, window_days integer)"
    )
    for each in (*sql.macros(), *sql.questions()):
        connection.execute(each.statement)
        connection.execute(f"comment on {each.kind} {each.name} is {sql.quoted(each.meaning)}")


def read(lake: Lake, contract: Contract, start: date | None = None, stop: date | None = None) -> pa.Table:
    """Return the rows of a dataset's days `[start, stop)`, latest revisions, oldest day first.

    Returns:
        The columns of the dataset's view in the catalog; a NULL is what the contract says of it.

    Raises:
        StoreError: There is no lake, or it can't be read.
    """
    lake.require()
    schema = with_partition_columns(contract)
    partitions = lake.latest(contract, start, stop)
    found = _dataset(lake, contract, partitions).to_table() if partitions else schema.empty_table()
    return found.select(shown_columns(contract))


def _relations(connection: duckdb.DuckDBPyConnection, lake: Lake, contract: Contract) -> Relations:
    """Return what the views of a dataset on S3 are made of."""
    name, objects = contract.name, lake.objects(contract)
    connection.register(f"{name}_objects", _described(lake, contract, objects))
    if not objects:
        return Relations(f"{name}_columns", f"{name}_columns", f"{name}_objects")
    # not httpfs, which has to be fetched, and asks another way for credentials than who publishes
    connection.register(f"{name}_latest", _dataset(lake, contract, latest(objects)))
    connection.register(f"{name}_all", _dataset(lake, contract, objects))
    return Relations(f"{name}_latest", f"{name}_all", f"{name}_objects")


def _local_relations(
    connection: duckdb.DuckDBPyConnection, lake: Lake, contract: Contract, partitions: list[Partition]
) -> Relations:
    """Return what the views of a dataset on disk are made of: lists of files in variables."""
    name = contract.name
    _set_files(connection, lake, name, partitions)
    files = read_files(contract, f"getvariable('{name}_all')")
    if not partitions:
        return Relations(f"{name}_columns", f"{name}_columns", files)
    return Relations(
        read_parquet(contract, f"getvariable('{name}_latest')"),
        read_parquet(contract, f"getvariable('{name}_all')"),
        files,
    )


def _set_files(connection: duckdb.DuckDBPyConnection, lake: Lake, name: str, partitions: list[Partition]) -> None:
    """Set a dataset's variables to its files; as parameters, long lists take a second."""
    for variable, each in ((f"{name}_latest", latest(partitions)), (f"{name}_all", partitions)):
        paths = pa.array([f"{lake.root}/{partition.key}" for partition in each], pa.string())
        connection.register("files_to_set", pa.table({"file": paths}))
        connection.execute(f"set variable {variable} = (select coalesce(list(file), []) from files_to_set)")
        connection.unregister("files_to_set")


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


def _dataset(lake: Lake, contract: Contract, partitions: Iterable[Partition]) -> pads.Dataset:
    """Return files as one Arrow dataset; DuckDB hands its filters down, so that `dt` prunes files."""
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


def _create_provenance(connection: duckdb.DuckDBPyConnection, lake: Lake) -> None:
    """Create the view `provenance`, which reads the footers of the files that are asked for, and no others."""

    def footers(datasets: pa.Array, days: pa.Array, sources: pa.Array, revisions: pa.Array) -> pa.Array:
        asked = zip(*(each.to_pylist() for each in (datasets, days, sources, revisions)), strict=True)
        found = lake.footers(
            [Partition(name, CONTRACTS[name].version, day, source, rev) for name, day, source, rev in asked]
        )
        return pa.array([each.provenance.to_json() for each in found])

    connection.create_function(
        "footer",
        footers,
        ["VARCHAR", "DATE", "VARCHAR", "INTEGER"],
        "VARCHAR",
        type=PythonUDFType.ARROW,
        null_handling=FunctionNullHandling.SPECIAL,  # most have no source
    )
    files = " union all by name ".join(
        f"select '{name}' as dataset, dt, {'source' if each.per_source else 'null::varchar as source'}, rev, file "
        f"from {name}_files"
        for name, each in CONTRACTS.items()
    )
    create_provenance(connection, f"(select *, footer(dataset, dt, source, rev) as made from ({files}))")
