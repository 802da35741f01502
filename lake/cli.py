"""What asks the lake from the command line, and how commands end."""

import argparse
import contextlib
import io
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import NoReturn

import duckdb
from tqdm import tqdm

import lake
from lake import catalog_file, config, ddl, overview, shell
from lake.cache import Cache
from lake.contracts import CONTRACTS, contract
from lake.errors import ConfigError, LakeError
from lake.lake import Lake
from lake.partition import parse_day
from lake.pull import pull
from lake.slo import read_slos

SQL = """\
examples:
  lake sql "select dt, application, valid_requests, error_rate from error_rate order by all"
  lake sql "from error_rate_weekly where application = 'shop' order by week"
  lake sql "from error_rate_as_of('2026-09-18 06:00Z') where dt = '2026-09-17'"
  lake sql --csv "select path, count(*) from requests where dt = '2015-05-18' group by path" > paths.csv
  lake sql "describe error_rate"

exit codes:
  0  answered
  1  the SQL is wrong, a file is broken, or the answer can't be printed
  2  luigi.cfg or an argument is wrong
  3  the lake can't be read
  130  interrupted
"""
SHELL = """\
examples:
  lake shell
  lake shell < questions.sql

exit codes:
  0  left, or all statements of a pipe answered
  1  a statement of a pipe is wrong
  2  luigi.cfg is wrong
  3  the lake can't be read
"""
LS = """\
examples:
  lake ls
  lake describe error_rate

exit codes:
  0  shown
  2  luigi.cfg or an argument is wrong
  3  the lake can't be read
"""
CATALOG = """\
examples:
  lake catalog lake.duckdb
  duckdb -readonly lake.duckdb "from error_rate_weekly"

exit codes:
  0  written
  1  it can't be printed that it is
  2  luigi.cfg is wrong, or another file has that name
  3  it can't be written
"""
PULL = """\
examples:
  lake pull error_rate error_counts

exit codes:
  0  the copies are up to date
  2  luigi.cfg or an argument is wrong
  3  the lake can't be read, or a copy can't be written
"""
DDL = """\
examples:
  lake ddl spark > lake.sql
  lake ddl trino --schema glue.web_logs
  lake ddl athena --start 2018-01-01

exit codes:
  0  printed
  2  luigi.cfg or an argument is wrong, or that engine can't read this lake
  3  the lake can't be read
"""
MAX_ROWS = 1000
INTERRUPTED = 130


def run(name: str, command: Callable[[], int]) -> NoReturn:
    """Run a command and exit with what it returns, or with an error's message and code."""
    try:
        code = command()
        sys.stdout.flush()
    except LakeError as error:
        print(printable(f"{name}: {error}"), file=sys.stderr)
        code = error.exit_code
    except duckdb.Error as error:
        print(printable(f"{name}: {error}"), file=sys.stderr)
        code = 1
    except (KeyboardInterrupt, RuntimeError) as error:  # DuckDB makes the latter of the former
        if isinstance(error, RuntimeError) and "interrupted" not in str(error).lower():
            raise
        print(f"{name}: interrupted", file=sys.stderr)
        code = INTERRUPTED
    except OSError as error:  # a pipe that was closed, as by `head`, or a full disk
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what is flushed at exit
        print(f"{name}: can't print the answer: {error.strerror or error}", file=sys.stderr)
        code = 1
    sys.exit(code)


def printable(text: str) -> str:
    """Return a text that does nothing to a terminal: its line ends stay, other control characters are escaped."""
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)


def day(text: str) -> date:
    """Return the day that an argument is; argparse's error, which names it, if it is none."""
    try:
        return parse_day(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no day, expected YYYY-MM-DD, 1970 to 2999") from None


def ask(query: str, *, csv: bool) -> int:
    """Print the answer to a query, as a table or as CSV, and return 0."""
    with lake.connect() as connection:
        if len(duckdb.extract_statements(query)) > 1:
            raise ConfigError("That is more than one statement. Ask one at a time, or give them to lake shell.")
        answer = connection.sql(query)
        if answer is None:
            raise ConfigError("That statement has no answer to show; ask with select, from or describe.")
        (_print_csv if csv else _print_table)(answer)
    return 0


def ask_on() -> int:
    """Answer statement after statement, and return 0."""
    with lake.connect() as connection:
        shell.interact(connection, _print_table)
    return 0


def list_datasets() -> int:
    """Print a line for each dataset, and return 0."""
    print(overview.listed(_lake()))
    return 0


def describe(dataset: str) -> int:
    """Print what a dataset is, what of it is there, and what its columns mean; return 0."""
    print(overview.described(_lake(), contract(dataset)))
    return 0


def write_catalog(path: Path) -> int:
    """Write the catalog as a file, and return 0."""
    found = config.read(config.find())
    catalog_file.write(Lake.of(found), path.absolute(), read_slos(found))
    print(printable(f'{path} is written. Ask it with: duckdb -readonly {path} "from error_rate_weekly"'))
    return 0


def show_ddl(given: argparse.Namespace) -> int:
    """Print what shows the lake to another engine, and return 0."""
    print(printable(ddl.statements(_lake(), given.engine, given.schema, given.start)), end="")
    return 0


def pull_datasets(datasets: list[str]) -> int:
    """Bring the copies of datasets up to date, and return 0."""
    there = _lake()
    for name in datasets:
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


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the commands that ask the lake."""

    def add(
        name: str, summary: str, examples: str, what: Callable[[argparse.Namespace], int]
    ) -> argparse.ArgumentParser:
        command = commands.add_parser(
            name,
            help=summary,
            description=f"{summary[0].upper()}{summary[1:]}.",
            epilog=examples,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.set_defaults(run=what)
        return command

    each_is = "every dataset is a view of its latest revisions"
    command = add("sql", f"run one DuckDB query; {each_is}", SQL, lambda given: ask(given.query, csv=given.csv))
    command.add_argument("query", help="the query")
    command.add_argument("--csv", action="store_true", help="print CSV instead of a table")
    add("shell", f"ask statement after statement; {each_is}", SHELL, lambda _: ask_on())
    add("ls", "list the datasets: partitions, days, size", LS, lambda _: list_datasets())
    command = add(
        "describe", "say what a dataset is, and what its columns mean", LS, lambda given: describe(given.dataset)
    )
    command.add_argument("dataset", choices=CONTRACTS, metavar="DATASET", help=", ".join(CONTRACTS))
    command = add(
        "catalog",
        "write the views and macros to a DuckDB file, for tools that know nothing of ours",
        CATALOG,
        lambda given: write_catalog(given.file),
    )
    command.add_argument("file", type=Path, metavar="FILE", help="such as lake.duckdb")
    command = add(
        "pull",
        "keep local copies of datasets, from which questions are answered; fetch what is new",
        PULL,
        lambda given: pull_datasets(given.dataset),
    )
    command.add_argument("dataset", nargs="+", choices=CONTRACTS, metavar="DATASET", help=", ".join(CONTRACTS))
    command = add("ddl", "print the statements that show the lake to another engine", DDL, show_ddl)
    command.add_argument("engine", choices=ddl.ENGINES, metavar="ENGINE", help=", ".join(ddl.ENGINES))
    command.add_argument(
        "--schema", metavar="NAME", help="where tables and views go; default: lake, for trino hive.lake"
    )
    command.add_argument(
        "--start",
        type=day,
        metavar="DAY",
        help="for athena: the first day to look for; default: the first one",
    )
