"""Records become rows of their dataset's day, or rejects with the reason."""

import gzip
import subprocess
import sys
from dataclasses import replace
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from views import DAY, GOOD, HEADER, OF_DAY, VIEWS, Found, found_in, read, views

from etl.lines.batches import ANY_DAY, Days, Ends
from etl.lines.envelopes import Wrapping
from etl.lines.formats import FORMATS
from etl.raw.content import ContentDigest
from etl.raw.files import RawFile
from etl.raw.reading import RawReader
from etl.records import parser as parsers
from etl.records.parser import RecordParser
from etl.records.records import Records
from lake.contracts import contract
from lake.errors import ConfigError, InputError
from lake.partition import days_since_epoch

REPOSITORY = Path(__file__).parents[3]
RECORDS = Records.of(VIEWS, {"format": "csv"})
MOMENT = datetime(2026, 9, 17, 10)
ROW = {"at": MOMENT, "path": "/a", "views": 2, "share": 0.5, "device": "mobile"}
BEFORE, AFTER = GOOD.replace(b"17T", b"16T"), GOOD.replace(b"17T", b"18T")
FIELD = st.sampled_from(
    ["", "x", "/a", "/", "1", "2", "1.5", "mobile", "2026-09-17T10:00:00Z", "2026-09-18T00:00:00Z"]
)
LINE = st.lists(FIELD, min_size=5, max_size=7).map(",".join) | st.sampled_from(
    [
        '"',
        "",
        GOOD.decode().strip(),
        AFTER.decode().strip(),
        HEADER.decode().strip(),
        '2026-09-17T10:00:00Z,/a,2,1,mobile,"x',
    ]
)
FILES = st.lists(LINE, max_size=12).map(lambda lines: HEADER + "".join(f"{line}\n" for line in lines).encode())


def test_a_record_is_a_row():
    """Its columns are typed, and what is personal is not there."""
    found = views(HEADER + GOOD)
    assert found.kinds == ["directive", "row"]
    assert found.rows == [ROW]
    assert found.days == [days_since_epoch(DAY)]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (GOOD.replace(b",2,", b",two,"), "type"),
        (GOOD.replace(b"T10", b"T25"), "type"),
        (GOOD.replace(b",2,", b",,"), "missing"),
        (GOOD.replace(b",2,", b",0,"), "value"),
        (GOOD.replace(b"mobile", b"phone"), "value"),
        (GOOD.replace(b"/a", b"a"), "value"),
        (GOOD.replace(b"/a,2", b"/,1"), "rule"),
        (GOOD.replace(b"0.5", b""), "row"),
        (GOOD.replace(b"/a,2", b"/,x"), "type"),
        (GOOD.replace(b"/a,2", b"a,"), "missing"),
        (GOOD.replace(b"/a,2", b"a,0"), "value"),
        (b"x,y\n", "shape"),
        (b"\n", "blank"),
        (BEFORE, "wrong_day"),
        (BEFORE.replace(b",2,", b",,"), "missing"),
    ],
)
def test_what_is_no_row_has_its_reason(line, reason):
    """The strongest of several counts: type, missing, value, rule."""
    assert views(HEADER + line + GOOD).kinds == ["directive", reason, "row"]


def test_a_record_that_breaks_its_personal_columns_word_is_a_reject():
    """What is not stored is checked all the same."""
    columns = tuple(replace(each, pattern="[a-z]+") if each.personal else each for each in VIEWS.columns)
    records = Records.of(replace(VIEWS, columns=columns), {"format": "csv"})
    found = read(records, HEADER + GOOD + GOOD.replace(b"ann", b"Ann 1"))
    assert found.kinds == ["directive", "row", "value"]
    assert '"reader":"Xxx 9"'.replace("X", "x") in found.masks[2]


@pytest.mark.parametrize(
    ("where", "line", "kind"),
    [
        ("device = mobile", GOOD, "row"),
        ("device = desktop", GOOD, "noise"),
        ("device = desktop, device = mobile", GOOD, "row"),
        ("device = mobile, views = 3", GOOD, "noise"),
        ("device = mobile, views = +02", GOOD, "row"),
        ("at = 2026-09-17 12:00:00+02:00", GOOD, "row"),
        ("reader = ann", GOOD, "row"),
        ("reader = bob", GOOD, "noise"),
        ("reader = bob", GOOD.replace(b"ann", b""), "noise"),
        ("share = 0.50", GOOD, "row"),
        ("device = mobile", GOOD.replace(b"mobile", b"phone"), "noise"),
        ("device = mobile", GOOD.replace(b"mobile", b""), "noise"),
        ("device = mobile", GOOD.replace(b"mobile", b"phone").replace(b",2,", b",x,"), "noise"),
        ("device = mobile", GOOD.replace(b",2,", b",x,"), "type"),
        ("views = 2", GOOD.replace(b",2,", b",x,"), "type"),
        ("views = 2", GOOD.replace(b",2,", b",,"), "missing"),
        ("views = 5000", GOOD.replace(b",2,", b",5000,"), "value"),
        ("device = desktop", BEFORE, "noise"),
    ],
)
def test_records_that_are_not_asked_for_are_noise(where, line, kind):
    """By the values of columns, which may be personal; where that can't be told, a record is a reject."""
    assert views(HEADER + line, where=where).kinds == ["directive", kind]


def test_records_of_other_days_have_no_row():
    """They count as such if the file may hold them, and else as rejects whose day is known."""
    wide = Days(OF_DAY.first - 1, OF_DAY.stop + 1, OF_DAY)
    data = HEADER + BEFORE + GOOD + AFTER + AFTER.replace(b"18T", b"19T") + BEFORE.replace(b",2,", b",x,")
    assert views(data, wide).kinds == ["directive", "elsewhere", "row", "elsewhere", "wrong_day", "type"]
    (batch,) = RecordParser(RECORDS, wide).batches([memoryview(bytearray(data))])
    day = OF_DAY.first
    assert batch.elsewhere_days.tolist() == [day - 1, day + 1]
    of_rejects = {int(n): int(each) for n, each in zip(batch.numbers, batch.other_days, strict=True) if each >= 0}
    assert of_rejects == {5: day - 1}
    assert [int(each) for each in batch.strays if each >= 0] == [day + 2]
    assert set(batch.statuses.tolist()) == {0}
    assert batch.formats is None


def test_the_day_is_that_of_a_field_or_of_the_file():
    """A record without a time is of the day that it names, and without one of the file's."""
    contract = replace(VIEWS, time=None, columns=VIEWS.columns[1:], rules=())
    data = b"day,path,views,share,device,reader\n" + b"".join(
        b"%s,/a,1,,mobile,\n" % each
        for each in (b"2026-09-17", b"20260918", b"2026-09-17T23:30:00-01:00", b"x", b"")
    )
    by_field = Records.of(contract, {"format": "csv", "fields": "dt = day"})
    found = read(by_field, data, Days(OF_DAY.first, OF_DAY.stop + 1, OF_DAY))
    assert found.kinds == ["directive", "row", "elsewhere", "elsewhere", "type", "missing"]
    assert found.masks[4] == '{"path":"/x","views":"1","share":"","device":"mobile","reader":"","dt":"x"}'
    by_file = Records.of(contract, {"format": "csv"})
    assert read(by_file, data, OF_DAY, own_day=OF_DAY.first).kinds == ["directive"] + ["row"] * 5
    with pytest.raises(
        InputError, match="nothing tells the day of a record of page_views: it has no time, fields"
    ):
        read(by_file, data)


def test_a_time_that_may_be_null_and_is_is_missing():
    """A record of no day is in no partition."""
    columns = (replace(VIEWS.columns[0], nullable=True), *VIEWS.columns[1:])
    records = Records.of(replace(VIEWS, columns=columns), {"format": "csv"})
    assert read(records, HEADER + GOOD.replace(b"2026-09-17T10:00:00Z", b"")).kinds == ["directive", "missing"]


def test_times_without_an_offset_are_of_the_declared_zone():
    """The day of a row is that in UTC."""
    data = HEADER + GOOD.replace(b"T10:00:00Z", b" 00:30:00") + GOOD.replace(b"T10:00:00Z", b" 02:30:00")
    assert views(data, timezone="Europe/Berlin").kinds == ["directive", "wrong_day", "row"]
    assert views(data).kinds == ["directive", "row", "row"]


def test_rules_are_told_of_each_row_wherever_it_is():
    """Of many rows, in several threads, each has its own answer."""
    count = 70_000
    data = HEADER + b"".join(GOOD.replace(b"/a,2", b"/,%d" % (1 + (n * n % 7 == 1))) for n in range(count))
    kinds = views(data).kinds
    assert kinds[1:] == ["row" if n * n % 7 == 1 else "rule" for n in range(count)]


@settings(max_examples=50, deadline=None)
@given(FILES, st.data())
def test_lines_are_conserved_however_blocks_are_cut(data, draw):
    """Each line is one thing, whole or in blocks; and what a file was after each day's last line is the same."""
    lines = data.splitlines(keepends=True)
    cuts = sorted(draw.draw(st.sets(st.integers(0, len(lines)), max_size=4)) | {0, len(lines)})
    blocks = [b"".join(lines[begin:end]) for begin, end in pairwise(cuts)]
    wide = Days(OF_DAY.first - 1, OF_DAY.stop + 1, OF_DAY)
    whole = read(RECORDS, data, wide, ends=Ends())
    assert len(whole.kinds) == len(lines)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parsers, "LINES_A_PIECE", draw.draw(st.integers(1, 5)))
        cut = found_in(RecordParser(RECORDS, wide, ends=Ends()), blocks)
    assert replace(cut, ends={}) == replace(whole, ends={})
    VIEWS.validate(pa.Table.from_pylist(whole.rows, VIEWS.schema), DAY)
    assert whole.ends.items() <= cut.ends.items()
    for place, content in cut.ends.items():
        assert content == content_of(b"".join(lines[: place + 1]))


def content_of(data):
    """Return what bytes are."""
    digest = ContentDigest()
    digest.update(memoryview(data))
    return digest.content()


def wrapped(lines):
    """Return lines as a container runtime writes them, the long ones in parts."""
    stamp = b"2026-09-17T10:00:00.0Z stdout "
    parts = [(line[n : n + 10], n + 10 >= len(line)) for line in lines for n in range(0, max(len(line), 1), 10)]
    return [stamp + (b"F " if is_last else b"P ") + part + b"\n" for part, is_last in parts]


@settings(max_examples=20, deadline=None)
@given(FILES, st.data())
def test_envelopes_are_taken_off(data, draw):
    """In an envelope records are the same, and its parts go on; the digests are those of the raw lines."""
    lines = wrapped(data.splitlines())
    cuts = sorted(draw.draw(st.sets(st.integers(0, len(lines)), max_size=3)) | {0, len(lines)})
    blocks = [b"".join(lines[begin:end]) for begin, end in pairwise(cuts) if begin < end]
    wrapping = Wrapping.of(("cri",), FORMATS["json"])
    plain = read(RECORDS, data, OF_DAY)
    found = found_in(RecordParser(RECORDS, OF_DAY, ends=Ends(), wrapping=replace(wrapping, timed=None)), blocks)
    assert len(found.kinds) == len(lines)
    assert found.rows == plain.rows
    assert [each for each in found.kinds if each != "continued"] == [
        each for each in plain.kinds if each != "continued"
    ]
    for place, content in found.ends.items():
        assert content == content_of(b"".join(lines[: place + 1]))


def test_a_file_is_read_from_its_raw_reader(tmp_path):
    """Blocks of a compressed file, in a buffer that is used again, hold the same records."""
    data = HEADER + b"".join(GOOD.replace(b"ann", b'"a\n%d"' % n) for n in range(200_000))
    path = tmp_path / "views.csv.gz"
    path.write_bytes(gzip.compress(data, 1))
    parser = RecordParser(RECORDS, OF_DAY)
    reader = RawReader(RawFile("views", str(path), None), lines_in=parser.lines_in)
    rows = lines = 0
    for batch in parser.batches(reader.blocks()):
        rows, lines = rows + batch.rows.num_rows, lines + batch.lines
    assert (rows, lines, reader.lines) == (200_000, 400_001, 400_001)
    assert parser.plain_lines == 0


def test_no_line_is_no_batch():
    """An empty file has nothing, not even a header."""
    assert read(RECORDS, b"") == Found()
    assert [*RecordParser(RECORDS, ANY_DAY).batches([])] == []


def test_pandas_is_not_imported_to_read_records():
    """It takes longer than a small day: see lake.memory.arrays."""
    code = (
        "import sys; sys.path.append('tests/etl/records'); import views\n"
        "lines = [views.HEADER, views.GOOD, b'x\\n', views.GOOD.replace(b',2,', b',x,')]\n"
        "lines += [views.GOOD.replace(b'a', b'\"b'), views.GOOD.replace(b'ann', b'\"a\\nn\"')]\n"
        "assert len(views.views(b''.join(lines)).rows) == 2\n"
        "assert views.views(b'{\"at\":1}\\n', format='ndjson').kinds == ['type']\n"
        "assert 'pandas' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=REPOSITORY)


@pytest.mark.parametrize(
    ("shape", "data"),
    [("csv", b"path,n\n/a,1\n/b,2\n"), ("ndjson", b'{"path":"/a","n":1}\n{"path":"/b","n":2}\n')],
)
def test_a_column_that_no_field_has_is_null(shape, data):
    """If luigi.cfg says so, and the column may be NULL."""
    made = contract("page_views")
    found = Records.of(made, {"format": shape, "fields": "application = n, views = n, visitors = -"})
    (batch,) = RecordParser(found, ANY_DAY, own_day=0).batches([memoryview(bytearray(data))])
    assert batch.rows["visitors"].to_pylist() == [None, None]
    assert batch.rows["views"].to_pylist() == [1, 2]
    with pytest.raises(ConfigError, match="page_views needs views"):
        Records.of(made, {"format": shape, "fields": "views = -"})


def test_fields_that_no_record_of_a_day_has_are_told():
    """Of columns that may be NULL: a key that is there and null is one, and rejects have none."""
    columns = tuple(replace(each, personal=False) for each in VIEWS.columns)
    records = Records.of(replace(VIEWS, columns=columns), {"format": "ndjson", "fields": "reader = who.name"})
    of_both = '{"at":"2026-09-%dT10:00:00Z","path":"/a","views":2,"device":"mobile"%s}\n'
    lines = [of_both % each for each in ((17, ""), (18, ',"share":null'), (18, ',"who":{}'), (18, ',"who":1'))]
    data = "".join([*lines, of_both.replace("/a", "a") % (17, ',"share":1,"who":{"name":"ann"}')]).encode()
    days = Days(OF_DAY.first, OF_DAY.stop + 1)
    (batch,) = RecordParser(records, days).batches([memoryview(bytearray(data))])
    assert batch.days_of_fields == {"share": {OF_DAY.first + 1}, "reader": set()}
    data = data.replace(b"{}", b'{"name":null}')
    (batch,) = RecordParser(records, days).batches([memoryview(bytearray(data))])
    assert batch.days_of_fields == {"share": {OF_DAY.first + 1}, "reader": {OF_DAY.first + 1}}
    (batch,) = RecordParser(RECORDS, days).batches([memoryview(bytearray(HEADER + GOOD))])
    assert batch.days_of_fields == {}
