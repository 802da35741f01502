"""`lake.connect()` and `lake.read()`: what a notebook needs."""

from datetime import date, timedelta

import pandas as pd
import pyarrow as pa
import pytest

import lake
from lake.contracts import CONTRACTS
from lake.errors import ConfigError, StoreError
from lake.lake import Lake, open_store
from lake.partition import Partition

REQUESTS = CONTRACTS["requests"]


@pytest.fixture
def configured(make_project, publish, error_rates, day, monkeypatch):
    """A project, being that of this process, whose lake has three days of error rates."""
    made = make_project("asked")
    there = Lake(open_store(str(made.folder / "lake")))
    for n in range(3):
        publish(there, Partition("error_rate", 1, day + timedelta(n)), error_rates(shop=n, api=10))
    publish(there, Partition("error_rate", 1, day, revision=1), error_rates(shop=100))
    monkeypatch.setenv("LUIGI_CONFIG_PATH", str(made.folder / "luigi.cfg"))
    return made


def test_a_connection_in_one_call(configured):
    """To the lake of the current luigi.cfg, or of one that is named."""
    for config in (None, configured.folder / "luigi.cfg", str(configured.folder / "luigi.cfg")):
        with lake.connect(config) as connection:
            assert connection.sql("select count(*) from error_rate").fetchone() == (5,)


def test_objectives_are_those_of_luigi_cfg(configured):
    """Who asks about budgets names no file."""
    with (configured.folder / "luigi.cfg").open("a") as text:
        text.write("\n[slo.web]\napplications = *\nobjective = 0.999\n")
    with lake.connect() as connection:
        assert connection.sql("select slo, objective from slo").fetchall() == [("web", 0.999)]


def test_a_frame_of_a_range(configured, day):
    """[start, stop), latest revisions, indexed by day; days as dates or as texts."""
    frame = lake.read("error_rate", "2015-05-17", date(2015, 5, 19))
    assert isinstance(frame.index, pd.DatetimeIndex)
    assert frame.index.name == "dt"
    assert [str(each.date()) for each in frame.index] == ["2015-05-17", "2015-05-18", "2015-05-18"]
    assert list(frame.columns) == [*CONTRACTS["error_rate"].schema.names, "rev"]
    assert frame["server_error_requests"].tolist() == [100, 1, 10]
    assert frame["rev"].tolist() == [1, 0, 0]
    assert frame.loc["2015-05-18", "valid_requests"].sum() == 2000


def test_a_frame_of_everything(configured):
    """Without bounds all days, the same rows as the catalog has."""
    table = lake.read("error_rate", arrow=True)
    with lake.connect() as connection:
        assert table.to_pylist() == connection.execute("from error_rate").to_arrow_table().to_pylist()
    assert table.schema.field("dt").type == pa.date32()


def test_types_are_those_of_the_contract(publish, make_project, day, monkeypatch):
    """Whole numbers and truth values that may be NULL stay such; counts are plain; texts are texts."""
    made = make_project("typed")
    row = {column.name: None for column in REQUESTS.columns}
    at = pd.Timestamp(day).to_pydatetime()
    row |= {"ts": at, "application": "shop", "vantage": "edge", "status": 200, "traffic_class": "user"}
    rows = [row, {**row, "upstream_status": 502, "retried": True, "response_bytes": 2**60 + 1}]
    publish(
        Lake(open_store(str(made.folder / "lake"))),
        Partition("requests", 1, day, "web"),
        pa.Table.from_pylist(rows, REQUESTS.schema),
    )
    frame = lake.read("requests", config=made.folder / "luigi.cfg")
    assert frame["source"].tolist() == ["web", "web"]
    assert frame["upstream_status"].dtype == pd.Int16Dtype()
    assert frame["response_bytes"].tolist() == [pd.NA, 2**60 + 1]
    assert frame["retried"].dtype == pd.BooleanDtype()
    assert frame["status"].dtype == "int16"
    assert frame["ts"].dtype == "datetime64[us]"
    assert frame["duration_seconds"].dtype == "float64"
    assert frame["upstream_status"].sum() == 502


def test_a_time_stands_for_its_day(configured):
    """As pandas has days: start is inclusive, stop exclusive, whatever the hour."""
    frame = lake.read("error_rate", pd.Timestamp("2015-05-17 00:00"), pd.Timestamp("2015-05-18 12:00"))
    assert [str(each.date()) for each in frame.index] == ["2015-05-17"]
    with pytest.raises(ValueError, match="start 2015-05-18 is not before stop 2015-05-18, which is exclusive"):
        lake.read("error_rate", "2015-05-18", "2015-05-18")


def test_an_empty_range_is_an_empty_frame(configured):
    """With the same columns and types as a full one."""
    empty, full = lake.read("error_rate", "2030-01-01"), lake.read("error_rate")
    assert len(empty) == 0
    assert isinstance(empty.index, pd.DatetimeIndex)
    assert empty.dtypes.to_dict() == full.dtypes.to_dict()


def test_what_can_not_be_read_is_said(configured, tmp_path):
    """A dataset that there is none of, a day that is none, a luigi.cfg that is not there, a lake that is not."""
    with pytest.raises(ConfigError, match="No dataset 'nothing'"):
        lake.read("nothing")
    with pytest.raises(ValueError, match="Invalid isoformat"):
        lake.read("error_rate", "yesterday")
    with pytest.raises(ConfigError, match="Can't read the configuration"):
        lake.read("error_rate", config=tmp_path / "gone.cfg")
    (tmp_path / "other.cfg").write_text("[lake]\nroot = gone\n")
    with pytest.raises(StoreError, match="There is no lake at"):
        lake.connect(tmp_path / "other.cfg")
