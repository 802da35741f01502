"""What the views and macros answer: `lake questions`, `lake describe`, and how else to ask."""

import difflib
import re
import shutil
import textwrap

import duckdb

from lake import sql
from lake.commands.overview import aligned
from lake.datasets import DATASETS
from lake.errors import ConfigError
from lake.sql import Definition

MARGIN, WIDEST = 4, 100
NOT_THERE = re.compile(r"Table(?P<function> Function)? with name (?P<name>\w+) does not exist")


def listed(each: Definition) -> str:
    """Return how a view or macro is asked, and what it answers, as lines that fit the terminal."""
    columns = min(shutil.get_terminal_size().columns, WIDEST)
    indent = " " * MARGIN
    return f"{each.call}\n" + textwrap.fill(
        each.meaning, columns, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False
    )


def of(name: str) -> Definition:
    """Return a view or macro by its name.

    Raises:
        ConfigError: There is none, nor a dataset of that name.
    """
    known = {each.name: each for each in sql.definitions()}
    if name in known:
        return known[name]
    close = difflib.get_close_matches(name, [*known, *DATASETS], 3)
    meant = f" Did you mean {', '.join(close)}?" if close else ""
    raise ConfigError(
        f"There is no dataset, view or macro {name}.{meant} `lake ls` and `lake questions` list them."
    )


def described(connection: duckdb.DuckDBPyConnection, each: Definition) -> str:
    """Return what a view or macro answers, and the columns of its rows, if it has rows."""
    if each.kind == "macro":
        return listed(each)
    call = each.name if each.kind == "view" else f"{each.name}({', '.join(['null'] * len(each.required))})"
    found = connection.execute(f"describe from {call}").fetchall()
    return f"{listed(each)}\n\n{aligned([('column', 'type'), *((name, kind) for name, kind, *_ in found)])}"


def relation(connection: duckdb.DuckDBPyConnection, name: str) -> str | None:
    """Return what a table or view beside datasets and questions is, such as `events`; None if there is none."""
    found = connection.execute(
        "select comment from duckdb_tables() where not internal and table_name = $name "
        "union all select comment from duckdb_views() where not internal and view_name = $name",
        {"name": name},
    ).fetchone()
    if not found:
        return None
    columns = connection.execute(
        "select column_name, data_type, coalesce(comment, '') from duckdb_columns() "
        "where not internal and table_name = $name order by column_index",
        {"name": name},
    ).fetchall()
    return f"{name}\n{' ' * MARGIN}{found[0] or ''}\n\n{aligned([('column', 'type', 'meaning'), *columns])}"


def explained(error: duckdb.CatalogException) -> duckdb.CatalogException:
    """Return DuckDB's error as one that says how a macro or a view is asked, if it was asked as the other."""
    found = NOT_THERE.search(str(error))
    name = found["name"].lower() if found else ""
    asked = next((each for each in sql.definitions() if each.name == name), None)
    if not found or not (asked or name in DATASETS):
        return error
    if found["function"]:
        text = f"{name} takes no arguments: from {name}"
    elif asked and asked.kind == "macro":
        text = f"{name} returns a value, and no rows: select {asked.call}"
    else:
        text = f"{name} takes arguments: from {asked.call if asked else name}"
    return duckdb.CatalogException(text)
