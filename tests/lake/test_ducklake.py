"""The lake's files registered in a DuckLake, as docs/how-to/engines.md shows it: none is copied, none changed."""

import re
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import duckdb
import duckdb_extension_ducklake
import pytest

from lake.catalog.connections import connect
from lake.contracts import CONTRACTS
from lake.partition import Partition

PAGE = (Path(__file__).parent.parent.parent / "docs/how-to/engines.md").read_text(encoding="utf-8")
IS_THERE = any(Path(duckdb_extension_ducklake.__file__).parent.glob(f"extensions/v{duckdb.__version__}/*"))
pytestmark = pytest.mark.skipif(not IS_THERE, reason="DuckDB's extension is not of its version")


def example(name):
    """Return the page's code block after a marker, with the extension as it is installed here."""
    text = re.search(rf"<!-- example: {name} -->\n```\w+\n(.*?)```", PAGE, re.DOTALL)[1]
    (file,) = Path(duckdb_extension_ducklake.__file__).parent.rglob("ducklake.duckdb_extension")
    return text.replace("install ducklake", f"load '{file}'")


@pytest.fixture
def filled(disk_lake, publish, error_rates, day):
    """A lake with three days of error rates, of which the first was restated, that nobody may write to."""
    for n in range(3):
        publish(disk_lake, Partition("error_rate", 1, day + timedelta(n)), error_rates(shop=n, api=10))
    publish(disk_lake, Partition("error_rate", 1, day, revision=1), error_rates(shop=100))
    yield disk_lake
    allow(disk_lake, 0o755)


@pytest.fixture
def registered(filled, tmp_path, monkeypatch):
    """A connection to that lake and, as `ours`, to a DuckLake that was made as the page shows it."""
    monkeypatch.chdir(tmp_path)
    allow(filled, 0o555)
    with connect(filled) as connection:
        monkeypatch.setattr("lake.connect", lambda: connection)
        exec(compile(example("ducklake"), "docs/how-to/engines.md", "exec"))  # noqa: S102 - the page's own
        yield connection


def allow(lake, mode):
    """Set the mode of a lake's folders."""
    for path in (Path(lake.root), *Path(lake.root).rglob("*")):
        if path.is_dir():
            path.chmod(mode)


def digests(lake):
    """Return the digest of each file of a lake."""
    return {path: sha256(path.read_bytes()).hexdigest() for path in Path(lake.root).rglob("*.parquet")}


def asked(connection, table):
    """Return all rows of a table or view."""
    return connection.sql(f"select * from {table} order by all").to_arrow_table()


def test_it_answers_as_the_catalog_does(registered, filled, tmp_path):
    """The latest revisions' rows, with names and types; of the files none is copied, and none is changed."""
    before = digests(filled)
    found = asked(registered, "ours.error_rate")
    assert found == asked(registered, "error_rate")
    assert found.num_rows == 5
    assert digests(filled) == before
    assert list((tmp_path / "ours").rglob("*.parquet")) == []


def test_a_day_is_one_file(registered):
    """Conditions on dt prune files, although it stands in their path only."""
    ((_, plan),) = registered.execute(
        "explain analyze select application from ours.error_rate where dt = '2015-05-18'"
    ).fetchall()
    assert "Total Files Read: 1" in plan


@pytest.mark.parametrize("errors", [{"shop": 7}, {}])
def test_a_restatement_is_registered_anew(  # noqa: PLR0913, PLR0917
    filled, registered, publish, error_rates, day, errors
):
    """The old revision's rows go and the new one's come at once, also where it has none."""
    allow(filled, 0o755)
    partition = Partition("error_rate", 1, day + timedelta(1), revision=1)
    publish(filled, partition, error_rates(**errors))
    allow(filled, 0o555)
    before = digests(filled)
    text = example("ducklake restatement").replace("2026-09-17", str(partition.dt))
    text = text.replace("s3://acme-lake/lake", filled.root.replace("'", "''"))
    assert f"{filled.root}/{partition.key}".replace("'", "''") in text
    registered.execute(text)
    with connect(filled) as connection:
        expected = asked(connection, "error_rate")
    assert asked(registered, "ours.error_rate") == expected
    assert digests(filled) == before


def test_it_takes_itself_for_the_owner(registered, filled):
    """What the page warns of: after a table is dropped, its cleanup would delete the lake's files."""
    registered.execute("drop table ours.error_rate")
    registered.execute("call ducklake_expire_snapshots('ours', older_than => now() + interval 1 day)")
    listed = registered.execute("call ducklake_cleanup_old_files('ours', cleanup_all => true, dry_run => true)")
    would_go = {row["path"] for row in listed.to_arrow_table().to_pylist()}
    latest = {f"{filled.root}/{each.key}" for each in filled.latest(CONTRACTS["error_rate"])}
    assert would_go == latest
    assert all(Path(each).exists() for each in latest)
