"""Local copies of datasets: `lake pull` makes them, and who asks the lake on this machine is answered from them.

    ~/.cache/error-rate-lake/<digest of the lake's root>/<dataset>-<digest of its columns>.duckdb

holds the rows of the latest revisions, and the partitions that they are of. What is published never changes, so
what a copy has is right for ever; what it lacks is read from the lake.
"""

import hashlib
import logging
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa

from lake import sql
from lake.contract import Contract
from lake.partition import Partition
from lake.relations import partition_columns, with_partition_columns

DIGITS = 12
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Cache:
    """The copies of one lake.

    Attributes:
        folder: Where they lie.
    """

    folder: Path

    @classmethod
    def of(cls, root: str) -> "Cache":
        """Return the copies of the lake at `root`, below `$XDG_CACHE_HOME` or `~/.cache`."""
        above = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "error-rate-lake"
        return cls(above / _digest(root))

    def path(self, contract: Contract) -> Path:
        """Return where a dataset's copy is, or would be."""
        return self.folder / f"{contract.name}-{_digest(str(with_partition_columns(contract)))}.duckdb"

    def attach(
        self, connection: duckdb.DuckDBPyConnection, contract: Contract, wanted: Sequence[Partition]
    ) -> tuple[str | None, Sequence[Partition]]:
        """Attach a dataset's copy to a connection.

        Returns:
            SQL for the rows that the copy has of the partitions wanted, None if it has none; those that it lacks.
        """
        if not self.path(contract).exists():
            return None, wanted
        name = f"pulled_{contract.name}"
        try:
            connection.execute(f"attach {sql.quoted(str(self.path(contract)))} as {name} (read_only)")
            there = pulled(connection, contract, name)
        except duckdb.Error as error:
            logger.warning("%s can't be read, the lake is asked instead: %s", self.path(contract), error)
            return None, wanted
        missing = [each for each in wanted if each not in there]
        rows = f"{name}.rows"
        if superseded := there.difference(wanted):
            connection.register("superseded", described(contract, superseded))
            connection.execute(f"create table {name}_superseded as from superseded")
            connection.unregister("superseded")
            rows = f"(from {rows} anti join {name}_superseded using ({', '.join(partition_columns(contract))}))"
        return (rows if len(missing) < len(wanted) else None), missing


def pulled(connection: duckdb.DuckDBPyConnection, contract: Contract, database: str) -> set[Partition]:
    """Return the partitions that a copy has."""
    source = "source" if contract.per_source else "null"
    found = connection.execute(f"select dt, {source}, rev from {database}.partitions").fetchall()
    return {Partition(contract.name, contract.version, *each) for each in found}


def described(contract: Contract, partitions: Iterable[Partition]) -> pa.Table:
    """Return partitions as rows of their own columns."""
    values = [{"dt": each.dt, "source": each.source, "rev": each.revision} for each in partitions]
    schema = with_partition_columns(contract)
    return pa.Table.from_pylist(values, pa.schema([schema.field(name) for name in partition_columns(contract)]))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:DIGITS]
