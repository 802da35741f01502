"""Rows of a query, as files: of Parquet, CSV or lines of JSON, from record batches as they come."""

import json
from collections.abc import Callable, Iterator
from datetime import date, time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from etl.fetch.parts import GZIP, Part, part_file
from lake.errors import ConfigError

PARQUET, CSV, NDJSON = "parquet", "csv", "ndjson"
FORMATS = (PARQUET, CSV, NDJSON, "json")
"""Of sources: that of records in lines of JSON has another name than that of such a log."""
COMPRESSION, LEVEL = "zstd", 1
PART_BYTES = 1_000_000_000


def check_format(shape: str) -> str:
    """Return the format of a section; ConfigError if rows are not written so."""
    if shape not in FORMATS:
        raise ConfigError(f"format = {shape}: rows are fetched as {', '.join(FORMATS[:-1])} or {FORMATS[-1]}.")
    return shape


def written(shape: str, schema: pa.Schema, batches: Iterator[pa.RecordBatch], folder: Path) -> list[Part]:
    """Write batches to files of a folder: one at least, also if there is no row."""
    if shape == PARQUET:
        return _write_parquet(schema, batches, folder)
    return _write_csv(schema, batches, folder) if shape == CSV else _write_json(batches, folder)


def _write_parquet(schema: pa.Schema, batches: Iterator[pa.RecordBatch], folder: Path) -> list[Part]:
    parts: list[Part] = []
    # of other columns a dictionary would cost most of the time, and make no file smaller
    texts = [each.name for each in schema if pa.types.is_string(each.type)]
    options = {"compression": COMPRESSION, "compression_level": LEVEL, "use_dictionary": texts}
    batch = next(batches, None)
    while batch is not None or not parts:
        path, rows = folder / f"fetched-{len(parts)}", 0
        with pq.ParquetWriter(path, schema, **options) as writer:
            while batch is not None:
                writer.write_batch(batch)
                rows += batch.num_rows
                batch = next(batches, None)
                if path.stat().st_size >= PART_BYTES:
                    break
        parts.append(Part.of(path, PARQUET, rows))
    return parts


def _write_csv(schema: pa.Schema, batches: Iterator[pa.RecordBatch], folder: Path) -> list[Part]:
    with part_file(folder / "fetched-0", CSV + GZIP) as file:
        file.rows = 0
        with pyarrow.csv.CSVWriter(pa.PythonFile(_Sink(file.write), mode="w"), schema) as writer:
            for each in batches:
                writer.write_batch(each)
                file.rows += each.num_rows
        return [file.finish()]


def _write_json(batches: Iterator[pa.RecordBatch], folder: Path) -> list[Part]:
    with part_file(folder / "fetched-0", NDJSON + GZIP) as file:
        file.rows = 0
        for each in batches:
            for row in each.to_pylist():
                file.write(json.dumps(row, ensure_ascii=False, default=_as_text).encode() + b"\n")
            file.rows += each.num_rows
        return [file.finish()]


def _as_text(value: Any) -> str:  # noqa: ANN401 - what JSON has no type for
    return str(value.isoformat()) if isinstance(value, date | time) else str(value)


class _Sink:
    """What Arrow writes to."""

    closed = False

    def __init__(self, write: Callable[[bytes], None]) -> None:
        self._write = write

    def write(self, content: bytes) -> int:
        """Write some bytes."""
        self._write(bytes(content))
        return len(content)

    def flush(self) -> None:
        """Do nothing: it is the file's affair."""
