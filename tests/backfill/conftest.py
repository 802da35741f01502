"""Faults that tests bring about: a disk that fills up, rights that are taken away, a server that has enough."""

import http.client
import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock, Thread
from urllib.parse import unquote, urlsplit

import pytest

IGNORES_MODES = ("dac_override", "dac_read_search")
HOP_BY_HOP = frozenset({"connection", "content-length", "transfer-encoding", "date", "server"})


@dataclass(frozen=True)
class SmallDisk:
    """A file system of a few megabytes, which only commands that are prefixed see, and which ends with the test.

    Attributes:
        mounted_at: Where those commands see it.
        path: Where this process sees it.
        prefix: What a command is prefixed with.
    """

    mounted_at: Path
    path: Path
    prefix: tuple[str, ...]

    def fill(self, leave: int) -> Path:
        """Write a file that leaves so many bytes, and return it."""
        ballast = self.path / "ballast"
        free = os.statvfs(self.path)
        ballast.write_bytes(bytes(free.f_bavail * free.f_frsize - leave))
        return ballast


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[str], SmallDisk]]:
    """Makes small disks, such as one of "4m"."""
    holders = []

    def make(size: str) -> SmallDisk:
        folder = tmp_path / f"disk{len(holders)}"
        folder.mkdir()
        mount = f'mount -t tmpfs -o size={size} tmpfs "$0" && echo mounted && exec cat'
        try:
            holder = subprocess.Popen(
                ["unshare", "-rm", "sh", "-c", mount, folder],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        except FileNotFoundError:
            pytest.skip("there is no unshare here")
        holders.append(holder)
        if holder.stdout.readline() != "mounted\n":
            pytest.skip(f"no file system can be mounted here: {holder.communicate()[1].strip()}")
        into = ("nsenter", "--preserve-credentials", "-U", "-m", "-t", str(holder.pid))
        prefix = (*into, "sh", "-c", 'cd "$0" && exec "$@"', str(tmp_path / "project"))
        return SmallDisk(folder, Path(f"/proc/{holder.pid}/root{folder}"), prefix)

    yield make
    for holder in holders:
        holder.communicate()  # it ends with its standard input, and the file system with it


@pytest.fixture
def ordinary() -> tuple[str, ...]:
    """What a command is prefixed with so that files' modes bind it, whoever runs the tests."""
    if os.geteuid():
        return ()
    capabilities = ",".join(f"-{name}" for name in IGNORES_MODES)
    prefix = ("setpriv", f"--inh-caps={capabilities}", f"--bounding-set={capabilities}")
    if not shutil.which("setpriv") or subprocess.run([*prefix, "true"], check=False).returncode:
        pytest.skip("root's right to ignore modes can't be given up here")
    return prefix


@dataclass(frozen=True)
class Request:
    """A request to an S3 server.

    Attributes:
        method: GET, PUT, HEAD and the like.
        path: Decoded, with its query: `/bucket/key?list-type=2`.
        count: Which one it is of those with this method and path, from 1 on.
    """

    method: str
    path: str
    count: int = 1


@dataclass(frozen=True)
class Refusal:
    """What is answered instead of the server."""

    status: int = 503
    code: str = "SlowDown"


class FaultyServer(ThreadingHTTPServer):
    """A server that hands requests on to another one, unless they are to be refused.

    Attributes:
        refuse: Says with what a request is refused, None if it is not; called by one thread at a time.
        requests: All that came, with what they were refused with.
    """

    daemon_threads = True

    def __init__(self, below: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.below = urlsplit(below).netloc
        self.refuse: Callable[[Request], Refusal | None] = lambda _: None
        self.requests: list[tuple[Request, Refusal | None]] = []
        self._counts: Counter[Request] = Counter()
        self._lock = Lock()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def refused(self) -> list[Request]:
        """The requests that were refused."""
        return [request for request, refusal in self.requests if refusal]

    def judge(self, request: Request) -> Refusal | None:
        """Note a request, and return with what it is refused."""
        with self._lock:
            self._counts[request] += 1
            request = replace(request, count=self._counts[request])
            refusal = self.refuse(request)
            self.requests.append((request, refusal))
        return refusal


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FaultyServer

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        refusal = self.server.judge(Request(self.command, unquote(self.path)))
        if refusal:
            text = f"<Error><Code>{refusal.code}</Code><Message>Please reduce your rate.</Message></Error>"
            self._answer(refusal.status, [("Content-Type", "application/xml")], text.encode())
            return
        below = http.client.HTTPConnection(self.server.below, timeout=30)
        below.request(self.command, self.path, body, dict(self.headers))
        answer = below.getresponse()
        self._answer(answer.status, answer.getheaders(), answer.read())
        below.close()

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _handle  # noqa: N815 - so http.server wants it

    def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.send_response_only(status)
        length = str(len(body))
        for name, value in headers:
            if name.lower() == "content-length":
                length = value  # HEAD's is the object's
            if name.lower() not in HOP_BY_HOP:
                self.send_header(name, value)
        self.send_header("Content-Length", length)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def _serving(server: FaultyServer) -> Iterator[FaultyServer]:
    with server:
        thread = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def faulty_s3(moto_url: str) -> Iterator[FaultyServer]:
    """An S3 server that refuses what its `refuse` says."""
    with _serving(FaultyServer(moto_url)) as server:
        yield server


@pytest.fixture
def slow_down() -> Refusal:
    """S3's answer to too many requests: 503."""
    return Refusal()
