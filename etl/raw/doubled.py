"""Whole lines that a source's files of a day have more than once, for sources that count them once."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import xxhash

from etl.raw.fetched import Fetched
from etl.raw.files import RawFile
from etl.raw.reading import RawReader

Places = npt.NDArray[np.int64]


def doubled_lines(files: Sequence[RawFile], endpoint_url: str | None = None) -> list[Places]:
    """Return of each file which lines, from 0, an earlier one has, too: a line as often as it is there most often.

    All files are read, and about forty bytes of each line are held in memory while this runs.

    Raises:
        InputError: A file can't be read.
        StoreError: S3 doesn't answer.
    """
    seed = int.from_bytes(np.random.default_rng().bytes(8), "little")  # a hash that is known could be looked up
    with Fetched(files, endpoint_url) as fetched:
        of_files = [_hashes(RawReader(each, endpoint_url, digests=False, fetched=fetched), seed) for each in files]
    if not of_files:
        return []
    hashes = np.concatenate(of_files)
    ends = np.cumsum([len(each) for each in of_files])
    order = np.argsort(hashes, kind="stable")  # so that equal ones are in the order of files and lines
    numbers = np.searchsorted(ends, order, side="right")  # of the files
    is_other = _differs(hashes[order])
    begins = np.flatnonzero(is_other | _differs(numbers))  # of equal lines of one file
    counts = np.diff(np.append(begins, len(order)))
    nth = np.arange(len(order)) - np.repeat(begins, counts)  # how often it was there before in its file
    # the most that any earlier file has: a running maximum that begins anew with each different line
    lines = np.cumsum(is_other[begins]) * (len(order) + 1)
    most = np.maximum.accumulate(np.append(0, lines + counts)[:-1]) - lines
    again = np.zeros(len(order), bool)
    again[order] = nth < np.repeat(most, counts)
    return [np.flatnonzero(each) for each in np.split(again, ends[:-1])]


def _hashes(reader: RawReader, seed: int) -> npt.NDArray[np.uint64]:
    """Return a hash of each of a file's lines."""
    lines = (line for block in reader.blocks() for line in bytes(block).splitlines())
    return np.fromiter((xxhash.xxh3_64_intdigest(line, seed) for line in lines), np.uint64)


def _differs(values: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Tell which values are others than the one before, as the first is."""
    return np.append(np.ones(len(values[:1]), bool), values[1:] != values[:-1])
