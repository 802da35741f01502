"""The name of a partition, and so the key of its object: the lake's one naming convention."""

import re
from dataclasses import dataclass
from datetime import date, timedelta

from lake.errors import ConfigError

NAME = re.compile(r"[a-z][a-z0-9_-]{0,62}")
SHARD = r"(?:\.\d{1,4}of\d{1,4})?"
"""What follows the name of a source in the name of one of its shards: a part of its raw files."""
SOURCE = re.compile(NAME.pattern + SHARD, re.ASCII)
EPOCH = date(1970, 1, 1)
EARLIEST, LATEST = EPOCH, date(2999, 12, 31)
HIGHEST = 999_999  # version and revision
IN_THE_PATH = {
    "dt": ("UTC day", "The partition's day"),
    "source": ("name", "The source of the raw logs"),
    "rev": ("number", "Revision: 0, or that of a restatement"),
}
"""Unit and meaning of what stands in a partition's path."""
KEY = re.compile(
    r"(?P<dataset>[a-z][a-z0-9_-]{0,62})/v(?P<version>[1-9]\d{0,5})/dt=(?P<dt>\d{4}-\d{2}-\d{2})/"
    rf"(?:source=(?P<source>{SOURCE.pattern})/)?rev=(?P<revision>0|[1-9]\d{{0,5}})/part-0\.parquet",
    re.ASCII,
)


def days_since_epoch(day: date) -> int:
    """Return the days from 1970-01-01 to a day."""
    return (day - EPOCH).days


def date_of(days: int) -> date:
    """Return the day that is so many days after 1970-01-01."""
    return EPOCH + timedelta(days=days)


def parse_day(text: str) -> date:
    """Return the day that a text as YYYY-MM-DD names; ValueError if it is none from 1970 to 2999."""
    day = date.fromisoformat(text)
    if text != day.isoformat() or not EARLIEST <= day <= LATEST:  # Python also reads 2015-W20-7
        raise ValueError(text)
    return day


def check_name(kind: str, name: str) -> str:
    """Return `name` if it may stand in a path and in SQL.

    Raises:
        ConfigError: It may not.
    """
    if not NAME.fullmatch(name):
        raise ConfigError(
            f"{kind} {name!r} is no valid name: lower-case letters, digits, '_' and '-', "
            "a letter first, 63 characters at most."
        )
    return name


def source_of(name: str) -> str:
    """Return the source that a name is of, which may be that of one of its shards."""
    return name.partition(".")[0]


@dataclass(frozen=True)
class Partition:
    """One dataset's rows of one UTC day (and one source, where it is kept per source), in one revision."""

    dataset: str
    version: int
    dt: date
    source: str | None = None
    revision: int = 0

    def __post_init__(self) -> None:
        """Refuse what would name a key that is none, or one of another folder.

        Raises:
            ConfigError: A name may not stand in a path, or a number is too high or too low.
        """
        check_name("dataset", self.dataset)
        if self.source is not None and not SOURCE.fullmatch(self.source):
            check_name("source", self.source)
        if not 1 <= self.version <= HIGHEST or not 0 <= self.revision <= HIGHEST:
            raise ConfigError(f"version {self.version}, revision {self.revision}: expected up to {HIGHEST:,}.")

    @property
    def folder(self) -> str:
        """Where all revisions of this partition lie, relative to the lake's root."""
        source = f"source={self.source}/" if self.source else ""
        return f"{self.dataset}/v{self.version}/dt={self.dt.isoformat()}/{source}"

    @property
    def key(self) -> str:
        """The object's name, relative to the lake's root."""
        return f"{self.folder}rev={self.revision}/part-0.parquet"

    def __str__(self) -> str:
        source = f" of source {self.source}" if self.source else ""
        revision = f" revision {self.revision}" if self.revision else ""
        return f"{self.dataset} v{self.version} {self.dt.isoformat()}{source}{revision}"

    @classmethod
    def parse(cls, key: str) -> "Partition | None":
        """Return the partition that a key names, None if the key follows another convention."""
        found = KEY.fullmatch(key)
        if not found:
            return None
        try:
            dt = date.fromisoformat(found["dt"])
        except ValueError:
            return None
        return cls(found["dataset"], int(found["version"]), dt, found["source"], int(found["revision"]))
