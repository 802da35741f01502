"""Faults that tests bring about: a disk that fills up, rights that are taken away."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

IGNORES_MODES = ",".join(f"-{name}" for name in ("dac_override", "dac_read_search"))
BOUND_BY_MODES = ("setpriv", f"--inh-caps={IGNORES_MODES}", f"--bounding-set={IGNORES_MODES}")


@dataclass(frozen=True)
class SmallDisk:
    """A file system of a few megabytes, which only commands that are prefixed see, and which ends with the test.

    Attributes:
        mounted_at: Where those commands see it.
        path: Where this process sees it.
        prefix: What a command is prefixed with, which then is root's, if only on this disk.
    """

    mounted_at: Path
    path: Path
    prefix: tuple[str, ...]

    @property
    def ordinary(self) -> tuple[str, ...]:
        """What a command is prefixed with so that files' modes bind it."""
        return (*self.prefix, *BOUND_BY_MODES)

    def fill(self, leave: int) -> Path:
        """Write a file that leaves so many bytes, and return it."""
        ballast = self.path / "ballast"
        free = os.statvfs(self.path)
        ballast.write_bytes(bytes(free.f_bavail * free.f_frsize - leave))
        return ballast


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[str], SmallDisk]]:
    """Makes small disks, such as one of "4m"."""
    holders = []

    def make(size: str) -> SmallDisk:
        folder = tmp_path / f"disk{len(holders)}"
        folder.mkdir()
        mount = f'mount -t tmpfs -o size={size} tmpfs "$0" && echo mounted && exec cat'
        try:
            holder = subprocess.Popen(
                ["unshare", "-rm", "sh", "-c", mount, folder],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        except FileNotFoundError:
            pytest.skip("there is no unshare here")
        holders.append(holder)
        if holder.stdout.readline() != "mounted\n":
            pytest.skip(f"no file system can be mounted here: {holder.communicate()[1].strip()}")
        into = ("nsenter", "--preserve-credentials", "-U", "-m", "-t", str(holder.pid))
        prefix = (*into, "sh", "-c", 'cd "$0" && exec "$@"', str(tmp_path / "project"))
        return SmallDisk(folder, Path(f"/proc/{holder.pid}/root{folder}"), prefix)

    yield make
    for holder in holders:
        holder.communicate()  # it ends with its standard input, and the file system with it


@pytest.fixture
def ordinary() -> tuple[str, ...]:
    """What a command is prefixed with so that files' modes bind it, whoever runs the tests."""
    if os.geteuid():
        return ()
    if not shutil.which("setpriv") or subprocess.run([*BOUND_BY_MODES, "true"], check=False).returncode:
        pytest.skip("root's right to ignore modes can't be given up here")
    return BOUND_BY_MODES


@pytest.fixture(params=["local", pytest.param("spark", marks=pytest.mark.spark)])
def engine(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """What a command is given to build by an engine: what one promises, each does."""
    if request.param == "spark":
        request.getfixturevalue("spark")
    return ("--engine", request.param)
