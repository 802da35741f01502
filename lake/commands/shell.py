"""`lake shell`: asks the lake statement by statement."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import duckdb

from lake.cli import is_interrupt
from lake.commands.questions import explained

PROMPT, MORE = "lake> ", "  ... "
WELCOME = "A statement ends with a semicolon; `show tables;` lists what there is; Ctrl-D leaves."
HISTORY = "~/.local/state/error-rate-lake/history"
HISTORY_LINES = 1000


def interact(connection: duckdb.DuckDBPyConnection, show: Callable[[duckdb.DuckDBPyRelation], None]) -> None:
    """Run the statements of the standard input, and show their answers.

    On a terminal a wrong statement is told and the next one asked for, with readline's history and completion of
    names. From a pipe, the first wrong one ends it.

    Raises:
        duckdb.Error: A statement from a pipe is wrong.
    """
    if not sys.stdin.isatty():
        _run(connection, sys.stdin.read(), show)
        return
    print(WELCOME)
    with _readline(connection):
        for text in _typed():
            try:
                _run(connection, text, show)
            except (KeyboardInterrupt, RuntimeError) as error:
                connection.interrupt()  # else a thread of the query may go on, and the next statement waits for it
                print("interrupted" if is_interrupt(error) else error, file=sys.stderr)
            except duckdb.Error as error:
                print(error, file=sys.stderr)


def _run(
    connection: duckdb.DuckDBPyConnection, text: str, show: Callable[[duckdb.DuckDBPyRelation], None]
) -> None:
    for statement in duckdb.extract_statements(text):
        try:
            answer = connection.sql(statement.query)
        except duckdb.CatalogException as error:
            raise explained(error) from error
        if answer is not None:
            show(answer)


def _typed() -> Iterator[str]:
    """Yield what is typed up to a semicolon that ends a line and is in no text or comment; Ctrl-C begins anew.

    Ctrl-D ends it. What no semicolon has ended is not run, and said so.
    """
    lines: list[str] = []
    while True:
        try:
            lines.append(input(MORE if lines else PROMPT))
        except EOFError:
            print()
            if begun := "\n".join(lines).strip():
                print(f"not run, since no semicolon ended it: {begun}", file=sys.stderr)
            return
        except KeyboardInterrupt:
            print()
            lines = []
        if _is_complete("\n".join(lines)):
            yield "\n".join(lines)
            lines = []


def _is_complete(text: str) -> bool:
    """Tell whether DuckDB reads a semicolon at a text's end, or before a comment to the end of the line."""
    tokens = [begin for begin, kind in duckdb.tokenize(text) if kind != duckdb.token_type.comment]
    rest = text.encode()[tokens[-1] :].decode() if tokens else ""
    return rest.startswith(";") and (not rest[1:].strip() or rest[1:].lstrip().startswith("--"))


@contextmanager
def _readline(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Let lines be edited, recalled and completed, where Python has readline."""
    try:
        import readline  # noqa: PLC0415 - not everywhere
    except ImportError:
        yield
        return
    names = _names(connection)

    def complete(begun: str, n: int) -> str | None:
        return ([name for name in names if name.startswith(begun)] + [None])[n]

    readline.set_completer(complete)
    readline.parse_and_bind("tab: complete")
    path = Path(os.path.expanduser(HISTORY))  # noqa: PTH111 - no error without a home
    with suppress(OSError):
        readline.read_history_file(path)
    try:
        yield
    finally:
        with suppress(OSError):  # a home that can't be written is no reason to fail
            path.parent.mkdir(parents=True, exist_ok=True)
            readline.set_history_length(HISTORY_LINES)
            readline.write_history_file(path)


def _names(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Return the names of views, of their columns, and of our macros."""
    found = connection.execute(
        "select view_name from duckdb_views() where not internal "
        "union select column_name from duckdb_columns() where not internal "
        "union select function_name from duckdb_functions() where not internal order by all"
    )
    return [name for (name,) in found.fetchall()]
