"""The figures of start-up: what a command takes before it does anything, beside Python that does nothing."""

import os
import statistics
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from unittest.mock import patch

from figures import LUIGI_DAY, SMALL_LINES, Bench, Project, Runner, wall
from measure import Cost, Figure, run, seconds

BIN = Path(sys.executable).parent
NOTHING = ("python", "-c", "pass")
COMMANDS = (("lake", "--help"), ("backfill", "--help"), ("luigi", "--version"))


def start(folder: Path, command: tuple[str, ...]) -> tuple[Cost, None]:
    """Run a command that needs no project."""
    return run([str(BIN / command[0]), *command[1:]], folder)[0], None


def beside_nothing(bench: Bench, figure: Figure, ours: Runner) -> Figure:
    """Fill a figure with the seconds of ours; as the peer stands Python that does nothing, run in turn with it."""
    nothing: list[float] = []

    def both() -> tuple[Cost, str | None]:
        nothing.append(wall(start(bench.folder, NOTHING)[0]))
        return ours()

    bench.measure(figure, wall, both)
    figure.peer = seconds(statistics.median(nothing))
    return figure


def start_up(bench: Bench) -> Iterator[Figure]:
    """The commands that only say something, and a small day."""
    with patch.dict(os.environ, PYTHONDONTWRITEBYTECODE=""):  # users' byte code is kept
        for command in COMMANDS:
            figure = Figure(f"start-up, wall, {' '.join(command)}", 0, "s", must=0.15)
            yield beside_nothing(bench, figure, partial(start, bench.folder, command))
        log = bench.log("vhost_combined", SMALL_LINES, "gzip")
        figure = Figure("start-up, wall, luigi RequestsDaily", log.lines, "s", must=0.45)
        with Project.of(log) as project:
            yield beside_nothing(bench, figure, partial(project.run, LUIGI_DAY))


FIGURES: dict[str, Callable[[Bench], Iterator[Figure]]] = {"startup": start_up}
