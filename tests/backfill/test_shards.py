"""A source that is read in shards is one source to whoever asks: its figures, and what is said of its days."""

import gzip

import pytest
from conftest import Project

FIGURES = "select * from error_rate order by all"
REQUESTS = "select * exclude (rev) from requests order by all"
HOURS = 6
OF_DAY = ("--start", "2015-05-17", "--stop", "2015-05-18")
WEB = {
    "files": "logs/web-{YYYY}-{MM}-{DD}-{HH}.log.gz",
    "format": "combined",
    "application": "shop",
    "vantage": "origin",
    "since": "2015-05-17",
    "until": "2015-05-20",
    "expected_hours": f"0-{HOURS - 1}",
    "max_reject_rate": "0.05",
}


def line(day: int, hour: int, n: int, status: int = 200) -> str:
    return f'192.0.2.{n} - - [{day}/May/2015:{hour:02}:{n:02}:00 +0000] "GET /p{n} HTTP/1.1" {status} 10 "-" "-"\n'


def write(project: Project, day: int = 17, **hours: str) -> None:
    """Write a day's files, one an hour; some hours have another text, or none."""
    for hour in range(HOURS):
        lines = (line(day, hour, n, 500 if n == hour else 200) for n in range(20))
        text = hours.get(f"h{hour}", "".join(lines))
        path = project.folder / f"logs/web-2015-05-{day}-{hour:02}.log.gz"
        path.unlink(missing_ok=True)
        if text:
            path.write_bytes(gzip.compress(text.encode(), mtime=0))


@pytest.fixture
def project(a_project: Project) -> Project:
    for each in (a_project.folder / "logs").iterdir():
        each.unlink()
    write(a_project)
    return a_project


def backfill(project: Project, *arguments: str, code: int = 0) -> str:
    ran = project.run("backfill", *arguments)
    assert ran.returncode == code, ran.stdout + ran.stderr
    return ran.stdout + ran.stderr


def asked(project: Project, query: str) -> str:
    ran = project.run("lake", "sql", "--csv", query)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def build(project: Project, shards: str | None, code: int = 0) -> str:
    """Build the day in a new lake, in so many shards."""
    project.configure(web=WEB | ({"shards": shards} if shards else {}), lake={"root": f"lake-{shards}"})
    return backfill(project, "run", "--of", "ErrorRateDaily", *OF_DAY, code=code)


def test_figures_are_those_of_the_whole(project: Project) -> None:
    """Rows of requests, rates, what a day lacks: all is as if it was read at once, and verify finds nothing."""
    write(project, h5="", h4=line(17, 4, 1) + "nonsense\n" * 3)
    answers = []
    for shards in (None, "3"):
        build(project, shards)
        answers.append([asked(project, each) for each in (FIGURES, REQUESTS)])
        assert "0 findings" in project.run("lake", "verify", "--deep").stdout
    assert answers[0] == answers[1]
    assert "web: no request in UTC hours 5" in answers[0][0]
    assert asked(project, "select distinct source from rejects") == "source\nweb\n"
    files = "select count(distinct source) as shards from requests_files"
    assert asked(project, files) == "shards\n3\n"
    assert asked(project, "select count(*) as n from requests_as_of('2999-01-01')") != "n\n0\n"


def test_what_one_shard_has_too_much_of_may_be_little_of_the_whole(project: Project) -> None:
    """Rejects are judged by all shards: some are fine, and too many fail the day, in the name of the source."""
    write(project, h3="nonsense\n" * 4)
    build(project, "6")
    write(project, h3="nonsense\n" * 40)
    said = build(project, "5", code=1)
    assert "source web, 2015-05-17: 40 of 140 lines are rejects (40 shape)" in said
    write(project)
    backfill(project, "restate", "--of", "ErrorCountsDaily", *OF_DAY, "--late", "--reason", "right", "--yes")
    backfill(project, "run", "--of", "ErrorRateDaily", *OF_DAY)
    assert asked(project, "select requests_total as n from error_rate") == "n\n120\n"


def test_a_late_file_restates_its_shard(project: Project) -> None:
    """And what is made of all of them."""
    write(project, h5="")
    build(project, "3")
    write(project)
    backfill(project, "restate", "--of", "ErrorRateDaily", *OF_DAY, "--late", "--reason", "late", "--yes")
    assert asked(project, "select requests_total as n, incomplete from error_rate") == "n,incomplete\n120,\n"
    revised = "select count(distinct source) as n from requests_files where rev = 1"
    assert asked(project, revised) == "n\n1\n"
    assert "0 findings" in project.run("lake", "verify").stdout
    assert "late" not in backfill(project, "plan", "--of", "ErrorRateDaily", *OF_DAY, "--late", "--stale")


def test_another_number_needs_a_day(project: Project) -> None:
    """From which it holds; without, the day would count twice."""
    build(project, "3")
    write(project, day=18)
    web = WEB | {"shards": "2"}
    project.configure(web=web, lake={"root": "lake-3"})
    told = "2015-05-17 of source web was read in 3 shards, and luigi.cfg has it read in 2 shards"
    again = ("restate", "--of", "ErrorRateDaily", "--date", "2015-05-17", "--reason", "again", "--yes")
    assert told in backfill(project, *again, code=2)
    plan = backfill(project, "plan", "--of", "ErrorRateDaily", *OF_DAY, "--late")
    assert f"can't be restated yet: {told}" in plan
    assert "have come" not in plan
    assert told in backfill(project, "status", "--of", "ErrorRateDaily", *OF_DAY, code=1)
    assert told in backfill(project, "check", "--of", "ErrorRateDaily", code=2)
    project.configure(web=web | {"shards": "3, 2 from 2015-05-18"}, lake={"root": "lake-3"})
    backfill(project, "run", "--of", "ErrorRateDaily", "--start", "2015-05-17", "--stop", "2015-05-19")
    backfill(project, *again)
    assert asked(project, "select dt, requests_total from error_rate order by dt").split() == [
        *("dt,requests_total", "2015-05-17,120", "2015-05-18,120")
    ]
    assert asked(project, "select count(*) as n from requests") == "n\n240\n"


def test_a_day_without_files_waits_once(project: Project) -> None:
    """In the name of the source, and not for each of its shards."""
    project.configure(web=WEB | {"shards": "3"})
    write(project, **{f"h{hour}": "" for hour in range(HOURS)})
    said = backfill(project, "status", "--of", "ErrorRateDaily", *OF_DAY, code=1)
    assert said.count("source web: 0 of 1 files for 2015-05-17 match") == 1


def test_the_same_bytes_in_two_shards_are_refused(project: Project) -> None:
    """As they are within one."""
    text = "".join(line(17, 3, n) for n in range(20))
    write(project, h3=text, h4=text)
    assert "the same content" in build(project, "4", code=1)
