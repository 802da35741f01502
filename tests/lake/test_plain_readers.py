"""Readers that know nothing of this project get the latest revisions, as docs/how-to/query.md shows it."""

from datetime import timedelta

import duckdb
import pandas as pd
import pytest
from pages import example

from lake.catalog.connections import connect
from lake.lake import Lake, open_store
from lake.partition import Partition

PAGE = "docs/how-to/query.md"
URL = "s3://acme-lake/lake/error_rate/v1"
SHOWN = ["dt", "application", "server_error_requests", "rev"]


@pytest.fixture(params=["disk", "s3"])
def there(request, tmp_path, monkeypatch, moto_url):
    """An empty lake, at `lake` of the current folder or in a bucket; and the URL of its error rates for Arrow."""
    monkeypatch.chdir(tmp_path)
    if request.param == "disk":
        return Lake(open_store(f"{tmp_path}/lake")), f"{tmp_path}/lake/error_rate/v1"
    root = request.getfixturevalue("s3_root")
    where = f"?endpoint_override={moto_url.removeprefix('http://')}&scheme=http"
    return Lake(open_store(root, moto_url)), f"{root}/error_rate/v1{where}"


@pytest.fixture
def filled(there, publish, error_rates, day):
    """That lake with a day that was restated ten times, one restated to nothing, and one that wasn't; its rows."""
    lake, url = there
    for revision in (0, 2, 10):
        publish(lake, Partition("error_rate", 1, day, revision=revision), error_rates(shop=revision, api=5))
    publish(lake, Partition("error_rate", 1, day + timedelta(1)), error_rates(shop=3))
    publish(lake, Partition("error_rate", 1, day + timedelta(1), revision=1), error_rates())
    publish(lake, Partition("error_rate", 1, day + timedelta(2)), error_rates(shop=4))
    with connect(lake) as connection:
        expected = connection.sql(f"select {', '.join(SHOWN)} from error_rate order by all").fetchall()
    assert [row[2:] for row in expected] == [(5, 10), (10, 10), (4, 0)]
    return url, expected


def run(url, *names):
    """Return what is there after the page's examples ran as they stand, but for the place of the lake."""
    names_there = {}
    for name in names:
        exec(compile(example(PAGE, name).replace(URL, url), PAGE, "exec"), names_there)  # noqa: S102 - the page's own
    return names_there


def test_pandas(filled):
    """The rows of the catalog; a plain read of the folder has more."""
    url, expected = filled
    frame = run(url, "latest files", "latest with pandas")["frame"]
    frame["dt"] = pd.to_datetime(frame["dt"].astype(str)).dt.date
    assert sorted(frame[SHOWN].astype({"rev": int}).itertuples(index=False, name=None)) == expected


def test_pyarrow(filled):
    """Likewise, with the types of the catalog."""
    url, expected = filled
    table = run(url, "latest files", "latest with pyarrow")["table"]
    assert sorted(tuple(row[name] for name in SHOWN) for row in table.to_pylist()) == expected


def test_polars(filled):
    """Likewise, where it is installed."""
    pytest.importorskip("polars")
    url, expected = filled
    if "://" in url:
        pytest.skip("Polars reads S3 by its own client")
    assert sorted(run(url, "latest files", "latest with Polars")["rows"].select(SHOWN).rows()) == expected


def test_duckdb(filled):
    """Likewise, from a listing of its own; on S3 it needs its extension, see `test_file`."""
    url, expected = filled
    if "://" in url:
        pytest.skip("DuckDB reads S3 by an extension")
    recipe = example(PAGE, "latest with DuckDB")
    found = duckdb.sql(f"select {', '.join(SHOWN)} from ({recipe}) order by all")
    assert found.fetchall() == expected
    plain = duckdb.execute("select count(*) from 'lake/error_rate/v1/*/*/part-0.parquet'").fetchone()
    assert plain > (len(expected),)
