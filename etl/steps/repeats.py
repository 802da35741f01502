"""Lines that several files of a day have alike, in runs that are no chance: a delivery was repeated in part.

Every eighth request or so is remembered by a hash of its columns, which one process alone could tell and which is
not kept. Four of these in a row, in the same order in two files, are about 32 requests; a hundred have a dozen.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from lake.memory import arrays

ONE_IN = 8
IN_A_ROW = 4
DIFFERENT = 3
"""Of those in a row: idle hosts that are asked the same thing again and again have runs that are no repetition."""
MOST = 4_000_000
"""Requests that are remembered of a file: 64 MB of it, from then on nothing."""
FACTORS = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x27D4EB2F165667C5], np.uint64)
FEWEST = ONE_IN * IN_A_ROW
"""Requests one after the other: a run is longer."""
Hashes = npt.NDArray[np.uint64]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Sampled:
    """Some of some requests: where they are among all, and a hash and the time of each."""

    places: npt.NDArray[np.intp]
    hashes: Hashes
    times: Integers

    @classmethod
    def of(cls, requests: pa.Table) -> Self:
        """Choose some."""
        times, sizes = (_integers(requests[name]) for name in ("ts", "response_bytes"))
        mixed = times.view(np.uint64) * FACTORS[0] ^ sizes.view(np.uint64) * FACTORS[1]
        chosen = np.flatnonzero((mixed >> np.uint64(40)) % np.uint64(ONE_IN) == 0)
        statuses = _integers(requests["status"].cast(pa.int64()))[chosen].view(np.uint64)
        hashes = mixed[chosen] ^ statuses * FACTORS[2] ^ _hashes(requests["path"], chosen) * FACTORS[3]
        return cls(chosen, hashes, times[chosen])

    def within(self, begin: int, end: int) -> Self:
        """Return those that are between two places."""
        at = slice(*np.searchsorted(self.places, (begin, end)).tolist())
        return type(self)(self.places[at], self.hashes[at], self.times[at])


@dataclass
class Sample:
    """Some of a file's requests: a hash and the time of each, in their order."""

    hashes: list[Hashes] = field(default_factory=list)
    times: list[Integers] = field(default_factory=list)
    count: int = 0

    def add(self, requests: pa.Table) -> None:
        """Take some of a file's next requests."""
        if self.count < MOST and requests.num_rows >= FEWEST:
            self.take(Sampled.of(requests))

    def take(self, found: Sampled) -> None:
        """Take these of a file's next requests, of which there are FEWEST or more."""
        if self.count < MOST and len(found.places):
            self.hashes.append(found.hashes)
            self.times.append(found.times)
            self.count += len(found.places)

    def runs(self) -> tuple[Hashes, npt.NDArray[np.int64]]:
        """Return a hash of every so many in a row that differ enough, and where each begins."""
        if self.count < IN_A_ROW:
            return np.empty(0, np.uint64), np.empty(0, np.int64)
        found, times = np.concatenate(self.hashes), np.concatenate(self.times)
        parts = np.stack([found[n : len(found) - IN_A_ROW + 1 + n] for n in range(IN_A_ROW)])
        ordered = np.sort(parts, axis=0)
        different = 1 + np.count_nonzero(ordered[1:] != ordered[:-1], axis=0)
        takes_time = times[IN_A_ROW - 1 :] != times[: len(times) - IN_A_ROW + 1]
        places = np.flatnonzero((different >= DIFFERENT) & takes_time)
        mixed = np.zeros(len(places), np.uint64)
        for part in parts:
            mixed = (mixed ^ part[places]) * FACTORS[0]
            mixed ^= mixed >> np.uint64(29)
        return mixed, places


def repeated(samples: Sequence[tuple[str, Sample]]) -> list[tuple[str, str, int]]:
    """Return which files have runs of requests of an earlier one, which that is, and about how many these are.

    Args:
        samples: The files' names and samples, in their order.
    """
    runs = [sample.runs() for _, sample in samples]
    if sum(bool(len(hashes)) for hashes, _ in runs) < 2:  # noqa: PLR2004 - a file alone repeats no other one
        return []
    hashes = np.concatenate([found for found, _ in runs])
    files = np.repeat(np.arange(len(runs)), [len(found) for found, _ in runs])
    order = np.lexsort((files, hashes))
    hashes, files, places = hashes[order], files[order], np.concatenate([found for _, found in runs])[order]
    begins = np.flatnonzero(np.append(True, hashes[1:] != hashes[:-1]))
    first = np.repeat(files[begins], np.diff(np.append(begins, len(hashes))))  # the first file that has the run
    found = []
    for number in np.unique(files[files != first]):
        again = (files == number) & (first != number)
        earlier = int(np.bincount(first[again]).argmax())
        covered = np.unique(places[again][:, None] + np.arange(IN_A_ROW))
        found.append((samples[number][0], samples[earlier][0], len(covered) * ONE_IN))
    return found


def _integers(column: pa.ChunkedArray) -> npt.NDArray[np.int64]:
    """Return a column of integers or times, 0 for NULL."""
    whole = column.combine_chunks()
    return arrays.to_numpy(arrays.filled(whole.cast(pa.int64()), 0)).astype(np.int64)


def _hashes(texts: pa.ChunkedArray, chosen: npt.NDArray[np.intp]) -> Hashes:
    """Return a hash of each of some texts, which another process would not give."""
    whole = texts.combine_chunks().take(arrays.numbers(chosen))
    if not pa.types.is_dictionary(whole.type):
        whole = whole.dictionary_encode()
    known = np.array([hash(each) for each in whole.dictionary.to_pylist()] + [0], np.int64)
    found: Hashes = known[arrays.to_numpy(arrays.filled(whole.indices, len(known) - 1))].view(np.uint64)
    return found
