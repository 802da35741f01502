"""Rejects are said beside a rate, with the statuses that they show: by every command and by `error_rate`."""

import json

import pytest

from lake.rejected import of_days, shown

OF = ("--of", "ErrorRateDaily")
LINE = '192.0.2.7 - - [18/May/2015:10:00:00 +0000] "GET / HTTP/1.1" {} 5 "-" "-"\n'
CUT = '192.0.2.7 - - [18/May/2015:10:00:00 +0000] "GET / HTTP/1.1" {} 5 "-"\n'
SAID = "2 rejects show a server error (2 502) that no rate counts"


@pytest.mark.slow
def test_every_command_says_rejects_beside_the_rate(a_project):
    """Those that show a server error, those that show another status, and those that show none."""
    log = LINE.format(200) * 996 + CUT.format(502) * 2 + CUT.format(404) + "x\n"
    (a_project.folder / "logs/2015-05-18.log").write_text(log)
    run = a_project.run("backfill", "run", *OF)
    rejects = "4 lines on 1 of 4 days, beside 1,005 requests; 2 show 502, 1 4xx, 1 none"
    assert run.returncode == 0
    assert f"  rejects: {rejects}\n" in run.stdout
    assert SAID in run.stderr
    status = a_project.run("backfill", "status", *OF).stdout
    assert f"Rejects: {rejects}.\n" in status
    assert SAID in status
    told = json.loads(a_project.run("backfill", "status", *OF, "--json").stdout)
    assert told["rejects"] == {"2015-05-18": {"404": 1, "502": 2, "none": 1}}
    check = a_project.run("backfill", "check", *OF)
    assert (check.returncode, SAID in check.stdout) == (1, True)
    explained = a_project.run("backfill", "explain", *OF, "--date", "2015-05-18").stdout
    assert "  rejects: 2 show 502, 1 4xx, 1 none\n" in explained
    rows = a_project.run(
        "lake", "sql", "--csv", "select incomplete from error_rate where dt = '2015-05-18'"
    ).stdout
    assert SAID in rows
    a_project.run("lake", "report", "-o", "report.html")
    page = (a_project.folder / "report.html").read_text()
    assert f"Rejects: {rejects}." in page
    assert SAID in page


def test_run_says_the_rejects_of_what_it_built_as_json(a_project):
    """By day and status; of days that were there before, `status` does."""
    (a_project.folder / "logs/2015-05-18.log").write_text(LINE.format(200) * 996 + CUT.format(502) * 2 + "x\n")
    told = json.loads(a_project.run("backfill", "run", *OF, "--json").stdout)
    assert told["rejects"] == {"2015-05-18": {"502": 2, "none": 1}}
    assert told["built"] == [f"2015-05-{day}" for day in range(17, 21)]
    again = json.loads(a_project.run("backfill", "run", *OF, "--json").stdout)
    assert (again["built"], again["rejects"]) == ([], {})


def test_a_day_without_rejects_says_nothing_of_them(a_project):
    """Nor does one of which an earlier version did not look at them."""
    assert "ejects" not in a_project.run("backfill", "run", *OF).stdout
    assert "ejects:" not in a_project.run("backfill", "status", *OF).stdout
    assert of_days({}) is None


def test_server_errors_are_said_first_and_each():
    """Other statuses by their first digit; lines that show none, last."""
    assert shown({"200": 1, "204": 2, "404": 1, "500": 1000, "503": 1, "none": 3}) == (
        "1,000 show 500, 1 503, 3 2xx, 1 4xx, 3 none"
    )
    assert shown({"none": 1}) == "1 show none"
