"""Verification: is all that was published still there, unchanged, and made from what it says, and from the latest?

It finds and names what is wrong, and repairs nothing.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from itertools import chain

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lake import confirmed, events, evidence, lake_id, records, restatements, retention
from lake.contract import Contract
from lake.contracts import CONTRACTS, in_build_order
from lake.digests import sha256_of
from lake.errors import Damaged, LakeError, StoreError
from lake.evidence import Evidence, Publication
from lake.journal import Journal
from lake.lake import Lake, latest
from lake.parquet.writer import Footer
from lake.partition import Partition
from lake.provenance import Provenance
from lake.store.disk import temporary_folder
from lake.store.local import LocalStore

LAST = "\U0010ffff"
RESTATEMENTS = f"_{restatements.NAME}/"
JOURNALS: Mapping[str, Callable[[str], object]] = {
    retention.NAME: retention.deletions,
    confirmed.NAME: Provenance.from_json,
    lake_id.NAME: lake_id.parse,
    events.NAME: events.check_record,
    "attempts": records.check_lines,
    "late": json.loads,
    "seen": json.loads,
}
"""Folders of records beside the datasets that hold more than their names say, and what reads one."""
BESIDE = (evidence.FOLDER, "_staging/")
AT_ONCE, BATCH = 4, 16
FEW_AT_ONCE = 2
"""Where each file on a disk is only looked into, more threads wait for each other."""
LAW = "rows read = kept + rejected + noise + directives + of other days + continued + doubled"


@dataclass(frozen=True)
class Finding:
    """Something that is wrong: with which object, and what."""

    key: str
    what: str


@dataclass(frozen=True)
class Scope:
    """What to look at: a dataset or all, the days `[start, stop)`, and whether to read every byte."""

    dataset: str | None = None
    start: date | None = None
    stop: date | None = None
    is_deep: bool = False

    def holds(self, partition: Partition) -> bool:
        """Tell whether a partition is to be looked at."""
        return (
            self.dataset in {None, partition.dataset}
            and (self.start is None or self.start <= partition.dt)
            and (self.stop is None or partition.dt < self.stop)
        )


@dataclass
class Inventory:
    """What a listing of the whole lake shows.

    Attributes:
        sizes: The partitions there are, each with its size in bytes.
        by_key: The same, by key.
        intents: The records of what was about to be published under each key.
        won: The records of what was published.
        deleted: The digests of what retention has deleted, by key.
        restatements: The names of the records of restatements.
        journals: Keys of the records beside the datasets that hold more than their names say.
        foreign: Keys that the lake has no name for.
    """

    sizes: dict[Partition, int] = field(default_factory=dict)
    by_key: dict[str, Partition] = field(default_factory=dict)
    intents: dict[str, list[Evidence]] = field(default_factory=dict)
    won: dict[str, list[Evidence]] = field(default_factory=dict)
    deleted: dict[str, set[str]] = field(default_factory=dict)
    restatements: list[str] = field(default_factory=list)
    journals: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)

    @cached_property
    def newest(self) -> dict[str, Partition]:
        """The latest revision of each partition, by its folder."""
        return {each.folder: each for each in latest(self.sizes)}

    def records(self, key: str) -> list[Evidence]:
        """Return what was published under a key; where that is not recorded, what was about to be."""
        return self.won.get(key) or self.intents.get(key, [])

    def published(self, key: str) -> set[str]:
        """Return the digests with which a key was published, what retention has deleted included."""
        return {each.sha256 for each in self.records(key)} | self.deleted.get(key, set())

    def inputs(self, made: Provenance) -> list[tuple[Partition, str]]:
        """Return the partitions that one was made from, there or not, each with its digest."""
        found = ((self.by_key.get(each.name) or Partition.parse(each.name), each.sha256) for each in made.inputs)
        return [(partition, sha256) for partition, sha256 in found if partition and sha256]

    def links(self, partition: Partition, made: Provenance) -> list[tuple[Partition, str]]:
        """Return what a partition was made from, and the revision that it supersedes, each with its digest."""
        found = self.inputs(made)
        if made.supersedes:  # which one after a first publication that was cut off has not
            found.append((self.before(partition), made.supersedes))
        return found

    def has_later(self, partition: Partition) -> bool:
        """Tell whether a later revision of a partition is there."""
        return any(each.folder == partition.folder and each.revision > partition.revision for each in self.sizes)

    def before(self, partition: Partition) -> Partition:
        """Return the revision before this one, whether it is there or not."""
        candidates = [replace(partition, revision=number) for number in range(partition.revision)]
        return next((each for each in reversed(candidates) if each in self.sizes), candidates[-1])

    @classmethod
    def of(cls, lake: Lake) -> "Inventory":
        """List a lake: a request for each 1,000 objects on S3, and one for each record of retention.

        Raises:
            StoreError: It can't be listed, or a record of retention can't be read.
        """
        found = cls()
        for each in retention.deleted(lake.store):
            found.deleted.setdefault(each.key, set()).add(each.sha256)
        for key, size, *_ in lake.store.objects("", "", LAST):
            partition, record, won = Partition.parse(key), Evidence.parse(key), Publication.parse(key)
            if partition and _has_place(partition):
                found.sizes[partition] = size
                found.by_key[key] = partition
            elif record:
                found.intents.setdefault(record.key, []).append(record)
            elif won:
                found.won.setdefault(won.what.key, []).append(won.what)
            elif key.startswith(RESTATEMENTS):
                found.restatements.append(key.removeprefix(RESTATEMENTS))
            elif key.startswith(tuple(f"_{each}/" for each in JOURNALS)):
                found.journals += [key] if key.endswith((".json", ".jsonl")) else []
            elif not key.startswith(BESIDE):
                found.foreign.append(key)
        return found


Further = Callable[[Partition, Provenance], Iterator[str]]


class Verification:
    """A look at a lake, of which each partition is looked at on its own."""

    def __init__(self, lake: Lake, scope: Scope, further: Further | None = None) -> None:
        """Prepare to look.

        Args:
            lake: The lake.
            scope: What of it to look at.
            further: Yields what else is wrong with a partition, by its provenance.

        Raises:
            StoreError: The lake can't be listed.
        """
        self._lake = lake
        self._scope = scope
        self._further = further
        self._there = Inventory.of(lake)
        self._opened = lake.file_opener()
        self._are_outdated: set[Partition] = set()
        self._digests: dict[Partition, str] = {}
        self._schemas = {name: contract.schema for name, contract in CONTRACTS.items()}
        self.partitions = _in_order(filter(scope.holds, self._there.sizes))

    def findings(self, done: Callable[[], object] = lambda: None) -> Iterator[Finding]:
        """Yield what is wrong; `done` is called after each partition."""
        if self._scope.dataset is None:
            yield from (Finding(key, "foreign: the lake has no such name") for key in self._there.foreign)
            yield from self._unreadable()
        yield from self._gone()
        yield from self._unfinished()
        rows: dict[Partition, int] = {}
        batches = [self.partitions[n : n + BATCH] for n in range(0, len(self.partitions), BATCH)]
        is_quick = isinstance(self._lake.store, LocalStore) and not self._scope.is_deep
        with ThreadPoolExecutor(FEW_AT_ONCE if is_quick else AT_ONCE) as readers:
            looked = chain.from_iterable(readers.map(lambda batch: list(map(self._look, batch)), batches))
            for partition, (found, footer) in zip(self.partitions, looked, strict=True):
                yield from (Finding(partition.key, what) for what in found)
                if footer:
                    rows[partition] = footer.rows
                    yield from (
                        Finding(partition.key, what) for what in self._inputs_wrong(footer.provenance, rows)
                    )
                    if self._scope.is_deep:
                        yield from (
                            Finding(partition.key, what) for what in self._replaced(partition, footer.provenance)
                        )
                    yield from self._outdated(partition, footer.provenance)
                done()

    def _unreadable(self) -> Iterator[Finding]:
        """Yield which records beside the datasets can't be read."""
        for journal in JOURNALS:
            names = [
                each.removeprefix(f"_{journal}/")
                for each in self._there.journals
                if each.startswith(f"_{journal}/")
            ]
            for name, text in zip(names, Journal(self._lake.store, journal).read(names), strict=True):
                try:
                    JOURNALS[journal](text)
                except records.WRONG as error:
                    what = f"unreadable: {error!r}. It counts for nothing. {records.ADVICE}"
                    yield Finding(f"_{journal}/{name}", what)

    def _gone(self) -> Iterator[Finding]:
        """Yield what was recorded and is not there."""
        for key in sorted((self._there.intents.keys() | self._there.won.keys()) - self._there.by_key.keys()):
            partition = Partition.parse(key)
            if key not in self._there.won and partition and self._there.has_later(partition):
                continue  # its writer was cut off, and another one went on; what that superseded is looked for
            if partition and self._scope.holds(partition):
                yield Finding(
                    key,
                    "gone: its publication was recorded, and it is not there. It was deleted, or its writer was "
                    "cut off; bring it back from a copy, or build the day again",
                )

    def _unfinished(self) -> Iterator[Finding]:
        """Yield the restatements that were begun and not finished."""
        for each in restatements.of_names(self._there.restatements):
            if self._scope.dataset is None and each.touches(self._scope.start, self._scope.stop):
                yield Finding(
                    f"{RESTATEMENTS}{each.stem}_begun.json",
                    f"{each}. To complete it: backfill restate --unfinished",
                )

    def _outdated(self, partition: Partition, made: Provenance) -> Iterator[Finding]:
        """Yield whether what readers get of a partition is older than its inputs, or than theirs.

        Inputs are looked at before what is made from them; those out of scope count by their revision alone.
        """
        newest = self._there.newest
        if newest[partition.folder] != partition or not (why := self._older(made)):
            return
        confirmation = self._confirmation(partition)
        if confirmation and not (why := self._older(confirmation)):
            return
        self._are_outdated.add(partition)
        yield Finding(partition.key, f"outdated: {why}")

    def _older(self, made: Provenance) -> str | None:
        """Say what a partition is older than, None for nothing."""
        links = [self._there.newest.get(link.folder, link) for link, _ in self._there.inputs(made)]
        read = {each.name for each in made.inputs}
        for each in links:
            if each.key not in read:
                return f"{each.key} is newer than what it was made from"
        below = next((each for each in links if each in self._are_outdated), None)
        return f"it was made from {below.key}, which is outdated" if below else None

    def _confirmation(self, partition: Partition) -> Provenance | None:
        """Return by what it was confirmed that a partition would be equal today, if it was; few are asked for."""
        return confirmed.latest(self._lake, CONTRACTS[partition.dataset], [partition]).get(partition)

    def _look(self, partition: Partition) -> tuple[list[str], Footer | None]:
        """Return what is wrong with one partition, and its footer if it can be read.

        Raises:
            StoreError: The store doesn't answer, which says nothing of the partition.
        """
        found: list[str] = []
        try:
            found += self._bytes_wrong(partition)
            file, footer = self._opened(partition, self._there.sizes[partition])
            with file:
                contract = CONTRACTS[partition.dataset]
                found += _footer_wrong(partition, contract, self._schemas[partition.dataset], footer)
                found += self._chain_broken(partition, footer.provenance)
                if contract.counts:
                    found += _sum_wrong(file, contract.counts, footer.provenance)
            if self._further and self._there.newest[partition.folder] == partition:
                # of what was restated since, it is no news that its raw logs have changed
                found += self._further(partition, footer.provenance)
        except LakeError as error:
            if isinstance(error, StoreError) and not isinstance(error, Damaged):
                raise
            return [*found, f"unreadable: {error}"], None
        return found, footer

    def _bytes_wrong(self, partition: Partition) -> Iterator[str]:
        """Yield what is wrong with an object's bytes, by the records of its publication."""
        records = self._there.records(partition.key)
        if not records:
            yield "unrecorded: nothing says that it was published; some other tool, or an older version, made it"
            return
        size = self._there.sizes[partition]
        if size not in {each.bytes for each in records}:
            yield f"changed: it has {size:,} bytes, published were {_or(f'{each.bytes:,}' for each in records)}"
        elif self._scope.is_deep:
            found = self._digest(partition)
            if found not in {each.sha256 for each in records}:
                yield f"changed: its sha256 is {found}, published was {_or(each.sha256 for each in records)}"

    def _digest(self, partition: Partition) -> str:
        """Return the digest of what is there; it is read once."""
        if partition not in self._digests:
            with temporary_folder() as folder:
                self._digests[partition] = sha256_of(self._lake.local_copy(partition, folder))
        return self._digests[partition]

    def _replaced(self, partition: Partition, made: Provenance) -> Iterator[str]:
        """Yield which partitions it was made from, or instead of, have other bytes there now."""
        for link, sha256 in self._there.links(partition, made):
            if link in self._there.sizes and (there := self._digest(link)) != sha256:
                yield f"it was made from, or instead of, {link.key} with sha256 {sha256}, and there is {there}"

    def _chain_broken(self, partition: Partition, made: Provenance) -> Iterator[str]:
        """Yield which partitions it was made from, or instead of, are not there as they were."""
        for link, sha256 in self._there.links(partition, made):
            if link not in self._there.sizes and link.key not in self._there.deleted:
                yield f"it was made from, or instead of, {link.key}, which is not there"
            elif sha256 not in self._there.published(link.key):
                yield f"it was made from, or instead of, {link.key} with sha256 {sha256}, never published"

    def _inputs_wrong(self, made: Provenance, rows: Mapping[Partition, int]) -> Iterator[str]:
        """Yield whether the rows of the partitions that went in are not as many as it says."""
        inputs = [link for link, _ in self._there.inputs(made)]
        if inputs and all(each in rows for each in inputs):
            total = sum(rows[each] for each in inputs)
            if total != made.rows_read:
                yield f"its inputs have {total:,} rows, and {made.rows_read:,} went in"


def _in_order(partitions: Iterable[Partition]) -> list[Partition]:
    """Return partitions in the order in which they are made."""
    order = {made.name: n for n, made in enumerate(in_build_order())}
    return sorted(partitions, key=lambda each: (each.dt, order[each.dataset], each.key))


def _has_place(partition: Partition) -> bool:
    """Tell whether a partition is of a dataset that there is, in its version, kept per source or not."""
    contract = CONTRACTS.get(partition.dataset)
    return bool(
        contract
        and contract.version == partition.version
        and contract.per_source == (partition.source is not None)
    )


def _sum_wrong(file: pq.ParquetFile, counts: str, made: Provenance) -> Iterator[str]:
    """Yield whether the counts don't add up to the rows that went in."""
    if counts not in file.schema.names:
        yield f"unreadable: it has no column {counts}"
        return
    try:
        total = pc.sum(file.read(columns=[counts], use_threads=False)[counts]).as_py() or 0
    except (OSError, pa.ArrowException) as error:
        yield f"unreadable: {error}"
        return
    counted = made.rows_read if made.counted is None else made.counted
    if total != counted:
        yield f"{counts} adds up to {total:,}, but {counted:,} went in"


def _footer_wrong(partition: Partition, contract: Contract, schema: pa.Schema, footer: Footer) -> Iterator[str]:
    """Yield where a footer contradicts its key, its contract or itself."""
    made = footer.provenance
    says = Partition(made.dataset, made.version, date.fromisoformat(made.dt), made.source, made.revision)
    if says != partition:
        yield f"swapped: by its footer it is {says.key}"
    if contract.has_grown:
        lacking = {column.name for column in contract.stored if column.added} - set(footer.schema.names)
        schema = pa.schema(each for each in schema if each.name not in lacking)
    if not footer.schema.equals(schema):
        yield f"its schema is not its contract's: {', '.join(map(str, footer.schema))}"
    neither = made.noise + made.directives + made.continued + made.doubled
    law = made.rows_kept + made.rows_rejected + made.rows_of_other_days + neither
    if made.rows_read != law:
        yield f"{LAW} doesn't hold: {made.rows_read:,} and {law:,}"
    rows = footer.rows if contract.inputs else made.rows_kept if contract.is_extracted else made.rows_rejected
    if footer.rows != rows:
        yield f"it has {footer.rows:,} rows, and by its provenance {rows:,}"


def _or(texts: Iterable[str]) -> str:
    return " or ".join(dict.fromkeys(texts))
