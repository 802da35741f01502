"""Rows of Parquet files are records: each value is read exactly, or is a reject, or its column is refused."""

import hashlib
import io
import math
from contextlib import closing
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import chain

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from s3_servers import client, make_bucket
from views import GOOD, HEADER, OF_DAY, VIEWS, found_in, texts, views

from etl.lines.batches import ANY_DAY
from etl.raw.fetched import Fetched
from etl.raw.files import FilePattern, RawFile
from etl.raw.reading import RawReader
from etl.raw.recorded import begins_with
from etl.records import parquet_rows
from etl.records.parquet_rows import ParquetTable
from etl.records.parser import RecordParser
from etl.records.records import Records
from lake.contract import Column, Contract
from lake.errors import InputError

NOON = datetime(2026, 9, 17, 12, 0, 0, 120000)


def file_of(path, table, **how):
    """Write a table, and return it as a raw file."""
    pq.write_table(table, path, **how)
    return RawFile(path.name, str(path), None, table=ParquetTable())


def found_of(file, records, days=ANY_DAY):
    """Return what a file's rows are."""
    reader = RawReader(file)
    with closing(reader.blocks()) as blocks:
        found = found_in(RecordParser(records, days, name=file.name, own_day=0), map(bytes, blocks))
    assert reader.lines == len(found.kinds)
    return found


def value_of(tmp_path, column, kind, **values):
    """Return what a column of one value becomes in one of a type, or why there is no row."""
    contract = Contract("things", 1, "a thing", (Column("x", kind, "1", "it", nullable=True),))
    records = Records.of(contract, {"format": "parquet"} | values)
    found = found_of(file_of(tmp_path / "x.parquet", pa.table({"x": column})), records)
    return found.rows[0]["x"] if found.rows else found.kinds[0]


def array(value, kind):
    """Return one value as an array."""
    return pa.array([value], kind)


@pytest.mark.parametrize(
    ("column", "kind", "expected"),
    [
        (array(255, pa.uint8()), pa.int64(), 255),
        (array(-(2**63), pa.int64()), pa.int64(), -(2**63)),
        (array(2**64 - 1, pa.uint64()), pa.int64(), "type"),
        (array(300, pa.int16()), pa.int8(), "type"),
        (array(12.0, pa.float64()), pa.int64(), 12),
        (array(12.5, pa.float64()), pa.int64(), "type"),
        (array(2.0**53, pa.float64()), pa.int64(), 2**53),
        (array(2.0**54, pa.float64()), pa.int64(), "type"),
        (array(math.nan, pa.float64()), pa.int64(), "type"),
        (array(math.nan, pa.float64()), pa.float64(), "type"),
        (array(0.1, pa.float32()), pa.float64(), 0.10000000149011612),
        (array(1.5, pa.float16()), pa.float64(), 1.5),
        (array(2.0**60, pa.float64()), pa.float64(), 2.0**60),
        (array(7, pa.int32()), pa.float64(), 7.0),
        (array(Decimal("0.000000001"), pa.decimal128(20, 10)), pa.decimal128(20, 9), Decimal("0.000000001")),
        (array(Decimal("12.50"), pa.decimal256(50, 2)), pa.decimal128(9, 1), Decimal("12.5")),
        (array(Decimal("12.55"), pa.decimal128(9, 2)), pa.decimal128(9, 1), "type"),
        (array(12.34, pa.float64()), pa.decimal128(9, 2), Decimal("12.34")),
        (array("1.0", pa.string()), pa.int64(), "type"),
        (array("12", pa.large_string()), pa.int64(), 12),
        (array("12", pa.string()).dictionary_encode(), pa.int64(), 12),
        (array(None, pa.string()).dictionary_encode(), pa.int64(), None),
        (array(None, pa.null()), pa.int64(), None),
        (array("", pa.string()), pa.string(), None),
        (array("tab\tline\nreturn\r\x1b\x1en\\N", pa.string()), pa.string(), "tab\tline\nreturn\r\x1b\x1en\\N"),
        (array("\x1bN", pa.string()), pa.string(), "\x1bN"),
        (array("\x1bE", pa.string()), pa.string(), "\x1bE"),
        (array(12, pa.int64()), pa.string(), "12"),
        (array(value=True, kind=pa.bool_()), pa.bool_(), True),
        (array(1, pa.int8()), pa.bool_(), True),
        (array(2, pa.int8()), pa.bool_(), "type"),
        (array("False", pa.string()), pa.bool_(), False),
        (array(date(2026, 9, 17), pa.date32()), pa.date32(), date(2026, 9, 17)),
        (array(date(2026, 9, 17), pa.date64()), pa.date32(), date(2026, 9, 17)),
        (array(20260917, pa.int32()), pa.date32(), date(2026, 9, 17)),
        (array(datetime(2026, 9, 17), pa.timestamp("ns")), pa.date32(), date(2026, 9, 17)),
        (array(NOON, pa.timestamp("us")), pa.date32(), "type"),
        (array(date(2026, 9, 17), pa.date32()), pa.string(), "2026-09-17"),
        (array(time(10, 5), pa.time32("s")), pa.string(), "10:05:00.000"),
        (array(NOON, pa.timestamp("us")), pa.timestamp("us"), NOON),
        (array(NOON, pa.timestamp("ms")), pa.timestamp("us"), NOON),
        (array(NOON.replace(microsecond=0), pa.timestamp("s")), pa.timestamp("us"), NOON.replace(microsecond=0)),
        (array(1_789_646_400_120_000_000, pa.timestamp("ns")), pa.timestamp("us"), NOON),
        (array(1_789_646_400_120_000_001, pa.timestamp("ns")), pa.timestamp("us"), "type"),
        (array(-1, pa.timestamp("ns")), pa.timestamp("us"), "type"),
        (array(-1000, pa.timestamp("ns")), pa.timestamp("us"), datetime(1969, 12, 31, 23, 59, 59, 999999)),
        (array(NOON.replace(tzinfo=UTC), pa.timestamp("ms", "Asia/Tokyo")), pa.timestamp("us"), NOON),
        (array(2**62, pa.timestamp("ms")), pa.timestamp("us"), "type"),
        (array(-(2**62), pa.timestamp("us")), pa.timestamp("us"), "type"),
    ],
)
def test_a_value_is_what_it_was_or_a_reject(tmp_path, column, kind, expected):
    """Nothing is rounded, cut or taken for something like it."""
    assert value_of(tmp_path, column, kind) == expected


def test_times_without_a_zone_are_of_the_declared_one(tmp_path):
    """As those in texts are; those with a zone are what they are."""
    there = {"timezone": "Europe/Berlin"}
    two_hours_before = NOON - timedelta(hours=2)
    assert value_of(tmp_path, array(NOON, pa.timestamp("us")), pa.timestamp("us"), **there) == two_hours_before
    of_zone = array(NOON.replace(tzinfo=UTC), pa.timestamp("us", "UTC"))
    assert value_of(tmp_path, of_zone, pa.timestamp("us"), **there) == NOON


@pytest.mark.parametrize(
    ("column", "kind", "said"),
    [
        (array([1], pa.list_(pa.int64())), pa.string(), "holds lists, maps, bytes or spans of time, from which x"),
        (array(b"a", pa.binary()), pa.string(), "lists, maps, bytes"),
        (array([("a", 1)], pa.map_(pa.string(), pa.int64())), pa.string(), "lists, maps"),
        (array(timedelta(1), pa.duration("s")), pa.int64(), "spans of time"),
        (
            array(value=True, kind=pa.bool_()),
            pa.int64(),
            r"holds true or false, from which x \(int64\) is never read",
        ),
        (array(date(2026, 9, 17), pa.date32()), pa.timestamp("us"), "holds days, from which"),
        (array(time(1), pa.time64("us")), pa.timestamp("us"), "holds times of day"),
        (array(NOON.replace(tzinfo=UTC), pa.timestamp("us", "UTC")), pa.date32(), "holds times, from which"),
        (array(1, pa.int64()), pa.timestamp("us"), "holds numbers"),
    ],
)
def test_a_column_that_never_fits_is_refused(tmp_path, column, kind, said):
    """The message names file, column and types, and the next step."""
    with pytest.raises(InputError, match=said) as refusal:
        value_of(tmp_path, column, kind)
    assert "x.parquet: the column 'x' holds" in str(refusal.value)
    assert "Correct fields, say x = - there if it may be NULL, or bring the column as another type." in str(
        refusal.value
    )


def test_fields_are_found_in_structs_and_must_be_there(tmp_path):
    """Dots lead into structs, a NULL of which is one of each; columns that no field names may be of any type."""
    table = pa.table(
        {
            "who": pa.array([{"name": "ann", "at": {"x": 1}}, {"name": None, "at": None}, None]),
            "more": pa.array([[{"a": b"\xff"}], [], None]),
            "bytes": pa.array([b"\xff", b"\n", None]),
        }
    )
    records = Records.of(texts("a"), {"format": "parquet", "fields": "a = who.name"})
    file = file_of(tmp_path / "x.parquet", table)
    found = found_of(file, records)
    assert (found.kinds, found.rows) == (["row", "missing", "missing"], [{"a": "ann"}])
    with pytest.raises(InputError, match=r"the table lacks the field: 'who'. It has: 'who\.name', 'who\.at\.x'"):
        found_of(file, Records.of(texts("a"), {"format": "parquet", "fields": "a = who"}))
    twice = file_of(tmp_path / "y.parquet", pa.table([array("a", pa.string())] * 2, ["a", "a"]))
    with pytest.raises(InputError, match="the table has the field more than once: 'a'"):
        found_of(twice, Records.of(texts("a"), {"format": "parquet"}))


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (array(date(2026, 9, 17), pa.date32()), 0),
        (array(20260917, pa.int64()), 0),
        (array("20260917", pa.string()), 0),
        (array(NOON.replace(tzinfo=UTC), pa.timestamp("us", "UTC")), 0),
        (array(NOON.replace(hour=1), pa.timestamp("us")), -1),
        (array(2026, pa.int64()), "type"),
        (array(None, pa.date32()), "missing"),
        (array([1], pa.list_(pa.int64())), None),
        (array(value=True, kind=pa.bool_()), None),
    ],
)
def test_the_day_may_be_a_date_or_a_time(tmp_path, column, expected):
    """A time without a zone is of the declared one, and its day that in UTC."""
    records = Records.of(texts("a"), {"format": "parquet", "fields": "dt = day", "timezone": "Europe/Berlin"})
    file = file_of(tmp_path / "x.parquet", pa.table({"a": ["x"], "day": column}))
    if expected is None:
        with pytest.raises(InputError, match=r"the column 'day' holds .*, from which the day of a record is"):
            found_of(file, records)
        return
    found = found_of(file, records)
    assert (found.days[0] - OF_DAY.first if found.rows else found.kinds[0]) == expected


def test_rows_become_what_lines_become(tmp_path):
    """Rejects have the same reasons and are masked alike, and a row's number is its line's."""
    lines = [
        GOOD,
        *(
            GOOD.replace(*each)
            for each in (
                (b",2,", b",x,"),
                (b",2,", b",,"),
                (b",2,", b",2000,"),
                (b"/a,2", b"/,1"),
                (b"17T", b"19T"),
                (b"mobile", b"tv"),
            )
        ),
    ]
    names = HEADER.decode().strip().split(",")
    fields = [[each or None for each in line.decode().strip().split(",")] for line in lines]
    table = pa.table(
        {name: pa.array(column) for name, column in zip(names, zip(*fields, strict=True), strict=True)}
    )
    records = Records.of(VIEWS, {"format": "parquet"})
    found = found_of(file_of(tmp_path / "x.parquet", table), records, OF_DAY)
    of_lines = views(HEADER + b"".join(lines))
    assert found.kinds == of_lines.kinds[1:] == ["row", "type", "missing", "value", "rule", "wrong_day", "value"]
    assert found.rows == of_lines.rows
    for place, mask in found.masks.items():
        assert mask.replace("null", '""') == of_lines.masks[place + 1]


def test_texts_that_are_not_utf_8_are_rejects(tmp_path):
    """Writers say that they are; only fields that are read matter, and what is kept is printable."""
    bad = pa.array([b"a", b"\xff\t\x1b", b""], pa.binary()).view(pa.string())
    table = pa.table({"a": bad, "b": bad})
    file = file_of(tmp_path / "x.parquet", table)
    records = Records.of(Contract("t", 1, "r", (Column("a", pa.string(), "text", "any"),)), {"format": "parquet"})
    found = found_of(file, records)
    assert found.kinds == ["row", "shape", "row"]
    assert found.masks[1].isprintable()
    assert found_of(file, Records.of(texts("c"), {"format": "parquet", "fields": "c = b"})).kinds[0] == "row"
    alone = file_of(tmp_path / "y.parquet", table.select(["a"]))
    assert found_of(alone, records).rows == [{"a": "a"}, {"a": ""}]


@pytest.mark.parametrize("how", [{}, {"row_group_size": 7, "compression": "zstd"}, {"use_dictionary": False}])
def test_what_a_file_is_goes_by_its_rows(tmp_path, monkeypatch, how):
    """However it is written; and one with more rows at its end is the same, grown."""
    monkeypatch.setattr(parquet_rows, "MOST_ROWS", 5)
    table = pa.table({"a": [f"{n}" for n in range(20)], "b": [None if n % 3 else n / 2 for n in range(20)]})
    first = RawReader(file_of(tmp_path / "x.parquet", table.slice(0, 13)))
    whole = RawReader(file_of(tmp_path / "y.parquet", table, **how))
    other = file_of(tmp_path / "z.parquet", table.slice(1))
    for reader in (first, whole):
        assert sum(map(len, reader.blocks())) == reader.content.bytes
    assert (first.lines, whole.lines) == (13, 20)
    assert begins_with(whole.file, first.input())
    assert not begins_with(other, first.input())
    assert not begins_with(first.file, whole.input())
    assert whole.input().bytes == (tmp_path / "y.parquet").stat().st_size


def test_a_file_on_s3_is_read_as_one_on_disk(tmp_path, moto_url, monkeypatch):
    """By its own request, or fetched ahead with others."""
    file_of(tmp_path / "x.parquet", pa.table({"a": ["x", "y"]}))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    make_bucket(moto_url, "tables")
    for name in ("x", "y"):
        body = (tmp_path / "x.parquet").read_bytes()
        client(moto_url).put_object(Bucket="tables", Key=f"2026/{name}.parquet", Body=body)
    pattern = FilePattern("s3://tables/*/*.parquet", tmp_path, moto_url, table=ParquetTable())
    files = pattern.find(None)
    with Fetched(files, moto_url) as fetched:
        readers = [
            RawReader(files[0], moto_url),
            *(RawReader(each, moto_url, fetched=fetched) for each in files),
        ]
        for reader in readers:
            assert b"".join(map(bytes, reader.blocks())) == b"a\x1bs\x1ex\ny\n"
            assert reader.input().sha256 == hashlib.sha256(body).hexdigest()


def test_damage_is_a_failure_that_names_the_file(tmp_path):
    """Be it cut off, or damaged within; nothing of it is a reject."""
    table = pa.table({"a": [f"{n}" for n in range(40_000)]})
    path = tmp_path / "x.parquet"
    file = file_of(path, table, row_group_size=20_000, write_page_checksum=True, compression="none")
    data = path.read_bytes()
    records = Records.of(texts("a"), {"format": "parquet"})
    for damaged in (data[:-9], data[: len(data) // 2], data[:-4] + b"PAR2", data[:8]):
        path.write_bytes(damaged)
        with pytest.raises(
            InputError, match=r"x\.parquet: the Parquet file is cut off or damaged after line 0 \("
        ):
            found_of(file, records)
    count = b"\x16\x80\xf1\x04"  # of all rows, as Thrift writes it
    assert data.count(count) == 1
    path.write_bytes(data.replace(count, b"\x16\x82\xf1\x04"))
    with pytest.raises(InputError, match=r"after line 40,000 \(its footer says that it has 40,001 rows\)"):
        found_of(file, records)
    at = data.index(b"35000")
    path.write_bytes(data[:at] + b"35001" + data[at + 5 :])
    with pytest.raises(InputError, match=r"damaged after line 20,000 \(.*Copy the file again, then run again"):
        found_of(file, records)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"\x1f\x8b", "x is no Parquet file, as format says. Bring it as one"),
        (b'{"a":1}\n', "x is no Parquet file"),
        (b"PARE", "x is an encrypted Parquet file"),
    ],
)
def test_other_files_are_refused(tmp_path, data, said):
    """What they should be is said; one without a byte has no rows, as with logs."""
    path = tmp_path / "x"
    path.write_bytes(data)
    file = RawFile("x", str(path), None, table=ParquetTable())
    with pytest.raises(InputError, match=said):
        found_of(file, Records.of(texts("a"), {"format": "parquet"}))
    path.write_bytes(b"")
    assert found_of(file, Records.of(texts("a"), {"format": "parquet"})).kinds == []


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.none()
            | st.text(st.characters(codec="utf-8"), max_size=6)
            | st.text("\x1b\x1e\t\n\rNEnrtse", max_size=4),
            st.none() | st.floats(allow_nan=False, allow_infinity=False),
            st.none() | st.integers(-(2**63), 2**63 - 1),
        ),
        min_size=1,
        max_size=8,
    )
)
def test_all_values_come_back(rows):
    """Any text, any double and any whole number."""
    columns = [
        pa.array(each, kind)
        for each, kind in zip(zip(*rows, strict=True), (pa.string(), pa.float64(), pa.int64()), strict=True)
    ]
    file = io.BytesIO()
    pq.write_table(pa.table(columns, ["a", "b", "c"]), file)
    file.seek(0)
    contract = Contract(
        "t",
        1,
        "r",
        tuple(
            Column(name, each.type, "1", "it", nullable=True) for name, each in zip("abc", columns, strict=True)
        ),
    )
    parser = RecordParser(Records.of(contract, {"format": "parquet"}), ANY_DAY, own_day=0)
    data = b"".join(ParquetTable().lines(file))
    found = found_in(parser, [data])
    assert [tuple(each.values()) for each in found.rows] == [(a or None, b, c) for a, b, c in rows]


def test_large_batches_are_written_in_parts(monkeypatch):
    """What an array holds is not exceeded; the lines are the same."""
    columns = [pa.array([b"%d" % n for n in range(9)], pa.binary()) for _ in range(2)]
    whole = parquet_rows.table_lines.rows(columns)
    monkeypatch.setattr(parquet_rows.table_lines, "MOST_BYTES", 1)
    assert parquet_rows.table_lines.rows(columns) == whole
    assert [*chain.from_iterable(each.split(b"\t") for each in whole.splitlines())] == [
        b"%d" % (n // 2) for n in range(18)
    ]
