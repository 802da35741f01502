"""The lake, on disk and on S3: publish, list, read."""

import hashlib
import re
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta

import boto3
import pyarrow.parquet as pq
import pytest
from moto.core import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends

from lake.contracts import contract
from lake.errors import PartitionExists, PartitionMissing, StoreError
from lake.lake import Lake, latest, open_store
from lake.partition import Partition
from lake.store.s3_client import split_url

ERROR_RATE, REQUESTS = contract("error_rate"), contract("requests")
TEN_YEARS = 3650


def test_a_partition_is_published_once(lake, publish, error_rates, day):
    """The first publication says so; the same rows again are a success that publishes nothing."""
    partition = Partition("error_rate", 1, day)
    assert not lake.exists(partition)
    assert [publish(lake, partition, error_rates(shop=1)) for _ in range(2)] == [True, False]
    assert lake.exists(partition)
    assert lake.partitions(ERROR_RATE) == [partition]


def test_a_partition_is_never_changed(lake, publish, error_rates, day, tmp_path):
    """Other rows are refused, with the partition and both digests in the message, and the first ones stay."""
    partition = Partition("error_rate", 1, day)
    publish(lake, partition, error_rates(shop=1))
    before = lake.sha256(partition)
    with pytest.raises(PartitionExists, match=r"^error_rate v1 2015-05-17: ") as refusal:
        publish(lake, partition, error_rates(shop=2))
    assert before in str(refusal.value)
    assert len(set(re.findall(r"[0-9a-f]{64}", str(refusal.value)))) == 2
    copy = lake.local_copy(partition, tmp_path)
    assert pq.ParquetFile(copy).read().equals(error_rates(shop=1))
    assert lake.sha256(partition) == before == hashlib.sha256(copy.read_bytes()).hexdigest()


def test_a_partition_says_what_it_was_made_from(lake, publish, error_rates, provenance_of, day):
    """The provenance of a published partition is the one it was published with."""
    partition = Partition("error_rate", 1, day)
    publish(lake, partition, error_rates(shop=1))
    assert lake.provenance(partition) == provenance_of(partition, 1)


def test_a_missing_partition_is_named(lake, day):
    """What isn't published has no digest and no provenance, and the message names its key."""
    partition = Partition("requests", 1, day, "web")
    for ask in (lake.sha256, lake.provenance):
        with pytest.raises(PartitionMissing, match=partition.key):
            ask(partition)


def test_nothing_is_listed_before_publication(lake, error_rates, day, provenance_of):
    """A finished file that was not published is no partition, and leaves nothing behind."""
    with lake.staging() as folder, lake.writer(ERROR_RATE, day, folder) as writer:
        writer.write(error_rates(shop=1))
        writer.finish(provenance_of(Partition("error_rate", 1, day)))
        assert lake.partitions(ERROR_RATE) == []
    assert not folder.exists()


@pytest.fixture
def some(lake, create, day):
    """A lake with three days of requests from two sources, some restated; published in no order."""
    keys = [(2, "web", 0), (0, "web", 10), (0, "web", 9), (0, "api", 0), (1, "web", 0), (0, "web", 0)]
    for days, source, revision in keys:
        create(lake.store, Partition("requests", 1, day + timedelta(days), source, revision).key, b"")
    return lake


def listed(day, partitions):
    """Return day, source and revision of partitions."""
    return [((p.dt - day).days, p.source, p.revision) for p in partitions]


@pytest.mark.parametrize(
    ("start", "stop", "expected"),
    [
        (None, None, [(0, "api", 0), (0, "web", 0), (0, "web", 9), (0, "web", 10), (1, "web", 0), (2, "web", 0)]),
        (1, None, [(1, "web", 0), (2, "web", 0)]),
        (None, 1, [(0, "api", 0), (0, "web", 0), (0, "web", 9), (0, "web", 10)]),
        (1, 2, [(1, "web", 0)]),
        (1, 1, []),
        (2, 1, []),
        (-5, 0, []),
        (3, 9, []),
    ],
)
def test_partitions_are_listed_by_range(some, day, start, stop, expected):
    """A listing has the days [start, stop), oldest first, revisions in numerical order."""
    start, stop = (None if n is None else day + timedelta(n) for n in (start, stop))
    assert listed(day, some.partitions(REQUESTS, start, stop)) == expected


def test_the_latest_revision_is_the_highest_number(some, day):
    """Revision 10 comes after 9, for each source by itself."""
    assert listed(day, some.latest_of_day(REQUESTS, day)) == [(0, "api", 0), (0, "web", 10)]
    assert listed(day, some.latest(REQUESTS)) == [(0, "api", 0), (0, "web", 10), (1, "web", 0), (2, "web", 0)]


def test_the_latest_of_some_is_whatever_their_order(day):
    """In the order of each partition's first; the highest number may come before another."""
    some = [
        Partition("error_rate", 1, day + timedelta(n), revision=number) for n, number in ((1, 10), (0, 0), (1, 9))
    ]
    assert listed(day, latest(some)) == [(1, None, 10), (0, None, 0)]


def test_a_newer_revision_is_the_latest_one(some, day):
    """None if there is none above this one, or none at all."""
    first = Partition("requests", 1, day, "web")
    assert some.newer(first) == replace(first, revision=10)
    assert some.newer(replace(first, revision=10)) is None
    assert some.newer(replace(first, dt=day - timedelta(1))) is None


@pytest.mark.parametrize(
    "key",
    [
        "requests/v1/dt=2015-05-17/rev=0/part-0.parquet",
        "requests/v1/dt=2015-05-17/source=web/rev=00/part-0.parquet",
        "requests/v1/dt=2015-05-17/source=web/rev=0/part-0.parquet.crc",
        "requests/v1/dt=2015-05-17/source=web/part-0.parquet",
        "requests/v1/dt=2015-05-32/source=web/rev=0/part-0.parquet",
        "requests/v1/README",
        "requests/v2/dt=2015-05-17/source=web/rev=0/part-0.parquet",
        "requests/v10/dt=2015-05-17/source=web/rev=0/part-0.parquet",
        "requests_old/v1/dt=2015-05-17/source=web/rev=0/part-0.parquet",
    ],
)
def test_foreign_keys_are_passed_over(lake, create, write_foreign, day, key):
    """What others put beside the partitions, or another dataset or version, is not listed, and stops nothing."""
    partition = Partition("requests", 1, day, "web", 1)
    create(lake.store, partition.key, b"")
    write_foreign(lake.store, key, b"")
    assert lake.partitions(REQUESTS) == [partition]


def test_a_dataset_without_sources_has_none(lake, create, day):
    """A key with a source is foreign to a dataset that is not kept per source."""
    create(lake.store, Partition("error_rate", 1, day, "web").key, b"")
    assert lake.partitions(ERROR_RATE) == []


@pytest.mark.usefixtures("only_moto")
def test_ten_years_are_one_listing(s3_root, moto_url, monkeypatch, day):
    """S3 is asked once per 1,000 keys, and once for a month of them."""
    bucket, prefix = split_url(s3_root)
    backend = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]  # directly, since 3,650 requests take long
    days = [day + timedelta(n) for n in range(TEN_YEARS)]
    for each in days:
        backend.put_object(bucket, f"{prefix}/{Partition('error_rate', 1, each).key}", b"")
    calls = []

    def client(endpoint_url):
        made = boto3.client("s3", endpoint_url=endpoint_url)
        made.meta.events.register("before-call.s3", lambda model, **_: calls.append(model.name))
        return made

    monkeypatch.setattr("lake.store.s3.client", client)
    ten_years = Lake(open_store(s3_root, moto_url))
    assert [p.dt for p in ten_years.latest(ERROR_RATE)] == days
    assert calls == ["ListObjectsV2"] * 4
    calls.clear()
    assert [p.dt for p in ten_years.latest(ERROR_RATE, days[1000], days[1031])] == days[1000:1031]
    assert calls == ["ListObjectsV2"]


def test_ten_years_are_found_on_disk(disk_lake, day):
    """A month out of ten years on disk is just that month."""
    for n in range(TEN_YEARS // 10):
        disk = Partition("error_rate", 1, day + timedelta(10 * n))
        path = disk_lake.store.filesystem()[1] + "/" + disk.key
        disk_lake.store.filesystem()[0].create_dir(path.rpartition("/")[0])
        disk_lake.store.filesystem()[0].open_output_stream(path).close()
    found = disk_lake.partitions(ERROR_RATE, day + timedelta(1000), day + timedelta(1031))
    assert [(p.dt - day).days for p in found] == [1000, 1010, 1020, 1030]


def test_a_restatement_supersedes_the_revision_before(lake, create, day):
    """The first publication supersedes nothing, the next one the digest of the one before."""
    partition = Partition("error_rate", 1, day)
    create(lake.store, partition.key, b"one")
    assert lake.superseded(partition) is None
    assert lake.superseded(replace(partition, revision=3)) == hashlib.sha256(b"one").hexdigest()


def test_a_later_revision_is_as_good(lake, create, day):
    """A partition is there if this revision is or a later one, and not if only an earlier one is."""
    partition = Partition("error_rate", 1, day, revision=2)
    create(lake.store, partition.key, b"one")
    there = [lake.exists(replace(partition, revision=number)) for number in range(4)]
    assert there == [True, True, True, False]


def test_footers_are_read_in_the_order_they_are_asked_for(lake, publish, error_rates, day):
    """Several at once: what each file says of itself."""
    partitions = [Partition("error_rate", 1, day + timedelta(n)) for n in range(12)]
    for n, each in enumerate(partitions):
        publish(lake, each, error_rates(**{f"a{i}": 0 for i in range(n)}))
    footers = lake.footers(partitions[::-1])
    assert [each.rows for each in footers] == list(range(12))[::-1]
    assert [each.provenance.dt for each in footers] == [str(each.dt) for each in partitions[::-1]]
    assert footers[0].schema.equals(ERROR_RATE.schema)


@pytest.mark.parametrize("content", [b"", b"no Parquet at all", None], ids=["empty", "text", "no provenance"])
def test_a_footer_that_can_not_be_read_is_named(lake, write_foreign, day, tmp_path, content):
    """A broken file is an error of the lake, which nothing here repairs; it is not taken for a missing one."""
    partition = Partition("error_rate", 1, day)
    if content is None:
        pq.write_table(ERROR_RATE.schema.empty_table(), tmp_path / "other")
        content = (tmp_path / "other").read_bytes()
    write_foreign(lake.store, partition.key, content)
    with pytest.raises(StoreError, match="has no footer that can be read") as failure:
        lake.footers([partition])
    assert str(failure.value).startswith(f"{lake.root}/{partition.key} ")
    assert "bring the object back from a copy" in str(failure.value)


def test_footers_are_read_at_the_end_of_a_process(disk_lake, publish, error_rates, day):
    """Where no thread can be begun any more, they are read one after the other: ranges report there."""
    partition = Partition("error_rate", 1, day)
    publish(disk_lake, partition, error_rates(shop=1))
    program = f"""
import atexit
from lake.lake import Lake, open_store
from lake.partition import Partition
made = Lake(open_store({disk_lake.root!r}))
atexit.register(lambda: print(made.footers([Partition.parse({partition.key!r})] * 2)[1].provenance.dt))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == (f"{day}\n", "")


def test_a_days_file_is_named_after_it(lake, day, tmp_path):
    """Several days may wait in one staging folder, and no glob for Parquet sees them."""
    writers = [lake.writer(each, day, tmp_path) for each in (ERROR_RATE, REQUESTS)]
    writers.append(lake.writer(REQUESTS, day + timedelta(1), tmp_path))
    assert len({each.path for each in writers}) == 3
    assert {each.path.parent for each in writers} == {tmp_path}
    assert not [each.path for each in writers if each.path.suffix == ".parquet"]
    assert [(each.contract, each.day) for each in writers[1:]] == [(REQUESTS, day), (REQUESTS, day + timedelta(1))]


def test_a_journal_lies_beside_the_datasets(lake):
    """Under a name that readers of datasets pass over."""
    lake.journal("notes").write("2015/one", "text")
    assert list(lake.store.keys("", "", "~")) == ["_notes/2015/one"]
    assert list(lake.journal("notes").names()) == ["2015/one"]


def test_a_source_of_another_name_is_another_partition(lake, create, day):
    """Neither is there because of the other, nor supersedes it."""
    web, web_2 = Partition("requests", 1, day, "web"), Partition("requests", 1, day, "web-2", 1)
    create(lake.store, web.key, b"one")
    assert lake.exists(web)
    assert not lake.exists(replace(web_2, revision=0))
    assert lake.superseded(web_2) is None


def test_the_revision_before_is_the_highest_below(lake, create, day):
    """10 over 9, and whatever came later doesn't count."""
    for revision, content in ((9, b"nine"), (10, b"ten"), (12, b"twelve")):
        create(lake.store, Partition("error_rate", 1, day, revision=revision).key, content)
    superseded = lake.superseded(Partition("error_rate", 1, day, revision=11))
    assert superseded == hashlib.sha256(b"ten").hexdigest()


def test_foreign_keys_below_a_partition_are_no_revision(lake, write_foreign, day):
    """Neither make it exist, nor are superseded."""
    partition = Partition("error_rate", 1, day, revision=1)
    write_foreign(lake.store, f"{partition.folder}rev=00/part-0.parquet", b"")
    write_foreign(lake.store, f"{partition.folder}rev=7/other", b"")
    assert not lake.exists(partition)
    assert lake.superseded(partition) is None
