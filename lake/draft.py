"""A draft: what a lake would become, in a folder of its own, until it is published or thrown away."""

import heapq
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from itertools import groupby
from pathlib import Path

import pyarrow.fs

from lake.lake import Lake
from lake.parquet.writer import Footer, read_footer
from lake.partition import Partition
from lake.provenance import Provenance
from lake.store.local import LocalStore
from lake.store.protocol import StagedFile, Store, Stored


class DraftStore:
    """A store that reads another one and writes to a folder; see Store for its methods."""

    def __init__(self, below: Store, folder: Path) -> None:
        self.root = below.root
        self.created: list[tuple[str, StagedFile]] = []
        self._below = below
        self._above = LocalStore(str(folder))

    def create(self, key: str, file: StagedFile) -> bool:
        """See Store."""
        if self._below.exists(key):
            return self._below.create(key, file)  # which tells whether it is the same
        is_new = self._above.create(key, file)
        if is_new:
            self.created.append((key, StagedFile(Path(self._above.root) / key, file.sha256, file.bytes)))
        return is_new

    def keys(self, prefix: str, first: str, last: str) -> Iterator[str]:
        """See Store."""
        both = heapq.merge(*(store.keys(prefix, first, last) for store in (self._below, self._above)))
        for key, _ in groupby(both):
            yield key

    def objects(self, prefix: str, first: str, last: str) -> Iterator[Stored]:
        """See Store."""
        both = heapq.merge(*(store.objects(prefix, first, last) for store in (self._below, self._above)))
        for _, of_key in groupby(both, lambda each: each.key):
            yield next(of_key)

    def exists(self, key: str) -> bool:
        """See Store."""
        return self._above.exists(key) or self._below.exists(key)

    def sha256(self, key: str) -> str:
        """See Store."""
        return self._of(key).sha256(key)

    def local_copy(self, key: str, folder: Path) -> Path:
        """See Store."""
        return self._of(key).local_copy(key, folder)

    def withdraw(self, key: str) -> None:
        """Forget what was written under a key."""
        self.created = [(each, file) for each, file in self.created if each != key]
        (Path(self._above.root) / key).unlink()

    def file(self, key: str) -> Path | None:
        """Return the file that was written under a key, None if there is none."""
        return Path(self._above.root) / key if self._above.exists(key) else None

    def remove(self, keys: Sequence[str]) -> None:
        """See Store; what is published is not a draft's to delete."""
        raise AssertionError(keys)

    def staging(self) -> AbstractContextManager[Path]:
        """See Store."""
        return self._above.staging()

    def filesystem(self) -> tuple[pyarrow.fs.FileSystem, str]:
        """See Store; it shows what is published."""
        return self._below.filesystem()

    def _of(self, key: str) -> Store:
        return self._above if self._above.exists(key) else self._below


class Draft(Lake):
    """A lake with partitions that are not published yet; nobody else sees them."""

    def __init__(self, lake: Lake, folder: Path) -> None:
        self._drafted = DraftStore(lake.store, folder)
        self._lake = lake
        super().__init__(self._drafted)

    @property
    def partitions_made(self) -> list[Partition]:
        """What would be published, in the order in which it was made."""
        found = (Partition.parse(key) for key, _ in self._drafted.created)
        return [each for each in found if each]

    def footer_reader(self) -> Callable[[Partition], Footer]:
        """Return what reads the footer of a partition of the draft, or of the lake."""
        published = super().footer_reader()

        def read(partition: Partition) -> Footer:
            file = self._drafted.file(partition.key)
            return read_footer(file) if file else published(partition)

        return read

    def withdraw(self, partition: Partition) -> Provenance:
        """Take a partition out again, and return its provenance."""
        made = self.provenance(partition)
        self._drafted.withdraw(partition.key)
        return made

    def publish_all(self) -> None:
        """Publish what was made, in that order.

        Raises:
            PartitionExists: Somebody else was faster, with other bytes; what came before it is published.
            StoreError: The lake can't be written.
        """
        for key, file in self._drafted.created:
            partition = Partition.parse(key)
            if partition:
                self._lake.publish(partition, file)
