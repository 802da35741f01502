"""MongoDB to test against: a double, see `mongo_double`, a server for the whole session and a database a test."""

from collections.abc import Iterator
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from mongo_double import MongoDouble
    from pymongo.database import Database

USER, PASSWORD = "deliverer", "s3cr@t/:%pw"
NUMBERS = count()


class MongoDatabase:
    """A database of its own on a server.

    Attributes:
        url: Where it is, with the user and a variable for the password, as luigi.cfg may have it.
        there: It, as a client has it that is not the delivery's.
    """

    def __init__(self, server: "MongoDouble", name: str, there: "Database[dict[str, Any]]") -> None:
        self.server, self.name, self.there = server, name, there
        self.place = f"mongodb://127.0.0.1:{server.port}/{name}"
        self.url = self.at(server.port)

    def at(self, port: int) -> str:
        """Return the URL with another port."""
        return f"mongodb://{USER}:${{MONGO_PASSWORD}}@127.0.0.1:{port}/{self.name}"


@pytest.fixture(scope="session")
def mongo_server() -> "Iterator[MongoDouble]":
    """A server of this session."""
    from mongo_double import MongoDouble

    with MongoDouble(USER, PASSWORD) as made:
        yield made
        made.shutdown()


@pytest.fixture
def mongo(mongo_server: "MongoDouble", monkeypatch: pytest.MonkeyPatch) -> Iterator[MongoDatabase]:
    """An empty database, whose password is in this process's environment."""
    from pymongo import MongoClient

    monkeypatch.setenv("MONGO_PASSWORD", PASSWORD)
    mongo_server.written.clear()
    name = f"figures_{next(NUMBERS)}"
    with MongoClient("127.0.0.1", mongo_server.port, username=USER, password=PASSWORD) as client:
        yield MongoDatabase(mongo_server, name, client[name])
