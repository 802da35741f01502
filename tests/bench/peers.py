"""The same task done with other tools, as one would do it: a log file in, a Parquet file out, rejects counted.

    python tests/bench/peers.py NAME LOG PARQUET

writes ts, application, method, path without query, status and response_bytes (of JSON lines also
duration_seconds) of each request as zstd Parquet, and prints how many lines are none. Nothing is masked,
checked or published: the peers have less to do than we.
"""

import gzip
import io
import re
import sys
from collections.abc import Callable, Iterable
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

# One regular expression for all, as RE2, Rust's regex and Python's `re` read it
LINE = (
    r"^(?P<application>[^ :]+):[0-9]+ [^ ]+ [^ ]+ [^ ]+ \[(?P<time>[^\]]+)\]"
    r' "(?P<method>[A-Z]+) (?P<path>/[^ ?"]*)(?:\?[^ "]*)? HTTP/[0-9.]+"'
    r" (?P<status>[1-5][0-9][0-9]) (?P<response_bytes>[0-9]+)"
    r' "(?:[^"\\]|\\.)*" "(?:[^"\\]|\\.)*"$'
)
FIELDS = ("application", "time", "method", "path", "status", "response_bytes")
TIME = "%d/%b/%Y:%H:%M:%S %z"
NO_SEPARATOR = "\x01"  # a whole line is one field
ROWS = 131_072
LOWEST_STATUS, HIGHEST_STATUS = 100, 599


def with_duckdb(log: Path, parquet: Path) -> int:
    """Match with regexp_extract, on as many threads as there are cores."""
    import duckdb

    connection = duckdb.connect()
    connection.execute("set TimeZone = 'UTC'")
    connection.execute(
        f"""
        create table lines as
        with matched as (
            select regexp_extract(line, $pattern, {list(FIELDS)}) as field
            from read_csv(
                $log, columns = {{'line': 'varchar'}}, auto_detect = false, header = false,
                delim = '{NO_SEPARATOR}', quote = '', escape = ''
            )
        )
        select
            try_strptime(field.time, '{TIME}') as ts,
            field.application, field.method, field.path,
            try_cast(field.status as smallint) as status,
            try_cast(field.response_bytes as bigint) as response_bytes
        from matched
        """,
        {"pattern": LINE, "log": str(log)},
    )
    kept = "ts is not null and status is not null"
    connection.execute(f"copy (from lines where {kept}) to '{parquet}' (format parquet, compression zstd)")
    (rejects,) = connection.sql(f"select count(*) from lines where ({kept}) is not true").fetchone() or (-1,)
    return int(rejects)


def with_polars(log: Path, parquet: Path) -> int:
    """Match with extract_groups, on as many threads as there are cores."""
    import polars as pl

    lines = pl.scan_csv(log, separator=NO_SEPARATOR, quote_char=None, has_header=False, new_columns=["line"])
    table = (
        lines.select(pl.col("line").str.extract_groups(LINE).alias("field"))
        .unnest("field")
        .select(
            pl.col("time").str.to_datetime(TIME, strict=False).alias("ts"),
            "application",
            "method",
            "path",
            pl.col("status").cast(pl.Int16),
            pl.col("response_bytes").cast(pl.Int64),
        )
        .collect(engine="streaming")
    )
    kept = table.drop_nulls()
    kept.write_parquet(parquet, compression="zstd")
    return table.height - kept.height


def with_pandas(log: Path, parquet: Path) -> int:
    """Match with Series.str.extract."""
    import pandas as pd

    lines = pd.Series(log.read_text(encoding="utf-8").removesuffix("\n").split("\n"))
    fields = lines.str.extract(LINE)
    table = pd.DataFrame(
        {
            "ts": pd.to_datetime(fields["time"], format=TIME, errors="coerce", utc=True),
            "application": fields["application"],
            "method": fields["method"],
            "path": fields["path"],
            "status": fields["status"].astype("Int16"),
            "response_bytes": fields["response_bytes"].astype("Int64"),
        }
    )
    kept = table.dropna()
    kept.to_parquet(parquet, compression="zstd", index=False)
    return len(table) - len(kept)


def with_re(log: Path, parquet: Path) -> int:
    """Match line by line in a loop."""
    match = re.compile(LINE).match
    time = lru_cache(None)(lambda text: datetime.strptime(text, TIME))  # noqa: DTZ007 - TIME has a zone

    def row(line: str) -> tuple[Any, ...] | None:
        found = match(line)
        if not found:
            return None
        application, clock, method, path, status, size = found.group(*FIELDS)
        try:
            return time(clock), application, method, path, int(status), int(size)
        except ValueError:
            return None

    with log.open(encoding="utf-8") as lines:
        return _write(map(row, lines), parquet, ("ts", "application", *FIELDS[2:]))


def with_orjson(log: Path, parquet: Path) -> int:
    """Read gzipped JSON lines in a loop."""
    import orjson

    loads = orjson.loads
    time = lru_cache(None)(datetime.fromisoformat)

    def row(line: bytes) -> tuple[Any, ...] | None:
        try:
            found = loads(line)
            status = found["status"]
            if not LOWEST_STATUS <= status <= HIGHEST_STATUS:
                return None
            return (
                time(found["time_iso8601"]),
                found["host"],
                found["request_method"],
                found["request_uri"].partition("?")[0],
                status,
                found["body_bytes_sent"],
                found["request_time"],
            )
        except (ValueError, KeyError, TypeError):
            return None

    names = ("ts", "application", "method", "path", "status", "response_bytes", "duration_seconds")
    with gzip.open(log) as unpacked, io.BufferedReader(unpacked, 1 << 20) as lines:
        return _write(map(row, lines), parquet, names)


def _write(rows: Iterable[tuple[Any, ...] | None], parquet: Path, names: tuple[str, ...]) -> int:
    """Write rows as they come, and return how many are None."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = {
        "ts": pa.timestamp("us", "UTC"),
        "status": pa.int16(),
        "response_bytes": pa.int64(),
        "duration_seconds": pa.float64(),
    }
    schema = pa.schema([(name, types.get(name, pa.string())) for name in names])
    rejects = 0
    kept: list[tuple[Any, ...]] = []
    with pq.ParquetWriter(parquet, schema, compression="zstd") as writer:

        def write() -> None:
            writer.write_table(pa.table(list(zip(*kept, strict=True)), schema=schema))
            kept.clear()

        for row in rows:
            if row is None:
                rejects += 1
                continue
            kept.append(row)
            if len(kept) == ROWS:
                write()
        if kept:
            write()
    return rejects


PEERS: dict[str, Callable[[Path, Path], int]] = {
    "duckdb": with_duckdb,
    "polars": with_polars,
    "pandas": with_pandas,
    "re": with_re,
    "orjson": with_orjson,
}

if __name__ == "__main__":
    print(PEERS[sys.argv[1]](Path(sys.argv[2]), Path(sys.argv[3])))
