"""`lake.partitions()` and `lake.identity()`: what carries the lake on to other systems."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pyarrow as pa
import pytest

import lake as public
from lake import lake_id
from lake.contracts import CONTRACTS
from lake.errors import ConfigError, Damaged, PartitionMissing, StoreError
from lake.partition import Partition
from lake.published import Published

RATES, REQUESTS = CONTRACTS["error_rate"], CONTRACTS["requests"]


def test_the_latest_revision_of_each_day_in_a_range(lake, publish, error_rates, day):
    """Each with its number and the digest of its bytes, oldest first; [start, stop)."""
    for n in range(3):
        publish(lake, Partition("error_rate", 1, day + timedelta(n)), error_rates(shop=n))
    publish(lake, Partition("error_rate", 1, day, revision=1), error_rates(shop=7, api=8))
    found = Published.latest(lake, RATES, day, day + timedelta(2))
    assert [(each.dt, each.revision) for each in found] == [(day, 1), (day + timedelta(1), 0)]
    assert found[0].sha256 == lake.sha256(Partition("error_rate", 1, day, revision=1))
    assert len(Published.latest(lake, RATES)) == 3


def test_rows_have_the_place_and_the_columns_of_the_contract(lake, publish, error_rates, day):
    """As the dataset's view has them: dt, columns, rev; texts are texts, though the file has dictionaries."""
    publish(lake, Partition("error_rate", 1, day, revision=2), error_rates(shop=7, api=8))
    (found,) = Published.latest(lake, RATES)
    rows = found.batches().read_all()
    assert rows.schema.types == [each.type for each in found.columns]
    assert rows.schema.names == ["dt", *RATES.schema.names, "rev"]
    assert rows.select(RATES.schema.names).cast(RATES.schema).equals(error_rates(shop=7, api=8))
    assert set(rows["dt"].to_pylist()) == {day}
    assert set(rows["rev"].to_pylist()) == {2}
    assert found.batches().read_all().equals(rows)  # as often as is wanted


def test_rows_of_a_source_say_so_and_none_are_a_stream_too(lake, publish, day):
    """A partition without rows has a digest like any other."""
    publish(lake, Partition("requests", 1, day, "web"), REQUESTS.schema.empty_table())
    (found,) = Published.latest(lake, REQUESTS)
    assert (found.source, found.revision) == ("web", 0)
    rows = found.batches().read_all()
    assert rows.num_rows == 0
    assert rows.schema.names == ["dt", "source", *REQUESTS.schema.names, "rev"]


def test_a_column_that_came_later_is_null(disk_lake, publish, error_rates, day):
    """A file that lacks it is as whole as any other."""
    publish(disk_lake, Partition("error_rate", 1, day), error_rates(shop=7))
    (found,) = Published.latest(disk_lake, RATES)
    from lake import published

    later = (*found.columns, CONTRACTS["status_mix"].columns[-1])
    partition = Partition("error_rate", 1, day)
    size = disk_lake.objects(RATES)[partition].bytes
    rows = pa.Table.from_batches(published.rows_of(disk_lake, partition, size, later))
    assert rows["requests"].to_pylist() == [None]
    assert rows.drop_columns(["requests"]).equals(found.batches().read_all())


def test_a_digest_that_was_not_recorded_is_that_of_the_bytes(disk_lake, publish, error_rates, day):
    """Earlier versions recorded no publication."""
    publish(disk_lake, Partition("error_rate", 1, day), error_rates(shop=7))
    disk_lake.store.remove(list(disk_lake.store.keys("_evidence/published/error_rate/v1/", "dt=", "dt=~")))
    (found,) = Published.latest(disk_lake, RATES)
    assert found.sha256 == disk_lake.sha256(Partition("error_rate", 1, day))


def test_what_is_gone_or_broken_is_said(disk_lake, publish, error_rates, write_foreign, day):
    """When the rows are asked for, by the name of the file."""
    for n in range(2):
        publish(disk_lake, Partition("error_rate", 1, day + timedelta(n)), error_rates(shop=n))
    gone, broken = Published.latest(disk_lake, RATES)
    disk_lake.store.remove([Partition("error_rate", 1, day).key, Partition("error_rate", 1, broken.dt).key])
    write_foreign(disk_lake.store, Partition("error_rate", 1, broken.dt).key, b"no Parquet")
    with pytest.raises(PartitionMissing, match="is not published"):
        gone.batches().read_all()
    with pytest.raises(Damaged, match="has no footer that can be read"):
        broken.batches().read_all()


def test_a_lake_has_one_id_whoever_asks_at_the_same_time(lake):
    """The first gives it, the others get the same; another lake has another."""
    with ThreadPoolExecutor(8) as askers:
        found = set(askers.map(lake_id.of, [lake] * 8))
    assert len(found) == 1
    assert lake_id.of(lake) in found


@pytest.mark.parametrize("text", [b"", b"{}", b'{"id": "x"}', b'{"id": 7}', b"\xff"])
def test_an_id_that_is_none_is_refused(lake, write_foreign, text):
    """Nothing is carried on under it."""
    write_foreign(lake.store, "_identity/lake.json", text)
    with pytest.raises(Damaged, match=r"_identity/lake\.json has no id of the lake"):
        lake_id.of(lake)


def test_the_public_functions_ask_the_lake_of_luigi_cfg(make_project, publish, error_rates, day, monkeypatch):
    """As lake.read does: by names and days, with its errors."""
    from lake.lake import Lake, open_store

    made = make_project("carried")
    config = made.folder / "luigi.cfg"
    with pytest.raises(StoreError, match="There is no lake"):
        public.partitions("error_rate", config=config)
    with pytest.raises(StoreError, match="There is no lake"):
        public.identity(config)
    publish(Lake(open_store(str(made.folder / "lake"))), Partition("error_rate", 1, day), error_rates(shop=1))
    monkeypatch.setenv("LUIGI_CONFIG_PATH", str(config))
    (found,) = public.partitions("error_rate", "2015-05-17", "2015-05-18")
    assert found.dt == day
    assert public.identity() == public.identity(config)
    with pytest.raises(ConfigError, match="No dataset 'nothing'"):
        public.partitions("nothing")
    with pytest.raises(ValueError, match="is not before stop"):
        public.partitions("error_rate", "2015-05-18", "2015-05-18")


def test_a_stream_imports_neither_pandas_nor_duckdb(make_project, publish, error_rates, day):
    """Who carries a small day on shouldn't wait for them."""
    from lake.lake import Lake, open_store

    made = make_project("light")
    publish(Lake(open_store(str(made.folder / "lake"))), Partition("error_rate", 1, day), error_rates(shop=1))
    code = (
        "import lake, sys; lake.partitions('error_rate')[0].batches().read_all(); lake.identity(); "
        "print({'pandas', 'duckdb', 'boto3', 'luigi'} & {*sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=made.folder, capture_output=True, text=True, check=True
    )
    assert done.stdout == "set()\n"
