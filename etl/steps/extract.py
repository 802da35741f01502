"""The extraction step: one source's raw lines, published day by day as `requests` and `rejects`."""

import logging
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import chain
from operator import attrgetter
from shlex import quote

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from etl.lines.batches import Batch, Days, Ends
from etl.lines.blocks import BlockParser
from etl.lines.parse import DIRECTIVE, rejects_table
from etl.lines.timestamps import NO_DAY, Integers
from etl.raw.content import ContentDigest
from etl.raw.files import BLOCK_BYTES, RawFile, RawReader
from etl.raw.read_ahead import read_ahead
from etl.sources.completeness import HOURS, Flaw, Severity, listed_hours, silent_hours
from etl.sources.source import FARTHEST, Source
from lake.contracts import contract
from lake.errors import ContractViolation, InputError, PartitionExists, StoreError
from lake.lake import Lake
from lake.memory import arrays
from lake.parquet.row_groups import Encoders
from lake.parquet.writer import ROW_GROUP_ROWS, PartitionWriter
from lake.partition import Partition, date_of, days_since_epoch
from lake.provenance import FIRST, Check, Content, Input, Provenance, Revision, code_version

MICROSECONDS_AN_HOUR = 3_600_000_000
EXAMPLES = 2
EXAMPLE_CHARACTERS = 100
# A pass that publishes several days holds a file open for each, and the rows that wait for their row group
DAYS_A_PASS = 200
WAITING_ROWS = 2 * ROW_GROUP_ROWS
# Blocks in use where they are read ahead: in the parser's hands, waiting, and being read
BUFFERS_AHEAD = 3
# Of a day's lines, from which on it is said that the plain parser reads them
MANY_PLAIN_LINES, MANY_PLAIN_SHARE = 200_000, 0.2
ENOUGH_REJECTS = 5_000_000  # to see what kind of file it is, such as one that inflates to a billion line ends

logger = logging.getLogger(__name__)
_told: set[str] = set()  # sources, by this process


@dataclass
class Lines:
    """How many raw lines became what. Each number is counted on its own, so that the law can fail."""

    read: int = 0
    kept: int = 0
    rejected: int = 0
    of_other_days: int = 0
    directives: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)

    def note(self, rejects: pa.Table) -> None:
        """Count reasons and remember the first rejects, for a message."""
        for counted in rejects["reason"].value_counts().to_pylist():
            self.reasons[counted["values"]] += counted["counts"]
        self.examples += [
            f"{each['file']}:{each['line_number']} ({each['reason']}) {each['masked_line'][:EXAMPLE_CHARACTERS]}"
            for each in rejects.slice(0, max(0, EXAMPLES - len(self.examples))).to_pylist()
        ]

    def check(self) -> Check:
        """Assert the conservation law.

        Raises:
            ContractViolation: A line was lost or counted twice.
        """
        if self.read != self.kept + self.rejected + self.of_other_days + self.directives:
            raise ContractViolation(
                f"{self.read} lines read, but {self.kept} kept, {self.rejected} rejected, {self.of_other_days} "
                f"of other days and {self.directives} directives: lines were lost. Nothing was published; "
                "report this."
            )
        return Check("lines_read = rows + rejects + lines_of_other_days + directives", f"{self.read} lines")


def extract_day(
    lake: Lake, source: Source, day: date, revision: Revision = FIRST, also: Collection[date] = ()
) -> Lines:
    """Read one day of a source and publish its requests and rejects.

    The rejects go first: the requests of a day are there only if its rejects are. Both are idempotent.

    Args:
        lake: Where to.
        source: Where from.
        day: The day.
        revision: Which publication of the day it is.
        also: Further days to publish for the first time, if the raw files hold lines of them. One that can't be
            published, or whose lines are too scattered for memory, is left for a call of its own.

    Returns:
        How many of the lines became what, as to `day`.

    Raises:
        InputError: No line of the day, a broken file, or more rejects than max_reject_rate.
        ContractViolation: The rows break their contract.
        PartitionExists: The day is published with other bytes.
        StoreError: The lake can't be written.
    """
    with lake.staging() as folder, ExitStack() as open_files:
        encoders = open_files.enter_context(Encoders(source.limits.encoders))

        def opened(name: str, of_day: date) -> PartitionWriter:
            return open_files.enter_context(lake.writer(contract(name), of_day, folder, encoders))

        days = {
            days_since_epoch(each): _Day(lake, source, each, opened) for each in (day, *sorted({*also} - {day}))
        }
        asked = next(iter(days.values()))
        files = source.find_files(day)
        has_cores_left = source.limits.readers > len(files)
        readers = [_FileReader(source, each, frozenset(days), is_read_ahead=has_cores_left) for each in files]
        ahead = read_ahead([each.portions for each in readers], source.limits.readers, source.limits.blocks_ahead)
        with closing(ahead):
            for portions in ahead:
                for of_block in portions:
                    _write(of_block, days, asked)
                    asked.give_up_if_hopeless()
        _tell_what_is_slow(source, readers)
        for each in days.values():
            if each is not asked and each.is_worthwhile:
                # its own call says what is wrong
                with suppress(InputError, PartitionExists, StoreError):
                    each.publish(readers, FIRST)
        return asked.publish(readers, revision)


def _tell_what_is_slow(source: Source, readers: Sequence["_FileReader"]) -> None:
    """Say once for a source that many of its lines are none that the kernel reads."""
    plain, lines = (sum(getattr(each, name) for each in readers) for name in ("plain_lines", "lines"))
    if plain >= MANY_PLAIN_LINES and plain >= MANY_PLAIN_SHARE * lines and source.name not in _told:
        _told.add(source.name)
        worst = max(readers, key=attrgetter("plain_lines")).file
        logger.warning(
            "source %s: %.0f %% of %s lines were read by the plain parser, which takes ten times the kernel's "
            "time. Do they have more fields than format says, or fewer? To see them: "
            "backfill identify %s --source %s",
            *(source.name, 100 * plain / lines, f"{lines:,}"),
            *(quote(worst.location), source.name),
        )


@dataclass(frozen=True)
class _Portion:
    """What a batch of lines has for one day."""

    day: int
    requests: pa.Table
    rejects: pa.Table


def _write(portions: list[_Portion], days: dict[int, "_Day"], asked: "_Day") -> None:
    """Hand a block's rows to their days, and keep open files and waiting rows within their bounds."""
    written = {asked}
    for portion in portions:
        day = days.pop(portion.day)
        days[portion.day] = day  # last, so that the first is the one that got none for longest
        if day is asked or day.is_begun or sum(each.is_begun for each in days.values()) < DAYS_A_PASS:
            day.write(portion.requests, portion.rejects)
            written.add(day)
    others = [each for each in days.values() if each not in written]
    while others and sum(each.kept.waiting_rows for each in days.values()) > WAITING_ROWS:
        others.pop(0).seal()


class _Day:
    """One day of one source in the making: its writers, and what of the raw files is its.

    Attributes:
        kept: Writes its requests.
        rejected: Writes its rejects.
        lines: How many lines of all files became what.
        recorded: What of that goes into the provenance: of a file that may still grow, no more than up to the
            day's last line, so that the bytes published don't depend on when it was read.
    """

    def __init__(
        self, lake: Lake, source: Source, day: date, opened: Callable[[str, date], PartitionWriter]
    ) -> None:
        self.day = day
        self.kept, self.rejected = (opened(name, day) for name in ("requests", "rejects"))
        self.lines, self.recorded = Lines(), Lines()
        self._by_hour = np.zeros(HOURS, np.int64)
        self._applications: set[str] = set()
        self._lake = lake
        self._source = source
        self._is_sealed = self._is_spoilt = False

    @property
    def is_begun(self) -> bool:
        """Whether it has any line."""
        return bool(self.kept.rows or self.rejected.rows)

    @property
    def is_worthwhile(self) -> bool:
        """Whether any line is the day's, and none came too late."""
        return self.is_begun and not self._is_spoilt

    def write(self, requests: pa.Table, rejects: pa.Table) -> None:
        """Add rows."""
        self._is_spoilt |= self._is_sealed and bool(requests.num_rows)
        if requests.num_rows and not self._is_spoilt:
            self.kept.write(requests)
            self._by_hour += hours_of(requests, self.day)
            if self._source.classifier.application_field and not self._has_too_many_applications:
                self._applications.update(*map(_distinct, requests["application"].chunks))
        if rejects.num_rows:
            self.rejected.write(rejects)
            self.lines.note(rejects)

    @property
    def _has_too_many_applications(self) -> bool:
        return len(self._applications) > self._source.max_applications

    def give_up_if_hopeless(self) -> None:
        """End a pass over a file that is no log, which may go on for days.

        Raises:
            InputError: There are millions of rejects, and they are too many of the lines so far.
        """
        if self.rejected.rows >= ENOUGH_REJECTS:
            self._judge_rejects(self.kept.rows, self.rejected.rows, (), "the first ")

    def seal(self) -> None:
        """Write the rows that wait, in the belief that no more will come."""
        if self.kept.waiting_rows:
            self.kept.flush()
            self._is_sealed = True

    def publish(self, readers: Sequence["_FileReader"], revision: Revision) -> Lines:
        """Judge the day by its lines, publish it, and return how many became what.

        Args:
            readers: The day's raw files, all of them read to the end.
            revision: Which publication of the day it is.

        Raises:
            InputError: There are none, or too many are rejects.
            PartitionExists: The day is published with other bytes.
        """
        inputs = tuple(self._count(reader) for reader in readers)
        if not self._source.files.is_dated:  # the others may be gone or renamed when it is made again
            inputs = tuple(each for each in inputs if each.lines)
        for counted in (self.lines, self.recorded):
            counted.kept, counted.rejected = self.kept.rows, self.rejected.rows
            counted.check()
        self._judge(readers)
        incomplete = self._incomplete(readers)
        staged = []
        for writer in (self.rejected, self.kept):
            made = writer.contract
            partition = Partition(made.name, made.version, self.day, self._source.name, revision.number)
            footer = Provenance(
                dataset=made.name,
                version=made.version,
                dt=self.day.isoformat(),
                source=self._source.name,
                revision=revision.number,
                inputs=inputs,
                rows_read=self.recorded.read,
                rows_kept=self.recorded.kept,
                rows_rejected=self.recorded.rejected,
                rows_of_other_days=self.recorded.of_other_days,
                directives=self.recorded.directives,
                code_version=code_version(),
                checks=(self.recorded.check(), Check("contract", "every row")),
                source_sha256=self._source.settings_sha256,
                supersedes=self._lake.superseded(partition),
                reason=revision.reason,
                requested_by=revision.by,
                incomplete=incomplete,
            )
            staged.append((partition, writer.finish(footer)))
        for partition, file in staged:
            self._lake.publish(partition, file)
        return self.lines

    def _count(self, reader: "_FileReader") -> Input:
        """Add a raw file's lines, and return what of it is recorded."""
        number = days_since_epoch(self.day)
        self.lines.read += reader.lines
        self.lines.directives += reader.directives
        self.lines.of_other_days += reader.others(number)
        if reader.file.day == self.day:
            self.recorded.read += reader.lines
            self.recorded.directives += reader.directives
            self.recorded.of_other_days += reader.others(number)
            return reader.input(number)
        part = reader.part(number)
        self.recorded.read += part.lines
        self.recorded.directives += part.directives
        self.recorded.of_other_days += part.others
        content, of_day = part.end.content(), part.lines - part.directives - part.others
        return Input(reader.file.name, content.bytes, None, part.lines, content, of_day)

    def _judge(self, readers: Sequence["_FileReader"]) -> None:
        lines, source = self.lines, self._source
        of_day = lines.kept + lines.rejected
        if not of_day and not source.allow_empty:
            raise InputError(
                f"no input: source {source.name} has not one line of {self.day} (looked through {lines.read:,} "
                f"lines of {source.files.of_day(self.day)}). If a day without requests is right for it, set "
                "allow_empty = true."
            )
        self._judge_rejects(lines.kept, lines.rejected, readers)
        if self._has_too_many_applications:
            raise InputError(
                f"source {source.name}, {self.day}: its lines name more than max_applications = "
                f"{source.max_applications:,} applications. A client asks for whatever host it likes: for "
                "application, take a field that the server fills by its own settings, or a name of your own; or "
                f"raise max_applications in [source.{source.name}]."
            )

    def _judge_rejects(self, kept: int, rejected: int, readers: Sequence["_FileReader"], which: str = "") -> None:
        source, reasons = self._source, self.lines.reasons.most_common()
        if rejected > source.max_reject_rate * (kept + rejected):
            raise InputError(
                f"source {source.name}, {self.day}: {rejected:,} of {which}{kept + rejected:,} lines are rejects "
                f"({', '.join(f'{n:,} {reason}' for reason, n in reasons)}), more than "
                f"max_reject_rate = {source.max_reject_rate:g} allows. {self._advice(readers)} "
                f"First ones: {'; '.join(self.lines.examples)}"
            )

    def _incomplete(self, readers: Sequence["_FileReader"]) -> str | None:
        """Say which files and hours the day lacks, what it has twice, and what no day counts; None for nothing.

        Raises:
            InputError: It is something that luigi.cfg has fail.
        """
        source, bad = self._source, self._source.severities
        files = [reader.file for reader in readers]
        lacking = source.lacking(self.day, lambda day: [each for each in files if each.day in {day, None}])
        silent = silent_hours(self._by_hour.tolist(), source.expected_hours)
        found = [
            Flaw(
                ", ".join(map(str, lacking)), bad.fewer_files, "Bring what is missing, or correct expected_files"
            ),
            Flaw(
                f"no request in UTC hours {listed_hours(silent)}" if silent else "",
                bad.silent_hours,
                "Bring what is missing, or correct expected_hours",
            ),
            Flaw(
                "; ".join(f"{', '.join(names)} have the same content" for names in self._doubled(readers)),
                bad.duplicate_files,
                "Take one away, or have files name only one",
            ),
            Flaw(self._uncounted(readers), bad.uncounted_lines, f"Set {self._mending(readers)}"),
        ]
        found = [each for each in found if each.text]
        for each in found:
            if each.severity is Severity.FAIL:
                raise InputError(
                    f"source {source.name}, {self.day}: {each.text}. {each.advice} in [source.{source.name}], or "
                    "have such days published with a warning, by [completeness] in luigi.cfg."
                )
        texts = ", ".join(each.text for each in found)
        if found:
            logger.warning("%s of source %s is incomplete: %s", self.day, source.name, texts)
        return texts or None

    def _doubled(self, readers: Sequence["_FileReader"]) -> list[list[str]]:
        """Return the names of files that have the same content, each of which holds lines of the day."""
        number = days_since_epoch(self.day)
        names: dict[Content, list[str]] = {}
        for reader in readers:
            if reader.of_day(number):
                names.setdefault(reader.content, []).append(reader.file.name)
        return [each for each in names.values() if len(each) > 1]

    def _strays(self, readers: Sequence["_FileReader"]) -> Counter[int]:
        """Return how many requests of its own files are of days within a week that don't count them, by day."""
        found: Counter[int] = Counter()
        for reader in readers:
            if reader.file.day == self.day:
                found.update(reader.strays)
        number = days_since_epoch(self.day)
        near = {day: count for day, count in found.items() if abs(day - number) <= FARTHEST}
        return Counter({day: count for day, count in near.items() if self._source.is_active(date_of(day))})

    def _uncounted(self, readers: Sequence["_FileReader"]) -> str:
        strays = self._strays(readers)
        if not strays:
            return ""
        days = ", ".join(f"{count:,} requests of {date_of(day)}" for day, count in sorted(strays.items()))
        return f"its files hold {days}, which no day counts ({self._mending(readers)} does)"

    def _mending(self, readers: Sequence["_FileReader"]) -> str:
        """Return the setting by which all requests are counted."""
        number = days_since_epoch(self.day)
        strays = [day - number for day in self._strays(readers)]
        first, last = self._source.covers
        return f"covers = {min([first, *strays])} to {max([last, *strays])}"

    def _advice(self, readers: Sequence["_FileReader"]) -> str:
        if self.lines.reasons.most_common(1)[0][0] == "wrong_day":
            return f"The log is not cut at UTC midnight: set {self._mending(readers)} (now {self._source.reach})."
        return f"Is it really format {self._source.format.name}?"


@dataclass
class _Part:
    """A raw file up to and including the last line of one day: how many lines, and what it is there."""

    lines: int
    others: int
    directives: int
    end: ContentDigest


class _FileReader:
    """Reads one raw file for one or more days, and counts and digests what it reads.

    Attributes:
        lines: How many lines it has.
        directives: How many of them are neither requests nor rejects.
        days: How many of its lines, requests and rejects, are of each day.
        strays: How many of its lines are requests of days that it may not hold, by day; they are rejects.
        plain_lines: How many of its lines the plain parser took apart.
    """

    def __init__(
        self, source: Source, file: RawFile, days: frozenset[int], *, is_read_ahead: bool = False
    ) -> None:
        self.file = file
        self._is_read_ahead = is_read_ahead
        self.lines = self.directives = self.plain_lines = 0
        self.days: Counter[int] = Counter()
        self.strays: Counter[int] = Counter()
        self._days = days
        self._parts: dict[int, _Part] = {}
        self._source = source
        self._own_day = days_since_epoch(file.day) if file.day else None
        self._ends = Ends() if days - {self._own_day} else None
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
        near = {each: count for each, count in sorted(self.strays.items()) if abs(each - day) <= FARTHEST}
        strays = {date_of(each).isoformat(): count for each, count in near.items()}
        return replace(self._whole, of_day=self.of_day(day), strays=strays or None)

    def part(self, day: int) -> _Part:
        """Return what of the file a day's provenance records, if it is not the file's own day."""
        return self._parts.get(day, _Part(0, 0, 0, ContentDigest()))

    def of_day(self, day: int) -> int:
        """Return how many lines, requests and rejects, are of a day."""
        return self.days[day]

    def others(self, day: int) -> int:
        """Return how many lines are of another day than this one."""
        return sum(self.days.values()) - self.days[day]

    def portions(self) -> Iterator[list[_Portion]]:
        """Yield what there is for the days, batch by batch."""
        source, days = self._source, self._days
        may_be = replace(Days.of_file(self.file, source.covers), wanted=Days(min(days), max(days) + 1))
        parser = BlockParser(source.format, source.classifier, may_be, ends=self._ends)
        # only its own day records the file as it lies there, and another one what of it is read
        digests = self._own_day in days
        reader = RawReader(self.file, source.files.endpoint_url, parser.lines_in, digests=digests)
        for batch in parser.batches(self._blocks(reader)):
            if self._own_day is None:
                self._own_day = self._first_day(batch)
            yield self._sorted(batch, self._own_day)
        self.lines, self.plain_lines, self._input = reader.lines, parser.plain_lines, reader.input()

    def _blocks(self, reader: RawReader) -> Iterator[memoryview]:
        """Yield the file's blocks; those of a large one are read ahead, if there is a core for it."""
        blocks = reader.blocks(BUFFERS_AHEAD if self._is_read_ahead else 1)
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

    def _sorted(self, batch: Batch, own_day: int) -> list[_Portion]:
        """Return a batch's rows and rejects by day, and count and digest it."""
        directives = batch.reasons == DIRECTIVE
        # a line whose time can't be read counts for the file's day: some day has to read it
        untold = (batch.other_days == NO_DAY) & ~directives
        other_days = np.where(untold, own_day, batch.other_days)
        of_day = Counter(_counts(batch.days)) + Counter(_counts(other_days[~directives]))
        portions = []
        for day in sorted(self._days & of_day.keys()):
            rows, others = batch.days == day, np.flatnonzero((other_days == day) & ~directives)
            requests = batch.rows if rows.all() else batch.rows.filter(arrays.numbers(rows))
            rejects = rejects_table(
                batch.masked if len(others) == len(batch.masked) else batch.masked.take(arrays.numbers(others)),
                batch.reasons[others],
                self.file.name,
                self._lines + 1 + batch.numbers[others],
            )
            portions.append(_Portion(day, requests, rejects))
            self._record(day, batch, np.flatnonzero(rows), others)
        self.directives += int(np.count_nonzero(directives))
        self.days.update(of_day)
        self.days.update(_counts(batch.elsewhere_days))
        self.strays.update(_counts(batch.strays))
        self._lines += batch.lines
        return portions

    def _record(self, day: int, batch: Batch, rows: Integers, others: Integers) -> None:
        """Note what the file is up to a day's last line so far, one of some rows and other lines of a batch."""
        if self._ends is None:
            return
        last = max(int(each[-1]) for each in (batch.numbers_of(rows[-1:]), batch.numbers[others]) if len(each))
        directives = self.directives + int(np.count_nonzero(batch.reasons[batch.numbers <= last] == DIRECTIVE))
        lines = self._lines + last + 1
        of_others = lines - directives - (self.days[day] + len(rows) + len(others))
        self._parts[day] = _Part(lines, of_others, directives, batch.ends[last])

    def _first_day(self, batch: Batch) -> int:
        """Return an undated file's first day: in its first batch as a rule, else look ahead."""
        parser = BlockParser(self._source.format, self._source.classifier)
        ahead = RawReader(self.file, self._source.files.endpoint_url).blocks()
        for each in chain([batch], parser.batches(ahead)):
            readable = np.flatnonzero(each.other_days != NO_DAY)[:1]
            numbers = [
                *each.numbers_of(np.arange(len(each.days))[:1]),
                *each.elsewhere[:1],
                *each.numbers[readable],
            ]
            if numbers:
                days = [*each.days[:1], *each.elsewhere_days[:1], *each.other_days[readable]]
                return int(days[int(np.argmin(numbers))])
        raise InputError(
            f"{self.file.name}: no line has a timestamp of format {self._source.format.name}, so no line's day "
            f"can be told. Check format and files in [source.{self._source.name}]."
        )


def hours_of(requests: pa.Table, day: date) -> npt.NDArray[np.int64]:
    """Return how many requests of a UTC day were in each of its 24 hours."""
    begin = days_since_epoch(day) * HOURS
    of_hours = np.zeros(HOURS, np.int64)
    for chunk in requests["ts"].chunks:
        times = arrays.to_numpy(chunk.cast(pa.int64()))
        if (times[1:] >= times[:-1]).all():  # as in most logs: then no time has to be divided
            of_hours += np.diff(np.searchsorted(times, (begin + np.arange(HOURS + 1)) * MICROSECONDS_AN_HOUR))
        else:
            of_hours += np.bincount(times // MICROSECONDS_AN_HOUR - begin, minlength=HOURS)
    return of_hours


def _distinct(texts: pa.Array) -> list[str]:
    """Return the different texts of some; those of a dictionary need not all occur."""
    if not pa.types.is_dictionary(texts.type):
        found: list[str] = texts.unique().to_pylist()
        return found
    occurs = np.bincount(arrays.to_numpy(texts.indices), minlength=len(texts.dictionary)) > 0
    return [text for text, does in zip(texts.dictionary.to_pylist(), occurs.tolist(), strict=True) if does]


def _counts(days: npt.NDArray[np.int64]) -> dict[int, int]:
    """Return how many lines are of each day; most batches have but one."""
    if not len(days):
        return {}
    if days.min() == days.max():
        return {int(days[0]): len(days)}
    numbers, counts = np.unique(days, return_counts=True)
    return dict(zip(numbers.tolist(), counts.tolist(), strict=True))
