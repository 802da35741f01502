"""`backfill plan`, `run`, `nightly` and `check`, as an operator and cron use them."""

import gzip
import json
import re
import shutil
import signal
import time
from datetime import date, timedelta
from pathlib import Path

import pytest

OF = ("--of", "ErrorRateDaily")
PLAN, RUN, STATUS, CHECK = (("backfill", name, *OF) for name in ("plan", "run", "status", "check"))
FIRST_DAY = date(2015, 5, 17)
GARBAGE = "no log at all\n" * 3


def break_day(project, day: str = "2015-05-18") -> None:
    """Make a day's raw log one that can't be read."""
    (project.folder / f"logs/{day}.log").write_text(GARBAGE)


def test_plan_says_what_would_be_built_and_changes_nothing(a_project):
    """Days, order, what a day takes, and why days are not built."""
    (a_project.folder / "logs/2015-05-19.log").unlink()
    done = a_project.run(*PLAN, "--start", "2015-05-16", "--order", "newest")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "ErrorRateDaily 2015-05-16 … 2015-05-20, 5 days"
    assert lines[1] == "To build, newest first: 3 of them; no past run to estimate the time from"
    assert lines[2:7] == [
        "  2015-05-17, 2015-05-18, 2015-05-20",
        "  2015-05-20 RequestsDaily web: to build",
        "  2015-05-20 SourceCountsDaily web: to build",
        "  2015-05-20 ErrorCountsDaily: to build",
        "  2015-05-20 ErrorRateDaily: to build",
    ]
    assert "2015-05-19  no input: source web: 0 of 1 files for 2015-05-19" in done.stdout
    assert not (a_project.folder / "lake").exists()
    answer = json.loads(a_project.run(*PLAN, "--json").stdout)
    assert answer["build"] == ["2015-05-17", "2015-05-18", "2015-05-20"]
    assert answer["counts"]["no input"] == 1


@pytest.mark.parametrize("workers", ["1", "2"])
def test_run_builds_what_plan_says(a_project, engine, workers):
    """All days, the same bytes as Luigi's own range; a second run has nothing to do."""
    done = a_project.run(*RUN, *engine, "--workers", workers)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0] == "ErrorRateDaily 2015-05-17 … 2015-05-20, 4 days"
    assert "4 built, 0 already there, 0 failed, 0 waiting" in done.stdout
    first = a_project.published()
    again = a_project.run(*RUN, *engine, "--workers", workers)
    assert again.returncode == 0
    assert "Nothing to do, nothing was rebuilt" in again.stdout
    assert a_project.published() == first
    assert len(list((a_project.folder / "lake/_attempts/ErrorRateDaily").iterdir())) == 1
    planned = a_project.run(*PLAN, "--start", "2015-05-17")
    assert "Nothing to build." in planned.stdout


def test_parts_of_a_range_are_built_one_by_one(a_project, make_project, engine):
    """Each says what it is of, and is done when its own days are there; all together are what one run is."""
    days = ("--start", "2015-05-16", "--stop", "2015-05-21")
    planned = a_project.run(*PLAN, *days, "--part", "1/2")
    assert "To build, oldest first: 3 of them" in planned.stdout
    found = []
    for part in ("0/2", "1/2"):
        done = a_project.run(*RUN, *days, *engine, "--part", part)
        assert (done.returncode, done.stderr) == (0, "")
        found.append(done.stdout.splitlines()[0])
    assert found == [
        "ErrorRateDaily 2015-05-16 … 2015-05-17, 2 days",
        "ErrorRateDaily 2015-05-18 … 2015-05-20, 3 days",
    ]
    at_once = make_project("at_once")
    at_once.write_logs()
    assert at_once.run(*RUN, *days, *engine).returncode == 0
    assert a_project.published() == at_once.published()


def test_a_part_without_an_active_day_has_nothing_to_do(a_project):
    """That is no mistake of who divides a range."""
    done = a_project.run(*RUN, "--start", "2015-05-13", "--stop", "2015-05-21", "--part", "0/2")
    assert (done.returncode, done.stderr) == (0, "")
    assert "no source is active on 4 of them" in done.stdout
    assert a_project.published() == {}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--part", "0/2"), "Give --stop with --part: else a part that begins a day later is of another range.\n"),
        (("--part", "2/2"), "argument --part: '2/2' is no part: of 2 parts, the last is 1/2\n"),
        (("--part", "0/0"), "argument --part: 0 is too few, expected 1 or more\n"),
        (("--part", "x/8"), "argument --part: 'x' is not a number, expected 0 or more\n"),
        (("--part", "3"), "argument --part: '3' is no part, expected K/N, such as 0/4 for the first of four\n"),
        (
            ("--stop", "2015-05-19", "--part", "0/3"),
            "2 days can't be divided into 3 parts. Give --part K/N with an ",
        ),
    ],
)
def test_a_wrong_part_is_refused(a_project, words, said):
    """It says what is wrong and builds nothing."""
    done = a_project.run(*RUN, "--start", "2015-05-17", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert a_project.published() == {}


@pytest.mark.slow
def test_a_bad_day_is_tried_so_often_then_skipped_until_its_log_is_another(a_project):
    """It blocks no other, every run says so and fails, and once the raw file is replaced it is built."""
    good = (a_project.folder / "logs/2015-05-18.log").read_text()
    break_day(a_project)
    for number in (1, 2, 3):
        done = a_project.run(*RUN)
        assert done.returncode == 1
        assert "  failed: 2015-05-18" in done.stdout
        assert ("3 built" in done.stdout) == (number == 1)
    done = a_project.run(*RUN)
    assert (done.returncode, done.stderr) == (1, "")
    assert "2015-05-18 skipped: failed 3 times: RequestsDaily web: source web, 2015-05-18: 3 of 3" in done.stdout
    stock = a_project.run("luigi", "RangeDailyBase", *OF, "--start", "2015-05-17")
    assert stock.returncode != 0
    assert "1 skipped" in stock.stdout
    asked = a_project.run(*RUN, "--retry-failed")
    assert "  failed: 2015-05-18" in asked.stdout
    (a_project.folder / "logs/2015-05-18.log").write_text(good)
    done = a_project.run(*RUN)
    assert (done.returncode, done.stderr) == (0, "")
    assert "1 built, 3 already there" in done.stdout


def test_an_undated_log_without_a_line_of_a_day_is_waited_for(a_project, engine):
    """The day waits, tries nothing in vain while the log is as it was, and is built once its lines have come."""
    logs = [(a_project.folder / f"logs/2015-05-{day}.log").read_text() for day in range(17, 21)]
    log = a_project.folder / "access.log"
    log.write_text("".join(logs[:3]))
    a_project.configure(web=a_project.source | {"files": "access.log"})
    done = a_project.run(*RUN, *engine)
    assert done.returncode == 1
    assert "3 built, 0 already there, 0 failed, 1 waiting" in done.stdout
    assert "has not one line of 2015-05-20 yet" in done.stdout
    for _ in range(4):
        assert a_project.run(*RUN, *engine).returncode == 1
    folder = a_project.folder / "lake/_attempts/ErrorRateDaily"
    assert len(list(folder.iterdir())) == 1
    assert "? 1 no input" in a_project.run(*STATUS).stdout
    log.write_text("".join(logs))
    done = a_project.run(*RUN, *engine)
    assert (done.returncode, done.stderr) == (0, "")
    assert "1 built, 3 already there" in done.stdout


def test_no_more_days_are_begun_after_so_many_failures(a_project, engine):
    """The oldest two fail, the others are left for another run."""
    break_day(a_project, "2015-05-17")
    break_day(a_project, "2015-05-18")
    done = a_project.run(*RUN, *engine, "--max-failures", "2")
    assert done.returncode == 1
    assert "0 built, 0 already there, 2 failed, 2 waiting" in done.stdout
    assert "waiting for another run (interrupted, or task_limit): 2015-05-19, 2015-05-20" in done.stdout


def test_attempts_of_a_run_with_two_workers_are_recorded(a_project, engine):
    """With time, error, host and run, for built days and failed ones."""
    break_day(a_project)
    a_project.run(*RUN, *engine, "--workers", "2")
    (record,) = (a_project.folder / "lake/_attempts/ErrorRateDaily").iterdir()
    found = [json.loads(line) for line in record.read_text().splitlines()]
    assert [(each["date"], each["outcome"]) for each in found] == [
        ("2015-05-17", "built"),
        ("2015-05-18", "failed"),
        ("2015-05-19", "built"),
        ("2015-05-20", "built"),
    ]
    assert "3 of 3 lines are rejects" in found[1]["error"]
    assert all(each["seconds"] > 0 and each["host"] for each in found)
    assert len({each["run"] for each in found}) == 1
    assert re.search(r"_2015-05-17_2015-05-20_3_1_[0-9a-f]{32}\.jsonl$", record.name)
    planned = a_project.run(*PLAN)
    assert re.search(r"To build, oldest first: 1 of them, about \d+ s\n", planned.stdout)
    assert "2015-05-18  failed once: RequestsDaily web" in planned.stdout


def test_json_is_one_object(a_project, engine):
    """Nothing else is on the standard output."""
    answer = json.loads(a_project.run(*RUN, *engine, "--json").stdout)
    assert (answer["counts"]["there"], answer["oldest_gap"]) == (4, None)


def test_nightly_is_silent_unless_something_is_wrong(a_project, engine):
    """Cron mails what is printed; the last settled days are built, by the second run nothing."""
    nightly = ("backfill", "nightly", *OF, "--days", "3", *engine)
    a_project.configure(web=a_project.source | {"since": "2015-05-18"})
    done = a_project.run(*nightly)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    built = a_project.published()
    days = {key.split("/")[2] for key in built if key.startswith("error_rate/")}
    assert days == {"dt=2015-05-18", "dt=2015-05-19", "dt=2015-05-20"}
    done = a_project.run(*nightly, "--verbose")
    assert "0 built, 3 already there" in done.stdout
    assert a_project.published() == built
    a_project.configure()
    break_day(a_project, "2015-05-17")
    done = a_project.run("backfill", "nightly", *OF, *engine)
    assert done.returncode == 1
    assert "  failed: 2015-05-17" in done.stdout


@pytest.mark.slow
def test_gaps_older_than_the_window_are_named_and_built_if_asked(a_project):
    """By nightly and check, whatever the window is; what retention deleted is no gap."""
    nightly = ("backfill", "nightly", *OF, "--days", "2")
    done = a_project.run(*nightly)
    assert done.returncode == 1
    assert "2 older days are missing: 2015-05-17, 2015-05-18\n" in done.stdout
    assert "  To build them: backfill nightly --of ErrorRateDaily --all-gaps\n" in done.stdout
    checked = a_project.run(*CHECK, "--days", "2")
    assert checked.returncode == 1
    assert "WARNING: 2 days there, 0 late; 2 older days missing, the first: 2015-05-17; to build" in checked.stdout
    assert "older=2;1;;0" in checked.stdout
    junit = a_project.run(*CHECK, "--days", "2", "--format", "junit").stdout
    assert 'failures="1"' in junit
    assert 'message="missing: 2015-05-17, 2015-05-18"' in junit
    assert a_project.run(*nightly, "--all-gaps").returncode == 0
    done = a_project.run(*nightly)
    assert (done.returncode, done.stdout) == (0, "")
    deletion = ("lake", "retention", "--dataset", "error_rate", "--before", "2015-05-18", "--even-if-needed")
    (code,) = re.findall(r"--delete (\w+)", a_project.run(*deletion).stdout)
    assert a_project.run(*deletion, "--delete", code, "--reason", "old").returncode == 0
    assert a_project.run(*nightly).returncode == 0
    a_project.configure(web={key: value for key, value in a_project.source.items() if key != "since"})
    assert a_project.run(*nightly).returncode == 0
    shutil.rmtree(a_project.folder / "lake/error_rate/v1/dt=2015-05-18")
    assert a_project.run(*nightly).returncode == 0


@pytest.mark.slow
def test_late_days_are_restated_by_the_night_where_that_is_wanted(a_project):
    """Off by default; on, only of so many days, with the difference in the report, once."""
    nightly = ("backfill", "nightly", *OF)
    assert a_project.run(*nightly).returncode == 0
    for day in ("2015-05-17", "2015-05-19"):
        log = a_project.folder / f"logs/{day}.log"
        log.write_text(log.read_text() * 2)
    done = a_project.run(*nightly)
    late = "Raw logs of RequestsDaily web have come or changed since it was published: "
    assert (done.returncode, late + "2015-05-17, 2015-05-19." in done.stdout) == (1, True)
    path = a_project.folder / "luigi.cfg"
    path.write_text(path.read_text() + "[backfill]\nlate_days = 2\n")
    done = a_project.run(*nightly)
    assert (done.returncode, done.stderr) == (1, "")
    assert "RequestsDaily web 2015-05-19  late input: logs/2015-05-19.log has" in done.stdout
    assert "shop origin: 3 → 6 requests, error rate" in done.stdout
    assert f"{late}2015-05-17." in done.stdout
    path.write_text(path.read_text().replace("late_days = 2", "late_days = 4"))
    done = a_project.run(*nightly)
    assert "RequestsDaily web 2015-05-17  late input" in done.stdout
    assert (done.returncode, late in done.stdout) == (0, False)
    assert a_project.run(*nightly).stdout == ""
    explained = a_project.run("backfill", "explain", *OF, "--date", "2015-05-17").stdout
    assert "raw files came late, as the nightly run has found" in explained


def test_a_late_day_that_can_not_be_restated_is_said(a_project):
    """The night fails, and names it; the others are restated."""
    path = a_project.folder / "luigi.cfg"
    path.write_text(path.read_text() + "[backfill]\nlate_days = 7\n")
    nightly = ("backfill", "nightly", *OF)
    assert a_project.run(*nightly).returncode == 0
    (a_project.folder / "logs/2015-05-18.log").write_text(GARBAGE * 100)
    log = a_project.folder / "logs/2015-05-19.log"
    log.write_text(log.read_text() * 2)
    done = a_project.run(*nightly)
    assert done.returncode == 1
    assert "Not restated: source web, 2015-05-18: 300 of 300 lines are rejects" in done.stdout
    assert "shop origin: 3 → 6 requests" in done.stdout


def test_several_tasks_in_a_night(a_project):
    """One after the other: a day that one lacks is said, and the next is built; no wrong name comes late."""
    nightly = ("backfill", "nightly", "--of", "ErrorRateDaily", "ErrorCountsDaily")
    done = a_project.run(*nightly, "StatusMix")
    assert (done.returncode, done.stdout) == (2, "")
    assert "No daily task 'StatusMix'" in done.stderr
    assert a_project.published() == {}
    log = a_project.folder / "logs/2015-05-18.log"
    good = log.read_text()
    break_day(a_project)
    done = a_project.run(*nightly)
    assert done.returncode == 1
    assert done.stdout.count("  failed: 2015-05-18") == 2
    log.write_text(good)
    done = a_project.run(*nightly)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    again = a_project.run(*nightly, "--of", "ErrorRateDaily", "--json", "--verbose")
    answers = [json.loads(text) for text in again.stdout.replace("\n}\n{", "\n}\n\0{").split("\0")]
    assert [(each["of"], each["counts"]["there"]) for each in answers] == [
        ("ErrorRateDaily", 4),
        ("ErrorCountsDaily", 4),
    ]


@pytest.mark.slow
def test_the_mail_of_a_bad_night_fits_a_screen(a_project):
    """Thirty days that fail: a cause once, cut, the counts whole, and what says the rest, which does."""
    logs = [f"2015-04-{day:02}" for day in range(1, 31)]
    a_project.configure(web=a_project.source | {"since": "2015-03-28", "until": "2015-05-01"})
    for number, day in enumerate(logs):
        (a_project.folder / f"logs/{day}.log").write_text(GARBAGE * (number + 1))
    done = a_project.run("backfill", "nightly", *OF, "--days", "32", COLUMNS="80")
    assert done.returncode == 1
    lines = (done.stdout + done.stderr).splitlines()
    assert len(lines) <= 24
    assert "30 failed" in done.stdout
    assert done.stdout.count("lines are") + done.stdout.count("…") < 20
    assert [line for line in lines if len(line) > 80 and ": backfill " not in line] == []
    assert "    2015-04-01 and 29 more: RequestsDaily web: source web, 2015-04-01: 3 of 3" in done.stdout
    assert "2 older days are missing" in done.stdout
    (rest,) = (line for line in lines if line.startswith("  All of it: "))
    said = a_project.run(*rest.removeprefix("  All of it: ").split())
    assert "30 failed" in said.stdout
    explained = a_project.run("backfill", "explain", *OF, "--date", "2015-04-30")
    assert "90 of 90 lines are rejects" in explained.stdout
    assert "First ones: logs/2015-04-30.log:1" in explained.stdout


def test_two_nightlies_at_once(a_project):
    """Both succeed, and each day is there once."""
    both = [a_project.start("backfill", "nightly", *OF) for _ in range(2)]
    assert [each.communicate(timeout=60) for each in both] == [("", "")] * 2
    assert [each.returncode for each in both] == [0, 0]
    assert len([key for key in a_project.published() if key.startswith("error_rate")]) == 4


@pytest.mark.slow
def test_check_tells_monitors(a_project):
    """By exit code and format; a lake that can't be read, and a wrong argument, are unknown."""
    done = a_project.run(*CHECK)
    assert done.returncode == 2
    assert done.stdout.startswith("ErrorRateDaily CRITICAL: 0 days there, 4 late, the oldest: 2015-05-17 missing")
    assert done.stdout.count("\n") == 1
    a_project.run(*RUN, "--stop", "2015-05-20")
    done = a_project.run(*CHECK, "--critical", "5")
    assert (done.returncode, done.stderr) == (1, "")
    assert a_project.run(*CHECK, "--warning", "2").returncode == 0
    done = a_project.run(*CHECK, "--format", "prometheus", "--output", "lake.prom")
    assert (done.returncode, done.stdout) == (1, "")
    assert 'late_days{task="ErrorRateDaily"} 1' in (a_project.folder / "lake.prom").read_text()
    assert "<testsuite" in a_project.run(*CHECK, "--format", "junit").stdout
    assert json.loads(a_project.run(*CHECK, "--json").stdout)["severity"] == "WARNING"
    a_project.configure(lake={"root": "s3://no-bucket/x", "endpoint_url": "http://127.0.0.1:9"})
    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_MAX_ATTEMPTS": "1"}
    done = a_project.run(*CHECK, **keys, AWS_DEFAULT_REGION="eu-west-1")
    assert (done.returncode, done.stderr) == (3, "")
    assert done.stdout.startswith("ErrorRateDaily UNKNOWN: s3://")
    assert a_project.run("backfill", "check").returncode == 3
    assert a_project.run(*CHECK, "--bogus").returncode == 3


BROKEN = {
    "no section": b"root = lake\n",
    "junk": b"[lake]\nroot = lake\njunk\n",
    "no text": b"\xff\xfe[lake]",
    "empty": b"",
    "twice": b"[lake]\nroot = a\n[lake]\nroot = b\n",
    "misspelt": b"[lake]\nroot = a\n[Source.web]\n",
    "missing": None,
    "a folder": ...,
}


@pytest.mark.parametrize("name", BROKEN)
def test_check_of_a_broken_configuration_is_unknown(a_project, name):
    """However it is broken: 3, a line on the standard output, and no old file that says all is well."""
    path, text = a_project.folder / "luigi.cfg", BROKEN[name]
    path.unlink()
    if text is ...:
        path.mkdir()
    elif text is not None:
        path.write_bytes(text)
    output = a_project.folder / "lake.prom"
    output.write_text("all is well\n")
    done = a_project.run(*CHECK, "--format", "prometheus", "--output", "lake.prom")
    assert (done.returncode, done.stderr) == (3, "")
    assert done.stdout.startswith("ErrorRateDaily UNKNOWN: ")
    assert done.stdout.count("\n") == 1
    assert 'error_rate_lake_check_succeeded{task="ErrorRateDaily"} 0' in output.read_text()


@pytest.mark.slow
def test_a_day_that_is_lost_is_gone_and_built_again(a_project):
    """Not what it failed of before it was built; status, check and its metrics have the same word."""
    good = (a_project.folder / "logs/2015-05-18.log").read_text()
    break_day(a_project)
    assert a_project.run(*RUN).returncode == 1
    (a_project.folder / "logs/2015-05-18.log").write_text(good)
    assert a_project.run(*RUN).returncode == 0
    shutil.rmtree(a_project.folder / "lake/error_rate/v1/dt=2015-05-18")
    said = a_project.run(*STATUS).stdout
    assert "■ 3 there, o 1 gone" in said
    assert re.search(r"2015-05-18  gone: it was published on 20\d\d-\d\d-\d\d, and is there no more", said)
    assert "4 late" not in (checked := a_project.run(*CHECK).stdout)
    assert "the oldest: 2015-05-18 gone; 2015-05-18 gone: it was published on" in checked
    metrics = a_project.run(*CHECK, "--format", "prometheus").stdout
    assert 'error_rate_lake_days{task="ErrorRateDaily",state="gone"} 1\n' in metrics
    done = a_project.run(*RUN)
    assert (done.returncode, "1 built, 3 already there" in done.stdout) == (0, True)


def test_status_and_check_say_the_same_of_a_day(a_project):
    """Source, cause and state of a day whose log is not there, and of one that lacks an hour."""
    (a_project.folder / "logs/2015-05-19.log").unlink()
    assert a_project.run(*RUN).returncode == 1
    cause = "no input: source web: 0 of 1 files for 2015-05-19"
    assert f"2015-05-19  {cause}" in a_project.run(*STATUS).stdout
    assert f"the oldest: 2015-05-19 no input; 2015-05-19 {cause}" in a_project.run(*CHECK).stdout
    assert f'type="no input" message="{cause}' in a_project.run(*CHECK, "--format", "junit").stdout
    metrics = a_project.run(*CHECK, "--format", "prometheus").stdout
    assert 'source_late_days{task="ErrorRateDaily",source="web",state="no input"} 1\n' in metrics


def test_incomplete_days_have_a_mark(a_project):
    """In the calendar, its legend and below it; in JSON, too."""
    a_project.configure(web=a_project.source | {"expected_hours": "0-3"})
    assert a_project.run(*RUN).returncode == 0
    said = a_project.run(*STATUS)
    assert said.returncode == 0
    assert "■ 4 there (□ 4 incomplete)" in said.stdout
    assert "□□□□" in said.stdout
    assert "2015-05-17 … 2015-05-20  incomplete: web: no request in UTC hours 3" in said.stdout
    assert json.loads(a_project.run(*STATUS, "--json").stdout)["incomplete"]["2015-05-18"].startswith("web: ")


@pytest.mark.slow
@pytest.mark.parametrize("night", [date(2015, 3, 29), date(2015, 10, 25)])
def test_a_machine_whose_clocks_change_builds_the_same(make_project, night):
    """A UTC day has 24 hours in London's shortest and longest night too: same bytes, same hours."""
    lakes = []
    for zone in ("UTC", "Europe/London"):
        made = make_project(zone.partition("/")[2] or zone)
        first = night - timedelta(days=1)
        made.configure(web=made.source | {"since": str(first), "until": str(night + timedelta(days=2))})
        (made.folder / "logs").mkdir()
        for day in (first, night, night + timedelta(days=1)):
            lines = (
                f'192.0.2.1 - - [{day:%d/%b/%Y}:{hour:02}:30:00 +0000] "GET / HTTP/1.1" 200 1 "-" "x"\n'
                for hour in range(24)
            )
            (made.folder / f"logs/{day}.log").write_text("".join(lines))
        assert made.run(*RUN, TZ=zone).returncode == 0
        hours = made.run(
            "lake", "sql", "--csv", "select distinct hours_observed, requests_total from error_rate", TZ=zone
        )
        assert hours.stdout == "hours_observed,requests_total\n24,24\n"
        lakes.append(made.published())
    assert len(lakes[0]) == 18
    assert lakes[0] == lakes[1]


@pytest.mark.slow
def test_a_signal_ends_the_night(a_project):
    """The task that runs stops, and no other begins."""
    a_project.configure(web=a_project.source | {"until": "2015-09-01", "allow_empty": "true"})
    for day in range(4, 107):
        (a_project.folder / f"logs/{FIRST_DAY + timedelta(days=day)}.log").write_text("")
    process = a_project.start("backfill", "nightly", *OF, "StatusMixDaily", "--days", "100")
    deadline = time.monotonic() + 30
    while not list(a_project.folder.glob("lake/error_rate/v1/*")) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 143, (output, errors)
    assert "StatusMixDaily" not in output
    assert not [key for key in a_project.published() if key.startswith("status_mix")]


def children_of(process: int) -> list[int]:
    """Return the processes whose parent it is."""
    found = Path(f"/proc/{process}/task/{process}/children").read_text()
    return [int(number) for number in found.split()]


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_signal_stops_the_run_cleanly(a_project, engine, number, workers):
    """What runs is finished or abandoned, nothing half is left, no child lives on, and the rest can be built."""
    a_project.configure(web=a_project.source | {"until": "2015-09-01", "allow_empty": "true"})
    for day in range(4, 100):
        (a_project.folder / f"logs/{FIRST_DAY + timedelta(days=day)}.log").write_text("")
    process = a_project.start(*RUN, *engine, "--workers", workers)
    deadline = time.monotonic() + 90
    while not list(a_project.folder.glob("lake/error_rate/v1/*")) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(number)
    children = children_of(process.pid)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + number, (output, errors)
    assert "Stopping: what runs is finished first" in errors
    assert "waiting for another run" in output
    assert not [child for child in children if Path(f"/proc/{child}").exists()]
    assert not list(a_project.folder.glob("lake/_staging/*"))
    done = a_project.run(*RUN, *engine, "--stop", "2015-06-01", "--workers", workers)
    assert done.returncode == 0


def begun(project, engine, workers: str):
    """Start a run of a day that takes some seconds, and return its process once the day is begun."""
    lines = b'192.0.2.1 - - [17/May/2015:10:00:00 +0000] "GET / HTTP/1.1" 200 10 "-" "curl"\n' * 100_000
    (project.folder / "logs/2015-05-17.log").write_bytes(gzip.compress(lines) * 60)
    process = project.start(*RUN, *engine, "--stop", "2015-05-18", "--workers", workers)
    deadline = time.monotonic() + 90
    while not list(project.folder.glob("lake/_staging/*/requests*")) and time.monotonic() < deadline:
        time.sleep(0.02)
    return process


@pytest.mark.slow
def test_a_stopped_run_says_what_it_has_published(a_project, engine):
    """No day is complete, and what is under them stays: the report counts it."""
    slow = a_project.source | {"files": "logs/slow-{YYYY}-{MM}-{DD}.log"}
    a_project.configure(web=a_project.source, slow=slow)
    lines = b'192.0.2.1 - - [17/May/2015:10:00:00 +0000] "GET / HTTP/1.1" 200 10 "-" "curl"\n' * 100_000
    (a_project.folder / "logs/slow-2015-05-17.log").write_bytes(gzip.compress(lines) * 60)
    process = a_project.start(*RUN, *engine, "--stop", "2015-05-18", "--workers", "2")
    deadline = time.monotonic() + 90
    published = a_project.folder / "lake/requests/v1/dt=2015-05-17/source=web"
    while not list(published.glob("*")) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 143, (output, errors)
    assert "0 built, 0 already there, 0 failed, 1 waiting" in output
    assert "  published under 1 of these days: " in output
    assert "    RequestsDaily web: 2015-05-17\n" in output
    assert a_project.run(*RUN, *engine, "--stop", "2015-05-18").returncode == 0


def are_gone(processes: list[int]) -> bool:
    """Tell whether processes have ended, within a moment."""
    deadline = time.monotonic() + 5
    while any(Path(f"/proc/{each}").exists() for each in processes) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not any(Path(f"/proc/{each}").exists() for each in processes)


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_second_signal_abandons_what_runs(a_project, engine, workers):
    """At once, with nothing published, and no child left."""
    process = begun(a_project, engine, workers)
    children = children_of(process.pid)
    process.send_signal(signal.SIGTERM)
    time.sleep(0.2)
    process.send_signal(signal.SIGTERM)
    output, errors = process.communicate(timeout=30)
    assert process.returncode == 143, (output, errors)
    assert "0 built" in output
    assert "Traceback" not in errors
    assert are_gone(children)
    assert a_project.published() == {}


@pytest.mark.slow
def test_workers_die_with_a_run_that_is_killed(a_project, engine):
    """So that none publishes hours later; the next run sweeps up and completes."""
    process = begun(a_project, engine, "2")
    children = children_of(process.pid)
    assert children
    process.kill()
    process.communicate(timeout=10)
    assert are_gone(children)
    assert a_project.published() == {}
    assert a_project.run(*RUN, *engine, "--stop", "2015-05-18").returncode == 0
    assert not list(a_project.folder.glob("lake/_staging/*"))
