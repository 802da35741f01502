"""The write-once lake: contracts, publishing, listing, reading, provenance and the DuckDB catalog.

It knows nothing of logs and nothing of Luigi. Whoever asks it needs two functions, and two more to carry it on:

    import lake

    lake.connect().sql("from error_rate_weekly where application = 'shop'").df()
    lake.read("error_rate", "2026-09-01", "2026-10-01")

    for day in lake.partitions("error_rate", "2026-09-01", "2026-10-01"):
        print(lake.identity(), day.dt, day.revision, day.sha256, day.batches().read_all().num_rows)
"""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Literal, overload

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb
    import pandas as pd
    import pyarrow as pa

    from lake.config import Config
    from lake.published import Published

__all__ = ["connect", "identity", "partitions", "read"]

# What follows imports what it needs when it is called: each takes longer than a day of a small source.


def connect(config: Path | str | None = None) -> duckdb.DuckDBPyConnection:
    """Return a DuckDB connection in which every dataset of the lake is a view; see `lake.catalog.connections`.

    Args:
        config: The luigi.cfg that names the lake; default: `$LUIGI_CONFIG_PATH`, else the one in this folder.

    Raises:
        ConfigError: There is none, or it is wrong.
        StoreError: There is no lake, or it can't be listed.
    """
    from lake.catalog import opening  # noqa: PLC0415

    return opening.connect(_settings(config))


@overload
def read(
    dataset: str,
    start: date | str | None = None,
    stop: date | str | None = None,
    *,
    arrow: Literal[False] = False,
    config: Path | str | None = None,
) -> pd.DataFrame: ...
@overload
def read(
    dataset: str,
    start: date | str | None = None,
    stop: date | str | None = None,
    *,
    arrow: Literal[True],
    config: Path | str | None = None,
) -> pa.Table: ...
def read(
    dataset: str,
    start: date | str | None = None,
    stop: date | str | None = None,
    *,
    arrow: bool = False,
    config: Path | str | None = None,
) -> pd.DataFrame | pa.Table:
    """Return the rows of a dataset's UTC days `[start, stop)`, latest revisions, oldest day first.

    Args:
        dataset: Its name.
        start: The first day, as a date or as YYYY-MM-DD; default: the first there is.
        stop: The day after the last; default: after the last there is.
        arrow: Whether to return an Arrow table, with `dt` as its first column.
        config: As for `connect`.

    Returns:
        A frame with the contract's columns, `source` where it is kept per source, and `rev`; its index is `dt`.
        The files themselves are read, not a copy, and rows are in their order.
        Whole numbers and truth values that may be NULL have pandas' nullable types.

    Raises:
        ConfigError: There is no such dataset, or luigi.cfg is wrong.
        StoreError: There is no lake, or it can't be read.
        ValueError: A day is none, or start is not before stop.
    """
    from lake.catalog import connections as catalog  # noqa: PLC0415
    from lake.catalog import frames  # noqa: PLC0415
    from lake.contracts import contract  # noqa: PLC0415
    from lake.lake import Lake  # noqa: PLC0415

    first, last = _range(start, stop)
    rows = catalog.read(Lake.of(_settings(config)), contract(dataset), first, last)
    return rows if arrow else frames.frame(rows, contract(dataset))


def partitions(
    dataset: str,
    start: date | str | None = None,
    stop: date | str | None = None,
    *,
    config: Path | str | None = None,
) -> list[Published]:
    """Return a dataset's partitions of the UTC days `[start, stop)`, latest revisions, oldest day first.

    Two listings; no file is opened before its rows are asked for.

    Args:
        dataset: Its name.
        start: The first day, as a date or as YYYY-MM-DD; default: the first there is.
        stop: The day after the last; default: after the last there is.
        config: As for `connect`.

    Returns:
        One for each day, and for each source where the dataset is kept per source.

    Raises:
        ConfigError: There is no such dataset, or luigi.cfg is wrong.
        StoreError: There is no lake, or it can't be listed.
        ValueError: A day is none, or start is not before stop.
    """
    from lake.contracts import contract  # noqa: PLC0415
    from lake.lake import Lake  # noqa: PLC0415
    from lake.published import Published  # noqa: PLC0415

    first, last = _range(start, stop)
    found = Lake.of(_settings(config))
    found.require()
    return Published.latest(found, contract(dataset), first, last)


def identity(config: Path | str | None = None) -> str:
    """Return the lake's id, which no other lake has. It is made when it is first asked for, and stays.

    A copy of a lake has the id of the lake that it is a copy of.

    Args:
        config: As for `connect`.

    Raises:
        ConfigError: luigi.cfg is wrong.
        StoreError: There is no lake, or it has no id and can't be written.
    """
    from lake import lake_id  # noqa: PLC0415
    from lake.lake import Lake  # noqa: PLC0415

    found = Lake.of(_settings(config))
    found.require()
    return lake_id.of(found)


def _range(start: date | str | None, stop: date | str | None) -> tuple[date | None, date | None]:
    first, last = map(_day, (start, stop))
    if first and last and first >= last:
        raise ValueError(f"start {first} is not before stop {last}, which is exclusive")
    return first, last


def _day(day: date | str | None) -> date | None:
    """Return a day; of a time, as pandas has it, that of the time."""
    if isinstance(day, str):
        return date.fromisoformat(day)
    return day.date() if isinstance(day, datetime) else day


def _settings(path: Path | str | None) -> Config:
    from pathlib import Path  # noqa: PLC0415

    from lake import config  # noqa: PLC0415

    return config.read(Path(path).absolute() if path else config.find())
