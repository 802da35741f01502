"""The keys of a day's records, by which one that is there twice is found: the first one counts.

A key is remembered by 128 bits of its digest, which no two keys share by chance: 16 bytes a record.
"""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import xxhash

from etl.lines.parse import rejects_table
from etl.lines.statuses import NO_STATUS
from etl.lines.timestamps import Booleans
from etl.records import masks
from etl.steps.portions import Portion
from lake.contract import Contract
from lake.contracts.rejects import REASONS
from lake.memory import arrays

Digests = npt.NDArray[np.uint64]


class Keys:
    """The keys that were seen so far.

    Those of many batches lie in runs, each at least twice as long as the next, so that few are searched.
    """

    def __init__(self, contract: Contract) -> None:
        """Take the contract that says what the key is."""
        self._contract = contract
        self._runs: list[Digests] = []  # of shape (n, 2), each sorted by the first half

    def again(self, rows: pa.Table) -> Booleans:
        """Tell which rows have a key that was seen before, in these rows or earlier ones, and remember all."""
        found = _digests(rows.select(self._contract.key))
        _, first = np.unique(found, axis=0, return_index=True)
        is_again = np.ones(len(found), np.bool_)
        is_again[first] = False
        for run in self._runs:
            is_again |= _are_in(found, run)
        self._add(found[~is_again])
        return is_again

    def once_each(self, portion: Portion) -> Portion:
        """Return a portion in which the rows whose key was seen before are rejects."""
        rows, numbers = portion.requests, portion.row_numbers
        if not rows.num_rows or numbers is None or portion.file is None:
            return portion
        again = self.again(rows)
        if not again.any():
            return portion
        twice = rejects_table(
            arrays.array(masks.of_rows(self._contract, rows.filter(arrays.numbers(again))), pa.string()),
            np.full(int(np.count_nonzero(again)), REASONS.index("key")),
            portion.file,
            numbers[again],
        )
        rejects = pa.concat_tables([portion.rejects, twice]).sort_by("line_number")
        statuses = np.full(rejects.num_rows, NO_STATUS)
        kept = rows.filter(arrays.numbers(~again))
        return replace(portion, requests=kept, rejects=rejects, statuses=statuses, row_numbers=numbers[~again])

    def _add(self, new: Digests) -> None:
        run = new
        while self._runs and len(self._runs[-1]) < 2 * len(run):
            run = np.concatenate([self._runs.pop(), run])
        self._runs.append(run[np.argsort(run[:, 0], kind="stable")])


def _are_in(wanted: Digests, run: Digests) -> Booleans:
    """Tell which digests are in a run."""
    begins, ends = (np.searchsorted(run[:, 0], wanted[:, 0], side) for side in ("left", "right"))
    found = np.zeros(len(wanted), np.bool_)
    for n in np.flatnonzero(begins < ends).tolist():  # mostly those that are there
        found[n] = bool((run[begins[n] : ends[n], 1] == wanted[n, 1]).any())
    return found


def _digests(rows: pa.Table) -> Digests:
    """Return 128 bits for each row, of shape (n, 2)."""
    keys = zip(*(column.to_pylist() for column in rows.columns), strict=True)
    found = b"".join(xxhash.xxh3_128_digest(repr(key).encode()) for key in keys)
    return np.frombuffer(found, np.uint64).reshape(-1, 2)
