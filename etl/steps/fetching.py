"""The step before extraction, of a source that another system has: a day of it is fetched and kept as it came."""

from datetime import UTC, date, datetime, time, timedelta
from functools import cache

from etl.fetch.found import SnapshotFiles
from etl.fetch.snapshots import Manifest, Snapshots
from etl.sources.source import Source
from lake.errors import ConfigError
from lake.provenance import code_version


def fetch_day(source: Source, day: date, now: datetime) -> Manifest:
    """Fetch a day of a source, be it there or not: a new revision, unless the latest has the same content.

    Raises:
        ConfigError: The source has no `fetch`.
        NotReady: The other system doesn't have the day yet.
        StoreError: It doesn't answer, or the store of snapshots doesn't.
        InputError: It refuses what is asked, or answers something else.
    """
    if source.asked is None:
        raise ConfigError(
            f"source {source.name}: its raw files are put where files says. There is nothing to fetch."
        )
    made = snapshots_of(source).fetch(source.name, day, source.asked, now, code_version())
    if isinstance(source.files, SnapshotFiles) and source.files.keep_days:
        _expire(source.files, now.date() - timedelta(days=source.files.keep_days))
    return made


@cache
def _expire(files: SnapshotFiles, before: date) -> None:
    """Delete what is kept long enough: by each process once a day, since it lists all snapshots of the source."""
    files.snapshots.expire(files.source, datetime.combine(before, time(), UTC))


def snapshots_of(source: Source) -> Snapshots:
    """Return where the snapshots of a source are kept.

    Raises:
        ConfigError: It has no `fetch`.
    """
    if not isinstance(source.files, SnapshotFiles):
        raise ConfigError(f"source {source.name} has no fetch: there is no snapshot of it.")
    return source.files.snapshots
