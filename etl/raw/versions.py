"""Versions of raw files: what tells that one is another than it was, without reading it."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from etl.raw.files import FilePattern, RawFile
from lake.errors import InputError
from lake.store.protocol import S3_SCHEME


@dataclass(frozen=True)
class Version:
    """A raw file as it is by now.

    Attributes:
        file: The file.
        bytes: Its size, as it lies there.
        mark: When it was changed, in nanoseconds; on S3, its ETag.
        endpoint_url: Of the S3 server that it is read from, if not AWS.
    """

    file: RawFile
    bytes: int
    mark: str
    endpoint_url: str | None = None


def versions(pattern: FilePattern, day: date) -> list[Version]:
    """Return the files of a day (all, if undated), by name: on S3, by one listing.

    Raises:
        StoreError: S3 doesn't answer.
    """
    of_day = pattern.of_day(day)
    if of_day.startswith(S3_SCHEME):
        from etl.raw import s3  # noqa: PLC0415 - boto3 takes long to import

        return [
            Version(RawFile(url, url, None), size, etag, pattern.endpoint_url)
            for url, (size, etag) in s3.versions(of_day, pattern.endpoint_url).items()
        ]
    found = []
    for file in pattern.find(day):
        with suppress(FileNotFoundError):  # it is gone meanwhile
            status = Path(file.location).stat()
            found.append(Version(file, status.st_size, str(status.st_mtime_ns)))
    return found


def part_of(version: Version, begin: int, size: int) -> bytes:
    """Return some bytes of a raw file, as it lies there.

    Raises:
        InputError: It can't be read.
        StoreError: S3 doesn't answer.
    """
    location = version.file.location
    if not size:
        return b""
    if location.startswith(S3_SCHEME):
        from etl.raw import s3  # noqa: PLC0415 - boto3 takes long to import

        return s3.part_of(location, begin, size, version.endpoint_url)
    try:
        with Path(location).open("rb") as opened:
            opened.seek(begin)
            return opened.read(size)
    except OSError as error:
        raise InputError(f"{version.file.name}: can't be read: {error.strerror or error}.") from error
