"""Attempts: recorded so that all hosts see them and none is lost."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from backfill.attempts import NAME, Attempt, Attempts, Outcome
from etl.units import Unit
from lake.journal import Journal
from lake.lake import Lake, open_store

DAYS = [date(2015, 5, day) for day in range(17, 21)]
NIGHT = datetime(2015, 5, 22, 3, 0, 0, 123456, tzinfo=UTC)


def attempt(day: date, error: str | None = None, started: datetime = NIGHT, seconds: float = 2.0) -> Attempt:
    """Return an attempt."""
    outcome = Outcome.FAILED if error else Outcome.BUILT
    return Attempt(day, outcome, started, seconds, error, "host", "run", "setup")


@pytest.fixture
def past(tmp_path, in_project):
    """Return the attempts of a task in an empty lake."""
    return Attempts(Lake(open_store(str(tmp_path / "lake"))).journal(NAME), Unit(None, "error_rate", DAYS[0]))


def test_what_is_recorded_is_read(past):
    """All of it, for the day that is asked for, the oldest first."""
    first = attempt(DAYS[0], "no luck | \x1b[31m ünicode")
    second = replace(attempt(DAYS[0]), started=NIGHT + timedelta(days=1))
    past.record([second, attempt(DAYS[1])])
    past.record([first])
    assert past.of_day(DAYS[0]) == [first, second]
    assert past.of_day(DAYS[2]) == []
    assert past.failures(DAYS) == {DAYS[0]: [first]}


def test_a_run_without_attempts_leaves_no_record(past, tmp_path):
    """A nightly run of a complete range is not to be read for ever after."""
    past.record([])
    assert not (tmp_path / "lake").exists()


def test_only_records_with_failures_of_the_days_are_opened(past, monkeypatch):
    """Ten years of nightly runs are one listing."""
    for night in range(20):
        past.record([attempt(DAYS[0], started=NIGHT + timedelta(days=night))])
    past.record([attempt(DAYS[3], "of another day")])
    past.record([attempt(DAYS[1], "asked for"), attempt(DAYS[2])])
    opened: list[str] = []
    read = Journal.read

    def noted(journal: Journal, names: Iterable[str]) -> list[str]:
        opened.extend(taken := list(names))
        return read(journal, taken)

    monkeypatch.setattr(Journal, "read", noted)
    assert list(past.failures([DAYS[1]])) == [DAYS[1]]
    assert len(opened) == 1


def test_writers_lose_nothing_of_each_other(past):
    """At the same time, of the same day."""
    with ThreadPoolExecutor(8) as writers:
        list(writers.map(lambda n: past.record([attempt(DAYS[0], f"number {n}")]), range(40)))
    assert {each.error for each in past.of_day(DAYS[0])} == {f"number {n}" for n in range(40)}


def test_foreign_names_are_passed_over(past, tmp_path):
    """Somebody's file beside the records breaks nothing."""
    past.record([attempt(DAYS[0], "why")])
    folder = tmp_path / "lake/_attempts/ErrorRateDaily"
    for name in ("notes.txt", "a_b_c_d_e_f.jsonl", "20150522T030000Z_2015-05-32_2015-05-17_0_1_x.jsonl"):
        (folder / name).write_text("no JSON")
    assert len(past.failures(DAYS)[DAYS[0]]) == 1


def records_of(tmp_path) -> list[Path]:
    """Return the files with attempts."""
    return sorted((tmp_path / "lake/_attempts/ErrorRateDaily").iterdir())


def rewrite(path: Path, text: bytes) -> None:
    """Write other bytes into a record."""
    path.chmod(0o644)
    path.write_bytes(text)


def test_what_a_later_version_adds_is_passed_over(past, tmp_path):
    """Hosts of several versions share a lake."""
    past.record([attempt(DAYS[0], "why")])
    (path,) = records_of(tmp_path)
    rewrite(path, path.read_bytes().replace(b"{", b'{"later": [1, {"more": 2}], ', 1))
    assert past.failures(DAYS) == {DAYS[0]: [attempt(DAYS[0], "why")]}


@pytest.mark.parametrize(
    ("damage", "left"),
    [
        (lambda text: text[:-20], 1),
        (lambda text: text[: text.index(b"\n") + 1], 1),
        (lambda _: b"", 0),
        (lambda _: b"\xff\x00" * 40, 0),
        (lambda text: text.replace(b'"outcome": "failed"', b'"outcome": "of a later version"', 1), 1),
        (lambda text: text.replace(b'"started"', b'"begun"', 1), 1),
    ],
)
def test_a_record_that_can_not_be_read_is_named_once(past, tmp_path, caplog, damage, left):
    """What can be read of it counts, and no range stops for it."""
    past.record([attempt(DAYS[0], "one"), attempt(DAYS[1], "two")])
    (path,) = records_of(tmp_path)
    rewrite(path, damage(path.read_bytes()))
    for _ in range(2):
        assert len(past.failures(DAYS)) == left
        past.of_day(DAYS[0])
    (said,) = caplog.messages
    assert path.name in said
    assert "lake verify" in said


def test_time_of_a_day_is_that_of_the_latest_runs(past):
    """The median of the built days in the last five records; none without any."""
    assert past.seconds_a_day() is None
    past.record([attempt(DAYS[0], "why", seconds=900)])
    assert past.seconds_a_day() is None
    for night, seconds in enumerate((100, 1, 2, 3, 4, 5)):
        past.record([attempt(DAYS[0], started=NIGHT + timedelta(days=night), seconds=seconds)])
    assert past.seconds_a_day() == 3


def test_sources_have_attempts_of_their_own(in_project):
    """A failure of one source's requests says nothing of another's."""
    journal = Lake(open_store(str(in_project.folder / "lake"))).journal(NAME)
    one, other = (Attempts(journal, Unit(None, "requests", DAYS[0], name)) for name in ("web", "api"))
    one.record([attempt(DAYS[0], "why")])
    assert one.failures(DAYS)
    assert not other.failures(DAYS)
