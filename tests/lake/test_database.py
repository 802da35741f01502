"""The database in memory that a process makes once."""

import subprocess
import sys

import duckdb
import pytest

from lake.database import connected

FORK = """
import os
from lake.database import connected
with connected() as connection:
    print(connection.sql("select 1").fetchone(), flush=True)
    child = os.fork()
    if not child:
        with connected() as another:
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
    """It would wait for ever for the threads of its parent's."""
    done = subprocess.run([sys.executable, "-c", FORK], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout.split("\n") == ["(1,)", "(499999500000,)", ""]
