"""Requests of HTTP(S) for what is fetched: sent again while that may help, and answered whole or not at all.

Only urllib3 is needed, which boto3 brings. It follows redirects and tries again by itself, too, but would take
half of a compressed answer for the whole, and send a secret on to another host.
"""

import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote, urljoin, urlsplit, urlunsplit
from urllib.request import getproxies_environment, proxy_bypass_environment  # type: ignore[attr-defined]

import urllib3
from isal import isal_zlib
from urllib3.exceptions import HTTPError, InvalidHeader, LocationParseError, MaxRetryError, ProtocolError, SSLError

from etl import clock
from etl.fetch.environment import Secrets
from etl.fetch.patience import TryAgain, patiently
from lake.errors import ConfigError, InputError, StoreError

CONNECT_SECONDS = 10.0
AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses after which the same request may be answered another time."""
LOCKED_OUT = frozenset({401, 403, 407})
REDIRECTS = frozenset({301, 302, 303, 307, 308})
SAME_METHOD = frozenset({307, 308})
MOST_REDIRECTS = 10
OK, FIRST_NOT_OK, NO_CONTENT, PARTIAL = 200, 300, 204, 206
CHUNK = 1 << 16
TOLD = 300
"""So many bytes of an answer that is an error are shown."""
GZIP_MAGIC = b"\x1f\x8b"
GZIP_FORMAT = 31  # of wbits: with its header, and the checksum and size at its end
SCHEMES = ("http", "https")
PORTS = {"http": 80, "https": 443}
OF_SECRETS = frozenset({"authorization", "cookie", "proxy-authorization"})
HTTP_1_1 = 11
T = TypeVar("T")


@dataclass(frozen=True)
class Request:
    """What is asked for.

    Attributes:
        url: Where, with secrets.
        secret_headers: Those headers that no other host may see.
        has_secret_body: Whether none may see the body.
    """

    url: str
    method: str = "GET"
    body: bytes | None = None
    headers: Mapping[str, str] | None = None
    secret_headers: Mapping[str, str] | None = None
    has_secret_body: bool = False

    def at(self, url: str) -> "Request":
        """Return the same request for another address; without secrets if that is another host's.

        Raises:
            InputError: It would have to bring a secret there.
        """
        if _is_same_host(self.url, url):
            return replace(self, url=url)
        if self.has_secret_body:
            raise InputError(
                f"{place_of(self.url)} sends us on to {place_of(url)}, which would see a secret in the body. If "
                "you trust that one, ask it."
            )
        return replace(self, url=url, secret_headers=None)

    def without_body(self) -> "Request":
        """Return a GET of the same address."""
        return replace(self, method="GET", body=None, has_secret_body=False)


class Answer:
    """A server's answer, whose body is read once.

    Attributes:
        url: Who gave it at last.
        status: That of HTTP.
    """

    def __init__(self, response: urllib3.BaseHTTPResponse, url: str) -> None:
        self.url, self.status = url, response.status
        self.headers: Mapping[str, str] = response.headers
        self._response = response

    @property
    def says_its_end(self) -> bool:
        """Whether half of it would be known as such: by its length, its chunks, or what it is compressed with."""
        response: Any = self._response
        return (
            response.chunked
            or response.length_remaining is not None
            or self._encoding == "gzip"
            or self.status == NO_CONTENT
        )

    @property
    def modified(self) -> datetime | None:
        """When what is answered was written, None if that isn't said."""
        return _moment(self.headers.get("Last-Modified") or "")

    @property
    def _encoding(self) -> str:
        encoding = (self.headers.get("Content-Encoding") or "identity").strip().lower()
        return {"x-gzip": "gzip", "": "identity"}.get(encoding, encoding)

    def content(self) -> Iterator[bytes]:
        """Yield the body in pieces: what it is itself compressed with is taken off, too.

        Raises:
            TryAgain: It breaks off.
            InputError: It is encoded in another way than was asked for.
        """
        if self._encoding not in {"identity", "gzip"}:
            raise InputError(
                f"{place_of(self.url)} answers in encoding {self._encoding}, and was asked for gzip or none."
            )
        pieces = self._pieces()
        return _opened(_inflated(pieces) if self._encoding == "gzip" else pieces)

    def _pieces(self) -> Iterator[bytes]:
        try:
            yield from self._response.stream(CHUNK, decode_content=False)
        except HTTPError as error:
            raise TryAgain(f"its answer breaks off: {_reason(error)}") from error


class Client:
    """Sends requests.

    Attributes:
        secrets: What no message shows.
    """

    def __init__(self, secrets: Secrets, ca: Path | None, timeout_seconds: float, patience_seconds: float) -> None:
        """Take what certificates are checked against, and how long is waited for a word and in all.

        Raises:
            ConfigError: The file of certificates can't be read.
        """
        self.secrets = secrets
        self._ca = ca
        self._timeout = urllib3.Timeout(connect=min(CONNECT_SECONDS, timeout_seconds), read=timeout_seconds)
        self._patience_seconds = patience_seconds
        self._managers: dict[str | None, urllib3.PoolManager] = {}

    def close(self) -> None:
        """Close all connections."""
        for each in self._managers.values():
            each.clear()

    def patiently(self, place: str, attempt: Callable[[], T]) -> T:
        """Return what an attempt returns; see `patience`."""
        return patiently(place, attempt, self.secrets, self._patience_seconds)

    @contextmanager
    def asked(self, request: Request) -> Iterator[Answer]:
        """Send a request, and follow redirects; give the answer, be it an error that another attempt won't change.

        Raises:
            TryAgain: There is none, or one that may be another next time.
            StoreError: It doesn't let us in.
            InputError: It sends us on and on, or elsewhere than to a server of HTTP.
        """
        for _ in range(MOST_REDIRECTS + 1):
            response = self._send(request)
            try:
                if response.status not in REDIRECTS or "Location" not in response.headers:
                    self._check(response, request)
                    yield Answer(response, request.url)
                    return
                target = joined(request.url, response.headers["Location"])
                request = (request if response.status in SAME_METHOD else request.without_body()).at(target)
            finally:
                # a body that was not read to its end would be taken for the next answer
                response.close()
        raise InputError(
            f"{place_of(request.url)}: {MOST_REDIRECTS} redirects, and no answer. Correct its address."
        )

    def told(self, answer: Answer) -> str:
        """Return the beginning of what an answer says, in one line, without secrets."""
        text = b""
        try:
            for each in answer.content():
                text += each
                if len(text) >= TOLD:
                    break
        except (TryAgain, InputError):
            pass
        return self.secrets.hidden(text[:TOLD].decode("utf-8", "replace")).rstrip(". ")

    def _send(self, request: Request) -> urllib3.BaseHTTPResponse:
        headers = {"Accept-Encoding": "gzip", **(request.headers or {}), **(request.secret_headers or {})}
        manager = self._manager(request.url)
        try:
            return manager.request(
                request.method,
                request.url,
                body=request.body,
                headers=headers,
                retries=False,
                redirect=False,
                preload_content=False,
                decode_content=False,
                timeout=self._timeout,
            )
        except (LocationParseError, InvalidHeader) as error:
            raise InputError(f"{place_of(request.url)}: {_reason(error)}") from error
        except SSLError as error:
            raise StoreError(
                f"{place_of(request.url)}: {_reason(error)}. If an authority of your own has signed its "
                "certificate, set ca to the file with that authority's."
            ) from error
        except HTTPError as error:
            raise TryAgain(_reason(error)) from error

    def _check(self, response: urllib3.BaseHTTPResponse, request: Request) -> None:
        place = place_of(request.url)
        if response.status in AGAIN:
            raise TryAgain(f"it answers {response.status}", _wait_seconds(response.headers))
        if response.status in LOCKED_OUT:
            raise StoreError(
                f"{place} answers {response.status}: {self.told(Answer(response, request.url))}. It doesn't let "
                "us in: check the secrets in the environment, and what they permit."
            )
        if response.status == PARTIAL:
            raise InputError(f"{place} answers {PARTIAL}, a part of what it has, and was asked for all of it.")

    def _manager(self, url: str) -> urllib3.PoolManager:
        """Return what has the connections to a host: to it, or to the proxy that the environment names."""
        proxy = _proxy_of(url)
        if proxy not in self._managers:
            more: dict[str, Any] = {"maxsize": 1}
            if url.startswith("https:") or self._ca:
                more |= {"ssl_context": _context(self._ca)}  # which reads many certificates
            self._managers[proxy] = self._proxied(proxy, more) if proxy else urllib3.PoolManager(**more)
        return self._managers[proxy]

    def _proxied(self, proxy: str, more: dict[str, Any]) -> urllib3.ProxyManager:
        parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        if parts.scheme not in SCHEMES:
            raise ConfigError(
                f"The proxy that the environment names is of scheme {parts.scheme}, expected http or https. "
                "Correct HTTPS_PROXY or HTTP_PROXY, or name the host in NO_PROXY."
            )
        headers = None
        if parts.username:
            self.secrets.add(unquote(parts.password or ""))
            headers = urllib3.make_headers(
                proxy_basic_auth=f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            )
        address = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
        return urllib3.ProxyManager(
            address, proxy_headers=headers, proxy_ssl_context=more.get("ssl_context"), **more
        )


def joined(url: str, other: str) -> str:
    """Return the URL that another one, maybe a relative one, means in an answer from a URL.

    Raises:
        InputError: It is none of HTTP.
    """
    try:
        parts = urlsplit(found := urljoin(url, other))
        if parts.scheme in SCHEMES and parts.hostname and (parts.port is None or parts.port):
            return found
    except ValueError:
        pass
    raise InputError(f"{place_of(url)} sends us on to what is no URL of http:// or https://.")


def place_of(url: str) -> str:
    """Return a URL as messages name it: without user, password and parameters."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _wait_seconds(headers: Mapping[str, str]) -> float | None:
    """Return how long a server wants to be left alone, by its own clock if it tells its time."""
    text = (headers.get("Retry-After") or "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    until, now = _moment(text), _moment(headers.get("Date") or "") or clock.utc_now()
    return max((until - now).total_seconds(), 0) if until else None


def _moment(text: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _inflated(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Yield what gzip holds, a bounded piece at a time; TryAgain if it breaks off or is damaged."""
    inflate, is_begun = isal_zlib.decompressobj(GZIP_FORMAT), False
    try:
        for piece in pieces:
            left = piece
            while left:
                if inflate.eof:  # gzip may be one after the other
                    inflate = isal_zlib.decompressobj(GZIP_FORMAT)
                is_begun = True
                if content := inflate.decompress(left, CHUNK):
                    yield content
                while not inflate.eof and (content := inflate.decompress(inflate.unconsumed_tail, CHUNK)):
                    yield content
                left = inflate.unused_data if inflate.eof else b""
    except isal_zlib.error as error:  # type: ignore[misc]  # isal's types are not read
        raise TryAgain(f"its answer is damaged gzip: {error}") from error
    if is_begun and not inflate.eof:
        raise TryAgain("its answer is gzip that breaks off")


def _opened(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Yield what pieces are: if they are a file of gzip, what that holds."""
    begin = b""
    for piece in pieces:
        begin += piece
        if len(begin) >= len(GZIP_MAGIC):
            break

    def whole() -> Iterator[bytes]:
        if begin:
            yield begin
        yield from pieces

    return _inflated(whole()) if begin.startswith(GZIP_MAGIC) else whole()


def _reason(error: Exception) -> str:
    """Say what went wrong with a connection."""
    reason = error.reason if isinstance(error, MaxRetryError) and error.reason else error
    text = str(reason.args[-1]) if isinstance(reason, ProtocolError) and reason.args else str(reason)
    return text.rpartition("): ")[2] or text


def _is_same_host(one: str, other: str) -> bool:
    """Tell whether two URLs are of one server; from http to https on the usual ports, it is still the same."""
    first, second = urlsplit(one), urlsplit(other)
    if first.hostname != second.hostname:
        return False
    ends = [(each.scheme, each.port or PORTS.get(each.scheme)) for each in (first, second)]
    return ends[0] == ends[1] or ends == [("http", 80), ("https", 443)]


def _proxy_of(url: str) -> str | None:
    """Return the proxy that the environment names for a URL."""
    parts = urlsplit(url)
    proxies = getproxies_environment()
    if proxy_bypass_environment(parts.hostname or "", proxies):
        return None
    return proxies.get(parts.scheme) or proxies.get("all")


def _context(ca: Path | None) -> ssl.SSLContext:
    """Return how a server's certificate is checked: against a file's, or those that the machine trusts."""
    try:
        return ssl.create_default_context(cafile=ca)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"ca = {ca}: can't read certificates from it: {error}.") from error
