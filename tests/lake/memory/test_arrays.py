"""Arrays and scalars made from buffers: what pyarrow itself makes of the same values, or an error."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lake.memory import arrays

VALUES = {
    pa.string(): st.text(max_size=5),
    pa.binary(): st.binary(max_size=5),
    pa.bool_(): st.booleans(),
    pa.int16(): st.integers(-(2**15), 2**15 - 1),
    pa.int64(): st.integers(-(2**63), 2**63 - 1),
    pa.float64(): st.floats(allow_nan=False),
}


@settings(deadline=None)
@given(st.data())
def test_plain_values_are_as_pyarrow_has_them(data):
    """Of any type, with and without NULLs, and none at all."""
    kind = data.draw(st.sampled_from(list(VALUES)))
    values = data.draw(st.lists(st.none() | VALUES[kind], max_size=20))
    made = arrays.array(values, kind)
    made.validate(full=True)
    assert made.equals(pa.array(values, kind))


@settings(deadline=None)
@given(st.data())
def test_there_and_back(data):
    """NumPy's numbers and truth values, from wherever in an array they are, are the same ones afterwards."""
    dtype = data.draw(st.sampled_from(["bool", "int8", "int32", "int64", "float64"]))
    values = np.array(data.draw(st.lists(st.integers(0, 1), max_size=40))).astype(dtype)
    is_null = np.array(data.draw(st.lists(st.booleans(), min_size=len(values), max_size=len(values))), np.bool_)
    begin = data.draw(st.integers(0, len(values)))
    made = arrays.numbers(values)
    made.validate(full=True)
    assert made.equals(pa.array(values))
    assert arrays.numbers(values, is_null).equals(pa.array(values, mask=is_null))
    for part in (made.slice(begin), pa.chunked_array([made.slice(begin), made.slice(0, begin)])):
        back = arrays.to_numpy(part)
        assert back.dtype == values.dtype
        assert back.tolist() == part.to_pylist()


@pytest.mark.parametrize("value", ["", "é", b"", b"\xff", True, False, 0, 2**62, 1.5])
def test_scalars_are_as_pyarrow_has_them(value):
    """In value and type."""
    assert arrays.scalar(value).equals(pa.scalar(value))
    assert arrays.scalar(None, pa.binary()).equals(pa.scalar(None, pa.binary()))


def test_every_second_number():
    """What lies scattered in memory is gathered."""
    assert arrays.numbers(np.arange(10)[::3]).to_pylist() == [0, 3, 6, 9]


@pytest.mark.parametrize(
    ("values", "kind", "error"),
    [
        ([1.5], pa.int64(), ValueError),
        ([1], pa.bool_(), ValueError),
        (["1"], pa.int64(), ValueError),
        ([70_000], pa.int16(), OverflowError),
        ([b"\xff"], pa.string(), AttributeError),
        (["a"], pa.binary(), TypeError),
        (["\ud800"], pa.string(), UnicodeEncodeError),
    ],
)
def test_values_of_another_type_are_refused(values, kind, error):
    """Nothing is cut off or reinterpreted."""
    with pytest.raises(error):
        arrays.array(values, kind)


@pytest.mark.parametrize(
    "values",
    [
        np.arange(3, dtype=">i8"),
        np.zeros((2, 2)),
        np.array(["a"]),
        np.array(["2015-05-17"], "datetime64[us]"),
        np.ma.masked_array([1], [True]),
    ],
)
def test_memory_that_arrow_would_misread_is_refused(values):
    """Bytes in another order, several dimensions, texts, times that may be none, and masked values."""
    with pytest.raises(ValueError, match="expected one dimension of numbers"):
        arrays.numbers(values)


def test_a_mask_of_another_length_is_refused():
    """Arrow would read beyond its end."""
    with pytest.raises(ValueError, match="1 say which of 9 are NULL"):
        arrays.numbers(np.arange(9), np.zeros(1, np.bool_))


def test_numpy_has_no_null():
    """Which number stands for it, whoever asks has to say."""
    values = pa.array([1, None])
    with pytest.raises(ValueError, match="1 of 2 values are NULL"):
        arrays.to_numpy(values)
    assert arrays.to_numpy(arrays.filled(values, -1)).tolist() == [1, -1]


def test_no_chunks_and_no_rows():
    """A table without rows has its schema, and a column without chunks is an empty array."""
    schema = pa.schema([("a", pa.string()), ("b", pa.dictionary(pa.int32(), pa.string()))])
    assert arrays.no_rows(schema).equals(schema.empty_table())
    assert arrays.whole(pa.chunked_array([], pa.int16())).equals(pa.array([], pa.int16()))
