"""CSV is read as Python's csv module reads it, and damaged CSV loses no line but those that are damaged."""

import csv
import io
import time
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from views import Found, found_in, read, texts

from etl.kernel.layout import MAX_LINE_BYTES
from etl.lines.batches import ANY_DAY
from etl.records import parser as parsers
from etl.records.parser import RecordParser
from etl.records.records import Records
from lake.errors import InputError

FIELD = st.text(st.sampled_from("ab,;\t \"'\r\n\x00\x1e\ufeff\xe4\u20ac\U0001f600"), max_size=6)
PIECE = st.sampled_from(
    [b"a", b'"', b'""', b",", b"\n", b"\r", b"\r\n", b'","', b'",\n', b'a"b,"', b"\xe4", b"x,y\n"]
)
DAMAGED = st.lists(PIECE, max_size=30).map(b"".join)
NO_LENGTH = 1 << 30


def records(*names, **values):
    """Return how records of some columns of text are written."""
    return Records.of(texts(*names), {"format": "csv"} | values)


def read_texts(data, count=2, **values):
    """Return what CSV of so many columns is, with a header of its own."""
    names = [f"c{n}" for n in range(count)]
    header = values.get("delimiter", ",").join(names).encode() + b"\n"
    return read(records(*names, **values), header + data, own_day=0)


def reference(data, count):
    """Return the kinds of lines, and the rows, by the csv module: what is no record loses its first line only."""
    lines, kinds, rows, at = data.splitlines(keepends=True) if b"\r" not in data else _lines(data), [], [], 0
    while at < len(lines):
        if not lines[at].strip(b"\r\n"):
            kinds.append("blank")
            at += 1
            continue
        reader = csv.reader((each.decode("latin-1") for each in lines[at:]), strict=True)
        try:
            row = next(reader)
        except csv.Error:
            kinds.append("shape")
            at += 1
            continue
        used = reader.line_num
        whole = b"".join(lines[at : at + used])
        if len(row) == count and _is_utf8(whole):
            kinds += ["continued"] * (used - 1) + ["row"]
            rows.append([each.encode("latin-1").decode() for each in row])
        else:
            kinds += ["shape"] * used
        at += used
    return kinds, rows


def _lines(data):
    return [each + b"\n" for each in data.split(b"\n")[:-1]] + [each for each in data.split(b"\n")[-1:] if each]


def _is_utf8(data):
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


@settings(deadline=None)
@given(
    st.integers(1, 4).flatmap(lambda n: st.lists(st.lists(FIELD, min_size=n, max_size=n), max_size=12)),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from(",;\t|"),
)
def test_whole_csv_is_read_as_the_csv_module_reads_it(rows, quoting, end, delimiter):
    """Every field of every record comes as it was written, whatever is in it."""
    count = len(rows[0]) if rows else 1
    names = [f"c{n}" for n in range(count)]
    if any("\r" in field for row in rows for field in row):
        quoting = csv.QUOTE_ALL  # without which the module writes some that it doesn't read
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, quoting=quoting, lineterminator=end).writerows([names, *rows])
    data = text.getvalue()
    written = "tab" if delimiter == "\t" else delimiter
    found = read(records(*names, delimiter=written), data.encode(), own_day=0)
    expected = [*csv.reader(io.StringIO(data, newline=""), delimiter=delimiter, strict=True)][1:]
    assert [[*row.values()] for row in found.rows] == expected == rows
    assert len(found.kinds) == data.count("\n")
    assert set(found.kinds) <= {"directive", "row", "continued"}


@settings(max_examples=150, deadline=None)
@given(DAMAGED)
@example(b'a,"b\nc\nd,e\n')
@example(b'"a\n"b\n')
@example(b'a"",""\nx,y\n')
@example(b'a""","\n' * 4)
def test_damaged_csv_is_read_as_the_csv_module_reads_it_from_the_next_line_on(data):
    """What a line is, and each row, is what the csv module says when it begins anew after each damaged line."""
    found = read_texts(data)
    kinds, rows = reference(data, 2)
    assert found.kinds[1:] == kinds
    assert [[*row.values()] for row in found.rows] == rows


@settings(max_examples=80, deadline=None)
@given(DAMAGED, st.data())
def test_where_blocks_and_pieces_end_changes_nothing(data, draw):
    """However a file is cut after line ends, and however few lines are looked at, its lines are the same."""
    data = b"c0,c1\n" + data
    lines = _lines(data)
    cuts = sorted(draw.draw(st.sets(st.integers(0, len(lines)), max_size=5)) | {0, len(lines)})
    blocks = [b"".join(lines[begin:end]) for begin, end in pairwise(cuts)]
    whole = read(records("c0", "c1"), data, own_day=0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parsers, "LINES_A_PIECE", draw.draw(st.integers(1, 3)))
        cut = found_in(RecordParser(records("c0", "c1"), ANY_DAY, own_day=0), blocks)
    assert cut == whole


@pytest.mark.parametrize("limit", [9, 10, 20])
@settings(max_examples=30, deadline=None)
@given(DAMAGED)
def test_too_long_a_record_is_so_wherever_blocks_end(limit, data):
    """A record over the limit is a reject of its first line, told without all of it; others are what they were."""
    lines = _lines(b"c0,c1\n" + data)
    with pytest.MonkeyPatch.context() as patch:
        for module in ("csv_lines", "taken"):
            patch.setattr(f"etl.records.{module}.MAX_LINE_BYTES", limit)
        whole = read(records("c0", "c1"), b"".join(lines), own_day=0)
        cut = found_in(RecordParser(records("c0", "c1"), ANY_DAY, own_day=0), lines)
    assert cut == whole
    assert len(whole.kinds) == len(lines)


@pytest.mark.parametrize(
    ("data", "kinds"),
    [
        (b"", []),
        (b"x,y\n\n\r\n", ["row", "blank", "blank"]),
        (b"x,y", ["row"]),
        (b'x,"y', ["shape"]),
        (b'x,"y\nx,y\nx,y\n', ["shape", "row", "row"]),
        (b'x,"y\nz"\nx,y\n', ["continued", "row", "row"]),
        (b'x,"y\n\n\nz"', ["continued"] * 3 + ["row"]),
        (b'x,"y\nz",\nx,y\n', ["shape", "shape", "row"]),
        (b'x,"y\nx,"y"\n', ["shape", "row"]),
        (b"x,y,z\nx\nx,y\n", ["shape", "shape", "row"]),
        (b"x,y\rx,y\n", ["shape"]),
        (b"x,y\rx,y\r", ["shape"]),
        (b'x,"y\ry"\r\n', ["row"]),
        (b"x,\xff\nx,y\n", ["shape", "row"]),
        (b'x,"\n\xff"\nx,y\n', ["shape", "shape", "row"]),
        (b"\x00,\x00\n", ["row"]),
        (b'x,5" pipe\n', ["row"]),
        (b'x,"a"b\n', ["shape"]),
        (b"c0,c1\nx,y\nc0,c1\r\n\xef\xbb\xbfc0,c1\n", ["directive", "row", "directive", "directive"]),
        (b"x," + b"y" * (MAX_LINE_BYTES - 3) + b"\n", ["row"]),
        (b"x," + b"y" * (MAX_LINE_BYTES - 2) + b"\nx,y\n", ["too_long", "row"]),
        (b'x,"' + b"y" * (MAX_LINE_BYTES - 5) + b'"\n', ["row"]),
        (b'x"x,"' + b'""' * (MAX_LINE_BYTES // 2 - 10) + b'"\n', ["row"]),
    ],
    ids=lambda value: repr(value[:20]) if isinstance(value, bytes) else "",
)
def test_each_line_is_one_thing(data, kinds):
    """Each physical line is a row, a reject of its own, or goes on in another one."""
    assert read_texts(data).kinds[1:] == kinds


@pytest.mark.slow
def test_a_record_of_many_lines_is_whole_up_to_the_limit():
    """It may have a million lines; one that is longer loses its first line only."""
    data = b'x,"\n' + b"\n" * (MAX_LINE_BYTES - 20) + b'"\n'
    assert read_texts(data).kinds[1:] == ["continued"] * (MAX_LINE_BYTES - 19) + ["row"]
    data = b'x,"\n' + b"y\n" * (MAX_LINE_BYTES // 2) + b"x,y\n"
    assert read_texts(data).kinds[1:] == ["too_long"] + ["shape"] * (MAX_LINE_BYTES // 2) + ["row"]


@pytest.mark.parametrize("line", [b'a""","\n', b'"\n', b'"""\n', b',"\n', b'a,"b\n', b"\n", b'"a","b"\n', b'x"\n'])
def test_no_line_makes_the_others_slow(line):
    """Whatever is in a file, it is read in a time that grows with its size: here within seconds."""
    begin = time.process_time()
    data = line * ((1 << 18) // len(line))
    found = read_texts(data)
    assert len(found.kinds) - 1 == data.count(b"\n")
    assert time.process_time() - begin < 10  # it takes less than 1


def test_no_piece_is_looked_at_again_for_each_of_its_lines():
    """Where a piece of a block is hardly longer than a record may be, its lines are still told in a few looks."""
    lines = [b'a""","' + b"x" * (9 + (n % 6000 == 0)) + b"\n" for n in range(80_000)]
    begin = time.process_time()
    assert read_texts(b"".join(lines)).kinds[1:] == ["too_long"] * 14_465 + ["shape"] * 65_535
    assert time.process_time() - begin < 20  # it takes up to 3


def test_a_field_is_found_by_its_name():
    """The order and number of a header's fields doesn't matter, nor where the header ends."""
    known = records("one", "two", fields="one = Erste Spalte\ntwo = b.c", delimiter=";")
    data = b'x;"b.c";"a\nb";Erste Spalte\r\n1;2;3;"4;5"\r\n'
    found = read(known, data, own_day=0)
    assert found.kinds == ["continued", "directive", "row"]
    assert found.rows == [{"one": "4;5", "two": "2"}]


def test_blank_lines_before_the_header_are_rejects():
    """They are no header; and a file that has nothing else has none."""
    assert read(records("a"), b"\n\r\na\nx\n", own_day=0).kinds == ["blank", "blank", "directive", "row"]
    assert read(records("a"), b"\n", own_day=0).kinds == ["blank"]
    assert read(records("a"), b"", own_day=0) == Found()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"a,c\n", "lacks the field: 'b'. It has: 'a', 'c'. Correct fields, or delimiter = ','"),
        (b"a,b,b\n", "has the field more than once: 'b'. It has: 'a', 'b', 'b'."),
        (b"a, b\n", "lacks the field: 'b'. It has: 'a', ' b'."),
        (b"a;b\n", "lacks the field: 'a'. It has: 'x;x'."),
        (b"ann@example.org,+49 171 1234567\n", r"It has: 'xxx@xxxxxxx.xxx', '\+99 999 9999999'. "),
        (b"a,b\ra,b\r", "It has: nothing."),
        (b'a,"b\nx,y\n', "It has: nothing."),
        (b"\xff,b\n", "It has: nothing."),
        (b"a" * (MAX_LINE_BYTES + 1), "It has: nothing."),
        (b",".join(b"n%d" % n for n in range(60)) + b"\n", "'n48', 'n49', …. Correct"),
    ],
)
def test_a_header_that_lacks_a_field_is_an_error(data, said):
    """Nothing of such a file is read; the message has what the header has, unless that may be data."""
    with pytest.raises(InputError, match=said):
        read(records("a", "b"), data, own_day=0)
