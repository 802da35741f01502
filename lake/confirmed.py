"""Confirmed: partitions that were made anew and came out equal, so that no new revision was published.

    _confirmed/error_rate/v1/dt=2015-05-17_rev=0_20261129T030000.123456Z_<32 hexadecimal digits>.json

A record holds the provenance that the new revision would have had: by it, a partition is no older than what it is
made from, though its own provenance names earlier inputs.
"""

import re
import uuid
from collections.abc import Sequence
from datetime import datetime

from lake import records
from lake.contract import Contract
from lake.journal import Journal
from lake.lake import Lake
from lake.partition import Partition
from lake.provenance import Provenance

NAME = "confirmed"
AT = "%Y%m%dT%H%M%S.%fZ"
RECORD = re.compile(r"(?P<partition>.*_rev=\d+)_(?P<at>\d{8}T\d{6}\.\d{6}Z)_[0-9a-f]{32}\.json", re.ASCII)


def record(lake: Lake, partition: Partition, made: Provenance, now: datetime) -> None:
    """Record that a published partition would be equal if it were made as `made` says.

    Raises:
        StoreError: The lake can't be written.
    """
    name = f"{_named(partition)}_{now.strftime(AT)}_{uuid.uuid4().hex}.json"
    Journal(lake.store, NAME).write(name, made.to_json())


def latest(lake: Lake, contract: Contract, partitions: Sequence[Partition]) -> dict[Partition, Provenance]:
    """Return the last record of each of some partitions of a dataset that has one: one listing.

    Raises:
        StoreError: The lake can't be read.
    """
    journal = Journal(lake.store, NAME)
    named = {_named(each): each for each in partitions}
    found: dict[Partition, str] = {}
    for name in journal.names(f"{contract.name}/v{contract.version}/"):  # in order of time, of each partition
        record = RECORD.fullmatch(name)
        if record and record["partition"] in named:
            found[named[record["partition"]]] = name
    confirmed: dict[Partition, Provenance] = {}
    for (each, name), text in zip(found.items(), journal.read(found.values()), strict=True):
        try:
            confirmed[each] = Provenance.from_json(text)
        except records.WRONG:
            records.name_unreadable(f"{lake.root}/_{NAME}/{name}")
    return confirmed


def _named(partition: Partition) -> str:
    dataset, _, place = partition.key.removesuffix("/part-0.parquet").partition("/dt=")
    return f"{dataset}/dt={place.replace('/', '_')}"
