"""The `lake` command."""

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path

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


def main() -> None:
    """Run the command and exit with its code."""
    arguments = _parser().parse_args()
    try:
        ask(arguments.query, csv=arguments.csv)
    except duckdb.Error as error:
        print(f"lake: {error}", file=sys.stderr)
        sys.exit(1)
    except LakeError as error:
        print(f"lake: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except OSError as error:  # a pipe that was closed, as by `head`, or a full disk
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what is flushed at exit
        print(f"lake: can't print the answer: {error.strerror}", file=sys.stderr)
        sys.exit(1)


def ask(query: str, *, csv: bool) -> None:
    """Print the answer to a query, as a table or as CSV."""
    with connect(Lake.of(config.read(config.find()))) as connection:
        answer = connection.sql(query)
        if answer is None:
            raise ConfigError("That statement has no answer to show; ask with select, from or describe.")
        if csv:
            _print_csv(answer)
        else:
            answer.show(max_rows=MAX_ROWS, max_width=10_000)
    sys.stdout.flush()


def _print_csv(answer: duckdb.DuckDBPyRelation) -> None:
    """Copy the CSV to the standard output; DuckDB itself would empty the file that `>>` appends to."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "answer.csv"
        answer.write_csv(str(path))
        with path.open("rb") as file:
            shutil.copyfileobj(file, sys.stdout.buffer)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lake",
        description="Ask the lake.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    command = commands.add_parser(
        "sql",
        help="run one DuckDB query; every dataset is a view of its latest revisions",
        description="Run one DuckDB query; every dataset is a view of its latest revisions.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("query", help="the query")
    command.add_argument("--csv", action="store_true", help="print CSV instead of a table")
    return parser
