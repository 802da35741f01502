"""`format("lake")`: Spark reads what `lake.read` returns, on disk and on S3, of the days that are asked for."""

import json
import subprocess
import sys
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pyarrow as pa
import pytest

from lake.catalog import connections
from lake.contracts import CONTRACTS
from lake.errors import ConfigError
from lake.partition import Partition
from lake.spark import Decided, _dataset, _decided, _partitions, _place, _rows


@dataclass
class EqualTo:
    """As Spark has it, which may not be here."""

    attribute: tuple[str, ...]
    value: Any


@dataclass
class StringContains(EqualTo):
    """Likewise; no partition's name decides it."""


@pytest.fixture
def filled(lake, publish, error_rates, day):
    """A lake of three days of error_rate, the second one restated to another figure."""
    for n in range(3):
        publish(lake, Partition("error_rate", 1, day + timedelta(n)), error_rates(shop=n))
    publish(lake, Partition("error_rate", 1, day + timedelta(1), revision=1), error_rates(shop=100, api=7))
    for source in ("web", "api"):
        publish(lake, Partition("rejects", 1, day, source), CONTRACTS["rejects"].schema.empty_table())
    return lake


def days_of(found):
    """Return day and revision of partitions."""
    return [(each.dt.day, each.revision) for each, _ in found]


@pytest.mark.parametrize(
    ("decided", "expected"),
    [
        ((), [(17, 0), (18, 1), (19, 0)]),
        ((Decided("EqualTo", "dt", date(2015, 5, 18)),), [(18, 1)]),
        (
            (Decided("GreaterThan", "dt", date(2015, 5, 17)), Decided("LessThan", "dt", date(2015, 5, 19))),
            [(18, 1)],
        ),
        ((Decided("GreaterThanOrEqual", "dt", date(2015, 5, 18)),), [(18, 1), (19, 0)]),
        ((Decided("LessThanOrEqual", "dt", date(2015, 5, 18)),), [(17, 0), (18, 1)]),
        ((Decided("In", "dt", (date(2015, 5, 17), date(2015, 5, 19))),), [(17, 0), (19, 0)]),
        ((Decided("EqualTo", "rev", 0),), [(17, 0), (19, 0)]),
        ((Decided("GreaterThan", "dt", date(2015, 6, 1)), Decided("LessThan", "dt", date(2015, 5, 1))), []),
    ],
)
def test_days_that_are_not_asked_for_are_not_listed(filled, decided, expected):
    """Of the others, the latest revisions are read."""
    assert days_of(_partitions(filled, "error_rate", decided)) == expected


def test_a_source_is_a_partition_too(filled):
    """A condition on it leaves the files of the other sources alone."""
    (found,) = _partitions(filled, "rejects", (Decided("EqualTo", "source", "web"),))
    assert found[0].source == "web"


def test_shards_are_their_source(lake, publish, day):
    """A condition on a source takes all of its shards, whose rows are those of the source."""
    row = {"file": "a.log", "line_number": 1, "reason": "shape", "masked_line": "xxx"}
    table = pa.Table.from_pylist([row], CONTRACTS["rejects"].schema)
    for source in ("web.0of2", "web.1of2"):
        publish(lake, Partition("rejects", 1, day, source), table)
    found = _partitions(lake, "rejects", (Decided("EqualTo", "source", "web"),))
    assert [each.source for each, _ in found] == ["web.0of2", "web.1of2"]
    (batch,) = _rows(lake, "rejects", found[0])
    assert batch.column("source").to_pylist() == ["web"]


def test_filters_are_taken_that_names_decide():
    """Others stay with Spark, such as those of columns in the files, or of another kind."""
    day = date(2015, 5, 17)
    assert _decided(EqualTo(("dt",), day), "error_rate") == Decided("EqualTo", "dt", day)
    assert _decided(EqualTo(("source",), "web"), "error_rate") is None
    assert _decided(EqualTo(("source",), "web"), "requests") is not None
    assert _decided(EqualTo(("application",), "shop"), "error_rate") is None
    assert _decided(EqualTo(("dt", "year"), 2015), "error_rate") is None
    assert _decided(StringContains(("source",), "w"), "requests") is None


def test_rows_are_those_of_the_files(filled):
    """With the columns of the path; no partition has none."""
    (part,) = _partitions(filled, "error_rate", (Decided("EqualTo", "dt", date(2015, 5, 18)),))
    (batch,) = _rows(filled, "error_rate", part)
    assert batch.column("server_error_requests").to_pylist() == [100, 7]
    assert set(batch.column("rev").to_pylist()) == {1}
    assert set(batch.column("dt").to_pylist()) == {date(2015, 5, 18)}
    assert all(field.nullable for field in batch.schema)
    assert list(_rows(filled, "error_rate", None)) == []


def test_a_lake_is_the_one_that_is_named(in_project, tmp_path):
    """By options, or by luigi.cfg: the current one, or one that is named."""
    other = tmp_path / "other"
    other.mkdir()
    (in_project.folder / "lake").mkdir()
    assert _place({}) == (str(in_project.folder / "lake"), None)
    assert _place({"root": str(other)}) == (str(other), None)
    assert _place({"config": str(in_project.folder / "luigi.cfg")}) == (str(in_project.folder / "lake"), None)


ON_SPARK = """
import json, sys
from pathlib import Path

from pyspark.sql import SparkSession

import lake.spark

root, endpoint_url = sys.argv[1:3]
settings = {
    "spark.ui.enabled": "false",
    "spark.driver.host": "127.0.0.1",
    "spark.sql.session.timeZone": "America/New_York",
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
}
spark = SparkSession.builder.master("local[1]").config(map=settings).getOrCreate()
lake.spark.register(spark)
reader = spark.read.format("lake").option("root", root)
if endpoint_url:
    reader = reader.option("endpoint_url", endpoint_url)
rows = reader.load("error_rate")
later = rows.where("dt >= date'2015-05-18' and application = 'shop'")
told = {
    "columns": [[each.name, each.metadata["comment"]] for each in rows.schema.fields],
    "rows": [list(map(str, each)) for each in rows.orderBy("dt", "application").collect()],
    "partitions": [rows.rdd.getNumPartitions(), later.rdd.getNumPartitions()],
    "later": [str(each.dt) for each in later.orderBy("dt").collect()],
    "none": rows.where("dt = date'2099-01-01'").count(),
    "rejects": reader.load("rejects").count(),
}
try:
    reader.option("rot", "x").load("error_rate").count()
except Exception as error:
    told["wrong"] = str(error)
print(json.dumps(told))
"""


@pytest.mark.spark
def test_spark_reads_the_latest_revisions(spark, filled, moto_url, tmp_path, monkeypatch):
    """The same rows as `read`, with the contract's comments, of files of the days asked for."""
    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
    endpoint = moto_url if filled.root.startswith("s3://") else ""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", ON_SPARK, filled.root, endpoint],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    told = json.loads(done.stdout.splitlines()[-1])
    rows = connections.read(filled, CONTRACTS["error_rate"], None, None)
    assert [name for name, _ in told["columns"]] == rows.schema.names
    assert dict(told["columns"])["dt"] == "The partition's day [UTC day]"
    rows = rows.sort_by([("dt", "ascending"), ("application", "ascending")])
    assert told["rows"] == [[str(value) for value in row.values()] for row in rows.to_pylist()]
    assert told["partitions"] == [3, 2]
    assert told["later"] == ["2015-05-18", "2015-05-19"]
    assert (told["none"], told["rejects"]) == (0, 0)
    assert "ConfigError: Unknown option 'rot'. Known ones: path, config, root, endpoint_url." in told["wrong"]
    assert "Did you mean 'root'?" in told["wrong"]


def test_an_unknown_dataset_is_an_error():
    """It names those that there are; so does a missing one, with what to write."""
    with pytest.raises(ConfigError, match="No dataset 'error_rat'"):
        _dataset({"path": "error_rat"})
    with pytest.raises(ConfigError, match="Name a dataset"):
        _dataset({})
