"""The same task done with other tools, as one would do it: a log file in, a Parquet file out, rejects counted.

    python tests/bench/peers.py NAME LOG PARQUET DAY

writes ts, application, method, path without query, status and response_bytes (of JSON lines also
duration_seconds) of each of the day's requests as zstd Parquet, and prints how many lines are none. Nothing is
masked, checked or published: the peers have less to do than we. For the tools that only count, it prints their
counts as JSON.
"""

import csv
import gzip
import io
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

# Regular expressions for all, as RE2, Rust's regex and Python's `re` read them
WORD, QUOTED = r'[^ "\[\]]+', r'(?:[^"\\]|\\.)*'
LINE = (
    rf"^(?P<host>{WORD}|\[[0-9A-Fa-f:.]+\](?::[0-9]+)?) {WORD} {WORD} {WORD} \[(?P<time>[^\"\[\]]*)\]"
    rf' "(?P<request>{QUOTED})" (?P<status>[1-5][0-9][0-9]) (?P<response_bytes>[0-9]+|-)'
    rf' "{QUOTED}" "{QUOTED}"\r?$'
)
PROTOCOL = r" HTTP/[0-9](?:\.[0-9])?"
REQUEST = (
    r"^(?P<method>[A-Z-]+)(?: (?:[A-Za-z][A-Za-z0-9+.-]*://[^/?#; ]*)?(?P<path>/.*?|\*)"
    rf"(?:(?:[?#;]|%(?:25)*(?:3[BbFf]|23)).*)?(?:{PROTOCOL})?| .*|)$"
)
FIELDS = ("host", "time", "request", "status", "response_bytes")
PORT = r":[0-9]{1,5}$"
HOST_NAME = r"^(?:[a-z]|[0-9][0-9.]*[a-z_-])[a-z0-9._-]*$"  # no IP address
NO_HOST = "(invalid)"
METHODS = (
    *("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"),
    *("PRI", "PROPFIND", "PROPPATCH", "MKCOL", "COPY", "MOVE", "LOCK", "UNLOCK", "SEARCH", "REPORT"),
)
TIME = "%d/%b/%Y:%H:%M:%S %z"
NO_SEPARATOR = "\x01"  # a whole line is one field
ROWS = 131_072
LOWEST_STATUS, HIGHEST_STATUS = 100, 599
SERVER_ERROR = 500


def with_duckdb(log: Path, parquet: Path, day: date) -> int:
    """Match with regexp_extract, on as many threads as there are cores; lines that are no UTF-8 are left out."""
    import duckdb

    connection = duckdb.connect()
    connection.execute("set TimeZone = 'UTC'")
    connection.execute(
        f"""
        create table lines as
        with matched as (
            select regexp_extract(line, $line, {list(FIELDS)}) as field
            from read_csv(
                $log, columns = {{'line': 'varchar'}}, auto_detect = false, header = false, store_rejects = true,
                delim = '{NO_SEPARATOR}', quote = '', escape = '', strict_mode = false
            )
        ),
        requested as (
            select *,
                regexp_extract(field.request, $request, ['method', 'path']) as asked,
                regexp_replace(lower(field.host), '{PORT}', '') as host
            from matched
        )
        select
            try_strptime(field.time, '{TIME}') as ts,
            case when regexp_matches(host, '{HOST_NAME}') then host else '{NO_HOST}' end as application,
            case when asked.method in {METHODS} then asked.method end as method,
            nullif(asked.path, '') as path,
            try_cast(field.status as smallint) as status,
            case field.response_bytes when '-' then 0 else try_cast(field.response_bytes as bigint) end
                as response_bytes
        from requested
        """,
        {"line": LINE, "request": REQUEST, "log": str(log)},
    )
    kept = f"status is not null and coalesce(ts::date = date '{day}', false)"
    connection.execute(f"copy (from lines where {kept}) to '{parquet}' (format parquet, compression zstd)")
    rejects = (
        f"select count(*) filter (not ({kept})) + (select count(distinct line) from reject_errors) from lines"
    )
    return int((connection.sql(rejects).fetchone() or (-1,))[0])


def with_polars(log: Path, parquet: Path, day: date) -> int:
    """Match with extract_groups, on as many threads as there are cores."""
    import polars as pl

    lines = pl.scan_csv(
        log, separator=NO_SEPARATOR, quote_char=None, has_header=False, new_columns=["line"], encoding="utf8-lossy"
    )
    host = pl.col("host").str.to_lowercase().str.replace(PORT, "")
    table = (
        lines.select(pl.col("line").str.extract_groups(LINE).alias("field"))
        .unnest("field")
        .with_columns(pl.col("request").str.extract_groups(REQUEST).alias("asked"), host.alias("host"))
        .unnest("asked")
        .select(
            pl.col("time").str.to_datetime(TIME, strict=False).alias("ts"),
            pl.when(pl.col("host").str.contains(HOST_NAME))
            .then("host")
            .otherwise(pl.lit(NO_HOST))
            .alias("application"),
            pl.when(pl.col("method").is_in(METHODS)).then("method").alias("method"),
            "path",
            pl.col("status").cast(pl.Int16),
            pl.col("response_bytes").replace("-", "0").cast(pl.Int64),
        )
        .collect(engine="streaming")
    )
    kept = table.filter(pl.col("status").is_not_null() & (pl.col("ts").dt.date() == day))
    kept.write_parquet(parquet, compression="zstd")
    return table.height - kept.height


def with_chdb(log: Path, parquet: Path, day: date) -> int:
    """Match with extractGroups in ClickHouse within the process, on as many threads as there are cores."""
    from chdb import session

    connection = session.Session()
    connection.query("create database peer engine = Atomic")
    parts = "select extractGroups(line, '{}') as field from file('{}', 'LineAsString', 'line String')"
    connection.query(
        f"""
        create table peer.lines engine = Memory as
        with
            extractGroups(field[3], '{_quoted(REQUEST)}') as asked,
            replaceRegexpOne(lower(field[1]), '{_quoted(PORT)}', '') as host
        select
            parseDateTimeOrNull(field[2], '%d/%b/%Y:%H:%i:%s %z', 'UTC') as ts,
            if(match(host, '{_quoted(HOST_NAME)}'), host, '{NO_HOST}') as application,
            if(asked[1] in {METHODS}, asked[1], null) as method,
            nullIf(asked[2], '') as path,
            toInt16OrNull(field[4]) as status,
            toInt64OrZero(field[5]) as response_bytes
        from ({parts.format(_quoted(LINE), log)})
        """
    )
    kept = f"status is not null and ifNull(toDate(ts) = '{day}', 0)"
    connection.query(
        f"select * from peer.lines where {kept} into outfile '{parquet}' truncate format Parquet "
        "settings output_format_parquet_compression_method = 'zstd'"
    )
    return int(str(connection.query(f"select count() from peer.lines where not ({kept})", "TSV")))


def with_pandas(log: Path, parquet: Path, day: date) -> int:
    """Match with Series.str.extract."""
    import pandas as pd

    text = log.read_bytes().decode(errors="replace")
    fields = pd.Series(text.removesuffix("\n").split("\n")).str.extract(LINE)
    asked = fields["request"].str.extract(REQUEST)
    host = fields["host"].str.lower().str.replace(PORT, "", regex=True)
    table = pd.DataFrame(
        {
            "ts": pd.to_datetime(fields["time"], format=TIME, errors="coerce", utc=True),
            "application": host.where(host.str.match(HOST_NAME).fillna(value=False).astype(bool), NO_HOST),
            "method": asked["method"].where(asked["method"].isin(METHODS)),
            "path": asked["path"],
            "status": fields["status"].astype("Int16"),
            "response_bytes": fields["response_bytes"].replace("-", "0").astype("Int64"),
        }
    )
    kept = table[table["status"].notna() & (table["ts"].dt.date == day)]
    kept.to_parquet(parquet, compression="zstd", index=False)
    return len(table) - len(kept)


def with_re(log: Path, parquet: Path, day: date) -> int:
    """Match line by line in a loop."""
    match, match_request = re.compile(LINE).match, re.compile(REQUEST).match
    clock = lru_cache(None)(lambda text: datetime.strptime(text, TIME))  # noqa: DTZ007 - TIME has a zone
    begin = datetime.combine(day, time(), UTC)
    end = begin + timedelta(days=1)
    is_name, without_port = re.compile(HOST_NAME).match, re.compile(PORT).sub

    @lru_cache
    def application(host: str) -> str:
        name = without_port("", host.lower())
        return name if is_name(name) else NO_HOST

    def row(line: str) -> tuple[Any, ...] | None:
        found = match(line)
        if not found:
            return None
        host, shown, request, status, size = found.group(*FIELDS)
        try:
            ts = clock(shown)
        except ValueError:
            return None
        if not begin <= ts < end:
            return None
        method, path = asked.group("method", "path") if (asked := match_request(request)) else (None, None)
        known = method if method in METHODS else None
        return ts, application(host), known, path, int(status), 0 if size == "-" else int(size)

    with log.open(encoding="utf-8", errors="replace", newline="\n") as lines:
        return _write(map(row, lines), parquet, ("ts", "application", "method", "path", *FIELDS[3:]))


def with_orjson(log: Path, parquet: Path, day: date) -> int:
    """Read gzipped JSON lines in a loop."""
    import orjson

    loads, match_request = orjson.loads, re.compile(REQUEST).match
    clock = lru_cache(None)(datetime.fromisoformat)
    begin = datetime.combine(day, time(), UTC)
    end = begin + timedelta(days=1)

    @lru_cache
    def application(host: str) -> str:
        name = re.sub(PORT, "", host.lower())
        return name if re.match(HOST_NAME, name) else NO_HOST

    def row(line: bytes) -> tuple[Any, ...] | None:
        try:
            found = loads(line)
            status, size, ts = found["status"], found["body_bytes_sent"], clock(found["time_iso8601"])
            if not (LOWEST_STATUS <= status <= HIGHEST_STATUS and size >= 0 and begin <= ts < end):
                return None
            method, target = found["request_method"], found["request_uri"]
            asked = match_request(f"{method} {target} HTTP/1.1")
            method, path = asked.group("method", "path") if asked else (None, None)
            known = method if method in METHODS else None
            return ts, application(found["host"]), known, path, status, size, found["request_time"]
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


def _quoted(pattern: str) -> str:
    """Return a regular expression as ClickHouse reads it between quotes."""
    return pattern.replace("\\", "\\\\").replace("'", "\\'")


def counted_by_lnav(log: Path) -> dict[str, int]:
    """Ask lnav, without its screen."""
    question = "select count(*), sum(sc_status >= 500), sum(sc_bytes) from access_log"
    command = ["lnav", "-n", "-c", f";{question}", "-c", ":write-csv-to -", str(log)]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    *_, row = csv.reader(said.splitlines())
    return dict(zip(COUNTS, map(int, row), strict=True))


def counted_by_goaccess(log: Path) -> dict[str, int]:
    """Ask GoAccess for its report as JSON."""
    shape = '%v:%^ %h %^ %^ [%d:%t %^] "%r" %s %b "%R" "%u"'
    command = [
        *("goaccess", str(log), "--no-global-config", "--output=json", f"--log-format={shape}"),
        *("--date-format=%d/%b/%Y", "--time-format=%T", "--no-progress"),
    ]
    report = json.loads(subprocess.run(command, check=True, capture_output=True).stdout.decode(errors="replace"))
    classes = {each["data"][:3]: each["hits"]["count"] for each in report["status_codes"]["data"]}
    errors = sum(count for name, count in classes.items() if name.startswith("5"))
    return dict(
        zip(COUNTS, (report["general"]["valid_requests"], errors, report["general"]["bandwidth"]), strict=True)
    )


COUNTS = ("requests", "server_errors", "response_bytes")
PEERS: dict[str, Callable[[Path, Path, date], int]] = {
    "duckdb": with_duckdb,
    "polars": with_polars,
    "chdb": with_chdb,
    "pandas": with_pandas,
    "re": with_re,
    "orjson": with_orjson,
}
COUNTERS: dict[str, Callable[[Path], dict[str, int]]] = {"lnav": counted_by_lnav, "goaccess": counted_by_goaccess}

if __name__ == "__main__":
    _, peer, file, made, its_day = sys.argv
    if peer in COUNTERS:
        print(json.dumps(COUNTERS[peer](Path(file))))
    else:
        print(PEERS[peer](Path(file), Path(made), date.fromisoformat(its_day)))
