"""Raw files are read to their end or not at all: plain or compressed, by their first bytes."""

import gzip
import hashlib
import re
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
import xxhash

from etl.raw import reading
from etl.raw.files import RawFile
from etl.raw.reading import RawReader
from lake.errors import InputError
from lake.provenance import Content, Input

TEXT = b"first\nsecond\nlast without its line end"


def _read(path: Path) -> tuple[bytes, RawReader]:
    reader = RawReader(RawFile(path.name, str(path), None))
    return b"".join(map(bytes, reader.blocks())), reader


def _file(tmp_path: Path, data: bytes, name: str = "a.log") -> Path:
    path = tmp_path / name
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("name", ["a.log", "a.log.gz"])
@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (TEXT, TEXT),
        (gzip.compress(TEXT), TEXT),
        (gzip.compress(TEXT) + gzip.compress(b"\n" + TEXT), TEXT + b"\n" + TEXT),
        (gzip.compress(TEXT) + b"\0" * 512, TEXT),
        (gzip.compress(b""), b""),
        (b"", b""),
        (b"\x1f", b"\x1f"),
    ],
    ids=["plain", "gzip", "members", "padded", "empty gzip", "empty", "half a magic number"],
)
@pytest.mark.parametrize("block_bytes", [5, 4 << 20])
def test_a_file_is_read_by_its_first_bytes_whatever_its_name(  # noqa: PLR0913 - one example's parts
    *, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, raw: bytes, text: bytes, block_bytes: int
) -> None:
    """Plain or gzip of any number of members, with the number of its lines, and its size and digest as it is."""
    monkeypatch.setattr(reading, "BLOCK_BYTES", block_bytes)
    found, reader = _read(_file(tmp_path, raw, name))
    assert found == text
    assert reader.lines == len(text.splitlines())
    content = Content(len(text), xxhash.xxh3_64(text).hexdigest(), zlib.crc32(text))
    assert reader.input() == Input(name, len(raw), hashlib.sha256(raw).hexdigest(), content=content)


GZIPPED = gzip.compress(b"".join(b"%d\n" % n for n in range(10_000)), mtime=0)


@pytest.mark.parametrize(
    ("raw", "at_least"),
    [
        pytest.param(GZIPPED[:-1000], 9000, id="cut off"),
        pytest.param(GZIPPED[:-3], 9900, id="cut off in its trailer"),
        pytest.param(GZIPPED[:5], 0, id="cut off in its header"),
        pytest.param(GZIPPED + b"garbage", 9900, id="garbage behind"),
        pytest.param(GZIPPED + GZIPPED[:50], 9900, id="second member cut off"),
        pytest.param(GZIPPED[:-8] + b"\0\0\0\0" + GZIPPED[-4:], 9900, id="wrong checksum"),
        pytest.param(GZIPPED[:9000] + b"\xff" * 50 + GZIPPED[9050:], 1, id="damaged inside"),
    ],
)
def test_a_damaged_gzip_stream_is_named_with_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, raw: bytes, at_least: int
) -> None:
    """Cut off, damaged or followed by garbage: an InputError with file, last line read and next step."""
    monkeypatch.setattr(reading, "BLOCK_BYTES", 100)
    path = _file(tmp_path, raw)
    reader = RawReader(RawFile("logs/a.log", str(path), None))
    with pytest.raises(InputError, match="Copy the file again") as caught:
        list(reader.blocks())
    place = re.match(
        r"logs/a.log: the gzip stream is cut off or damaged after line ([0-9,]+) \(", str(caught.value)
    )
    assert place
    assert at_least <= int(place[1].replace(",", "")) <= 20_000


@pytest.mark.parametrize("make", [lambda _: None, Path.mkdir], ids=["gone", "a folder"])
def test_an_unreadable_file_is_named(tmp_path: Path, make: Callable[[Path], None]) -> None:
    """A file that can't be opened is an InputError with its name and what to check."""
    make(tmp_path / "a.log")
    with pytest.raises(InputError, match=r"a.log: can't be read after line 0: .*Check that it is there"):
        _read(tmp_path / "a.log")


def test_input_asks_to_read_first(tmp_path: Path) -> None:
    """There is nothing to say before the file was read, and no digest where none was wanted."""
    tmp_path.joinpath("a").write_bytes(b"line\n")
    file = RawFile("a", str(tmp_path / "a"), None)
    unread, undigested = RawReader(file), RawReader(file, digests=False)
    assert [bytes(block) for block in undigested.blocks()] == [b"line\n"]
    assert undigested.input().sha256 is None
    with pytest.raises(AssertionError, match="read first"):
        unread.input()


@pytest.mark.parametrize("buffers", [1, 2, 3])
def test_a_block_stays_until_its_buffer_is_read_into_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, buffers: int
) -> None:
    """So those before the one that is being read can be in use; what follows a block is free to be changed."""
    monkeypatch.setattr(reading, "BLOCK_BYTES", 1000)
    data = b"".join(b"%d\n" % n * (n % 400 or 1) for n in range(2000))
    path = _file(tmp_path, data)
    kept: list[tuple[memoryview, bytes]] = []
    for block in RawReader(RawFile(path.name, str(path), None)).blocks(buffers):
        kept.append((block, bytes(block)))
        block.obj[len(block)] = ord("X")  # type: ignore[attr-defined, index] # it lies in a bytearray
        assert all(bytes(lent) == read for lent, read in kept[-buffers:])
    assert b"".join(read for _, read in kept) == data
