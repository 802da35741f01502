"""Brings the local copies of datasets up to date: of small ones before a query, of any by `lake pull`."""

import logging
import shutil
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from lake.catalog import kept
from lake.catalog.cache import Cache, Stamp, described, pulled, stamp_of
from lake.catalog.files import dataset
from lake.catalog.relations import partition_columns, shown_columns, with_partition_columns
from lake.contract import Contract
from lake.errors import LakeError
from lake.lake import Lake, latest
from lake.partition import Partition
from lake.store.disk import disk_error
from lake.store.local import LocalStore
from lake.store.outage import behind
from lake.store.protocol import Stored

BATCH = 500
SMALL_BYTES = 100_000
"""Files up to this size are read whole, several at once: in half the time that Arrow's dataset takes."""
READ_AT_ONCE = 8  # on S3, each is a wait; on a disk, they only wait for each other
MANY = 100
"""Fewer partitions are read as fast as a copy of them is opened."""
logger = logging.getLogger(__name__)


def refresh(lake: Lake, contract: Contract, cache: Cache, most_bytes: int) -> None:
    """Bring a copy up to date before a query, where that takes little: it is as true as the lake, or not used.

    It is made if the lake is on disk and the dataset has many partitions and isn't kept per source; one that is
    there is brought up to date in any case, unless the dataset has become larger than `most_bytes`.

    Raises:
        StoreError: The lake can't be listed.
    """
    has_one, may_be_made = cache.has(contract), isinstance(lake.store, LocalStore) and not contract.per_source
    if not has_one and not may_be_made:
        return
    objects = lake.objects(contract)
    wanted = {each: objects[each] for each in latest(objects)}
    if sum(each.bytes for each in wanted.values()) > most_bytes or not (has_one or len(wanted) >= MANY):
        return
    try:
        _pull(lake, contract, cache, wanted, lambda _: None)
    except (LakeError, OSError, pa.ArrowException, duckdb.Error) as error:  # the lake itself is asked then
        logger.info("No copy of %s is kept: %s", contract.name, error)


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
    objects = lake.objects(contract)
    return _pull(lake, contract, cache, {each: objects[each] for each in latest(objects)}, done)


def _pull(
    lake: Lake,
    contract: Contract,
    cache: Cache,
    wanted: Mapping[Partition, Stored],
    done: Callable[[int], object],
) -> tuple[int, int]:
    path = cache.path(contract)
    try:
        kept.make_private(cache.folder)
        there = _there(path, contract)
        if there is not None and there == {each: stamp_of(stored) for each, stored in wanted.items()}:
            return 0, 0
        with kept.put(path) as made:
            if there is not None:
                shutil.copyfile(path, made)
            with duckdb.connect(str(made)) as connection:
                counts = _update(connection, lake, contract, wanted, done)
    except (OSError, duckdb.IOException) as error:
        if of_store := behind(error):
            raise of_store from error
        reason = error if isinstance(error, OSError) else OSError(str(error).partition("\n")[0])
        raise disk_error(f"write the copy {path}", reason, "Set XDG_CACHE_HOME to a folder with room.") from error
    return counts


def _there(path: Path, contract: Contract) -> dict[Partition, Stamp] | None:
    """Return the partitions that a copy has; None without one of which every row can be read."""
    if not path.exists():
        return None
    try:
        with duckdb.connect(str(path), read_only=True) as connection:
            connection.execute("select count(columns(*)) from rows")
            return pulled(connection, contract, "main")
    except duckdb.Error:
        return None


def _update(
    connection: duckdb.DuckDBPyConnection,
    lake: Lake,
    contract: Contract,
    wanted: Mapping[Partition, Stored],
    done: Callable[[int], object],
) -> tuple[int, int]:
    """Let a copy have just the partitions wanted; return how many came, and how many went."""
    place = ", ".join(partition_columns(contract))
    connection.register("no_rows", with_partition_columns(contract).empty_table().select(shown_columns(contract)))
    connection.register("no_partitions", described(contract, {}))
    for table in ("rows", "partitions"):
        connection.execute(f"create table if not exists {table} as from no_{table}")
    there = pulled(connection, contract, "main")
    good = {each for each, stamp in there.items() if each in wanted and stamp == stamp_of(wanted[each])}
    if dropped := there.keys() - good:
        connection.register("dropped", described(contract, dict.fromkeys(dropped)))
        for table in ("rows", "partitions"):
            connection.execute(f"delete from {table} where ({place}) in (select ({place}) from dropped)")
    new = [each for each in wanted if each not in good]
    for start in range(0, len(new), BATCH):
        batch = {each: wanted[each] for each in new[start : start + BATCH]}
        connection.register("batch", described(contract, batch))
        is_whole = not contract.has_grown and max(each.bytes for each in batch.values()) <= SMALL_BYTES
        connection.register("rows_of_batch", (_read if is_whole else dataset)(lake, contract, batch))
        connection.execute("begin")
        connection.execute("insert into rows by name from rows_of_batch")
        connection.execute("insert into partitions by name from batch")
        connection.execute("commit")
        done(len(batch))
    return len(new), len(dropped)


def _read(lake: Lake, contract: Contract, partitions: Mapping[Partition, Stored]) -> pa.Table:
    """Return the rows of partitions, with the partition's columns.

    Raises:
        LakeError: A file has other columns than its contract.
    """
    filesystem, root = lake.store.filesystem()
    schema = with_partition_columns(contract)

    def read(partition: Partition) -> pa.Table:
        with pq.ParquetFile(f"{root}/{partition.key}", filesystem=filesystem) as file:
            rows = file.read(use_threads=False)
        if not rows.schema.equals(contract.schema):
            raise LakeError(f"{partition} has other columns than its contract. `lake verify` tells more.")
        place = {"dt": partition.dt, "source": partition.source, "rev": partition.revision}
        for name in partition_columns(contract):
            field = schema.field(name)
            rows = rows.append_column(field, pa.repeat(pa.scalar(place[name], field.type), rows.num_rows))
        return rows

    with ThreadPoolExecutor(1 if isinstance(lake.store, LocalStore) else READ_AT_ONCE) as readers:
        return pa.concat_tables(readers.map(read, partitions)).combine_chunks()
