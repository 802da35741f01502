"""What an executor's Python does: it builds a unit and tells what came of it; an error is told, never raised.

Spark would try a task that raises four times, and then give up the job. It tries anew only what died.
"""

import hashlib
import platform
import sys
import time
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property, lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import lake
from backfill.attempts import LONGEST_ERROR, Outcome, host
from backfill.engines.ends import End, outcome_of, told
from etl import clock
from etl.delivered import Delivered
from etl.fetched import Snapshot
from etl.project import Project
from etl.sources.sections import read_sources
from etl.units import DELIVERED, SNAPSHOT, Unit
from lake import lake_id
from lake.config import Config
from lake.errors import LakeError
from lake.lake import Lake
from lake.provenance import FIRST, code_version
from lake.store.outage import patient

if TYPE_CHECKING:
    from pyspark import Broadcast

PACKAGES = ("lake", "etl", "queries")
LIBRARIES = ("duckdb", "isal", "numpy", "orjson", "pyarrow")
KERNEL = "numba"
CODE, LAKE_ROOT, LAKE_ID = "code", "[lake] root", "the lake's id"
NONE = "none"


@dataclass(frozen=True)
class Order:
    """What executors are told of a run.

    Attributes:
        config: The driver's luigi.cfg.
        setup: What the driver has, as `setup` has it: an executor that has something else builds nothing.
        until: The day from which on a pass over undated logs publishes none.
    """

    config: Config
    setup: Mapping[str, str]
    until: date

    @cached_property
    def project(self) -> Project:
        """The project of that luigi.cfg: clients of S3 are slow to make, so one serves all units of a process.

        Raises:
            ConfigError: It is wrong here, as where the environment lacks a variable.
        """
        return Project(Lake.of(self.config), tuple(read_sources(self.config)), self.config)

    @cached_property
    def differs(self) -> tuple[str, ...]:
        """What this process has that the driver hasn't, a line each; it stays so, for it loads nothing anew.

        Raises:
            LakeError: That can't be told.
        """
        here = setup(self.project)
        return tuple(
            f"{name} is {here.get(name, NONE)} on {host()} ({sys.executable}), and {value} on the driver"
            for name, value in self.setup.items()
            if here.get(name, NONE) != value
        )


@dataclass(frozen=True)
class Named:
    """A unit by its name, which any process can make anew."""

    dataset: str
    day: date
    source: str | None
    deliver: str | None

    @classmethod
    def of(cls, unit: Unit) -> "Named":
        """Return a unit's name."""
        return cls(unit.dataset, unit.day, unit.source, unit.arguments.get("deliver"))

    def within(self, project: Project) -> Unit:
        """Return the unit of a project."""
        if self.dataset == DELIVERED:
            return Delivered.of_name(project, self.deliver, self.day)
        if self.dataset == SNAPSHOT:
            return Snapshot(project, SNAPSHOT, self.day, self.source)
        return Unit(project, self.dataset, self.day, self.source)


@dataclass(frozen=True)
class Came:
    """What came of a unit on an executor.

    Attributes:
        end: The end of its building, None if nothing was built.
        waits: What of its raw logs is still to come, None if nothing is.
        differs: What this executor has that the driver hasn't, a line each; with any, nothing was built.
        unexpected: The traceback of an error that isn't one of ours.
        host: Where that was.
    """

    end: End | None = None
    waits: str | None = None
    differs: tuple[str, ...] = ()
    unexpected: str | None = None
    host: str = ""


class Builder:
    """What Spark carries to executors: it is called there with a unit's name."""

    def __init__(self, order: "Broadcast[Order]") -> None:
        """Take an order that each Python of an executor reads once."""
        self._order = order

    def __call__(self, named: Named) -> Came:
        """Build a unit."""
        return build(self._order.value, named)


def build(order: Order, named: Named) -> Came:
    """Build a unit, unless it is there, or its raw logs aren't."""
    began, begin = clock.utc_now(), time.monotonic()

    def ended(error: BaseException | None = None) -> End:
        unit = Unit(None, named.dataset, named.day, named.source)  # type: ignore[arg-type] # for its name alone
        return End(
            named.day,
            unit.name,
            began,
            time.monotonic() - begin,
            None if error is None else told(unit.name, named.source, error)[:LONGEST_ERROR],
            Outcome.BUILT if error is None else outcome_of(error, named.dataset),
            named.source,
            host(),
        )

    try:
        if order.differs:
            return Came(differs=order.differs, host=host())
        unit = named.within(order.project)
        with patient():
            if unit.is_published():
                return Came(host=host())
            is_raw = unit.is_extracted or named.dataset == SNAPSHOT
            if is_raw and (waits := unit.why_not(clock.utc_now())):
                return Came(waits=waits, host=host())
            unit.build(FIRST, order.until, clock.utc_now())
        return Came(ended(), host=host())
    except LakeError as error:
        return Came(ended(error), host=host())
    except Exception as error:  # noqa: BLE001 - raised, it would be tried four times and then end the run
        return Came(ended(error), unexpected=traceback.format_exc(), host=host())


def setup(project: Project) -> dict[str, str]:
    """Return what must be the same wherever units of a run are built; it is asked for once a process.

    The settings of sources are those of the driver's luigi.cfg. What is read beside it, such as a map of
    applications, may be another file here.

    Raises:
        StoreError: The lake can't be read.
    """
    return {
        "error-rate-lake": code_version(),
        CODE: _code(),
        "Python": platform.python_version(),
        **{name: _version(name) for name in LIBRARIES},
        f"{KERNEL}, which compiles the kernel": _version(KERNEL),
        LAKE_ROOT: project.lake.root,
        LAKE_ID: lake_id.known(project.lake) or NONE,
        **{f"[source.{each.name}]": each.settings_sha256[:16] for each in project.sources},
    }


@lru_cache(maxsize=1)
def _code() -> str:
    """Return a digest of the code that makes partitions: an installed version may have been changed."""
    digest = hashlib.sha256()
    for path in _files():
        digest.update(f"{path.name} {path.stat().st_size}\n".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _files() -> Iterator[Path]:
    folder = Path(lake.__file__).parent.parent
    for package in PACKAGES:
        yield from sorted(each for each in (folder / package).rglob("*") if each.suffix in {".py", ".sql"})


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return NONE
