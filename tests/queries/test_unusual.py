"""What is unusual: planted days are found, and a day is judged alike whatever else is asked for."""

import importlib.util
import sys
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

BENCH = Path(__file__).parents[1] / "bench/unusual.py"


@pytest.fixture(scope="module")
def bench():
    """The benchmark's module."""
    spec = importlib.util.spec_from_file_location("unusual", BENCH)
    made = importlib.util.module_from_spec(spec)
    sys.modules["unusual"] = made  # as its dataclass wants
    spec.loader.exec_module(made)
    yield made
    del sys.modules["unusual"]


def test_planted_days_are_found(bench):
    """Of days named, 90 % are planted, and of planted days, 90 % are named; no other method has both."""
    found = dict(bench.judged({f"app{n}": bench.made(n) for n in range(40)}))
    ours = found.pop("`unusual`")
    assert min(ours["precision"], ours["recall"]) >= 0.9
    for what in ("volume", "error_rate"):
        assert min(ours[f"precision of {what}"], ours[f"recall of {what}"]) >= 0.9
    assert ours["false on clock changes"] <= ours["false on others"]
    assert all(min(each["precision"], each["recall"]) < 0.9 for each in found.values())


def test_a_day_is_judged_alike_whatever_is_asked_for(bench):
    """Day by day and by application as in a whole half year: `start` and `name` change nothing."""
    cases = {f"app{n}": bench.made(n) for n in range(3)}
    first, last = bench.days()[bench.HISTORY], bench.days()[-1]
    with bench.catalog(cases) as connection:
        whole = connection.execute("from unusual($1, $2)", [first, last + timedelta(1)]).fetchall()
        for day in {row[0] for row in whole[:20]} | {first, last}:
            single = connection.execute("from unusual($1, $2)", [day, day + timedelta(1)]).fetchall()
            assert single == [row for row in whole if row[0] == day]
        named = connection.execute("from unusual($1, $2, 'app1')", [first, last + timedelta(1)]).fetchall()
        assert named == [row for row in whole if row[1] == "app1"]
        newest = connection.execute("from unusual()").fetchall()
    assert newest == [row for row in whole if row[0] > last - timedelta(7)]
    assert len(whole) > 20


@pytest.mark.parametrize(("days", "expected"), [(28, set()), (41, set()), (43, {"volume"})])
def test_a_short_history_judges_nothing(catalog, days, expected):
    """Four weeks say what is usual, and two more by how much days differ from it."""
    dates = [date(2026, 9, 17) - timedelta(n) for n in range(days)]
    rows = {
        "dt": dates,
        "application": ["shop"] * days,
        "vantage": ["edge"] * days,
        "requests_total": [100, *[1000] * (days - 1)],
        "valid_requests": [100, *[1000] * (days - 1)],
    }
    with catalog(error_rate=pa.table(rows)) as connection:
        found = connection.execute("select what from unusual('2026-09-17', '2026-09-18')").fetchall()
    assert {what for (what,) in found} == expected
