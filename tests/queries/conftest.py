"""What tests of SQL share: rows read from small CSVs, and catalogs that hold given rows and nothing else."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.csv as pacsv
import pytest

from lake.catalog.connections import define
from lake.catalog.events import create_table
from lake.catalog.relations import partition_columns
from lake.contract import Column, Contract
from lake.contracts import CONTRACTS

MIDNIGHT = datetime(2026, 9, 17)
SLO = pa.schema(
    [
        pa.field("slo", pa.string()),
        pa.field("applications", pa.string()),
        pa.field("vantage", pa.string()),
        pa.field("objective", pa.float64()),
        pa.field("window_days", pa.int32()),
    ]
)
"""A CSV of the table `slo`: its patterns of applications are one text, with a bar between two of them."""
EVENTS = pa.schema(
    [
        pa.field("event", pa.string()),
        pa.field("kind", pa.string()),
        pa.field("name", pa.string()),
        pa.field("applications", pa.string()),
        pa.field("started", pa.timestamp("us")),
        pa.field("ended", pa.timestamp("us")),
    ]
)
"""A CSV of `events`: likewise."""
BESIDE = {"slo": SLO, "events": EVENTS}
"""The tables that are no datasets, as CSVs have them."""
Catalog = Callable[..., AbstractContextManager[duckdb.DuckDBPyConnection]]


def _in_lake(of: Contract) -> pa.Schema:
    """Return the schema of a dataset's view: with what the path of a partition says."""
    source = [pa.field("source", pa.string())] if of.per_source else []
    return pa.schema([pa.field("dt", pa.date32()), *source, *of.schema, pa.field("rev", pa.int32())])


def _files(of: Contract) -> pa.Schema:
    """Return the schema of what a listing shows of a dataset, as far as questions ask for it."""
    schema = _in_lake(of)
    return pa.schema([schema.field(name) for name in partition_columns(of)])


def _usual(column: Column) -> Any:
    if column.nullable:
        return None
    return column.values[0] if column.values else column.minimum


def _filled(rows: pa.Table, of: Contract) -> pa.Table:
    """Return rows with the columns that they lack: the first allowed value, the minimum, or NULL.

    Rows with a `dt` are of the lake: of source `web`, of revision 0, and of their day's midnight. Others are of
    MIDNIGHT.
    """
    is_of_lake = "dt" in rows.schema.names
    schema = _in_lake(of) if is_of_lake else of.schema
    assert set(rows.schema.names) <= set(schema.names), rows.schema.names
    usual = {"source": "web", "rev": 0} | {column.name: _usual(column) for column in of.columns}
    for field in schema:
        if field.name in rows.schema.names:
            continue
        if is_of_lake and field.name == of.time:
            values = rows["dt"].cast(pa.date32()).cast(field.type)
        else:
            value = MIDNIGHT if field.name == of.time else usual[field.name]
            values = pa.repeat(pa.scalar(value, field.type), rows.num_rows)
        rows = rows.append_column(field.name, values)
    return rows.select(schema.names).cast(schema)


def _read(path: Path, schema: pa.Schema) -> pa.Table:
    options = pacsv.ConvertOptions(column_types=schema, strings_can_be_null=True, null_values=[""])
    return pacsv.read_csv(path, convert_options=options)


@contextmanager
def _catalog(
    empty: Path, database: Path | str = ":memory:", **rows: pa.Table
) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(database) as connection:
        ((own,),) = connection.execute("select current_database()").fetchall()
        connection.execute(f"attach '{empty}' as empty_catalog (read_only)")
        connection.execute(f"copy from database empty_catalog to {own}")
        connection.execute("detach empty_catalog")
        for name, of in CONTRACTS.items():
            if not rows.keys() & {name, f"{name}_files"}:
                continue
            place = ", ".join(partition_columns(of))
            connection.register("given", _filled(rows.pop(name, _in_lake(of).empty_table()), of))
            connection.register("more_files", rows.pop(f"{name}_files", _files(of).empty_table()))
            connection.execute(f"insert into {name} from given")
            connection.execute(
                f"insert into {name}_files select {place} from given union select {place} from more_files"
            )
        for name, schema in BESIDE.items():
            connection.register("given", rows.pop(name, schema.empty_table()))
            connection.execute(
                f"insert into {name} select * replace (string_split(applications, '|') as applications) from given"
            )
        for name, table in rows.items():
            connection.register(name, table)
        yield connection


@pytest.fixture(scope="session")
def read_csv() -> Callable[[Path, pa.Schema], pa.Table]:
    """Return a function that reads a CSV whose columns have the types of a schema; an empty field is NULL."""
    return _read


@pytest.fixture(scope="session")
def read_rows() -> Callable[[Path, Contract], pa.Table]:
    """Return a function that reads rows of a dataset from a CSV, and fills the columns that it leaves out."""
    return lambda path, of: _filled(_read(path, _in_lake(of)), of)


@pytest.fixture(scope="session")
def read_lake(read_rows: Callable[[Path, Contract], pa.Table]) -> Callable[[Path], dict[str, pa.Table]]:
    """Return a function that reads a folder's CSVs of datasets, `slo` and `events`, as the catalog takes them."""

    def read(folder: Path) -> dict[str, pa.Table]:
        of = {folder / f"{name}.csv": of for name, of in CONTRACTS.items()}
        found = {path.stem: read_rows(path, of[path]) for path in sorted(of.keys() & set(folder.iterdir()))}
        for name, each in CONTRACTS.items():
            files = folder / f"{name}_files.csv"
            if files.exists():
                found[files.stem] = _read(files, _files(each))
        for name, schema in BESIDE.items():
            if (folder / f"{name}.csv").exists():
                found[name] = _read(folder / f"{name}.csv", schema)
        return found

    return read


@pytest.fixture(scope="session")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """Return a function that opens a catalog, in memory or in the file that it is given.

    It takes rows by the name of their dataset, of which columns may be left out, but not `dt`; with `_files` after
    that name, files beside those of the rows, which have none themselves; rows of the tables `slo` and `events`
    as a CSV has them; and any other table by its name. Each is a copy of an empty one, which takes a fifth of the
    time that making views and macros does.
    """
    empty = tmp_path_factory.mktemp("catalog") / "empty.duckdb"
    with duckdb.connect(empty) as connection:
        for name, of in CONTRACTS.items():
            connection.register("nothing", _in_lake(of).empty_table())
            connection.execute(f"create table {name} as from nothing")
            place = ", ".join(partition_columns(of))
            connection.execute(f"create table {name}_files as select {place} from nothing")
        create_table(connection, ())
        define(connection)
    return partial(_catalog, empty)
