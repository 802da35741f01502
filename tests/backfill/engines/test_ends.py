"""What the ends of units come to, whichever engine notes them."""

from datetime import UTC, date, datetime, timedelta

import pytest

from backfill.attempts import Outcome
from backfill.engines.ends import End, attempts
from backfill.tried import Trial
from etl.project import project
from etl.units import Unit

DAY = date(2015, 5, 17)
BEGIN = datetime(2015, 5, 20, 3, tzinfo=UTC)


def end(
    name: str, error: str | None = None, *, day: date = DAY, minute: int = 0, outcome: Outcome | None = None
) -> End:
    """Return the end of what took two seconds."""
    outcome = outcome or (Outcome.FAILED if error else Outcome.BUILT)
    return End(day, name, BEGIN + timedelta(minutes=minute), 2.0, error, outcome)


@pytest.mark.parametrize(
    ("ends", "outcome", "error"),
    [
        ([end("ErrorCountsDaily"), end("ErrorRateDaily")], Outcome.BUILT, None),
        ([end("ErrorCountsDaily"), end("ErrorRateDaily", "the SQL")], Outcome.FAILED, "the SQL"),
        ([end("RequestsDaily", "no log")], Outcome.FAILED, "no log"),
        ([end("RequestsDaily", "disk full", outcome=Outcome.HINDERED)], Outcome.HINDERED, "disk full"),
        ([end("RequestsDaily", "no line", outcome=Outcome.NO_INPUT)], Outcome.NO_INPUT, "no line"),
        (
            [end("RequestsDaily", "no line", outcome=Outcome.NO_INPUT), end("RequestsDaily", "no log")],
            Outcome.FAILED,
            "no log",
        ),
        ([end("ErrorRateDaily", "first"), end("ErrorRateDaily", "second")], Outcome.FAILED, "first"),
    ],
)
def test_a_day_is_what_came_of_all_that_it_needs(in_project, ends, outcome, error):
    """Built with its own unit, failed with the first that did."""
    example = Unit(project(), "error_rate", DAY)
    (found,) = attempts(ends, example, "a run")
    assert (found.date, found.outcome, found.error) == (DAY, outcome, error)
    assert (found.seconds, found.started) == (2.0 * len(ends), BEGIN)
    counts = outcome in {Outcome.FAILED, Outcome.NO_INPUT}
    assert (found.run, found.setup) == ("a run", Trial(example, [DAY]).setup(DAY) if counts else "")


def test_days_in_their_order_without_those_that_only_began(in_project):
    """A day of which only what it requires was built has no attempt yet."""
    example = Unit(project(), "error_rate", DAY)
    later, last = DAY + timedelta(days=1), DAY + timedelta(days=2)
    ends = [end("ErrorRateDaily", day=last), end("RequestsDaily", day=later), end("ErrorRateDaily", minute=1)]
    assert [(each.date, each.started.minute) for each in attempts(ends, example, "r")] == [(DAY, 1), (last, 0)]
