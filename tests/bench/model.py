"""What more cores than two would give, by a model of the stages of an extraction, each measured on one core.

With F files of a day on n cores, the wall time is

    start + max((inflate + parse + encode) / n, read, encode / E)

where `read` is `(inflate + parse) / n` if there are as many files as cores or more, else `max(inflate, parse)/F`:
then each file is inflated by one thread and taken apart by another. At most E row groups are encoded at once: one
for every two threads that read, which are as many as cores if memory_mb allows. `start` is a day of a few lines;
`inflate` is what a gzip file takes over an uncompressed one; `encode` is what the writer of `requests` takes:
dictionaries, contract, Parquet; `parse` is all the rest: tokens, masks, digests. Disks and memory are taken to be
fast enough, and no thread to wait for Python's lock.
"""

import statistics
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from figures import EXTRACT, SMALL_LINES, Bench, Log, Project, shell
from measure import CommandFailed, Cost, Figure, run

from etl.sources.limits import encoders_beside

ONE_CORE = ("taskset", "-c", "0")
CORES = (1, 2, 4, 8, 16)
FILES = {1: "one file", 24: "24 hourly files"}
EXTRACTION = (*ONE_CORE, sys.executable, "-c", EXTRACT)
TIMED = f"""
import time
from lake.parquet.writer import PartitionWriter
spent = []
def timed(write):
    def written(*arguments):
        begun = time.thread_time()
        try:
            write(*arguments)
        finally:
            spent.append(time.thread_time() - begun)
    return written
PartitionWriter.write, PartitionWriter.flush = map(timed, (PartitionWriter.write, PartitionWriter.flush))
{EXTRACT}
print(sum(spent))
"""


@dataclass(frozen=True)
class Stages:
    """What the stages of an extraction take, in seconds of one core."""

    start: float
    inflate: float
    parse: float
    encode: float

    def wall(self, cores: int, files: int) -> float:
        """Return the wall time, in seconds, with so many cores and files."""
        whole = self.inflate + self.parse
        read = whole / cores if cores <= files else max(self.inflate, self.parse) / files
        encoded = self.encode / encoders_beside(cores)
        return self.start + max((whole + self.encode) / cores, read, encoded)


def measured(small: Log, packed: Log, plain: Log) -> Stages:
    """Measure the stages once.

    Raises:
        CommandFailed: An extraction failed, was wrong, or wrote nothing in the way that is timed.
    """
    start, whole, unpacked = (_checked(log).cpu_seconds for log in (small, packed, plain))
    with Project.of(plain) as project:
        configuration = {"LUIGI_CONFIG_PATH": str(project.folder / "luigi.cfg")}
        _, printed = run((*ONE_CORE, sys.executable, "-c", TIMED), project.folder, configuration)
    encode = float(printed)
    if not encode:
        raise CommandFailed("nothing was written by PartitionWriter.write: the model has to be told how")
    return Stages(start, whole - unpacked, unpacked - start - encode, encode)


def modelled(bench: Bench) -> Iterator[Figure]:
    """Yield the wall time on more cores over unpacking the one file, for one file and for 24."""
    small, packed = (bench.log("field", lines, "gzip") for lines in (SMALL_LINES, bench.lines))
    plain = bench.log("field", bench.lines, "plain")
    figures = {
        (cores, files): Figure(
            f"field log, {what}, modelled on {cores} cores, wall, over gzip of one", bench.lines, "x"
        )
        for files, what in FILES.items()
        for cores in CORES
    }
    stages = []
    try:
        for n in range(bench.runs):
            bench.say(f"stages: {n + 1} of {bench.runs}")
            inflated = shell('gzip -dc "$0" > /dev/null', packed)[0].wall_seconds
            stages.append(measured(small, packed, plain))
            for (cores, files), figure in figures.items():
                figure.values.append(stages[-1].wall(cores, files) / inflated)
    except CommandFailed as error:
        for figure in figures.values():
            figure.problem = f"FAILED: {error}"
    for name in Stages.__dataclass_fields__ if stages else ():
        bench.say(f"{name}: {statistics.median(getattr(each, name) for each in stages):.2f} s")
    yield from figures.values()


def _checked(log: Log) -> Cost:
    with Project.of(log) as project:
        cost, wrong = project.run(EXTRACTION)
    if wrong:
        raise CommandFailed(wrong)
    return cost
