"""`lake pull`: brings the local copy of a dataset up to date."""

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import duckdb

from lake.cache import Cache, described, pulled
from lake.contract import Contract
from lake.files import dataset
from lake.lake import Lake
from lake.partition import Partition
from lake.relations import partition_columns, shown_columns, with_partition_columns
from lake.store import disk_error

BATCH = 100


def pull(
    lake: Lake, contract: Contract, cache: Cache, done: Callable[[int], object] = lambda _: None
) -> tuple[int, int]:
    """Fetch what was published since, and drop what was superseded or deleted.

    The copy is made beside the one that there is, and takes its place when it is whole: who asks meanwhile is
    answered from the old one. If two do it at once, one copy wins; both are right.

    Args:
        lake: The lake.
        contract: The dataset.
        cache: Where its copy lies.
        done: Called with how many partitions have been fetched.

    Returns:
        How many partitions were fetched, and how many dropped.

    Raises:
        StoreError: The lake can't be read, or the copy can't be written.
    """
    lake.require()
    wanted = lake.latest(contract)
    path = cache.path(contract)
    made = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        cache.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            if path.exists() and _is_sound(path):
                shutil.copyfile(path, made)
            with duckdb.connect(str(made)) as connection:
                counts = _update(connection, lake, contract, wanted, done)
            if any(counts) or not path.exists():
                made.replace(path)
        finally:
            made.unlink(missing_ok=True)
    except (OSError, duckdb.IOException) as error:
        reason = error if isinstance(error, OSError) else OSError(str(error).partition("\n")[0])
        raise disk_error(f"write the copy {path}", reason, "Set XDG_CACHE_HOME to a folder with room.") from error
    return counts


def _is_sound(path: Path) -> bool:
    """Tell whether a copy can be read; one that was cut off, or changed by others, is made anew."""
    try:
        with duckdb.connect(str(path), read_only=True) as connection:
            connection.execute("from partitions limit 0")
    except duckdb.Error:
        return False
    return True


def _update(
    connection: duckdb.DuckDBPyConnection,
    lake: Lake,
    contract: Contract,
    wanted: Sequence[Partition],
    done: Callable[[int], object],
) -> tuple[int, int]:
    """Let a copy have just the partitions wanted; return how many came, and how many went."""
    place = ", ".join(partition_columns(contract))
    connection.register("no_rows", with_partition_columns(contract).empty_table().select(shown_columns(contract)))
    connection.execute("create table if not exists rows as from no_rows")
    connection.execute(f"create table if not exists partitions as select {place} from no_rows")
    there = pulled(connection, contract, "main")
    if dropped := there.difference(wanted):
        connection.register("dropped", described(contract, dropped))
        for table in ("rows", "partitions"):
            connection.execute(f"delete from {table} where ({place}) in (from dropped)")
    new = [each for each in wanted if each not in there]
    for start in range(0, len(new), BATCH):
        batch = new[start : start + BATCH]
        connection.register("rows_of_batch", dataset(lake, contract, batch))
        connection.register("batch", described(contract, batch))
        connection.execute("begin")
        connection.execute("insert into rows by name from rows_of_batch")
        connection.execute("insert into partitions from batch")
        connection.execute("commit")
        done(len(batch))
    return len(new), len(dropped)
