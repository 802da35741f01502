"""Timestamps, against Python's datetime."""

from datetime import UTC, datetime, timedelta, timezone

import pyarrow as pa
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st

from etl.lines import timestamps

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
zones = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
times = st.datetimes(datetime(1970, 1, 1), datetime(9999, 12, 31), timezones=zones)
two_digits = st.integers(0, 99).map("{:02}".format)
near_times = st.builds(
    "{}/{}/{}:{}:{}:{} {}{}{}".format,
    st.integers(0, 33).map("{:02}".format),
    st.sampled_from(["Jan", "Feb", "Apr", "Dec", "feb", "Mai"]),
    st.sampled_from(["0000", "1969", "1970", "1900", "2000", "2024", "2026", "9998", "19700"]),
    st.integers(0, 25).map("{:02}".format),
    st.integers(0, 61).map("{:02}".format),
    st.integers(0, 61).map("{:02}".format),
    st.sampled_from(["+", "-", ""]),
    st.integers(0, 16).map("{:02}".format),
    two_digits,
)


def _parse(*texts: bytes | None, timezone: str | None = None) -> list[int | None]:
    microseconds, readable = timestamps.parse(pa.array(texts, pa.binary()), timezone)
    return [int(each) if can_be_read else None for each, can_be_read in zip(microseconds, readable, strict=True)]


@settings(derandomize=True, deadline=None, max_examples=100)
@given(st.lists(times, min_size=1))
def test_every_time_in_every_zone_is_read_as_datetime_reads_it(some: list[datetime]) -> None:
    """Written with any offset, a time gives the microseconds in UTC that datetime gives."""
    written = [time.strftime("%d/%b/%Y:%H:%M:%S %z").encode() for time in some]
    second = timedelta(seconds=1)
    assert _parse(*written) == [(time - EPOCH) // second * timestamps.MICROSECONDS for time in some]


@settings(derandomize=True, deadline=None, max_examples=100)
@given(
    st.lists(times, min_size=1),
    st.sampled_from(["T", " "]),
    st.sampled_from(["%z", "%:z"]),
    st.sampled_from([".", ","]),
    st.integers(1, 9),
)
def test_iso_times_are_read_as_datetime_reads_them(
    some: list[datetime], between: str, offset: str, point: str, digits: int
) -> None:
    """With any offset in any of its spellings, and any fraction, of which microseconds are kept."""
    written = []
    for time in some:
        fraction = f"{time.microsecond:06}789"[:digits]
        zone = time.strftime("%z")
        shown = zone if offset == "%z" else f"{zone[:3]}:{zone[3:]}"
        written.append(time.strftime(f"%Y-%m-%d{between}%H:%M:%S{point}{fraction}{shown}").encode())
    kept = 10 ** max(0, 6 - digits)
    assert _parse(*written) == [
        (time - timedelta(microseconds=time.microsecond % kept) - EPOCH) // timedelta(microseconds=1)
        for time in some
    ]


@pytest.mark.parametrize(
    ("text", "microseconds"),
    [
        ("1970-01-01T00:00:01Z", 1_000_000),
        ("1970-01-01T00:00:01z", 1_000_000),
        ("1970-01-01 02:00:01+02", 1_000_000),
        ("0000000001", 1_000_000),
        ("0000000001.000001999", 1_000_001),
        ("0000000001.5", 1_500_000),
        ("0000000001002", 1_002_000),
        ("0000000001000003", 1_000_003),
        ("9999-12-31T23:59:59.999999Z", 253_402_300_799_999_999),
    ],
)
def test_each_way_of_writing_a_time_is_read(text: str, microseconds: int) -> None:
    """ISO 8601 with the shortest offset, and numbers since 1970 in seconds, milliseconds and microseconds."""
    assert _parse(text.encode()) == [microseconds]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("2026-01-15T12:00:00", "2026-01-15T11:00:00+00:00"),
        ("2026-07-15 12:00:00.5", "2026-07-15T10:00:00.500000+00:00"),
        ("2026-07-15T12:00:00Z", "2026-07-15T12:00:00+00:00"),
        ("2026-03-29T01:59:59", "2026-03-29T00:59:59+00:00"),
        ("2026-03-29T02:00:00", None),
        ("2026-03-29T02:59:59", None),
        ("2026-03-29T03:00:00", "2026-03-29T01:00:00+00:00"),
        ("2026-10-25T02:00:00", "2026-10-25T00:00:00+00:00"),
        ("2026-10-25T02:59:59", "2026-10-25T00:59:59+00:00"),
        ("2026-10-25T03:00:00", "2026-10-25T02:00:00+00:00"),
        ("2026-13-01T00:00:00", None),
        ("0000-01-01T00:00:00", None),
    ],
)
def test_a_time_without_offset_is_one_of_the_time_zone(text: str, shown: str | None) -> None:
    """In summer and winter; of a time shown twice it is the first; one that clocks skip is no time."""
    expected = shown and (datetime.fromisoformat(shown) - EPOCH) // timedelta(microseconds=1)
    assert _parse(text.encode(), timezone="Europe/Berlin") == [expected]


@settings(derandomize=True, deadline=None, max_examples=200)
@given(texts=st.lists(near_times | times.map(str), min_size=1))
def test_what_is_almost_a_time_is_read_or_refused_as_by_the_reference(
    texts: list[str],
) -> None:
    """Days, hours, seconds and zones around their limits exist for us if they do for datetime."""
    wanted = [reference.time_of(text.encode()) for text in texts]
    expected = [time and (time.replace(tzinfo=UTC) - EPOCH) // timedelta(microseconds=1) for time in wanted]
    assert _parse(*(text.encode() for text in texts)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "31/Feb/2026:10:00:00 +0000",
        "29/Feb/2025:10:00:00 +0000",
        "00/Jan/2026:10:00:00 +0000",
        "01/Jan/0000:10:00:00 +0000",
        "31/Dec/1969:23:59:59 +0000",
        "01/Jan/2026:24:00:00 +0000",
        "01/Jan/2026:10:60:00 +0000",
        "01/Jan/2026:10:00:60 +0000",
        "01/Jan/2026:10:00:00 +1500",
        "01/Jan/2026:10:00:00 +0060",
        "01/Jan/2026:10:00:00",
        "1/Jan/2026:10:00:00 +0000",
        "01/jan/2026:10:00:00 +0000",
        " 01/Jan/2026:10:00:00 +0000",
        "01/Jan/2026:10:00:00 +0000\n",
        "",
        "2026-02-29T10:00:00Z",
        "2026-00-01T10:00:00Z",
        "2026-13-01T10:00:00Z",
        "1969-12-31T23:59:59Z",
        "2026-01-01T24:00:00Z",
        "2026-01-01T10:00:60Z",
        "2026-01-01T10:00:00+15:00",
        "2026-01-01T10:00:00+00:60",
        "2026-01-01T10:00:00.Z",
        "2026-01-01T10:00:00.1234567890Z",
        "2026-01-01T10:00:00",
        "2026-01-01t10:00:00Z",
        "2026-01-01T10:00Z",
        "9999-12-31T23:59:59-00:01",
        "178963950",
        "17896395031",
        "1789639503.",
        "1789639503.1234567890",
        "1789639503123.5",
        "-1789639503",
    ],
)
def test_a_time_that_does_not_exist_is_unreadable(text: str) -> None:
    """No such text passes for a time, and it spoils no time beside it."""
    assert _parse(text.encode(), b"01/Jan/1970:00:00:01 +0000") == [None, 1_000_000]


def test_missing_and_repeated_texts_keep_their_places() -> None:
    """NULLs and repetitions give one result a line, in the order of the lines."""
    second = b"01/Jan/1970:00:00:01 +0000"
    assert _parse(None, second, b"x", second, None) == [None, 1_000_000, None, 1_000_000, None]
    assert _parse(None, None) == [None, None]
    assert _parse() == []


@pytest.mark.parametrize(
    ("pattern", "line", "found"),
    [
        (
            timestamps.IN_BRACKETS,
            b'cut [01/Jan/1970:00:00:01 +0000] "x[02/Jan/1970:00:00:01 +0000]',
            b"01/Jan/1970:00:00:01 +0000",
        ),
        (timestamps.IN_BRACKETS, b"[1970-01-01T00:00:01]", b"1970-01-01T00:00:01"),
        (timestamps.IN_BRACKETS, b"01/Jan/1970:00:00:01 +0000", None),
        (timestamps.IN_BRACKETS, b"\xff", None),
        (timestamps.ANYWHERE, b"\xff 01/Jan/1970:00:00:01 +0000 1970-01-01", b"01/Jan/1970:00:00:01 +0000"),
        (timestamps.ANYWHERE, b'{"a": "1970-01-01 00:00:01,5+01"', b"1970-01-01 00:00:01,5+01"),
        (timestamps.ANYWHERE, b"1970-01-01T00:00:01 1970-01-01T00:00:02Z", b"1970-01-01T00:00:02Z"),
        (timestamps.date_and_clock("\t"), b"1970-01-01\t00:00:01\tFRA", b"1970-01-01T00:00:01Z"),
        (timestamps.date_and_clock("\t"), b"1970-01-01 00:00:01 FRA", None),
        (timestamps.date_and_clock(" "), b"x 1970-01-01 00:00:01 FRA", b"1970-01-01T00:00:01Z"),
        (timestamps.date_and_clock(" "), b"1970-01-01 00:00:01+01:00", b"1970-01-01 00:00:01+01:00"),
    ],
)
def test_a_line_of_another_shape_still_shows_its_day(pattern: str, line: bytes, found: bytes | None) -> None:
    """By its first timestamp, of the kind that lines of the format have."""
    assert timestamps.first_in(pa.array([line], pa.binary()), pattern).to_pylist() == [found]


def test_days_begin_at_midnight_in_utc() -> None:
    """The last second before midnight is of the day before, also before 1970; unreadable is no day."""
    written = pa.array(
        [b"31/Dec/1969:23:59:59 -0000", b"01/Jan/1970:00:30:00 +0100", b"01/Jan/1970:23:59:59 -0100", b"?"]
    )
    assert timestamps.days_of(*timestamps.parse(written)).tolist() == [timestamps.NO_DAY, -1, 1, timestamps.NO_DAY]
