"""What a section says of an export by HTTP; `etl.fetch.http` shows it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date
from pathlib import Path
from typing import Self
from urllib.parse import parse_qsl, urlsplit
from zoneinfo import ZoneInfo

from etl.fetch.days import Span, check_template, filled, read_zone
from etl.fetch.documents import POINTER, NoSuchValue, check_pointer, value_at
from etl.fetch.environment import check_no_secret
from etl.fetch.parts import GZIP
from etl.fetch.patience import IN_ALL, OF_A_SERVER, read_seconds
from etl.fetch.written import Written
from lake.config import VARIABLE, whole_number
from lake.errors import ConfigError

LINK, PAGE, OFFSET, CURSOR = "link", "page", "offset", "CURSOR"
METHODS = ("GET", "POST")
PLACES = (PAGE.upper(), OFFSET.upper(), CURSOR)
KEYS = (
    "url",
    "method",
    "headers",
    "basic_auth",
    "body",
    "ca",
    "next",
    "first",
    "records",
    "ready",
    "ready_if",
    "missing",
    "timeout_seconds",
    "patience_seconds",
)
"""The settings of a source that is fetched so, beside `format`, `timezone` and `allow_empty`."""
HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(\S.*)")
CONDITION = re.compile(r"(?P<pointer>/\S*|\.)\s+(?P<sign>>?=)\s+(?P<value>\S.*)")
PLAIN = {"parquet": "parquet", "excel": "xlsx"}
"""Endings by format, of what is compressed from within."""
NDJSON, CSV = "ndjson", "csv"
ENDINGS = (CSV, NDJSON, "json")
OTHERWISE = "log"
TRUE, FALSE = "true", "false"
LOWEST_MISSING, HIGHEST_MISSING = 400, 499
NOT_FOUND = 404
NOT_MISSING = frozenset({401, 403, 407, 408, 425, 429})


@dataclass(frozen=True)
class Condition:
    """What an answer in JSON must say: at a pointer, a value that is this one, or isn't below it."""

    pointer: str
    sign: str
    value: str

    def __str__(self) -> str:
        return f"{self.pointer} {self.sign} {self.value}"

    def holds(self, document: str, values: dict[str, str]) -> bool:
        """Tell whether a document says so; ValueError if it is no JSON."""
        wanted = filled(self.value, values)
        try:
            found = value_at(document, self.pointer)
        except NoSuchValue:
            return False
        if isinstance(found, (dict, list)) or found is None:
            return False
        said = {True: TRUE, False: FALSE}[found] if isinstance(found, bool) else str(found)
        if self.sign == "=" or isinstance(found, bool):
            return said == wanted
        if isinstance(found, str):
            return said >= wanted
        try:
            return float(found) >= float(wanted)
        except ValueError:
            return False


@dataclass(frozen=True)
class HttpSettings:
    """What a section says of an export by HTTP.

    Attributes:
        url: Its template, as all texts here: with `${NAME}`, and no secret.
        headers: Names and templates of their values.
        basic_auth: Template of a user and a password, with a colon between them; None for none.
        ca: What certificates are checked against, None for what the machine trusts.
        next: How the next page is found: link, page, offset or a JSON pointer; None where there is one page.
        first: The first {PAGE} or {OFFSET}.
        records: A JSON pointer to an array of records, None where what comes is kept as it is.
        ready: What is asked before the day is; None for nothing.
        missing: Statuses that mean that there is no data yet.
        format: That of the source, by which files are named and records counted.
        zone: Of its days, None for UTC.
        written: When it is, if it is the same URL every day; None if what is asked names the day.
    """

    url: str
    method: str = METHODS[0]
    headers: tuple[tuple[str, str], ...] = ()
    basic_auth: str | None = None
    body: str | None = None
    ca: Path | None = None
    next: str | None = None
    first: int = 0
    records: str | None = None
    ready: str | None = None
    ready_if: Condition | None = None
    missing: tuple[int, ...] = ()
    timeout_seconds: int = int(OF_A_SERVER)
    patience_seconds: int = int(IN_ALL)
    format: str | None = None
    zone: ZoneInfo | None = None
    allow_empty: bool = False
    written: Written | None = None

    @classmethod
    def read(cls, values: Mapping[str, str], folder: Path) -> Self:
        """Return what a source's section says.

        Args:
            values: The section.
            folder: That of luigi.cfg, which `ca` is relative to.

        Raises:
            ConfigError: Something is missing, unknown, or a secret that doesn't come from the environment.
        """
        url = check_url("url", values.get("url"), PLACES)
        body = values.get("body")
        if body is not None:
            check_template("body", body, PLACES)
        ready = check_url("ready", values["ready"]) if "ready" in values else None
        ready_if = _condition(values["ready_if"]) if "ready_if" in values else None
        if ready_if and not ready:
            raise ConfigError("ready_if is about the answer of ready, which is not said. Add it.")
        following = _next(values.get("next"), url + (body or ""))
        first = whole_number("first", values.get("first", "1" if following == PAGE else "0"), 0, 9_999_999)
        if "first" in values and following not in {PAGE, OFFSET}:
            raise ConfigError(f"first is of next = {PAGE} and next = {OFFSET}. Take it out.")
        shape = values.get("format")
        if shape in PLAIN and "records" not in values and following not in {None, LINK}:
            raise ConfigError(
                f"next = {following}: nothing counts the records of {shape}. Expected {LINK}, or none."
            )
        method = values.get("method", METHODS[0] if body is None else METHODS[1])
        if method not in METHODS:
            raise ConfigError(f"method = {method}: expected {' or '.join(METHODS)}.")
        if method == METHODS[0] and body is not None:
            raise ConfigError(f"body is of method = {METHODS[1]}. Take one of them out.")
        allow_empty = values.get("allow_empty", FALSE)
        if allow_empty not in {TRUE, FALSE}:
            raise ConfigError(f"allow_empty = {allow_empty}: expected {TRUE} or {FALSE}.")
        timeout, patience = read_seconds(values, OF_A_SERVER)
        return cls(
            url=url,
            method=method,
            headers=_headers(values.get("headers", "")),
            basic_auth=_basic_auth(values.get("basic_auth")),
            body=body,
            ca=folder / values["ca"] if values.get("ca") else None,
            next=following,
            first=first,
            records=check_pointer("records", values["records"]) if "records" in values else None,
            ready=ready,
            ready_if=ready_if,
            missing=_missing(values.get("missing", "")),
            timeout_seconds=timeout,
            patience_seconds=patience,
            format=shape,
            zone=read_zone(values.get("timezone")),
            allow_empty=allow_empty == TRUE,
        )

    def recorded(self) -> dict[str, object]:
        """See Asked."""
        said = {each.name: getattr(self, each.name) for each in fields(self) if each.name in KEYS}
        said |= {"headers": dict(self.headers), "timezone": self.zone and self.zone.key}
        said["ready_if"] = self.ready_if and str(self.ready_if)
        said.pop("ca")
        if self.next not in {PAGE, OFFSET}:
            said.pop("first")
        return {"fetch": "http"} | {name: value for name, value in said.items() if value not in (None, (), {})}

    def parameters(self, day: date) -> dict[str, object]:
        """See Asked."""
        return dict(Span.of(day, self.zone).recorded())

    @property
    def ending(self) -> str:
        """What names of files end with."""
        if self.records is not None:
            return NDJSON + GZIP
        if self.format in PLAIN:
            return PLAIN[self.format]
        return (self.format if self.format in ENDINGS else OTHERWISE) + GZIP


def check_url(key: str, text: str | None, more: tuple[str, ...] = ()) -> str:
    """Return a template of a URL; ConfigError if it is none, or has a secret that isn't of the environment."""
    if not text:
        raise ConfigError(
            f"{key} is missing. Write the URL of a day's export, such as https://host/{{YYYY}}-{{MM}}-{{DD}}.csv."
        )
    check_template(key, text, more)
    try:
        parts = urlsplit(VARIABLE.sub("0", text))
        is_whole = parts.scheme in {"http", "https"} and bool(parts.hostname)
        _ = parts.port
    except ValueError:
        is_whole = False
    if not is_whole:
        raise ConfigError(f"{key} is no URL. Expected http:// or https://, a host and a path.")
    if "@" in parts.netloc:
        raise ConfigError(f"{key} holds a user. Take it out, and set basic_auth = user:${{NAME}}.")
    if parts.fragment:
        raise ConfigError(f"{key} has a #, which no server sees. Write %23 for the character.")
    for name, value in parse_qsl(urlsplit(text).query):
        check_no_secret(key, name, value)
    return text


def _headers(text: str) -> tuple[tuple[str, str], ...]:
    found = []
    for line in filter(None, map(str.strip, text.splitlines())):
        header = HEADER.fullmatch(line)
        if not header:
            raise ConfigError("headers: expected a line for each, such as `Accept: text/csv`.")
        check_template("headers", header[2])
        check_no_secret("headers", header[1], header[2])
        found.append((header[1], header[2]))
    return tuple(found)


def _basic_auth(text: str | None) -> str | None:
    if text is None:
        return None
    user, separator, password = text.partition(":")
    if not separator or not user or not VARIABLE.fullmatch(password):
        raise ConfigError("basic_auth: expected a user and a variable of the environment: user:${NAME}.")
    return text


def _next(text: str | None, template: str) -> str | None:
    placed = [each for each in PLACES if f"{{{each}}}" in template]
    if text is None or text == LINK:
        if placed:
            raise ConfigError(f"{{{placed[0]}}} is of pages. Say by `next` how the next one is found.")
        return text
    if text not in {PAGE, OFFSET} and not POINTER.fullmatch(text):
        raise ConfigError(
            f"next = {text}: expected {LINK}, {PAGE}, {OFFSET}, or a JSON pointer to the next page, such as /next."
        )
    wanted = [text.upper()] if text in {PAGE, OFFSET} else [CURSOR]
    if other := [each for each in placed if each not in wanted]:
        raise ConfigError(f"{{{other[0]}}} has no value with next = {text}. Take it out.")
    if text in {PAGE, OFFSET} and not placed:
        raise ConfigError(f"next = {text}: write {{{text.upper()}}} where the url or body says it.")
    return text


def _condition(text: str) -> Condition:
    found = CONDITION.fullmatch(text.strip())
    if not found:
        raise ConfigError(f"ready_if = {text}: expected a JSON pointer, = or >=, and a value: /status = complete.")
    check_template("ready_if", found["value"])
    return Condition(check_pointer("ready_if", found["pointer"]), found["sign"], found["value"])


def _missing(text: str) -> tuple[int, ...]:
    found = [
        whole_number("missing", each.strip(), LOWEST_MISSING, HIGHEST_MISSING)
        for each in text.split(",")
        if each.strip()
    ]
    if wrong := NOT_MISSING.intersection(found):
        raise ConfigError(
            f"missing = {text}: {min(wrong)} doesn't say that there is no data. Expected such as {NOT_FOUND}."
        )
    return tuple(found)
