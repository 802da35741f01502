"""Timestamps, against Python's datetime."""

from datetime import UTC, datetime, timedelta, timezone
from types import ModuleType

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl import timestamps

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


def _parse(*texts: bytes | None) -> list[int | None]:
    microseconds, readable = timestamps.parse(pa.array(texts, pa.binary()))
    return [int(each) if can_be_read else None for each, can_be_read in zip(microseconds, readable, strict=True)]


@settings(derandomize=True, deadline=None, max_examples=100)
@given(st.lists(times, min_size=1))
def test_every_time_in_every_zone_is_read_as_datetime_reads_it(some: list[datetime]) -> None:
    """Written with any offset, a time gives the microseconds in UTC that datetime gives."""
    written = [time.strftime("%d/%b/%Y:%H:%M:%S %z").encode() for time in some]
    second = timedelta(seconds=1)
    assert _parse(*written) == [(time - EPOCH) // second * timestamps.MICROSECONDS for time in some]


@settings(derandomize=True, deadline=None, max_examples=200)
@given(texts=st.lists(near_times | times.map(str), min_size=1))
def test_what_is_almost_a_time_is_read_or_refused_as_by_the_reference(
    texts: list[str], reference: ModuleType
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


def test_first_bracketed_timestamp_is_found_anywhere_in_a_line() -> None:
    """A line of another shape still shows its day, by its first timestamp in brackets."""
    lines = [
        b'cut [01/Jan/1970:00:00:01 +0000] "x[02/Jan/1970:00:00:01 +0000]',
        b"01/Jan/1970:00:00:01 +0000",
        b"\xff",
    ]
    assert timestamps.first_in(pa.array(lines, pa.binary())).to_pylist() == [lines[0][5:31], None, None]


def test_days_begin_at_midnight_in_utc() -> None:
    """The last second before midnight is of the day before, also before 1970; unreadable is no day."""
    written = pa.array(
        [b"31/Dec/1969:23:59:59 -0000", b"01/Jan/1970:00:30:00 +0100", b"01/Jan/1970:23:59:59 -0100", b"?"]
    )
    assert timestamps.days_of(*timestamps.parse(written)).tolist() == [timestamps.NO_DAY, -1, 1, timestamps.NO_DAY]
