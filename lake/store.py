"""Where objects lie: what the lake asks of a disk or a bucket, and nothing more."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

import pyarrow.fs

from lake.errors import PartitionExists
from lake.parquet import StagedFile

S3_SCHEME = "s3://"


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

    def exists(self, key: str) -> bool:
        """Tell whether the object is there."""
        ...

    def sha256(self, key: str) -> str:
        """Return the digest of the object's bytes; PartitionMissing if there is none."""
        ...

    def local_copy(self, key: str, folder: Path) -> Path:
        """Return a local file with the object's bytes: the object itself, or a copy in `folder`."""
        ...

    def staging(self) -> AbstractContextManager[Path]:
        """Give a folder for unfinished files, from which `create` works; gone, with them, afterwards."""
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
