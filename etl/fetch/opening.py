"""Who fetches, by name. What each needs is imported once it is asked for, for only then it must be installed."""

from collections.abc import Mapping
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

from etl.fetch.asked import Asked
from lake.errors import ConfigError
from lake.names import hint

FETCH = "fetch"
"""The setting of a source that names one."""
FETCHERS = {
    "bigquery": "etl.fetch.bigquery:Bigquery",
    "elasticsearch": "etl.fetch.elasticsearch:Elasticsearch",
    "file": "etl.fetch.file:File",
    "graphite": "etl.fetch.graphite:Graphite",
    "http": "etl.fetch.http:Http",
    "mongodb": "etl.fetch.mongodb:Mongodb",
    "postgres": "etl.fetch.postgres:Postgres",
}
"""By name: what reads a section, and is an Asked then. Its module has the names of the settings as KEYS."""


def keys(fetcher: str) -> tuple[str, ...]:
    """Return the settings of a fetcher.

    Raises:
        ConfigError: There is none of that name.
    """
    _check(fetcher)
    found: tuple[str, ...] = resolve_name(f"{FETCHERS[fetcher].partition(':')[0]}:KEYS")
    return found


def read_asked(values: Mapping[str, str], folder: Path) -> Asked:
    """Return what a section of a source asks of which system.

    Args:
        values: The section, with `fetch`.
        folder: That of luigi.cfg.

    Raises:
        ConfigError: There is no fetcher of that name, or its settings are wrong.
    """
    fetcher = values.get(FETCH, "")
    _check(fetcher)
    kind: Any = resolve_name(FETCHERS[fetcher])
    asked: Asked = kind.read(values, folder)
    return asked


def _check(fetcher: str) -> None:
    if fetcher not in FETCHERS:
        raise ConfigError(
            f"{FETCH} = {fetcher}: nothing fetches so. Known: {', '.join(FETCHERS)}.{hint(fetcher, FETCHERS)}"
        )
