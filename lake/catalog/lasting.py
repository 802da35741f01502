"""Keeps a connection as long as its cursors: by way of it DuckDB reads the Arrow datasets that it was given.

A cursor may outlive its connection, as in `lake.connect().cursor()`: then it would read memory that was freed.
"""

import atexit
import os
from contextlib import suppress
from functools import cache
from threading import Lock
from weakref import WeakSet

import duckdb

_held: list[tuple[int, duckdb.DuckDBPyConnection]] = []
_cursors: WeakSet[duckdb.DuckDBPyConnection] = WeakSet()
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
        _close_at_exit()
        cursor = connection.cursor()
        _cursors.add(cursor)
    return cursor


def _is_alone(connection: duckdb.DuckDBPyConnection) -> bool:
    return connection.execute("from duckdb_connection_count()").fetchone() == (1,)


@cache
def _close_at_exit() -> None:
    """Have all be closed at exit before the store, which is there by now, lets Arrow's threads read no more."""
    atexit.register(_close)


def _close() -> None:
    """Close what is held, and what of it is half read: Arrow's threads must be done before Python ends."""
    for each in list(_cursors):
        with suppress(duckdb.Error):
            each.execute("select 1")  # which ends the answer before, whoever still holds that
            each.close()
    for process, connection in _held:
        if process == os.getpid():
            connection.close()
    _held.clear()
