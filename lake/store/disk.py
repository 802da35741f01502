"""Disks: which one a folder is on, what is wrong with one, temporary folders, and files replaced as a whole.

Below a lost mount there is another disk, and nothing of the lake.
"""

import errno
import glob
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from itertools import chain
from pathlib import Path

from lake.digests import short
from lake.errors import StoreError

DISK_FULL, DENIED = frozenset({errno.ENOSPC, errno.EDQUOT}), frozenset({errno.EACCES, errno.EPERM})
OF_THE_DISK = DISK_FULL | {errno.EROFS, errno.EIO}
"""Numbers of errors that tell of the disk, whoever was writing to it."""


def disk_of(folder: Path) -> int:
    """Return the number of the file system that a folder is in, or would be made in."""
    for each in chain((folder,), folder.parents):
        with suppress(FileNotFoundError):
            return os.stat(f"{each}/.").st_dev  # noqa: PTH116 - a Path takes the dot away, which has it mounted on demand
    raise FileNotFoundError(folder)


@cache
def disk_at_first(folder: Path) -> int:
    """Return what `disk_of` said when it was first asked; processes that are forked later remember it."""
    return disk_of(folder)


def disk_error(doing: str, error: OSError, otherwise: str) -> StoreError:
    """Return the error for a disk that can't be used, with the next step.

    Args:
        doing: What can't be done where, such as `write to the lake at /data`.
        error: Why, as the operating system has it.
        otherwise: The next step where the reason tells none.
    """
    where = error.filename2 or error.filename
    if error.errno in DISK_FULL:
        step = "Make room on that disk, then run the same again."
    elif error.errno in DENIED:
        step = f"Check owner and mode of the folder and those above it; this runs as user {os.geteuid()}."
    else:
        step = otherwise
    # Arrow's text for these is a story
    reason = os.strerror(error.errno) if error.errno in OF_THE_DISK else error.strerror or str(error)
    return StoreError(f"Can't {doing}: {reason}{f' ({where})' if where else ''}. {step}")


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Give a folder in the one for temporary files; it and what is in it are gone afterwards.

    Raises:
        StoreError: It can't be made, or its disk fills up while files are written there.
    """
    try:
        folder = tempfile.TemporaryDirectory(prefix="error-rate-lake-")
    except OSError as error:
        raise _temporary_error(error) from error
    with folder:
        try:
            yield Path(folder.name)
        except OSError as error:
            if error.errno not in OF_THE_DISK:
                raise
            raise _temporary_error(error) from error


def _temporary_error(error: OSError) -> StoreError:
    where = f"temporary files to {tempfile.tempdir}" if tempfile.tempdir else "temporary files"
    return disk_error(f"write {where}", error, "Set TMPDIR to a folder with room.")


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """Give a place for a file that then takes that of `path`: who opens it has the old one or the new one, whole.

    What processes that are gone have left there is taken away. A folder may be shared: what is of another host or
    container stays, as nobody here knows its processes.

    Args:
        path: Where, in a folder that is there.

    Raises:
        OSError: It can't be put there; what was there stays, as with any other error.
    """
    ours = f".{path.name}.{_host()}-"
    for left in path.parent.glob(f".{glob.escape(path.name)}.*"):
        number = left.name.removeprefix(ours).partition(".")[0]
        if left.name.startswith(ours) and number.isdigit() and not _is_running(int(number)):
            left.unlink(missing_ok=True)
    made = path.parent / f"{ours}{os.getpid()}.{os.urandom(4).hex()}"  # another thread may do the same
    try:
        yield made
        made.replace(path)
    finally:
        for each in (made, Path(f"{made}.wal")):  # DuckDB's
            each.unlink(missing_ok=True)


def replace_file(path: Path, content: bytes, mode: int | None = None) -> None:
    """Put a file in its place at once, as `replaced` does.

    Args:
        path: Where, in a folder that is there.
        content: All of it.
        mode: Who may read it; None for what the process gives new files.

    Raises:
        OSError: It can't be written; what was there stays.
    """
    with replaced(path) as made:
        made.touch(0o666 if mode is None else 0o600, exist_ok=False)
        with made.open("r+b") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if mode is not None:
            made.chmod(mode)


def _host() -> str:
    """Return what tells this machine, or container, from others whose processes have the same numbers."""
    try:
        processes = os.stat("/proc/self/ns/pid").st_ino  # noqa: PTH116 - no Path is needed for one name
    except OSError:  # no Linux
        processes = 0
    return short(f"{os.uname().nodename} {processes}")


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        return True
    return True
