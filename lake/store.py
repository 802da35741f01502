"""Where objects lie: what the lake asks of a disk or a bucket, and nothing more."""

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

import pyarrow.fs

from lake.errors import ConfigError, PartitionExists
from lake.parquet import StagedFile

S3_SCHEME = "s3://"
MISREAD = re.compile(r"[*?\[]|(^|/)(dt|source|rev)=")


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


def open_store(root: str, endpoint_url: str | None = None) -> Store:
    """Return the store at `root`: an absolute path, or `s3://bucket/prefix`.

    Raises:
        ConfigError: The root is neither, or readers would take a part of it for a glob or for a partition.
    """
    if found := MISREAD.search(root):
        raise ConfigError(f"[lake] root = {root}: {found[0]!r} in it would mislead readers. Choose another name.")
    if root.startswith(S3_SCHEME):
        # boto3 takes long to import, and a local lake doesn't need it
        from lake.s3 import S3Store  # noqa: PLC0415

        return S3Store(root, endpoint_url)
    if "://" in root or not Path(root).is_absolute():
        raise ConfigError(f"[lake] root = {root}: expected a folder or s3://bucket/prefix.")
    from lake.local import LocalStore  # noqa: PLC0415

    return LocalStore(root)


def other_bytes(where: str, published: str, file: StagedFile) -> PartitionExists:
    """Return the error for a name that is taken by other bytes; `published` is their digest."""
    return PartitionExists(
        f"{where} is published with other bytes: there sha256 {published}, here {file.sha256}. "
        "Nothing was changed; publish a new revision if the day must be restated."
    )
