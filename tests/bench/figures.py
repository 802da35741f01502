"""How figures are taken: peer and ours run in turn, and each time what ours published is compared with the truth.

Here are also the figures of small days, of ranges and of the verification; extraction.py has those of a large day.
"""

import json
import os
import re
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from pathlib import Path

from measure import CommandFailed, Cost, Figure, run, seconds
from shapes import format_of

HERE = Path(__file__).parent
FIRST_DAY = date(2026, 5, 1)
RANGE_DAYS = 100
SMALL_LINES = 10_000
PACKED = {"gzip": "access.log.gz", "plain": "access.log", "hours": "access-{YYYY}{MM}{DD}{HH}.log.gz"}
FORMATS = {
    "vhost_combined": "vhost_combined",
    "json": "json",
    "field": "vhost_combined",
    "field_crlf": "vhost_combined",
    "field_json": "json",
    "field_rejects": "vhost_combined",
}
"""The format of each kind of log that logs.py writes."""
APPLICATION = {"vhost_combined": "field:vhost", "json": "field:host"}
CONFIGURATION = """
[lake]
root = lake
[source.bench]
format = {format}
files = {files}
application = {application}
vantage = edge
since = {since}
until = {until}
neighbour_days = {neighbour_days}
max_reject_rate = {max_reject_rate}
max_applications = 1000000
allow_empty = {allow_empty}
[completeness]
rejected_errors = warn
"""
NEIGHBOUR = 'www.example.net:443 198.18.0.1 - - [02/May/2026:00:00:00 +0000] "GET / HTTP/1.1" 200 5 "-" "-"\n'
EXTRACT = f"""
from datetime import date
from pathlib import Path
from etl.steps.extract import extract_day
from etl.sources.sections import read_sources
from lake import config
from lake.lake import Lake
found = config.read(Path("luigi.cfg").absolute())
extract_day(Lake.of(found), read_sources(found)[0], date.fromisoformat("{FIRST_DAY}"))
"""
EXTRACTION = (sys.executable, "-c", EXTRACT)
VERIFY = (str(Path(sys.executable).with_name("lake")), "verify", "--deep")
NONE_GONE = " 0 raw logs are no longer there to compare with.\n"
LUIGI = str(Path(sys.executable).with_name("luigi"))
LUIGI_DAY = (LUIGI, "RequestsDaily", "--source", "bench", "--date", str(FIRST_DAY))
LUIGI_RANGE = (
    *(LUIGI, "RangeDailyBase", "--of", "RequestsDaily", "--of-params", json.dumps({"source": "bench"})),
    *("--start", str(FIRST_DAY), "--stop", str(FIRST_DAY + timedelta(days=RANGE_DAYS))),
)

Runner = Callable[[], tuple[Cost, str | None]]
"""Runs something, and returns its cost and what was wrong with its result, None if nothing."""


@dataclass(frozen=True)
class Log:
    """A generated log: its format, how many lines over how many days, where it lies and how it is packed."""

    format: str
    lines: int
    days: int
    folder: Path
    packing: str

    @property
    def path(self) -> Path:
        """The file; for `hours`, the pattern that luigi.cfg gives."""
        return self.folder / PACKED[self.packing]

    @property
    def truth(self) -> Path:
        """What a right reading of it finds."""
        return self.folder / "truth.json"

    def files(self) -> list[Path]:
        """Return the files that are there."""
        return sorted(self.folder.glob(re.sub(r"\{[YMDH{}]+\}", "[0-9]*", self.path.name)))


@dataclass(frozen=True)
class Bench:
    """How to measure: with logs of `lines` lines in `folder`, where they are used again, `runs` times each."""

    folder: Path
    lines: int
    runs: int

    def log(self, kind: str, lines: int, packing: str, *, days: int = 1) -> Log:
        """Return a log, generated if it isn't there, and read once so that the disk plays no part."""
        found = Log(FORMATS[kind], lines, days, self.folder / f"{kind}-{lines}-{days}", packing)
        if not found.files():
            self.say(f"generating {lines:,} lines of {kind} over {days} days, {packing}")
            arguments = [kind, str(lines), str(FIRST_DAY), str(days), str(found.folder), packing]
            run([sys.executable, str(HERE / "logs.py"), *arguments], HERE)
        for file in found.files():
            run(["sh", "-c", 'cat "$0" > /dev/null', str(file)], HERE)
        return found

    def shape(self, name: str, size: int) -> Log:
        """Return a log of lines of one shape, one of shapes.py's, of so many bytes; of blank lines, so many."""
        folder = self.folder / f"{name.replace(' ', '-').replace(',', '')}-{size}"
        if not folder.joinpath("access.log").exists():
            self.say(f"generating {size:,} of {name}")
            run([sys.executable, str(HERE / "shapes.py"), name, str(size), str(folder)], HERE)
        lines = int(folder.joinpath("lines").read_text(encoding="utf-8"))
        return Log(format_of(name), lines, 1, folder, "plain")

    def say(self, text: str) -> None:
        """Tell how far it is."""
        print(text, file=sys.stderr, flush=True)

    def warm_up(self) -> None:
        """Run ours once, so that what it compiles and keeps is there."""
        for kind in APPLICATION:
            with Project.of(self.log(kind, SMALL_LINES, "gzip")) as project, suppress(CommandFailed):
                project.run()

    def measure(self, figure: Figure, cost_of: Callable[[Cost], float], ours: Runner) -> Figure:
        """Fill a figure with a cost of ours, one value a run."""
        return self._fill(figure, lambda: (cost_of((result := ours())[0]), result[1]))

    def compare(self, figure: Figure, cost_of: Callable[[Cost], float], peer: Runner, ours: Runner) -> Figure:
        """Fill a figure with a cost of ours over the peer's, and with the medians of both in seconds.

        A peer that is wrong is marked, and its cost counts: it is what people would wait for.
        """
        pairs: list[tuple[float, float]] = []

        def one() -> tuple[float, str | None]:
            (peer_cost, figure.peer_problem), (our_cost, our_wrong) = peer(), ours()
            pairs.append((cost_of(our_cost), cost_of(peer_cost)))
            return pairs[-1][0] / pairs[-1][1], our_wrong

        self._fill(figure, one)
        if pairs:
            figure.ours, figure.peer = (seconds(statistics.median(costs)) for costs in zip(*pairs, strict=True))
        return figure

    def _fill(self, figure: Figure, one: Callable[[], tuple[float, str | None]]) -> Figure:
        """Take the values; a wrong result or a failure ends it."""
        try:
            for n in range(self.runs):
                size = f", {figure.lines:,} lines" if figure.lines else ""
                self.say(f"{figure.what}{size}: {n + 1} of {self.runs}")
                value, wrong = one()
                figure.values.append(value)
                if wrong:
                    figure.problem = f"WRONG: {wrong}"
                    break
        except CommandFailed as error:
            figure.problem = f"FAILED: {error}"
        return figure


@dataclass(frozen=True)
class Project:
    """A folder with a luigi.cfg for one log, in which ours runs, each time into an empty lake.

    Attributes:
        dated: Whether the log's name has its day, so that a line of another one is a reject.
    """

    log: Log
    folder: Path
    dated: bool = True

    @classmethod
    @contextmanager
    def of(
        cls, log: Log, *, dated: bool = True, neighbours: bool = False, all_rejects: bool = False
    ) -> Iterator["Project"]:
        """Make the folder, and remove it in the end.

        Args:
            log: What is read.
            dated: Whether a log of one day has the day in its name.
            neighbours: Whether the next day's file, of one line, is there and read too.
            all_rejects: Whether no line need be a request.
        """
        with tempfile.TemporaryDirectory(dir=log.folder, prefix="project-") as folder:
            files = log.path
            if dated and log.packing != "hours":
                files = Path(folder, "access-{YYYY}{MM}{DD}.log")
                Path(folder, f"access-{FIRST_DAY:%Y%m%d}.log").symlink_to(log.path)
                if neighbours:
                    neighbour = Path(folder, f"access-{FIRST_DAY + timedelta(days=1):%Y%m%d}.log")
                    neighbour.write_text(NEIGHBOUR, encoding="utf-8")
            text = CONFIGURATION.format(
                format=log.format,
                files=files,
                application=APPLICATION[log.format],
                since=FIRST_DAY,
                until=FIRST_DAY + timedelta(days=log.days),
                neighbour_days=int(neighbours),
                max_reject_rate=1 if all_rejects else 0.1,
                allow_empty=str(all_rejects).lower(),
            )
            Path(folder, "luigi.cfg").write_text(text, encoding="utf-8")
            yield cls(log, Path(folder), dated)

    def run(self, command: Sequence[str] = EXTRACTION) -> tuple[Cost, str | None]:
        """Run ours, and return its cost and what is wrong with what it published."""
        lake = self.folder / "lake"
        shutil.rmtree(lake, ignore_errors=True)
        cost, _ = run(command, self.folder, {"LUIGI_CONFIG_PATH": str(self.folder / "luigi.cfg")})
        datasets = [lake / dataset for dataset in ("requests", "rejects")]
        parquet = [dataset / "v*/dt=*/source=*/rev=*/*.parquet" for dataset in datasets]
        return cost, compared(self.log, *parquet, dated=self.dated)


def compared(log: Log, *parquet: Path, dated: bool = True) -> str | None:
    """Return where Parquet files differ from what is true of the log, None if nowhere."""
    arguments = [str(log.truth), *map(str, parquet), *([] if dated else ["--undated"])]
    _, printed = run([sys.executable, str(HERE / "truth.py"), *arguments], log.folder)
    return "; ".join(printed.splitlines()) or None


def cpu(cost: Cost) -> float:
    """Return the CPU seconds, user and system."""
    return cost.cpu_seconds


def wall(cost: Cost) -> float:
    """Return the wall seconds."""
    return cost.wall_seconds


def peak(cost: Cost) -> float:
    """Return the peak memory in megabytes."""
    return cost.peak_megabytes


def shell(command: str, log: Log) -> tuple[Cost, None]:
    """Run a command of the shell in which `$0` is the log."""
    return run(["sh", "-c", command, str(log.path)], log.folder)[0], None


def small_day(bench: Bench) -> Iterator[Figure]:
    """What a day costs before its lines count: as a user runs it, and without Luigi."""
    log = bench.log("vhost_combined", SMALL_LINES, "gzip")
    for what, command in (("luigi RequestsDaily", LUIGI_DAY), ("extract_day", EXTRACTION)):
        figure = Figure(f"small day, wall, {what}", log.lines, "s", must=1.5, aim=0.7)
        with Project.of(log) as project:
            yield bench.measure(figure, wall, partial(project.run, command))


def undated_range(bench: Bench) -> Iterator[Figure]:
    """One undated file of 100 days, a range over all of them, over the same lines as one day."""
    lines = bench.lines * 4 // 5
    day, days = (bench.log("vhost_combined", lines, "plain", days=days) for days in (1, RANGE_DAYS))
    figure = Figure("undated file, range of 100 days, wall, over one day", lines, "x", must=1.5)
    with Project.of(day, dated=False) as one_day, Project.of(days, dated=False) as all_days:
        yield bench.compare(figure, wall, lambda: one_day.run(LUIGI_DAY), lambda: all_days.run(LUIGI_RANGE))


def verification(bench: Bench) -> Iterator[Figure]:
    """Every byte of a lake and of the raw log that it was made from, over sha256sum of the same files."""
    log = bench.log("vhost_combined", bench.lines, "plain")
    with Project.of(log) as project:
        with suppress(CommandFailed):  # which the comparison then tells
            project.run()
        hashing = ["sh", "-c", 'find lake "$0" -type f -print0 | xargs -0 sha256sum', str(log.path)]
        for name, cost_of in (("wall", wall), ("CPU", cpu)):
            figure = Figure(f"lake verify --deep, {name}, over sha256sum", log.lines, "x", must=1.3)
            yield bench.compare(
                figure, cost_of, lambda: (run(hashing, project.folder)[0], None), lambda: verified(project)
            )


def verified(project: Project) -> tuple[Cost, str | None]:
    """Verify a project's lake, and return the cost and whether something was not looked at."""
    cost, said = run(VERIFY, project.folder, {"LUIGI_CONFIG_PATH": str(project.folder / "luigi.cfg")})
    return cost, None if said.startswith("2 partitions read") and said.endswith(NONE_GONE) else said


FIGURES: dict[str, Callable[[Bench], Iterator[Figure]]] = {
    "small": small_day,
    "range": undated_range,
    "verification": verification,
}


def on_two_cores() -> None:
    """Let this process and all that it starts have two cores, whatever the machine has."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])
