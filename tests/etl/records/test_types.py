"""Fields become values of their column's type as Python's own types have it, or they are rejects."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl.records import types
from lake.contract import Column
from lake.contracts.rejects import REASONS
from lake.memory.arrays import array

TEXT = st.text(st.sampled_from("0123456789+-.eExnaif _:TZ/"), max_size=30)
DIGITS = st.text("0123456789", min_size=1, max_size=45)
BERLIN = ZoneInfo("Europe/Berlin")


def judged(kind, *texts, timezone=None, **more):
    """Return for each text its value, or the reason why it has none."""
    found = types.typed(array(texts, pa.string()), Column("x", kind, "1", "any", **more), timezone)
    assert found.values.type == kind
    values = found.values.to_pylist()
    return [
        value if flaw == types.FINE else REASONS[flaw] for value, flaw in zip(values, found.flaws, strict=True)
    ]


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (
            pa.int64(),
            {
                "1": 1,
                "-0": 0,
                "+5": 5,
                "007": 7,
                "9223372036854775807": 2**63 - 1,
                "-9223372036854775808": -(2**63),
                "0" * 50 + "3": 3,
                "9223372036854775808": "type",
                "1" * 10_000: "type",
                "0x10": "type",
                "1_0": "type",
                " 1": "type",
                "1 ": "type",
                "1\n": "type",
                "1.0": "type",
                "1e3": "type",
                "+-1": "type",
                "--1": "type",
                "++1": "type",
                "-": "type",
                "\u0661": "type",
                "\uff11": "type",
                "": "missing",
                None: "missing",
            },
        ),
        (pa.int8(), {"127": 127, "128": "type", "-128": -128, "-129": "type"}),
        (pa.uint8(), {"255": 255, "256": "type", "-0": 0, "-1": "type", "+1": 1}),
        (pa.uint64(), {"18446744073709551615": 2**64 - 1, "18446744073709551616": "type"}),
        (
            pa.float64(),
            {
                "1": 1.0,
                "1.": 1.0,
                "-.5": -0.5,
                "+1.5e-3": 0.0015,
                "1E5": 1e5,
                "5e-324": 5e-324,
                "1e-999": 0.0,
                "1e999": "type",
                "nan": "type",
                "inf": "type",
                "-Infinity": "type",
                "0x1p3": "type",
                "1_0": "type",
                "1,5": "type",
                ".": "type",
                "e5": "type",
                "": "missing",
            },
        ),
        (
            pa.decimal128(5, 2),
            {
                "1.500": Decimal("1.50"),
                "-999.99": Decimal("-999.99"),
                "0" * 60 + "1.10": Decimal("1.10"),
                "1.505": "type",
                "1000": "type",
                "1" * 60: "type",
                "1e2": "type",
                "1.2.3": "type",
            },
        ),
        (
            pa.bool_(),
            {"true": True, "FALSE": False, "1": True, "0": False, "yes": "type", "t": "type", "": "missing"},
        ),
        (
            pa.date32(),
            {
                "2024-02-29": date(2024, 2, 29),
                "20240229": date(2024, 2, 29),
                "0001-01-01": date(1, 1, 1),
                "9999-12-31": date(9999, 12, 31),
                "2026-02-29": "type",
                "2026-00-10": "type",
                "2026-13-10": "type",
                "2026-01-00": "type",
                "0000-01-01": "type",
                "2026-0101": "type",
                "202601-01": "type",
                "26-01-01": "type",
                "2026-01-01T00:00:00": "type",
            },
        ),
        (
            pa.timestamp("us"),
            {
                "2026-09-17T10:05:03Z": datetime(2026, 9, 17, 10, 5, 3),
                "2026-09-17 10:05:03.1": datetime(2026, 9, 17, 10, 5, 3, 100_000),
                "2026-09-17T10:05:03.123456+02:00": datetime(2026, 9, 17, 8, 5, 3, 123_456),
                "2026-09-17T10:05:03-0230": datetime(2026, 9, 17, 12, 35, 3),
                "2026-09-17T10:05:03+02": datetime(2026, 9, 17, 8, 5, 3),
                "1850-01-01T00:00:00": datetime(1850, 1, 1),
                "9999-12-31T23:59:59.999999": datetime(9999, 12, 31, 23, 59, 59, 999_999),
                "9999-12-31T23:59:59-01:00": "type",
                "0001-01-01T00:00:00+01:00": "type",
                "2026-09-17T10:05:03.1234567": "type",
                "2026-09-17T24:00:00": "type",
                "2026-09-17T10:60:00": "type",
                "2026-09-17T23:59:60": "type",
                "2026-09-17T10:05": "type",
                "2026-09-17": "type",
                "2026-02-30T10:05:03": "type",
                "2026-09-17T10:05:03+15:00": "type",
                "2026-09-17T10:05:03+01:60": "type",
                "2026-09-17T10:05:03 Z": "type",
                "2026-09-17t10:05:03z": "type",
                "1789639503": "type",
            },
        ),
        (pa.string(), {"": "", "a b": "a b", "\x00\n": "\x00\n", "ä": "ä", None: "missing"}),
    ],
    ids=str,
)
def test_a_field_is_of_its_columns_type_or_a_reject(kind, fields):
    """Nothing is rounded, cut, trimmed or taken for something like it; all at once as one by one."""
    assert judged(kind, *fields) == [*fields.values()]
    assert [each for text in fields for each in judged(kind, text)] == [*fields.values()]
    assert judged(kind) == []


@pytest.mark.parametrize(
    "kind", [pa.int16(), pa.float64(), pa.decimal128(9, 3), pa.bool_(), pa.date32(), pa.string()]
)
def test_an_empty_field_is_null_where_that_may_be(kind):
    """Empty text and none are the same in a column that may be NULL."""
    assert judged(kind, "", None, nullable=True) == [None, None]


@pytest.mark.parametrize(
    ("kind", "more", "fields"),
    [
        (pa.int64(), {"minimum": 0, "maximum": 9}, {"0": 0, "9": 9, "-1": "value", "10": "value", "x": "type"}),
        (pa.uint64(), {"maximum": 9}, {"9": 9, "18446744073709551615": "value"}),
        (pa.float64(), {"minimum": 0, "maximum": 0.5}, {"0.5": 0.5, "0.51": "value", "-0.1": "value"}),
        (pa.decimal128(5, 2), {"minimum": 0}, {"0.01": Decimal("0.01"), "-0.01": "value"}),
        (pa.string(), {"values": ("a", "b")}, {"a": "a", "A": "value", "": "value", "ab": "value"}),
        (pa.string(), {"pattern": "[a-z]+|x[0-9]"}, {"ab": "ab", "x1": "x1", "a1": "value", "x1\n": "value"}),
        (pa.string(), {"values": ("a",), "nullable": True}, {"a": "a", "": None, "b": "value"}),
    ],
)
def test_a_value_is_one_that_its_column_allows(kind, more, fields):
    """Bounds, values and patterns make rejects of single fields."""
    assert judged(kind, *fields, **more) == [*fields.values()]


@settings(deadline=None)
@given(
    st.lists(TEXT | DIGITS | st.integers(-(2**70), 2**70).map(str), max_size=20), st.sampled_from([8, 16, 32, 64])
)
def test_integers_are_pythons(texts, bits):
    """As Python's int reads them, of texts that are digits after a sign, if they are within the type's bounds."""

    def expected(text):
        if not text:
            return "missing"
        if not text[text[0] in "+-" :].isdecimal():
            return "type"
        return int(text) if -(2 ** (bits - 1)) <= int(text) < 2 ** (bits - 1) else "type"

    assert judged(pa.from_numpy_dtype(np.dtype(f"int{bits}")), *texts) == [*map(expected, texts)]


@settings(deadline=None)
@given(st.lists(TEXT | st.floats(allow_nan=False, allow_infinity=False).map(repr), max_size=20))
def test_floats_are_pythons(texts):
    """The double that is nearest to the decimals, as Python's float reads them; nothing that is none."""

    def expected(text):
        if not text:
            return "missing"
        try:
            number = float(text)
        except ValueError:
            return "type"
        plain = not set(text.lower()) & set("nax_ ") and abs(number) != float("inf")
        return number if plain else "type"

    assert repr(judged(pa.float64(), *texts)) == repr([*map(expected, texts)])


@settings(deadline=None)
@given(st.lists(TEXT | st.decimals(-9999, 9999, places=4).map(str) | DIGITS, max_size=20))
def test_decimals_are_pythons(texts):
    """What Python's Decimal is, if the column holds all of its digits."""

    def expected(text):
        if not text:
            return "missing"
        if set(text) - set("0123456789.+-") or not set(text) & set("0123456789"):
            return "type"
        try:
            number = Decimal(text)
        except ArithmeticError:
            return "type"
        exact = abs(number) < 10**5 and number == round(number, 2)
        return number if exact else "type"

    assert judged(pa.decimal128(7, 2), *texts) == [*map(expected, texts)]


@settings(deadline=None)
@given(st.lists(st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29)), max_size=10), st.sampled_from("T "))
def test_times_are_pythons(moments, separator):
    """Times of a zone are those of zoneinfo: of one shown twice the first, and none where clocks skip one."""

    def expected(moment):
        local = moment.replace(tzinfo=BERLIN)
        utc = local.astimezone(UTC)
        return utc.replace(tzinfo=None) if utc.astimezone(BERLIN).replace(tzinfo=None) == moment else "type"

    texts = [moment.isoformat(separator) for moment in moments]
    texts = [text if "." not in text else text.rstrip("0") for text in texts]
    assert judged(pa.timestamp("us"), *texts, timezone="Europe/Berlin") == [*map(expected, moments)]
    assert judged(pa.timestamp("us"), *texts) == moments
    days = judged(pa.date32(), *(f"{moment:%Y-%m-%d}".zfill(10) for moment in moments))
    assert days == [moment.date() for moment in moments]


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Australia/Lord_Howe", "America/St_Johns", "Africa/Monrovia"])
def test_clocks_that_change_are_followed_to_the_second(zone):
    """Around each change of a year, every time is that of zoneinfo; a time shown twice is the first."""
    year = 1972 if zone == "Africa/Monrovia" else 2026  # which changed by 44 minutes and 30 seconds
    moments = [datetime(year, 1, 1) + timedelta(minutes=15 * n, seconds=n % 900) for n in range(4 * 24 * 366)]

    def expected(moment):
        local = moment.replace(tzinfo=ZoneInfo(zone))
        utc = local.astimezone(UTC)
        return (
            utc.replace(tzinfo=None) if utc.astimezone(ZoneInfo(zone)).replace(tzinfo=None) == moment else "type"
        )

    texts = [moment.isoformat() for moment in moments]
    assert judged(pa.timestamp("us"), *texts, timezone=zone) == [*map(expected, moments)]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.none() | TEXT, max_size=8), st.integers(0, 3))
def test_slices_of_arrays_are_read_as_whole_ones(texts, begin):
    """Where in memory a field lies makes no difference."""
    whole = array(texts, pa.string())
    for kind in (pa.int32(), pa.float64(), pa.decimal128(9, 2), pa.bool_(), pa.date32(), pa.timestamp("us")):
        column = Column("x", kind, "1", "any")
        one, other = (
            types.typed(whole.slice(begin), column),
            types.typed(array(texts[begin:], pa.string()), column),
        )
        assert one.values.equals(other.values)
        assert one.flaws.tolist() == other.flaws.tolist()


def test_a_day_is_a_date_or_that_of_a_time():
    """The day of a record may be written in both ways."""
    texts = ["1970-01-02", "19700103", "1970-01-04T23:30:00-01:00", "1970-02-30", "", None]
    found = types.days(array(texts, pa.string()))
    assert found.values.to_pylist() == [1, 2, 4, *[types.NO_DAY] * 3]
    assert found.flaws.tolist() == [types.FINE] * 3 + [types.TYPE, types.MISSING, types.MISSING]


def test_other_types_are_unknown():
    """What no text is read as is said before anything is read."""
    for kind in (pa.float32(), pa.binary(), pa.timestamp("ms"), pa.timestamp("us", "UTC"), pa.decimal128(5, -1)):
        assert not types.is_known(kind)
    with pytest.raises(ValueError, match="binary is no type of a field"):
        types.read(array([], pa.string()), pa.binary())
