"""Runs that are killed at any moment, what readers see meanwhile, and what the lake is after the next run.

    KILLS=200 python -m pytest tests/backfill/test_kills.py

does it longer than CI; `-o junit_family=xunit1 --junit-xml FILE` has the figures.
"""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from threading import Event

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from s3_servers import partitions

from lake.catalog.connections import connect
from lake.lake import Lake
from lake.store.local import LocalStore
from lake.verify import Scope, Verification

pytestmark = pytest.mark.slow

RUN = ("backfill", "run", "--of", "ErrorRateDaily", "--workers", "2")
FIRST, DAYS, DAYS_ON_S3 = date(2015, 5, 17), 12, 6
KILLS = int(os.environ.get("KILLS", "4"))
SEED = 20151
IN_START_UP = 0.2
DATASETS = ("requests", "rejects", "source_days", "source_counts", "error_counts", "error_rate")
FIGURES = " union all ".join(
    f"select '{name}', dt, rev, count(*), bit_xor(hash({name}))::varchar from {name} group by dt, rev"
    for name in DATASETS
)
CUT_OFF = """
import os, signal, sys
from backfill import cli
from lake.store.local import LocalStore
create, left = LocalStore.create, int(sys.argv.pop(1))
def cut_off(*arguments):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return create(*arguments)
LocalStore.create = cut_off
cli.main()
"""


def processes_in(folder: Path) -> list[str]:
    """Return the command lines of the processes that work in a folder."""
    found = []
    for each in Path("/proc").glob("[0-9]*"):
        try:
            if (each / "cwd").readlink() == folder:
                found.append((each / "cmdline").read_text().replace("\0", " "))
        except OSError:  # it has just ended, or is another's
            continue
    return found


def by_walking(lake: Path) -> dict[str, bytes]:
    """Return all that lies under the datasets, by key, after a look into it as Parquet."""
    found = {}
    for folder, folders, files in os.walk(lake):
        if folder == str(lake):
            folders[:] = [each for each in folders if not each.startswith("_")]
        for path in (Path(folder, name) for name in files):
            body = path.read_bytes()
            pq.read_table(pa.BufferReader(body))
            found[str(path.relative_to(lake))] = body
    return found


def by_catalog(lake: Path) -> dict[str, object]:
    """Return the figures of each dataset's days, and a digest of their rows, as DuckDB has them."""
    if not lake.exists():
        return {}
    with connect(Lake(LocalStore(str(lake)))) as connection:
        return {f"{name} {day} {rev}": rest for name, day, rev, *rest in connection.sql(FIGURES).fetchall()}


def objects_in(lake: Path) -> int:
    """Count what is published, without a look into `_staging`, whose folders come and go."""
    return len(list(lake.glob("[!_]*/**/*.parquet")))


@dataclass(frozen=True)
class Reader:
    """How somebody looks at a lake while others write: what is there, by name, and what it is in the end."""

    look: Callable[[], Mapping[str, object]]
    expected: Mapping[str, object]

    def read(self, over: Event) -> int:
        """Look over and over, and return how often something was looked at: always whole, never to vanish."""
        reads, seen = 0, set()
        while True:
            is_last = over.is_set()
            begun = time.monotonic()
            found = self.look()
            assert [name for name, what in found.items() if self.expected.get(name) != what] == []
            assert seen - found.keys() == set()
            seen |= found.keys()
            reads += len(found)
            if is_last:
                return reads
            over.wait(2 * (time.monotonic() - begun))  # so that those who write are not kept from it


@contextmanager
def looked_at(tally: Counter, **readers: Reader) -> Iterator[None]:
    """Have readers look meanwhile, and count what they have read."""
    over = Event()
    with ThreadPoolExecutor(len(readers)) as pool:
        reading = {name: pool.submit(each.read, over) for name, each in readers.items()}
        try:
            yield
        finally:
            over.set()
        for name, reads in reading.items():
            tally[name] += reads.result()


@dataclass
class Moments:
    """When to kill runs: at any moment of theirs, most of them while they build, however busy the machine is.

    Attributes:
        start_up: How many seconds a run takes before it publishes.
        building: How many it builds for when nothing is there yet.
        objects: How many objects it publishes then.
    """

    rng: random.Random
    start_up: float
    building: float
    objects: int

    def wait(self, process: subprocess.Popen[str], count: Callable[[], int]) -> None:
        """Wait for one of them in a run, or for its end; `count` tells how many objects are there."""
        there = count()
        if self.rng.random() < IN_START_UP:
            seconds = self.rng.uniform(0, self.start_up)
        else:
            until = self.rng.randint(there + 1, self.objects)
            while count() < until and process.poll() is None:
                time.sleep(0.002)
            seconds = self.rng.uniform(0, 2 * self.building / self.objects)
        with suppress(subprocess.TimeoutExpired):
            process.wait(seconds)


def timed(project, is_begun: Callable[[], bool]) -> tuple[float, float]:
    """Run without a kill; return the seconds until something was published, and those from then on."""
    begun = time.monotonic()
    process = project.start(*RUN)
    while not is_begun() and process.poll() is None:
        time.sleep(0.01)
    published = time.monotonic()
    output, errors = process.communicate(timeout=120)
    assert (process.returncode, errors) == (0, ""), output
    return published - begun, time.monotonic() - published


def killed(project, number: int, moments: Moments, count: Callable[[], int]) -> bool:
    """Start a run and kill it at a moment, alone or with its workers; tell whether it ran until then."""
    process = project.start("setsid", *RUN)
    moments.wait(process, count)
    is_killed = process.poll() is None
    if is_killed and moments.rng.random() < 0.5:
        os.killpg(process.pid, number)
    elif is_killed:
        process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode in {0, -number, 128 + number}, errors
    deadline = time.monotonic() + 5
    while left := processes_in(project.folder):
        assert time.monotonic() < deadline, left
        time.sleep(0.02)
    return is_killed


def of_days(project, days: int):
    """Give a project logs of so many days, and return it."""
    until = {"until": str(FIRST + timedelta(days=days))}
    project.configure(lake=project.lake(), web=project.source | until)
    project.write_logs(days=days, lines=20)
    return project


def cut_off_in(lake: Path) -> list[str]:
    """Return the keys whose publication was recorded and then cut off: all that a deep look finds is wrong."""
    found = list(Verification(Lake(LocalStore(str(lake))), Scope(is_deep=True)).findings())
    assert [each for each in found if not each.what.startswith("gone: its publication was recorded")] == []
    return [each.key for each in found]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_lake_is_the_same_after_runs_that_were_killed(make_project, number, record_property):
    """No reader ever sees a part of an object, and the next run completes, byte for byte as an undisturbed one.

    No process and no temporary file is left, and a publication that was cut off is named until it is made up for.
    """
    undisturbed = of_days(make_project("undisturbed"), DAYS)
    start_up, building = timed(undisturbed, lambda: objects_in(undisturbed.folder / "lake") > 0)
    expected, figures = undisturbed.published(), by_catalog(undisturbed.folder / "lake")
    rng = random.Random(SEED)  # noqa: S311 - moments, no secrets
    moments = Moments(rng, start_up, building, len(expected))
    tally: Counter[str] = Counter()
    while tally["kills"] < KILLS:
        tally["lakes"] += 1
        project = of_days(make_project(f"disturbed{tally['lakes']}"), DAYS)
        lake = project.folder / "lake"
        files = Reader(lambda lake=lake: by_walking(lake), expected)
        catalog = Reader(lambda lake=lake: by_catalog(lake), figures)
        with looked_at(tally, files=files, catalog=catalog):
            goes_on = True
            while goes_on and tally["kills"] < KILLS:
                was_killed = killed(project, number, moments, lambda lake=lake: objects_in(lake))
                tally["kills"] += was_killed
                cut_off = cut_off_in(lake)
                tally["cut off"] += len(cut_off)
                published = len(project.published())
                tally["before the first object" if not published else "while building"] += was_killed
                goes_on = was_killed and rng.random() < 0.5 and published < len(expected)
            if cut_off:
                verified = project.run("lake", "verify")
                assert verified.returncode == 1
                assert all(f"{key}: gone: " in verified.stdout for key in cut_off)
            done = project.run(*RUN)
            assert (done.returncode, done.stderr) == (0, "")
        assert project.published() == expected
        assert project.run("lake", "verify").returncode == 0
        assert cut_off_in(lake) == []
        assert not list((lake / "_staging").iterdir())
    assert tally["files"]
    assert tally["catalog"]
    record_property("seconds of start-up, and of building", (round(start_up, 1), round(building, 1)))
    for name, count in tally.items():
        record_property(name, count)


def test_a_lake_on_s3_is_the_same_after_writers_that_were_killed(make_project, on_s3, moto_url, record_property):
    """There, too: what a killed writer had begun to send is no object."""
    undisturbed = of_days(make_project("undisturbed"), DAYS_ON_S3)
    assert undisturbed.run(*RUN).returncode == 0
    expected = undisturbed.published()
    bucket, endpoint = on_s3.lake()["root"].split("/")[2], {"endpoint_url": moto_url}
    rng = random.Random(SEED)  # noqa: S311 - moments, no secrets
    moments, tally = None, Counter()
    while tally["kills"] < max(3, KILLS // 4):
        tally["lakes"] += 1
        root = f"s3://{bucket}/lake{tally['lakes']}"
        on_s3.configure(lake={"root": root} | endpoint)
        project = of_days(on_s3, DAYS_ON_S3)

        def look(root=root):
            return partitions(moto_url, root)

        if not moments:
            moments = Moments(rng, *timed(project, look), len(expected))
            assert look() == expected
            continue
        with looked_at(tally, objects=Reader(look, expected)):
            while True:
                was_killed = killed(project, signal.SIGKILL, moments, lambda look=look: len(look()))
                tally["kills"] += was_killed
                if not was_killed or rng.random() < 0.5 or len(look()) == len(expected):
                    break
            done = project.run(*RUN)
            assert (done.returncode, done.stderr) == (0, "")
        assert look() == expected
        assert project.run("lake", "verify", "--deep").returncode == 0
    assert tally["objects"]
    for name, count in tally.items():
        record_property(name, count)


def test_a_writer_that_is_killed_between_two_objects(make_project):
    """Before each object of a day in turn: what is recorded and not there is named, until the next run."""
    objects = 3 * len(DATASETS)  # of each dataset the intent, itself, and the record that it won
    undisturbed = of_days(make_project("undisturbed"), objects)
    assert undisturbed.run(*RUN).returncode == 0
    expected = undisturbed.published()
    project = of_days(make_project("project"), objects)
    cut_off = []
    for n in range(objects):
        day, after = (str(FIRST + timedelta(days=each)) for each in (n, n + 1))
        command = ("run", "--of", "ErrorRateDaily", "--start", day, "--stop", after)
        assert project.run(sys.executable, "-c", CUT_OFF, str(n), *command).returncode == -signal.SIGKILL
        there = [key for key in project.published() if f"dt={day}" in key]
        assert len(there) == (n + 1) // 3
        found = cut_off_in(project.folder / "lake")
        assert len(found) == len(cut_off) + (n % 3 == 1)
        cut_off = found
    assert sorted(key.split("/")[0] for key in cut_off) == sorted(DATASETS)
    verified = project.run("lake", "verify")
    assert verified.returncode == 1
    assert [line.split(": gone: ")[0] for line in verified.stdout.splitlines()[:-1]] == cut_off
    done = project.run(*RUN)
    assert (done.returncode, done.stderr) == (0, "")
    assert project.published() == expected
    assert project.run("lake", "verify").returncode == 0
