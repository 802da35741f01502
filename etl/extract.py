"""The extraction step: one source's raw lines of one UTC day, published as `requests` and `rejects`."""

import hashlib
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import chain

import numpy as np
import pyarrow as pa

from etl import parse
from etl.parse import ACCEPTED, ParsedLines
from etl.raw_files import RawFile, RawReader
from etl.sources import Source
from etl.timestamps import NO_DAY
from lake.contracts import contract
from lake.contracts.rejects import REASONS
from lake.errors import ContractViolation, InputError
from lake.lake import Lake
from lake.parquet import PartitionWriter
from lake.partition import Partition
from lake.provenance import FIRST, Check, Input, Provenance, Revision, code_version

EPOCH = date(1970, 1, 1)
EXAMPLES = 2
EXAMPLE_CHARACTERS = 100


@dataclass
class Lines:
    """How many raw lines became what. Each number is counted on its own, so that the law can fail."""

    read: int = 0
    kept: int = 0
    rejected: int = 0
    of_other_days: int = 0
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
        if self.read != self.kept + self.rejected + self.of_other_days:
            raise ContractViolation(
                f"{self.read} lines read, but {self.kept} kept, {self.rejected} rejected and "
                f"{self.of_other_days} of other days: lines were lost. Nothing was published; report this."
            )
        return Check("lines_read = rows + rejects + lines_of_other_days", f"{self.read} lines")


def extract_day(lake: Lake, source: Source, day: date, revision: Revision = FIRST) -> Lines:
    """Read one day of a source and publish its requests and rejects.

    The rejects go first: the requests of a day are there only if its rejects are. Both are idempotent.

    Returns:
        How many lines became what.

    Raises:
        InputError: No line of the day, a broken file, or more rejects than max_reject_rate.
        ContractViolation: The rows break their contract.
        PartitionExists: The day is published with other bytes.
        StoreError: The lake can't be written.
    """
    with (
        lake.staging() as folder,
        lake.writer(contract("requests"), day, folder) as kept,
        lake.writer(contract("rejects"), day, folder) as rejected,
    ):
        extraction = _Extraction(source, day, kept, rejected)
        inputs = tuple(extraction.read(file) for file in source.find_files(day))
        lines = extraction.finish()
        recorded = extraction.recorded
        staged = []
        for writer in (rejected, kept):
            made = writer.contract
            partition = Partition(made.name, made.version, day, source.name, revision.number)
            footer = Provenance(
                dataset=made.name,
                version=made.version,
                dt=day.isoformat(),
                source=source.name,
                revision=revision.number,
                inputs=inputs,
                rows_read=recorded.read,
                rows_kept=recorded.kept,
                rows_rejected=recorded.rejected,
                rows_of_other_days=recorded.of_other_days,
                code_version=code_version(),
                checks=(recorded.check(), Check("contract", "every row")),
                source_sha256=source.settings_sha256,
                supersedes=lake.superseded(partition),
                reason=revision.reason,
            )
            staged.append((partition, writer.finish(footer)))
        for partition, file in staged:
            lake.publish(partition, file)
    return lines


@dataclass
class _Extraction:
    """One day of one source in the making: reads raw files, writes the day's lines, counts them all.

    `recorded` is what goes into the provenance: of a file that may still grow, no more than up to the day's
    last line, so that the bytes published don't depend on when it was read.
    """

    source: Source
    day: date
    kept: PartitionWriter
    rejected: PartitionWriter
    lines: Lines = field(default_factory=Lines)
    recorded: Lines = field(default_factory=Lines)

    def read(self, file: RawFile) -> Input:
        """Read one raw file to its end."""
        reader = RawReader(file, self.source.files.endpoint_url)
        own_day = _days_since_epoch(file.day) if file.day else None
        part = _Part()
        for block in reader.blocks():
            parsed = parse.parse_lines(parse.split_lines(block), self.source.format)
            if own_day is None:
                own_day = self._first_day(file, parsed)
            parsed = place(parsed, own_day, self.source.neighbour_days if file.day else None)
            self._write(parsed, file, part.lines + 1)
            part.add(block, parsed, _days_since_epoch(self.day))
        self.lines.read += reader.lines
        self.lines.of_other_days += part.other_lines
        if file.day == self.day:
            self.recorded.read += reader.lines
            self.recorded.of_other_days += part.other_lines
            return reader.input()
        self.recorded.read += part.lines_to_last
        self.recorded.of_other_days += part.other_lines_to_last
        return Input(file.name, part.bytes_to_last, part.sha256_to_last, part.lines_to_last)

    def finish(self) -> Lines:
        """Judge the day by its lines, and return how many became what.

        Raises:
            InputError: There are none, or too many are rejects.
        """
        lines, source = self.lines, self.source
        for counted in (lines, self.recorded):
            counted.kept, counted.rejected = self.kept.rows, self.rejected.rows
            counted.check()
        of_day = lines.kept + lines.rejected
        if not of_day and not source.allow_empty:
            raise InputError(
                f"no input: source {source.name} has not one line of {self.day} (looked through {lines.read:,} "
                f"lines of {source.files.of_day(self.day)}). If a day without requests is right for it, set "
                "allow_empty = true."
            )
        if of_day and lines.rejected / of_day > source.max_reject_rate:
            raise InputError(
                f"source {source.name}, {self.day}: {lines.rejected:,} of {of_day:,} lines are rejects "
                f"({', '.join(f'{n:,} {reason}' for reason, n in lines.reasons.most_common())}), more than "
                f"max_reject_rate = {source.max_reject_rate:g} allows. {self._advice()} "
                f"First ones: {'; '.join(lines.examples)}"
            )
        return lines

    def _write(self, parsed: ParsedLines, file: RawFile, first_line_number: int) -> None:
        of_day = parsed.days == _days_since_epoch(self.day)
        accepted = parsed.reasons == ACCEPTED
        rejects = parse.rejects_table(parsed, of_day & ~accepted, file.name, first_line_number)
        self.kept.write(parse.requests_table(parsed, of_day & accepted, self.source.classifier))
        self.rejected.write(rejects)
        self.lines.note(rejects)

    def _first_day(self, file: RawFile, parsed: ParsedLines) -> int:
        """Return an undated file's first day: in its first block as a rule, else look ahead."""
        ahead = RawReader(file, self.source.files.endpoint_url).blocks()
        later = (parse.parse_lines(parse.split_lines(block), self.source.format) for block in ahead)
        for each in chain([parsed], later):
            readable = each.days[each.days != NO_DAY]
            if len(readable):
                return int(readable[0])
        raise InputError(
            f"{file.name}: no line has a timestamp of format {self.source.format.name}, so no line's day can be "
            f"told. Check format and files in [source.{self.source.name}]."
        )

    def _advice(self) -> str:
        if self.lines.reasons.most_common(1)[0][0] == "wrong_day":
            return f"The log is not cut at UTC midnight: raise neighbour_days (now {self.source.neighbour_days})."
        return f"Is it really format {self.source.format.name}?"


class _Part:
    """Counts a raw file's lines, and digests it up to and including the last line of the day.

    `lines` and `other_lines` are of all that was added, the rest `_to_last`.
    """

    def __init__(self) -> None:
        self.lines = self.other_lines = self.lines_to_last = self.other_lines_to_last = self.bytes_to_last = 0
        self._digest = hashlib.sha256()
        self._bytes = 0
        self.sha256_to_last = self._digest.hexdigest()

    def add(self, block: bytes, parsed: ParsedLines, day: int) -> None:
        """Add a block of lines, of which those of `day` (days since 1970-01-01) are the day's."""
        of_day = np.flatnonzero(parsed.days == day)
        end = 0
        if len(of_day):
            count = int(of_day[-1]) + 1
            end = parsed.lines.slice(0, count).total_values_length
            self._digest.update(block[:end])
            self.sha256_to_last = self._digest.hexdigest()
            self.bytes_to_last = self._bytes + end
            self.lines_to_last = self.lines + block.count(b"\n", 0, end) + (block[end - 1 : end] != b"\n")
            self.other_lines_to_last = self.other_lines + count - len(of_day)
        self._digest.update(block[end:])
        self._bytes += len(block)
        self.lines += len(parsed.lines)
        self.other_lines += len(parsed.lines) - len(of_day)


def place(parsed: ParsedLines, own_day: int, reach: int | None) -> ParsedLines:
    """Give every line of a raw file a day, so that each is of one day and some day reads it.

    Args:
        parsed: A block of its lines.
        own_day: The file's day (the first one in it, for an undated file), in days since 1970-01-01: a line
            whose time can't be read counts for it.
        reach: How many days from own_day a line may be, or None for any. One that is farther is read by no
            other day, so it is a reject of own_day.
    """
    readable = parsed.days != NO_DAY
    far = readable & (np.abs(parsed.days - own_day) > reach) if reach is not None else np.zeros_like(readable)
    return replace(
        parsed,
        days=np.where(readable & ~far, parsed.days, own_day),
        reasons=np.where(far & (parsed.reasons == ACCEPTED), REASONS.index("wrong_day"), parsed.reasons),
    )


def _days_since_epoch(day: date) -> int:
    return (day - EPOCH).days
