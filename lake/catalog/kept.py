"""What is kept on this machine of a lake, so that a question needn't look into thousands of files.

    ~/.cache/error-rate-lake/<digest of the lake's root>/<dataset>-<digest of its columns>.duckdb     see `cache`
                                                        /catalog-<digest of the code>.duckdb

The catalog's file holds the views and macros of a connection, and a digest of all that was seen when they were
made: every name, size and time of the lake's partitions, the copies and the settings. Who opens a catalog looks
anew, and takes them as they are if all of it is the same; else they are made anew. So no answer is of another
lake than the one that is there.

Most of the time that this saves is that of imports: it does without pyarrow, NumPy and all that knows datasets.
"""

import hashlib
import json
import os
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import duckdb

import queries
from lake.config import Config
from lake.digests import DIGITS, short
from lake.errors import StoreError
from lake.store.disk import disk_at_first, disk_of, replaced

FILE = "part-0.parquet"
EVENTS = "events"  # `lake.events.NAME`, which isn't imported for it
NEWEST = 3
"""So many files of a kind stay: those of other versions of the code, which may be in use beside this one."""


def folder_of(root: str) -> Path:
    """Return where what is kept of a lake lies, below `$XDG_CACHE_HOME` or `~/.cache`."""
    above = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111 - no error without a home
    return Path(above) / "error-rate-lake" / short(root)


def is_private(folder: Path) -> bool:
    """Tell whether a folder is there and is this user's alone: what others could change is not believed."""
    try:
        found = folder.stat()
    except OSError:
        return False
    is_ours = found.st_uid == os.geteuid() and not stat.S_IMODE(found.st_mode) & 0o077
    return folder.is_absolute() and is_ours


def make_private(folder: Path) -> None:
    """Make a folder that is this user's alone.

    Raises:
        StoreError: It is somebody else's, or there is no place for it.
        OSError: It can't be made.
    """
    if not folder.is_absolute():
        raise StoreError(f"There is no place for {folder}: this user has no home. Set XDG_CACHE_HOME to a folder.")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not is_private(folder):
        folder.chmod(0o700)
        if not is_private(folder):
            raise StoreError(f"{folder} is somebody else's. Set XDG_CACHE_HOME to a folder of your own.")


@contextmanager
def put(path: Path) -> Iterator[Path]:
    """Give a place for a file that then takes that of `path`, and drop what older versions of the code left."""
    with replaced(path) as made:
        yield made
    kind = path.name.rpartition("-")[0]
    there = [(each.stat().st_mtime_ns, each) for each in path.parent.glob(f"{kind}-*.duckdb")]
    for _, each in sorted(there)[:-NEWEST]:
        each.unlink(missing_ok=True)


class Opened(NamedTuple):
    """What a catalog needs beside its views and macros.

    Attributes:
        datasets: Where each dataset lies below the lake's root.
        copies: The names and paths under which copies are attached, those that are not there included.
        attached: The names of those that are.
    """

    datasets: Sequence[str]
    copies: Mapping[str, str]
    attached: Sequence[str]


def seen(config: Config, datasets: Iterable[str], copies: Iterable[str]) -> str:
    """Return a digest of all that a catalog is made of but code: what is in the lake, the copies, the settings.

    Raises:
        OSError: It can't be looked at.
    """
    root = config.lake().root
    found = [
        repr((name, sorted(config.sections[name].items()))) for name in sorted(config.sections) if _counts(name)
    ]
    for dataset in datasets:
        found.append(dataset)
        found += _listed(f"{root}/{dataset}")
        found += _names(f"{root}/_evidence/published/{dataset}")
    found += _names(f"{root}/_{EVENTS}")
    found += map(_stamp, copies)
    return hashlib.sha256("\n".join(found).encode(errors="surrogateescape")).hexdigest()


def _counts(section: str) -> bool:
    return section == "lake" or section.startswith("slo.")


def _listed(folder: str) -> Iterator[str]:
    """Yield a line for each name where a partition may be: with what tells it from another object of its name."""
    for day in _names(folder):
        for part in _names(f"{folder}/{day}"):
            if part.startswith("rev="):
                yield f"{day}/{part} {_stamp(f'{folder}/{day}/{part}/{FILE}')}"
            else:
                for revision in _names(f"{folder}/{day}/{part}"):
                    yield f"{day}/{part}/{revision} {_stamp(f'{folder}/{day}/{part}/{revision}/{FILE}')}"


def _names(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))  # noqa: PTH208 - of thousands of folders, a Path takes twice as long
    except (FileNotFoundError, NotADirectoryError):
        return []


def _stamp(path: str) -> str:
    try:
        found = os.stat(path)  # noqa: PTH116 - likewise
    except (FileNotFoundError, NotADirectoryError):
        return "-"
    return f"{found.st_ino} {found.st_size} {found.st_mtime_ns} {found.st_ctime_ns}"


def is_kept(config: Config) -> bool:
    """Tell whether a lake's catalog may be kept: it is on a disk, and there is a place for it."""
    lake = config.lake()
    return bool(lake.copy_bytes) and "://" not in lake.root and folder_of(lake.root).is_absolute()


def keep(connection: duckdb.DuckDBPyConnection, config: Config, opened: Opened, was_seen: str) -> None:
    """Keep a connection's views and macros, if what was seen before they were made is still so.

    Raises:
        OSError, duckdb.Error: They can't be written.
    """
    if seen(config, opened.datasets, opened.copies.values()) != was_seen:
        return
    path = _path(config)
    state = json.dumps({"seen": was_seen} | opened._asdict())
    with put(path) as made:
        connection.execute(f"attach {_quoted(str(made))} as kept")
        try:
            connection.execute("copy from database memory to kept")
            connection.execute(f"create table kept.kept_state as select {_quoted(state)} as state")
        finally:
            connection.execute("detach kept")


def set_up(connection: duckdb.DuckDBPyConnection) -> None:
    """Give a connection the settings that all of ours have."""
    for setting in ("TimeZone = 'UTC'", "parquet_metadata_cache = true"):  # files are never changed
        connection.execute(f"set global {setting}")  # of its cursors, too


def create_footer(connection: duckdb.DuckDBPyConnection) -> None:
    """Create the function `footer`, by which the view `provenance` reads those of the files that are asked for."""
    from duckdb.func import FunctionNullHandling, PythonUDFType  # noqa: PLC0415

    connection.create_function(
        "footer",
        _footers,
        ["VARCHAR", "VARCHAR", "VARCHAR"],
        "VARCHAR",
        type=PythonUDFType.ARROW,
        null_handling=FunctionNullHandling.SPECIAL,  # most lakes have no endpoint
    )


def _footers(roots: Any, endpoints: Any, files: Any) -> Any:  # noqa: ANN401 - Arrow's arrays
    """Return footers; a closure would be gone with the connection, before its cursors."""
    from lake.catalog.footers import footers_of  # noqa: PLC0415 - imports all that this does without

    return footers_of(roots, endpoints, files)


def reopened(config: Config) -> duckdb.DuckDBPyConnection | None:
    """Return a connection with what is kept, None if there is nothing, or if it is of something else."""
    path, root = _path(config), Path(config.lake().root)
    with suppress(OSError):  # the lake can't be looked at, which its listing will tell
        if disk_at_first(root) != disk_of(root) or not is_private(path.parent) or not path.exists():
            return None
        connection = duckdb.connect()
        with suppress(duckdb.Error):  # a file that is broken is made anew, as one that is of something else
            if _restore(connection, config, path):
                return connection
        connection.close()
    return None


def _restore(connection: duckdb.DuckDBPyConnection, config: Config, path: Path) -> bool:
    set_up(connection)
    connection.execute(f"attach {_quoted(str(path))} as kept (read_only)")
    ((state,),) = connection.execute("select state from kept.kept_state").fetchall()
    was_seen, opened = (state := json.loads(state)).pop("seen"), Opened(**state)
    for name in opened.attached:  # before it is looked at: another process may put one there at any time
        connection.execute(f"attach {_quoted(opened.copies[name])} as {name} (read_only)")
    if seen(config, opened.datasets, opened.copies.values()) != was_seen:
        return False
    connection.execute("copy from database kept to memory")
    connection.execute("drop table kept_state")
    connection.execute("detach kept")
    return True


def _path(config: Config) -> Path:
    return folder_of(config.lake().root) / f"catalog-{CODE}.duckdb"


def _code() -> str:
    """Return a digest of all that shapes a catalog: our code and SQL, and DuckDB, in whose format it is kept."""
    found = hashlib.sha256(duckdb.__version__.encode())
    for package in (Path(__file__).parents[1], Path(queries.__path__[0])):
        for folder, _, names in sorted(os.walk(package)):
            for name in sorted(names):
                if name.endswith((".py", ".sql")):
                    found.update(f"{name}\n".encode() + Path(folder, name).read_bytes())
    return found.hexdigest()[:DIGITS]


def _quoted(text: str) -> str:
    """Return a text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


CODE = _code()
"""Of the code as it was imported."""
