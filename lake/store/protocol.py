"""Where objects lie: what the lake asks of a disk or a bucket, and nothing more."""

import errno
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, Protocol

import pyarrow.fs

from lake.errors import PartitionExists, StoreError
from lake.parquet.writer import StagedFile

S3_SCHEME = "s3://"
PATIENCE_SECONDS = 120
DISK_FULL, DENIED = frozenset({errno.ENOSPC, errno.EDQUOT}), frozenset({errno.EACCES, errno.EPERM})
OF_THE_DISK = DISK_FULL | {errno.EROFS, errno.EIO}
"""Numbers of errors that tell of the disk, whoever was writing to it."""


class Stored(NamedTuple):
    """An object as a listing shows it.

    Attributes:
        bytes: Its size.
        published: When it was created, by the clock of the disk or bucket.
        tag: What else tells it from another object that had its name: S3's ETag; on disk, when its inode changed.
    """

    key: str
    bytes: int
    published: datetime
    tag: str


class Store(Protocol):
    """Objects under keys: created once, never changed, listed in order.

    Every method raises StoreError when the disk or bucket doesn't answer.
    """

    root: str

    def create(self, key: str, file: StagedFile) -> bool:
        """Create the object if and only if nothing is there.

        Returns:
            True if this call created it, False if the same bytes were there already.

        Raises:
            PartitionExists: Other bytes are there; they were not changed.
        """
        ...

    def keys(self, prefix: str, first: str, last: str) -> Iterator[str]:
        """List the keys below `prefix`, after `prefix + first` and before `prefix + last`, in order."""
        ...

    def objects(self, prefix: str, first: str, last: str) -> Iterator[Stored]:
        """Yield what `keys` does, with what a listing tells of each."""
        ...

    def exists(self, key: str) -> bool:
        """Tell whether the object is there."""
        ...

    def sha256(self, key: str) -> str:
        """Return the digest of the object's bytes; PartitionMissing if there is none."""
        ...

    def local_copy(self, key: str, folder: Path) -> Path:
        """Return a local file with the object's bytes: the object itself, or a copy in `folder`."""
        ...

    def remove(self, keys: Sequence[str]) -> None:
        """Delete objects below one folder for good, all their versions too; one that is not there is no error.

        For retention alone. It is no transaction: what went before an error is gone.
        """
        ...

    def staging(self) -> AbstractContextManager[Path]:
        """Give a folder for unfinished files, from which `create` works; gone, with them, afterwards.

        A disk that fills up while they are written is a StoreError, too.
        """
        ...

    def filesystem(self) -> tuple[pyarrow.fs.FileSystem, str]:
        """Return a file system to read from, and the root's path in it."""
        ...


def other_bytes(where: str, published: str, file: StagedFile) -> PartitionExists:
    """Return the error for a name that is taken by other bytes; `published` is their digest."""
    return PartitionExists(
        f"{where} is published with other bytes: there sha256 {published}, here {file.sha256}. "
        "Nothing was changed; publish a new revision if the day must be restated."
    )


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


class _Patience:
    """How many of those who are building now want stores to be waited for."""

    wanted = 0


@contextmanager
def patient() -> Iterator[None]:
    """Let a store that is out of order be waited for, PATIENCE_SECONDS instead of a few: for those who build."""
    _Patience.wanted += 1
    try:
        yield
    finally:
        _Patience.wanted -= 1


def patience_seconds() -> float:
    """Return how long a store that is out of order may be waited for."""
    return PATIENCE_SECONDS if _Patience.wanted else 0
