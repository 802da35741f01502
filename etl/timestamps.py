"""Timestamps of log lines: `17/May/2015:10:05:03 +0000`, as Apache's %t and nginx's $time_local write it."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
PATTERN = (
    r"(?P<day>[0-9]{2})/(?P<month>" + "|".join(MONTHS) + r")/(?P<year>[0-9]{4})"
    r":(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"
    r" (?P<sign>[+-])(?P<zone_hour>[0-9]{2})(?P<zone_minute>[0-9]{2})"
)
FIRST_YEAR = 1970
MICROSECONDS = 1_000_000
DAY_MICROSECONDS = 86_400 * MICROSECONDS
NO_DAY = np.iinfo(np.int64).min
HIGHEST = {"hour": 23, "minute": 59, "second": 59, "zone_hour": 14, "zone_minute": 59}

Integers = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]


def parse(texts: pa.BinaryArray) -> tuple[Integers, Booleans]:
    """Read timestamps.

    Args:
        texts: Timestamps as in the log, without brackets; NULL where there is none.

    Returns:
        Microseconds since 1970 in UTC (0 where unreadable), and whether each was readable: the right
        shape, and a time that exists.
    """
    encoded = texts.dictionary_encode()  # a log's lines share their seconds
    microseconds, readable = _parse_distinct(encoded.dictionary)
    index = pc.fill_null(encoded.indices, len(readable)).to_numpy(zero_copy_only=False)
    return np.append(microseconds, 0)[index], np.append(readable, [False])[index]


def first_in(lines: pa.BinaryArray) -> pa.BinaryArray:
    """Return the first bracketed timestamp of each line, for lines that don't fit their format; else NULL."""
    return pc.struct_field(pc.extract_regex(lines, rf"(?s)\[(?P<time>{_unnamed(PATTERN)})\]"), "time")


def days_of(microseconds: Integers, readable: Booleans) -> Integers:
    """Return days since 1970-01-01, NO_DAY where the time was unreadable."""
    return np.where(readable, microseconds // DAY_MICROSECONDS, NO_DAY)


def _unnamed(pattern: str) -> str:
    parts = pattern.split("(?P<")
    return parts[0] + "".join("(?:" + part.partition(">")[2] for part in parts[1:])


def _parse_distinct(texts: pa.BinaryArray) -> tuple[Integers, Booleans]:
    parts = pc.extract_regex(texts, f"^{PATTERN}$")
    readable: Booleans = parts.is_valid().to_numpy(zero_copy_only=False)

    def number(name: str) -> Integers:
        digits = pc.struct_field(parts, name).cast(pa.string())
        values: Integers = pc.fill_null(digits.cast(pa.int64()), 0).to_numpy(zero_copy_only=False)
        return values

    names = pa.array([m.encode() for m in MONTHS])
    month = pc.fill_null(pc.index_in(pc.struct_field(parts, "month"), names), 0).to_numpy(zero_copy_only=False)
    months = (number("year") - FIRST_YEAR) * 12 + month
    first_of_month = months.astype("datetime64[M]")
    days = first_of_month.astype("datetime64[D]").astype(np.int64) + number("day") - 1
    exists = (days.astype("datetime64[D]").astype("datetime64[M]") == first_of_month) & (number("day") > 0)
    exists &= number("year") >= FIRST_YEAR
    for name, highest in HIGHEST.items():
        exists &= number(name) <= highest
    negative = pc.fill_null(pc.equal(pc.struct_field(parts, "sign"), b"-"), False)  # noqa: FBT003 - the filler
    sign = np.where(negative.to_numpy(zero_copy_only=False), -1, 1)
    offset = sign * (number("zone_hour") * 3600 + number("zone_minute") * 60)
    seconds = days * 86_400 + number("hour") * 3600 + number("minute") * 60 + number("second") - offset
    readable = readable & exists
    return np.where(readable, seconds * MICROSECONDS, 0), readable
