"""A lake of an earlier version lives on: lake-0.3.tar.gz has one of two days, built by 46f6c5e, and its logs."""

import json
import tarfile
from pathlib import Path

import pytest

FORMER = Path(__file__).with_name("lake-0.3.tar.gz")
OF = ("--of", "ErrorRateDaily")
RATES = "select dt, requests_total, server_error_requests, error_rate, rev from error_rate order by dt"


@pytest.fixture
def former(make_project):
    """Return a project with that lake: its source has a third day that is not built."""
    project = make_project("former")
    with tarfile.open(FORMER) as archive:
        # Debian's Python 3.11.2 has no filters yet, 3.14 wants one
        archive.extraction_filter = getattr(tarfile, "data_filter", lambda member, _: member)
        archive.extractall(project.folder)  # noqa: S202 - our own
    return project


def test_its_days_are_there_and_stay_as_they_are(former):
    """Nothing of them is outdated, missing or wrong by this version alone."""
    before = former.run("lake", "sql", RATES).stdout
    assert before.count("2015-05-") == 2
    planned = former.run("backfill", "plan", *OF, "--stop", "2015-05-19", "--late", "--stale").stdout
    assert planned == "ErrorRateDaily 2015-05-17 … 2015-05-18, 2 days\nNothing to build.\n"
    verified = former.run("lake", "verify", "--deep")
    assert (verified.returncode, "; 0 findings." in verified.stdout) == (0, True)


@pytest.mark.slow
def test_it_is_extended_and_restated(former):
    """A new day gains all datasets, a restated one those that it lacked; all figures stay the same."""
    assert former.run("luigi", "RangeDailyBase", *OF, "--start", "2015-05-17").returncode == 0
    rows = former.run("lake", "sql", "--csv", RATES).stdout.splitlines()[1:]
    assert [row.split(",")[:3] for row in rows] == [
        ["2015-05-17", "60", "10"],
        ["2015-05-18", "60", "8"],
        ["2015-05-19", "60", "11"],
    ]
    reason = ("--reason", "tried", "--yes")
    restated = former.run(
        "backfill", "restate", "--of", "RequestsDaily", "--source", "web", "--date", "2015-05-18", *reason
    )
    assert restated.returncode == 0
    assert "source_counts 2015-05-18 of source web: nothing → 0" in restated.stdout
    assert former.run("lake", "sql", "--csv", RATES).stdout.splitlines()[1:] == rows
    verified = former.run("lake", "verify", "--deep")
    assert (verified.returncode, "; 0 findings." in verified.stdout) == (0, True)


def test_status_says_which_datasets_came_later(former):
    """And whether they can be built, by the command that it prints; once they are there, it is silent."""
    status = ("backfill", "status", *OF, "--stop", "2015-05-19")
    said = former.run(*status)
    assert said.returncode == 0
    assert said.stdout.endswith(
        "SourceCountsDaily web is not there on 2 of them, and can be built: 2015-05-17, 2015-05-18\n"
        "  backfill run --of SourceCountsDaily --source web --start 2015-05-17 --stop 2015-05-19\n"
    )
    (told,) = json.loads(former.run(*status, "--json").stdout)["absent"]
    assert told == {"of": "SourceCountsDaily", "source": "web", "dates": ["2015-05-17", "2015-05-18"], "gone": []}
    assert former.run(*said.stdout.splitlines()[-1].split()).returncode == 0
    assert former.run(*status).stdout.endswith("■ 2 there\n")


def test_status_says_what_can_no_longer_be_built(former):
    """Since the requests of a day were deleted."""
    before = ("lake", "retention", "--before", "2015-05-18", "--even-if-needed", "--dataset")

    def delete(dataset):
        shown = former.run(*before, dataset).stdout
        code = shown.partition("--delete ")[2].split()[0]
        assert former.run(*before, dataset, "--delete", code, "--reason", "old").returncode == 0

    delete("requests")
    status = ("backfill", "status", *OF, "--stop", "2015-05-19")
    *_, possible, command, gone = former.run(*status).stdout.splitlines()
    assert possible == "SourceCountsDaily web is not there on 1 of them, and can be built: 2015-05-18"
    assert command.endswith(
        "backfill run --of SourceCountsDaily --source web --start 2015-05-18 --stop 2015-05-19"
    )
    assert gone.startswith("SourceCountsDaily web is not there on 1 of them, and can't be built, since ")
    assert gone.endswith(" was deleted: 2015-05-17")
