"""The hour that clocks show twice when summer time ends: which of its two passes a time without an offset is of.

The order of a file's lines tells: the clock of a log goes on, until in that hour it steps back by half of it or
more. From there on it is the second pass. Of what can't be told so, a file says why.

    01:59:59  02:00:00 … 02:59:59 │ 02:00:00 … 02:59:59  03:00:00
              first pass          │ second pass

Only lines of the UTC day of a change count, of the one before and the one after: all others are read without it.
Times are seconds since 1970 in UTC here; one that clocks showed twice is read as that of the first pass.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from etl.kernel.layout import NO_TIME

Integers = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]

SECOND = 1_000_000  # microseconds
DAY_SECONDS = 86_400
MANY_DAYS = 1000
KNOWN_DAYS = 25_567  # to the end of 2039
JITTER = 6
"""Requests are logged when they end, with the time when they began: a log steps back by this part of the hour."""

PASSES = "passes told apart by the order of lines"
"""The name of a check in the provenance of a day with such an hour, which earlier versions lack."""
MIXED = "it goes through that hour once, so both passes are mixed or one is missing"
FAR_APART = "its lines are too far apart in that hour to tell"
OUT_OF_ORDER = "its lines are not in the order of time"
BEGINS_WITHIN = "it begins within that hour and doesn't step back"
BY_WHAT_FOLLOWS = "it begins within that hour, and only what follows tells which pass it is"
BY_THE_FILE_BEFORE = "it lies within that hour, and only the file before it tells which pass it is"


@dataclass(frozen=True)
class Twice:
    """What clocks show twice: from `start` on for so many `seconds`, and from `start + seconds` on once more."""

    start: int
    seconds: int

    @property
    def end(self) -> int:
        """When the second pass ends."""
        return self.start + 2 * self.seconds

    @property
    def half(self) -> int:
        """By how much a log steps back at least when the second pass begins."""
        return self.seconds // 2

    @property
    def jitter(self) -> int:
        """By how much a log in order steps back at most."""
        return self.seconds // JITTER

    def named(self, timezone: str | None) -> str:
        """Return what clocks showed, for people: `02:00-03:00 Europe/Berlin`."""
        zone = ZoneInfo(timezone or "UTC")
        first = datetime.fromtimestamp(self.start, zone).replace(tzinfo=None)
        return f"{first:%H:%M}-{first + timedelta(seconds=self.seconds):%H:%M} {timezone}"


def _offset(timezone: str, seconds: int) -> int:
    shown = datetime.fromtimestamp(seconds, UTC).astimezone(ZoneInfo(timezone))
    return (shown.utcoffset() or timedelta()) // timedelta(seconds=1)


@lru_cache(maxsize=4096)
def is_steady(timezone: str, day: int) -> bool:
    """Tell whether one offset holds on a UTC day, since 1970, on the one before and on the one after."""
    try:
        return len({_offset(timezone, each * DAY_SECONDS) for each in range(day - 1, day + 3)}) == 1
    except (OverflowError, ValueError):  # no calendar has one of them
        return True


@lru_cache
def offsets_of(timezone: str) -> Integers:
    """Return a zone's offset on each UTC day from 1970 on, in seconds; NO_TIME where it changes on that day."""
    at = np.array([_offset(timezone, day * DAY_SECONDS) for day in range(KNOWN_DAYS + 1)], np.int64)
    return np.where(at[:-1] == at[1:], at[:-1], NO_TIME)


@lru_cache(maxsize=4096)
def twice_on(timezone: str, day: int) -> Twice | None:
    """Return what clocks show twice since they were put back on a UTC day, since 1970; None if they weren't."""
    before, after = day * DAY_SECONDS, (day + 1) * DAY_SECONDS
    try:
        latest = _offset(timezone, after)
        shift = _offset(timezone, before) - latest
        if shift <= 0:
            return None
        while after - before > 1:
            middle = (before + after) // 2
            if _offset(timezone, middle) == latest:
                after = middle
            else:
                before = middle
    except (OverflowError, ValueError):  # no calendar has that day
        return None
    return Twice(after - shift, shift)


def all_twice(timezone: str, first: int, last: int) -> list[Twice]:
    """Return all that clocks show twice of which times from the first to the last may be."""
    days = range(first // DAY_SECONDS, last // DAY_SECONDS + 2)
    found = (twice_on(timezone, day) for day in days)
    return [each for each in found if each and each.start <= last and first < each.start + each.seconds]


def twice_within(timezone: str | None, day: int) -> list[Twice]:
    """Return all that clocks show twice of which times may be on a UTC day, since 1970; nothing without a zone."""
    first, last = day * DAY_SECONDS, (day + 1) * DAY_SECONDS - 1
    near = all_twice(timezone, first - DAY_SECONDS, last) if timezone else []
    return [each for each in near if each.end > first]


@dataclass
class Hour:
    """What a file shows of one such hour, line by line.

    Attributes:
        twice: The hour.
        begin: Of which pass its first lines are.
        why: Why it can't be told, None if it can.
        reading: The last line's time, as that of the first pass.
        first: The latest time of the first pass.
        second: Likewise of the second.
        second_begin: The second one's first; None before the step back.
        widest: The longest time between a line and the next before the step back.
        latest: The latest of all times.
        is_left: Once a later time followed, whether it did within half of the hour.
        days: The UTC days, since 1970, of which there are such lines.
    """

    twice: Twice
    begin: int
    why: str | None = None
    reading: int = 0
    first: int = 0
    second: int = 0
    second_begin: int | None = None
    widest: int = 0
    latest: int = 0
    is_left: bool | None = None
    days: set[int] = field(default_factory=set)

    def taken(self, time: int) -> int:
        """Return the time of a line of that hour."""
        before = self.first
        found = self._of_pass(time)
        if before and self.second_begin is None:
            self._compare(time, before)
        self.reading = time
        self.days.add(found // DAY_SECONDS)
        self._follow(found)
        return found

    def passed(self, time: int) -> None:
        """Take note of the time of another line, which clocks showed once."""
        if self.is_left is None and time >= self.twice.end:
            self.is_left = time - self.twice.seconds - self.reading <= self.twice.half
            if self.is_left and self.begin == 1 and self.second_begin is None:
                self.why = self.why or MIXED
        self._follow(time)

    def _of_pass(self, time: int) -> int:
        again, half = time + self.twice.seconds, self.twice.half
        if self.begin == 2:  # noqa: PLR2004 - the second pass
            return again
        if self.second_begin is None:
            if time >= self.first - half:
                self.first = max(self.first, time)
                return time
            self.second_begin = self.second = again
            return again
        is_young = self.second - self.second_begin <= self.twice.jitter
        if is_young and abs(time - self.first) < abs(again - self.second):  # a request that ended late
            if time < self.latest - self.twice.jitter:  # so it was no step of the clock
                self.second_begin = None
            self.first = max(self.first, time)
            return time
        self.second = max(self.second, again)
        return again

    def _compare(self, time: int, before: int) -> None:
        """Say so if the clock may have been put back since those before, without a step that shows it."""
        self.widest = max(self.widest, time - before)
        is_step = before - time > self.widest // JITTER and self.widest > self.twice.jitter
        if is_step or self.widest > self.twice.half:
            self.why = self.why or FAR_APART

    def _follow(self, time: int) -> None:
        if self.latest and time < self.latest - self.twice.jitter:
            self.why = self.why or OUT_OF_ORDER
        self.latest = max(self.latest, time)


class Passes:
    """Follows the times without an offset in one raw file.

    Attributes:
        last: The time of the last such line that counts; None before the first.
        hours: What the file shows of each hour that clocks showed twice.
    """

    def __init__(
        self,
        timezone: str,
        again: Callable[["Passes"], Iterable[object]] = lambda _: (),
        before: Callable[[], int | None] = lambda: None,
    ) -> None:
        """Begin a file.

        Args:
            timezone: The IANA name of its time zone.
            again: Has another one follow the same file, from its first line on, and yields now and then.
            before: Returns the last time of the file before it, None if there is none.
        """
        self.timezone = timezone
        self.last: int | None = None
        self.hours: dict[Twice, Hour] = {}
        self._first: int | None = None
        self._open: Hour | None = None
        self._again = again
        self._before = before

    def placed(self, microseconds: Integers, local: Booleans) -> Integers:
        """Return lines' times, those of a second pass corrected.

        Args:
            microseconds: The times of the file's next lines, of the first pass where clocks showed them twice.
            local: Which of them are written without an offset.
        """
        at = np.flatnonzero(local)
        seconds = microseconds[at] // SECOND
        days, places = np.unique(seconds // DAY_SECONDS, return_inverse=True)
        counts = np.array([not is_steady(self.timezone, day) for day in days.tolist()], np.bool_)[places]
        at, seconds = at[counts], seconds[counts]
        if not len(at):
            return microseconds
        if self._first is None:
            self._first = int(seconds[0])
        if not (self._open or self._may_be_twice(seconds)):
            self.last = int(seconds[-1])
            return microseconds
        begins = np.flatnonzero(np.append(True, seconds[1:] != seconds[:-1]))  # of each run of equal ones
        shifts = np.array([self._shift(time) for time in seconds[begins].tolist()], np.int64)
        found = microseconds.copy()
        found[at] += SECOND * np.repeat(shifts, np.diff(np.append(begins, len(seconds))))
        return found

    def at_end(self) -> int | None:
        """Follow the whole file, and return its last time without an offset that counts, None if it has none."""
        for _ in self._again(self):
            pass
        return self.last

    def untold(self, day: int) -> list[str]:
        """Say of which hours with lines of a UTC day the two passes can't be told apart, and why."""
        return [
            f"{hour.twice.named(self.timezone)} ({hour.why})"
            for hour in self.hours.values()
            if hour.why and day in hour.days
        ]

    def _may_be_twice(self, seconds: Integers) -> bool:
        first, last = int(seconds.min()), int(seconds.max())
        if last - first < MANY_DAYS * DAY_SECONDS:
            return bool(all_twice(self.timezone, first, last))
        days = np.unique(seconds // DAY_SECONDS)
        return any(twice_on(self.timezone, day) for day in np.union1d(days, days + 1).tolist())

    def _shift(self, time: int) -> int:
        """Return by how many seconds a line's time is later than it was read."""
        twice = next(iter(all_twice(self.timezone, time, time)), None)
        if twice is None:
            if self._open:
                self._open.passed(time)
                if time >= self._open.twice.end + self._open.twice.jitter:
                    self._open = None
            self.last = time
            return 0
        if self._open is None or self._open.twice != twice:
            self._open = self.hours.get(twice) or self._begun(twice, time)
            self.hours[twice] = self._open
        self.last = self._open.taken(time)
        return self.last - time

    def _begun(self, twice: Twice, time: int) -> Hour:
        """Return an hour at its first line."""
        if self.last is not None:
            if -twice.jitter <= time - self.last <= twice.half:
                return Hour(twice, 1)
            if abs(time + twice.seconds - self.last) <= twice.jitter:  # a late one
                return Hour(twice, 2)
        return Hour(twice, *self._looked_up(twice))

    def _looked_up(self, twice: Twice) -> tuple[int, str | None]:
        """Return of which pass an hour's first lines are, by what follows, and why that is no proof."""
        scout = Passes(self.timezone)
        for _ in self._again(scout):
            seen = scout.hours.get(twice)
            if seen and (seen.second_begin is not None or seen.is_left is not None):
                break
        seen = scout.hours.get(twice)
        if not seen:
            return 1, BEGINS_WITHIN
        if seen.second_begin is not None:
            return 1, None
        if seen.is_left:
            return 2, BY_WHAT_FOLLOWS
        before = (
            None
            if seen.is_left is False or scout.last is None or not self._begins_within(twice)
            else self._before()
        )
        if before is not None and self._first is not None:
            for number in (1, 2):
                gap = self._first + (number - 1) * twice.seconds - before
                if -twice.jitter <= gap <= twice.half:
                    return number, BY_THE_FILE_BEFORE
        return 1, BEGINS_WITHIN

    def _begins_within(self, twice: Twice) -> bool:
        """Tell whether the file begins within an hour."""
        return self._first is not None and twice.start <= self._first < twice.start + twice.seconds
