"""Sources: the streams of raw logs that luigi.cfg declares, each in a section `[source.NAME]`."""

import hashlib
import json
import os
import re
from collections import Counter
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, astuple, dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from zoneinfo import ZoneInfo

from etl.lines.applications import Applications
from etl.lines.envelopes import Wrapping, envelope
from etl.lines.formats import (
    CLIENTS,
    FORMATS,
    MAY_FOLLOW,
    SHAPES,
    UNITS,
    UNNAMED,
    Alternatives,
    Delimited,
    Field,
    Format,
    Headed,
    Kind,
    Role,
    shaped,
    with_field,
)
from etl.lines.noise import Noise
from etl.lines.parse import AUTHORITY, Classifier
from etl.lines.timestamps import year_around
from etl.raw.files import FilePattern, RawFile
from etl.sources.applications import read_applications
from etl.sources.completeness import SECTION as COMPLETENESS
from etl.sources.completeness import Severities, Severity, parse_hours, severities
from etl.sources.limits import Limits, limits
from lake.config import Config, check_keys, whole_number
from lake.contracts import CONTRACTS, extracted_for
from lake.contracts.requests import APPLICATION, VANTAGES
from lake.errors import ConfigError, InputError
from lake.partition import EARLIEST, LATEST, check_name, parse_day

if TYPE_CHECKING:
    from etl.fetch.asked import Asked
    from etl.fetch.found import SnapshotFiles
    from etl.records.records import Records

SECTION = "source."
REQUESTS = "requests"
FIELD = "field:"
KEEP, LINES = "keep", "lines"  # of `duplicates`
REQUIRED = ("format", "files", "application", "vantage")
MAP = "applications"
LOG_FORMAT = "log_format"
TRAILING = " trailing"
"""What marks the format in a list of them that `trailing` belongs to."""
FORMAT_KEYS = {
    LOG_FORMAT: (LOG_FORMAT,),
    "trailing": tuple(SHAPES),
    "fields": ("json", "logfmt", "ltsv"),
    "duration_unit": (LOG_FORMAT, *FORMATS),
    "timezone": (LOG_FORMAT, *(name for name, each in FORMATS.items() if not isinstance(each, Headed))),
}
"""Keys about how lines are written, and the formats that they are for; what has a header is in UTC."""
OPTIONAL = (
    *FORMAT_KEYS,
    MAP,
    "envelope",
    "noise",
    "max_noise_rate",
    "root",
    "formerly",
    "since",
    "until",
    "settle_hours",
    "covers",
    "neighbour_days",
    "year",
    "max_reject_rate",
    "max_applications",
    "expected_files",
    "expected_hours",
    "allow_empty",
    "duplicates",
    "sequence",
    "health_check_paths",
    "synthetic_user_agents",
)
DATASET = "dataset"
FETCH, SNAPSHOTS, OF_SNAPSHOTS = "fetch", "snapshots", ("root", "endpoint_url", "keep_days")
LONGEST_KEPT = 36_500  # days
OF_RECORDS = (
    *(DATASET, "format", "files", "fields", "timezone", "delimiter", "sheet", "where"),
    *("envelope", "root", "formerly", "since", "until", "settle_hours", "covers", "neighbour_days"),
    *("max_reject_rate", "expected_files", "allow_empty"),
)
"""The keys of a source that brings another dataset than requests."""
FIELD_KEYS = {
    **{str(role): (role, 0) for role in Role if role is not Role.IDENTITY},
    **{f"duration_{unit}": (Role.DURATION, scale) for unit, scale in UNITS.items() if scale},
}
"""What `fields` may give the key of: the role, and the scale of its values."""
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
COVERS = re.compile(r"(-?\d)(?: to (-?\d))?")
FARTHEST = 7  # days
FORMER = frozenset(
    ("name", "fields", "zero_status", "timezone", "separator", "literals", "extra", "role", "kind", "scale")
)
NO_REQUESTS = Classifier("", None, None, (), ())
"""Of records, which are of no application, and seen at no vantage."""
_DATASETS = tuple(name for name, each in CONTRACTS.items() if each.is_extracted)
T = TypeVar("T")
N = TypeVar("N", int, float)


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
            f"(settle_hours = {self.settle_hours:g} of source {self.name}). Run again after that"
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
        """Return all raw files that may hold lines of a day, in a fixed order.

        Raises:
            InputError: A file matches the pattern of two days, so that its lines would count twice.
        """
        found = [file for each in self.days_read(day) for file in self.files.find(each)]
        locations = Counter(file.location for file in found)
        for file in found:
            if locations[file.location] > 1:
                raise InputError(
                    f"source {self.name}: {file.name} matches files = {self.files.text} for two days. "
                    "Make the pattern tell which day is meant."
                )
        return found

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
                f"source {self.name}: there is no folder {lost}, in which its files would lie. Mount its disk, or "
                f"create it if it is to be empty, or correct files in [{SECTION}{self.name}]"
            )
        lack = lacking[0]
        neighbour, empty = f" ({self.reach} reads it too)", "an empty one"
        if lack.day == day:
            neighbour, empty = "", "an empty one and allow_empty = true"
        return (
            f"source {self.name}: {lack}{neighbour} match {self.files.of_day(lack.day)}. Bring the file ({empty}, "
            f"if there was no request), or correct files, since or until in [{SECTION}{self.name}]"
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


def read_sources(config: Config) -> list[Source]:
    """Return the sources that luigi.cfg declares, by name.

    Raises:
        ConfigError: There is none, or one is wrong; the message names the section and the key.
    """
    sections = sorted(name for name in config.sections if name.startswith(SECTION))
    if not sections:
        raise ConfigError(
            f"{config.path} declares no source. Add a section [{SECTION}NAME]; the README shows one."
        )
    endpoint_url = config.lake().endpoint_url
    of_all, how_bad = limits(config), severities(config)
    sources = []
    for section in sections:
        values = config.section(section)
        with config.named(section):
            name = check_name("source", section.removeprefix(SECTION))
            source = _source(name, config, values, endpoint_url)
            sources.append(replace(source, limits=of_all, severities=how_bad))
    _check_formerly(sources)
    if "missing_source" in config.sections.get(COMPLETENESS, {}):
        return sources
    return [
        replace(each, severities=replace(how_bad, missing_source=Severity.WARN))
        if _alone_has_its_application(each, sources)
        else each
        for each in sources
    ]


def _alone_has_its_application(source: Source, sources: Iterable[Source]) -> bool:
    """Tell whether the rates of all other applications are the same with a source's raw logs and without.

    Nobody knows that where lines name the applications, be they its own or those of another at its vantage.
    """
    of, others = source.classifier, (each.classifier for each in sources if each is not source)
    return of.application is not None and all(
        each.vantage != of.vantage or each.application not in {None, of.application} for each in others
    )


def _check_formerly(sources: Sequence[Source]) -> None:
    """Make sure that each name is one source's.

    Raises:
        ConfigError: Two sources claim one.
    """
    claimed = {each.name: each for each in sources}
    for each in sources:
        for name in each.formerly:
            if name in claimed:
                raise ConfigError(
                    f"[{SECTION}{each.name}] formerly = {', '.join(each.formerly)}: {name} is "
                    f"{'declared, too' if claimed[name].name == name else f'what {claimed[name].name} was, too'}. "
                    "A name is one source's; take it out of one of the two."
                )
            claimed[name] = each


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


def _source(name: str, config: Config, values: Mapping[str, str], endpoint_url: str | None) -> Source:
    dataset = values.get(DATASET, REQUESTS)
    if dataset not in _DATASETS:
        raise ConfigError(f"dataset = {dataset}: expected one that raw files bring: {', '.join(_DATASETS)}.")
    is_log = dataset == REQUESTS
    asked, of_fetching = _asked(config.folder, values)
    required = tuple(
        key for key in (REQUIRED if is_log else ("format", "files")) if not (asked and key == "files")
    )
    check_keys(values, (*((*REQUIRED, *OPTIONAL) if is_log else OF_RECORDS), *of_fetching))
    missing = [key for key in required if not values.get(key) and not (key == "application" and values.get(MAP))]
    if missing:
        raise ConfigError(f"{missing[0]} is missing. Required: {', '.join(required)}.")
    if "covers" in values and "neighbour_days" in values:
        raise ConfigError("covers and neighbour_days say the same thing. Take neighbour_days out.")
    if asked:
        files: FilePattern | SnapshotFiles = _snapshot_files(name, config)
    else:
        files = FilePattern(values["files"], config.folder, endpoint_url, values.get("root", ""))
    read = partial(_read, values)
    reach = read("neighbour_days", _within(int, 0, FARTHEST), f"0 to {FARTHEST}", 0)
    source = _of_log(name, files, config.folder, values) if is_log else _of_records(name, files, dataset, values)
    source = replace(
        source,
        since=read("since", parse_day, "a day as YYYY-MM-DD, 1970 to 2999", None),
        until=read("until", parse_day, "a day as YYYY-MM-DD, 1970 to 2999", None),
        settle_hours=read("settle_hours", _within(float, 0, 24 * 366), "hours, 0 or more", DEFAULT_SETTLE_HOURS),
        covers=read("covers", _covers, 'days from a file\'s own, within a week, like "-1 to 0"', (-reach, reach)),
        max_reject_rate=read("max_reject_rate", _within(float, 0, 1), "a share, 0 to 1", DEFAULT_MAX_REJECT_RATE),
        expected_files=read("expected_files", _within(int, 1, 10**6), "a number, 1 or more", None),
        allow_empty=read("allow_empty", lambda v: {"true": True, "false": False}[v], "true or false", False),  # noqa: FBT003 - the default
        formerly=tuple(dict.fromkeys(_listed(values.get("formerly", "")))),
        asked=asked,
    )
    for former in source.formerly:
        check_name("formerly:", former)
    _check_days(source)
    return source


def _asked(folder: Path, values: Mapping[str, str]) -> "tuple[Asked | None, tuple[str, ...]]":
    """Return what a section asks of another system, None for nothing, and the keys that say so.

    Raises:
        ConfigError: There is no such system, or a key is wrong.
    """
    if FETCH not in values:
        return None, ()
    from etl.fetch import opening  # noqa: PLC0415 - most fetch nothing

    for key in ("files", "root"):
        if key in values:
            raise ConfigError(f"{key} is for raw files that are put somewhere. Take it out, or {FETCH}.")
    return opening.read_asked(values, folder), (FETCH, *opening.keys(values[FETCH]))


def _snapshot_files(name: str, config: Config) -> "SnapshotFiles":
    """Return the files of a source that is fetched.

    Raises:
        ConfigError: luigi.cfg doesn't say where they are kept, or they would be kept in the lake.
    """
    from etl.fetch.found import SnapshotFiles  # noqa: PLC0415 - most fetch nothing
    from etl.fetch.snapshots import check_beside  # noqa: PLC0415

    if SNAPSHOTS not in config.sections:
        raise ConfigError(
            f"{FETCH}: say where what is fetched is kept, beside the lake: a section [{SNAPSHOTS}] with root = a "
            "folder or s3://bucket/prefix."
        )
    values = config.section(SNAPSHOTS)
    with config.named(SNAPSHOTS):
        check_keys(values, OF_SNAPSHOTS)
        if not values.get("root"):
            raise ConfigError(f"no root. Known keys: {', '.join(OF_SNAPSHOTS)}.")
    root, lake = values["root"], config.lake()
    if "://" not in root:
        root = os.path.normpath(config.folder / os.path.expanduser(root))  # noqa: PTH111 - as in lake.config
    with config.named(SNAPSHOTS):
        check_beside(root, lake.root)
        keep = values.get("keep_days")
        keep_days = whole_number("keep_days", keep, 1, LONGEST_KEPT) if keep else None
    return SnapshotFiles(name, root, values.get("endpoint_url", lake.endpoint_url), keep_days)


def _of_log(name: str, files: "FilePattern | SnapshotFiles", folder: Path, values: Mapping[str, str]) -> Source:
    """Return a source of requests, by what is said of its lines alone."""
    read = partial(_read, values)
    timezone = read("timezone", lambda v: ZoneInfo(v).key, "an IANA time zone, like Europe/Berlin", None)
    found_format = replace(_with_host(_format(values), values.get("application", "")), timezone=timezone)
    wrapping = _wrapping(found_format, values)
    found_format = wrapping.timed or found_format
    return Source(
        name=name,
        format=found_format,
        files=files,
        classifier=_classifier(found_format, folder, values),
        wrapping=wrapping,
        noise=Noise.of(values["noise"], found_format) if "noise" in values else None,
        max_noise_rate=read("max_noise_rate", _within(float, 0, 1), "a share, 0 to 1", DEFAULT_MAX_NOISE_RATE),
        max_applications=read(
            "max_applications", _within(int, 1, 10**6), "a number, 1 to 1,000,000", DEFAULT_MAX_APPLICATIONS
        ),
        year=read("year", _year, "a year, or the first day of the twelve months meant as YYYY-MM-DD", None),
        expected_hours=read("expected_hours", parse_hours, "hours of a UTC day, like 6-21 or 0-3, 22-23", None),
        counts_lines_once=values.get("duplicates") == LINES,
        request_id=read("duplicates", lambda v: _request_id(v, found_format), "keep, lines or field:NAME", None),
        sequence=read(
            "sequence", lambda v: _sequence(v, found_format), "two fields: of the host, of its number", None
        ),
        declared=tuple((key, _as_declared(key, values[key])) for key in FORMAT_KEYS if key in values),
    )


def _of_records(
    name: str, files: "FilePattern | SnapshotFiles", dataset: str, values: Mapping[str, str]
) -> Source:
    """Return a source of records of a dataset, by what is said of them alone.

    Raises:
        ConfigError: The day of a record can't be told.
    """
    from etl.records.records import TABLES, Records  # noqa: PLC0415 - most have none

    records = Records.of(CONTRACTS[dataset], values)
    if not (files.is_dated or records.contract.time or records.day_field):
        raise ConfigError(
            f"files = {files.text} has no {{YYYY}}{{MM}}{{DD}}, and a record of {dataset} has no time. Say which "
            "field has its day: fields = dt = NAME. Or, of a file that is replaced each night, have each kept: "
            f"take files out, and set fetch = file and path = {files.text}; docs/how-to/fetch.md says how."
        )
    if records.shape in TABLES and "envelope" in values:
        raise ConfigError(f"envelope: not for format {records.shape}. Take the key out: its records are no lines.")
    plain, files = Format(records.shape, ()), replace(files, table=records.table)
    wrapping = Wrapping(tuple(map(envelope, _listed(values.get("envelope", "")))))
    # what is left out of records was asked for
    return Source(name, plain, files, NO_REQUESTS, wrapping=wrapping, max_noise_rate=1, records=records)


def _read(values: Mapping[str, str], key: str, convert: Callable[[str], T], expected: str, default: T) -> T:
    """Return a value that may be left out.

    Raises:
        ConfigError: It is not what is expected.
    """
    if key not in values:
        return default
    try:
        return convert(values[key])
    except (ValueError, KeyError) as error:
        raise ConfigError(f"{key} = {values[key]}: expected {expected}.") from error


def _check_days(source: Source) -> None:
    """Make sure that what is said of days goes together.

    Raises:
        ConfigError: It does not.
    """
    if source.since and source.until and source.since >= source.until:
        raise ConfigError(f"since = {source.since} is not before until = {source.until} (exclusive).")
    if source.files.is_dated and source.year:
        raise ConfigError("year is for files without a date in their names. Take it out: the names tell the year.")
    if not source.files.is_dated and source.leaves_out_doubled:
        raise ConfigError("duplicates is for dated files; files has no {YYYY}{MM}{DD}.")
    if not source.files.is_dated and source.sequence:
        raise ConfigError("sequence is for dated files; files has no {YYYY}{MM}{DD}.")
    if not source.files.is_dated and (source.covers != THE_DAY or (source.expected_files or 1) > 1):
        raise ConfigError(
            "covers, neighbour_days and expected_files are for dated files; files has no {YYYY}{MM}{DD}."
        )


def _sha256(shaping: object) -> str:
    return hashlib.sha256(json.dumps(shaping, default=str).encode()).hexdigest()


def _as_declared(key: str, text: str) -> str:
    """Return what a section says of lines, to be told from others: in a shape, two spaces are a run of spaces."""
    return text if key in {LOG_FORMAT, "trailing"} else " ".join(text.split())


def _format(values: Mapping[str, str]) -> Format:
    """Return the format that a source declares, or those that its lines may have."""
    names = _listed(values["format"])
    found = _one_format(names[0], values) if len(names) == 1 else _several_formats(names, values)
    if "duration_unit" not in values:
        return found
    unit = values["duration_unit"]
    if unit not in UNITS:
        raise ConfigError(f"duration_unit = {unit}: expected one of {', '.join(UNITS)}.")
    return _in_unit(found, UNITS[unit])


def _several_formats(names: Sequence[str], values: Mapping[str, str]) -> Format:
    """Return the formats of an ordered list; of each key but `trailing`, those that it is for are told by it.

    Raises:
        ConfigError: One can't stand beside others, or `trailing` is given and not said of which of them.
    """
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ConfigError(f"format = {', '.join(names)}: {twice} stands there twice. Take one out.")
    with_trailing = [name for name in names if name.endswith(TRAILING)]
    if ("trailing" in values) != bool(with_trailing):
        raise ConfigError(
            f"format = {', '.join(names)}: say of which of them trailing is, as in "
            "`format = combined trailing, combined`."
        )
    formats = []
    for name in names:
        base = name.removesuffix(TRAILING)
        taken = {key for key, known in FORMAT_KEYS.items() if base in known}
        if name == base:
            taken.discard("trailing")
        own = {key: value for key, value in values.items() if key not in FORMAT_KEYS or key in taken}
        formats.append(_one_format(base, own))
        if isinstance(formats[-1], Headed):
            raise ConfigError(f"format = {', '.join(names)}: {name} has a header, and stands beside no other.")
    for key, known in FORMAT_KEYS.items():
        if key in values and not any(name.removesuffix(TRAILING) in known for name in names):
            raise ConfigError(f"{key}: not for the formats {', '.join(names)}. Take the key out.")
    return Alternatives.of(formats, names)


def _in_unit(found: Format, scale: int) -> Format:
    """Return a format whose durations are in units of 10**-scale seconds.

    Raises:
        ConfigError: It has none, or those of `fields` have units already.
    """
    if not found.has(Role.DURATION):
        raise ConfigError(f"duration_unit: format {found.name} has no duration. Take the key out.")
    if isinstance(found, Alternatives):
        formats = [_in_unit(each, scale) if each.has(Role.DURATION) else each for each in found.formats]
        return Alternatives.of(formats, found.labels)
    fields = [replace(each, scale=scale) if each.role is Role.DURATION else each for each in found.fields]
    return replace(found, fields=tuple(fields))


def _one_format(name: str, values: Mapping[str, str]) -> Format:
    """Return one of FORMATS, changed or given by the keys of FORMAT_KEYS."""
    if name not in (*FORMATS, LOG_FORMAT):
        raise ConfigError(f"unknown format {name!r}. Known formats: {', '.join((*FORMATS, LOG_FORMAT))}.")
    for key, names in FORMAT_KEYS.items():
        if key in values and name not in names:
            raise ConfigError(f"{key}: not for format {name}, only for {', '.join(names)}. Take the key out.")
    if name == LOG_FORMAT:
        found: Format = _shaped(name, LOG_FORMAT, values.get(LOG_FORMAT, ""))
    elif "trailing" in values:
        found = _trailed(name, values["trailing"])
    elif "fields" in values:
        kind = Kind.PLAIN if name == "ltsv" else Kind.WORD
        fields = tuple(replace(each, kind=kind) for each in _fields(values["fields"]))
        found = replace(FORMATS[name], fields=fields, first_duration=False)
    else:
        found = FORMATS[name]
    if "duration_unit" in values and "fields" in values and any(each.scale for each in found.fields):
        raise ConfigError("duration_unit and a unit in fields, such as duration_ms, say two things. Keep one.")
    return found


def _wrapping(found_format: Format, values: Mapping[str, str]) -> Wrapping:
    """Return what is around lines of a format, which may bring the time that these lack."""
    wrapping = Wrapping.of(_listed(values.get("envelope", "")), found_format)
    whole = wrapping.timed or found_format
    missing = [role for role in (Role.TIME, Role.STATUS) if not whole.has(role)]
    if missing:
        key = LOG_FORMAT if found_format.name == LOG_FORMAT else "fields"
        either = ", and neither has the envelope" if wrapping.envelopes and missing[0] is Role.TIME else ""
        raise ConfigError(
            f"{key} has no {missing[0]}{either}: without time and status of a request it can't be counted."
        )
    return wrapping


def _shaped(name: str, key: str, shape: str, before: str = "") -> Delimited:
    r"""Return the format of a shape, in which `\t` is a tab, as in the servers' own settings."""
    try:
        return shaped(name, before + shape.replace(r"\t", "\t"))
    except ConfigError as error:
        raise ConfigError(f"{key} = {shape}: {error}") from error


def _trailed(name: str, trailing: str) -> Delimited:
    """Return a format with further fields, which not every line needs to have if they end in `...`."""
    optional = trailing.endswith(MAY_FOLLOW)
    found = _shaped(name, "trailing", trailing.removesuffix(MAY_FOLLOW), SHAPES[name] + " ")
    return replace(found, sure=len(shaped(name, SHAPES[name]).fields)) if optional else found


def _fields(text: str) -> tuple[Field, ...]:
    """Return the fields of `role = key` pairs."""
    fields = []
    for pair in _listed(text):
        known, _, name = (part.strip() for part in pair.partition("="))
        if known not in FIELD_KEYS or not name:
            raise ConfigError(
                f"fields: {pair}: expected `role = key of the log`, with a role of {', '.join(FIELD_KEYS)}."
            )
        role, scale = FIELD_KEYS[known]
        fields.append(Field(name, role, scale=scale))
    return tuple(fields)


def _with_host(found_format: Format, application: str) -> Format:
    """Return a format that reads the field that tells the application, if it is one that nobody could name.

    Not any field: what is known to be a client's address or name belongs into no lake.
    """
    name = application.removeprefix(FIELD)
    if name.startswith(UNNAMED) and any(each.name == name for each in found_format.fields):
        with suppress(ConfigError):
            return with_field(found_format, name)
    return found_format


def _application(
    found_format: Format, folder: Path, values: Mapping[str, str]
) -> tuple[str | None, str | None, Applications | None]:
    """Return the application if it is a constant, the field that holds the host if one does, and the map."""
    application, field = values.get("application", ""), None
    if MAP in values and application and not application.startswith(FIELD):
        raise ConfigError(
            f"application = {application} and {MAP} = {values[MAP]} say two things. Take application out, or have "
            f"it name the field that holds the host: {FIELD}NAME."
        )
    if application.startswith(FIELD):
        field = application.removeprefix(FIELD)
        known = found_format.hosts
        if found_format.has(Role.REQUEST, Role.TARGET):
            known.append(AUTHORITY)
        if field not in known:
            names = ", ".join(f"{FIELD}{name}" for name in known)
            raise ConfigError(
                f"application = {application}: format {found_format.name} can't tell it. Use a name of your own"
                f"{f', or one of {names}' if names else ''}."
            )
    elif MAP not in values and not APPLICATION.allows(application):
        raise ConfigError(
            f"application = {application}: expected a name like {APPLICATION.pattern}, or field:NAME."
        )
    if MAP not in values:
        return None if field else application, field, None
    mapped = read_applications(folder / os.path.expanduser(values[MAP]))  # noqa: PTH111 - as in lake.config
    if mapped.ask_for_hosts and not field:
        raise ConfigError(
            f"{MAP} = {values[MAP]}: it has rules for hosts. Say which field holds the host: "
            f"application = {FIELD}NAME."
        )
    return None, field, mapped


def _classifier(found_format: Format, folder: Path, values: Mapping[str, str]) -> Classifier:
    if values["vantage"] not in VANTAGES:
        raise ConfigError(f"vantage = {values['vantage']}: expected one of {', '.join(VANTAGES)}.")
    paths = _listed(values.get("health_check_paths", ""))
    for path in paths:
        if not path.startswith("/"):
            raise ConfigError(f"health_check_paths: {path} matches no path, since they all begin with '/'.")
    agents = _listed(values.get("synthetic_user_agents", ""))
    if agents and not found_format.has(Role.USER_AGENT):
        raise ConfigError(f"synthetic_user_agents: format {found_format.name} has no user agent to tell by.")
    application, field, mapped = _application(found_format, folder, values)
    return Classifier(
        vantage=values["vantage"],
        application=application,
        application_field=field,
        mapped=mapped,
        health_check_paths=paths,
        synthetic_user_agents=agents,
    )


def _request_id(text: str, found_format: Format) -> str | None:
    """Return the field that `duplicates` names, None if it names none; KeyError if it is something else."""
    if not text.startswith(FIELD):
        return {KEEP: None, LINES: None}[text]
    name = text.removeprefix(FIELD)
    try:
        with_field(found_format, name, Role.IDENTITY)
    except ConfigError as error:
        raise ConfigError(f"duplicates = {error}") from error
    return name


def _sequence(text: str, found_format: Format) -> tuple[str, str]:
    """Return the two fields that `sequence` names; ValueError if they aren't two."""
    host, number = _listed(text)
    try:
        with_field(with_field(found_format, host), number, Role.IDENTITY)
    except ConfigError as error:
        raise ConfigError(f"sequence = {error}") from error
    return host, number


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.replace("\n", ",").split(",") if part.strip())


def _year(text: str) -> date:
    """Return the first day of the year that a text names, or the day that it is; ValueError if it is neither."""
    return parse_day(f"{text}-01-01" if len(text) == len("2026") else text)


def _covers(text: str) -> tuple[int, int]:
    """Return the first and the last day that a text like `-1 to 0` names; ValueError if it names none."""
    found = COVERS.fullmatch(" ".join(text.split()))
    if not found:
        raise ValueError(text)
    first, last = int(found[1]), int(found[2] or found[1])
    if not -FARTHEST <= first <= last <= FARTHEST:
        raise ValueError(text)
    return first, last


def _within(kind: Callable[[str], N], lowest: N, highest: N) -> Callable[[str], N]:
    def convert(text: str) -> N:
        number = kind(text)
        if not lowest <= number <= highest:
            raise ValueError(text)
        return number

    return convert
