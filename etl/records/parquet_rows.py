"""The rows of Parquet files: each value as the text that it is, to its last digit.

pyarrow reads the files, one row group after the other and of that some rows at a time. A column of structs is
several, with dots between the names.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from etl.raw.opening import HEAD_BYTES, PARQUET_MAGIC
from etl.raw.streams import Damaged, Unreadable
from etl.records import table_lines
from etl.records.table_lines import CLOCK, LOCAL_TIME, MOST_EXACT, NUMBER, OTHER, RS, TEXT, TRUTH
from lake.memory.arrays import array, numbers, scalar, to_numpy

KIND = "Parquet file"
ENCRYPTED = b"PARE"
MOST_ROWS, BATCH_BYTES, BUFFER_BYTES = 16_384, 8 << 20, 1 << 20
"""How much of a row group is read at a time."""
EXACT_UNITS = {"s", "ms", "us"}
NANOSECONDS = 1000


@dataclass(frozen=True)
class ParquetTable:
    """Reads Parquet files."""

    def lines(self, file: IO[bytes]) -> Iterator[bytes]:
        """Yield a file's rows as lines.

        Raises:
            Unreadable: It is something else, or has what pyarrow doesn't read.
            Damaged: It is cut off or damaged.
        """
        head = file.read(HEAD_BYTES)
        file.seek(0)
        if not head:  # nothing, as an empty log is
            return
        if head.startswith(ENCRYPTED):
            raise Unreadable("is an encrypted Parquet file. Bring it decrypted, then run again.")
        if not head.startswith(PARQUET_MAGIC):
            raise Unreadable(
                "is no Parquet file, as format says. Bring it as one, neither compressed nor packed once more, or "
                "correct format or files, then run again."
            )
        with _named():
            # sentinels like 9999-12-31 overflow the nanoseconds that INT96 has
            table = pq.ParquetFile(
                file,
                buffer_size=BUFFER_BYTES,
                coerce_int96_timestamp_unit="us",
                page_checksum_verification=True,
            )
        is_begun, left = False, table.metadata.num_rows
        for group in range(table.num_row_groups):
            for batch in _batches(table, group):
                with _named():
                    named = zip(batch.schema.names, batch.columns, strict=True)
                    columns = [each for name, column in named for each in _flat(name, column)]
                    if not columns:
                        raise Unreadable("has rows without a column. Bring it with its columns, then run again.")
                    lines = table_lines.rows([as_texts(each) for _, each in columns])
                    if not is_begun:
                        kinds = [kind_of(each.type) for _, each in columns]
                        lines = table_lines.header([name for name, _ in columns], kinds) + RS + lines
                    is_begun, left = True, left - batch.num_rows
                yield lines
        if left:
            raise Damaged(KIND, f"its footer says that it has {table.metadata.num_rows:,} rows")


def _batches(table: pq.ParquetFile, group: int) -> Iterator[pa.RecordBatch]:
    with _named():
        about = table.metadata.row_group(group)
        size = BATCH_BYTES * about.num_rows // max(about.total_byte_size, 1)
        yield from table.iter_batches(min(max(size, 1), MOST_ROWS), row_groups=[group], use_threads=False)


@contextmanager
def _named() -> Iterator[None]:
    """Turn what pyarrow raises into what raw files raise."""
    try:
        yield
    except MemoryError:
        raise
    except (pa.ArrowNotImplementedError, pa.ArrowKeyError) as error:
        what = f"has what pyarrow doesn't read: {error}"
        raise Unreadable(f"{what}. Write it in another way, then run again.") from error
    except (pa.ArrowException, ValueError) as error:
        raise Damaged(KIND, error) from error
    except OSError as error:
        if error.errno is not None:  # of the file below it
            raise
        raise Damaged(KIND, error) from error


def _flat(name: str, column: pa.Array) -> Iterator[tuple[str, pa.Array]]:
    """Yield a column, or those that one of structs is, with their names."""
    while isinstance(column, pa.ExtensionArray):
        column = column.storage
    if not pa.types.is_struct(column.type):
        yield name, column
        return
    for field, each in zip(column.type, column.flatten(), strict=True):
        yield from _flat(f"{name}.{field.name}", each)


def kind_of(kind: pa.DataType) -> str:
    """Return which of table_lines.KINDS a column's values are."""
    types = pa.types
    if types.is_dictionary(kind):
        return kind_of(kind.value_type)
    if types.is_null(kind):
        return table_lines.ANY
    if types.is_timestamp(kind):
        return table_lines.TIME if kind.tz else LOCAL_TIME
    of_kinds = {
        TEXT: (types.is_string, types.is_large_string, types.is_string_view),
        NUMBER: (types.is_integer, types.is_floating, types.is_decimal),
        TRUTH: (types.is_boolean,),
        table_lines.DAY: (types.is_date,),
        CLOCK: (types.is_time,),
    }
    return next((found for found, tests in of_kinds.items() if any(test(kind) for test in tests)), OTHER)


def as_texts(column: pa.Array) -> pa.BinaryArray:
    """Return values as texts; of kinds that no column of a dataset is read from, what tells them apart."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return as_texts(column.dictionary).take(column.indices)
    if kind_of(kind) == TEXT:
        return column.cast(pa.binary())
    if kind_of(kind) == OTHER:
        told = [None if each is None else repr(each).encode() for each in column.to_pylist()]
        return array(told, pa.binary())
    if pa.types.is_floating(kind):
        return _floats(column.cast(pa.float64()))
    if pa.types.is_timestamp(kind):
        return _times(column)
    texts = column.cast(pa.string())
    if pa.types.is_decimal(kind) and pc.any(pc.match_substring(texts, "E")).as_py():
        plain = [None if each is None else f"{each:f}" for each in column.to_pylist()]
        texts = array(plain, pa.string())
    return texts.view(pa.binary())


def _floats(column: pa.DoubleArray) -> pa.BinaryArray:
    """Return numbers as texts, whole ones as such: 12.0 is 12."""
    values = to_numpy(pc.fill_null(column, scalar(0.0)))
    is_minus_zero = np.signbit(values) & (values == 0)
    whole = (np.abs(values) <= MOST_EXACT) & (np.trunc(values) == values) & ~is_minus_zero
    plain = numbers(np.where(whole, values, 0).astype(np.int64), to_numpy(column.is_null()))
    texts = plain.cast(pa.string())
    if not whole.all():
        texts = pc.if_else(numbers(whole), texts, column.cast(pa.string()))
    return texts.view(pa.binary())


def _times(column: pa.TimestampArray) -> pa.BinaryArray:
    """Return times as texts, with Z if they are of UTC; nanoseconds only where there are some."""
    kind = column.type
    zone = "UTC" if kind.tz else None
    texts = column.cast(pa.timestamp(kind.unit, zone)).cast(pa.string())
    if kind.unit in EXACT_UNITS:
        return texts.view(pa.binary())
    moments = to_numpy(pc.fill_null(column.view(pa.int64()), scalar(0)))
    exact = moments % NANOSECONDS == 0
    in_microseconds = numbers(moments // NANOSECONDS, to_numpy(column.is_null()))
    short = in_microseconds.view(pa.timestamp("us", zone)).cast(pa.string())
    return (short if exact.all() else pc.if_else(numbers(exact), short, texts)).view(pa.binary())
