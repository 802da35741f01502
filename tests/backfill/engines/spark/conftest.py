"""A cluster of Spark's own on loopback: a master and two workers, each with a core."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest

CLASS = "org.apache.spark.deploy.{}"
QUICK_TO_START = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
EXECUTOR, DAEMON = b"CoarseGrainedExecutorBackend", b"pyspark.daemon"
SECONDS = 120


@dataclass(frozen=True)
class Cluster:
    """A running one.

    Attributes:
        master: Its URL.
        workers: Its workers' processes.
    """

    master: str
    workers: tuple[int, ...]

    @property
    def section(self) -> str:
        """What luigi.cfg says of it."""
        options = {
            "spark.driver.host": "127.0.0.1",
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.executor.memory": "512m",
            "spark.executor.extraJavaOptions": QUICK_TO_START,
        }
        lines = "".join(f"    {name} = {value}\n" for name, value in options.items())
        return f"[spark]\nmaster = {self.master}\npython = {sys.executable}\noptions =\n{lines}"

    def executors(self) -> list[int]:
        """Return the processes of executors."""
        return [each for worker in self.workers for each in children(worker, EXECUTOR)]

    def pythons(self) -> list[int]:
        """Return the processes of Python that run tasks, each of which a daemon has forked."""
        daemons = (each for executor in self.executors() for each in children(executor, DAEMON))
        return [each for daemon in daemons for each in children(daemon, DAEMON)]


def children(process: int, runs: bytes) -> list[int]:
    """Return the living processes whose parent it is and that run something; none if it is gone."""
    found: set[int] = set()
    with suppress(OSError):
        for each in Path(f"/proc/{process}/task").iterdir():  # each thread has its own
            with suppress(OSError):
                found |= set(map(int, (each / "children").read_text().split()))
    return sorted(each for each in found if runs in _command(each))


def _command(process: int) -> bytes:
    """Return a process's command line, empty if it has ended."""
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return b""


@pytest.fixture(scope="session")
def cluster(spark: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Yield a cluster that ends with the tests."""
    home, folder = Path(find_spec("pyspark").origin).parent, tmp_path_factory.mktemp("cluster")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "LUIGI_", "SPARK_"))}
    environment |= {
        "SPARK_HOME": str(home),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_NO_DAEMONIZE": "1",
        "SPARK_DAEMON_JAVA_OPTS": QUICK_TO_START,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    running = []

    def start(name: str, *arguments: str, says: str) -> str:
        """Start a process, and return what it says once it is there."""
        log = folder / f"{len(running)}.log"
        command = (str(home / "bin/spark-class"), CLASS.format(name), "--host", "127.0.0.1", "--webui-port", "0")
        with log.open("wb") as file:
            process = subprocess.Popen(
                (*command, *arguments), env=environment, cwd=folder, stdout=file, stderr=file
            )
        running.append(process)
        deadline = time.monotonic() + SECONDS
        while not (found := re.search(says, log.read_text(errors="replace"))):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        return found[1]

    try:
        master = start("master.Master", "--port", "0", says=r"Starting Spark master at (spark://\S+)")
        for number in range(2):
            work = ("--cores", "1", "--memory", "1g", "--work-dir", str(folder / f"work{number}"))
            start("worker.Worker", *work, master, says=r"Successfully registered with master (\S+)")
        yield Cluster(master, tuple(each.pid for each in running[1:]))
    finally:
        for each in reversed(running):
            each.send_signal(signal.SIGTERM)
        for each in running:
            each.wait(SECONDS)
