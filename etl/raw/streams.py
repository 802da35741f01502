"""Streams of a raw file's bytes, one over the other, and what may be wrong with them."""

import io
from collections.abc import Iterable, Iterator
from typing import IO, Any, Protocol

PIECE_BYTES = 1 << 16


class Readable(Protocol):
    """A stream of bytes, as `io.RawIOBase` and a gzip reader are."""

    def readinto(self, buffer: Any, /) -> int | None:  # noqa: ANN401 - any writable buffer
        """Read up to so many bytes into a buffer, and return how many; 0 at the end."""
        ...

    def read(self, size: int, /) -> bytes | None:
        """Return up to so many bytes, none at the end."""
        ...


class Table(Protocol):
    """What reads files that are tables, and no lines."""

    def lines(self, file: IO[bytes]) -> Iterator[bytes]:
        """Yield the rows of a file, from its beginning, as lines.

        Raises:
            Unreadable: It is something else.
            Damaged: It is cut off or damaged.
        """
        ...


class Damaged(Exception):
    """A stream is cut off or not what it begins as.

    Attributes:
        kind: What it is, as `xz stream`.
        cause: What is wrong.
    """

    def __init__(self, kind: str, cause: object) -> None:
        super().__init__(str(cause))
        self.kind, self.cause = kind, cause


class Unreadable(Exception):
    """A file is something that isn't read here; its text follows the file's name: what it is, and what to do."""


class Peeked(io.RawIOBase):
    """A stream whose first bytes can be looked at before they are read."""

    def __init__(self, stream: Readable) -> None:
        self._stream = stream
        self._begun = b""

    def peek(self, size: int) -> bytes:
        """Return the first bytes, which are read all the same; fewer if there are no more."""
        while len(self._begun) < size and (more := self._stream.read(size - len(self._begun))):
            self._begun += more
        return self._begun[:size]

    def skip(self, size: int) -> None:
        """Leave out the first bytes, which were looked at."""
        self._begun = self._begun[size:]

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - any writable buffer
        """Read up to so many bytes into a buffer, and return how many; 0 at the end."""
        if not self._begun:
            return self._stream.readinto(buffer) or 0
        size = min(len(self._begun), len(buffer))
        buffer[:size], self._begun = self._begun[:size], self._begun[size:]
        return size


class Pieces(io.RawIOBase):
    """Pieces of bytes, one after the other, as a stream."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._left = memoryview(b"")

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - any writable buffer
        """Read up to so many bytes into a buffer, and return how many; 0 at the end."""
        while not self._left:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._left = memoryview(piece)
        size = min(len(self._left), len(buffer))
        buffer[:size], self._left = self._left[:size], self._left[size:]
        return size


def read_all(stream: Readable, most: int) -> bytes | None:
    """Return a stream's bytes, None if they are more than so many."""
    found, left = [], most + 1
    while left and (piece := stream.read(min(left, PIECE_BYTES))):
        found.append(piece)
        left -= len(piece)
    return b"".join(found) if left else None


def pieces(stream: Readable) -> Iterator[bytes]:
    """Yield a stream's bytes."""
    while piece := stream.read(PIECE_BYTES):
        yield piece


def joined(streams: Iterable[Readable]) -> Iterator[bytes]:
    """Yield the bytes of several streams; the first line of one begins anew where the one before lacks its end."""
    ends_a_line = True
    for stream in streams:
        begins = True
        for piece in pieces(stream):
            if begins and not ends_a_line:
                yield b"\n"
            begins, ends_a_line = False, piece.endswith(b"\n")
            yield piece
