"""Requests to Elasticsearch or OpenSearch: the few of their HTTP interface that a delivery needs, which both have.

The shapes of requests are those of Elastic's published specification (elastic/elasticsearch-specification). The
clients of the two refuse each other's servers, so that urllib3, which boto3 brings, does for both.
"""

import base64
import ipaddress
import re
import ssl
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

import orjson
import urllib3
from urllib3.exceptions import HTTPError, MaxRetryError, ProtocolError

from etl.deliver.deliveries import Delivery
from lake.errors import ConfigError, StoreError, TargetRefused
from lake.names import hint

PORT = 9200
OPTIONS = ("tls", "ca")
API_KEY = "api_key"
"""As a user's name it says that the password is an API key."""
PREFIX = re.compile(r"[a-z0-9][a-z0-9_.-]{0,99}")
TIMEOUT = urllib3.Timeout(connect=10, read=120)  # s; deleting many rows takes long
BUSY = (429, 502, 503, 504)
PATIENCE = urllib3.Retry(
    total=9,  # with these pauses, a minute and a quarter of a server that is busy
    connect=1,
    read=2,  # of a lost connection: each request may be sent twice
    other=0,
    status_forcelist=BUSY,
    allowed_methods=None,
    backoff_factor=0.5,
    backoff_max=15,
    raise_on_status=False,
    respect_retry_after_header=False,  # which may say hours
)
BAD_REQUEST = 400
CONFLICT = 409
NOT_FOUND = 404
UNAUTHORIZED = 401
FIRST_ERROR = 300
SHOWN = 500
HIDDEN = "***"
CONNECTION = re.compile(r"^HTTPS?Connection(Pool)?\(.*?\): ")

Document = tuple[str, bytes]
"""An id, and a document as JSON."""


class Answer(NamedTuple):
    """A server's answer: the status of HTTP, and what its JSON says."""

    status: int
    content: Any


class ElasticServer:
    """A server, or a cluster behind one address.

    Attributes:
        place: Its name for messages, without secrets.
        prefix: What the names of a delivery's indices begin with, with its dash; empty for nothing.
    """

    def __init__(self, delivery: Delivery) -> None:
        """Raises ConfigError: Its URL has a path or options that mean nothing."""
        parts = urlsplit(delivery.to)
        self.place = delivery.place
        self.prefix = _prefix(parts.path, self.place)
        host, port = parts.hostname or "localhost", parts.port or PORT
        ca = _option(parts.query, "ca", self.place)
        is_tls = _is_tls(_option(parts.query, "tls", self.place), host, self.place)
        headers = _headers(parts.username, parts.password, self.place)
        sent = headers.get("Authorization", "").rpartition(" ")[2]
        self._secrets = [text for text in (parts.password, unquote(parts.password or ""), sent) if text]
        more: dict[str, Any] = {"headers": headers, "timeout": TIMEOUT, "maxsize": 1}
        if is_tls:
            context = _context(str(delivery.config.parent / ca) if ca else None, self.place)
            self._pool: urllib3.HTTPConnectionPool = urllib3.HTTPSConnectionPool(
                host, port, ssl_context=context, **more
            )
        elif ca:
            raise ConfigError(f"{self.place}: ca is of TLS, and tls = false. Take one of them out.")
        else:
            self._pool = urllib3.HTTPConnectionPool(host, port, **more)

    def close(self) -> None:
        """Close the connection."""
        self._pool.close()

    def ask(
        self,
        method: str,
        path: str,
        document: Mapping[str, Any] | None = None,
        expected: Sequence[int] = (),
    ) -> Answer:
        """Send a request, again if need be, and return what it was answered.

        Args:
            method: That of HTTP.
            path: Without the server, its names encoded.
            document: What is sent, None for nothing.
            expected: Statuses that are no errors.

        Raises:
            StoreError: The server is away, or doesn't let us in, or stays busy.
            TargetRefused: It refuses the request.
        """
        body = None if document is None else orjson.dumps(document)
        return self._send(method, path, body, "application/json", expected)

    def bulk(self, index: str, operations: Sequence[tuple[Mapping[str, Any], Document]]) -> list[Document]:
        """Write documents, each by its operation; return those for which a later version stands there.

        Raises:
            StoreError: See `ask`.
            TargetRefused: A document is refused.
        """
        left, conflicts, patience = list(operations), [], PATIENCE
        while left:
            body = b"".join(b"%b\n%b\n" % (orjson.dumps(operation), text) for operation, (_, text) in left)
            path = f"/{index}/_bulk"
            answer = self._send("POST", path, body, "application/x-ndjson").content
            results = [next(iter(each.values())) for each in answer["items"]]
            busy = []
            for operation, result in zip(left, results, strict=True):
                if result["status"] == CONFLICT:
                    conflicts.append(operation[1])
                elif result["status"] in BUSY:
                    busy.append(operation)
                elif result["status"] >= FIRST_ERROR:
                    raise TargetRefused(
                        f"{self.place}: can't write {operation[1][0]} to {index}: {self.told(result)}. What was "
                        "sent before it stays. Correct it there, and run the command again."
                    )
            left = busy
            if left:
                patience = self._wait(patience, path)
        return conflicts

    def _wait(self, patience: urllib3.Retry, path: str) -> urllib3.Retry:
        """Wait for a server that is too busy for some documents; StoreError if it stays so."""
        try:
            left = patience.increment("POST", path)
        except MaxRetryError as error:
            raise StoreError(f"{self.place}: POST {path}: it stays too busy. Run the command again.") from error
        left.sleep()
        return left

    def _send(self, method: str, path: str, body: bytes | None, kind: str, expected: Sequence[int] = ()) -> Answer:
        headers = {**(self._pool.headers or {}), "Content-Type": kind}
        try:
            response = self._pool.request(
                method, path, body=body, headers=headers, retries=PATIENCE, redirect=False
            )
        except HTTPError as error:
            raise StoreError(self._away(_reason(error))) from error
        try:
            answer = orjson.loads(response.data)
        except orjson.JSONDecodeError as error:
            said = f"{method} {path} was answered {response.status}, and not as Elasticsearch does"
            raise StoreError(self._away(said)) from error
        if response.status < FIRST_ERROR or response.status in expected:
            return Answer(response.status, answer)
        told = f"{method} {path}: {self.told(answer)}"
        if response.status in (*BUSY, UNAUTHORIZED):
            raise StoreError(self._away(told))
        raise TargetRefused(f"{self.place}: {told}.")

    def _away(self, told: str) -> str:
        return (
            f"Can't reach {self.place}: {self._hidden(told).rstrip('. ')}. Check that it runs, its host, port, "
            "user and password, and whether it speaks TLS (docs/how-to/deliver.md)."
        )

    def told(self, answer: object) -> str:
        """Return what an error says, in one line."""
        error = answer.get("error") if isinstance(answer, dict) else None
        if isinstance(error, dict):
            error = f"{error.get('type')}: {error.get('reason')}"
        return self._hidden(str(error or answer)).rstrip(". ")

    def _hidden(self, text: str) -> str:
        """Return a text in one line, shortened, without the password."""
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        return " ".join(text.split())[:SHOWN]


def _reason(error: HTTPError) -> str:
    """Say what went wrong with a connection."""
    reason = error.reason if isinstance(error, MaxRetryError) and error.reason else error
    text = str(reason.args[-1]) if isinstance(reason, ProtocolError) else str(reason)
    return CONNECTION.sub("", text)


def _headers(user: str | None, password: str | None, place: str) -> dict[str, str]:
    """Return the headers that carry the credentials."""
    name, secret = unquote(user or ""), unquote(password or "")
    if name == API_KEY:
        if not re.fullmatch("[!-~]+", secret):
            raise ConfigError(f"{place}: the API key is empty, or has characters that none has.")
        return {"Authorization": f"ApiKey {secret}"}
    return {"Authorization": f"Basic {base64.b64encode(f'{name}:{secret}'.encode()).decode()}"} if name else {}


def _prefix(path: str, place: str) -> str:
    """Return what names of indices begin with."""
    name = path.strip("/")
    if name and not PREFIX.fullmatch(name):
        raise ConfigError(
            f"{place}: the path is what names of indices begin with: small letters, digits, '.', '_' and '-', a "
            "letter or digit first, at most 100."
        )
    return f"{name}-" if name else ""


def _option(query: str, name: str, place: str) -> str | None:
    """Return an option of a URL, None where it is not said; ConfigError if one is not known."""
    options = parse_qs(query, keep_blank_values=True)
    for each in options:
        if each not in OPTIONS:
            raise ConfigError(f"{place}: unknown option. Known: {', '.join(OPTIONS)}.{hint(each, OPTIONS)}")
    return options[name][-1] if name in options else None


def _is_tls(option: str | None, host: str, place: str) -> bool:
    """Tell whether a server is spoken to by TLS: unless it is this machine, or the URL says otherwise."""
    if option not in {None, "true", "false"}:
        raise ConfigError(
            f"{place}: the option tls is true or false. Without it, it is true unless on this machine."
        )
    return option == "true" if option else not _is_loopback(host)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _context(ca: str | None, place: str) -> ssl.SSLContext:
    """Return how a server's certificate is checked: against a file's, or those that the machine trusts."""
    try:
        return ssl.create_default_context(cafile=ca)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"{place}: can't read certificates from ca = {ca}: {error}.") from error
