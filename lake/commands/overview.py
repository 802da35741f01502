"""What is in the lake: `lake ls` and `lake describe`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Self

from lake.catalog.cache import Cache
from lake.catalog.relations import partition_columns
from lake.contract import Contract
from lake.contracts import CONTRACTS, is_everybodys
from lake.lake import Lake
from lake.partition import IN_THE_PATH

UNITS = ("B", "kB", "MB", "GB", "TB")
THOUSAND = 1000


@dataclass(frozen=True)
class Overview:
    """A dataset as a listing shows it.

    Attributes:
        partitions: How many have been published; of each, the latest revision counts.
        days: How many days have one.
        first: The first of them, None if there is none.
        last: The last of them.
        superseded: How many revisions there are beside the latest ones.
        bytes: The size of all of them.
        is_pulled: Whether there is a copy on this machine.
    """

    contract: Contract
    partitions: int
    days: int
    first: date | None
    last: date | None
    superseded: int
    bytes: int
    is_pulled: bool

    @classmethod
    def of(cls, lake: Lake, contract: Contract) -> Self:
        """List a dataset.

        Raises:
            StoreError: There is no lake, or it can't be listed.
        """
        lake.require()
        objects = lake.objects(contract)
        days = {each.dt for each in objects}
        folders = {each.folder for each in objects}
        return cls(
            contract,
            len(folders),
            len(days),
            min(days, default=None),
            max(days, default=None),
            len(objects) - len(folders),
            sum(each.bytes for each in objects.values()),
            Cache.of(lake).has(contract),
        )


def listed(lake: Lake) -> str:
    """Return a line for each dataset of a lake."""
    rows: list[tuple[str, ...]] = [
        ("dataset", "partitions", "days", "first", "last", "superseded", "size", "pulled")
    ]
    for contract in CONTRACTS.values():
        found = Overview.of(lake, contract)
        if not (found.partitions or is_everybodys(contract)):
            continue
        counts = [f"{count:,}" for count in (found.partitions, found.days, found.superseded)]
        days = [str(day or "-") for day in (found.first, found.last)]
        pulled = "yes" if found.is_pulled else "-"
        rows.append((contract.name, *counts[:2], *days, counts[2], size(found.bytes), pulled))
    return aligned(rows, right=(1, 2, 5, 6))


def described(lake: Lake, contract: Contract) -> str:
    """Return what a dataset is, what of it is there, and what its columns mean."""
    found = Overview.of(lake, contract)
    there = "Nothing of it is published."
    if found.partitions:
        there = (
            f"{found.partitions:,} partitions of {found.days:,} days, {found.first} … {found.last}, and "
            f"{found.superseded:,} superseded revisions: {size(found.bytes)}."
        )
    *place, revision = [(name, kind, IN_THE_PATH[name]) for name, kind in partition_columns(contract).items()]
    rows = [("column", "type", "unit", "NULL", "meaning")]
    rows += [(name, kind, unit, "no", meaning) for name, kind, (unit, meaning) in place]
    rows += [(c.name, str(c.type), c.unit, "yes" if c.nullable else "no", c.meaning) for c in contract.stored]
    rows += [(name, kind, unit, "no", meaning) for name, kind, (unit, meaning) in [revision]]
    key = ", ".join(contract.key) or "none, rows are events"
    head = (
        f"{contract.name} v{contract.version}: a row is {contract.grain}. Key: {key}. "
        f"Made from {contract.made_from}."
    )
    return f"{head}\n{there}\n\n{aligned(rows)}"


def aligned(rows: Sequence[tuple[str, ...]], right: tuple[int, ...] = ()) -> str:
    """Return rows as lines with columns of equal width, those numbered in `right` set to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    cells = (
        [cell.rjust(widths[n]) if n in right else cell.ljust(widths[n]) for n, cell in enumerate(row)]
        for row in rows
    )
    return "\n".join("  ".join(row).rstrip() for row in cells)


def size(count: float) -> str:
    """Return a number of bytes as people read it, with decimal units."""
    for unit in UNITS[:-1]:
        if float(f"{count:.3g}") < THOUSAND:
            return f"{count:.3g} {unit}"
        count /= THOUSAND
    return f"{count:,.0f} {UNITS[-1]}"
