"""The extraction step: one source's raw lines, published day by day as `requests` and `rejects`."""

import hashlib
import logging
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import chain
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from etl.blocks import BlockParser, ParsedBlock
from etl.completeness import HOURS, Severity, listed_hours, silent_hours
from etl.parse import ACCEPTED, DIRECTIVE
from etl.raw_files import RawFile, RawReader
from etl.read_ahead import read_ahead
from etl.sources import Source
from etl.timestamps import NO_DAY
from lake.contracts import contract
from lake.contracts.rejects import REASONS
from lake.errors import ContractViolation, InputError, PartitionExists, StoreError
from lake.lake import Lake
from lake.parquet import ROW_GROUP_ROWS
from lake.partition import Partition
from lake.provenance import FIRST, Check, Input, Provenance, Revision, code_version

EPOCH = date(1970, 1, 1)
MICROSECONDS_AN_HOUR = 3_600_000_000
EXAMPLES = 2
EXAMPLE_CHARACTERS = 100
# A pass that publishes several days holds a file open for each, and the rows that wait for their row group
DAYS_A_PASS = 200
WAITING_ROWS = 2 * ROW_GROUP_ROWS
ENOUGH_REJECTS = 5_000_000  # to see what kind of file it is, such as one that inflates to a billion line ends

Booleans = npt.NDArray[np.bool_]
logger = logging.getLogger(__name__)


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
        self.reasons.update(rejects["reason"].to_pylist())
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
        days = {
            _days_since_epoch(each): _Day(lake, source, each, folder, open_files)
            for each in (day, *sorted({*also} - {day}))
        }
        asked = next(iter(days.values()))
        readers = [_FileReader(source, file, frozenset(days)) for file in source.find_files(day)]
        ahead = read_ahead([each.portions for each in readers], source.limits.readers, source.limits.blocks_ahead)
        with closing(ahead):
            for portions in ahead:
                for of_block in portions:
                    _write(of_block, days, asked)
                    asked.give_up_if_hopeless()
        for each in days.values():
            if each is not asked and each.is_worthwhile:
                # its own call says what is wrong
                with suppress(InputError, PartitionExists, StoreError):
                    each.publish(readers, FIRST)
        return asked.publish(readers, revision)


@dataclass(frozen=True)
class _Portion:
    """What a block of lines has for one day."""

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

    def __init__(self, lake: Lake, source: Source, day: date, folder: Path, open_files: ExitStack) -> None:
        self.day = day
        self.kept, self.rejected = (
            open_files.enter_context(lake.writer(contract(name), day, folder)) for name in ("requests", "rejects")
        )
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
                for chunk in requests["application"].chunks:
                    self._applications.update(chunk.unique().to_pylist())
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
            self._judge_rejects(self.kept.rows, self.rejected.rows, "the first ")

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
        for counted in (self.lines, self.recorded):
            counted.kept, counted.rejected = self.kept.rows, self.rejected.rows
            counted.check()
        self._judge()
        incomplete = self._incomplete([reader.file for reader in readers])
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
        number = _days_since_epoch(self.day)
        self.lines.read += reader.lines
        self.lines.directives += reader.directives
        self.lines.of_other_days += reader.others(number)
        if reader.file.day == self.day:
            self.recorded.read += reader.lines
            self.recorded.directives += reader.directives
            self.recorded.of_other_days += reader.others(number)
            return reader.input()
        part = reader.part(number)
        self.recorded.read += part.lines
        self.recorded.directives += part.directives
        self.recorded.of_other_days += part.others
        return Input(reader.file.name, part.bytes, part.sha256, part.lines)

    def _judge(self) -> None:
        lines, source = self.lines, self._source
        of_day = lines.kept + lines.rejected
        if not of_day and not source.allow_empty:
            raise InputError(
                f"no input: source {source.name} has not one line of {self.day} (looked through {lines.read:,} "
                f"lines of {source.files.of_day(self.day)}). If a day without requests is right for it, set "
                "allow_empty = true."
            )
        self._judge_rejects(lines.kept, lines.rejected)
        if self._has_too_many_applications:
            raise InputError(
                f"source {source.name}, {self.day}: its lines name more than max_applications = "
                f"{source.max_applications:,} applications. A client asks for whatever host it likes: for "
                "application, take a field that the server fills by its own settings, or a name of your own; or "
                f"raise max_applications in [source.{source.name}]."
            )

    def _judge_rejects(self, kept: int, rejected: int, which: str = "") -> None:
        source, reasons = self._source, self.lines.reasons.most_common()
        if rejected > source.max_reject_rate * (kept + rejected):
            raise InputError(
                f"source {source.name}, {self.day}: {rejected:,} of {which}{kept + rejected:,} lines are rejects "
                f"({', '.join(f'{n:,} {reason}' for reason, n in reasons)}), more than "
                f"max_reject_rate = {source.max_reject_rate:g} allows. {self._advice()} "
                f"First ones: {'; '.join(self.lines.examples)}"
            )

    def _incomplete(self, files: Sequence[RawFile]) -> str | None:
        """Say which raw files and hours the day lacks, None for none.

        Raises:
            InputError: It lacks what luigi.cfg lets no day lack.
        """
        source = self._source
        lacking = source.lacking(self.day, lambda day: [each for each in files if each.day in {day, None}])
        silent = silent_hours(self._by_hour.tolist(), source.expected_hours)
        found = {}
        if lacking:
            found[", ".join(map(str, lacking))] = source.severities.fewer_files
        if silent:
            found[f"no request in UTC hours {listed_hours(silent)}"] = source.severities.silent_hours
        for text, severity in found.items():
            if severity is Severity.FAIL:
                raise InputError(
                    f"source {source.name}, {self.day}: {text}. Bring what is missing, correct expected_files or "
                    f"expected_hours in [source.{source.name}], or have such days published with a warning, by "
                    "[completeness] in luigi.cfg."
                )
        if found:
            logger.warning("%s of source %s is incomplete: %s", self.day, source.name, ", ".join(found))
        return ", ".join(found) or None

    def _advice(self) -> str:
        if self.lines.reasons.most_common(1)[0][0] == "wrong_day":
            return f"The log is not cut at UTC midnight: raise neighbour_days (now {self._source.neighbour_days})."
        return f"Is it really format {self._source.format.name}?"


@dataclass
class _Part:
    """A raw file up to and including the last line of one day: how many lines and bytes, and their digest."""

    lines: int = 0
    others: int = 0
    directives: int = 0
    bytes: int = 0
    sha256: str = hashlib.sha256().hexdigest()


class _FileReader:
    """Reads one raw file for one or more days, and counts and digests what it reads.

    Attributes:
        lines: How many lines it has, read to its end.
        directives: How many of them are neither requests nor rejects.
    """

    def __init__(self, source: Source, file: RawFile, days: frozenset[int]) -> None:
        self.file = file
        self.directives = 0
        self._days = days
        self._parts: dict[int, _Part] = {}
        self._source = source
        self._reader = RawReader(file, source.files.endpoint_url)
        self._parser = BlockParser(source.format, source.classifier)
        self._own_day = _days_since_epoch(file.day) if file.day else None
        self._of_day: Counter[int] = Counter()
        # what a file's own day records is the file as it lies there
        self._digest = hashlib.sha256() if days - {self._own_day} else None
        self._lines = self._bytes = 0

    @property
    def lines(self) -> int:
        """How many lines were read."""
        return self._reader.lines

    def input(self) -> Input:
        """Return the file's name, size and digest, once it was read to its end."""
        return self._reader.input()

    def part(self, day: int) -> _Part:
        """Return what of the file a day's provenance records, if it is not the file's own day."""
        return self._parts.get(day, _Part())

    def others(self, day: int) -> int:
        """Return how many lines are of another day than this one."""
        return sum(count for each, count in self._of_day.items() if each != day)

    def portions(self) -> Iterator[list[_Portion]]:
        """Yield what there is for the days, block by block."""
        reach = self._source.neighbour_days if self.file.day else None
        for block in self._reader.blocks():
            for parsed in self._parser.parse(block):
                if self._own_day is None:
                    self._own_day = self._first_day(parsed)
                placed = place(parsed, self._own_day, reach)
                yield self._sorted(placed)

    def _sorted(self, parsed: ParsedBlock) -> list[_Portion]:
        """Return a block's rows and rejects by day, and count and digest it."""
        found = _counts(parsed.days)
        accepted = parsed.reasons == ACCEPTED
        directives = parsed.reasons == DIRECTIVE
        portions, lasts = [], {}
        for day in sorted(self._days & found.keys()):
            chosen = parsed.days == day
            requests = parsed.requests(chosen & accepted)
            rejects = parsed.rejects(chosen & ~accepted, self.file.name, self._lines + 1)
            portions.append(_Portion(day, requests, rejects))
            lasts[day] = int(np.flatnonzero(chosen)[-1]) + 1
        self._record(parsed, directives, lasts)
        self.directives += found.pop(NO_DAY, 0)
        self._of_day.update(found)
        return portions

    def _record(self, parsed: ParsedBlock, directives: Booleans, lasts: dict[int, int]) -> None:
        """Count and digest a block; `lasts` says how many of its lines go up to the last one of each day."""
        begin = 0
        for day, lines in sorted(lasts.items(), key=lambda each: each[1]):
            end = int(parsed.starts[lines])
            part = self._parts.setdefault(day, _Part())
            part.lines = self._lines + lines
            part.directives = self.directives + int(np.count_nonzero(directives[:lines]))
            of_day = self._of_day[day] + int(np.count_nonzero(parsed.days[:lines] == day))
            part.others = part.lines - part.directives - of_day
            part.bytes = self._bytes + end
            if self._digest:
                self._digest.update(parsed.block[begin:end])
                part.sha256 = self._digest.hexdigest()
            begin = end
        if self._digest:
            self._digest.update(parsed.block[begin:])
        self._bytes += len(parsed.block)
        self._lines += len(parsed)

    def _first_day(self, parsed: ParsedBlock) -> int:
        """Return an undated file's first day: in its first block as a rule, else look ahead."""
        parser = BlockParser(self._source.format, self._source.classifier)
        ahead = RawReader(self.file, self._source.files.endpoint_url).blocks()
        later = (each for block in ahead for each in parser.parse(block))
        for each in chain([parsed], later):
            readable = each.days[each.days != NO_DAY]
            if len(readable):
                return int(readable[0])
        raise InputError(
            f"{self.file.name}: no line has a timestamp of format {self._source.format.name}, so no line's day "
            f"can be told. Check format and files in [source.{self._source.name}]."
        )


def place(parsed: ParsedBlock, own_day: int, reach: int | None) -> ParsedBlock:
    """Give every line of a raw file but directives a day, so that each is of one day and some day reads it.

    Args:
        parsed: A block of its lines.
        own_day: The file's day (the first one in it, for an undated file), in days since 1970-01-01: a line
            whose time can't be read counts for it.
        reach: How many days from own_day a line may be, or None for any. One that is farther is read by no
            other day, so it is a reject of own_day.
    """
    readable = parsed.days != NO_DAY
    far = readable & (np.abs(parsed.days - own_day) > reach) if reach is not None else np.zeros_like(readable)
    directives = parsed.reasons == DIRECTIVE
    return replace(
        parsed,
        days=np.where(directives, NO_DAY, np.where(readable & ~far, parsed.days, own_day)),
        reasons=np.where(far & (parsed.reasons == ACCEPTED), REASONS.index("wrong_day"), parsed.reasons),
    )


def hours_of(requests: pa.Table, day: date) -> npt.NDArray[np.int64]:
    """Return how many requests of a UTC day were in each of its 24 hours."""
    begin = _days_since_epoch(day) * HOURS
    times = (chunk.cast(pa.int64()).to_numpy() for chunk in requests["ts"].chunks)
    counts = (np.bincount(each // MICROSECONDS_AN_HOUR - begin, minlength=HOURS) for each in times if len(each))
    return sum(counts, np.zeros(HOURS, np.int64))


def _days_since_epoch(day: date) -> int:
    return (day - EPOCH).days


def _counts(days: npt.NDArray[np.int64]) -> dict[int, int]:
    """Return how many lines are of each day; most blocks have but one."""
    if days.min() == days.max():
        return {int(days[0]): len(days)}
    numbers, counts = np.unique(days, return_counts=True)
    return dict(zip(numbers.tolist(), counts.tolist(), strict=True))
