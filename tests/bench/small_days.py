"""The figures of small days: what each costs in a long range, and over the same without Luigi.

Each value comes from a command of its own, into an empty lake; all that it takes counts, its start-up too.
"""

import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path

from figures import APPLICATION, CONFIGURATION, HERE, LUIGI, Bench, Log, compared, cpu
from measure import Cost, Figure, run

FEW_DAYS, TEN_YEARS, A_YEAR = 100, 3_650, 365
LINES = 500
OLDEST_DAY = date(2015, 1, 1)
LINE = 'shop.example:443 192.0.2.1 - - [{:%d/%b/%Y}:{:02}:00:00 +0000] "GET /{} HTTP/1.1" {} 10 "-" "curl"\n'
DAY_OF_LINE = re.compile(rb"\[(\d\d/\w{3}/\d{4}):\d\d:")
FEWER_DAYS, UNITS_A_DAY = 20, 4
RUN = (str(Path(LUIGI).with_name("backfill")), "run", "--of", "ErrorRateDaily", "--workers", "2")
RANGE = (LUIGI, "RangeDailyBase", "--of", "ErrorRateDaily")
LOOP = """
from etl.project import project
from etl.sources.source import ONE_DAY
from etl.units import Unit, below
(source,) = project().sources
day = source.since
while day < source.until:
    for unit in below(Unit(project(), "error_rate", day)):
        unit.build()
    day += ONE_DAY
"""


@dataclass(frozen=True)
class Days:
    """Days of a log, a file each, in a folder with a luigi.cfg; `log` is what they were cut from, if any."""

    folder: Path
    count: int
    log: Log | None = None

    def run(self, command: Sequence[str]) -> tuple[Cost, str | None]:
        """Build all, and return what one cost and what is wrong with what was published."""
        lake = self.folder / "lake"
        shutil.rmtree(lake, ignore_errors=True)
        cost, _ = run(command, self.folder, {"LUIGI_CONFIG_PATH": str(self.folder / "luigi.cfg")})
        found = len(list(lake.glob("error_rate/v*/dt=*/rev=0/*.parquet")))
        wrong = None if found == self.count else f"{found} days of {self.count}"
        if self.log and not wrong:
            wrong = compared(
                self.log, *(lake / f"{name}/v*/dt=*/*/rev=*/*.parquet" for name in ("requests", "rejects"))
            )
        return replace(cost, cpu_seconds=cost.cpu_seconds / self.count), wrong


@contextmanager
def project(bench: Bench, first: date, count: int, log: Log | None = None) -> Iterator[Days]:
    """Make a folder with a luigi.cfg for so many days, whose files are still to be written, and remove it."""
    with tempfile.TemporaryDirectory(dir=bench.folder, prefix="days-") as name:
        text = CONFIGURATION.format(
            format="vhost_combined",
            files="access-{YYYY}{MM}{DD}.log",
            application=APPLICATION["vhost_combined"],
            since=first,
            until=first + timedelta(days=count),
            neighbour_days=0,
            max_reject_rate=0.1,
            allow_empty="false",
        )
        folder = Path(name)
        (folder / "luigi.cfg").write_text(text, encoding="utf-8")
        yield Days(folder, count, log)


@contextmanager
def tiny_days(bench: Bench, count: int) -> Iterator[Days]:
    """Make days of three lines, one of them an error."""
    with project(bench, OLDEST_DAY, count) as days:
        for day in (OLDEST_DAY + timedelta(days=n) for n in range(count)):
            lines = (LINE.format(day, hour, hour, 500 if hour else 200) for hour in range(3))
            (days.folder / f"access-{day:%Y%m%d}.log").write_text("".join(lines), encoding="utf-8")
        yield days


@contextmanager
def small_days(bench: Bench) -> Iterator[Days]:
    """Cut a generated log of a year into its days; a malformed line stays with those around it."""
    log = Log("vhost_combined", A_YEAR * LINES, A_YEAR, bench.folder / "small-days", "plain")
    if not log.files():
        bench.say(f"generating {log.lines:,} lines over {log.days} days")
        arguments = [log.format, str(log.lines), str(OLDEST_DAY), str(log.days), str(log.folder), log.packing]
        run([sys.executable, str(HERE / "logs.py"), *arguments], HERE)
    by_day: dict[date, list[bytes]] = {}
    day = OLDEST_DAY
    for line in log.path.read_bytes().splitlines(keepends=True):
        if (found := DAY_OF_LINE.search(line)) and not found[1].startswith(b"31/Feb"):
            day = datetime.strptime(found[1].decode(), "%d/%b/%Y").replace(tzinfo=UTC).date()
        by_day.setdefault(day, []).append(line)
    with project(bench, OLDEST_DAY, A_YEAR, log) as days:
        for day, lines in by_day.items():
            (days.folder / f"access-{day:%Y%m%d}.log").write_bytes(b"".join(lines))
        yield days


def long_range(bench: Bench) -> Iterator[Figure]:
    """A day of ten years over a day of a hundred days; once, as it is a mean of thousands."""
    figure = Figure(f"luigi RangeDailyBase, CPU a tiny day, {TEN_YEARS:,} days over {FEW_DAYS}", 0, "x", must=1.1)
    with tiny_days(bench, FEW_DAYS) as few, tiny_days(bench, TEN_YEARS) as many:
        yield replace(bench, runs=1).compare(figure, cpu, lambda: few.run(RANGE), lambda: many.run(RANGE))


def year(bench: Bench) -> Iterator[Figure]:
    """A day of a year of small ones, over the same functions called in a loop."""
    figure = Figure(
        f"luigi RangeDailyBase, CPU a day, {A_YEAR} days, over a loop without Luigi", LINES, "x", must=1.2
    )
    with small_days(bench) as days:
        loop = (sys.executable, "-c", LOOP)
        yield bench.compare(figure, cpu, lambda: days.run(loop), lambda: days.run(RANGE))


def on_spark(bench: Bench) -> Iterator[Figure]:
    """What Spark takes beyond two of Luigi's workers on the same host: for its start, and for each unit."""
    start = Figure("backfill run --engine spark, local[2], start-up, wall, beyond --workers 2", 0, "s")
    unit = Figure("backfill run --engine spark, local[2], wall a unit, beyond --workers 2", 0, "s")
    if not find_spec("pyspark"):
        start.problem = unit.problem = "MISSING: pyspark"

    def beyond(days: Days) -> float:
        (local, _), (spark, wrong) = (days.run((*RUN, "--engine", engine)) for engine in ("local", "spark"))
        if wrong:
            start.problem = unit.problem = f"WRONG: {wrong}"
        return spark.wall_seconds - local.wall_seconds

    with tiny_days(bench, FEWER_DAYS) as few, tiny_days(bench, FEW_DAYS) as many:
        for _ in range(0 if start.problem else bench.runs):
            of_few, of_many = beyond(few), beyond(many)
            a_day = (of_many - of_few) / (FEW_DAYS - FEWER_DAYS)
            unit.values.append(a_day / UNITS_A_DAY)
            start.values.append(of_few - a_day * FEWER_DAYS)
    yield from (start, unit)


FIGURES: dict[str, Callable[[Bench], Iterator[Figure]]] = {
    "long-range": long_range,
    "year": year,
    "on-spark": on_spark,
}
