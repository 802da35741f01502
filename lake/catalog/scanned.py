"""An Arrow dataset that DuckDB reads without holding Python's lock."""

from collections.abc import Iterable
from typing import Any

import pyarrow as pa
import pyarrow.dataset as pads


class Scanned(pads.FileSystemDataset):  # type: ignore[misc]  # Arrow has no types
    """A dataset whose files Python opens.

    Arrow's own `to_reader` begins to read while it holds Python's lock. If a file can't be read then, Arrow's
    other threads want that lock to tell why, and all wait for each other without end.
    """

    def __init__(self, dataset: pads.FileSystemDataset) -> None:
        """Take the dataset that this is to be."""
        super().__init__(list(dataset.get_fragments()), dataset.schema, dataset.format, dataset.filesystem)

    def scanner(self, *arguments: Any, **options: Any) -> "_Scanner":  # noqa: ANN401 - Arrow's
        """Return what DuckDB reads from, which is given the columns and the condition of a query."""
        return _Scanner(super().scanner(*arguments, **options))


class _Scanner:
    """What DuckDB asks of Arrow's scanner."""

    def __init__(self, scanner: pads.Scanner) -> None:
        self._scanner = scanner

    def to_reader(self) -> pa.RecordBatchReader:
        """Begin to read, and return the rows."""
        batches: Iterable[pa.RecordBatch] = self._scanner.to_batches()  # lets go of Python's lock
        return pa.RecordBatchReader.from_batches(self._scanner.projected_schema, batches)
