"""Raw files: found by a pattern, on disk and on S3, and read to their end or not at all."""

import gzip
import hashlib
import re
import zlib
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path

import boto3
import pytest
import xxhash
from moto.server import ThreadedMotoServer

from etl.raw import files as raw_files
from etl.raw.files import FilePattern, RawFile, RawReader
from lake.errors import ConfigError, InputError, StoreError
from lake.provenance import Content

DAY = date(2026, 9, 7)
TEXT = b"first\nsecond\nlast without its line end"


def _touch(folder: Path, *names: str) -> None:
    for name in names:
        folder.joinpath(name).parent.mkdir(parents=True, exist_ok=True)
        folder.joinpath(name).touch()


def _read(path: Path) -> tuple[bytes, RawReader]:
    reader = RawReader(RawFile(path.name, str(path), None))
    return b"".join(map(bytes, reader.blocks())), reader


def _file(tmp_path: Path, data: bytes, name: str = "a.log") -> Path:
    path = tmp_path / name
    path.write_bytes(data)
    return path


FILES = (
    "2026/09/07/00.log",
    "2026/09/07/13.log",
    "2026/09/07/31.log",
    "2026/09/08/00.log",
    "access.log",
    "access.log-20260907.gz",
    "access.log-20260908.gz",
    "access.log-20260907/inner.log",
    "deep/a/b/2026-09-07.log",
    "deep/2026-09-07.log",
    "<MM>/2026-09-07.txt",
)


@pytest.mark.parametrize(
    ("pattern", "names", "is_dated"),
    [
        ("access.log-{YYYY}{MM}{DD}.gz", ["access.log-20260907.gz"], True),
        ("{YYYY}/{MM}/{DD}/{HH}.log", ["2026/09/07/00.log", "2026/09/07/13.log"], True),
        ("{YYYY}/{MM}/{DD}/*", ["2026/09/07/00.log", "2026/09/07/13.log", "2026/09/07/31.log"], True),
        ("{YYYY}/{MM}/{DD}/[!0]?.log", ["2026/09/07/13.log", "2026/09/07/31.log"], True),
        ("deep/**/{YYYY}-{MM}-{DD}.log", ["deep/2026-09-07.log", "deep/a/b/2026-09-07.log"], True),
        ("access.log-20{YY}{MM}{DD}.gz", ["access.log-20260907.gz"], True),
        ("access.log", ["access.log"], False),
        ("access.log*", ["access.log", "access.log-20260907.gz", "access.log-20260908.gz"], False),
        ("*/2026-09-07.log", ["deep/2026-09-07.log"], False),
        ("none-{YYYY}{MM}{DD}", [], True),
        ("<MM>/{YYYY}-{MM}-{DD}.txt", ["<MM>/2026-09-07.txt"], True),
    ],
)
class TestFind:
    """The same pattern finds the same files on disk and on S3."""

    def test_on_disk(self, tmp_path: Path, pattern: str, names: list[str], *, is_dated: bool) -> None:
        """A day's files, in order, named as the pattern names them: relative to luigi.cfg."""
        _touch(tmp_path, *FILES)
        found = FilePattern(pattern, tmp_path).find(DAY)
        own_day = DAY if is_dated else None
        assert found == [RawFile(name, str(tmp_path / name), own_day) for name in names]

    def test_on_disk_by_absolute_path(
        self, tmp_path: Path, pattern: str, names: list[str], *, is_dated: bool
    ) -> None:
        """An absolute pattern finds them from any folder, and names them by their absolute paths."""
        _touch(tmp_path, *FILES)
        found = FilePattern(f"{tmp_path}/{pattern}", Path("/elsewhere")).find(DAY)
        assert [file.name for file in found] == [str(tmp_path / name) for name in names]
        assert all(bool(file.day) == is_dated for file in found)

    def test_on_s3(self, s3_endpoint: str, pattern: str, names: list[str], *, is_dated: bool) -> None:
        """Named by URL; a star stays within a folder, and what other tools use as a folder is no file."""
        found = FilePattern(f"s3://logs/raw/{pattern}", Path("/elsewhere"), s3_endpoint).find(DAY)
        assert [file.location for file in found] == [f"s3://logs/raw/{name}" for name in names]
        assert all(file.name == file.location and bool(file.day) == is_dated for file in found)

    def test_below_a_root(
        self, tmp_path: Path, s3_endpoint: str, pattern: str, names: list[str], *, is_dated: bool
    ) -> None:
        """Named relative to it, wherever it is: also if it is relative to luigi.cfg itself."""
        _touch(tmp_path / "mounted", *FILES)
        for root in (
            str(tmp_path / "mounted"),
            f"{tmp_path}/mounted/",
            "mounted",
            "s3://logs/raw",
            "s3://logs/raw/",
        ):
            files = FilePattern(pattern, tmp_path, s3_endpoint, root)
            found = files.find(DAY)
            assert [file.name for file in found] == names
            below = root.rstrip("/") if "://" in root else str(tmp_path / "mounted")
            assert [file.location for file in found] == [f"{below}/{name}" for name in names]
            assert all(bool(file.day) == is_dated for file in found)
            find = files.finder(DAY - timedelta(days=400), DAY + timedelta(days=400))
            assert find(DAY) == found

    def test_of_many_days_on_s3(self, s3_endpoint: str, pattern: str, names: list[str], *, is_dated: bool) -> None:
        """One listing finds for each day what a look for that day does, and nothing for a day without files."""
        files = FilePattern(f"s3://logs/raw/{pattern}", Path("/elsewhere"), s3_endpoint)
        find = files.finder(DAY - timedelta(days=400), DAY + timedelta(days=400))
        assert [file.location for file in find(DAY)] == [f"s3://logs/raw/{name}" for name in names]
        assert all(bool(file.day) == is_dated for file in find(DAY))
        for day in (DAY - timedelta(days=1), DAY, DAY + timedelta(days=1)):
            assert find(day) == files.find(day)


@pytest.fixture(scope="module")
def s3_endpoint() -> Iterator[str]:
    """The URL of an S3 server with the bucket `logs`, which has FILES, two folder markers, and a log."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "test")
        patch.setenv("AWS_REGION", "us-east-1")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
        server.start()
        endpoint = "http://{}:{}".format(*server.get_host_and_port())
        client = boto3.client("s3", endpoint_url=endpoint)
        client.create_bucket(Bucket="logs")
        for name in (*FILES, "2026/09/07/", "access.log.d/"):
            client.put_object(Bucket="logs", Key=f"raw/{name}", Body=b"")
        client.put_object(Bucket="logs", Key="a.log.gz", Body=gzip.compress(TEXT, mtime=0))
        yield endpoint
        client.close()
        server.stop()


def test_a_file_on_s3_is_read_as_one_on_disk(s3_endpoint: str) -> None:
    """Decompressed, with the digest and size of the object's bytes."""
    (file,) = FilePattern("s3://logs/a.log*", Path("/elsewhere"), s3_endpoint).find(DAY)
    reader = RawReader(file, s3_endpoint)
    assert b"".join(map(bytes, reader.blocks())) == TEXT
    raw = gzip.compress(TEXT, mtime=0)
    found = reader.input()
    assert (found.name, found.bytes) == ("s3://logs/a.log.gz", len(raw))
    assert found.sha256 == hashlib.sha256(raw).hexdigest()


def test_a_bucket_that_is_not_there_is_named(s3_endpoint: str) -> None:
    """Looking for files and reading one both say which bucket, and what to do."""
    url = "s3://nowhere/a.log"
    with pytest.raises(StoreError, match=r"s3://nowhere/a.log.*NoSuchBucket"):
        FilePattern(url, Path("/elsewhere"), s3_endpoint).find(DAY)
    with pytest.raises(StoreError, match=r"s3://nowhere/a.log.*NoSuchBucket"):
        list(RawReader(RawFile(url, url, None), s3_endpoint).blocks())


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("a-{YYY}.log", r"files = a-\{YYY\}.log: \{YYY\} means nothing here, use \{YYYY\}, \{YY\}, \{MM\}"),
        ("a-{yyyy}{MM}{DD}", r"\{yyyy\} means nothing"),
        ("a-{}", r"\{\} means nothing"),
        ("a-%Y%m%d.log", "'%' means nothing"),
        ("a-{YYYY}{MM}.log", r"needs \{YYYY\} \(or \{YY\}\), \{MM\} and \{DD\}"),
        ("a-{HH}.log", r"needs \{YYYY\} \(or \{YY\}\), \{MM\} and \{DD\}"),
    ],
)
def test_a_pattern_that_cannot_be_meant_is_refused(pattern: str, message: str) -> None:
    """Unknown placeholders, strftime's, and half a date: said with the pattern and what is allowed."""
    with pytest.raises(ConfigError, match=message):
        FilePattern(pattern, Path("/elsewhere"))


@pytest.mark.parametrize(
    ("pattern", "root", "message"),
    [
        ("/var/a.log", "/var", "files = /var/a.log: expected a path relative to root = /var"),
        ("~/a.log", "/var", "expected a path relative to root"),
        ("s3://logs/a.log", "/var", "expected a path relative to root"),
        (
            "a.log",
            "/var/{YYYY}",
            r"root = /var/\{YYYY\}: expected a folder or s3://bucket/prefix, without any pattern",
        ),
        ("a.log", "/var/*", "without any pattern"),
        ("a.log", "https://example.com", "root is a URL that can't be read here"),
        ("a.log", "s3://key:secret@logs", "root holds credentials"),
    ],
)
def test_a_root_that_cannot_be_meant_is_refused(pattern: str, root: str, message: str) -> None:
    """What is not relative to it, and what is no place."""
    with pytest.raises(ConfigError, match=message) as refused:
        FilePattern(pattern, Path("/elsewhere"), None, root)
    assert "secret" not in str(refused.value)


def test_a_folder_with_special_characters_is_no_glob(tmp_path: Path) -> None:
    """Only the pattern is one, not the folder that luigi.cfg lies in."""
    folder = tmp_path / "logs [old]*"
    _touch(folder, "a.log")
    assert [file.name for file in FilePattern("*.log", folder).find(DAY)] == ["a.log"]


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
    monkeypatch.setattr(raw_files, "BLOCK_BYTES", block_bytes)
    found, reader = _read(_file(tmp_path, raw, name))
    assert found == text
    assert reader.lines == len(text.splitlines())
    content = Content(len(text), xxhash.xxh3_64(text).hexdigest(), zlib.crc32(text))
    assert reader.input() == raw_files.Input(name, len(raw), hashlib.sha256(raw).hexdigest(), content=content)


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
    monkeypatch.setattr(raw_files, "BLOCK_BYTES", 100)
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
    monkeypatch.setattr(raw_files, "BLOCK_BYTES", 1000)
    data = b"".join(b"%d\n" % n * (n % 400 or 1) for n in range(2000))
    path = _file(tmp_path, data)
    kept: list[tuple[memoryview, bytes]] = []
    for block in RawReader(RawFile(path.name, str(path), None)).blocks(buffers):
        kept.append((block, bytes(block)))
        block.obj[len(block)] = ord("X")  # type: ignore[attr-defined, index] # it lies in a bytearray
        assert all(bytes(lent) == read for lent, read in kept[-buffers:])
    assert b"".join(read for _, read in kept) == data
