"""`fetch = mongodb`: a day's documents of a collection of MongoDB, as lines of NDJSON.

    url = mongodb://reader:${PASSWORD}@host:27017/database  with the driver's options: ?tls=true&authSource=admin
    collection = feedback
    time = created_at                       the field, a date, that tells a document's day
    query = {"kind": "page"}                which documents; all if not said. In extended JSON
    timezone = Europe/London                of the days; UTC if not said
    timeout_seconds = 3600

Each document is a line: dates as 2026-09-01T00:00:00.000Z, ids in hexadecimal, decimals as a text with each digit,
bytes in base64. They are in the order of their time, then of their id. What is changed while they are read may be
among them in either way: fetch a day once it is over.
"""

import json
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qsl, quote, unquote, urlsplit
from zoneinfo import ZoneInfo

from etl.fetch.asked import NotReady
from etl.fetch.days import Span, read_zone
from etl.fetch.environment import Secrets, check_no_secret
from etl.fetch.parts import GZIP, Part, part_file
from etl.fetch.patience import IN_ALL, OF_A_DATABASE, TryAgain, patiently, read_seconds
from lake.config import VARIABLE
from lake.errors import ConfigError, InputError, StoreError

if TYPE_CHECKING:
    from pymongo import MongoClient

KEYS = ("url", "collection", "time", "query", "timeout_seconds", "patience_seconds")
"""The settings of a source that is fetched so, beside `timezone` and `allow_empty`."""
SCHEMES = ("mongodb", "mongodb+srv")
OPTIONS: dict[str, Any] = {
    "appname": "error-rate-lake",
    "serverSelectionTimeoutMS": 10_000,
    "connectTimeoutMS": 10_000,
}
BATCH = 1_000
PART_BYTES = 256_000_000
TRUE = "true"
LOCKED_OUT = frozenset({13, 18})
"""Codes of who may not, and of who isn't who they say."""
TIMED_OUT = 50
AWAY = frozenset({6, 7, 43, 89, 91, 189, 9001, 10107, 11600, 11602, 13435, 13436})
"""Codes of a server that goes down, of a network, of a primary that is another one, and of a lost cursor."""


@dataclass(frozen=True)
class Mongodb:
    """Documents of a collection; it is an Asked.

    Attributes:
        url: Its template, with `${NAME}` for a password.
        collection: The collection's name.
        time: The field of a document's time.
        query: As it is set, None for all documents.
        zone: Of the days, None for UTC.
        timeout_seconds: How long the query may take.
        patience_seconds: How long is tried again in all.
        allow_empty: Whether a day may have no document.
    """

    url: str
    collection: str
    time: str
    query: str | None = None
    zone: ZoneInfo | None = None
    timeout_seconds: int = int(OF_A_DATABASE)
    patience_seconds: int = int(IN_ALL)
    allow_empty: bool = False

    @classmethod
    def read(cls, values: Mapping[str, str], folder: Path) -> Self:  # noqa: ARG003 - no file is named
        """Return what a source's section says.

        Raises:
            ConfigError: Something is missing or unknown, or a password doesn't come from the environment.
        """
        for key, example in (("collection", "feedback"), ("time", "created_at")):
            if not values.get(key) or "$" in values[key]:
                raise ConfigError(f"{key} is missing, or has a $. Write such as {key} = {example}.")
        query = values.get("query")
        try:
            is_query = query is None or isinstance(json.loads(query), dict)
        except ValueError:
            is_query = False
        if not is_query:
            raise ConfigError('query: expected JSON, such as {"kind": "page"}.')
        timeout, patience = read_seconds(values, OF_A_DATABASE)
        return cls(
            url=_url(values.get("url", "")),
            collection=values["collection"],
            time=values["time"],
            query=query,
            zone=read_zone(values.get("timezone")),
            timeout_seconds=timeout,
            patience_seconds=patience,
            allow_empty=values.get("allow_empty") == TRUE,
        )

    def recorded(self) -> dict[str, object]:
        """See Asked."""
        said = {name: getattr(self, name) for name in ("url", "collection", "time", "query")}
        said["timezone"] = self.zone and self.zone.key
        return {"fetch": "mongodb"} | {name: value for name, value in said.items() if value is not None}

    def parameters(self, day: date) -> dict[str, object]:
        """See Asked."""
        return dict(Span.of(day, self.zone).recorded())

    def fetch(self, day: date, folder: Path) -> list[Part]:
        """See Asked."""
        secrets = Secrets()
        url = secrets.put_in("url", self.url, {}, lambda value: quote(value, safe=""))
        attempt = partial(self._parts, url, day, folder)
        parts = patiently(self._place, attempt, secrets, self.patience_seconds)
        if not parts[0].rows and not self.allow_empty:
            raise NotReady(
                f"{self._place} doesn't have {day} yet: {self.collection} has no document of it. If a day may "
                "have none, set allow_empty = true."
            )
        return parts

    def _parts(self, url: str, day: date, folder: Path) -> list[Part]:
        parts: list[Part] = []
        with self._opened(url) as client:
            lines = self._lines(client, day)
            line = next(lines, None)
            while line is not None or not parts:
                with part_file(folder / f"fetched-{len(parts)}", f"ndjson{GZIP}") as file:
                    file.rows = 0
                    while line is not None and file.content_bytes < PART_BYTES:
                        file.write(line)
                        file.rows += 1
                        line = next(lines, None)
                    parts.append(file.finish())
        return parts

    def _lines(self, client: "MongoClient[dict[str, Any]]", day: date) -> Iterator[bytes]:
        from bson import json_util  # noqa: PLC0415 - as in _opened

        span = Span.of(day, self.zone)
        of_day: dict[str, Any] = {self.time: {"$gte": span.start, "$lt": span.stop}}
        asked = {"$and": [of_day, json_util.loads(self.query)]} if self.query else of_day
        found = client.get_default_database()[self.collection].find(
            asked,
            sort=[(self.time, 1), ("_id", 1)],
            batch_size=BATCH,
            max_time_ms=self.timeout_seconds * 1_000,
        )
        with found:
            for each in found:
                yield json.dumps(_plain(each), ensure_ascii=False, allow_nan=False).encode() + b"\n"

    @contextmanager
    def _opened(self, url: str) -> Iterator["MongoClient[dict[str, Any]]"]:
        """Give a client, and have errors say what is wrong with what, and whether it may be otherwise later."""
        try:
            import pymongo  # noqa: PLC0415 - only who fetches so needs it
            from pymongo import errors  # noqa: PLC0415
        except ImportError as error:
            raise ConfigError(
                "What fetches from MongoDB is not installed. Install it with: pip install "
                "'error-rate-lake[mongodb]'"
            ) from error
        try:
            with pymongo.MongoClient(url, tz_aware=True, tzinfo=UTC, **OPTIONS) as client:
                yield client
        except (errors.ConfigurationError, errors.InvalidURI) as error:
            raise ConfigError(f"url: {error}") from error
        except errors.OperationFailure as error:
            said = str((error.details or {}).get("errmsg") or str(error).partition(", full error")[0])
            if error.code in LOCKED_OUT:
                raise StoreError(f"{self._place} doesn't let us in: {said}. Check user and password.") from error
            if error.code == TIMED_OUT:
                raise StoreError(
                    f"{self._place}: {said}. Set timeout_seconds to more than {self.timeout_seconds}, or have the "
                    f"query take less: is there an index on {self.time}?"
                ) from error
            if error.has_error_label("RetryableWriteError") or error.code in AWAY:
                raise TryAgain(said) from error
            raise InputError(f"{self._place} refuses the query: {said}. Correct it.") from error
        except errors.PyMongoError as error:
            raise TryAgain(str(error).partition(", Timeout: ")[0]) from error
        except ValueError as error:  # NaN, which JSON doesn't have
            raise InputError(f"{self._place}: a document can't be written as JSON: {error}.") from error

    @property
    def _place(self) -> str:
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _plain(value: Any) -> Any:  # noqa: ANN401 - whatever a document has
    """Return a value of a document as JSON has it."""
    import bson  # noqa: PLC0415 - as in _opened

    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
    if isinstance(value, bytes):
        return b64encode(value).decode()
    if isinstance(value, (bson.ObjectId, bson.Decimal128)):
        return str(value)
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    raise ValueError(f"a value of type {type(value).__name__}")


def _url(text: str) -> str:
    try:
        parts = urlsplit(VARIABLE.sub("0", text))
    except ValueError:
        parts = None
    if parts is None or parts.scheme not in SCHEMES or parts.fragment or not parts.path.strip("/"):
        raise ConfigError(
            f"url: expected {SCHEMES[0]}://user:${{NAME}}@host/database, NAME being of the environment."
        )
    password = unquote(text.partition("://")[2].partition("/")[0].rpartition("@")[0]).partition(":")[2]
    if password and not VARIABLE.fullmatch(password):
        raise ConfigError("url holds a password. Write ${NAME} in its place, for a variable of the environment.")
    for name, value in parse_qsl(urlsplit(text).query):
        if name.lower() not in {"authsource", "authmechanism"}:
            check_no_secret("url", name, value)
    return text
