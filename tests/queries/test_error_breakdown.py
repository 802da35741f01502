"""What error_breakdown names, and that the rest is exact."""

from datetime import date, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl.steps.aggregate import Rows, run_query
from lake.contracts import contract
from lake.contracts.error_rate import COUNTS
from lake.contracts.requests import METHODS, TRAFFIC_CLASSES
from lake.partition import Partition

DAY, MIDNIGHT = date(2026, 9, 17), datetime(2026, 9, 17)
REST = "(other)"


def _made(name, requests, folder):
    """Return what the SQL of a dataset makes of requests, each a dict of the columns that matter."""
    usual = {
        "ts": MIDNIGHT,
        "application": "shop",
        "vantage": "edge",
        "method": "GET",
        "path": None,
        "status": 200,
        "traffic_class": "user",
    }
    table = pa.Table.from_pylist([usual | each for each in requests], contract("requests").schema)
    rows = _chained(contract(name), table, folder)
    contract(name).validate(rows, DAY)
    return rows.to_pylist()


def _chained(made, requests, folder):
    """Return what the SQL of a dataset makes of what is made of requests, by as many datasets as it takes."""
    inputs = {}
    for wanted in made.inputs:
        of = contract(wanted.dataset)
        rows = _chained(of, requests, folder) if of.inputs else requests
        file = folder / f"{of.name}.parquet"
        pq.write_table(rows, file)
        inputs[of.name] = [Rows(Partition(of.name, 1, DAY, "web"), file, None)]
    return run_query(made, DAY, inputs)


def _named(rows):
    """Return how many requests each named path template had."""
    found = {}
    for row in rows:
        found[row["path_template"]] = found.get(row["path_template"], 0) + row["requests_total"]
    return found


def test_a_thousand_paths_of_each_kind_are_named(tmp_path):
    """Those with the most requests, then those with the most errors; of equal ones the first by name."""
    many = [{"path": f"/page-{n:04}"} for n in range(1200) for _ in range(6)]
    few = [{"path": f"/broken-{n:04}", "status": 500} for n in range(1100) for _ in range(5)]
    rows = _made("error_breakdown", [*many, *few], tmp_path)
    pages = {f"/page-{n:04}": 6 for n in range(1000)}
    broken = {f"/broken-{n:04}": 5 for n in range(1000)}
    assert _named(rows) == pages | broken | {REST: 6 * 200 + 5 * 100}
    assert sum(row["server_error_requests"] for row in rows if row["path_template"] == REST) == 5 * 100


def test_an_application_and_a_vantage_have_bounds_of_their_own(tmp_path):
    """A path that is named at one isn't at another, where it had fewer than five requests."""
    places = [*[("shop", "edge")] * 5, *[("shop", "origin")] * 4, *[("api", "edge")] * 4]
    requests = [{"path": "/a", "application": name, "vantage": vantage} for name, vantage in places]
    rows = _made("error_breakdown", requests, tmp_path)
    assert [(row["application"], row["vantage"], row["path_template"]) for row in rows] == [
        ("api", "edge", REST),
        ("shop", "edge", "/a"),
        ("shop", "origin", REST),
    ]


@pytest.mark.parametrize(
    ("path", "named"),
    [
        (None, "(none)"),
        ("*", "*"),
        ("(none)", REST),
        ("example.com:443", REST),
        ("/" + "a" * 999, "/" + "a" * 999),
        ("/1" * 500, REST),  # 4,500 characters of placeholders
    ],
)
def test_what_is_no_path_is_told_from_one(tmp_path, path, named):
    """And a template is no longer than a path may be."""
    assert _named(_made("error_breakdown", [{"path": path}] * 5, tmp_path)) == {named: 5}


REQUESTS = st.lists(
    st.fixed_dictionaries(
        {
            "ts": st.datetimes(MIDNIGHT, datetime(2026, 9, 17, 23, 59, 59)),
            "application": st.sampled_from(["shop", "api"]),
            "vantage": st.sampled_from(["edge", "origin"]),
            "method": st.sampled_from([None, "GET", "GET", *METHODS]),
            "path": st.sampled_from([None, "*", "/", "/a", "/item/1", "/item/22", "(other)"]),
            "status": st.sampled_from([0, 100, 200, 399, 400, 408, 429, 460, 498, 499, 500, 503, 599]),
            "traffic_class": st.sampled_from(TRAFFIC_CLASSES),
        }
    ),
    min_size=1,
)


@settings(derandomize=True, deadline=None, max_examples=20)
@given(requests=REQUESTS)
def test_every_hour_has_the_sums_of_its_five_minutes(tmp_path_factory, requests):
    """Each count, by application, vantage, hour and status class: nothing is lost, and an error is one in both."""
    folder = tmp_path_factory.mktemp("requests")
    sums = []
    for name, time in (("error_breakdown", "hour"), ("source_counts", "bucket_start")):
        found = {}
        for row in _made(name, requests, folder):
            status_class = row.get("status_class") or (f"{row['status'] // 100}xx" if row["status"] else "none")
            key = row["application"], row["vantage"], row[time].hour, status_class
            counts = [row[each.name] for each in COUNTS]
            found[key] = [sum(pair) for pair in zip(counts, found.get(key, [0] * len(counts)), strict=True)]
        sums.append(found)
    assert sums[0] == sums[1]
