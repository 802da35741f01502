"""What extraction costs, as a multiple of `gzip -dc FILE | wc -l` on the same file, in the same run.

`make bench` runs it. The file is one day of `vhost_combined`, one line in a thousand malformed. The figures
count only if every line comes out as it should; the program fails otherwise.
"""

import gzip
import resource
import statistics
import subprocess
import sys
import tempfile
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random

LINES = 1_000_000
RUNS = 5
DAY = date(2026, 9, 1)
CONFIGURATION = """
[lake]
root = lake
[source.bench]
format = vhost_combined
files = bench.log.gz
application = field:vhost
vantage = edge
since = 2026-09-01
until = 2026-09-02
"""
TASK = """
import resource, sys
from datetime import date
from pathlib import Path
from etl.extract import extract_day
from etl.sources import read_sources
from lake import config
from lake.lake import Lake
found = config.read(Path("luigi.cfg").absolute())
lines = extract_day(Lake.of(found), read_sources(found)[0], date(2026, 9, 1))
print(lines.read, lines.kept, lines.rejected, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def write_log(path: Path) -> int:
    """Write the day, and return how many of its lines are malformed."""
    random = Random("bench")  # noqa: S311 - the same each time
    midnight = datetime(DAY.year, DAY.month, DAY.day, tzinfo=UTC)
    malformed = 0
    with gzip.open(path, "wt", compresslevel=6) as file:
        for n in range(LINES):
            time = midnight + timedelta(seconds=n * 86_400 // LINES)
            line = (
                f"www{n % 5}.example.com:443 192.0.2.{random.randrange(255)} - - [{time:%d/%b/%Y:%H:%M:%S +0000}] "
                f'"GET /item/{random.randrange(5000)}?session={random.getrandbits(48):x} HTTP/1.1" '
                f"{random.choices((200, 304, 404, 500), (90, 5, 4, 1))[0]} {random.randrange(90_000)} "
                f'"https://example.com/" "Mozilla/5.0 (X11; Linux x86_64) Firefox/{random.randrange(100, 140)}"'
            )
            if random.randrange(1000) == 0:
                line, malformed = line[: len(line) // 2], malformed + 1
            file.write(line + "\n")
    return malformed


def cpu_seconds(command: list[str], folder: str) -> tuple[float, str]:
    """Run a command, and return its CPU time, user and system, and what it printed."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    printed = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, printed


def main() -> None:
    """Measure, check and print."""
    with tempfile.TemporaryDirectory() as folder:
        malformed = write_log(Path(folder, "bench.log.gz"))
        Path(folder, "luigi.cfg").write_text(CONFIGURATION, encoding="utf-8")
        ratios, memory = [], 0
        for _ in range(RUNS):
            peer, counted = cpu_seconds(["sh", "-c", "gzip -dc bench.log.gz | wc -l"], folder)
            ours, printed = cpu_seconds([sys.executable, "-c", TASK], folder)
            read, kept, rejected, kilobytes = map(int, printed.split())
            if (read, kept, rejected) != (int(counted), LINES - malformed, malformed):
                sys.exit(f"Wrong: {read} lines read, {kept} kept, {rejected} rejected; {malformed} are malformed.")
            ratios.append(ours / peer)
            memory = max(memory, kilobytes // 1024)
    print(
        f"extraction of {LINES:,} lines, {malformed} malformed, all of them right; {RUNS} runs\n"
        f"CPU over `gzip -dc | wc -l`: median {statistics.median(ratios):.1f}, "
        f"{min(ratios):.1f} to {max(ratios):.1f}\n"
        f"peak memory {memory} MB"
    )


if __name__ == "__main__":
    main()
