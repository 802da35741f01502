"""Who reads while others publish, restate and verify sees whole partitions, the latest or an earlier one."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event

import pyarrow.parquet as pq
import pytest

from lake.catalog.connections import connect
from lake.contracts import contract
from lake.lake import Lake, open_store
from lake.partition import Partition
from lake.verify import Scope, Verification

ERROR_RATE = contract("error_rate")
DAYS, REVISIONS, APPLICATIONS = 3, 5, 50
WHOLE = """
select dt, rev, count(*), min(server_error_requests), max(server_error_requests) from error_rate group by dt, rev
"""


@pytest.fixture
def beside(lake):
    """Opens the lake as another process would: with a client of its own."""
    return lambda: Lake(open_store(lake.root, getattr(lake.store, "endpoint_url", None)))


def by_catalog(lake, folder):
    """Yield what the catalog shows: day, revision, rows, lowest and highest figure."""
    yield from connect(lake).sql(WHOLE).fetchall()


def by_copies(lake, folder):
    """Yield the same of copies of the files."""
    for partition in lake.latest(ERROR_RATE):
        errors = pq.ParquetFile(lake.local_copy(partition, folder)).read()["server_error_requests"].to_pylist()
        yield partition.dt, partition.revision, len(errors), min(errors), max(errors)


@pytest.mark.slow
@pytest.mark.parametrize("look", [by_catalog, by_copies])
def test_readers_see_whole_partitions(lake, beside, publish, error_rates, day, tmp_path, look):  # noqa: PLR0913, PLR0917
    """Each figure of a revision is its number: all of a day's rows have the same one, which never goes down."""
    over, looked = Event(), Event()

    def read():
        there, seen, rounds = beside(), {}, 0
        while True:
            is_last = over.is_set()
            for dt, revision, *figures in look(there, tmp_path):
                assert figures == [APPLICATIONS, revision, revision]
                assert revision >= seen.get(dt, 0)
                seen[dt] = revision
            rounds += 1
            looked.set()
            if is_last:
                return seen, rounds

    def verify():
        there, found = beside(), []
        while not over.is_set():
            found += Verification(there, Scope(is_deep=True)).findings()
        return [each.what for each in found if each.what.startswith(("changed", "unreadable", "swapped"))]

    def write(n, revision):
        rows = error_rates(**{f"a{i}": revision for i in range(APPLICATIONS)})
        publish(lake, Partition("error_rate", 1, day + timedelta(n), None, revision), rows)

    write(0, 0)
    with ThreadPoolExecutor(2) as others:
        reader, verifier = others.submit(read), others.submit(verify)
        try:
            for revision in range(REVISIONS):
                for n in range(DAYS):
                    looked.clear()
                    write(n, revision)
                    looked.wait(1)
        finally:
            over.set()
        seen, rounds = reader.result(60)
        assert verifier.result(60) == []
    assert seen == {day + timedelta(n): REVISIONS - 1 for n in range(DAYS)}
    assert rounds > REVISIONS
