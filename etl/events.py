"""Events in files: CSV, NDJSON, and annotations as Grafana's HTTP API answers them.

What is read becomes part of the lake, which can't forget: addresses and tokens in names are masked as they are in
paths, and fields beside those of an event are refused, or passed over where Grafana has them.
"""

import csv
import json
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from etl.lines.privacy import clean_words
from lake import patterns
from lake.errors import ConfigError
from lake.events import KINDS, MOST_BYTES, Event, encoded

REQUIRED = ("started", "kind", "name")
FIELDS = (*REQUIRED, "ended", "applications")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime(3000, 1, 1, tzinfo=UTC)
TAG = re.compile(r"<[^<>]*>")
MENTION = re.compile(r"@\S*")
OF_APPLICATION = re.compile(r"app(?:lication)?[:=](.+)", re.IGNORECASE)
OTHER = "other"


def event(values: Mapping[str, str | None]) -> Event:
    """Return an event by its fields, as texts.

    Args:
        values: `started`, `kind`, `name`, and if it has them `ended` and `applications`. Times are ISO 8601, in
            UTC where they have no offset. Applications are patterns with a comma between two; without, all.

    Raises:
        ConfigError: A field is missing, unknown or wrong.
    """
    unknown = [name for name in values if name not in FIELDS]
    if unknown:
        raise ConfigError(
            f"{unknown[0]}: unknown field. An event has {', '.join(FIELDS)}: what happened, and not who did it."
        )
    missing = [name for name in REQUIRED if not (values.get(name) or "").strip()]
    if missing:
        raise ConfigError(f"{missing[0]} is missing. Required: {', '.join(REQUIRED)}.")
    started, kind, name = ((values[each] or "").strip() for each in REQUIRED)
    ended = (values.get("ended") or "").strip()
    return Event(
        started=moment("started", started),
        ended=moment("ended", ended) if ended else None,
        kind=kind,
        name=clean_words(name),
        applications=patterns.parse((values.get("applications") or "").strip() or "*"),
    )


def moment(name: str, text: str) -> datetime:
    """Return a time in UTC, to the second, from ISO 8601; ConfigError if it is none."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found and not found.tzinfo:
        found = found.replace(tzinfo=UTC)
    return _kept(name, text, found)


def _kept(name: str, text: object, found: datetime | None) -> datetime:
    if found is None or not EPOCH <= found < LATEST:
        raise ConfigError(
            f"{name} = {text}: expected a time like 2026-09-17T14:00:00Z, from 1970 to 2999; without an offset, "
            "it is in UTC."
        )
    return found.astimezone(UTC).replace(microsecond=0)


def of_csv(text: str) -> Iterator[tuple[str, Callable[[], Event]]]:
    """Yield each record of a CSV with a header: where it is, and what reads it.

    Raises:
        ConfigError: It is no CSV, or has no header.
    """
    rows = csv.DictReader(text.splitlines(keepends=True), strict=True, restkey="")
    try:
        if not rows.fieldnames or not set(REQUIRED) <= set(rows.fieldnames):
            raise ConfigError(
                f"expected a header with {', '.join(REQUIRED)}; it may have {', '.join(FIELDS[3:])}."
            )
        for row in rows:
            yield f"line {rows.line_num}", _of_row(row)
    except csv.Error as error:
        raise ConfigError(f"line {rows.line_num + 1}: {error}.") from error


def _of_row(row: dict[str, Any]) -> Callable[[], Event]:
    def read() -> Event:
        if "" in row:
            raise ConfigError("more fields than the header has.")
        return event(row)

    return read


def of_ndjson(text: str) -> Iterator[tuple[str, Callable[[], Event]]]:
    """Yield each record of newline-delimited JSON: where it is, and what reads it."""
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield f"line {number}", lambda line=line: _of_object(line)  # type: ignore[misc]


def _of_object(line: str) -> Event:
    try:
        found = json.loads(line)
    except ValueError as error:
        raise ConfigError(f"no JSON: {error}.") from error
    if not isinstance(found, dict):
        raise ConfigError("expected an object of JSON.")
    for name, value in found.items():
        if not (value is None or isinstance(value, str)) and name != "applications":
            raise ConfigError(f"{name} = {value}: expected a text.")
    names = found.get("applications")
    if isinstance(names, list) and all(isinstance(each, str) for each in names):
        found["applications"] = ",".join(names)
    elif not (names is None or isinstance(names, str)):
        raise ConfigError(f"applications = {names}: expected a list of texts.")
    return event(found)


def of_grafana(text: str) -> Iterator[tuple[str, Callable[[], Event]]]:
    """Yield each annotation of a list of Grafana's (`GET /api/annotations`): where it is, and what reads it.

    `time` and `timeEnd` are milliseconds since 1970. A tag that is a kind tells the kind, one like
    `application:shop` an application. The first line of `text` is the name, cut to what a name may have. Its
    author's name and address are never taken.

    Raises:
        ConfigError: It is no such list.
    """
    try:
        found = json.loads(text)
    except ValueError as error:
        raise ConfigError(f"no JSON: {error}.") from error
    if not isinstance(found, list):
        raise ConfigError("expected a list of annotations, as /api/annotations answers.")
    for number, each in enumerate(found, 1):
        yield f"annotation {number}", lambda each=each: _of_annotation(each)  # type: ignore[misc]


def _of_annotation(found: object) -> Event:
    if not isinstance(found, dict):
        raise ConfigError("expected an object of JSON.")
    tags = [each.strip() for each in found.get("tags") or () if isinstance(each, str)]
    named = [match[1].strip().lower() for match in map(OF_APPLICATION.fullmatch, tags) if match]
    started = _of_milliseconds("time", found.get("time"))
    ended = _of_milliseconds("timeEnd", found["timeEnd"]) if found.get("timeEnd") else started
    words = TAG.sub(" ", str(found.get("text") or "")).strip().split("\n")[0]
    name = _cut(clean_words(MENTION.sub("{name}", clean_words(words))))
    return Event(
        started=started,
        ended=ended if ended > started else None,
        kind=next((each.lower() for each in tags if each.lower() in KINDS), OTHER),
        name=name or "annotation",
        applications=patterns.parse(",".join(named) or "*"),
    )


def _of_milliseconds(name: str, value: object) -> datetime:
    is_number = isinstance(value, int) and not isinstance(value, bool)
    try:
        found = EPOCH + timedelta(milliseconds=value) if is_number else None  # type: ignore[arg-type]
    except OverflowError:
        found = None
    if found is None:
        raise ConfigError(f"{name} = {value}: expected milliseconds since 1970.")
    return _kept(name, value, found)


def _cut(name: str) -> str:
    """Return as much of a name as a record's name has room for."""
    while len(encoded(name)) > MOST_BYTES:
        name = name[:-1].rstrip()
    return name


READERS = {"csv": of_csv, "ndjson": of_ndjson, "grafana": of_grafana}
SUFFIXES = {".csv": "csv", ".ndjson": "ndjson", ".jsonl": "ndjson", ".json": "grafana"}


def read_file(path: Path, text: str, kind: str | None) -> list[Event]:
    """Return the events of a file's text.

    Args:
        path: Its name, which tells its format unless `kind` does.
        text: What it holds.
        kind: Of READERS.

    Raises:
        ConfigError: A record is wrong; the message names the file, the place and what was expected.
    """
    kind = kind or SUFFIXES.get(path.suffix.lower())
    if not kind:
        raise ConfigError(f"{path}: its name doesn't tell what it is. Say --format {', '.join(READERS)}.")
    try:
        return [_at(place, read) for place, read in READERS[kind](text)]
    except ConfigError as error:
        raise ConfigError(f"{path}: {error} Nothing was recorded.") from error


def _at(place: str, read: Callable[[], Event]) -> Event:
    """Return the event that is read at a place; an error names the place."""
    try:
        return read()
    except ConfigError as error:
        raise ConfigError(f"{place}: {error}") from error
