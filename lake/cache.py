"""Local copies of datasets: `lake pull` makes them, and the catalog on this machine is answered from them.

    ~/.cache/error-rate-lake/<digest of the lake's root>/<dataset>-<digest of its columns>.duckdb

holds the rows of the latest revisions, and the partitions that they are of, each with its size and when it was
published: what retention has deleted and was built anew has the same name, and other bytes. What a copy lacks is
read from the lake.
"""

import hashlib
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb
import pyarrow as pa

from lake import sql
from lake.contract import Contract
from lake.lake import Lake
from lake.partition import Partition
from lake.relations import partition_columns, with_partition_columns
from lake.store import Stored

DIGITS = 12
STAMP = {"bytes": pa.int64(), "published": pa.timestamp("us")}
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
        """Return the copies of a lake, below `$XDG_CACHE_HOME` or `~/.cache`."""
        above = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111 - no error without a home
        return cls(Path(above) / "error-rate-lake" / _digest(lake.root))

    def path(self, contract: Contract) -> Path:
        """Return where a dataset's copy is, or would be."""
        columns = f"{with_partition_columns(contract)} {STAMP}"
        return self.folder / f"{contract.name}-{_digest(columns)}.duckdb"

    def has(self, contract: Contract) -> bool:
        """Tell whether there is a copy; one that may not be looked at is none."""
        return os.path.exists(self.path(contract))  # noqa: PTH110 - Path.exists raises where it may not look

    def attach(
        self, connection: duckdb.DuckDBPyConnection, contract: Contract, wanted: Mapping[Partition, Stored]
    ) -> tuple[str | None, list[Partition]]:
        """Attach a dataset's copy, which there is, to a connection.

        Returns:
            SQL for the rows that the copy has of the partitions wanted, None if it has none; those that it lacks.
        """
        name = f"pulled_{contract.name}"
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


def stamp_of(stored: Stored) -> tuple[int, datetime]:
    """Return what tells an object from another of its name: its size, and when it was published, in UTC."""
    return stored.bytes, stored.published.replace(tzinfo=None)


def pulled(
    connection: duckdb.DuckDBPyConnection, contract: Contract, database: str
) -> dict[Partition, tuple[int, datetime]]:
    """Return the partitions that a copy has, with what tells them from others of their name."""
    source = "source" if contract.per_source else "null"
    found = connection.execute(f"select dt, {source}, rev, bytes, published from {database}.partitions").fetchall()
    return {
        Partition(contract.name, contract.version, dt, source, rev): (size, published)
        for dt, source, rev, size, published in found
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


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:DIGITS]
