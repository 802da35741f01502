"""An empty DuckDB database in memory, of which this process makes one: opening it takes as long as a small day."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import duckdb


@contextmanager
def connected() -> Iterator[duckdb.DuckDBPyConnection]:
    """Give a connection with temporary views and settings of its own; its times are UTC."""
    with _database(os.getpid()).cursor() as connection:
        connection.execute("set TimeZone = 'UTC'")
        yield connection


@cache
def _database(process: int) -> duckdb.DuckDBPyConnection:  # noqa: ARG001 - a fork has none of its threads
    return duckdb.connect()
