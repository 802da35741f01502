"""Raw files: found by a pattern on disk or on S3, never changed."""

import errno
import glob
import math
import os
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from itertools import pairwise
from pathlib import Path

from etl.raw.globs import expression
from etl.raw.streams import Table
from lake.errors import ConfigError, InputError
from lake.store.disk import disk_error
from lake.store.protocol import S3_SCHEME

PLACEHOLDER = re.compile(r"\{([^}]*)\}")
DATE_PLACEHOLDERS = {"YYYY": "%Y", "YY": "%y", "MM": "%m", "DD": "%d"}
CENTURY = 2000  # of {YY}
HOURS = "[0-2][0-9]"
DIGIT = "[0-9]"
EVERY_FOLDER = "**"
DAYS_WORTH_A_LISTING = 30  # of all of a source's files
IN_A_PATTERN = re.compile(r"[*?\[{%]")
IN_BRACKETS = re.compile(r"\[[^]]*\{")


@dataclass(frozen=True)
class RawFile:
    """A file of raw log lines.

    Attributes:
        name: As luigi.cfg names it: relative to the source's root, or to luigi.cfg's folder if the pattern is.
        location: Absolute path or s3:// URL.
        day: The day its pattern gives it, None for an undated file.
        listed: Its size and its ETag, where the listing by which it was found says them, as S3's does.
        table: What reads its rows, None if it is lines.
    """

    name: str
    location: str
    day: date | None
    listed: tuple[int, str] | None = field(default=None, compare=False)
    table: Table | None = field(default=None, compare=False)


@dataclass(frozen=True)
class FilePattern:
    """Where a source's files lie: a path or s3:// URL with globs and `{YYYY}`, `{YY}`, `{MM}`, `{DD}`, `{HH}`.

    Without a placeholder the files are undated: any of them may hold lines of any day.

    Attributes:
        text: The pattern, relative to `root` if there is one.
        folder: Which a relative path starts from: luigi.cfg's.
        root: A folder or s3:// URL that the files' names leave out, so that wherever logs are mounted, the same is
            published.
        table: What reads the rows of files that are tables, None for lines.
    """

    text: str
    folder: Path
    endpoint_url: str | None = None
    root: str = ""
    table: Table | None = None

    def __post_init__(self) -> None:
        """Refuse a pattern that can't be meant.

        Raises:
            ConfigError: A placeholder is unknown or in brackets, or the date is not whole.
        """
        key = "root" if self.root else "files"
        scheme, separator, rest = self._whole.partition("://")
        if separator and "@" in rest.partition("/")[0]:
            raise ConfigError(f"{key} holds credentials. Put them where boto3 looks for them.")
        if self.root and (self.text.startswith(("/", "~")) or "://" in self.text):
            raise ConfigError(f"files = {self.text}: expected a path relative to root = {self.root}.")
        if IN_A_PATTERN.search(self.root):
            raise ConfigError(f"root = {self.root}: expected a folder or s3://bucket/prefix, without any pattern.")
        found = set(PLACEHOLDER.findall(self.text))
        unknown = found - {*DATE_PLACEHOLDERS, "HH"}
        if unknown or "%" in self.text:
            what = "'%'" if not unknown else "{" + min(unknown) + "}"
            raise ConfigError(
                f"files = {self.text}: {what} means nothing here, use {{YYYY}}, {{YY}}, {{MM}}, {{DD}}, {{HH}}."
            )
        if found and IN_BRACKETS.search(self.text):
            raise ConfigError(
                f"files = {self.text}: no part of a date can stand between '[' and ']'; write [[] for a '['."
            )
        if separator and f"{scheme}://" != S3_SCHEME:
            raise ConfigError(f"{key} is a URL that can't be read here, expected a path or s3://bucket/key.")
        if found and not (found >= {"MM", "DD"} and found & {"YYYY", "YY"}):
            raise ConfigError(
                f"files = {self.text}: a dated pattern needs {{YYYY}} (or {{YY}}), {{MM}} and {{DD}}."
            )

    @property
    def _whole(self) -> str:
        """The pattern, with the root."""
        return f"{self.root.rstrip('/')}/{self.text}" if self.root else self.text

    @property
    def is_dated(self) -> bool:
        """Whether a file's name tells its day."""
        return bool(PLACEHOLDER.search(self.text))

    def of_day(self, day: date) -> str:
        """Return the pattern with the day put in, as text for people and as a glob."""
        return PLACEHOLDER.sub(
            lambda found: HOURS if found[1] == "HH" else day.strftime(DATE_PLACEHOLDERS[found[1]]),
            self._whole,
        )

    def find(self, day: date) -> list[RawFile]:
        """Return the files of a day (all files, if undated), by name; an empty list if there are none.

        A link that leads nowhere is one of them: what it stands for is there, and can't be read.

        Raises:
            StoreError: S3 doesn't answer, or a folder may not be looked into.
        """
        pattern = self.of_day(day)
        own_day = day if self.is_dated else None
        if pattern.startswith(S3_SCHEME):
            from etl.raw import s3  # noqa: PLC0415 - boto3 takes long to import

            found = s3.find(pattern, self.endpoint_url)
            return [RawFile(self._name(url), url, own_day, listed, self.table) for url, listed in found.items()]
        within, pattern = glob.escape(str(self.folder)), os.path.expanduser(pattern)  # noqa: PTH111 - a pattern is no Path
        self._look_into_folders(pattern)
        paths = sorted(glob.glob(os.path.join(within, pattern), recursive=True))  # noqa: PTH118, PTH207 - likewise
        return [
            RawFile(self._name(path), os.path.normpath(path), own_day, table=self.table)
            for path in paths
            if os.path.isfile(path) or (os.path.islink(path) and not os.path.exists(path))  # noqa: PTH110, PTH113, PTH114
        ]

    @property
    def lost_folder(self) -> str | None:
        """The folder in which all files lie, if there is none; None if it is there, or on S3."""
        if self._whole.startswith(S3_SCHEME):
            return None
        begin = os.path.dirname(IN_A_PATTERN.split(self._whole, maxsplit=1)[0])  # noqa: PTH120
        folder = os.path.join(self.folder, os.path.expanduser(begin))  # noqa: PTH111, PTH118
        return None if os.path.isdir(folder) else os.path.normpath(folder)  # noqa: PTH112

    def _look_into_folders(self, pattern: str) -> None:
        """Make sure that no folder on the way to files is one of which `glob` says nothing but that it is empty.

        Raises:
            StoreError: One may not be looked into, or listed where that is needed.
        """
        folders = ["/" if pattern.startswith("/") else str(self.folder)]
        for above, part in pairwise(["", *filter(None, pattern.split("/"))]):
            if above:
                within = (os.path.join(glob.escape(each), above, "") for each in folders)  # noqa: PTH118
                folders = [each for one in within for each in glob.glob(one, recursive=True)]  # noqa: PTH207
            is_listed = glob.has_magic(part) or above == EVERY_FOLDER
            for each in folders:
                if not os.access(each, os.X_OK | (os.R_OK if is_listed else 0)) and os.path.isdir(each):  # noqa: PTH112
                    denied = PermissionError(errno.EACCES, os.strerror(errno.EACCES))
                    raise disk_error(f"look for raw logs in {os.path.normpath(each)}", denied, "")

    def finder(self, first: date, last: date) -> Callable[[date], list[RawFile]]:
        """Return what finds the files of each of many days as `find` does, on S3 by one listing of all files.

        Raises:
            StoreError: S3 doesn't answer.
        """
        if not self.is_dated:
            of_all = self.find(first)
            return lambda _: of_all
        if not self._whole.startswith(S3_SCHEME) or (last - first).days < DAYS_WORTH_A_LISTING:
            return self.find
        from etl.raw import s3  # noqa: PLC0415 - boto3 takes long to import

        by_day: dict[date, list[RawFile]] = {}
        of_any_day = PLACEHOLDER.sub(lambda found: DIGIT * len(found[1]), self._whole)
        for url, listed in s3.find(of_any_day, self.endpoint_url).items():
            if day := self.day_of(url):
                by_day.setdefault(day, []).append(RawFile(self._name(url), url, day, listed, self.table))
        return lambda day: by_day.get(day, [])

    def takes(self, path: str) -> bool:
        """Tell whether a path, written as the pattern is, is one of its files, of whichever day."""
        return bool(self.day_of(path) if self.is_dated else self._expression.fullmatch(path))

    def day_of(self, path: str) -> date | None:
        """Return the day that a dated pattern gives to a path, None if it doesn't match it."""
        found = self._expression.fullmatch(path)
        if not found:
            return None
        parts = {name: int(text) for name, text in found.groupdict().items()}
        with suppress(KeyError, ValueError):  # no day has that date
            return date(parts.get("YYYY", CENTURY + parts.get("YY", 0)), parts["MM"], parts["DD"])
        return None

    @cached_property
    def _expression(self) -> re.Pattern[str]:
        """A regular expression for the files of any day, with a group for each part of the date."""
        begun: set[str] = set()

        def group(name: str) -> str:
            if name == "HH":
                return HOURS
            if name in begun:
                return f"(?P={name})"
            begun.add(name)
            return f"(?P<{name}>[0-9]{{{len(name)}}})"

        parts = PLACEHOLDER.split(self._whole)  # every other one is the name of a placeholder
        return re.compile(
            "".join(group(part) if number % 2 else expression(part) for number, part in enumerate(parts))
        )

    def _name(self, path: str) -> str:
        if self._whole.startswith(S3_SCHEME):
            name = path.removeprefix(f"{self.root.rstrip('/')}/") if self.root else path
        elif self.root or not self.text.startswith(("/", "~")):
            name = os.path.relpath(path, os.path.join(self.folder, os.path.expanduser(self.root)))  # noqa: PTH111, PTH118 - a Path resolves no `..`
        else:
            name = path
        # the lake's texts are UTF-8, which a file's name need not be
        return os.fsencode(name).decode("utf-8", "backslashreplace")


def size_of(file: RawFile, endpoint_url: str | None = None) -> int:
    """Return a raw file's size in bytes, as it lies there.

    Raises:
        InputError: It is gone.
        StoreError: S3 doesn't answer.
    """
    return mark_of(file, endpoint_url)[0]


def known_size(file: RawFile) -> float:
    """Return a raw file's size in bytes; infinity where S3 would have to be asked for it, or it is gone."""
    if file.listed:
        return file.listed[0]
    with suppress(OSError):
        if not file.location.startswith(S3_SCHEME):
            return Path(file.location).stat().st_size
    return math.inf


def mark_of(file: RawFile, endpoint_url: str | None = None) -> tuple[int, str]:
    """Return a raw file's size, and what changes when it is written to: its time on disk, its ETag on S3.

    Raises:
        InputError: It is gone.
        StoreError: S3 doesn't answer.
    """
    if file.listed:
        return file.listed
    if file.location.startswith(S3_SCHEME):
        from etl.raw import s3  # noqa: PLC0415 - boto3 takes long to import

        return s3.mark_of(file.location, endpoint_url)
    try:
        found = Path(file.location).stat()
    except OSError as error:
        raise InputError(f"{file.name}: {error.strerror or error}. Bring it back, then run again.") from error
    return found.st_size, str(found.st_mtime_ns)


def part_of(file: RawFile, begin: int, size: int, endpoint_url: str | None = None) -> bytes:
    """Return some bytes of a raw file, as it lies there.

    Raises:
        InputError: It can't be read.
        StoreError: S3 doesn't answer.
    """
    if not size:
        return b""
    if file.location.startswith(S3_SCHEME):
        from etl.raw import s3  # noqa: PLC0415 - boto3 takes long to import

        return s3.part_of(file.location, begin, size, endpoint_url)
    try:
        with Path(file.location).open("rb") as opened:
            opened.seek(begin)
            return opened.read(size)
    except OSError as error:
        raise InputError(f"{file.name}: can't be read: {error.strerror or error}.") from error
