"""Local copies: what is pulled is not asked for again, and what is not pulled is read from the lake."""

import logging
import os
import subprocess
import time
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import duckdb
import pyarrow as pa
import pytest

from lake.catalog.cache import Cache
from lake.catalog.connections import connect
from lake.catalog.pull import BATCH, pull
from lake.contracts import CONTRACTS
from lake.errors import StoreError
from lake.lake import Lake, open_store
from lake.partition import Partition
from lake.store.disk import replaced

RATES, REJECTS = CONTRACTS["error_rate"], CONTRACTS["rejects"]
QUERY = "select dt, application, server_error_requests, rev from error_rate order by all"


@pytest.fixture
def filled(lake, publish, error_rates, day):
    """A lake with three days of error rates."""
    for n in range(3):
        publish(lake, Partition("error_rate", 1, day + timedelta(n)), error_rates(shop=n, api=10))
    return lake


def pulled(lake, contract=RATES):
    """Pull a dataset; return the copies and the counts."""
    cache = Cache.of(lake)
    return cache, pull(lake, contract, cache)


def asked(lake, query=QUERY):
    """Return what the catalog answers."""
    with connect(lake) as connection:
        return connection.execute(query).fetchall()


def is_copy_asked(lake, query=QUERY):
    """Tell whether the copy is asked, and whether the lake is."""
    with connect(lake) as connection:
        ((_, plan),) = connection.execute(f"explain {query}").fetchall()
    return "SEQ_SCAN" in plan, "PARQUET" in plan or "ARROW_SCAN" in plan


def test_what_is_pulled_answers(filled):
    """The same rows, from the copy alone; a second time there is nothing to fetch."""
    before = asked(filled)
    assert len(before) == 6
    assert is_copy_asked(filled) == (False, True)
    cache, counts = pulled(filled)
    assert counts == (3, 0)
    assert is_copy_asked(filled) == (True, False)
    assert asked(filled) == before
    made = cache.path(RATES).stat().st_ino
    assert pulled(filled)[1] == (0, 0)
    assert cache.path(RATES).stat().st_ino == made
    assert [path.name for path in cache.folder.iterdir()] == [cache.path(RATES).name]


def test_bytes_that_were_changed_in_place_are_seen(disk_lake, publish, error_rates, day):
    """Though the file has the size and the time of before: the lake answers, until they are fetched."""
    partitions = [Partition("error_rate", 1, day + timedelta(n)) for n in range(2)]
    for n, each in enumerate(partitions):
        publish(disk_lake, each, error_rates(shop=n + 1))
    pulled(disk_lake)
    first, second = (Path(disk_lake.root) / each.key for each in partitions)
    found = first.stat()
    assert found.st_size == second.stat().st_size
    first.chmod(0o644)
    first.write_bytes(second.read_bytes())
    os.utime(first, ns=(found.st_atime_ns, found.st_mtime_ns))
    expected = [(day, "shop", 2, 0), (day + timedelta(1), "shop", 2, 0)]
    assert asked(disk_lake) == expected
    assert pulled(disk_lake)[1] == (1, 1)
    assert asked(disk_lake) == expected
    assert is_copy_asked(disk_lake) == (True, False)


def test_what_is_new_is_fetched_alone(filled, publish, error_rates, day):
    """Published and restated days come, superseded ones go; until then the lake answers for them."""
    pulled(filled)
    publish(filled, Partition("error_rate", 1, day + timedelta(3)), error_rates(shop=30))
    publish(filled, Partition("error_rate", 1, day, revision=1), error_rates(shop=100))
    publish(filled, Partition("error_rate", 1, day + timedelta(1), revision=1), error_rates())
    expected = [
        (day, "shop", 100, 1),
        (day + timedelta(2), "api", 10, 0),
        (day + timedelta(2), "shop", 2, 0),
        (day + timedelta(3), "shop", 30, 0),
    ]
    assert asked(filled) == expected
    assert is_copy_asked(filled) == (True, True)
    seen = []
    assert pull(filled, RATES, Cache.of(filled), seen.append) == (3, 2)
    assert seen == [3]
    assert is_copy_asked(filled) == (True, False)
    assert asked(filled) == expected


def test_history_is_not_pulled(filled, publish, error_rates, day):
    """Superseded revisions are asked of the lake as ever."""
    publish(filled, Partition("error_rate", 1, day, revision=1), error_rates(shop=100))
    pulled(filled)
    found = asked(
        filled, "select rev, server_error_requests from error_rate_history where application = 'shop' order by all"
    )
    assert found == [(0, 0), (0, 1), (0, 2), (1, 100)]


def test_a_dataset_kept_per_source(lake, publish, day):
    """Each source's partition is one of its own."""
    table = pa.Table.from_pylist(
        [{"file": "a.log", "line_number": 1, "reason": "shape", "masked_line": "xxx"}], REJECTS.schema
    )
    for source in ("web", "api"):
        publish(lake, Partition("rejects", 1, day, source), table)
    assert pulled(lake, REJECTS)[1] == (2, 0)
    publish(lake, Partition("rejects", 1, day, "web", 1), table.slice(0, 0))
    query = "select dt, source, masked_line, rev from rejects"
    assert asked(lake, query) == [(day, "api", "xxx", 0)]
    assert pulled(lake, REJECTS)[1] == (1, 1)
    assert asked(lake, query) == [(day, "api", "xxx", 0)]


def test_a_dataset_without_partitions_can_be_pulled(disk_lake, publish, error_rates, day):
    """It is an empty copy, which the first day ends."""
    publish(disk_lake, Partition("status_mix", 1, day), CONTRACTS["status_mix"].schema.empty_table())
    assert pulled(disk_lake)[1] == (0, 0)
    assert asked(disk_lake) == []
    publish(disk_lake, Partition("error_rate", 1, day), error_rates(shop=1))
    assert asked(disk_lake) == [(day, "shop", 1, 0)]


@pytest.mark.slow
def test_a_long_history_comes_in_batches(disk_lake, publish, error_rates, day):
    """Progress is told batch by batch, and nothing is lost between them."""
    for n in range(BATCH + 1):
        publish(disk_lake, Partition("error_rate", 1, day + timedelta(n)), error_rates(shop=n))
    seen = []
    assert pull(disk_lake, RATES, Cache.of(disk_lake), seen.append) == (BATCH + 1, 0)
    assert seen == [BATCH, 1]
    assert asked(disk_lake, "select sum(server_error_requests), count(distinct dt) from error_rate") == [
        (BATCH * (BATCH + 1) // 2, BATCH + 1)
    ]


def test_lakes_don_t_share_copies(disk_lake, tmp_path, publish, error_rates, day):
    """A copy is of one root alone."""
    other = Lake(open_store(str(tmp_path / "other")))
    for each, errors in ((disk_lake, 1), (other, 2)):
        publish(each, Partition("error_rate", 1, day), error_rates(shop=errors))
        pulled(each)
    assert asked(disk_lake) == [(day, "shop", 1, 0)]
    assert asked(other) == [(day, "shop", 2, 0)]


def test_a_broken_copy_is_passed_over_and_said(disk_lake, publish, error_rates, day, caplog):
    """The lake answers, with a warning that names the file; pulling says what is wrong with it."""
    publish(disk_lake, Partition("error_rate", 1, day), error_rates(shop=1))
    cache, _ = pulled(disk_lake)
    cache.path(RATES).write_bytes(b"no database")
    with caplog.at_level(logging.WARNING):
        assert asked(disk_lake) == [(day, "shop", 1, 0)]
    assert f"{cache.path(RATES)} can't be read, the lake is asked instead: IO Error" in caplog.text
    assert pulled(disk_lake)[1] == (1, 0)
    assert is_copy_asked(disk_lake) == (True, False)


def test_a_day_that_was_deleted_and_built_anew_is_fetched_anew(filled, publish, error_rates, day):
    """It has the same name and other bytes; the lake answers for it until then."""
    pulled(filled)
    partition = Partition("error_rate", 1, day + timedelta(1))
    if filled.root.startswith("s3://"):
        time.sleep(1.1)  # S3's times are whole seconds
    filled.store.remove([partition.key, *filled.store.keys("_evidence/", "", "~")])
    publish(filled, partition, error_rates(shop=500))
    expected = [(day + timedelta(1), "shop", 500, 0)]
    assert asked(filled, QUERY.replace("order", "where dt = '2015-05-18' order")) == expected
    assert pulled(filled)[1] == (1, 1)
    assert asked(filled, QUERY.replace("order", "where dt = '2015-05-18' order")) == expected
    assert is_copy_asked(filled) == (True, False)


@pytest.mark.slow
def test_a_copy_with_a_damaged_block_is_made_anew(disk_lake, publish, error_rates, day):
    """Though its list of partitions can be read."""
    many = error_rates(**{f"a{n}": n for n in range(900)})
    for n in range(60):
        publish(disk_lake, Partition("error_rate", 1, day + timedelta(n)), many)
    cache, _ = pulled(disk_lake)
    path = cache.path(RATES)
    content = bytearray(path.read_bytes())
    for block in range(3 * 4096, len(content), 256 * 1024):
        content[block + 100 : block + 200] = b"x" * 100
    path.write_bytes(content)
    assert pulled(disk_lake)[1] == (60, 0)
    assert asked(disk_lake, "select count(*) from error_rate") == [(54_000,)]


def test_what_killed_pulls_left_is_swept(disk_lake, publish, error_rates, day, monkeypatch):
    """But not what a running one is making, nor what is of another host, whose processes have other numbers."""
    publish(disk_lake, Partition("error_rate", 1, day), error_rates(shop=1))
    cache, _ = pulled(disk_lake)
    path = cache.path(RATES)
    with subprocess.Popen(["true"]) as process:
        gone = process.pid
    with replaced(path) as found:
        found.write_bytes(path.read_bytes())
        ours = found.name[: found.name.rindex("-") + 1]
    left = [path.with_name(f"{ours}{gone}.0{suffix}") for suffix in ("", ".wal")]
    made = path.with_name(f"{ours}{os.getppid()}.0")
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr("os.uname", lambda: SimpleNamespace(nodename="another"))
        with replaced(path) as found:
            found.write_bytes(path.read_bytes())
            others = path.with_name(found.name.replace(f"-{os.getpid()}.", f"-{gone}."))
    assert not others.name.startswith(ours)
    for each in (*left, made, others):
        each.touch()
    publish(disk_lake, Partition("error_rate", 1, day + timedelta(1)), error_rates(shop=1))
    pulled(disk_lake)
    assert sorted(cache.folder.iterdir()) == sorted([path, made, others])


def test_copies_lie_in_the_users_cache(disk_lake, monkeypatch, tmp_path):
    """Below a folder named as we are, where the environment names none for caches."""
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Cache.of(disk_lake).folder.parent == tmp_path / ".cache/error-rate-lake"


def test_without_a_home_there_is_no_copy(filled, monkeypatch):
    """As in many a container: the lake is asked."""
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr("os.path.expanduser", lambda path: path)
    assert len(asked(filled)) == 6
    assert is_copy_asked(filled) == (False, True)


def test_a_reader_is_not_disturbed_by_a_pull(disk_lake, publish, error_rates, day):
    """Who asks while a copy is brought up to date sees what there was when it began."""
    publish(disk_lake, Partition("error_rate", 1, day), error_rates(shop=1))
    pulled(disk_lake)
    with connect(disk_lake) as connection:
        publish(disk_lake, Partition("error_rate", 1, day, revision=1), error_rates(shop=2))
        assert pulled(disk_lake)[1] == (1, 1)
        assert connection.execute(QUERY).fetchall() == [(day, "shop", 1, 0)]
    assert asked(disk_lake) == [(day, "shop", 2, 1)]


def test_a_copy_that_can_not_be_written_is_an_error(disk_lake, publish, error_rates, day, cache_home):
    """With the place and the next step; nothing is left there."""
    publish(disk_lake, Partition("error_rate", 1, day), error_rates(shop=1))
    cache_home.write_text("a file where a folder should be")
    with pytest.raises(StoreError, match=r"Can't write the copy .*XDG_CACHE_HOME"):
        pulled(disk_lake)


def test_a_disk_that_is_full_is_an_error(disk_lake, publish, error_rates, day, monkeypatch):
    """DuckDB's first line says why."""
    publish(disk_lake, Partition("error_rate", 1, day), error_rates(shop=1))
    full = duckdb.IOException("IO Error: no space left\nStack")
    monkeypatch.setattr("lake.catalog.pull._update", lambda *_: (_ for _ in ()).throw(full))
    with pytest.raises(
        StoreError, match=r"Can't write the copy [^\n]*: IO Error: no space left\. Set XDG_CACHE_HOME"
    ):
        pulled(disk_lake)
    assert not list(Cache.of(disk_lake).folder.iterdir())


def test_a_pull_that_is_interrupted_leaves_the_copy_as_it_was(filled, publish, error_rates, day, monkeypatch):
    """And nothing beside it."""
    cache, _ = pulled(filled)
    before = cache.path(RATES).read_bytes()
    publish(filled, Partition("error_rate", 1, day + timedelta(3)), error_rates(shop=30))
    monkeypatch.setattr("lake.catalog.pull._read", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        pull(filled, RATES, cache)
    assert [path.read_bytes() for path in cache.folder.iterdir()] == [before]


def test_copies_are_for_their_owner(filled):
    """The folder can't be entered by others: what is in the lake may not be for all on this machine."""
    cache, _ = pulled(filled)
    assert cache.folder.stat().st_mode & 0o777 == 0o700
    with duckdb.connect(str(cache.path(RATES)), read_only=True) as connection:
        assert connection.execute("select count(*) from partitions").fetchone() == (3,)
