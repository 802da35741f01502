"""How a day's requests were answered, and which answers its rejected lines show: what its error rate may lack."""

from collections import Counter
from dataclasses import dataclass, field
from math import sqrt

import numpy as np
import pyarrow as pa

from etl.lines.statuses import SERVER_ERRORS
from etl.lines.timestamps import Booleans, Integers
from lake.memory.arrays import numbers, to_numpy
from lake.provenance import NO_STATUS_SHOWN

MANY = 10
"""Rejects that show a server error, from which on it is no chance: fewer never fail a day."""
EXAMPLES = 3
Z = 1.959963984540054
"""The normal distribution's 97.5 % quantile, as queries/macros/wilson_high.sql has it."""


@dataclass
class Answers:
    """What is counted of one source's day.

    Attributes:
        valid: Requests that are neither health checks nor synthetic.
        failed: Those of them that the server failed to answer.
        statuses: The statuses that rejected lines show, NO_STATUS for none.
        lost: The server errors that rejects show, but for those of days that the file may not hold.
        examples: Where the first of those are, by file and line number.
    """

    valid: int = 0
    failed: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    lost: Counter[int] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)

    def add(self, requests: pa.Table) -> None:
        """Count requests."""
        for status, kind in zip(requests["status"].chunks, requests["traffic_class"].chunks, strict=True):
            valid, errors = _are(kind, "user"), _are_errors(to_numpy(status))
            self.valid += int(np.count_nonzero(valid))
            self.failed += int(np.count_nonzero(valid & errors))

    def add_rejects(self, rejects: pa.Table, statuses: Integers) -> None:
        """Count rejects by the statuses that they show."""
        self.statuses.update(_counts(statuses))
        errors = np.flatnonzero(_are_errors(statuses))
        reasons = rejects["reason"].take(numbers(errors)).to_pylist()
        lost = errors[np.array([reason != "wrong_day" for reason in reasons], bool)]
        self.lost.update(_counts(statuses[lost]))
        first = rejects.take(numbers(lost[: EXAMPLES - len(self.examples)]))
        self.examples += [f"{each['file']}:{each['line_number']}" for each in first.to_pylist()]

    @property
    def shown(self) -> dict[str, int]:
        """How many rejects show each status, and how many none."""
        return {
            str(status) if status else NO_STATUS_SHOWN: count for status, count in sorted(self.statuses.items())
        }

    @property
    def would_move_the_rate(self) -> bool:
        """Whether the errors that rejects show are many, and the rate with them is out of its interval."""
        lost = self.lost.total()
        if lost < MANY:
            return False
        return (self.failed + lost) / (self.valid + lost) > wilson_high(self.failed, self.valid)

    @property
    def lacking(self) -> str:
        """Say which server errors the rate lacks; empty for none."""
        return f"{told(self.lost)} that no rate counts" if self.lost else ""


def told(statuses: Counter[int]) -> str:
    """Return how many rejects show which server errors, as text."""
    total = statuses.total()
    each = ", ".join(f"{count:,} {status}" for status, count in sorted(statuses.items()))
    return f"{total:,} {'reject shows' if total == 1 else 'rejects show'} a server error ({each})"


def wilson_high(hits: int, total: int) -> float:
    """Return the upper end of the 95 % Wilson score interval of a share, as queries/macros/wilson_high.sql does.

    Without a total there is no rate: whatever is counted then is out of it.
    """
    if not total:
        return 0.0
    if hits == total:
        return 1.0
    square = Z * Z
    return min(1.0, (hits + square / 2 + Z * sqrt(hits / total * (total - hits) + square / 4)) / (total + square))


def _are(values: pa.Array, text: str) -> Booleans:
    if not pa.types.is_dictionary(values.type):
        return np.array([each == text for each in values.to_pylist()], np.bool_)
    indices = to_numpy(values.indices)
    found: Booleans = np.zeros(len(indices), np.bool_)
    for place, each in enumerate(values.dictionary.to_pylist()):
        if each == text:
            found |= indices == place
    return found


def _are_errors(statuses: Integers) -> Booleans:
    found: Booleans = (statuses >= SERVER_ERRORS) & (statuses < SERVER_ERRORS + 100)
    return found


def _counts(statuses: Integers) -> dict[int, int]:
    found, counts = np.unique(statuses, return_counts=True)
    return dict(zip(found.tolist(), counts.tolist(), strict=True))
