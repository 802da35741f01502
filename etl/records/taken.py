"""What lines of a file of records are, before any column's type is looked at."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from etl.kernel.layout import MAX_LINE_BYTES
from etl.lines import privacy
from etl.lines.timestamps import Booleans, Integers
from lake.contracts.rejects import REASONS
from lake.errors import InputError
from lake.memory.arrays import HIGHEST_OFFSET, array, numbers, to_numpy

A_RECORD = -1
"""As parse.ACCEPTED."""
BLANK, SHAPE, TOO_LONG = (REASONS.index(each) for each in ("blank", "shape", "too_long"))
LINE_ENDS = "\r\n"
NAME = re.compile(r"[^\W\d][\w .:/()-]{0,60}")
MOST_NAMES = 50


@dataclass(frozen=True)
class Taken:
    """Consecutive lines.

    Attributes:
        kinds: What each line is: A_RECORD for the last line of one, else why it is none: an index in REASONS of
            rejects, parse.DIRECTIVE or parse.CONTINUED. Lines without a kind are of a record that may go on.
        fields: Of each field that is wanted its texts, one for each record; NULL where a record has none.
        lacking: Which records don't even have the field, likewise; None where all have it. Empty where a header
            tells that.
        unfit: Which records have in the field what is a value of no type, as an error in a cell is; likewise.
    """

    kinds: Integers
    fields: Sequence[pa.StringArray]
    lacking: Sequence[Booleans | None] = ()
    unfit: Sequence[Booleans | None] = ()


def as_text(lines: pa.BinaryArray) -> pa.StringArray:
    """Return lines as text that may not be UTF-8, without copying: for what looks at single bytes only."""
    _, offsets, data = lines.buffers()
    return pa.StringArray.from_buffers(len(lines), offsets, data, None, 0, lines.offset)


def offsets_of(texts: pa.Array) -> Integers:
    """Return where each text begins in its buffer, and where the last one ends."""
    if not len(texts):
        return np.zeros(1, np.int64)
    offsets = np.frombuffer(texts.buffers()[1], np.int32)
    return offsets[texts.offset : texts.offset + len(texts) + 1].astype(np.int64)


def bytes_of(texts: pa.Array) -> npt.NDArray[np.uint8]:
    """Return what the offsets of texts are in."""
    return np.frombuffer(texts.buffers()[2] or b"", np.uint8)


def has(texts: pa.Array, byte: int) -> bool:
    """Tell whether some text has a byte."""
    offsets = offsets_of(texts)
    return bool((bytes_of(texts)[offsets[0] : offsets[-1]] == byte).any())


def without_ends(lines: pa.BinaryArray) -> pa.BinaryArray:
    """Return lines without their ends: LF, CRLF or none."""
    return pc.ascii_rtrim(as_text(lines), characters=LINE_ENDS).view(pa.binary())


def kinds_of(lines: pa.BinaryArray, texts: pa.BinaryArray) -> Integers:
    """Return what lines are by their length: each may be a record, unless it is blank or too long."""
    kinds = np.full(len(lines), A_RECORD, np.int64)
    kinds[to_numpy(pc.binary_length(texts)) == 0] = BLANK
    kinds[to_numpy(pc.binary_length(lines)) > MAX_LINE_BYTES] = TOO_LONG
    return kinds


def are_utf8(texts: pa.BinaryArray) -> Booleans:
    """Tell which texts are UTF-8."""
    try:
        texts.cast(pa.string())
    except pa.ArrowInvalid:
        return np.array([_is_utf8(each) for each in texts.to_pylist()], np.bool_)
    return np.ones(len(texts), np.bool_)


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def strings(values: Sequence[str | None]) -> pa.StringArray:
    """Return texts as an array: most are ASCII and there, and that is told of all at once."""
    texts = [each for each in values if each is not None]
    joined = "".join(texts)
    if len(texts) < len(values) or not joined.isascii() or len(joined) > HIGHEST_OFFSET:
        return array(values, pa.string())
    offsets = np.zeros(len(texts) + 1, np.int32)
    np.cumsum(np.fromiter(map(len, texts), np.int32, len(texts)), out=offsets[1:])
    return pa.StringArray.from_buffers(len(texts), pa.py_buffer(offsets), pa.py_buffer(joined.encode()))


def chosen(texts: pa.Array, which: Booleans) -> pa.Array:
    """Return those of some texts that are chosen, without copying if all are."""
    return texts if which.all() else texts.filter(numbers(which))


def check_names(names: Sequence[str], wanted: Sequence[str], what: str, step: str) -> None:
    """Make sure that each field that is wanted is there, once.

    Args:
        names: The names of the fields that are there.
        wanted: Those that are wanted.
        what: What has them, for the message.
        step: What to do.

    Raises:
        InputError: One is not.
    """
    for field in wanted:
        if names.count(field) != 1:
            wrong = "has the field more than once" if field in names else "lacks the field"
            raise InputError(f"{what} {wrong}: {field!r}. It has: {_shown(names)}. {step}")


def _shown(names: Sequence[str]) -> str:
    """Return names for a message, masked where they look like data."""
    shown = [
        repr(each if NAME.fullmatch(each.strip()) else privacy.mask_line(each.encode()))
        for each in names[:MOST_NAMES]
    ]
    return ", ".join(shown) + ", …" * (len(names) > MOST_NAMES) or "nothing"
