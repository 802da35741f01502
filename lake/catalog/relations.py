"""What stands for each dataset wherever the lake is asked, however its files are named there.

error_rate              rows of the latest revisions
error_rate_history      rows of all revisions
error_rate_files        all revisions: file, size, when it was published
error_rate_as_of(t)     rows of what was the latest revision at a time
provenance              what each file of all datasets was made from and by
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, get_args, get_origin

import duckdb
import pyarrow as pa

from lake import sql
from lake.contract import Contract
from lake.memory.arrays import no_rows, stream
from lake.partition import IN_THE_PATH
from lake.provenance import Provenance

MOMENT = (
    r"case when regexp_matches(cast(moment as varchar), ':\d\d(\.\d+)? ?(Z|[+-]\d\d(:?\d\d)?)$') "
    "then cast(moment as timestamptz) at time zone 'UTC' else cast(moment as timestamp) end"
)
"""SQL for the UTC time that an argument is, whatever the session's time zone; without an offset, it is UTC."""
MODIFIED = "make_timestamp(epoch_us(last_modified))"
"""SQL for the UTC time of a file: before DuckDB 1.3 it has no zone."""
OF_SHARDS = "split_part(source, '.', 1)"
"""SQL for the source that a partition is of, which may be one of a source's shards."""
IN_THE_KEY = {"dataset", "version", "dt", "source", "revision"}


@dataclass(frozen=True)
class Relations:
    """SQL that follows `from`, for one dataset.

    Attributes:
        latest: The rows of the latest revisions, with the partition's columns.
        history: Those of all revisions.
        files: A row a file: the partition's columns, file, bytes and published.
    """

    latest: str
    history: str
    files: str


def partition_columns(contract: Contract) -> dict[str, str]:
    """Return what stands in a partition's path, each with its type in SQL."""
    return {"dt": "date", **({"source": "varchar"} if contract.per_source else {}), "rev": "integer"}


def shown_columns(contract: Contract) -> list[str]:
    """Return the columns of a dataset's rows, in the order in which they are shown."""
    *place, revision = partition_columns(contract)
    return [*place, *contract.schema.names, revision]


def shown(contract: Contract) -> list[str]:
    """Return SQL for each column of a dataset's rows; of a source's shards, `source` is the source."""
    return [f"{OF_SHARDS} as source" if each == "source" else each for each in shown_columns(contract)]


def read_parquet(contract: Contract, files: str) -> str:
    """Return SQL for the rows of files, which another SQL expression names.

    Where columns were added, the relation `<dataset>_columns` has them all, as no file may have one yet. To look
    into each file takes some 0.1 ms, whatever is asked.
    """
    types = ", ".join(f"'{name}': {kind}" for name, kind in partition_columns(contract).items())
    rows = f"read_parquet({files}, hive_partitioning = true, hive_types = {{{types}}}"
    if not contract.has_grown:
        return f"{rows})"
    return f"(from {rows}, union_by_name = true) union all by name from {contract.name}_columns)"


def place_in(path: str) -> dict[str, str]:
    """Return SQL for the partition's columns that stand in a path, which another SQL expression gives."""
    return {
        "dt": f"cast(split_part({path}, '/dt=', 2)[:10] as date)",
        "source": f"nullif(split_part(split_part({path}, '/source=', 2), '/', 1), '')",
        "rev": f"cast(split_part(split_part({path}, '/rev=', 2), '/', 1) as integer)",
    }


def read_files(contract: Contract, files: str, records: str) -> str:
    """Return SQL for the files that another SQL expression names; their content is not read.

    Args:
        contract: Of which dataset.
        files: SQL for their names, which may be a pattern.
        records: The same for the records of their publication.
    """
    place = ", ".join(partition_columns(contract))
    columns = ", ".join(f"{place_in('filename')[name]} as {name}" for name in partition_columns(contract))
    of_record = {
        "dt": "cast(parse_filename(file)[4:13] as date)",
        "source": "regexp_extract(parse_filename(file), '^dt=[^_]*_source=(.*)_rev=\\d+_', 1)",
        "rev": "cast(regexp_extract(parse_filename(file), '_rev=(\\d+)_\\d{8}T', 1) as integer)",
    }
    keys = ", ".join(f"{of_record[name]} as {name}" for name in partition_columns(contract))
    at = "strptime(regexp_extract(parse_filename(file), '_(\\d{8}T\\d{6}\\.\\d{6})Z_', 1), '%Y%m%dT%H%M%S.%f')"
    recorded = f"select {keys}, max({at}) as recorded from glob({records}) group by all"
    return (
        f"(select {place}, file, bytes, coalesce(recorded, modified) as published "
        f"from (select {columns}, filename as file, size as bytes, {MODIFIED} as modified "
        f"from read_blob({files})) left join ({recorded}) using ({place}))"
    )


def latest_of(partitions: str, place: Iterable[str]) -> str:
    """Return SQL for the latest revision of each partition: the one place that says in SQL which one that is.

    Args:
        partitions: A relation with a row, or many, for each revision of each partition.
        place: The columns that tell a partition, without its revision.
    """
    columns = ", ".join(place)
    return f"select {columns}, max(rev) as rev from {partitions} group by {columns}"


def with_partition_columns(contract: Contract) -> pa.Schema:
    """Return the schema of a dataset's rows as they are asked for."""
    source = [pa.field("source", pa.string())] if contract.per_source else []
    return pa.schema([*contract.schema, pa.field("dt", pa.date32()), *source, pa.field("rev", pa.int32())])


def create_columns(connection: duckdb.DuckDBPyConnection, contract: Contract) -> None:
    """Create `<dataset>_columns`: an empty table with the dataset's columns."""
    connection.register("columns_to_create", stream(no_rows(with_partition_columns(contract))))
    connection.execute(f"create table {contract.name}_columns as from columns_to_create")
    connection.unregister("columns_to_create")


def create_views(connection: duckdb.DuckDBPyConnection, contract: Contract, relations: Relations) -> None:
    """Create a dataset's views and its macro, with the contract's meanings as comments."""
    name = contract.name
    columns = ", ".join(shown(contract))
    parts = list(partition_columns(contract))[:-1]
    place = ", ".join(parts)
    grain = f"A row is {contract.grain}"
    clock = "as recorded then, or else by the clock of the disk or bucket"
    at_that_time = f"where published <= {MOMENT}"
    then = latest_of(f"(from {name}_files {at_that_time})", parts)
    for what, query, comment in (
        (f"view {name}", f"select {columns} from {relations.latest}", f"{grain}. Latest revisions."),
        (f"view {name}_history", f"select {columns} from {relations.history}", f"{grain}. All revisions."),
        (
            f"view {name}_files",
            f"select {place}, rev, file, bytes, published from {relations.files}",
            f"A row is a file of {name}. All revisions; published: {clock}.",
        ),
        (
            f"macro {name}_as_of(moment)",
            f"table select {columns} from (from {relations.history}) semi join ({then}) using ({place}, rev)",
            f"{grain}. What was the latest revision at a time, {clock}.",
        ),
    ):
        connection.execute(f"create {what} as {query}")
        told = what.replace("macro", "macro table").removesuffix("(moment)")
        connection.execute(f"comment on {told} is {sql.quoted(comment)}")
    meanings = {part: IN_THE_PATH[part] for part in partition_columns(contract)}
    meanings |= {column.name: (column.unit, column.meaning) for column in contract.stored}
    for view in (name, f"{name}_history"):
        for column, (unit, meaning) in meanings.items():
            connection.execute(f"comment on column {view}.{column} is {sql.quoted(f'{meaning} [{unit}]')}")


def create_provenance(connection: duckdb.DuckDBPyConnection, footers: str) -> None:
    """Create the view `provenance`.

    Args:
        connection: Where.
        footers: SQL for a row a file: dataset, dt, source, rev, file, and the footer's JSON as `made`.
    """
    structure = _json_structure(Provenance)
    told = ", ".join(f"made.{name}" for name in structure if name not in IN_THE_KEY)
    parsed = f"from_json(made, {sql.quoted(json.dumps(structure))}) as made"
    connection.execute(
        f"create view provenance as select dataset, dt, source, rev, {told}, file "
        f"from (select * replace ({parsed}) from {footers})"
    )
    comment = "A row is a file of any dataset, all revisions: what it was made from and by, as its footer says."
    connection.execute(f"comment on view provenance is {sql.quoted(comment)}")


def _json_structure(of: type) -> dict[str, Any]:
    """Return the JSON of a dataclass as DuckDB's from_json wants it described."""
    return {field.name: _json_type(field.type) for field in fields(of)}


def _json_type(kind: Any) -> Any:  # noqa: ANN401 - types as annotations have them
    kinds = [each for each in get_args(kind) if each is not NoneType]
    if get_origin(kind) is UnionType:
        return _json_type(kinds[0])
    if get_origin(kind) is tuple:
        return [_json_type(kinds[0])]
    if get_origin(kind) is dict:
        of_values = _json_type(kinds[1])
        return f"MAP(VARCHAR, {f'{of_values[0]}[]' if isinstance(of_values, list) else of_values})"
    if is_dataclass(kind):
        return _json_structure(kind)  # type: ignore[arg-type] # no instance
    return "BIGINT" if kind is int else "VARCHAR"
