"""Macros and views: what is there for everybody who asks the lake."""

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lake.catalog import define
from lake.contracts import CONTRACTS, contract


def _ask(query: str, **tables: pa.Table) -> list[tuple[object, ...]]:
    with duckdb.connect() as connection:
        for name, of in CONTRACTS.items():
            source = [pa.field("source", pa.string())] if of.per_source else []
            schema = pa.schema([pa.field("dt", pa.date32()), *source, *of.schema, pa.field("rev", pa.int32())])
            connection.register(name, tables.get(name, schema.empty_table()))
        for name in tables.keys() - CONTRACTS:
            connection.register(name, tables[name])
        define(connection)
        return connection.execute(query).fetchall()


@pytest.mark.parametrize(
    ("hits", "total", "low", "high"),
    [
        (0, 10, 0, 0.2775),
        (1, 3, 0.0615, 0.7923),
        (1, 1000, 0.00018, 0.00564),
        (50, 1000, 0.0381, 0.0653),
        (10, 10, 0.7225, 1),
    ],
)
def test_wilson_interval_of_known_shares(hits: int, total: int, low: float, high: float) -> None:
    """The interval is the one that textbooks give."""
    assert _ask(f"select wilson_low({hits}, {total}), wilson_high({hits}, {total})") == [
        (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))
    ]


def test_wilson_interval_of_nothing_is_null() -> None:
    """No requests, no interval."""
    assert _ask("select wilson_low(0, 0), wilson_high(0, 0)") == [(None, None)]


@settings(derandomize=True, deadline=None, max_examples=20)
@given(st.lists(st.tuples(st.integers(0, 10**12), st.integers(1, 10**12)), min_size=1, max_size=50))
def test_wilson_interval_holds_the_share(pairs: list[tuple[int, int]]) -> None:
    """Whatever the counts, 0 <= low <= share <= high <= 1."""
    table = pa.table({"hits": [min(pair) for pair in pairs], "total": [max(pair) for pair in pairs]})
    query = "select wilson_low(hits, total), hits / total, wilson_high(hits, total) from shares"
    assert all(0 <= low <= share <= high <= 1 for low, share, high in _ask(query, shares=table))


def test_rates_over_days_are_made_of_summed_counts() -> None:
    """1 of 1000 and 1 of 2 make 2 of 1002, not the mean of two rates; without valid requests it is NULL."""
    names = contract("error_rate").schema.names
    assert {"application", "vantage", "valid_requests", "server_error_requests"} <= set(names)
    days = pa.table(
        {
            "dt": ["2026-09-16", "2026-09-17", "2026-09-17"],
            "application": ["shop", "shop", "idle"],
            "vantage": ["edge"] * 3,
            "valid_requests": [1000, 2, 0],
            "server_error_requests": [1, 1, 0],
            "incomplete": [None, "api: no raw logs", None],
        }
    )
    idle, shop = _ask("from error_rate_by_application", error_rate=days)
    assert idle == ("idle", "edge", 1, 0, 0, 0, None, None, None)
    assert shop[:7] == ("shop", "edge", 2, 1, 1002, 2, pytest.approx(2 / 1002))
    assert _ask("select wilson_low(2, 1002), wilson_high(2, 1002)") == [shop[7:]]
