"""Sources: the streams of raw logs and of other records that luigi.cfg declares, as all steps know them."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import asdict, astuple, dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from etl.lines.envelopes import Wrapping
from etl.lines.formats import (
    CLIENTS,
    Format,
    Kind,
)
from etl.lines.noise import Noise
from etl.lines.parse import Classifier
from etl.lines.timestamps import year_around
from etl.raw.files import FilePattern, RawFile
from etl.sources.completeness import Severities, Severity
from etl.sources.limits import Limits
from etl.sources.shards import Shard, shards_of
from lake.contracts import extracted_for
from lake.errors import ConfigError, InputError
from lake.partition import EARLIEST, LATEST, source_of

if TYPE_CHECKING:
    from etl.fetch.asked import Asked
    from etl.fetch.found import SnapshotFiles
    from etl.records.records import Records

SECTION = "source."
REQUESTS = "requests"
FIELD = "field:"
MAP = "applications"
SHAPING = 1
"""The version of what shapes rows beside the settings; one more makes every partition of requests outdated."""
RECORDS_SHAPING = 1
"""Likewise of partitions made from records."""
SHAPING_OF = {"caddy": 2, "logfmt": 2, "lograge": 2}
"""Versions of formats that once read lines in another way; one more makes all that was made with it outdated."""
DEFAULT_SETTLE_HOURS = 6.0
DEFAULT_MAX_REJECT_RATE = 0.01
DEFAULT_MAX_NOISE_RATE = 0.5
DEFAULT_MAX_APPLICATIONS = 5000
ONE_DAY = timedelta(days=1)
THE_DAY = (0, 0)
FARTHEST = 7  # days
FORMER = frozenset(
    ("name", "fields", "zero_status", "timezone", "separator", "literals", "extra", "role", "kind", "scale")
)


@dataclass(frozen=True)
class Lack:
    """Raw files that are not there: of which day, how many there are, and how many there should be."""

    day: date
    found: int
    expected: int

    def __str__(self) -> str:
        return f"{self.found} of {self.expected} files for {self.day}"


@dataclass(frozen=True)
class Source:
    """One stream of raw files with one format: logs of requests, or records of another dataset.

    Attributes:
        since: First day on which it is active, None for ever.
        until: First day on which it is no longer active, None for never.
        settle_hours: How long after a day's end its logs may still arrive.
        covers: Of which days a dated file may hold lines, counted from its own: the first and the last of them.
        max_reject_rate: Highest share of rejects in a day, 0 to 1.
        wrapping: What is taken off its lines before the format reads them.
        noise: Which lines that the format refuses are none of it.
        max_noise_rate: Highest share of noise among the lines of the files that a day reads, 0 to 1.
        max_applications: How many applications the lines of a day may name at most.
        expected_files: How many files a day has at least; None for one, and none where nothing was logged.
        expected_hours: The hours of a UTC day in which there normally are requests, None if that is not said.
        allow_empty: Whether a day may have no line at all.
        counts_lines_once: Whether a whole line that several files of a day have counts once.
        request_id: The field by which a request is known, so that it counts once; None where each line is one.
        sequence: The fields of a line's host and of the number that it gave the line; None where lines have none.
        declared: What the section says of how lines are written beside the format's name, key by key.
        severities: What to do about a day that lacks something.
        limits: How much of the machine reading it may use.
        formerly: The names that it had; what is published under one of them is this source's.
        year: The first day of the twelve months that times without a year are of; None where each file's name
            tells it, or nothing does.
        kept_as: Under which of its names what is made now is published, None for the one that it has.
        records: How its records are written and what they are; None if its files are logs of requests.
        asked: What is asked of another system, so that its raw files are snapshots; None where they are put there.
        shard: Which part of its raw files it reads; None for all.
    """

    name: str
    format: Format
    files: "FilePattern | SnapshotFiles"
    classifier: Classifier
    since: date | None = None
    until: date | None = None
    settle_hours: float = DEFAULT_SETTLE_HOURS
    covers: tuple[int, int] = THE_DAY
    max_reject_rate: float = DEFAULT_MAX_REJECT_RATE
    wrapping: Wrapping = field(default_factory=Wrapping)
    noise: Noise | None = None
    max_noise_rate: float = DEFAULT_MAX_NOISE_RATE
    max_applications: int = DEFAULT_MAX_APPLICATIONS
    expected_files: int | None = None
    expected_hours: frozenset[int] | None = None
    allow_empty: bool = False
    counts_lines_once: bool = False
    request_id: str | None = None
    sequence: tuple[str, str] | None = None
    declared: tuple[tuple[str, str], ...] = ()
    severities: Severities = field(default_factory=Severities)
    limits: Limits = field(default_factory=Limits)
    formerly: tuple[str, ...] = ()
    year: date | None = None
    kept_as: str | None = None
    records: "Records | None" = None
    asked: "Asked | None" = None
    shard: Shard | None = None

    @property
    def declared_as(self) -> str:
        """What its section is called, which declares all of its shards."""
        return source_of(self.name)

    @property
    def dataset(self) -> str:
        """What its raw files are taken apart for."""
        return self.records.contract.name if self.records else REQUESTS

    @property
    def task(self) -> str:
        """How commands and Luigi call what takes its raw files apart."""
        return name_of(self.dataset)

    @property
    def rows_are(self) -> str:
        """What its rows are called in messages."""
        return "records" if self.records else REQUESTS

    @property
    def names(self) -> tuple[str, ...]:
        """Its name, and those that it had."""
        return (self.name, *self.formerly)

    def names_in(self, there: Container[str | None]) -> list[str]:
        """Return under which of its names there is something: the one that it has, or else those that it had."""
        return [self.name] if self.name in there else [each for each in self.formerly if each in there]

    def other_layout(self, day: date, published: Iterable[str]) -> str | None:
        """Say that a day isn't read in the shards that it is published in, where its lines would count twice.

        Args:
            day: The day.
            published: The names under which something of sources is there.
        """
        declared, now = {*map(source_of, self.names)}, shards_of(self.name)
        for then in (shards_of(each) for each in published if source_of(each) in declared):
            if then != now:
                how_then, how_now = (f"in {n} shards" if n else "whole" for n in (then, now))
                name = self.declared_as
                return (
                    f"{day} of source {name} was read {how_then}, and luigi.cfg has it read {how_now}. Say in "
                    f"[{SECTION}{name}] from which day on: shards = {then or 1}, {now or 1} from YYYY-MM-DD."
                )
        return None

    def check_layout(self, day: date, published: Iterable[str]) -> None:
        """Refuse what `other_layout` says.

        Raises:
            ConfigError: A day isn't read in the shards that it is published in.
        """
        if text := self.other_layout(day, published):
            raise ConfigError(text)

    @property
    def leaves_out_doubled(self) -> bool:
        """Whether what its files have more than once counts once."""
        return self.counts_lines_once or self.request_id is not None

    def year_begin(self, file: RawFile) -> date | None:
        """Return the first day of the twelve months that a file's times without a year are of, None if unknown."""
        return year_around(file.day) if file.day else self.year

    def on(self, day: date) -> "Source":
        """Return the source with what its map of applications says of a day: all that shapes that day's rows."""
        if not (mapped := self.classifier.mapped):
            return self
        period = mapped.period_of(day)
        if period not in self._in_periods:
            self._in_periods[period] = replace(self, classifier=replace(self.classifier, mapped=mapped.on(day)))
        return self._in_periods[period]

    @cached_property
    def _in_periods(self) -> dict[int, "Source"]:
        return {}

    def is_active(self, day: date) -> bool:
        """Tell whether the source has logs on that day: `since` <= day < `until`."""
        return (self.since is None or self.since <= day) and (self.until is None or day < self.until)

    def is_fetched_on(self, day: date) -> bool:
        """Tell whether that day is fetched, of a source with `fetch`: its file may hold lines of an active day.

        None before `since` is, for none may be there.
        """
        first, last = self.covers
        reached = (day + timedelta(days=n) for n in range(first, last + 1))
        return (self.since is None or self.since <= day) and any(map(self.is_active, reached))

    def settled_at(self, day: date) -> datetime:
        """Return when a day is settled: its end in UTC, and settle_hours."""
        end = datetime.combine(day + ONE_DAY, time(tzinfo=UTC))
        return end + timedelta(hours=self.settle_hours)

    def why_unsettled(self, day: date, now: datetime) -> str | None:
        """Say until when a day is not settled; None if it is."""
        if now >= self.settled_at(day):
            return None
        return (
            f"{day} is unsettled: its logs may arrive until {self.settled_at(day):%Y-%m-%d %H:%M} UTC "
            f"(settle_hours = {self.settle_hours:g} of source {self.declared_as}). Run again after that"
        )

    def days_read(self, day: date) -> list[date]:
        """Return the days whose files a day reads: its own, and those that may hold its lines."""
        return sorted({day, *self._days_holding(day)})

    def _days_holding(self, day: date) -> list[date]:
        """Return the days whose files may hold lines of this day; just the day for undated files."""
        first, last = self.covers
        return [day - timedelta(days=n) for n in range(last, first - 1, -1)]

    @property
    def reach(self) -> str:
        """What luigi.cfg says of the days that a file holds lines of."""
        first, last = self.covers
        return f"neighbour_days = {last}" if first == -last else f"covers = {first} to {last}"

    def find_files(self, day: date) -> list[RawFile]:
        """Return all raw files that may hold lines of a day, of a shard those that are its, in a fixed order.

        Raises:
            InputError: A file matches the pattern of two days, so that its lines would count twice; or its name
                tells no shard.
        """
        found = [file for each in self.days_read(day) for file in self.files.find(each)]
        locations = Counter(file.location for file in found)
        for file in found:
            if locations[file.location] > 1:
                raise InputError(
                    f"source {self.declared_as}: {file.name} matches files = {self.files.text} for two days. "
                    "Make the pattern tell which day is meant."
                )
        return [file for file in found if self.shard.has(file.name)] if self.shard else found

    def gaps(self, day: date, find: Callable[[date], list[RawFile]] | None = None) -> list[Lack]:
        """Return the days of which an active day lacks raw files that it would read, from `since` on.

        Args:
            day: The day. A source that allows empty days needs no file for it.
            find: What FilePattern.finder gives, for many days.
        """
        find = find or self.files.find
        expected, found = self.expected_files or 1, []
        for each in self._days_holding(day):
            if self.since and each < self.since:
                continue
            wanted = expected if each == self._own(day) else 1
            files = len(find(each))
            excused = self.allow_empty and each == day and expected == 1 and not self.files.lost_folder
            if files < wanted and not excused:
                found.append(Lack(each, files, wanted))
        return found

    def lacking(self, day: date, find: Callable[[date], list[RawFile]] | None = None) -> list[Lack]:
        """Return those of its gaps that an active day waits for.

        All of them, if it is said how many files there are. Else there may be none since nothing was logged, which
        is no reason to wait once a later one is there: logs are rotated in order. Only a day's own file has to be
        there, unless files are named by the day on which they were closed, when most of a day is in a later one.

        Args:
            day: The day.
            find: What FilePattern.finder gives, for many days.
        """
        find = find or self.files.find
        gaps = self.gaps(day, find)
        if not gaps or self.expected_files is not None:
            return gaps
        first, last = self.covers
        read, of_gaps = self._days_holding(day), {each.day for each in gaps}
        waits = not self.allow_empty and all(each in of_gaps or not find(each) for each in read)
        if waits or (first <= 0 <= last and not first < last == 0 and day in of_gaps):
            return gaps
        later = (read[-1] + timedelta(days=n) for n in range(1, FARTHEST + 1))
        if read[-1] not in of_gaps or any(map(find, later)):
            return []
        return [each for each in gaps if each.day == read[-1]]

    def _own(self, day: date) -> date:
        """Return of the days whose files are read the one nearest to the day."""
        return min(self._days_holding(day), key=lambda each: abs(each - day))

    def missing_input(self, day: date, find: Callable[[date], list[RawFile]] | None = None) -> str | None:
        """Say which raw files an active day waits for, since what is published can't be mended; None for none.

        Args:
            day: The day.
            find: What FilePattern.finder gives, for many days.
        """
        find = find or self.files.find
        if self.asked:  # what is lacking is fetched then
            return None
        lacking = self.lacking(day, find)
        if not lacking:
            return None
        if self.severities.fewer_files is Severity.WARN and any(map(find, self.days_read(day))):
            return None
        if lost := self.files.lost_folder:
            return (
                f"source {self.declared_as}: there is no folder {lost}, in which its files would lie. Mount its "
                f"disk, or create it if it is to be empty, or correct files in [{SECTION}{self.declared_as}]"
            )
        lack = lacking[0]
        neighbour, empty = f" ({self.reach} reads it too)", "an empty one"
        if lack.day == day:
            neighbour, empty = "", "an empty one and allow_empty = true"
        return (
            f"source {self.declared_as}: {lack}{neighbour} match {self.files.of_day(lack.day)}. Bring the file "
            f"({empty}, if there was no request), or correct files, since or until in "
            f"[{SECTION}{self.declared_as}]"
        )

    def is_missing(self, day: date, find: Callable[[date], list[RawFile]] | None = None) -> bool:
        """Tell whether there is no raw file at all of an active day that needs some."""
        find = find or self.files.find
        return not self.asked and bool(self.lacking(day, find)) and not any(map(find, self.days_read(day)))

    @cached_property
    def settings_sha256(self) -> str:
        """Digest of the settings that shape rows, for the provenance; when and where to look don't.

        Of those that shape the rows of one day, see `on`.

        It is of what the section says. What a format reads by itself is told by its version.
        """
        if self.records:
            return _sha256(
                {
                    "version": RECORDS_SHAPING,
                    "declared": self.records.declared,
                    **self._shaping_reach,
                    **self._shaping_envelope,
                }
            )
        mapped = self.classifier.mapped
        shaping = {
            "version": SHAPING,
            "format": self.format.name,
            **({"versions": self._versions} if self._versions else {}),
            "declared": self.declared,
            **self._shaping_reach,
            **({"duplicates": "lines"} if self.counts_lines_once else {}),
            **({"duplicates": FIELD + self.request_id} if self.request_id else {}),
            **self._shaping_envelope,
            **({"noise": self.noise.declared} if self.noise else {}),
            "vantage": self.classifier.vantage,
            "application": self.classifier.application,
            "application_field": self.classifier.application_field,
            **({"year": self.year} if self.year else {}),
            **({MAP: [astuple(each) for each in mapped.rules]} if mapped else {}),
            "health_check_paths": self.classifier.health_check_paths,
            "synthetic_user_agents": self.classifier.synthetic_user_agents,
        }
        return _sha256(shaping)

    @property
    def _versions(self) -> dict[str, int]:
        return {name: SHAPING_OF[name] for name in self.format.name.split(", ") if name in SHAPING_OF}

    @property
    def _shaping_reach(self) -> dict[str, object]:
        first, last = self.covers
        return {"neighbour_days": last} if first == -last else {"covers": [first, last]}

    @property
    def _shaping_envelope(self) -> dict[str, object]:
        return {"envelope": [each.name for each in self.wrapping.envelopes]} if self.wrapping.envelopes else {}

    @cached_property
    def known_as(self) -> frozenset[str]:
        """The digests of these settings, by all versions: partitions made with any of them are not outdated."""
        earlier = [
            _as_then(asdict(self.format)),
            self.covers[1],
            self.classifier.vantage,
            self.classifier.application,
            self.classifier.application_field,
            self.classifier.health_check_paths,
            self.classifier.synthetic_user_agents,
        ]
        has_more = self.records or self.wrapping.envelopes or self.noise or self.classifier.mapped or self.year
        is_as_then = self.covers[0] == -self.covers[1] and not has_more and not self._versions
        return frozenset({self.settings_sha256, *([_sha256(earlier)] if is_as_then else [])})


def _as_then(told: dict[str, Any]) -> dict[str, Any]:
    """Return a format as version 0.3 knew it, without what formats have learned since."""
    found = {name: value for name, value in told.items() if name in FORMER}
    if "fields" in found:
        found["fields"] = [_as_then(each) for each in found["fields"]]
        found["zero_status"] = found["zero_status"] and found["name"] not in {"json", "logfmt"}
    elif found["kind"] in {Kind.STAMP, Kind.NAMELESS} or (found["kind"] is Kind.LIST and found["name"] in CLIENTS):
        found["kind"] = Kind.WORD
    return found


def of_dataset(sources: Iterable[Source], dataset: str) -> list[Source]:
    """Return the sources that a dataset is made from, by however many steps."""
    return [source for source in sources if source.dataset in extracted_for(dataset)]


def active_on(sources: Iterable[Source], day: date) -> list[Source]:
    """Return the sources that have logs on that day."""
    return [source for source in sources if source.is_active(day)]


def name_of(dataset: str) -> str:
    """Return how commands and Luigi call the units of a dataset."""
    return "".join(part.capitalize() for part in dataset.split("_")) + "Daily"


def settled_at(sources: Iterable[Source], day: date) -> datetime | None:
    """Return when the last of the day's active sources is settled, None if none is active."""
    return max((source.settled_at(day) for source in active_on(sources, day)), default=None)


def latest_settled_day(sources: Sequence[Source], now: datetime) -> date:
    """Return the latest day on which a source is active and all active ones are settled.

    Raises:
        ConfigError: There is no such day.
    """
    first = min(source.since or EARLIEST for source in sources)
    day = min(max(source.until or LATEST for source in sources) - ONE_DAY, now.date())
    while day >= first:
        settled = settled_at(sources, day)
        if settled and settled <= now:
            return day
        day -= ONE_DAY
    raise ConfigError(
        "No source is active on any day that is settled by now. Check since, until and settle_hours in luigi.cfg."
    )


def _sha256(shaping: object) -> str:
    return hashlib.sha256(json.dumps(shaping, default=str).encode()).hexdigest()
