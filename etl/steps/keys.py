"""The keys of a day's records, by which one that is there twice is found: the first one counts.

A key is remembered by 128 bits of its digest, which no two keys share by chance: 16 bytes a record.
"""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
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
        order = np.lexsort((found[:, 1], found[:, 0]))  # of equal ones, the first comes first
        found = found[order]
        is_there = np.zeros(len(found), np.bool_)
        is_there[1:] = (found[1:, 0] == found[:-1, 0]) & (found[1:, 1] == found[:-1, 1])
        for run in self._runs:
            is_there |= _are_in(found, run)
        self._add(found[~is_there])
        is_again = np.empty(len(found), np.bool_)
        is_again[order] = is_there
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
    """Tell which digests are in a run; both are sorted, so that looking for one is near to where the last was."""
    firsts = np.ascontiguousarray(run[:, 0])
    begins = np.searchsorted(firsts, wanted[:, 0])
    found = np.zeros(len(wanted), np.bool_)
    may_be = np.flatnonzero(begins < len(run))
    for n in may_be[firsts[begins[may_be]] == wanted[may_be, 0]].tolist():  # mostly those that are there
        end = np.searchsorted(firsts, wanted[n, 0], "right")
        found[n] = bool((run[begins[n] : end, 1] == wanted[n, 1]).any())
    return found


def _digests(rows: pa.Table) -> Digests:
    """Return 128 bits for each row, of shape (n, 2): of its values as texts, each after its length."""
    parts: list[pa.Array | pa.Scalar] = []
    for column in rows.columns:
        texts = arrays.whole(column).cast(pa.string()).view(pa.binary())
        sizes = pc.fill_null(pc.binary_length(texts).cast(pa.string()).view(pa.binary()), arrays.scalar(b"-"))
        parts += [sizes, arrays.scalar(b":"), pc.fill_null(texts, arrays.scalar(b""))]
    keys = pc.binary_join_element_wise(*parts, arrays.scalar(b""))
    found = b"".join(map(xxhash.xxh3_128_digest, keys.to_pylist()))
    return np.frombuffer(found, np.uint64).reshape(-1, 2)
