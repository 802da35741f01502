"""Retention: the one way to delete what was published, after a record of it that stays.

    _retention/requests/before=2025-01-01_<digest of what goes>.json
    _retention/rejects/purged_<digest of what goes>.json

The record is written before anything is deleted; `lake verify` takes from it what is gone on purpose.
"""

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from itertools import groupby
from typing import Any

from lake import evidence, records
from lake.contracts import CONTRACTS
from lake.digests import sha256_of, short
from lake.evidence import Evidence, Publication
from lake.journal import Journal
from lake.lake import Lake
from lake.partition import Partition
from lake.store.disk import temporary_folder
from lake.store.protocol import Store

NAME = "retention"


@dataclass(frozen=True)
class Expired:
    """What of a dataset is older than a day: all revisions, in all versions of its contract.

    Attributes:
        root: The lake's.
        before: The first day that stays.
        sizes: The partitions that go, each with its size in bytes.
        records: The records of their publication, and of those that are gone already.
        published: The names of the records of what won.
    """

    root: str
    dataset: str
    before: date
    sizes: dict[Partition, int]
    records: tuple[Evidence, ...]
    published: tuple[str, ...] = ()

    @property
    def code(self) -> str:
        """What tells this from any other list of what goes: who gives it back has seen this one."""
        keys = [f"{partition.key} {size}" for partition, size in self.sizes.items()]
        return short("\n".join((self.root, str(self.before), *keys, *(each.name for each in self.records))))

    @property
    def bytes(self) -> int:
        """How much goes."""
        return sum(self.sizes.values())

    @classmethod
    def of(cls, lake: Lake, dataset: str, before: date) -> "Expired":
        """List what of a dataset is older than a day; what follows no naming convention is passed over.

        Raises:
            StoreError: The lake can't be listed.
        """
        found = (
            (partition, each.bytes)
            for each in lake.store.objects(f"{dataset}/", "v", "v~")
            if (partition := Partition.parse(each.key)) and partition.dt < before
        )
        records = (
            record
            for name in lake.store.keys(f"{evidence.FOLDER}{dataset}/", "v", "v~")
            if (record := Evidence.parse(name)) and record.partition.dt < before
        )
        published = (
            name
            for name in lake.store.keys(f"{evidence.PUBLISHED}{dataset}/", "v", "v~")
            if (won := Publication.parse(name)) and won.what.partition.dt < before
        )
        return cls(
            lake.root,
            dataset,
            before,
            dict(sorted(found, key=lambda each: each[0].key)),
            tuple(sorted(records, key=lambda each: each.name)),
            tuple(published),
        )

    def needed(self, lake: Lake) -> Iterator[tuple[Partition, Partition]]:
        """Yield each partition that stays with one that goes and that it was made from.

        Raises:
            StoreError: What a partition was made from can't be read.
        """
        for contract in CONTRACTS.values():
            if not contract.inputs:
                continue
            reach = timedelta(days=max(each.days for each in contract.inputs) - 1)
            staying = lake.partitions(contract, stop=self.before + reach)
            for partition, footer in zip(staying, lake.footers(staying), strict=True):
                links = (Partition.parse(each.name) for each in footer.provenance.inputs)
                gone = next((each for each in links if each in self.sizes), None)
                if gone and partition not in self.sizes:
                    yield partition, gone

    def delete(self, lake: Lake, reason: str, by: str, done: Callable[[int], object] = lambda _: None) -> str:
        """Record what goes, then delete it; after an interruption, what is left can be listed and deleted anew.

        Revisions go oldest first, so that no reader takes a superseded one for the latest, and the records of
        publication last, so that `lake verify` says of an interrupted deletion what is gone.

        Args:
            lake: The lake.
            reason: Why, for the record.
            by: Who asks for it.
            done: Called with how many partitions have gone.

        Returns:
            The name of the record.

        Raises:
            StoreError: Something can't be deleted, for want of a right or because Object Lock holds it. What went
                before it is gone.
        """
        why = {"dataset": self.dataset, "before": str(self.before), "reason": reason, "by": by}
        return _remove(
            lake, f"{self.dataset}/before={self.before}", why, self.sizes, (self.records, self.published), done
        )


@dataclass(frozen=True)
class Purged:
    """What was deleted because it held what may not be kept, and of which masked rows were published instead.

    Attributes:
        name: The name of the record.
        keys: What was deleted.
        reason: Why.
        by: Who asked for it.
    """

    name: str
    keys: tuple[str, ...]
    reason: str
    by: str


def purge(lake: Lake, dataset: str, partitions: Collection[Partition], reason: str, by: str) -> str:
    """Delete partitions of a dataset as `Expired.delete` does, whatever their day, and return the record's name.

    Raises:
        StoreError: See there.
    """
    wanted = {each.key for each in partitions}
    found = lake.store.objects(f"{dataset}/", "v", "v~")
    sizes = {part: each.bytes for each in found if each.key in wanted and (part := Partition.parse(each.key))}
    names = lake.store.keys(f"{evidence.FOLDER}{dataset}/", "v", "v~")
    intents = tuple(each for name in names if (each := Evidence.parse(name)) and each.key in wanted)
    published = tuple(
        name
        for name in lake.store.keys(f"{evidence.PUBLISHED}{dataset}/", "v", "v~")
        if (won := Publication.parse(name)) and won.what.key in wanted
    )
    why = {"dataset": dataset, "purged": True, "reason": reason, "by": by}
    return _remove(lake, f"{dataset}/purged", why, sizes, (intents, published))


def purged(store: Store) -> Iterator[Purged]:
    """Yield what was purged.

    Raises:
        StoreError: A record of it can't be read.
    """
    for name, record in _records(store):
        if record.get("purged"):
            keys = tuple(each.key for each in _of_record(record))
            yield Purged(f"_{NAME}/{name}", keys, str(record.get("reason")), str(record.get("by")))


def deleted(store: Store) -> Iterator[Evidence]:
    """Yield what was deleted on purpose, by the records that can be read; of any other it warns.

    Raises:
        StoreError: The lake can't be read.
    """
    for _, record in _records(store):
        yield from _of_record(record)


def _remove(  # noqa: PLR0913, PLR0917 - what goes, and what is recorded of it
    lake: Lake,
    named: str,
    why: Mapping[str, object],
    sizes: Mapping[Partition, int],
    evidence_of: tuple[Sequence[Evidence], Sequence[str]],
    done: Callable[[int], object] = lambda _: None,
) -> str:
    intents, published = evidence_of
    known = {each.key for each in intents}
    unrecorded = (
        Evidence(partition.key, _sha256_of_bytes(lake.store, partition.key), size)
        for partition, size in sizes.items()
        if partition.key not in known
    )
    deleted = [asdict(each) for each in (*intents, *unrecorded)]
    text = json.dumps({**why, "deleted": deleted}, sort_keys=True, indent=1) + "\n"
    record = f"{named}_{short(text)}.json"
    Journal(lake.store, NAME).write(record, text)
    in_order = sorted(sizes, key=lambda each: each.revision)
    for _, revisions in groupby(in_order, key=lambda each: each.revision):
        keys = sorted(each.key for each in revisions)
        lake.store.remove(keys)
        done(len(keys))
    lake.store.remove(published)
    lake.store.remove([each.name for each in intents])
    return f"_{NAME}/{record}"


def _records(store: Store) -> Iterator[tuple[str, dict[str, Any]]]:
    journal = Journal(store, NAME)
    names = list(journal.names())
    for name, text in zip(names, journal.read(names), strict=True):
        try:
            record = json.loads(text)
            deletions(text)
        except records.WRONG:
            records.name_unreadable(f"{store.root}/_{NAME}/{name}")
        else:
            yield name, record


def deletions(text: str) -> list[Evidence]:
    """Return what a record of a deletion names; one of `records.WRONG` if it is none."""
    return _of_record(json.loads(text))


def _of_record(record: dict[str, Any]) -> list[Evidence]:
    return [Evidence(**records.known(Evidence, each)) for each in record["deleted"]]


def _sha256_of_bytes(store: Store, key: str) -> str:
    with temporary_folder() as folder:
        return sha256_of(store.local_copy(key, folder))
