"""The extraction step: one source's raw lines, published by day as `requests`, or other records, and `rejects`."""

import logging
import os
import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from datetime import date
from operator import attrgetter
from shlex import quote

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from etl import clock
from etl.lines.applications import UNMAPPED
from etl.lines.formats import Alternatives, Role
from etl.lines.noise import BUILT_IN
from etl.lines.parse import CONTINUED, DIRECTIVE, NOISE
from etl.lines.passes import PASSES, is_steady, twice_within
from etl.raw.doubled import Places, doubled_lines
from etl.raw.fetched import Fetched
from etl.raw.files import RawFile, mark_of
from etl.raw.read_ahead import read_ahead
from etl.sources.completeness import HOURS, Flaw, Severity
from etl.sources.source import FARTHEST, Lack, Source
from etl.steps import seen
from etl.steps.answers import Answers
from etl.steps.bundle import bundled
from etl.steps.file_reader import FileReader, passes_in
from etl.steps.identified import repeated_requests
from etl.steps.judge import (
    judge_applications,
    judge_flaws,
    judge_lines,
    judge_noise,
    judge_rejects,
    lost_answers,
    silence,
)
from etl.steps.portions import Portion
from etl.steps.repeats import Sample, repeated
from etl.steps.seen import Seen
from lake.contracts import contract
from lake.errors import ContractViolation, InputError, PartitionExists, StoreError
from lake.lake import Lake
from lake.memory import arrays
from lake.parquet.row_groups import Encoders
from lake.parquet.writer import ROW_GROUP_ROWS, PartitionWriter
from lake.partition import Partition, date_of, days_since_epoch, source_of
from lake.provenance import FIRST, Check, Content, Input, OfShard, Provenance, Revision, code_version
from lake.store.protocol import S3_SCHEME

MANY_TIMES = 1000  # of few, to divide them takes less than to look
MICROSECONDS_AN_HOUR = 3_600_000_000
FEW_BYTES = 1 << 18
EXAMPLES = 2
EXAMPLE_CHARACTERS = 100
# A pass that publishes several days holds a file open for each, and the rows that wait for their row group
DAYS_A_PASS = 200
WAITING_ROWS = 2 * ROW_GROUP_ROWS
# Of a day's lines, from which on it is said that the plain parser reads them
MANY_PLAIN_LINES, MANY_PLAIN_SHARE = 200_000, 0.2
WITHOUT_YEAR = re.compile(r"(?<!x)xxx[ _]{1,2}9{1,2}[ _]99:99:99")  # as it is masked
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
    noise: int = 0
    directives: int = 0
    continued: int = 0
    doubled: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)

    def add(self, neither: Mapping[int, int]) -> None:
        """Count lines that are neither requests nor rejects, by what they are."""
        self.noise += neither.get(NOISE, 0)
        self.directives += neither.get(DIRECTIVE, 0)
        self.continued += neither.get(CONTINUED, 0)

    def note(self, rejects: pa.Table) -> None:
        """Count reasons and remember the first rejects, for a message."""
        for encoded in rejects["reason"].chunks:
            places = arrays.to_numpy(encoded.indices)
            first = {each: int(np.argmax(places == each)) for each in np.flatnonzero(np.bincount(places)).tolist()}
            for place in sorted(first, key=first.__getitem__):  # in the order in which they come
                self.reasons[encoded.dictionary[place].as_py()] += int(np.count_nonzero(places == place))
        self.examples += [
            f"{each['file']}:{each['line_number']} ({each['reason']}) {each['masked_line'][:EXAMPLE_CHARACTERS]}"
            for each in rejects.slice(0, max(0, EXAMPLES - len(self.examples))).to_pylist()
        ]

    @property
    def of_requests(self) -> int:
        """How many of those that were read are none about the log, and none that go on in another."""
        return self.read - self.directives - self.continued

    def check(self) -> Check:
        """Assert the conservation law.

        Raises:
            ContractViolation: A line was lost or counted twice.
        """
        neither = self.noise + self.directives + self.continued + self.doubled
        if self.read != self.kept + self.rejected + self.of_other_days + neither:
            raise ContractViolation(
                f"{self.read} lines read, but {self.kept} kept, {self.rejected} rejected, {self.of_other_days} "
                f"of other days, {self.noise} noise, {self.directives} directives, {self.continued} continued and "
                f"{self.doubled} doubled: lines were lost. Nothing was published; report this."
            )
        law = "lines_read = rows + rejects + noise + directives + lines_of_other_days + continued + doubled"
        return Check(law, f"{self.read} lines")


def extract_day(
    lake: Lake, source: Source, day: date, revision: Revision = FIRST, also: Collection[date] = ()
) -> Lines:
    """Read one day of a source and publish its requests, or the records that it brings, and rejects.

    The rejects go first: the rest of a day is there only if its rejects are. Both are idempotent.

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
        undated = [] if source.files.is_dated else files
        marks = {each.name: mark_of(each, source.files.endpoint_url) for each in undated}
        doubled = _doubled(source, files)
        threads = 1 if _are_few_bytes(files) else source.limits.readers
        ends: dict[int, int | None] = {}
        fetched = open_files.enter_context(Fetched(files, source.files.endpoint_url))
        readers = [
            FileReader(
                *(source, each, frozenset(days), passes_in(source, files, n, ends)),
                doubled=doubled[n] if doubled else None,
                sample=Sample() if len(files) > 1 and not doubled and not source.records else None,
                is_read_ahead=threads > len(files),
                fetched=fetched,
            )
            for n, each in enumerate(files)
        ]
        ahead = read_ahead([each.portions for each in bundled(readers)], threads, source.limits.blocks_ahead)
        with closing(ahead):
            for portions in ahead:
                for of_block in portions:
                    _write(of_block, days, asked)
                    asked.give_up_if_hopeless()
        _tell_what_is_slow(source, readers, day)
        if marks:
            seen.record(lake, source, [Seen.of(each, *marks[each.file.name]) for each in readers], clock.utc_now())
        for each in days.values():
            if each is not asked and each.is_worthwhile:
                # its own call says what is wrong
                with suppress(InputError, PartitionExists, StoreError):
                    each.publish(readers, FIRST)
        return asked.publish(readers, revision)


def _doubled(source: Source, files: Sequence[RawFile]) -> list[Places] | None:
    """Return which lines of each file are left out, since they are there already; None if all count."""
    if source.request_id:
        return repeated_requests(source, source.request_id, files)
    return doubled_lines(files, source.files.endpoint_url) if source.counts_lines_once else None


def _are_few_bytes(files: Sequence[RawFile]) -> bool:
    """Tell whether it takes no longer to read files one after the other than to begin threads for them."""
    if any(each.location.startswith(S3_SCHEME) for each in files):  # which are waited for
        return False
    with suppress(OSError):  # who reads one that is gone says so
        return sum(os.path.getsize(each.location) for each in files) <= FEW_BYTES  # noqa: PTH202 - of thousands of small days
    return False


def _tell_what_is_slow(source: Source, readers: Sequence[FileReader], day: date) -> None:
    """Say once for a source that the kernel leaves many of its lines, unless a change of clocks is why."""
    number, zone = days_since_epoch(day), source.format.timezone
    if zone and not all(is_steady(zone, each) for each in (number - 1, number, number + 1)):
        return
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


def _write(portions: list[Portion], days: dict[int, "_Day"], asked: "_Day") -> None:
    """Hand a block's rows to their days, and keep open files and waiting rows within their bounds."""
    written = {asked}
    for portion in portions:
        day = days.pop(portion.day)
        days[portion.day] = day  # last, so that the first is the one that got none for longest
        if day is asked or day.is_begun or sum(each.is_begun for each in days.values()) < DAYS_A_PASS:
            day.write(portion)
            written.add(day)
    others = [each for each in days.values() if each not in written]
    while others and sum(each.kept.waiting_rows for each in days.values()) > WAITING_ROWS:
        others.pop(0).seal()


class _Day:
    """One day of one source in the making: its writers, and what of the raw files is its.

    Attributes:
        kept: Writes its requests or records.
        rejected: Writes its rejects.
        lines: How many lines of all files became what.
        recorded: What of that goes into the provenance: of a file that may still grow, no more than up to the
            day's last line, so that the bytes published don't depend on when it was read.
    """

    def __init__(
        self, lake: Lake, source: Source, day: date, opened: Callable[[str, date], PartitionWriter]
    ) -> None:
        self.day = day
        self.kept, self.rejected = (opened(name, day) for name in (source.dataset, "rejects"))
        self.lines, self.recorded = Lines(), Lines()
        self._by_hour = np.zeros(HOURS, np.int64)
        self._answers = Answers()
        self._applications: set[str] = set()
        self._unmapped = 0
        self._formats: Counter[int] = Counter()
        self._lake = lake
        self._source = source
        self._is_sealed = self._is_spoilt = False
        self._once_each: Callable[[Portion], Portion] | None = None
        if source.records and source.records.contract.key:
            from etl.steps.keys import Keys  # noqa: PLC0415 - most have none

            self._once_each = Keys(source.records.contract).once_each

    @property
    def is_begun(self) -> bool:
        """Whether it has any line."""
        return bool(self.kept.rows or self.rejected.rows)

    @property
    def is_worthwhile(self) -> bool:
        """Whether any line is the day's, and none came too late."""
        return self.is_begun and not self._is_spoilt

    def write(self, portion: Portion) -> None:
        """Add rows."""
        self._is_spoilt |= self._is_sealed and bool(portion.requests.num_rows)
        if self._once_each:
            portion = self._once_each(portion)
        requests, rejects = portion.requests, portion.rejects
        if requests.num_rows and not self._is_spoilt:
            self.kept.write(requests)
            if not self._source.records:
                self._count_requests(portion)
        if rejects.num_rows:
            self.rejected.write(rejects)
            self.lines.note(rejects)
            if not self._source.records:
                self._answers.add_rejects(rejects, portion.statuses)

    def _count_requests(self, portion: Portion) -> None:
        requests = portion.requests
        self._by_hour += hours_of(requests, self.day)
        self._formats.update(portion.formats)
        self._answers.add(requests)
        if self._source.classifier.mapped:
            self._unmapped += sum(count_of(UNMAPPED, each) for each in requests["application"].chunks)
        elif self._source.classifier.application_field and not self._has_too_many_applications:
            self._applications.update(*map(_distinct, requests["application"].chunks))

    @property
    def _has_too_many_applications(self) -> bool:
        return len(self._applications) > self._source.max_applications

    def give_up_if_hopeless(self) -> None:
        """End a pass over a file that is no log, which may go on for days.

        Raises:
            InputError: There are millions of rejects, and they are too many of the lines so far.
        """
        if self.rejected.rows >= ENOUGH_REJECTS and not self._source.shard:
            self._judge_rejects(self.kept.rows, self.rejected.rows, (), "the first ")

    def seal(self) -> None:
        """Write the rows that wait, in the belief that no more will come."""
        if self.kept.waiting_rows:
            self.kept.flush()
            self._is_sealed = True

    def publish(self, readers: Sequence[FileReader], revision: Revision) -> Lines:
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
        zone = self._source.format.timezone
        passes = (Check(PASSES, each.named(zone)) for each in twice_within(zone, days_since_epoch(self.day)))
        checks = (self.recorded.check(), Check("contract", "every row"), *passes)
        name = self._source.kept_as or self._source.name
        staged = []
        for writer in (self.rejected, self.kept):
            made = writer.contract
            partition = Partition(made.name, made.version, self.day, name, revision.number)
            footer = Provenance(
                dataset=made.name,
                version=made.version,
                dt=self.day.isoformat(),
                source=name,
                revision=revision.number,
                inputs=inputs,
                rows_read=self.recorded.read,
                rows_kept=self.recorded.kept,
                rows_rejected=self.recorded.rejected,
                rows_of_other_days=self.recorded.of_other_days,
                directives=self.recorded.directives,
                doubled=self.recorded.doubled,
                noise=self.recorded.noise,
                continued=self.recorded.continued,
                code_version=code_version(),
                checks=checks,
                source_sha256=self._source.on(self.day).settings_sha256,
                supersedes=self._lake.superseded(partition),
                reason=revision.reason,
                requested_by=revision.by,
                incomplete=incomplete,
                unmapped=self._unmapped if self._source.classifier.mapped else None,
                formats=self._by_format(),
                reject_statuses=None if self._source.records else self._answers.shown,
                requests_by_hour={source_of(name): self._of_hours} if self._tells_silence else None,
                shard=self._of_shard if self._source.shard else None,
            )
            staged.append((partition, writer.finish(footer)))
        for partition, file in staged:
            self._lake.publish(partition, file)
        return self.lines

    @property
    def _of_hours(self) -> tuple[int, ...]:
        return tuple(self._by_hour.tolist())

    @property
    def _of_shard(self) -> OfShard:
        """What is judged with that of the other shards."""
        lines, answers = self.lines, self._answers
        return OfShard(
            *(lines.of_requests, lines.noise, lines.kept, lines.rejected, dict(lines.reasons)),
            tuple(answers.examples or [each.partition(" (")[0] for each in lines.examples]),
            self._of_hours,
            *(answers.valid, answers.failed, {str(status): n for status, n in sorted(answers.lost.items())}),
        )

    @property
    def _tells_silence(self) -> bool:
        """Whether its hours are to be compared with those of other days; where they are expected, it is judged."""
        return self._source.records is None and not self._source.expected_hours

    def _by_format(self) -> dict[str, int] | None:
        """Return how many of the requests are of which of the source's formats, None if there is but one."""
        if not isinstance(self._source.format, Alternatives):
            return None
        return {name: self._formats[number] for number, name in enumerate(self._source.format.labels)}

    def _count(self, reader: FileReader) -> Input:
        """Add a raw file's lines, and return what of it is recorded."""
        number = days_since_epoch(self.day)
        self.lines.read += reader.lines
        self.lines.add(reader.neither)
        self.lines.doubled += reader.doubled
        self.lines.of_other_days += reader.others(number)
        if reader.file.day == self.day:
            self.recorded.read += reader.lines
            self.recorded.add(reader.neither)
            self.recorded.doubled += reader.doubled
            self.recorded.of_other_days += reader.others(number)
            return reader.input(number)
        part = reader.part(number)
        self.recorded.read += part.lines
        self.recorded.add(part.neither)
        self.recorded.of_other_days += part.others
        content, of_day = part.end.content(), part.lines - part.neither.total() - part.others
        return Input(reader.file.name, content.bytes, None, part.lines, content, of_day)

    def _judge(self, readers: Sequence[FileReader]) -> None:
        lines, source = self.lines, self._source
        if not source.shard:  # of which nobody knows how much of a day's lines it has
            judge_lines(source, self.day, lines.kept + lines.rejected, lines.read)
            self._judge_rejects(lines.kept, lines.rejected, readers)
            judge_noise(source, self.day, lines.noise, lines.of_requests)
        judge_applications(source, self.day, len(self._applications))

    def _judge_rejects(self, kept: int, rejected: int, readers: Sequence[FileReader], which: str = "") -> None:
        judge_rejects(
            *(self._source, self.day, kept, rejected),
            reasons=dict(self.lines.reasons.most_common()),
            examples=self.lines.examples,
            statuses=self._answers.shown if self._answers.lost else {},
            advice=lambda: self._advice(readers),
            which=which,
        )

    def _incomplete(self, readers: Sequence[FileReader]) -> str | None:
        """Say which files and hours the day lacks, what it has twice, and what no day counts; None for nothing.

        Raises:
            InputError: It is something that luigi.cfg has fail.
        """
        source, bad = self._source, self._source.severities
        files = [reader.file for reader in readers]
        lacking, gaps = self._lacking(files)
        flaws = [
            Flaw(
                ", ".join(map(str, lacking)), bad.fewer_files, "Bring what is missing, or correct expected_files"
            ),
            Flaw(", ".join(map(str, gaps)), Severity.WARN, ""),
            *([] if source.shard else [silence(source, self._by_hour.tolist())]),
            Flaw(
                "; ".join(f"{', '.join(names)} have the same content" for names in self._doubled(readers)),
                bad.duplicate_files,
                "Take one away, or have files name only one",
            ),
            Flaw(_repeated(readers), bad.repeated_lines, "Bring each file once, or set duplicates = lines"),
            *([] if source.shard else [lost_answers(source, self._answers)]),
            Flaw(self._uncounted(readers), bad.uncounted_lines, self._advice_to_count(readers)),
            Flaw(_untold(readers, self.day), Severity.WARN, ""),
            Flaw(self._lost(files), bad.lost_lines, "Bring what is missing, or take sequence out"),
            Flaw(self._missing_fields(readers), bad.missing_fields, "Correct fields"),
        ]
        return judge_flaws(source, self.day, flaws)

    def _lost(self, files: Sequence[RawFile]) -> str:
        """Say which lines hosts have numbered that never came, of a source whose lines have such numbers."""
        if not self._source.sequence:
            return ""
        from etl.steps.sequences import lost_lines, told  # noqa: PLC0415 - most have none

        return told(lost_lines(self._source, self._source.sequence, days_since_epoch(self.day), files))

    def _lacking(self, files: Sequence[RawFile]) -> tuple[list[Lack], list[Lack]]:
        """Return the gaps among the files that were read for which the day should have waited, and the others."""
        read = set() if self._source.shard else {*self._source.days_read(self.day)}

        def find(day: date) -> list[RawFile]:
            there = [each for each in files if each.day in {day, None}]
            return there if day in read else self._source.files.find(day)

        lacking = self._source.lacking(self.day, find)
        return lacking, [each for each in self._source.gaps(self.day, find) if each not in lacking]

    def _doubled(self, readers: Sequence[FileReader]) -> list[list[str]]:
        """Return the names of files that have the same content, each of which holds lines of the day."""
        number = days_since_epoch(self.day)
        names: dict[Content, list[str]] = {}
        for reader in readers:
            if reader.of_day(number) and not self._source.leaves_out_doubled:
                names.setdefault(reader.content, []).append(reader.file.name)
        return [each for each in names.values() if len(each) > 1]

    def _strays(self, readers: Sequence[FileReader]) -> Counter[int]:
        """Return how many requests of its own files are of other days within a week, by day."""
        number = days_since_epoch(self.day)
        return Counter({n: count for n, count in self._of_others(readers).items() if abs(n - number) <= FARTHEST})

    def _of_others(self, readers: Sequence[FileReader]) -> Counter[int]:
        found: Counter[int] = Counter()
        for reader in readers:
            if reader.file.day == self.day:
                found.update(reader.strays)
        return found

    def _uncounted(self, readers: Sequence[FileReader]) -> str:
        strays = {n: count for n, count in self._of_others(readers).items() if self._source.is_active(date_of(n))}
        near = {n: count for n, count in sorted(strays.items()) if n in self._strays(readers)}
        rows = self._source.rows_are
        found = [f"{count:,} {rows} of {date_of(n)}" for n, count in near.items()]
        if far := sum(strays.values()) - sum(near.values()):
            found.append(f"{far:,} {'' if near else f'{rows} '}of days more than a week away")
        does = f" ({self._mending(readers)} does)" if near else ""
        return f"its files hold {', '.join(found)}, which no day counts{does}" if found else ""

    def _missing_fields(self, readers: Sequence[FileReader]) -> str:
        """Say which fields no record of the day has, though columns that may be NULL are read from them."""
        if not (self._source.records and self.kept.rows):
            return ""
        number, found = days_since_epoch(self.day), list[str]()
        for column in {name: None for each in readers for name in each.days_of_fields}:
            if not any(number in each.days_of_fields.get(column, ()) for each in readers):
                field = self._source.records.fields[column]
                found.append(
                    f"no record has the key {field!r} for {column} (if none is to: fields = {column} = -)"
                )
        return "; ".join(found)

    def _mending(self, readers: Sequence[FileReader]) -> str:
        """Return the setting by which all requests are counted."""
        number = days_since_epoch(self.day)
        strays = [day - number for day in self._strays(readers)]
        first, last = self._source.covers
        return f"covers = {min([first, *strays])} to {max([last, *strays])}"

    def _advice_to_count(self, readers: Sequence[FileReader]) -> str:
        return f"Set {self._mending(readers)}" if self._strays(readers) else "Correct the file's name, or files"

    def _advice(self, readers: Sequence[FileReader]) -> str:
        if self.lines.reasons.most_common(1)[0][0] == "wrong_day":
            if not self._strays(readers):
                return "They are of days more than a week from the date in the file's name: check files."
            return f"The log is not cut at UTC midnight: set {self._mending(readers)} (now {self._source.reach})."
        if self._source.records:
            return self._advice_on_records()
        if any(map(WITHOUT_YEAR.search, self.lines.examples)):
            key = "timezone" if self._source.files.is_dated or self._source.year else "year and timezone"
            return f"Their times have no year and no offset: set {key}."
        if self._source.format.has(Role.BESIDE) and not self._source.noise:
            what = f"noise = {name}" if (name := self._source.format.name) in BUILT_IN else "noise"
            return f"Are they second records of requests, or about the server itself? Then declare {what}."
        return f"Is it really format {self._source.format.name}?"

    def _advice_on_records(self) -> str:
        made = self.kept.contract
        if self.lines.reasons.most_common(1)[0][0] == "key":
            return (
                f"Records share a key ({', '.join(made.key)}): is a file there twice, or does the key in the "
                f"contract of {made.name} lack a column?"
            )
        return f"Check format and fields in [source.{self._source.declared_as}], and the contract of {made.name}."


def _repeated(readers: Sequence[FileReader]) -> str:
    """Say which files have runs of requests that an earlier one has, too; empty for none."""
    samples: dict[Content, tuple[str, Sample]] = {}
    for each in readers:
        if each.sample:  # what has the same content is said already
            samples.setdefault(each.content, (each.file.name, each.sample))
    found = [
        f"about {count:,} requests of {name} are in {earlier}, too"
        for name, earlier, count in repeated([*samples.values()])
    ]
    return "; ".join(found[:EXAMPLES]) + (
        f"; and so in {len(found) - EXAMPLES:,} more" if found[EXAMPLES:] else ""
    )


def _untold(readers: Sequence[FileReader], day: date) -> str:
    """Say which times of a day may be an hour off; empty for none."""
    found = [f"{each} in {reader.file.name}" for reader in readers for each in reader.untold(day)]
    more = f" and {len(found) - 1:,} more" if found[1:] else ""
    return f"times that clocks showed twice may be an hour off: {found[0]}{more}" if found else ""


def hours_of(requests: pa.Table, day: date) -> npt.NDArray[np.int64]:
    """Return how many requests of a UTC day were in each of its 24 hours."""
    begin = days_since_epoch(day) * HOURS
    of_hours = np.zeros(HOURS, np.int64)
    for chunk in requests["ts"].chunks:
        times = arrays.to_numpy(chunk.cast(pa.int64()))
        # as in most logs: then no time has to be divided
        if len(times) > MANY_TIMES and (times[1:] >= times[:-1]).all():
            of_hours += np.diff(np.searchsorted(times, (begin + np.arange(HOURS + 1)) * MICROSECONDS_AN_HOUR))
        else:
            of_hours += np.bincount(times // MICROSECONDS_AN_HOUR - begin, minlength=HOURS)
    return of_hours


def count_of(text: str, texts: pa.Array) -> int:
    """Return how often a text occurs among some."""
    if not pa.types.is_dictionary(texts.type):
        found: list[str] = texts.to_pylist()
        return found.count(text)
    places = [n for n, each in enumerate(texts.dictionary.to_pylist()) if each == text]
    return sum(int(np.count_nonzero(arrays.to_numpy(texts.indices) == place)) for place in places)


def _distinct(texts: pa.Array) -> list[str]:
    """Return the different texts of some; those of a dictionary need not all occur."""
    if not pa.types.is_dictionary(texts.type):
        found: list[str] = texts.unique().to_pylist()
        return found
    occurs = np.bincount(arrays.to_numpy(texts.indices), minlength=len(texts.dictionary)) > 0
    return [text for text, does in zip(texts.dictionary.to_pylist(), occurs.tolist(), strict=True) if does]
