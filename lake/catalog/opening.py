"""Opening the catalog: as it was kept if the lake is the same, else made anew."""

import duckdb

from lake.catalog import kept
from lake.config import Config


def connect(config: Config, *, has_footers: bool = True) -> duckdb.DuckDBPyConnection:
    """Return a connection in which a lake, as it is now, can be asked; see `lake.catalog.connections.connect`.

    Args:
        config: The luigi.cfg that names the lake.
        has_footers: Whether `provenance` may be asked; who won't saves an import.

    Raises:
        ConfigError: It is wrong.
        StoreError: There is no lake, or it can't be listed.
        LakeError: A file of it is broken.
    """
    found = kept.reopened(config) if kept.is_kept(config) else None
    if found is None:
        from lake.catalog import connections  # noqa: PLC0415 - imports all that `kept` does without

        return connections.made(config)
    if has_footers:
        kept.create_footer(found)
    return found
