"""Objectives: what is read from luigi.cfg, what is refused, and their alerts against a replay without SQL."""

from bisect import bisect_left
from datetime import date, datetime, timedelta
from fractions import Fraction
from itertools import accumulate

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lake import sql
from lake.catalog.slo import Slo, create_table, read_slos
from lake.config import read
from lake.contracts import contract
from lake.errors import ConfigError

ASKED = {
    *("allowed_error_rate", "burn", "in_order", "known_counts", "slo_covers", "window_counts"),
    *("burn_rate", "slo_alert_rules", "slo_alerts", "slo_alerts_compared"),
}
FIVE = timedelta(minutes=5)
DAY = timedelta(days=1)
MIDNIGHT = datetime(2026, 9, 17)
RULES = [  # long and short minutes, and the share of the budget that the long window may spend
    (60, 5, Fraction(2, 100)),
    (360, 30, Fraction(5, 100)),
    (1440, 120, Fraction(10, 100)),
    (4320, 360, Fraction(10, 100)),
]


@pytest.fixture
def slos(tmp_path):
    """Reads the objectives of a luigi.cfg of the given text."""

    def found(text):
        path = tmp_path / "luigi.cfg"
        path.write_text(text)
        return read_slos(read(path))

    return found


@pytest.fixture
def empty():
    """An in-memory database."""
    with duckdb.connect() as connection:
        yield connection


def test_objectives_are_read(slos):
    """Every key, in the order of names; window_days is 30 and the vantage open where they are not said."""
    found = slos(
        "[lake]\nroot = lake\n"
        "[slo.web]\napplications = *\nobjective = 0.999\n"
        "[slo.shop_4w]\napplications = shop.example, shop-?,\n  pay*\nobjective = 0.9995\nwindow_days = 28\n"
        "vantage = edge\n"
    )
    assert found == (
        Slo("shop_4w", ("shop.example", "shop-?", "pay*"), "edge", 0.9995, 28),
        Slo("web", ("*",), None, 0.999, 30),
    )


def test_there_may_be_no_objective(slos):
    """A luigi.cfg without one is fine."""
    assert slos("[lake]\nroot = lake\n") == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("applications = *", r"objective is missing\. Required: applications, objective\.$"),
        ("applications =\nobjective = 0.99", r"applications is missing"),
        (
            "applications = *\nobjective = 0.99\nwindow = 30",
            r"unknown key 'window'\. Known keys: .*window_days",
        ),
        ("applications = ,\nobjective = 0.99", r"applications = ,: expected one name"),
        ("applications = a, B\nobjective = 0.99", r"applications: B: expected names of applications with a comma"),
        ("applications = [ab]\nobjective = 0.99", r"applications: \[ab\]: expected"),
        (
            "applications = *\nobjective = 99.9%",
            r"objective = 99\.9%: expected a .* like 0\.999 for 99\.9 %",
        ),
        ("applications = *\nobjective = 99.9", r"objective = 99\.9: expected a share"),
        ("applications = *\nobjective = 1", r"objective = 1: .* At 1 there would be no budget to spend\.$"),
        ("applications = *\nobjective = 1.0", r"objective = 1\.0: expected a share"),
        ("applications = *\nobjective = 0.000", r"objective = 0\.000: expected a share"),
        ("applications = *\nobjective = 0.9999999", r"objective = 0\.9999999: .* six digits at most"),
        ("applications = *\nobjective = 9e-1", r"objective = 9e-1: expected a share"),
        ("applications = *\nobjective = 0.99\nwindow_days = 29", r"window_days = 29: expected 28, which are"),
        (
            "applications = *\nobjective = 0.99\nwindow_days = 7",
            r"window_days = 7: expected a whole number",
        ),
        (
            "applications = *\nobjective = 0.99\nvantage = cdn",
            r"vantage = cdn: expected one of edge, load",
        ),
    ],
)
def test_a_wrong_objective_is_refused(slos, tmp_path, text, message):
    """The message names file, section, key and value, and what was expected."""
    with pytest.raises(ConfigError, match=message) as refused:
        slos(f"[slo.web]\n{text}\n")
    assert str(refused.value).startswith(f"{tmp_path}/luigi.cfg, [slo.web]: ")


def test_a_name_that_is_none_is_refused(slos):
    """An objective's name stands in columns and commands, as that of a source does."""
    with pytest.raises(ConfigError, match=r"\[slo\.My SLO\]: slo 'My SLO' is no valid name"):
        slos("[slo.My SLO]\napplications = *\nobjective = 0.99\n")


@pytest.mark.parametrize(
    ("days", "factor", "refused", "needed", "lowest"),
    [(30, "14.4", "0.930555", "1", "0.9306"), (28, "13.44", "0.925", "1.008", "0.9256")],
)
def test_an_alert_that_can_never_fire_is_refused(slos, days, factor, refused, needed, lowest):  # noqa: PLR0913, PLR0917
    """14.4 times an allowed rate of 0.07 is more than all requests; what the message asks for is accepted."""
    text = "[slo.web]\napplications = *\nwindow_days = {}\nobjective = {}\n"
    with pytest.raises(ConfigError, match="the page over 60 and 5 minutes can never fire") as error:
        slos(text.format(days, refused))
    message = str(error.value)
    assert f"more than {factor} times the allowed rate of" in message
    assert (
        f"which is {float(needed):.4g}, and no rate is above 1. Give an objective of {lowest} or more" in message
    )
    assert slos(text.format(days, lowest))[0].objective == float(lowest)


def test_an_alert_that_only_every_request_could_reach_is_refused(slos):
    """0.9 allows a tenth, so that a factor of 10 is all requests, and no rate is above all."""
    with pytest.raises(ConfigError, match=r"objective = 0\.9: .* which is 1\.44, and"):
        slos("[slo.web]\napplications = *\nobjective = 0.9\n")


def test_the_table_holds_the_objectives_given_last(empty):
    """As the questions ask for them, and none of before."""
    create_table(empty, (Slo("old", ("*",), None, 0.9, 30),))
    create_table(empty, (Slo("web", ("a", "b*"), "edge", 0.999, 28), Slo("all", ("*",), None, 0.99, 30)))
    assert empty.sql("from slo order by slo").fetchall() == [
        ("all", ["*"], None, 0.99, 30),
        ("web", ["a", "b*"], "edge", 0.999, 28),
    ]


@pytest.mark.parametrize(
    ("patterns", "application", "is_covered"),
    [
        (["shop"], "shop", True),
        (["shop"], "shop2", False),
        (["hop"], "shop", False),
        (["a", "sh?p*"], "shop.example", True),
        (["shop.example"], "shopxexample", False),
        (["sh?p"], "shp", False),
        (["*"], "(invalid)", True),
    ],
)
def test_patterns_are_of_whole_names(empty, patterns, application, is_covered):
    """`*` is any text, `?` one character, and nothing else means anything."""
    _define(empty)
    query = "select slo_covers($1, null, $2, 'edge'), slo_covers($1, 'edge', $2, 'edge'), "
    query += "slo_covers($1, 'origin', $2, 'edge')"
    assert empty.execute(query, [patterns, application]).fetchone() == (is_covered, is_covered, False)


@pytest.mark.parametrize("minutes", ["0", "-5", "7"])
def test_a_window_of_other_than_five_minutes_is_refused(empty, minutes):
    """Rather than answered with that of another length."""
    _define(empty)
    _fill(empty, {("shop", MIDNIGHT): (10, 1)})
    create_table(empty, (Slo("web", ("*",), None, 0.999, 30),))
    with pytest.raises(duckdb.Error, match="expected minutes, 5 or a multiple of it"):
        empty.sql(f"from burn_rate({minutes})").fetchall()


def test_comparing_with_an_objective_that_is_not_there_is_refused(empty):
    """Rather than answered with its never having fired."""
    _define(empty)
    _fill(empty, {("shop", MIDNIGHT): (10, 10)})
    create_table(empty, (Slo("web", ("*",), None, 0.999, 30),))
    assert empty.sql("from slo_alerts_compared('web', 'web')").fetchall()
    with pytest.raises(duckdb.Error, match=r"there is no \[slo\.wep\] in luigi\.cfg"):
        empty.sql("from slo_alerts_compared('web', 'wep')").fetchall()


Counts = dict[tuple[str, datetime], tuple[int, int]]
SPELLS = st.lists(
    st.tuples(
        st.sampled_from(["api", "shop"]),
        st.integers(0, 6 * 288),  # the bucket that it begins with
        st.sampled_from([1, 2, 3, 6, 12, 40, 90]),  # buckets
        st.tuples(st.integers(0, 100), st.integers(0, 100)),  # errors and requests, in some order
    ),
    min_size=1,
    max_size=10,
)


@settings(derandomize=True, deadline=None, max_examples=10)
@given(
    SPELLS,
    st.sampled_from(["0.931", "0.95", "0.99", "0.999"]),
    st.sampled_from([28, 30]),
    st.one_of(st.none(), st.integers(0, 6)),
    st.one_of(st.none(), st.integers(1, 7)),
)
def test_alerts_are_those_of_a_plain_replay(spells, objective, window_days, start, stop):
    """Looked at with exact fractions after each five minutes, window by window, the same alerts fire."""
    counts = {
        (application, MIDNIGHT + (begin + n) * FIVE): (max(pair), min(pair))
        for application, begin, buckets, pair in spells
        for n in range(buckets)
    }
    first = None if start is None else MIDNIGHT + start * DAY
    last = None if stop is None else MIDNIGHT + stop * DAY
    with duckdb.connect() as connection:
        _define(connection)
        _fill(connection, counts)
        create_table(connection, (Slo("web", ("*",), None, float(objective), window_days),))
        days = [None if each is None else each.date() for each in (first, last)]
        found = connection.execute(
            "select application, long_minutes, fired, ended, minutes from slo_alerts(start := $1, stop := $2)",
            days,
        ).fetchall()
    budget = (1 - Fraction(objective)) * window_days * 1440
    expected = _replayed(counts, budget, first, last)
    assert sorted(found, key=repr) == sorted(expected, key=repr)


def test_rows_in_another_order_are_refused(empty):
    """Rather than summed: a window without an order is only right of rows that come in theirs."""
    _define(empty)
    assert empty.sql("select in_order(7, true)").fetchone() == (7,)
    with pytest.raises(duckdb.Error, match=r"DuckDB v[0-9.]+ takes rows out of their order here\. Ask with"):
        empty.sql("select in_order(7, false)").fetchall()


def test_few_counts_far_apart_have_their_burn_rates(empty):
    """Of some hundred rows, which become many thousands, each as a plain sum of its window has it."""
    _define(empty)
    empty.execute("""
        insert into error_counts by name
        select
            cast(bucket_start as date) as dt,
            'app-' || hash(n, 1, 3) % 7 as application,
            if(hash(n, 2, 3) % 3 = 0, 'origin', 'edge') as vantage,
            bucket_start,
            2 + hash(n, 3, 3) % 50 as valid_requests,
            hash(n, 5, 3) % 3 as server_error_requests
        from (
            select
                n,
                timestamp '2026-09-01' + to_minutes(cast(5 * (hash(n, 6, 3) % 11_520) as bigint)) as bucket_start
            from range(1_344) r(n)
        )
    """)
    create_table(empty, (Slo("web", ("*",), None, 0.99, 30),))
    empty.execute("set threads = 1")
    empty.sql("from burn_rate(30)").to_table("rates")
    assert len(empty.table("rates")) > 100_000
    differing = empty.sql("""
        with sums as (
            select
                rates.application,
                rates.vantage,
                rates.bucket_end,
                any_value(rates.valid_requests) as valid_requests,
                any_value(rates.server_error_requests) as server_error_requests,
                coalesce(sum(counts.valid_requests), 0) as expected_valid,
                coalesce(sum(counts.server_error_requests), 0) as expected_errors
            from rates
            left join error_counts as counts
                on
                    counts.application = rates.application
                    and counts.vantage = rates.vantage
                    and counts.bucket_start < rates.bucket_end
                    and counts.bucket_start >= rates.bucket_end - interval 30 minutes
            group by all
        )

        from sums
        where valid_requests != expected_valid or server_error_requests != expected_errors
    """)
    assert differing.fetchall() == []


def test_alerts_are_the_same_with_any_settings(empty):
    """Of counts in any order, of many applications, for several objectives and on several threads."""
    _define(empty)
    empty.execute("""
        insert into error_counts by name
        select
            cast(bucket_start as date) as dt,
            'app-' || n % 20 as application,
            'edge' as vantage,
            bucket_start,
            hash(n) % 9 as valid_requests,
            if(hash(n // 2_000) % 7 = 0, hash(n) % 2, 0) as server_error_requests
        from (select n, timestamp '2026-09-01' + to_minutes(n // 20 * 5) as bucket_start from range(60_000) r(n))
        where hash(n) % 3 > 0
        order by hash(n)
    """)
    create_table(empty, (Slo("web", ("*",), None, 0.99, 30), Slo("one", ("app-1*",), None, 0.95, 28)))
    empty.execute("set threads = 1")
    expected = empty.sql("from slo_alerts()").fetchall()
    assert len({(slo, application) for slo, application, *_ in expected}) == 20 + 11
    for threads, is_preserved in ((4, True), (1, False), (4, False)):
        empty.execute(f"set threads = {threads}")
        empty.execute(f"set preserve_insertion_order = {is_preserved}")
        assert empty.sql("from slo_alerts()").fetchall() == expected


def _define(connection: duckdb.DuckDBPyConnection) -> None:
    of = contract("error_counts")
    schema = pa.schema([pa.field("dt", pa.date32()), *of.schema, pa.field("rev", pa.int32())])
    connection.register("given", schema.empty_table())
    connection.execute("create table error_counts as from given")
    for name in ("error_rate", "error_counts"):
        connection.execute(f"create table {name}_files (dt date)")
    create_table(connection, ())
    for each in (*sql.macros(), *sql.questions()):
        if each.name in ASKED:
            connection.execute(each.statement)


def _fill(connection: duckdb.DuckDBPyConnection, counts: Counts) -> None:
    # two classes of status: those that failed and the others
    rows = [
        {
            "dt": at.date(),
            "application": application,
            "vantage": "edge",
            "bucket_start": at,
            "valid_requests": valid,
            "server_error_requests": failed,
        }
        for (application, at), (requests, errors) in counts.items()
        for valid, failed in ((requests - errors, 0), (errors, errors))
    ]
    connection.register("rows_to_fill", pa.Table.from_pylist(rows))
    connection.execute("insert into error_counts by name from rows_to_fill")


def _replayed(
    counts: Counts, budget: Fraction, start: datetime | None, stop: datetime | None
) -> list[tuple[str, int, datetime | None, datetime | None, int]]:
    """Return the alerts; `budget` is how many minutes of nothing but errors the objective allows."""
    seen = {key: pair for key, pair in counts.items() if stop is None or key[1] < stop}
    since = None if start is None else start - 3 * DAY
    days = [at.date() for _, at in seen if since is None or at >= since]
    if not days:
        return []
    end = _midnight(max(days)) + DAY
    begin = start or min(at for _, at in seen)
    points = [begin + n * FIVE for n in range((end - begin) // FIVE + 1)]
    found = []
    for application in {application for application, _ in seen}:
        mine = sorted((at, pair) for (name, at), pair in seen.items() if name == application)
        times = [at for at, _ in mine]
        totals = [(0, 0), *accumulate((pair for _, pair in mine), lambda a, b: (a[0] + b[0], a[1] + b[1]))]

        def is_above(at: datetime, minutes: int, limit: Fraction, times=times, totals=totals) -> bool:
            before, now = (totals[bisect_left(times, each)] for each in (at - timedelta(minutes=minutes), at))
            return now[1] - before[1] > limit * (now[0] - before[0])

        for long, short, share in RULES:
            limit = budget * share / long
            firing = [at for at in points if is_above(at, short, limit) and is_above(at, long, limit)]
            found += [(application, long, *alert) for alert in _alerts(firing, start, end)]
    return found


def _alerts(
    firing: list[datetime], start: datetime | None, end: datetime
) -> list[tuple[datetime | None, datetime | None, int]]:
    found = []
    on = set(firing)
    for first in [at for at in firing if at - FIVE not in on]:
        last = first
        while last in on:
            last += FIVE
        ended = min(last, end)
        minutes = (ended - first) // timedelta(minutes=1)
        found.append((None if first == start else first, None if last > end else ended, minutes))
    return found


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day)
