"""Why an error rate moved: figures that add up, segments that don't overlap, and planted causes that are found."""

import importlib.util
import sys
from collections import defaultdict
from datetime import date, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

A, B, END = date(2026, 9, 16), date(2026, 9, 17), date(2026, 9, 18)
ANY, REST, OTHER = "(any)", "(rest)", "(other)"
CAUSES = Path(__file__).parents[1] / "bench/causes.py"
CELLS = st.fixed_dictionaries(
    {
        "dt": st.sampled_from([A, B]),
        "application": st.sampled_from(["shop", "api"]),
        "vantage": st.sampled_from(["edge", "origin"]),
        "path_template": st.sampled_from(["/", "/a", "/b/{number}", "/c", "(none)", OTHER]),
        "method": st.sampled_from(["GET", "POST", OTHER]),
        "status": st.integers(100, 599),
        "valid_requests": st.sampled_from([0, 1, 7, 400, 9000, 10**9]),
        "server_error_requests": st.sampled_from([0, 1, 7, 80, 3000, 10**9]),
    }
)


@pytest.fixture(scope="module")
def causes():
    """The benchmark's module."""
    spec = importlib.util.spec_from_file_location("causes", CAUSES)
    made = importlib.util.module_from_spec(spec)
    sys.modules["causes"] = made  # as its dataclass wants
    spec.loader.exec_module(made)
    yield made
    del sys.modules["causes"]


def _counts(rows):
    """Return requests and errors of each application and vantage: of both periods, by template and method."""
    found = defaultdict(lambda: defaultdict(lambda: [0, 0, 0, 0]))
    for row in rows:
        cell = found[row["application"], row["vantage"]][row["path_template"], row["method"]]
        cell[2 * (row["dt"] == B)] += row["valid_requests"]
        cell[2 * (row["dt"] == B) + 1] += row["server_error_requests"]
    return found


def _compared(cells):
    """Return them with what only one period names in `(other)`."""
    of_template = defaultdict(lambda: [0, 0])
    for (template, _), counts in cells.items():
        of_template[template][0] += counts[0]
        of_template[template][1] += counts[2]
    found = defaultdict(lambda: [0, 0, 0, 0])
    for (template, method), counts in cells.items():
        if counts[0] + counts[2]:
            name = template if all(of_template[template]) else OTHER
            found[name, method] = [sum(pair) for pair in zip(found[name, method], counts, strict=True)]
    return found


@settings(derandomize=True, deadline=None, max_examples=30)
@given(rows=st.lists(CELLS, min_size=1, max_size=60))
def test_the_figures_add_up_to_the_change(catalog, rows):
    """Of any counts: requests and errors exactly, effects to the change of the rate; segments don't overlap."""
    rows = [
        each | {"server_error_requests": min(each["server_error_requests"], each["valid_requests"])}
        for each in rows
    ]
    with catalog(error_breakdown=pa.Table.from_pylist(rows)) as connection:
        found = connection.execute("from compare($1, $2, $2, $3)", [A, B, END]).to_arrow_table().to_pylist()
    for place, cells in _counts(rows).items():
        answer = [each for each in found if (each["application"], each["vantage"]) == place]
        left = _compared(cells)
        totals = [sum(counts[n] for counts in left.values()) for n in range(4)]
        names = (
            "valid_requests_before",
            "server_error_requests_before",
            "valid_requests",
            "server_error_requests",
        )
        assert [sum(each[name] for each in answer) for name in names] == totals
        *segments, last = answer or [None]
        if last is not None and last["path_template"] != REST:
            segments.append(last)
        assert len(segments) <= 5
        for each in segments:  # in their order, each takes what it names of what those before it have left
            of = [
                cell
                for cell in left
                if each["path_template"] in {ANY, cell[0]} and each["method"] in {ANY, cell[1]}
            ]
            taken = [sum(left[cell][n] for cell in of) for n in range(4)]
            assert [each[name] for name in names] == taken
            assert 0 <= each["p_value"] <= 0.05
            for cell in of:
                del left[cell]
        if totals[0] and totals[2]:
            change = totals[3] / totals[2] - totals[1] / totals[0]
            assert sum(each["effect"] for each in answer) == pytest.approx(change, abs=1e-12)
            for each in answer:
                assert each["effect"] == pytest.approx(each["rate_effect"] + each["mix_effect"], abs=1e-15)
            if abs(change) > 1e-9:
                assert sum(each["share_of_change"] for each in answer) == pytest.approx(1, abs=1e-3)
        else:
            assert [each["effect"] for each in answer] == [None] * len(answer)


@pytest.mark.slow
def test_a_cause_of_each_kind_is_found_and_none_on_other_days(causes):
    """A small part of the benchmark, by seeds of its own: as often as it is promised for many."""
    shares = dict(causes.judged(causes.cases_of(30, 30, 800)))
    assert shares["`why`"]["planted"] >= 0.9
    assert shares["`why`"]["null"] <= 0.05
    assert max(each["planted"] for name, each in shares.items() if name != "`why`") < 0.9


def test_effects_are_kitagawas(catalog):
    """Of two groups: the change of each rate at the mean share, and that of each share at the mean rate."""
    counts = {("/a", A): (400, 40), ("/b", A): (600, 12), ("/a", B): (700, 140), ("/b", B): (300, 6)}
    rows = [
        {"dt": day, "application": "shop", "path_template": path, "valid_requests": n, "server_error_requests": e}
        for (path, day), (n, e) in counts.items()
    ]
    with catalog(error_breakdown=pa.Table.from_pylist(rows)) as connection:
        query = "select sum(rate_effect), sum(mix_effect), sum(effect) from compare($1, $2, $2, $3)"
        found = connection.execute(query, [A, B, END]).fetchone()
    rate, mix = 0.55 * (0.2 - 0.1) + 0.45 * 0, 0.15 * (0.7 - 0.4) + 0.02 * (0.3 - 0.6)
    assert found == (pytest.approx(rate), pytest.approx(mix), pytest.approx(0.146 - 0.052))


@pytest.mark.parametrize(
    ("hits", "expected", "total", "bound"),
    [(10, 2, 10, 1.024e-7), (0, 5, 10, 0.5**10), (5, 5, 10, 1), (0, 0, 0, 1), (3, 3, 3, 1), (3, 0, 3, 1)],
)
def test_chernoff_bounds_a_tail(catalog, hits, expected, total, bound):
    """All errors in one period have just the bound's probability; what is expected, or can't be else, has 1."""
    with catalog() as connection:
        ((found,),) = connection.execute("select exp(-chernoff($1, $2, $3))", [hits, expected, total]).fetchall()
    assert found == pytest.approx(bound)


def test_an_hour_that_began_counts(catalog):
    """Periods that end or begin within an hour have it whole; days are those from midnight."""
    rows = [
        {
            "dt": A,
            "application": "shop",
            "path_template": "/",
            "hour": datetime(2026, 9, 16, hour),
            "valid_requests": 1,
        }
        for hour in range(24)
    ]
    with catalog(error_breakdown=pa.Table.from_pylist(rows)) as connection:
        query = "select valid_requests_before, valid_requests from compare($1, $2, $3, $4)"
        times = ("2026-09-16 03:30", "2026-09-16 05:01", "2026-09-16 07:00", "2026-09-16")
        assert connection.execute(query, [*times[:3], "2026-09-16 23:59"]).fetchall() == [(3, 17)]
        assert connection.execute(query, ["2026-09-16", "2026-09-17", *times[1:3]]).fetchall() == [(24, 2)]
