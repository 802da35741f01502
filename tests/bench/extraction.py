"""The figures of a large day: from its raw log to published requests and rejects, by CPU, wall time and memory.

Two logs stand side by side: our own one, of tidy requests, and that of the field.
"""

import importlib.util
import json
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

from figures import (
    EXTRACTION,
    FIRST_DAY,
    HERE,
    Bench,
    Log,
    Project,
    Runner,
    compared,
    cpu,
    peak,
    shell,
    wall,
)
from measure import Cost, Figure, run
from model import modelled
from shapes import JSON_SHAPES, SHAPES

LOGS = {"vhost_combined": "own log", "field": "field log"}
JSON_LOGS = {"json": "own log", "field_json": "field log"}
COUNT, INFLATE = 'gzip -dc "$0" | wc -l', 'gzip -dc "$0" > /dev/null'
ONE_CORE = ("taskset", "-c", "0")
FEW_RUNS = 3  # where nothing, or nothing narrow, is asked of a figure
# (name, label, one in how many of the lines it gets, what the figure must be on our own log)
PEERS = (
    ("polars", "Polars extract_groups", 1, None),
    ("chdb", "ClickHouse extractGroups (chdb)", 1, None),
    ("duckdb", "DuckDB regexp_extract", 1, 1 / 5),
    ("pandas", "pandas str.extract", 5, 1 / 12),
    ("re", "a Python re loop", 5, None),
    ("lnav", "lnav", 5, None),
    ("goaccess", "GoAccess", 5, None),
)
FAST = ("polars", "chdb")  # the others run once where nothing is asked of the figure
COUNTERS = ("lnav", "goaccess")
SHAPE_BYTES, SMALL_SHARE = 40_000_000, 8
WORST = 3  # so many of the shapes are measured again


def task(bench: Bench) -> Iterator[Figure]:
    """One gzip file of one day, from the log to published requests and rejects, over unpacking it."""
    log = bench.log("vhost_combined", bench.lines, "gzip")
    figure = Figure("own log, CPU, over gzip and wc", log.lines, "x", must=0.5, aim=0.4)
    with Project.of(log) as project:
        yield bench.compare(figure, cpu, partial(shell, COUNT, log), project.run)


def field(bench: Bench) -> Iterator[Figure]:
    """The log of the field: with its day in its name, without, beside neighbours, and with CRLF."""
    log = bench.log("field", bench.lines, "gzip")
    for what, must, aim, dated, neighbours in (
        ("field log", 0.6, 0.45, True, False),
        ("field log, undated", 0.7, 0.5, False, False),
        ("field log, neighbour_days = 1", 0.7, 0.5, True, True),
    ):
        figure = Figure(f"{what}, CPU, over gzip and wc", log.lines, "x", must, aim)
        with Project.of(log, dated=dated, neighbours=neighbours) as project:
            yield bench.compare(figure, cpu, partial(shell, COUNT, log), project.run)
    log = bench.log("field_crlf", bench.lines // 5, "gzip")
    figure = Figure("field log, all lines with CRLF, CPU, over gzip and wc", log.lines, "x")
    with Project.of(log) as project:
        yield bench.compare(figure, cpu, partial(shell, COUNT, log), project.run)


def elapsed(bench: Bench) -> Iterator[Figure]:
    """One day file on two cores, by wall time, over unpacking it."""
    for kind, name in LOGS.items():
        log = bench.log(kind, bench.lines, "gzip")
        figure = Figure(f"{name}, one file, wall, over gzip", log.lines, "x", must=0.55, aim=0.45)
        with Project.of(log) as project:
            yield bench.compare(figure, wall, partial(shell, INFLATE, log), project.run)


def hours(bench: Bench) -> Iterator[Figure]:
    """The same lines in 24 files, on two cores, over unpacking the one file."""
    for kind, name in LOGS.items():
        one, many = (bench.log(kind, bench.lines, packing) for packing in ("gzip", "hours"))
        figure = Figure(f"{name}, 24 hourly files, wall, over gzip of one", many.lines, "x", must=0.5, aim=0.4)
        with Project.of(many) as project:
            yield bench.compare(figure, wall, partial(shell, INFLATE, one), project.run)


def cores(bench: Bench) -> Iterator[Figure]:
    """One file and 24 files on one core, and what the stages let expect of more cores."""
    one, many = (bench.log("field", bench.lines, packing) for packing in ("gzip", "hours"))
    for log, what in ((one, "one file"), (many, "24 hourly files")):
        figure = Figure(f"field log, {what}, one core, wall, over gzip of one", log.lines, "x")
        with Project.of(log) as project:
            ours = partial(project.run, (*ONE_CORE, *EXTRACTION))
            yield few(bench).compare(figure, wall, partial(shell, INFLATE, one), ours)
    yield from modelled(few(bench))


def json_lines(bench: Bench) -> Iterator[Figure]:
    """JSON lines as nginx writes them, over unpacking them, and over an orjson loop that makes the same table."""
    for kind, name in JSON_LOGS.items():
        log = bench.log(kind, bench.lines, "gzip")
        figure = Figure(f"{name}, JSON lines, CPU, over gzip and wc", log.lines, "x", must=0.7, aim=0.5)
        with Project.of(log) as project:
            yield bench.compare(figure, cpu, partial(shell, COUNT, log), project.run)
    log = bench.log("json", bench.lines // 5, "gzip")
    figure = Figure("own log, JSON lines, CPU, over an orjson loop", log.lines, "x", must=0.5, aim=0.25)
    yield against_peer(few(bench), "orjson", log, figure)


def memory(bench: Bench) -> Iterator[Figure]:
    """Peak memory for a day of any size, and how it grows."""
    figures = []
    for lines in (bench.lines // 5, bench.lines, bench.lines * 4):
        log = bench.log("field", lines, "gzip")
        with Project.of(log) as project:
            figure = Figure("field log, peak memory", lines, "MB", must=300, aim=200)
            figures.append(few(bench).measure(figure, peak, project.run))
        yield figures[-1]
    smallest, largest = figures[0], figures[-1]
    growth = Figure("field log, peak memory, largest day over smallest", largest.lines, "x", must=1.15)
    growth.values = [b / a for a, b in zip(smallest.values, largest.values, strict=False)]
    growth.problem = smallest.problem or largest.problem
    yield growth


def peers(bench: Bench) -> Iterator[Figure]:
    """The same table made with other tools from the same uncompressed files; the slow ones get a fifth of them."""
    few_runs, once = few(bench), replace(bench, runs=1)
    for kind, log_name in LOGS.items():
        for name, label, share, must in PEERS:
            log = bench.log(kind, bench.lines // share, "plain")
            limit = must if kind == "vhost_combined" else None
            figure = Figure(f"{log_name}, plain file, CPU, over {label}", log.lines, "x", limit)
            yield against_peer(few_runs if limit or name in FAST else once, name, log, figure)


def against_peer(bench: Bench, name: str, log: Log, figure: Figure) -> Figure:
    """Compare the CPU of the whole task with a peer's."""
    if not (shutil.which(name) if name in COUNTERS else importlib.util.find_spec(name)):
        figure.problem = f"MISSING: {name} is not installed"
        return figure
    with Project.of(log) as project:
        return bench.compare(figure, cpu, partial(counter if name in COUNTERS else peer, name, log), project.run)


def peer(name: str, log: Log) -> tuple[Cost, str | None]:
    """Run a peer, and return its cost and what is wrong with what it wrote."""
    parquet = log.folder / f"{name}.parquet"
    cost, printed = run(peer_command(name, log, str(parquet)), log.folder)
    rejects = sum(json.loads(log.truth.read_text(encoding="utf-8"))["rejects"].values())
    wrong = [compared(log, parquet)] + [f"rejects {int(printed)}, not {rejects}"] * (int(printed) != rejects)
    parquet.unlink()
    return cost, "; ".join(filter(None, wrong)) or None


def counter(name: str, log: Log) -> tuple[Cost, str | None]:
    """Run a peer that only counts, and return its cost and which of its counts are wrong."""
    cost, printed = run(peer_command(name, log, "-"), log.folder)
    truth = json.loads(log.truth.read_text(encoding="utf-8"))
    wrong = [
        f"{fact} {count}, not {truth[fact]}" for fact, count in json.loads(printed).items() if count != truth[fact]
    ]
    return cost, "; ".join(wrong) or None


def peer_command(name: str, log: Log, made: str) -> list[str]:
    """Return the command that runs a peer."""
    return [sys.executable, str(HERE / "peers.py"), name, str(log.path), made, str(FIRST_DAY)]


def few(bench: Bench) -> Bench:
    """Return the same with few runs."""
    return replace(bench, runs=min(bench.runs, FEW_RUNS))


def growing(small: Runner, large: Runner, units: int) -> Runner:
    """Return a runner whose CPU is that of each of so many units by which one run is larger than another."""

    def run_both() -> tuple[Cost, str | None]:
        (less, wrong), (more, also_wrong) = small(), large()
        return replace(more, cpu_seconds=(more.cpu_seconds - less.cpu_seconds) / units), wrong or also_wrong

    return run_both


def usual(bench: Bench) -> tuple[Figure, float]:
    """Return what a line of the field's log takes, uncompressed, start-up excluded, and how many bytes it has."""
    small, large = (bench.log("field", lines, "plain") for lines in (bench.lines // 50, bench.lines // 5))
    figure = Figure("field log, a line, CPU", 0, "s")
    with Project.of(small) as short, Project.of(large) as long:
        a_line = growing(short.run, long.run, large.lines - small.lines)
        bench.measure(figure, cpu, a_line)
    return figure, large.path.stat().st_size / large.lines


def shapes(bench: Bench) -> Iterator[Figure]:
    """The worst of the shapes that lines may have, by its CPU a byte over that of the usual line."""
    a_line, bytes_a_line = usual(bench)
    if a_line.problem:
        yield a_line
        return
    a_byte = a_line.median / bytes_a_line
    sized = SHAPE_BYTES * bench.lines // 5_000_000
    names = (*SHAPES, *JSON_SHAPES)

    def measured(name: str, runs: int) -> Figure:
        small, large = (bench.shape(name, size) for size in (sized // SMALL_SHARE, sized))
        what = f"worst of {len(names)} line shapes ({name}), CPU a byte, over the field log's"
        figure = Figure(what, large.lines, "x", must=4, aim=2)
        grown = large.path.stat().st_size - small.path.stat().st_size
        with Project.of(small, all_rejects=True) as short, Project.of(large, all_rejects=True) as long:
            runner = growing(short.run, long.run, grown)
            replace(bench, runs=runs).measure(figure, lambda cost: cost.cpu_seconds / a_byte, runner)
        bench.say(f"{name}: {figure.problem or f'{figure.median:.2f}'}")
        return figure

    once = {name: measured(name, 1) for name in names}
    yield from (each for each in once.values() if each.problem)
    worst = sorted((name for name in names if not once[name].problem), key=lambda name: once[name].median)
    yield max((measured(name, bench.runs) for name in worst[-WORST:]), key=lambda each: each.median)


def rejects(bench: Bench) -> Iterator[Figure]:
    """A file of rejects only and one of blank lines, by their CPU a line over that of the usual line."""
    a_line, _ = usual(bench)
    if a_line.problem:
        yield a_line
        return
    malformed = [bench.log("field_rejects", lines, "plain") for lines in (bench.lines // 50, bench.lines // 5)]
    blank = [bench.shape("blank lines", lines) for lines in (bench.lines, bench.lines * 2)]
    for what, (small, large) in (("a file of rejects", malformed), ("a file of blank lines", blank)):
        figure = Figure(f"{what}, CPU a line, over the field log's", large.lines, "x", must=3, aim=1)
        with Project.of(small, all_rejects=True) as smaller, Project.of(large, all_rejects=True) as larger:
            runner = growing(smaller.run, larger.run, large.lines - small.lines)
            yield bench.measure(figure, lambda cost: cost.cpu_seconds / a_line.median, runner)


FIGURES: dict[str, Callable[[Bench], Iterator[Figure]]] = {
    "task": task,
    "field": field,
    "wall": elapsed,
    "hours": hours,
    "cores": cores,
    "json": json_lines,
    "shapes": shapes,
    "rejects": rejects,
    "memory": memory,
    "peers": peers,
}
