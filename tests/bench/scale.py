"""What a lake costs that is larger than one machine: arithmetic with what was measured on a small one.

    python tests/bench/scale.py                 prints the tables of docs/explanation/scale.md
    python tests/bench/scale.py --measure       measures the constants anew, and compares with 1, 2 and 4 workers

The model is linear: CPU by the byte and by the unit, requests by the object. What it says of a machine that nobody
has is no measurement.
"""

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

GB = 1e9
LINES, FILES = 12_000_000, 24
BUSY_CORES = 1.5
"""How many cores a unit that reads a large file keeps busy: one inflates and parses, the other writes."""
ALL_BUSY = 0.8
"""What is left of each core's speed when all are: they share caches and memory."""


@dataclass(frozen=True)
class Costs:
    """What was measured, on two cores of an Intel Xeon, with the field log of `make bench`.

    Attributes:
        a_gb: CPU seconds for a GB of gzip: extracted and counted.
        a_unit: CPU seconds for a unit, whatever is in it: planned, locked, published, recorded.
        start: Seconds of wall until the first unit begins.
    """

    a_gb: float = 31.0
    a_unit: float = 0.024
    start: float = 0.6

    def wall(self, gigabytes: float, units: int, workers: int, cores: float) -> float:
        """Return the seconds for a day's units of equal size."""
        return self.start + self.cpu(gigabytes, units) / min(workers * BUSY_CORES, cores * ALL_BUSY)

    def cpu(self, gigabytes: float, units: int) -> float:
        """Return the CPU seconds for a day's units."""
        return gigabytes * self.a_gb + units * self.a_unit


MEASURED = Costs()
RECORDS_AN_OBJECT = 3  # the partition, what was to be published, and what was
OBJECTS_A_SHARD = 4  # requests, rejects, source_counts, source_days
OBJECTS_A_DAY = 2  # error_counts, error_rate
PAGE = 1000  # names in an answer to LIST
SECONDS_A_PAGE = 0.1
GETS_A_FILE = 1.3
PUTS_A_SECOND, GETS_A_SECOND = 3500, 5500  # of one prefix, as AWS documents it; it divides prefixes that are busy


@dataclass(frozen=True)
class Case:
    """A lake that somebody may want."""

    name: str
    gigabytes: float
    files: int
    sources: int
    shards: int
    workers: int
    cores: int
    years: int


CASES = (
    Case("a log of 1 GB, one machine", 1, 24, 1, 1, 1, 2, 10),
    Case("10 TB in 10,000 files, in 64 shards", 10_000, 10_000, 1, 64, 64, 200, 20),
    Case("10 TB in 10,000 files, in 256 shards", 10_000, 10_000, 1, 256, 200, 200, 20),
    Case("10,000 sources of 10 MB", 100, 10_000, 10_000, 1, 16, 32, 20),
)


def rows(costs: Costs) -> Iterator[tuple[str, ...]]:
    """Yield what each case costs, as text."""
    for case in CASES:
        parts = case.sources * case.shards
        units, objects = 2 * parts + 2, OBJECTS_A_SHARD * parts + OBJECTS_A_DAY
        wall = costs.wall(case.gigabytes, units, case.workers, case.cores)
        days = 365 * case.years
        yield (
            case.name,
            f"{case.workers} on {case.cores}",
            f"{units:,}",
            _duration(costs.cpu(case.gigabytes, units)),
            _duration(wall),
            f"{objects:,}",
            f"{RECORDS_AN_OBJECT * objects:,} ({RECORDS_AN_OBJECT * objects / wall:,.0f}/s)",
            f"{GETS_A_FILE * case.files:,.0f} ({GETS_A_FILE * case.files / wall:,.0f}/s)",
            f"{days * objects / 1e6:,.1f} M",
            _duration(days * parts / PAGE * SECONDS_A_PAGE),
        )


HEAD = (
    "a day",
    "workers on cores",
    "units",
    "CPU",
    "wall",
    "partitions",
    "PUTs",
    "GETs of raw logs",
    "partitions of all years",
    "listing requests of all years",
)


def _duration(seconds: float) -> str:
    for unit, least in (("h", 3600), ("min", 60)):
        if seconds >= 2 * least:
            return f"{seconds / least:,.0f} {unit}"
    return f"{seconds:,.1f} s"


def table(costs: Costs = MEASURED) -> str:
    """Return the page's table."""
    lines = [HEAD, tuple("---" for _ in HEAD), *rows(costs)]
    return "".join(f"| {' | '.join(each)} |\n" for each in lines)


CONFIG = """[lake]
root = lake
[source.web]
format = vhost_combined
files = {files}
application = field:vhost
vantage = origin
since = {day}
shards = {shards}
max_reject_rate = 0.05
"""
DAY = "2026-03-02"


def measure(lines: int) -> tuple[Costs, list[tuple[int, float, float]]]:
    """Return the costs on this machine, and of each number of workers the wall predicted and measured."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        logs = folder / "logs"
        logs.mkdir()
        made_by = sys.executable, Path(__file__).with_name("logs.py")
        subprocess.run([*made_by, "field", str(lines), DAY, "1", logs, "hours"], check=True)
        size = sum(each.stat().st_size for each in logs.glob("*.gz")) / GB
        cores = len(os.sched_getaffinity(0))
        _built(folder, 1, 1)  # so that the kernel is compiled
        whole_wall, whole = _built(folder, 1, 1)
        _, shards = _built(folder, 64, 1)
        empty_wall, _ = _built(folder, 1, 1, is_again=True)
        a_unit = (shards - whole) / (2 * 63)
        costs = Costs((whole - empty_wall - 4 * a_unit) / size, a_unit, empty_wall)
        found = []
        for workers in (1, 2, 4):
            wall, _ = _built(folder, FILES, workers)
            found.append((workers, costs.wall(size, 2 * FILES + 2, workers, cores), wall))
        print(f"{whole_wall:.1f} s of wall for {size:.2f} GB at once", file=sys.stderr)
        return costs, found


def _built(folder: Path, shards: int, workers: int, *, is_again: bool = False) -> tuple[float, float]:
    """Return the wall and the CPU seconds of building the day in a new lake, or of seeing that it is there."""
    if not is_again:
        shutil.rmtree(folder / "lake", ignore_errors=True)
    config = folder / "luigi.cfg"
    files = "logs/access-{YYYY}{MM}{DD}{HH}.log.gz"
    config.write_text(CONFIG.format(files=files, day=DAY, shards=shards))
    command = ["backfill", "run", "--of", "ErrorRateDaily", "--start", DAY, "--stop", "2026-03-03"]
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [Path(sys.executable).parent / command[0], *command[1:], "--workers", str(workers)],
        env=os.environ | {"LUIGI_CONFIG_PATH": str(config)},
        check=True,
        stdout=subprocess.DEVNULL,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - began, cpu


def main(arguments: Sequence[str]) -> None:
    """Print the table, or what was measured."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--measure", action="store_true", help="measure the constants here")
    parser.add_argument(
        "--lines", type=int, default=LINES, metavar="N", help="of how many lines (default: %(default)s)"
    )
    asked = parser.parse_args(arguments)
    if not asked.measure:
        print(table(), end="")
        return
    costs, found = measure(asked.lines)
    print(costs)
    for workers, predicted, measured in found:
        print(f"{workers} workers: predicted {predicted:.1f} s, measured {measured:.1f} s")


if __name__ == "__main__":
    main(sys.argv[1:])
