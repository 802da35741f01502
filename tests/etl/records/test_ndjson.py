"""Lines of JSON give the text of each field, as it is written."""

import json
import re
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from views import read, texts

from etl.kernel.layout import MAX_LINE_BYTES
from etl.records.ndjson import JsonReader
from etl.records.records import Records
from etl.records.taken import A_RECORD
from lake.contract import Column, Contract
from lake.memory.arrays import array

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


def field_of(text, name="a"):
    """Return the text of a field of one line, or why there is no row."""
    contract = Contract("texts", 1, "a record", (Column("x", pa.string(), "text", "any", nullable=True),))
    records = Records.of(contract, {"format": "ndjson", "fields": f"x = {name}"})
    found = read(records, text if isinstance(text, bytes) else text.encode() + b"\n", own_day=0)
    return found.rows[0]["x"] if found.rows else found.kinds[0]


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ('{"a":"b"}', "b"),
        ('{"a":12345678901234567890}', "12345678901234567890"),
        ('{"a":0.10}', "0.10"),
        ('{"a":1e3}', "1e3"),
        ('{"a":-0}', "-0"),
        ('{"a":1E999}', "1E999"),
        ('{"a":true}', "true"),
        ('{"a":false}', "false"),
        ('{"a":null}', None),
        ('{"a":0}', "0"),
        ('{"b":[-0],"a":0}', "0"),
        ('{"a" :1,"a":2}', "shape"),
        ('{"a":1,"a"  :2}', "shape"),
        ('{"a":1,"b":"\\":","a":2}', "shape"),
        ('{"a":1,"b":"\\":"}', "1"),
        ('{"b":1}', None),
        ('{"a":""}', None),
        ('{"a":"\\u00e4\\n"}', "\u00e4\n"),
        ('{"a":"\\ud83d\\ude00"}', "\U0001f600"),
        (
            '{"a": {"b": [1, 2.50, "x\\"", null, true], "\u00e4": {}}}',
            '{"b":[1,2.50,"x\\"",null,true],"\u00e4":{}}',
        ),
        (' { "a" : "b" } \r', "b"),
        ('{"a":1,"a":1}', "shape"),
        ('{"a":1,"c":{"b":1,"b":2}}', "shape"),
        ('{"a":NaN}', "shape"),
        ('{"a":-Infinity}', "shape"),
        ('{"a":1,}', "shape"),
        ('{"a":01}', "shape"),
        ('{"a":1} {"a":2}', "shape"),
        ("{'a':1}", "shape"),
        ('{"a":"\t"}', "shape"),
        ('{"a":"\\ud800"}', "shape"),
        ('{"a":["\\ud800"]}', "shape"),
        ('{"a":', "shape"),
        ("[1]", "shape"),
        ('"a"', "shape"),
        ("1", "shape"),
        ("null", "shape"),
        (b'{"a":"\xff"}\n', "shape"),
        (b'\xef\xbb\xbf{"a":"b"}\n', "shape"),
        ("[" * 100_000, "shape"),
        ('{"a":' * 100_000 + "1" + "}" * 100_000, "shape"),
        ("", "blank"),
        ("\r", "blank"),
        ('{"a":"' + "b" * (MAX_LINE_BYTES - 9) + '"}', "b" * (MAX_LINE_BYTES - 9)),
        ('{"a":"' + "b" * (MAX_LINE_BYTES - 8) + '"}', "too_long"),
    ],
    ids=lambda text: repr(text[:30]) if text else "",
)
def test_a_field_is_the_text_of_its_value(line, field):
    """Numbers keep their digits; what is no object, or has a key twice, is a reject."""
    assert field_of(line) == field


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ('{"a":{"b":{"c":1}}}', "1"),
        ('{"a.b.c":2,"a":{"b":{"c":1}}}', "2"),
        ('{"a.b.c":null,"a":{"b":{"c":1}}}', None),
        ('{"a":{"b":[1]}}', None),
        ('{"a":{"b":null}}', None),
        ('{"a":1}', None),
        ('{"a.b":{"c":1}}', None),
    ],
)
def test_a_nested_field_is_found_by_its_path(line, field):
    """Dots lead into objects, unless the whole name is a key."""
    assert field_of(line, "a.b.c") == field


@settings(deadline=None)
@given(st.dictionaries(st.text("abc", min_size=1, max_size=2), JSON, max_size=4))
def test_a_field_is_what_json_says(value):
    """A nested value is the JSON of the same; a number is the same to its last digit."""
    if any(isinstance(each, str) and not each for each in value.values()):
        return
    for key, expected in value.items():
        found = field_of(json.dumps(value), key)
        if isinstance(expected, str):
            assert found == expected
        elif expected is None:
            assert found is None
        else:
            assert json.loads(found, parse_float=Decimal) == json.loads(json.dumps(expected), parse_float=Decimal)


VALUES = (
    *("1", "-0", "0", "1.50", "1e3", "-2", "12345678901234567890", "1e999", "-", "01", "NaN", "", "true", "null"),
    *(
        '"x"',
        '":"',
        '"\\":"',
        '" :"',
        '"\\ud800"',
        '"\u00e4"',
        "[1.0,{}]",
        "[]",
        '{"b":1}',
        '{"b":1,"b":2}',
        '{"d":"y"}',
    ),
)
PAIRS = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c", "c.d", "e", '\\":']),
        st.sampled_from([":", ": ", " :", "\t: ", ":  "]),
        st.sampled_from(VALUES),
    ),
    max_size=4,
)
LINES = PAIRS.map(lambda pairs: "{" + ",".join(f'"{key}"{colon}{value}' for key, colon, value in pairs) + "}")


@settings(max_examples=300, deadline=None)
@given(st.lists(LINES, min_size=1, max_size=4))
def test_orjson_is_asked_only_where_it_gives_the_same(lines):
    """Each line has the fields that Python's json gives, whichever of the two reads it; doubles are the same."""
    reader = JsonReader(["a", "b", "c.d", "e"], [False, False, False, True])
    taken = reader.take(array([f"{each}\n".encode() for each in lines], pa.binary()), is_last=True)
    rows = iter(zip(*(each.to_pylist() for each in taken.fields), strict=True))
    found = [[*next(rows)] if kind == A_RECORD else None for kind in taken.kinds]
    expected = [reader.exactly(each) for each in lines]
    for row in (*found, *expected):
        if row and row[3] and re.fullmatch("[-0-9.e]+", row[3]):
            row[3] = repr(float(row[3]))
    assert found == expected


@settings(deadline=None)
@given(st.binary(max_size=40) | st.text(st.sampled_from('{}[]",:.0aeE-\\u\n '), max_size=40).map(str.encode))
def test_whatever_comes_is_a_row_or_a_reject(data):
    """No bytes are an error, and each line is one thing."""
    records = Records.of(texts("a"), {"format": "ndjson"})
    found = read(records, data, own_day=0)
    assert len(found.kinds) == data.count(b"\n") + (not data.endswith(b"\n") and bool(data))


def test_rows_are_in_the_order_of_their_lines():
    """Rejects between rows shift none of them."""
    records = Records.of(texts("a", "b"), {"format": "ndjson"})
    found = read(records, b'{"a":1,"b":"x"}\nx\n\n{"b":2,"a":"y"}\n{"a":1}\n\xff\n', own_day=0)
    assert found.kinds == ["row", "shape", "blank", "row", "missing", "shape"]
    assert found.rows == [{"a": "1", "b": "x"}, {"a": "y", "b": "2"}]
