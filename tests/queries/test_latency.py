"""Percentiles of durations: within 1 % of the exact ones, whatever they are, and however they were split."""

import math
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lake import sql

ERROR = 0.01
SHARES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "longest": 1}
DURATIONS = st.lists(st.one_of(st.just(0.0), st.floats(1e-6, 1e6), st.sampled_from([0.1, 1.0])), min_size=1)
MIDNIGHT = datetime(2026, 9, 17)
MACROS = {"duration_bucket", "duration_of_bucket"}


@pytest.fixture(scope="module")
def buckets():
    """A connection that knows buckets of durations."""
    with duckdb.connect() as connection:
        for each in sql.macros():
            if each.name in MACROS:
                connection.execute(each.statement)
        yield connection


def _bucketed(buckets, seconds):
    query = "select duration_bucket(unnest($1::double[]))"
    return [bucket for (bucket,) in buckets.execute(query, [seconds]).fetchall()]


@given(seconds=DURATIONS)
@settings(deadline=None)
def test_a_bucket_stands_for_all_in_it(buckets, seconds):
    """To 1 %, and the longer duration is never in the lower bucket."""
    query = "select each, duration_of_bucket(duration_bucket(each)), duration_bucket(each) "
    found = buckets.execute(
        f"{query} from (select unnest($1::double[]) as each) order by each", [seconds]
    ).fetchall()
    assert all(math.isclose(each, stands, rel_tol=ERROR + 1e-9) for each, stands, _ in found)
    assert [bucket for *_, bucket in found] == sorted(bucket for *_, bucket in found)


@given(seconds=DURATIONS, parts=st.integers(1, 5))
@settings(deadline=None, max_examples=30)
def test_percentiles_are_within_one_percent(catalog, buckets, seconds, parts):
    """Of the exact ones by the nearest rank, with the requests spread over any five minutes."""
    rows = pa.table(
        {
            "dt": pa.array([MIDNIGHT.date()] * len(seconds)),
            "application": ["shop"] * len(seconds),
            "vantage": ["edge"] * len(seconds),
            "bucket_start": [MIDNIGHT + timedelta(minutes=5 * (n % parts)) for n in range(len(seconds))],
            "duration_bucket": pa.array(_bucketed(buckets, seconds), pa.int16()),
            "requests_total": [1] * len(seconds),
            "valid_requests": [1] * len(seconds),
        }
    )
    with catalog(durations=rows) as connection:
        (found,) = connection.sql("from latency()").to_arrow_table().to_pylist()
    ordered = sorted(seconds)
    assert found["valid_requests"] == len(seconds)
    for name, share in SHARES.items():
        exact = ordered[math.ceil(share * len(ordered) - 1e-9) - 1]
        assert math.isclose(found[name], exact, rel_tol=ERROR + 1e-9), (name, exact)


def test_what_was_not_kept_is_no_answer(catalog, tmp_path: Path):
    """Error rates without durations: an error that says what to build, also from a file; no lake, none."""
    rated = pa.table({"dt": [MIDNIGHT.date()], "application": ["shop"], "vantage": ["edge"]})
    queries = ("from latency()", "select count(*) from latency('2026-09-17', '2026-09-18', by_day := true)")
    with catalog(tmp_path / "stored.duckdb", error_rate=rated) as connection:
        for query in queries:
            with pytest.raises(duckdb.Error, match=r"no durations in this lake.* --of DurationsDaily"):
                connection.execute(query)
    with (
        duckdb.connect(tmp_path / "stored.duckdb", read_only=True) as connection,
        pytest.raises(duckdb.Error, match="no durations in this lake"),
    ):
        connection.execute(queries[0])
    with catalog() as connection:
        assert connection.execute(queries[0]).fetchall() == []
