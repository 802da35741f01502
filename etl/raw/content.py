"""What a raw file is, whatever it is called and however it is compressed: its content."""

from typing import Self

import xxhash
from isal import isal_zlib

from lake.provenance import Content

PREFIXES = tuple(4096 << 4 * n for n in range(8))
"""Bytes: 4 KiB, 64 KiB, … 1 TiB. A file and what it began with agree in those that both have."""


class ContentDigest:
    """Takes a file's decompressed bytes, piece by piece, and says what they are so far.

    Attributes:
        bytes: How many it has had.
        prefixes: Their digests after 4 KiB, 64 KiB, and so on, as far as it has had so many.
    """

    def __init__(self) -> None:
        self.bytes = 0
        self._crc32 = 0
        self._xxh3 = xxhash.xxh3_64()
        self.prefixes: tuple[str, ...] = ()

    def update(self, piece: memoryview) -> None:
        """Add the next bytes."""
        begin = 0
        while begin < len(piece):
            left = PREFIXES[len(self.prefixes)] - self.bytes
            part = piece[begin : begin + left]
            self._xxh3.update(part)
            self._crc32 = isal_zlib.crc32(part, self._crc32)
            self.bytes += len(part)
            if len(part) == left:
                self.prefixes += (self._xxh3.hexdigest(),)
            begin += len(part)

    def copy(self) -> Self:
        """Return another one that has had the same bytes."""
        other = type(self)()
        other.bytes, other._crc32, other.prefixes = self.bytes, self._crc32, self.prefixes  # noqa: SLF001 - of this class
        other._xxh3 = self._xxh3.copy()  # noqa: SLF001
        return other

    def content(self) -> Content:
        """Return what the bytes so far are."""
        return Content(self.bytes, self._xxh3.hexdigest(), self._crc32, self.prefixes)


def begins_alike(one: Content, other: Content) -> bool | None:
    """Tell whether one may be the beginning of the other, None if that can't be told without reading them."""
    if one.bytes == other.bytes:
        return one == other
    pairs = list(zip(one.prefixes, other.prefixes, strict=False))
    return pairs[-1][0] == pairs[-1][1] if pairs else None
