"""Days of a query of BigQuery: exact, whole or not at all, and for no more than was said that it may cost.

Rows are asked of the emulator. What BigQuery says when something is wrong, a double of its REST API says, for the
emulator doesn't; Google's own client is in between.
"""

import json
import re
import subprocess
import sys
from datetime import UTC, date, datetime, time
from decimal import Decimal

import pyarrow.parquet as pq
import pytest
from fetching import DAY, Said, content, parts_of

from etl import bigquery_client
from etl.fetch import bigquery
from etl.fetch.asked import NotReady
from etl.fetch.opening import read_asked
from lake.errors import ConfigError, InputError, StoreError

OF_ALL = "select '/' as path, @day as day"
FIELDS = [{"name": "path", "type": "STRING"}, {"name": "day", "type": "DATE"}]
QUERY = "select id, seen, path from {}.views where seen >= @start and seen < @stop order by id"


@pytest.fixture
def rows(tmp_path, dataset):
    """Fetches a day of the emulator, and returns its rows; of Parquet if not said."""

    def fetched(query=QUERY, day=DAY, **settings):
        asked = {
            "fetch": "bigquery",
            "project": "lake-test",
            "query": query.replace("{}", f"`{dataset.name}`"),
            **settings,
        }
        parts = parts_of(tmp_path, day, **asked)
        return [row for part in parts for row in pq.read_table(part.path).to_pylist()]

    return fetched


@pytest.fixture
def views(dataset):
    """A table of views with one every hour, from the day before to the day after."""
    dataset.ask(
        f"create table `{dataset.name}.views` (id int64, seen timestamp, day date, path string)",
        f"insert into `{dataset.name}.views` select n, timestamp_add(timestamp '2026-08-31 00:00:00+00', "
        "interval n hour), date_add(date '2026-08-31', interval div(n, 24) day), concat('/', cast(n as string)) "
        "from unnest(generate_array(0, 71)) n",
    )
    return dataset


def test_a_day_has_its_rows(views, rows):
    """From its first instant to before the next day's, with their types."""
    found = rows()
    assert [each["id"] for each in found] == list(range(24, 48))
    assert found[0] == {"id": 24, "seen": datetime(2026, 9, 1, tzinfo=UTC), "path": "/24"}
    by_day = rows("select id, seen, path from {}.views where day = @day order by id")
    assert by_day == found


def test_values_are_exact(dataset, rows):
    """A number with each of its digits, as a text; no value, an empty text, and texts of any language."""
    query = (
        "select numeric '12345678901234567890.1234' as n, 0.1 as f, 9007199254740993 as i, @day as d, "
        "bignumeric '0.00000000000000000000000000000000000001' as b, cast(null as string) as no, '' as empty, "
        "'a\\n\"é' as t, from_base64('AP8=') as y, datetime '2026-09-01 12:00:00.000001' as w, "
        "timestamp '0001-01-01 00:00:00+00' as s, time '12:00:00' as c, true as yes"
    )
    (row,) = rows(query)
    assert Decimal(row.pop("n")) == Decimal("12345678901234567890.1234")  # the emulator adds zeros
    assert row == {
        "b": "0.00000000000000000000000000000000000001",
        "f": 0.1,
        "i": 9007199254740993,
        "no": None,
        "empty": "",
        "t": 'a\n"é',
        "y": b"\x00\xff",
        "d": DAY,
        "w": datetime(2026, 9, 1, 12, microsecond=1),
        "s": datetime(1, 1, 1, tzinfo=UTC),
        "c": time(12),
        "yes": True,
    }


def test_a_day_of_a_zone_has_25_hours_where_clocks_change(dataset, rows):
    """Its instants are those of the zone, and the day is its date."""
    hours = "select @start as first, @stop as stop, @day as day"
    (row,) = rows(hours, date(2026, 10, 25), timezone="Europe/London")
    assert (row["stop"] - row["first"]).total_seconds() == 25 * 3600
    assert row["day"] == date(2026, 10, 25)
    (row,) = rows(hours, date(2026, 10, 25))
    assert row["first"] == datetime(2026, 10, 25, tzinfo=UTC)


def test_csv_is_written_too(views, tmp_path):
    """With a header; the same rows are the same bytes."""
    query = f"select id, seen, path from `{views.name}.views` where day = @day order by id"
    asked = {"fetch": "bigquery", "project": "lake-test", "query": query, "format": "csv"}
    (part,), (again,) = (parts_of(tmp_path, **asked) for _ in range(2))
    assert content(part).decode().splitlines()[:2] == [
        '"id","seen","path"',
        '24,2026-09-01 00:00:00.000000Z,"/24"',
    ]
    assert (part.rows, part.ending) == (24, "csv.gz")
    assert part.path.read_bytes() == again.path.read_bytes()
    with pytest.raises(InputError, match=r"y is BYTES, which can't be fetched as csv.*to_base64"):
        parts_of(tmp_path, **{**asked, "query": "select b'a' as y, @day as day"})


def test_lines_of_json_are_written_too(views, tmp_path):
    """As a log or a source of records has them."""
    query = f"select id, seen, path, day from `{views.name}.views` where day = @day order by id"
    asked = {"fetch": "bigquery", "project": "lake-test", "query": query}
    (part,), (log,) = (parts_of(tmp_path, **asked, format=each) for each in ("ndjson", "json"))
    assert content(part).decode().splitlines()[0] == (
        '{"id": 24, "seen": "2026-09-01T00:00:00+00:00", "path": "/24", "day": "2026-09-01"}'
    )
    assert (part.rows, part.ending, content(part)) == (24, "ndjson.gz", content(log))


def test_a_day_without_rows_is_not_ready(views, rows):
    """Unless it may have none."""
    with pytest.raises(NotReady, match="doesn't have 2020-01-01 yet: the query gives no row"):
        rows(day=date(2020, 1, 1))
    assert rows(day=date(2020, 1, 1), allow_empty="true") == []


def test_a_source_says_itself_whether_a_day_is_complete(views, rows):
    """By a query that gives true."""
    assert (
        len(rows(ready=f"select max(seen) >= timestamp_sub(@stop, interval 1 hour) from `{views.name}`.views"))
        == 24
    )
    for ready in ("select false", "select cast(null as bool)", "select true from unnest([]) as n"):
        with pytest.raises(NotReady, match=f"doesn't have {DAY} yet: ready doesn't give true"):
            rows(ready=ready)
    for ready in ("select 'yes'", "select true, false", "select true union all select true"):
        with pytest.raises(InputError, match="ready gives something else"):
            rows(ready=ready)


def test_nothing_is_written_there(views, rows):
    """By a query that would: it is known before it is run."""
    gone = "delete from {}.views where day = @day"
    with pytest.raises(InputError, match=r"query is DELETE, and not a select. Nothing was run"):
        rows(gone)
    with pytest.raises(InputError, match="ready is DELETE, and not a select"):
        rows(ready=gone.format(f"`{views.name}`"))
    assert views.ask(f"select count(*) from `{views.name}.views`") == [(72,)]


def test_what_a_column_can_not_have_is_refused(dataset, rows):
    """With how to write it."""
    for value, kind, cast in (
        ("[1, 2]", "an array", "to_json_string"),
        ("struct(1 as b)", "RECORD", "to_json_string"),
        ("json '{\"a\": 1}'", "JSON", "to_json_string"),
    ):
        with pytest.raises(InputError, match=rf"a is {kind}, which can't.*{cast}\(a\) as a"):
            rows(f"select {value} as a, @day as day")


def test_many_rows_come_by_pages(dataset, rows, monkeypatch):
    """All of them, in their order, in groups of a page."""
    monkeypatch.setattr(bigquery, "PAGE_ROWS", 1_000)
    found = rows("select n, @day as day from unnest(generate_array(1, 12345)) n order by n")
    assert [each["n"] for each in found] == list(range(1, 12_346))


def test_a_wrong_query_is_refused_with_what_is_said_of_it(dataset, rows, pauses):
    """And not asked again."""
    with pytest.raises(InputError, match=r"refuses the query: .*no_such.*Correct it"):
        rows("select no_such(@day) as a")
    assert pauses == []


def test_a_dataset_is_made_of_it(dataset, make_project):
    """Of a day's rows as they were kept."""
    made = make_project("searches")
    made.environment["BIGQUERY_EMULATOR_HOST"] = dataset.emulator.url
    query = "select 'shop' as application, '/' as path, extract(day from @day) as views, 1 as visitors"
    source = {"dataset": "page_views", "format": "parquet", "fetch": "bigquery", "project": "lake-test"}
    made.configure(searches=source | {"query": query, "since": "2015-05-17", "until": "2015-05-19"})
    with (made.folder / "luigi.cfg").open("a") as file:
        file.write("[snapshots]\nroot = snapshots\n")
    done = made.run("backfill", "run", "--of", "PageViewsDaily", "--source", "searches", "--start", "2015-05-17")
    assert done.returncode == 0, done.stdout + done.stderr
    done = made.run("lake", "sql", "--csv", "select dt, path, views from page_views order by dt")
    assert done.stdout.splitlines()[1:] == ["2015-05-17,/,17", "2015-05-18,/,18"]
    again = made.run("backfill", "fetch", "--source", "searches", "--date", "2015-05-17")
    assert "2015-05-17 as it was" in again.stdout, again.stderr


class Api:
    """A double of BigQuery's REST API, which has one result.

    Attributes:
        fields: The columns of the result.
        pages: Its pages, each a list of rows.
        before: What columns it is said to have once, before it is run.
        failure: The reason and the message with which a query ends, None for none.
        refusals: With which status, reason and message the next requests are answered.
        polls: How often a query is still running.
        jobs: The configurations that came.
    """

    def __init__(self, server, monkeypatch):
        self.fields, self.pages, self.failure, self.refusals = FIELDS, [[["/", "2026-09-01"]]], None, []
        self.polls, self.jobs, self.total, self.cancelled, self.before = 0, [], None, 0, None
        server.answers = [self._answer]
        monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", server.url)

    def _answer(self, got):
        if self.refusals:
            status, reason, message = self.refusals.pop(0)
            error = {"code": status, "message": message, "errors": [{"reason": reason, "message": message}]}
            return _json({"error": error}, status)
        found = re.search(r"/projects/figures/(jobs|queries)(?:/([^/?]+))?(/cancel)?", got.path)
        if got.method == "POST" and not found[3]:
            job = json.loads(got.body)
            self.jobs.append(job["configuration"])
            return _json(self._job(job["jobReference"]["jobId"], is_new=True))
        self.cancelled += bool(found[3])
        if found[1] == "jobs":
            job = self._job(found[2])
            return _json({"job": job} if found[3] else job)
        token = re.search(r"pageToken=(\d+)", got.path)
        number = int(token[1]) if token else 0
        rows = [{"f": [{"v": value} for value in row]} for row in self.pages[number]]
        said = {"jobComplete": True, "totalRows": str(self.total or sum(map(len, self.pages)))}
        more = {"pageToken": str(number + 1)} if number + 1 < len(self.pages) else {}
        is_only_waited_for = "maxResults=0" in got.path
        return _json(
            said
            | {"schema": {"fields": self.fields}, "jobReference": {"projectId": "figures", "jobId": found[2]}}
            | ({} if is_only_waited_for else {"rows": rows} | more)
        )

    def _job(self, name, *, is_new=False):
        is_tried = bool(self.jobs[-1].get("dryRun"))
        self.polls -= not is_new and self.polls > 0
        fields, self.before = self.before or self.fields, None
        is_running = not is_tried and self.polls > 0
        status = {"state": "RUNNING" if is_running else "DONE"}
        if self.failure and not is_tried and not is_running:
            status["errorResult"] = dict(zip(("reason", "message"), self.failure, strict=True))
            status["errors"] = [status["errorResult"]]
        return {
            "jobReference": {"projectId": "figures", "jobId": name, "location": "EU"},
            "configuration": self.jobs[-1],
            "status": status,
            "statistics": {"query": {"statementType": "SELECT", "schema": {"fields": fields}}},
        }


def _json(value, status=200):
    return Said(json.dumps(value).encode(), status, {"Content-Type": "application/json"})


@pytest.fixture
def api(server, monkeypatch):
    """BigQuery, as far as it is asked here; nobody waits for it."""
    monkeypatch.setattr(bigquery_client, "PATIENCE_SECONDS", 0.05)
    monkeypatch.setattr(bigquery, "POLLS", (0.01,))
    return Api(server, monkeypatch)


@pytest.fixture
def asked(tmp_path, api):
    """Fetches a day of the double, and returns its parts."""

    def fetched(**settings):
        return parts_of(tmp_path, **{"fetch": "bigquery", "project": "figures", "query": OF_ALL, **settings})

    return fetched


def test_a_query_is_tried_and_may_cost_no_more_than_is_set(asked, api):
    """Both with the day as parameters, the zone of the days, and the time and bytes that it may take."""
    api.polls = 3
    (part,) = asked(timezone="Europe/London", timeout_seconds="60", query="select @DAY, @start where '@no' = '#'")
    assert pq.read_table(part.path).to_pylist() == [{"path": "/", "day": DAY}]
    tried, run = api.jobs
    assert (tried["dryRun"], run.get("dryRun")) == (True, None)
    for each in api.jobs:
        assert each["jobTimeoutMs"] == "60000"
        assert each["labels"] == {"error_rate_lake": "fetch"}
        query = each["query"]
        assert query["maximumBytesBilled"] == "100000000000"
        assert query["connectionProperties"] == [{"key": "time_zone", "value": "Europe/London"}]
        said = {
            p["name"]: (p["parameterType"]["type"], p["parameterValue"]["value"]) for p in query["queryParameters"]
        }
        assert said == {"day": ("DATE", "2026-09-01"), "start": ("TIMESTAMP", "2026-08-31 23:00:00+00:00")}
    assert api.cancelled == 0


def test_pages_that_are_not_all_are_no_answer(asked, api, pauses):
    """The rows are counted; each page is asked for, and one that is empty on the way ends nothing."""
    api.pages = [[["/a", None]], [], [["/b", "2026-09-01"]]]
    assert asked()[0].rows == 2
    api.total = 7
    with pytest.raises(StoreError, match=r"of 7 rows 2 came \(8 attempts\)"):
        asked()


@pytest.mark.parametrize("reason", ["rateLimitExceeded", "backendError", "quotaExceeded", "tableUnavailable"])
def test_what_passes_is_asked_again(asked, api, pauses, reason):
    """Whether a request is refused, or the query ends so."""
    status = {"rateLimitExceeded": 403, "backendError": 503, "quotaExceeded": 403, "tableUnavailable": 400}[reason]
    api.refusals = [(status, reason, "Wait a little")]
    assert asked()[0].rows == 1
    api.failure = (reason, "Wait a little")
    with pytest.raises(StoreError, match=r"Can't fetch from bigquery://figures: .*Wait a little.*\(8 attempts\)"):
        asked()


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        ("accessDenied", StoreError("doesn't let us in: Some words. Check the credentials")),
        ("invalidQuery", InputError("refuses the query: Some words. Correct it")),
        ("notFound", InputError("refuses the query: Some words. Correct it, or location")),
        ("resourcesExceeded", InputError("refuses the query: Some words")),
        ("responseTooLarge", InputError("refuses the query: Some words")),
        ("bytesBilledLimitExceeded", InputError("set maximum_bytes_billed to more than 100000000000")),
        ("stopped", StoreError("Some words. Set timeout_seconds to more than 3600")),
    ],
)
def test_what_stays_is_not_asked_again(asked, api, pauses, failure, said):
    """In BigQuery's own words, with what to do."""
    api.failure = (failure, "Some words.\nAnd others.")
    with pytest.raises(
        type(said), match=f"bigquery://figures.*{str(said).replace('words.', 'words. And others.')}"
    ):
        asked()
    assert pauses == []


def test_who_is_not_let_in(asked, api, pauses, monkeypatch, tmp_path):
    """By BigQuery, or for there are no credentials."""
    api.refusals = [(403, "accessDenied", "Access Denied: Project figures")]
    with pytest.raises(StoreError, match=r"doesn't let us in: Access Denied: .*Check the credentials"):
        asked()
    for name in ("BIGQUERY_EMULATOR_HOST", "GOOGLE_APPLICATION_CREDENTIALS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    with pytest.raises(StoreError, match=r"doesn't let us in: .*credentials"):
        asked()
    assert pauses == []


def test_a_server_that_is_away_is_asked_again(asked, api, pauses, monkeypatch):
    """And is named in the end."""
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", "http://127.0.0.1:1")
    with pytest.raises(StoreError, match=r"Can't fetch from bigquery://figures: .*refused.*8 attempts"):
        asked()


def test_a_query_that_takes_too_long_is_stopped(asked, api, pauses, monkeypatch):
    """By us, where BigQuery doesn't."""
    monkeypatch.setattr(bigquery, "SPARE_SECONDS", -1)
    api.polls = 10_000
    with pytest.raises(StoreError, match=r"it has not ended in its time. Set timeout_seconds to more than 1"):
        asked(timeout_seconds="1")
    assert (api.cancelled, pauses) == (1, [])


def test_columns_that_change_between_trying_and_running(asked, api, pauses, monkeypatch):
    """Are not written as others; a value that is none of its column's is refused."""
    api.before = FIELDS[:1]
    assert len(pq.read_schema(asked()[0].path)) == 2
    assert len(pauses) == 1
    api.fields, api.pages = [{"name": "n", "type": "INTEGER"}], [[["9223372036854775808"]]]
    with pytest.raises(InputError, match="a value can't be written as parquet"):
        asked()


def test_a_type_that_is_new_is_refused(asked, api):
    """Before the query is run."""
    for kind in ("INTERVAL", "RANGE", "VECTOR"):
        api.fields = [{"name": "a", "type": kind}]
        with pytest.raises(InputError, match=rf"a is {kind}, which can't.*cast\(a as string\) as a"):
            asked()
    assert all(each["dryRun"] for each in api.jobs)


def test_parameters_are_found_where_they_are_some():
    """Not in texts, names, comments and variables of the system."""
    query = """
        select "@a;", r'\\'@b;', '''it's @c;''', `@d;`, @@time_zone, -- @e;
        /* @f;
        */ # @g;
        x from t where at >= @Start
    """
    read_asked({"fetch": "bigquery", "project": "figures", "query": query}, None)  # no other name means anything
    with pytest.raises(ConfigError, match="@x means nothing here"):
        read_asked({"fetch": "bigquery", "project": "figures", "query": f"{query} + @x"}, None)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"project": ""}, "project: expected the id"),
        ({"project": "a/b"}, "project: expected the id"),
        ({"location": "E U"}, "location = E U: expected where"),
        ({"query": ""}, "query: expected one query"),
        ({"query": "select 1; select @day"}, "expected one query"),
        ({"query": "select * from t"}, "query is the same every day"),
        ({"query": "select '@day'"}, "query is the same every day"),
        ({"query": "select @dya"}, "@dya means nothing here. Known: @start, @stop, @day"),
        ({"ready": "select @x"}, "ready: @x means nothing here"),
        ({"maximum_bytes_billed": "10 GB"}, "maximum_bytes_billed = 10 GB: expected a number of bytes"),
        ({"format": "excel"}, "rows are fetched as parquet, csv, ndjson or json"),
        ({"timezone": "Mars"}, "expected an IANA name"),
        ({"timeout_seconds": "0"}, "timeout_seconds = 0"),
    ],
)
def test_settings_that_can_not_be_meant(tmp_path, settings, said):
    """Are refused with what is expected."""
    with pytest.raises(ConfigError, match=said):
        read_asked({"fetch": "bigquery", "project": "figures", "query": OF_ALL, **settings}, tmp_path)


def test_what_is_recorded(tmp_path):
    """The query as it is set, and what the day puts into it."""
    values = {"fetch": "bigquery", "project": "figures", "query": f"{OF_ALL};", "timezone": "Europe/London"}
    asked = read_asked(values, tmp_path)
    assert asked.recorded() == values | {"query": OF_ALL, "format": "parquet"}
    said = {"day": "2026-09-01", "start": "2026-08-31T23:00:00Z", "stop": "2026-09-01T23:00:00Z"}
    assert asked.parameters(DAY) == said


def test_planning_needs_no_client(tmp_path):
    """It takes long to import, and may not be installed where nothing is fetched."""
    command = "import sys; from etl.fetch import bigquery; sys.exit('google.cloud' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", command], check=False).returncode == 0
