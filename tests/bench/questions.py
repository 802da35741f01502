"""The figures of the catalog: a question of a year and its report, and opening the catalog of ten.

The lake is built of generated raw logs, so that the same can be asked of them; asked.py says what is asked. Times
are of one process that asks several times: the median of all but the first, which warms what is kept.
"""

import json
import statistics
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from asked import APPLICATIONS, CHROMIUM, DAYS, FIRST_DAY, LINES, OF_YEARS, STOP, TEN_YEARS
from figures import HERE, Bench, cpu, wall
from measure import Cost, Figure, run

DUCKDB = str(Path(sys.executable).with_name("duckdb"))
LAKE = str(Path(sys.executable).with_name("lake"))
FACTS = [DAYS * APPLICATIONS, DAYS * LINES]
REPORT_BYTES = 3_000_000
YEAR = f"{DAYS} days of {APPLICATIONS} applications"
PEERS = {
    "raw": ("DuckDB on the raw logs", "duckdb"),
    "polars": ("Polars on the same files", "polars"),
    "clickhouse": ("ClickHouse on the same files", "chdb"),
}


def built(bench: Bench) -> Path:
    """Return the folder of the year, built if it isn't there."""
    folder = bench.folder / "year"
    if not (folder / "as-they-are.cfg").exists():
        bench.say(f"building {YEAR}")
        run([sys.executable, str(HERE / "asked.py"), "build", str(folder)], HERE)
    return folder


def kept(folder: Path) -> dict[str, str]:
    """Return the environment in which what is kept lies in the folder."""
    return {"XDG_CACHE_HOME": str(folder / "kept")}


def asked(name: str, folder: Path, environment: dict[str, str] | None = None) -> tuple[Cost, str | None]:
    """Ask several times in a process; return the median as its wall time, and what is wrong with the answer."""
    cost, printed = run([sys.executable, str(HERE / "asked.py"), name, str(folder)], folder, environment)
    said = json.loads(printed.splitlines()[-1])
    _, *warm = said["seconds"]
    found = said["facts"][:2]
    wrong = None if found in ([], FACTS) else f"rows and requests {found}, not {FACTS}"
    return replace(cost, wall_seconds=statistics.median(warm)), wrong


def questions(bench: Bench) -> Iterator[Figure]:
    """The daily error rates of a year: of the partitions as they are, of their local copy, and by others."""
    folder = built(bench)
    ours = partial(asked, "files", folder)
    yield bench.measure(Figure(f"{YEAR}, asked of the catalog, wall", 0, "s", must=0.05), wall, ours)
    copy = partial(asked, "catalog", folder, kept(folder))
    yield bench.measure(Figure(f"{YEAR}, asked of their copy, wall", 0, "s", must=0.01), wall, copy)
    for name, (label, package) in PEERS.items():
        figure = Figure(f"{YEAR}, wall, over {label}", 0, "x")
        if find_spec(package):
            yield bench.compare(figure, wall, partial(asked, name, folder), ours)
        else:
            figure.problem = f"MISSING: {package} is not installed"
            yield figure


def years(bench: Bench) -> Iterator[Figure]:
    """The error rate of each application over ten years: by a new process, once it has been asked, and warm."""
    folder = built(bench)
    environment = kept(folder) | {"LUIGI_CONFIG_PATH": str(folder / "ten-years.cfg")}
    said: dict[str, str] = {}

    def told(name: str, command: list[str]) -> tuple[Cost, str | None]:
        cost, said[name] = run(command, folder, environment)
        return cost, None if said[name] == said.setdefault("peer", said[name]) else "another answer than the peer"

    ours = partial(told, "ours", [LAKE, "sql", "--csv", OF_YEARS])
    ours()
    question = OF_YEARS.replace("from error_rate ", "from 'ten-years.parquet' ")
    peer = partial(told, "peer", [DUCKDB, "-csv", "-c", question])
    what = f"{TEN_YEARS:,} days of {APPLICATIONS} applications, each one's error rate"
    yield bench.measure(Figure(f"{what}, `lake sql`, wall", 0, "s", must=0.35), wall, ours)
    yield bench.measure(
        Figure(f"{what}, warm, wall", 0, "s", must=0.05), wall, partial(asked, "years", folder, kept(folder))
    )
    figure = Figure(f"{what}, `lake sql`, wall, over DuckDB's CLI on one file of the same rows", 0, "x")
    if Path(DUCKDB).exists():
        yield bench.compare(figure, wall, peer, ours)
    else:
        figure.problem = "MISSING: DuckDB's CLI is not installed; make test installs it"
        yield figure


def looking(bench: Bench) -> Iterator[Figure]:
    """`lake verify` of the year's lake, which reads footers and one column of some files."""
    folder = built(bench)

    def ours() -> tuple[Cost, str | None]:
        cost, printed = run([LAKE, "verify"], folder, {"LUIGI_CONFIG_PATH": str(folder / "luigi.cfg")})
        return cost, None if "; 0 findings." in printed else f"findings: {printed}"

    def peer() -> tuple[Cost, str | None]:
        return run([sys.executable, str(HERE / "asked.py"), "looked_at", str(folder)], folder)[0], None

    what = f"`lake verify` of {4 * DAYS:,} partitions, CPU, over pyarrow reading their footers and counts"
    yield bench.compare(Figure(what, 0, "x"), cpu, peer, ours)


def opening(bench: Bench) -> Iterator[Figure]:
    """The catalog of ten years, opened: on disk, and on S3 beyond what listing it takes there."""
    folder = built(bench)
    figure = Figure(f"catalog of {TEN_YEARS:,} days opened, wall", 0, "s", must=0.5)
    yield bench.measure(figure, wall, partial(asked, "opening", folder, kept(folder)))
    figure = Figure(f"catalog of {TEN_YEARS:,} days on S3 opened, wall, beyond the listing", 0, "s", must=2)
    if find_spec("moto"):
        yield replace(bench, runs=1).measure(figure, wall, partial(asked, "s3", folder))
    else:
        figure.problem = "MISSING: moto is not installed; make test installs it"
        yield figure


def report(bench: Bench) -> Iterator[Figure]:
    """The report of a year: the command that writes it, and how long a browser takes to draw it."""
    folder = built(bench)
    command = [LAKE, "report", "--start", str(FIRST_DAY), "--stop", str(STOP), "-o", "report.html"]

    def write() -> tuple[Cost, str | None]:
        cost, _ = run(command, folder, {"LUIGI_CONFIG_PATH": str(folder / "luigi.cfg")})
        size = (folder / "report.html").stat().st_size
        return cost, None if size < REPORT_BYTES else f"the page has {size:,} bytes"

    yield bench.measure(Figure(f"{YEAR}, `lake report` (less than 3 MB), wall", 0, "s", must=2.5), wall, write)
    figure = Figure(f"{YEAR}, their report drawn by Chromium, wall", 0, "s", must=2)
    if find_spec("playwright") and CHROMIUM.exists():
        yield bench.measure(figure, wall, partial(asked, "drawn", folder))
    else:
        figure.problem = "MISSING: Chromium, or playwright, which make test installs"
        yield figure


FIGURES: dict[str, Callable[[Bench], Iterator[Figure]]] = {
    "questions": questions,
    "years": years,
    "opening": opening,
    "looking": looking,
    "report": report,
}
