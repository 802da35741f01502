"""`lake ls` and `lake describe`: what is in the lake."""

from dataclasses import replace
from datetime import timedelta

import pyarrow as pa
import pytest

from lake.catalog.cache import Cache
from lake.catalog.pull import pull
from lake.commands import overview
from lake.contract import Column, Contract, Input
from lake.contracts import CONTRACTS, is_everybodys
from lake.errors import StoreError
from lake.lake import Lake, open_store
from lake.partition import Partition

RATES = CONTRACTS["error_rate"]


@pytest.fixture
def filled(lake, publish, error_rates, day):
    """A lake with two days of error rates, four days apart, one of them restated twice."""
    for revision in range(3):
        publish(lake, Partition("error_rate", 1, day, revision=revision), error_rates(shop=revision))
    publish(lake, Partition("error_rate", 1, day + timedelta(4)), error_rates(shop=1))
    return lake


def test_a_dataset_is_a_line(filled):
    """Partitions, days, first and last day, superseded revisions and size; pulled, once it is."""
    found = {line.split()[0]: line.split()[1:] for line in overview.listed(filled).splitlines()}
    size = overview.size(sum(each.bytes for each in filled.objects(RATES).values())).split()
    assert found["dataset"] == ["partitions", "days", "first", "last", "superseded", "size", "pulled"]
    assert found["error_rate"] == ["2", "2", "2015-05-17", "2015-05-21", "2", *size, "-"]
    assert found["requests"] == ["0", "0", "-", "-", "0", "0", "B", "-"]
    assert found.keys() == {"dataset", *(name for name, each in CONTRACTS.items() if is_everybodys(each))}
    pull(filled, RATES, Cache.of(filled))
    (line,) = (line for line in overview.listed(filled).splitlines() if line.split()[0] == "error_rate")
    assert line.endswith("yes")


def test_a_partition_of_each_source_counts(lake, publish, day):
    """A dataset kept per source has as many partitions a day as sources, and one day."""
    for source in ("web", "api"):
        publish(lake, Partition("rejects", 1, day, source), CONTRACTS["rejects"].schema.empty_table())
    found = overview.Overview.of(lake, CONTRACTS["rejects"])
    assert (found.partitions, found.days, found.superseded) == (2, 1, 0)


def test_columns_of_the_list_are_aligned(filled):
    """Numbers to the right, words and days to the left."""
    head, *lines = overview.listed(filled).splitlines()
    for name in ("partitions", "days", "superseded", "size"):
        end = head.index(name) + len(name)
        assert all(line[end - 1] != " " and line[end] == " " for line in lines)
    for name in ("dataset", "first", "last", "pulled"):
        assert all(line[head.index(name)] != " " for line in lines)


def test_a_description_is_a_table(disk_lake):
    """Whole, of a contract as small as one can be."""
    column = Column("what", pa.string(), "text", "What it is")
    seen = replace(column, name="seen", type=pa.int64(), unit="days", nullable=True, meaning="How often")
    small = Contract(
        "small", 2, "a thing", (column, seen), ("what",), inputs=(Input("requests"), Input("rejects"))
    )
    text = overview.described(_made(disk_lake), small)
    assert text.splitlines() == [
        "small v2: a row is a thing. Key: what. Made from requests, rejects.",
        "Nothing of it is published.",
        "",
        "column  type     unit     NULL  meaning",
        "dt      date     UTC day  no    The partition's day",
        "what    string   text     no    What it is",
        "seen    int64    days     yes   How often",
        "rev     integer  number   no    Revision: 0, or that of a restatement",
    ]
    bare = overview.described(disk_lake, replace(small, key=(), inputs=()))
    assert bare.startswith("small v2: a row is a thing. Key: none, rows are events. Made from raw files.\n")


@pytest.mark.parametrize("name", CONTRACTS)
def test_a_dataset_is_described_by_its_contract(disk_lake, name):
    """Grain, key, inputs, and a line for each column that its view has, in that order."""
    contract = CONTRACTS[name]
    text = overview.described(_made(disk_lake), contract)
    assert contract.grain in text
    assert "Nothing of it is published." in text
    lines = text.splitlines()[4:]
    assert [line.split()[0] for line in lines] == [
        "dt",
        *(["source"] if contract.per_source else []),
        *contract.schema.names,
        "rev",
    ]
    for column in contract.columns:
        assert any(column.meaning in line and column.unit in line for line in lines)


def test_what_is_there_is_described(filled):
    """Days, revisions and size stand above the columns."""
    size = overview.size(sum(each.bytes for each in filled.objects(RATES).values()))
    expected = f"2 partitions of 2 days, 2015-05-17 … 2015-05-21, and 2 superseded revisions: {size}."
    assert overview.described(filled, RATES).splitlines()[1] == expected


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1 kB"),
        (999_600, "1 MB"),
        (25_843_000, "25.8 MB"),
        (3e9, "3 GB"),
        (2e15, "2,000 TB"),
    ],
)
def test_sizes_are_read_by_people(count, text):
    """In decimal units, three digits."""
    assert overview.size(count) == text


def test_there_has_to_be_a_lake(tmp_path):
    """A root that is not there is an error, and no empty lake."""
    with pytest.raises(StoreError, match="There is no lake at"):
        overview.listed(Lake(open_store(str(tmp_path / "gone"))))


def _made(lake):
    """Return a lake whose root is there."""
    with lake.staging():
        return lake
