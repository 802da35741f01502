"""Macros: what metrics and questions share."""

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st


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
def test_wilson_interval_of_known_shares(catalog, hits, total, low, high):
    """The interval is the one that textbooks give."""
    with catalog() as connection:
        found = connection.execute("select wilson_low($1, $2), wilson_high($1, $2)", [hits, total]).fetchone()
    assert found == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))


def test_wilson_interval_of_nothing_is_null(catalog):
    """No requests, no interval."""
    with catalog() as connection:
        assert connection.execute("select wilson_low(0, 0), wilson_high(0, 0)").fetchone() == (None, None)


def test_rate_and_interval_are_three_columns(catalog):
    """Named as the contract names them; nothing is a rate of no requests."""
    with catalog() as connection:
        found = connection.execute(
            "select unnest(rate_and_interval(errors, total)) from (values (1, 4), (0, 0)) counts (errors, total)"
        )
        names = [column[0] for column in found.description]
        assert names == ["error_rate", "error_rate_low", "error_rate_high"]
        some, none = found.fetchall()
        interval = connection.execute("select wilson_low(1, 4), wilson_high(1, 4)").fetchone()
    assert (some, none) == ((0.25, *interval), (None, None, None))


@settings(derandomize=True, deadline=None, max_examples=20)
@given(st.lists(st.tuples(st.integers(0, 10**12), st.integers(1, 10**12)), min_size=1, max_size=50))
def test_wilson_interval_holds_the_share(catalog, pairs):
    """Whatever the counts, 0 <= low <= share <= high <= 1."""
    table = pa.table({"hits": [min(pair) for pair in pairs], "total": [max(pair) for pair in pairs]})
    query = "select wilson_low(hits, total), hits / total, wilson_high(hits, total) from shares"
    with catalog(shares=table) as connection:
        found = connection.execute(query).fetchall()
    assert all(0 <= low <= share <= high <= 1 for low, share, high in found)
