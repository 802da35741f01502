"""What a delivery asks of a target, and the receipts that stand there."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from lake.contract import Column
from lake.errors import TargetRefused
from lake.published import Published


class Place(NamedTuple):
    """Which part of a dataset: a day, of one source where the dataset is kept per source."""

    dt: date
    source: str | None


@dataclass(frozen=True)
class Receipt:
    """What was delivered of a dataset's day.

    Attributes:
        dataset: The dataset.
        version: That of its contract.
        dt: The day.
        source: The source, None where the dataset is not kept per source.
        revision: Which revision of the lake's partition was delivered.
        sha256: Its digest.
        lake: The id of the lake.
    """

    dataset: str
    version: int
    dt: date
    source: str | None
    revision: int
    sha256: str
    lake: str

    @classmethod
    def of(cls, published: Published, lake: str) -> "Receipt":
        """Return the receipt for a partition of a lake."""
        made = published.contract
        source, digest = published.source, published.sha256
        return cls(made.name, made.version, published.dt, source, published.revision, digest, lake)

    @property
    def place(self) -> Place:
        """Which part of the dataset it is for."""
        return Place(self.dt, self.source)

    def __str__(self) -> str:
        source = f" of source {self.source}" if self.source else ""
        return f"{self.dataset} {self.dt}{source}"


Tally = Mapping[str, int]
"""Rows, and of each column its sum, or how many of its values are there: by `rows` and the column's name."""


class Target(Protocol):
    """Where days are delivered, as long as it is open.

    Every method raises StoreError when it doesn't answer, and TargetRefused when what is there is not its own.

    Attributes:
        place: Its name for messages, without secrets.
        to_forget: What somebody does there who wants a day delivered anew, as the end of a sentence.
    """

    place: str
    to_forget: str

    def receipts(self, dataset: str, start: date | None, stop: date | None) -> dict[Place, Receipt]:
        """Return the receipts of a dataset's days `[start, stop)`; none where nothing was delivered yet."""
        ...

    def deliver(
        self, due: Sequence[Published], lake: str, every: Callable[[str], list[Published]]
    ) -> Iterable[Published]:
        """Deliver partitions of one dataset, each with its receipt: in one transaction, or the receipt last.

        Args:
            due: The partitions.
            lake: The id of their lake.
            every: Returns all partitions of a dataset that are to be there, for what is written as a whole.

        Yields:
            Those that were sent; another one may have sent the rest meanwhile.
        """
        ...

    def tallies(self, published: Published, start: date | None, stop: date | None) -> dict[Place, Tally]:
        """Return what the rows of a partition's dataset add up to, of each of the days `[start, stop)`."""
        ...


def is_due(receipt: Receipt, there: Receipt | None, target: Target) -> bool:
    """Tell whether a partition is to be sent.

    Args:
        receipt: What would be delivered.
        there: What was, None for nothing.
        target: Where.

    Raises:
        TargetRefused: What was delivered is another lake's, newer, or other bytes of the same revision.
    """
    if there is None:
        return True
    anew = f"To have it delivered all the same, {target.to_forget}."
    if there.lake != receipt.lake:
        raise TargetRefused(
            f"{receipt} is in {target.place} from another lake ({there.lake}, this one is {receipt.lake}). "
            f"Nothing was changed. Deliver to another place. {anew}"
        )
    if there.version != receipt.version:
        raise TargetRefused(
            f"{receipt} is in {target.place} by version {there.version} of its contract, and the lake has it by "
            f"version {receipt.version}, which means something else. Nothing was changed. Deliver elsewhere."
        )
    if there.revision > receipt.revision:
        raise TargetRefused(
            f"{target.place} is ahead of the lake: {receipt} is there in revision {there.revision}, and the lake "
            f"has {receipt.revision}. Nothing was changed. Restore it from a copy. {anew}"
        )
    if there.revision == receipt.revision and there.sha256 != receipt.sha256:
        raise TargetRefused(
            f"{receipt} is in {target.place} in revision {receipt.revision} with other bytes than the lake has. "
            f"Nothing was changed. The lake's day was deleted and built anew? {anew}"
        )
    return there.revision < receipt.revision


def is_counted(column: Column) -> bool:
    """Tell whether a column's values are added up; of others it is counted how many are there."""
    return bool(pa.types.is_integer(column.type))


def tally(published: Published) -> Tally:
    """Return what a partition's rows add up to."""
    found = dict.fromkeys(("rows", *(each.name for each in published.columns)), 0)
    for batch in published.batches():
        found["rows"] += batch.num_rows
        for each in published.columns:
            values = batch.column(each.name)
            if is_counted(each):
                found[each.name] += pc.sum(values, min_count=0).as_py()
            else:
                found[each.name] += len(values) - values.null_count
    return found
