"""Whether raw files are what was recorded of them when they were read."""

import hashlib
import struct
import zlib
from typing import NamedTuple

from etl.raw.content import ContentDigest
from etl.raw.files import RawFile, part_of, size_of
from etl.raw.opening import GZIP_MAGIC, HEAD_BYTES, is_as_it_lies
from etl.raw.reading import RawReader
from lake.provenance import Input

GZIP_TRAILER = struct.Struct("<II")  # CRC-32 and length, modulo 2**32
SAMPLE_BYTES = 4096  # in which the first ones of a gzip file's content are


def is_as_recorded(file: RawFile, recorded: Input, endpoint_url: str | None = None) -> bool:
    """Tell whether a raw file has the bytes that were recorded, or begins with them where they were a part of it.

    Raises:
        InputError: It can't be read.
        StoreError: S3 doesn't answer.
    """
    if recorded.lines is None:
        reader = RawReader(file, endpoint_url)
        for _ in reader.blocks():
            pass
        return reader.input().sha256 == recorded.sha256
    return begins_with(file, recorded, endpoint_url)


def begins_with(file: RawFile, recorded: Input, endpoint_url: str | None = None) -> bool:
    """Tell whether a raw file, decompressed, begins with what was recorded of one.

    Raises:
        InputError: It can't be read.
        StoreError: S3 doesn't answer.
    """
    content, digest = ContentDigest(), hashlib.sha256()  # the latter is what earlier versions recorded
    left = recorded.content.bytes if recorded.content else recorded.bytes
    for block in RawReader(file, endpoint_url, digests=False).blocks():
        (content if recorded.content else digest).update(block[:left])
        left -= min(left, len(block))
        so_far = content.prefixes
        if not left or (recorded.content and so_far != recorded.content.prefixes[: len(so_far)]):
            break
    return content.content() == recorded.content if recorded.content else digest.hexdigest() == recorded.sha256


def has_content_of(file: RawFile, recorded: Input, endpoint_url: str | None = None) -> bool:
    """Tell whether a raw file is what was recorded, under another name or compressed perhaps; it may be read.

    Raises:
        InputError: It can't be read.
        StoreError: S3 doesn't answer.
    """
    if recorded.content is None:  # by an earlier version
        may_be = file.name == recorded.name if recorded.lines else size_of(file, endpoint_url) == recorded.bytes
        return may_be and is_as_recorded(file, recorded, endpoint_url)
    if recorded.lines is not None:
        return begins_with(file, recorded, endpoint_url)
    told = told_of(file, endpoint_url)
    if told is None:
        reader = RawReader(file, endpoint_url, digests=False)
        for _ in reader.blocks():
            pass
        return reader.content.content() == recorded.content
    if told.crc32 is not None:
        return told == Told(recorded.content.bytes % 2**32, recorded.content.crc32)
    return told.bytes == recorded.content.bytes and begins_with(file, recorded, endpoint_url)


class Told(NamedTuple):
    """What is known of a raw file's lines without reading them.

    Attributes:
        bytes: How many they have; modulo 2**32 of a gzip file.
        crc32: Their CRC-32, None where only reading them tells.
    """

    bytes: int
    crc32: int | None


def told_of(file: RawFile, endpoint_url: str | None = None) -> Told | None:
    """Return what size, first bytes and end of a raw file say of its lines; None where they say nothing.

    Of several gzip members that are one after the other, the end speaks of the last one only. Format: RFC 1952.

    Raises:
        InputError: It can't be read.
        StoreError: S3 doesn't answer.
    """
    if file.table:
        return None
    size = size_of(file, endpoint_url)
    head = part_of(file, 0, min(size, SAMPLE_BYTES), endpoint_url)
    if is_as_it_lies(head[:HEAD_BYTES]):
        return Told(size, None)
    if size < GZIP_TRAILER.size or not head.startswith(GZIP_MAGIC):
        return None
    end = part_of(file, size - GZIP_TRAILER.size, GZIP_TRAILER.size, endpoint_url)
    try:
        begin = zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(head, HEAD_BYTES)
    except zlib.error:
        return None
    if len(end) != GZIP_TRAILER.size or not is_as_it_lies(begin):
        return None
    crc32, size = GZIP_TRAILER.unpack(end)
    return Told(size, crc32)
