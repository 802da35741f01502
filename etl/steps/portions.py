"""What batches of raw lines have for each day: its rows and its rejects."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from etl.lines.batches import Batch
from etl.lines.parse import rejects_table
from etl.lines.timestamps import Booleans, Integers
from lake.memory import arrays


@dataclass(frozen=True)
class Portion:
    """What a batch of lines has for one day.

    Attributes:
        requests: Its rows, be they requests or other records.
        formats: How many of the requests are lines of which of several formats.
        statuses: The status that each of the rejects shows, see etl.lines.statuses.
        file: The raw file that all of its lines are of, None if they are of several.
        row_numbers: The line of each row in it, from 1; None where nobody asks for it.
    """

    day: int
    requests: pa.Table
    rejects: pa.Table
    formats: Mapping[int, int]
    statuses: Integers
    file: str | None = None
    row_numbers: Integers | None = None


@dataclass(frozen=True)
class Chosen:
    """What of a batch counts: which rows, and which other lines, and of which days these are.

    Attributes:
        rows: Whether each row does.
        others: Whether each line that has none does.
        other_days: The days of the latter.
    """

    rows: Booleans
    others: Booleans
    other_days: Integers


def portions_of(  # noqa: PLR0913, PLR0917 - each says another thing of where the lines are
    batch: Batch,
    days: frozenset[int],
    chosen: Chosen,
    files: str | pa.StringArray,
    line_numbers: Integers,
    row_numbers: Integers | None = None,
) -> Iterator[Portion]:
    """Yield what a batch has for each of some days that it has lines of.

    Args:
        batch: The lines.
        days: The days.
        chosen: Which lines count.
        files: The raw file of all lines, or of each that has no row.
        line_numbers: The numbers of the latter in their files, from 1.
        row_numbers: Those of the former, where somebody asks for them.
    """
    for day in sorted(days):
        rows = (batch.days == day) & chosen.rows
        others = np.flatnonzero((chosen.other_days == day) & chosen.others)
        if not (rows.any() or len(others)):
            continue
        requests = batch.rows if rows.all() else batch.rows.filter(arrays.numbers(rows))
        all_others = len(others) == len(batch.masked)
        rejects = rejects_table(
            batch.masked if all_others else batch.masked.take(arrays.numbers(others)),
            batch.reasons[others],
            files if isinstance(files, str) else files.take(arrays.numbers(others)),
            line_numbers[others],
        )
        formats = {} if batch.formats is None else counts(batch.formats[rows])
        of_rows = None if row_numbers is None else row_numbers[rows]
        file = files if isinstance(files, str) else None
        yield Portion(day, requests, rejects, formats, batch.statuses[others], file, of_rows)


def counts(values: Integers) -> dict[int, int]:
    """Return how often each value occurs; most batches have but one day."""
    if not len(values):
        return {}
    if values.min() == values.max():
        return {int(values[0]): len(values)}
    numbers, found = np.unique(values, return_counts=True)
    return dict(zip(numbers.tolist(), found.tolist(), strict=True))
