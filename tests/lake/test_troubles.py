"""What befalls single requests between a lake and its S3 server: nothing is lost, doubled or misread by it."""

import io
import random
from types import SimpleNamespace

import pytest
from faulty import EVERY_TROUBLE, Fault, Refusal, Request
from s3_servers import client

import lake.store.s3_client
from etl.raw.s3 import Stream
from lake.errors import PartitionExists, StoreError
from lake.lake import Lake
from lake.partition import Partition
from lake.store.s3 import S3Store
from lake.store.s3_client import TRIES_AGAIN, split_url, translated

pytestmark = pytest.mark.slow

KEY = "a/v1/dt=2015-05-17/rev=0/part-0.parquet"
HAS_ACTED = (Fault.LOST_REPLY, Refusal(500, "InternalError", has_acted=True), Refusal(503, has_acted=True))


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    """Has boto3 and the lake try again at once."""
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0.01)
    monkeypatch.setattr(lake.store.s3_client, "WAITS_SECONDS", (0.01,) * 6)


@pytest.fixture
def there(s3_root, moto_url, faulty_s3, s3_name):
    """A store behind the proxy, the same without it, the proxy, and whether the server checks what is put."""
    return SimpleNamespace(
        troubled=S3Store(s3_root, faulty_s3.url),
        straight=S3Store(s3_root, moto_url),
        proxy=faulty_s3,
        checks=s3_name == "seaweedfs",
    )


@pytest.fixture
def versions(s3_root, moto_url):
    """Has the bucket keep versions from now on; returns what lists those of a key."""
    bucket, prefix = split_url(s3_root)
    s3 = client(moto_url)
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    return lambda key: s3.list_object_versions(Bucket=bucket, Prefix=f"{prefix}/{key}").get("Versions", ())


def first(number, trouble, kind):
    """Return what has a trouble befall the first so many requests of a kind."""
    left = iter([trouble] * number)
    return lambda request: next(left, None) if kind == kind_of(request) else None


def kind_of(request: Request) -> str:
    """Return a request's method, or that it lists."""
    return request.method if request.method != "GET" or request.wants_object else "LIST"


@pytest.mark.parametrize("trouble", HAS_ACTED, ids=["reset", "500", "503"])
@pytest.mark.parametrize("times", [1, 2, 99])
def test_a_lost_reply_is_recognised(there, create, versions, trouble, times):
    """The server has the object and its word of it is lost: it is our own, no error, and there is no second."""
    there.proxy.refuse = first(times, trouble, "PUT")
    assert create(there.troubled, KEY, b"one") is True
    assert len(there.proxy.refused) == min(times, TRIES_AGAIN + 1)
    assert len(versions(KEY)) == 1
    assert there.straight.sha256(KEY).startswith("7692c3ad")


@pytest.mark.parametrize("trouble", HAS_ACTED, ids=["reset", "500", "503"])
def test_a_lost_reply_of_a_race_that_was_lost(there, create, versions, trouble):
    """Another was faster: the same bytes are a success that created nothing, others are refused."""
    create(there.straight, KEY, b"one")
    there.proxy.refuse = first(1, trouble, "PUT")
    assert create(there.troubled, KEY, b"one") is False
    there.proxy.refuse = first(1, trouble, "PUT")
    with pytest.raises(PartitionExists):
        create(there.troubled, KEY, b"two")
    assert len(versions(KEY)) == 1
    assert len(there.proxy.refused) == 2


@pytest.mark.parametrize("kind", ["PUT", "HEAD", "GET", "LIST"])
def test_a_trouble_is_no_failure(there, create, tmp_path, kind):
    """Whatever befalls a request twice: what comes of it is what would have come of it."""
    for n, trouble in enumerate(EVERY_TROUBLE):
        if trouble is Fault.DAMAGED and (kind == "LIST" or (kind == "PUT" and not there.checks)):
            continue  # nobody could notice
        key, content = f"{n}/{KEY}", f"{trouble} ".encode() * 100
        there.proxy.refuse = first(2, trouble, kind)
        assert create(there.troubled, key, content) is True
        assert create(there.troubled, key, content) is False
        assert there.troubled.exists(key)
        assert list(there.troubled.keys(f"{n}/", "", "~")) == [key]
        assert there.troubled.local_copy(key, tmp_path).read_bytes() == content
        assert there.troubled.sha256(key) == there.straight.sha256(key)
        assert trouble in {each for _, each in there.proxy.requests}


@pytest.mark.parametrize(
    ("trouble", "message"),
    [
        (Fault.CUT, r"part-0.parquet: \d+ read, but total bytes expected is \d+\. Check the network"),
        (Fault.DAMAGED, "its bytes came damaged.* bring the object back from a copy"),
    ],
    ids=["cut", "damaged"],
)
@pytest.mark.parametrize("size", [3, 3_000_000])
def test_a_lasting_trouble_with_a_body_is_named(there, create, tmp_path, trouble, message, size):  # noqa: PLR0913, PLR0917 - two tables
    """What never comes whole is an error, not a file with what came of it."""
    create(there.troubled, KEY, b"1" * size)
    there.proxy.refuse = first(99, trouble, "GET")
    with pytest.raises(StoreError, match=message):
        there.troubled.local_copy(KEY, tmp_path)


def test_damage_is_noticed_where_the_server_sends_no_checksum(there, create, tmp_path, monkeypatch):
    """The digest that the object was published with tells it, too."""
    monkeypatch.setenv("AWS_RESPONSE_CHECKSUM_VALIDATION", "when_required")
    store = S3Store(there.troubled.root, there.proxy.url)
    create(store, KEY, b"one")
    there.proxy.refuse = first(1, Fault.DAMAGED, "GET")
    assert store.local_copy(KEY, tmp_path).read_bytes() == b"one"
    there.proxy.refuse = first(99, Fault.DAMAGED, "GET")
    with pytest.raises(StoreError, match=r"came damaged.* There sha256 7692c3ad\w+, here "):
        store.local_copy(KEY, tmp_path)


def test_footers_are_read_through_troubles(there, publish, error_rates, day):
    """Arrow reads them, by a client of its own. Damage it can't notice: no checksum comes with a part."""
    partition = Partition("error_rate", 1, day)
    publish(Lake(there.straight), partition, error_rates(shop=1))
    expected = Lake(there.straight).footers([partition])
    for trouble in EVERY_TROUBLE:
        if trouble is not Fault.DAMAGED:
            there.proxy.refuse = first(1, trouble, "GET")
            assert Lake(there.troubled).footers([partition]) == expected
            assert trouble in {each for _, each in there.proxy.requests}


def read(there, key=KEY):
    """Return an object's bytes as a stream has them."""
    bucket, prefix = split_url(there.troubled.root)
    s3 = client(there.proxy.url)
    with translated(key), Stream(s3, bucket, f"{prefix}/{key}") as stream:
        return io.BufferedReader(stream).read()


def test_a_stream_goes_on_where_it_broke_off(there, create):
    """However often: each time only the rest is asked for, and nothing of it is there twice."""
    content = random.Random(1).randbytes(1 << 20)  # noqa: S311 - no secret
    create(there.straight, KEY, content)
    there.proxy.refuse = first(5, Fault.CUT, "GET")
    assert read(there) == content
    assert len(there.proxy.requests) == 6


def test_a_stream_that_is_cut_off_for_ever_ends(there, create):
    """With an error, not with a part of the object."""
    create(there.straight, KEY, b"0123456789" * 1000)
    there.proxy.refuse = first(99, Fault.CUT, "GET")
    with pytest.raises(StoreError, match=KEY):
        read(there)


def test_a_stream_is_of_one_object(there, create, write_foreign):
    """If somebody puts another object there meanwhile, the rest of that is not taken for the rest of the first."""
    create(there.straight, KEY, b"0123456789" * 1000)

    there.proxy.refuse = first(1, Fault.CUT, "GET")
    bucket, prefix = split_url(there.troubled.root)
    with Stream(client(there.proxy.url), bucket, f"{prefix}/{KEY}") as stream:
        begin = stream.read(10)
        write_foreign(there.straight, KEY, b"9876543210" * 1000)
        assert begin == b"0123456789"
        with pytest.raises(StoreError, match="It was changed while it was read"), translated(KEY):
            io.BufferedReader(stream).read()
