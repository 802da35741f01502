"""What a range has to do: which days, in which order, and why not the others."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from backfill.attempts import NAME, Attempt, Attempts, Outcome
from backfill.days import DayRange, State
from backfill.plan import Plan
from backfill.tried import Trial
from etl.project import project
from etl.units import Unit
from tasks.error_rate import ErrorRateDaily

pytestmark = pytest.mark.usefixtures("now")
DAYS = [date(2015, 5, day) for day in range(17, 21)]


@pytest.fixture
def days(in_project, now):
    """Return the range of all four days, the last of which is unsettled."""
    return DayRange.resolve(ErrorRateDaily(date=DAYS[0]).unit, DAYS[0], date(2015, 5, 21), now)


@pytest.fixture
def past(days):
    """Return the attempts so far."""
    return Attempts(project().lake.journal(NAME), days.example)


def failed(day: date, times: int, setup: str) -> list[Attempt]:
    """Return failed attempts of nights in a row."""
    night = datetime(2015, 5, 22, 3, tzinfo=UTC)
    return [
        Attempt(day, Outcome.FAILED, night + timedelta(days=n), 1.0, f"error {n}", "host", "run", setup)
        for n in range(times)
    ]


def test_missing_days_are_built_oldest_first(days, past, now, build):
    """Or newest first, up to a limit; not those that are there or unsettled."""
    assert build(ErrorRateDaily(date=DAYS[1]))
    assert Plan.of(days, now, past, max_attempts=3).chosen == [DAYS[0], DAYS[2]]
    assert Plan.of(days, now, past, max_attempts=3, newest=True).chosen == [DAYS[2], DAYS[0]]
    plan = Plan.of(days, now, past, max_attempts=3, newest=True, limit=1)
    assert plan.chosen == [DAYS[2]]
    assert plan.not_there == [DAYS[0], DAYS[2], DAYS[3]]
    assert [each.day for each in plan.units] == [DAYS[2]]


def test_a_day_that_failed_too_often_is_skipped(days, past, now):
    """It holds no other day up, says why, and is no success."""
    trial = Trial(days.example, DAYS)
    past.record(failed(DAYS[0], 3, trial.setup(DAYS[0])))
    past.record(failed(DAYS[1], 2, trial.setup(DAYS[1])))
    plan = Plan.of(days, now, past, max_attempts=3)
    assert plan.chosen == [DAYS[1], DAYS[2]]
    assert [day.state for day in plan.days] == [State.SKIPPED, State.FAILED, State.MISSING, State.UNSETTLED]
    assert plan.days[0].reason == "skipped: failed 3 times: error 2"
    assert plan.days[1].reason == "failed twice: error 1"
    assert DAYS[0] in plan.not_there
    said = plan.report(set())
    assert "1 skipped" in said
    assert "2015-05-17 skipped: failed 3 times: error 2" in said
    assert "incomplete" in said


def test_skipped_days_are_built_if_asked_for(days, past, now):
    """Without a highest number of attempts, all are tried."""
    past.record(failed(DAYS[0], 30, Trial(days.example, DAYS).setup(DAYS[0])))
    assert Plan.of(days, now, past, max_attempts=0).chosen == DAYS[:3]


def test_failures_with_other_code_or_settings_dont_count(days, past, now):
    """What failed before the mistake was mended is tried again."""
    past.record(failed(DAYS[0], 3, "of another setup"))
    plan = Plan.of(days, now, past, max_attempts=3)
    assert plan.chosen == DAYS[:3]
    assert plan.days[0].state is State.MISSING


def test_a_built_day_has_forgotten_its_failures(days, past, now, build):
    """However often it failed."""
    past.record(failed(DAYS[0], 5, Trial(days.example, DAYS).setup(DAYS[0])))
    assert build(ErrorRateDaily(date=DAYS[0]))
    assert Plan.of(days, now, past, max_attempts=3).days[0].state is State.THERE


def test_what_was_published_under_the_days_is_said(days, past, now, build):
    """A run that was stopped has built something, though no day is complete; what is complete is left out."""
    plan = Plan.of(days, now, past, max_attempts=3)
    assert build(ErrorRateDaily(date=DAYS[0]))
    requests = Unit(project(), "requests", DAYS[0], "web")
    counts = Unit(project(), "source_counts", DAYS[0], "web")
    said = plan.report(set(), {}, {requests: set(DAYS[:3]), counts: {DAYS[1]}})
    assert "1 built" in said
    assert "  published under 2 of these days: 6 partitions, which stay\n" in said
    assert "    RequestsDaily web: 2015-05-18, 2015-05-19\n" in said
    assert "    SourceCountsDaily web: 2015-05-18\n" in said
    assert "published under 1 of these days" in plan.report({DAYS[1]}, {}, {requests: set(DAYS[:3])})
    assert "published under" not in plan.report(set(), {}, {requests: {DAYS[0]}})


def test_days_without_raw_logs_are_not_chosen(days, past, now, in_project):
    """Once somebody looks for them."""
    (in_project.folder / "logs/2015-05-18.log").unlink()
    plan = Plan.of(days, now, past, max_attempts=3)
    assert plan.chosen == DAYS[:3]
    looked = plan.with_input()
    assert looked.chosen == [DAYS[0], DAYS[2]]
    assert looked.days[1].state is State.NO_INPUT
    assert replace(looked, days=plan.days, chosen=plan.chosen) == plan
