"""`lake sql`: it imports what an answer needs and no more, since the rest takes longer than most answers."""

import argparse
import contextlib
import io
import shutil
import sys
import tempfile
from pathlib import Path

import duckdb

from lake import config
from lake.catalog import opening
from lake.cli import printable
from lake.errors import ConfigError

MAX_ROWS = 1000


def ask(given: argparse.Namespace) -> int:
    """Print the answer to a query, as a table or as CSV, and return 0."""
    has_footers = "provenance" in given.query.lower()  # the one view that reads them
    with opening.connect(config.read(config.find()), has_footers=has_footers) as connection:
        if len(duckdb.extract_statements(given.query)) > 1:
            raise ConfigError("That is more than one statement. Run one at a time, or pass them to `lake shell`.")
        try:
            answer = connection.sql(given.query)
        except duckdb.CatalogException as error:
            from lake.commands.questions import explained  # noqa: PLC0415 - of no use to an answer

            raise explained(error) from error
        if answer is None:
            raise ConfigError("That statement returns no rows. Use select, from or describe.")
        (_print_csv if given.csv else print_table)(answer)
    return 0


def print_table(answer: duckdb.DuckDBPyRelation) -> None:
    """Print an answer as a table, with nothing in it that does something to a terminal."""
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
