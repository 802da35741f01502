"""Snapshots as units: a day of a source that another system has, fetched once, before it is taken apart."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property

from etl import clock
from etl.sources.source import ONE_DAY, Source
from etl.steps.fetching import fetch_day, snapshots_of
from etl.units import SNAPSHOT, Unit
from lake.contract import Contract
from lake.errors import ConfigError
from lake.provenance import FIRST, Revision


@dataclass(frozen=True)
class Snapshot(Unit):
    """One day of a source as another system has it: there once it is fetched, which nothing of the lake is."""

    @property
    def declared(self) -> Source:
        """Its source."""
        return self.project.source(self.source or "")

    @cached_property
    def contract(self) -> Contract:
        """What stands for a contract: it is made from nothing that we have."""
        return Contract(SNAPSHOT, 1, "one file of a snapshot", columns=(), per_source=True)

    @cached_property
    def contracts(self) -> tuple[Contract, ...]:
        """See Unit: it publishes nothing in the lake."""
        return ()

    def sources(self) -> list[Source]:
        """See Unit."""
        return [self.declared]

    def why_not(self, now: datetime) -> str | None:
        """See Unit: it waits until it is settled, and is of a day that is read."""
        source = self.declared
        if not source.is_fetched_on(self.day):
            return f"source {source.name} is not active on {self.day}. Check its since and until"
        return source.why_unsettled(self.day, now)

    def is_published(self, revision: int = 0) -> bool:
        """See Unit; any revision counts, since a new one is fetched where somebody asks for it."""
        return self.day in self.published_days(self.day, self.day + ONE_DAY, revision)

    def published_days(self, start: date, stop: date, revision: int = 0) -> set[date]:  # noqa: ARG002 - Unit's
        """Return the days in `[start, stop)` of which there is a snapshot: one listing.

        Raises:
            StoreError: The disk or bucket doesn't answer.
        """
        return set(snapshots_of(self.declared).latest(self.declared.name, start, stop))

    def build(
        self,
        revision: Revision = FIRST,
        until: date | None = None,  # noqa: ARG002 - Unit's
        now: datetime | None = None,
        dropped: Collection[str] = frozenset(),  # noqa: ARG002 - likewise
    ) -> str:
        """Fetch the day.

        Returns:
            What came of it, in a few words.

        Raises:
            ConfigError: A revision of it is asked for, which the source alone makes.
            NotReady: The other system doesn't have the day yet.
            StoreError: It doesn't answer, or the store of snapshots doesn't.
            InputError: It refuses what is asked, or answers something else.
        """
        if revision.number:
            raise ConfigError(f"{self} has a new revision where fetching it again brings another content.")
        made = fetch_day(self.declared, self.day, now or clock.utc_now())
        rows = "" if made.rows is None else f"{made.rows:,} records, "
        return f"{rows}{made.bytes:,} bytes fetched, revision {made.revision}"


def required(unit: Unit) -> list[Unit]:
    """Return what must be there before a unit is built, beside raw files: snapshots, or what it is made from.

    Raises:
        InputError: No source is active on its day.
    """
    if not unit.is_extracted:
        return unit.requires()
    source = unit.sources()[0]
    if not source.asked or isinstance(unit, Snapshot):
        return []
    days = (each for each in source.days_read(unit.day) if source.is_fetched_on(each))
    return [Snapshot(unit.project, SNAPSHOT, each, unit.source) for each in days]
