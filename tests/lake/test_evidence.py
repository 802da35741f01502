"""Records of publication: one a publication, named after all that it says."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lake import evidence
from lake.contracts import CONTRACTS
from lake.errors import PartitionExists
from lake.evidence import Evidence, Publication, publications
from lake.lake import Lake
from lake.partition import NAME, Partition

names = st.from_regex(NAME, fullmatch=True)
partitions = st.builds(
    Partition, names, st.integers(1, 999_999), st.dates(), st.none() | names, st.integers(0, 999_999)
)
records = st.builds(
    Evidence,
    partitions.map(lambda each: each.key),
    st.text("0123456789abcdef", min_size=64, max_size=64),
    st.integers(0, 10**15),
)
NAME_OF_ONE = f"_evidence/error_rate/v1/dt=2015-05-17_rev=0_{'0' * 64}_12.json"


@given(records)
def test_a_name_says_all_that_was_recorded(record):
    """Whatever the partition, its record is read back from the record's name."""
    assert Evidence.parse(record.name) == record


@given(records, st.datetimes(datetime(1970, 1, 1), datetime(2999, 12, 31), timezones=st.just(UTC)))
def test_a_name_says_what_won_and_when(record, at):
    """To the microsecond; neither kind of record is taken for the other."""
    published = Publication(record, at)
    assert Publication.parse(published.name) == published
    assert Evidence.parse(published.name) is None
    assert Publication.parse(record.name) is None


def test_the_convention_of_records():
    """The names are as the documentation has them, for policies of buckets rely on them."""
    digest = "ab" * 32
    key = Partition.parse("requests/v1/dt=2015-05-17/source=web_2/rev=3/part-0.parquet").key
    assert (
        Evidence(key, digest, 7).name == f"_evidence/requests/v1/dt=2015-05-17_source=web_2_rev=3_{digest}_7.json"
    )


@pytest.mark.parametrize(
    "name",
    [
        NAME_OF_ONE + "x",
        "x" + NAME_OF_ONE,
        NAME_OF_ONE.replace("_12", ""),
        NAME_OF_ONE.replace("_12", "_१"),
        NAME_OF_ONE.replace("_0000", "_000"),
        NAME_OF_ONE.replace("0000_", "000A_"),
        NAME_OF_ONE.replace("05-17", "02-30"),
        NAME_OF_ONE.replace("/v1", "/v0"),
        NAME_OF_ONE.replace("rev=0", "rev=00"),
        NAME_OF_ONE.replace("error_rate", "Error_rate"),
        NAME_OF_ONE.replace("_rev", "_source=_rev"),
    ],
)
def test_other_names_are_no_records(name):
    """What follows another convention, or names no partition, says nothing."""
    assert Evidence.parse(NAME_OF_ONE) == Evidence(
        "error_rate/v1/dt=2015-05-17/rev=0/part-0.parquet", "0" * 64, 12
    )
    assert Evidence.parse(name) is None


def test_a_publication_leaves_its_record(lake, publish, error_rates, day, tmp_path):
    """Once, whatever it is asked for again: key, digest and size, for people to read as JSON."""
    partition = Partition("error_rate", 1, day)
    for _ in range(2):
        publish(lake, partition, error_rates(shop=1))
    name, won = lake.store.keys("_evidence/", "", "~")
    record = Evidence.parse(name)
    assert record.key == partition.key
    assert record.sha256 == lake.sha256(partition)
    assert record.bytes == lake.local_copy(partition, tmp_path).stat().st_size
    text = lake.store.local_copy(name, tmp_path).read_text(encoding="utf-8")
    assert (
        text
        == json.dumps({"bytes": record.bytes, "key": record.key, "sha256": record.sha256}, sort_keys=True) + "\n"
    )

    (published,) = publications(lake.store, CONTRACTS["error_rate"])
    assert published == Publication.parse(won)
    assert published.what == record
    assert lake.store.local_copy(won, tmp_path).read_text(encoding="utf-8") == text


def test_a_publication_that_nobody_recorded_is_recorded_by_who_asks_for_it_again(lake, publish, error_rates, day):
    """With the time of what is there; what lost a race is never said to have won."""
    partition = Partition("error_rate", 1, day)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evidence, "confirm", lambda *_: None)
        publish(lake, partition, error_rates(shop=1))
    assert lake.published(CONTRACTS["error_rate"]) == {}
    publish(lake, partition, error_rates(shop=1))
    with pytest.raises(PartitionExists):
        publish(lake, partition, error_rates(shop=2))
    (stored,) = lake.objects(CONTRACTS["error_rate"]).values()
    assert lake.published(CONTRACTS["error_rate"]) == {partition: stored.published}
    (published,) = publications(lake.store, CONTRACTS["error_rate"])
    assert published.what.sha256 == lake.sha256(partition)


def test_a_record_comes_before_the_partition(lake, publish, error_rates, day):
    """So a writer that is cut off in between leaves a record, and never a partition without one."""
    made = []

    class Watched(Lake):
        def __init__(self, below):
            super().__init__(below.store)

    watched = Watched(lake)
    create = lake.store.create
    lake.store.create = lambda key, file: made.append(key) or create(key, file)
    publish(watched, Partition("error_rate", 1, day), error_rates(shop=1))
    assert [key.partition("/v1")[0] for key in made] == [
        "_evidence/error_rate",
        "error_rate",
        "_evidence/published/error_rate",
    ]
