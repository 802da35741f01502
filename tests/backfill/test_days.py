"""What is there of a range, and why not."""

from datetime import date

import pytest

from backfill.days import Day, DayRange, State, listed
from lake.errors import ConfigError
from tasks.error_rate import ErrorRateDaily
from tasks.requests import RequestsDaily

pytestmark = pytest.mark.usefixtures("now")
DAYS = [date(2015, 5, day) for day in range(16, 22)]


def resolve(now, start, stop):
    """Return the range as a command would."""
    return DayRange.resolve(ErrorRateDaily(date=DAYS[1]).unit, start, stop, now)


def test_open_ends_are_the_sources(in_project, now):
    """Without ends a range goes from the first day of any source to the last settled one."""
    assert str(resolve(now, None, None)) == "ErrorRateDaily 2015-05-17 … 2015-05-19, 3 days"
    assert str(resolve(now, DAYS[3], None)) == "ErrorRateDaily 2015-05-19, 1 day"
    assert str(resolve(now, None, DAYS[2])) == "ErrorRateDaily 2015-05-17, 1 day"


@pytest.mark.parametrize(
    ("start", "stop", "message"),
    [
        (DAYS[3], DAYS[3], "not before --stop 2015-05-19, which is exclusive"),
        (DAYS[4], None, "latest settled day with a source is 2015-05-19"),
        (date(1999, 1, 1), date(1999, 2, 1), "No source is active on any day of ErrorRateDaily 1999-01-01"),
    ],
)
def test_empty_range_is_refused(in_project, now, start, stop, message):
    """A range without a day to build is an error, not a success."""
    with pytest.raises(ConfigError, match=message):
        resolve(now, start, stop)


def test_parts_are_the_range(in_project, now):
    """However many: days in a row, each in one part, and no part is longer than another by more than a day."""
    whole = DayRange(ErrorRateDaily(date=DAYS[1]).unit, date(2015, 1, 1), date(2016, 1, 1))
    for of in (1, 2, 7, 8, 364, 365):
        parts = [whole.part(index, of) for index in range(of)]
        assert [day for each in parts for day in each.dates] == whole.dates
        assert len({len(each.dates) for each in parts}) == (1 if 365 % of == 0 else 2)
        assert max(len(each.dates) for each in parts) == -(-365 // of)
    with pytest.raises(
        ConfigError, match=r"365 days can't be divided into 366 parts. Give --part K/N with an N of 365"
    ):
        whole.part(0, 366)


def test_source_without_since_needs_a_start(in_project, now):
    """A source that was always there says no first day."""
    in_project.configure(web={k: v for k, v in in_project.source.items() if k != "since"})
    with pytest.raises(ConfigError, match="Give --start"):
        resolve(now, None, None)


def test_states(in_project, now, build):
    """Each day is there, missing, without input, unsettled or inactive, with its reason."""
    assert build(ErrorRateDaily(date=DAYS[1]))
    (in_project.folder / "logs/2015-05-18.log").unlink()
    days = resolve(now, DAYS[0], date(2015, 5, 22))
    found = days.survey(now)
    assert [day.state for day in found] == ["inactive", "there", "missing", "missing", "unsettled", "inactive"]
    assert found[4] == Day(DAYS[4], State.UNSETTLED, "unsettled until 2015-05-21 06:00 UTC")
    found = days.survey_with_input(now)
    assert [day.state for day in found] == ["inactive", "there", "no input", "missing", "unsettled", "inactive"]
    assert found[2].reason.startswith("no input: source web: 0 of 1 files for 2015-05-18")


def test_day_with_extracted_requests_needs_no_raw_logs(in_project, now, build):
    """A metric can be built after its raw logs are gone, so its day is missing and not waiting."""
    assert build(RequestsDaily(date=DAYS[1], source="web"))
    (in_project.folder / "logs/2015-05-17.log").unlink()
    assert resolve(now, DAYS[1], DAYS[2]).survey_with_input(now) == [Day(DAYS[1], State.MISSING)]


@pytest.mark.parametrize(
    ("days", "text"),
    [
        ([], ""),
        (DAYS[:1], "2015-05-16"),
        (DAYS[:2], "2015-05-16, 2015-05-17"),
        (DAYS[1::-1], "2015-05-16, 2015-05-17"),
        (DAYS, "2015-05-16 … 2015-05-21"),
        ([*DAYS[:3], DAYS[5]], "2015-05-16 … 2015-05-18, 2015-05-21"),
        (
            [date.fromordinal(n) for n in range(2, 5000, 2)],
            ", ".join(str(date.fromordinal(n)) for n in range(2, 42, 2)) + ", and 2,479 more up to 0014-09-07",
        ),
    ],
)
def test_listed_shortens_runs(days, text):
    """Days are named in order, runs of three and more by their ends."""
    assert listed(days) == text
