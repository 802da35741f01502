"""Reading one raw file for one or more days: its rows and rejects by day, counted, and what of it is recorded."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import date
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from etl.lines.batches import ANY_DAY, Batch, Days, Ends
from etl.lines.blocks import BlockParser, passes_of
from etl.lines.formats import Headed
from etl.lines.parse import ACCEPTED
from etl.lines.passes import Passes
from etl.lines.timestamps import NO_DAY, Booleans, Integers
from etl.raw.content import ContentDigest
from etl.raw.fetched import Fetched
from etl.raw.files import RawFile
from etl.raw.read_ahead import read_ahead
from etl.raw.reading import BLOCK_BYTES, RawReader, lines_in
from etl.sources.source import FARTHEST, THE_DAY, Source
from etl.steps.portions import Chosen, Portion, counts, portions_of
from etl.steps.repeats import Sample
from lake.errors import InputError
from lake.partition import date_of, days_since_epoch
from lake.provenance import Content, Input

if TYPE_CHECKING:
    from etl.records.parser import RecordParser

# Blocks in use where they are read ahead: in the parser's hands, waiting, and being read
BUFFERS_AHEAD = 3


@dataclass
class Part:
    """A raw file up to and including the last line of one day: how many lines, and what it is there."""

    lines: int
    others: int
    neither: Counter[int]
    end: ContentDigest


@dataclass(frozen=True)
class Begun:
    """How a raw file begins, of which it is known what it holds: so it is not taken apart again.

    Attributes:
        bytes: How many, of whole lines.
        first: The day of the first line that tells one.
        days: How many lines are of each day.
    """

    bytes: int
    first: date
    days: Mapping[str, int]


class FileReader:
    """Reads one raw file for one or more days, and counts and digests what it reads.

    Attributes:
        lines: How many lines it has.
        neither: How many of them are neither requests nor rejects, by what they are; see parse.DIRECTIVE.
        days: How many of its lines, requests and rejects, are of each day.
        doubled: How many of its lines are left out, since an earlier file has them; they are of no day.
        doubled_places: Which of its lines, from 0, these are; None where all count.
        days_wanted: The days that it is read for.
        passes: Follows its times; None if there is no need.
        sample: Some of its requests, None where nobody asks for them.
        own_day: The day that its name tells, or else its first line; None for an undated file until it is read.
        is_cut: Whether its last line lacks its end.
        strays: How many of its lines are requests of days that it may not hold, by day; they are rejects.
        plain_lines: How many of its lines the plain parser took apart.
        days_of_fields: On which days some row has a field for a column that may be NULL; see Batch.
    """

    def __init__(  # noqa: PLR0913 - what may be known of the file before it is read
        self,
        source: Source,
        file: RawFile,
        days: frozenset[int],
        passes: Passes | None = None,
        *,
        doubled: Integers | None = None,
        sample: Sample | None = None,
        is_read_ahead: bool = False,
        fetched: Fetched | None = None,
        begun: Begun | None = None,
    ) -> None:
        self.file = file
        self.is_cut = False
        self._is_read_ahead = is_read_ahead
        self._begun = begun
        self._fetched = fetched
        self.passes = passes
        self.doubled_places = doubled
        self.sample = sample
        self.doubled = 0
        self.lines = self.plain_lines = 0
        self.neither: Counter[int] = Counter()
        self.days: Counter[int] = Counter()
        self.strays: Counter[int] = Counter()
        self.days_of_fields: dict[str, set[int]] = {}
        self.days_wanted = days
        self._parts: dict[int, Part] = {}
        self._source = source
        self.own_day = days_since_epoch(file.day) if file.day else None
        if begun:
            self.own_day = days_since_epoch(begun.first)
            self.days.update({days_since_epoch(date.fromisoformat(day)): n for day, n in begun.days.items()})
        self._ends = Ends() if days - {self.own_day} else None
        self._lines = 0  # taken apart so far
        self._input: Input | None = None

    @property
    def content(self) -> Content:
        """What the file is, once it was read to its end."""
        return self._whole.content or Content(0, "", 0)

    @property
    def _whole(self) -> Input:
        if self._input is None:
            raise AssertionError("read first")
        return self._input

    def input(self, day: int) -> Input:
        """Return the file's name, size and digest, once it was read to its end, and what it has of its day."""
        beside = None if self._source.covers == THE_DAY else _near(self.days, day)
        return replace(self._whole, of_day=self.of_day(day), strays=_near(self.strays, day) or None, beside=beside)

    def part(self, day: int) -> Part:
        """Return what of the file a day's provenance records, if it is not the file's own day."""
        return self._parts.get(day, Part(0, 0, Counter(), ContentDigest()))

    def untold(self, day: date) -> list[str]:
        """Say which times of a day may be an hour off, and why; see Passes."""
        return self.passes.untold(days_since_epoch(day)) if self.passes else []

    def of_day(self, day: int) -> int:
        """Return how many lines, requests and rejects, are of a day."""
        return self.days[day]

    def others(self, day: int) -> int:
        """Return how many lines are of another day than this one."""
        return sum(self.days.values()) - self.days[day]

    def portions(self) -> Iterator[list[Portion]]:
        """Yield what there is for the days, batch by batch."""
        parser = self.parser(self.passes, self._ends)
        reader = self._raw(parser.lines_in)
        for batch in parser.batches(self._blocks(reader)):
            if self.own_day is None:
                self.own_day = self._first_day(batch)
            yield self._sorted(batch, self.own_day)
        self.lines, self.plain_lines, self._input = reader.lines, parser.plain_lines, reader.input()
        self.is_cut = reader.is_cut

    @property
    def stands_alone(self) -> bool:
        """Whether each of its lines, but for a head, says all by itself, so that other files' may follow."""
        source = self._source
        is_known = self.file.day is not None and self._begun is None
        return is_known and not source.wrapping.envelopes and source.records is None

    @property
    def _has_key(self) -> bool:
        """Whether rows are compared by a key."""
        return bool(self._source.records and self._source.records.contract.key)

    @property
    def is_headed(self) -> bool:
        """Whether some of its lines say what the following ones mean."""
        return isinstance(self._source.format, Headed)

    def parser(self, passes: Passes | None, ends: Ends | None = None) -> "BlockParser | RecordParser":
        """Return what takes its lines apart; see BlockParser."""
        source, days = self._source, self.days_wanted
        wanted = Days(min(days), max(days) + 1) if days else Days(0, 0)
        return self._parser(
            replace(Days.of_file(self.file, source.covers), wanted=wanted), ends=ends, passes=passes
        )

    def _parser(
        self, days: Days, ends: Ends | None = None, passes: Passes | None = None
    ) -> "BlockParser | RecordParser":
        source = self._source
        if source.records:
            from etl.records.parser import RecordParser  # noqa: PLC0415 - most have none

            return RecordParser(
                *(source.records, days),
                ends=ends,
                wrapping=source.wrapping,
                own_day=self.own_day,
                name=self.file.name,
            )
        return BlockParser(
            *(source.format, source.classifier),
            days,
            ends=ends,
            passes=passes,
            wrapping=source.wrapping,
            noise=source.noise,
            year_begin=source.year_begin(self.file),
        )

    def whole(self, most: int) -> bytes | None:
        """Return the bytes of its lines, which others take apart, None if they are more than so many.

        Raises:
            InputError: It can't be read.
            StoreError: S3 doesn't answer.
        """
        reader = self._raw(lines_in)
        text = reader.whole(most)
        if text is not None:
            self.lines, self.is_cut, self._input = reader.lines, reader.is_cut, reader.input()
        return text

    def record(self, day: int, part: Part) -> None:
        """Note what the file is up to a day's last line."""
        self._parts[day] = part

    def _raw(self, lines_in: Callable[[memoryview], int]) -> RawReader:
        # only its own day records the file as it lies there, and another one what of it is read
        return RawReader(
            *(self.file, self._source.files.endpoint_url, lines_in),
            digests=self.own_day in self.days_wanted,
            fetched=self._fetched,
        )

    def _blocks(self, reader: RawReader) -> Iterator[memoryview]:
        """Yield the file's blocks; those of a large one are read ahead, if there is a core for it."""
        blocks = reader.blocks(BUFFERS_AHEAD if self._is_read_ahead else 1)
        if self._begun:
            blocks = _after(blocks, self._begun.bytes)
        first = next(blocks, None)
        if first is None:
            return
        if not self._is_read_ahead or len(first) < BLOCK_BYTES // 2:
            yield first
            yield from blocks
            return
        with closing(read_ahead([lambda: blocks], 2, 1)) as ahead:
            rest = next(ahead)  # which begins to read
            yield first
            yield from rest

    def _sorted(self, batch: Batch, own_day: int) -> list[Portion]:
        """Return a batch's rows and rejects by day, and count and digest it."""
        neither = batch.reasons < ACCEPTED
        # a line whose time can't be read counts for the file's day: some day has to read it
        untold = (batch.other_days == NO_DAY) & ~neither
        other_days = np.where(untold, own_day, batch.other_days)
        single, single_others = self._single(batch)
        single_others &= ~neither
        of_day = Counter(counts(batch.days[single])) + Counter(counts(other_days[single_others]))
        if self.sample:
            self.sample.add(batch.rows)
        chosen, line_numbers = Chosen(single, single_others, other_days), self._lines + 1 + batch.numbers
        days = self.days_wanted & of_day.keys()
        row_numbers = self._lines + 1 + batch.numbers_of(np.arange(len(batch.days))) if self._has_key else None
        portions = [*portions_of(batch, days, chosen, self.file.name, line_numbers, row_numbers)]
        if self._ends:
            self._record(batch, np.where(neither, NO_DAY, other_days), of_day)
        self.neither.update(batch.reasons[neither].tolist())
        self.days.update(of_day)
        self.days.update(counts(batch.elsewhere_days[self._are_single(batch.elsewhere)]))
        self.strays.update(counts(batch.strays[batch.strays != NO_DAY]))
        for name, found in batch.days_of_fields.items():
            self.days_of_fields.setdefault(name, set()).update(found)
        self._lines += batch.lines
        return portions

    def _single(self, batch: Batch) -> tuple[Booleans, Booleans]:
        """Tell which rows and which other lines of a batch no earlier file has, and count the others."""
        if self.doubled_places is None:
            return np.ones(len(batch.days), bool), np.ones(len(batch.numbers), bool)
        rows = self._are_single(batch.numbers_of(np.arange(len(batch.days))))
        others = self._are_single(batch.numbers) | (batch.reasons < ACCEPTED)
        elsewhere = self._are_single(batch.elsewhere)
        self.doubled += sum(int(np.count_nonzero(~each)) for each in (rows, others, elsewhere))
        return rows, others

    def _are_single(self, places: Integers) -> Booleans:
        """Tell which lines of a batch, by their places, no earlier file has."""
        if self.doubled_places is None:
            return np.ones(len(places), bool)
        return ~np.isin(places + self._lines, self.doubled_places)

    def _record(self, batch: Batch, other_days: Integers, of_day: Counter[int]) -> None:
        """Note what the file is up to each day's last line so far, whether that line counts or not.

        Args:
            batch: The next lines.
            other_days: The days of those that have no row.
            of_day: How many of all of them count, by day.
        """
        there = {*counts(batch.days), *counts(other_days)} if self.doubled_places is not None else of_day.keys()
        for day in self.days_wanted & there:
            rows, others = np.flatnonzero(batch.days == day)[-1:], np.flatnonzero(other_days == day)[-1:]
            last = max(*batch.numbers_of(rows).tolist(), *batch.numbers[others].tolist(), -1)
            reasons = batch.reasons[batch.numbers <= last]
            neither = self.neither + Counter(reasons[reasons < ACCEPTED].tolist())
            lines = self._lines + last + 1
            of_others = lines - neither.total() - (self.days[day] + of_day[day])
            self.record(day, Part(lines, of_others, neither, batch.ends[last]))

    def _first_day(self, batch: Batch) -> int:
        """Return an undated file's first day: in its first batch as a rule, else look ahead."""
        source = self._source
        parser = self._parser(ANY_DAY)
        ahead = RawReader(self.file, self._source.files.endpoint_url).blocks()
        for each in chain([batch], parser.batches(ahead)):
            readable = np.flatnonzero((each.other_days != NO_DAY) & (each.reasons > ACCEPTED))[:1]
            numbers = [
                *each.numbers_of(np.arange(len(each.days))[:1]),
                *each.elsewhere[:1],
                *each.numbers[readable],
            ]
            if numbers:
                days = [*each.days[:1], *each.elsewhere_days[:1], *each.other_days[readable]]
                return int(days[int(np.argmin(numbers))])
        if source.records:
            raise InputError(
                f"{self.file.name}: no record tells its day in field {source.records.told_by}. Check fields, "
                f"format and files in [source.{source.declared_as}]."
            )
        raise InputError(
            f"{self.file.name}: no line has a timestamp of format {self._source.format.name}, so no line's day "
            f"can be told. Check format and files in [source.{self._source.declared_as}]; times without a year "
            "need year, and those without an offset timezone."
        )


def passes_in(source: Source, files: Sequence[RawFile], number: int, ends: dict[int, int | None]) -> Passes | None:
    """Return what follows the times in the file at an index, of some in order; None if there is no need.

    `ends` keeps the last times of files, by their index: each file that lies within such an hour asks for the one
    before, which asks in turn.
    """

    def before() -> int | None:
        if number and number - 1 not in ends:
            passes = passes_in(source, files, number - 1, ends)
            ends[number - 1] = passes.at_end() if passes else None
        return ends.get(number - 1)

    def again() -> Iterator[memoryview]:
        reader = RawReader(files[number], source.files.endpoint_url, digests=False)
        return source.wrapping.inner_blocks(reader.blocks())

    return passes_of(source.format, again, before, source.year_begin(files[number]))


def _near(lines: Mapping[int, int], day: int) -> dict[str, int]:
    """Return how many lines are of days near another one, by day."""
    near = {each: count for each, count in sorted(lines.items()) if count and 0 < abs(each - day) <= FARTHEST}
    return {date_of(each).isoformat(): count for each, count in near.items()}


def _after(blocks: Iterator[memoryview], size: int) -> Iterator[memoryview]:
    """Yield what follows so many bytes."""
    for block in blocks:
        if size < len(block):
            yield block[size:]
        size -= min(size, len(block))
