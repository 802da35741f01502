"""Statements that show the lake, as it lies there, to other engines.

Each dataset becomes a table of all revisions and a view of the latest ones, with the catalog's names and comments:

error_rate_history      table on the dataset's folder
error_rate_files        for Spark: table on the same folder, a row a file
error_rate              view

Which revision is the latest is up to the partitions that there are. Rows can't tell: the latest one may have none.
"""

import re
import textwrap
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from lake import sql
from lake.catalog.relations import (
    latest_of,
    partition_columns,
    shown,
    with_partition_columns,
)
from lake.contract import Contract
from lake.contracts import CONTRACTS, is_everybodys
from lake.errors import ConfigError
from lake.lake import Lake
from lake.partition import IN_THE_PATH
from lake.store.protocol import S3_SCHEME

WIDTH = 115
NAME = re.compile(r"[a-z_][a-z0-9_]*")

ATHENA = """\
-- What is published is there once it is registered: run the `msck repair table` statements again. They add
-- partitions and take none away. A `_history` table with partition projection, as earlier versions made it, knows
-- no partition without rows: drop it first, which keeps the files.
"""
TRINO = """\
-- What is published is there once it is registered: call sync_partition_metadata again. Readers set the precision
-- too, or their times are rounded to milliseconds. hive.timestamp-precision of the catalog does it for all.

set session {catalog}.timestamp_precision = 'MICROSECONDS';
"""
SPARK = """\
-- What is published is there once it is registered: run the `msck repair table` statements again.
"""
FILE_COLUMNS = (  # all that Spark's binaryFile has, as it has them
    ("path", "string", "The file"),
    ("modificationTime", "timestamp", "When it was published, by the clock of the disk or bucket"),
    ("length", "bigint", "Its size [bytes]"),
    ("content", "binary", "Its bytes"),
)
HIVE_TYPES = {
    "string": "string",
    "bool": "boolean",
    "int16": "smallint",
    "int32": "int",
    "int64": "bigint",
    "double": "double",
    "date32[day]": "date",
    "timestamp[us]": "timestamp",
}
SPARK_TYPES = HIVE_TYPES | {"timestamp[us]": "timestamp_ntz"}  # timestamp would be one of the session's zone
TRINO_TYPES = HIVE_TYPES | {"string": "varchar", "int32": "integer", "timestamp[us]": "timestamp(6)"}


@dataclass(frozen=True)
class Shown:
    """A dataset as an engine is told of it.

    Attributes:
        schema: Where its table and view are to be, as `lake`, or `hive.lake` for Trino.
        location: URL of its folder, with a slash at the end.
    """

    contract: Contract
    schema: str
    location: str

    @property
    def name(self) -> str:
        """The view's name, with which those of the tables begin."""
        return f"{self.schema}.{self.contract.name}"

    @property
    def grain(self) -> str:
        """What a row is, as a sentence."""
        return _told(f"A row is {self.contract.grain}.")

    @property
    def place(self) -> list[str]:
        """The columns that stand in the path, the revision last."""
        return list(partition_columns(self.contract))

    @property
    def registered(self) -> str:
        """Trino's name, and Athena's, for the partitions that its catalog knows, with or without rows."""
        return f'{self.schema}."{self.contract.name}_history$partitions"'

    @property
    def comments(self) -> dict[str, str]:
        """The meaning of each column."""
        described = {column.name: (column.unit, column.meaning) for column in self.contract.stored} | IN_THE_PATH
        return {name: _told(f"{meaning} [{unit}]") for name, (unit, meaning) in described.items()}

    def view(self, partitions: str, comment: str = "") -> str:
        """Return the view of the latest revisions.

        Args:
            partitions: A relation in which each partition has a row, or many.
            comment: Follows the view's name.
        """
        columns = textwrap.fill(", ".join(shown(self.contract)), WIDTH)
        lines = (
            f"create or replace view {self.name}{comment} as",
            f"select {columns}",
            f"from {self.name}_history",
            f"join ({latest_of(partitions, self.place[:-1])}) as latest",
            f"using ({', '.join(self.place)})",
        )
        return "\n".join(lines)


@dataclass(frozen=True)
class Engine:
    """What reads the lake.

    Attributes:
        begin: Comments, and statements that come first; `{catalog}` is Trino's.
        schema: Where tables go unless somebody says otherwise.
        statements: What shows it a dataset.
        reads_disk: Whether it is shown a lake on disk; each machine that works for it needs the same disk.
    """

    begin: str
    schema: str
    statements: Callable[[Shown], list[str]]
    reads_disk: bool = False

    def url(self, root: str) -> str:
        """Return a lake's root as this engine names it.

        Raises:
            ConfigError: It can't read it.
        """
        if root.startswith(S3_SCHEME):
            return root
        if not self.reads_disk:
            raise ConfigError(f"The lake is at {root}: Athena and Trino read it on S3 only. Use spark.")
        return f"file://{root}"

    def check(self, schema: str) -> str:
        """Return a schema's name.

        Raises:
            ConfigError: It is none, or lacks the catalog where there has to be one.
        """
        parts = schema.split(".")
        if len(parts) != len(self.schema.split(".")) or not all(map(NAME.fullmatch, parts)):
            raise ConfigError(f"--schema {schema}: expected a name such as {self.schema}, in lower case.")
        return schema


def statements(lake: Lake, engine: str, schema: str | None = None) -> str:
    """Return what shows a lake to an engine: statements, each after its comments and with a semicolon at its end.

    There is no other semicolon in it, and nothing after the last one, so that it can be split at them.

    Args:
        lake: Its listing tells which datasets there are; nothing is written.
        engine: One of ENGINES.
        schema: Where tables and views are to be; default: the engine's own.

    Raises:
        ConfigError: The engine can't read this lake, or the schema's name is none.
        StoreError: There is no lake, or it can't be listed.
    """
    lake.require()
    told = ENGINES[engine]
    schema, root = told.check(schema or told.schema), told.url(lake.root)
    is_there = {name: bool(lake.partitions(each)) for name, each in CONTRACTS.items()}
    missing = ", ".join(name for name, there in is_there.items() if not there and is_everybodys(CONTRACTS[name]))
    found = [
        told.begin.format(catalog=schema.partition(".")[0])
        + (f"-- Nothing is published yet of: {missing}. Run this again when something is.\n" if missing else ""),
        f"create schema if not exists {schema};\n",
    ]
    for contract in CONTRACTS.values():
        if is_there[contract.name]:
            shown = Shown(contract, schema, f"{root}/{contract.name}/v{contract.version}/")
            found += [f"{each};\n" for each in told.statements(shown)]
    return "\n".join(found)


def _athena(shown: Shown) -> list[str]:
    return [_external_table(shown), f"msck repair table {shown.name}_history", shown.view(shown.registered)]


def _external_table(shown: Shown) -> str:
    """Return Hive's CREATE TABLE, as far as Athena takes it."""
    columns, place = shown.contract.schema.names, shown.place
    return (
        f"create external table if not exists {shown.name}_history (\n{_columns(shown, HIVE_TYPES, columns)}\n)\n"
        f"comment {_escaped(f'{shown.grain} All revisions.')}\n"
        f"partitioned by (\n{_columns(shown, HIVE_TYPES, place)}\n)\n"
        f"stored as parquet\nlocation {_escaped(shown.location)}"
    )


def _trino(shown: Shown) -> list[str]:
    columns = _columns(shown, TRINO_TYPES, [*shown.contract.schema.names, *shown.place], sql.quoted)
    catalog, _, schema = shown.schema.partition(".")
    table = (
        f"create table if not exists {shown.name}_history (\n{columns}\n)\n"
        f"comment {sql.quoted(f'{shown.grain} All revisions.')}\n"
        f"with (\n  external_location = {sql.quoted(shown.location)},\n  format = 'PARQUET',\n"
        f"  partitioned_by = array[{', '.join(map(sql.quoted, shown.place))}]\n)"
    )
    return [
        table,
        f"call {catalog}.system.sync_partition_metadata('{schema}', '{shown.contract.name}_history', 'FULL')",
        shown.view(shown.registered, f"\ncomment {sql.quoted(f'{shown.grain} Latest revisions.')}"),
    ]


def _spark(shown: Shown) -> list[str]:
    """Return two tables on a folder: Spark's SQL has no list of partitions, but lists files without reading."""
    rows = _columns(shown, SPARK_TYPES, shown.contract.schema.names)
    files = ",\n".join(f"  {name} {kind} comment '{meaning}'" for name, kind, meaning in FILE_COLUMNS)
    a_file = f"A row is a file of {shown.contract.name}."
    return [
        _spark_table(shown, "history", rows, "parquet", f"{shown.grain} All revisions."),
        _spark_table(shown, "files", files, "binaryFile", f"{a_file} All revisions."),
        f"msck repair table {shown.name}_history sync partitions",
        f"msck repair table {shown.name}_files sync partitions",
        shown.view(f"{shown.name}_files", f"\ncomment {_escaped(f'{shown.grain} Latest revisions.')}"),
    ]


def _spark_table(shown: Shown, suffix: str, columns: str, form: str, comment: str) -> str:
    return (
        f"create table if not exists {shown.name}_{suffix} (\n"
        f"{columns},\n{_columns(shown, SPARK_TYPES, shown.place)}\n)\n"
        f"using {form}\ncomment {_escaped(comment)}\n"
        f"partitioned by ({', '.join(shown.place)})\nlocation {_escaped(shown.location)}"
    )


def _told(text: str) -> str:
    """Return a comment's text without semicolons, at which many a tool would split a statement."""
    return text.replace(";", ",")


def _escaped(text: str) -> str:
    """Return a text as a literal of Hive and Spark."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _columns(
    shown: Shown, types: Mapping[str, str], names: Iterable[str], quote: Callable[[str], str] = _escaped
) -> str:
    """Return columns with their types and meanings."""
    schema = with_partition_columns(shown.contract)
    return ",\n".join(
        f"  {name} {types[str(schema.field(name).type)]} comment {quote(shown.comments[name])}" for name in names
    )


ENGINES = {
    "athena": Engine(ATHENA, "lake", _athena),
    "trino": Engine(TRINO, "hive.lake", _trino),
    "spark": Engine(SPARK, "lake", _spark, reads_disk=True),
}
