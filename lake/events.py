"""Events: what happened outside that may explain an error rate, such as a deploy; a journal beside the datasets.

    _events/20260917T140000Z_20260917T143000Z_deploy_shop%2Cweb-%2A_release+512.json
           /withdrawn_<the event's 12 hexadecimal digits>.json

All of an event stands in its record's name, so one listing tells all events, however many they are. The record
has the same as JSON, for other readers. An event that is recorded twice is one event. Nothing is changed or
deleted: what is wrong is withdrawn, by a record of its own.
"""

import json
import re
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus, unquote, unquote_plus

from lake import patterns
from lake.digests import DIGITS, short
from lake.errors import ConfigError

if TYPE_CHECKING:
    from lake.lake import Lake  # which imports more than a command's help has time for

NAME = "events"
KINDS = ("deploy", "configuration", "incident", "maintenance", "holiday", "other")
AT = "%Y%m%dT%H%M%SZ"
SHOWN = "%Y-%m-%d %H:%M:%S"
NO_END = "-"
WRITERS = 8  # at once: each waits for the disk or for S3
MOST_BYTES = 90
"""Of an event's name, and of its applications, as a record's name has them, which a disk gives 255 bytes."""
RECORD = re.compile(
    r"(?P<started>\d{8}T\d{6}Z)_(?P<ended>\d{8}T\d{6}Z|-)_(?P<kind>[a-z]+)"
    r"_(?P<applications>[^_/]+)_(?P<name>[^_/]+)\.json",
    re.ASCII,
)
WITHDRAWN = re.compile(rf"withdrawn_(?P<event>[0-9a-f]{{{DIGITS}}})\.json", re.ASCII)
ID = re.compile(rf"[0-9a-f]{{{DIGITS}}}", re.ASCII)


@dataclass(frozen=True)
class Event:
    """What happened, from when to when, and to which applications.

    Attributes:
        started: When it happened or began, in UTC, to the second.
        ended: When it was over, None for what has no duration or no end yet.
        kind: One of KINDS.
        name: What people call it, such as `release 512`.
        applications: Patterns of names, as in `lake.patterns`.
    """

    started: datetime
    ended: datetime | None
    kind: str
    name: str
    applications: tuple[str, ...] = ("*",)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ConfigError(f"kind = {self.kind}: expected one of {', '.join(KINDS)}.")
        if self.ended and self.ended <= self.started:
            raise ConfigError(
                f"It ends at {self.ended:{SHOWN}}, which is not after its start, {self.started:{SHOWN}}."
            )
        if not self.name.strip() or not self.name.isprintable():
            raise ConfigError(f"name = {self.name!r}: expected a name in one line, such as `release 512`.")
        if "@" in self.name:
            raise ConfigError(
                f"name = {self.name}: an @ may be part of somebody's address, which isn't kept. "
                "Say what happened, and not who did it."
            )
        for what, text in (("name", encoded(self.name)), ("applications", self._applications)):
            if len(text) > MOST_BYTES:
                raise ConfigError(
                    f"{what} = {getattr(self, what)}: too long. It may have {MOST_BYTES} letters, of which one "
                    "that is not ASCII counts as 6 or 9. Shorten it, or record two events."
                )

    @property
    def _applications(self) -> str:
        return quote(",".join(self.applications), safe="").replace("_", "%5F")

    @property
    def record(self) -> str:
        """The name of its record."""
        ended = self.ended.strftime(AT) if self.ended else NO_END
        return f"{self.started.strftime(AT)}_{ended}_{self.kind}_{self._applications}_{encoded(self.name)}.json"

    @property
    def id(self) -> str:
        """What tells it from all others: the same wherever the same event is recorded."""
        return short(self.record)

    def to_json(self) -> str:
        """Return what its record holds, in one line."""
        fields = {
            "event": self.id,
            "kind": self.kind,
            "name": self.name,
            "applications": list(self.applications),
            "started": f"{self.started:{SHOWN}}",
            "ended": f"{self.ended:{SHOWN}}" if self.ended else None,
        }
        return json.dumps(fields, ensure_ascii=False) + "\n"

    def __str__(self) -> str:
        until = f" to {self.ended:{SHOWN}}" if self.ended else ""
        of = "" if self.applications == ("*",) else f" ({', '.join(self.applications)})"
        return f"{self.id}  {self.started:{SHOWN}}{until}  {self.kind}  {self.name}{of}"


@dataclass(frozen=True)
class Events:
    """What a lake has of events.

    Attributes:
        known: Those that stand, by their start.
        withdrawn: The ids of those that don't.
    """

    known: tuple[Event, ...]
    withdrawn: frozenset[str]


def read(lake: "Lake") -> Events:
    """Return the events of a lake: one listing.

    Raises:
        StoreError: The lake can't be listed.
    """
    return of_names(lake.journal(NAME).names())


def of_names(names: Iterable[str]) -> Events:
    """Return the events that records of some names tell; a name that tells none is passed over."""
    found: list[Event] = []
    withdrawn = set()
    for name in names:
        if gone := WITHDRAWN.fullmatch(name):
            withdrawn.add(gone["event"])
        elif event := _of_name(name):
            found.append(event)
    stand = sorted((each for each in found if each.id not in withdrawn), key=lambda each: each.record)
    return Events(tuple(stand), frozenset(withdrawn))


def record(lake: "Lake", events: Iterable[Event]) -> int:
    """Record events, and return how many of them are new.

    Raises:
        ConfigError: One was withdrawn; then none is recorded.
        StoreError: The lake can't be read or written.
    """
    wanted = tuple(dict.fromkeys(events))
    journal, there = lake.journal(NAME), read(lake)
    for each in wanted:
        if each.id in there.withdrawn:
            raise ConfigError(f"This event was withdrawn: {each}. Give it another name to record it again.")
    new = [each for each in wanted if each not in set(there.known)]
    with ThreadPoolExecutor(WRITERS) as writers:
        list(writers.map(lambda each: journal.write(each.record, each.to_json()), new))
    return len(new)


def withdraw(lake: "Lake", event: str, reason: str) -> Event:
    """Record that an event doesn't stand any more, and return it.

    Raises:
        ConfigError: There is none with this id, or it was withdrawn before.
        StoreError: The lake can't be read or written.
    """
    there = read(lake)
    found = next((each for each in there.known if each.id == event), None)
    if event in there.withdrawn:
        raise ConfigError(f"The event {event} was withdrawn before.")
    if not found:
        raise ConfigError(f"There is no event {event}. `lake event list` shows all with their ids.")
    text = json.dumps({"event": event, "reason": reason}, ensure_ascii=False) + "\n"
    lake.journal(NAME).write(f"withdrawn_{event}.json", text)
    return found


def check_record(text: str) -> None:
    """Make sure that a record of the journal is one; one of `records.WRONG` if it isn't."""
    if not ID.fullmatch(json.loads(text)["event"]):
        raise ValueError("it names no event")


def _of_name(name: str) -> Event | None:
    found = RECORD.fullmatch(name)
    try:
        return found and Event(
            started=_moment(found["started"]),
            ended=None if found["ended"] == NO_END else _moment(found["ended"]),
            kind=found["kind"],
            name=unquote_plus(found["name"], errors="strict"),
            applications=patterns.parse(unquote(found["applications"], errors="strict")),
        )
    except (ConfigError, ValueError):
        return None


def _moment(text: str) -> datetime:
    return datetime.strptime(text, AT).replace(tzinfo=UTC)


def encoded(name: str) -> str:
    """Return a name as a record's name has it: at most MOST_BYTES of this."""
    return quote_plus(name, safe="").replace("_", "%5F")
