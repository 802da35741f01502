"""A MongoDB to test against, which is not MongoDB's own: its wire protocol, over documents that mongomock keeps.

What is asked of it goes the whole way: the real driver, its sign-on by SCRAM-SHA-256, BSON over TCP. What a filter
meets, an upsert inserts and `_id` forbids is mongomock's; it knows no replica sets, and so no transactions. Each
write of a bulk is done by itself, so that those of several deliverers mix. Validators are kept and hold.
"""

import base64
import hashlib
import hmac
import secrets
import socketserver
import struct
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import bson
import mongomock
from bson.int64 import Int64
from mongomock.collection import Collection
from mongomock.filtering import filter_applies
from mongomock.helpers import hashdict
from pymongo.errors import DuplicateKeyError

OP_REPLY, OP_QUERY, OP_MSG = 1, 2004, 2013
ROUNDS = 4_096
HELLO = {
    "helloOk": True,
    "isWritablePrimary": True,
    "ismaster": True,
    "maxBsonObjectSize": 16 * 2**20,
    "maxMessageSizeBytes": 48_000_000,
    "maxWriteBatchSize": 100_000,
    "minWireVersion": 0,
    "maxWireVersion": 21,
    "readOnly": False,
    "saslSupportedMechs": ["SCRAM-SHA-256"],
}
BEFORE_SIGN_ON = {"hello", "ismaster", "isMaster", "saslStart", "saslContinue", "endSessions"}
KINDS: dict[str, Callable[[Any], bool]] = {
    "bool": lambda value: isinstance(value, bool),
    "date": lambda value: isinstance(value, datetime),
    "double": lambda value: isinstance(value, float),
    "int": lambda value: type(value) is int,
    "long": lambda value: isinstance(value, Int64),
    "null": lambda value: value is None,
    "object": lambda value: isinstance(value, dict),
    "string": lambda value: isinstance(value, str),
}

Document = dict[str, Any]


def now() -> datetime:
    """Return the time, as a server does."""
    return datetime.now(UTC)  # noqa: TID251 - it is no part of what is tested


class Refused(Exception):
    """What a server answers to a command that it doesn't do.

    Attributes:
        code: MongoDB's number for it.
    """

    def __init__(self, code: int, said: str) -> None:
        super().__init__(said)
        self.code = code


def of_interest(collection: Collection, asked: Document) -> Iterator[Document]:
    """Yield a collection's documents that a filter meets. As mongomock does, which tries it on each."""
    kept = collection._store._documents  # noqa: SLF001 - in place of an index
    if isinstance(asked.get("_id"), dict) and not any(name.startswith("$") for name in asked["_id"]):
        identity = hashdict(asked["_id"])
        some = [kept[identity]] if identity in kept else []
    elif isinstance(asked.get("dt"), datetime):
        some = [each for each in dict.values(kept) if each.get("dt") == asked["dt"]]
    else:
        some = list(dict.values(kept))  # an OrderedDict's own would ask for the hash of each key
    return (each for each in some if filter_applies(asked, each))


Collection._iter_documents = of_interest  # noqa: SLF001 - likewise: else a year takes a quarter of an hour
mongomock.utcnow = lambda: now().replace(microsecond=0, tzinfo=None)  # a date has no microseconds


def conforms(document: Document, schema: Document) -> bool:
    """Tell whether a document is what a JSON Schema of ours demands."""
    fields = schema.get("properties", {})
    return (
        all(name in document for name in schema.get("required", ()))
        and (schema.get("additionalProperties", True) or document.keys() <= fields.keys())
        and all(
            any(KINDS[kind](document[name]) for kind in _listed(rule["bsonType"]))
            for name, rule in fields.items()
            if name in document
        )
    )


def _listed(found: str | list[str]) -> list[str]:
    return [found] if isinstance(found, str) else found


class MongoDouble(socketserver.ThreadingTCPServer):
    """A server on a free port of 127.0.0.1, in threads of this process.

    Attributes:
        port: Where it listens.
        delay: How long it takes for each write, in seconds, so that others come in between.
        refuses: What it answers to commands that it doesn't do, by their names.
        written: The filters of what it was asked to write or delete.
    """

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, user: str, password: str) -> None:
        super().__init__(("127.0.0.1", 0), Connection)
        self.port = self.server_address[1]
        self.user = user
        self.salt = secrets.token_bytes(16)
        self.salted = hashlib.pbkdf2_hmac("sha256", password.encode(), self.salt, ROUNDS)
        self.delay = 0.0
        self.refuses: dict[str, Refused] = {}
        self.written: list[Document] = []
        self._databases = mongomock.MongoClient()
        self._options: dict[tuple[str, str], Document] = {}
        self._one_at_a_time = threading.RLock()
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that is gone."""

    def answer(self, asked: Document) -> Document:
        """Do a command of a client that has signed on, and return what it is told."""
        name, database = next(iter(asked)), asked["$db"]
        done = getattr(self, f"_{name}", None)
        if not done or name in self.refuses:
            raise self.refuses.get(name) or Refused(59, f"no such command: '{name}'")
        if name in {"update", "delete"}:  # each of their writes is done by itself
            return {"ok": 1.0, **done(database, asked)}
        with self._one_at_a_time:
            return {"ok": 1.0, **done(database, asked)}

    def _ping(self, database: str, asked: Document) -> Document:  # noqa: ARG002 - as the others
        return {}

    def _listCollections(self, database: str, asked: Document) -> Document:  # noqa: N802 - MongoDB's name
        found = [
            {"name": name, "type": "collection", "options": options, "info": {"readOnly": False}}
            for (of, name), options in self._options.items()
            if of == database
        ]
        return self._cursor(database, [each for each in found if filter_applies(asked.get("filter", {}), each)])

    def _create(self, database: str, asked: Document) -> Document:
        if (database, asked["create"]) in self._options:
            raise Refused(48, f"Collection {database}.{asked['create']} already exists.")
        return self._modify(database, asked["create"], asked)

    def _collMod(self, database: str, asked: Document) -> Document:  # noqa: N802 - likewise
        if (database, asked["collMod"]) not in self._options:
            raise Refused(26, "ns does not exist")
        return self._modify(database, asked["collMod"], asked)

    def _modify(self, database: str, name: str, asked: Document) -> Document:
        known = {"validator", "validationLevel", "validationAction"}
        self._options.setdefault((database, name), {}).update({k: v for k, v in asked.items() if k in known})
        return {}

    def _drop(self, database: str, asked: Document) -> Document:
        del self._options[database, asked["drop"]]
        self._databases[database].drop_collection(asked["drop"])
        return {}

    def _createIndexes(self, database: str, asked: Document) -> Document:  # noqa: N802 - likewise
        for each in asked["indexes"]:
            self._of(database, asked["createIndexes"]).create_index(list(each["key"].items()), name=each["name"])
        return {}

    def _find(self, database: str, asked: Document) -> Document:
        found = self._of(database, asked["find"], is_read=True).find(
            asked.get("filter", {}), asked.get("projection")
        )
        if asked.get("sort"):
            found = found.sort([*asked["sort"].items()])
        return self._cursor(database, list(found.limit(abs(asked.get("limit", 0)))))

    def _aggregate(self, database: str, asked: Document) -> Document:
        collection = self._of(database, asked["aggregate"], is_read=True)
        return self._cursor(database, list(collection.aggregate(asked["pipeline"])))

    def _insert(self, database: str, asked: Document) -> Document:
        collection = self._of(database, asked["insert"])
        for each in asked["documents"]:
            self._check(database, asked["insert"], each)
            collection.insert_one(each)
        return {"n": len(asked["documents"])}

    def _update(self, database: str, asked: Document) -> Document:
        collection = self._of(database, asked["update"])
        done: Document = {"n": 0, "nModified": 0}

        def one(index: int, each: Document) -> None:
            if next(iter(each["u"])).startswith("$"):
                update = collection.update_many if each.get("multi") else collection.update_one
                found = update(each["q"], each["u"], upsert=each.get("upsert", False))
            else:
                if not asked.get("bypassDocumentValidation"):
                    self._check(database, asked["update"], each["u"])
                found = collection.replace_one(each["q"], each["u"], upsert=each.get("upsert", False))
            done["n"] += found.matched_count
            done["nModified"] += found.modified_count
            if found.upserted_id is not None:
                done["n"] += 1
                done.setdefault("upserted", []).append({"index": index, "_id": found.upserted_id})

        errors = self._each(asked["updates"], one, is_ordered=asked.get("ordered", True))
        return {**done, **({"writeErrors": errors} if errors else {})}

    def _delete(self, database: str, asked: Document) -> Document:
        collection = self._of(database, asked["delete"])
        done = {"n": 0}

        def one(_: int, each: Document) -> None:
            delete = collection.delete_one if each["limit"] else collection.delete_many
            done["n"] += delete(each["q"]).deleted_count

        self._each(asked["deletes"], one, is_ordered=True)
        return done

    def _each(
        self, writes: list[Document], one: Callable[[int, Document], None], *, is_ordered: bool
    ) -> list[Document]:
        """Do writes, between which others may come in, and return what was refused."""
        errors: list[Document] = []
        for index, each in enumerate(writes):
            if self.delay:
                time.sleep(self.delay)
            try:
                with self._one_at_a_time:
                    self.written.append(each["q"])
                    one(index, each)
            except DuplicateKeyError:
                said = f"E11000 duplicate key error index: _id_ dup key: {{ _id: {each['q'].get('_id')} }}"
                errors.append({"index": index, "code": 11_000, "errmsg": said})
            except Refused as error:
                errors.append({"index": index, "code": error.code, "errmsg": str(error)})
            if errors and is_ordered:
                break
        return errors

    def _of(self, database: str, name: str, *, is_read: bool = False) -> Collection:
        """Return a collection, which the first write makes."""
        with self._one_at_a_time:
            if not is_read:
                self._options.setdefault((database, name), {})
            return self._databases[database][name]

    def _check(self, database: str, name: str, document: Document) -> None:
        schema = self._options[database, name].get("validator", {}).get("$jsonSchema", {})
        if not conforms(document, schema):
            raise Refused(121, "Document failed validation")

    @staticmethod
    def _cursor(database: str, found: list[Document]) -> Document:
        return {"cursor": {"id": Int64(0), "ns": f"{database}.$cmd", "firstBatch": found}}


class Connection(socketserver.BaseRequestHandler):
    """A client's."""

    server: MongoDouble

    def setup(self) -> None:
        """Begin as one whom nobody knows."""
        self._is_known = False
        self._sign_on: tuple[str, str] = ("", "")

    def handle(self) -> None:
        """Answer until the client is gone."""
        while head := self._read(16):
            size, request, _, code = struct.unpack("<iiii", head)
            body = self._read(size - 16)
            if code == OP_QUERY:  # the first of a connection
                asked = bson.decode(body[body.index(b"\0", 4) + 9 :])
                answer = bson.encode(self._answer({**asked, "$db": "admin"}))
                self._send(request, OP_REPLY, struct.pack("<iqii", 8, 0, 0, 1) + answer)
            else:
                self._send(request, OP_MSG, struct.pack("<ib", 0, 0) + bson.encode(self._answer(_message(body))))

    def _answer(self, asked: Document) -> Document:
        name = next(iter(asked))
        if not self._is_known and name not in BEFORE_SIGN_ON:
            return {"ok": 0.0, "code": 13, "errmsg": f"Command {name} requires authentication"}
        try:
            if name in {"hello", "ismaster", "isMaster"}:
                return {**HELLO, "localTime": now(), "ok": 1.0}
            if name == "saslStart":
                return self._start(asked["payload"])
            if name == "saslContinue":
                return self._continue(asked["payload"])
            return self.server.answer(asked)
        except Refused as error:
            return {"ok": 0.0, "code": error.code, "errmsg": str(error)}

    def _start(self, payload: bytes) -> Document:
        first = payload.decode().removeprefix("n,,")
        said = dict(each.split("=", 1) for each in first.split(","))
        salt = base64.b64encode(self.server.salt).decode()
        answer = f"r={said['r']}{secrets.token_hex(12)},s={salt},i={ROUNDS}"
        self._sign_on = (said["n"], f"{first},{answer}")
        return {"conversationId": 1, "done": False, "payload": answer.encode(), "ok": 1.0}

    def _continue(self, payload: bytes) -> Document:
        if not payload:
            return {"conversationId": 1, "done": True, "payload": b"", "ok": 1.0}
        user, said = self._sign_on
        without_proof, _, proof = payload.decode().rpartition(",p=")
        of_all = f"{said},{without_proof}".encode()
        key = hmac.digest(self.server.salted, b"Client Key", "sha256")
        signature = hmac.digest(hashlib.sha256(key).digest(), of_all, "sha256")
        wanted = bytes(a ^ b for a, b in zip(key, signature, strict=True))
        if user != self.server.user or base64.b64decode(proof) != wanted:
            raise Refused(18, "Authentication failed.")
        self._is_known = True
        ours = hmac.digest(hmac.digest(self.server.salted, b"Server Key", "sha256"), of_all, "sha256")
        verified = b"v=" + base64.b64encode(ours)
        return {"conversationId": 1, "done": True, "payload": verified, "ok": 1.0}

    def _read(self, size: int) -> bytes:
        """Return so many bytes, none once the client is gone."""
        parts = []
        while size:
            part = self.request.recv(size)
            if not part:
                return b""
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def _send(self, request: int, code: int, body: bytes) -> None:
        self.request.sendall(struct.pack("<iiii", len(body) + 16, 0, request, code) + body)


def _message(body: bytes) -> Document:
    """Return the command of an OP_MSG: a document, and sequences of documents that belong in it."""
    asked: Document = {}
    at = 4
    while at < len(body):
        kind, size = struct.unpack_from("<bi", body, at)
        if kind == 0:
            asked |= bson.decode(body[at + 1 : at + 1 + size])
        else:
            end = body.index(b"\0", at + 5)
            asked[body[at + 5 : end].decode()] = bson.decode_all(body[end + 1 : at + 1 + size])
        at += 1 + size
    return asked
