"""Evidence: what is about to be published, recorded outside the datasets, so that a later look can compare.

    _evidence/error_rate/v1/dt=2015-05-17_rev=0_<sha256>_<bytes>.json

A record is written before the partition is: so every partition has one, however its writer ends. A record without
its partition tells of a publication that was cut off, or of a partition that is gone.
"""

import hashlib
import json
import re
from dataclasses import asdict, dataclass

from lake.partition import Partition
from lake.store.protocol import StagedFile, Store

FOLDER = "_evidence/"
RECORD = re.compile(
    r"_evidence/(?P<dataset>[^/]+/v\d+)/(?P<dt>dt=[\d-]+)_(?:(?P<source>source=[a-z][a-z0-9_-]*)_)?"
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


def record(store: Store, key: str, file: StagedFile) -> None:
    """Record what is about to be published; the same again is no error.

    Raises:
        StoreError: The disk or bucket didn't answer.
    """
    evidence = Evidence(key, file.sha256, file.bytes)
    path = file.path.with_name(f"{file.path.name}.json")
    path.unlink(missing_ok=True)  # an earlier try's is read-only: it may be the very file that the lake has
    content = (json.dumps(asdict(evidence), sort_keys=True) + "\n").encode()
    path.write_bytes(content)
    store.create(evidence.name, StagedFile(path, hashlib.sha256(content).hexdigest(), len(content)))
