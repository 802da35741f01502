"""What the tests of fetching share: a server of HTTP that misbehaves on demand, and stores for snapshots."""

import threading
from collections.abc import Callable, Iterator
from datetime import date
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from fetching import DAY, NOW, Misbehaving, content, parts_of
from moto.s3.responses import S3Response
from s3_servers import KEYS, make_bucket

from etl import clock
from etl.fetch import patience
from etl.fetch.snapshots import Snapshots
from lake.lake import open_store
from lake.store.protocol import Store

BUCKETS = count()


@pytest.fixture
def server() -> Iterator[Misbehaving]:
    """A server that misbehaves on demand."""
    made = Misbehaving()
    yield made
    made.close()


@pytest.fixture
def other() -> Iterator[Misbehaving]:
    """Another one."""
    made = Misbehaving()
    yield made
    made.close()


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long was waited before each further attempt, in seconds: nobody waits here."""
    waited: list[float] = []
    monkeypatch.setattr(patience, "sleep", waited.append)
    return waited


@pytest.fixture(autouse=True)
def night(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the night after the day that tests fetch: then what names no day is of that one."""
    monkeypatch.setattr(clock, "utc_now", lambda: NOW)


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the machine's environment says of proxies, tests don't take one."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def fetch(tmp_path: Path) -> Callable[..., list[bytes]]:
    """Fetches a day by settings, and returns what its parts hold."""

    def fetched(day: date = DAY, **settings: str) -> list[bytes]:
        return [content(each) for each in parts_of(tmp_path, day, **settings)]

    return fetched


@pytest.fixture
def s3_store(moto_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Store:
    """An empty store in a bucket of its own, whose conditional PUT is atomic, as S3's is."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    lock, put = threading.Lock(), S3Response.put_object

    def put_alone(response: S3Response) -> Any:
        with lock:
            return put(response)

    monkeypatch.setattr(S3Response, "put_object", put_alone)
    bucket = f"snapshots-{next(BUCKETS)}"
    make_bucket(moto_url, bucket)
    return open_store(f"s3://{bucket}/fetched", moto_url)


@pytest.fixture
def disk_store(tmp_path: Path) -> Store:
    """An empty store on disk."""
    return open_store(str(tmp_path / "snapshots"))


@pytest.fixture(params=["disk", "s3"])
def store(request: pytest.FixtureRequest) -> Store:
    """An empty store, once on disk and once on S3."""
    return request.getfixturevalue(f"{request.param}_store")


@pytest.fixture
def snapshots(store: Store) -> Snapshots:
    """Where nothing was fetched yet, once on disk and once on S3."""
    return Snapshots(store)
