"""Ranges that are scheduled a few days at a time."""

import signal
import time
from datetime import date, timedelta

import luigi.scheduler
import pytest

from backfill.engines.local import worker
from backfill.engines.local.ranges import RangeDailyBase
from tasks.error_rate import ErrorRateDaily

START = date(2015, 5, 17)
MANY = worker.DAYS_AT_ONCE + 10  # more than one chunk
MORE = worker.DAYS_AT_ONCE + 3  # the fewest for what needs no more than a second chunk
RANGE = ("luigi", "RangeDailyBase", "--of", "ErrorRateDaily", "--start", "2015-05-17")


@pytest.fixture
def most_at_once(monkeypatch):
    """Have two days at once scheduled, and return how many waited whenever work was asked for."""
    monkeypatch.setattr(worker, "DAYS_AT_ONCE", 2)
    get_work, waited = luigi.scheduler.Scheduler.get_work, []

    def noted(self, *args, **kwargs):
        pending = self._state.get_active_tasks_by_status(luigi.scheduler.PENDING)
        waited.append(sum(task.family == "ErrorRateDaily" for task in pending))
        return get_work(self, *args, **kwargs)

    monkeypatch.setattr(luigi.scheduler.Scheduler, "get_work", noted)
    return waited


def many_days(project, count=MANY):
    """Give a project so many days."""
    project.configure(web=project.source | {"until": str(START + timedelta(days=count))})
    project.write_logs(days=count)


def range_of(days: int) -> RangeDailyBase:
    """Return a range of so many days."""
    return RangeDailyBase(of=ErrorRateDaily, start=START, stop=START + timedelta(days=days))


def built(project) -> list[str]:
    """Return the days whose error rates are published, in the order in which they were."""
    files = sorted(
        (project.folder / "lake/error_rate").rglob("*.parquet"), key=lambda path: path.stat().st_mtime_ns
    )
    return [path.parts[-3].removeprefix("dt=2015-") for path in files]


@pytest.mark.usefixtures("now")
def test_few_days_wait_at_once(in_project, build, most_at_once):
    """However long the range, Luigi's scheduler has few of its days to look at, the oldest first."""
    in_project.write_logs(days=3)
    days = range_of(3)
    assert build(days)
    assert days.complete()
    assert built(in_project) == ["05-17", "05-18", "05-19"]
    assert max(most_at_once) == 2


@pytest.mark.usefixtures("now")
def test_a_day_that_is_stuck_holds_up_no_later_one(in_project, build, most_at_once):
    """One that fails and one that has no raw logs are in the first chunk; the range is not a success."""
    (in_project.folder / "logs/2015-05-17.log").write_text("broken\n", encoding="utf-8")
    (in_project.folder / "logs/2015-05-18.log").unlink()
    assert not build(range_of(3))
    assert built(in_project) == ["05-19"]
    assert max(most_at_once) == 3


@pytest.mark.usefixtures("now", "most_at_once")
def test_several_ranges_are_scheduled_one_after_the_other(in_project, build):
    """As of two tasks; each sees what it was asked for."""
    ranges = [
        RangeDailyBase(of=ErrorRateDaily, start=day, stop=START + timedelta(days=3))
        for day in (START, date(2015, 5, 19))
    ]
    assert build(*ranges)
    assert built(in_project) == ["05-17", "05-18", "05-19"]
    assert all(each.complete() for each in ranges)


@pytest.mark.usefixtures("now")
def test_scheduled_in_parallel_is_all_at_once(in_project, most_at_once):
    """Luigi makes processes for it each time that something is scheduled."""
    days = range_of(3)
    assert luigi.build([days], local_scheduler=True, log_level="CRITICAL", parallel_scheduling=True)
    assert built(in_project) == ["05-17", "05-18", "05-19"]
    assert max(most_at_once) == 3


@pytest.mark.slow
@pytest.mark.parametrize(
    ("workers", "code", "text"),
    [
        ("1", 0, f"{MORE} built, 0 already there, 0 failed, 0 waiting"),
        ("1", 20, f"{MORE - 1} built, 0 already there, 0 failed, 1 waiting"),
        ("2", 20, f"{MORE - 1} built, 0 already there, 0 failed, 1 waiting"),
        ("1", 30, f"{MORE - 1} built, 0 already there, 1 failed, 0 waiting"),
        ("2", 30, f"{MORE - 1} built, 0 already there, 1 failed, 0 waiting"),
    ],
)
def test_exit_codes_of_a_long_range(a_project, workers, code, text):
    """They are those of a short one, though what is wrong is in the first chunk: no logs, or no log."""
    many_days(a_project, MORE)
    log = a_project.folder / "logs/2015-05-19.log"
    if code == 20:
        log.unlink()
    elif code:
        log.write_text("broken\n", encoding="utf-8")
    done = a_project.run(*RANGE, "--workers", workers)
    assert done.returncode == code, done.stderr
    assert text in done.stdout
    assert "Traceback" not in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["1", "2"])
def test_interrupted_in_a_later_chunk(a_project, workers):
    """Ctrl-C ends it as in the first, and days that were never scheduled are among those that are left."""
    many_days(a_project)
    log = a_project.folder / f"logs/{START + timedelta(days=worker.DAYS_AT_ONCE + 2)}.log"
    log.write_text(log.read_text() * 1_000_000)  # long enough to be interrupted in
    running = a_project.start(*RANGE, "--workers", workers)
    deadline = time.monotonic() + 60
    while len(built(a_project)) < worker.DAYS_AT_ONCE + 2:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    time.sleep(0.2)
    running.send_signal(signal.SIGINT)
    output, errors = running.communicate(timeout=60)
    assert "Traceback" not in errors
    if running.returncode == 0:  # the signal was lost in a library's callback; then nothing is missing
        assert f"{MANY} built" in output
        return
    assert running.returncode == 130
    assert "interrupted. What is published stays" in errors
    assert f"{MANY} days asked for" in output
    assert "0 failed" in output
    assert "2015-06-20" in output
    again = a_project.run(*RANGE)
    assert again.returncode == 0
