"""What is special to a lake on S3: lost replies, conflicts, and servers that refuse or don't answer."""

import base64
import io
import re
from itertools import repeat
from types import SimpleNamespace

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    PartialCredentialsError,
    ResponseStreamingError,
)
from botocore.httpsession import URLLib3Session

import lake.store.s3
from lake.errors import ConfigError, PartitionExists, PartitionMissing, StoreError
from lake.store.s3 import S3Store
from lake.store.s3_client import WAITS_SECONDS, client, split_url, translated

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

        original = lake.store.s3.client
        monkeypatch.setattr(lake.store.s3, "client", client)
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
    with pytest.raises(StoreError, match=f"^{store.root}/{KEY}: .*{message}"):
        create(store, KEY, b"one")
    assert not store.exists(KEY)


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (409, "ConditionalRequestConflict"),
        (400, "BadDigest"),
        (400, "IncompleteBody"),
        (400, "XAmzContentSHA256Mismatch"),
    ],
)
def test_a_conflict_is_tried_again(open_with, create, sleeps, status, code):
    """Another write is under way, or the bytes were damaged on theirs: wait, try again, succeed."""
    store = open_with("PutObject", [answer(status, code)] * 2)
    assert create(store, KEY, b"one")
    assert tuple(sleeps) == WAITS_SECONDS[:2]


def test_a_lasting_conflict_is_a_failure(open_with, create, sleeps):
    """After all waits, 409 is an error that names the object."""
    store = open_with("PutObject", repeat(answer(409, "ConditionalRequestConflict")))
    with pytest.raises(StoreError, match=f"{KEY}: S3 answered ConditionalRequestConflict to PutObject"):
        create(store, KEY, b"one")
    assert tuple(sleeps) == WAITS_SECONDS


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
        assert text.startswith(store.root if operation == "ListObjectsV2" else f"{store.root}/{KEY}: ")
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
    """The file system that Arrow reads from reads nothing without credentials either."""
    filesystem, root = S3Store(no_credentials, moto_url).filesystem()
    with pytest.raises(StoreError, match="no AWS credentials found"):
        filesystem.open_input_file(f"{root}/{KEY}")


def test_a_lake_may_fill_a_bucket(s3_root, moto_url, create):
    """Without a prefix, keys start at the bucket's root."""
    bucket = split_url(s3_root)[0]
    store = S3Store(f"s3://{bucket}//", moto_url)
    assert store.root == f"s3://{bucket}"
    assert create(store, KEY, b"one")
    s3 = boto3.client("s3", endpoint_url=moto_url)
    assert KEY in [each["Key"] for each in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    assert list(store.keys("a/", "", "~")) == [KEY]
    assert list(S3Store(s3_root, moto_url).keys("a/", "", "~")) == []
    with pytest.raises(PartitionMissing):
        S3Store(s3_root, moto_url).sha256(KEY)


def test_an_endpoint_with_credentials_is_refused(s3_root):
    """A password in luigi.cfg would appear in messages, so it is refused, and not repeated."""
    with pytest.raises(ConfigError, match="endpoint_url holds credentials") as refusal:
        S3Store(s3_root, "http://user:hunter2@127.0.0.1:9000")
    assert "hunter2" not in str(refusal.value)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("s3://abc", ("abc", "")),
        ("s3://a-b.c/", ("a-b.c", "")),
        ("s3://0a9/x/y/", ("0a9", "x/y/")),
        ("s3://" + "a" * 63 + "/x", ("a" * 63, "x")),
    ],
)
def test_a_url_is_bucket_and_key(url, expected):
    """The first part is the bucket, whatever comes behind it is the key."""
    assert split_url(url) == expected


@pytest.mark.parametrize("bucket", ["", "ab", "a" * 64, "Abc", "a_c", "-bc", "ab.", "a b", "u:p@abc"])
def test_what_can_be_no_bucket_is_refused(bucket):
    """Before anybody is asked for it; the message shows what was taken for a bucket."""
    with pytest.raises(ConfigError) as refusal:
        split_url(f"s3://{bucket}/x")
    assert str(refusal.value).startswith(f"s3://{bucket}/x names no bucket ({bucket!r} can't be one)")


def refusal(status=None, **error):
    """Return an error as boto3 raises it."""
    response = {"Error": error} if error else {}
    return ClientError(
        response | ({"ResponseMetadata": {"HTTPStatusCode": status}} if status else {}), "PutObject"
    )


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            refusal(403, Code="403"),
            "S3 answered 403 to PutObject. The credentials lack the right to do this, or are",
        ),
        (refusal(404, Code="NoSuchBucket"), "S3 answered NoSuchBucket to PutObject. Create the bucket or correct"),
        (
            refusal(403, Code="AccessDenied"),
            "S3 answered AccessDenied to PutObject. The credentials lack the right",
        ),
        (
            refusal(403, Code="InvalidAccessKeyId"),
            "S3 answered InvalidAccessKeyId to PutObject. Check the credentials",
        ),
        (
            refusal(403, Code="SignatureDoesNotMatch"),
            "S3 answered SignatureDoesNotMatch to PutObject. Check the cred",
        ),
        (
            refusal(400, Code="ExpiredToken"),
            "S3 answered ExpiredToken to PutObject. The credentials have expired. Renew them.",
        ),
        (
            refusal(499, Code="New"),
            "S3 answered New to PutObject. Try again; if it stays, contact whoever runs the bucket.",
        ),
        (refusal(500, Code="500"), "S3 answered 500 to PutObject. Try again"),
        (refusal(500, Code="InternalError"), "S3 answered 500 InternalError to PutObject. Try again"),
        (refusal(503, Code=503), "S3 answered 503 to PutObject. Try again"),
        (refusal(), "S3 answered ? to PutObject. Try again"),
        (PartialCredentialsError(provider="env", cred_var="x"), "no AWS credentials found. Set AWS_ACCESS_KEY_ID"),
        (
            BotoCoreError(),
            "An unspecified error occurred. Check the network, AWS_DEFAULT_REGION and [lake] endpoint_url.",
        ),
    ],
)
def test_an_error_of_boto3_is_said_in_one_line(error, said):
    """What was asked of which URL, the server's own code, its status where it is at fault, and what to do."""
    with pytest.raises(StoreError) as failure, translated("s3://bucket/key"):
        raise error
    assert str(failure.value).startswith(f"s3://bucket/key: {said}")
    assert failure.value.__cause__ is error


def test_other_errors_are_not_translated():
    """What has nothing to do with S3 stays what it is."""
    with pytest.raises(ZeroDivisionError), translated("s3://bucket/key"):
        raise ZeroDivisionError


def test_a_write_says_what_the_server_needs(open_with, create):
    """That nothing may be there yet, which bytes they are, and by whom."""
    asked = []
    store = open_with("PutObject", [lambda request: asked.append(request.headers)])
    create(store, KEY, b"one")
    (headers,) = asked
    digest = "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed"
    assert headers["If-None-Match"] == b"*"
    assert base64.b64decode(headers["x-amz-checksum-sha256"]).hex() == digest
    assert headers["x-amz-meta-sha256"] == digest.encode()
    assert len(headers["x-amz-meta-write-id"]) == 32


def test_each_write_has_an_id_of_its_own(open_with, create):
    """Or another's object would be taken for one's own."""
    asked = []
    store = open_with("PutObject", [lambda request: asked.append(request.headers["x-amz-meta-write-id"])] * 2)
    create(store, KEY, b"one")
    create(store, f"{KEY}2", b"one")
    assert len(set(asked)) == 2


def test_copies_in_one_folder_are_apart(store, create, tmp_path):
    """Every partition's file is called the same."""
    for n in range(2):
        create(store, f"a/{n}/part-0.parquet", f"{n}".encode())
    copies = [store.local_copy(f"a/{n}/part-0.parquet", tmp_path) for n in range(2)]
    assert [each.read_bytes() for each in copies] == [b"0", b"1"]


@pytest.fixture
def read_with(s3_root, moto_url, create):
    """Opens a store with an object in it; what its first answers to a GET come with is given."""

    def opened(bodies):
        left = iter(bodies)
        store = S3Store(s3_root, moto_url)
        create(store, KEY, b"one")

        def change(parsed, **_):
            body = next(left, None)
            if body:
                parsed["Body"] = body

        store._s3.meta.events.register("after-call.s3.GetObject", change)  # noqa: SLF001
        return store

    return opened


class CutOff:
    """A body of which half comes."""

    def read(self, _):
        """Read what doesn't come."""
        raise ResponseStreamingError(error="cut off")


@pytest.mark.parametrize("body", [lambda: io.BytesIO(b"0ne"), CutOff], ids=["damaged", "cut off"])
def test_bytes_that_come_damaged_are_asked_for_again(read_with, sleeps, tmp_path, body):
    """By the digest that they were published with; each time a little later."""
    store = read_with([body() for _ in range(3)])
    assert store.local_copy(KEY, tmp_path).read_bytes() == b"one"
    assert tuple(sleeps) == WAITS_SECONDS[:3]


def test_bytes_that_are_damaged_for_good_are_named(read_with, sleeps, tmp_path):
    """With both digests, and the next step, after all waits."""
    store = read_with([io.BytesIO(b"0ne") for _ in range(99)])
    with pytest.raises(StoreError) as failure:
        store.local_copy(KEY, tmp_path)
    assert str(failure.value).startswith(f"{store.root}/{KEY}: its bytes came damaged. ")
    assert re.search("There sha256 7692c3ad[0-9a-f]{56}, here [0-9a-f]{64}. Try again; if it", str(failure.value))
    assert tuple(sleeps) == WAITS_SECONDS


def test_bytes_that_never_come_are_named(read_with, sleeps, tmp_path):
    """It is the network, as far as anybody can tell."""
    store = read_with([CutOff() for _ in range(99)])
    with pytest.raises(StoreError, match="Check the network"):
        store.local_copy(KEY, tmp_path)
    assert tuple(sleeps) == WAITS_SECONDS


def test_an_object_of_another_tool_is_copied_as_it_is(write_foreign, s3_root, moto_url, tmp_path):
    """Without a digest there is nothing to compare it with."""
    store = S3Store(s3_root, moto_url)
    write_foreign(store, KEY, b"one")
    assert store.local_copy(KEY, tmp_path).read_bytes() == b"one"


def test_arrow_is_given_the_path_below_the_bucket(s3_root, moto_url):
    """With a prefix and without."""
    assert S3Store(s3_root, moto_url).filesystem()[1] == s3_root.removeprefix("s3://")
    bucket = split_url(s3_root)[0]
    assert S3Store(f"s3://{bucket}/", moto_url).filesystem()[1] == bucket


def test_a_server_that_says_nothing_is_given_up(s3_root, moto_url):
    """In seconds if it can't be reached, in a minute if it doesn't answer; not in the ten of the network's own."""
    found = client(moto_url).meta.config
    assert found.connect_timeout <= 10
    assert found.read_timeout <= 60
    assert found.retries["mode"] == "standard"


@pytest.mark.parametrize(("status", "code"), [(404, "NoSuchKey"), (404, "404")])
def test_an_object_that_is_gone_is_missing(open_with, tmp_path, status, code):
    """Not an error of the lake, whatever the server calls it."""
    store = open_with("GetObject", repeat(answer(status, code)))
    with pytest.raises(PartitionMissing, match=f"{KEY} is not published"):
        store.local_copy(KEY, tmp_path)


def test_a_refused_write_is_not_looked_into(open_with, create):
    """403 is no unknown outcome: the server did nothing, so nobody asks what is there."""
    heads = []
    store = open_with("PutObject", repeat(answer(403, "AccessDenied")))
    store._s3.meta.events.register("before-send.s3.HeadObject", lambda **_: heads.append(1))  # noqa: SLF001
    with pytest.raises(StoreError, match="AccessDenied to PutObject"):
        create(store, KEY, b"one")
    assert heads == []


def test_a_digest_is_told_without_the_bytes(s3_root, moto_url, create):
    """By what was said when the object was written; of another tool's object the bytes are read."""
    gets = []
    store = S3Store(s3_root, moto_url)
    create(store, KEY, b"one")
    store._s3.meta.events.register("before-send.s3.GetObject", lambda **_: gets.append(1))  # noqa: SLF001
    assert store.sha256(KEY).startswith("7692c3ad")
    assert gets == []
