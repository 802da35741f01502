"""A proxy before an S3 server that does to requests what networks and servers do to them."""

import http.client
import random
import re
import struct
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from enum import Enum, auto
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import SO_LINGER, SOL_SOCKET
from threading import Lock, Thread
from urllib.parse import unquote, urlsplit

import pytest

HOP_BY_HOP = frozenset({"connection", "content-length", "transfer-encoding", "date", "server"})
BUCKET = re.compile(r"^/[^/?]+")
RESET_ON_CLOSE = struct.pack("ii", 1, 0)
SLOW_PIECES, SLOW_SECONDS = 4, 0.1


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

    @property
    def wants_object(self) -> bool:
        """Whether an object's bytes are asked for."""
        return self.method == "GET" and "?" not in self.path


@dataclass(frozen=True)
class Refusal:
    """What is answered instead of the server.

    Attributes:
        has_acted: Whether the server has done all the same what was asked.
    """

    status: int = 503
    code: str = "SlowDown"
    has_acted: bool = False


class Fault(Enum):
    """What else befalls a request."""

    LOST_REQUEST = auto()
    """The connection is reset before the server has acted."""
    LOST_REPLY = auto()
    """The server acts, then the connection is reset without an answer."""
    SLOW = auto()
    """The answer's body comes in pieces."""
    CUT = auto()
    """The connection ends in the middle of the answer's body."""
    DAMAGED = auto()
    """A byte in the middle of the body is another one: of what is put, else of the answer's."""


Trouble = Refusal | Fault
EVERY_TROUBLE: tuple[Trouble, ...] = (
    Refusal(),
    Refusal(500, "InternalError"),
    Refusal(500, "InternalError", has_acted=True),
    *Fault,
)


def some_of(share: float, seed: int, *, checks: bool) -> Callable[[Request], Trouble | None]:
    """Return what chooses a share of all requests, by their paths, for troubles of every kind.

    No checksum is sent with a listing, so that damage to one is nothing that anybody could notice; damage to what
    is put only a server notices that `checks`.
    """

    def refuse(request: Request) -> Trouble | None:
        path = BUCKET.sub("", request.path)  # its name is another in each run
        rng = random.Random(f"{seed} {request.method} {path} {request.count}")  # noqa: S311 - no secrets
        if rng.random() >= share:
            return None
        trouble = rng.choice(EVERY_TROUBLE)
        is_noticed = request.wants_object or (checks and request.method == "PUT")
        return trouble if trouble is not Fault.DAMAGED or is_noticed else Fault.CUT

    return refuse


class FaultyServer(ThreadingHTTPServer):
    """A server that hands requests on to another one, unless they are to be refused or worse.

    Attributes:
        refuse: Says what befalls a request, None if nothing does; called by one thread at a time.
        requests: All that came, with what befell them.
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, below: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.below = urlsplit(below).netloc
        self.refuse: Callable[[Request], Trouble | None] = lambda _: None
        self.requests: list[tuple[Request, Trouble | None]] = []
        self._counts: Counter[Request] = Counter()
        self._lock = Lock()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def refused(self) -> list[Request]:
        """The requests that were refused, or worse."""
        return [request for request, trouble in self.requests if trouble]

    def judge(self, request: Request) -> Trouble | None:
        """Note a request, and return what befalls it."""
        with self._lock:
            self._counts[request] += 1
            request = replace(request, count=self._counts[request])
            trouble = self.refuse(request)
            self.requests.append((request, trouble))
        return trouble


class _Reset(Exception):
    """The connection to the client is no more."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FaultyServer

    def handle(self) -> None:
        """Answer requests until the connection ends."""
        with suppress(_Reset, ConnectionError):  # a client may have gone as well
            super().handle()

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        trouble = self.server.judge(Request(self.command, unquote(self.path)))
        if trouble is Fault.LOST_REQUEST:
            self._reset()
        if trouble is Fault.DAMAGED and self.command == "PUT":
            body, trouble = _damaged(body), None
        has_acted = not isinstance(trouble, Refusal) or trouble.has_acted
        status, headers, content = self._ask(body) if has_acted else (0, [], b"")
        if trouble is Fault.LOST_REPLY:
            self._reset()
        if isinstance(trouble, Refusal):
            text = f"<Error><Code>{trouble.code}</Code><Message>Please reduce your rate.</Message></Error>"
            status, headers, content = trouble.status, [("Content-Type", "application/xml")], text.encode()
        self._answer(status, headers, content, trouble)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _handle  # noqa: N815 - so http.server wants it

    def _ask(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        below = http.client.HTTPConnection(self.server.below, timeout=30)
        try:
            below.request(self.command, self.path, body, dict(self.headers))
            answer = below.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        except (OSError, http.client.HTTPException):  # the server below is gone
            self._reset()
            raise
        finally:
            below.close()

    def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes, trouble: Trouble | None) -> None:
        self.send_response_only(status)
        length = str(len(body))
        for name, value in headers:
            if name.lower() == "content-length" and self.command == "HEAD":
                length = value  # the object's
            if name.lower() not in HOP_BY_HOP:
                self.send_header(name, value)
        self.send_header("Content-Length", length)
        self.end_headers()
        if self.command != "HEAD":
            self._send(body, trouble)

    def _send(self, body: bytes, trouble: Trouble | None) -> None:
        half = len(body) // 2
        if trouble is Fault.CUT and body:
            self.wfile.write(body[:half])
            self.close_connection = True
        elif trouble is Fault.SLOW:
            piece = len(body) // SLOW_PIECES + 1
            for begin in range(0, len(body), piece):
                self.wfile.write(body[begin : begin + piece])
                time.sleep(SLOW_SECONDS)
        elif trouble is Fault.DAMAGED:
            self.wfile.write(_damaged(body))
        else:
            self.wfile.write(body)

    def _reset(self) -> None:
        self.connection.setsockopt(SOL_SOCKET, SO_LINGER, RESET_ON_CLOSE)
        self.rfile.close()
        self.wfile.close()
        self.connection.close()
        raise _Reset

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _damaged(body: bytes) -> bytes:
    half = len(body) // 2
    return body[:half] + bytes(each ^ 1 for each in body[half : half + 1]) + body[half + 1 :]


@contextmanager
def before(below: str) -> Iterator[FaultyServer]:
    """Give a proxy before the server at a URL."""
    with FaultyServer(below) as server:
        thread = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def faulty_s3(moto_url: str) -> Iterator[FaultyServer]:
    """An S3 server to whose requests happens what its `refuse` says."""
    with before(moto_url) as server:
        yield server


@pytest.fixture
def slow_down() -> Refusal:
    """S3's answer to too many requests: 503."""
    return Refusal()
