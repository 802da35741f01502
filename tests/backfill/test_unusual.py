"""What monitors are told of unusual days: the words of the catalog's `unusual`."""

import json
from datetime import date, timedelta

import pytest

from backfill import unusual
from backfill.days import DayRange
from etl.project import project
from etl.units import Unit
from lake.lake import Lake, open_store
from lake.partition import Partition

FIRST_DAY = date(2015, 5, 17)
OF = ("--of", "ErrorRateDaily", "--start", "2015-05-17", "--stop", "2015-05-21")
SHOP = "Unusual: shop at origin on {}: 3 valid requests, usual on a {}: 793 to 1,207"
API = "Unusual: api at origin on {}: no requests, usual on a {}: 1,000"


@pytest.fixture
def unusual_project(a_project, publish, error_rates):
    """Four days of three requests after eight weeks of a thousand, in which there was another application, too."""
    assert a_project.run("backfill", "run", *OF).returncode == 0
    lake = Lake(open_store(str(a_project.folder / "lake")))
    for n in range(1, 57):
        publish(lake, Partition("error_rate", 1, FIRST_DAY - timedelta(n)), error_rates(shop=1, api=1))
    return a_project


def test_unusual_days_are_a_warning(unusual_project):
    """If that is asked for: in each format with the same words, and no more of them than a pager shows."""
    usual = unusual_project.run("backfill", "check", *OF)
    assert (usual.returncode, "nusual" in usual.stdout) == (0, False)
    found = unusual_project.run("backfill", "check", *OF, "--unusual")
    assert (found.returncode, found.stderr) == (1, "")
    assert found.stdout.startswith("ErrorRateDaily WARNING: 4 days there, 0 late; Unusual: ")
    said = json.loads(unusual_project.run("backfill", "check", *OF, "--unusual", "--json").stdout)["concerns"]
    newest = (("2015-05-20", "Wednesday"), ("2015-05-19", "Tuesday"))
    assert said[:4] == [each.format(dt, day) for dt, day in newest for each in (API, SHOP)]
    assert "; ".join(said[:5]) in found.stdout
    query = "from unusual('2015-05-17', '2015-05-21')"
    assert said[5:] == [f'Unusual: 3 more. See all: lake sql "{query}"']
    assert unusual_project.run("lake", "sql", "--csv", query).stdout.count("on a Sunday") == 2
    junit = unusual_project.run("backfill", "check", *OF, "--unusual", "--format", "junit").stdout
    assert "\n".join(said[:5]) in junit
    gauges = unusual_project.run("backfill", "check", *OF, "--unusual", "--format", "prometheus").stdout
    assert 'error_rate_lake_concerns{task="ErrorRateDaily"} 6\n' in gauges


def test_without_a_range_the_newest_day_is_judged(unusual_project, monkeypatch):
    """What was unusual a week ago doesn't warn until it is two weeks old."""
    monkeypatch.setenv("LUIGI_CONFIG_PATH", str(unusual_project.folder / "luigi.cfg"))
    days = DayRange(Unit(project(), "error_rate", FIRST_DAY), FIRST_DAY, FIRST_DAY + timedelta(4))
    there = [FIRST_DAY, FIRST_DAY + timedelta(1)]
    assert unusual.said(days, there, of_all=False) == [each.format("2015-05-18", "Monday") for each in (API, SHOP)]
    assert unusual.said(days, [], of_all=False) == []


def test_other_datasets_are_refused(unusual_project):
    """As all that a monitor gets wrong: it is unknown, and said why."""
    found = unusual_project.run("backfill", "check", "--of", "RequestsDaily", "--source", "web", "--unusual")
    assert found.returncode == 3
    assert "UNKNOWN: --unusual judges error rates: give --of ErrorRateDaily" in found.stdout


def test_an_unusual_day_that_is_not_there_is_not_judged(a_project):
    """A lake without any day has nothing unusual."""
    found = a_project.run("backfill", "check", *OF, "--unusual")
    assert found.returncode == 2
    assert "nusual" not in found.stdout
