"""Raw files: found by a pattern, on disk and on S3."""

import gzip
import hashlib
import os
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

from etl.raw.files import FilePattern, RawFile
from etl.raw.reading import RawReader
from lake.errors import ConfigError, InputError, StoreError

DAY = date(2026, 9, 7)
TEXT = b"first\nsecond\nlast without its line end"


def _touch(folder: Path, *names: str) -> None:
    for name in names:
        folder.joinpath(name).parent.mkdir(parents=True, exist_ok=True)
        folder.joinpath(name).touch()


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


def test_a_link_that_leads_nowhere_is_a_file(tmp_path: Path) -> None:
    """Its name is one of the pattern's, so it is read, which fails; one to a folder is none."""
    _touch(tmp_path, "there.log", "folder/x")
    for name, target in (("a.log", "there.log"), ("b.log", "gone.log"), ("c.log", "folder")):
        tmp_path.joinpath(name).symlink_to(target)
    found = FilePattern("*.log", tmp_path).find(DAY)
    assert [each.name for each in found] == ["a.log", "b.log", "there.log"]
    with pytest.raises(InputError, match=r"b\.log: can't be read after line 0: No such file"):
        list(RawReader(found[1]).blocks())


@pytest.mark.skipif(os.geteuid() == 0, reason="root may look everywhere")
@pytest.mark.parametrize(
    ("pattern", "closed", "mode"),
    [
        ("*/a.log", "two", 0o000),
        ("**/a.log", "two/deep", 0o300),
        ("two/*.log", "two", 0o300),
        ("two/a.log", "two", 0o600),
        ("two/{YYYY}/{MM}-{DD}.log", "two/2026", 0o000),
    ],
)
def test_a_folder_that_may_not_be_looked_into_is_not_empty(
    tmp_path: Path, pattern: str, closed: str, mode: int
) -> None:
    """It is named, with the user who may not; glob would leave its files out."""
    _touch(tmp_path, "one/a.log", "two/a.log", "two/deep/a.log", "two/2026/09-07.log")
    folder = tmp_path / closed
    folder.chmod(mode)
    try:
        with pytest.raises(StoreError, match=rf"Can't look for raw logs in {folder}: Permission denied.*user"):
            FilePattern(pattern, tmp_path).find(DAY)
    finally:
        folder.chmod(0o700)
    assert FilePattern(pattern, tmp_path).find(DAY)


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
