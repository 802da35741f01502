"""Restating and explaining a day."""

import json
from datetime import UTC, date, datetime

import pytest

from backfill.restate import drafted
from etl.project import project
from lake.contracts import contract, in_build_order, is_everybodys
from lake.errors import ConfigError, PartitionExists
from tasks.error_rate import ErrorRateDaily
from tasks.requests import RequestsDaily
from tasks.source_counts import SourceCountsDaily
from tasks.status_mix import StatusMixDaily

DATE = date(2015, 5, 18)
DAY = str(DATE)
EVERY = ("rejects", "requests", "source_days", "source_counts", "error_counts", "error_rate")
OF = ("--of", "RequestsDaily", "--source", "web", "--date", DAY)
RESTATE = ("backfill", "restate", *OF, "--reason", "the log came late")
EXPLAIN = ("backfill", "explain", *OF)


@pytest.fixture
def built(a_project):
    """Return the project with two metrics of a day, whose log then gained two lines."""
    for task in ("ErrorRateDaily", "StatusMixDaily"):
        assert a_project.run("luigi", task, "--date", DAY).returncode == 0
    add_lines(a_project)
    return a_project


def add_lines(a_project):
    """Let the day's log gain two lines."""
    with (a_project.folder / f"logs/{DAY}.log").open("a") as log:
        for minute in (1, 2):
            log.write(
                f'192.0.2.9 - - [18/May/2015:20:{minute:02}:00 +0000] "GET /late HTTP/1.1" 502 10 "-" "curl"\n'
            )


@pytest.mark.slow
def test_the_difference_is_shown_and_the_old_stays(built):
    """Rows and rates of all that is made from the day; readers get the new, and can ask for the old."""
    before = built.published()
    done = built.run(*RESTATE)
    assert (done.returncode, built.published()) == (2, before)
    assert "There is no terminal to ask at" in done.stderr
    assert done.stdout.splitlines() == [
        "RequestsDaily 2015-05-18, 1 day",
        "RequestsDaily web 2015-05-18: came: logs/2015-05-18.log has 2 more lines of the day",
        "rejects 2015-05-18 of source web: revision 0 → 1, 0 → 0 rows; 0 removed, 0 added",
        "requests 2015-05-18 of source web: revision 0 → 1, 3 → 5 rows; 0 removed, 2 added",
        "  shop origin: 3 → 5 requests",
        "source_days 2015-05-18 of source web: revision 0 → 1, 1 → 1 rows; 1 removed, 1 added",
        "  shop origin: 3 → 5 requests",
        "source_counts 2015-05-18 of source web: revision 0 → 1, 3 → 4 rows; 0 removed, 1 added",
        "  shop origin: 3 → 5 requests, error rate 33.3333% → 60.0000%",
        "error_counts 2015-05-18: revision 0 → 1, 3 → 4 rows; 0 removed, 1 added",
        "  shop origin: 3 → 5 requests, error rate 33.3333% → 60.0000%",
        "error_rate 2015-05-18: revision 0 → 1, 1 → 1 rows; 1 removed, 1 added",
        "  shop origin: 3 → 5 requests, error rate 33.3333% → 60.0000%",
        "status_mix 2015-05-18: revision 0 → 1, 2 → 2 rows; 1 removed, 1 added",
        "  shop origin: 3 → 5 requests",
    ]
    done = built.run(*RESTATE, "--yes")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("Published. Readers get the new revisions, the old ones stay.\n")
    after = built.published()
    assert before.items() < after.items()
    assert len(after) == 2 * len(before)
    query = "select rev, requests_total, error_rate from error_rate"
    assert built.run("lake", "sql", "--csv", query).stdout == "rev,requests_total,error_rate\n1,5,0.6\n"


def test_the_provenance_says_why_and_who(built):
    """And what it supersedes, by its digest."""
    built.run(*RESTATE, "--yes")
    found = json.loads(built.run(*EXPLAIN, "--json").stdout)
    old, new = (each for each in found["published"] if each["key"].startswith("requests/"))
    assert new["provenance"]["supersedes"] == old["sha256"]
    assert new["provenance"]["reason"] == "the log came late"
    assert "@" in new["provenance"]["requested_by"]
    assert old["provenance"]["requested_by"] is None


def test_what_would_be_the_same_is_not_published(a_project):
    """A revision that says nothing new would be noise for ever."""
    a_project.run("luigi", "ErrorRateDaily", "--date", DAY)
    before = a_project.published()
    done = a_project.run(*RESTATE, "--yes")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("Nothing differs, so nothing was published.\n")
    assert a_project.published() == before
    assert not list(a_project.folder.glob("lake/_staging/*"))


def test_what_cannot_be_restated(built):
    """A day that is not there, or a log that is worse now; nothing is published."""
    before = built.published()
    done = built.run(*RESTATE[:-1], "  ")
    assert done.returncode == 2
    done = built.run("backfill", "restate", "--of", "ErrorRateDaily", "--date", "2015-05-19", "--reason", "x")
    assert (done.returncode, done.stdout) == (2, "ErrorRateDaily 2015-05-19, 1 day\n")
    assert "is not published: there is nothing to restate" in done.stderr
    for text, words in (
        ("no log\n", "it would lose requests"),
        ("no log\n" * 100, "100 of 100 lines are rejects"),
    ):
        (built.folder / f"logs/{DAY}.log").write_text(text)
        done = built.run(*RESTATE, "--yes")
        assert (done.returncode, done.stdout) == (1, "RequestsDaily 2015-05-18, 1 day\n")
        assert words in done.stderr
    assert built.published() == before


def test_a_draft_is_seen_by_nobody_until_it_is_published(in_project, build):
    """Not even by the lake that it is of, and it goes away."""
    assert build(ErrorRateDaily(date=DATE))
    add_lines(in_project)
    unit = RequestsDaily(source="web", date=DATE).unit
    with drafted([unit], "why", "who") as found:
        made = [(p.dataset, p.revision) for p in found.draft.partitions_made]
        assert made == [(name, 1) for name in EVERY]
        assert [each.rows for each in found.changes] == [(0, 0), (3, 5), (1, 1), (3, 4), (3, 4), (1, 1)]
        assert unit.within(found.draft).latest_revision() == 1
        assert unit.latest_revision() == 0
    assert len(project().lake.partitions(contract("error_rate"))) == 1
    with pytest.raises(ConfigError), drafted([StatusMixDaily(date=DATE).unit], "why", "who"):
        pass


def test_a_restatement_that_another_has_published_meanwhile_is_refused_or_the_same(in_project, build):
    """Two people at once: with other bytes the second learns of the first."""
    assert build(ErrorRateDaily(date=DATE))
    add_lines(in_project)
    lake, now = project().lake, datetime(2026, 11, 29, tzinfo=UTC)
    units = [RequestsDaily(source="web", date=DATE).unit]
    with drafted(units, "why", "one") as one, drafted(units, "why", "other") as other:
        one.publish(lake, now)
        one.publish(lake, now)
        with pytest.raises(PartitionExists):
            other.publish(lake, now)
    assert lake.provenance(lake.latest(contract("error_rate"))[0]).requested_by == "one"


def test_a_day_whose_inputs_are_outdated_is_not_called_equal(in_project, build):
    """Its rate would come out the same, without the lines of the newer requests: where to begin is said."""
    assert build(ErrorRateDaily(date=DATE))
    add_lines(in_project)
    assert build(RequestsDaily(source="web", date=DATE, revision=1, reason="late"))
    with (
        pytest.raises(ConfigError, match="backfill restate --of SourceCountsDaily --source web"),
        drafted([ErrorRateDaily(date=DATE).unit], "why", "who"),
    ):
        pass
    with drafted([SourceCountsDaily(source="web", date=DATE).unit], "why", "who") as found:
        assert [each.new.dataset for each in found.changes][-1] == "error_rate"


def test_all_that_is_made_from_a_day_is_found(in_project):
    """By the contracts, so a new metric is restated too."""
    found = RequestsDaily(source="web", date=DATE).unit.serves()
    order = [each.name for each in in_build_order() if each.inputs and not each.made_with and is_everybodys(each)]
    assert [each.dataset for each in found] == order
    assert {"source_counts", "error_counts", "error_rate", "status_mix"} <= {*order}
    assert ErrorRateDaily(date=DATE).unit.serves() == []


@pytest.mark.slow
def test_explain_tells_all_of_a_day(built):
    """State, digests, inputs, checks, attempts, and what depends on it."""
    (built.folder / "logs/2015-05-19.log").write_text("no log\n")
    built.run("backfill", "run", "--of", "ErrorRateDaily")
    done = built.run("backfill", "explain", "--of", "ErrorRateDaily", "--date", "2015-05-19")
    assert (done.returncode, done.stderr) == (0, "")
    assert "It is not there: failed once: RequestsDaily web: source web, 2015-05-19: 1 of 1 lines" in done.stdout
    assert " UTC, " in done.stdout.partition("Attempts:\n")[2].splitlines()[0]
    assert "Made from: SourceCountsDaily web 2015-05-19, not there" in done.stdout
    done = built.run(*EXPLAIN)
    lines = done.stdout.splitlines()
    assert lines[:2] == ["RequestsDaily web 2015-05-18, 1 day", "It is there."]
    assert "requests/v1/dt=2015-05-18/source=web/rev=0/part-0.parquet" in lines
    assert any(line.startswith("  from logs/2015-05-18.log, ") for line in lines)
    assert "  checked: contract: every row" in lines
    assert "Made from: raw logs of web, there" in lines
    assert "Depends on it: StatusMixDaily 2015-05-18, there" in lines
    assert lines[-1].startswith(
        "To restate it: backfill restate --of RequestsDaily --source web --date 2015-05-18"
    )
    done = built.run("backfill", "explain", "--of", "ErrorRateDaily", "--date", "2030-01-01")
    assert (done.returncode, done.stdout.splitlines()[1]) == (0, "It is inactive.")
