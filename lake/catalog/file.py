"""The catalog as a file: `duckdb lake.duckdb` asks the lake with nothing of ours installed.

It holds views and macros and no data: what they show is what is there when they are asked. They look for files
themselves, so each question costs a listing or two of its dataset. S3 is asked with the reader's own credentials.
"""

import fcntl
from pathlib import Path

import duckdb
import pyarrow.parquet as pq

from lake import events, sql
from lake.catalog.connections import define
from lake.catalog.events import create_view as create_events
from lake.catalog.relations import (
    Relations,
    create_columns,
    create_provenance,
    create_views,
    latest_of,
    partition_columns,
    place_in,
    read_files,
    read_parquet,
)
from lake.catalog.slo import Slo
from lake.contract import Contract
from lake.contracts import CONTRACTS
from lake.errors import ConfigError
from lake.lake import READ_AS_COLUMN, Lake
from lake.store.disk import disk_error, replaced, temporary_folder

# The oldest that DuckDB 1.5 writes; 1.1 to 2.0 read it
STORAGE: dict[str, str | bool | int | float | list[str]] = {"storage_compatibility_version": "v1.0.0"}
SEED_PLACES = {"dt": "2000-01-01", "source": "seed", "rev": "0"}


def write(lake: Lake, path: Path, slos: tuple[Slo, ...] = ()) -> None:
    """Write a DuckDB file with the views and macros of `catalog.connect`, over one that this wrote before.

    Neither the lake nor a network is asked for it. For another place than the lake's root, as a copy of it, a
    reader says `set variable lake_root = '/other/root'`. Its objectives are those of when it was written.

    Raises:
        ConfigError: There is another file at `path`.
        StoreError: It can't be written.
    """
    _check_is_ours(path)
    try:
        with temporary_folder() as folder, replaced(path) as made:
            _write_seeds(folder)
            with duckdb.connect(str(made), config=STORAGE) as connection:
                connection.begin()  # else each of hundreds of statements is made safe alone
                _create(connection, lake.root, folder, slos)
                connection.commit()
    except (OSError, duckdb.IOException) as error:
        reason = error if isinstance(error, OSError) else OSError(str(error).partition("\n")[0])
        raise disk_error(f"write the catalog {path}", reason, "Choose another place for it.") from error


def _create(connection: duckdb.DuckDBPyConnection, root: str, seeds: Path, slos: tuple[Slo, ...]) -> None:
    """Create everything, bound to empty files: views are looked through when they are created."""
    connection.execute(f"set variable lake_root = {sql.quoted(str(seeds))}")
    place = f"rtrim(coalesce(getvariable('lake_root'), {sql.quoted(root)}), '/')"
    told = "': NAME= in it would be taken for the value of a column. Use another name.'"
    connection.execute(
        f"create macro lake_root() as case when regexp_matches({place}, '(?i){READ_AS_COLUMN}') "
        f"then error({place} || {told}) else {place} end"
    )
    connection.execute(
        "comment on macro lake_root is 'Where the lake is; set variable lake_root = … for another place.'"
    )
    for contract in CONTRACTS.values():
        if contract.has_grown:
            create_columns(connection, contract)
        create_views(connection, contract, _relations(contract))
    create_provenance(connection, _footers())
    create_events(connection, f"lake_root() || '/_{events.NAME}'")
    define(connection, slos)


def _relations(contract: Contract) -> Relations:
    """Return what the views of a dataset are made of: which revision is the latest is up to a listing.

    Rows can't tell: the latest one may have none.
    """
    files, columns = _glob(contract), ", ".join(partition_columns(contract))
    listed = ", ".join(f"{place_in('file')[name]} as {name}" for name in partition_columns(contract))
    latest = latest_of(f"(select {listed} from glob({files}))", list(partition_columns(contract))[:-1])
    history = read_parquet(contract, files)
    records = f"lake_root() || '/_evidence/published/{contract.name}/v{contract.version}/dt=*.json'"
    return Relations(f"{history} join ({latest}) using ({columns})", history, read_files(contract, files, records))


def _footers() -> str:
    """Return SQL for the footer's text of each file: all datasets by one pattern, since some may have no file."""
    part = ", ".join(f"{text} as {name}" for name, text in place_in("place").items())
    datasets = ", ".join(f"'{name}/v{contract.version}'" for name, contract in CONTRACTS.items())
    return (
        f"(select split_part(place, '/', 1) as dataset, {part}, file, made from "
        "(select file_name as file, file_name[length(lake_root()) + 2:] as place, decode(value) as made "
        "from parquet_kv_metadata(lake_root() || '/*/v*/dt=*/**/part-0.parquet') "
        "where decode(key) = 'provenance') "
        f"where split_part(place, '/dt=', 1) in ({datasets}))"
    )


def _glob(contract: Contract) -> str:
    """Return SQL for the pattern of a dataset's files."""
    places = "/".join(f"{name}=*" for name in partition_columns(contract))
    return f"lake_root() || '/{contract.name}/v{contract.version}/{places}/part-0.parquet'"


def _write_seeds(folder: Path) -> None:
    """Write an empty file of each dataset, where its pattern finds it."""
    for contract in CONTRACTS.values():
        places = "/".join(f"{name}={SEED_PLACES[name]}" for name in partition_columns(contract))
        path = folder / f"{contract.name}/v{contract.version}/{places}/part-0.parquet"
        path.parent.mkdir(parents=True)
        pq.write_table(contract.schema.empty_table(), path)


def _check_is_ours(path: Path) -> None:
    """Refuse to write over what is no catalog."""
    if not path.exists():
        return
    try:
        with duckdb.connect(str(path), read_only=True) as connection:
            query = "select 1 from duckdb_functions() where function_name = 'lake_root'"
            is_ours = connection.execute(query).fetchone() is not None
    except duckdb.Error as error:
        reason = str(error).partition("\n")[0]
        if _is_locked(path):
            raise ConfigError(f"{path} is open for writing elsewhere: {reason}. Close it there.") from error
        raise ConfigError(f"{path} is there and is no catalog: {reason} Use another name.") from error
    if not is_ours:
        raise ConfigError(f"{path} is a database, and no catalog of a lake. Use another name.")


def _is_locked(path: Path) -> bool:
    """Tell whether another process holds the lock that DuckDB takes on a file that it writes."""
    try:
        with path.open("rb") as file:
            fcntl.lockf(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
