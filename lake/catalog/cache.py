"""Local copies of datasets, from which the catalog on this machine is answered.

    ~/.cache/error-rate-lake/<digest of the lake's root>/<dataset>-<digest of its columns>.duckdb

holds the rows of the latest revisions, and the partitions that they are of, each with its size, when it was
published, and the store's tag: what retention has deleted and was built anew has the same name, and other bytes.
What a copy lacks is read from the lake.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb
import pyarrow as pa

from lake import sql
from lake.catalog import kept
from lake.catalog.relations import partition_columns, with_partition_columns
from lake.contract import Contract
from lake.digests import short
from lake.lake import Lake
from lake.partition import Partition
from lake.store.protocol import Stored

STAMP = {"bytes": pa.int64(), "published": pa.timestamp("us"), "tag": pa.string()}
Stamp = tuple[int, datetime, str]
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Cache:
    """The copies of one lake.

    Attributes:
        folder: Where they lie.
    """

    folder: Path

    @classmethod
    def of(cls, lake: Lake) -> "Cache":
        """Return the copies of a lake."""
        return cls(kept.folder_of(lake.root))

    def path(self, contract: Contract) -> Path:
        """Return where a dataset's copy is, or would be."""
        columns = f"{with_partition_columns(contract)} {STAMP}"
        return self.folder / f"{contract.name}-{short(columns)}.duckdb"

    def has(self, contract: Contract) -> bool:
        """Tell whether there is a copy that can be believed."""
        return kept.is_private(self.folder) and self.path(contract).exists()

    @staticmethod
    def name(contract: Contract) -> str:
        """Return as what a copy is attached."""
        return f"pulled_{contract.name}"

    def attach(
        self, connection: duckdb.DuckDBPyConnection, contract: Contract, wanted: Mapping[Partition, Stored]
    ) -> tuple[str | None, list[Partition]]:
        """Attach a dataset's copy, which there is, to a connection.

        Returns:
            SQL for the rows that the copy has of the partitions wanted, None if it has none; those that it lacks.
        """
        name = self.name(contract)
        try:
            connection.execute(f"attach {sql.quoted(str(self.path(contract)))} as {name} (read_only)")
            there = pulled(connection, contract, name)
        except duckdb.Error as error:
            logger.warning("%s can't be read, the lake is asked instead: %s", self.path(contract), error)
            return None, list(wanted)
        good = {each for each, stamp in there.items() if each in wanted and stamp == stamp_of(wanted[each])}
        rows = f"{name}.rows"
        if bad := there.keys() - good:
            connection.register("superseded", described(contract, dict.fromkeys(bad)))
            connection.execute(f"create table {name}_superseded as from superseded")
            connection.unregister("superseded")
            rows = f"(from {rows} anti join {name}_superseded using ({', '.join(partition_columns(contract))}))"
        return (rows if good else None), [each for each in wanted if each not in good]


def stamp_of(stored: Stored) -> Stamp:
    """Return what tells an object from another of its name: size, time of publication in UTC, and tag."""
    return stored.bytes, stored.published.replace(tzinfo=None), stored.tag


def pulled(connection: duckdb.DuckDBPyConnection, contract: Contract, database: str) -> dict[Partition, Stamp]:
    """Return the partitions that a copy has, with what tells them from others of their name."""
    source = "source" if contract.per_source else "null"
    columns = ", ".join(("dt", source, "rev", *STAMP))
    found = connection.execute(f"select {columns} from {database}.partitions").fetchall()
    return {
        Partition(contract.name, contract.version, dt, source, rev): (size, published, tag)
        for dt, source, rev, size, published, tag in found
    }


def described(contract: Contract, partitions: Mapping[Partition, Stored | None]) -> pa.Table:
    """Return partitions as rows: their own columns, and what tells them from others of their name, if given."""
    values = [
        {"dt": each.dt, "source": each.source, "rev": each.revision}
        | (dict(zip(STAMP, stamp_of(stored), strict=True)) if stored else {})
        for each, stored in partitions.items()
    ]
    schema = with_partition_columns(contract)
    place = [schema.field(name) for name in partition_columns(contract)]
    return pa.Table.from_pylist(values, pa.schema([*place, *(pa.field(*each) for each in STAMP.items())]))
