"""Lines that are no requests, masked and their statuses found by the kernel: see etl.lines.privacy and statuses.

What the kernel doubts is found as there, by regular expressions.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from etl.kernel import layout
from etl.kernel.machine_code import Kernel
from etl.lines import privacy
from etl.lines.formats import BETWEEN_TEXTS, Alternatives, Delimited, Format, Json, Kind, Role
from etl.lines.parse import ACCEPTED
from etl.lines.places import places_of
from etl.lines.statuses import (
    NO_STATUS,
    has_upstream_after,
    literal_after_request,
    may_show,
    number_of,
    shown_statuses,
)
from etl.lines.timestamps import Integers
from lake.memory.arrays import numbers

Numbers = npt.NDArray[Any]
MAX_LITERAL = 8  # bytes: a 64-bit number
ENDS_A_WORD = ' "[]'
ENDS_A_TIME, ENDS_WORDS = ' "]\t|', '"]\t|'  # without spaces in it, and with some
ONE_WORD = {Kind.WORD, Kind.HOST, Kind.USER, Kind.LIST, Kind.STAMP}
"""How fields are written that may hold spaces between tabs or bars."""
WITHOUT_QUOTES = {Kind.WORD, Kind.HOST, Kind.LIST, Kind.USER, Kind.BRACKETED}
"""How fields are written that hold no quotes unless they are between tabs or bars, but for an empty user name."""
MAY_HOLD_SPACES = {Kind.BRACKETED, Kind.QUOTED, Kind.STAMP}
"""How times are written that may hold spaces; see places_of."""
KINDS = {
    Kind.WORD: layout.WORD,
    Kind.HOST: layout.ADDRESS,
    Kind.LIST: layout.LIST,
    Kind.USER: layout.USER,
    Kind.PLAIN: layout.PLAIN,
    Kind.QUOTED: layout.QUOTED,
    Kind.BRACKETED: layout.BRACKETED,
}
"""How fields are written that can be followed without doubt, in most lines."""


class Shown:
    """Finds what is kept of lines that are no requests, of one format."""

    def __init__(self, kernel: Kernel, frame: Numbers, log_format: Format) -> None:
        self._kernel = kernel
        self._frame = frame
        self._format = log_format
        self._places = places_of(log_format)
        self._table = table = np.zeros(layout.SHOWN, np.int64)
        self._rows: list[Numbers] = []
        first = log_format.in_zone[0] if isinstance(log_format, Alternatives) else log_format
        is_only = first is log_format
        table[layout.SHOWN_TIME_SHAPE] = table[layout.SHOWN_STATUS_SHAPE] = layout.NO_SHAPE
        table[layout.SHOWN_TIME_SURE] = not self._places
        if isinstance(first, Delimited):
            self._declare_fields(first, is_only=is_only)
        elif isinstance(first, Json):
            self._declare_names(first, is_only=is_only)

    def of(self, offsets: Numbers, data: Numbers, reasons: Integers) -> tuple[pa.StringArray, Integers]:
        """Return lines as they may be kept, and which statuses they show, statuses.NO_STATUS for none.

        Args:
            offsets: Where each begins, and the last ends; 32 bits each.
            data: Their texts, followed by at least layout.PADDING bytes.
            reasons: Why they are no requests; of those that are ACCEPTED, the mask need not be right.
        """
        count = len(reasons)
        masked = np.empty(int(offsets[-1] - offsets[0]) + layout.PADDING, np.uint8)
        bounds, doubts = np.zeros(count + 1, np.int32), np.empty(count, np.uint8)
        found = np.empty(count, np.int64)
        for slot, memory in (
            (layout.SHOWN_TEXTS, data),
            (layout.SHOWN_OFFSETS, offsets),
            (layout.SHOWN_MASKED, masked),
            (layout.SHOWN_BOUNDS, bounds),
            (layout.SHOWN_DOUBTS, doubts),
        ):
            self._table[slot] = memory.ctypes.data
        self._table[layout.SHOWN_COUNT] = count
        self._kernel(layout.SHOW, self._frame.ctypes.data, self._table.ctypes.data, found.ctypes.data)
        doubtful = np.flatnonzero((doubts & layout.DOUBTFUL_TIME != 0) & (reasons != ACCEPTED))
        if len(doubtful):
            again = privacy.mask_lines(texts_of(offsets, data).take(numbers(doubtful)), self._places)
            _put(again, masked, bounds[doubtful])
        may = may_show(reasons)
        found[~may] = NO_STATUS
        doubtful = np.flatnonzero(may & (doubts & layout.DOUBTFUL_STATUS != 0))
        if len(doubtful):
            texts = texts_of(offsets, data).take(numbers(doubtful))
            found[doubtful] = shown_statuses(texts, reasons[doubtful], self._format)
        parts = (pa.py_buffer(bounds), pa.py_buffer(masked[: bounds[-1]]))
        return pa.StringArray.from_buffers(count, *parts), found

    def _declare_fields(self, log_format: Delimited, *, is_only: bool) -> None:
        """Tell the kernel how lines of fields are followed."""
        table = self._table
        number = number_of(log_format, Role.TIME)
        rows = None if number is None or log_format.has(Role.CLOCK) else rows_before(log_format, number)
        if rows is not None and number is not None:
            field, end = log_format.fields[number], log_format.literals[number + 1][:1]
            may_hold_spaces = field.kind in MAY_HOLD_SPACES
            if end in set(ENDS_WORDS if may_hold_spaces else ENDS_A_TIME) and not log_format.may_be_dash(number):
                table[layout.SHOWN_TIME_SHAPE] = layout.DELIMITED
                self._declare(layout.SHOWN_TIME_COUNT, layout.SHOWN_TIME_ROWS, rows)
                table[layout.SHOWN_TIME_SURE] = is_only
                table[layout.SHOWN_TIME_END], table[layout.SHOWN_TIME_WORDS] = ord(end), may_hold_spaces
        number = number_of(log_format, Role.STATUS)
        rows = None if number is None else rows_before(log_format, number)
        if rows is not None and number is not None:
            table[layout.SHOWN_STATUS_SHAPE] = layout.DELIMITED
            self._declare(layout.SHOWN_STATUS_COUNT, layout.SHOWN_STATUS_ROWS, rows)
            table[layout.SHOWN_STATUS_SURE] = is_only and not has_upstream_after(log_format, number)
            literal = literal_after_request(log_format, number)
            if literal and len(literal) <= MAX_LITERAL and not has_upstream_after(log_format, number):
                row = np.array([*literal_of(literal), *[0] * layout.ROW], np.int64)
                self._rows.append(row)
                table[layout.SHOWN_AFTER_QUOTE] = row.ctypes.data
                table[layout.SHOWN_FIRST_QUOTED] = not log_format.may_be_dash(number - 1) and all(
                    log_format.fields[n].kind in WITHOUT_QUOTES
                    and log_format.delimiter(n) not in set(BETWEEN_TEXTS)
                    for n in range(number - 1)
                )
            elif literal:
                table[layout.SHOWN_STATUS_SURE] = False

    def _declare_names(self, log_format: Json, *, is_only: bool) -> None:
        """Tell the kernel by which names lines of JSON are followed: those of values that are in no object."""
        table = self._table
        for role, shape, count, rows, sure in (
            (
                *(Role.TIME, layout.SHOWN_TIME_SHAPE, layout.SHOWN_TIME_COUNT, layout.SHOWN_TIME_ROWS),
                layout.SHOWN_TIME_SURE,
            ),
            (
                *(Role.STATUS, layout.SHOWN_STATUS_SHAPE, layout.SHOWN_STATUS_COUNT, layout.SHOWN_STATUS_ROWS),
                layout.SHOWN_STATUS_SURE,
            ),
        ):
            names = [field.name for field in log_format.fields if field.role is role]
            if any("." in name for name in names) or (role is Role.TIME and log_format.has(Role.CLOCK)):
                continue
            texts = [np.frombuffer(name.encode() + bytes(layout.PADDING), np.uint8) for name in names]
            self._rows += texts
            pairs = [(text.ctypes.data, len(name.encode())) for text, name in zip(texts, names, strict=True)]
            self._declare(count, rows, np.array(pairs, np.int64).reshape(len(names), 2))
            table[shape], table[sure] = layout.JSON, is_only

    def _declare(self, count: int, slot: int, rows: Numbers) -> None:
        self._rows.append(rows)
        self._table[count], self._table[slot] = len(rows), rows.ctypes.data


def rows_before(log_format: Delimited, number: int) -> Numbers | None:
    """Return a program of what stands before a field, None if each line would leave a doubt."""
    if log_format.prefix:
        return None
    rows = []
    literals = log_format.unquoted
    for each, literal in enumerate(literals[: number + 1]):
        if "  " in literal or not literal.isascii():
            return None
        for begin in range(0, max(len(literal), 1), MAX_LITERAL):
            row = np.zeros(layout.ROW, np.int64)
            row[[layout.LITERAL_BYTES, layout.LITERAL_MASK, layout.LITERAL]] = literal_of(
                literal[begin : begin + MAX_LITERAL]
            )
            row[layout.KIND] = layout.NOTHING
            rows.append(row)
        if each < number:
            kind = _kind_of(log_format, each, literals[each + 1])
            if kind is None:
                return None
            row[layout.KIND], row[layout.END] = kind, ord(log_format.delimiter(each) or literals[each + 1][0])
            row[layout.LAST] = literals[each + 1][0] != " " or literals[each + 1][1:2] in set(f"{ENDS_A_WORD}-")
    return np.array(rows)


def _kind_of(log_format: Delimited, number: int, after: str) -> int | None:
    """Return how a field is written, None if what follows doesn't tell where it ends."""
    kind, delimiter, end = log_format.fields[number].kind, log_format.delimiter(number), after[:1]
    if not end or len(delimiter) > 1:
        return None
    if log_format.may_be_dash(number):
        return layout.DASHED
    if delimiter in set(BETWEEN_TEXTS) and kind in ONE_WORD:
        return layout.WORDS if end == delimiter else None
    ends = {
        Kind.WORD: {*ENDS_A_WORD, delimiter},
        Kind.HOST: {*ENDS_A_WORD},
        Kind.LIST: {*ENDS_A_WORD},
        Kind.USER: {*ENDS_A_WORD},
        Kind.PLAIN: {delimiter},
        Kind.QUOTED: {'"'},
        Kind.BRACKETED: {"]"},
    }
    return KINDS[kind] if end in ends.get(kind, ()) else None


def literal_of(text: str) -> tuple[int, int, int]:
    """Return a literal's length, a mask of so many bytes, and its bytes."""
    literal, is_whole = text.encode(), len(text) == MAX_LITERAL
    mask = int.from_bytes(b"\xff" * len(literal), "little", signed=is_whole)
    return len(literal), mask, int.from_bytes(literal, "little", signed=is_whole)


def texts_of(offsets: Numbers, data: Numbers) -> pa.BinaryArray:
    """Return texts that lie one after the other; there is one offset more than texts."""
    return pa.BinaryArray.from_buffers(
        pa.binary(), len(offsets) - 1, [None, pa.py_buffer(offsets), pa.py_buffer(data)]
    )


def _put(texts: pa.StringArray, into: Numbers, at: Numbers) -> None:
    """Write texts over others of the same sizes, whose places are given."""
    _, offsets, data = texts.buffers()
    starts = np.frombuffer(offsets, np.int32)[: len(texts) + 1]
    sizes = np.diff(starts)
    places = np.arange(starts[-1]) + np.repeat(at - starts[:-1], sizes)
    into[places] = np.frombuffer(data or b"", np.uint8)[: starts[-1]]
