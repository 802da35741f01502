"""Writing a partition's file: validated batch by batch, the same bytes for the same rows."""

import hashlib
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import TracebackType
from typing import Self

import pyarrow as pa
import pyarrow.parquet as pq

from lake import provenance
from lake.contract import Contract
from lake.provenance import Provenance

ROW_GROUP_ROWS = 131_072


@dataclass(frozen=True)
class StagedFile:
    """A finished file that waits for its publication.

    Attributes:
        sha256: Digest of its bytes, in hexadecimal.
        bytes: Its size.
    """

    path: Path
    sha256: str
    bytes: int


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_provenance(path: Path) -> Provenance:
    """Return the provenance in a published file's footer."""
    return Provenance.from_json(pq.read_metadata(path).metadata[provenance.KEY.encode()])


class PartitionWriter:
    """Writes rows of one day to `path`, checking each batch against the contract.

    Row groups are cut by row count alone, so that the bytes depend on the rows and not on the batches they
    came in. Memory is bounded by one row group. Used as a context manager; left without `finish`, it
    leaves an unfinished file that is never published.
    """

    def __init__(self, contract: Contract, day: date, path: Path) -> None:
        self.contract = contract
        self.day = day
        self.path = path
        self.rows = 0
        self._waiting: list[pa.Table] = []
        self._waiting_rows = 0
        self._parquet = pq.ParquetWriter(
            path, contract.schema, compression="zstd", version="2.6", store_schema=False
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._parquet.close()

    def write(self, table: pa.Table) -> None:
        """Check rows and add them.

        Raises:
            ContractViolation: They break the contract.
        """
        self.contract.validate(table, self.day)
        self.rows += table.num_rows
        self._waiting.append(table)
        self._waiting_rows += table.num_rows
        while self._waiting_rows >= ROW_GROUP_ROWS:
            self._write_row_group()

    def finish(self, footer: Provenance) -> StagedFile:
        """Write what waits and the footer, and check the key over all batches.

        Raises:
            ContractViolation: Two rows share a key.
        """
        if self._waiting_rows:
            self._write_row_group()
        self._parquet.add_key_value_metadata({provenance.KEY: footer.to_json()})
        self._parquet.close()
        if self.contract.key:
            self.contract.validate_key(pq.read_table(self.path, columns=list(self.contract.key)), self.day)
        return StagedFile(self.path, sha256_of(self.path), self.path.stat().st_size)

    def _write_row_group(self) -> None:
        rows = pa.concat_tables(self._waiting)
        # in one chunk, since Arrow looks whether a page is full at the end of each chunk
        row_group = rows.slice(0, ROW_GROUP_ROWS).combine_chunks()
        self._parquet.write_table(row_group, row_group_size=ROW_GROUP_ROWS)
        self._waiting = [rows.slice(ROW_GROUP_ROWS)]
        self._waiting_rows = self._waiting[0].num_rows
