"""Restatements: each is recorded before its first publication, and visible until another record says it is done.

    _restatements/20261129T030000.123456Z_2026-11-20_2026-11-22_<32 hexadecimal digits>_begun.json
                                                                                       _finished.json

Whoever is cut off in between leaves a record from which another one can do the rest, with the same bytes.
"""

import json
import re
import uuid
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime

from lake.errors import StoreError
from lake.lake import Lake

NAME = "restatements"
AT = "%Y%m%dT%H%M%S.%fZ"
RECORD = re.compile(
    r"(?P<stem>(?P<at>\d{8}T\d{6}\.\d{6}Z)_(?P<first>\d{4}-\d\d-\d\d)_(?P<last>\d{4}-\d\d-\d\d)_[0-9a-f]{32})"
    r"_(?P<what>begun|finished)\.json",
    re.ASCII,
)


@dataclass(frozen=True)
class Wanted:
    """A day that somebody asked to restate: of which dataset, and of which source where it is kept so."""

    dataset: str
    day: date
    source: str | None = None


@dataclass(frozen=True)
class Restatement:
    """What was begun.

    Attributes:
        wanted: The days that were asked for; all that is made from them is restated, too.
        reason: Why, as in the provenance of what is published by it.
        by: Who asked for it, as there.
        keys: What it publishes, in that order.
        dropped: The sources that it was told to leave out.
        accepts_loss: Whether it was told to do without raw files that are gone.
    """

    wanted: tuple[Wanted, ...]
    reason: str
    by: str | None
    keys: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    accepts_loss: bool = False


@dataclass(frozen=True)
class Begun:
    """The name of a restatement: when it was begun, its first and its last day."""

    stem: str
    at: datetime
    first: date
    last: date

    def __str__(self) -> str:
        days = f"{self.first}" if self.first == self.last else f"{self.first} … {self.last}"
        return (
            f"a restatement of {days}, begun {self.at:%Y-%m-%d %H:%M} UTC, is unfinished: it runs, or was cut off"
        )

    def touches(self, start: date | None, stop: date | None) -> bool:
        """Tell whether a day of it may be in `[start, stop)`."""
        return (start is None or start <= self.last) and (stop is None or self.first < stop)


def begin(lake: Lake, restatement: Restatement, now: datetime) -> str:
    """Record that a restatement begins, and return its name.

    Raises:
        StoreError: The lake can't be written.
    """
    days = [each.day for each in restatement.wanted]
    stem = f"{now.strftime(AT)}_{min(days)}_{max(days)}_{uuid.uuid4().hex}"
    text = json.dumps(asdict(restatement), default=str, sort_keys=True, indent=1) + "\n"
    lake.journal(NAME).write(f"{stem}_begun.json", text)
    return stem


def finish(lake: Lake, stem: str, now: datetime) -> None:
    """Record that all of a restatement is published; that it was recorded already is no error.

    Raises:
        StoreError: The lake can't be written.
    """
    journal = lake.journal(NAME)
    name = f"{stem}_finished.json"
    if name not in journal.names():  # who completes it may be another than who began it, and do so at once
        journal.write(name, json.dumps({"at": now.strftime(AT)}) + "\n")


def unfinished(lake: Lake, start: date | None = None, stop: date | None = None) -> list[Begun]:
    """Return the restatements of days in `[start, stop)` that were begun and not finished, oldest first.

    One listing; no record is opened.

    Raises:
        StoreError: The lake can't be listed.
    """
    return [each for each in of_names(lake.journal(NAME).names()) if each.touches(start, stop)]


def of_names(names: Iterable[str]) -> list[Begun]:
    """Return the restatements that were begun and not finished, by the names of all records."""
    begun: dict[str, Begun] = {}
    finished: set[str] = set()
    for name in names:
        found = RECORD.fullmatch(name)
        if not found:
            continue
        if found["what"] == "finished":
            finished.add(found["stem"])
            continue
        try:
            at = datetime.strptime(found["at"], AT).replace(tzinfo=UTC)
            begun[found["stem"]] = Begun(
                found["stem"], at, date.fromisoformat(found["first"]), date.fromisoformat(found["last"])
            )
        except ValueError:
            continue
    return [each for stem, each in sorted(begun.items()) if stem not in finished]


def read(lake: Lake, begun: Begun) -> Restatement:
    """Return what a restatement is to publish.

    Raises:
        StoreError: Its record can't be read.
    """
    name = f"{begun.stem}_begun.json"
    (text,) = lake.journal(NAME).read([name])
    try:
        found = json.loads(text)
        wanted = tuple(
            Wanted(each["dataset"], date.fromisoformat(each["day"]), each["source"]) for each in found["wanted"]
        )
        return Restatement(
            wanted,
            found["reason"],
            found["by"],
            tuple(found["keys"]),
            tuple(found["dropped"]),
            bool(found.get("accepts_loss")),  # which the first ones didn't say
        )
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(
            f"{lake.root}/_{NAME}/{name} is no record of a restatement: {error}. Bring it back from a copy."
        ) from error
