"""The commands that ask the lake."""

import argparse
import sys

from tqdm import tqdm

import lake
from lake import config, sql
from lake.catalog import ddl
from lake.catalog import file as catalog_file
from lake.catalog.cache import Cache
from lake.catalog.pull import pull
from lake.catalog.slo import read_slos
from lake.cli import printable
from lake.commands import overview, questions, shell
from lake.commands.sql import print_table
from lake.contracts import CONTRACTS, contract
from lake.lake import Lake


def ask_on(_: argparse.Namespace) -> int:
    """Answer statement after statement, and return 0."""
    with lake.connect() as connection:
        shell.interact(connection, print_table)
    return 0


def list_datasets(_: argparse.Namespace) -> int:
    """Print a line for each dataset, and return 0."""
    print(overview.listed(_lake()))
    return 0


def list_questions(given: argparse.Namespace) -> int:
    """Print the views and macros, or those with a word in their name or answer; return 1 if none has it."""
    word = (given.word or "").casefold()
    found = [each for each in sql.definitions() if word in f"{each.name} {each.meaning}".casefold()]
    for each in found:
        print(questions.listed(each))
    if not found:
        print(f"No view and no macro has {given.word!r} in its name or answer.", file=sys.stderr)
    return 0 if found else 1


def describe(given: argparse.Namespace) -> int:
    """Print what a dataset is, what of it is there, and what its columns mean; or what a question is; return 0."""
    if given.name in CONTRACTS:
        print(overview.described(_lake(), contract(given.name)))
        return 0
    known = {each.name for each in sql.definitions()}
    with lake.connect() as connection:
        told = None if given.name in known else questions.relation(connection, given.name)
        print(told or questions.described(connection, questions.of(given.name)))
    return 0


def write_catalog(given: argparse.Namespace) -> int:
    """Write the catalog as a file, and return 0."""
    found = config.read(config.find())
    catalog_file.write(Lake.of(found), given.file.absolute(), read_slos(found))
    print(
        printable(
            f'{given.file} is written. Query it with: duckdb -readonly {given.file} "from error_rate_weekly"'
        )
    )
    return 0


def show_ddl(given: argparse.Namespace) -> int:
    """Print what shows the lake to another engine, and return 0."""
    print(printable(ddl.statements(_lake(), given.engine, given.schema)), end="")
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
