"""Servers that speak the protocol of Elasticsearch and OpenSearch: stand-ins from the package index, on loopback.

`noida` (noida-db) answers as Elasticsearch 8, `osmem` (osmem-server) as OpenSearch 3. They are unrelated programs,
and neither is the vendor's own server. A test that wants one runs with each. Without them it is skipped, or fails
if `STORES` is set.
"""

import json
import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import urllib3

NOBODY = 65_534
NUMBERS = count()
START_SECONDS = 30
MOST = 10_000
STAND_INS = {
    "noida": (
        "noida_db",
        "noida-db",
        ["start", "--data-dir", "data", "--only", "elasticsearch", "--elasticsearch-port", "{port}"],
        "elasticsearch",
    ),
    "osmem": (
        "osmem_server",
        "bin/osmem-server",
        ["-no-ja", "-no-stdin-watch", "-addr", "127.0.0.1:{port}"],
        "opensearch",
    ),
}
"""Of each its module, its binary there, the binary's arguments, and the scheme of its URLs."""


class Server:
    """A stand-in, as a process of its own that ends with this one.

    Attributes:
        name: Which one it is.
        port: Where it listens on 127.0.0.1.
        scheme: Of URLs for it.
    """

    def __init__(self, name: str, folder: Path, port: int) -> None:
        module, binary, arguments, self.scheme = STAND_INS[name]
        self.name, self.port = name, port
        found = find_spec(module)
        assert found, f"{module} is not installed"
        made = folder / Path(binary).name
        shutil.copy(Path(found.origin).parent / binary, made)
        made.chmod(0o755)
        user = []
        if os.geteuid() == 0:
            os.chown(folder, NOBODY, NOBODY)
            user = [f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
        command = [
            "setpriv",
            "--pdeathsig=KILL",
            *user,
            str(made),
            *(each.format(port=port) for each in arguments),
        ]
        with (folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                command,
                cwd=folder,
                env={"PATH": os.environ["PATH"], "HOME": str(folder)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._wait()

    def _wait(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
            except OSError:
                assert self._process.poll() is None, "it has ended"
                assert time.monotonic() < deadline, "it doesn't listen"
                time.sleep(0.02)
            else:
                return

    def stop(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.wait()


class Indices:
    """The indices of a prefix on a server.

    Attributes:
        url: Where they are, as luigi.cfg may have it.
    """

    def __init__(self, server: Server) -> None:
        self.server = server
        self.prefix = f"figures{next(NUMBERS)}"
        self.url = f"{server.scheme}://127.0.0.1:{server.port}/{self.prefix}"
        self._pool = urllib3.HTTPConnectionPool("127.0.0.1", server.port)

    def name(self, name: str) -> str:
        """Return an index's name."""
        return f"{self.prefix}-{name}"

    def through(self, port: int) -> str:
        """Return the URL of a way to them."""
        return self.url.replace(f":{self.server.port}/", f":{port}/")

    def ask(self, method: str, path: str, document: Any = None) -> Any:
        """Send a request, and return the answer; `{NAME}` in its path is the index of that name."""
        path = path.replace("{", f"{self.prefix}-").replace("}", "")
        body = None if document is None else json.dumps(document)
        answer = self._pool.request(method, path, body=body, headers={"Content-Type": "application/json"})
        return answer.json() | {"http": answer.status}

    def ask_bulk(self, path: str, body: bytes) -> Any:
        """Send documents with their operations, and return the answer."""
        headers = {"Content-Type": "application/x-ndjson"}
        return self._pool.request("POST", path, body=body, headers=headers).json()

    def mapping(self, name: str) -> dict[str, Any]:
        """Return an index's mapping."""
        return self.ask("GET", f"/{{{name}}}/_mapping")[self.name(name)]["mappings"]

    def hits(self, name: str, *sort: str) -> list[dict[str, Any]]:
        """Return all documents; of more than 10,000, fields must be given whose values make each one differ."""
        assert self.ask("POST", f"/{{{name}}}/_refresh")["http"] == 200
        asked: dict[str, Any] = {"size": MOST, "seq_no_primary_term": True, "version": True}
        asked |= {"sort": [{each: "asc"} for each in sort]} if sort else {}
        found: list[dict[str, Any]] = []
        while True:
            hits = self.ask("POST", f"/{{{name}}}/_search", asked)["hits"]["hits"]
            found += hits
            if len(hits) < MOST:
                return found
            asked["search_after"] = hits[-1]["sort"]

    def documents(self, name: str, *sort: str) -> list[dict[str, Any]]:
        """Return all documents as they were sent."""
        return [each["_source"] for each in self.hits(name, *sort)]


@pytest.fixture(scope="session", params=[*STAND_INS])
def elastic_server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """Each of the stand-ins, for this session; a skip where it is not installed, but in `make test-stores`."""
    from s3_servers import free_ports

    module = STAND_INS[request.param][0]
    if not find_spec(module) and not os.environ.get("STORES"):
        pytest.skip(f"{module} is not installed")
    # not below pytest's folder, which only its own user may look into
    folder = Path(tempfile.mkdtemp(prefix=f"error-rate-lake-{request.param}-"))
    folder.chmod(0o755)
    server = Server(request.param, folder, next(free_ports()))
    yield server
    server.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def indices(elastic_server: Server) -> Indices:
    """A prefix of which there are no indices yet."""
    return Indices(elastic_server)


class Between:
    """A way to a server that notes requests, and answers some of them itself.

    Attributes:
        port: Where it listens on 127.0.0.1.
        requests: Method, path, headers and body of each that came.
        answers: Is asked for each what to answer: status and text; None passes the request on.
    """

    def __init__(self, port: int, context: ssl.SSLContext | None = None) -> None:
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        self.answers: Callable[[str, str, bytes], tuple[int, str] | None] = lambda *_: None
        between, pool = self, urllib3.HTTPConnectionPool("127.0.0.1", port, maxsize=4)

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def _pass(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                headers = {
                    name: self.headers[name] for name in ("Content-Type", "Authorization") if self.headers[name]
                }
                between.requests.append((self.command, self.path, headers, body))
                answer = between.answers(self.command, self.path, body)
                if answer:
                    status, data = answer[0], answer[1].encode()
                else:
                    passed = pool.request(self.command, self.path, body=body, headers=headers, retries=False)
                    status, data = passed.status, passed.data
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PUT = do_DELETE = _pass  # noqa: N815 - the standard library's names

            def log_message(self, *_: object) -> None:
                pass

        class Quiet(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: object) -> None:
                pass  # a client that went away, or one that is to get no answer

        self._server = Quiet(("127.0.0.1", 0), Handler)
        if context:
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_address[1]
        Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def close(self) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def between(elastic_server: Server) -> Iterator[Between]:
    """A way to the server that notes requests, and may answer some of them itself."""
    made = Between(elastic_server.port)
    yield made
    made.close()
