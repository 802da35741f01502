"""What the tests of the lake share: a lake on disk and on S3, a contract, rows, and how to publish them."""

import hashlib
from collections.abc import Callable
from datetime import date, datetime
from itertools import count
from pathlib import Path
from threading import Lock
from typing import Any

import boto3
import pyarrow as pa
import pytest
from moto.s3.responses import S3Response
from s3_servers import KEYS, make_bucket

from lake.contract import Column, Contract, Rule
from lake.lake import Lake, open_store
from lake.store.protocol import StagedFile, Store

BUCKETS = count()


@pytest.fixture(scope="session")
def day() -> date:
    """The day that the rows are of."""
    return date(2015, 5, 17)


@pytest.fixture
def s3_root(moto_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """The root of an empty lake in a bucket of its own on `moto_url`, with credentials in the environment."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    bucket = f"lake-{next(BUCKETS)}"
    make_bucket(moto_url, bucket)
    return f"s3://{bucket}/some/prefix"


@pytest.fixture
def atomic_moto(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes moto's conditional PUT atomic, as S3's is: its threads look for the object first and put it then."""
    lock, put = Lock(), S3Response.put_object

    def put_alone(response: S3Response) -> Any:
        with lock:
            return put(response)

    monkeypatch.setattr(S3Response, "put_object", put_alone)


@pytest.fixture
def disk_root(tmp_path: Path) -> str:
    """The root of an empty lake on disk."""
    return str(tmp_path / "it's a lake")


@pytest.fixture(params=["disk", "s3"])
def store(request: pytest.FixtureRequest) -> Store:
    """An empty store, once on disk and once on S3."""
    root = request.getfixturevalue(f"{request.param}_root")
    return open_store(root, request.getfixturevalue("moto_url") if request.param == "s3" else None)


@pytest.fixture
def lake(store: Store) -> Lake:
    """An empty lake, once on disk and once on S3."""
    return Lake(store)


@pytest.fixture
def disk_lake(disk_root: str) -> Lake:
    """An empty lake on disk."""
    return Lake(open_store(disk_root))


@pytest.fixture
def write_foreign(request: pytest.FixtureRequest) -> Callable[[Store, str, bytes], None]:
    """Writes an object as some other tool would, without our metadata."""

    def write(store: Store, key: str, content: bytes) -> None:
        if store.root.startswith("s3://"):
            bucket, _, prefix = store.root.removeprefix("s3://").partition("/")
            s3 = boto3.client("s3", endpoint_url=request.getfixturevalue("moto_url"))
            s3.put_object(Bucket=bucket, Key=f"{prefix}/{key}", Body=content)
        else:
            path = Path(store.root) / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)

    return write


@pytest.fixture(scope="session")
def stage() -> Callable[[Path, bytes], StagedFile]:
    """Makes a finished file of any bytes."""

    def make(folder: Path, content: bytes) -> StagedFile:
        path = folder / "any.unfinished"
        path.write_bytes(content)
        return StagedFile(path, hashlib.sha256(content).hexdigest(), len(content))

    return make


@pytest.fixture(scope="session")
def create(stage: Callable[[Path, bytes], StagedFile]) -> Callable[[Store, str, bytes], bool]:
    """Has a store create an object of any bytes."""

    def made(store: Store, key: str, content: bytes) -> bool:
        with store.staging() as folder:
            return store.create(key, stage(folder, content))

    return made


@pytest.fixture(scope="session")
def readings() -> Contract:
    """A contract with a rule of every kind."""
    return Contract(
        name="readings",
        version=2,
        grain="one reading",
        key=("name",),
        time="at",
        columns=(
            Column("at", pa.timestamp("us"), "UTC", "When it was read"),
            Column("name", pa.string(), "name", "What was read", pattern="[a-z]+|x[0-9]+"),
            Column("kind", pa.string(), "name", "How it was read", nullable=True, values=("warm", "cold")),
            Column("share", pa.float64(), "share", "Part", nullable=True, minimum=0, maximum=1),
            Column("hits", pa.int64(), "1", "Hits", minimum=0),
            Column("total", pa.int64(), "1", "Trials", maximum=1000),
        ),
        rules=(Rule("hits <= total", "a hit is a trial"),),
    )


@pytest.fixture(scope="session")
def rows(readings: Contract, day: date) -> Callable[..., pa.Table]:
    """Makes rows that keep to `readings`, with the last one's values as given."""

    def make(n: int = 2, **last: Any) -> pa.Table:
        noon = datetime(day.year, day.month, day.day, 12)
        good = [
            {
                "at": noon,
                "name": f"x{i}",
                "kind": ("warm", None)[i % 2],
                "share": (None, 0.0, 1.0)[i % 3],
                "hits": i % 100,
                "total": 1000,
            }
            for i in range(n)
        ]
        good[-1] |= last
        # nullability is the schema's; pyarrow doesn't look at it here
        return pa.Table.from_pylist(good, readings.schema)

    return make
