"""Shards: the raw files of a source's day in so many parts, each of which is read for itself, on any machine.

    shards = 64                          from the source's first day on
    shards = 16, 64 from 2026-05-01      64 from that day on

A shard is a source of its own, called `web.03of64`, in all that is kept per source. Who asks the lake sees one.
"""

import re
import zlib
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

from lake.errors import InputError
from lake.partition import parse_day

MOST = 4096
UNSHARDED: tuple[tuple[date | None, int], ...] = ((None, 1),)
COMPRESSED = re.compile(r"\.(gz|bz2|xz|zst|lz4|zip|Z)$")
NUMBERED = re.compile(r"\.\d{1,3}$")
PART = re.compile(r"(\d+)(?: from (\S+))?")


@dataclass(frozen=True)
class Shard:
    """One of the parts that a source's raw files are in.

    Attributes:
        number: Which one, from 0 on.
        of: How many there are.
    """

    number: int
    of: int

    def __str__(self) -> str:
        return f"{self.number:0{len(str(self.of - 1))}}of{self.of}"

    def has(self, name: str) -> bool:
        """Tell whether a raw file belongs to it: by the CRC-32 of its name, without what compression adds.

        Raises:
            InputError: Its name is one that rotation changes, so that it would be read twice or not at all.
        """
        plain = COMPRESSED.sub("", name)
        if NUMBERED.search(plain):
            raise InputError(
                f"{name} looks like a file that is renumbered, so it would change its shard. Have logs rotated by "
                "date, or take shards out of the section of its source."
            )
        return zlib.crc32(plain.encode()) % self.of == self.number


def parse_shards(text: str) -> tuple[tuple[date | None, int], ...]:
    """Return from which days on there are how many shards, by a text; ValueError if it doesn't say so."""
    found: list[tuple[date | None, int]] = []
    for part in text.split(","):
        told = PART.fullmatch(" ".join(part.split()))
        if not told or not 1 <= int(told[1]) <= MOST or (told[2] is None) != (not found):
            raise ValueError(text)
        found.append((parse_day(told[2]) if told[2] else None, int(told[1])))
    begins = [since for since, _ in found if since]
    is_again = len({of for _, of in found}) < len(found)  # so that two would be called the same
    if is_again or any(after <= before for before, after in pairwise(begins)):
        raise ValueError(text)
    return tuple(found)


def shards_of(name: str) -> int | None:
    """Return in how many shards a source is by what one of them is called; None of a source that is read whole."""
    _, _, shard = name.partition(".")
    return int(shard.rpartition("of")[2]) if shard else None
