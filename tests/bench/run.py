"""What extraction, orchestration and questions cost, in ratios that hold on other machines too, or in seconds.

    python tests/bench/run.py [--only NAME …] [--lines N] [--runs N] [--logs FOLDER]
        [--write docs/explanation/performance.md]

Each figure is a median of runs in which peer and ours take turns, and counts only if every fact of the result
is right. With the defaults it takes about an hour and 12 GB of disk.
"""

import argparse
import os
import platform
import re
import subprocess
import sys
import tempfile
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import alerts
import deliveries
import extraction
import figures
import orchestration
import questions
import small_days
import startup
from figures import Bench, on_two_cores
from measure import Figure

FIGURES = {
    **extraction.FIGURES,
    **figures.FIGURES,
    **orchestration.FIGURES,
    **small_days.FIGURES,
    **questions.FIGURES,
    **alerts.FIGURES,
    **deliveries.FIGURES,
    **startup.FIGURES,
}
LINES = 5_000_000
RUNS = 5
SMALL = 0.1  # below it, digits that count instead of two after the point
HEADER = ("what", "lines", "median", "range", "must", "aim", "met", "ours", "peer")
PACKAGES = ("chdb", "duckdb", "numba", "numpy", "orjson", "pandas", "polars", "pyarrow")
BLOCK = re.compile(r"(?<=<!-- figures -->\n).*?(?=<!-- end -->)", re.DOTALL)
REPOSITORY = Path(__file__).parents[2]


def cells(figure: Figure) -> tuple[str, ...]:
    """Return a figure as cells of a table."""

    def written(value: float) -> str:
        if figure.unit == "MB":
            return f"{value:.0f} MB"
        return (f"{value:.2f}" if value >= SMALL else f"{value:.2g}") + " s" * (figure.unit == "s")

    def limit(value: float | None) -> str:
        return "" if value is None else f"{value:.3g}"

    lines = f"{figure.lines:,}" if figure.lines else ""
    counts = figure.values and not figure.problem
    median = written(figure.median) if counts else "-"
    spread = f"{written(min(figure.values))} to {written(max(figure.values))}" if counts else "-"
    return (
        *(figure.what, lines, median, spread, limit(figure.must), limit(figure.aim)),
        *(figure.verdict, figure.ours, figure.peer + ", WRONG" * bool(figure.peer_problem)),
    )


def as_text(rows: list[tuple[str, ...]]) -> str:
    """Return rows as a table for a terminal."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def as_markdown(rows: list[tuple[str, ...]]) -> str:
    """Return rows as a Markdown table."""
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0], "|---" * len(rows[0]) + "|", *lines[1:]])


def machine() -> str:
    """Return the machine and what runs on it, in a sentence."""
    found = re.search(r"model name\s*:\s*(.*)", Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    packages = []
    for package in PACKAGES:
        with suppress(PackageNotFoundError):
            packages.append(f"{package} {version(package)}")
    return (
        f"{found[1] if found else platform.machine()}, two of {os.cpu_count()} cores; "
        f"Python {platform.python_version()}, {', '.join(packages)}"
    )


def newest_commit() -> tuple[str, str]:
    """Return the newest commit's short name and its date."""
    said = subprocess.run(
        ["git", "log", "-1", "--format=%h %cs"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    name, day = said.stdout.split()
    return name, day


def write(path: Path, text: str) -> None:
    """Put a text between a document's markers."""
    path.write_text(BLOCK.sub(lambda _: text, path.read_text(encoding="utf-8")), encoding="utf-8")


def parse_arguments() -> argparse.Namespace:
    """Return what the command line says."""
    parser = argparse.ArgumentParser(description="What extraction, orchestration and questions cost.")
    names = ", ".join(FIGURES)
    parser.add_argument("--only", nargs="+", choices=FIGURES, metavar="NAME", help=f"some of the figures: {names}")
    parser.add_argument("--lines", type=int, default=LINES, help="of a day (%(default)s, as the limits assume)")
    parser.add_argument("--runs", type=int, default=RUNS, help="of each figure (%(default)s)")
    parser.add_argument("--logs", type=Path, metavar="FOLDER", help="keep the generated logs, and use them again")
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the table between this document's markers")
    parser.add_argument("--date", help="of the measurement, for --write; default: the newest commit's")
    arguments = parser.parse_args()
    if arguments.write and (arguments.only or arguments.lines != LINES or arguments.runs < RUNS):
        parser.error("--write wants all figures, at full size and in five runs or more.")
    target = arguments.write
    if target and not (target.is_file() and BLOCK.search(target.read_text(encoding="utf-8"))):
        parser.error(f"{target} has no '<!-- figures -->' … '<!-- end -->'.")
    return arguments


def main() -> None:
    """Measure, print, write, and fail if a result was wrong."""
    arguments = parse_arguments()
    on_two_cores()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench((arguments.logs or Path(folder)).absolute(), arguments.lines, arguments.runs)
        bench.warm_up()
        measured = []
        for figure in (each for name in arguments.only or FIGURES for each in FIGURES[name](bench)):
            bench.say("  ".join(cell for cell in cells(figure) if cell))
            measured.append(figure)
    rows = [HEADER, *map(cells, measured)]
    print(as_text(rows))
    for figure in measured:
        if figure.problem:
            print(f"{figure.what}: {figure.problem}")
        if figure.peer_problem:
            print(f"{figure.what}: the peer has {figure.peer_problem}")
    if arguments.lines != LINES:
        print(f"A trial: the limits are for {LINES:,} lines.")
    if arguments.write:
        commit, day = newest_commit()
        when = arguments.date or day
        intro = f"Measured on {when} at commit {commit}, up to {arguments.runs} runs each, on {machine()}."
        write(arguments.write, f"{intro}\n\n{as_markdown(rows)}\n")
    if any(figure.problem and not figure.problem.startswith("MISSING") for figure in measured):
        sys.exit(1)


if __name__ == "__main__":
    main()
