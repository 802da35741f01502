"""What a raw file is by its first bytes, and its lines: decompressed, of all members of an archive, in UTF-8."""

import codecs
import gzip
import io
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, Protocol

import pyarrow as pa
from isal import isal_zlib

from etl.raw.streams import PIECE_BYTES, Damaged, Peeked, Pieces, Readable, Unreadable, joined, pieces, read_all

READ_BYTES = 1 << 20
HEAD_BYTES = 512  # of which a tar header is the longest sign
MOST_XZ_BYTES = 192 << 20  # for its dictionary; xz -9 needs 65 MiB
GZIP_MAGIC = b"\x1f\x8b"
BOM_8, BOMS_16 = codecs.BOM_UTF8, {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
ASCII_IN_16 = {
    "utf-16-le": re.compile(rb"(?:[\x01-\x7f]\x00){4}"),
    "utf-16-be": re.compile(rb"(?:\x00[\x01-\x7f]){4}"),
}
IN_32_BITS = re.compile(rb"\xff\xfe\x00\x00|\x00\x00\xfe\xff")
PARQUET_MAGIC = b"PAR1"
ZIPPED = re.compile(rb"PK(?:\x03\x04|\x05\x06|\x07\x08)")


class Decompressor(Protocol):
    """As `bz2.BZ2Decompressor` and `lzma.LZMADecompressor` are."""

    @property
    def eof(self) -> bool:
        """Whether its stream has come to its end."""
        ...

    @property
    def needs_input(self) -> bool:
        """Whether there is nothing more without further bytes."""
        ...

    @property
    def unused_data(self) -> bytes:
        """What came after its stream."""
        ...

    def decompress(self, data: bytes, /, max_length: int) -> bytes:
        """Return up to so many bytes of the next ones."""
        ...


@dataclass(frozen=True)
class Compression:
    """A way in which files are compressed.

    Attributes:
        kind: What a file is then called.
        begins: What its first bytes match.
        opened: Returns what is in it, as a stream that raises Damaged, or one of gzip's errors.
    """

    kind: str
    begins: re.Pattern[bytes]
    opened: Callable[[Readable], Readable]


def _gunzipped(stream: Readable) -> Readable:
    # an IGzipFile over it would copy all that is read once more
    return isal_zlib._GzipReader(stream, READ_BYTES)  # type: ignore[arg-type] # noqa: SLF001


def _bunzipped(stream: Readable) -> Readable:
    try:
        import bz2  # noqa: PLC0415 - not every Python has it
    except ImportError as error:
        raise _not_built_in("a bzip2 stream", "libbz2") from error
    return Pieces(_decompressed(stream, BZIP2.kind, bz2.BZ2Decompressor, (OSError, ValueError)))


def _unxzipped(stream: Readable) -> Readable:
    try:
        import lzma  # noqa: PLC0415 - not every Python has it
    except ImportError as error:
        raise _not_built_in("an xz stream", "liblzma") from error

    def new() -> lzma.LZMADecompressor:
        return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MOST_XZ_BYTES)

    return Pieces(_decompressed(stream, XZ.kind, new, (lzma.LZMAError,), padding=b"\0"))


def _unzstd(stream: Readable) -> Readable:
    if not pa.Codec.is_available("zstd"):
        raise Unreadable(
            "is a zstd stream, and pyarrow was built without it. Install pyarrow's wheel, then run again."
        )
    return Pieces(_zstd_pieces(stream))


COMPRESSIONS = (
    GZIP := Compression("gzip stream", re.compile(re.escape(GZIP_MAGIC)), _gunzipped),
    BZIP2 := Compression("bzip2 stream", re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)"), _bunzipped),
    XZ := Compression("xz stream", re.compile(rb"\xfd7zXZ\x00"), _unxzipped),
    ZSTD := Compression("zstd stream", re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18"), _unzstd),
)
DAMAGE: tuple[type[Exception], ...] = (Damaged, EOFError, gzip.BadGzipFile, zlib.error, isal_zlib.error)  # type: ignore[assignment] # isal says it is an instance
REFUSED = {
    "a 7-Zip archive": re.compile(rb"7z\xbc\xaf\x27\x1c"),
    "a RAR archive": re.compile(rb"Rar!\x1a\x07"),
    "an lz4 stream": re.compile(rb"\x04\x22\x4d\x18"),
    "an lzip stream": re.compile(rb"LZIP\x01"),
    "a stream of compress": re.compile(rb"\x1f\x9d"),
    "a snappy stream": re.compile(rb"\xff\x06\x00\x00sNaPpY"),
    "a Parquet file": re.compile(rb"PAR1[\x00-\x1f]"),
    "an ORC file": re.compile(rb"ORC[\x00-\x1f]"),
    "an Avro file": re.compile(rb"Obj\x01"),
    "an SQLite database": re.compile(rb"SQLite format 3\x00"),
    "text in UTF-32": IN_32_BITS,
}
"""What isn't read. Each has a byte that no server writes into a log, whatever it is sent."""


def is_packed(head: bytes) -> bool:
    """Tell whether what begins so is compressed, an archive or a table, so that nothing is appended to it."""
    return bool(_compression(head) or ZIPPED.match(head) or head.startswith(PARQUET_MAGIC) or _is_tar(head))


def is_as_it_lies(head: bytes) -> bool:
    """Tell whether the bytes of what begins so are those of its lines."""
    return not is_packed(head) and not head.startswith(BOM_8) and not _in_16_bits(head)


def lines_of(stream: Readable, seekable: Callable[[Readable], IO[bytes]], *, careful: bool = False) -> Readable:
    """Return the bytes of a raw file's lines.

    Args:
        stream: Its bytes, as it lies there.
        seekable: Reads a stream of these to its end, and returns them as what can be sought in, for a zip.
        careful: Whether gzip gives all that it has before it gives up, at a quarter of the speed.

    Raises:
        Unreadable: It is something that isn't read here; also raised as it is read.
    """
    peeked = Peeked(stream)
    if ZIPPED.match(peeked.peek(HEAD_BYTES)):
        from etl.raw.archives import zip_members  # noqa: PLC0415 - seldom needed

        return Pieces(joined(_member(*each, "zip", careful=careful) for each in zip_members(seekable(peeked))))
    peeked = _uncompressed(peeked, careful=careful)
    if _is_tar(peeked.peek(HEAD_BYTES)):
        from etl.raw.archives import tar_members  # noqa: PLC0415 - seldom needed

        return Pieces(joined(_member(*each, "tar", careful=careful) for each in tar_members(peeked)))
    _refuse(peeked.peek(HEAD_BYTES), "is")
    return _in_utf_8(peeked)


def lines_in_memory(data: bytes, most: int) -> bytes | None:
    """Return the bytes of the lines of a raw file, as it lies there, None if they are more than so many.

    Raises:
        Unreadable: It is something that isn't read here.
        Damaged: It is cut off or not what it begins as; also one of gzip's errors.
    """
    head = data[:HEAD_BYTES]
    if not is_as_it_lies(head):
        return read_all(lines_of(io.BytesIO(data), lambda _: io.BytesIO(data)), most)
    _refuse(head, "is")
    return data if len(data) <= most else None


def _member(name: str, stream: Readable, archive: str, *, careful: bool) -> Readable:
    """Return the bytes of the lines of an archive's member, which may be compressed itself."""
    peeked = _uncompressed(Peeked(stream), careful=careful)
    head = peeked.peek(HEAD_BYTES)
    what = f"is a {archive} archive, whose member {name} is"
    if _is_tar(head) or ZIPPED.match(head):
        raise Unreadable(f"{what} an archive itself, which can't be read here. Unpack it, then run again.")
    _refuse(head, what)
    return _in_utf_8(peeked)


def _uncompressed(peeked: Peeked, *, careful: bool) -> Peeked:
    found = _compression(peeked.peek(HEAD_BYTES))
    if not found:
        return peeked
    if found is GZIP and careful:
        stream = gzip.GzipFile(fileobj=peeked)
        return Peeked(Pieces(iter(lambda: stream.read1(PIECE_BYTES), b"")))
    return Peeked(found.opened(peeked))


def _compression(head: bytes) -> Compression | None:
    return next((each for each in COMPRESSIONS if each.begins.match(head)), None)


def _is_tar(head: bytes) -> bool:
    if b"\0" not in head:
        return False
    from etl.raw.archives import is_tar  # noqa: PLC0415 - seldom needed

    return is_tar(head)


def _refuse(head: bytes, what: str) -> None:
    """Raise Unreadable if a stream that begins so is something that isn't read here."""
    for kind, begins in REFUSED.items():
        if begins.match(head):
            raise Unreadable(
                f"{what} {kind}, which can't be read here. Have it as text, plain or in gzip, bzip2, xz, zstd, "
                "tar or zip, then run again."
            )


def _in_16_bits(head: bytes) -> str | None:
    """Return the encoding of text in UTF-16, by its byte order mark or four letters of ASCII; None of others."""
    marked = next((encoding for mark, encoding in BOMS_16.items() if head.startswith(mark)), None)
    return marked or next((encoding for encoding, begins in ASCII_IN_16.items() if begins.match(head)), None)


def _in_utf_8(peeked: Peeked) -> Readable:
    """Return text without its byte order mark, and in UTF-8 where it is in UTF-16."""
    head = peeked.peek(HEAD_BYTES)
    if head.startswith(BOM_8):
        peeked.skip(len(BOM_8))
    encoding = _in_16_bits(head)
    if not encoding:
        return peeked
    if head.startswith(tuple(BOMS_16)):
        peeked.skip(len(codecs.BOM_UTF16_LE))
    return Pieces(_transcoded(peeked, encoding))


def _transcoded(stream: Readable, encoding: str) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    for piece in pieces(stream):
        if text := decoder.decode(piece):
            yield text.encode()
    if text := decoder.decode(b"", final=True):
        yield text.encode()


def _decompressed(
    stream: Readable,
    kind: str,
    new: Callable[[], Decompressor],
    errors: tuple[type[Exception], ...],
    padding: bytes = b"",
) -> Iterator[bytes]:
    """Yield what is in compressed streams, one after the other, with padding after each."""
    data = stream.read(PIECE_BYTES) or b""
    while data:
        one = new()
        while not one.eof:
            if one.needs_input and not data:
                data = stream.read(PIECE_BYTES) or b""
                if not data:
                    raise Damaged(kind, "it ends too soon")
            try:
                piece = one.decompress(data, max_length=PIECE_BYTES)
            except errors as error:
                raise Damaged(kind, error) from error
            data = b""
            if piece:
                yield piece
        data = one.unused_data.lstrip(padding)
        while not data and (more := stream.read(PIECE_BYTES)):
            data = more.lstrip(padding)


def _zstd_pieces(stream: Readable) -> Iterator[bytes]:
    decompressed = pa.CompressedInputStream(pa.PythonFile(stream, "r"), "zstd")
    while True:
        try:
            piece = decompressed.read(PIECE_BYTES)
        except OSError as error:
            if error.errno is not None:  # of the file below it
                raise
            raise Damaged(ZSTD.kind, error) from error
        if not piece:
            return
        yield piece


def _not_built_in(what: str, library: str) -> Unreadable:
    return Unreadable(
        f"is {what}, and this Python was built without {library}. Use one that has it, or decompress the file, "
        "then run again."
    )
