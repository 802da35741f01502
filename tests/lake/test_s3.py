"""What is special to a lake on S3: lost replies, conflicts, and servers that refuse or don't answer."""

from itertools import repeat
from types import SimpleNamespace

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ConnectionClosedError
from botocore.httpsession import URLLib3Session

import lake.s3
from lake.errors import ConfigError, PartitionExists, PartitionMissing, StoreError
from lake.s3 import CONFLICT_WAITS_SECONDS, S3Store, split_url

KEY = "a/v1/dt=2015-05-17/rev=0/part-0.parquet"


class Body:
    """The body of an answer, as urllib3 gives it."""

    def __init__(self, code):
        self.code = code

    def stream(self):
        """Give the XML of an error."""
        yield f"<Error><Code>{self.code}</Code><Message>no</Message></Error>".encode()


def lose_reply(request):
    """Have the server act, then lose its reply."""
    URLLib3Session().send(request)
    raise ConnectionClosedError(endpoint_url=request.url)


def lose_request(request):
    """Lose the request before the server acts."""
    raise ConnectionClosedError(endpoint_url=request.url)


def act_and_fail(request):
    """Have the server act, then answer 500."""
    URLLib3Session().send(request)
    return AWSResponse(request.url, 500, {}, Body("InternalError"))


def answer(status, code):
    """Return a function that answers for the server."""
    return lambda request: AWSResponse(request.url, status, {}, Body(code))


@pytest.fixture
def sleeps(monkeypatch):
    """The seconds that were waited, without waiting them."""
    waited = []
    monkeypatch.setattr("time.sleep", waited.append)
    return waited


@pytest.fixture
def no_credentials(s3_root, monkeypatch):
    """The root of a lake for which there are no credentials."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    return s3_root


@pytest.fixture
def open_with(s3_root, moto_url, monkeypatch):
    """Opens the store; what befalls its first requests of an operation is given, the others just go out."""

    def opened(operation, faults):
        left = iter(faults)

        def client(endpoint_url):
            made = original(endpoint_url)
            made.meta.events.register(
                f"before-send.s3.{operation}", lambda request, **_: next(left, lambda _: None)(request)
            )
            return made

        original = lake.s3.client
        monkeypatch.setattr(lake.s3, "client", client)
        return S3Store(s3_root, moto_url)

    return opened


@pytest.mark.parametrize(
    "faults",
    [[lose_reply], [lose_request, lose_reply], [act_and_fail], repeat(lose_reply), repeat(act_and_fail)],
    ids=["reply", "request and reply", "500", "all replies", "500 to all"],
)
@pytest.mark.usefixtures("sleeps")
def test_a_lost_reply_is_no_failure(open_with, create, faults, tmp_path):
    """An own write that took place is recognised, though its reply was lost or the retry was refused with 412."""
    store = open_with("PutObject", faults)
    assert create(store, KEY, b"one")
    assert store.local_copy(KEY, tmp_path).read_bytes() == b"one"


@pytest.mark.usefixtures("sleeps")
def test_a_lost_reply_to_other_bytes_is_a_failure(open_with, create, moto_url, s3_root):
    """Another's object is not taken for an own one, though the outcome of the write is unknown."""
    create(S3Store(s3_root, moto_url), KEY, b"one")
    store = open_with("PutObject", repeat(lose_reply))
    with pytest.raises(PartitionExists, match="there sha256 7692c3ad"):
        create(store, KEY, b"two")


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (lose_request, "Connection was closed .* Check the network"),
        (answer(503, "SlowDown"), "SlowDown to PutObject"),
    ],
)
@pytest.mark.usefixtures("sleeps")
def test_a_lost_request_is_a_failure(open_with, create, fault, message):
    """Where the server never acted, publishing fails and nothing is there."""
    store = open_with("PutObject", repeat(fault))
    with pytest.raises(StoreError, match=message):
        create(store, KEY, b"one")
    assert not store.exists(KEY)


@pytest.mark.parametrize(
    ("status", "code"),
    [(409, "ConditionalRequestConflict"), (400, "BadDigest"), (400, "XAmzContentSHA256Mismatch")],
)
def test_a_conflict_is_tried_again(open_with, create, sleeps, status, code):
    """Another write is under way, or the bytes were damaged on theirs: wait, try again, succeed."""
    store = open_with("PutObject", [answer(status, code)] * 2)
    assert create(store, KEY, b"one")
    assert tuple(sleeps) == CONFLICT_WAITS_SECONDS[:2]


def test_a_lasting_conflict_is_a_failure(open_with, create, sleeps):
    """After all waits, 409 is an error that names the object."""
    store = open_with("PutObject", repeat(answer(409, "ConditionalRequestConflict")))
    with pytest.raises(StoreError, match=f"{KEY}: S3 answered ConditionalRequestConflict to PutObject"):
        create(store, KEY, b"one")
    assert tuple(sleeps) == CONFLICT_WAITS_SECONDS


OPERATIONS = {
    "PutObject": lambda store, create, _: create(store, KEY, b"one"),
    "HeadObject": lambda store, _, __: store.exists(KEY),
    "GetObject": lambda store, _, folder: store.local_copy(KEY, folder),
    "ListObjectsV2": lambda store, _, __: list(store.keys("a/", "", "~")),
}
EVERY_OPERATION = pytest.mark.parametrize("operation", OPERATIONS)


@pytest.fixture
def refused(create, tmp_path):
    """Has a store refuse an operation; returns the message, which is short and tells no secret."""

    def message(store, operation):
        with pytest.raises(StoreError) as refusal:
            OPERATIONS[operation](store, create, tmp_path)
        text = str(refusal.value)
        assert text.startswith(store.root)
        assert text.count("\n") < 2
        assert "test-secret" not in text
        return text

    return message


@pytest.mark.parametrize(
    ("operation", "code", "step"),
    [
        ("PutObject", "AccessDenied", "The credentials lack the right"),
        ("HeadObject", "InvalidAccessKeyId", "Check the credentials"),
        ("GetObject", "SignatureDoesNotMatch", "Check the credentials"),
        ("ListObjectsV2", "SomethingNew", "Try again"),
    ],
)
def test_a_refusal_says_what_to_do(open_with, refused, operation, code, step):
    """What S3 refuses is named with its code, the operation and the next step."""
    store = open_with(operation, [answer(403, code)])
    assert f"S3 answered {code} to {operation}. {step}" in refused(store, operation)


@pytest.mark.usefixtures("sleeps")
def test_half_a_listing_is_no_listing(open_with, create, refused):
    """What ends within, as some proxy gives it, is asked for again, and in the end an error."""
    half = SimpleNamespace(stream=lambda: [b"<ListBucketResult><Contents>"])

    def cut_off(request):
        return AWSResponse(request.url, 200, {}, half)

    store = open_with("ListObjectsV2", [cut_off] * 2)
    create(store, KEY, b"one")
    assert list(store.keys("a/", "", "~")) == [KEY]
    assert "S3 answered 500 to ListObjectsV2" in refused(
        open_with("ListObjectsV2", repeat(cut_off)), "ListObjectsV2"
    )


@pytest.mark.parametrize("operation", [name for name in OPERATIONS if name != "HeadObject"])
@pytest.mark.usefixtures("s3_root")
def test_a_missing_bucket_is_named(moto_url, refused, operation):
    """A bucket that doesn't exist is an error that says so, not an empty lake."""
    message = refused(S3Store("s3://no-such-bucket/lake", moto_url), operation)
    assert f"NoSuchBucket to {operation}. Create the bucket" in message


@EVERY_OPERATION
@pytest.mark.usefixtures("sleeps")
def test_a_wrong_endpoint_is_named(s3_root, refused, operation):
    """A port at which nobody listens is named, with the setting to check."""
    message = refused(S3Store(s3_root, "http://127.0.0.1:1"), operation)
    assert "http://127.0.0.1:1/" in message
    assert "endpoint_url" in message


@EVERY_OPERATION
def test_missing_credentials_are_named(no_credentials, moto_url, refused, operation):
    """Without credentials the message says what to set."""
    assert "no AWS credentials found. Set AWS_ACCESS_KEY_ID" in refused(
        S3Store(no_credentials, moto_url), operation
    )


def test_readers_need_credentials_too(no_credentials, moto_url):
    """The file system that Arrow reads from is not opened without credentials either."""
    with pytest.raises(StoreError, match="no AWS credentials found"):
        S3Store(no_credentials, moto_url).filesystem()


@pytest.mark.usefixtures("s3_root")
def test_a_wrong_profile_is_named(moto_url, monkeypatch):
    """AWS settings that name nothing are an error of configuration."""
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    with pytest.raises(ConfigError, match=r"profile .*nobody.* could not be found"):
        S3Store("s3://bucket", moto_url)


def test_a_lake_may_fill_a_bucket(s3_root, moto_url, create):
    """Without a prefix, keys start at the bucket's root."""
    bucket = split_url(s3_root)[0]
    store = S3Store(f"s3://{bucket}//", moto_url)
    assert create(store, KEY, b"one")
    assert list(store.keys("a/", "", "~")) == [KEY]
    assert list(S3Store(s3_root, moto_url).keys("a/", "", "~")) == []
    with pytest.raises(PartitionMissing):
        S3Store(s3_root, moto_url).sha256(KEY)


def test_an_endpoint_with_credentials_is_refused(s3_root):
    """A password in luigi.cfg would appear in messages, so it is refused, and not repeated."""
    with pytest.raises(ConfigError, match="endpoint_url holds credentials") as refusal:
        S3Store(s3_root, "http://user:hunter2@127.0.0.1:9000")
    assert "hunter2" not in str(refusal.value)
