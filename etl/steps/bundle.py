"""Many small raw files, taken apart together: one alone costs more than its lines do.

Their lines become one block, and each is told its own again: what a file is, and what becomes of its lines, is the
same as if it were read alone.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from etl.kernel.layout import MAX_LINE_BYTES, PADDING
from etl.lines.batches import Batch
from etl.lines.blocks import DIRECTIVE_SIGN
from etl.lines.parse import ACCEPTED
from etl.lines.passes import Passes
from etl.lines.timestamps import NO_DAY, Booleans, Integers
from etl.raw.content import ContentDigest
from etl.raw.files import known_size
from etl.raw.reading import BLOCK_BYTES, LINE_FEED
from etl.steps.file_reader import FileReader, Part
from etl.steps.portions import Chosen, Portion, portions_of
from etl.steps.repeats import FEWEST, Sampled
from lake.memory import arrays

SMALL_BYTES = 1 << 18  # as it lies there
BUNDLE_BYTES, BUNDLE_FILES = 1 << 20, 256
MOST_BYTES = MAX_LINE_BYTES - 1  # of a file's lines, so that none is too long


class Bundle:
    """Reads one raw file, or small ones whose names tell one day, and has each count and digest what it has."""

    def __init__(self, readers: Sequence[FileReader]) -> None:
        self.readers = readers

    def portions(self) -> Iterator[list[Portion]]:
        """Yield what there is for the days, batch by batch."""
        if len(self.readers) == 1:
            yield from self.readers[0].portions()
            return
        waiting: list[_Small] = []
        size = 0
        for reader in self.readers:
            text = reader.whole(MOST_BYTES)
            if text == b"":
                continue
            small = None if text is None else _Small(reader, text, _head_of(text) if reader.is_headed else b"")
            if not small or size + len(small.text) >= BLOCK_BYTES or (waiting and small.head != waiting[0].head):
                yield from _taken_apart(waiting)
                waiting, size = [], 0
            if small:
                waiting.append(small)
                size += len(small.text) + 1
            else:
                yield from reader.portions()
        yield from _taken_apart(waiting)


class _Small(NamedTuple):
    """A small file.

    Attributes:
        text: The bytes of its lines.
        head: Those of the lines before its first request that say what lines mean; the whole text where others do,
            too.
    """

    reader: FileReader
    text: bytes
    head: bytes


def _head_of(text: bytes) -> bytes:
    end = 0
    while text.startswith(DIRECTIVE_SIGN, end):
        end = text.find(b"\n", end) + 1 or len(text)
    return text if text.find(b"\n" + DIRECTIVE_SIGN, end) >= 0 else text[:end]


def bundled(readers: Sequence[FileReader]) -> list[Bundle]:
    """Return files in bundles, in order: each alone, or several small ones in a row."""
    bundles: list[Bundle] = []
    bundle: list[FileReader] = []
    left = 0.0
    for reader in readers:
        size = known_size(reader.file) if reader.stands_alone else math.inf
        goes_on = 0 < len(bundle) < BUNDLE_FILES and bundle[0].file.day == reader.file.day
        if not goes_on or size > min(left, SMALL_BYTES):
            bundle, left = [], BUNDLE_BYTES if size <= SMALL_BYTES else -math.inf
            bundles.append(Bundle(bundle))
        bundle.append(reader)
        left -= size
    return bundles


def _taken_apart(files: Sequence[_Small]) -> Iterator[list[Portion]]:
    """Yield what small files with the same head have for the days, batch by batch."""
    if not files:
        return
    first, head = files[0].reader, files[0].head
    texts = [each.text[len(head) if n else 0 :] for n, each in enumerate(files)]
    ended = b"".join(text + b"\n" if text and text[-1] != LINE_FEED else text for text in texts)
    # an hour that clocks show twice is told by the order of one file's lines
    passes = Passes(first.passes.timezone) if first.passes else None
    parser = first.parser(passes)
    buffer = bytearray(ended + bytes(PADDING))
    batches = list(parser.batches([memoryview(buffer)[: len(ended)]]))
    about = _of_head(batches, head.count(b"\n"))
    if passes and passes.hours:
        for each in files:
            yield from each.reader.portions()
    elif head and len(files) > 1 and about is None:
        for each in files:
            yield from _taken_apart([each])
    else:
        first.plain_lines = parser.plain_lines
        lines = _Lines(files, about or Counter())
        for batch in batches:
            yield lines.sorted(batch)
        lines.finish()


def _of_head(batches: Iterable[Batch], lines: int) -> Counter[int] | None:
    """Return what the first lines are, None unless all of them are neither requests nor rejects."""
    reasons: list[int] = []
    done = 0
    for batch in batches:
        reasons += batch.reasons[batch.numbers + done < lines].tolist()
        done += batch.lines
    return Counter(reasons) if len(reasons) == lines and max(reasons, default=0) < ACCEPTED else None


class _Lines:
    """The lines of small files, one file's after the other's, as they are taken apart.

    Those of their head are there once.
    """

    def __init__(self, files: Sequence[_Small], about: Counter[int]) -> None:
        self._files = files
        self._readers = [each.reader for each in files]
        self._about = about  # the lines of the head
        for reader in self._readers[1:]:
            reader.neither.update(about)
        self._names = arrays.array([each.file.name for each in self._readers], pa.string())
        self._skipped = np.full(len(files), about.total())
        self._skipped[0] = 0
        self._begins = np.cumsum([0, *([each.lines for each in self._readers] - self._skipped)])
        self._days, self._own_day = self._readers[0].days_wanted, self._readers[0].own_day or 0
        self._doubled = self._all_doubled()
        self._done = 0  # of the lines
        self._lasts = {day: np.full(len(files), -1) for day in self._days - {self._own_day}}
        self._neither: list[tuple[Integers, Integers]] = []

    def sorted(self, batch: Batch) -> list[Portion]:
        """Return the next batch's rows and rejects by day, and have each file count its own."""
        neither = batch.reasons < ACCEPTED
        # a line whose time can't be read counts for the file's day: some day has to read it
        other_days = np.where((batch.other_days == NO_DAY) & ~neither, self._own_day, batch.other_days)
        rows = self._done + batch.numbers_of(np.arange(len(batch.days)))
        others = self._done + batch.numbers
        of_rows, of_others = self._files_of(rows), self._files_of(others)
        elsewhere = self._done + batch.elsewhere
        for file, reason, count in _tallied(of_others[neither], batch.reasons[neither]):
            self._readers[file].neither[reason] += count
        chosen = Chosen(self._are_single(rows), self._are_single(others) & ~neither, other_days)
        for files, days, counted in (
            (of_rows, batch.days, chosen.rows),
            (of_others[~neither], other_days[~neither], chosen.others[~neither]),
            (self._files_of(elsewhere), batch.elsewhere_days, self._are_single(elsewhere)),
        ):
            for file, day, count in _tallied(files[counted], days[counted]):
                self._readers[file].days[day] += count
            for file, _, count in _tallied(files[~counted], days[~counted]):
                self._readers[file].doubled += count
        is_stray = batch.strays != NO_DAY
        for file, day, count in _tallied(of_others[is_stray], batch.strays[is_stray]):
            self._readers[file].strays[day] += count
        self._sample(batch.rows, of_rows)
        names = self._names.take(arrays.numbers(of_others))
        numbers = others - self._begins[of_others] + self._skipped[of_others] + 1
        for day, lasts in self._lasts.items():
            for places, files, of_day in (
                (rows, of_rows, batch.days == day),
                (others, of_others, ~neither & (other_days == day)),
            ):
                found = np.full(len(self._readers), -1)
                found[files[of_day]] = places[of_day]  # which ascend: of several the last one stays
                np.maximum(lasts, found, out=lasts)
        self._neither.append((others[neither], batch.reasons[neither]))
        self._done += batch.lines
        return [*portions_of(batch, self._days, chosen, names, numbers)]

    def finish(self) -> None:
        """Have each file note what it is up to its last line of a day that is not its own."""
        places, reasons = (np.concatenate(each) for each in zip(*self._neither, strict=True))
        for day, lasts in self._lasts.items():
            for file in np.flatnonzero(lasts >= 0).tolist():
                reader, begin, end = self._readers[file], int(self._begins[file]), int(lasts[file]) + 1
                neither = Counter(reasons[(places >= begin) & (places < end)].tolist())
                if self._skipped[file]:
                    neither.update(self._about)
                lines = end - begin + int(self._skipped[file])
                others = lines - neither.total() - reader.of_day(day)
                digest = ContentDigest()
                digest.update(_first_lines(self._files[file].text, lines))
                reader.record(day, Part(lines, others, neither, digest))

    def _all_doubled(self) -> Integers:
        """Return the places among all lines of those that don't count."""
        found = [np.empty(0, np.int64)]
        for number, reader in enumerate(self._readers):
            if reader.doubled_places is not None:
                places = reader.doubled_places - self._skipped[number]
                found.append(places[places >= 0] + self._begins[number])
        return np.concatenate(found)

    def _are_single(self, places: Integers) -> Booleans:
        """Tell which lines count, by their places among all."""
        return ~np.isin(places, self._doubled) if len(self._doubled) else np.ones(len(places), bool)

    def _files_of(self, places: Integers) -> Integers:
        """Return of which file each line is, by its place among all."""
        return np.searchsorted(self._begins, places, side="right") - 1

    def _sample(self, rows: pa.Table, of_rows: Integers) -> None:
        """Have files remember some of their requests."""
        bounds = np.searchsorted(of_rows, np.arange(len(self._readers) + 1))
        many = np.flatnonzero(np.diff(bounds) >= FEWEST).tolist()
        if not many or self._readers[0].sample is None:
            return
        found = Sampled.of(rows)
        for file in many:
            if sample := self._readers[file].sample:
                sample.take(found.within(*bounds[file : file + 2].tolist()))


def _tallied(files: Integers, values: Integers) -> Iterator[tuple[int, int, int]]:
    """Yield how often each file has each value: the file, the value, the count."""
    if len(values):
        distinct, numbers = np.unique(values, return_inverse=True)
        places, found = np.unique(files * len(distinct) + numbers, return_counts=True)
        columns = (places // len(distinct), distinct[places % len(distinct)], found)
        yield from zip(*(each.tolist() for each in columns), strict=True)


def _first_lines(text: bytes, count: int) -> memoryview:
    """Return so many of a file's lines; the last one may lack its end."""
    ends = np.flatnonzero(np.frombuffer(text, np.uint8) == LINE_FEED)
    return memoryview(text)[: int(ends[count - 1]) + 1 if count <= len(ends) else len(text)]
