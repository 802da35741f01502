"""S3 servers to test against, each on this machine only: moto in this process, SeaweedFS and MiniStack beside it.

`pytest --s3-server seaweedfs` has every test that wants an S3 server use that one.
"""

import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import boto3
import botocore.config
import botocore.exceptions
import pytest

REGION = "eu-west-1"
KEYS = {"AWS_ACCESS_KEY_ID": "test-key", "AWS_SECRET_ACCESS_KEY": "test-secret", "AWS_DEFAULT_REGION": REGION}
START_SECONDS = 60
# those above are handed out to clients, and one of them may get that of a server which is being started anew
PORTS = range(10_000, 32_000)


MINI = (
    "weed",
    "mini",
    "-master.telemetry=false",
    "-admin.ui=false",
    "-webdav=false",
    "-s3.autoCreateBucket=false",
    "-s3.port.iceberg=0",
    "-s3.port.lance=0",
)


class Server(Protocol):
    """An S3 server that listens on this machine only."""

    url: str

    def stop(self) -> None:
        """End it."""
        ...


class Moto:
    """moto, in a thread of this process."""

    def __init__(self) -> None:
        from moto.server import ThreadedMotoServer

        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self._server.start()
        self.url = "http://{}:{}".format(*self._server.get_host_and_port())

    def stop(self) -> None:
        """End it."""
        self._server.stop()


class Process:
    """A server that is a process of its own, with its data in a folder; it can be killed and started anew.

    Attributes:
        url: Where it listens, each time it is started.
    """

    def __init__(self, folder: Path, command: list[str], port: int, **environment: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.url = f"http://127.0.0.1:{port}"
        self._command = [str(Path(sys.executable).with_name(command[0])), *command[1:]]
        self._folder = folder
        self._environment = KEYS | {"PATH": os.environ["PATH"], "HOME": str(folder), "TMPDIR": str(folder)}
        self._environment |= environment
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Start it and wait until it answers."""
        with (self._folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command, cwd=self._folder, env=self._environment, stdout=log, stderr=log
            )
        s3 = client(self.url, connect_timeout=1, read_timeout=5, retries={"total_max_attempts": 1})
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                s3.list_buckets()
            except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError):
                if self._process.poll() is not None or time.monotonic() > deadline:
                    self.kill()
                    raise
                time.sleep(0.02)
            else:
                return

    def kill(self) -> None:
        """End it at once, whatever it is doing."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        """End it; nobody needs its data any more."""
        self.kill()


class SeaweedFS(Process):
    """SeaweedFS: checks signatures and checksums, and keeps what it has said to have kept when it is killed."""

    def __init__(self, folder: Path, command: Sequence[str] = MINI) -> None:
        names = ("master", "volume", "filer", "s3", "admin")
        self.ports = dict(
            zip((f"{name}.port{kind}" for name in names for kind in ("", ".grpc")), free_ports(), strict=False)
        )
        self.ports["volume.port.public"] = self.ports["volume.port"]
        # of an option that is there twice, the last counts
        here = ("-dir=data", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-volume.max=10000")
        command = [*command, *here, *(f"-{name}={port}" for name, port in self.ports.items())]
        (folder / "data").mkdir(parents=True)
        super().__init__(folder, command, self.ports["s3.port"])

    def stop(self) -> None:
        """End it and remove its sockets, which lie in /tmp whatever TMPDIR says."""
        super().stop()
        for port in self.ports.values():
            for path in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):  # noqa: S108 - not by our choice
                with suppress(OSError):
                    path.unlink()


class MiniStack(Process):
    """MiniStack: a second opinion; it keeps everything in memory."""

    def __init__(self, folder: Path) -> None:
        port = next(free_ports())
        # the two others would listen to every network, whatever BIND_HOST says
        only_s3 = {"SERVICES": "s3", "IOT_MTLS_ENABLED": "0", "SFTP_ENABLED": "0"}
        super().__init__(folder, ["ministack"], port, GATEWAY_PORT=str(port), BIND_HOST="127.0.0.1", **only_s3)


BESIDE = {"seaweedfs": SeaweedFS, "ministack": MiniStack}


def free_ports() -> Iterator[int]:
    """Yield ports of this machine at which nobody listens, each once."""
    for port in random.SystemRandom().sample(PORTS, len(PORTS)):
        with socket.socket() as attempt, suppress(OSError):
            attempt.bind(("127.0.0.1", port))
            yield port


def client(url: str, **settings: object):
    """Return boto3's client with the test's credentials, whatever is in the environment."""
    return boto3.client(
        "s3",
        endpoint_url=url,
        region_name=REGION,
        aws_access_key_id=KEYS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=KEYS["AWS_SECRET_ACCESS_KEY"],
        config=botocore.config.Config(**settings),
    )


def make_bucket(url: str, name: str) -> None:
    """Make a bucket on a server."""
    client(url).create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})


def partitions(url: str, root: str) -> dict[str, bytes]:
    """Return what is published in a lake `s3://bucket/prefix` on a server, by key."""
    bucket, _, prefix = root.removeprefix("s3://").partition("/")
    s3 = client(url)
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{prefix}/")
    keys = [item["Key"] for page in pages for item in page.get("Contents", ())]
    return {
        key.removeprefix(f"{prefix}/"): s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        for key in keys
        if key.endswith(".parquet")
    }


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the server be chosen."""
    parser.addoption("--s3-server", choices=("moto", *BESIDE), default="moto", help="S3 server to test against")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out, where another server than moto is tested against, what asks no S3 server."""
    if config.getoption("s3_server") == "moto":
        return
    chosen = [item for item in items if _asks_s3(item)]
    config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
    items[:] = chosen


def _asks_s3(item: pytest.Item) -> bool:
    parameters = getattr(item, "callspec", None)
    chosen = set(map(str, parameters.params.values())) if parameters else set()
    return bool({"moto_url", "seaweedfs"} & {*getattr(item, "fixturenames", ())} or {"s3", "on_s3"} & chosen)


@pytest.fixture(scope="session")
def s3_name(request: pytest.FixtureRequest) -> str:
    """Which S3 server `--s3-server` names."""
    name: str = request.config.getoption("s3_server")
    return name


@pytest.fixture(scope="session")
def s3_server(s3_name: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The S3 server that `--s3-server` names."""
    made = Moto() if s3_name == "moto" else BESIDE[s3_name](tmp_path_factory.mktemp("server"))
    yield made
    made.stop()


@pytest.fixture
def only_moto(s3_name: str) -> None:
    """Skips a test that reaches into moto, where another server is tested against."""
    if s3_name != "moto":
        pytest.skip("reaches into moto")


@pytest.fixture(scope="session")
def moto_url(s3_server: Server) -> str:
    """The URL of an S3 server: moto, unless `--s3-server` names another."""
    return s3_server.url


@pytest.fixture
def seaweedfs(tmp_path: Path, s3_name: str) -> Iterator[SeaweedFS]:
    """A SeaweedFS of this test's own, which it may kill."""
    if s3_name != "seaweedfs":
        pytest.skip("only with --s3-server seaweedfs")
    server = SeaweedFS(tmp_path / "seaweedfs")
    yield server
    server.stop()
