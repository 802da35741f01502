"""Whole lines that a source's files of a day have more than once, for sources that count them once."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import xxhash

from etl.raw.files import RawFile
from etl.raw.reading import RawReader

Places = npt.NDArray[np.int64]


def doubled_lines(files: Sequence[RawFile], endpoint_url: str | None = None) -> list[Places]:
    """Return of each file which lines, from 0, an earlier one has, too: a line as often as it is there most often.

    All files are read, and eight bytes of each line are held in memory while this runs.

    Raises:
        InputError: A file can't be read.
        StoreError: S3 doesn't answer.
    """
    seed = int.from_bytes(np.random.default_rng().bytes(8), "little")  # a hash that is known could be looked up
    most = np.empty(0, np.uint64), np.empty(0, np.int64)  # of all files before: lines, and how often one has them
    found = []
    for file in files:
        hashes = np.array(
            [
                xxhash.xxh3_64_intdigest(line, seed)
                for block in RawReader(file, endpoint_url, digests=False).blocks()
                for line in bytes(block).splitlines()
            ],
            np.uint64,
        )
        order = np.argsort(hashes, kind="stable")
        lines, begins, counts = np.unique(hashes[order], return_index=True, return_counts=True)
        nth = np.arange(len(order)) - np.repeat(begins, counts)  # how often it was there before
        at = np.minimum(np.searchsorted(most[0], lines), max(len(most[0]) - 1, 0))
        known = most[0][at] == lines if len(most[0]) else np.zeros(len(lines), bool)
        before = np.where(known, most[1][at] if len(most[0]) else 0, 0)
        found.append(np.sort(order[nth < np.repeat(before, counts)]))
        most = _most(most, (lines, counts))
    return found


def _most(
    one: tuple[npt.NDArray[np.uint64], Places], other: tuple[npt.NDArray[np.uint64], Places]
) -> tuple[npt.NDArray[np.uint64], Places]:
    """Return the lines of both, each with the larger of its numbers."""
    lines, counts = (np.concatenate(each) for each in zip(one, other, strict=True))
    order = np.lexsort((-counts, lines))
    lines, counts = lines[order], counts[order]
    is_first = np.append(True, lines[1:] != lines[:-1]) if len(lines) else np.empty(0, bool)
    return lines[is_first], counts[is_first]
