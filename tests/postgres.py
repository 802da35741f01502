"""A Postgres server for the whole session; without it such a test is skipped, or fails if `STORES` is set."""

import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from threading import Thread

import pytest
from certificates import certificate
from postgres_server import PASSWORD, USER, Server, binaries

NUMBERS = count()


class Database:
    """A database of its own on a server.

    Attributes:
        url: Where it is, with the user and without a password, as luigi.cfg may have it.
    """

    def __init__(self, server: Server, name: str) -> None:
        self.server, self.name = server, name
        self.url = f"postgresql://{USER}@127.0.0.1:{server.port}/{name}"

    def ask(self, *statements: str) -> list[tuple[object, ...]]:
        """Do statements in a transaction, and return the rows of the last one."""
        from adbc_driver_postgresql import dbapi

        with dbapi.connect(self.url) as connection:
            with connection.cursor() as cursor:
                for each in statements[:-1]:
                    cursor.execute(each)
                cursor.execute(statements[-1])
                rows = list(cursor.fetchall()) if cursor.description else []
            connection.commit()
        return rows


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A Postgres server of this session; a skip where it is not installed, but in `make test-stores`."""
    from s3_servers import free_ports

    found = binaries()
    if not found and not os.environ.get("STORES"):
        pytest.skip("Postgres is not installed: apt-get install postgresql")
    assert found, "Postgres is not installed: apt-get install postgresql"
    # not below pytest's folder, which only its own user may look into
    folder = Path(tempfile.mkdtemp(prefix="error-rate-lake-postgres-"))
    folder.chmod(0o755)
    certificate(folder)
    server = Server(folder / "server", found, next(free_ports()), folder)
    yield server
    server.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def database(postgres_server: Server, monkeypatch: pytest.MonkeyPatch) -> Database:
    """An empty database, whose password is in this process's environment."""
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    name = f"figures_{next(NUMBERS)}"
    from adbc_driver_postgresql import dbapi

    with (
        dbapi.connect(
            f"postgresql://{USER}@127.0.0.1:{postgres_server.port}/postgres", autocommit=True
        ) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(f'create database "{name}"')
    return Database(postgres_server, name)


class Cutting:
    """A way to a server that is cut, both connections at once, after so many bytes of one direction.

    Attributes:
        port: Where it listens on 127.0.0.1.
        left: How many bytes still pass from the client and to it; None for all.
    """

    def __init__(self, port: int) -> None:
        self.left: dict[str, int | None] = {"from": None, "to": None}
        self._to = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Listen no more."""
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):  # as it is closed
            while True:
                client, _ = self._listener.accept()
                Thread(target=self._join, args=(client,), daemon=True).start()

    def _join(self, client: socket.socket) -> None:
        with client, socket.create_connection(("127.0.0.1", self._to)) as server:
            answers = Thread(target=self._pass, args=("to", server, client), daemon=True)
            answers.start()
            self._pass("from", client, server)
            answers.join()

    def _pass(self, direction: str, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):  # the other direction was cut
            while data := source.recv(65_536):
                left = self.left[direction]
                if left is not None:
                    self.left[direction] = max(left - len(data), 0)
                    data = data[:left]
                sink.sendall(data)
                if self.left[direction] == 0:
                    break
        for each in (source, sink):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def cutting(postgres_server: Server) -> Iterator[Cutting]:
    """A way to the server that can be cut."""
    made = Cutting(postgres_server.port)
    yield made
    made.close()
