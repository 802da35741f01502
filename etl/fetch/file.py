"""`fetch = file`: an export that is replaced in its place each night, kept as it was.

    path = exports/content.json.gz      relative to luigi.cfg, or s3://bucket/key
    written = next_day                  see `written`: of which day it is
    timezone = Europe/London            of the days; UTC if not said

Files that have their day in their name are not fetched: `files` names them where they lie.
"""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import IO, Any, Self

from etl.fetch.asked import NotReady
from etl.fetch.days import PLACEHOLDER, Span, read_zone
from etl.fetch.environment import Secrets
from etl.fetch.parts import Part
from etl.fetch.patience import TryAgain, patiently
from etl.fetch.written import KEY, Written
from etl.raw import s3
from lake.errors import ConfigError, InputError
from lake.store.protocol import S3_SCHEME

KEYS = ("path", "endpoint_url", KEY)
"""The settings of a source that is fetched so, beside `timezone`."""
ENDING = re.compile(r"[^.]+((?:\.[a-z0-9]+)+)")
OTHERWISE = "log"
PATIENCE_SECONDS = 60
CHUNK = 1 << 20


@dataclass(frozen=True)
class File:
    """An export that is replaced in its place; it is an Asked.

    Attributes:
        path: As it is set.
        location: Absolute path or s3:// URL.
        written: When that of a day is.
        endpoint_url: Of an S3 server other than AWS.
    """

    path: str
    location: str
    written: Written
    endpoint_url: str | None = None

    @classmethod
    def read(cls, values: Mapping[str, str], folder: Path) -> Self:
        """Return what a source's section says.

        Raises:
            ConfigError: Something is missing, or the path names a day.
        """
        path = values.get("path", "")
        if not path or any(each in path for each in "*?["):
            raise ConfigError("path: expected one file that is replaced, such as exports/content.json.gz.")
        if PLACEHOLDER.search(path):
            raise ConfigError(f"path = {path} names a day. Set files to it, and take fetch out.")
        is_on_s3 = path.startswith(S3_SCHEME)
        if not is_on_s3 and "://" in path:
            raise ConfigError(f"path = {path}: expected a path or s3://bucket/key.")
        location = path if is_on_s3 else os.path.normpath(folder / os.path.expanduser(path))  # noqa: PTH111 - as in lake.config
        zone = read_zone(values.get("timezone"))
        return cls(path, location, Written.read(values, zone), values.get("endpoint_url"))

    def recorded(self) -> dict[str, object]:
        """See Asked."""
        said: dict[str, object] = {"fetch": "file", "path": self.path, KEY: self.written.setting}
        return said | ({"timezone": self.written.zone.key} if self.written.zone else {})

    def parameters(self, day: date) -> dict[str, object]:
        """See Asked."""
        return dict(Span.of(day, self.written.zone).recorded())

    def fetch(self, day: date, folder: Path) -> list[Part]:
        """See Asked."""
        copy = folder / "fetched-0"

        def attempt() -> list[Part]:
            with self._opened() as (file, moment, has_changed):
                self.written.check(self.location, day, moment)
                with copy.open("wb") as made:
                    while piece := file.read(CHUNK):
                        made.write(piece)
                if has_changed():
                    raise TryAgain("it was written to while it was copied")
            return [Part.of(copy, self._ending)]

        return patiently(self.location, attempt, Secrets(), PATIENCE_SECONDS)

    @property
    def _ending(self) -> str:
        found = ENDING.fullmatch(self.location.rpartition("/")[2])
        return found[1].removeprefix(".") if found else OTHERWISE

    @contextmanager
    def _opened(self) -> Iterator[tuple[Any, datetime, Callable[[], bool]]]:
        """Give the file, when it was written, and what tells whether that has changed."""
        if self.location.startswith(S3_SCHEME):
            with s3.opened(self.location, self.endpoint_url) as stream:
                yield stream, stream.modified, lambda: False
            return
        try:
            with Path(self.location).open("rb") as file:
                before = _state(file)
                yield file, datetime.fromtimestamp(before[0] / 1e9, UTC), lambda: before != _state(file)
        except FileNotFoundError as error:
            raise NotReady(
                f"{self.location}: there is no such file yet. See where the export is, or correct path."
            ) from error
        except OSError as error:
            raise InputError(
                f"{self.location}: {error.strerror}. Correct path, or see where the export is."
            ) from error


def _state(file: IO[bytes]) -> tuple[int, int]:
    found = os.fstat(file.fileno())
    return found.st_mtime_ns, found.st_size
