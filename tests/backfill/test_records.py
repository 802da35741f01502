"""Sources of other records than requests, through the whole pipeline: built, restated, verified, read again."""

import gzip
import json
import os
from datetime import UTC, date, datetime

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

HEADER = "application,page_path,screen_page_views,visitors\n"
SOURCE = {
    "dataset": "page_views",
    "format": "csv",
    "files": "exports/{YYYY}-{MM}-{DD}.csv",
    "fields": "path = page_path, views = screen_page_views",
    "since": "2015-05-17",
    "until": "2015-05-19",
}
KIND = ("--of", "PageViewsDaily", "--source", "analytics")
BUILD = ("backfill", "run", *KIND, "--start", "2015-05-17")
ALL = "select dt, application, path, views, visitors from page_views order by all"


@pytest.fixture
def analytics(make_project):
    """Return a project with a source of page views and nothing else, and two days of them."""
    made = make_project("analytics")
    made.configure(analytics=SOURCE)
    (made.folder / "exports").mkdir()
    put(made, "2015-05-17", "shop,/,1204,931", "shop,/basket,310,")
    put(made, "2015-05-18", "shop,/,1100,900")
    return made


def put(made, day, *rows, header=HEADER):
    """Write a day's export."""
    text = header + "".join(f"{row}\n" for row in rows)
    (made.folder / f"exports/{day}.csv").write_text(text, encoding="utf-8")


def asked(made, query):
    """Return the rows that `lake sql` prints."""
    done = made.run("lake", "sql", "--csv", query)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()[1:]


def test_days_are_built(analytics):
    """Each file is a day, built once; its rows are those of the contract."""
    done = analytics.run(*BUILD)
    assert done.returncode == 0, done.stderr
    assert asked(analytics, ALL) == [
        "2015-05-17,shop,/,1204,931",
        "2015-05-17,shop,/basket,310,",
        "2015-05-18,shop,/,1100,900",
    ]
    before = analytics.published()
    assert analytics.run(*BUILD).returncode == 0
    assert analytics.published() == before
    assert (
        analytics.run("luigi", "PageViewsDaily", "--source", "analytics", "--date", "2015-05-18").returncode == 0
    )


def test_what_breaks_the_contract_is_a_reject(analytics):
    """With its reason and place, masked but for what its own column allows; and too many fail the day."""
    rows = ["shop,/,1204,931", "shop,/a,12.5,1", "shop,/x,,1", "Who Is This,/b,4,1", "shop,/c,5", "shop,/,7,7"]
    put(analytics, "2015-05-17", *rows)
    done = analytics.run(*BUILD)
    assert done.returncode == 1
    assert "5 of 6 lines are rejects" in done.stdout + done.stderr
    assert "max_reject_rate" in done.stdout + done.stderr
    analytics.configure(analytics=SOURCE | {"max_reject_rate": "1"})
    assert analytics.run(*BUILD, "--retry-failed").returncode == 0
    assert asked(analytics, "select line_number, reason from rejects order by all") == [
        "3,type",
        "4,missing",
        "5,value",
        "6,shape",
        "7,key",
    ]
    found = analytics.run("backfill", "rejects", "--source", "analytics", "--date", "2015-05-17")
    assert found.returncode == 0
    assert found.stdout.splitlines()[-1] == "5 rejects: all are still rejects."
    assert "Who" not in found.stdout


def test_a_grown_export_is_late_data(analytics):
    """It is named and restated, and the figures before are still there."""
    assert analytics.run(*BUILD).returncode == 0
    put(analytics, "2015-05-17", "shop,/,1204,931", "shop,/basket,310,", "shop,/help,5,5")
    late = analytics.run("backfill", "plan", *KIND, "--late", "--start", "2015-05-17")
    assert "2015-05-17" in late.stdout
    assert "1 more lines of the day" in late.stdout
    done = analytics.run(
        "backfill", "restate", *KIND, "--late", "--start", "2015-05-17", "--reason", "late", "--yes"
    )
    assert done.returncode == 0, done.stderr
    assert len(asked(analytics, ALL)) == 4
    assert asked(analytics, "select count(*) from page_views_history") == ["6"]
    assert analytics.run("lake", "verify", "--deep", "--rebuild-sample", "2").returncode == 0


def test_undated_files_are_taken_apart_by_a_field(analytics):
    """A history that one compressed file has is built day by day in one pass; what grows is seen."""
    source = SOURCE | {
        "format": "ndjson",
        "files": "history*.json.gz",
        "fields": "path = page.path, dt = date, views = n",
        "where": "application = shop",
    }
    analytics.configure(analytics=source)
    rows = [
        {"date": f"201505{17 + n % 2}", "application": app, "page": {"path": f"/{n}"}, "n": n}
        for n in range(6)
        for app in ("shop", "blog")
    ]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (analytics.folder / "history.json.gz").write_bytes(gzip.compress(text.encode()))
    done = analytics.run(*BUILD)
    assert done.returncode == 0, done.stderr
    assert asked(analytics, "select dt, count(*), sum(views) from page_views group by all order by all") == [
        "2015-05-17,3,6",
        "2015-05-18,3,9",
    ]
    explained = analytics.run("backfill", "explain", *KIND, "--date", "2015-05-18")
    assert "11 lines read, 3 records, 0 rejects, 3 of other days, 5 noise" in explained.stdout


def test_a_key_that_no_record_has_is_said(analytics):
    """It may be misspelt: the day is published with a warning, or fails if luigi.cfg has it so."""
    rows = {"17": [{"visitors": None}, {}], "18": [{}, {}]}
    for day, more in rows.items():
        text = "".join(
            json.dumps({"application": "shop", "path": f"/{n}", "views": n} | each) + "\n"
            for n, each in enumerate(more)
        )
        (analytics.folder / f"exports/2015-05-{day}.json").write_text(text, encoding="utf-8")
    source = {**SOURCE, "format": "ndjson", "files": "exports/{YYYY}-{MM}-{DD}.json"}
    del source["fields"]
    said = "no record has the key 'visitors' for visitors (if none is to: fields = visitors = -)"
    analytics.configure(analytics=source)
    with (analytics.folder / "luigi.cfg").open("a", encoding="utf-8") as file:
        file.write("[completeness]\nmissing_fields = fail\n")
    done = analytics.run(*BUILD)
    assert done.returncode == 1
    assert f"2015-05-18: {said}. Correct fields in [source.analytics]" in done.stdout + done.stderr
    analytics.configure(analytics=source)
    done = analytics.run(*BUILD, "--retry-failed")
    assert done.returncode == 0, done.stderr
    assert f"2015-05-18 of source analytics is incomplete: {said}" in done.stderr
    assert "2015-05-17 of source" not in done.stderr
    checked = analytics.run("backfill", "check", *KIND, "--start", "2015-05-17")
    assert said in checked.stdout
    assert said in analytics.run("backfill", "explain", *KIND, "--date", "2015-05-18").stdout
    analytics.configure(analytics=source | {"fields": "visitors = -"})
    again = ("backfill", "restate", *KIND, "--date", "2015-05-18", "--reason", "none has it", "--yes")
    assert analytics.run(*again).returncode == 0
    assert said not in analytics.run("backfill", "check", *KIND, "--start", "2015-05-17").stdout


def test_error_rates_are_built_beside(analytics):
    """Who has both builds each without the other, and a day without --date is the latest of its own sources."""
    analytics.write_logs(days=2)
    web = analytics.source | {"until": "2015-05-19"}
    analytics.configure(web=web, analytics=SOURCE | {"until": "2015-05-30"})
    done = analytics.run("luigi", "RangeDailyBase", "--of", "ErrorRateDaily", "--start", "2015-05-17")
    assert done.returncode == 0, done.stderr
    assert asked(analytics, "select count(*) from error_rate") == ["2"]
    assert "page_views" not in analytics.run("lake", "ls").stdout
    assert analytics.run("luigi", "ErrorRateDaily").returncode == 0
    wrong = analytics.run(
        "backfill", "run", "--of", "RequestsDaily", "--source", "analytics", "--start", "2015-05-17"
    )
    assert wrong.returncode == 2
    assert "[source.analytics] brings page_views" in wrong.stderr
    wrong = analytics.run("backfill", "run", "--of", "PageViewsDaily", "--start", "2015-05-17")
    assert "one of: analytics" in wrong.stderr


PARQUET = {
    "dataset": "page_views",
    "format": "parquet",
    "files": "exports/{YYYY}/{MM}/{DD}/*.parquet",
    "fields": "path = page.path, views = n",
    "since": "2015-05-17",
    "until": "2015-05-18",
    "max_reject_rate": "0.5",
}


def put_table(made, name, *numbers, **columns):
    """Write a table of page views: a row for each number."""
    path = made.folder / "exports" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    pages = [{"path": f"/{n}"} for n in numbers]
    apps = ["Who Is This" if n < 0 else "shop" for n in numbers]
    made_of = {
        "application": apps,
        "page": pages,
        "n": [float(n) for n in numbers],
        "visitors": [None] * len(apps),
    }
    pq.write_table(pa.table(made_of | columns), path)


def test_parquet_files_are_read_row_by_row(analytics):
    """Each row is a line: counted, a reject with its number, restated where files came late, and read again."""
    analytics.configure(analytics=PARQUET)
    put_table(analytics, "2015/05/17/a.parquet", 1, 2.5, -3, 4)
    done = analytics.run(*BUILD)
    assert done.returncode == 0, done.stderr
    assert "incomplete" not in done.stderr
    assert asked(analytics, "select path, views from page_views order by all") == ["/1,1", "/4,4"]
    rejects = asked(analytics, "select file, line_number, reason, masked_line from rejects order by all")
    shown = '"{""application"":""%s"",""path"":""/%s"",""views"":""%s"",""visitors"":null}"'
    assert rejects == [
        "exports/2015/05/17/a.parquet,2,type," + shown % ("xxxx", "9.9", "9.9"),
        "exports/2015/05/17/a.parquet,3,value," + shown % ("xxx xx xxxx", "-9", "-9"),
    ]
    found = analytics.run("backfill", "rejects", "--source", "analytics", "--date", "2015-05-17", "--raw")
    assert '["Who Is This", "/-3", "-3", null]' in found.stdout
    verified = analytics.run("lake", "verify", "--deep", "--rebuild-sample", "1")
    assert verified.returncode == 0, verified.stdout
    put_table(analytics, "2015/05/17/b.parquet", 5)
    put_table(analytics, "2015/05/17/a.parquet", 1, 2, 4, 6)
    again = ("backfill", "restate", *KIND, "--late", "--start", "2015-05-17", "--reason", "late", "--yes")
    done = analytics.run(*again)
    assert done.returncode == 0, done.stderr
    assert asked(analytics, "select sum(views) from page_views") == ["18"]
    put_table(analytics, "2015/05/17/a.parquet", 1, 2)
    done = analytics.run(*again)
    assert done.returncode == 1
    assert "a.parquet has 2 lines of the day, had 4. Bring the raw files back" in done.stderr


def test_an_undated_parquet_file_that_is_written_anew_with_more_rows_has_grown(analytics):
    """What it is goes by its rows; a damaged one is named, and is no reject."""
    source = PARQUET | {"files": "exports/history.parquet", "fields": "path = page.path, views = n, dt = day"}
    analytics.configure(analytics=source | {"until": "2015-05-19"})
    days = [date(2015, 5, 17 + n % 2) for n in range(6)]
    put_table(analytics, "history.parquet", 1, 2, 3, day=days[:3])
    done = analytics.run(*BUILD)
    assert done.returncode == 0, done.stderr
    put_table(analytics, "history.parquet", 1, 2, 3, 4, 5, day=days[:5])
    late = analytics.run("backfill", "plan", *KIND, "--late", "--start", "2015-05-17")
    assert late.stdout.count("history.parquet has 1 more lines of the day") == 2
    assert analytics.run("lake", "verify", "--deep").returncode == 0
    path = analytics.folder / "exports/history.parquet"
    path.write_bytes(path.read_bytes()[:-20])
    done = analytics.run("backfill", "restate", *KIND, "--date", "2015-05-17", "--reason", "more", "--yes")
    assert done.returncode != 0
    assert "exports/history.parquet: the Parquet file is cut off or damaged" in done.stdout + done.stderr


def test_spreadsheets_are_read_row_by_row(analytics):
    """A sheet's rows are records, with their numbers in the sheet."""
    book = openpyxl.Workbook()
    sheet = book.create_sheet("Views")
    for row in (["path", "n", "application"], ["/a", 3, "shop"], ["/b", 2.5, "shop"], ["/c", 4.0, "shop"]):
        sheet.append(row)
    book.save(analytics.folder / "exports/2015-05-17.xlsx")
    source = {**SOURCE, "format": "excel", "sheet": "Views", "files": "exports/{YYYY}-{MM}-{DD}.xlsx"}
    analytics.configure(
        analytics=source | {"fields": "views = n, visitors = -", "until": "2015-05-18", "max_reject_rate": "0.5"}
    )
    done = analytics.run(*BUILD)
    assert done.returncode == 0, done.stderr
    assert asked(analytics, "select path, views, visitors from page_views order by all") == ["/a,3,", "/c,4,"]
    assert asked(analytics, "select line_number, reason from rejects") == ["3,type"]
    assert analytics.run("lake", "verify", "--deep", "--rebuild-sample", "1").returncode == 0


def test_a_parquet_file_that_is_replaced_each_night_is_kept_as_it_was(analytics):
    """Fetched, it is a day's own: what it becomes later changes nothing, and a day that was missed is lost."""
    source = {key: value for key, value in PARQUET.items() if key != "files"}
    fetched = {"fetch": "file", "path": "exports/content.parquet", "until": "2015-05-20"}
    analytics.configure(analytics=source | fetched)
    with (analytics.folder / "luigi.cfg").open("a", encoding="utf-8") as file:
        file.write(f"[snapshots]\nroot = {analytics.folder}/snapshots\n")
    path = analytics.folder / "exports/content.parquet"
    for day, numbers in ((18, (1, 2, 3)), (20, (4,))):
        put_table(analytics, "content.parquet", *numbers)
        written = datetime(2015, 5, day, 3, tzinfo=UTC).timestamp()
        os.utime(path, (written, written))
        analytics.run(*BUILD)
    assert asked(analytics, "select dt, sum(views) from page_views group by all order by all") == [
        "2015-05-17,6",
        "2015-05-19,4",
    ]
    missed = analytics.run("luigi", "PageViewsDaily", "--source", "analytics", "--date", "2015-05-18")
    assert missed.returncode != 0
    assert "is of 2015-05-18 no longer" in missed.stdout + missed.stderr
    assert analytics.run("lake", "verify", "--deep", "--rebuild-sample", "2").returncode == 0
    late = analytics.run("backfill", "plan", *KIND, "--late", "--start", "2015-05-17")
    assert "content.parquet has" not in late.stdout


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"dataset": "pages"}, "dataset = pages: expected one that raw files bring: "),
        ({"vantage": "edge"}, "vantage"),
        (
            {"files": "history.csv"},
            "Say which field has its day: fields = dt = NAME. Or, of a file that is replaced",
        ),
        ({"fields": "paths = page_path"}, "paths"),
        ({"format": "combined"}, "format = combined"),
        ({"format": "parquet", "envelope": "docker"}, "envelope: not for format parquet."),
    ],
)
def test_what_cant_be_meant_is_refused(analytics, changed, said):
    """The message names the section and the key."""
    analytics.configure(analytics=SOURCE | changed)
    done = analytics.run(*BUILD)
    assert done.returncode == 2
    assert "[source.analytics]" in done.stderr
    assert said in done.stderr
