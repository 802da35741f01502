"""Units of work: what is built, from what, and whether it is there.

Who builds them, in which order and how often, is not their affair: that is an engine's.
"""

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from functools import cached_property
from itertools import product

from etl import clock
from etl.project import Project
from etl.raw.files import RawFile
from etl.raw.recorded import begins_with, has_content_of
from etl.sources.completeness import Severity
from etl.sources.source import ONE_DAY, Source, active_on, name_of, of_dataset
from etl.steps.extract import extract_day
from lake import confirmed, provenance
from lake.contract import RAW, Contract, Input
from lake.contracts import CONTRACTS, contract, extracted_for, in_build_order, published_before
from lake.errors import ConfigError, InputError, NoLines, PartitionExists
from lake.lake import Lake
from lake.partition import LATEST, Partition, source_of
from lake.provenance import FIRST, Provenance, Revision

DELIVERED = "delivered"
"""What units of deliveries have for a dataset, which no dataset of the lake is called; see `etl.delivered`."""
SNAPSHOT = "snapshot"
"""What units of what is fetched have for a dataset, likewise; see `etl.fetched`."""
CUT_OFF = "its first publication was cut off, and what it is made from has changed since"


@dataclass(frozen=True)
class Unit:
    """One day of a dataset, of one source where it is kept so: what is built in one go, and published as a whole.

    Attributes:
        project: Whose lake it is in, and whose sources it is made from.
        dataset: Its name; what is made with another dataset is a part of that one's unit.
        source: The source, None where the dataset is made from all of them.
    """

    project: Project = field(repr=False, compare=False)
    dataset: str
    day: date
    source: str | None = None

    def __str__(self) -> str:
        return f"{self.title} {self.day}"

    @property
    def title(self) -> str:
        """What it is of, without the day."""
        return " ".join((self.name, *self.arguments.values()))

    @property
    def arguments(self) -> dict[str, str]:
        """What tells it from others of its name, by what options and Luigi's parameters call that."""
        return {"source": self.source} if self.source else {}

    @property
    def name(self) -> str:
        """How commands and Luigi call it: `ErrorRateDaily` for `error_rate`."""
        return name_of(self.dataset)

    @property
    def of(self) -> str:
        """The options by which commands name its kind."""
        return " ".join((f"--of {self.name}", *(f"--{key} {value}" for key, value in self.arguments.items())))

    @cached_property
    def contract(self) -> Contract:
        """The contract of its dataset."""
        return contract(self.dataset)

    @cached_property
    def contracts(self) -> tuple[Contract, ...]:
        """The contracts of all that it publishes, in that order: its own dataset comes last."""
        return (*published_before(self.contract), self.contract)

    @property
    def is_extracted(self) -> bool:
        """Whether it comes from raw files, and not from other datasets."""
        return self.contract.is_extracted

    def on(self, day: date) -> "Unit":
        """Return the unit of another day."""
        return replace(self, day=day)

    def within(self, lake: Lake) -> "Unit":
        """Return the same unit of another lake, such as a draft of one."""
        return replace(self, project=replace(self.project, lake=lake))

    def sources(self) -> list[Source]:
        """Return the sources that it is made from, on whichever day.

        Raises:
            ConfigError: luigi.cfg declares no source of its name, or none of what it is made from.
        """
        if not self.source:
            return self.project.sources_of(self.dataset)
        source = self.project.source(self.source)
        if source.dataset not in extracted_for(self.dataset):
            raise ConfigError(
                f"{self.name} is made from {' or '.join(sorted(extracted_for(self.dataset)))}, and "
                f"[source.{source.declared_as}] brings {source.dataset}. Give another --source."
            )
        return [source]

    def made_from(self) -> "list[tuple[Unit, Input]]":
        """Return a unit, of this day, of each kind that it is made from, and as which input."""
        return [(unit, each) for each in self.contract.inputs for unit in self.of_input(each)]

    def of_input(self, wanted: Input) -> "list[Unit]":
        """Return a unit of an input, of this day, for each source where it is kept so."""
        needed = contract(wanted.dataset)
        dataset = needed.made_with or needed.name
        if not needed.per_source:
            return [Unit(self.project, dataset, self.day)]
        return [
            Unit(self.project, source.dataset if dataset == RAW else dataset, self.day, source.name)
            for source in self.sources_of(wanted)
        ]

    def sources_of(self, wanted: Input) -> list[Source]:
        """Return those of its sources that an input is made from."""
        return of_dataset(self.sources(), wanted.dataset)

    def requires(self) -> "list[Unit]":
        """Return what must be there before it is built, without the sources that its day may do without.

        Days of a window on which no source is active have nothing.

        Raises:
            InputError: No source is active on its day.
        """
        gone = self.missing()
        found = {
            unit.on(day): None
            for unit, wanted in self.made_from()
            if unit.source not in gone
            for day in wanted.window(self.day)
            if active_on(unit.sources(), day)
        }
        return list(found)

    def serves(self) -> "list[Unit]":
        """Return the units that are made from it, directly or not, in the order in which they are built."""
        found = {self: None}
        for made in in_build_order():
            if made.made_with or not self.project.uses(made.name):
                continue
            for each in list(found):
                names = {below.name for below in each.contracts}
                reach = max((wanted.days for wanted in made.inputs if wanted.dataset in names), default=0)
                source = each.source if made.per_source else None
                for n in range(reach):
                    found[Unit(self.project, made.name, each.day + timedelta(days=n), source)] = None
        return list(found)[1:]

    def beside(self) -> "list[Unit]":
        """Return the units of its day that are made from what it is made from and are not among that, in order."""
        known = below(self)
        served = dict.fromkeys(each for one in known for each in one.serves() if each.day == self.day)
        order = [each.name for each in in_build_order()]
        others = (each for each in served if each not in known)
        return sorted(others, key=lambda each: (order.index(each.dataset), each.source or ""))

    def missing(self) -> set[str]:
        """Return the names of the active sources without raw logs that luigi.cfg lets a day be made without."""
        active = self._active()
        if len(active) == 1:  # of nothing no rate can be made
            return set()
        below = [unit for unit, _ in self.made_from() if unit.source and not self.source]
        found = {
            unit.source: unit
            for unit in below
            if (source := self.project.source(unit.source or "")) in active
            and source.severities.missing_source is Severity.WARN
            and not unit.is_begun()
            and source.is_missing(self.day)
        }
        return {*filter(None, found)} if len(found) < len(active) else set()

    def partition(self, made: Contract, revision: int) -> Partition:
        """Return its partition of one of its datasets."""
        return Partition(made.name, made.version, self.day, self.kept_as, revision)

    @cached_property
    def names(self) -> frozenset[str | None]:
        """The names of its source, those that it had included, under which its days may be published."""
        return frozenset(self.project.source(self.source).names if self.source else [None])

    @cached_property
    def kept_as(self) -> str | None:
        """Under which name of its source it is published: a day stays under the one that it was published by."""
        if len(self.names) == 1:
            return self.source
        source = self.project.source(self.source or "")
        for made in dict.fromkeys((self.contract, contract(source.dataset))):
            there = {p.source for p in self.project.lake.partitions(made, self.day, self.day + ONE_DAY)}
            if names := source.names_in(there):
                return names[0]
        return self.source

    def is_published(self, revision: int = 0) -> bool:
        """Tell whether all of it is there, in this revision or a later one."""
        return all(self.project.lake.exists(self.partition(each, revision)) for each in self.contracts)

    def is_begun(self) -> bool:
        """Tell whether it is there, or something that it is made from."""
        return self.is_published() or any(unit.is_begun() for unit, _ in self.made_from())

    def published_days(self, start: date, stop: date, revision: int = 0) -> set[date]:
        """Return the days in `[start, stop)` on which such a unit is there: one listing a dataset."""
        return set.intersection(
            *(
                {
                    partition.dt
                    for partition in self.project.lake.partitions(each, start, stop)
                    if partition.revision >= revision and partition.source in self.names
                }
                for each in self.contracts
            )
        )

    def latest_revision(self) -> int | None:
        """Return the latest revision that is published, None if it is not there as a whole."""
        latest = []
        for each in self.contracts:
            found = self._revisions(each)
            if not found:
                return None
            latest.append(max(found))
        return max(latest)

    def next_revision(self) -> int:
        """Return the number of its next revision: the latest one's, if only a part of that is there.

        A writer that was cut off left it so; who makes the same again completes it.
        """
        latest = [max(self._revisions(each), default=-1) for each in self.contracts]
        return max(latest) + (min(latest) == max(latest))

    def check_inputs(self) -> None:
        """Make sure that what it is made from is no older than what that is made from in turn.

        A restatement of it alone would else publish a figure in which a restated day below is not seen.

        Raises:
            ConfigError: Something is.
        """
        for needed in self.requires():
            if needed.is_extracted:
                continue
            needed.check_inputs()
            if newer := needed.newer_input():
                raise ConfigError(
                    f"{self} would not see {newer}, which is newer than what {needed} was made from. Nothing was "
                    f"published. Restate both at once: backfill restate {needed.of} --date {needed.day} "
                    '--reason "…"'
                )

    def newer_input(self) -> Partition | None:
        """Return an input of its latest revision that has a newer one by now, None if there is none."""
        lake = self.project.lake
        for each in self.contracts:
            found = [p for p in lake.latest_of_day(each, self.day) if p.source == self.kept_as]
            confirmations = confirmed.latest(lake, each, found)
            for partition in found:
                made = confirmations.get(partition) or lake.provenance(partition)
                for link in filter(None, (Partition.parse(read.name) for read in made.inputs)):
                    if newer := lake.newer(link):
                        return newer
        return None

    def why_not(self, now: datetime) -> str | None:
        """Say what of the raw logs is still to come; None when all is there."""
        source, day = self.project.source(self.source or ""), self.day
        if not source.is_active(day):
            return f"source {source.name} is not active on {day}. Check its since and until"
        return source.why_unsettled(day, now) or source.missing_input(day)

    def made(self) -> Provenance | None:
        """Return what its latest revision was made from, or found to be equal to; None if it is not published."""
        lake = self.project.lake
        latest = [each for each in lake.latest_of_day(self.contract, self.day) if each.source in self.names]
        if not latest:
            return None
        return confirmed.latest(lake, self.contract, latest).get(latest[-1]) or lake.provenance(latest[-1])

    def made_with(self) -> frozenset[Partition]:
        """Return of which sources' partitions its latest revision is made, where it is made from all sources."""
        lake, found = self.project.lake, set()
        if self.source is None:
            for each in self.contracts:
                latest = lake.latest_of_day(each, self.day)
                confirmations = confirmed.latest(lake, each, latest) if latest else {}
                for partition in latest:
                    made = confirmations.get(partition) or lake.provenance(partition)
                    links = filter(None, (Partition.parse(read.name) for read in made.inputs))
                    found |= {link for link in links if link.source}
        return frozenset(found)

    def build(
        self,
        revision: Revision = FIRST,
        until: date | None = None,
        now: datetime | None = None,
        dropped: Collection[str] = frozenset(),
    ) -> str:
        """Make, check and publish it.

        A restatement has the sources that the revision before it had, even if luigi.cfg no longer declares them,
        beside those that are active today.

        Args:
            revision: Which publication it is.
            until: With it, a pass over an undated log publishes later settled days before this one, too.
            now: The time, which says what is settled.
            dropped: The sources that a restatement is to leave out all the same.

        A first publication that was cut off is completed by the same bytes. If its raw logs have changed since,
        so that it would have others, the next revision is published.

        Returns:
            What came of it, in a few words.

        Raises:
            ConfigError: The revision is not the next one.
            LakeError: It can't be built.
        """
        self._check(revision)
        try:
            return self._make(revision, until, now, dropped)
        except PartitionExists:
            if revision.number or not self._is_cut_off():
                raise
            return self._make(Revision(self.next_revision() + 1, CUT_OFF), None, now, dropped)

    def _make(self, revision: Revision, until: date | None, now: datetime | None, dropped: Collection[str]) -> str:
        if self.is_extracted:
            return self._extract(revision, until, now)
        from etl.steps.aggregate import aggregate_day  # noqa: PLC0415 - DuckDB, which extraction has no use for

        partitions = [self.partition(each, revision.number) for each in self.contracts]
        had = self.made_with() if revision.number else frozenset()
        kept = {link for link in had if not {link.source, source_of(link.source or "")} & {*dropped}}
        rows = aggregate_day(
            *(self.project.lake, partitions, self.sources(), revision), missing=self.missing(), kept=kept
        )
        return f"{rows.num_rows:,} rows"

    def _extract(self, revision: Revision, until: date | None, now: datetime | None) -> str:
        if not revision.number and self.is_published():
            return "published by the pass of another day"
        source = self.project.source(self.source or "")
        if not revision.number:
            self._refuse_twice(source)
        if source.asked:
            self._fetch(source, now)
        kept = replace(source, kept_as=self.kept_as)
        later = self._later_days(kept, until, now) if until and now and not revision.number else set()
        day = self.day
        try:
            lines = extract_day(self.project.lake, kept, day, revision, later)
        except InputError as error:
            if not source.asked:
                raise
            # what is kept of it stays so, however often it is built
            raise type(error)(
                f"{error} If {source.name} has it right by now, fetch it again: backfill fetch --source "
                f"{source.name} --date {day}"
            ) from error
        return f"{lines.kept:,} {source.rows_are}, {lines.rejected:,} rejects"

    def _fetch(self, source: Source, now: datetime | None) -> None:
        """Have snapshots of what it reads, where Luigi didn't see to that."""
        from etl.steps.fetching import fetch_day  # noqa: PLC0415 - most fetch nothing

        now = now or clock.utc_now()
        for day in source.days_read(self.day):
            if source.is_fetched_on(day) and not source.files.find(day):
                if why_not := source.why_unsettled(day, now):
                    raise NoLines(f"{why_not}.")
                fetch_day(source, day, now)

    def _refuse_twice(self, source: Source) -> None:
        """Make sure that its raw files are not published already, under a name that luigi.cfg no longer declares.

        Raises:
            ConfigError: One is: a source was renamed, and its requests would count twice.
        """
        lake = self.project.lake
        published = [each for each in lake.latest_of_day(self.contract, self.day) if each.source]
        source.check_layout(self.day, [each.source for each in published if each.source])
        there = [each for each in published if not self.project.declares(each.source or "")]
        for partition in there:
            recorded = lake.provenance(partition).inputs
            for file, before in product(source.find_files(self.day), recorded):
                if before.bytes and _is_again(file, before, source.files.endpoint_url):
                    raise ConfigError(
                        f"{self} reads {file.name}, which is in {partition} already, and luigi.cfg has no "
                        f"[source.{partition.source}]: its requests would count twice. If it was renamed, set "
                        f"`formerly = {partition.source}` in [source.{source.declared_as}]; if not, declare "
                        f"[source.{partition.source}] again."
                    )

    def _is_cut_off(self) -> bool:
        """Tell whether a part of it alone is there, in whichever revision."""
        return len({bool(self._revisions(each)) for each in self.contracts}) > 1

    def _later_days(self, source: Source, until: date, now: datetime) -> set[date]:
        """Return the settled days after this one that are asked for, too: a pass over undated files may do so."""
        if source.files.is_dated:
            return set()
        day, days = self.day + ONE_DAY, set()
        while day < min(until, source.until or LATEST) and source.settled_at(day) <= now:
            days.add(day)
            day += ONE_DAY
        return days - self.published_days(self.day, day) if days else days

    def _check(self, revision: Revision) -> None:
        if not revision.number:
            return
        following = max((n for each in self.contracts for n in self._revisions(each)), default=-1) + 1
        if revision.number > following:
            raise ConfigError(f"--revision {revision.number}: the next revision of {self.day} is {following}.")

    def _revisions(self, made: Contract) -> list[int]:
        found = self.project.lake.partitions(made, self.day, self.day + ONE_DAY)
        return [each.revision for each in found if each.source == self.kept_as]

    def _active(self) -> list[Source]:
        found = active_on(self.sources(), self.day)
        if not found:
            raise InputError(f"No source is active on {self.day}. Check since and until in luigi.cfg.")
        return found


def _is_again(file: RawFile, before: provenance.Input, endpoint_url: str | None) -> bool:
    """Tell whether a raw file is what another source was made from, or that one has grown to."""
    return has_content_of(file, before, endpoint_url) or begins_with(file, before, endpoint_url)


def names() -> dict[str, str]:
    """Return the dataset of each name that a unit can have."""
    return {name_of(name): name for name, made in CONTRACTS.items() if not made.made_with}


def below(unit: Unit) -> list[Unit]:
    """Return a unit of its day of each kind that it is made from, directly or not, in build order, itself last."""
    found: dict[Unit, None] = {}
    for each, _ in unit.made_from():
        found |= dict.fromkeys(below(each))
    return [*found, unit]
