"""The report: its figures are the lake's, in the tables and in the charts, whatever the lake holds."""

import argparse
import base64
import hashlib
import json
import re
import shutil
import struct
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lake import cli, events, sql
from lake.catalog.connections import connect
from lake.contracts import CONTRACTS
from lake.errors import ConfigError
from lake.events import Event
from lake.exit_codes import epilog
from lake.lake import Lake, open_store
from lake.partition import Partition
from lake.provenance import Provenance
from lake.report.cli import EXAMPLES, add_report
from lake.report.data import MOVERS_DAYS, Report, Scope, Series, gather, require_applications, scope
from lake.report.figures import interval, percent

pytest.importorskip("vl_convert")
pytest.importorskip("jinja2")
from markupsafe import escape

from lake.report import charts, page

FIRST = date(2026, 9, 1)
DAYS = 20
STOP = FIRST + timedelta(DAYS)
UNCOUNTED = date(2026, 9, 3)
INCOMPLETE = date(2026, 9, 5)
OUTAGE = datetime(2026, 9, 9, 14)
RESTATED = date(2026, 9, 12)
MISSING = date(2026, 9, 15)
HOSTILE = "</script><img src=x onerror=alert(1)>@@data@@&<!--"
RATE = ("error_rate", "error_rate_low", "error_rate_high")
CHROMIUM = Path("/usr/bin/chromium")
RELEASE = Event(OUTAGE.replace(minute=1, tzinfo=UTC), None, "deploy", "9 </script><b>", ("shop", "x*"))
FAIR = Event(datetime(2026, 9, 8, 22, tzinfo=UTC), datetime(2026, 9, 11, tzinfo=UTC), "holiday", "fair")
EVENTS = (
    *(RELEASE, FAIR),
    Event(datetime(2026, 9, 21, tzinfo=UTC), None, "other", "later"),
    Event(datetime(2026, 9, 9, tzinfo=UTC), None, "other", "elsewhere", ("docs",)),
)
APPLICATIONS = (("api", "edge"), ("api", "origin"), ("idle", "origin"), ("late", "origin"), ("shop", "edge"))


def buckets(application: str, vantage: str, day: date) -> Iterator[tuple[datetime, int, int]]:
    """Yield what an application had in each five minutes with requests of it: when, how many, how many failed."""
    midnight = datetime(day.year, day.month, day.day)
    if application == "idle" or (application == "late" and (day.day < 10 or day == MISSING)):
        return
    for minute in range(0, 24 * 60, 30):
        yield (
            midnight + timedelta(minutes=minute),
            1000,
            {"api": 1, "late": 3 * (day.day > 13)}.get(application, 0),
        )
    if application == "shop" and day == OUTAGE.date():
        for minute in range(5, 25, 5):
            yield OUTAGE + timedelta(minutes=minute), 200, 150


def counts(day: date) -> pa.Table:
    """Return a day's error_counts."""
    rows = [
        {"application": application, "vantage": vantage, "bucket_start": at, "status_class": status}
        | dict.fromkeys(("requests_total", "valid_requests"), n)
        | {"server_error_requests": n if status == "5xx" else 0}
        for application, vantage in APPLICATIONS
        for at, total, failed in sorted(buckets(application, vantage, day))
        for status, n in (("2xx", total - failed), ("5xx", failed))
        if n
    ]
    schema = CONTRACTS["error_counts"].schema
    return pa.Table.from_pylist([dict.fromkeys(schema.names, 0) | row for row in rows], schema)


def rates(day: date) -> pa.Table:
    """Return a day's error_rate."""
    rows = []
    for application, vantage in APPLICATIONS:
        found = list(buckets(application, vantage, day))
        if not found and application != "idle":
            continue
        total, failed = sum(each[1] for each in found), sum(each[2] for each in found)
        row = dict.fromkeys(CONTRACTS["error_rate"].schema.names, 0)
        row |= {"application": application, "vantage": vantage, "server_error_requests": failed}
        row |= dict.fromkeys(("requests_total", "valid_requests"), total)
        row |= dict(zip(RATE, rated(failed, total), strict=True))
        row |= {"hours_observed": 24 if found else 0}
        row |= {"incomplete": f"api: {HOSTILE}" if application == "api" and day == INCOMPLETE else None}
        rows.append(row)
    return pa.Table.from_pylist(rows, CONTRACTS["error_rate"].schema)


@cache
def wilson() -> duckdb.DuckDBPyConnection:
    """Return a connection that knows rate and interval, and nothing else."""
    connection = duckdb.connect()
    for each in sql.macros():
        if each.name in {"wilson_low", "wilson_high", "rate_and_interval"}:
            connection.execute(each.statement)
    return connection


@cache
def rated(failed: int, total: int) -> tuple[float | None, ...]:
    """Return an error rate and its interval, as the metric makes them."""
    query = "select unnest(rate_and_interval($k, $n))"
    return wilson().execute(query, {"k": failed, "n": total}).fetchone()


@pytest.fixture(scope="module")
def a_lake(tmp_path_factory, provenance_of) -> Lake:
    """A lake of twenty days: an outage, a restatement, a day without error_counts, incomplete and missing ones."""
    made = Lake(open_store(str(tmp_path_factory.mktemp("reported") / "lake")))
    for n in range(DAYS):
        day = FIRST + timedelta(n)
        put(made, provenance_of, Partition("error_rate", 1, day), rates(day))
        if day != UNCOUNTED:
            put(made, provenance_of, Partition("error_counts", 1, day), counts(day))
    told = {"reason": f"late log {HOSTILE}", "requested_by": "anna@batch-1", "supersedes": "00"}
    put(made, provenance_of, Partition("error_rate", 1, RESTATED, revision=1), rates(RESTATED), **told)
    events.record(made, EVENTS)
    return made


def put(
    made: Lake, provenance_of: Callable[..., Provenance], partition: Partition, table: pa.Table, **told
) -> None:
    """Publish a table with something of its own in its provenance."""
    with made.staging() as folder, made.writer(CONTRACTS[partition.dataset], partition.dt, folder) as writer:
        writer.write(table)
        made.publish(partition, writer.finish(replace(provenance_of(partition, table.num_rows), **told)))


@pytest.fixture(scope="module")
def catalog(a_lake) -> Iterator[duckdb.DuckDBPyConnection]:
    """The catalog of that lake, with two objectives."""
    with connect(a_lake) as connection:
        connection.execute("delete from slo")
        connection.execute("insert into slo values ('front', ['shop', 'a*'], null, 0.999, 28)")
        connection.execute("insert into slo values ('strict', ['shop'], 'edge', 0.9999, 30)")
        yield connection


@pytest.fixture(scope="module")
def report(a_lake, catalog) -> Report:
    """The report of all its days."""
    return gather(a_lake, catalog, scope(a_lake, None, None, "*", 0.05))


@pytest.fixture(scope="module", autouse=True)
def kept(tmp_path_factory) -> Iterator[Path]:
    """What is kept between reports is in a folder of these tests; it is where it lies."""
    with pytest.MonkeyPatch.context() as patched:
        folder = tmp_path_factory.mktemp("cache")
        patched.setenv("XDG_CACHE_HOME", str(folder))
        yield folder / "error-rate-lake"


@pytest.fixture(scope="module")
def text(report) -> str:
    """Its page."""
    return page.page(report)


class Tables(HTMLParser):
    """Collects the text of each section's table, row by row, and all scripts and tags."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.rows: dict[str, list[list[str]]] = {}
        self.scripts: list[tuple[dict, str]] = []
        self.tags: list[str] = []
        self._section, self._cell, self._script = "", False, None
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        """See HTMLParser."""
        self.tags.append(tag)
        told = dict(attributes)
        if tag == "section":
            self._section = told.get("id", "")
        elif tag == "tr":
            self.rows.setdefault(self._section, []).append([])
        elif tag in {"td", "th"}:
            self._cell = True
            self.rows[self._section][-1].append("")
        elif tag == "script":
            self._script = told
            self.scripts.append((told, ""))
        elif tag == "small" and self._cell:
            self.rows[self._section][-1][-1] += " "

    def handle_endtag(self, tag):
        """See HTMLParser."""
        if tag in {"td", "th"}:
            self._cell = False
        elif tag == "script":
            self._script = None

    def handle_data(self, data):
        """See HTMLParser."""
        if self._cell:
            self.rows[self._section][-1][-1] += data
        if self._script is not None:
            self.scripts[-1] = (self._script, self.scripts[-1][1] + data)

    def records(self, section: str) -> list[dict[str, str]]:
        """Return a table's rows by the names of its columns; of columns of one name, the last."""
        head, *body = self.rows[section]
        return [dict(zip(head, row, strict=True)) for row in body]


@pytest.fixture(scope="module")
def tables(text) -> Tables:
    """What stands in the page's tables."""
    return Tables(text)


def data_of(text: str) -> dict:
    """Return what the page's script is given."""
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)[1])


def said(failed: int, total: int) -> tuple[str, str]:
    """Return a rate and its interval as the page says them."""
    rate, low, high = rated(failed, total)
    return percent(rate), interval({"error_rate_low": low, "error_rate_high": high})


def test_applications_have_the_sums_of_all_days(tables):
    """Counts are those that were published; the rate is made of their sums, at each vantage apart."""
    found = {(each["Application"], each["Vantage"]): each for each in tables.records("applications")}
    assert set(found) == set(APPLICATIONS)
    for key, shown in found.items():
        days = [list(buckets(*key, FIRST + timedelta(n))) for n in range(DAYS)]
        total, failed = (sum(each[place] for day in days for each in day) for place in (1, 2))
        assert (shown["Error rate"], shown["95 % interval"]) == said(failed, total)
        assert (shown["Failed requests"], shown["Valid requests"]) == (f"{failed:,}", f"{total:,}")
    assert found["late", "origin"]["Days"] == str(DAYS - 9 - 1)
    assert found["api", "edge"]["Incomplete"] == "1"
    assert found["shop", "edge"]["Incidents"] == "1"


def test_each_day_has_its_figures(tables):
    """Of a short range, the table by day has rate and interval; nothing where there was nothing."""
    found = {each["Application"]: each for each in tables.records("periods")}
    assert set(found) == {"api (edge)", "api (origin)", "idle", "late", "shop"}
    for n in range(DAYS):
        day = FIRST + timedelta(n)
        for label, key in (
            ("api (edge)", ("api", "edge")),
            ("shop", ("shop", "edge")),
            ("late", ("late", "origin")),
        ):
            of_day = list(buckets(*key, day))
            shown = found[label][f"{day:%d %b}"]
            if of_day:
                assert shown == " ".join(said(sum(each[2] for each in of_day), sum(each[1] for each in of_day)))
            else:
                assert shown == "\N{EN DASH}"
    assert found["idle"]["01 Sep"] == "\N{EN DASH} \N{EN DASH}"


def test_budgets_are_those_of_the_last_day(tables, catalog):
    """Each objective of each application, what it allows, and what is left of it."""
    query = "select slo, application, vantage, valid_requests, allowed_errors, server_error_requests, budget_left"
    rows = catalog.execute(f"{query} from error_budget where dt = $1", [STOP - timedelta(1)]).fetchall()
    found = {(each["Objective"], each["Application"], each["Vantage"]): each for each in tables.records("budgets")}
    assert set(found) == {row[:3] for row in rows} >= {("front", "api", "edge"), ("strict", "shop", "edge")}
    for *key, valid, allowed, failed, left in rows:
        shown = found[tuple(key)]
        assert (shown["Valid requests"], shown["Failed requests"]) == (f"{valid:,}", f"{failed:,}")
        assert shown["May fail"] == f"{allowed:,.1f}"
        digits = 1 if abs(left) < 1 else 0
        assert shown["Budget left"] == f"{left * 100:,.{digits}f} %".replace("-", "\N{MINUS SIGN}")
    assert found["strict", "shop", "edge"]["Budget left"].startswith("\N{MINUS SIGN}")


def test_the_outage_is_an_incident(tables, text):
    """With its beginning, end and lost requests; days of which none can be known are named."""
    (shown,) = tables.records("incidents")
    assert (shown["Application"], shown["Began (UTC)"], shown["Ended"]) == ("shop", "2026-09-09 14:05", "14:25")
    assert (shown["Lasted"], shown["Failed requests"], shown["Valid requests"]) == ("20 min", "600", "800")
    assert (shown["Error rate"], shown["95 % interval"]) == said(600, 800)
    assert f"not known of 1 day without error_counts: {UNCOUNTED}." in text
    assert "<b>1</b><span>incidents, in which 600 requests failed; not known of 1 day</span>" in text
    assert data_of(text)["series"][0]["facts"].endswith(" 1 incident. Incidents are not known of 1 day.")


def test_events_are_told_where_they_explain_something(tables, text):
    """In a table of their own, at the incident that followed, and on the days of their applications."""
    assert [
        (each["Began (UTC)"], each["Ended"], each["Name"], each["Of"]) for each in tables.records("events")
    ] == [
        ("2026-09-09 14:01", "\N{EN DASH}", RELEASE.name, "shop, x*"),
        ("2026-09-08 22:00", "2026-09-11 00:00", "fair", "all"),
    ]
    (incident,) = tables.records("incidents")
    assert incident["Events just before"] == RELEASE.name
    fair = [7 * 1440 + 22 * 60, 10 * 1440, "holiday 2026-09-08 22:00: fair"]
    release = [8 * 1440 + 14 * 60 + 1, 8 * 1440 + 14 * 60 + 1, f"deploy 2026-09-09 14:01: {RELEASE.name}"]
    found = {each["label"]: each["events"] for each in data_of(text)["series"]}
    assert (found["shop"], found["late"]) == ([fair, release], [fair])


def test_days_of_events_have_a_mark(report):
    """In the picture, as on the page: from the day that it began on to that on which it ended."""
    (late,) = (each for each in report.series if each.application == "late")
    points = charts._points(report, late)  # noqa: SLF001
    marked = [day for day, each in zip(report.scope.days, points, strict=True) if each["e"]]
    assert marked == [date(2026, 9, day) for day in (8, 9, 10)]


def test_movers_are_those_of_the_last_week(tables, catalog):
    """With both rates; who didn't surely move is not there."""
    rows = catalog.execute("select application, error_rate_before, error_rate from movers()").fetchall()
    shown = [(each["Application"], each["Before"], each["Now"]) for each in tables.records("movers")]
    assert shown == [(name, percent(before), percent(now)) for name, before, now in rows]
    assert [each[0] for each in shown] == ["late", "shop"]


def test_movers_compares_the_days_that_the_page_says(catalog):
    """So many before the range's end with as many before those: the query has a number of its own."""
    names = "valid_requests, valid_requests_before"
    (found,) = catalog.execute(f"select {names} from movers() where application = 'shop'").fetchall()
    weeks = [[STOP - timedelta(MOVERS_DAYS * week + n + 1) for n in range(MOVERS_DAYS)] for week in (0, 1)]
    assert found == tuple(
        sum(total for day in week for _, total, _ in buckets("shop", "edge", day)) for week in weeks
    )


def test_sums_of_a_month_are_the_catalogs(a_lake, catalog):
    """Where a month is not cut, its figures are those that an analyst has."""
    made = gather(a_lake, catalog, Scope(FIRST, date(2026, 10, 3)))
    answer = catalog.execute("from error_rate_monthly order by application, vantage")
    names = [column[0] for column in answer.description]
    months = [dict(zip(names, row, strict=True)) for row in answer.fetchall()]
    assert made.scope.period == "month"
    assert [each["period"].date() for each in made.periods] == [each["month"] for each in months]
    for ours, theirs in zip(made.periods, months, strict=True):
        assert (ours.keys() - {"period"}) < theirs.keys()
        assert {name: theirs[name] for name in ours if name != "period"}.items() <= ours.items()


def test_what_is_missing_is_told_by_day(tables):
    """A day without the application; one of which a raw log was missing, with all that it concerns."""
    shown = [(each["Day"], each["What is missing"], each["Of"]) for each in tables.records("completeness")]
    assert shown == [
        (str(MISSING), "no requests", "late"),
        (str(INCOMPLETE), f"api: {HOSTILE}", "api (edge), api (origin)"),
    ]


def test_restatements_say_why(tables):
    """And who asked for them."""
    (shown,) = tables.records("restatements")
    assert (shown["Day"], shown["Dataset"], shown["Revision"]) == (str(RESTATED), "error_rate", "1")
    assert (shown["Reason"], shown["Requested by"]) == (f"late log {HOSTILE}", "anna@batch-1")


def test_what_is_drawn_is_what_the_lake_says(text, catalog):
    """Counts as they are, intervals to the three digits that are shown; no row, no figure."""
    given = data_of(text)
    assert (given["start"], given["days"]) == (str(FIRST), DAYS)
    assert given["uncounted"] == [(UNCOUNTED - FIRST).days]
    rows = catalog.execute("select * from error_rate").fetchall()
    names = [column[0] for column in catalog.description]
    records = [dict(zip(names, row, strict=True)) for row in rows]
    lake = {(each["application"], each["vantage"], each["dt"]): each for each in records}
    seen = 0
    for series in given["series"]:
        key = next(each for each in APPLICATIONS if series["label"] in {each[0], f"{each[0]} ({each[1]})"})
        for n in range(DAYS):
            row = lake.get((*key, FIRST + timedelta(n)))
            seen += row is not None
            assert series["requests"][n] == (row and row["valid_requests"])
            assert series["errors"][n] == (row and row["server_error_requests"])
            for end in ("low", "high"):
                assert percent(series[end][n]) == percent(row and row[f"error_rate_{end}"])
            texts = given["texts"][series["incomplete"][n]]
            assert texts == (row and row["incomplete"])
            assert series["revisions"][n] == (row["rev"] if row else series["revisions"][n])
    assert seen == len(lake)
    assert given["series"][0]["label"] == "shop"


@pytest.mark.parametrize(
    ("failed", "total", "expected"),
    [
        (0, 1000, 0),
        (0, 0, None),
        (1, 1_000_000, 1),
        (5, 100_000, 1),
        (80, 100_000, 2),
        (100, 100_000, 3),
        (1, 1000, 3),
        (200, 100_000, 4),
        (500, 100_000, 5),
        (5000, 100_000, 6),
        (3, 3, 6),
    ],
)
def test_a_colour_is_decided_by_the_interval(failed, total, expected):
    """Of one in a thousand allowed: surely less, surely more, by how much, or it can't be told."""
    rate, low, high = rated(failed, total)
    day = {"server_error_requests": failed, "error_rate": rate, "error_rate_low": low, "error_rate_high": high}
    assert charts.colour(day, 0.001) == expected


def test_no_day_has_no_colour():
    """A day that is not there is blank."""
    assert charts.colour(None, 0.001) is None


@given(st.floats(0, 1))
def test_a_percentage_has_three_digits(share):
    """It is within half a unit of the third digit, and never in exponents."""
    shown = percent(share)
    assert re.fullmatch(r"\d+(\.\d+)? %", shown)
    assert float(shown[:-2]) / 100 == pytest.approx(share, rel=0.006, abs=1e-300)


@pytest.mark.parametrize(
    ("share", "shown"),
    [(None, "\N{EN DASH}"), (0, "0 %"), (1, "100 %"), (0.5, "50.0 %"), (1 / 32, "3.13 %"), (0.99961, "100 %")],
)
def test_percentages_of_note(share, shown):
    """None is none, and halves go up, as in the browser."""
    assert percent(share) == shown


def test_hostile_texts_stay_texts(text, tables):
    """A reason or the name of a raw log is shown as it is, and is no tag, no script and no place to fill."""
    assert "img" not in tables.tags
    assert "<!--" not in text
    assert [told.get("id") for told, _ in tables.scripts] == ["data", "specs", None, None]


def test_hostile_names_stay_texts(report):
    """Whatever an application is called."""
    (first, *rest) = report.series
    renamed = replace(first, application=HOSTILE, label=HOSTILE, total=first.total | {"application": HOSTILE})
    found = Tables(page.page(replace(report, series=(renamed, *rest))))
    assert "img" not in found.tags
    assert len(found.scripts) == 4
    assert HOSTILE in {each["Application"] for each in found.records("applications")}


def test_only_its_own_scripts_may_run(text, tables):
    """The policy names the digest of each script, and allows nothing from elsewhere."""
    (policy,) = re.findall(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    scripts = [script for told, script in tables.scripts if "type" not in told]
    digests = [base64.b64encode(hashlib.sha256(each.encode()).digest()).decode() for each in scripts]
    assert policy == (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src "
        + " ".join(f"'sha256-{each}'" for each in digests)
    )
    assert len(scripts) == 2
    assert not re.search(
        r"<(?:link|iframe|object|img|script[^>]* src)|url\(|@import", text.partition("<script")[0]
    )


def test_the_same_lake_gives_the_same_page(a_lake, catalog, report, text):
    """Byte for byte: no clock, no order of chance."""
    again = gather(a_lake, catalog, report.scope)
    assert page.page(again) == text
    assert charts.picture(again) == charts.picture(report)


def test_it_is_the_same_with_what_was_kept_and_without(report, text, kept, monkeypatch):
    """Byte for byte: what draws is read back as it was made, or made again as it was."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(kept.parent))
    names = sorted(each.name for each in kept.iterdir())
    assert [name.partition("-")[0] for name in names] == ["charts", "drawing"]
    for is_kept in (True, False):
        if not is_kept:
            shutil.rmtree(kept)
        charts.library.cache_clear()
        charts.specs.cache_clear()
        assert page.page(report) == text
        assert sorted(each.name for each in kept.iterdir()) == names


@pytest.mark.parametrize("days", [1, 13, 92, 93, 400])
def test_charts_are_those_of_the_days_asked_for(days):
    """As if compiled for them, though those of other days were: also of days that begin or end with these."""
    others = timedelta(min(days, 93))
    for start in (date(2026, 9, 1), charts.OTHER_DAY, charts.OTHER_DAY + others, charts.OTHER_DAY - others):
        asked = Scope(start, start + timedelta(days))
        charts.specs.cache_clear()
        compiled = charts.compiled(charts.drawn(asked))
        assert json.dumps(charts.specs(asked)) == compiled


def test_every_figure_has_a_definition(text):
    """Each term leads to one, in the words of the contract or of the question."""
    terms = set(re.findall(r'class="term" href="#(is-\w+)"', text))
    assert terms <= set(re.findall(r'<dt id="(is-\w+)"', text))
    assert len(terms) > 8
    words = {each.name: each.meaning for each in CONTRACTS["error_rate"].columns}
    assert escape(words["server_error_requests"]) in text
    questions = {each.name: each.meaning for each in sql.questions()}
    plain = re.sub(r"</?code>", "`", text)
    for name in ("error_budget", "incidents", "movers", "completeness"):
        assert escape(questions[name]) in plain


def test_it_says_what_it_is_of(text, a_lake):
    """The range, the lake, the days, the revisions and the version; and nothing is left to fill in."""
    assert "2026-09-01 to 2026-09-20 · 20 days (UTC) · 4 applications" in text
    told = (
        f"the lake at {escape(a_lake.root)}: error_rate of 20 days in their latest revisions, 1 of them restated"
    )
    assert told in text
    assert "error_counts of 19 of them" in text
    outside = re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL)
    assert not re.search(r"\b(None|nan|NaN|undefined)\b", outside)
    assert "@@" not in outside.replace("@@data@@", "")


@pytest.mark.parametrize(
    ("start", "stop", "applications"),
    [
        (date(2020, 1, 1), date(2020, 1, 8), "*"),
        (FIRST, FIRST + timedelta(1), "*"),
        (FIRST, STOP, "shop"),
        (FIRST, STOP, "idle"),
        (FIRST, STOP, "nobody"),
        (date(2026, 1, 1), date(2027, 1, 1), "a*"),
        (STOP, STOP + timedelta(3), "*"),
    ],
    ids=["empty", "one day", "one application", "no requests", "no application", "a year", "days to come"],
)
def test_whatever_is_asked_for_makes_a_page(a_lake, catalog, start, stop, applications):
    """Every section is there; a table, or a sentence that says why there is none."""
    made = gather(a_lake, catalog, Scope(start, stop, applications))
    text = page.page(made)
    for name in ("budgets", "incidents", "movers", "completeness", "restatements"):
        (content,) = re.findall(rf'<section id="{name}".*?</h2>(.*?)</section>', text, re.DOTALL)
        assert len(re.sub(r"<[^>]*>", "", content).strip()) > 20
    assert not re.search(r"\b(None|nan|NaN)\b", re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL))
    assert charts.picture(made).startswith(b"\x89PNG")


def test_a_lake_without_objectives(a_lake):
    """Says so, and compares with one in a hundred."""
    with connect(a_lake) as connection:
        made = gather(a_lake, connection, Scope(FIRST, STOP))
    text = page.page(made)
    assert "No objectives are set for these applications." in text
    assert {each["objective"] for each in data_of(text)["series"]} == {None}
    assert {each["allowed"] for each in data_of(text)["series"]} == {0.01}


def test_what_is_no_longer_there_is_said(a_lake, catalog):
    """An application without a row in these days is not passed over in silence."""
    made = gather(a_lake, catalog, Scope(MISSING, MISSING + timedelta(1)))
    assert made.absent == ("late (origin)",)
    assert "Of these applications there is nothing in these days: late (origin)." in page.page(made)


# What is not known


@pytest.fixture
def sparse(disk_root, publish) -> Lake:
    """A lake of two days of error_rate, on the second of which nothing was requested, and no error_counts."""
    made = Lake(open_store(disk_root))
    publish(made, Partition("error_rate", 1, FIRST), rates(FIRST))
    publish(made, Partition("error_rate", 1, FIRST + timedelta(1)), rates(FIRST).slice(0, 0))
    return made


def shown(made: Lake, start: date, stop: date) -> tuple[Report, str]:
    """Return the report of some days, with an objective for all, and its page."""
    with connect(made) as connection:
        connection.execute("delete from slo")
        connection.execute("insert into slo values ('all', ['*'], null, 0.999, 28)")
        found = gather(made, connection, Scope(start, stop))
    return found, page.page(found)


def section(text: str, name: str) -> str:
    """Return a section of a page as text."""
    (content,) = re.findall(rf'<section id="{name}".*?</h2>(.*?)</section>', text, re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", content))


def test_without_counts_no_incident_is_no_news(sparse, run, tmp_path):
    """Where no day has error_counts, neither tile, table, text nor output says that there was no incident."""
    _, text = shown(sparse, FIRST, FIRST + timedelta(2))
    told = section(text, "incidents")
    assert "They are not known of 2 days without error_counts: 2026-09-01 to 2026-09-02." in told
    assert "Nothing is known of them." in told
    assert "none" not in told
    assert "<b>\N{EN DASH}</b><span>incidents are not known</span>" in text
    assert {each["Incidents"] for each in Tables(text).records("applications")} == {"\N{EN DASH}"}
    assert all("Incidents are not known." in each["facts"] for each in data_of(text)["series"])
    (tmp_path / "luigi.cfg").write_text(f"[lake]\nroot = {sparse.root}\n")
    assert ", incidents not known, " in run()[1]


def test_what_is_known_of_incidents_is_told_with_what_is_not(run):
    """The command, too, says of how many days it can't tell."""
    assert ", 1 incident (not known of 1 day), " in run()[1]


@pytest.mark.parametrize("restated", ["error_rate", "error_counts"])
def test_a_day_restated_in_one_dataset_only_is_told(disk_root, provenance_of, restated):
    """With a revision that counts otherwise than its twin, no day says that there were no incidents."""
    made = Lake(open_store(disk_root))
    days = [FIRST + timedelta(n) for n in range(3)]
    for day in days:
        put(made, provenance_of, Partition("error_rate", 1, day), rates(day))
        put(made, provenance_of, Partition("error_counts", 1, day), counts(day))
    assert shown(made, FIRST, days[-1] + timedelta(1))[0].days_counted_otherwise == ()
    table = rates(OUTAGE.date()) if restated == "error_rate" else counts(days[1]).slice(1)
    put(made, provenance_of, Partition(restated, 1, days[1], revision=1), table, supersedes="00", reason="late")
    found, text = shown(made, FIRST, days[-1] + timedelta(1))
    assert found.days_counted_otherwise == (days[1],)
    assert found.days_without_counts == ()
    told = section(text, "incidents")
    assert "They are not sure of 1 day whose error_counts are other counts than those of error_rate" in told
    assert f": {days[1]}. In the other days there were none." in told
    assert data_of(text)["otherwise"] == [1]
    alone, text = shown(made, days[1], days[2])
    assert not alone.knows_incidents
    assert "Nothing is known of them." in section(text, "incidents")


def test_days_that_are_not_built_are_lacking(sparse):
    """Also before the first and after the last; a day that was built and had no requests is something else."""
    found, text = shown(sparse, FIRST - timedelta(1), FIRST + timedelta(30))
    assert found.published == 2
    assert "<b>30</b><span>of 31 days lack something</span>" in text
    rows = [(each["Day"], each["What is missing"]) for each in Tables(text).records("completeness")]
    assert rows == [
        ("2026-09-03 to 2026-09-30", "not built"),
        ("2026-09-02", "no requests"),
        ("2026-08-31", "not built"),
    ]
    assert data_of(text)["unbuilt"] == [0, *range(3, 31)]


@pytest.mark.parametrize(
    ("stop", "told"),
    [
        (FIRST + timedelta(40), "Nothing is known of either, so nothing can be compared."),
        (FIRST + timedelta(10), "Nothing is known of these days, so nothing can be compared."),
        (FIRST + timedelta(3), "Nothing is known of the days before, so nothing can be compared."),
        (FIRST + timedelta(8), "Of these days 1 are built, of those before 1. There are none."),
    ],
    ids=["neither week", "the week before", "the last week", "a day of each"],
)
def test_weeks_of_which_nothing_is_known_have_no_movers(sparse, stop, told):
    """That none is found says something only of what was compared."""
    _, text = shown(sparse, FIRST, stop)
    assert told in section(text, "movers")
    assert ("too few days to compare" in text) == ("Nothing is known" in told)


def test_a_budget_says_of_which_day_it_is(sparse):
    """Where that is not the last of the range, in its table and in what is told of the application."""
    _, text = shown(sparse, FIRST, FIRST + timedelta(5))
    within = {each["Within"] for each in Tables(text).records("budgets")}
    assert within == {f"28 days to {FIRST}"}
    assert "at the end of 2026-09-05, or of the day named, the last there is" in section(text, "budgets")
    assert f"for 99.9 % at the end of {FIRST}." in data_of(text)["series"][0]["facts"]
    _, text = shown(sparse, FIRST, FIRST + timedelta(1))
    assert {each["Within"] for each in Tables(text).records("budgets")} == {"28 days"}


def test_who_asks_for_no_application_is_told_which_there_are():
    """The first ten of them; where one matches, or there is none at all, nothing is wrong with what was asked."""
    with duckdb.connect() as connection:
        connection.execute("create table error_rate (application varchar)")
        require_applications(connection, Scope(FIRST, STOP, "zz*"))
        connection.execute("insert into error_rate select 'app-' || n from range(10, 22) as numbers (n)")
        names = ", ".join(f"app-{n}" for n in range(10, 20))
        with pytest.raises(ConfigError, match=rf"'zz\*' matches none of the 12 there are: {names}, …\.$"):
            require_applications(connection, Scope(FIRST, STOP, "zz*"))
        require_applications(connection, Scope(FIRST, STOP, "*-21"))


# The range


def test_the_range_is_the_lakes_at_most_a_year(a_lake, lake, publish, error_rates):
    """From the first day to the last unless it is told; of a long lake the last 365 days."""
    assert scope(a_lake, None, None, "*", 0.05) == Scope(FIRST, STOP)
    assert scope(a_lake, date(2026, 9, 4), None, "*", 0.05) == Scope(date(2026, 9, 4), STOP)
    for day in (date(2020, 1, 1), STOP):
        publish(lake, Partition("error_rate", 1, day), error_rates(shop=1))
    assert scope(lake, None, None, "*", 0.05) == Scope(STOP - timedelta(364), STOP + timedelta(1))
    assert scope(lake, None, date(2020, 1, 3), "*", 0.05) == Scope(date(2020, 1, 1), date(2020, 1, 3))


@pytest.fixture(scope="module")
def large(report) -> Report:
    """A report of a year of fifty applications, with something of everything."""
    asked = Scope(date(2025, 9, 21), STOP)
    names = [f"application-{n}.example.com" for n in range(50)]
    intervals = {failed: rated(failed, 100_000 + failed) for failed in range(400)}

    def series(place: int, name: str) -> Series:
        days = []
        for n, day in enumerate(asked.days):
            failed = (place * 7919 + n * 104729) % 400
            rate, low, high = intervals[failed]
            row = {"dt": day, "application": name, "vantage": "edge", "valid_requests": 100_000 + failed}
            row |= {"server_error_requests": failed, "hours_observed": 24, "rev": 0, "is_there": True}
            row |= {"error_rate": rate, "error_rate_low": low, "error_rate_high": high}
            row |= {"incomplete": f"web-{place}: 3 of 4 files for {day}" if n % 50 == place else None}
            days.append(row)
        total = days[0] | {"days": len(days)}
        incidents = tuple(each | {"application": name} for _, each in report.incidents for _ in range(10))
        return Series(name, "edge", name, total, tuple(days), tuple(days), 0.001, incidents, ())

    every = tuple(series(place, name) for place, name in enumerate(names))
    periods = tuple(
        each.days[month * 30] | {"period": datetime(2025 + month // 12, month % 12 + 1, 1)}
        for each in every
        for month in range(12)
    )
    budgets = tuple(report.budgets[0] | {"application": name, "vantage": "edge"} for name in names)
    return replace(report, scope=asked, series=every, periods=periods, budgets=budgets, days_not_built=())


@pytest.mark.slow
def test_a_year_of_fifty_applications_is_small(large):
    """The page stays below 3 MB, the picture below half of one."""
    assert len(page.page(large).encode()) < 3_000_000
    assert len(charts.picture(large)) < 500_000


def test_a_picture_is_a_png_of_the_lakes_days(report):
    """Its chunks are whole, and its pixels are as many as it says."""
    picture = charts.picture(report)
    assert picture.startswith(b"\x89PNG\r\n\x1a\n")
    at, kinds, pixels = 8, [], b""
    while at < len(picture):
        size, kind = struct.unpack_from(">I4s", picture, at)
        body = picture[at + 4 : at + 8 + size]
        assert struct.unpack_from(">I", picture, at + 8 + size) == (zlib.crc32(body),)
        kinds.append(kind)
        pixels += body[4:] if kind == b"IDAT" else b""
        at += 12 + size
    assert (kinds[0], kinds[-1], kinds.count(b"IDAT")) == (b"IHDR", b"IEND", 1)
    width, height, depth, colours = struct.unpack_from(">IIBB", picture, 16)
    assert len(zlib.decompress(pixels)) == height * (1 + width * {2: 3, 6: 4}[colours] * depth // 8)
    assert width > 700


# The command


@pytest.fixture
def run(a_lake, tmp_path, monkeypatch, capfd):
    """Runs the command in this process, in a folder with that lake's luigi.cfg; returns code, output, errors."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "luigi.cfg").write_text(f"[lake]\nroot = {a_lake.root}\n")
    monkeypatch.setenv("LUIGI_CONFIG_PATH", str(tmp_path / "luigi.cfg"))

    def command_line(*arguments: str) -> tuple[int, str, str]:
        parser = argparse.ArgumentParser(prog="lake")
        add_report(parser.add_subparsers(required=True))
        with pytest.raises(SystemExit) as ended:
            cli.run("lake", lambda: cli.chosen((told := parser.parse_args(["report", *arguments])).run)(told))
        return ended.value.code, *capfd.readouterr()

    return command_line


def test_the_command_writes_page_and_picture(run, tmp_path):
    """Where it is told, for all to read, over what was there, and says so in a line."""
    (tmp_path / "out.html").write_text("old")
    code, out, err = run("-o", "out.html", "--png", "out.png", "--start", "2026-09-08", "--applications", "sh*")
    assert (code, err) == (0, "")
    assert out == (
        "out.html and out.png: 2026-09-08 … 2026-09-20, 13 of 13 days published, 1 application, 1 incident, "
        "1 restatement.\n"
    )
    assert (
        "2026-09-08 to 2026-09-20 · 13 days (UTC) · 1 application like sh*" in (tmp_path / "out.html").read_text()
    )
    assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "out.html").stat().st_mode & 0o777 == (tmp_path / "luigi.cfg").stat().st_mode & 0o777
    assert {each.name for each in tmp_path.iterdir()} == {"out.html", "out.png", "luigi.cfg"}


def test_the_threshold_of_incidents_can_be_told(run, tmp_path):
    """An outage in which three in four requests failed is none above four in five; the page says which it is."""
    assert run("--incident-threshold", "0.8")[0] == 0
    text = (tmp_path / "report.html").read_text()
    assert "surely more than 80 % of requests failed" in text
    assert "In the other days there were none." in text


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--start", "2026-09-05", "--stop", "2026-09-05"], 2, "2026-09-05 is not before 2026-09-05"),
        (["--start", "5.9."], 2, "'5.9.' is not a date, expected YYYY-MM-DD"),
        (["--start", "20260905"], 2, "'20260905' is not a date, expected YYYY-MM-DD"),
        (["--start", "1996-09-05"], 2, "1996-09-05 to 2026-09-21 are more than ten years"),
        (["--incident-threshold", "5"], 2, "--incident-threshold 5.0: expected a share"),
        (["--incident-threshold", "nan"], 2, "--incident-threshold nan: expected a share"),
        (["--applications", "zz*"], 2, "'zz*' matches none of the 4 there are: api, idle, late, shop."),
        (["-o", "no/folder/report.html"], 1, "Can't write no/folder/report.html: No such file or directory."),
        (["-o", "."], 1, "Can't write .: "),
    ],
)
def test_a_wrong_argument_is_explained(run, tmp_path, arguments, code, message):
    """With its exit code and what is expected; nothing is written."""
    ended, out, err = run(*arguments)
    assert (ended, out) == (code, "")
    assert message in err
    assert [each.name for each in tmp_path.iterdir()] == ["luigi.cfg"]


def test_an_empty_lake_is_no_report(run, tmp_path):
    """Unless days are asked for, there are none to report on: exit code 3, as a lake that is not there."""
    (tmp_path / "luigi.cfg").write_text("[lake]\nroot = nothing\n")
    assert run()[::2] == (
        3,
        (
            f"lake: There is no lake at {tmp_path}/nothing. "
            "Build one with `luigi ErrorRateDaily`, or correct [lake] root.\n"
        ),
    )
    (tmp_path / "nothing").mkdir()
    code, _, err = run()
    assert code == 3
    assert f"No day of error_rate is published at {tmp_path}/nothing." in err
    assert run("--start", "2026-09-01", "--stop", "2026-09-02")[0] == 0


@pytest.mark.parametrize("missing", ["vl_convert", "jinja2"])
def test_without_the_extra_it_says_what_to_install(run, monkeypatch, missing):
    """What draws and fills the page is no part of the base installation."""
    for name in (f"lake.report.{each}" for each in ("charts", "page", "sections", "definitions", "markup")):
        monkeypatch.delitem(sys.modules, name)
        monkeypatch.delattr(f"lake.report.{name.rpartition('.')[2]}", raising=False)
    monkeypatch.setitem(sys.modules, missing, None)
    code, out, err = run()
    assert (code, out) == (2, "")
    assert "pip install 'error-rate-lake[report]'" in err


def test_help_has_examples(run):
    """And the exit codes."""
    code, out, _ = run("--help")
    assert code == 0
    assert f"\n{epilog('lake report', EXAMPLES)}" in out


# In a browser


@contextmanager
def browser_page(**context) -> Iterator:
    """Open a page of a browser without a network, that must say nothing on its console and ask for one file."""
    playwright = pytest.importorskip("playwright.sync_api")
    if not CHROMIUM.exists():
        pytest.skip("no Chromium")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        opened = browser.new_context(offline=True, **context).new_page()
        opened.set_default_timeout(30_000)
        told, asked = [], []
        opened.on("console", lambda message: told.append(message.text))
        opened.on("pageerror", lambda error: told.append(str(error)))
        opened.on("request", lambda request: asked.append(request.url))
        yield opened
        assert told == []
        assert len(asked) == 1
        browser.close()


def ready(opened, path: Path) -> None:
    """Go to a report and wait until it is drawn."""
    opened.goto(path.as_uri())
    opened.wait_for_selector("html[data-ready]", state="attached")


@pytest.fixture(scope="module")
def file(text, tmp_path_factory) -> Path:
    """The page as a file."""
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(text, encoding="utf-8")
    return path


def expected_tip(report: Report, label: str, day: date) -> list[str]:
    """Return what is told of a day, from the lake's figures."""
    (series,) = (each for each in report.series if each.label == label)
    row = series.days[(day - report.scope.start).days]
    rate, low, high = (percent(row[each]) for each in RATE)
    return [
        f"{label}, {day}",
        f"{rate}, 95 % interval {low} to {high}",
        f"{row['server_error_requests']:,} of {row['valid_requests']:,} requests failed",
    ]


@pytest.mark.slow
def test_it_is_walked_through_by_keyboard(report, file):
    """Tab reaches the calendar, arrows move, what is told are the lake's figures, Enter selects, Escape closes."""
    with browser_page() as opened:
        ready(opened, file)
        for _ in range(40):
            opened.keyboard.press("Tab")
            if opened.evaluate("document.activeElement.id") == "heat":
                break
        opened.keyboard.press("End")
        labels = [each.label for each in report.series]
        assert opened.text_content("#live").split("\n")[:3] == expected_tip(report, labels[0], STOP - timedelta(1))
        assert opened.text_content("#tip") == opened.text_content("#live")
        for key in ("ArrowDown", "ArrowLeft", "ArrowLeft"):
            opened.keyboard.press(key)
        assert opened.text_content("#live").split("\n")[:3] == expected_tip(report, labels[1], STOP - timedelta(3))
        assert opened.is_visible("#cursor")
        opened.keyboard.press("Escape")
        assert not opened.is_visible("#tip")
        opened.keyboard.press("Enter")
        assert opened.input_value("#selected") == labels[1]
        assert labels[1] in opened.text_content("#live")
        opened.keyboard.press("Home")
        opened.keyboard.press("ArrowUp")
        opened.keyboard.press("ArrowUp")
        assert opened.text_content("#live").startswith(f"{labels[0]}, {FIRST}")
        opened.keyboard.press("Tab")
        assert not opened.is_visible("#cursor")


@pytest.mark.slow
def test_it_is_walked_through_by_mouse(report, file, tmp_path):
    """Pointing shows the lake's figures, a click selects, and each link does what it says."""
    with browser_page(viewport={"width": 1280, "height": 1000}) as opened:
        ready(opened, file)
        labels = [each.label for each in report.series]
        shop, day = labels.index("shop"), (OUTAGE.date() - FIRST).days
        cells = opened.locator("#heat-view .layer_0_marks").bounding_box()
        name = opened.locator("#names div").nth(shop).bounding_box()
        opened.mouse.move(cells["x"] + cells["width"] * (day + 0.5) / DAYS, name["y"] + name["height"] / 2)
        told = opened.text_content("#tip").split("\n")
        assert told[:3] == expected_tip(report, "shop", OUTAGE.date())
        assert told[4:6] == ["holiday 2026-09-08 22:00: fair", f"deploy 2026-09-09 14:01: {RELEASE.name}"]
        assert told[6:] == ["incident 2026-09-09 14:05, 20 minutes: 600 requests failed"]
        opened.locator("#applications a", has_text="late").click()
        assert opened.input_value("#selected") == "late"
        assert opened.inner_text("#facts").startswith("864 of 480,000 valid requests failed: 0.180 %")
        opened.locator("#one-days summary").click()
        opened.wait_for_selector("#one-table tr")
        rows = opened.locator("#one-table tbody tr").all_inner_texts()
        assert [row.split("\t")[0] for row in rows] == [str(each) for each in reversed(report.scope.days)]
        for row, shown in zip(reversed(report.series[labels.index("late")].days), rows, strict=True):
            cells = shown.split("\t")
            assert cells[1:4] == [percent(row and row[each]) for each in RATE]
            if row:
                assert cells[4:6] == [f"{row[each]:,}" for each in ("server_error_requests", "valid_requests")]
        opened.select_option("#selected", "api (edge)")
        opened.wait_for_selector('#one-view[aria-label*="api (edge)"]')
        opened.locator("#applications th a.term", has_text="Error rate").hover()
        meaning = next(each.meaning for each in CONTRACTS["error_rate"].columns if each.name == "error_rate")
        assert opened.text_content("#tip") == f"{meaning}."
        opened.screenshot(path=tmp_path / "desktop.png", full_page=True)


@pytest.mark.slow
@pytest.mark.parametrize(
    "context",
    [
        {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True},
        {"color_scheme": "dark"},
        {"forced_colors": "active"},
        {"reduced_motion": "reduce", "viewport": {"width": 800, "height": 600}},
    ],
    ids=["phone", "dark", "forced colours", "small window"],
)
def test_it_is_drawn_wherever_it_is_read(file, tmp_path, context):
    """Nothing overflows sideways, all charts are there, and what is hostile stays text."""
    with browser_page(**context) as opened:
        ready(opened, file)
        assert opened.evaluate("document.documentElement.scrollWidth <= innerWidth")
        opened.evaluate("dispatchEvent(new Event('beforeprint'))")
        opened.wait_for_selector("#grid figure:last-child svg", state="attached")
        assert opened.locator("#grid svg").count() == len(APPLICATIONS)
        assert opened.locator("#heat-view svg, #one-view svg").count() == 2
        assert opened.evaluate("document.images.length") == 0
        dark = opened.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 23, 26)"
        assert dark == (context.get("color_scheme") == "dark")
        if context.get("has_touch"):
            opened.locator("#heat").tap()
            assert opened.is_visible("#tip")
        opened.screenshot(path=tmp_path / "page.png", full_page=True)


@pytest.mark.slow
def test_it_is_printed_whole_and_light(file, tmp_path):
    """In print it is black on white, also for who reads in the dark; small charts are drawn for it."""
    with browser_page(color_scheme="dark") as opened:
        ready(opened, file)
        opened.emulate_media(media="print", color_scheme="dark")
        assert opened.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        opened.pdf(path=tmp_path / "page.pdf", prefer_css_page_size=True)
        opened.wait_for_selector("#grid figure:last-child svg", state="attached")
        assert opened.locator("#grid svg").count() == len(APPLICATIONS)
        assert (tmp_path / "page.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.slow
def test_without_scripts_the_tables_are_there(file):
    """And nothing that would stay empty; it says why."""
    with browser_page(java_script_enabled=False) as opened:
        opened.goto(file.as_uri())
        assert opened.locator("#applications tbody tr").count() == len(APPLICATIONS)
        assert opened.locator(".scripted:visible").count() == 0
        assert "The charts need JavaScript" in opened.inner_text("body")


@pytest.mark.slow
def test_a_hostile_name_is_only_told(report, tmp_path):
    """In the calendar, the selection and the small charts too."""
    (first, *rest) = report.series
    renamed = replace(first, application=HOSTILE, label=HOSTILE, total=first.total | {"application": HOSTILE})
    (tmp_path / "hostile.html").write_text(page.page(replace(report, series=(renamed, *rest))), encoding="utf-8")
    with browser_page() as opened:
        ready(opened, tmp_path / "hostile.html")
        assert opened.evaluate("document.images.length") == 0
        assert opened.input_value("#selected") == HOSTILE
        assert opened.text_content("#names div:first-child") == HOSTILE


@pytest.mark.slow
def test_a_page_without_anything_is_calm(a_lake, catalog, tmp_path):
    """No empty charts, and no error."""
    path = tmp_path / "empty.html"
    path.write_text(page.page(gather(a_lake, catalog, Scope(FIRST, STOP, "nobody"))), encoding="utf-8")
    with browser_page() as opened:
        ready(opened, path)
        assert opened.locator(".scripted:visible").count() == 0
        assert "There are no error rates of these days and applications." in opened.inner_text("main")


@pytest.mark.slow
def test_a_blank_day_says_why_it_is_blank(sparse, tmp_path):
    """Without requests, not built, or not even counted: that is told where somebody points; it has its place."""
    _, text = shown(sparse, FIRST, FIRST + timedelta(59))
    (tmp_path / "sparse.html").write_text(text, encoding="utf-8")
    with browser_page(viewport={"width": 1280, "height": 1000}) as opened:
        ready(opened, tmp_path / "sparse.html")
        opened.focus("#heat")
        drawn = opened.locator("#heat-view svg").bounding_box()
        for key, day, told in (
            ("Home", 0, ["incidents are not known"]),
            ("ArrowRight", 1, ["no requests", "incidents are not known"]),
            ("ArrowRight", 2, ["not built"]),
            ("End", 58, ["not built"]),
        ):
            opened.keyboard.press(key)
            assert opened.text_content("#live").split("\n")[-len(told) :] == told
            mark = opened.locator("#cursor").bounding_box()
            assert (mark["x"] - drawn["x"]) / drawn["width"] == pytest.approx(day / 59, abs=0.01)
        opened.keyboard.press("Escape")
        for each in ("#heat-view", "#one-view"):
            assert "25 Oct" in opened.text_content(each)
        opened.screenshot(path=tmp_path / "sparse.png", full_page=True)


@pytest.mark.slow
def test_a_year_of_fifty_applications_is_drawn(large, tmp_path):
    """All of it; how fast is for the benchmarks to say, here it is a minute at most."""
    path = tmp_path / "large.html"
    path.write_text(page.page(large), encoding="utf-8")
    with browser_page() as opened:
        ready(opened, path)
        assert opened.evaluate("performance.now()") < 60_000
        assert opened.locator("#names div").count() == 50
