"""Whether raw files are what was recorded of them when they were read."""

import hashlib
import struct

from etl.raw.content import ContentDigest
from etl.raw.files import RawFile, part_of, size_of
from etl.raw.reading import GZIP_MAGIC, RawReader
from lake.provenance import Input

GZIP_TRAILER = struct.Struct("<II")  # CRC-32 and length, modulo 2**32


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
        if not left:
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
    told = told_by_gzip(file, endpoint_url)
    if told:
        return told == (recorded.content.bytes % 2**32, recorded.content.crc32)
    return size_of(file, endpoint_url) == recorded.content.bytes and begins_with(file, recorded, endpoint_url)


def told_by_gzip(file: RawFile, endpoint_url: str | None = None) -> tuple[int, int] | None:
    """Return what the end of a gzip file says of its content: bytes, modulo 2**32, and CRC-32; None of others.

    Of several members that are one after the other, it speaks of the last one only. Format: RFC 1952.

    Raises:
        InputError: It can't be read.
        StoreError: S3 doesn't answer.
    """
    size = size_of(file, endpoint_url)
    if size < GZIP_TRAILER.size:
        return None
    begin = part_of(file, 0, len(GZIP_MAGIC), endpoint_url)
    end = part_of(file, size - GZIP_TRAILER.size, GZIP_TRAILER.size, endpoint_url)
    if begin != GZIP_MAGIC or len(end) != GZIP_TRAILER.size:
        return None
    crc32, size = GZIP_TRAILER.unpack(end)
    return size, crc32
