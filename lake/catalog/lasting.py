"""Keeps a connection as long as its cursors: by way of it DuckDB reads the Arrow datasets that it was given.

A cursor may outlive its connection, as in `lake.connect().cursor()`: then it would read memory that was freed.
"""

import atexit
import os
from threading import Lock

import duckdb

_held: list[tuple[int, duckdb.DuckDBPyConnection]] = []
_lock = Lock()


def lasting(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """Return a cursor of a connection, which is held until its database has no other one.

    Those that nobody uses any more are closed when the next one is made, and at the end.
    """
    process = os.getpid()  # what another one has opened hangs here
    with _lock:
        for each in [each for each in _held if each[0] == process and _is_alone(each[1])]:
            _held.remove(each)
            each[1].close()
        _held.append((process, connection))
    return connection.cursor()


def _is_alone(connection: duckdb.DuckDBPyConnection) -> bool:
    return connection.execute("from duckdb_connection_count()").fetchone() == (1,)


def _close() -> None:
    """Close what is held, and with it its cursors, while Arrow's threads may still call Python."""
    for process, connection in _held:
        if process == os.getpid():
            connection.close()
    _held.clear()


atexit.register(_close)
