"""Objects as files for Arrow and DuckDB: by few requests, by boto3's client, with errors that are the store's."""

import subprocess
import sys
from contextvars import copy_context
from datetime import UTC, datetime, timedelta
from threading import Thread
from types import SimpleNamespace

import boto3
import duckdb
import pyarrow as pa
import pyarrow.dataset as pads
import pyarrow.parquet as pq
import pytest
from botocore.awsrequest import AWSResponse
from s3_servers import KEYS

from lake.catalog.connections import connect
from lake.catalog.scanned import Scanned
from lake.errors import Damaged, StoreError
from lake.lake import Lake
from lake.partition import Partition
from lake.store.outage import PATIENCE_SECONDS, behind, patience_seconds, patient
from lake.store.s3 import S3Store
from lake.store.s3_files import END_BYTES
from lake.verify import Scope, Verification

LARGE = bytes(range(256)) * 1000
ABANDONED = """
import os, sys, duckdb, pyarrow.dataset as pads, pyarrow.parquet as pq
from lake.store.s3 import S3Store
root, url = sys.argv[1:]
filesystem, path = S3Store(root, url).filesystem()
rows = pads.dataset([f"{path}/{n}.parquet" for n in range(20)], schema=pq.read_schema(f"{path}/0.parquet",
    filesystem=filesystem), filesystem=filesystem, format="parquet")
with duckdb.connect() as connection:
    connection.register("rows_of_lake", rows)
    print(connection.execute("select n from rows_of_lake").fetchone())
"""


@pytest.fixture
def put(s3_root, moto_url):
    """Puts an object as it is."""
    bucket, _, prefix = s3_root.removeprefix("s3://").partition("/")
    s3 = boto3.client("s3", endpoint_url=moto_url)
    return lambda name, content: s3.put_object(Bucket=bucket, Key=f"{prefix}/{name}", Body=content)


@pytest.fixture
def files(s3_root, moto_url, put):
    """The file system of a store, where objects lie in it, and the ranges that were asked for."""
    store = S3Store(s3_root, moto_url)
    asked = []
    store._s3.meta.events.register(  # noqa: SLF001
        "before-send.s3", lambda request, **_: asked.append(request.headers.get("Range"))
    )
    filesystem, path = store.filesystem()
    return SimpleNamespace(filesystem=filesystem, path=path, asked=asked, put=put, s3=store._s3)  # noqa: SLF001


@pytest.mark.parametrize("size", [1, 1000, END_BYTES])
def test_a_small_object_is_one_request(files, size):
    """It comes with the first one, which asks for the end and not for the size before."""
    files.put("a", LARGE[:size])
    with files.filesystem.open_input_file(f"{files.path}/a") as file:
        assert file.size() == size
        assert file.read() == LARGE[:size]
        assert file.read_at(1, size // 2) == LARGE[size // 2 : size // 2 + 1]
    assert len(files.asked) == 1


def test_a_large_object_is_read_where_it_is_wanted(files):
    """Its end is there; each other read is one request of just those bytes."""
    files.put("a", LARGE)
    with files.filesystem.open_input_file(f"{files.path}/a") as file:
        assert file.size() == len(LARGE)
        assert file.read_at(100, len(LARGE) - 100) == LARGE[-100:]
        assert file.read_at(50, 7) == LARGE[7:57]
        assert file.read_at(END_BYTES * 2, len(LARGE) - END_BYTES - 10) == LARGE[-END_BYTES - 10 :]
        file.seek(len(LARGE) - 5)
        assert (file.read(), file.read(), file.tell()) == (LARGE[-5:], b"", len(LARGE))
    assert [each.decode() if isinstance(each, bytes) else each for each in files.asked] == [
        f"bytes=-{END_BYTES}",
        "bytes=7-56",
        f"bytes={len(LARGE) - END_BYTES - 10}-{len(LARGE) - 1}",
    ]


@pytest.mark.parametrize("content", [b"", b"x", LARGE])
def test_a_stream_is_the_whole_object(files, content):
    """At once, by one request."""
    files.put("a", content)
    with files.filesystem.open_input_stream(f"{files.path}/a") as stream:
        assert stream.read() == content
    assert len(files.asked) == 1


def test_an_empty_object_is_an_empty_file(files):
    """Servers refuse to give the end of nothing."""
    files.put("a", b"")
    with files.filesystem.open_input_file(f"{files.path}/a") as file:
        assert (file.size(), file.read()) == (0, b"")


def test_what_is_not_there_is_not_found(files):
    """As on a disk."""
    with pytest.raises(FileNotFoundError):
        files.filesystem.open_input_file(f"{files.path}/nothing")


def test_an_object_that_is_replaced_is_not_mixed(files):
    """What was read of the first one isn't continued with the second."""
    files.put("a", LARGE)
    with files.filesystem.open_input_file(f"{files.path}/a") as file:
        files.put("a", LARGE[::-1])
        with pytest.raises(StoreError, match="It was changed while it was read"):
            file.read_at(10, 0)


def refuse(status=503, code="SlowDown", operation=""):
    """Return what has a client's requests refused."""
    body = f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode()
    answer = SimpleNamespace(stream=lambda: [body])
    return f"before-send.s3{operation}", lambda request, **_: AWSResponse(request.url, status, {}, answer)


@pytest.fixture
def published(s3_root, moto_url, publish, error_rates, day):
    """A lake on S3 with a partition."""
    lake = Lake(S3Store(s3_root, moto_url))
    publish(lake, Partition("error_rate", 1, day), error_rates(shop=10))
    return lake


@pytest.mark.parametrize(
    ("status", "code"),
    [(503, "SlowDown"), (400, "ExpiredToken"), (403, "AccessDenied"), (403, "RequestTimeTooSkewed")],
)
def test_a_store_that_does_not_answer_is_no_damage(published, monkeypatch, status, code):
    """Neither to who reads footers nor to who verifies: nothing is said of the partition."""
    monkeypatch.setattr("time.sleep", lambda _: None)
    looked = Verification(published, Scope())
    published.store._s3.meta.events.register(*refuse(status, code, ".GetObject"))  # noqa: SLF001
    for look in (lambda: published.footers(looked.partitions), lambda: list(looked.findings())):
        with pytest.raises(StoreError, match=f"S3 answered .*{code} to GetObject") as error:
            look()
        assert not isinstance(error.value, Damaged)
        assert "copy" not in str(error.value)


def test_what_came_and_is_no_parquet_is_damage(published, put, day):
    """The store has answered, so it is the object."""
    partition = Partition("error_rate", 1, day)
    put(partition.key, b"PAR1 and so on")
    with pytest.raises(Damaged, match="has no footer that can be read"):
        published.footers([partition])
    assert any("unreadable" in each.what for each in Verification(published, Scope()).findings())


def test_duckdb_s_error_tells_the_store_s(files, monkeypatch):
    """It is a text by then; the error that it is made of is found, and no other one."""
    monkeypatch.setattr("time.sleep", lambda _: None)
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"n": [1]}), sink)
    files.put("a", sink.getvalue().to_pybytes())
    schema = pa.schema([("n", pa.int64())])
    rows = Scanned(pads.dataset([f"{files.path}/a"], schema=schema, filesystem=files.filesystem, format="parquet"))
    files.s3.meta.events.register(*refuse())
    with duckdb.connect() as connection:
        connection.register("rows_of_lake", rows)
        with pytest.raises(duckdb.Error) as error:
            connection.execute("select sum(n) from rows_of_lake").fetchall()
    of_store = behind(error.value)
    assert of_store
    assert "S3 answered 503 SlowDown to GetObject" in str(of_store)
    assert behind(duckdb.Error("Parser Error")) is None
    of_disk = behind(duckdb.IOException('IO Error: Could not read from file "/lake/a": Input/output error'))
    assert str(of_disk).endswith('"/lake/a": Input/output error. Check the disk, or what is mounted there.')


@pytest.mark.slow
def test_a_catalog_s_query_of_what_can_not_be_read_ends(published, monkeypatch):
    """Each of many, on a busy machine: a query that begins to read locks nobody out."""
    monkeypatch.setattr("time.sleep", lambda _: None)
    busy = True

    def work():
        while busy:
            sum(range(1000))

    thread = Thread(target=work)
    thread.start()
    try:
        with connect(published) as connection:
            published.store._s3.meta.events.register(*refuse(operation=".GetObject"))  # noqa: SLF001
            for _ in range(40):
                with pytest.raises(duckdb.Error, match="503 SlowDown"):
                    connection.execute("from error_rate").fetchall()
    finally:
        busy = False
        thread.join()


@pytest.mark.usefixtures("only_moto")  # others know their keys
def test_renewed_credentials_are_used(s3_root, moto_url, put, tmp_path, monkeypatch):
    """A file system that is open asks with the keys that its credential_process gives now."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    put("a", b"one")
    program = tmp_path / "keys.py"
    soon = (datetime.now(UTC) + timedelta(minutes=5)).isoformat()  # noqa: TID251 - botocore renews by the clock
    program.write_text(
        f"import json, os\nname = {str(tmp_path / 'count')!r}\n"
        "n = int(open(name).read()) + 1 if os.path.exists(name) else 1\nopen(name, 'w').write(str(n))\n"
        f"print(json.dumps(dict(Version=1, AccessKeyId=f'KEY{{n}}', SecretAccessKey='s', Expiration={soon!r})))\n"
    )
    (tmp_path / "config").write_text(f"[default]\ncredential_process = {sys.executable} {program}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    store = S3Store(s3_root, moto_url)
    keys = []
    store._s3.meta.events.register(  # noqa: SLF001
        "before-send.s3", lambda request, **_: keys.append(request.headers["Authorization"].split(b"/")[0])
    )
    filesystem, path = store.filesystem()
    for _ in range(2):
        assert filesystem.open_input_file(f"{path}/a").read() == b"one"
    assert len(set(keys)) == 2


@pytest.mark.parametrize(("payer", "expected"), [("requester", b"requester"), (None, None)])
def test_who_pays_is_said_where_it_is_set(s3_root, moto_url, put, payer, expected):
    """With each request, reading too; never unasked."""
    with pytest.MonkeyPatch.context() as environment:
        if payer:
            environment.setenv("AWS_REQUEST_PAYER", payer)
        store, said = S3Store(s3_root, moto_url), []
    put("a", b"one")
    store._s3.meta.events.register(  # noqa: SLF001
        "before-send.s3", lambda request, **_: said.append(request.headers.get("x-amz-request-payer"))
    )
    filesystem, path = store.filesystem()
    filesystem.open_input_file(f"{path}/a")
    assert store.exists("a")
    assert said == [expected] * 2


def test_patience_is_of_what_is_done_within():
    """Another thread that only looks doesn't wait; one that runs in a copy of the context does."""
    seen = []
    with patient():
        threads = [
            Thread(target=lambda: seen.append(patience_seconds())),
            Thread(target=copy_context().run, args=(lambda: seen.append(patience_seconds()),)),
        ]
        for each in threads:
            each.start()
            each.join()
    assert seen == [0, PATIENCE_SECONDS]
    assert patience_seconds() == 0


def test_a_file_system_keeps_its_maker_s_patience(s3_root, moto_url, put):
    """Arrow's threads have none of their own."""
    put("a", b"one")
    store, seen = S3Store(s3_root, moto_url), []
    store._s3.meta.events.register("before-send.s3", lambda **_: seen.append(patience_seconds()))  # noqa: SLF001
    with patient():
        filesystem, path = store.filesystem()
    filesystem.open_input_file(f"{path}/a")
    assert seen == [PATIENCE_SECONDS]


def test_a_process_ends_while_more_is_read_ahead(s3_root, moto_url, put, make_environment):
    """An answer of which one row was wanted leaves Arrow reading; the process ends as if it didn't."""
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"n": range(50_000)}), sink)
    for n in range(20):
        put(f"{n}.parquet", sink.getvalue().to_pybytes())
    done = subprocess.run(
        [sys.executable, "-c", ABANDONED, s3_root, moto_url],
        env=make_environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "(0,)\n", "")


@pytest.fixture
def make_environment(tmp_path):
    """The environment of a process that asks S3."""
    return KEYS | {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}


@pytest.fixture
def use_profile(s3_root, tmp_path, monkeypatch):
    """Has credentials looked for by a profile of CONFIG."""

    def use(profile):
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.delenv(name)
        (tmp_path / "config").write_text("".join(f"[profile {name}]\n{text}\n" for name, text in CONFIG.items()))
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
        monkeypatch.setenv("AWS_PROFILE", profile)

    return use


CONFIG = {
    "sso": "sso_session = s\nsso_account_id = 1\nsso_role_name = r\n[sso-session s]\nsso_region = eu-west-1\n"
    "sso_start_url = https://example.com/start",
    "web": "role_arn = arn:aws:iam::123456789012:role/x\nweb_identity_token_file = /nonexistent/token",
    "fails": "credential_process = /bin/false",
    "garbled": "credential_process = /bin/echo no",
    "gone": "credential_process = /nonexistent/program",
    "chain": "role_arn = arn:aws:iam::123456789012:role/x\nsource_profile = nobody",
}


@pytest.mark.parametrize(
    ("profile", "said"),
    [
        ("sso", r"no SSO session, or it has expired.*Run `aws sso login --profile sso`"),
        ("web", r"/nonexistent/token: No such file or directory.*web_identity_token_file"),
        ("fails", "custom-process"),
        ("garbled", "Check AWS_"),
        ("gone", "/nonexistent/program: No such file or directory"),
        ("chain", 'source_profile "nobody"'),
        ("nobody", r"profile \(nobody\) could not be found.*AWS_PROFILE"),
    ],
)
def test_credentials_that_can_not_be_had_are_named(s3_root, moto_url, use_profile, profile, said):
    """Each with its own next step, as an error of the store, whoever asks, and with no word of the bucket."""
    use_profile(profile)
    with pytest.raises(StoreError, match=f"^No credentials for S3: .*{said}"):
        S3Store(s3_root, moto_url).exists("a")


@pytest.mark.parametrize(
    ("status", "code", "more", "said"),
    [
        (403, "RequestTimeTooSkewed", {}, "clock of this machine is wrong"),
        (403, "403", {"HTTPHeaders": {"date": "Tue, 01 Jan 2030 00:00:00 GMT"}}, "clock of this machine is wrong"),
        (
            301,
            "PermanentRedirect",
            {"HTTPHeaders": {"x-amz-bucket-region": "eu-north-1"}},
            "another region, eu-north-1",
        ),
        (403, "AccessDenied", {}, "AWS_REQUEST_PAYER=requester"),
    ],
)
def test_an_answer_s_own_next_step(status, code, more, said):
    """The clock, the region, who pays: nobody is sent to whoever runs the bucket."""
    from botocore.exceptions import ClientError

    from lake.store.s3_client import translated

    answer = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status} | more}
    with pytest.raises(StoreError, match=said), translated("s3://bucket/key"):
        raise ClientError(answer, "HeadObject")


def test_a_region_that_a_header_tells_is_followed(s3_root, moto_url, put):
    """As boto3 follows one that the answer's text tells."""
    put("a", b"one")
    store, regions = S3Store(s3_root, moto_url), []

    def elsewhere(request, **_):
        region = request.headers["Authorization"].split(b"/")[2].decode()
        regions.append(region)
        if region != "eu-north-1":
            text = b"<Error><Code>AuthorizationHeaderMalformed</Code><Message>wrong region</Message></Error>"
            body = SimpleNamespace(stream=lambda: [text])
            return AWSResponse(request.url, 400, {"x-amz-bucket-region": "eu-north-1"}, body)
        return None

    store._s3.meta.events.register("before-send.s3", elsewhere)  # noqa: SLF001
    filesystem, path = store.filesystem()
    assert list(store.keys("", "", "~")) == ["a"]
    assert filesystem.open_input_file(f"{path}/a").read() == b"one"
    assert regions == [KEYS["AWS_DEFAULT_REGION"], "eu-north-1", "eu-north-1"]
