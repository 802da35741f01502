"""What the tests of deliveries share: a lake of error rates, and where it is delivered."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import lake
from etl.deliver.bring import bring
from etl.deliver.deliveries import Delivery, read_delivery
from etl.deliver.opening import opened
from etl.deliver.target import Target
from lake import config
from lake.lake import Lake, open_store
from lake.partition import Partition

DAY = date(2026, 9, 1)
DAYS = int(os.environ.get("DELIVERED_DAYS", "60"))
"""So many days are delivered where many are; a year takes stand-ins some minutes."""
DELIVERERS = """
import os, sys
from pathlib import Path
from pkgutil import resolve_name
from etl.deliver.bring import bring
from etl.deliver.deliveries import read_delivery
from etl.deliver.opening import MODULES, opened
from lake import config

delivery = read_delivery(config.read(Path("luigi.cfg").absolute()), "figures")
resolve_name(MODULES[delivery.scheme])
for _ in sys.stdin:
    deliverer = os.fork()
    if not deliverer:
        with opened(delivery) as target:
            print(os.getpid(), flush=True)
            bring(delivery, target)
        os._exit(0)
    os.waitpid(deliverer, 0)
    print("ended", flush=True)
"""
"""Imports what a deliverer needs, which takes a second, and begins one for each line that it reads."""


@dataclass(frozen=True)
class Figures:
    """A lake of error rates with a delivery `figures`, which is to go where `deliver` says."""

    folder: Path
    lake: Lake
    publish: Callable[[Lake, Partition, pa.Table], bool]
    error_rates: Callable[..., pa.Table]

    def rates(self, day: int, revision: int = 0, **errors: int) -> None:
        """Publish the n-th day: the server errors of each application."""
        partition = Partition("error_rate", 1, DAY + timedelta(day), revision=revision)
        self.publish(self.lake, partition, self.error_rates(**errors))

    def fill(self) -> int:
        """Publish fifty applications on each of the days after the first three; return how many days there are."""
        for day in range(3, DAYS):
            self.rates(day, **{f"app{n}": (day * n) % 1000 for n in range(50)})
        return DAYS

    def deliver(self, to: str, datasets: str = "error_rate", **more: str) -> Delivery:
        """Declare the delivery, and return it."""
        values = {"to": to, "datasets": datasets, **more}
        text = "".join(f"{key} = {value}\n" for key, value in values.items())
        path = self.folder / "luigi.cfg"
        path.write_text(f"[lake]\nroot = lake\n\n[deliver.figures]\n{text}")
        return read_delivery(config.read(path), "figures")

    @contextmanager
    def target(self, to: str, **more: str) -> Iterator[tuple[Delivery, Target]]:
        """Declare the delivery and open its target."""
        delivery = self.deliver(to, **more)
        with opened(delivery) as target:
            yield delivery, target

    def at_once(self, delivery: Delivery, count: int) -> list[int]:
        """Let so many deliver at the same time, and return how many partitions each has sent."""

        def one(_: int) -> int:
            with opened(delivery) as target:
                return bring(delivery, target)

        with ThreadPoolExecutor(count) as deliverers:
            return sorted(deliverers.map(one, range(count)))

    @contextmanager
    def deliverers(self) -> Iterator[Callable[[float], None]]:
        """Give a function that lets a process deliver, and kills it so many seconds after it has begun."""
        command = [sys.executable, "-c", DELIVERERS]
        with subprocess.Popen(command, cwd=self.folder, stdin=-1, stdout=-1, text=True) as template:

            def kill_one(seconds: float) -> None:
                template.stdin.write("\n")
                template.stdin.flush()
                deliverer = int(template.stdout.readline())
                time.sleep(seconds)
                with suppress(ProcessLookupError):  # it had done all there was
                    os.kill(deliverer, signal.SIGKILL)
                assert template.stdout.readline() == "ended\n"

            yield kill_one
            template.stdin.close()

    def rows(self, dataset: str = "error_rate") -> list[tuple[Any, ...]]:
        """Return all rows that the lake has, in order."""
        table = lake.partitions(dataset, config=self.folder / "luigi.cfg")
        return sorted(tuple(row.values()) for each in table for row in each.batches().read_all().to_pylist())


@pytest.fixture
def figures(tmp_path, publish, error_rates) -> Figures:
    """A lake with three days of two applications, the second restated once."""
    made = Figures(tmp_path, Lake(open_store(str(tmp_path / "lake"))), publish, error_rates)
    for day in range(3):
        made.rates(day, shop=day, api=10 + day)
    made.rates(1, revision=1, shop=7, api=8)
    return made
