"""The catalog: a DuckDB connection in which every dataset is a view of its latest revisions."""

import duckdb
import pyarrow as pa
import pyarrow.dataset as pads

from lake import sql
from lake.contract import Contract
from lake.contracts import CONTRACTS
from lake.lake import Lake
from lake.local import LocalStore
from lake.partition import Partition


def connect(lake: Lake) -> duckdb.DuckDBPyConnection:
    """Return a connection with a view for each dataset, the macros, and the analysts' views.

    A view has the contract's columns, `dt` (and `source`, where the dataset is kept per source) and `rev`,
    with the contract's meanings as comments. It shows the partitions that are there now.

    Raises:
        StoreError: There is no lake, or it can't be listed.
    """
    lake.require()
    connection = duckdb.connect()
    for contract in CONTRACTS.values():
        _create_view(connection, lake, contract)
    define(connection)
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


def _create_view(connection: duckdb.DuckDBPyConnection, lake: Lake, contract: Contract) -> None:
    columns = ", ".join(["dt", *(["source"] if contract.per_source else []), *contract.schema.names, "rev"])
    rows = _rows(connection, lake, contract)
    connection.execute(f"create temporary view {contract.name} as select {columns} from {rows}")  # noqa: S608 - names from contracts
    connection.execute(f"comment on view {contract.name} is {sql.quoted(contract.grain)}")
    for column in contract.columns:
        comment = sql.quoted(f"{column.meaning} [{column.unit}]")
        connection.execute(f"comment on column {contract.name}.{column.name} is {comment}")


def _rows(connection: duckdb.DuckDBPyConnection, lake: Lake, contract: Contract) -> str:
    """Return the name or the expression of a relation with the dataset's rows."""
    partitions = lake.latest(contract)
    name = f"{contract.name}_files"
    is_local = isinstance(lake.store, LocalStore)
    if partitions and not is_local:
        connection.register(name, _dataset(lake, contract, partitions))
        return name
    if contract.has_grown or not partitions:
        connection.register(name, _with_partition_columns(contract).empty_table())
    if not partitions:
        return name
    paths = ", ".join(sql.quoted(f"{lake.root}/{p.key}") for p in partitions)
    types = ", ".join(["'dt': date", "'rev': integer", *(["'source': varchar"] if contract.per_source else [])])
    rows = f"read_parquet([{paths}], hive_partitioning = true, hive_types = {{{types}}}"
    if not contract.has_grown:
        return f"{rows})"
    # the empty table has the columns that no file may have yet; to look into each file takes some 0.1 ms
    return f"(from {rows}, union_by_name = true) union all by name from {name})"


def _dataset(lake: Lake, contract: Contract, partitions: list[Partition]) -> pads.Dataset:
    """Return the files as one Arrow dataset; DuckDB hands its filters down, so that `dt` prunes files."""
    filesystem, root = lake.store.filesystem()
    schema = _with_partition_columns(contract)
    keys = [name for name in ("dt", "source", "rev") if name in schema.names]
    return pads.dataset(
        [f"{root}/{p.key}" for p in partitions],
        schema=schema,
        filesystem=filesystem,
        format="parquet",
        partitioning=pads.partitioning(pa.schema([schema.field(k) for k in keys]), flavor="hive"),
        partition_base_dir=root,
    )


def _with_partition_columns(contract: Contract) -> pa.Schema:
    source = [pa.field("source", pa.string())] if contract.per_source else []
    return pa.schema([*contract.schema, pa.field("dt", pa.date32()), *source, pa.field("rev", pa.int32())])
