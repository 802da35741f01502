"""The members of tar and zip archives, each as a stream, in the order in which they lie there.

What isn't a regular file is passed over, and so is what macOS adds beside one. Memory is bounded whatever an
archive says of its members. Formats: POSIX.1-2001 (ustar and pax) with GNU's long names; PKWARE's APPNOTE 6.3,
with members that are stored or deflated.
"""

import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import IO, Any, cast

from etl.raw.streams import PIECE_BYTES, Damaged, Pieces, Readable, Unreadable

TAR, ZIP = "tar archive", "zip archive"
BLOCK = 512
MAGICS = (b"ustar\x00", b"ustar  \x00")
MAGIC_AT = 257
MOST_HEADER_BYTES = 1 << 20  # of a tar member's long name and pax records
MOST_DIRECTORY_BYTES = 16 << 20  # of a zip, some 200,000 members
LONG_NAME, PAX = (tarfile.GNUTYPE_LONGNAME,), (tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE)
PASSED_OVER = (tarfile.GNUTYPE_LONGLINK, tarfile.XGLTYPE)  # of links and of all members: nothing that matters here
END_BYTES = 1 << 17  # in which a zip's end is looked for, with a comment of 64 KiB
IS_ENCRYPTED = 1
ZIP_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    OverflowError,
    RuntimeError,
    ValueError,
)
"""What zipfile raises of bytes that are no archive, or one of a newer kind."""
Member = tuple[str, Readable]
"""Its name, and its bytes; they have to be read before the next one is asked for, or are passed over."""


def is_tar(head: bytes) -> bool:
    """Tell whether a stream with these first 512 bytes is a tar archive.

    Beside the header's checksum it has to have a magic number with a NUL, or nothing but NULs in its place, as the
    first archives do: a server that writes a log can't be made to write those by who sends requests.
    """
    if len(head) < BLOCK or not (head[MAGIC_AT:].startswith(MAGICS) or not any(head[MAGIC_AT:BLOCK])):
        return False
    try:
        tarfile.TarInfo.frombuf(head[:BLOCK], "utf-8", "backslashreplace")
    except tarfile.HeaderError:
        return False
    return True


def tar_members(stream: Readable) -> Iterator[Member]:
    """Yield the members of a tar archive, or of several one after the other.

    Raises:
        Damaged: It is cut off, or has no header where one has to be.
        Unreadable: A member is stored without its holes.
    """
    for header, said in _tar_headers(stream):
        name, size = said.get("path", header.name), _size(said.get("size", header.size))
        if header.type == tarfile.GNUTYPE_SPARSE or any(key.startswith("GNU.sparse") for key in said):
            raise Unreadable(
                f"is a tar archive, whose member {name} is stored without its holes, which can't be read here. "
                "Unpack it, then run again."
            )
        data = Pieces(_part(stream, size))
        if header.isreg() and not _is_of_macos(name):
            yield name, data
        if header.isreg() or header.type not in tarfile.SUPPORTED_TYPES:
            while data.read(PIECE_BYTES):
                pass
            _exactly(stream, -size % BLOCK)


def _tar_headers(stream: Readable) -> Iterator[tuple[tarfile.TarInfo, Mapping[str, str]]]:
    """Yield each member's header, and what extension headers before it say; then its data have to be read.

    It goes on behind an archive's end, since there may be another one.
    """
    said: dict[str, str] = {}
    has_end = False
    while block := _exactly(stream, BLOCK, or_nothing=True):
        has_end = not any(block)
        if has_end:
            continue
        try:
            header = tarfile.TarInfo.frombuf(block, "utf-8", "backslashreplace")
        except tarfile.HeaderError as error:
            raise Damaged(TAR, error) from error
        if header.type in LONG_NAME:
            said["path"] = _text(_extension(stream, header.size)).rstrip("\0")
        elif header.type in PAX:
            said |= _records(_extension(stream, header.size))
        elif header.type in PASSED_OVER:
            _extension(stream, header.size)
        else:
            yield header, said
            said = {}
    if not has_end:
        raise Damaged(TAR, "it lacks its end")


def zip_members(file: IO[bytes]) -> Iterator[Member]:
    """Yield the members of a zip archive, which has to be seekable.

    Raises:
        Damaged: It has no directory, or not the one that it should have.
        Unreadable: A member is encrypted, or compressed in a way that isn't read here.
    """
    try:
        archive = zipfile.ZipFile(cast("IO[bytes]", _Directory(file)))
    except ZIP_ERRORS as error:
        raise Damaged(ZIP, error) from error
    with archive:
        found = archive.infolist()
        if min((each.header_offset for each in found), default=0):
            raise Damaged(ZIP, "its directory lacks what comes first")
        for each in found:
            is_link = stat.S_ISLNK(each.external_attr >> 16)
            if each.is_dir() or is_link or _is_of_macos(each.filename):
                continue
            what = None
            if each.flag_bits & IS_ENCRYPTED:
                what = "encrypted"
            elif each.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
                what = f"compressed by method {each.compress_type}"
            if what:
                raise Unreadable(
                    f"is a zip archive, whose member {each.filename} is {what}, which can't be read here. "
                    "Unpack it, then run again."
                )
            yield each.filename, Pieces(_unzipped(archive, each))


class _Directory:
    """A seekable file for `zipfile`, which reads a directory of any size into memory at once."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable

    def read(self, size: int = -1) -> bytes:
        """Return so many bytes, or some of the last ones, where its end is looked for; ValueError if too many."""
        if size > MOST_DIRECTORY_BYTES:
            raise ValueError(f"its directory has more than {MOST_DIRECTORY_BYTES:,} bytes")
        return self._file.read(size if size >= 0 else END_BYTES)


def _unzipped(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Iterator[bytes]:
    try:
        with archive.open(member) as stream:
            while piece := stream.read(PIECE_BYTES):
                yield piece
    except ZIP_ERRORS as error:
        raise Damaged(ZIP, f"{member.filename}: {error}") from error


def _part(stream: Readable, size: int) -> Iterator[bytes]:
    """Yield so many bytes of a tar archive."""
    while size:
        piece = stream.read(min(size, PIECE_BYTES))
        if not piece:
            raise Damaged(TAR, "it ends within a member")
        size -= len(piece)
        yield piece


def _exactly(stream: Readable, size: int, *, or_nothing: bool = False) -> bytes:
    """Return so many bytes of a tar archive, or none at its end, where it may be."""
    found = b""
    while len(found) < size and (more := stream.read(size - len(found))):
        found += more
    if len(found) < size and (found or not or_nothing):
        raise Damaged(TAR, "it ends within a block")
    return found


def _extension(stream: Readable, size: int) -> bytes:
    """Return what an extension header says."""
    if not 0 <= size <= MOST_HEADER_BYTES:
        raise Damaged(TAR, f"a header of {size:,} bytes, more than {MOST_HEADER_BYTES:,}")
    return _exactly(stream, size + -size % BLOCK)[:size]


def _records(data: bytes) -> dict[str, str]:
    """Return pax' records: `LENGTH KEY=VALUE` and a LF each."""
    found: dict[str, str] = {}
    while data.rstrip(b"\0"):
        length, _, _ = data.partition(b" ")
        size = int(length) if length.isdigit() else 0
        key, equals, value = data[len(length) + 1 : size - 1].partition(b"=")
        if not equals or data[size - 1 : size] != b"\n":
            raise Damaged(TAR, "a pax header that can't be read")
        found[_text(key)] = _text(value)
        data = data[size:]
    return found


def _size(said: Any) -> int:  # noqa: ANN401 - a number, or a pax header's text
    """Return a member's size."""
    try:
        size = int(said)
    except ValueError:
        size = -1
    if size < 0:
        raise Damaged(TAR, f"a member of {said} bytes")
    return size


def _text(data: bytes) -> str:
    return data.decode("utf-8", "backslashreplace")


def _is_of_macos(name: str) -> bool:
    """Tell whether a member holds attributes that macOS adds to archives, and no log."""
    path = PurePosixPath(name)
    return path.name.startswith("._") or path.name == ".DS_Store" or "__MACOSX" in path.parts
