"""Access logs made up for the benchmark: the same each time, and known to the last line.

    python tests/bench/logs.py KIND LINES FIRST_DAY DAYS FOLDER PACKING

writes `gzip` (access.log.gz), `plain` (access.log) or `hours` (access-YYYYMMDDHH.log.gz), the same lines in
each, and beside them truth.json. KIND is `vhost_combined` or `json` for the traffic of traffic.py, `field`,
`field_crlf` or `field_json` for that of field_traffic.py. One line in a thousand is malformed.
"""

import gzip
import re
import sys
import tempfile
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from field_style import FieldStyle
from traffic import (
    CLIENTS,
    HOSTS,
    HOUR_SECONDS,
    HOURS,
    METHODS,
    PATHS,
    QUOTED_AGENTS,
    STATUSES,
    Hour,
    Integers,
    combined_clients,
    referers,
    user_agents,
)
from truth import Pools, Requests, Truth

MALFORMED = ("shape", "status", "time", "blank")
MALFORMED_SHARE = 0.001
QUOTED_EVERY = 500  # one client in so many has a user agent with quotes in it
GZIP_LEVEL = 6  # gzip's own default, which logrotate leaves as it is
GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03"
DEFLATE_END = b"\x03\x00"  # an empty last block
HOURS_IN_MEMORY = 4

T = TypeVar("T")
R = TypeVar("R")
WrittenHour = tuple[datetime, pa.Buffer]
"""When an hour begins, and its lines."""
Written = tuple[Requests, pa.Array, Integers]
"""An hour's requests, their lines, and of each the index in REASONS of why it is malformed, or -1."""


class Style:
    """How a format writes an hour of requests of traffic.py."""

    pools = Pools(STATUSES, HOSTS, METHODS, PATHS, PATHS)

    def __init__(self, name: str, random: np.random.Generator) -> None:
        self.name = name
        self._hexadecimal = pa.array([f"{n:04x}" for n in range(1 << 16)])
        agents = user_agents()
        numbers = np.arange(CLIENTS)
        plain = ((len(agents) - QUOTED_AGENTS) * random.random(CLIENTS) ** 2).astype(np.int64)
        quoted = len(agents) - 1 - numbers % QUOTED_AGENTS
        self._agent_of_client = np.where(numbers % QUOTED_EVERY == QUOTED_EVERY // 2, quoted, plain)
        self._clients = pa.array(combined_clients(random))
        seconds = [f":{n // 60:02}:{n % 60:02}" for n in range(HOUR_SECONDS)]
        if name == "json":
            self._seconds = pa.array([f'{each}+00:00","request_method":"' for each in seconds])
            self._methods = pa.array([f'{each}","request_uri":"' for each in METHODS])
            self._statuses = pa.array([f'","status":{each},"body_bytes_sent":' for each in STATUSES])
            self._hosts = pa.array([f',"host":"{each}","http_user_agent":"' for each in HOSTS])
            self._agents = pa.array([f'{each}","request_time":' for each in agents])
            self._durations = pa.array([f"{n / 1000:.3f}}}\n" for n in range(10_000)])
            self._bad_status = rb'"status":\d+', b'"status":999'
            self._bad_time = rb'01":"(\d{4})-..-..', rb'01":"\1-02-31'
        else:
            self._hosts = pa.array([f"{each}:443 " for each in HOSTS])
            self._seconds = pa.array([f'{each} +0000] "' for each in seconds])
            self._methods = pa.array([f"{each} " for each in METHODS])
            self._statuses = pa.array([f' HTTP/1.1" {each} ' for each in STATUSES])
            self._referers = pa.array([f' "{each}" "' for each in referers(random)])
            self._agents = pa.array([f'{each}"\n' for each in agents])
            self._bad_status = rb'" \d{3} ', b'" 999 '
            self._bad_time = rb"\[../.../", b"[31/Feb/"

    def hour(self, random: np.random.Generator, start: datetime, count: int) -> Written:
        """Make up an hour of so many lines."""
        hour = Hour.make(random, start, count, self._hexadecimal)
        malformed = random.random(count) < MALFORMED_SHARE
        reasons = np.where(malformed, random.integers(0, len(MALFORMED), count), -1)
        return hour, self._spoil(self._write(hour), reasons), reasons

    def _write(self, hour: Hour) -> pa.Array:
        """Return an hour's lines, each with its LF."""
        agent = self._agents.take(pa.array(self._agent_of_client[hour.client]))
        second, method, status, host = (
            pool.take(pa.array(index))
            for pool, index in (
                (self._seconds, hour.second),
                (self._methods, hour.method),
                (self._statuses, hour.status),
                (self._hosts, hour.host),
            )
        )
        size = pa.array(hour.response_bytes).cast(pa.string())
        if self.name == "json":
            begin = f'{{"time_iso8601":"{hour.start:%Y-%m-%dT%H}'
            duration = self._durations.take(pa.array(hour.milliseconds))
            parts = (begin, second, method, hour.path, hour.query, status, size, host, agent, duration)
        else:
            client = self._clients.take(pa.array(hour.client))
            referer = self._referers.take(pa.array(hour.referer))
            begin = f"{hour.start:%d/%b/%Y:%H}"
            parts = (host, client, begin, second, method, hour.path, hour.query, status, size, referer, agent)
        return pc.binary_join_element_wise(*parts, "").cast(pa.binary())

    def _spoil(self, lines: pa.Array, reasons: Integers) -> pa.Array:
        """Return the lines with those that have a reason, an index in MALFORMED or -1, malformed for it."""
        where = np.flatnonzero(reasons >= 0)
        spoilt = [
            self._spoilt(line.as_py(), MALFORMED[reason])
            for line, reason in zip(lines.take(pa.array(where)), reasons[where], strict=True)
        ]
        return pc.replace_with_mask(lines, pa.array(reasons >= 0), pa.array(spoilt, pa.binary()))

    def _spoilt(self, line: bytes, reason: str) -> bytes:
        match reason:
            case "shape":
                return line[: len(line) // 2] + b"\n"
            case "status":
                return re.sub(*self._bad_status, line, count=1)
            case "time":
                return re.sub(*self._bad_time, line, count=1)
            case _:
                return b"\n"


def write_plain(hours: Iterable[WrittenHour], folder: Path) -> None:
    """Write all hours to one file, uncompressed."""
    with folder.joinpath("access.log").open("wb") as file:
        for _, text in hours:
            file.write(text)


def write_gzip(hours: Iterable[WrittenHour], folder: Path) -> None:
    """Write all hours to one gzip member, each deflated so that it can follow another."""

    def deflated(hour: WrittenHour) -> tuple[pa.Buffer, bytes]:
        packer = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
        return hour[1], packer.compress(hour[1]) + packer.flush(zlib.Z_FULL_FLUSH)

    crc = size = 0
    with folder.joinpath("access.log.gz").open("wb") as file:
        file.write(GZIP_HEADER)
        for text, packed in in_two_threads(deflated, hours):
            file.write(packed)
            crc, size = zlib.crc32(text, crc), (size + text.size) % (1 << 32)
        file.write(DEFLATE_END + crc.to_bytes(4, "little") + size.to_bytes(4, "little"))


def write_hours(hours: Iterable[WrittenHour], folder: Path) -> None:
    """Write each hour to a gzip file of its own."""

    def write(hour: WrittenHour) -> None:
        start, text = hour
        path = folder / f"access-{start:%Y%m%d%H}.log.gz"
        path.write_bytes(gzip.compress(text, GZIP_LEVEL, mtime=0))

    for _ in in_two_threads(write, hours):
        pass


PACKINGS = {"plain": write_plain, "gzip": write_gzip, "hours": write_hours}


def in_two_threads(work: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """Yield the results in order, with few items in memory."""
    waiting: deque[Future[R]] = deque()
    with ThreadPoolExecutor(2) as pool:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) == HOURS_IN_MEMORY:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def written_hours(
    style: Style | FieldStyle, truth: Truth, lines: int, first: datetime, days: int
) -> Iterator[WrittenHour]:
    """Make up so many lines, spread evenly over so many days, and count what is true of them."""
    random = np.random.default_rng(HOURS)
    hours = days * HOURS
    for n in range(hours):
        count = (n + 1) * lines // hours - n * lines // hours
        start = first + timedelta(hours=n)
        hour, text, reasons = style.hour(random, start, count)
        truth.add(hour, reasons, has_durations=style.name == "json")
        yield start, text.buffers()[2]


def main() -> None:
    """Write a log and truth.json; they appear when they are whole."""
    _, kind, lines, first_day, days, where, packing = sys.argv
    first = datetime.fromisoformat(first_day).replace(tzinfo=UTC)
    folder = Path(where)
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(CLIENTS)
    traffic, _, variant = kind.partition("_")
    style = FieldStyle(variant, random) if traffic == "field" else Style(kind, random)
    truth = Truth(style.pools)
    with tempfile.TemporaryDirectory(dir=folder, prefix="unfinished-") as name:
        unfinished = Path(name)
        PACKINGS[packing](written_hours(style, truth, int(lines), first, int(days)), unfinished)
        unfinished.joinpath("truth.json").write_text(truth.as_json(), encoding="utf-8")
        for file in unfinished.iterdir():
            file.rename(folder / file.name)


if __name__ == "__main__":
    main()
