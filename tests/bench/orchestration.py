"""The figures of orchestration: what a day costs apart from extraction and SQL, beside what others take for it.

Each value comes from a process of its own that runs days of trivial tasks; trivial.py says what is in it.
"""

import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from figures import Bench, cpu, wall
from measure import CommandFailed, Cost, Figure, run

PROGRAM = Path(__file__).parent / "trivial.py"
DAYS, MANY_DAYS, FEW_DAYS = 1_000, 10_000, 100
FEW_RUNS = 3
PACKAGES = {
    "Dagster": ("dagster==1.13.28",),
    "Prefect": ("prefect==3.8.8", "fastapi==0.139.0"),  # with the newest FastAPI it doesn't start
    "Airflow": ("apache-airflow==3.3.2",),
}


@dataclass
class Days:
    """So many days of trivial tasks, run by an orchestrator in an empty folder below `scratch`.

    Attributes:
        python: The interpreter whose environment has the orchestrator.
        chunks: Of each run, the CPU seconds of its chunks.
    """

    count: int
    name: str
    scratch: Path
    python: Path = Path(sys.executable)
    chunks: list[list[float]] = field(default_factory=list)

    def run(self) -> tuple[Cost, None]:
        """Run them, and return what one of them cost; the program fails if one wasn't built."""
        with tempfile.TemporaryDirectory(dir=self.scratch, ignore_cleanup_errors=True) as folder:
            cost, printed = run([str(self.python), str(PROGRAM), self.name, str(self.count)], Path(folder))
        found = json.loads(printed.splitlines()[-1])
        self.chunks.append(found["chunks"])
        return Cost(found["cpu"] / self.count, found["wall"] / self.count, cost.peak_megabytes), None


def orchestration(bench: Bench) -> Iterator[Figure]:
    """A day of `backfill run` over one of Luigi alone, and a day of many over one of fewer."""
    ours, luigi = (Days(DAYS, name, bench.folder) for name in ("ours", "luigi"))
    for name, cost_of in (("CPU", cpu), ("wall", wall)):
        figure = Figure(f"orchestration of a day, {DAYS:,} days, {name}, over Luigi alone", 0, "x", must=1.2)
        yield bench.compare(figure, cost_of, luigi.run, ours.run)
    many = Days(MANY_DAYS, "ours", bench.folder)
    figure = Figure(f"orchestration of a day, CPU, {MANY_DAYS:,} days over {DAYS:,}", 0, "x", must=1.2)
    # three minutes a run
    yield replace(bench, runs=min(bench.runs, FEW_RUNS)).compare(figure, cpu, ours.run, many.run)
    drift = Figure(f"orchestration, CPU, last tenth of {MANY_DAYS:,} days over the first", 0, "x", must=1.2)
    drift.values, drift.problem = [_drift(chunks) for chunks in many.chunks], figure.problem
    yield drift


def _drift(chunks: Sequence[float]) -> float:
    """Return the last tenth over the first, without the chunks that have the plan and the report in them."""
    inner = chunks[1:-1]
    tenth = len(inner) // 10
    return sum(inner[-tenth:]) / sum(inner[:tenth])


def orchestrators(bench: Bench) -> Iterator[Figure]:
    """A day of `backfill run` over one of others, each installed for it; once, as it is about magnitudes."""
    once = replace(bench, runs=1)
    ours = Days(FEW_DAYS, "ours", bench.folder)
    for name, packages in PACKAGES.items():
        figure = Figure(f"orchestration of a day, {FEW_DAYS} days, wall, over {name}", 0, "x")
        environment = Path(tempfile.mkdtemp(dir=bench.folder, prefix="environment-"))
        python = environment / "bin/python"
        bench.say(f"installing {' '.join(packages)}")
        try:
            run([sys.executable, "-m", "venv", str(environment)], bench.folder)
            run([str(python), "-m", "pip", "--disable-pip-version-check", "install", *packages], bench.folder)
        except CommandFailed as error:
            figure.problem = f"MISSING: {packages[0]} does not install: {error}"
            yield figure
        else:
            theirs = Days(FEW_DAYS, name.lower(), bench.folder, python)
            yield once.compare(figure, wall, theirs.run, ours.run)
        finally:
            shutil.rmtree(environment, ignore_errors=True)


FIGURES: dict[str, Callable[[Bench], Iterator[Figure]]] = {
    "orchestration": orchestration,
    "orchestrators": orchestrators,
}
