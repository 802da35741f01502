"""Days as the clock goes: unsettled, settled, late; and a clock that stands still, goes back or is wrong."""

import sys
from datetime import UTC, date, datetime, timedelta

import pytest

from backfill import cli
from etl import clock

OF = ("--of", "ErrorRateDaily")
LAST_DAY = "2015-05-20"
TO_THE_LAST = ("--stop", "2015-05-21")
SETTLED = datetime(2015, 5, 21, 6, tzinfo=UTC)
SECOND, DAY = timedelta(seconds=1), timedelta(days=1)


class Clock:
    """A clock that stands still unless it is set."""

    def __init__(self):
        self.now = SETTLED

    def __call__(self):
        """Return the time."""
        return self.now


@pytest.fixture
def frozen(monkeypatch):
    """The clock that tasks read: it stands at the second in which the last day is settled."""
    stopped = Clock()
    monkeypatch.setattr(clock, "utc_now", stopped)
    return stopped


@pytest.fixture
def run(in_project, monkeypatch, capsys):
    """A function that runs `backfill` in this process, and returns its exit code and what it printed."""
    in_project.write_logs(lines=24)

    def command(*words):
        monkeypatch.setattr(sys, "argv", ["backfill", *words])
        with pytest.raises(SystemExit) as end:
            cli.main()
        said = capsys.readouterr()
        return end.value.code, said.out, said.err

    return command


@pytest.fixture
def days(in_project):
    """A function that returns the days of the published error rates."""
    return lambda: [
        key.split("/")[2].removeprefix("dt=") for key in in_project.published() if key.startswith("error_rate/")
    ]


@pytest.mark.parametrize("early", [SECOND, timedelta(microseconds=1), timedelta(hours=5)])
def test_a_day_is_not_built_before_it_is_settled(frozen, run, days, early):
    """Not even its requests; who asks for it is told until when to wait, and monitors aren't alarmed."""
    frozen.now -= early
    until = f"{LAST_DAY} unsettled until 2015-05-21 06:00 UTC"
    code, out, err = run("run", *OF, *TO_THE_LAST)
    assert (code, err) == (1, "")
    assert "3 built, 0 already there, 0 failed, 1 waiting" in out
    assert f"  waiting: {until}\n" in out
    assert days() == ["2015-05-17", "2015-05-18", "2015-05-19"]
    code, out, _ = run("run", "--of", "RequestsDaily", "--source", "web", *TO_THE_LAST)
    assert code == 1
    assert "0 built, 3 already there, 0 failed, 1 waiting" in out
    code, out, _ = run("plan", *OF, *TO_THE_LAST)
    assert code == 0
    assert "Nothing to build.\n" in out
    assert f"{LAST_DAY}  unsettled until 2015-05-21 06:00 UTC" in out
    code, out, _ = run("status", *OF, *TO_THE_LAST)
    assert code == 1
    assert "■ 3 there, ~ 1 unsettled" in out
    assert run("check", *OF, *TO_THE_LAST)[0] == 0


@pytest.mark.parametrize("early", [SECOND, timedelta(hours=5)])
def test_without_an_end_all_is_well_before(frozen, run, days, early):
    """A range without --stop, and the nightly one, end with the last settled day, and that is success."""
    frozen.now -= early
    assert run("nightly", *OF) == (0, "", "")
    assert days() == ["2015-05-17", "2015-05-18", "2015-05-19"]
    for command in ("run", "status", "check"):
        assert run(command, *OF)[0] == 0


def test_a_day_is_built_in_the_second_in_which_it_is_settled(frozen, run, days):
    """And all commands agree that it is there."""
    assert run("nightly", *OF) == (0, "", "")
    assert days()[-1] == LAST_DAY
    for command in ("run", "plan", "status", "check"):
        code, out, err = run(command, *OF, *TO_THE_LAST)
        assert (code, err) == (0, "")
        assert "unsettled" not in out


def test_settle_hours_move_that_second(in_project, frozen, run, days):
    """Fractions too: half an hour more is half an hour more, and the slowest source counts."""
    slow = in_project.source | {
        "application": "slow",
        "settle_hours": "6.5",
        "vantage": "edge",
    }  # of the same logs
    in_project.configure(web=in_project.source, slow=slow)
    frozen.now += timedelta(minutes=30) - SECOND
    code, out, _ = run("run", *OF, *TO_THE_LAST)
    assert code == 1
    assert f"waiting: {LAST_DAY} unsettled until 2015-05-21 06:30 UTC" in out
    frozen.now += SECOND
    assert run("run", *OF, *TO_THE_LAST)[0] == 0
    assert days()[-1] == LAST_DAY


def test_a_missing_day_is_late_once_it_is_settled(in_project, frozen, run):
    """It is no alarm before, then a warning, and critical with the next one."""
    source = {key: value for key, value in in_project.source.items() if key != "until"}
    frozen.now -= DAY
    (in_project.folder / f"logs/{LAST_DAY}.log").unlink()
    in_project.configure(web=source)
    assert run("nightly", *OF) == (0, "", "")
    severities = []
    for now in (SETTLED - SECOND, SETTLED, SETTLED + DAY - SECOND, SETTLED + DAY, SETTLED + 30 * DAY):
        frozen.now = now
        code, out, _ = run("check", *OF, "--start", "2015-05-17")
        severities.append((code, out.split(" | ")[0].split(", the oldest: ")[0]))
    assert severities == [
        (0, "ErrorRateDaily OK: 3 days there, 0 late"),
        (1, "ErrorRateDaily WARNING: 3 days there, 1 late"),
        (1, "ErrorRateDaily WARNING: 3 days there, 1 late"),
        (2, "ErrorRateDaily CRITICAL: 3 days there, 2 late"),
        (2, "ErrorRateDaily CRITICAL: 3 days there, 31 late"),
    ]


def test_a_nightly_range_that_has_passed_a_late_day_still_names_it(in_project, frozen, run):
    """After two weeks it is one of the older days, which the night and the check name, too."""
    source = {key: value for key, value in in_project.source.items() if key != "until"}
    in_project.configure(web=source | {"since": LAST_DAY})
    in_project.write_logs(days=30, lines=24)
    (in_project.folder / f"logs/{LAST_DAY}.log").unlink()
    codes = []
    for night in (13, 14):
        frozen.now = SETTLED + night * DAY
        codes.append((run("nightly", *OF)[0], run("check", *OF)[0], run("check", *OF, "--days", "30")[0]))
    assert codes == [(1, 1, 1), (1, 1, 1)]


def test_a_clock_that_is_set_back_takes_nothing_away(in_project, frozen, run, days):
    """What is published stays there, though its day is not over by that clock, and is not built again."""
    assert run("run", *OF, *TO_THE_LAST)[0] == 0
    before = in_project.published()
    frozen.now -= 2 * DAY
    for command in ("run", "status", "check"):
        assert run(command, *OF, *TO_THE_LAST)[0] == 0
    code, out, _ = run("run", *OF)
    assert code == 0
    assert "ErrorRateDaily 2015-05-17 … 2015-05-18, 2 days asked for: 0 built, 2 already there" in out
    assert run("nightly", *OF) == (0, "", "")
    assert in_project.published() == before
    assert days()[-1] == LAST_DAY


def test_a_clock_that_is_set_back_in_the_middle_of_a_run(frozen, run, days, monkeypatch):
    """What was settled when the range was planned, and is not when it is to be built, is left to another run."""
    times = iter([SETTLED])
    monkeypatch.setattr(clock, "utc_now", lambda: next(times, SETTLED - SECOND))
    code, out, _ = run("run", *OF, *TO_THE_LAST)
    assert code == 1
    assert "3 built" in out
    assert LAST_DAY not in days()
    monkeypatch.setattr(clock, "utc_now", frozen)
    assert run("run", *OF, *TO_THE_LAST)[0] == 0


@pytest.mark.parametrize("now", [datetime(1970, 1, 1, tzinfo=UTC), datetime(2015, 5, 18, 5, 59, 59, tzinfo=UTC)])
def test_a_clock_before_all_days_builds_nothing(frozen, run, days, now):
    """A machine that has lost its clock is wrong, which is neither success nor an alarm for late days."""
    frozen.now = now
    codes = [(name, run(name, *OF)) for name in ("run", "status", "nightly", "check")]
    assert [(name, code) for name, (code, _, _) in codes] == [
        ("run", 2),
        ("status", 2),
        ("nightly", 2),
        ("check", 3),
    ]
    assert all("No source is active on any day that is settled by now" in out + err for _, (_, out, err) in codes)
    assert days() == []


def test_attempts_at_a_clock_that_stands_still(in_project, frozen, run):
    """Two attempts in the same second are two, and a clock set back hides neither."""
    (in_project.folder / f"logs/{LAST_DAY}.log").write_text("no log at all\n")
    for back in (0, 0, 1):
        frozen.now = SETTLED + (1 - back) * DAY
        assert run("run", *OF, *TO_THE_LAST)[0] == 1
    code, out, _ = run("status", *OF, *TO_THE_LAST)
    assert code == 1
    assert f"{LAST_DAY}  skipped: failed 3 times: RequestsDaily web: " in out
    _, out, _ = run("explain", *OF, "--date", str(date.fromisoformat(LAST_DAY)))
    assert out.count("failed: RequestsDaily web: ") == 3
