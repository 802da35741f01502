"""Evidence: what is about to be published, and what was, recorded outside the datasets for later looks.

    _evidence/error_rate/v1/dt=2015-05-17_rev=0_<sha256>_<bytes>.json
    _evidence/published/error_rate/v1/dt=2015-05-17_rev=0_20261129T030000.123456Z_<sha256>_<bytes>.json

The first is the intent, recorded before the partition is published: so every partition has one, however its writer
ends. Without its partition it tells of a publication that was cut off, or of a partition that is gone. Of several
writers each leaves an intent.

The second is what won, recorded after that with the time in UTC: from then on, readers got these bytes. A
partition without one is of an earlier version, or its writer was cut off in between; who is asked to publish the
same again records it.
"""

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

from lake.contract import Contract
from lake.partition import Partition
from lake.store.protocol import StagedFile, Store

FOLDER = "_evidence/"
PUBLISHED = f"{FOLDER}published/"
AT = "%Y%m%dT%H%M%S.%fZ"
PUBLICATION = re.compile(
    r"_evidence/published/(?P<rest>.*_rev=\d+)_(?P<at>\d{8}T\d{6}\.\d{6}Z)(?P<what>_[0-9a-f]{64}_\d{1,16}\.json)",
    re.ASCII,
)
RECORD = re.compile(
    r"_evidence/(?P<dataset>[^/]+/v\d+)/(?P<dt>dt=[\d-]+)_(?:(?P<source>source=[a-z][a-z0-9_.-]*)_)?"
    r"(?P<rev>rev=\d+)_(?P<sha256>[0-9a-f]{64})_(?P<bytes>0|[1-9]\d{0,15})\.json",
    re.ASCII,
)


@dataclass(frozen=True)
class Evidence:
    """What was to be published: under which key, of how many bytes, with which digest."""

    key: str
    sha256: str
    bytes: int

    @property
    def name(self) -> str:
        """Where the record lies, relative to the lake's root: it says all that is in it."""
        dataset, _, partition = self.key.removesuffix("/part-0.parquet").partition("/dt=")
        return f"{FOLDER}{dataset}/dt={partition.replace('/', '_')}_{self.sha256}_{self.bytes}.json"

    @property
    def partition(self) -> Partition:
        """The partition that the key names."""
        found = Partition.parse(self.key)
        if not found:
            raise ValueError(f"{self.key!r} names no partition")
        return found

    @classmethod
    def parse(cls, name: str) -> "Evidence | None":
        """Return what a record's name says, None if it follows another convention."""
        found = RECORD.fullmatch(name)
        if not found:
            return None
        parts = (found[part] for part in ("dataset", "dt", "source", "rev") if found[part])
        key = "/".join((*parts, "part-0.parquet"))
        return cls(key, found["sha256"], int(found["bytes"])) if Partition.parse(key) else None


@dataclass(frozen=True)
class Publication:
    """What was published, and when at the latest, in UTC."""

    what: Evidence
    at: datetime

    @property
    def name(self) -> str:
        """Where the record lies, relative to the lake's root: it says all that is in it."""
        rest, sha256, size = self.what.name.removeprefix(FOLDER).rsplit("_", 2)
        return f"{PUBLISHED}{rest}_{self.at.strftime(AT)}_{sha256}_{size}"

    @classmethod
    def parse(cls, name: str) -> "Publication | None":
        """Return what a record's name says, None if it follows another convention."""
        found = PUBLICATION.fullmatch(name)
        what = found and Evidence.parse(f"{FOLDER}{found['rest']}{found['what']}")
        if not found or not what:
            return None
        try:
            return cls(what, datetime.strptime(found["at"], AT).replace(tzinfo=UTC))
        except ValueError:
            return None


def publications(
    store: Store, contract: Contract, start: date | None = None, stop: date | None = None
) -> Iterator[Publication]:
    """Yield what was published of a dataset's days `[start, stop)`, of each partition in the order of time.

    One listing.

    Raises:
        StoreError: The lake can't be listed.
    """
    prefix = f"{PUBLISHED}{contract.name}/v{contract.version}/"
    first, last = f"dt={start or ''}", f"dt={stop or '~'}"
    yield from filter(None, map(Publication.parse, store.keys(prefix, first, last)))


def is_confirmed(store: Store, key: str) -> bool:
    """Tell whether it is recorded that something was published under a key: one listing.

    Raises:
        StoreError: The lake can't be listed.
    """
    folder, _, name = Evidence(key, "", 0).name.removeprefix(FOLDER).rpartition("/")
    revision = name.removesuffix("__0.json")
    return any(store.keys(f"{PUBLISHED}{folder}/", f"{revision}_", f"{revision}_~"))


def record(store: Store, key: str, file: StagedFile) -> StagedFile:
    """Record what is about to be published; the same again is no error.

    Returns:
        The record, which can be said again once it is published.

    Raises:
        StoreError: The disk or bucket didn't answer.
    """
    evidence = Evidence(key, file.sha256, file.bytes)
    path = file.path.with_name(f"{file.path.name}.json")
    path.unlink(missing_ok=True)  # an earlier try's is read-only: it may be the very file that the lake has
    content = (json.dumps(vars(evidence), sort_keys=True) + "\n").encode()
    path.write_bytes(content)
    staged = StagedFile(path, hashlib.sha256(content).hexdigest(), len(content))
    store.create(evidence.name, staged)
    return replace(staged, is_safe=True)


def confirm(store: Store, key: str, file: StagedFile, intent: StagedFile, at: datetime) -> None:
    """Record what was published, and when: the intent again, under a name with the time.

    On a disk it is the same file, which costs half of what another one does.

    Raises:
        StoreError: The disk or bucket didn't answer.
    """
    store.create(Publication(Evidence(key, file.sha256, file.bytes), at).name, intent)
