"""Graphite to test against: Debian's own carbon and graphite-web, on this machine only, for the whole session.

`apt-get install --no-install-recommends graphite-carbon graphite-web` brings them. Without them such a test is
skipped, or fails if `STORES` is set.
"""

import json
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from urllib.parse import quote
from urllib.request import ProxyHandler, build_opener

import pytest

CARBON = Path("/usr/bin/carbon-cache")
PYTHON = Path("/usr/bin/python3")
WEB = Path("/usr/lib/python3/dist-packages/graphite")
STEP, COARSE_STEP = 600, 3_600  # s
FINE_DAYS = 20
"""What is older is kept in the coarse step."""
SECONDS = 60
CARBON_CONF = """[cache]
STORAGE_DIR = {folder}
LOCAL_DATA_DIR = {folder}/whisper
LOG_DIR = {folder}/log
PID_DIR = {folder}
USER =
ENABLE_LOGROTATION = False
ENABLE_TAGS = False
LOG_UPDATES = False
LOG_CREATES = False
CARBON_METRIC_INTERVAL = 0
MAX_CREATES_PER_MINUTE = inf
MAX_UPDATES_PER_SECOND = inf
LINE_RECEIVER_INTERFACE = 127.0.0.1
LINE_RECEIVER_PORT = {line_port}
PICKLE_RECEIVER_INTERFACE = 127.0.0.1
PICKLE_RECEIVER_PORT = {pickle_port}
CACHE_QUERY_INTERFACE = 127.0.0.1
CACHE_QUERY_PORT = {query_port}
"""
SCHEMAS = f"[all]\npattern = .*\nretentions = {STEP}s:{FINE_DAYS}d,{COARSE_STEP}s:400d\n"
SETTINGS = """SECRET_KEY = "of these tests alone"
GRAPHITE_ROOT = {folder!r}
CONF_DIR = STORAGE_DIR = STATIC_ROOT = LOG_DIR = {folder!r}
WHISPER_DIR = {folder!r} + "/whisper"
INDEX_FILE = {folder!r} + "/index"
DATABASES = {{"default": {{"ENGINE": "django.db.backends.sqlite3", "NAME": {folder!r} + "/graphite.db"}}}}
CARBONLINK_HOSTS = []  # what is not written yet is not there
TIME_ZONE = "UTC"
"""
SERVE = """import sys
from wsgiref.simple_server import WSGIRequestHandler, make_server
from graphite.wsgi import application
WSGIRequestHandler.log_request = lambda *_: None
make_server("127.0.0.1", int(sys.argv[1]), application).serve_forever()
"""


class Graphite:
    """Graphite, with its files in a folder.

    Attributes:
        url: Where graphite-web listens.
        today: The day on which it was begun, in UTC: what is old is so by this machine's clock.
    """

    def __init__(self, folder: Path, today: date, ports: Sequence[int]) -> None:
        """Begin it; it listens on four ports."""
        self.today = today
        self._port, port = ports[0], ports[3]
        self.url = f"http://127.0.0.1:{port}"
        listening = dict(zip(("line_port", "pickle_port", "query_port"), ports, strict=False))
        for each in ("whisper", "log"):
            (folder / each).mkdir()
        (folder / "carbon.conf").write_text(CARBON_CONF.format(folder=folder, **listening))
        (folder / "storage-schemas.conf").write_text(SCHEMAS)
        (folder / "throwaway_settings.py").write_text(SETTINGS.format(folder=str(folder)))
        environment = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(folder),
            "LC_ALL": "C.UTF-8",
            "GRAPHITE_ROOT": str(folder),
            "GRAPHITE_SETTINGS_MODULE": "throwaway_settings",
            "PYTHONPATH": str(folder),
            "PYTHONWARNINGS": "ignore",
        }
        commands = (
            [CARBON, f"--config={folder}/carbon.conf", f"--logdir={folder}/log", "--nodaemon", "start"],
            [PYTHON, "-c", SERVE, str(port)],
        )
        self._log = folder / "output"
        with self._log.open("ab") as log:
            self._processes = [
                subprocess.Popen([*map(str, each)], cwd=folder, env=environment, stdout=log, stderr=log)
                for each in commands
            ]
        try:
            self._wait("does not begin", lambda: self._asked("/version/") is not None and self._listens())
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End it."""
        for each in self._processes:
            each.kill()
            each.wait()

    def feed(self, series: Mapping[str, Sequence[tuple[int, float]]], step: int = STEP) -> None:
        """Send values of series by carbon's line protocol, each with its time, and wait until they are kept so."""
        with socket.create_connection(("127.0.0.1", self._port)) as carbon:
            for path, points in series.items():
                carbon.sendall("".join(f"{path} {value} {at}\n" for at, value in points).encode())
        for path, points in series.items():
            at = points[-1][0]  # the others are written with it, or were before
            query = f"/render?target={quote(path)}&from={at - step}&until={at}&format=json"
            self._wait(f"does not write {path}", lambda query=query: self._has_value(query))

    def _has_value(self, query: str) -> bool:
        found = json.loads(self._asked(query) or "[]")
        return bool(found) and any(value is not None for value, _ in found[0]["datapoints"])

    def _listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self._port)).close()
        except OSError:
            return False
        return True

    def _asked(self, path: str) -> bytes | None:
        try:
            with build_opener(ProxyHandler({})).open(self.url + path, timeout=20) as answer:
                content: bytes = answer.read()
                return content
        except OSError:
            return None

    def _wait(self, what: str, is_so: Callable[[], bool]) -> None:
        deadline = time.monotonic() + SECONDS
        while not is_so():
            assert all(each.poll() is None for each in self._processes), self._log.read_text()
            assert time.monotonic() < deadline, f"Graphite {what}: {self._log.read_text()}"
            time.sleep(0.1)


@pytest.fixture(scope="session")
def graphite_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Graphite]:
    """Graphite of this session; a skip where it is not installed, but in `make test-stores`."""
    from s3_servers import free_ports

    from etl import clock

    is_there = CARBON.is_file() and WEB.is_dir()
    if not is_there and not os.environ.get("STORES"):
        pytest.skip("Graphite is not installed: apt-get install graphite-carbon graphite-web")
    assert is_there, "Graphite is not installed: apt-get install graphite-carbon graphite-web"
    ports = [next(free_ports()) for _ in range(4)]
    made = Graphite(tmp_path_factory.mktemp("graphite"), clock.utc_now().date(), ports)
    yield made
    made.stop()
