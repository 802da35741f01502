"""Batches: what blocks of raw lines become, by whichever parser, and which days they may be of."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from etl.lines import timestamps
from etl.lines.envelopes import Inner
from etl.lines.parse import ACCEPTED
from etl.raw.content import ContentDigest
from etl.raw.files import RawFile
from lake.contracts.rejects import REASONS
from lake.partition import days_since_epoch


class Ends:
    """Notes how a raw file's bytes add up: after lines that may be the last of their day."""

    def __init__(self) -> None:
        self._digest = ContentDigest()
        self._inner: Inner | None = None
        self._begin = 0  # of the next piece, in inner lines

    def follow(self, inner: Inner) -> None:
        """Take note that the next pieces are lines without their envelopes: the raw ones are digested."""
        self._inner, self._begin = inner, 0

    def note(self, piece: memoryview, offsets: Iterable[int]) -> list[ContentDigest]:
        """Add the file's next bytes, and return what they were after some of its lines; offsets ascend."""
        if self._inner:
            piece, offsets = self._raw(self._inner, len(piece), offsets)
        found, begin = [], 0
        for end in offsets:
            self._digest.update(piece[begin:end])
            found.append(self._digest.copy())
            begin = end
        self._digest.update(piece[begin:])
        return found

    def _raw(self, inner: Inner, size: int, offsets: Iterable[int]) -> tuple[memoryview, list[int]]:
        """Return the raw lines that so many bytes of inner ones were, and where in them some of those end."""
        bounds = np.append(0, inner.ends)
        raw_bounds = np.append(0, inner.raw_ends)
        begin, end = (raw_bounds[np.searchsorted(bounds, at)] for at in (self._begin, self._begin + size))
        ends = raw_bounds[np.searchsorted(bounds, np.array([*offsets], np.int64) + self._begin)] - begin
        self._begin += size
        return inner.raw[begin:end], ends.tolist()


@dataclass(frozen=True)
class Days:
    """The days, since 1970-01-01, of which a raw file may have lines: `first` and the first one after them.

    Attributes:
        wanted: Those of which requests have a row; None for all.
    """

    first: int = np.iinfo(np.int64).min // timestamps.DAY_MICROSECONDS + 1
    stop: int = np.iinfo(np.int64).max // timestamps.DAY_MICROSECONDS
    wanted: "Days | None" = None

    @classmethod
    def of_file(cls, file: RawFile, covers: tuple[int, int]) -> "Days":
        """Return the days that a file covers: the first and the last one, from its own; any, of an undated one."""
        if file.day is None:
            return cls()
        day = days_since_epoch(file.day)
        return cls(day + covers[0], day + covers[1] + 1)

    @property
    def of_rows(self) -> "Days":
        """The days of which a request has a row."""
        wanted = self.wanted or self
        return Days(max(self.first, wanted.first), min(self.stop, wanted.stop))

    def have(self, days: timestamps.Integers) -> timestamps.Booleans:
        """Tell which of some days are among them."""
        return (days >= self.first) & (days < self.stop)


ANY_DAY = Days()


@dataclass(frozen=True)
class Batch:
    """Consecutive lines of a raw file, taken apart.

    Attributes:
        lines: How many.
        rows: A row of `requests` for each that is one of a wanted day, in order; texts may be dictionary-encoded.
        days: The day of each row, since 1970-01-01.
        elsewhere: Of each request of another day, its place among all lines, from 0, ascending.
        elsewhere_days: Their days.
        numbers: Of each line that is no request, its place likewise.
        masked: These lines as they may be kept.
        reasons: Why they are no requests: the index in the contract's REASONS, or what they are in place of a
            reject, such as parse.DIRECTIVE.
        statuses: The status that each of those that are rejects shows, statuses.NO_STATUS for none.
        other_days: Their days, timestamps.NO_DAY where the time is unreadable or farther than may be.
        strays: The days of those that are requests, and rejects since the file may hold none of those days; NO_DAY
            of the others.
        formats: Of each row, which of several formats its line has; None if there is but one.
        ends: What the file was after some of the lines, by their place; among them the last one of each day.
        days_of_fields: Of each column that may be NULL the days on which some row has a field for it, be it empty;
            nothing where a header tells which fields there are.
    """

    lines: int
    rows: pa.Table
    days: timestamps.Integers
    elsewhere: timestamps.Integers
    elsewhere_days: timestamps.Integers
    numbers: timestamps.Integers
    masked: pa.StringArray
    reasons: timestamps.Integers
    statuses: timestamps.Integers
    other_days: timestamps.Integers
    strays: timestamps.Integers
    formats: timestamps.Integers | None = None
    ends: dict[int, ContentDigest] = field(default_factory=dict)
    days_of_fields: Mapping[str, Collection[int]] = field(default_factory=dict)

    def numbers_of(self, rows: timestamps.Integers) -> timestamps.Integers:
        """Return the places among all lines of some rows."""
        return row_numbers(rows, self.numbers, self.elsewhere)


def placed(
    days: timestamps.Integers, reasons: timestamps.Integers, allowed: Days
) -> tuple[timestamps.Integers, timestamps.Integers, timestamps.Integers]:
    """Return lines' days and reasons once those of days too far are rejects, of no day of their own.

    The days of those that are requests else come third, NO_DAY for the others.
    """
    far = (days != timestamps.NO_DAY) & ~allowed.have(days)
    strays = far & (reasons == ACCEPTED)
    wrong = np.where(strays, REASONS.index("wrong_day"), reasons)
    return np.where(far, timestamps.NO_DAY, days), wrong, np.where(strays, days, timestamps.NO_DAY)


def last_of_each(days: timestamps.Integers, chosen: timestamps.Integers) -> list[int]:
    """Return the last of the chosen lines of each day, ascending."""
    found = days[chosen]
    if len(found) and found.min() == found.max():
        return [int(chosen[-1])]
    _, last = np.unique(found[::-1], return_index=True)
    return sorted(chosen[len(chosen) - 1 - last].tolist())


def row_numbers(rows: timestamps.Integers, *without: timestamps.Integers) -> timestamps.Integers:
    """Return the places of rows among all lines, by the places of the lines that have none, each ascending."""
    parts = [each for each in without if len(each)]
    others = np.sort(np.concatenate(parts), kind="stable") if len(parts) > 1 else (*parts, rows[:0])[0]
    return rows + np.searchsorted(others - np.arange(len(others)), rows, side="right")
