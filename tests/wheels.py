"""The project as who installed its wheel has it: in an environment that has neither repository nor tools."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, distribution, distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement

REPOSITORY = Path(__file__).parent.parent
PACKAGES = ("lake", "etl", "tasks", "backfill", "queries")


@dataclass(frozen=True)
class Installed:
    """An environment with the wheel and what it requires, and nothing else."""

    folder: Path
    wheel: Path

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "bin/python"

    @property
    def variables(self) -> dict[str, str]:
        """The environment variables of a process that has activated it."""
        return {"PATH": f"{self.folder}/bin:{os.environ['PATH']}", "PYTHONPATH": ""}


def required(wheel: Path, extras: frozenset[str]) -> dict[str, Distribution]:
    """Return what a wheel with some extras requires, directly or not, of what is installed here."""
    found: dict[str, Distribution] = {}
    (own,) = distributions(path=[str(wheel)])
    wanted = [(own.name, extras)]
    seen = set()
    while wanted:
        name, chosen = wanted.pop()
        if (name, chosen) in seen:
            continue
        seen.add((name, chosen))
        each = own if name == own.name else distribution(name)
        if each is not own:
            found[each.name] = each
        for requirement in map(Requirement, each.requires or ()):
            markers = [{"extra": extra} for extra in ("", *chosen)]
            if not requirement.marker or any(map(requirement.marker.evaluate, markers)):
                wanted.append((requirement.name, frozenset(requirement.extras)))
    return found


def install(wheel: Path, folder: Path, *extras: str) -> Installed:
    """Make an environment of the wheel; what it requires is linked from here, so nothing is fetched.

    Raises:
        CalledProcessError: It lacks something that it requires.
    """
    made = Installed(folder, wheel)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    (site,) = folder.glob("lib/python*/site-packages")
    for each in required(wheel, frozenset(extras)).values():
        for top in {file.parts[0] for file in each.files or ()} - {"..", "__pycache__"}:
            if not (site / top).exists():
                (site / top).symlink_to(each.locate_file(top))
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "--python", made.python]
    subprocess.run([*pip, "install", "--no-index", "--no-deps", wheel], check=True)
    subprocess.run([*pip, "check"], check=True)
    return made


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the wheel, built of what lies here."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder]
    subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True)
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="session")
def with_report(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    """Return an environment of `error-rate-lake[report]`."""
    return install(wheel, tmp_path_factory.mktemp("installed") / "venv", "report")


@pytest.fixture(scope="session")
def bare(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    """Return an environment of `error-rate-lake`."""
    return install(wheel, tmp_path_factory.mktemp("bare") / "venv")
