"""Published days that would be others today."""

import bz2
import gzip
import lzma
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from backfill.days import DayRange
from backfill.outdated import Look
from etl import clock
from etl.lines import privacy
from etl.looks import account
from etl.project import project
from etl.steps import extract, purge
from lake import sql
from lake.contracts import CONTRACTS, contract
from lake.provenance import Revision
from tasks.error_rate import ErrorRateDaily
from tasks.requests import RequestsDaily

FIRST, SECOND, THIRD = (date(2015, 5, day) for day in (17, 18, 19))
pytestmark = pytest.mark.usefixtures("now")


@pytest.fixture
def days(in_project, build):
    """Return the range of two days that are published."""
    assert build(ErrorRateDaily(date=FIRST), ErrorRateDaily(date=SECOND))
    return DayRange(ErrorRateDaily(date=FIRST).unit, FIRST, THIRD)


def found(days, **look):
    """Return what is outdated by luigi.cfg as it is now: unit, day, reason."""
    example = replace(days.example, project=project())
    outdated = Look(**look).outdated(replace(days, example=example))
    return [(each.unit.name, each.unit.day, each.reason) for each in outdated]


def test_nothing_is_outdated_if_nothing_has_changed(days):
    """However deep one looks."""
    assert found(days, late=True, stale=True, deep=True) == []


def test_raw_files_that_changed_are_late(days, in_project):
    """By their size, and by their bytes only if one looks deep; a metric is restated from its requests."""
    path = in_project.folder / "logs/2015-05-18.log"
    text = path.read_text()
    path.write_text(text.replace(" 200 ", " 201 "))
    assert found(days, late=True, stale=True) == []
    reason = "late input: logs/2015-05-18.log has other bytes"
    assert found(days, late=True, deep=True) == [("RequestsDaily", SECOND, reason)]
    path.write_text(text[:-1] + text)
    reason = f"late input: logs/2015-05-18.log has {2 * len(text) - 1} bytes, had {len(text)}"
    assert found(days, late=True) == [("RequestsDaily", SECOND, reason)]
    assert found(days, stale=True) == []


def test_a_dated_file_that_grows_is_judged_by_the_lines_that_came(in_project, build):
    """Of the days that they are of, its own or a neighbour's; of none if they are of none that is published."""
    in_project.configure(web=in_project.source | {"neighbour_days": "1"})
    first, second = (in_project.folder / f"logs/2015-05-{day}.log" for day in (17, 18))
    of_first, of_second = first.read_text(), second.read_text()
    first.write_text(of_first + of_second.splitlines(keepends=True)[0])
    assert build(ErrorRateDaily(date=FIRST), ErrorRateDaily(date=SECOND))
    days = DayRange(ErrorRateDaily(date=FIRST).unit, FIRST, THIRD)
    assert found(days, late=True) == []

    def appended(text):
        with first.open("a") as log:
            log.write(text)

    appended('192.0.2.9 - - [16/May/2015:20:00:00 +0000] "GET /late HTTP/1.1" 502 10 "-" "curl"\n')
    assert found(days, late=True) == []
    appended(of_second.splitlines(keepends=True)[1])
    of_one = ("RequestsDaily", SECOND, "late input: logs/2015-05-17.log has 1 more lines of the day")
    assert found(days, late=True) == [of_one]
    appended(of_first.splitlines(keepends=True)[0] * 2)
    of_other = ("RequestsDaily", FIRST, "late input: logs/2015-05-17.log has 2 more lines of the day")
    assert found(days, late=True) == [of_other, of_one]
    RequestsDaily(date=FIRST, source="web").unit.build(Revision(1, "late"))
    assert of_one in found(days, late=True)
    RequestsDaily(date=SECOND, source="web").unit.build(Revision(1, "late"))
    assert [each for each in found(days, late=True) if each[2].startswith("late")] == []
    appended("cut")
    assert [each[:2] for each in found(days, late=True) if each[2].startswith("late")] == [of_other[:2]]


def test_a_neighbours_file_that_grew_before_its_own_day_was_published_is_told_without_reading(
    in_project, build, monkeypatch
):
    """By what its own day says that it has of others; a restatement of that day changes nothing."""
    in_project.configure(web=in_project.source | {"neighbour_days": "1"})
    first, second = (in_project.folder / f"logs/2015-05-{day}.log" for day in (17, 18))
    of_second = second.read_text().splitlines(keepends=True)
    first.write_text(first.read_text() + of_second[0])
    assert build(ErrorRateDaily(date=SECOND))
    first.write_text(first.read_text() + "".join(of_second[1:3]))
    assert build(ErrorRateDaily(date=FIRST))
    days = DayRange(ErrorRateDaily(date=FIRST).unit, FIRST, THIRD)
    read, more = [], account._more  # noqa: SLF001 - what it says can be had without it
    monkeypatch.setattr(
        account, "_more", lambda source, file, *rest: read.append(file.name) or more(source, file, *rest)
    )
    late = ("RequestsDaily", SECOND, "late input: logs/2015-05-17.log has 2 more lines of the day")
    assert found(days, late=True) == [late]
    RequestsDaily(date=FIRST, source="web").unit.build(Revision(1, "late"))
    assert late in found(days, late=True)
    RequestsDaily(date=SECOND, source="web").unit.build(Revision(1, "late"))
    assert [each for each in found(days, late=True) if each[2].startswith("late")] == []
    assert "logs/2015-05-17.log" not in read


@pytest.mark.parametrize("module", [gzip, bz2, lzma])
def test_raw_files_that_came_are_late(days, in_project, module):
    """Those that went are not: raw logs are kept for a while only. One that has another name is the same."""
    in_project.configure(web=in_project.source | {"files": "logs/{YYYY}-{MM}-{DD}*"})
    logs = in_project.folder / "logs"
    (logs / "2015-05-17.log").rename(logs / "2015-05-17-renamed.log")
    (logs / "2015-05-18.log.packed").write_bytes(module.compress((logs / "2015-05-18.log").read_bytes()))
    (logs / "2015-05-18.log").unlink()
    assert found(days, late=True, deep=True) == []
    (logs / "2015-05-17-more.log").write_bytes((logs / "2015-05-17-renamed.log").read_bytes() * 2)
    assert found(days, late=True) == [("RequestsDaily", FIRST, "late input: logs/2015-05-17-more.log has come")]


def test_settings_that_shape_rows_make_stale(days, in_project):
    """Others don't."""
    in_project.configure(web=in_project.source | {"settle_hours": "7"})
    assert found(days, stale=True) == []
    in_project.configure(web=in_project.source | {"health_check_paths": "/0"})
    reason = "stale: the settings of source web have changed"
    assert found(days, stale=True) == [("RequestsDaily", FIRST, reason), ("RequestsDaily", SECOND, reason)]
    assert found(days, late=True) == []


def test_other_sql_makes_stale(days, monkeypatch):
    """Of the metric alone."""
    digest = sql.digest
    monkeypatch.setattr(sql, "digest", lambda name: "another" if name == "error_rate" else digest(name))
    reason = "stale: queries/error_rate.sql has changed"
    assert found(days, stale=True) == [("ErrorRateDaily", FIRST, reason), ("ErrorRateDaily", SECOND, reason)]


@pytest.mark.parametrize("former", contract("error_rate").former_sql)
@pytest.mark.usefixtures("in_project")
def test_sql_that_made_the_same_rows_makes_nothing_stale(former, build, monkeypatch):
    """A day published by a text of the SQL that the contract accepts as equal stays as it is."""
    digest = sql.digest
    with monkeypatch.context() as patched:
        patched.setattr(sql, "digest", lambda name: former if name == "error_rate" else digest(name))
        assert build(ErrorRateDaily(date=FIRST))
    days = DayRange(ErrorRateDaily(date=FIRST).unit, FIRST, SECOND)
    assert found(days, stale=True) == []


def test_newer_inputs_and_sources_make_stale(days, in_project):
    """A revision of requests that no metric was made from, and a source added for a day that is published."""
    RequestsDaily(source="web", date=FIRST).unit.build(Revision(1, "alone"))
    reason = "stale: requests v1 2015-05-17 of source web revision 1 is newer than what it was made from"
    assert found(days, stale=True) == [("SourceCountsDaily", FIRST, reason)]
    in_project.configure(web=in_project.source, api=in_project.source | {"since": "2015-05-18"})
    assert found(days, stale=True)[1] == ("ErrorCountsDaily", SECOND, "stale: source api was not in it")


def test_a_column_that_the_contract_gained_makes_stale(days, monkeypatch):
    """A published file lacks it."""
    main = contract("error_rate")
    more = replace(main, columns=(*main.columns, replace(main.columns[0], name="region")))
    monkeypatch.setitem(CONTRACTS, "error_rate", more)
    assert found(days, stale=True)[0] == ("ErrorRateDaily", FIRST, "stale: the contract has gained region")


@pytest.mark.slow
def test_commands_find_and_restate(a_project):
    """`plan` names the days, `restate` restates them and what is made from them, and then none is left."""
    a_project.run("backfill", "run", "--of", "ErrorRateDaily")
    with (a_project.folder / "logs/2015-05-18.log").open("a") as log:
        log.write('192.0.2.9 - - [18/May/2015:20:00:00 +0000] "GET /late HTTP/1.1" 502 10 "-" "curl"\n')
    done = a_project.run("backfill", "plan", "--of", "ErrorRateDaily", "--late")
    assert "2015-05-18  late input: logs/2015-05-18.log has " in done.stdout
    restate = ("backfill", "restate", "--of", "ErrorRateDaily", "--late", "--reason", "logs came late")
    done = a_project.run(*restate, "--yes")
    assert done.returncode == 0
    assert "1 to restate" in done.stdout
    assert "error_rate 2015-05-18: revision 0 → 1" in done.stdout
    again = a_project.run(*restate)
    assert (again.returncode, again.stdout.splitlines()[1:], again.stderr) == (0, ["Nothing to restate."], "")
    for words in ((), ("--late", "--date", "2015-05-18")):
        done = a_project.run("backfill", "restate", "--of", "ErrorRateDaily", "--reason", "x", *words)
        assert done.returncode == 2
        assert "Give --date, or else --late, --stale or both" in done.stderr


def test_a_purge_makes_nothing_stale(in_project, build, monkeypatch):
    """What is made from a partition that was masked anew would be equal, and is confirmed to be."""
    path = in_project.folder / "logs/2015-05-17.log"
    line = path.read_text().splitlines()[0]
    path.write_text(
        path.read_text() + line.partition("GET")[0] + 'GET /u/carol@example.org HTTP/1.1" 200 5 "-" "-"\n'
    )
    with monkeypatch.context() as former:
        former.setattr(privacy, "clean_path", bytes.decode)
        former.setattr("etl.lines.blocks.WORTH_LOADING", 1 << 60)  # the kernel has its own
        assert build(ErrorRateDaily(date=FIRST), ErrorRateDaily(date=SECOND))
    lake, sources = project().lake, {each.name: each for each in project().sources}
    leaks = list(purge.leaks(lake, sources, purge.to_look_at(lake, purge.COLUMNS, None, None), lambda: None))
    assert [each.partition.dataset for each in leaks] == ["requests"]
    purge.purge(lake, sources, leaks, reason="x", by="me", now=datetime(2026, 11, 29, tzinfo=UTC))
    days = DayRange(ErrorRateDaily(date=FIRST).unit, FIRST, THIRD)
    assert found(days, late=True, stale=True, deep=True) == []


def test_a_day_whose_hours_of_one_name_were_read_as_one_is_stale(in_project, build, monkeypatch):
    """As by an earlier version, on the day when summer time ends in the source's zone; restated, it is not."""
    day = date(2015, 10, 25)
    monkeypatch.setattr(clock, "utc_now", lambda: datetime(2015, 11, 1, tzinfo=UTC))
    in_project.configure(web=in_project.source | {"timezone": "Europe/Berlin", "until": "2015-10-26"})
    line = (in_project.folder / "logs/2015-05-17.log").read_text().splitlines()[0]
    (in_project.folder / f"logs/{day}.log").write_text(line.replace("17/May/2015", "25/Oct/2015") + "\n")
    with monkeypatch.context() as former:
        former.setattr(extract, "twice_within", lambda *_: [])
        assert build(RequestsDaily(source="web", date=day))
    days = DayRange(RequestsDaily(source="web", date=day).unit, day, day + timedelta(days=1))
    reason = "stale: it has 02:00-03:00 Europe/Berlin twice, which was read as once"
    assert found(days, stale=True) == [("RequestsDaily", day, reason)]
    assert build(RequestsDaily(source="web", date=day, revision=1, reason="x"))
    assert found(days, stale=True) == []
