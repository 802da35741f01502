"""The files of a source that is fetched: found like raw files by a pattern, in its latest snapshots."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property

from etl.fetch.days import ONE_DAY
from etl.fetch.snapshots import Snapshots
from etl.raw.files import RawFile
from etl.raw.streams import Table


@dataclass(frozen=True)
class SnapshotFiles:
    """What `FilePattern` is for logs that lie somewhere.

    Attributes:
        source: The source's name.
        root: Absolute path or s3:// URL of all snapshots.
        endpoint_url: Of an S3 server other than AWS.
        keep_days: So long after it was fetched a snapshot is kept, None for always.
        table: What reads the rows of files that are tables, None for lines.
        is_dated: A snapshot is always one of a day.
        lost_folder: No folder has to be there before the first day is fetched.
    """

    source: str
    root: str
    endpoint_url: str | None = None
    keep_days: int | None = None
    table: Table | None = None

    is_dated = True
    lost_folder = None

    @property
    def text(self) -> str:
        """Where they lie, for people."""
        return f"{self.root}/{self.source}/dt={{YYYY}}-{{MM}}-{{DD}}"

    def of_day(self, day: date) -> str:
        """Return where those of a day lie, for people."""
        return f"{self.root}/{self.source}/dt={day.isoformat()}"

    def find(self, day: date) -> list[RawFile]:
        """Return the files of a day's latest snapshot, none while the day is not fetched.

        Raises:
            StoreError: The disk or bucket doesn't answer, or the snapshot is damaged.
        """
        return self.finder(day, day)(day)

    def finder(self, first: date, last: date) -> Callable[[date], list[RawFile]]:
        """Return what finds the files of each of the days from the first to the last, by one listing.

        Raises:
            StoreError: The disk or bucket doesn't answer.
        """
        find = self.snapshots.finder(self.source, first, last + ONE_DAY)
        return lambda day: [replace(each, table=self.table) for each in find(day)]

    @cached_property
    def snapshots(self) -> Snapshots:
        """Where they lie."""
        return Snapshots.at(self.root, self.endpoint_url)
