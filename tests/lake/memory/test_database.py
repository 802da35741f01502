"""The databases in memory that a process makes once."""

import subprocess
import sys
from contextlib import suppress

import duckdb
import pytest

from lake.memory.database import LITTLE, connected, prepared

FORK = """
import os
from lake.memory.database import connected, prepared
with prepared("kept", lambda _: None, 0):
    pass
tables = "select count(*) from duckdb_tables()"
with connected() as connection:
    connection.execute("create table of_the_parent (i int)")
    print(connection.sql(tables).fetchone(), flush=True)
    child = os.fork()
    if not child:
        with connected() as another:
            print(another.sql("select sum(i) from range(1000000) as t(i)").fetchone(), flush=True)
            print(another.sql(tables).fetchone(), flush=True)
        with prepared("kept", lambda _: print("prepared anew"), 0) as another:
            print(another.sql("select sum(i) from range(1000000) as t(i)").fetchone(), flush=True)
        os._exit(0)
    os.waitpid(child, 0)
"""


def test_connections_have_views_of_their_own():
    """What one makes, another doesn't see; times are UTC."""
    with connected() as one, connected() as another:
        one.execute("create temporary view v as select 1")
        with pytest.raises(duckdb.CatalogException):
            another.execute("from v")
        another.execute("create temporary view v as select 2")
        assert one.sql("from v").fetchone() == (1,)
        assert one.sql("select current_setting('TimeZone')").fetchone() == ("UTC",)


def test_a_fork_has_a_database_of_its_own():
    """It could wait for ever for the threads of its parent's."""
    done = subprocess.run([sys.executable, "-c", FORK], capture_output=True, text=True, check=True, timeout=30)
    expected = ["(1,)", "(499999500000,)", "(0,)", "prepared anew", "(499999500000,)", ""]
    assert done.stdout.split("\n") == expected


def test_a_process_has_one_database():
    """What is made for all of it is seen by each connection; opening another would take as long as a small day."""
    with connected() as one, connected() as another:
        one.execute("create table shared_by_all as select 1 as n")
        try:
            assert another.sql("from shared_by_all").fetchone() == (1,)
        finally:
            one.execute("drop table shared_by_all")


def test_what_is_little_is_done_by_one_thread():
    """In a database of its own, since the number of threads is that of a database."""
    counts = []
    for size in (None, LITTLE + 1, LITTLE):
        with connected(size) as connection:
            counts += connection.sql("select current_setting('threads')").fetchone()
            assert connection.sql("select current_setting('TimeZone')").fetchone() == ("UTC",)
    assert counts[0] == counts[1] == duckdb.sql("select current_setting('threads')").fetchone()[0]
    assert counts[2] == 1


def test_a_prepared_connection_is_kept():
    """Who wants the same gets what is made on it; who wants it meanwhile, or something else, gets another."""
    made = []

    def prepare(connection: duckdb.DuckDBPyConnection) -> None:
        made.append(connection)
        connection.execute(f"create temporary macro number() as {len(made)}")

    def number(connection: duckdb.DuckDBPyConnection) -> int:
        return connection.sql("select number()").fetchone()[0]

    with prepared("kept", prepare, 0) as one, prepared("kept", prepare, 0) as another:
        assert (number(one), number(another)) == (1, 2)
    with prepared("kept", prepare, 0) as again, prepared("something else", prepare, 0) as other:
        assert again in made[:2]
        assert number(other) == 3


def test_a_prepared_connection_is_not_kept_after_an_error():
    """Nobody knows in what state it is."""
    made = []

    def use(error: type[BaseException] | None) -> None:
        with prepared("after an error", made.append, 0):
            if error:
                raise error

    for error in (None, KeyboardInterrupt, None, None):
        with suppress(KeyboardInterrupt):
            use(error)
    assert len(made) == 2
    with pytest.raises(duckdb.ConnectionException):
        made[0].sql("select 1")
