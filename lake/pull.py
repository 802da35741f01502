"""`lake pull`: brings the local copy of a dataset up to date."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from lake.cache import Cache, described, pulled, stamp_of
from lake.contract import Contract
from lake.files import dataset
from lake.lake import Lake, latest
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
    path = cache.path(contract)
    try:
        cache.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _beside(path) as made:
            is_new = not _is_sound(path)
            if not is_new:
                shutil.copyfile(path, made)
            with duckdb.connect(str(made)) as connection:
                counts = _update(connection, lake, contract, done)
            if is_new or any(counts):
                made.replace(path)
    except (OSError, duckdb.IOException) as error:
        reason = error if isinstance(error, OSError) else OSError(str(error).partition("\n")[0])
        raise disk_error(f"write the copy {path}", reason, "Set XDG_CACHE_HOME to a folder with room.") from error
    return counts


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """Give a place for a file beside `path`, and take away what is left there, by processes that are gone too."""
    for left in path.parent.glob(f"{path.name}.*"):
        number = left.name.removeprefix(f"{path.name}.").partition(".")[0]
        if number.isdigit() and not _is_running(int(number)):
            left.unlink(missing_ok=True)
    made = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        yield made
    finally:
        for each in (made, Path(f"{made}.wal")):
            each.unlink(missing_ok=True)


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _is_sound(path: Path) -> bool:
    """Tell whether there is a copy of which every row can be read; one that was damaged is made anew."""
    if not path.exists():
        return False
    try:
        with duckdb.connect(str(path), read_only=True) as connection:
            for table in ("rows", "partitions"):
                connection.execute(f"select count(columns(*)) from {table}")
    except duckdb.Error:
        return False
    return True


def _update(
    connection: duckdb.DuckDBPyConnection, lake: Lake, contract: Contract, done: Callable[[int], object]
) -> tuple[int, int]:
    """Let a copy have just the latest partitions; return how many came, and how many went."""
    objects = lake.objects(contract)
    wanted = {each: objects[each] for each in latest(objects)}
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
        connection.register("rows_of_batch", dataset(lake, contract, batch))
        connection.register("batch", described(contract, batch))
        connection.execute("begin")
        connection.execute("insert into rows by name from rows_of_batch")
        connection.execute("insert into partitions by name from batch")
        connection.execute("commit")
        done(len(batch))
    return len(new), len(dropped)
