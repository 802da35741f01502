"""A server of HTTP that misbehaves on demand, and what is fetched from it."""

import gzip
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path

from etl.fetch.opening import read_asked
from etl.fetch.parts import Part

DAY = date(2026, 9, 1)
NOW = datetime(2026, 9, 2, 3, tzinfo=UTC)
FOLDERS = count()


@dataclass
class Said:
    """What a server answers.

    Attributes:
        headers: Beside Content-Length, which is the body's unless it stands here or `end` is another one.
        end: How the body ends: by its `length`, in `chunked` pieces, or with the connection, as `close`.
        cut: After how many bytes of the body the connection is closed, None for never.
        wait: Is waited for in the middle of the body.
    """

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    end: str = "length"
    cut: int | None = None
    wait: threading.Event | None = None


@dataclass
class Got:
    """A request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Misbehaving:
    """A server that answers what it is told to, in order, and its last answer again and again.

    Attributes:
        port: Where it listens on 127.0.0.1.
        requests: What came.
        answers: What is said to each; a function is given the request.
    """

    def __init__(self, context: ssl.SSLContext | None = None) -> None:  # noqa: C901 - a handler of its own
        self.requests: list[Got] = []
        self.answers: list[Said | Callable[[Got], Said]] = [Said()]
        self.scheme = "https" if context else "http"
        told = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def _answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                got = Got(
                    self.command, self.path, {name.title(): value for name, value in self.headers.items()}, body
                )
                told.requests.append(got)
                said = told.answers.pop(0) if len(told.answers) > 1 else told.answers[0]
                self._say(said if isinstance(said, Said) else said(got))

            do_GET = do_POST = do_CONNECT = _answer  # noqa: N815 - the standard library's names

            def _say(self, said: Said) -> None:
                self.send_response_only(said.status)
                body = said.body
                if said.end == "length" and "Content-Length" not in said.headers:
                    self.send_header("Content-Length", str(len(body)))
                if said.end == "chunked":
                    self.send_header("Transfer-Encoding", "chunked")
                    body = b"".join(b"%x\r\n%b\r\n" % (len(each), each) for each in _pieces(body)) + b"0\r\n\r\n"
                for name, value in said.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                half = len(body) // 2
                if said.cut is not None:
                    body, self.close_connection = body[: said.cut], True
                self.wfile.write(body[:half])
                self.wfile.flush()
                if said.wait:
                    said.wait.wait(20)
                self.wfile.write(body[half:])
                if said.end == "close":
                    self.close_connection = True

            def log_message(self, *_: object) -> None:
                pass

        class Quiet(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: object) -> None:
                pass  # a client that went away

        self._server = Quiet(("127.0.0.1", 0), Handler)
        if context:
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"{self.scheme}://127.0.0.1:{self.port}"

    @property
    def paths(self) -> list[str]:
        """What was asked for."""
        return [each.path for each in self.requests]

    def close(self) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()


def _pieces(body: bytes) -> list[bytes]:
    return [body[at : at + 7] for at in range(0, len(body), 7)]


def parts_of(folder: Path, day: date = DAY, **settings: str) -> list[Part]:
    """Fetch a day by settings into a new folder, and return its parts."""
    made = folder / f"fetched-{next(FOLDERS)}"
    made.mkdir()
    return list(read_asked({"fetch": "http", **settings}, folder).fetch(day, made))


def content(part: Part) -> bytes:
    """Return what a part holds."""
    data = part.path.read_bytes()
    return gzip.decompress(data) if part.ending.endswith(".gz") else data
