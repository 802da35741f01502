"""Days whose raw logs are not all there: what becomes of them, and what is said of it."""

import csv
import io
import json

import pytest

RANGE = ("--of", "ErrorRateDaily", "--start", "2015-05-17", "--stop", "2015-05-21")
ASK = "select dt, application, requests_total, incomplete from error_rate order by all"
API = {
    "format": "common",
    "files": "api/{YYYY}-{MM}-{DD}-[0-9].log",
    "application": "api",
    "vantage": "origin",
    "expected_files": "2",
    "since": "2015-05-18",
    "until": "2015-05-20",
}
LINE = '192.0.2.1 - - [{day}/May/2015:12:00:00 +0000] "GET / HTTP/1.1" 200 10\n'


def numbered(day, number):
    """Return a line of a day that is another one in each file."""
    return LINE.format(day=day).replace("192.0.2.1", f"198.51.100.{number}")


@pytest.fixture
def two_sources(a_project):
    """The project with a second source, which has a file of two on its first day and none on its second."""
    a_project.configure(web=a_project.source, api=API)
    (a_project.folder / "api").mkdir()
    (a_project.folder / "api/2015-05-18-1.log").write_text(LINE.format(day=18))
    return a_project


def severities(project, **values):
    """Write the section of luigi.cfg anew."""
    path = project.folder / "luigi.cfg"
    text, _, _ = path.read_text().partition("[completeness]\n")
    path.write_text(text + "[completeness]\n" + "".join(f"{key} = {value}\n" for key, value in values.items()))


def asked(project):
    """Return what an analyst sees."""
    said = project.run("lake", "sql", "--csv", ASK).stdout
    return [tuple(row) for row in csv.reader(io.StringIO(said))][1:]


def test_without_a_word_a_day_goes_without_a_source_that_alone_has_its_application(two_sources):
    """For fewer files the day waits; it doesn't for a dead source of which no other application has a line."""
    done = two_sources.run("backfill", "run", *RANGE)
    assert done.returncode == 1
    assert "3 built, 0 already there, 0 failed, 1 waiting" in done.stdout
    assert "waiting: 2015-05-18 no input: source api: 1 of 2 files" in done.stdout
    assert done.stderr.count("2015-05-19 is made without source api: no raw logs") == 1
    assert [row for row in asked(two_sources) if row[0] == "2015-05-19"] == [
        ("2015-05-19", "api", "0", "api: no raw logs"),
        ("2015-05-19", "shop", "3", ""),
    ]
    assert "□ 1 incomplete" in two_sources.run("backfill", "status", *RANGE).stdout


@pytest.mark.slow
def test_the_source_that_comes_late_is_found_and_restated(two_sources):
    """By the usual commands, and once; then nothing is lacking, and no other application has changed."""
    days = ("--of", "ErrorRateDaily", "--start", "2015-05-19", "--stop", "2015-05-20")
    assert two_sources.run("backfill", "run", *days).returncode == 0
    for number in (1, 2):
        (two_sources.folder / f"api/2015-05-19-{number}.log").write_text(numbered(19, number))
    found = two_sources.run("backfill", "plan", *days, "--late").stdout
    assert "2015-05-19  late input: raw logs of source api have come: backfill restate --of" in found
    restated = two_sources.run("backfill", "restate", *days, "--late", "--reason", "they came", "--yes")
    assert restated.returncode == 0, restated.stderr
    assert asked(two_sources) == [("2015-05-19", "api", "2", ""), ("2015-05-19", "shop", "3", "")]
    assert "restate" not in two_sources.run("backfill", "plan", *days, "--late", "--stale").stdout
    assert two_sources.run("backfill", "check", *days).returncode == 0


@pytest.mark.parametrize(
    ("web", "api"),
    [
        ({}, {"application": "shop"}),
        ({"application": "field:authority"}, {}),
        ({}, {"application": "field:authority"}),
    ],
)
def test_where_others_may_lack_its_requests_the_day_waits(two_sources, web, api):
    """Applications that lines name, or that another source has too: nobody knows what of them is missing."""
    two_sources.configure(web=two_sources.source | web, api=API | api | {"expected_files": "1"})
    done = two_sources.run("backfill", "run", *RANGE)
    assert done.returncode == 1
    assert "waiting: 2015-05-19 no input: source api: 0 of 1 files" in done.stdout
    assert "2015-05-19" not in {row[0] for row in asked(two_sources)}


def test_whoever_wants_every_source_says_so(two_sources):
    """With missing_source = fail, a day waits for each of them."""
    severities(two_sources, missing_source="fail")
    done = two_sources.run("backfill", "run", *RANGE)
    assert done.returncode == 1
    assert "waiting: 2015-05-18 no input: source api: 1 of 2 files" in done.stdout
    assert "waiting: 2015-05-19 no input: source api: 0 of 2 files" in done.stdout
    assert [row[0] for row in asked(two_sources)] == ["2015-05-17", "2015-05-20"]


@pytest.mark.slow
def test_warnings_go_on_and_stand_beside_the_rate(two_sources):
    """In the rows that they concern, in the log, for the monitor and in the explanation; `since` is no gap."""
    severities(two_sources, fewer_files="warn", missing_source="warn")
    planned = two_sources.run("backfill", "plan", *RANGE)
    assert "To build, oldest first: 4 of them" in planned.stdout
    done = two_sources.run("backfill", "run", *RANGE)
    assert done.returncode == 0
    assert done.stderr.count("2015-05-19 is made without source api: no raw logs") == 1
    few = "api: 1 of 2 files for 2015-05-18"
    assert asked(two_sources) == [
        ("2015-05-17", "shop", "3", ""),
        ("2015-05-18", "api", "1", few),
        ("2015-05-18", "shop", "3", ""),
        ("2015-05-19", "api", "0", "api: no raw logs"),
        ("2015-05-19", "shop", "3", ""),
        ("2015-05-20", "shop", "3", ""),
    ]
    check = two_sources.run("backfill", "check", *RANGE)
    assert check.returncode == 1
    assert "WARNING: 4 days there, 0 late, 2 incomplete, the latest: 2015-05-19 api: no raw logs;" in check.stdout
    found = json.loads(two_sources.run("backfill", "check", *RANGE, "--json").stdout)
    assert found["incomplete"] == {"2015-05-18": few, "2015-05-19": "api: no raw logs"}
    explained = two_sources.run("backfill", "explain", "--of", "ErrorRateDaily", "--date", "2015-05-18")
    assert f"  incomplete: {few}\n" in explained.stdout
    for command in ("status", "nightly"):
        assert two_sources.run("backfill", command, *RANGE[: 2 if command == "nightly" else None]).returncode == 0


@pytest.mark.slow
def test_what_comes_later_is_found_and_restated(two_sources):
    """Files that were missing make the day late or stale; the new revision is complete."""
    severities(two_sources, fewer_files="warn", missing_source="warn")
    assert two_sources.run("backfill", "run", *RANGE).returncode == 0
    for name, day in (("2015-05-18-2", 18), ("2015-05-19-1", 19), ("2015-05-19-2", 19)):
        (two_sources.folder / f"api/{name}.log").write_text(numbered(day, name[-1]))
    found = two_sources.run("backfill", "plan", *RANGE, "--late").stdout
    assert "2015-05-18  late input: api/2015-05-18-2.log has come" in found
    assert "2015-05-19  late input: raw logs of source api have come" in found
    options = ("--late", "--reason", "they came", "--yes")
    restated = two_sources.run("backfill", "restate", *RANGE, *options)
    assert restated.returncode == 0, restated.stderr
    assert [row[2:] for row in asked(two_sources) if row[1] == "api"] == [("2", ""), ("2", "")]
    assert two_sources.run("backfill", "check", *RANGE).returncode == 0


@pytest.mark.slow
def test_a_day_without_any_raw_log_waits(two_sources):
    """However mild the severities are: of nothing no rate can be made."""
    severities(two_sources, fewer_files="warn", missing_source="warn")
    (two_sources.folder / "logs/2015-05-19.log").unlink()
    (two_sources.folder / "logs/2015-05-20.log").unlink()
    done = two_sources.run("backfill", "run", *RANGE)
    assert done.returncode == 1
    assert "2 built, 0 already there, 0 failed, 2 waiting" in done.stdout
    assert "waiting: 2015-05-19 no input: source api: 0 of 2 files" in done.stdout
    assert [row[0] for row in asked(two_sources)] == ["2015-05-17", *["2015-05-18"] * 2]


@pytest.mark.slow
def test_silent_hours_fail_where_they_must_not_be(two_sources):
    """Nothing of the day is published, the message says what to do, and mended settings have it built."""
    two_sources.configure(web=two_sources.source | {"expected_hours": "0-3"})
    severities(two_sources, silent_hours="fail")
    done = two_sources.run("backfill", "run", *RANGE)
    assert done.returncode == 1
    assert two_sources.published() == {}
    assert "no request in UTC hours 3. Bring what is missing, or correct expected_hours" in done.stderr
    two_sources.configure(web=two_sources.source | {"expected_hours": "0-2"})
    severities(two_sources, silent_hours="fail")
    assert two_sources.run("luigi", "RangeDailyBase", *RANGE).returncode == 0
    assert {row[3] for row in asked(two_sources)} == {""}
