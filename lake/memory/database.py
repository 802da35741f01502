"""Empty DuckDB databases in memory, which a process makes once: opening one takes as long as a small day.

There are two: what is little is done by one thread, since waking others takes half as long again.
"""

import os
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from functools import cache

import duckdb

LITTLE = 2 << 20
"""Bytes of Parquet files or Arrow tables, up to which there is no work for several threads."""
_idle: dict[Hashable, list[duckdb.DuckDBPyConnection]] = {}


@contextmanager
def connected(size: int | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
    """Give a connection with temporary views and settings of its own; its times are UTC.

    Args:
        size: How many bytes are to be read, None where nobody knows.
    """
    with _new(_is_little(size)) as connection:
        yield connection


@contextmanager
def prepared(
    key: Hashable, prepare: Callable[[duckdb.DuckDBPyConnection], object], size: int
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Lend a connection that is kept for the next who wants the same, with all that is made on it.

    Nobody else has it meanwhile. After an error it is closed.

    Args:
        key: What it is prepared for.
        prepare: Does so.
        size: How many bytes are to be read.
    """
    is_little = _is_little(size)
    idle = _idle.setdefault((os.getpid(), is_little, key), [])
    connection = idle.pop() if idle else None
    if connection is None:
        connection = _new(is_little)
        prepare(connection)
    try:
        yield connection
    except BaseException:
        connection.close()
        raise
    idle.append(connection)


def _is_little(size: int | None) -> bool:
    return size is not None and size <= LITTLE


def _new(is_little: bool) -> duckdb.DuckDBPyConnection:  # noqa: FBT001 - which of the two databases
    return _database(os.getpid(), is_little).cursor()


@cache
def _database(process: int, is_little: bool) -> duckdb.DuckDBPyConnection:  # noqa: ARG001, FBT001 - a fork has no threads
    database = duckdb.connect(config={"threads": 1} if is_little else {})
    database.execute("set global TimeZone = 'UTC'")
    return database
