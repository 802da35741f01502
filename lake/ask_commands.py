"""The commands that ask the lake."""

import argparse
import contextlib
import io
import shutil
import sys
import tempfile
from pathlib import Path

import duckdb
from tqdm import tqdm

import lake
from lake import catalog_file, config, ddl, overview, shell
from lake.cache import Cache
from lake.cli import printable
from lake.contracts import contract
from lake.errors import ConfigError
from lake.lake import Lake
from lake.pull import pull
from lake.slo import read_slos

MAX_ROWS = 1000


def ask(given: argparse.Namespace) -> int:
    """Print the answer to a query, as a table or as CSV, and return 0."""
    with lake.connect() as connection:
        if len(duckdb.extract_statements(given.query)) > 1:
            raise ConfigError("That is more than one statement. Ask one at a time, or give them to lake shell.")
        answer = connection.sql(given.query)
        if answer is None:
            raise ConfigError("That statement has no answer to show; ask with select, from or describe.")
        (_print_csv if given.csv else _print_table)(answer)
    return 0


def ask_on(_: argparse.Namespace) -> int:
    """Answer statement after statement, and return 0."""
    with lake.connect() as connection:
        shell.interact(connection, _print_table)
    return 0


def list_datasets(_: argparse.Namespace) -> int:
    """Print a line for each dataset, and return 0."""
    print(overview.listed(_lake()))
    return 0


def describe(given: argparse.Namespace) -> int:
    """Print what a dataset is, what of it is there, and what its columns mean; return 0."""
    print(overview.described(_lake(), contract(given.dataset)))
    return 0


def write_catalog(given: argparse.Namespace) -> int:
    """Write the catalog as a file, and return 0."""
    found = config.read(config.find())
    catalog_file.write(Lake.of(found), given.file.absolute(), read_slos(found))
    print(
        printable(f'{given.file} is written. Ask it with: duckdb -readonly {given.file} "from error_rate_weekly"')
    )
    return 0


def show_ddl(given: argparse.Namespace) -> int:
    """Print what shows the lake to another engine, and return 0."""
    print(printable(ddl.statements(_lake(), given.engine, given.schema, given.start)), end="")
    return 0


def pull_datasets(given: argparse.Namespace) -> int:
    """Bring the copies of datasets up to date, and return 0."""
    there = _lake()
    for name in given.dataset:
        with tqdm(desc=f"{name} pulled", unit=" partitions", leave=False, disable=None) as bar:
            fetched, dropped = pull(there, contract(name), Cache.of(there), bar.update)
        print(f"{name}: {fetched:,} partitions fetched, {dropped:,} superseded ones dropped.", flush=True)
    return 0


def _lake() -> Lake:
    return Lake.of(config.read(config.find()))


def _print_table(answer: duckdb.DuckDBPyRelation) -> None:
    with contextlib.redirect_stdout(io.StringIO()) as shown:
        answer.show(max_rows=MAX_ROWS, max_width=10_000)
    print(printable(shown.getvalue()), end="")


def _print_csv(answer: duckdb.DuckDBPyRelation) -> None:
    """Copy the CSV to the standard output; DuckDB itself would empty the file that `>>` appends to."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "answer.csv"
        answer.write_csv(str(path))
        with path.open("rb") as file:
            shutil.copyfileobj(file, sys.stdout.buffer)
