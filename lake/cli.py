"""The `lake` command."""

import argparse
import sys

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
  1  the SQL is wrong, or a file is broken
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


def ask(query: str, *, csv: bool) -> None:
    """Print the answer to a query, as a table or as CSV."""
    with connect(Lake.of(config.read(config.find()))) as connection:
        answer = connection.sql(query)
        if answer is None:
            raise ConfigError("That statement has no answer to show; ask with select, from or describe.")
        if csv:
            answer.write_csv("/dev/stdout")
        else:
            answer.show(max_rows=MAX_ROWS, max_width=10_000)


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
