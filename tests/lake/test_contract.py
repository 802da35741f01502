"""What a contract refuses, and what the message says."""

from dataclasses import replace
from datetime import datetime

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lake import contract
from lake.contract import Column, Contract, Rule
from lake.errors import ConfigError, ContractViolation

MIDNIGHT = datetime(2015, 5, 17)


@pytest.mark.parametrize(
    "last",
    [
        {},
        {"at": MIDNIGHT},
        {"at": MIDNIGHT.replace(hour=23, minute=59, second=59, microsecond=999_999)},
        {"share": None, "kind": None},
        {"share": 1.0, "hits": 1000},
    ],
)
def test_good_rows_pass(readings, rows, day, last):
    """Rows at the limits of what is allowed are accepted."""
    readings.validate(rows(**last), day)


def test_no_rows_pass(readings, day):
    """A day without rows breaks nothing."""
    readings.validate(readings.schema.empty_table(), day)


@pytest.mark.parametrize(
    ("last", "message"),
    [
        ({"hits": None}, "hits is NULL in 1 rows, it may not be"),
        ({"at": None}, "at is NULL in 1 rows"),
        ({"share": -0.001}, "share is -0.001 in 1 rows, expected >= 0"),
        ({"share": float("nan")}, "share is nan in 1 rows, expected >= 0"),
        ({"share": float("inf")}, "share is inf in 1 rows, expected <= 1"),
        ({"total": 1001}, "total is 1001 in 1 rows, expected <= 1000"),
        ({"kind": "hot"}, "kind is 'hot' in 1 rows, expected one of ('warm', 'cold')"),
        ({"kind": ""}, "kind is '' in 1 rows, expected one of"),
        ({"name": "a b"}, "name is 'a b' in 1 rows, expected like [a-z]+|x[0-9]+"),
        ({"name": "ab\n"}, r"name is 'ab\n' in 1 rows, expected like"),
        ({"name": "ab!x1"}, "name is 'ab!x1' in 1 rows, expected like"),
        ({"at": MIDNIGHT.replace(day=18)}, "at reaches from 2015-05-17 12:00:00 to 2015-05-18"),
        ({"at": MIDNIGHT.replace(day=16, hour=23)}, "at reaches from 2015-05-16 23:00:00 to 2015-05-17"),
        ({"hits": 500, "total": 499}, "1 rows break hits <= total (a hit is a trial)"),
        ({"name": "x0"}, "1 keys occur twice, such as {'name': 'x0', 'count_all': 2}"),
    ],
)
def test_bad_rows_are_refused(readings, rows, day, last, message):
    """One bad value among good ones is refused, naming dataset, day, column, value and expectation."""
    with pytest.raises(ContractViolation) as refusal:
        readings.validate(rows(3, **last), day)
    assert str(refusal.value).startswith("readings v2 2015-05-17: ")
    assert message in str(refusal.value)
    assert "Nothing was published" in str(refusal.value)


def test_a_rule_without_an_answer_is_broken(readings, rows, day):
    """A rule that is NULL for a row does not hold for it."""
    known = replace(readings, rules=(Rule("share >= 0", "it is known"),))
    with pytest.raises(ContractViolation, match=r"1 rows break share >= 0 \(it is known\)"):
        known.validate(rows(3, share=None, name="y").slice(1), day)


def cast(table, name, to, *, nullable=False):
    """Return the table with one column of another type."""
    at = table.schema.get_field_index(name)
    return table.set_column(at, pa.field(name, to, nullable=nullable), table[name].cast(to))


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t.drop_columns("share"),
        lambda t: t.append_column("more", pa.nulls(t.num_rows)),
        lambda t: t.select(sorted(t.column_names)),
        lambda t: t.rename_columns(["AT", *t.column_names[1:]]),
        lambda t: cast(t, "hits", pa.int32()),
        lambda t: cast(t, "at", pa.timestamp("us", "UTC")),
        lambda t: cast(t, "hits", pa.int64(), nullable=True),
    ],
    ids=["missing", "extra", "order", "name", "type", "zone", "nullable"],
)
def test_another_schema_is_refused(readings, rows, day, change):
    """Columns, their order, types and nullability must be the contract's, even where the values fit."""
    with pytest.raises(ContractViolation, match=r"readings v2 2015-05-17: the schema is\n") as refusal:
        readings.validate(change(rows()), day)
    assert "hits: int64 not null" in str(refusal.value).partition("should be")[2]


@pytest.mark.parametrize(
    ("pattern", "text", "allowed"),
    [(None, "any\n", True), ("[a-z]+|x1", "abc", True), ("a|x1", "x1", True), ("[a-z]+", "abc\n", False)],
)
def test_a_column_tells_what_it_allows(pattern, text, allowed):
    """A text is allowed if the pattern matches the whole of it."""
    assert Column("a", pa.string(), "1", "m", pattern=pattern).allows(text) is allowed


def encoded(table, *names):
    """Return the table with columns dictionary-encoded."""
    for name in names:
        at = table.schema.get_field_index(name)
        column = table[name].dictionary_encode()
        table = table.set_column(at, table.schema.field(at).with_type(column.type), column)
    return table


def test_encoded_texts_are_checked_by_their_values(readings, rows, day):
    """Each value once, however many rows have it; good ones pass."""
    readings.validate(encoded(rows(5), "name", "kind"), day)
    with pytest.raises(ContractViolation, match=r"kind is 'hot' in 1 values, expected one of \('warm', 'cold'\)"):
        readings.validate(encoded(rows(5, kind="hot"), "name", "kind"), day)
    with pytest.raises(ContractViolation, match="name is 'a b' in 1 values, expected like"):
        readings.validate(encoded(rows(5, name="a b"), "name"), day)


def test_a_column_may_be_null_all_through(readings, rows, day):
    """Whatever its rules are, encoded or not; and if it may not be NULL, all are counted."""
    table = rows(4)
    for name in ("kind", "share"):
        at = table.schema.get_field_index(name)
        table = table.set_column(at, table.schema.field(at), pa.nulls(4, table.schema.field(at).type))
    readings.validate(table, day)
    readings.validate(encoded(table, "kind"), day)
    at = table.schema.get_field_index("hits")
    table = table.set_column(at, table.schema.field(at), pa.nulls(4, pa.int64()))
    with pytest.raises(ContractViolation, match="hits is NULL in 4 rows"):
        readings.validate(table, day)


def test_bad_values_are_counted(readings, rows, day):
    """All of them, and the first is shown; NULL is not one of them."""
    table = pa.concat_tables([rows(2, share=9.0), rows(2, share=None, name="y"), rows(2, share=8.0, name="z")])
    with pytest.raises(ContractViolation, match=r"share is 9\.0 in 2 rows, expected <= 1"):
        readings.validate(table, day)


def test_a_rule_counts_its_rows(readings, rows, day):
    """The first rule that is broken is named."""
    ruled = replace(
        readings, rules=(Rule("hits >= 0", "always"), Rule("hits < 1", "none"), Rule("false", "never"))
    )
    with pytest.raises(ContractViolation, match=r": 2 rows break hits < 1 \(none\)\. Nothing"):
        ruled.validate(rows(3), day)


def test_a_judged_query_keeps_its_order(readings):
    """Each row says whether it keeps all rules, NULL being no; without rules, each does."""
    query = "select hits from (values (3), (null), (0), (7)) as t(hits) order by hits desc nulls last"
    ruled = replace(readings, rules=(Rule("hits > 0", "some"), Rule("hits < 7", "few")))
    kept = [(7, False), (3, True), (0, False), (None, False)]
    assert duckdb.sql(ruled.judged(query)).fetchall() == kept
    assert duckdb.sql(replace(readings, rules=()).judged(query)).fetchall() == [(hits, True) for hits, _ in kept]


def test_rules_that_hold_are_not_asked_again(readings, rows, day):
    """All else is."""
    ruled = replace(readings, rules=(Rule("false", "never"),))
    ruled.validate(rows(3), day, rules_hold=True)
    with pytest.raises(ContractViolation, match="share"):
        ruled.validate(rows(3, share=9.0), day, rules_hold=True)


@pytest.mark.parametrize("count", [contract.FEW_VALUES, contract.FEW_VALUES + 1])
def test_a_pattern_holds_for_few_and_many_values(count, day):
    """NULL is none of them, and the last one is looked at, too."""
    column = Column("name", pa.string(), "1", "A name", nullable=True, pattern="[a-z]+[0-9]*")
    named = Contract("named", 1, "a row", (column,))
    names = [None, *(f"name{n}" for n in range(count - 1))]
    named.validate(pa.table([names], named.schema), day)
    with pytest.raises(ContractViolation, match=r"name is 'N\\n' in 1 rows, expected like"):
        named.validate(pa.table([[*names[:-1], "N\n"]], named.schema), day)


def test_a_contract_without_rules_takes_what_fits_its_schema(day):
    """No key, no time, no rule: rows may be alike, and of any day; and no database is opened for it."""
    plain = Contract("plain", 1, "a row", (Column("at", pa.timestamp("us"), "UTC", "When"),))
    plain.validate(pa.table({"at": [MIDNIGHT.replace(year=1970)] * 2}, plain.schema), day)
    assert (plain.inputs, plain.per_source, plain.counts, plain.has_grown) == ((), False, None, False)


def test_a_column_has_no_rule_of_its_own_accord():
    """It may not be NULL, and was there from the first file on; all else is said."""
    column = Column("a", pa.string(), "1", "m")
    assert not column.nullable
    assert not column.added
    assert (column.minimum, column.maximum, column.values, column.pattern) == (None, None, (), None)


def test_a_contract_has_grown_if_a_column_came_later(readings):
    """One is enough."""
    later = Column("more", pa.string(), "1", "m", nullable=True, added=True)
    assert not readings.has_grown
    assert replace(readings, columns=(*readings.columns, later)).has_grown


def test_keys_that_occur_twice_are_counted(readings, rows, day):
    """Each once; a key of several columns is one only if all are the same."""
    with pytest.raises(ContractViolation, match="2 keys occur twice"):
        readings.validate_key(pa.concat_tables([rows(3), rows(2)]), day)
    replace(readings, key=("name", "hits")).validate_key(
        pa.concat_tables([rows(3), rows(3, hits=7).slice(2)]), day
    )
    replace(readings, key=()).validate_key(pa.concat_tables([rows(3), rows(3)]), day)


KEYS = {
    "text": (pa.string(), st.none() | st.sampled_from(["", "a", "b"])),
    "encoded": (pa.string(), st.none() | st.sampled_from(["a", "b"])),
    "small": (pa.int16(), st.sampled_from([-(2**15), 0, 2**15 - 1])),
    "large": (pa.int64(), st.sampled_from([-(2**63), 0, 1, 2**63 - 1])),
    "gaps": (pa.int64(), st.none() | st.integers(0, 2)),
    "reach": (pa.int64(), st.sampled_from([0, 1, 2**31 - 1])),
    "twin": (pa.int64(), st.sampled_from([0, 1, 2**31 - 1])),
}


@settings(deadline=None)
@given(st.data())
def test_rows_with_the_same_key_are_found(day, data):
    """Whatever a key is made of, two rows share it if and only if all of its values are the same, NULL too."""
    names = data.draw(st.lists(st.sampled_from(list(KEYS)), min_size=1, unique=True))
    found = data.draw(st.lists(st.tuples(*(KEYS[name][1] for name in names)), max_size=12))
    columns = [
        pa.array(values, KEYS[name][0]) for name, values in zip(names, zip(*found, strict=True), strict=False)
    ]
    table = pa.table(columns or [pa.array([], KEYS[name][0]) for name in names], names)
    if "encoded" in names:  # by a dictionary that has a value twice
        places = [
            None if each is None else "aba".index(each, data.draw(st.integers(0, 1)) if each == "a" else 0)
            for each in table["encoded"].to_pylist()
        ]
        twice = pa.DictionaryArray.from_arrays(pa.array(places, pa.int32()), pa.array(["a", "b", "a"]))
        table = table.set_column(names.index("encoded"), "encoded", twice)
    keyed = Contract("keyed", 1, "a row", (), key=tuple(names))
    if len(set(found)) == len(found):
        keyed.validate_key(table, day)
    else:
        with pytest.raises(ContractViolation, match="keys occur twice"):
            keyed.validate_key(table, day)


def test_rows_that_differ_in_their_encoding_alone_share_a_key(day):
    """A dictionary may have a value twice: the rows are the same all the same."""
    places = pa.array([0, 2, 1], pa.int32())
    table = pa.table({"encoded": pa.DictionaryArray.from_arrays(places, pa.array(["a", "b", "a"]))})
    keyed = Contract("keyed", 1, "a row", (), key=("encoded",))
    with pytest.raises(ContractViolation, match="1 keys occur twice"):
        keyed.validate_key(table, day)


@pytest.mark.parametrize(
    ("pattern", "bad"), [("[ -~]*", "\x7f"), ("[ -~]*", "\x1f"), ("[!-~]+", " "), ("[!-~]+", "")]
)
@pytest.mark.parametrize("place", [None, 0, 1, 5])
@pytest.mark.parametrize("nullable", [False, True])
def test_texts_of_printable_ascii_are_checked_in_every_chunk_and_slice(pattern, bad, place, nullable):
    """One bad text is found wherever it is, and those outside a slice play no part; nor does NULL."""
    texts = ["outside \x01", "!", "~", "x" * 300, "a", "b", "c", "outside \x80"]
    if place is not None:
        texts[1 + place] = bad
    elif nullable:
        texts[3] = None
    parts = pa.array(texts).slice(1, 6)
    made = pa.chunked_array([parts.slice(0, 3), parts.slice(3, 0), parts.slice(3)])
    contract = Contract("c", 1, "g", (Column("a", pa.string(), "1", "m", nullable, pattern=pattern),))
    for column in (made, made.dictionary_encode()):
        table = pa.Table.from_arrays([column], schema=pa.schema([pa.field("a", column.type, nullable)]))
        if place is None:
            contract.validate(table, MIDNIGHT)
        else:
            with pytest.raises(ContractViolation, match=r"in (1 rows|2 values), expected like"):
                contract.validate(table, MIDNIGHT)


PERSONAL = Column("reader", pa.string(), "name", "Who read it", pattern="[a-z]+", personal=True)


def test_a_personal_column_is_never_stored(readings, rows, day):
    """It is in no file's schema, and rows without it are whole."""
    with_it = replace(readings, columns=(PERSONAL, *readings.columns))
    assert with_it.schema.equals(readings.schema)
    assert with_it.stored == readings.columns
    assert not replace(readings, columns=(replace(PERSONAL, added=True), *readings.columns)).has_grown
    with_it.validate(rows(), day)


@pytest.mark.parametrize(
    "needs",
    [{"key": ("reader",)}, {"time": "reader"}, {"counts": "reader"}, {"rules": (Rule("reader > ''", "so"),)}],
)
def test_what_is_stored_needs_no_personal_column(readings, needs):
    """A contract whose key, time, counts or rules need one is refused when it is made."""
    with pytest.raises(
        ConfigError, match="the contract of readings: reader is personal, so it is never stored, and"
    ):
        replace(readings, columns=(PERSONAL, *readings.columns), **needs)
