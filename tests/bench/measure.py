"""What a command costs: CPU and memory of the whole process tree, and wall time.

A process begins with the peak memory of the one that started it, so what imports this stays small: it loads
neither NumPy nor pyarrow, and leaves logs and checks to processes of their own.
"""

import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

SHORT_SECONDS = 0.1


class CommandFailed(Exception):
    """A measured command did not exit with 0."""


@dataclass(frozen=True)
class Cost:
    """What one command took; memory is that of its largest process, in megabytes (10**6 bytes)."""

    cpu_seconds: float
    wall_seconds: float
    peak_megabytes: float


@dataclass
class Figure:
    """A measured ratio, time or size with what it must be, one value a run.

    Attributes:
        what: What is measured, and over what.
        lines: Lines of the log, 0 where there is none.
        unit: `x` for a ratio, `s` or `MB`.
        must, aim: The highest value allowed and the one aimed at, None for none.
        ours, peer: What was divided, in words.
        problem: Why the values don't count: WRONG with what came out wrong, FAILED or MISSING; None if they do.
        peer_problem: What is wrong with the peer's results, None if nothing.
    """

    what: str
    lines: int
    unit: str
    must: float | None = None
    aim: float | None = None
    values: list[float] = field(default_factory=list)
    ours: str = ""
    peer: str = ""
    problem: str | None = None
    peer_problem: str | None = None

    @property
    def median(self) -> float:
        """The median of all runs."""
        return statistics.median(self.values)

    @property
    def verdict(self) -> str:
        """Whether the figure is what it must be: `yes`, `NO`, empty if nothing is asked of it, or the problem."""
        if self.problem:
            return self.problem.partition(":")[0]
        if self.must is None:
            return ""
        return "yes" if self.median <= self.must else "NO"


def seconds(value: float) -> str:
    """Return seconds as text, a few of them as milliseconds."""
    return f"{value:.2f} s" if value >= SHORT_SECONDS else f"{value * 1000:.2f} ms"


def run(command: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None) -> tuple[Cost, str]:
    """Run a command in a folder, and return its cost and what it printed.

    Raises:
        CommandFailed: It exited with another code than 0; the message ends with its last words.
    """
    with tempfile.TemporaryFile() as printed, tempfile.TemporaryFile() as complaints:
        begun = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=folder, stdout=printed, stderr=complaints, env={**os.environ, **(environment or {})}
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall_seconds = time.perf_counter() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
        printed.seek(0)
        if process.returncode:
            complaints.seek(0)
            said = (complaints.read() or printed.read()).decode(errors="replace").split("\n")
            last = next((line for line in reversed(said) if line.strip()), "it said nothing")
            raise CommandFailed(f"{Path(command[0]).name} exited with {process.returncode}: {last.strip()}")
        cost = Cost(usage.ru_utime + usage.ru_stime, wall_seconds, usage.ru_maxrss * 1024 / 1e6)
        return cost, printed.read().decode()
