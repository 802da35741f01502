"""Raw files, streamed in blocks of whole lines: plain or compressed, by their first bytes."""

import hashlib
import io
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any, cast

import numpy as np

from etl.kernel.layout import MAX_LINE_BYTES, PADDING
from etl.raw.content import ContentDigest
from etl.raw.fetched import Fetched
from etl.raw.files import RawFile
from etl.raw.opening import DAMAGE, GZIP, READ_BYTES, lines_in_memory, lines_of
from etl.raw.streams import Damaged, Pieces, Readable, Unreadable, pieces, read_all
from lake.errors import InputError
from lake.provenance import Input
from lake.store.protocol import S3_SCHEME

BLOCK_BYTES = 4 << 20
LINE_FEED = ord("\n")
_idle_buffers: list[bytearray] = []


class _Digesting(io.RawIOBase):
    """Passes a stream's bytes on and keeps their number, and their digest if that is wanted."""

    def __init__(self, stream: Readable, *, digests: bool) -> None:
        self.stream = stream
        self.digest = hashlib.sha256() if digests else None
        self.bytes = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - any writable buffer
        size = self.stream.readinto(buffer) or 0
        self.note(memoryview(buffer)[:size])
        return size

    def note(self, data: bytes | memoryview) -> None:
        """Add the next bytes."""
        if self.digest:
            self.digest.update(data)
        self.bytes += len(data)


def lines_in(block: memoryview) -> int:
    """Return how many lines a block has; counted piece by piece, for the processor's cache."""
    data = np.frombuffer(block, np.uint8)
    pieces = (data[n : n + READ_BYTES] for n in range(0, len(data), READ_BYTES))
    return sum(int(np.count_nonzero(each == LINE_FEED)) for each in pieces) + bool(data[-1] != LINE_FEED)


class RawReader:
    """Reads a raw file, plain, compressed or an archive by its first bytes, in blocks of whole lines.

    Attributes:
        lines: How many lines were read so far.
        content: What was read so far.
        is_cut: Whether its last line lacks its end.
    """

    def __init__(
        self,
        file: RawFile,
        endpoint_url: str | None = None,
        lines_in: Callable[[memoryview], int] = lines_in,
        *,
        digests: bool = True,
        fetched: Fetched | None = None,
    ) -> None:
        """Take a file to read.

        Args:
            file: It.
            endpoint_url: Of S3.
            lines_in: Counts the lines of a block.
            digests: Whether `input` will be asked for.
            fetched: Who may have its bytes already.
        """
        self.file = file
        self._endpoint_url = endpoint_url
        self._lines_in = lines_in
        self._digests = digests
        self._fetched = fetched
        self._source: _Digesting | None = None
        self.lines = 0
        self.content = ContentDigest()
        self.is_cut = False

    def blocks(self, buffers: int = 1) -> Iterator[memoryview]:
        """Yield the bytes of the file's lines, cut after line ends; only the last may lack its LF.

        A line longer than MAX_LINE_BYTES is cut to one byte more. Memory is bounded by the block's size: a
        block lies in a buffer that is read into again so many blocks later, with PADDING bytes after it.

        Args:
            buffers: How many blocks may be in use, the one that is being read among them.

        Raises:
            InputError: The file can't be read to its end, is cut off or damaged, or is nothing that is read here.
        """
        with self._named(), self._open() as stream:
            for block in whole_lines(stream, buffers):
                self.lines += self._lines_in(block)
                self.content.update(block)
                self.is_cut = block[-1] != LINE_FEED
                yield block

    def whole(self, most: int) -> bytes | None:
        """Return the bytes of the file's lines, None if they are more than so many, at most MAX_LINE_BYTES.

        Raises:
            InputError: As `blocks` does.
        """
        with self._named():
            with self._open_raw() as raw:
                data = read_all(raw, most)
            found = data if data is None else lines_in_memory(data, most)
        if data is None or found is None:
            return None
        self._source = _Digesting(io.BytesIO(), digests=self._digests)
        self._source.note(data)
        self.is_cut = bool(found) and found[-1] != LINE_FEED
        self.lines = found.count(b"\n") + self.is_cut
        self.content.update(memoryview(found))
        return found

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Turn what goes wrong while the file is read into an InputError with the next step."""
        try:
            yield
        except Unreadable as error:
            raise InputError(f"{self.file.name} {error}") from error
        except DAMAGE as error:
            kind = error.kind if isinstance(error, Damaged) else GZIP.kind
            lines, cause = self._damage()
            raise InputError(
                f"{self.file.name}: the {kind} is cut off or damaged after line {lines:,} "
                f"({cause or error}). Copy the file again, then run again."
            ) from error
        except OSError as error:
            raise InputError(
                f"{self.file.name}: can't be read after line {self.lines:,}: {error.strerror or error}. "
                "Check that it is there and its permissions, then run again."
            ) from error

    def input(self) -> Input:
        """Return name, size, content, and digest if that was wanted, once `blocks` has come to its end."""
        if self._source is None:
            raise AssertionError("read first")
        digest = self._source.digest.hexdigest() if self._source.digest else None
        return Input(self.file.name, self._source.bytes, digest, content=self.content.content())

    @contextmanager
    def _open(self) -> Iterator[Readable]:
        with self._open_raw() as raw, ExitStack() as copies:
            self._source = _Digesting(raw, digests=self._digests)
            yield self._lines(self._source, raw, copies)

    def _lines(self, stream: Readable, raw: io.RawIOBase, copies: ExitStack, *, careful: bool = False) -> Readable:
        """Return the bytes of the file's lines; see lines_of."""
        if self.file.table:
            return Pieces(self.file.table.lines(_seekable(stream, raw, copies)))
        return lines_of(stream, lambda stream: _seekable(stream, raw, copies), careful=careful)

    def _damage(self) -> tuple[int, Exception | None]:
        """Return how many whole lines of a damaged file can be read, and what is wrong after them.

        It is read again, slower, by what gives all that it has before it gives up.
        """
        lines = 0
        with self._open_raw() as raw, ExitStack() as copies:
            try:
                for data in pieces(self._lines(raw, raw, copies, careful=True)):
                    lines += data.count(b"\n")
            except (Unreadable, OSError) as error:
                return lines, error
            except DAMAGE as error:
                return lines, error
        return lines, None

    @contextmanager
    def _open_raw(self) -> Iterator[io.RawIOBase]:
        if not self.file.location.startswith(S3_SCHEME):
            with Path(self.file.location).open("rb", buffering=0) as file:
                yield file
            return
        fetched = self._fetched.take(self.file) if self._fetched else None
        if fetched:
            yield cast("io.RawIOBase", fetched)  # which has all that is asked of one
            return
        from etl.raw import s3  # noqa: PLC0415 - boto3 takes long to import

        with s3.opened(self.file.location, self._endpoint_url) as body:
            yield body


def whole_lines(stream: Readable, buffers: int = 1) -> Iterator[memoryview]:
    """Yield a stream's bytes in blocks that end with a line; see RawReader.blocks."""
    with ExitStack() as lent:
        most = MAX_LINE_BYTES + 1 + BLOCK_BYTES + PADDING
        rest = b""  # of a line whose end is not read yet
        for buffer in cycle([lent.enter_context(_buffer(most)) for _ in range(buffers)]):
            view, begun = memoryview(buffer), len(rest)
            view[:begun] = rest
            end = _fill(stream, view, begun, begun + BLOCK_BYTES)
            if end == begun:
                break
            size = buffer.rfind(b"\n", begun, end) + 1
            # before the block is lent out: who has it may change what follows
            rest = bytes(view[size : min(end, size + MAX_LINE_BYTES + 1)])
            if size:
                yield view[:size]
        if begun:
            yield view[:begun]


@contextmanager
def _buffer(size: int) -> Iterator[bytearray]:
    """Lend a buffer: a new one for each of many small files would cost more than reading them."""
    try:
        buffer = _idle_buffers.pop()
    except IndexError:
        buffer = bytearray(size)
    try:
        yield buffer if len(buffer) == size else bytearray(size)
    finally:
        _idle_buffers.append(buffer)


def buffer_of(block: memoryview) -> bytearray:
    """Return what a block lies in, to be searched, or written to where the block ends."""
    if not isinstance(block.obj, bytearray):
        raise TypeError("a block lies in a bytearray")
    return block.obj


def _fill(stream: Readable, view: memoryview, begin: int, end: int) -> int:
    """Read into `view[begin:end]` until it is full or the stream ends, and return where."""
    while begin < end and (size := stream.readinto(view[begin:end])):
        begin += size
    return begin


def _seekable(stream: Readable, raw: io.RawIOBase, copies: ExitStack) -> IO[bytes]:
    """Return a stream's bytes as what can be sought in: the file itself, or a copy of an object on S3."""
    if raw.seekable():
        for _ in pieces(stream):  # all of it has to be digested
            pass
        raw.seek(0)
        return cast("IO[bytes]", raw)
    copy = copies.enter_context(TemporaryFile())  # noqa: SIM115 - it is
    copy.writelines(pieces(stream))
    copy.seek(0)
    return copy
