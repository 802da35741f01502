"""The analysts' questions: each answers its golden cases, and reads no more of a lake than it must.

Golden cases: questions/NAME/CASE/ holds `query.sql`, which asks the question NAME, a CSV of each dataset that
there is (with `dt`; columns that it leaves out are filled), and `expected.csv`, the answer in its order, with
rates to six places. The objectives of error budgets, where there are some, are in `slo.csv`.
"""

import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl.steps.aggregate import Rows, run_query
from lake import sql
from lake.contracts import CONTRACTS, contract
from lake.partition import Partition
from lake.silence import UNKNOWN, are_silent

QUESTIONS = [each.name for each in sql.questions()]
CASES = sorted(path for path in Path(__file__).with_name("questions").glob("*/*") if path.is_dir())
DAYS = [date(2026, 9, 14) + timedelta(n) for n in range(3)]
EVERY_CASE = pytest.mark.parametrize("case", CASES, ids=lambda path: f"{path.parent.name}/{path.name}")


def _roughly(row):
    """Return a row whose shares are equal to those that are the same to six places."""
    return {k: pytest.approx(v, rel=0, abs=5e-7) if isinstance(v, float) else v for k, v in row.items()}


@EVERY_CASE
def test_a_question_is_answered_as_expected(case, catalog, read_lake, read_csv):
    """Whatever the time zone of who asks: the days and hours in an answer are those that the question names."""
    with catalog(**read_lake(case)) as connection:
        for time_zone in ("UTC", "America/St_Johns", "Pacific/Auckland"):
            connection.execute(f"set TimeZone = '{time_zone}'")
            found = connection.sql((case / "query.sql").read_text()).to_arrow_table()
            expected = read_csv(case / "expected.csv", found.schema)
            assert found.schema.names == expected.schema.names
            assert found.to_pylist() == [_roughly(row) for row in expected.to_pylist()], time_zone


@pytest.mark.parametrize("name", QUESTIONS)
def test_every_question_has_a_golden_case(name):
    """No question can be added without one."""
    assert [case for case in CASES if case.parent.name == name]


@EVERY_CASE
def test_every_golden_case_is_of_a_question(case):
    """It asks the question whose name it is under, and holds no file that nothing reads."""
    files = {path.name for path in case.iterdir()}
    assert case.parent.name in QUESTIONS
    assert case.parent.name in (case / "query.sql").read_text()
    assert {"query.sql", "expected.csv"} <= files
    tables = {f"{name}{listing}.csv" for name in CONTRACTS for listing in ("", "_files")}
    assert files <= {"query.sql", "expected.csv", "slo.csv", "events.csv", *tables}


@EVERY_CASE
@pytest.mark.slow
def test_a_question_can_be_kept_in_a_file(case, catalog, read_lake, tmp_path):
    """Views and macros that are stored in a database give who opens it the same answer."""
    query = (case / "query.sql").read_text()
    with catalog(tmp_path / "stored.duckdb", **read_lake(case)) as connection:
        before = connection.execute(query).fetchall()
    with duckdb.connect(tmp_path / "stored.duckdb", read_only=True) as connection:
        after = connection.execute(query).fetchall()
    # threads add up in an order of their own
    assert after == [tuple(pytest.approx(v) if isinstance(v, float) else v for v in row) for row in before]


OF_FIVE_MINUTES = [
    "incidents(0.05{})",
    "local_counts('UTC'{})",
    "error_rate_by('Europe/London'{})",
    "error_rate_profile(time_zone := 'UTC'{})",
    "error_rate_hourly(time_zone := 'UTC'{})",
    "burn_rate(60{})",
    "since_when({})",
    "minutes_over(0.001{})",
    "slo_alerts({})",
    "slo_alerts_compared('web', 'web'{})",
]
RATED = pa.table({"dt": [DAYS[0]], "application": ["shop"], "vantage": ["edge"]})
WEB = pa.table(
    {"slo": ["web"], "applications": ["*"], "vantage": [None], "objective": [0.999], "window_days": [30]}
)


def _asked(question, dates):
    """Return a question with further arguments; `slo_alerts` has none before them."""
    return question.format(f", {dates}" if dates and "({})" not in question else dates)


@pytest.mark.parametrize("question", OF_FIVE_MINUTES)
def test_what_was_not_counted_is_no_answer(catalog, tmp_path, question):
    """Error rates without counts: an error that says what to build, from a file too; no lake, no error."""
    queries = [
        f"from {_asked(question, dates)}"
        for dates in ("", "start := date '2026-09-14'", "stop := date '2026-09-16'")
    ]
    with catalog(tmp_path / "stored.duckdb", error_rate=RATED, slo=WEB) as connection:
        for query in (*queries, *(f"select count(*) {query}" for query in queries)):
            with pytest.raises(duckdb.Error, match=r"no error_counts .*: backfill status --of ErrorRateDaily"):
                connection.execute(query)
    with duckdb.connect(tmp_path / "stored.duckdb", read_only=True) as connection:
        for query in queries:
            with pytest.raises(duckdb.Error, match="no error_counts in this lake"):
                connection.execute(query)
    with catalog(slo=WEB) as connection:
        for query in queries:
            assert connection.execute(query).fetchall() == []


def test_what_was_not_broken_down_is_no_answer(catalog, tmp_path):
    """Error rates without error_breakdown: an error that says what to build, also from a file; no lake, none."""
    queries = (
        "from worst_path_templates()",
        "select count(*) from worst_path_templates(stop := '2026-09-16')",
        "from compare('2026-09-14', '2026-09-15', '2026-09-15', '2026-09-16')",
        "select count(*) from why('shop', '2026-09-14')",
        "from why_incident('shop', '2026-09-14 10:00', '2026-09-14 10:35')",
    )
    with catalog(tmp_path / "stored.duckdb", error_rate=RATED) as connection:
        for query in queries:
            with pytest.raises(duckdb.Error, match=r"no error_breakdown .* --of ErrorBreakdownDaily"):
                connection.execute(query)
    with duckdb.connect(tmp_path / "stored.duckdb", read_only=True) as connection:
        for query in queries:
            with pytest.raises(duckdb.Error, match="no error_breakdown in this lake"):
                connection.execute(query)
    with catalog() as connection:
        assert connection.execute(queries[0]).fetchall() == []
        assert connection.execute(queries[2]).fetchall() == []


@pytest.mark.parametrize("question", OF_FIVE_MINUTES)
def test_days_counted_to_nothing_are_an_answer(catalog, question):
    """Files of error_counts without a row are no error."""
    files = pa.table({"dt": [DAYS[0]], "rev": pa.array([0], pa.int32())})
    with catalog(error_rate=RATED, error_counts_files=files, slo=WEB) as connection:
        assert connection.execute(f"from {_asked(question, '')}").fetchall() == []


@pytest.mark.parametrize(
    ("question", "column"),
    [
        ("error_rate_weekly", "week"),
        ("error_rate_monthly", "month"),
        ("error_rate_7_days", "dt"),
        ("error_rate_28_days", "dt"),
        ("error_budget", "dt"),
    ],
)
def test_every_day_that_a_lake_may_have_is_answered(catalog, question, column):
    """From 1970 to 2099: whatever a lake may have in this century."""
    days = [date(1970, 1, 1), date(1970, 1, 2), date(2050, 6, 6), date(2099, 12, 30), date(2099, 12, 31)]
    rows = pa.table({"dt": days, "application": ["shop"] * 5, "vantage": ["edge"] * 5})
    with catalog(error_rate=rows, slo=WEB) as connection:
        found = connection.execute(f"select {column}, days from {question} order by 1").fetchall()
    expected = {
        "week": [(date(1969, 12, 29), 2), (date(2050, 6, 6), 1), (date(2099, 12, 28), 2)],
        "month": [(date(1970, 1, 1), 2), (date(2050, 6, 1), 1), (date(2099, 12, 1), 2)],
        "dt": list(zip(days, [1, 2, 1, 1, 2], strict=True)),
    }
    assert found == expected[column]


@pytest.fixture(scope="module")
def in_files(catalog, tmp_path_factory):
    """A catalog of a hundred days from 2026-01-01, of a hundred applications, each dataset in a file a day."""
    places = [(date(2026, 1, 1) + timedelta(n // 100), f"app{n % 100}", "edge") for n in range(10_000)]
    rows = pa.table(dict(zip(("dt", "application", "vantage"), zip(*places, strict=True), strict=True)))
    counts = rows.append_column("status_class", pa.repeat("2xx", rows.num_rows))
    paths = rows.append_column("path_template", pa.repeat("/", rows.num_rows))
    datasets = {"error_rate": rows, "error_counts": counts, "error_breakdown": paths, "requests": rows}
    with catalog(**datasets) as connection:
        for name in datasets:
            columns = ", ".join(connection.table(name).columns)
            folder = tmp_path_factory.mktemp(name)
            connection.execute(f"copy {name} to '{folder}' (format parquet, partition_by (dt, rev))")
            connection.execute(f"drop table {name}")
            connection.execute(
                f"create view {name} as select {columns} from read_parquet('{folder}/*/*/*.parquet', "
                "hive_partitioning = true, hive_types = {'dt': date, 'rev': integer})"
            )
        for question in sql.questions():  # anew: of a macro that was kept DuckDB forgets `as materialized`
            connection.execute(question.statement)
        yield connection


@pytest.mark.parametrize(
    ("question", "files"),
    [
        ("error_rate_daily where dt = '2026-02-16'", 1),
        ("error_rate_weekly where week = '2026-02-16'", 7),
        ("error_rate_monthly where month = '2026-02-01'", 28),
        ("error_rate_monthly where month >= '2026-03-01'", 41),
        ("error_rate_7_days where dt = '2026-02-16'", 7),
        ("error_rate_28_days where dt between '2026-02-16' and '2026-02-17'", 29),
        ("error_rate_by('Europe/London', start := '2026-02-16', stop := '2026-02-17')", 3),
        ("error_rate_hourly(start := '2026-02-16', stop := '2026-02-17')", 3),
        ("error_rate_profile(start := '2026-02-16', stop := '2026-02-23')", 9),
        ("incidents(0.01, start := '2026-02-16', stop := '2026-02-18')", 2),
        ("movers('2026-02-16')", 14),
        ("since_when('2026-02-16', '2026-02-18')", 2),
        ("slo_alerts(start := '2026-02-16', stop := '2026-02-18')", 5),
        ("unusual('2026-02-16', '2026-02-17')", 94),
        ("unusual('2026-04-30', '2026-05-01')", 186),
        ("burn_rate(60, start := '2026-02-16', stop := '2026-02-18')", 3),
        ("compare('2026-02-01', '2026-02-08', '2026-02-08', '2026-02-10')", 9),
        ("why('app7', '2026-02-16')", 5),
        ("why('app7', '2026-02-16', before := ['2026-02-15'])", 2),
        ("why_incident(null, '2026-02-16 23:40', '2026-02-17 00:10')", 10),
        ("minutes_over(0.001, start := '2026-02-16', stop := '2026-02-18')", 2),
        ("same_weekdays('2026-02-16')", 5),
        ("status_rose(404, '2026-02-01', '2026-02-08', '2026-02-08', '2026-02-10')", 9),
        ("worst_days where dt = '2026-02-16'", 1),
        ("worst_path_templates(start := '2026-02-16', stop := '2026-02-18')", 2),
        ("worst_paths('2026-02-16')", 1),
    ],
)
def test_a_question_reads_the_days_that_it_asks_for(in_files, question, files):
    """A condition reaches the partitions: of local days, with the UTC days around them."""
    plan = in_files.execute(f"explain (analyze, format json) from {question}").fetchone()[1]
    assert sum(map(int, re.findall(r'"Total Files Read": "(\d+)"', plan))) == files


@pytest.mark.parametrize("threshold", ["5", "-0.1", "NULL"])
def test_a_threshold_is_a_share(catalog, read_lake, tmp_path, threshold):
    """5 may mean 5 %, and would find nothing; from a file too."""
    case = next(path for path in CASES if path.parent.name == "incidents")
    query, error = f"from incidents({threshold})", f"{threshold} is not a share: one is between 0 and 1"
    with catalog(tmp_path / "stored.duckdb", **read_lake(case)) as connection:
        with pytest.raises(duckdb.InvalidInputException, match=error):
            connection.execute(query)
        assert connection.execute("select share(0), share(0.25), share(1)").fetchone() == (0, 0.25, 1)
    with (
        duckdb.connect(tmp_path / "stored.duckdb", read_only=True) as connection,
        pytest.raises(duckdb.InvalidInputException, match=error),
    ):
        connection.execute(query)


NAMES = ("ts", "application", "vantage", "status", "traffic_class")
REQUEST = pa.schema([*(contract("requests").schema.field(name) for name in NAMES), pa.field("dt", pa.date32())])
REQUESTS = st.lists(
    st.fixed_dictionaries(
        {
            "ts": st.datetimes(datetime(2026, 9, 14), datetime(2026, 9, 16, 23, 59, 59)),
            "application": st.sampled_from(["shop", "api"]),
            "vantage": st.sampled_from(["edge", "origin"]),
            "status": st.sampled_from([0, 200, 429, 499, 500, 503, 599]),
            "traffic_class": st.sampled_from(["user", "user", "health_check", "synthetic"]),
        }
    ),
    min_size=1,
)


def _made(name, requests, folder):
    """Return a dataset of DAYS, made day by day by its own SQL."""
    days = []
    for day in DAYS:
        rows = [each for each in requests if each["dt"] == day]
        pq.write_table(pa.Table.from_pylist(rows, REQUEST), folder / "requests.parquet")
        found = _made_of(contract(name), folder, day)
        days.append(found.append_column("dt", pa.array([day] * found.num_rows, pa.date32())))
    return pa.concat_tables(days)


def _made_of(made, folder, day):
    """Return what a dataset's SQL makes of the requests in a folder."""
    inputs = {}
    for name in (each.dataset for each in made.inputs):
        file = folder / f"{name}.parquet"
        if contract(name).inputs:
            pq.write_table(_made_of(contract(name), folder, day), file)
        elif name == "rejects":
            pq.write_table(contract(name).schema.empty_table(), file)
        inputs[name] = [Rows(Partition(name, 1, day, "web" if contract(name).per_source else None), file, None)]
    return run_query(made, day, inputs)


@settings(derandomize=True, deadline=None, max_examples=5)
@given(given_requests=REQUESTS)
def test_questions_agree_with_the_metric(catalog, tmp_path_factory, given_requests):
    """Days of the time zone UTC, counted from five minutes, are `error_rate`'s; so are the errors of all paths."""
    requests = [each | {"dt": each["ts"].replace(tzinfo=UTC).date()} for each in given_requests]
    folder = tmp_path_factory.mktemp("requests")
    made = {name: _made(name, requests, folder) for name in ("error_rate", "error_counts")}
    with catalog(requests=pa.Table.from_pylist(requests, REQUEST), **made) as connection:
        columns = "application, vantage, hours_observed, valid_requests, server_error_requests, error_rate"
        by_zone = f"select day, {columns} from error_rate_by('UTC') order by all"
        by_day = f"select dt, {columns} from error_rate_daily order by all"
        assert connection.execute(by_zone).fetchall() == connection.execute(by_day).fetchall()
        for day in DAYS:
            by_path = (
                "select application, vantage, sum(server_error_requests), round(sum(share_of_errors), 9) "
                f"from worst_paths('{day}') group by all order by all"
            )
            by_day = (
                "select application, vantage, server_error_requests, 1.0 "
                f"from worst_days where dt = '{day}' order by all"
            )
            assert connection.execute(by_path).fetchall() == connection.execute(by_day).fetchall()


@pytest.mark.parametrize("share", [0.0002, 0.002, 0.02])
def test_silent_hours_are_those_that_commands_say(catalog, share):
    """The view and `backfill status` judge alike: in random traffic, with days that are not there."""
    chance, first = np.random.default_rng(17), datetime(2026, 1, 1)
    rows, expected = [], set()
    for source, days in (("api", 280), ("web", 700)):
        counts = chance.choice([49, 50], (days, 24), p=[0.001, 0.999])
        for n in np.flatnonzero(chance.random(days * 24) < share):
            counts.ravel()[n : n + chance.integers(1, 12)] = 0
        counts[chance.random(days) < 0.01] = UNKNOWN
        expected |= {(source, first + timedelta(hours=int(n))) for n in np.flatnonzero(are_silent(counts))}
        for n in np.flatnonzero(counts.ravel() != UNKNOWN).tolist():
            at = first + timedelta(hours=n)
            key = {"source": source, "application": "shop", "bucket_start": at, "status_class": "2xx"}
            rows.append({"dt": at.date(), **key, "requests_total": int(counts.ravel()[n])})
    table = pa.Table.from_pylist(rows)
    with catalog(source_counts=table) as connection:
        found = connection.execute("select source, hour_start from silent_hours").fetchall()
    assert sorted(found) == sorted(expected)
    assert expected
