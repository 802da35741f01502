"""From blocks of raw lines to batches of a dataset's rows and rejects, as BlockParser does it for access logs.

    lines ── csv_lines, ndjson, table_lines ──► fields of records ── types ──► values ── where, day, rules ──► rows
      └────────────► lines that are no record, each with its reason ◄─────────────────┘

Each line of a file is one of a row, a reject, a record of another day, noise, a header, or a line that goes on in
the next one. A record of several lines is where its last line is; so what a file was up to there has all of it.
"""

from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from etl.lines import parse, privacy
from etl.lines.batches import Batch, Days, Ends, last_of_each, placed
from etl.lines.blocks import LINES_A_PIECE, LOOK_BYTES, NO_WRAPPING, lines_of
from etl.lines.envelopes import NO_BYTES, Inner, Wrapping
from etl.lines.parse import ACCEPTED, CONTINUED, NOISE
from etl.lines.statuses import NO_STATUS
from etl.lines.timestamps import DAY_MICROSECONDS, NO_DAY, Booleans, Integers
from etl.raw.reading import LINE_FEED, lines_in
from etl.records import masks, types
from etl.records.csv_lines import CsvReader
from etl.records.ndjson import JsonReader
from etl.records.records import CSV, DAY, EXCEL, NDJSON, NO_FIELD, Records
from etl.records.table_lines import TableReader
from etl.records.taken import A_RECORD, Taken
from etl.records.types import FINE, MISSING, TYPE, VALUE, Typed
from lake.contract import Column
from lake.contracts.rejects import REASONS
from lake.errors import InputError
from lake.memory.arrays import array, filled, numbers, stream, to_numpy
from lake.memory.database import connected

RULE = REASONS.index("rule")
OF_DAY = Column(DAY, pa.date32(), "day", "The record's UTC day")


class RecordParser:
    """Takes the blocks of one raw file apart, one after the other.

    Attributes:
        plain_lines: None, for there is but one way to read records.
    """

    plain_lines = 0

    def __init__(  # noqa: PLR0913 - what may be noted of the lines on the way
        self,
        records: Records,
        days: Days,
        *,
        ends: Ends | None = None,
        wrapping: Wrapping = NO_WRAPPING,
        own_day: int | None = None,
        name: str = "",
    ) -> None:
        """Take what a file's records are, and of which days they may be.

        Args:
            records: How they are written, and what they become.
            days: A record of another one is a reject, and one of a day that isn't wanted has no row.
            ends: What Batch.ends is noted by; None for where nobody asks for it.
            wrapping: What is taken off the lines before they are read.
            own_day: The file's own day since 1970-01-01: that of records that don't tell one.
            name: The file's name, for messages.
        """
        self._records = records
        self._days = days
        self._ends = ends
        self._wrapping = wrapping
        self._own_day = own_day
        self._name = name
        columns = records.contract.columns
        self._time = next((at for at, each in enumerate(columns) if each.name == records.contract.time), -1)
        self._wanted = {each.name: _values(records, each) for each in columns if each.name in dict(records.where)}
        self._reader = _reader(records)

    def batches(self, blocks: Iterable[memoryview]) -> Iterator[Batch]:
        """Yield what a file's lines are.

        Args:
            blocks: Whole lines. A block is done with when the next one is asked for.

        Raises:
            InputError: The header of CSV doesn't name a field that is wanted, or no record tells its day.
        """
        rest: Inner | None = None
        for inner in self._inners(blocks):
            rest = yield from self._taken(inner if rest is None else _joined(rest, inner), is_last=False)
        if rest is not None:
            yield from self._taken(rest, is_last=True)

    def lines_in(self, block: memoryview) -> int:
        """Return how many lines a block has."""
        return lines_in(block)

    def _inners(self, blocks: Iterable[memoryview]) -> Iterator[Inner]:
        """Yield the lines of blocks without their envelopes."""
        if self._wrapping.envelopes:
            yield from self._wrapping.taken_off(blocks)
            return
        none = np.empty(0, np.int64)
        for block in blocks:
            yield Inner(block, none, memoryview(b""), none, none, NO_BYTES)

    def _taken(self, inner: Inner, *, is_last: bool) -> Generator[Batch, None, Inner | None]:
        """Yield what lines are, and return those of a record that may go on after them, None for none."""
        if self._ends and self._wrapping.envelopes:
            self._ends.follow(inner)
        begin, count, most = 0, 0, LINES_A_PIECE
        while begin < len(inner.block):
            piece, starts = _piece(inner.block[begin:], most)
            ends_block = begin + len(piece) == len(inner.block)
            continued = inner.continued[(inner.continued >= count) & (inner.continued < count + len(starts) - 1)]
            taken = self._take(lines_of(piece, starts), continued - count, is_last=is_last and ends_block)
            used = len(taken.kinds)
            if used:
                yield self._batch(piece[: starts[used]], starts[: used + 1], taken)
                begin, count = begin + int(starts[used]), count + used
            elif ends_block:
                return _rest(inner, begin, count)
            # else what is looked at again and again would be most of it
            most = LINES_A_PIECE if 2 * used >= len(starts) - 1 else most * 2
        return None

    def _take(self, lines: pa.BinaryArray, continued: Integers, *, is_last: bool) -> Taken:
        """Return what lines are, of which some go on in another one, since an envelope cut them in parts."""
        if not len(continued):
            return self._read(lines, is_last=is_last)
        kept = np.delete(np.arange(len(lines)), continued)
        taken = self._read(lines.take(numbers(kept)), is_last=is_last)
        used = len(taken.kinds)
        kinds = np.full(len(lines) if used == len(kept) else kept[used], CONTINUED, np.int64)
        kinds[kept[:used]] = taken.kinds
        return replace(taken, kinds=kinds)

    def _read(self, lines: pa.BinaryArray, *, is_last: bool) -> Taken:
        try:
            taken = self._reader.take(lines, is_last=is_last)
        except InputError as error:
            raise InputError(f"{self._name}: {error}") from error
        fields, lacking, unfit = list(taken.fields), list(taken.lacking), list(taken.unfit)
        for place in self._records.places_without_field:
            fields.insert(place, pa.nulls(int(np.count_nonzero(taken.kinds == A_RECORD)), pa.string()))
            for each in filter(None, (lacking, unfit)):
                each.insert(place, None)
        return replace(taken, fields=fields, lacking=lacking, unfit=unfit)

    def _batch(self, piece: memoryview, starts: npt.NDArray[np.int32], taken: Taken) -> Batch:
        """Return what whole records and other lines become."""
        contract, kinds = self._records.contract, taken.kinds.copy()
        places = np.flatnonzero(kinds == A_RECORD)
        found = [
            types.typed(_clean(texts) if column.is_url_path else texts, column, self._records.timezone)
            for column, texts in zip(contract.columns, taken.fields, strict=False)
        ]
        of_day = self._of_day(taken, found, len(places))
        for each, unfit in zip([*found, of_day], taken.unfit, strict=False):
            if unfit is not None:
                each.flaws[unfit] = TYPE
        reasons = self._reasons([*found, of_day])
        stored = [each.values for each, column in zip(found, contract.columns, strict=True) if not column.personal]
        rows = pa.Table.from_arrays(stored, schema=contract.schema)
        reasons[reasons == ACCEPTED] = self._judged(filtered(rows, reasons == ACCEPTED))
        days = np.where(reasons == NOISE, NO_DAY, to_numpy(of_day.values))
        days, reasons, strays = placed(days, reasons, self._days)
        accepted = reasons == ACCEPTED
        chosen = accepted & self._days.of_rows.have(days)
        elsewhere = places[accepted & ~chosen]
        kinds[places] = reasons
        days_of_lines, strays_of_lines = (np.full(len(kinds), NO_DAY) for _ in range(2))
        days_of_lines[places], strays_of_lines[places] = days, strays
        others = np.flatnonzero(kinds != ACCEPTED)
        rejected = np.flatnonzero(reasons > ACCEPTED)
        masked = self._masked(lines_of(piece, starts), taken, [*found, of_day], rejected, others)
        ends = {}
        if self._ends:
            counted = kinds > ACCEPTED
            counted[places[chosen]] = True
            lasts = last_of_each(days_of_lines, np.flatnonzero(counted))
            offsets = starts[np.array(lasts, np.int64) + 1].tolist()
            ends = dict(zip(lasts, self._ends.note(piece, offsets), strict=True))
        return Batch(
            len(kinds),
            filtered(rows, chosen),
            days[chosen],
            elsewhere,
            days_of_lines[elsewhere],
            others,
            masked,
            kinds[others],
            np.full(len(others), NO_STATUS, np.int64),
            days_of_lines[others],
            strays_of_lines[others],
            ends=ends,
            days_of_fields=self._days_of_fields(taken, days, chosen),
        )

    def _days_of_fields(self, taken: Taken, days: Integers, chosen: Booleans) -> dict[str, set[int]]:
        """Return the days on which rows have the field of each column that may be NULL; see Batch."""
        found: dict[str, set[int]] = {}
        for column, lacking in zip(self._records.contract.columns, taken.lacking, strict=False):
            if column.nullable:
                found[column.name] = {*np.unique(days[chosen if lacking is None else chosen & ~lacking]).tolist()}
        return found

    def _of_day(self, taken: Taken, found: Sequence[Typed], count: int) -> Typed:
        """Return the day of each record, NO_DAY where it can't be told, and what is wrong with those."""
        records = self._records
        if records.day_field is not None:
            return types.days(taken.fields[-1], records.timezone)
        if records.contract.time:
            time = found[self._time]
            there = to_numpy(time.values.is_valid())
            moments = to_numpy(filled(time.values.view(pa.int64()), 0))
            missing = np.where((time.flaws == FINE) & ~there, MISSING, time.flaws)
            return Typed(numbers(np.where(there, moments // DAY_MICROSECONDS, NO_DAY)), missing)
        if self._own_day is None:
            raise InputError(
                f"nothing tells the day of a record of {records.contract.name}: it has no time, fields has no "
                f"{DAY}, and the file's name no date. Say in fields which one has it, as {DAY} = FIELD, or put "
                "{YYYY}{MM}{DD} into files."
            )
        return Typed(numbers(np.full(count, self._own_day)), np.full(count, FINE))

    def _reasons(self, found: Sequence[Typed]) -> Integers:
        """Return why records are no rows, as far as each column tells by itself: the later, the stronger."""
        reasons = np.full(len(found[0].flaws), ACCEPTED, np.int64)
        flawed = [each.flaws for each in found if (each.flaws != FINE).any()]
        for flaw in (VALUE, MISSING, TYPE):
            for flaws in flawed:
                reasons[flaws == flaw] = flaw
        for column, each in zip(self._records.contract.columns, found, strict=False):
            if column.name in self._wanted:
                others = ~to_numpy(pc.is_in(each.values, self._wanted[column.name]))
                reasons[others & ((each.flaws == FINE) | (each.flaws == VALUE))] = NOISE
        return reasons

    def _judged(self, rows: pa.Table) -> Integers:
        """Return RULE for rows that break a rule of the contract, ACCEPTED for the others."""
        contract = self._records.contract
        if not contract.rules or not rows.num_rows:
            return np.full(rows.num_rows, ACCEPTED, np.int64)
        with connected(rows.nbytes) as connection:
            connection.register("records_to_judge", stream(rows))
            query = contract.judged("select * from records_to_judge")
            judged = connection.execute(f"select keeps_rules from ({query})").to_arrow_table()  # noqa: S608 - of the contract
        return np.where(to_numpy(judged["keeps_rules"]), ACCEPTED, RULE)

    def _masked(
        self, lines: pa.BinaryArray, taken: Taken, found: Sequence[Typed], rejected: Integers, others: Integers
    ) -> pa.StringArray:
        """Return what may be kept of lines that are no rows: nothing of those that are no rejects.

        Args:
            lines: All lines.
            taken: What they are.
            found: The columns, and the day, of those that are records.
            rejected: Which of these are rejects.
            others: Which of the lines are no rows.
        """
        kept = np.full(len(lines), "", object)
        whole = np.flatnonzero(taken.kinds > A_RECORD)
        if len(whole):
            kept[whole] = privacy.mask_lines(lines.take(numbers(whole)), ()).to_pylist()
        if len(rejected):
            columns = [*self._records.contract.columns, *([OF_DAY] if self._records.day_field else [])]
            places = np.flatnonzero(taken.kinds == A_RECORD)[rejected]
            kept[places] = masks.masked(columns, taken.fields, found[: len(columns)], rejected)
        return array(kept[others].tolist(), pa.string())


def _reader(records: Records) -> CsvReader | JsonReader | TableReader:
    """Return what reads a file's records."""
    fields, kinds = zip(*records.read_fields, strict=True)
    if records.shape == CSV:
        return CsvReader(fields, records.delimiter)
    if records.shape == NDJSON:
        return JsonReader(fields, [each == pa.float64() for each in kinds])
    columns = [name for name, field in records.fields.items() if field != NO_FIELD]
    named = zip([*columns, DAY], kinds, strict=False)
    return TableReader(fields, [*named], has_header_row=records.shape == EXCEL)


def _clean(paths: pa.StringArray) -> pa.StringArray:
    """Return URL paths as they may be kept, as those of requests are."""
    return parse.clean_paths(paths.view(pa.binary()))


def _values(records: Records, column: Column) -> pa.Array:
    """Return the values that a column must have."""
    texts = [text for name, text in records.where if name == column.name]
    return types.read(array(texts, pa.string()), column.type, records.timezone)[0]


def filtered(rows: pa.Table, which: Booleans) -> pa.Table:
    """Return some rows of a table."""
    return rows if which.all() else rows.filter(numbers(which))


def _piece(block: memoryview, most: int) -> tuple[memoryview, npt.NDArray[np.int32]]:
    """Return the first lines of a block, so many at the most, and where each begins and the last one ends."""
    data = np.frombuffer(block, np.uint8)
    starts, count, end = [np.zeros(1, np.int32)], 0, 0
    while end < len(data) and count < most:
        found = np.flatnonzero(data[end : end + LOOK_BYTES] == LINE_FEED).astype(np.int32) + np.int32(end + 1)
        starts.append(found)
        count, end = count + len(found), min(end + LOOK_BYTES, len(data))
    ends = np.concatenate(starts)[: most + 1]
    if len(ends) <= most and ends[-1] != len(data):
        ends = np.append(ends, np.int32(len(data)))
    return block[: int(ends[-1])], ends


def _rest(inner: Inner, size: int, count: int) -> Inner:
    """Return what follows so many bytes and lines, in memory of its own."""
    raw_size = int(inner.raw_ends[count - 1]) if count and len(inner.raw_ends) else 0
    return Inner(
        memoryview(bytes(inner.block[size:])),
        inner.ends[count:] - size,
        memoryview(bytes(inner.raw[raw_size:])),
        inner.raw_ends[count:] - raw_size,
        inner.continued[inner.continued >= count] - count,
        NO_BYTES,
    )


def _joined(one: Inner, other: Inner) -> Inner:
    """Return lines, and those that follow them."""
    return Inner(
        memoryview(bytes(one.block) + bytes(other.block)),
        np.append(one.ends, other.ends + len(one.block)),
        memoryview(bytes(one.raw) + bytes(other.raw)),
        np.append(one.raw_ends, other.raw_ends + len(one.raw)),
        np.append(one.continued, other.continued + len(one.ends)),
        NO_BYTES,
    )
