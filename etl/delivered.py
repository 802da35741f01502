"""Delivered days: units that publish nothing in the lake, and are there once a target has what the lake has."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import cached_property

from etl.deliver.bring import bring, due
from etl.deliver.deliveries import Delivery, names, read_delivery
from etl.deliver.opening import opened
from etl.deliver.target import Place
from etl.project import Project
from etl.sources.source import ONE_DAY, Source, active_on, name_of, of_dataset
from etl.units import DELIVERED, Unit
from lake.contract import Contract, Input
from lake.contracts import contract
from lake.errors import ConfigError
from lake.provenance import FIRST, Revision

NAME = name_of(DELIVERED)


@dataclass(frozen=True)
class Delivered(Unit):
    """A day of the datasets of a delivery, brought to its target.

    Attributes:
        delivery: What is delivered where.
    """

    delivery: Delivery | None = None

    @classmethod
    def of_name(cls, project: Project, name: str | None, day: date) -> "Delivered":
        """Return the unit of a delivery's day.

        Raises:
            ConfigError: luigi.cfg declares no such delivery, or it is wrong.
        """
        if not name:
            every = ", ".join(names(project.config)) or "none is declared, docs/how-to/deliver.md shows one"
            raise ConfigError(f"{NAME} is of one delivery. Give --deliver, one of: {every}.")
        return cls(project, DELIVERED, day, delivery=read_delivery(project.config, name))

    @property
    def arguments(self) -> dict[str, str]:
        """See Unit."""
        return {"deliver": self.declared.name}

    @property
    def declared(self) -> Delivery:
        """The delivery."""
        if not self.delivery:
            raise ConfigError(f"{NAME} without a delivery")
        return self.delivery

    @cached_property
    def contract(self) -> Contract:
        """What stands for a contract: it is made from the delivered datasets, of the same day."""
        inputs = tuple(Input(each) for each in self.declared.datasets)
        return Contract(DELIVERED, 1, "one delivered row", columns=(), inputs=inputs)

    @cached_property
    def contracts(self) -> tuple[Contract, ...]:
        """See Unit: it publishes nothing in the lake."""
        return ()

    def sources(self) -> list[Source]:
        """See Unit; none is active before the first day that is delivered."""
        sources = dict.fromkeys(
            source for dataset in self.declared.datasets for source in self.project.sources_of(dataset)
        )
        since = self.declared.since
        if not since:
            return list(sources)
        return [replace(each, since=max(each.since or since, since)) for each in sources]

    def is_published(self, revision: int = 0) -> bool:
        """See Unit."""
        return self.day in self.published_days(self.day, self.day + ONE_DAY, revision)

    def published_days(self, start: date, stop: date, revision: int = 0) -> set[date]:  # noqa: ARG002 - Unit's
        """Return the days in `[start, stop)` of which the target has what the lake has.

        A day that retention has deleted in the lake is there if it was delivered.

        Raises:
            StoreError: The lake or the target doesn't answer.
            TargetRefused: What is there is not the delivery's.
        """
        with opened(self.declared) as target:
            there = {dataset: set(target.receipts(dataset, start, stop)) for dataset in self.declared.datasets}
            late = set()
            if any(there.values()):  # else nothing was delivered, and maybe nothing was built
                found = due(self.declared, target, start, stop)
                late = {(each.published.contract.name, each.published.dt) for each in found}
        days = map(date.fromordinal, range(start.toordinal(), stop.toordinal()))
        return {
            day
            for day in days
            if all(
                (dataset, day) not in late and self._has(dataset, day, found) for dataset, found in there.items()
            )
        }

    def _has(self, dataset: str, day: date, there: Collection[Place]) -> bool:
        """Tell whether receipts are of a dataset's day, of all its sources where it is kept per source."""
        if not contract(dataset).per_source:
            return Place(day, None) in there
        lacking = [
            each.name
            for each in active_on(of_dataset(self.sources(), dataset), day)
            if not any(Place(day, name) in there for name in each.names)
        ]
        any_there = any(each.dt == day for each in there)
        return any_there and (not lacking or set(lacking) <= self.on(day).missing())

    def build(
        self,
        revision: Revision = FIRST,
        until: date | None = None,  # noqa: ARG002 - Unit's
        now: datetime | None = None,  # noqa: ARG002 - likewise
        dropped: Collection[str] = frozenset(),  # noqa: ARG002 - likewise
    ) -> str:
        """Deliver the day.

        Returns:
            What came of it, in a few words.

        Raises:
            ConfigError: A restatement of it is asked for.
            StoreError: The lake or the target doesn't answer.
            TargetRefused: What is there is not the delivery's to change.
        """
        if revision.number:
            raise ConfigError(f"{self} has no revisions. Restate what it is made from, then deliver.")
        with opened(self.declared) as target:
            sent = bring(self.declared, target, self.day, self.day + ONE_DAY)
        return f"{sent:,} partitions sent"
