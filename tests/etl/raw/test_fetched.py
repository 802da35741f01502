"""Small objects on S3: each is fetched once, ahead of who takes it, and what is wrong is said to that one."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from s3_servers import client, make_bucket

from etl.raw.fetched import AHEAD, SMALL_BYTES, THREADS, Fetched
from etl.raw.files import FilePattern, RawFile
from etl.raw.reading import RawReader
from lake.errors import StoreError

COUNT = THREADS + AHEAD + 4


@pytest.fixture(scope="session")
def bucket(moto_url):
    """Return a bucket with objects of one line each."""
    name = "fetched"
    make_bucket(moto_url, name)
    for n in range(COUNT):
        client(moto_url).put_object(Bucket=name, Key=f"{n:03}.log", Body=b"line %d\n" % n)
    return name


@pytest.fixture
def files(bucket, faulty_s3, tmp_path, monkeypatch):
    """Return the objects, found through a server that counts."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    found = FilePattern(f"s3://{bucket}/*.log", tmp_path, faulty_s3.url).find(None)
    faulty_s3.requests.clear()
    return found


def read(file, endpoint_url, fetched):
    """Return a file's bytes."""
    return b"".join(map(bytes, RawReader(file, endpoint_url, fetched=fetched).blocks()))


def test_each_is_fetched_once_and_taken_by_its_reader(files, faulty_s3):
    """In whichever order and by however many threads they are read; so many at most wait."""
    with Fetched(files, faulty_s3.url) as fetched, ThreadPoolExecutor(3) as pool:
        assert read(files[1], faulty_s3.url, fetched) == b"line 1\n"
        assert len([each for each, _ in faulty_s3.requests if each.wants_object]) <= AHEAD
        order = [files[0], *files[2:]]
        texts = list(pool.map(lambda file: read(file, faulty_s3.url, fetched), order))
        assert texts == [b"line %d\n" % n for n in (0, *range(2, COUNT))]
        assert len(faulty_s3.requests) == COUNT
        assert read(files[0], faulty_s3.url, fetched) == b"line 0\n"  # again, by a request of its own
    assert len(faulty_s3.requests) == COUNT + 1


def test_what_is_wrong_with_one_is_said_to_its_reader(files, bucket, faulty_s3, moto_url):
    """It alone fails; and who stops in the middle leaves no thread that fetches."""
    s3, key = client(moto_url), files[5].location.removeprefix(f"s3://{bucket}/")
    s3.delete_object(Bucket=bucket, Key=key)
    with Fetched(files, faulty_s3.url) as fetched:
        assert read(files[4], faulty_s3.url, fetched) == b"line 4\n"
        with pytest.raises(StoreError, match=r"005\.log"):
            read(files[5], faulty_s3.url, fetched)
        assert read(files[6], faulty_s3.url, fetched) == b"line 6\n"
    s3.put_object(Bucket=bucket, Key=key, Body=b"line 5\n")
    count = len(faulty_s3.requests)
    assert count < COUNT
    assert read(files[7], faulty_s3.url, None) == b"line 7\n"
    assert len(faulty_s3.requests) == count + 1


def test_large_ones_a_single_one_and_those_on_disk_are_streamed(files, tmp_path):
    """Nothing is fetched of what is read as it comes."""
    large = [RawFile(each.name, each.location, None, (SMALL_BYTES + 1, "")) for each in files]
    on_disk = [RawFile(each.name, str(tmp_path / each.name), None) for each in files]
    for some in (large, files[:1], on_disk):
        with Fetched(some, None) as fetched:
            assert fetched.take(some[0]) is None
