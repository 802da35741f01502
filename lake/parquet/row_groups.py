"""Row groups of a Parquet file, encoded in threads: the same bytes as one ParquetWriter would write.

Each row group is written as a file of its own in memory; Arrow lets go of Python's lock meanwhile. Then its bytes
are copied behind those of the row groups before it, and what its footer says of it goes into the footer of all,
with the offsets moved. A footer is a struct `FileMetaData` of parquet.thrift in Thrift's compact protocol:
https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift
https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
"""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import pyarrow as pa
import pyarrow.parquet as pq

Writer = Callable[[pa.BufferOutputStream], pq.ParquetWriter]
"""Opens a writer of a file: the same options each time."""

MAGIC = b"PAR1"
TAIL_BYTES = 4 + len(MAGIC)  # the footer's size, in four bytes, and the magic
# Field numbers of FileMetaData, and the paths from a RowGroup to what is an offset in the file
NUM_ROWS, ROW_GROUPS = 3, 4
FILE_OFFSET = (5,)
DATA_PAGE_OFFSET, INDEX_PAGE_OFFSET, DICTIONARY_PAGE_OFFSET = ((1, 3, number) for number in (9, 10, 11))
OFFSETS = {FILE_OFFSET, DATA_PAGE_OFFSET, INDEX_PAGE_OFFSET, DICTIONARY_PAGE_OFFSET}
# Thrift's types
TRUE, FALSE, BYTE, I16, I32, I64, DOUBLE, BINARY, LIST, SET, MAP, STRUCT = range(1, 13)
LONG_LIST = 15
MORE = 128  # follows, says a byte of a whole number of any length


class Encoders:
    """Threads that encode row groups, of one file or of several; as a context manager it leaves none behind.

    Args:
        threads: How many row groups may be in the making, which bounds memory.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._begun: deque[tuple[_Encoding, Callable[[pa.Buffer], None]]] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        while self._begun:
            self._begun.popleft()[0].join()

    def begin(self, encode: Callable[[], pa.Buffer], done: Callable[[pa.Buffer], None]) -> None:
        """Encode in a thread; `done` is called with the result by this thread, in the order of the calls.

        Errors are raised by a later call.
        """
        if len(self._begun) >= self.threads:
            self._end_oldest()
        encoding = _Encoding(encode)
        encoding.start()
        self._begun.append((encoding, done))

    def end(self) -> None:
        """Wait for all that was begun."""
        while self._begun:
            self._end_oldest()

    def _end_oldest(self) -> None:
        encoding, done = self._begun.popleft()
        done(encoding.result())


class _Encoding(threading.Thread):
    """A call in a thread of its own."""

    def __init__(self, encode: Callable[[], pa.Buffer]) -> None:
        super().__init__(daemon=True)
        self._encode = encode
        self._result: pa.Buffer | None = None
        self._error: BaseException | None = None

    def run(self) -> None:
        try:
            self._result = self._encode()
        except BaseException as error:  # noqa: BLE001 - raised where the result is asked for
            self._error = error

    def result(self) -> pa.Buffer:
        """Return what the call returned, or raise what it raised."""
        self.join()
        if self._error:
            raise self._error
        return self._result


class SplicedFile:
    """A Parquet file in the making, out of row groups that are encoded each as a file of its own."""

    def __init__(self, path: Path, writer: Writer, encoders: Encoders) -> None:
        """Open the file.

        Args:
            path: Where it is written.
            writer: Opens a writer of a file like it: flat columns, neither page index nor bloom filters.
            encoders: Where row groups are encoded.
        """
        self._writer = writer
        self._encoders = encoders
        self._rows = 0
        self._row_groups: list[bytes] = []
        self._file = path.open("wb")
        self._file.write(MAGIC)

    def add(self, row_group: Callable[[], pa.Table]) -> None:
        """Add the rows that are returned in a thread; an error there is raised here, later, or by `finish`."""
        self._encoders.begin(lambda: self._encoded(row_group()), self._splice)

    def finish(self, key_values: dict[str, str]) -> None:
        """Write what is still in the making, the footer with these keys and values, and close the file."""
        self._encoders.end()
        sink = pa.BufferOutputStream()
        with self._writer(sink) as writer:
            writer.add_key_value_metadata(key_values)
        without_rows = _footer(memoryview(sink.getvalue()))
        fields = {each.number: each for each in _Thrift(without_rows).fields()}
        rows, row_groups = fields[NUM_ROWS], fields[ROW_GROUPS]
        footer = b"".join(
            (
                without_rows[: rows.begin],
                _zigzag(self._rows),
                without_rows[rows.end : row_groups.begin],
                _list_of_structs(self._row_groups),
                without_rows[row_groups.end :],
            )
        )
        self._file.write(footer + len(footer).to_bytes(4, "little") + MAGIC)
        self.close()

    def close(self) -> None:
        """Close the file as it is."""
        self._file.close()

    def _encoded(self, row_group: pa.Table) -> pa.Buffer:
        """Return a row group as a file."""
        sink = pa.BufferOutputStream()
        with self._writer(sink) as writer:
            writer.write_table(row_group, row_group_size=row_group.num_rows)
        return sink.getvalue()

    def _splice(self, encoded: pa.Buffer) -> None:
        """Write what a file of one row group has behind what is there."""
        data = memoryview(encoded)
        footer = _footer(data)
        fields = {each.number: each for each in _Thrift(footer).fields()}
        # the list's only element follows its header
        moved = _Thrift(footer, fields[ROW_GROUPS].begin + 1, by=self._file.tell() - len(MAGIC))
        moved.copy(STRUCT, ())
        self._row_groups.append(bytes(moved.copied))
        self._rows += _Thrift(footer, fields[NUM_ROWS].begin).number()
        self._file.write(data[len(MAGIC) : len(data) - TAIL_BYTES - len(footer)])


class _Field(NamedTuple):
    """A field of a struct, and where its value is."""

    number: int
    begin: int
    end: int


class _Thrift:
    """Reads Thrift's compact protocol, and copies what it reads, with the offsets in a row group moved.

    Attributes:
        copied: What was copied so far.
    """

    def __init__(self, data: bytes, at: int = 0, by: int = 0) -> None:
        self.copied = bytearray()
        self._data = data
        self._at = at
        self._by = by

    def fields(self) -> Iterator[_Field]:
        """Read a struct, and yield its fields."""
        number = 0
        while header := self._byte():
            number = number + (header >> 4) if header >> 4 else self.number()
            begin = self._at
            self.copy(header & 15, (-1,))
            yield _Field(number, begin, self._at)

    def number(self) -> int:
        """Read a whole number."""
        value = self._varint()
        return (value >> 1) ^ -(value & 1)

    def copy(self, kind: int, path: tuple[int, ...]) -> None:
        """Copy a value of a type, which is at a path from the row group."""
        if kind == STRUCT:
            self._copy_struct(path)
        elif kind in {LIST, SET}:
            self._copy_list(path)
        elif kind == I64 and path in OFFSETS:
            self.copied += _zigzag(self.number() + self._by)
        else:
            begin = self._at
            self._skip(kind)
            self.copied += self._data[begin : self._at]

    def _copy_struct(self, path: tuple[int, ...]) -> None:
        number, begin = 0, self._at
        while header := self._byte():
            number = number + (header >> 4) if header >> 4 else self.number()
            self.copied += self._data[begin : self._at]
            self.copy(header & 15, (*path, number))
            begin = self._at
        self.copied.append(0)

    def _copy_list(self, path: tuple[int, ...]) -> None:
        begin = self._at
        header = self._byte()
        size = self._varint() if header >> 4 == LONG_LIST else header >> 4
        self.copied += self._data[begin : self._at]
        for _ in range(size):
            self.copy(header & 15, path)

    def _skip(self, kind: int) -> None:
        if kind in {I16, I32, I64}:
            self._varint()
        elif kind == BINARY:
            size = self._varint()
            self._at += size
        elif kind in {BYTE, DOUBLE}:
            self._at += 1 if kind == BYTE else 8
        elif kind not in {TRUE, FALSE}:  # in a struct, these two are their own values
            raise AssertionError(f"Thrift type {kind}")

    def _byte(self) -> int:
        self._at += 1
        return self._data[self._at - 1]

    def _varint(self) -> int:
        value = shift = 0
        while (byte := self._byte()) & MORE:
            value |= (byte & MORE - 1) << shift
            shift += 7
        return value | byte << shift


def _footer(file: memoryview) -> bytes:
    size = int.from_bytes(file[-TAIL_BYTES : -len(MAGIC)], "little")
    return bytes(file[len(file) - TAIL_BYTES - size : len(file) - TAIL_BYTES])


def _zigzag(number: int) -> bytes:
    return _varint(number << 1 if number >= 0 else (-number << 1) - 1)


def _varint(number: int) -> bytes:
    written = bytearray()
    while number >= MORE:
        written.append(number & MORE - 1 | MORE)
        number >>= 7
    return bytes((*written, number))


def _list_of_structs(structs: list[bytes]) -> bytes:
    size = len(structs)
    header = bytes([size << 4 | STRUCT]) if size < LONG_LIST else bytes([LONG_LIST << 4 | STRUCT]) + _varint(size)
    return header + b"".join(structs)
