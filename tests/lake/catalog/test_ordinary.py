"""What `lake.connect()` returns is an ordinary DuckDB connection: the lake is in its database, not in itself."""

import gc
import threading
from datetime import timedelta

import duckdb
import pandas as pd
import pyarrow as pa
import pytest

import lake as product
from lake import sql
from lake.catalog import lasting
from lake.catalog.connections import connect
from lake.catalog.file import write
from lake.contracts import CONTRACTS
from lake.lake import Lake, open_store
from lake.partition import Partition

REJECT = {"file": "a.log", "line_number": 1, "reason": "shape", "masked_line": "xxx"}
QUERIES = (
    "from error_rate order by all",
    "from error_rate_history order by all",
    "from error_rate_files order by all",
    "from error_rate_as_of('2100-01-01') order by all",
    "from rejects",
    "from status_mix",
    "from error_rate_weekly order by all",
    "from error_rate_rolling(7) order by all",
    "select dataset, dt, source, rev, rows_kept from provenance order by all",
    "select current_setting('TimeZone')",
)


@pytest.fixture
def filled(lake, publish, error_rates, day):
    """A lake of two days of error rates, one of them restated, and a reject."""
    for n in range(2):
        publish(lake, Partition("error_rate", 1, day + timedelta(n)), error_rates(shop=n, api=10))
    publish(lake, Partition("error_rate", 1, day, revision=1), error_rates(shop=7))
    publish(lake, Partition("rejects", 1, day, "web"), pa.Table.from_pylist([REJECT], CONTRACTS["rejects"].schema))
    return lake


def answers(connection):
    """Return what it says to all queries."""
    return [connection.execute(query).fetchall() for query in QUERIES]


def test_a_cursor_sees_the_lake(filled):
    """All of it, with the same time zone, and also when what it was made by is closed, or gone."""
    connection = connect(filled)
    expected = answers(connection)
    assert [len(each) for each in expected[:2]] == [3, 5]
    cursor, further = connection.cursor(), connection.cursor()
    assert answers(cursor) == expected
    del connection
    gc.collect()
    assert answers(cursor) == expected
    cursor.close()
    assert answers(further) == expected
    further.close()


def test_threads_ask_by_cursors(filled):
    """Several at once, each by its own: every one has the whole answer."""
    with connect(filled) as connection:
        expected, found = answers(connection), []
        cursors = [connection.cursor() for _ in range(4)]
        threads = [threading.Thread(target=lambda one=one: found.append(answers(one))) for one in cursors]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        assert found == [expected] * 4


@pytest.mark.filterwarnings("ignore:pandas only supports SQLAlchemy:UserWarning")
def test_pandas_reads_sql(filled, day):
    """`pd.read_sql` asks a cursor."""
    with connect(filled) as connection:
        found = pd.read_sql(
            "select dt, server_error_requests from error_rate where application = 'shop'", connection
        )
    assert sorted(found["server_error_requests"]) == [1, 7]


def test_another_database_is_attached(filled, tmp_path):
    """Its tables are joined with the lake's views, from within it, too; macros want `use memory`."""
    with duckdb.connect(str(tmp_path / "teams.duckdb")) as other:
        other.execute("create table teams as select 'shop' as application, 'blue' as team")
    with connect(filled) as connection:
        connection.execute(f"attach {sql.quoted(str(tmp_path / 'teams.duckdb'))} as ours (read_only)")
        rows = "{}error_rate join ours.teams using (application)"
        query = f"select team, sum(server_error_requests) from {rows} group by team"
        assert connection.execute(query.format("")).fetchall() == [("blue", 8)]
        connection.execute("use ours")
        assert connection.execute(query.format("memory.")).fetchall() == [("blue", 8)]
        assert connection.execute("select count(*) from memory.error_rate_weekly").fetchone() == (3,)


def test_a_catalog_file_is_attached(disk_lake, publish, error_rates, day, tmp_path):
    """As dbt and others do: views by any name, macros after `use`."""
    publish(disk_lake, Partition("error_rate", 1, day), error_rates(shop=7))
    write(disk_lake, tmp_path / "lake.duckdb")
    with duckdb.connect() as connection:
        connection.execute(f"attach {sql.quoted(str(tmp_path / 'lake.duckdb'))} as logs (read_only)")
        assert connection.execute("select server_error_requests from logs.error_rate").fetchone() == (7,)
        assert connection.execute("select count(*) from logs.error_rate_weekly").fetchone() == (1,)
        connection.execute("use logs")
        assert connection.execute("select count(*) from error_rate_as_of('2100-01-01')").fetchone() == (1,)


def test_what_is_kept_is_ordinary_too(in_project, publish, error_rates, day):
    """Opened as it was kept, with a copy or without: a cursor sees what the connection does."""
    there = Lake.of(product._settings(None))  # noqa: SLF001 - the project's
    publish(there, Partition("error_rate", 1, day), error_rates(shop=7))
    for _ in range(2):
        with product.connect() as connection:
            expected = answers(connection)
            assert len(expected[0]) == 1
            assert answers(connection.cursor()) == expected


def test_what_is_held_for_cursors_is_let_go(s3_root, moto_url, monkeypatch):
    """Each connection of a lake on S3 lasts as long as it or a cursor of it, and not much longer."""
    held = []
    monkeypatch.setattr(lasting, "_held", held)
    there = Lake(open_store(s3_root, moto_url))
    connections = [connect(there) for _ in range(3)]
    cursor = connections[0].cursor()
    assert len(held) == 3
    connections.clear()
    gc.collect()
    with connect(there):
        assert len(held) == 2  # that one, and the cursor's
    assert cursor.execute("from error_rate").fetchall() == []
