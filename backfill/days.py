"""What is there of a range, what is not, and why: the days of a unit, looked up in the lake."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum

from etl.sources.completeness import Severity
from etl.sources.source import ONE_DAY, Source, active_on, latest_settled_day, settled_at
from etl.units import Unit
from lake import evidence
from lake.errors import ConfigError, LakeError, StoreError
from lake.evidence import Evidence
from lake.partition import EARLIEST
from lake.provenance import Provenance
from lake.silence import silences


class State(StrEnum):
    """Where a day stands."""

    THERE = "there"
    MISSING = "missing"  # it can be built
    GONE = "gone"  # it was published, and can be built again
    FAILED = "failed"  # it could not be built so far, and is tried again
    SKIPPED = "skipped"  # it failed so often that it is tried again only if somebody asks for it
    NO_INPUT = "no input"  # its raw logs are not there
    UNSETTLED = "unsettled"
    INACTIVE = "inactive"  # no source has logs on it: no gap


NO_GAP = frozenset({State.THERE, State.INACTIVE})
TO_BUILD = frozenset({State.MISSING, State.GONE, State.FAILED})
WAITING = frozenset({State.NO_INPUT, State.UNSETTLED})
RUNS_SHOWN = 20


@dataclass(frozen=True)
class Day:
    """A UTC day of a unit.

    Attributes:
        date: The day.
        state: Where it stands.
        reason: A sentence of why it is not there, where there is more to say.
        source: The source that this is about, None if it is about none, or about all.
    """

    date: date
    state: State
    reason: str | None = None
    source: str | None = None


@dataclass(frozen=True)
class DayRange:
    """The days `[start, stop)` of one kind of unit, which `example` is of."""

    example: Unit
    start: date
    stop: date

    @classmethod
    def resolve(cls, example: Unit, start: date | None, stop: date | None, now: datetime) -> "DayRange":
        """Return the range meant: from the first day of any source, up to the last settled active day.

        Raises:
            ConfigError: The range is empty, or where it starts can't be told.
        """
        sources = example.sources()
        if start is None:
            start = min(source.since or EARLIEST for source in sources)
            if start == EARLIEST:
                raise ConfigError("Give --start: a source without since says no first day.")
        latest = stop - ONE_DAY if stop else latest_settled_day(sources, now)
        if stop is None and start > latest:
            raise ConfigError(
                f"Nothing to do from --start {start} on: the latest settled day with a source is {latest}."
            )
        stop = stop or latest + ONE_DAY
        if start >= stop:
            raise ConfigError(
                f"--start {start} is not before --stop {stop}, which is exclusive. Give a later --stop."
            )
        found = cls(example, start, stop)
        if not any(settled_at(sources, day) for day in found.dates):
            raise ConfigError(f"No source is active on any day of {found}. Check since and until in luigi.cfg.")
        return found

    def part(self, index: int, of: int) -> "DayRange":
        """Return one of so many parts, days in a row: what is made from several days then needs few of others.

        Args:
            index: Which part, from 0.
            of: How many parts there are.

        Raises:
            ConfigError: There are more parts than days.
        """
        count = (self.stop - self.start).days
        if of > count:
            raise ConfigError(
                f"{self} can't be divided into {of:,} parts. Give --part K/N with an N of {count:,} at most."
            )
        start, stop = (self.start + timedelta(days=count * each // of) for each in (index, index + 1))
        return replace(self, start=start, stop=stop)

    @property
    def dates(self) -> list[date]:
        """All days of the range, oldest first."""
        return [date.fromordinal(n) for n in range(self.start.toordinal(), self.stop.toordinal())]

    def unit(self, day: date) -> Unit:
        """Return the unit of one day."""
        return self.example.on(day)

    def survey(self, now: datetime) -> list[Day]:
        """Return all days with their states, by one listing a dataset; raw logs are not looked for."""
        sources = self.example.sources()
        published = self.example.published_days(self.start, self.stop)
        days = []
        for day in self.dates:
            settled = settled_at(sources, day)
            if day in published:
                days.append(Day(day, State.THERE))
            elif settled is None:
                days.append(Day(day, State.INACTIVE))
            elif settled > now:
                days.append(Day(day, State.UNSETTLED, f"unsettled until {settled:%Y-%m-%d %H:%M} UTC"))
            else:
                days.append(Day(day, State.MISSING))
        return days

    def survey_with_input(self, now: datetime) -> list[Day]:
        """Return what `survey` does, after looking for the raw logs of each missing day."""
        return self.with_input(self.survey(now))

    def with_input(self, days: Sequence[Day], *, is_elsewhere: bool = False) -> list[Day]:
        """Return days after looking for the raw logs of those to build.

        Args:
            days: The days.
            is_elsewhere: Whether this may be a host that can't reach them: then those that can't be looked for
                change nothing.
        """
        waits = _missing_input(self.example, [day.date for day in days if day.state in TO_BUILD], {})
        found = []
        for day in days:
            wait = waits.get(day.date)
            if wait and not (is_elsewhere and wait.is_unknown):
                found.append(Day(day.date, State.NO_INPUT, f"no input: {wait.reason}", wait.source))
            else:
                found.append(day)
        return found

    def gone(self, dates: Collection[date]) -> dict[date, datetime]:
        """Return which of some days that are not there were published, by the records of that, and when.

        Whoever may not list them knows of none.
        """
        if not dates or not self.example.contracts:
            return {}
        made, store = self.example.contract, self.example.project.lake.store
        folder = f"{evidence.FOLDER}{made.name}/v{made.version}/"
        found: dict[date, datetime] = {}
        with suppress(StoreError):
            for each in store.objects(folder, f"dt={min(dates)}", f"dt={max(dates)}~"):
                record = Evidence.parse(each.key)
                if record and record.partition.dt in dates and record.partition.source == self.example.source:
                    day = record.partition.dt
                    found[day] = max(each.published, found.get(day, each.published))
        return found

    def made(self, days: Iterable[Day]) -> dict[date, Provenance]:
        """Return how published days were made, by the footers of their partitions: all are opened.

        Raises:
            StoreError: The lake can't be read.
        """
        there = {day.date for day in days if day.state is State.THERE}
        return self._made(self.start, self.stop, there)

    def lacking(self, made: Mapping[date, Provenance]) -> dict[date, str]:
        """Return what days lack of their raw logs, by how they were made and by when their sources are silent.

        Raises:
            StoreError: The lake can't be read.
        """
        lacks = [(day, each.incomplete) for day, each in made.items() if each.incomplete]
        found: dict[date, list[str]] = {}
        silent = silences(made, self._made).items()
        of_sources = [(day, f"{name}: {text}") for day, texts in silent for name, text in texts.items()]
        for day, text in (*lacks, *of_sources):
            found.setdefault(day, []).append(text)
        return {day: "; ".join(found[day]) for day in sorted(found)}

    def _made(self, start: date, stop: date, among: Collection[date] | None = None) -> dict[date, Provenance]:
        if not self.example.contracts:
            return {}
        lake = self.example.project.lake
        partitions = [
            each
            for each in lake.latest(self.example.contract, start, stop)
            if each.source in self.example.names and (among is None or each.dt in among)
        ]
        return {p.dt: each.provenance for p, each in zip(partitions, lake.footers(partitions), strict=True)}

    def __str__(self) -> str:
        count = (self.stop - self.start).days
        days = f"{self.start} … {self.stop - ONE_DAY}, {count:,} days" if count > 1 else f"{self.start}, 1 day"
        return f"{self.example.name} {days}"


@dataclass(frozen=True)
class _Wait:
    """What a day waits for.

    Attributes:
        reason: Why.
        source: Of which source the raw logs are, if they are what is lacking.
        is_dispensable: Whether what is made of several sources may go without it.
        is_unknown: Whether that could not be looked at.
    """

    reason: str
    source: str | None = None
    is_dispensable: bool = False
    is_unknown: bool = False


def _missing_input(unit: Unit, dates: Sequence[date], known: "_Known") -> dict[date, _Wait]:
    """Say which raw logs days that are not there wait for, themselves or through what they are made from.

    One source that can't be looked at is no reason to say nothing of the rest.
    """
    if not dates:
        return {}
    if unit.is_extracted:
        return _missing_logs(unit.project.source(unit.source or ""), dates)
    found: dict[date, _Wait] = {}
    for wanted in unit.contract.inputs:
        kinds, sources = unit.of_input(wanted), unit.sources_of(wanted)
        needed = sorted({each for day in dates for each in wanted.window(day) if active_on(sources, each)})
        waits = [_missing_of(each, tuple(needed), known) for each in kinds]
        is_of_all = not unit.source and any(each.source for each in kinds)
        of_input = _indispensable(waits, sources, needed) if is_of_all else waits[0]
        for day in dates:
            first = next((of_input[each] for each in wanted.window(day) if each in of_input), None)
            if first:
                found.setdefault(day, first)
    return found


_Known = dict[tuple[Unit, tuple[date, ...]], dict[date, _Wait]]
"""What days of a unit wait for: several datasets may be made from it, and it is looked at once."""


def _missing_of(unit: Unit, dates: tuple[date, ...], known: _Known) -> dict[date, _Wait]:
    """Say what days of a unit wait for, of those that are not there."""
    if not dates:
        return {}
    key = unit.on(dates[0]), dates
    if key not in known:
        try:
            published = unit.published_days(min(dates), max(dates) + ONE_DAY)
        except LakeError as error:
            known[key] = dict.fromkeys(dates, _Wait(str(error), unit.source, is_unknown=True))
        else:
            known[key] = _missing_input(unit, [day for day in dates if day not in published], known)
    return known[key]


def _missing_logs(source: Source, dates: Sequence[date]) -> dict[date, _Wait]:
    """Say which raw logs of a source are not there, on S3 by one listing of many days."""
    if source.asked:
        return {}
    try:
        find = source.files.finder(source.days_read(min(dates))[0], source.days_read(max(dates))[-1])
    except LakeError as error:
        return dict.fromkeys(dates, _Wait(str(error), source.declared_as, is_unknown=True))
    may_miss = source.severities.missing_source is Severity.WARN
    found: dict[date, _Wait] = {}
    for day in dates:
        try:
            reason = source.missing_input(day, find) if source.is_active(day) else None
            if reason:
                found[day] = _Wait(reason, source.declared_as, may_miss and source.is_missing(day, find))
        except LakeError as error:
            found[day] = _Wait(str(error), source.declared_as, is_unknown=True)
    return found


def _indispensable(
    waits: Sequence[dict[date, _Wait]], sources: Sequence[Source], dates: Sequence[date]
) -> dict[date, _Wait]:
    """Return for what days that are made of several sources wait: all are dispensable, but not all at once."""
    found = {}
    for day in dates:
        of_day = [each[day] for each in waits if day in each]
        needed = [each for each in of_day if not each.is_dispensable]
        if needed or (of_day and len(of_day) == len(active_on(sources, day))):
            found[day] = (needed or of_day)[0]
    return found


def listed(days: Iterable[date]) -> str:
    """Return days as text, runs shortened, the first runs only: `2015-05-17, 2015-05-19 … 2015-05-21`."""
    runs: list[list[date]] = []
    for day in sorted(days):
        if runs and day - runs[-1][-1] == ONE_DAY:
            runs[-1].append(day)
        else:
            runs.append([day])
    joint = {1: "", 2: ", "}
    shown = [
        str(run[0]) if len(run) == 1 else f"{run[0]}{joint.get(len(run), ' … ')}{run[-1]}"
        for run in runs[:RUNS_SHOWN]
    ]
    if more := sum(map(len, runs[RUNS_SHOWN:])):
        shown.append(f"and {more:,} more up to {runs[-1][-1]}")
    return ", ".join(shown)
