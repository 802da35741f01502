"""The lake: write-once partitions under one naming convention."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Self

import pyarrow as pa
import pyarrow.parquet as pq

from lake import clock, evidence
from lake.config import Config
from lake.contract import Contract
from lake.contracts import CONTRACTS
from lake.errors import ConfigError, Damaged, PartitionExists, PartitionMissing, StoreError
from lake.journal import Journal
from lake.parquet.row_groups import Encoders
from lake.parquet.writer import Footer, PartitionWriter, footer_of, read_footer
from lake.partition import Partition
from lake.provenance import Provenance
from lake.store.disk import disk_error
from lake.store.local import LocalStore
from lake.store.outage import patient
from lake.store.protocol import S3_SCHEME, StagedFile, Store, Stored

FOOTERS_AT_ONCE = 8  # on S3, each is a wait
SMALL_BYTES = 100_000
OF_LISTINGS = ("filename", "content", "size", "last_modified")  # DuckDB's read_blob
COLUMNS = {"dt", "source", "rev", *OF_LISTINGS, *(name for c in CONTRACTS.values() for name in c.schema.names)}
READ_AS_COLUMN = rf"(^|/)({'|'.join(sorted(COLUMNS))})="
"""What DuckDB takes, in any case, for the value of a column of ours in all rows below it."""
MISREAD = re.compile(rf"[*?\[]|{READ_AS_COLUMN}", re.IGNORECASE)


class Lake:
    """Datasets in a store: publish, list, read.

    A partition is complete if and only if its object exists. Nothing published is ever changed.
    """

    def __init__(self, store: Store) -> None:
        self.store = store

    @classmethod
    def of(cls, config: Config) -> Self:
        """Return the lake that luigi.cfg names; a relative root is relative to luigi.cfg."""
        settings = config.lake()
        return cls(open_store(settings.root, settings.endpoint_url))

    @property
    def root(self) -> str:
        """Absolute path or URL of the lake."""
        return self.store.root

    def require(self) -> None:
        """Make sure that there is a lake; one in a bucket says so itself, once it is asked.

        Raises:
            StoreError: There is no folder at its root.
        """
        if isinstance(self.store, LocalStore) and not Path(self.root).exists():
            raise StoreError(
                f"There is no lake at {self.root}. Build one with `luigi ErrorRateDaily`, or correct [lake] root."
            )

    def partitions(
        self, contract: Contract, start: date | None = None, stop: date | None = None
    ) -> list[Partition]:
        """List the published partitions of the days `[start, stop)`, all revisions, oldest first.

        One listing, 1,000 keys a request on S3, whatever the range. Keys that follow another naming
        convention are passed over.
        """
        found = map(Partition.parse, self.store.keys(*_bounds(contract, start, stop)))
        return sorted((each for each in found if each and _is_of(each, contract)), key=_in_order)

    def objects(
        self, contract: Contract, start: date | None = None, stop: date | None = None
    ) -> dict[Partition, Stored]:
        """List as `partitions` does, with size and time of publication."""
        listed = self.store.objects(*_bounds(contract, start, stop))
        found = {part: each for each in listed if (part := Partition.parse(each.key)) and _is_of(part, contract)}
        return {partition: found[partition] for partition in sorted(found, key=_in_order)}

    def published(self, contract: Contract) -> dict[Partition, datetime]:
        """Return when partitions of a dataset were published, in UTC, as far as that is recorded: one listing.

        Of one that was deleted and built anew, the last time counts. Earlier versions recorded none.
        """
        return {each.what.partition: each.at for each in evidence.publications(self.store, contract)}

    def latest(self, contract: Contract, start: date | None = None, stop: date | None = None) -> list[Partition]:
        """List as `partitions` does, of each partition the latest revision only."""
        return latest(self.partitions(contract, start, stop))

    def latest_of_day(self, contract: Contract, day: date) -> list[Partition]:
        """List the latest revisions of one day, one for each source where the dataset is kept so."""
        return self.latest(contract, day, day + timedelta(days=1))

    def exists(self, partition: Partition) -> bool:
        """Tell whether a partition is published, in this revision or a later one."""
        return any(number >= partition.revision for number in self.revisions(partition))

    def revisions(self, partition: Partition) -> list[int]:
        """Return the numbers of a partition's published revisions."""
        found = map(Partition.parse, self.store.keys(partition.folder, "rev=", "rev=~"))
        return [each.revision for each in found if each]

    def newer(self, partition: Partition) -> Partition | None:
        """Return the latest revision of a partition, None if that is this one, or none is there."""
        number = max(self.revisions(partition), default=partition.revision)
        return replace(partition, revision=number) if number > partition.revision else None

    def sha256(self, partition: Partition) -> str:
        """Return the digest of a published partition's bytes; PartitionMissing if there is none."""
        return self.store.sha256(partition.key)

    def superseded(self, partition: Partition) -> str | None:
        """Return the digest of the latest revision before this one, None if there is none."""
        if not partition.revision:
            return None
        earlier = [number for number in self.revisions(partition) if number < partition.revision]
        return self.sha256(replace(partition, revision=max(earlier))) if earlier else None

    @contextmanager
    def staging(self) -> Iterator[Path]:
        """Give a folder for unfinished files; it and what is in it are gone afterwards.

        Who asks for it builds something, so a store that is out of order is waited for.

        Raises:
            StoreError: The folder can't be made, or its disk fills up.
        """
        with patient(), self.store.staging() as folder:
            yield folder

    def writer(
        self,
        contract: Contract,
        day: date,
        staging: Path,
        encoders: Encoders | None = None,
        *,
        rules_hold: bool = False,
    ) -> PartitionWriter:
        """Return a writer of one day's rows into a staging folder; for the last two see there."""
        file = staging / f"{contract.name}-{day}.unfinished"
        return PartitionWriter(contract, day, file, encoders, rules_hold=rules_hold)

    def publish(self, partition: Partition, file: StagedFile) -> bool:
        """Put a finished file into the lake if and only if nothing is there yet, between two records of it.

        Returns:
            True if this call published it, False if the same bytes were there already.

        Raises:
            PartitionExists: Other bytes are published there; they were not changed.
            StoreError: The disk or bucket didn't answer.
        """
        intent = evidence.record(self.store, partition.key, file)
        try:
            is_new = self.store.create(partition.key, file)
        except PartitionExists as error:
            raise PartitionExists(f"{partition}: {error}") from error
        if is_new:
            evidence.confirm(self.store, partition.key, file, intent, clock.utc_now())
        elif not evidence.is_confirmed(self.store, partition.key):  # whoever published it was cut off then
            (found,) = self.store.objects(
                partition.folder, f"rev={partition.revision}/", f"rev={partition.revision}/~"
            )
            evidence.confirm(self.store, partition.key, file, intent, found.published)
        return is_new

    def journal(self, name: str) -> Journal:
        """Return the records of a name, which lie beside the datasets."""
        return Journal(self.store, name)

    def local_copy(self, partition: Partition, folder: Path) -> Path:
        """Return a local file with a partition's bytes: itself, or a copy in `folder`."""
        return self.store.local_copy(partition.key, folder)

    def provenance(self, partition: Partition) -> Provenance:
        """Return what a published partition was made from and by; PartitionMissing if there is none."""
        return self.footers([partition])[0].provenance

    def footers(self, partitions: Sequence[Partition]) -> list[Footer]:
        """Return the footers of published partitions, several read at once, and nothing else of the files.

        Raises:
            PartitionMissing: One is not published.
            StoreError: The lake can't be read.
            Damaged: One is no Parquet file of ours.
        """
        read = self.footer_reader()
        try:
            with ThreadPoolExecutor(FOOTERS_AT_ONCE) as readers:
                return list(readers.map(read, partitions))
        except RuntimeError:  # at the end of the process, where ranges report, no thread can be begun any more
            return list(map(read, partitions))

    def footer_reader(self) -> Callable[[Partition], Footer]:
        """Return what reads a published partition's footer; it raises what `footers` does."""
        filesystem, root = self.store.filesystem()

        def read(partition: Partition) -> Footer:
            with self._footer_is_read(partition):
                return read_footer(f"{root}/{partition.key}", filesystem)

        return read

    def file_opener(self) -> Callable[[Partition, int], tuple[pq.ParquetFile, Footer]]:
        """Return what opens a published partition's file, given its size, and reads its footer.

        It raises what `footers` does. A small file is read whole, at once: that takes half of what Arrow takes to
        read here and there in it, and one request on S3.
        """
        filesystem, root = self.store.filesystem()

        def read(partition: Partition, size: int) -> tuple[pq.ParquetFile, Footer]:
            path = f"{root}/{partition.key}"
            with self._footer_is_read(partition):
                if size <= SMALL_BYTES:
                    with filesystem.open_input_stream(path, compression=None, buffer_size=0) as whole:
                        file = pq.ParquetFile(pa.BufferReader(whole.read_buffer()))
                else:
                    file = pq.ParquetFile(path, filesystem=filesystem)
                return file, footer_of(file.metadata)

        return read

    @contextmanager
    def _footer_is_read(self, partition: Partition) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            raise PartitionMissing(f"{self.root}/{partition.key} is not published. Build it first.") from error
        except (OSError, pa.ArrowException, KeyError, ValueError, TypeError) as error:
            if isinstance(error, OSError) and error.errno:  # of the disk; what Arrow can't read has no number
                raise disk_error(f"read {self.root}/{partition.key}", error, "Check that disk.") from error
            why = str(error).rstrip(".")
            raise Damaged(
                f"{self.root}/{partition.key} has no footer that can be read: {why}. Nothing repairs it "
                "here; bring the object back from a copy."
            ) from error


def latest(partitions: Iterable[Partition]) -> list[Partition]:
    """Return the latest revision of each partition among some, in the order of each partition's first one.

    This is the one place that says in Python which revision is the latest.
    """
    found: dict[str, Partition] = {}
    for each in partitions:
        other = found.setdefault(folder := each.folder, each)
        if other.revision < each.revision:
            found[folder] = each
    return list(found.values())


def _bounds(contract: Contract, start: date | None, stop: date | None) -> tuple[str, str, str]:
    """Return prefix, first and last of a listing of a dataset's days `[start, stop)`."""
    first = f"dt={start.isoformat()}" if start else "dt="
    last = f"dt={stop.isoformat()}" if stop else "dt=~"
    return f"{contract.name}/v{contract.version}/", first, last


def _is_of(partition: Partition, contract: Contract) -> bool:
    return (partition.source is not None) == contract.per_source


def _in_order(partition: Partition) -> tuple[date, str, int]:
    return partition.dt, partition.source or "", partition.revision


def open_store(root: str, endpoint_url: str | None = None, section: str = "lake") -> Store:
    """Return the store at `root`, which a section of luigi.cfg names: an absolute path, or `s3://bucket/prefix`.

    Raises:
        ConfigError: The root is neither, or readers would take a part of it for a glob or for a partition.
    """
    if found := MISREAD.search(root):
        raise ConfigError(
            f"[{section}] root = {root}: {found[0]!r} in it would mislead readers, who take it for "
            f"{'the value of a column' if found[0].endswith('=') else 'a pattern'}. Choose another name. "
            "What is published there can be moved as it is, or reached by a symbolic link of another name."
        )
    if root.startswith(S3_SCHEME):
        # boto3 takes long to import, and a local lake doesn't need it
        from lake.store.s3 import S3Store  # noqa: PLC0415

        return S3Store(root, endpoint_url)
    if "://" in root or not Path(root).is_absolute():
        raise ConfigError(f"[{section}] root = {root}: expected a folder or s3://bucket/prefix.")
    return LocalStore(root, section)
