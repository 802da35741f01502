"""From the text of fields to values of a column's type: exact, and a whole array at once.

A field is text until its column says what it is. Nothing is rounded, cut, trimmed or taken for something like it:
`1_000`, `0x10`, ` 12` and `1e3` are no integers, and `2026-02-30` is no date.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from etl.lines.timestamps import (
    DAY_MICROSECONDS,
    HIGHEST_HOUR,
    HIGHEST_MINUTE,
    HIGHEST_SECOND,
    HIGHEST_ZONE_HOUR,
    LAST_YEAR,
    MICROSECONDS,
    MONTHS,
    NO_DAY,
    Booleans,
    Integers,
)
from lake.contract import Column
from lake.contracts.rejects import REASONS
from lake.memory.arrays import array, numbers, scalar, to_numpy

FINE = -1
TYPE, MISSING, VALUE = (REASONS.index(each) for each in ("type", "missing", "value"))
INTEGER = r"^[+-]?[0-9]+$"
DECIMAL = r"^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)$"
FLOAT = rf"{DECIMAL.removesuffix('$')}(?:[eE][+-]?[0-9]+)?$"
DATE = r"^[0-9]{4}(?:-[0-9]{2}-[0-9]{2}|[0-9]{4})$"
ZONE = "Z|[+-][0-9]{2}(?::?[0-9]{2})?"
TIME = rf"^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}[T ][0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}(?:\.[0-9]{{1,6}})?(?:{ZONE})?$"
FIRST_MOMENT, END = (int(np.datetime64(f"{year:04}", "us").astype(np.int64)) for year in (1, LAST_YEAR + 1))
CLOCK_BYTES = len("2026-09-17T10:05:03")
AFTER_CLOCK = re.compile(rf"(?:\.(?P<fraction>[0-9]+))?(?P<zone>{ZONE})?")
EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - what clocks show, whichever zone they stand in
QUARTER = 900
"""Seconds: clocks are seldom changed within a quarter of an hour that begins with the hour."""
MOST_DIGITS = 20  # of a 64-bit integer
FALSE, TRUE = ("false", "0"), ("true", "1")
NO_TEXT, EMPTY = scalar(None, pa.string()), scalar("")

Read = tuple[pa.Array, Booleans]
"""Values, and whether each text was one; where it wasn't, the value means nothing."""


@dataclass(frozen=True)
class Typed:
    """A column of records.

    Attributes:
        values: Of the column's type, NULL for what could not be read.
        flaws: FINE, or the index in the contract's REASONS of what is wrong with each.
    """

    values: pa.Array
    flaws: Integers


def typed(texts: pa.StringArray, column: Column, timezone: str | None = None) -> Typed:
    """Return the values of a column's fields, and what is wrong with those that it can't hold.

    Args:
        texts: The fields; NULL where a record has none.
        column: The column. An empty field is NULL if it may be, else the empty text if the column is of texts, and
            missing otherwise.
        timezone: The IANA name of the zone of times without an offset, None for UTC. Of a time that its clocks
            showed twice, it is the first; one that they skipped is none.
    """
    if column.nullable or not pa.types.is_string(column.type):
        texts = pc.if_else(pc.equal(texts, EMPTY), NO_TEXT, texts)
    values, readable = read(texts, column.type, timezone)
    flaws = np.full(len(texts), FINE, np.int64)
    flaws[_forbidden(values, column)] = VALUE
    if not column.nullable:
        flaws[to_numpy(texts.is_null())] = MISSING
    flaws[~readable] = TYPE
    return Typed(values, flaws)


def days(texts: pa.StringArray, timezone: str | None = None) -> Typed:
    """Return the days since 1970-01-01 of dates and times as int64, as `typed` does."""
    texts = pc.if_else(pc.equal(texts, EMPTY), NO_TEXT, texts)
    dates, are_dates = read(texts, pa.date32(), timezone)
    times, are_times = read(texts, pa.timestamp("us"), timezone)
    of_times = to_numpy(pc.fill_null(times.view(pa.int64()), scalar(0))) // DAY_MICROSECONDS
    of_dates = to_numpy(pc.fill_null(dates.view(pa.int32()), scalar(0, pa.int32())))
    missing = to_numpy(texts.is_null())
    flaws = np.where(missing, MISSING, np.where(are_dates | are_times, FINE, TYPE))
    found = np.where(flaws != FINE, NO_DAY, np.where(are_dates, of_dates, of_times))
    return Typed(numbers(found), flaws)


def is_known(kind: pa.DataType) -> bool:
    """Tell whether columns of a type can be read."""
    return _reader(kind) is not None


def read(texts: pa.StringArray, kind: pa.DataType, timezone: str | None = None) -> Read:
    """Return the values that texts are, NULL for those that are none, and whether each is one; NULL is."""
    reader = _reader(kind)
    if reader is None:
        raise ValueError(f"{kind} is no type of a field")
    if not texts.null_count:
        return reader(texts, kind, timezone)
    there = to_numpy(texts.is_valid())
    found, fits = reader(texts.drop_null(), kind, timezone)
    readable = ~there
    readable[there] = fits
    return found.take(numbers(np.cumsum(there) - 1, ~there)), readable


def _reader(kind: pa.DataType) -> Callable[[pa.StringArray, pa.DataType, str | None], Read] | None:
    if pa.types.is_integer(kind):
        return _integers
    if pa.types.is_decimal128(kind):
        return _decimals if kind.scale >= 0 else None
    known = {
        pa.string(): _strings,
        pa.bool_(): _truths,
        pa.float64(): _floats,
        pa.date32(): _dates,
        pa.timestamp("us"): _times,
    }
    return known.get(kind)


def _strings(texts: pa.StringArray, _: pa.DataType, __: str | None) -> Read:
    return texts, np.ones(len(texts), np.bool_)


def _truths(texts: pa.StringArray, _: pa.DataType, __: str | None) -> Read:
    lower = pc.ascii_lower(texts)
    are_true = pc.is_in(lower, array(TRUE, pa.string()))
    readable = to_numpy(pc.or_(are_true, pc.is_in(lower, array(FALSE, pa.string()))))
    return numbers(to_numpy(are_true), ~readable), readable


def _integers(texts: pa.StringArray, kind: pa.DataType, _: str | None) -> Read:
    bits = kind.bit_width
    signed = pa.types.is_signed_integer(kind)
    lowest, highest = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)

    def plain(text: str) -> str | None:
        digits = text.lstrip("+-").lstrip("0") or "0"
        number = int(digits) if len(digits) <= MOST_DIGITS else highest + 2
        number = -number if text.startswith("-") else number
        return str(number) if lowest <= number <= highest else None

    return _cast(texts, INTEGER, kind, plain)


def _floats(texts: pa.StringArray, kind: pa.DataType, _: str | None) -> Read:
    def plain(text: str) -> str | None:
        number = float(text)
        return repr(number) if math.isfinite(number) else None

    values, readable = _cast(texts, FLOAT, kind, plain)
    finite = to_numpy(pc.fill_null(pc.is_finite(values), scalar(value=False)))
    return values if finite.all() else pc.if_else(numbers(finite), values, scalar(None, kind)), readable & finite


def _decimals(texts: pa.StringArray, kind: pa.DataType, _: str | None) -> Read:
    def plain(text: str) -> str | None:
        sign = "-" if text.startswith("-") else ""
        whole, _, fraction = text.lstrip("+-").partition(".")
        whole, fraction = whole.lstrip("0"), fraction.rstrip("0")
        if len(fraction) > kind.scale or len(whole) > kind.precision - kind.scale:
            return None
        return f"{sign}{whole or '0'}.{fraction or '0'}"

    return _cast(texts, DECIMAL, kind, plain)


def _cast(texts: pa.StringArray, pattern: str, kind: pa.DataType, plain: Callable[[str], str | None]) -> Read:
    """Return texts as numbers.

    Args:
        texts: They.
        pattern: What is a number at all.
        kind: The type.
        plain: Returns such a text so that Arrow reads it, None if it is out of the type's bounds.
    """
    readable = to_numpy(pc.match_substring_regex(texts, pattern))
    fitting = texts if readable.all() else pc.if_else(numbers(readable), texts, NO_TEXT)
    try:
        return pc.ascii_ltrim(fitting, characters="+").cast(kind), readable
    except pa.ArrowInvalid:  # one is out of bounds, or written in a way that Arrow doesn't know
        found = [None if text is None else plain(text) for text in fitting.to_pylist()]
        values = array(found, pa.string()).cast(kind)
        return values, to_numpy(values.is_valid())


def _dates(texts: pa.StringArray, kind: pa.DataType, _: str | None) -> Read:
    readable = to_numpy(pc.match_substring_regex(texts, DATE))
    digits = _digits(pc.replace_substring(texts.filter(numbers(readable)), "-", ""), len("20260917"))
    days, exist = _days(_number(digits[:, :4]), _number(digits[:, 4:6]), _number(digits[:, 6:]))
    found = np.zeros(len(texts), np.int32)
    found[readable] = days
    readable[readable] = exist
    return numbers(found, ~readable).view(kind), readable


def _times(texts: pa.StringArray, kind: pa.DataType, timezone: str | None) -> Read:
    readable = to_numpy(pc.match_substring_regex(texts, TIME))
    fitting = texts.filter(numbers(readable))
    digits = _digits(fitting, CLOCK_BYTES)
    days, exist = _days(_number(digits[:, :4]), _number(digits[:, 5:7]), _number(digits[:, 8:10]))
    hour, minute, second = (_number(digits[:, at : at + 2]) for at in (11, 14, 17))
    exist &= (hour <= HIGHEST_HOUR) & (minute <= HIGHEST_MINUTE) & (second <= HIGHEST_SECOND)
    shown = np.where(exist, days * 86_400 + hour * 3600 + minute * 60 + second, 0)
    rests = pc.utf8_slice_codeunits(fitting, CLOCK_BYTES).dictionary_encode()
    known = np.array([_after_clock(each) for each in rests.dictionary.to_pylist()], np.int64)
    fraction, offset, is_local, is_possible = known.reshape(-1, 4)[to_numpy(rests.indices)].T
    local = np.flatnonzero(is_local)
    if timezone and len(local):
        offset = offset.copy()
        offset[local], are_shown = _zone_offsets(shown[local], ZoneInfo(timezone))
        exist[local] &= are_shown
    moments = (shown - offset) * MICROSECONDS + fraction
    exist &= (is_possible > 0) & (moments >= FIRST_MOMENT) & (moments < END)
    found = np.zeros(len(texts), np.int64)
    found[readable] = moments
    readable[readable] = exist
    return numbers(found, ~readable).view(kind), readable


def _after_clock(text: str) -> tuple[int, int, bool, bool]:
    """Return a fraction in microseconds, an offset in seconds, whether there is none, and whether it can be."""
    found = AFTER_CLOCK.fullmatch(text)
    if not found:
        raise AssertionError("what follows a clock is a fraction and an offset")
    fraction, zone = (found["fraction"] or "").ljust(6, "0"), found["zone"] or ""
    digits = zone[1:].replace(":", "").ljust(4, "0")
    hour, minute = int(digits[:2]), int(digits[2:])
    seconds = (hour * 3600 + minute * 60) * (-1 if zone.startswith("-") else 1)
    return int(fraction), seconds, not zone, hour <= HIGHEST_ZONE_HOUR and minute <= HIGHEST_MINUTE


def _days(year: Integers, month: Integers, day: Integers) -> tuple[Integers, Booleans]:
    """Return days since 1970-01-01, 0 for those that no calendar has, and whether one has them."""
    exist = (year > 0) & (month > 0) & (month <= len(MONTHS)) & (day > 0)
    first_of_month = np.where(exist, (year - EPOCH.year) * 12 + month - 1, 0).astype("datetime64[M]")
    found = first_of_month.astype("datetime64[D]").astype(np.int64) + day - 1
    exist &= found.astype("datetime64[D]").astype("datetime64[M]") == first_of_month
    return np.where(exist, found, 0), exist


def _zone_offsets(shown: Integers, zone: ZoneInfo) -> tuple[Integers, Booleans]:
    """Return the offsets in seconds that a zone has when its clocks show a time, and whether they ever do.

    Args:
        shown: Seconds from 1970 to what the clocks show.
        zone: The zone.
    """
    quarters, index = np.unique(shown // QUARTER, return_inverse=True)
    at_begin = [_offsets_of(zone, each * QUARTER) for each in quarters.tolist()]
    at_end = [_offsets_of(zone, each * QUARTER + QUARTER - 1) for each in quarters.tolist()]
    found = np.array(at_begin, np.int64)[index]
    changing = np.flatnonzero(np.array([one != other for one, other in zip(at_begin, at_end, strict=True)])[index])
    found[changing] = np.array([_offsets_of(zone, each) for each in shown[changing].tolist()]).reshape(-1, 2)
    first, second = found.T
    return first, first >= second  # PEP 495: where clocks skip a time, fold 0 has the lower offset


def _offsets_of(zone: ZoneInfo, shown: int) -> tuple[int, int]:
    """Return the offset when a zone's clocks show a time, and when they show it for the second time."""
    moment = EPOCH + timedelta(seconds=shown)
    first, second = (
        (moment.replace(tzinfo=zone, fold=fold).utcoffset() or timedelta()) // timedelta(seconds=1)
        for fold in (0, 1)
    )
    return first, second


def _digits(texts: pa.StringArray, count: int) -> npt.NDArray[np.uint8]:
    """Return the first bytes of each text, of at least so many, each less the byte of `0`."""
    _, offsets, data = texts.buffers()
    starts = (
        np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts)]
        if len(texts)
        else np.zeros(0, int)
    )
    found: npt.NDArray[np.uint8] = np.frombuffer(data or b"", np.uint8)[starts[:, None] + np.arange(count)]
    return found - np.uint8(ord("0"))


def _number(digits: npt.NDArray[np.uint8]) -> Integers:
    """Return the number that the digits of each row are."""
    found = np.zeros(len(digits), np.int64)
    for column in digits.T:
        found = found * 10 + column
    return found


def _forbidden(values: pa.Array, column: Column) -> Booleans:
    """Tell which values are there, and are not what their column allows."""
    wrong = np.zeros(len(values), np.bool_)
    if pa.types.is_integer(values.type):
        plain = to_numpy(pc.fill_null(values, numbers(np.zeros(1, str(values.type)))[0]))
        if column.minimum is not None:
            wrong |= plain < math.ceil(column.minimum)
        if column.maximum is not None:
            wrong |= plain > math.floor(column.maximum)
    else:
        for bound, breaks in ((column.minimum, pc.less), (column.maximum, pc.greater)):
            if bound is not None:
                wrong |= _holds(breaks(values, scalar(bound)))
    if column.values:
        wrong |= ~_holds(pc.is_in(values, array(column.values, pa.string())))
    if column.pattern is not None:
        wrong |= ~_holds(pc.match_substring_regex(values, f"^(?:{column.pattern})$"))
    there: Booleans = to_numpy(values.is_valid())
    return wrong & there


def _holds(conditions: pa.BooleanArray) -> Booleans:
    found: Booleans = to_numpy(pc.fill_null(conditions, scalar(value=False)))
    return found
