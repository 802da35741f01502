"""Writing a partition's file: validated batch by batch, the same bytes for the same rows."""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.fs
import pyarrow.parquet as pq

from lake import provenance
from lake.contract import Contract
from lake.memory import arrays
from lake.parquet.row_groups import Encoders, SplicedFile
from lake.provenance import Provenance
from lake.store.protocol import StagedFile

ROW_GROUP_ROWS = 262_144
MANY_TABLES = 128
FEW_ROWS = 1_000
HEAD_ROWS = 8_192


@dataclass(frozen=True)
class Footer:
    """What a published file says of itself: its provenance, its schema, and how many rows it has."""

    provenance: Provenance
    schema: pa.Schema
    rows: int


def read_footer(path: str | Path, filesystem: pyarrow.fs.FileSystem | None = None) -> Footer:
    """Return a published file's footer, without reading its rows."""
    return footer_of(pq.read_metadata(path, filesystem=filesystem))


def footer_of(metadata: pq.FileMetaData) -> Footer:
    """Return what a file's metadata say of it."""
    found = Provenance.from_json(metadata.metadata[provenance.KEY.encode()])
    return Footer(found, metadata.schema.to_arrow_schema(), metadata.num_rows)


class PartitionWriter:
    """Writes rows of one day to `path`, checking them against the contract.

    Row groups are cut by row count alone, and their texts are dictionary-encoded in the order of first
    appearance, so that the bytes depend on the rows and not on the batches they came in, nor on how those were
    encoded. Memory is bounded by one row group, and by as many more as `encoders` has threads. Used as a context
    manager; left without `finish`, it leaves at most an unfinished file that is never published.
    """

    def __init__(
        self,
        contract: Contract,
        day: date,
        path: Path,
        encoders: Encoders | None = None,
        *,
        rules_hold: bool = False,
    ) -> None:
        """Take what is written where.

        Args:
            contract: What rows must keep to.
            day: Theirs.
            path: The file.
            encoders: Check and encode the row groups of a large day; its file is the same to the byte.
            rules_hold: See `Contract.validate`.
        """
        self.contract = contract
        self.day = day
        self.path = path
        self.rows = 0
        self.waiting_rows = 0
        self._row_groups = 0
        self._rules_hold = rules_hold
        self._varied = frozenset(each.name for each in contract.stored if each.varied)
        self._waiting: list[pa.Table] = []
        self._joined = 0  # how many of them are no longer to be joined
        self._encoders = encoders if encoders and encoders.threads > 1 else None
        self._parquet: pq.ParquetWriter | SplicedFile | None = None
        self._in_memory: pa.BufferOutputStream | None = None  # the file, if it has few rows

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._parquet:
            self._parquet.close()

    def write(self, table: pa.Table) -> None:
        """Add rows, whose texts may be dictionary-encoded; whole row groups are checked and written.

        Raises:
            ContractViolation: Rows of a row group break the contract; with encoders, it may be an earlier one.
        """
        self.rows += table.num_rows
        self._waiting.append(table)
        self.waiting_rows += table.num_rows
        self._join_small_ones()
        while self.waiting_rows >= ROW_GROUP_ROWS:
            self._write_row_group()

    def flush(self) -> None:
        """Write what waits; for when no more rows will come.

        Raises:
            ContractViolation: They break the contract.
        """
        if self.waiting_rows or not self._parquet:
            self._write_row_group()

    def finish(self, footer: Provenance) -> StagedFile:
        """Write what waits and the footer, and check the key over all batches.

        Raises:
            ContractViolation: Rows break the contract, or two of them share a key.
        """
        self.flush()
        key_values = {provenance.KEY: footer.to_json()}
        if isinstance(self._parquet, SplicedFile):
            self._parquet.finish(key_values)
        elif self._parquet:
            self._parquet.add_key_value_metadata(key_values)
            self._parquet.close()
        content = self._in_memory.getvalue() if self._in_memory else None
        if content:
            self.path.write_bytes(content)
        if self.contract.key and self._row_groups > 1:  # within each it is checked already
            key = list(self.contract.key)
            texts = [name for name in key if pa.types.is_string(self.contract.schema.field(name).type)]
            with pq.ParquetFile(self.path, read_dictionary=texts) as file:
                self.contract.validate_key(file.read(key), self.day)
        if content:
            return StagedFile(self.path, hashlib.sha256(content).hexdigest(), len(content))
        return StagedFile.of(self.path)

    def _join_small_ones(self) -> None:
        """Make one table of many small ones that wait: each takes some kilobytes beside its rows."""
        small = self._waiting[self._joined :]
        if len(small) >= MANY_TABLES:
            if sum(each.num_rows for each in small) < MANY_TABLES * FEW_ROWS:
                self._waiting[self._joined :] = [_compact(_joined(small, self._varied))]
            self._joined = len(self._waiting)

    def _write_row_group(self) -> None:
        rows = _joined(self._waiting, self._varied) if self._waiting else arrays.no_rows(self.contract.schema)
        row_group = rows.slice(0, ROW_GROUP_ROWS)
        self._row_groups += 1
        if not self._parquet:  # not before, so that a pass over many days doesn't hold a file open for each
            self._parquet = self._opened(row_group)
        if isinstance(self._parquet, SplicedFile):
            self._parquet.add(partial(self._checked, row_group))
        else:
            checked = self._checked(row_group)
            if checked.num_rows:
                self._parquet.write_table(checked, row_group_size=ROW_GROUP_ROWS)
        self._waiting, self._joined = [rows.slice(ROW_GROUP_ROWS)], 0
        self.waiting_rows = self._waiting[0].num_rows

    def _opened(self, first: pa.Table) -> pq.ParquetWriter | SplicedFile:
        """Return a file by its first row group; only if that is full will there be others to encode meanwhile."""
        schema = _encoded(first.slice(0, 0), self._varied).schema
        writer = partial(_parquet_writer, schema=schema, rows=first.num_rows)
        if self._encoders and first.num_rows == ROW_GROUP_ROWS:
            return SplicedFile(self.path, writer, self._encoders)
        if first.num_rows < FEW_ROWS:
            self._in_memory = pa.BufferOutputStream()
            return writer(self._in_memory)
        return writer(self.path)

    def _checked(self, row_group: pa.Table) -> pa.Table:
        """Return a row group as it is written; may run in a thread."""
        compact = _compact(_encoded(row_group, self._varied))
        self.contract.validate(compact, self.day, rules_hold=self._rules_hold)
        return compact


def _parquet_writer(where: Path | pa.NativeFile, schema: pa.Schema, rows: int) -> pq.ParquetWriter:
    """Return a writer of a file, by its schema and how many rows its first row group has.

    Whole numbers are written by their differences, all else by dictionary, but for varied texts. Of few rows, as
    an aggregate has, that and zstd save little, and unpacking takes most of the time of who reads a year: they are
    written plain. Texts get no statistics: their lowest and highest value are found in every row group, and cost a
    third of all.
    """
    whole = [each.name for each in schema if each.type in {pa.int64(), pa.timestamp("us")}]
    varied = [each.name for each in schema if pa.types.is_string(each.type)]
    texts = [each.name for each in schema if pa.types.is_dictionary(each.type)] + varied
    packed: dict[str, Any] = {
        "compression": "zstd",
        "use_dictionary": [name for name in schema.names if name not in whole + varied],
        "column_encoding": dict.fromkeys(whole, "DELTA_BINARY_PACKED"),
    }
    plain: dict[str, Any] = {"compression": "snappy", "use_dictionary": False}
    return pq.ParquetWriter(
        where,
        schema,
        **(plain if rows < FEW_ROWS else packed),
        version="2.6",
        store_schema=False,
        write_statistics=[name for name in schema.names if name not in texts],
    )


def _joined(tables: list[pa.Table], varied: Collection[str]) -> pa.Table:
    """Return the rows of tables, whose texts are dictionary-encoded if those of some are."""
    is_mixed = any(each.schema != tables[0].schema for each in tables)
    return pa.concat_tables((_encoded(each, varied) for each in tables) if is_mixed else tables)


def _encoded(table: pa.Table, varied: Collection[str] = ()) -> pa.Table:
    """Return a table with its texts dictionary-encoded, but for varied ones."""
    for position, field in enumerate(table.schema):
        if pa.types.is_string(field.type) and field.name not in varied:
            encoded = table[position].dictionary_encode()
            if encoded.num_chunks > 1:  # each has the one dictionary of all
                indices = pa.concat_arrays([each.indices for each in encoded.chunks])
                encoded = pa.DictionaryArray.from_arrays(indices, encoded.chunk(0).dictionary)
            table = table.set_column(position, field.with_type(encoded.type), encoded)
    return table


def _compact(rows: pa.Table) -> pa.Table:
    """Return rows in one chunk, since Arrow looks whether a page is full at the end of each chunk.

    Dictionaries hold the values that occur, in the order of first appearance.
    """
    columns = []
    for field, column in zip(rows.schema, rows.columns, strict=True):
        if pa.types.is_dictionary(field.type):
            column = pa.chunked_array(map(_compacted, column.chunks), field.type).unify_dictionaries()  # noqa: PLW2901
        columns.append(column.chunk(0) if column.num_chunks == 1 else arrays.whole(column))
    return pa.Table.from_arrays(columns, schema=rows.schema)


def _compacted(column: pa.DictionaryArray) -> pa.DictionaryArray:
    """Return texts whose dictionary holds those that occur, in the order of first appearance.

    Arrow would hash them; where they occur first is told by their numbers, and of few texts by the first rows.
    """
    places = arrays.to_numpy(column.indices.drop_null())
    size, count = len(column.dictionary), len(places)
    first = np.full(size, count, np.int64)
    for stop in (min(count, HEAD_ROWS), count):
        # of rows with the same text, the one that is written last stays: the first
        first[places[:stop][::-1]] = np.arange(stop - 1, -1, -1)
        if size < HEAD_ROWS and (first < count).all():
            break
    if (first[1:] > first[:-1]).all() and (not size or first[-1] < count):
        return column
    order = np.flatnonzero(first < count)
    order = order[np.argsort(first[order])]
    new = np.zeros(size, np.int32)
    new[order] = np.arange(len(order))
    indices = arrays.numbers(new).take(column.indices)
    return pa.DictionaryArray.from_arrays(indices, column.dictionary.take(arrays.numbers(order)))
