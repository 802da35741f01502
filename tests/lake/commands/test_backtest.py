"""`lake backtest unusual`: how often it would have warned, and of what."""

from datetime import date, timedelta

import pytest

from lake.lake import Lake, open_store
from lake.partition import Partition

LAST = date(2026, 9, 20)


@pytest.fixture
def project(make_project, publish, error_rates):
    """A lake of ten weeks with two applications: one fails on a day, the other is gone on the last."""
    made = make_project("asked")
    lake = Lake(open_store(str(made.folder / "lake")))
    for n in range(70):
        rows = error_rates(shop=300) if n == 3 else error_rates(shop=2) if n == 0 else error_rates(shop=2, api=1)
        publish(lake, Partition("error_rate", 1, LAST - timedelta(n)), rows)
    return made


def test_it_says_how_often_it_would_have_warned(project):
    """Of all days or of a range: days, application-days, kinds, and the findings themselves."""
    done = project.run("lake", "backtest", "unusual")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "Days judged: 28, from 2026-08-24 to 2026-09-20.",
        "With a finding: 2 of 28 days (7.1 %).",
        "With a finding: 3 of 54 application-days (5.6 %).",
        "",
        "what        findings  days",
        "vanished           2     2",
        "error_rate         1     1",
        "",
        "Furthest from usual:",
        "shop at origin on 2026-09-17: error rate 30.00 %, usual on a Thursday: at most 0.27 %",
        "api at origin on 2026-09-20: no requests, usual on a Sunday: 1,000",
        "api at origin on 2026-09-17: no requests, usual on a Thursday: 1,000",
    ]
    done = project.run("lake", "backtest", "unusual", "--start", "2026-09-18", "--stop", "2026-09-20")
    assert done.stdout.splitlines() == [
        "Days judged: 2, from 2026-09-18 to 2026-09-19.",
        "With a finding: 0 of 2 days (0.0 %).",
        "With a finding: 0 of 4 application-days (0.0 %).",
    ]


def test_a_range_without_a_day_is_refused(project):
    """Nothing found is not said of days that are not there, or have no history."""
    for of in (("--start", "2027-01-01"), ("--stop", "2026-08-24")):
        done = project.run("lake", "backtest", "unusual", *of)
        assert (done.returncode, done.stdout) == (2, "")
        assert "No day can be judged" in done.stderr
    assert project.run("lake", "backtest", "movers").returncode == 2
