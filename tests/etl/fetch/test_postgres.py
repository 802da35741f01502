"""Days of a query of Postgres: exact, whole or not at all, in the days of the source's own zone."""

import json
import threading
import time
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pyarrow.parquet as pq
import pytest
from fetching import DAY, content, parts_of
from postgres_server import PASSWORD, USER

from etl.fetch import patience, postgres
from etl.fetch import rows as files
from etl.fetch.asked import NotReady
from etl.fetch.opening import read_asked
from lake.errors import ConfigError, InputError, StoreError

QUERY = "select id, at, path from views where at >= $start and at < $stop order by id"


@pytest.fixture
def rows(tmp_path, database):
    """Fetches a day, and returns its rows; of Parquet if not said."""

    def fetched(day=DAY, query=QUERY, **settings):
        parts = parts_of(tmp_path, day, fetch="postgres", **{"url": database.url, "query": query, **settings})
        return [row for part in parts for row in pq.read_table(part.path).to_pylist()]

    return fetched


@pytest.fixture
def views(database):
    """A table of views with one every hour, from the day before to the day after."""
    database.ask(
        "create table views (id int primary key, at timestamptz not null, path text)",
        "insert into views select n, timestamptz '2026-08-31 00:00Z' + n * interval '1 hour', '/' || n "
        "from generate_series(0, 71) n",
    )
    return database


def test_a_day_has_its_rows(views, rows):
    """From its first instant to before the next day's, with their types."""
    found = rows()
    assert [each["id"] for each in found] == list(range(24, 48))
    assert found[0] == {"id": 24, "at": datetime(2026, 9, 1, tzinfo=UTC), "path": "/24"}


def test_a_day_of_a_zone_has_23_or_25_hours_where_clocks_change(database, rows):
    """Whether a column has a time with its zone, one of the zone's clocks, or a date."""
    database.ask(
        "create table hours (at timestamptz, wall timestamp, day date)",
        "insert into hours select t, t at time zone 'Europe/London', (t at time zone 'Europe/London')::date "
        "from generate_series(timestamptz '2026-03-27 00:00Z', timestamptz '2026-10-27 00:00Z', '1 hour') t",
    )
    zone = ZoneInfo("Europe/London")
    for day, hours in ((date(2026, 3, 29), 23), (date(2026, 10, 25), 25), (date(2026, 7, 1), 24)):
        for column in ("at", "wall", "day"):
            query = f"select at from hours where {column} >= $start and {column} < $stop"
            found = rows(day, query, timezone="Europe/London")
            assert len(found) == hours, (day, column)
            assert {each["at"].astimezone(zone).date() for each in found} == {day}


def test_values_are_exact(database, rows):
    """A number with each of its digits, as a text; no value, an empty text, and texts of any language."""
    query = (
        "select 12345678901234567890.123400::numeric as n, 0.1::float8 as f, 9007199254740993 as i, "
        "null::text as no, "
        "'' as empty, E'a\\n\"é' as t, '\\x00ff'::bytea as b, '{\"a\": 1.10}'::json as j, $start::date as d, "
        "time '12:00' as c, true as y"
    )
    (row,) = rows(query=query)
    assert row | {"c": str(row["c"])} == {
        "n": "12345678901234567890.123400",
        "f": 0.1,
        "i": 9007199254740993,
        "no": None,
        "empty": "",
        "t": 'a\n"é',
        "b": b"\x00\xff",
        "j": '{"a": 1.10}',
        "d": DAY,
        "c": "12:00:00",
        "y": True,
    }


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("interval '1 day'", "interval"),
        ("'1.2.3.4'::inet", "inet"),
        ("array[[1,2],[3,4]]", "_int4"),
        ("row(1, 2)", "record"),
        ("'1.50'::money", "money"),
        ("4000000000::oid", "oid"),
        ("gen_random_uuid()", "uuid"),
        ("'(1,2]'::int4range", r"unnamed<oid:3904>"),
        ("now()::timetz", "timetz"),
    ],
)
def test_what_the_driver_would_lose_is_refused(rows, value, kind):
    """With how to write it."""
    with pytest.raises(InputError, match=f"a is of type {kind}, which can't.*{'a::text as a'}"):
        rows(query=f"select {value} as a, $start as at")


@pytest.mark.parametrize(
    "value",
    [
        "'infinity'::timestamptz",
        "'-infinity'::timestamp",
        "'infinity'::date",
        "'0044-03-15 BC'::date",
        "'10000-01-01'::timestamp",
    ],
)
def test_a_time_that_no_calendar_has_is_refused(rows, value):
    """The driver would give another one for it; the ends of the calendar are none of those."""
    with pytest.raises(InputError, match="a is infinity somewhere"):
        rows(query=f"select {value} as a, $start as at union all select null, null")
    ends = "'0001-01-01'::date as a, '9999-12-31'::date as b, timestamp '9999-12-31 23:59:59.999999' as c"
    query = f"select {ends}, $stop as d"
    (row,) = rows(query=query)
    assert (row["a"], row["b"], row["c"].year) == (date.min, date.max, 9999)


def test_csv_is_written_too(views, tmp_path):
    """With a header; no value is told from an empty text."""
    views.ask("update views set path = null where id = 25", "update views set path = '' where id = 26", "select 1")
    asked = {"fetch": "postgres", "url": views.url, "query": QUERY, "format": "csv"}
    (part,) = parts_of(tmp_path, **asked)
    lines = content(part).decode().splitlines()
    assert lines[:4] == [
        '"id","at","path"',
        '24,2026-09-01 00:00:00.000000Z,"/24"',
        "25,2026-09-01 01:00:00.000000Z,",
        '26,2026-09-01 02:00:00.000000Z,""',
    ]
    assert (part.rows, part.ending) == (24, "csv.gz")
    with pytest.raises(InputError, match="a is of type bytea, which can't be fetched as csv"):
        parts_of(tmp_path, **{**asked, "query": "select ''::bytea as a, $start as b"})


def test_lines_of_json_are_written_too(views, tmp_path):
    """Numbers without end are texts, times have their zone, and what JSON doesn't know is left for the reader."""
    views.ask("update views set path = null where id = 25", "select 1")
    query = QUERY.replace("path", "path, id / 3::numeric as third, 'NaN'::float8 as odd")
    asked = {"fetch": "postgres", "url": views.url, "query": query, "format": "json"}
    (part,) = parts_of(tmp_path, **asked)
    assert content(part).decode().splitlines()[:2] == [
        '{"id": 24, "at": "2026-09-01T00:00:00+00:00", "path": "/24", "third": "8.0000000000000000", "odd": NaN}',
        '{"id": 25, "at": "2026-09-01T01:00:00+00:00", "path": null, "third": "8.3333333333333333", "odd": NaN}',
    ]
    assert (part.rows, part.ending) == (24, "ndjson.gz")


def test_the_same_rows_are_the_same_bytes(views, tmp_path):
    """So nothing new is published; no row at all is an answer, too, where it is said to be one."""
    asked = {"fetch": "postgres", "url": views.url, "query": QUERY}
    first, second = (parts_of(tmp_path, **asked)[0] for _ in range(2))
    assert first.path.read_bytes() == second.path.read_bytes()
    assert first.content_sha256 == second.content_sha256
    with pytest.raises(NotReady, match="doesn't have 2020-01-01 yet: the query gives no row"):
        parts_of(tmp_path, date(2020, 1, 1), **asked)
    (none,) = parts_of(tmp_path, date(2020, 1, 1), allow_empty="true", **asked)
    assert (none.rows, pq.read_table(none.path).column_names) == (0, ["id", "at", "path"])


def test_a_source_says_itself_whether_a_day_is_complete(views, rows):
    """By a query that gives true."""
    for ready in (
        "select max(at) >= $stop from views",
        "select true, false where false",
        "select null::bool",
        "select false",
    ):
        if "max" in ready:
            assert len(rows(ready=ready)) == 24
            continue
        with pytest.raises(NotReady, match=f"doesn't have {DAY} yet: ready doesn't give true"):
            rows(ready=ready)
    with pytest.raises(NotReady):
        rows(DAY + timedelta(days=1), ready="select max(at) >= $stop from views")
    with pytest.raises(InputError, match="ready gives something else"):
        rows(ready="select 'yes'")


def test_nothing_is_written_there(views, rows):
    """Even by a query that would."""
    for query in (
        "delete from views where at >= $start returning id",
        "with gone as (delete from views where at >= $start returning id) select id from gone",
        "select nextval('counter') as n, $start as at",
    ):
        if "counter" in query:
            views.ask("create sequence counter", "select 1")
        with pytest.raises(InputError, match="read-only transaction"):
            rows(query=query)
    assert views.ask("select count(*) from views") == [(72,)]


def test_rows_are_of_one_moment(views, rows, monkeypatch):
    """What is committed after the transaction has begun is not among them."""

    def check(self, cursor, day):
        cursor.execute("select count(*) from views")
        cursor.fetchall()
        views.ask("delete from views where id < 30", "select 1")

    monkeypatch.setattr(postgres.Postgres, "_check_ready", check)
    assert len(rows(ready="select true")) == 24
    assert len(rows()) == 18


def test_parameters_are_found_where_they_are_some(views, rows):
    """Not in texts, names and comments; nor is a comment's end one of the query."""
    query = """
        select '$start;' as a, e'\\'$stop' as "$stop", $q$ $start; $q$ as b, $$it's $stop$$ as c, $start::date as d
        /* $nothing; ' */ where $stop > $start -- $stop;
        ;
    """
    (row,) = rows(query=query)
    assert row == {"a": "$start;", "$stop": "'$stop", "b": " $start; ", "c": "it's $stop", "d": DAY}


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"query": ""}, "query: expected one query"),
        ({"query": "select 1; select $start"}, "expected one query"),
        ({"query": "select * from t"}, "query is the same every day"),
        ({"query": "select '$start'"}, "query is the same every day"),
        ({"query": "select $day"}, r"\$day means nothing here"),
        ({"query": "select $1"}, r"\$1 means nothing here"),
        ({"url": "mysql://h/d"}, "expected postgresql://"),
        ({"url": "postgresql://h:x/d"}, "expected postgresql://"),
        ({"url": "postgresql://me:hunter2@h/d"}, "url holds a password"),
        ({"url": "postgresql://h/d?password=hunter2"}, "password looks like a secret"),
        ({"format": "excel"}, "rows are fetched as parquet, csv, ndjson or json"),
        ({"timezone": "Mars"}, "expected an IANA name"),
        ({"timeout_seconds": "1.5"}, "timeout_seconds = 1.5"),
    ],
)
def test_settings_that_can_not_be_meant(tmp_path, settings, said):
    """Are refused with what is expected, and no password is repeated."""
    usual = {"fetch": "postgres", "url": "postgresql://h/d", "query": "select $start"}
    with pytest.raises(ConfigError, match=said) as error:
        read_asked(usual | settings, tmp_path)
    assert "hunter2" not in str(error.value)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("select no_such from views where at > $start", 'column "no_such" does not exist'),
        ("select 1 / (id - 71) as a, $start as b from views order by id", "division by zero"),
        ("select 1 as a, $start as a", "two columns are called a"),
    ],
)
def test_a_query_that_is_refused_is_not_asked_again(views, rows, pauses, query, said):
    """Also once rows have come."""
    with pytest.raises(InputError, match=said):
        rows(query=query)
    assert pauses == []


def test_a_query_that_takes_too_long_is_ended(rows, pauses):
    """By the server, after the time that is set."""
    with pytest.raises(StoreError, match=r"statement timeout. Set timeout_seconds to more than 1"):
        rows(query="select pg_sleep(30)::text as a, $start as b", timeout_seconds="1")
    assert pauses == []


def test_who_is_not_let_in_does_not_ask_again(database, rows, pauses, monkeypatch):
    """And the password is shown nowhere: that of the URL, or of the environment."""
    monkeypatch.setenv("PGPASSWORD", "hunter2hunter2")
    with pytest.raises(StoreError, match=r"doesn't let us in.*password authentication failed") as error:
        rows()
    assert "hunter2" not in str(error.value)
    monkeypatch.delenv("PGPASSWORD")
    monkeypatch.setenv("READER", PASSWORD)
    url = database.url.replace(f"{USER}@", f"{USER}:${{READER}}@")
    assert rows(url=url, query="select 1 as a, $start as b")[0]["a"] == 1
    for name in ("no_such", database.name):
        with pytest.raises((StoreError, InputError)) as error:
            rows(url=url.replace(database.name, name), query="select no_such, $start")
        assert PASSWORD not in str(error.value)
    assert pauses == []


def test_what_is_recorded_has_no_secret(tmp_path, monkeypatch):
    """The query as it is set, and what the day puts into it."""
    monkeypatch.setenv("READER", PASSWORD)
    values = {
        "fetch": "postgres",
        "url": "postgresql://me:${READER}@h/d",
        "query": QUERY,
        "timezone": "Europe/London",
    }
    asked = read_asked(values, tmp_path)
    assert asked.recorded() == {
        "fetch": "postgres",
        "url": "postgresql://me:${READER}@h/d",
        "query": QUERY,
        "format": "parquet",
        "timezone": "Europe/London",
    }
    said = {"day": "2026-09-01", "start": "2026-08-31T23:00:00Z", "stop": "2026-09-01T23:00:00Z"}
    assert asked.parameters(DAY) == said
    assert PASSWORD not in json.dumps(asked.recorded()) + repr(asked)


@pytest.mark.parametrize("size", [0, 200, 2_000, 20_000, 300_000, 1_500_000])
def test_a_connection_that_is_cut_is_made_anew(views, rows, cutting, monkeypatch, size):
    """Wherever that is: the rows come whole at last, and never half of them."""
    some = "select n, timestamptz '2026-09-01 12:00Z', repeat('x', 20) from generate_series(100, 60000) n"
    views.ask(f"insert into views {some}", "select 1")
    url, pauses = views.url.replace(f":{views.server.port}/", f":{cutting.port}/"), []

    def repaired(seconds):
        pauses.append(seconds)
        cutting.left["to"] = None if len(pauses) > 1 else size

    monkeypatch.setattr(patience, "sleep", repaired)
    cutting.left["to"] = size
    assert len(rows(url=url)) == 24 + 59_901
    assert len(pauses) == 2
    monkeypatch.setattr(patience, "sleep", lambda _: cutting.left.__setitem__("to", size))
    cutting.left["to"] = size
    with pytest.raises(StoreError, match="8 attempts"):
        rows(url=url)


def test_a_server_that_goes_down_is_asked_again(views, rows, pauses):
    """In the middle of the rows: whoever ended the connection, it is made anew."""
    killed = []

    def kill():
        while not killed:
            killed.extend(
                views.ask(
                    "select pg_terminate_backend(pid) from pg_stat_activity "
                    "where application_name = 'error-rate-lake' and query like '%pg_sleep%'"
                )
            )
            time.sleep(0.05)

    thread = threading.Thread(target=kill, daemon=True)
    thread.start()
    assert len(rows(query="select pg_sleep(1.5)::text as a, $start as b")) == 1
    thread.join(20)
    assert len(pauses) == 1


def test_days_are_split_where_a_file_would_be_too_large(views, tmp_path, monkeypatch):
    """With the rows of all in their order."""
    monkeypatch.setattr(files, "PART_BYTES", 1)
    query = "select n, repeat('x', 90) || n as t, $start as at from generate_series(1, 500000) n order by n"
    parts = parts_of(tmp_path, fetch="postgres", url=views.url, query=query)
    assert len(parts) > 1
    assert sum(each.rows for each in parts) == 500_000
    numbers = [n for each in parts for n in pq.read_table(each.path, columns=["n"])["n"].to_pylist()]
    assert numbers == list(range(1, 500_001))
