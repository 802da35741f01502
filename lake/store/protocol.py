"""Where objects lie: what the lake asks of a disk or a bucket, and nothing more."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, Protocol, Self

import pyarrow.fs

from lake.digests import sha256_of
from lake.errors import PartitionExists

S3_SCHEME = "s3://"


@dataclass(frozen=True)
class StagedFile:
    """A finished file that waits for its publication.

    Attributes:
        sha256: Digest of its bytes, in hexadecimal.
        bytes: Its size.
        is_safe: Whether it is on the disk for sure, since it was created in the lake already, under another key.
    """

    path: Path
    sha256: str
    bytes: int
    is_safe: bool = False

    @classmethod
    def of(cls, path: Path) -> Self:
        """Return a file that is finished."""
        return cls(path, sha256_of(path), path.stat().st_size)


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
