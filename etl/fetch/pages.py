"""The answers of HTTP that a day consists of: whether it is ready, each page, and what is kept of it."""

import csv
import io
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from urllib.parse import quote

import urllib3

from etl import clock
from etl.fetch.asked import NotReady
from etl.fetch.asking import Answer, Client, Request, joined
from etl.fetch.days import Span, filled
from etl.fetch.documents import NoSuchValue, records_at, value_at
from etl.fetch.http_settings import CSV, CURSOR, LINK, NOT_FOUND, OFFSET, PAGE, HttpSettings
from etl.fetch.parts import Part, part_file
from etl.fetch.patience import hiding
from lake.config import VARIABLE
from lake.errors import ConfigError, InputError

CONTROL = re.compile(r"[\x00-\x1f\x7f]")
LONE = re.compile(r"[\ud800-\udfff]")
"""Half of a character, which JSON can have."""
LINKS = re.compile(r"<([^<>]*)>((?:\s*;\s*[^;,\"]+(?:\"[^\"]*\")?)*)")
NEXT = re.compile(r";\s*rel\s*=\s*(?:\"(?:[^\"]*\s)?next(?:\s[^\"]*)?\"|next\b)", re.IGNORECASE)
HTML = re.compile(rb"(\xef\xbb\xbf)?\s*<(!doctype\s+html|html[\s>])", re.IGNORECASE)
MOST_PAGES = 100_000
LOOKED_AT = 65_536
"""Of what is kept as it comes: a smaller answer may have no record, but a header."""
MOST_BYTES = 64_000_000
"""Of a page that is held in memory."""
PART_BYTES = 256_000_000
AGENT = "error-rate-lake"
JSON, FORM = "application/json", "application/x-www-form-urlencoded"


class Pages:
    """The answers that a day consists of, while they are fetched."""

    def __init__(self, asked: HttpSettings, client: Client, day: date, folder: Path) -> None:
        self._asked, self._client, self._day, self._folder = asked, client, day, folder
        self._values = Span.of(day, asked.zone).values()

    def parts(self) -> list[Part]:
        """Fetch the day."""
        self.check_ready()
        with hiding(self._client.secrets):
            parts = self._records() if self._asked.records is not None else self._files()
        is_empty = not any(each.rows if each.rows is not None else each.content_bytes for each in parts)
        if is_empty and not self._asked.allow_empty:
            raise self._not_ready("its answer has no record. If a day may have none, set allow_empty = true")
        return parts

    def check_ready(self) -> None:
        """Ask whether the day is complete, where that is set; NotReady if it isn't."""
        if self._asked.ready:
            self._check_ready(self._asked.ready)

    def document(
        self, url: str, method: str = "GET", body: str | None = None, place: dict[str, str] | None = None
    ) -> str:
        """Return one answer as text: that of JSON.

        Args:
            url: A template, as that of the settings.
            method: That of HTTP.
            body: A template, None for nothing.
            place: Values for placeholders beside the day's.
        """
        request = self._request(url, place or {}, method, body)

        def ask() -> str:
            with self._client.asked(request) as answer:
                if self._is_missing(answer):
                    raise self._not_ready(f"it answers {answer.status}")
                self._check_status(answer)
                return self._document(answer)

        return self._client.patiently(self._place, ask)

    def _check_ready(self, template: str) -> None:
        """Ask whether the day is complete; NotReady if it isn't."""
        request, condition = self._request(template, {}, "GET", None), self._asked.ready_if

        def ask() -> None:
            with self._client.asked(request) as answer:
                if self._is_missing(answer) or answer.status == NOT_FOUND:
                    raise self._not_ready(f"it answers {answer.status} to whether it is")
                self._check_status(answer)
                if condition is None:
                    return
                document = self._document(answer)
            try:
                is_ready = condition.holds(document, self._values)
            except ValueError as error:
                raise InputError(
                    f"{self._place}: its answer to ready is no JSON: {error}. Correct ready."
                ) from error
            if not is_ready:
                raise self._not_ready(f"its answer doesn't say {filled(str(condition), self._values)} yet")

        self._client.patiently(self._place, ask)

    def _files(self) -> list[Part]:
        """Fetch what is kept as it comes: a part for each page."""
        parts: list[Part] = []
        is_looked_into = self._asked.next not in {None, LINK}

        def take(answer: Answer) -> "_Page":
            path = self._folder / f"fetched-{len(parts)}"
            if not is_looked_into:
                self._check_end(answer)
                with part_file(path, self._asked.ending) as file:
                    begin = b""
                    for each in answer.content():
                        if len(begin) < LOOKED_AT:
                            begin += each
                            self._check_kind(begin)
                        file.write(each)
                    if file.content_bytes == len(begin):
                        file.rows = _rows(begin, self._asked.format)
                    part = file.finish()
                return _Page(answer.url, answer.headers, None, part.content_sha256, None, part)
            content = self._content(answer)
            self._check_kind(content)
            with part_file(path, self._asked.ending) as file:
                file.write(content)
                file.rows = _rows(content, self._asked.format)
                part = file.finish()
            document = content.decode("utf-8-sig", "replace")
            return _Page(answer.url, answer.headers, document, part.content_sha256, part.rows, part)

        for page in self._pages(take):
            parts += [page.part] if page.part else []
        return parts

    def _records(self) -> list[Part]:
        """Fetch records of arrays in JSON, as lines of NDJSON; a part for many pages."""
        pointer = self._asked.records or ""
        parts: list[Part] = []

        def take(answer: Answer) -> "_Page":
            document = self._document(answer)
            try:
                records = records_at(document, pointer)
            except NoSuchValue:
                said = f"{self._place}: its answer has no array at {pointer}. Correct records, or ask for another."
                raise InputError(said) from None
            except ValueError as error:
                raise InputError(f"{self._place}: its answer is no JSON: {error}.") from error
            content = b"".join(each + b"\n" for each in records)
            return _Page(answer.url, answer.headers, document, content, len(records), None)

        pages = self._pages(take)
        page = next(pages, None)
        while page is not None:
            with part_file(self._folder / f"fetched-{len(parts)}", self._asked.ending) as file:
                file.rows = 0
                while page is not None and file.content_bytes < PART_BYTES:
                    file.write(bytes(page.content) if isinstance(page.content, bytes) else b"")
                    file.rows += page.rows or 0
                    page = next(pages, None)
                parts.append(file.finish())
        return parts

    def _pages(self, take: Callable[[Answer], "_Page"]) -> Iterator["_Page"]:
        """Yield pages, in order; the empty one that ends some is not among them, unless it is the first."""
        asked, at = self._asked, self._asked.first
        before: bytes | str | None = None
        is_counted = asked.next in {PAGE, OFFSET}
        counter = asked.next.upper() if asked.next and is_counted else CURSOR
        place = {counter: str(at) if is_counted else ""}
        request = self._request(asked.url, place, asked.method, asked.body)
        seen: set[tuple[str, bytes | None]] = set()
        for number in range(1, MOST_PAGES + 1):
            seen.add((request.url, request.body))
            page = self._client.patiently(self._place, partial(self._page, request, take))
            if is_counted and number > 1 and not page.rows:
                return
            if is_counted and page.content == before:
                raise InputError(
                    f"{self._place}: page {number} is the very same as the one before. Write {{{counter}}} where "
                    "the server looks for it."
                )
            yield page
            if asked.next is None or (is_counted and not page.rows):
                return
            if is_counted:
                at += (page.rows or 0) if asked.next == OFFSET else 1
                before = page.content
                request = self._request(asked.url, {counter: str(at)}, asked.method, asked.body)
            else:
                following = self._following(request, page)
                if following is None:
                    return
                request = following
            if (request.url, request.body) in seen:
                raise InputError(
                    f"{self._place}: its pages lead in a circle: after page {number} comes an earlier one."
                )
        raise InputError(f"{self._place}: more than {MOST_PAGES:,} pages. Ask for larger ones.")

    def _page(self, request: Request, take: Callable[[Answer], "_Page"]) -> "_Page":
        with self._client.asked(request) as answer:
            if self._is_missing(answer):
                raise self._not_ready(f"it answers {answer.status}")
            self._check_status(answer)
            if self._asked.written:
                self._asked.written.check(self._place, self._day, answer.modified or clock.utc_now())
            return take(answer)

    def _following(self, request: Request, page: "_Page") -> Request | None:
        """Return the request for the page after one, None after the last."""
        asked = self._asked
        if asked.next == LINK:
            url = _linked(page.headers.get("Link") or "")
            return request.at(joined(page.url, url)) if url is not None else None
        try:
            found = value_at(page.document or "", asked.next or "")
        except NoSuchValue:
            return None
        except ValueError as error:
            raise InputError(f"{self._place}: its answer is no JSON: {error}.") from error
        if found is None or found == "" or found is False:
            return None
        if isinstance(found, bool) or not isinstance(found, (str, int)) or LONE.search(str(found)):
            raise InputError(f"{self._place}: at {asked.next} it has neither a text nor a number. Correct next.")
        if f"{{{CURSOR}}}" in asked.url + (asked.body or ""):
            return self._request(asked.url, {CURSOR: str(found)}, asked.method, asked.body)
        return request.at(joined(page.url, str(found)))

    def _request(self, url: str, place: dict[str, str], method: str, body: str | None) -> Request:
        """Return a request of templates with the day, the place in the pages and the environment's secrets."""
        secrets, asked, values = self._client.secrets, self._asked, self._values | place
        headers = {"User-Agent": AGENT}
        secret_headers: dict[str, str] = {}
        for name, template in asked.headers:
            value = secrets.put_in(f"headers, {name}", template, values)
            if CONTROL.search(value):
                raise ConfigError(f"headers: the value of {name} has a line end or another control character.")
            is_secret = VARIABLE.search(template) or name.lower() in {"authorization", "cookie"}
            (secret_headers if is_secret else headers)[name] = value
        if asked.basic_auth:
            secret_headers["Authorization"] = self._basic(asked.basic_auth)
        text = None
        if body is not None:
            is_said = any(each.lower() == "content-type" for each, _ in asked.headers)
            kind, encoded = (JSON, _in_json) if body.lstrip().startswith(("{", "[")) else (FORM, _in_url)
            headers |= {} if is_said else {"Content-Type": kind}
            text = secrets.put_in("body", body, values, str if is_said and kind == FORM else encoded).encode()
        return Request(
            secrets.put_in("url", url, values, _in_url),
            method,
            text,
            headers,
            secret_headers,
            bool(body and VARIABLE.search(body)),
        )

    def _basic(self, template: str) -> str:
        pair = self._client.secrets.put_in("basic_auth", template, {})
        value = urllib3.make_headers(basic_auth=pair)["authorization"]
        self._client.secrets.add(value.partition(" ")[2])
        return value

    def _document(self, answer: Answer) -> str:
        """Return a body as text: that of JSON, whose end is told by itself."""
        content = self._content(answer, proves_end=True)
        try:
            return content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise InputError(f"{self._place}: its answer is no UTF-8: {error}.") from error

    def _content(self, answer: Answer, *, proves_end: bool = False) -> bytes:
        """Return a body that is looked into."""
        if not proves_end:
            self._check_end(answer)
        pieces, size = [], 0
        for each in answer.content():
            pieces.append(each)
            size += len(each)
            if size > MOST_BYTES:
                raise InputError(
                    f"{self._place}: a page has more than {MOST_BYTES:,} bytes. Ask for smaller ones."
                )
        return b"".join(pieces)

    def _check_end(self, answer: Answer) -> None:
        if not answer.says_its_end:
            raise InputError(
                f"{self._place} doesn't say how long its answer is, so half of it would pass for the whole. "
                "Have it answer with a Content-Length, in chunks or compressed."
            )

    def _check_kind(self, begin: bytes) -> None:
        """Make sure that an answer is no page for people, such as one that asks for a password."""
        if HTML.match(begin):
            raise InputError(
                f"{self._place} answers with a page of HTML, and not with data. See in a browser what it says; "
                "maybe it asks to log in: correct url, headers or basic_auth."
            )

    def _check_status(self, answer: Answer) -> None:
        if not self._is_ok(answer):
            told = self._client.told(answer)
            raise InputError(
                f"{self._place} answers {answer.status}{f': {told}' if told else ''}. Correct what is asked "
                f"there; if it means that there is no data yet, set missing = {answer.status}."
            )

    @staticmethod
    def _is_ok(answer: Answer) -> bool:
        return 200 <= answer.status < 300  # noqa: PLR2004 - what HTTP calls successful

    def _is_missing(self, answer: Answer) -> bool:
        return answer.status in self._asked.missing

    @property
    def _place(self) -> str:
        """What is asked, for messages: without parameters, which may be secret."""
        return filled(self._asked.url.partition("?")[0], self._values)

    def _not_ready(self, why: str) -> NotReady:
        return NotReady(f"{self._place} doesn't have {self._day} yet: {why}.")


@dataclass(frozen=True)
class _Page:
    """An answer that was read.

    Attributes:
        document: What it says, where that is looked into.
        content: What is kept of it, or the digest of that: equal for equal pages.
        rows: How many records it has, None where that is not known.
        part: What it was written to, None if it is not written yet.
    """

    url: str
    headers: Mapping[str, str]
    document: str | None
    content: bytes | str
    rows: int | None
    part: Part | None


def _in_url(value: str) -> str:
    return quote(value, safe="")


def _in_json(value: str) -> str:
    """Return a value as it stands between the quotation marks of JSON."""
    return json.dumps(value)[1:-1]


def _rows(content: bytes, shape: str | None) -> int:
    """Return how many records a page has: of CSV without its header, else lines that are not blank."""
    text = content.decode("utf-8-sig", "replace")
    if shape != CSV:
        return sum(1 for each in text.splitlines() if each.strip())
    try:
        return max(sum(1 for each in csv.reader(io.StringIO(text, newline="")) if each) - 1, 0)
    except csv.Error as error:
        raise InputError(f"A page of CSV can't be read: {error}.") from error


def _linked(header: str) -> str | None:
    """Return the URL that a header Link (RFC 8288) has with rel="next", None if there is none."""
    return next((found[1] for found in LINKS.finditer(header) if NEXT.search(found[2])), None)
