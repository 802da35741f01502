"""A day's published rejects, read again from their raw files by today's code and settings."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from etl.lines.batches import Days, placed
from etl.lines.parse import ACCEPTED, DIRECTIVE, NOISE, Parser, requests_table, split_lines
from etl.lines.privacy import mask_line
from etl.raw.files import RawFile
from etl.raw.reading import RawReader
from etl.sources.source import Source
from lake.contracts import contract
from lake.contracts.rejects import REASONS
from lake.errors import StoreError
from lake.lake import Lake
from lake.memory.arrays import numbers, scalar, to_numpy
from lake.partition import Partition, date_of, days_since_epoch

GONE = "the raw file is not there, or files no longer matches it"
CHANGED = "the raw file has another line there now"
NO_REJECT = {DIRECTIVE: "a directive of the log", NOISE: "noise, as the source declares it"}


@dataclass(frozen=True)
class Verdict:
    """What a published reject is to today's code.

    Attributes:
        was: Why it was a reject.
        reason: Why it is one now, None if it isn't.
        row: What it would be as a request or record, None if it is none.
        neither: Why it is none of these, or why that can't be determined; None if it is one.
        line: The raw line.
        day: The day of the row.
    """

    file: str
    line_number: int
    was: str
    masked_line: str
    reason: str | None = None
    row: dict[str, Any] | None = None
    neither: str | None = None
    line: bytes = b""
    day: date | None = None


@dataclass
class Tally:
    """How many published rejects are what to today's code.

    Attributes:
        rows: How many are requests, or records.
        days: The days of those.
        first: Some of the rejects, those before others that are none any more.
    """

    rows: int = 0
    neither: int = 0
    rejects: int = 0
    days: set[date] = field(default_factory=set)
    first: list[Verdict] = field(default_factory=list)

    @property
    def total(self) -> int:
        """How many there are."""
        return self.rows + self.neither + self.rejects


def published_rejects(lake: Lake, source: Source, day: date) -> Partition:
    """Return the latest revision of a source's rejects of a day.

    Raises:
        StoreError: It is not published, or the lake can't be listed.
    """
    for partition in lake.latest_of_day(contract("rejects"), day):
        if partition.source in source.names:
            return partition
    raise StoreError(
        f"{lake.root} has no rejects of source {source.name} on {day}. Build the day first: "
        f"luigi {source.task} --source {source.name} --date {day}"
    )


def replay(lake: Lake, source: Source, partition: Partition) -> Iterator[Verdict]:
    """Yield what each published reject of a source and day is to today's code; reads each raw file once.

    Raises:
        InputError: A raw file is broken.
        StoreError: The lake, or raw files on S3, can't be read.
    """
    rejects = _rows(lake, partition)
    files = {file.name: file for file in source.find_files(partition.dt)}
    for name in pc.unique(rejects["file"]).to_pylist():
        of_file = rejects.filter(pc.equal(rejects["file"], scalar(name)))
        if name in files:
            read = _of_records if source.records else _of_file
            yield from read(source, files[name], of_file)
        else:
            yield from (Verdict(**each, neither=GONE) for each in of_file.to_pylist())


def tally(verdicts: Iterable[Verdict], limit: int) -> Tally:
    """Return how many rejects are what; `limit` says how many to keep as examples."""
    found = Tally()
    first: tuple[list[Verdict], ...] = ([], [], [])
    for each in verdicts:
        found.rows += each.row is not None
        found.neither += each.neither is not None
        found.rejects += each.reason is not None
        if each.day:
            found.days.add(each.day)
        kept = first[0 if each.row else 1 if each.neither else 2]
        if len(kept) < limit:
            kept.append(each)
    found.first = [each for kept in first for each in kept][:limit]
    return found


def restatement(lake: Lake, source: Source, day: date) -> str:
    """Return the command that builds or restates a day."""
    if any(p.source in source.names for p in lake.latest_of_day(contract(source.dataset), day)):
        return f'backfill restate --of {source.task} --source {source.name} --date {day} --reason "…"'
    return f"luigi {source.task} --source {source.name} --date {day}"


def _rows(lake: Lake, partition: Partition) -> pa.Table:
    """Return the rows of a partition of `rejects`, its columns named as the attributes of a Verdict."""
    with TemporaryDirectory() as folder:
        try:
            rows = pq.ParquetFile(lake.local_copy(partition, Path(folder))).read(contract("rejects").schema.names)
        except pa.ArrowInvalid as error:
            raise StoreError(f"{lake.root}/{partition.key} is no Parquet file: {error}") from error
    return rows.rename_columns({"reason": "was"})


def _of_file(source: Source, file: RawFile, rejects: pa.Table) -> Iterator[Verdict]:
    """Yield what the rejects of one raw file are; they are in the order of its lines."""
    line_numbers = to_numpy(rejects["line_number"])
    parser = Parser(source.format, year_begin=source.year_begin(file))
    allowed = Days.of_file(file, source.covers)
    read = 0
    raw = RawReader(file, source.files.endpoint_url).blocks()
    for block in source.wrapping.inner_blocks(raw):
        lines = split_lines(bytes(block))
        begin, end = np.searchsorted(line_numbers, [read + 1, read + len(lines) + 1])
        index = line_numbers[begin:end] - read - 1
        # what the lines of some formats mean, directives before them say
        wanted = np.union1d(index, np.flatnonzero(to_numpy(pc.starts_with(lines, b"#"))))
        parsed = parser.parse(lines.take(numbers(wanted)))
        _, reasons, _ = placed(parsed.days, parsed.reasons, allowed)
        if source.noise:
            reasons = source.noise.judged(parsed.lines, reasons)
        chosen = np.isin(wanted, index)
        rows = iter(requests_table(parsed, chosen & (reasons == ACCEPTED), source.classifier).to_pylist())
        told = rejects.slice(begin, end - begin).to_pylist()
        texts = lines.take(numbers(index)).to_pylist()
        for was, line, reason in zip(told, texts, reasons[chosen].tolist(), strict=True):
            row = next(rows) if reason == ACCEPTED else None
            yield _verdict(was, line, reason, row)
        read += len(lines)
        if read >= line_numbers[-1]:
            return
    yield from (
        Verdict(**each, neither=CHANGED) for each in rejects.filter(numbers(line_numbers > read)).to_pylist()
    )


def _of_records(source: Source, file: RawFile, rejects: pa.Table) -> Iterator[Verdict]:
    """Yield what the rejects of a file of records are; all is read: earlier lines say what later ones mean."""
    if source.records is None:
        raise TypeError(f"{source.name} is a source of requests")
    from etl.records.parser import RecordParser  # noqa: PLC0415 - most have none
    from etl.records.table_lines import shown  # noqa: PLC0415 - likewise

    was = {each["line_number"]: each for each in rejects.to_pylist()}
    texts = _lines_at(source, file, was)
    parser = RecordParser(
        source.records,
        Days.of_file(file, source.covers),
        wrapping=source.wrapping,
        own_day=days_since_epoch(file.day) if file.day else None,
        name=file.name,
    )
    read = 1
    for batch in parser.batches(RawReader(file, source.files.endpoint_url).blocks()):
        rows, others = (read + each for each in (batch.numbers_of(np.arange(len(batch.days))), batch.numbers))
        found: dict[int, dict[str, Any]] = {}
        for place in np.flatnonzero(np.isin(others, [*was])).tolist():
            reason = int(batch.reasons[place])
            is_none = reason in NO_REJECT
            found[int(others[place])] = {
                "neither": NO_REJECT[reason] if is_none else None,
                "reason": None if is_none else REASONS[reason],
            }
        for place in np.flatnonzero(np.isin(rows, [*was])).tolist():
            number = int(rows[place])
            # whether its key is there twice, it doesn't tell by itself
            found[number] = (
                {"reason": "key"}
                if was[number]["was"] == "key"
                else {
                    "row": batch.rows.slice(place, 1).to_pylist()[0],
                    "day": date_of(int(batch.days[place])),
                }
            )
        for number in sorted(found):
            line = shown(texts[number]) if file.table else texts[number]
            yield Verdict(**was.pop(number), line=line, **found[number])
        read += batch.lines
    yield from (Verdict(**each, neither=CHANGED) for each in was.values())


def _lines_at(source: Source, file: RawFile, numbers: Collection[int]) -> dict[int, bytes]:
    """Return some lines of a raw file, by their numbers from 1."""
    found: dict[int, bytes] = {}
    read = 0
    for block in source.wrapping.inner_blocks(RawReader(file, source.files.endpoint_url).blocks()):
        lines = split_lines(bytes(block))
        found |= {each: lines[each - read - 1].as_py() for each in numbers if read < each <= read + len(lines)}
        read += len(lines)
    return found


def _verdict(was: dict[str, Any], line: bytes, reason: int, row: dict[str, Any] | None) -> Verdict:
    # other versions have kept other times of it
    if mask_line(line) != mask_line(was["masked_line"].encode()):
        return Verdict(**was, neither=CHANGED)
    if reason in NO_REJECT:
        return Verdict(**was, neither=NO_REJECT[reason], line=line)
    day = row["ts"].date() if row else None
    return Verdict(**was, reason=None if row else REASONS[reason], row=row, line=line, day=day)
