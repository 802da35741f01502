"""What asks the lake: `lake sql`, and how commands end."""

import argparse
import contextlib
import io
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import duckdb

from lake import config
from lake.catalog import connect
from lake.errors import ConfigError, LakeError
from lake.lake import Lake

EXAMPLES = """\
examples:
  lake sql "select dt, application, valid_requests, error_rate from error_rate order by all"
  lake sql "from error_rate_by_application"
  lake sql --csv "select path, count(*) from requests where dt = '2015-05-18' group by path" > paths.csv
  lake sql "describe error_rate"

exit codes:
  0  answered
  1  the SQL is wrong, a file is broken, or the answer can't be printed
  2  luigi.cfg or an argument is wrong
  3  the lake can't be read
"""
MAX_ROWS = 1000


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
    except OSError as error:  # a pipe that was closed, as by `head`, or a full disk
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what is flushed at exit
        print(f"{name}: can't print the answer: {error.strerror or error}", file=sys.stderr)
        code = 1
    sys.exit(code)


def printable(text: str) -> str:
    """Return a text that does nothing to a terminal: its line ends stay, other control characters are escaped."""
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)


def ask(query: str, *, csv: bool) -> int:
    """Print the answer to a query, as a table or as CSV, and return 0."""
    with connect(Lake.of(config.read(config.find()))) as connection:
        answer = connection.sql(query)
        if answer is None:
            raise ConfigError("That statement has no answer to show; ask with select, from or describe.")
        if csv:
            _print_csv(answer)
        else:
            with contextlib.redirect_stdout(io.StringIO()) as shown:
                answer.show(max_rows=MAX_ROWS, max_width=10_000)
            print(printable(shown.getvalue()), end="")
    return 0


def _print_csv(answer: duckdb.DuckDBPyRelation) -> None:
    """Copy the CSV to the standard output; DuckDB itself would empty the file that `>>` appends to."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "answer.csv"
        answer.write_csv(str(path))
        with path.open("rb") as file:
            shutil.copyfileobj(file, sys.stdout.buffer)


def add_sql(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command `sql`."""
    command = commands.add_parser(
        "sql",
        help="run one DuckDB query; every dataset is a view of its latest revisions",
        description="Run one DuckDB query; every dataset is a view of its latest revisions.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("query", help="the query")
    command.add_argument("--csv", action="store_true", help="print CSV instead of a table")
    command.set_defaults(run=lambda arguments: ask(arguments.query, csv=arguments.csv))
