"""The hour that clocks show twice: the order of lines tells its passes apart, or the file says that it can't."""

import io
import random
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import agreement
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl.lines.blocks import BlockParser, passes_of
from etl.lines.passes import (
    BEGINS_WITHIN,
    BY_THE_FILE_BEFORE,
    BY_WHAT_FOLLOWS,
    MIXED,
    OUT_OF_ORDER,
    Passes,
    Twice,
    all_twice,
)
from etl.raw import reading

BERLIN, LORD_HOWE = "Europe/Berlin", "Australia/Lord_Howe"
# When the clocks are put back, in UTC
BACK = {
    BERLIN: datetime(2026, 10, 25, 1, tzinfo=UTC),
    LORD_HOWE: datetime(2026, 4, 4, 15, tzinfo=UTC),
    "Australia/Sydney": datetime(2026, 4, 4, 16, tzinfo=UTC),
    "America/New_York": datetime(2026, 11, 1, 6, tzinfo=UTC),
    "America/Santiago": datetime(2026, 4, 5, 3, tzinfo=UTC),
    "Africa/Cairo": datetime(2026, 10, 29, 21, tzinfo=UTC),
}
MINUTE = 60
SECOND = 1_000_000


def _back(zone: str) -> int:
    return int(BACK[zone].timestamp())


def _read(zone: str, times: Iterable[int]) -> list[int]:
    """Return times as they are read from a log without offsets: of two the first."""
    found = []
    for time in times:
        shown = datetime.fromtimestamp(time, ZoneInfo(zone)).replace(fold=0)
        found.append(int(shown.timestamp()))
    return found


def _placed(zone: str, times: list[int], block: int = 1 << 20, **named: Any) -> tuple[list[int], list[str]]:
    """Return when lines were, by a log of them without offsets, and what it can't tell of any day."""
    read = np.array(_read(zone, times), np.int64) * SECOND

    def again(other: Passes) -> Iterable[None]:
        for begin in range(0, len(read), 100):
            other.placed(read[begin : begin + 100], np.ones(len(read[begin : begin + 100]), np.bool_))
            yield

    passes = Passes(zone, again, **named)
    found: list[int] = []
    for begin in range(0, len(read), block):
        piece = read[begin : begin + block]
        found += (passes.placed(piece, np.ones(len(piece), np.bool_)) // SECOND).tolist()
    days = {time // 86_400 for time in found}
    return found, [text for day in sorted(days) for text in passes.untold(day)]


def _every(seconds: int, zone: str, before: int, after: int) -> list[int]:
    """Return a time each so many seconds, from so many seconds before the clocks are put back on."""
    return list(range(_back(zone) - before, _back(zone) + after, seconds))


@pytest.mark.parametrize("zone", BACK)
@pytest.mark.parametrize("block", [1, 7, 1 << 20])
def test_a_log_in_order_is_read_as_it_was_written(zone: str, block: int) -> None:
    """Each line is of the pass in which it was written, in zones of both hemispheres, wherever blocks end."""
    times = _every(10, zone, 3 * 3600, 3 * 3600)
    assert _placed(zone, times, block) == (times, [])


@pytest.mark.parametrize(("zone", "seconds"), [(BERLIN, 3600), (LORD_HOWE, 1800), ("America/Santiago", 3600)])
def test_what_clocks_show_twice_is_found_by_the_zone(zone: str, seconds: int) -> None:
    """On the day they are put back, to the second and for as long as they are; on no day when they aren't."""
    back = _back(zone)
    assert all_twice(zone, back - 86_400, back + 86_400) == [Twice(back - seconds, seconds)]
    assert all_twice(zone, back, back + 86_400) == []
    assert all_twice("Asia/Tokyo", back - 400 * 86_400, back) == []


@pytest.mark.slow
@settings(derandomize=True, deadline=None, max_examples=60)
@given(st.sampled_from([BERLIN, LORD_HOWE]), st.integers(0, 1 << 30), st.sampled_from([1, 13, 1 << 20]))
def test_requests_that_are_logged_late_stay_in_their_pass(zone: str, seed: int, block: int) -> None:
    """A log steps back all the time by what a request takes, across the step of the clock too."""
    chosen = random.Random(seed)  # noqa: S311 - no secret
    logged = [(time + chosen.expovariate(1 / 20), time) for time in _every(5, zone, 5400, 5400)]
    times = [time for end, time in sorted(logged) if end < time + 240]
    assert _placed(zone, times, block) == (times, [])


@pytest.mark.parametrize("start", [0, 10, 20 * MINUTE, 45 * MINUTE])
def test_a_file_that_begins_within_the_hour_and_steps_back_is_told_by_that(start: int) -> None:
    """As one cut at midnight in UTC in Berlin: what follows proves which pass its first lines are of."""
    times = _every(10, BERLIN, 3600 - start, 7200)
    assert _placed(BERLIN, times, 100) == (times, [])


def test_a_file_of_the_second_pass_is_told_by_what_follows_and_says_so() -> None:
    """Its last line before 03:00 is not an hour before the next; sorted by time it would look the same."""
    times = _every(10, BERLIN, 0, 7200)
    assert _placed(BERLIN, times) == (times, [f"02:00-03:00 {BERLIN} ({BY_WHAT_FOLLOWS})"])


@pytest.mark.parametrize(("number", "begin"), [(1, -3600), (2, 0)])
def test_a_file_within_the_hour_is_told_by_the_one_before_and_says_so(number: int, begin: int) -> None:
    """Where that one ended just before it; there is no other evidence."""
    times = list(range(_back(BERLIN) + begin, _back(BERLIN) + begin + 3600, 10))
    found = _placed(BERLIN, times, before=lambda: times[0] - 10)
    assert found == (times, [f"02:00-03:00 {BERLIN} ({BY_THE_FILE_BEFORE})"]), number


@pytest.mark.parametrize(
    "before", [lambda: None, lambda: _back(BERLIN) - 5 * 3600, lambda: _back(BERLIN) + 5 * 3600]
)
def test_a_file_within_the_hour_alone_says_that_it_cannot_tell(before: Callable[[], int | None]) -> None:
    """Nor where the file before it ended hours away."""
    times = _every(10, BERLIN, 3600, 0)
    assert _placed(BERLIN, times, before=before)[1] == [f"02:00-03:00 {BERLIN} ({BEGINS_WITHIN})"]


def test_both_passes_in_one_order_are_said_to_be_mixed() -> None:
    """Such as in a log that was sorted: there is no step back, and no hour without a line."""
    times = sorted(_every(10, BERLIN, 7200, 7200), key=lambda time: _read(BERLIN, [time]))
    assert _placed(BERLIN, times)[1] == [f"02:00-03:00 {BERLIN} ({MIXED})"]


@pytest.mark.parametrize(
    "minutes",
    [
        (-70, -50, -5, 65),  # 02:10 and 02:55, which may be of either pass
        (-70, -35, -20, 15, 65, 130),  # a step back of less than half the hour, to 02:15
        (-70, -40, -12, -5, 48, 100),  # and one of a few minutes, from 02:55 to 02:48
    ],
)
def test_a_log_of_few_lines_says_that_it_cannot_tell(minutes: tuple[int, ...]) -> None:
    """Where lines are further apart than the step of the clock shows, an hour more or less is not seen."""
    times = [_back(BERLIN) + minute * MINUTE for minute in minutes]
    (said,) = _placed(BERLIN, times)[1]
    assert said.startswith(f"02:00-03:00 {BERLIN} (")


def test_a_pause_in_the_hour_is_no_doubt_about_late_requests() -> None:
    """A step back of a second after eleven minutes of silence is that of a request which took so long."""
    times = [*_every(10, BERLIN, 7200, -1500), *_every(10, BERLIN, 840, 7200)]
    place = times.index(_back(BERLIN) - 800)
    times[place] -= 11
    assert _placed(BERLIN, times) == (times, [])


@pytest.mark.parametrize("lag", [15 * MINUTE, 25 * MINUTE, 40 * MINUTE, 50 * MINUTE])
def test_interleaved_hosts_are_said_to_be_out_of_order(lag: int) -> None:
    """Of which one is minutes behind the other, so that steps back mean nothing."""
    ahead = [(time, time) for time in _every(10, BERLIN, 3 * 3600, 3 * 3600)]
    behind = [(time + lag, time) for time in _every(10, BERLIN, 3 * 3600, 3 * 3600)]
    times = [time for _, time in sorted(ahead + behind)]
    assert _placed(BERLIN, times)[1] == [f"02:00-03:00 {BERLIN} ({OUT_OF_ORDER})"]


def test_one_line_from_elsewhere_does_not_move_those_after_it() -> None:
    """A request that took 40 minutes is no step of the clock: it is said, and the others stay right."""
    times = _every(10, BERLIN, 7200, 7200)
    place = times.index(_back(BERLIN) - 600)
    found, said = _placed(BERLIN, [*times[:place], times[place] - 40 * MINUTE, *times[place:]])
    del found[place]
    assert found == times
    assert said == [f"02:00-03:00 {BERLIN} ({OUT_OF_ORDER})"]


def test_a_log_without_lines_in_the_second_pass_is_none_of_two() -> None:
    """One that went on until 02:30 and then was silent for hours is of the first pass, for certain."""
    times = [*_every(10, BERLIN, 7200, -1800), *range(_back(BERLIN) + 7200, _back(BERLIN) + 9000, 10)]
    assert _placed(BERLIN, times) == (times, [])


def test_a_late_line_after_the_hour_is_of_its_second_pass() -> None:
    """Such as of a request that began at 02:59:59 and is the first of its hour in the file."""
    times = [_back(BERLIN) + 3601, _back(BERLIN) + 3599, _back(BERLIN) + 3602]
    assert _placed(BERLIN, times) == (times, [])


def test_each_year_of_a_log_is_told() -> None:
    """An undated file of years has several such hours; a time of the year 9999 between them is no trouble."""
    years = [int(datetime(year, 10, day, 1, tzinfo=UTC).timestamp()) for year, day in ((2025, 26), (2026, 25))]
    times = [time for back in years for time in range(back - 5400, back + 5400, 10)]
    far = int(datetime(9999, 12, 31, 12, tzinfo=UTC).timestamp())
    assert _placed(BERLIN, [*times, far]) == ([*times, far], [])


def test_days_without_such_an_hour_say_nothing() -> None:
    """Nor is a line of theirs moved."""
    times = _every(60, BERLIN, 30 * 86_400, -20 * 86_400)
    assert _placed(BERLIN, times, 1000) == (times, [])
    spring = int((datetime(2026, 3, 29, tzinfo=UTC) - timedelta(hours=1)).timestamp())
    assert _placed(BERLIN, list(range(spring, spring + 9000, 30))) == (list(range(spring, spring + 9000, 30)), [])


def _by(zone: str, log: bytes, *, compiled: bool) -> tuple[list[Any], list[list[str]], int]:
    """Return what a file's lines are, what it can't tell, and how many lines the plain parser read."""
    case = agreement.CASES["zoned"]
    log_format = replace(case.format, timezone=zone)
    passes = passes_of(log_format, lambda: reading.whole_lines(io.BytesIO(log)))
    assert passes
    parser = BlockParser(log_format, case.classifier, compiled=compiled, passes=passes)
    batches = [agreement.told(each) for each in parser.batches(reading.whole_lines(io.BytesIO(log)))]
    days = {int(day) for batch in batches for day in batch.days}
    said = [passes.untold(day) for day in sorted(days)]
    return [line for batch in batches for line in agreement.verdicts_of(batch)], said, parser.plain_lines


def _log(times: Iterable[datetime]) -> bytes:
    line = '192.0.2.7 - - [{:%Y-%m-%dT%H:%M:%S}] "GET /{} HTTP/1.1" 200 5 "-" "curl"\n'
    return "".join(line.format(time, number) for number, time in enumerate(times)).encode()


CHANGED = BACK | {
    "Africa/Casablanca": datetime(2026, 3, 22, 2, tzinfo=UTC),
    "America/St_Johns": datetime(2026, 11, 1, 4, 30, tzinfo=UTC),
    "Europe/Lisbon": datetime(2026, 3, 29, 1, tzinfo=UTC),
    "Asia/Kathmandu": None,
}


@pytest.mark.parametrize("zone", CHANGED)
@pytest.mark.parametrize("order", ["sorted", "late", "shuffled"])
def test_the_kernel_reads_what_no_change_of_the_clocks_is_near(zone: str, order: str) -> None:
    """It says what the plain parser says, which is left the days around the changes and the far future."""
    some = random.Random(f"{zone} {order}")  # noqa: S311 - no secret
    change = CHANGED[zone] or datetime(2026, 3, 22, tzinfo=UTC)
    shown = change.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    times = sorted(shown + timedelta(days=some.uniform(-5, 5)) for _ in range(1500))
    times += sorted(shown + timedelta(hours=some.uniform(-3, 3)) for _ in range(500))
    if order == "sorted":
        times.sort()
    elif order == "shuffled":
        some.shuffle(times)
    log = _log(
        [*times, datetime(1970, 1, 1, 12), datetime(1970, 1, 4), datetime(2039, 12, 1), datetime(2041, 1, 1)]
    )
    *plain, nothing = _by(zone, log, compiled=False)
    *compiled, left = _by(zone, log, compiled=True)
    assert compiled == plain
    assert nothing == 0
    assert left == (pytest.approx(950, abs=80) if CHANGED[zone] else 2)


def test_a_month_without_a_change_is_read_by_the_kernel_alone() -> None:
    """And a month is nothing that two passes could be of."""
    log = _log(datetime(2026, 7, 1) + timedelta(minutes=n) for n in range(31 * 1440))
    rows, said, left = _by(BERLIN, log, compiled=True)
    assert (len(rows), left) == (31 * 1440, 0)
    assert not any(said)
