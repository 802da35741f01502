"""Published partitions for whoever carries them on: what each is, and its rows as a stream of record batches."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date

import pyarrow as pa

from lake import evidence
from lake.contract import Column, Contract
from lake.lake import Lake
from lake.lake import latest as latest_of
from lake.memory.arrays import scalar
from lake.partition import IN_THE_PATH, Partition, days_since_epoch

__all__ = ["Published"]

ROWS_AT_ONCE = 65_536
TYPES = {"dt": pa.date32(), "source": pa.string(), "rev": pa.int32()}


@dataclass(frozen=True)
class Published:
    """A partition's latest revision.

    Attributes:
        contract: Of its dataset.
        dt: Its UTC day.
        source: Its source, None where the dataset is not kept per source.
        revision: Its number: 0, or that of a restatement. It only grows.
        sha256: The digest of its bytes, in hexadecimal.
        columns: Those of its rows: `dt`, `source` where it is kept per source, the contract's, and `rev`.
        batches: Returns its rows, in their order, in batches of a bounded size; a text is never a dictionary's.
            Raises PartitionMissing or Damaged if its file can't be read.
    """

    contract: Contract
    dt: date
    source: str | None
    revision: int
    sha256: str
    columns: tuple[Column, ...] = field(repr=False)
    batches: Callable[[], pa.RecordBatchReader] = field(repr=False, compare=False)

    @classmethod
    def latest(
        cls, lake: Lake, contract: Contract, start: date | None = None, stop: date | None = None
    ) -> "list[Published]":
        """Return those of the days `[start, stop)`, oldest first; see `lake.partitions`."""
        objects = lake.objects(contract, start, stop)
        published = evidence.publications(lake.store, contract, start, stop)
        digests = {each.what.partition: each.what.sha256 for each in published}  # of one built anew, the last
        columns = columns_of(contract)

        def of(partition: Partition) -> Published:
            def batches() -> pa.RecordBatchReader:
                rows = rows_of(lake, partition, objects[partition].bytes, columns)
                return pa.RecordBatchReader.from_batches(_schema_of(columns), rows)

            sha256 = digests.get(partition) or lake.sha256(partition)  # earlier versions recorded none
            return cls(contract, partition.dt, partition.source, partition.revision, sha256, columns, batches)

        return [of(each) for each in latest_of(objects)]


def columns_of(contract: Contract) -> tuple[Column, ...]:
    """Return the columns of a dataset's rows, those of the partition's path among them, in the order shown."""
    place = {
        name: Column(name, TYPES[name], unit, meaning)
        for name, (unit, meaning) in IN_THE_PATH.items()
        if name != "source" or contract.per_source
    }
    revision = place.pop("rev")
    return (*place.values(), *contract.stored, revision)


def _schema_of(columns: tuple[Column, ...]) -> pa.Schema:
    """Return the Arrow schema of rows with these columns."""
    return pa.schema([pa.field(each.name, each.type, nullable=each.nullable) for each in columns])


def rows_of(lake: Lake, partition: Partition, size: int, columns: tuple[Column, ...]) -> Iterator[pa.RecordBatch]:
    """Yield a partition's rows in batches, with these columns; PartitionMissing or Damaged if it can't be read."""
    file, _ = lake.file_opener()(partition, size)
    path = {
        "dt": scalar(days_since_epoch(partition.dt), pa.int32()).cast(pa.date32()),
        "source": scalar(partition.source, pa.string()),
        "rev": scalar(partition.revision, pa.int32()),
    }
    schema = _schema_of(columns)
    with file:
        for batch in file.iter_batches(ROWS_AT_ONCE):
            yield pa.RecordBatch.from_arrays([_column(each, batch, path) for each in columns], schema=schema)


def _column(column: Column, batch: pa.RecordBatch, path: dict[str, pa.Scalar]) -> pa.Array:
    """Return a column of a batch; where it came later than the file, it is NULL."""
    if column.name in path:
        return pa.repeat(path[column.name], len(batch))
    if column.name not in batch.schema.names:
        return pa.nulls(len(batch), column.type)
    return batch.column(column.name).cast(column.type)
