r"""Rows of tables as lines: what Parquet files and spreadsheets become, so that all that reads lines reads them.

What a raw file is, whether it has grown, and which line a reject is, goes by lines; so a row is one, in a form
that is quick to write and to read, and exact:

    text        fields with tabs between them
    ESC N       a field that is NULL
    ESC E text  an error, such as `#N/A` in a cell
    ESC n, r, t, s, e   LF, CR, TAB, RS and ESC within a text

The columns stand before the rows, each as its name, ESC, and what its values are, one of KINDS: in a line of their
own where the table has a row for them, or else before the first row, with RS in between.
"""

import json
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from etl.lines.parse import DIRECTIVE
from etl.lines.timestamps import Booleans
from etl.records.taken import (
    A_RECORD,
    BLANK,
    SHAPE,
    Taken,
    are_utf8,
    as_text,
    bytes_of,
    check_names,
    chosen,
    has,
    kinds_of,
    offsets_of,
    without_ends,
)
from lake.errors import InputError
from lake.memory.arrays import array, numbers, scalar, to_numpy

ESC, RS, TAB = b"\x1b", b"\x1e", b"\t"
NULL, ERROR = ESC + b"N", ESC + b"E"
ESCAPES = {ESC: b"e", b"\n": b"n", b"\r": b"r", TAB: b"t", RS: b"s"}
"""ESC is the first to be written and the last to be read, so that none of them is taken for another one."""
MIDNIGHT = r"^([0-9]{4}-[0-9]{2}-[0-9]{2})[T ]00:00:00(?:\.0+)?$"
"""As which a day stands in columns of times without a zone."""
FIRST_PRINTABLE = 0x20
MOST_EXACT = 2**53
"""Up to which a double without a fraction is one whole number, and no other."""
MOST_BYTES = 1 << 30
"""Of the fields of rows that are written at once: half of what an array of texts holds."""
TEXT, NUMBER, TRUTH, DAY, LOCAL_TIME, TIME, CLOCK, OTHER, ANY = "s", "n", "b", "d", "l", "t", "c", "o", "-"
KINDS = {
    TEXT: "text",
    NUMBER: "numbers",
    TRUTH: "true or false",
    DAY: "days",
    LOCAL_TIME: "times without a zone",
    TIME: "times",
    CLOCK: "times of day",
    OTHER: "lists, maps, bytes or spans of time",
    ANY: "of any kind",
}
OF_TEXTS = {TEXT, NUMBER, TRUTH, DAY, LOCAL_TIME, TIME, CLOCK}
OF_NUMBERS, OF_TRUTHS = {TEXT, NUMBER}, {TEXT, NUMBER, TRUTH}
OF_DAYS, OF_TIMES = {TEXT, NUMBER, DAY, LOCAL_TIME}, {TEXT, LOCAL_TIME, TIME}


def header(names: Sequence[str], kinds: Sequence[str]) -> bytes:
    """Return what stands before rows; kinds are of KINDS."""
    columns = array([name.encode("utf-8", "backslashreplace") for name in names], pa.binary())
    pairs = zip(escaped(columns).to_pylist(), kinds, strict=True)
    return TAB.join(name + ESC + kind.encode() for name, kind in pairs)


def rows(columns: Sequence[pa.BinaryArray]) -> bytes:
    """Return the lines of rows whose fields are in some columns, NULL where there are none."""
    count = len(columns[0])
    if count > 1 and sum(each.nbytes for each in columns) > MOST_BYTES:
        half = count // 2
        return b"".join(rows([each.slice(at, half) for each in columns]) for at in (0, half)) + (
            rows([each.slice(2 * half) for each in columns]) if count % 2 else b""
        )
    fields = [pc.fill_null(escaped(each), scalar(NULL)) for each in columns]
    lines = pc.binary_join_element_wise(*fields, scalar(TAB)) if len(fields) > 1 else fields[0]
    lines = pc.binary_join_element_wise(lines, scalar(b""), scalar(b"\n"))
    offsets = offsets_of(lines)
    return bytes(bytes_of(lines)[offsets[0] : offsets[-1]])


def escaped(texts: pa.BinaryArray) -> pa.BinaryArray:
    """Return texts in which none of the signs stands that lines have."""
    offsets = offsets_of(texts)
    if (bytes_of(texts)[offsets[0] : offsets[-1]] >= FIRST_PRINTABLE).all():
        return texts
    for sign, letter in ESCAPES.items():
        if has(texts, sign[0]):
            texts = pc.replace_substring(texts, sign, ESC + letter)
    return texts


def field(text: str) -> bytes:
    """Return what stands in a line for one text."""
    found = text.encode("utf-8", "surrogatepass")
    if not text.isprintable():
        for sign, letter in ESCAPES.items():
            found = found.replace(sign, ESC + letter)
    return found


def shown(line: bytes) -> bytes:
    """Return the fields of a line as people read them: as JSON of ASCII."""
    fields = line.rstrip(b"\n").rpartition(RS)[2].split(TAB)
    texts = _unescaped(array([each.removeprefix(ERROR) for each in fields], pa.binary())).to_pylist()
    pairs = zip(fields, texts, strict=True)
    return json.dumps([None if each == NULL else text.decode(errors="replace") for each, text in pairs]).encode()


class TableReader:
    """Reads the rows of one table."""

    def __init__(
        self, fields: Sequence[str], columns: Sequence[tuple[str, pa.DataType]], *, has_header_row: bool
    ) -> None:
        """Take what is wanted.

        Args:
            fields: The names of fields.
            columns: Which column each of them is for: its name and its type.
            has_header_row: Whether a row has the names; then empty rows are none, as empty lines are.
        """
        self._fields = fields
        self._columns = columns
        self._has_header_row = has_header_row
        self._places: list[int] | None = None
        self._count = 0
        self._days_as_times: list[int] = []

    def take(self, lines: pa.BinaryArray, *, is_last: bool) -> Taken:  # noqa: ARG002 - as CsvReader
        """Return what the table's next lines are, each by itself.

        Raises:
            InputError: A field that is wanted is not there, or its values are such as its column never has.
        """
        texts = without_ends(lines)
        kinds = kinds_of(lines, texts)
        if self._places is None and len(lines):
            texts = self._begin(texts)
            if self._has_header_row:
                kinds[0] = DIRECTIVE
        if not self._has_header_row:
            kinds[kinds == BLANK] = A_RECORD
        places = np.flatnonzero(kinds == A_RECORD)
        parts = pc.split_pattern(as_text(chosen(texts, kinds == A_RECORD)), TAB.decode())
        fit = to_numpy(pc.list_value_length(parts)) == self._count
        parts = chosen(parts, fit)
        found = [_read(pc.list_element(parts, scalar(place))) for place in self._places or ()]
        for at in self._days_as_times:
            texts, unfit = found[at]
            found[at] = pc.replace_substring_regex(texts, MIDNIGHT, r"\1"), unfit
        are_texts = np.ones(len(parts), np.bool_)
        for each, _ in found:
            are_texts &= are_utf8(each)
        fit[fit] = are_texts
        kinds[places[~fit]] = SHAPE
        fields = [chosen(each, are_texts).view(pa.string()) for each, _ in found]
        return Taken(kinds, fields, unfit=[None if each is None else each[are_texts] for _, each in found])

    def _begin(self, texts: pa.BinaryArray) -> pa.BinaryArray:
        """Take the names from the first line, and return the lines without them."""
        first, sign, rest = texts[0].as_py().partition(RS)
        if not (sign or self._has_header_row):
            raise InputError("the names of the columns are longer than a line may be. Bring fewer columns.")
        columns = [each.rpartition(ESC) for each in first.split(TAB) if each]
        texts_of_names = _unescaped(array([name for name, _, _ in columns], pa.binary()))
        names = [each.decode() for each in texts_of_names.to_pylist()]
        kinds = [each.decode() for _, _, each in columns]
        table = "the first row of the sheet, its header," if self._has_header_row else "the table"
        check_names(names, self._fields, table, "Correct fields, or bring a table that has it.")
        self._count, self._places = len(names), [names.index(each) for each in self._fields]
        for field, (column, kind), place in zip(self._fields, self._columns, self._places, strict=True):
            if not fits(kinds[place], kind):
                is_day = pa.types.is_null(kind)
                what = "the day of a record" if is_day else f"{column} ({kind})"
                null = "" if is_day else f"say {column} = - there if it may be NULL, "
                raise InputError(
                    f"the column {field!r} holds {KINDS[kinds[place]]}, from which {what} is never read. Correct "
                    f"fields, {null}or bring the column as another type."
                )
        self._days_as_times = [
            at
            for at, ((_, kind), place) in enumerate(zip(self._columns, self._places, strict=True))
            if pa.types.is_date(kind) and kinds[place] in {LOCAL_TIME, ANY}
        ]
        return pa.concat_arrays([array([rest], pa.binary()), texts.slice(1)])


def fits(kind: str, column: pa.DataType) -> bool:
    """Tell whether some value of a kind may be one of a column's type; null is that of a day."""
    if kind == ANY:
        return True
    if pa.types.is_string(column):
        return kind in OF_TEXTS
    if pa.types.is_boolean(column):
        return kind in OF_TRUTHS
    if pa.types.is_date(column):
        return kind in OF_DAYS
    if pa.types.is_timestamp(column):
        return kind in OF_TIMES
    return kind in (OF_DAYS | OF_TIMES if pa.types.is_null(column) else OF_NUMBERS)


def _read(fields: pa.StringArray) -> tuple[pa.BinaryArray, Booleans | None]:
    """Return fields as they were, and which of them are errors, None if none is."""
    texts = fields.view(pa.binary())
    if not has(texts, ESC[0]):
        return texts, None
    texts = pc.if_else(pc.equal(texts, scalar(NULL)), scalar(None, pa.binary()), texts)
    if not has(texts, ESC[0]):
        return texts, None
    errors = to_numpy(pc.fill_null(pc.starts_with(texts, ERROR), scalar(value=False)))
    if errors.any():
        texts = pc.if_else(numbers(errors), pc.binary_slice(texts, len(ERROR)), texts)
    return _unescaped(texts), errors if errors.any() else None


def _unescaped(texts: pa.BinaryArray) -> pa.BinaryArray:
    for sign, letter in reversed(ESCAPES.items()):
        texts = pc.replace_substring(texts, ESC + letter, sign)
    return texts
