"""The catalog: a DuckDB connection in which every dataset is a view of its latest revisions."""

import logging
from collections.abc import Sequence
from datetime import date

import duckdb
import pyarrow as pa

from lake import sql
from lake.catalog import kept
from lake.catalog.cache import Cache
from lake.catalog.events import create_table as create_events
from lake.catalog.files import Files, dataset
from lake.catalog.lasting import lasting
from lake.catalog.pull import refresh
from lake.catalog.relations import (
    create_columns,
    create_provenance,
    create_views,
    shown_columns,
    with_partition_columns,
)
from lake.catalog.slo import Slo, create_table, read_slos
from lake.config import Config
from lake.contract import Contract
from lake.contracts import CONTRACTS, is_everybodys
from lake.errors import LakeError, StoreError
from lake.events import read as read_events
from lake.lake import Lake

logger = logging.getLogger(__name__)


def connect(lake: Lake, slos: tuple[Slo, ...] = ()) -> duckdb.DuckDBPyConnection:
    """Return a connection in which the lake, as it is now, can be asked.

    Each dataset is a view of its latest revisions, with its contract's columns, `dt` (and `source`, where it is
    kept per source) and `rev`, and their meanings as comments. Beside them stand what `relations` draws, macros
    and the analysts' questions. What was copied is read from its copy. What is published later is not shown.
    Its cursors show the same; another thread needs one of its own.

    Args:
        lake: The lake.
        slos: The objectives that questions about error budgets ask of.

    Raises:
        StoreError: There is no lake, or it can't be listed.
        LakeError: A file of it is broken.
    """
    return _made(lake, slos)[0]


def made(config: Config) -> duckdb.DuckDBPyConnection:
    """Return what `connect` does, with small datasets copied before; keep all that for who asks next, if possible.

    Raises:
        ConfigError: luigi.cfg is wrong.
        StoreError, LakeError: As for `connect`.
    """
    lake, slos, cache = Lake.of(config), read_slos(config), None
    most_bytes = config.lake().copy_bytes
    if most_bytes:
        lake.require()
        cache = Cache.of(lake)
        for contract in CONTRACTS.values():
            refresh(lake, contract, cache, most_bytes)
    if not cache or not kept.is_kept(config):
        return connect(lake, slos)
    datasets = [f"{name}/v{each.version}" for name, each in CONTRACTS.items()]
    copies = {cache.name(each): str(cache.path(each)) for each in CONTRACTS.values()}
    try:
        was_seen = kept.seen(config, datasets, copies.values())
    except OSError:  # which the listing will tell
        return connect(lake, slos)
    connection, files = _made(lake, slos)
    try:
        kept.make_private(cache.folder)
        kept.keep(connection, config, kept.Opened(datasets, copies, files.attached), was_seen)
    except (LakeError, OSError, duckdb.Error) as error:
        logger.info("The catalog of %s is not kept: %s", lake.root, error)
    return connection


def _made(lake: Lake, slos: tuple[Slo, ...]) -> tuple[duckdb.DuckDBPyConnection, Files]:
    lake.require()
    connection = duckdb.connect()
    kept.set_up(connection)
    files = Files(connection, lake, Cache.of(lake))
    shown = [each for each in CONTRACTS.values() if is_everybodys(each) or lake.partitions(each)]
    for contract in shown:
        create_columns(connection, contract)
        try:
            create_views(connection, contract, files.relations(contract))
        except (duckdb.IOException, duckdb.InvalidInputException) as error:
            reason = str(error).partition("\n")[0]
            raise LakeError(f"Can't read {contract.name}: {reason} `lake verify` tells more.") from error
        except duckdb.BinderException as error:
            reason = str(error).partition("\n")[0]
            raise StoreError(
                f"{contract.name} at {lake.root} has other columns than its contract: {reason} Another version "
                "made it. Rebuild it in another [lake] root, or query it with that version."
            ) from error
    _create_provenance(connection, lake, shown)
    create_events(connection, read_events(lake).known)
    define(connection, slos)
    files.complete()
    return (lasting(connection) if files.are_arrow else connection), files


def define(connection: duckdb.DuckDBPyConnection, slos: tuple[Slo, ...] = ()) -> None:
    """Create macros and the analysts' questions, with comments, where there are all datasets and `events`."""
    create_table(connection, slos)
    for each in (*sql.macros(), *sql.questions()):
        connection.execute(each.statement)
        connection.execute(f"comment on {each.kind} {each.name} is {sql.quoted(each.meaning)}")


def read(lake: Lake, contract: Contract, start: date | None = None, stop: date | None = None) -> pa.Table:
    """Return the rows of a dataset's days `[start, stop)`, latest revisions, oldest day first.

    Returns:
        The columns of the dataset's view in the catalog; a NULL is what the contract says of it.

    Raises:
        StoreError: There is no lake, or it can't be listed.
        LakeError: A file of it can't be read.
    """
    lake.require()
    schema = with_partition_columns(contract)
    partitions = lake.latest(contract, start, stop)
    try:
        found = dataset(lake, contract, partitions).to_table() if partitions else schema.empty_table()
    except (OSError, pa.ArrowException) as error:
        raise LakeError(f"Can't read {contract.name}: {error}. `lake verify` tells more.") from error
    return found.select(shown_columns(contract))


def _create_provenance(connection: duckdb.DuckDBPyConnection, lake: Lake, shown: Sequence[Contract]) -> None:
    """Create the view `provenance`, which reads the footers of the files that are asked for, and no others."""
    kept.create_footer(connection)
    endpoint = getattr(lake.store, "endpoint_url", None)  # S3's
    place = f"{sql.quoted(lake.root)}, {sql.quoted(endpoint) if endpoint else 'null'}"
    files = " union all by name ".join(
        f"select '{each.name}' as dataset, dt, {'source' if each.per_source else 'null::varchar as source'}, rev, "
        f"file from {each.name}_files"
        for each in shown
    )
    create_provenance(connection, f"(select *, footer({place}, file) as made from ({files}))")
