"""Arrow arrays and scalars of values of Python and NumPy, and back, without pandas.

pyarrow's own `pa.array` and `pa.scalar`, and whatever takes a plain value in place of an array or a scalar, first
look whether the value is one of pandas: that imports pandas, which takes longer than all else of a small day. So
do `to_numpy`, and `import pyarrow.dataset`, with which come `Table.group_by`, `pq.read_table`, and DuckDB when it
is given a table.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Booleans = npt.NDArray[np.bool_]

KINDS = {str: pa.string(), bytes: pa.binary(), bool: pa.bool_(), int: pa.int64(), float: pa.float64()}
"""The type of a plain value where none is asked for, as pyarrow has it."""
TEXTS = {pa.string(), pa.binary()}
HIGHEST_OFFSET = np.iinfo(np.int32).max


def numbers(values: npt.NDArray[Any], is_null: Booleans | None = None) -> pa.Array:
    """Return numbers or truth values of NumPy as an array, without copying the numbers.

    Args:
        values: One dimension of them.
        is_null: Which of them are NULL; default: none.

    Raises:
        ValueError: They are something else, or in memory otherwise than Arrow has them.
    """
    kind = values.dtype
    if type(values) is not np.ndarray or values.ndim != 1 or kind.kind not in "biuf" or not kind.isnative:
        raise ValueError(f"{type(values).__name__} of {kind}, expected one dimension of numbers or truth values")
    if is_null is not None and len(is_null) != len(values):
        raise ValueError(f"{len(is_null)} say which of {len(values)} are NULL")
    data = _bits(values) if kind == np.bool_ else np.ascontiguousarray(values)
    valid = None if is_null is None else pa.py_buffer(_bits(~is_null))
    return pa.Array.from_buffers(pa.from_numpy_dtype(kind), len(values), [valid, pa.py_buffer(data)])


def array(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    """Return plain values, None for NULL, as an array of strings, bytes, truth values or numbers.

    Raises:
        ValueError: They are more than 2 GiB of text, or not all of that type.
    """
    is_null = np.fromiter((value is None for value in values), np.bool_, len(values)) if None in values else None
    if kind not in TEXTS:
        plain = np.array([False if value is None else value for value in values] or [False])
        if not np.can_cast(plain.dtype, wanted := np.dtype(str(kind)), "same_kind"):
            raise ValueError(f"values of {plain.dtype}, expected {wanted}")
        return numbers(np.array(plain.tolist(), wanted)[: len(values)], is_null)  # an int out of bounds raises
    texts = [value.encode() if value else b"" for value in values] if kind == pa.string() else values
    parts = [value or b"" for value in texts]
    offsets = np.zeros(len(parts) + 1, np.int64)
    np.cumsum(np.fromiter(map(len, parts), np.int64, len(parts)), out=offsets[1:])
    if offsets[-1] > HIGHEST_OFFSET:
        raise ValueError(f"{offsets[-1]:,} bytes of text, an array holds {HIGHEST_OFFSET:,}")
    data = (pa.py_buffer(offsets.astype(np.int32)), pa.py_buffer(b"".join(parts)))
    valid = None if is_null is None else pa.py_buffer(_bits(~is_null))
    return pa.Array.from_buffers(kind, len(parts), [valid, *data])


def scalar(value: str | bytes | float | None, kind: pa.DataType | None = None) -> pa.Scalar:
    """Return a plain value as a scalar, of the type that pyarrow takes it for unless another is given."""
    return array([value], kind or KINDS[type(value)])[0]


def filled(values: pa.Array | pa.ChunkedArray, filler: str | bytes | float) -> pa.Array | pa.ChunkedArray:
    """Return values with another one for each NULL."""
    return values if not values.null_count else pc.fill_null(values, scalar(filler, values.type))


def to_numpy(values: pa.Array | pa.ChunkedArray) -> npt.NDArray[Any]:
    """Return numbers or truth values as NumPy has them; numbers are not copied, and can't be written to.

    Raises:
        ValueError: One is NULL.
    """
    values = whole(values)
    if values.null_count:
        raise ValueError(f"{values.null_count} of {len(values)} values are NULL")
    _, data = values.buffers()
    kind, begin, count = str(values.type), values.offset, len(values)
    if not count:
        return np.zeros(0, kind)
    if values.type == pa.bool_():
        bits = np.frombuffer(data, np.uint8, offset=begin // 8)
        return np.unpackbits(bits, count=begin % 8 + count, bitorder="little")[begin % 8 :].view(np.bool_)
    return np.frombuffer(data, kind, count, begin * values.type.byte_width)


def whole(values: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Return values as one array."""
    if isinstance(values, pa.Array):
        return values
    return pa.concat_arrays(values.chunks) if values.num_chunks else pa.nulls(0, values.type)


def no_rows(schema: pa.Schema) -> pa.Table:
    """Return a table without rows."""
    return pa.Table.from_arrays([pa.nulls(0, field.type) for field in schema], schema=schema)


def stream(table: pa.Table) -> object:
    """Return a table as DuckDB reads it, once."""
    return table.__arrow_c_stream__()


def _bits(values: Booleans) -> npt.NDArray[np.uint8]:
    return np.packbits(values, bitorder="little")
