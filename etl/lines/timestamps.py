"""Timestamps of log lines, in the four ways that servers write them.

- CLF: `17/May/2015:10:05:03 +0000`, as Apache's %t and nginx's $time_local; also with a space before the time of
  day (Python's http.server), with a fraction (HAProxy), and without the offset.
- ISO 8601: `2015-05-17T10:05:03.123456Z`, also with a space for the T, a comma before the fraction, an offset
  like `+02:00`, `+0200` or `+02`, after a space too, or none, and with slashes: `2015/05/17 - 10:05:03` (Go).
- Epoch: seconds, with or without a fraction, milli-, micro- or nanoseconds since 1970, told by their digits.
- BSD syslog: `Sep  9 10:05:03`, `Sep 09 10:05:03.123`, without an offset and mostly without a year. Then it is a
  time if it is known in which twelve months it was.

A time without an offset is one if it is known in which time zone the server wrote it.
"""

from datetime import UTC, date, datetime, timedelta
from functools import partial
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from lake.memory.arrays import array, filled, scalar, to_numpy

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
CLOCK = r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"
PRECISE_CLOCK = rf"{CLOCK}(?:[.,](?P<fraction>[0-9]{{1,9}}))?"
CLF_DAY = r"(?P<day>[0-9]{2})/(?P<month>" + "|".join(MONTHS) + r")/(?P<year>[0-9]{4})"
CLF_OFFSET = r"(?P<zone>(?P<sign>[+-])(?P<zone_hour>[0-9]{2})(?P<zone_minute>[0-9]{2}))"
CLF = rf"{CLF_DAY}[: ]{PRECISE_CLOCK}(?: {CLF_OFFSET})?"
DATE = r"(?P<year>[0-9]{4})-(?P<month>[0-9]{2})-(?P<day>[0-9]{2})"
OFFSET = r"(?P<zone>[Zz]|(?P<sign>[+-])(?P<zone_hour>[0-9]{2})(?::?(?P<zone_minute>[0-9]{2}))?)"
ISO = rf"{DATE}[T ]{PRECISE_CLOCK}(?: ?{OFFSET})?"
SLASHED = rf"{DATE.replace('-(', '/(')}(?: | - ){PRECISE_CLOCK}"
BSD_DAY = rf"(?P<month>{'|'.join(MONTHS)})[ _]{{1,2}}(?P<day>[0-9]{{1,2}})"
BSD = rf"{BSD_DAY}[ _]{PRECISE_CLOCK}(?:[ _](?P<year>[0-9]{{4}}))?"
"""With underscores, so that it is one word, as it comes from an envelope."""
UNIX = r"(?P<seconds>[0-9]{10})(?:\.(?P<fraction>[0-9]{1,9})|(?P<digits>(?:[0-9]{3}){1,3}))?"

HALF_A_YEAR = timedelta(days=182)
FIRST_YEAR, LAST_YEAR = 1970, 9999
MICROSECONDS = 1_000_000
DAY_MICROSECONDS = 86_400 * MICROSECONDS
END = int(np.datetime64(f"{LAST_YEAR + 1}", "us").astype(np.int64))
NO_DAY = np.iinfo(np.int64).min
HIGHEST_HOUR, HIGHEST_MINUTE, HIGHEST_SECOND, HIGHEST_ZONE_HOUR = 23, 59, 59, 14

Integers = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]


def unnamed(pattern: str) -> str:
    """Return a regular expression without the names of its groups, to be a part of another."""
    parts = pattern.split("(?P<")
    return parts[0] + "".join("(?:" + part.partition(">")[2] for part in parts[1:])


WORDS = rf"{unnamed(CLF)}|{unnamed(ISO)}|{unnamed(SLASHED)}"
"""A timestamp that may hold spaces."""
WITH_OFFSET = rf"{unnamed(CLF_DAY)}[: ]{unnamed(PRECISE_CLOCK)} {unnamed(CLF_OFFSET)}"
IN_BRACKETS = rf"\[(?P<time>{WORDS})\]"
ANYWHERE = rf"(?P<time>{unnamed(DATE)}[T ]{unnamed(PRECISE_CLOCK)}{unnamed(OFFSET)}|{WITH_OFFSET})"


def date_and_clock(separator: str) -> str:
    """Return ANYWHERE for lines that begin with a date and, after the separator, a time of day in UTC."""
    return ANYWHERE.removesuffix(")") + rf"|{unnamed(DATE)}{separator}{unnamed(CLOCK)})"


def parse(texts: pa.BinaryArray, timezone: str | None = None) -> tuple[Integers, Booleans]:
    """Read timestamps.

    Args:
        texts: Timestamps as in the log, without brackets; NULL where there is none.
        timezone: IANA name of the time zone of those that have no offset; None where there is no telling.

    Returns:
        Microseconds since 1970 in UTC (0 where unreadable), and whether each was readable: of one of the three
        kinds, and a time that exists. Of a time that clocks showed twice, it is the first.
    """
    return parse_local(texts, timezone)[:2]


def parse_local(
    texts: pa.BinaryArray, timezone: str | None = None, year_begin: date | None = None
) -> tuple[Integers, Booleans, Booleans]:
    """Read timestamps as `parse` does, and tell also which of them have no offset and were readable.

    Times without a year are of the twelve months that begin with `year_begin`; without it, none is readable.
    """
    encoded = texts.dictionary_encode()  # a log's lines share their seconds
    microseconds = np.zeros(len(encoded.dictionary), dtype=np.int64)
    readable, local = (np.zeros(len(encoded.dictionary), dtype=np.bool_) for _ in range(2))
    iso = partial(_iso, timezone=timezone)
    clf, bsd = partial(_clf, timezone=timezone), partial(_bsd, timezone=timezone, year_begin=year_begin)
    for pattern, read in ((CLF, clf), (ISO, iso), (UNIX, _epoch), (SLASHED, iso), (BSD, bsd)):
        parts = pc.extract_regex(encoded.dictionary, f"^{pattern}$")
        fits = to_numpy(parts.is_valid())
        if fits.any():
            found = pc.drop_null(parts)
            microseconds[fits], readable[fits] = read(found)
            if pattern != UNIX:
                local[fits] = _is_local(found)
        if fits.all():
            break
    readable &= microseconds < END
    index = to_numpy(filled(encoded.indices, len(readable)))
    microseconds = np.append(np.where(readable, microseconds, 0), 0)[index]
    return microseconds, np.append(readable, [False])[index], np.append(readable & local, [False])[index]


def first_in(lines: pa.BinaryArray, pattern: str) -> pa.BinaryArray:
    """Return the first timestamp of each line, for lines that don't fit their format; else NULL.

    Args:
        lines: Raw lines.
        pattern: What counts as one: IN_BRACKETS, ANYWHERE or a date_and_clock.
    """
    found = pc.struct_field(pc.extract_regex(lines, f"(?s){pattern}"), "time")
    if pattern in (IN_BRACKETS, ANYWHERE):
        return found
    return pc.replace_substring_regex(found, rf"^({unnamed(DATE)}).({unnamed(CLOCK)})$", r"\1T\2Z")


def days_of(microseconds: Integers, readable: Booleans) -> Integers:
    """Return days since 1970-01-01, NO_DAY where the time was unreadable."""
    return np.where(readable, microseconds // DAY_MICROSECONDS, NO_DAY)


def year_around(day: date) -> date:
    """Return the first day of the twelve months around a day: of a time without a year, the nearest one counts."""
    return max(date.min + HALF_A_YEAR, day) - HALF_A_YEAR


def year_near(day: date, month: str, day_of_month: int) -> int:
    """Return the year of a time that has none and is near a day, by its month's name and its day."""
    begin = year_around(day)
    return begin.year + ((MONTHS.index(month) + 1, day_of_month) < (begin.month, begin.day))


def _clf(parts: pa.StructArray, timezone: str | None) -> tuple[Integers, Booleans]:
    return _of_clock(parts, _month(parts), _number(parts, "year"), timezone)


def _iso(parts: pa.StructArray, timezone: str | None) -> tuple[Integers, Booleans]:
    return _of_clock(parts, _number(parts, "month"), _number(parts, "year"), timezone)


def _bsd(parts: pa.StructArray, timezone: str | None, year_begin: date | None) -> tuple[Integers, Booleans]:
    month, day, year = _month(parts), _number(parts, "day"), _number(parts, "year")
    if year_begin:
        is_next = (month < year_begin.month) | ((month == year_begin.month) & (day < year_begin.day))
        year = np.where(year == 0, year_begin.year + is_next, year)
    return _of_clock(parts, month, year, timezone)


def _month(parts: pa.StructArray) -> Integers:
    """Return the number of months that are named."""
    names = array([m.encode() for m in MONTHS], pa.binary())
    month: Integers = to_numpy(pc.index_in(pc.struct_field(parts, "month"), names)) + 1
    return month


def _of_clock(
    parts: pa.StructArray, month: Integers, year: Integers, timezone: str | None
) -> tuple[Integers, Booleans]:
    """Return microseconds since 1970 of what a calendar and a clock show, and whether there is such a time."""
    seconds, exists = _clock_time(parts, month, year)
    offset, valid = _offset(parts)
    local = exists & _is_local(parts)
    offset[local], valid[local] = _zone_offset(seconds[local], timezone)
    fraction = pc.utf8_slice_codeunits(pc.utf8_rpad(_text(parts, "fraction"), 6, "0"), 0, 6)
    return (seconds - offset) * MICROSECONDS + to_numpy(fraction.cast(pa.int64())), exists & valid


def _is_local(parts: pa.StructArray) -> Booleans:
    """Tell which times have no offset."""
    if "zone" not in parts.type.names:
        return np.ones(len(parts), dtype=np.bool_)
    found: Booleans = to_numpy(pc.equal(_text(parts, "zone"), scalar("")))
    return found


def _epoch(parts: pa.StructArray) -> tuple[Integers, Booleans]:
    decimals = pc.binary_join_element_wise(*(_text(parts, name) for name in ("fraction", "digits")), scalar(""))
    fraction = pc.utf8_slice_codeunits(pc.utf8_rpad(decimals, 6, "0"), 0, 6)
    seconds = _number(parts, "seconds")
    return seconds * MICROSECONDS + to_numpy(fraction.cast(pa.int64())), np.ones(len(parts), dtype=np.bool_)


def _clock_time(parts: pa.StructArray, month: Integers, year: Integers) -> tuple[Integers, Booleans]:
    """Return seconds from 1970 to what a calendar and a clock show, and whether they ever do."""
    day = _number(parts, "day")
    first_of_month = ((year - FIRST_YEAR) * 12 + month - 1).astype("datetime64[M]")
    days = first_of_month.astype("datetime64[D]").astype(np.int64) + day - 1
    exists = (days.astype("datetime64[D]").astype("datetime64[M]") == first_of_month) & (day > 0)
    exists &= (year >= FIRST_YEAR) & (month >= 1) & (month <= len(MONTHS))
    hour, minute, second = (_number(parts, name) for name in ("hour", "minute", "second"))
    exists &= (hour <= HIGHEST_HOUR) & (minute <= HIGHEST_MINUTE) & (second <= HIGHEST_SECOND)
    return days * 86_400 + hour * 3600 + minute * 60 + second, exists


def _offset(parts: pa.StructArray) -> tuple[Integers, Booleans]:
    """Return offsets from UTC in seconds, and whether there is such a one."""
    if "zone" not in parts.type.names:
        return np.zeros(len(parts), dtype=np.int64), np.ones(len(parts), dtype=np.bool_)
    hour, minute = _number(parts, "zone_hour"), _number(parts, "zone_minute")
    sign = np.where(to_numpy(pc.equal(_text(parts, "sign"), scalar("-"))), -1, 1)
    return sign * (hour * 3600 + minute * 60), (hour <= HIGHEST_ZONE_HOUR) & (minute <= HIGHEST_MINUTE)


def _zone_offset(seconds: Integers, timezone: str | None) -> tuple[Integers, Booleans]:
    """Return the offsets of a time zone, in seconds, when its clocks show a time, and whether they ever do."""
    if timezone is None:
        return np.zeros_like(seconds), np.zeros(len(seconds), dtype=np.bool_)
    zone = ZoneInfo(timezone)
    distinct, index = np.unique(seconds, return_inverse=True)
    first, second = (
        np.array([_utc_offset(zone, int(each), fold) for each in distinct], dtype=np.int64) for fold in (0, 1)
    )
    return first[index], (first >= second)[index]  # PEP 495: where clocks skip a time, fold 0 has the lower offset


def _utc_offset(zone: ZoneInfo, seconds: int, fold: int) -> int:
    shown = datetime.fromtimestamp(seconds, UTC).replace(tzinfo=zone, fold=fold)
    return (shown.utcoffset() or timedelta()) // timedelta(seconds=1)


def _text(parts: pa.StructArray, name: str) -> pa.StringArray:
    return pc.struct_field(parts, name).cast(pa.string())


def _number(parts: pa.StructArray, name: str) -> Integers:
    """Return digits as numbers, 0 for none."""
    digits = _text(parts, name)
    return to_numpy(pc.if_else(pc.equal(digits, scalar("")), scalar("0"), digits).cast(pa.int64()))
