"""Parts: the files that a fetched day consists of, written so that the same content has the same bytes."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from isal import isal_zlib

from lake.digests import sha256_of

GZIP = ".gz"
LEVEL = 1
GZIP_FORMAT = 31  # of wbits: a header without a name and a time, and a checksum at the end


@dataclass(frozen=True)
class Part:
    """A finished file.

    Attributes:
        path: Where it waits.
        ending: What its name ends with, such as `csv.gz`.
        content_bytes: How much it holds, before it is compressed.
        content_sha256: The digest of that.
        rows: How many records it holds, None where that is not known.
    """

    path: Path
    ending: str
    content_bytes: int
    content_sha256: str
    rows: int | None = None

    @classmethod
    def of(cls, path: Path, ending: str, rows: int | None = None) -> "Part":
        """Return a file that is not compressed from outside, as one of Parquet."""
        return cls(path, ending, path.stat().st_size, sha256_of(path), rows)


class PartFile:
    """A file while it is written.

    Attributes:
        content_bytes: How much was written to it, before it was compressed.
        rows: How many records that is, None where nobody counts them.
    """

    def __init__(self, file: IO[bytes], path: Path, ending: str) -> None:
        self.content_bytes = 0
        self.rows: int | None = None
        self._file, self._path, self._ending = file, path, ending
        self._digest = hashlib.sha256()
        self._gzip = isal_zlib.compressobj(LEVEL, wbits=GZIP_FORMAT) if ending.endswith(GZIP) else None

    def write(self, content: bytes) -> None:
        """Append some bytes."""
        self.content_bytes += len(content)
        self._digest.update(content)
        self._file.write(self._gzip.compress(content) if self._gzip else content)

    def finish(self) -> Part:
        """Write what is left; nothing can be appended any more."""
        if self._gzip:
            self._file.write(self._gzip.flush())
        self._file.flush()
        return Part(self._path, self._ending, self.content_bytes, self._digest.hexdigest(), self.rows)


@contextmanager
def part_file(path: Path, ending: str) -> Iterator[PartFile]:
    """Give a new file to write to, compressed if its ending says so; what had its place is gone."""
    with path.open("wb") as file:
        yield PartFile(file, path, ending)


def content_sha256(parts: Sequence[Part]) -> str:
    """Return the digest of all that parts hold, whichever way they are compressed."""
    return hashlib.sha256(
        "".join(f"{each.ending} {each.content_bytes} {each.content_sha256}\n" for each in parts).encode()
    ).hexdigest()
