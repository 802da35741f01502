"""The kernel at work: a format as its program, its outputs as batches, the plain parser for what is undecided."""

import re
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from etl.kernel import layout
from etl.kernel.machine_code import keep_portable, kernel
from etl.lines import parse, timestamps
from etl.lines.applications import Applications
from etl.lines.batches import Batch, Days, Ends, last_of_each, placed, row_numbers
from etl.lines.formats import (
    BETWEEN_TEXTS,
    FORMATS,
    HAPROXY_PREFIX,
    PREFIX_TIME,
    Alternatives,
    Delimited,
    Field,
    Format,
    Json,
    Kind,
    Logfmt,
    Ltsv,
    Role,
)
from etl.lines.noise import Neither
from etl.lines.parse import ACCEPTED, Classifier, ParsedLines, requests_table
from etl.lines.passes import offsets_of
from etl.lines.showing import MAX_LITERAL, ONE_WORD, Shown, literal_of, texts_of
from etl.raw.content import ContentDigest
from etl.raw.reading import buffer_of
from lake.contracts import contract
from lake.contracts.rejects import REASONS
from lake.contracts.requests import METHODS, TRAFFIC_CLASSES
from lake.memory.arrays import array, filled, numbers, to_numpy, whole
from lake.parquet.writer import ROW_GROUP_ROWS

OTHERS = 32_768  # of a batch that are no requests, or that the plain parser decides
ELSEWHERE = ROW_GROUP_ROWS  # of a batch that are requests of days that aren't wanted
MANY = 1000  # undecided lines of a block, which are then decided at once: to note the end of each costs more
OTHER_BYTES = 8 << 20  # what these may have in all; at least one of the longest
PATHS, PATH_BYTES = 1 << 16, 24 << 20  # how many different ones a batch may have
HOSTS, HOST_BYTES = 1 << 14, 16 << 20
AGENTS, AGENT_BYTES = 1 << 14, 16 << 20
KINDS = {
    Kind.WORD: layout.WORD,
    Kind.HOST: layout.ADDRESS,
    Kind.USER: layout.WORD,  # a name with spaces stays undecided
    Kind.PLAIN: layout.PLAIN,
    Kind.LIST: layout.LIST,
    Kind.QUOTED: layout.QUOTED,
    Kind.BRACKETED: layout.BRACKETED,
    Kind.STAMP: layout.WORD,  # as one with spaces
    Kind.NAMELESS: layout.NAMELESS,
}
ROLES = {
    Role.TIME: layout.TIME,
    Role.CLOCK: layout.CLOCK,
    Role.REQUEST: layout.REQUEST,
    Role.METHOD: layout.METHOD,
    Role.TARGET: layout.TARGET,
    Role.STATUS: layout.STATUS,
    Role.RESPONSE_BYTES: layout.RESPONSE_BYTES,
    Role.DURATION: layout.DURATION,
    Role.UPSTREAM_STATUS: layout.UPSTREAM_STATUS,
    Role.UPSTREAMS: layout.UPSTREAMS,
    Role.BESIDE: layout.BESIDE,
}
SHORTCUTS = {"common": layout.COMMON, "combined": layout.COMBINED, "vhost_combined": layout.VHOST_COMBINED}
SHAPES = {Delimited: layout.DELIMITED, Json: layout.JSON, Logfmt: layout.LOGFMT, Ltsv: layout.LTSV}
FIRST_TIME = b"01/Jan/1970:00:00:00 +0000"
FIRST_DATE = b"1970-01-01"
LINE_FEED = ord("\n")
USUAL_METHODS = ("GET", "POST", "HEAD")
Numbers = npt.NDArray[Any]
REASON_OF = np.full(layout.BAD_SHAPE + 1, ACCEPTED)  # of a line's code; that of UNDECIDED is not known yet
for _code, _reason in (
    (layout.BLANK, "blank"),
    (layout.BAD_STATUS, "status"),
    (layout.BAD_TIME, "time"),
    (layout.BAD_SHAPE, "shape"),
):
    REASON_OF[_code] = REASONS.index(_reason)
WORTH_COPYING = 8
FILLERS = {"durations": np.nan, "upstream": -1, "retried": 0}
"""What a row has in columns that its format lacks and another of several has."""
SCHEMA = pa.schema(
    field.with_type(pa.dictionary(pa.int32(), pa.string())) if pa.types.is_string(field.type) else field
    for field in contract("requests").schema
)


def program_of(log_format: Delimited, role_of: Callable[[Field], int]) -> Numbers:
    """Return a format as the kernel's program: a row a field, one for what follows, and more for long literals."""
    rows = []
    literals = log_format.unquoted
    for number, literal in enumerate(literals):
        for text, kind in _pieces(literal):
            row = np.zeros(layout.ROW, np.int64)
            row[[layout.LITERAL_BYTES, layout.LITERAL_MASK, layout.LITERAL]] = literal_of(text)
            row[layout.KIND] = kind
            rows.append(row)
        if number == len(log_format.fields):
            break
        field, after, kind = log_format.fields[number], literals[number + 1], _kind_of(log_format, number)
        row[layout.KIND], row[layout.LAST] = kind, not after
        row[layout.END] = ord((after or (" " if log_format.extra else literal) or " ")[0])
        if kind == layout.WORDS:
            row[layout.END] = ord(log_format.delimiter(number))
            row[layout.BACK] = len(after) - len(after.lstrip(" "))
        row[layout.ROLE], row[layout.SCALE] = role_of(field), field.scale
    return np.array(rows)


def _pieces(literal: str) -> Iterator[tuple[str, int]]:
    """Yield what rows have of a literal, and what follows each part: of a run of spaces any number."""
    *runs, last = re.split(" {2,}", literal)
    for part, kind in (*((f"{run} ", layout.SPACES) for run in runs), (last, layout.NOTHING)):
        begins = range(0, max(len(part), 1), MAX_LITERAL)
        for begin in begins:
            yield part[begin : begin + MAX_LITERAL], kind if begin == begins[-1] else layout.NOTHING


def _kind_of(log_format: Delimited, number: int) -> int:
    """Return how a field is written."""
    field = log_format.fields[number]
    if log_format.may_be_dash(number):
        return layout.DASHED
    if field.kind in ONE_WORD and log_format.delimiter(number) in tuple(BETWEEN_TEXTS):
        return layout.WORDS
    is_time = field.kind is Kind.BRACKETED and field.role is Role.TIME
    return layout.STAMP if is_time else KINDS[field.kind]


def _has_lists(log_format: Delimited) -> bool:
    """Tell whether it is proven where lists of several elements end.

    Between quotes and brackets, all of a list's commas belong to lists if nothing else may hold spaces; or it is
    all the same if nothing of it is read.
    """
    if log_format.extra or log_format.sure is not None:
        return False
    parts: list[list[Field]] = [[]]
    for field, after in zip(log_format.fields, log_format.literals[1:], strict=True):
        if field.kind not in {Kind.QUOTED, Kind.BRACKETED}:
            parts[-1].append(field)
        if set(after) & set('"[]'):
            parts.append([])
    return all(
        {field.kind for field in part} <= {Kind.WORD, Kind.HOST, Kind.LIST}
        or not any(field.role for field in part)
        for part in parts
        if any(field.kind is Kind.LIST for field in part)
    )


def _can_follow(log_format: Delimited) -> bool:
    """Tell whether the kernel can read lines of a format."""
    if log_format.prefix not in {"", HAPROXY_PREFIX} or not log_format.fields:
        return False
    last = len(log_format.fields) - 1
    return not (log_format.extra and _kind_of(log_format, last) in {layout.WORDS, layout.NAMELESS})


@lru_cache
def _methods() -> tuple[Numbers, list[Numbers]]:
    """Return the table of methods, the usual ones first, and the texts that it points to."""
    order = sorted(range(len(METHODS)), key=lambda number: METHODS[number] not in USUAL_METHODS)
    texts = [np.frombuffer(each.encode() + bytes(layout.PADDING), np.uint8) for each in METHODS]
    table = np.zeros((len(METHODS), layout.METHOD_ROW), np.int64)
    for row, number in zip(table, order, strict=True):
        row[layout.METHOD_AT] = texts[number].ctypes.data
        row[layout.METHOD_BYTES], row[layout.METHOD_NUMBER] = len(METHODS[number]), number
    return table, texts


def _shortcut_of(log_format: Delimited) -> int:
    """Return by which shortcut lines of a format may be read."""
    shape = (log_format.literals, log_format.fields, log_format.extra)
    for name, shortcut in SHORTCUTS.items():
        known = FORMATS[name]
        if isinstance(known, Delimited) and shape == (known.literals, known.fields, known.extra):
            return shortcut
    return layout.NONE


def _first_of(log_format: Format) -> Format:
    """Return the format that the kernel reads: of several the first, as what has not its shape is undecided."""
    return log_format.in_zone[0] if isinstance(log_format, Alternatives) else log_format


class Texts:
    """An interning table: distinct texts, in the order of first appearance.

    Args:
        texts: How many there may be before a batch is full.
        arena_bytes: Likewise, how many bytes they may have in all.
        spare: How many more there may be, found by the plain parser.
    """

    def __init__(self, texts: int, arena_bytes: int, spare: int = 0) -> None:
        self._kernel = kernel()
        slots = 2 * texts
        self._entries = np.zeros((texts + spare, 2), np.int64)
        self._slots = np.zeros(slots, np.int64)
        self._arena = np.empty(arena_bytes + spare * layout.LONGEST_PATH + layout.PADDING, np.uint8)
        self._table = np.zeros(layout.TABLE, np.int64)
        self._table[layout.SLOTS], self._table[layout.MASK] = self._slots.ctypes.data, slots - 1
        self._table[layout.ENTRIES], self._table[layout.ENOUGH] = self._entries.ctypes.data, texts
        self._table[layout.ARENA] = self._arena.ctypes.data
        self._table[layout.ARENA_END] = self._arena.ctypes.data + arena_bytes
        self.address = self._table.ctypes.data

    def clear(self) -> None:
        """Forget all texts."""
        if len(self):
            self._slots[:] = 0
            self._table[layout.COUNT] = 0
        self._table[layout.ARENA] = self._arena.ctypes.data

    def __len__(self) -> int:
        return int(self._table[layout.COUNT])

    def values(self) -> pa.BinaryArray:
        """Return the texts."""
        count = len(self)
        size = int(self._entries[:count, 1].sum())
        offsets = np.empty(count + 1, np.int32)
        data = np.empty(size + layout.PADDING, np.uint8)
        self._kernel(layout.GATHER, self._entries.ctypes.data, count, offsets.ctypes.data, data.ctypes.data)
        return texts_of(offsets, data[:size])

    def numbers_of(self, paths: pa.StringArray) -> Numbers:
        """Return the numbers of up to OTHERS paths as they may be kept, NO_ID for NULL; new ones are added."""
        found = np.full(len(paths), layout.NO_ID, np.int32)
        there = np.flatnonzero(to_numpy(paths.is_valid()))
        texts = pc.drop_null(paths).to_pylist()
        offsets = np.zeros(len(texts) + 1, np.int32)
        np.cumsum([len(each) for each in texts], out=offsets[1:])
        data = np.frombuffer("".join(texts).encode() + bytes(layout.PADDING), np.uint8)
        of_texts = np.empty(len(texts), np.int32)
        addresses = (each.ctypes.data for each in (offsets, data, of_texts))
        self._kernel(layout.INTERN, self.address, len(texts), *addresses)
        found[there] = of_texts
        return found


class Workspace:
    """The memory that the kernel writes to: of use for lines of any format, lent to one file after the other."""

    _idle: ClassVar[list["Workspace"]] = []

    def __init__(self) -> None:
        self.ring = np.zeros(layout.RING_LINES * layout.LINE_ROW, np.uint8)
        self.others = np.zeros((OTHERS, layout.OTHER_ROW), np.int64)
        self.other_texts = np.empty(OTHER_BYTES, np.uint8)
        self.elsewhere = np.empty((ELSEWHERE, layout.ELSEWHERE_ROW), np.int64)
        self.scratch = np.empty(layout.SCRATCH_BYTES, np.uint8)
        self.unread = np.empty(ROW_GROUP_ROWS, np.int64)  # where columns are written that nobody reads
        self.paths = Texts(PATHS, PATH_BYTES, OTHERS)
        self.hosts = Texts(HOSTS, HOST_BYTES)
        self.agents = Texts(AGENTS, AGENT_BYTES)
        self.columns: dict[str, Numbers] = {}  # those of a batch that was copied

    def column(self, name: str, kind: Any) -> Numbers:  # noqa: ANN401 - numpy's types of elements
        """Return memory for a column of a batch."""
        column = self.columns.pop(name, None)
        return np.empty(ROW_GROUP_ROWS, kind) if column is None else column

    @classmethod
    def lent(cls) -> "Workspace":
        """Return one that is not in use."""
        try:
            return cls._idle.pop()
        except IndexError:
            return cls()

    def give_back(self) -> None:
        """Let another file have it."""
        self._idle.append(self)

    def prepare(self, frame: Numbers) -> None:
        """Tell the kernel where all of it is, and that it is empty."""
        for slot, memory in (
            (layout.RING, self.ring),
            (layout.OTHERS, self.others),
            (layout.OTHER_TEXTS, self.other_texts),
            (layout.OTHER_AT, self.other_texts),
            (layout.ELSEWHERE, self.elsewhere),
            (layout.SCRATCH, self.scratch),
        ):
            frame[slot] = memory.ctypes.data
        frame[layout.OTHER_END] = self.other_texts.ctypes.data + OTHER_BYTES
        frame[layout.OTHER_ROOM], frame[layout.ELSEWHERE_ROOM] = OTHERS, ELSEWHERE
        tables = (self.paths, self.hosts, self.agents)
        for slot, texts in zip((layout.PATH_TEXTS, layout.HOST_TEXTS, layout.AGENT_TEXTS), tables, strict=True):
            frame[slot] = texts.address
            texts.clear()


class NameTable(NamedTuple):
    """Names as the kernel has them; see layout.NAME_ROW."""

    rows: Numbers
    sizes: Numbers
    texts: list[Numbers]


class Names(NamedTuple):
    """Under which names values are found.

    Attributes:
        names: A text, the object that it is in, and what has its value: a field, or an object by its number behind
            the fields'.
        elements: Of each object which field is the first element of an array in its place, -1 for none.
    """

    names: list[tuple[str, int, int]]
    elements: list[int]

    @classmethod
    def of(cls, keys: Iterable[str]) -> "Names | None":
        """Return those of keys of JSON, dotted where objects are nested; None if the kernel can't follow them."""
        paths = [tuple(key.split(".")) for key in keys]
        objects = dict.fromkeys([(), *(path[:size] for path in paths for size in range(1, len(path)))])
        numbers_of = {path: number for number, path in enumerate(objects)}
        is_deep = max((len(path) for path in paths), default=0) > layout.DEEPEST
        if (
            is_deep
            or len(objects) > layout.MOST_OBJECTS
            or any(path in objects or "0" in path[:-1] for path in paths)
        ):
            return None
        index_of = {path: n for n, path in enumerate(paths)}
        index_of |= {path: len(paths) + n for path, n in numbers_of.items() if path}
        found = {
            (".".join(path[size:]), numbers_of[path[:size]], index)
            for path, index in index_of.items()
            for size in range(len(path))
        }
        return cls(sorted(found), [index_of.get((*path, "0"), -1) for path in objects])

    def table(self) -> NameTable:
        """Return them as a table, by their size."""
        names = [(name.encode(), inside, index) for name, inside, index in self.names]
        names.sort(key=lambda each: len(each[0]))
        texts = [np.frombuffer(name + bytes(layout.PADDING), np.uint8) for name, _, _ in names]
        rows = [
            (text.ctypes.data, len(name), inside, index)
            for text, (name, inside, index) in zip(texts, names, strict=True)
        ]
        sizes = np.array([min(len(name), layout.LONGEST_NAME + 1) for name, _, _ in names], np.int64)
        return NameTable(
            np.array(rows, np.int64).reshape(len(rows), layout.NAME_ROW),
            np.searchsorted(sizes, np.arange(layout.LONGEST_NAME + 3)),
            texts,
        )


class Others(NamedTuple):
    """Lines of a batch that the kernel found no row for; see Batch."""

    numbers: Numbers
    masked: pa.StringArray
    reasons: Numbers
    statuses: Numbers
    days: Numbers
    strays: Numbers

    @classmethod
    def of(cls, parts: "list[Others]") -> "Others":
        """Return what there is in several parts."""
        if len(parts) == 1:
            return parts[0]
        places, masked, *rest = zip(*parts, strict=True)
        return cls(np.concatenate(places), pa.concat_arrays(masked), *map(np.concatenate, rest))

    def but(self, these: Numbers) -> "Others":
        """Return them without some."""
        rest = np.flatnonzero(~these)
        masked = self.masked.take(numbers(rest))
        return Others(self.numbers[rest], masked, *(each[rest] for each in self[2:]))


class Slow(NamedTuple):
    """Rows of `requests` by the plain parser, before which of the kernel's they belong, and their formats."""

    at: Numbers
    rows: pa.Table
    formats: Numbers

    @classmethod
    def of(cls, parts: "list[Slow]") -> "Slow":
        """Return what there is in several parts."""
        places, rows, formats = zip(*parts, strict=True)
        return cls(np.concatenate(places), pa.concat_tables(rows), np.concatenate(formats))

    @property
    def places(self) -> Numbers:
        """Where they are among all rows."""
        return self.at + np.arange(len(self.at))


class CompiledParser:
    """Takes blocks of lines of one format apart, and makes a batch of them whenever it has no room for more.

    Attributes:
        plain: Says what undecided lines are.
    """

    @classmethod
    def of(  # noqa: PLR0913, PLR0917 - as __init__
        cls,
        log_format: Format,
        classifier: Classifier,
        plain: Callable[[pa.BinaryArray], ParsedLines],
        days: Days,
        ends: Ends | None,
        neither: Neither,
    ) -> "CompiledParser | None":
        """Return a parser of lines of a format, of several for the first, None if the kernel can't read that."""
        first = _first_of(log_format)
        if isinstance(first, Delimited):
            can = _can_follow(first)
        elif isinstance(first, Json):
            can = Names.of(field.name for field in first.fields) is not None
        else:
            can = isinstance(first, Logfmt | Ltsv)
        return cls(log_format, classifier, plain, days, ends, neither) if can else None

    def __init__(  # noqa: PLR0913, PLR0917 - what may be asked of lines
        self,
        log_format: Format,
        classifier: Classifier,
        plain: Callable[[pa.BinaryArray], ParsedLines],
        days: Days,
        ends: Ends | None,
        neither: Neither,
    ) -> None:
        self.plain = plain
        self._kernel = kernel()
        self._whole = log_format
        self._format = _first_of(log_format)
        self._has_several = isinstance(log_format, Alternatives)
        self._classifier = classifier
        self._days = days
        self._wanted = days.of_rows
        self._ends = ends
        self._neither = neither
        self._lent: Workspace | None = None
        frame = self._frame = np.zeros(layout.FRAME, np.int64)
        self._shown = Shown(self._kernel, frame, log_format)
        self._shape = next(shape for kind, shape in SHAPES.items() if isinstance(self._format, kind))
        if isinstance(self._format, Delimited):
            self._program = program_of(self._format, self._role_of)
            frame[layout.PROGRAM] = self._program.ctypes.data
            frame[layout.FIELDS] = len(self._program) - 1
            frame[layout.EXTRA] = self._format.extra
            frame[layout.STRICT] = self._format.sure is not None
            frame[layout.LISTS] = _has_lists(self._format)
            frame[layout.PREFIXED] = bool(self._format.prefix)
            frame[layout.SHORTCUT] = _shortcut_of(self._format)
        else:
            self._declare_keys()
        self._declare_methods()
        self._read = self._columns_read()
        frame[layout.ZERO_STATUS] = self._format.zero_status
        zone = self._format.timezone
        frame[layout.NAIVE_IS_UTC] = zone == "UTC"
        self._offsets = offsets_of(zone) if zone and zone != "UTC" else np.array([], np.int64)
        frame[layout.ZONE_OFFSETS], frame[layout.ZONE_DAYS] = self._offsets.ctypes.data, len(self._offsets)
        is_of_target = parse.AUTHORITY not in log_format.hosts
        frame[layout.AUTHORITY] = is_of_target and classifier.application_field == parse.AUTHORITY
        bounds = (days.first, days.stop, self._wanted.first, self._wanted.stop)
        for slot, day in zip(
            (layout.EARLIEST, layout.LATEST, layout.WANTED, layout.UNWANTED), bounds, strict=True
        ):
            frame[slot] = day * timestamps.DAY_MICROSECONDS
        for slot, text in ((layout.LAST_TIME, FIRST_TIME), (layout.LAST_DATE, FIRST_DATE)):
            frame[slot:].view(np.uint8)[: len(text)] = np.frombuffer(text, np.uint8)
        frame[layout.LAST_TIME_BYTES] = len(FIRST_TIME)

    def lines_in(self, block: memoryview) -> int:
        """Return how many lines a block has."""
        at = np.frombuffer(block, np.uint8).ctypes.data
        return self._kernel(layout.COUNT_LINES, at, len(block)) + (block[-1] != LINE_FEED)

    def add(self, block: memoryview) -> Iterator[Batch]:
        """Take lines apart, and yield what batches are full.

        Args:
            block: Lines that are followed by at least layout.PADDING bytes that are ours to change.
        """
        buffer, size = buffer_of(block), len(block)
        begin = at = np.frombuffer(block, np.uint8).ctypes.data
        behind = begin - np.frombuffer(buffer, np.uint8).ctypes.data + size
        if behind + layout.PADDING > len(buffer):
            raise AssertionError("a block without padding")
        if not self._lent:
            self._lent = Workspace.lent()
            self._begin()
        frame = self._frame
        saved, buffer[behind] = buffer[behind], LINE_FEED
        try:
            while at < begin + size:
                rows, others = frame[[layout.ROW_COUNT, layout.OTHER_COUNT]].tolist()
                frame[layout.BLOCK] = at
                end = self._take_lines(at, begin + size)
                if self._ends:
                    self._note_ends(self._ends, block[at - begin : end - begin], rows, others)
                at = end
                if at < begin + size and not self._goes_on():
                    yield self._batch()
                    self._begin()
        finally:
            buffer[behind] = saved

    def finish(self) -> Iterator[Batch]:
        """Yield the last batch, if there is one."""
        if self._lent:
            if self._frame[layout.LINE_COUNT]:
                yield self._batch()
            self._lent.give_back()
            self._lent = None

    @property
    def _workspace(self) -> Workspace:
        if not self._lent:
            raise AssertionError("no batch is begun")
        return self._lent

    def _take_lines(self, at: int, stop: int) -> int:
        return self._kernel(self._shape, self._frame.ctypes.data, at, stop)

    def _begin(self) -> None:
        """Begin a batch, whose columns become Arrow's without being copied."""
        self._workspace.prepare(self._frame)
        self._columns = {
            name: self._workspace.column(name, kind) if name in self._read else self._workspace.unread.view(kind)
            for name, kind in layout.COLUMN_TYPES.items()
        }
        self._addresses = np.array([column.ctypes.data for column in self._columns.values()], np.int64)
        self._frame[layout.COLUMNS] = self._addresses.ctypes.data
        self._frame[[layout.ROW_COUNT, layout.LINE_COUNT, layout.OTHER_COUNT, layout.ELSEWHERE_COUNT]] = 0
        self._frame[layout.LINE_ROOM] = ROW_GROUP_ROWS
        self._noted: dict[int, ContentDigest] = {}
        self._judged_lines = 0
        self._judged: list[Others] = []
        self._slow: list[Slow] = []
        self._slow_elsewhere: list[tuple[Numbers, Numbers]] = []  # places and days

    def _note_ends(self, file: Ends, piece: memoryview, rows: int, others: int) -> None:
        """Note what a file is after lines that may be the last of their day; that of a few is not known yet.

        Args:
            file: The file so far.
            piece: The lines that were just taken apart.
            rows: How many rows there were before.
            others: Likewise.
        """
        workspace, frame = self._workspace, self._frame
        count = int(frame[layout.ROW_COUNT])
        found = workspace.others[: frame[layout.OTHER_COUNT]]
        places, ends = (found[others:, n] for n in (layout.OTHER_NUMBER, layout.OTHER_LINE_END))
        if len(places) >= MANY:
            self._judge()
            judged = self._judged[-1]
            rejects = judged.numbers[last_of_each(judged.days, np.flatnonzero(judged.reasons > ACCEPTED))]
            wanted = np.isin(places, rejects) | ~np.isin(places, judged.numbers)
            places, ends = places[wanted], ends[wanted]
        if count > rows:
            days = _days_of(numbers(self._columns["times"][rows:count]))
            lasts = np.array(last_of_each(days, np.arange(count - rows))) + rows
            of_rows = row_numbers(lasts, found[:, layout.OTHER_NUMBER], self._elsewhere)
            places, ends = np.append(places, of_rows), np.append(ends, self._columns["ends"][lasts])
        order = np.argsort(places)
        self._noted.update(zip(places[order].tolist(), file.note(piece, ends[order].tolist()), strict=True))

    def _goes_on(self) -> bool:
        """Make room for as many lines as a row group lacks rows; tell whether that is what was missing."""
        frame = self._frame
        if frame[layout.LINE_COUNT] < frame[layout.LINE_ROOM]:
            return False
        self._judge()
        missing = ROW_GROUP_ROWS - int(frame[layout.ROW_COUNT]) - sum(len(each.at) for each in self._slow)
        frame[layout.LINE_ROOM] += missing
        return missing > 0

    def _batch(self) -> Batch:
        """Return what there is so far."""
        self._judge()
        lines, count = (int(self._frame[n]) for n in (layout.LINE_COUNT, layout.ROW_COUNT))
        found = {name: column[:count] for name, column in self._columns.items()}
        if count < ROW_GROUP_ROWS // WORTH_COPYING:  # of small files many wait at once, each with a page a column
            found = {name: column.copy() for name, column in found.items()}
            self._workspace.columns |= {name: self._columns[name] for name in self._read}
        for name, filler in FILLERS.items():
            if self._has_several and name not in self._read:  # another of the formats may have them
                found[name] = np.full(count, filler, layout.COLUMN_TYPES[name])
        slow = Slow.of(self._slow) if self._slow else None
        rows = self._rows(self._merged(found, slow) if slow else found, slow)
        days, others = _days_of(rows["ts"].chunk(0)), Others.of(self._judged)
        formats = self._formats(rows.num_rows, slow)
        return Batch(lines, rows, days, *self._all_elsewhere(), *others, formats, self._noted)

    def _formats(self, count: int, slow: Slow | None) -> timestamps.Integers | None:
        """Return which of several formats the line of each row has; None if there is but one."""
        if not self._has_several:
            return None
        formats = np.zeros(count, np.int64)
        if slow:
            formats[slow.places] = slow.formats
        return formats

    @property
    def _elsewhere(self) -> Numbers:
        """The places of the requests of days that aren't wanted, as far as the kernel found them."""
        return self._workspace.elsewhere[: self._frame[layout.ELSEWHERE_COUNT], 0]

    def _all_elsewhere(self) -> tuple[Numbers, Numbers]:
        """Return the places of all requests of days that aren't wanted, ascending, and their days."""
        rows = self._workspace.elsewhere[: self._frame[layout.ELSEWHERE_COUNT]]
        found = [(rows[:, 0], rows[:, 1] // timestamps.DAY_MICROSECONDS), *self._slow_elsewhere]
        places, days = (np.concatenate(each) for each in zip(*found, strict=True))
        order = np.argsort(places, kind="stable")
        return places[order], days[order]

    def _judge(self) -> None:
        """Find out what the lines are that have no row since this was last asked."""
        workspace, count = self._workspace, int(self._frame[layout.OTHER_COUNT])
        begin, self._judged_lines = self._judged_lines, count
        places, ends, codes, times = (
            workspace.others[begin:count, n].copy()
            for n in (layout.OTHER_NUMBER, layout.OTHER_TEXT_END, layout.OTHER_CODE, layout.OTHER_TIME)
        )
        first = workspace.others[begin - 1, layout.OTHER_TEXT_END] if begin else 0
        offsets = np.append(first, ends).astype(np.int32)
        undecided = np.flatnonzero((codes == layout.UNDECIDED) | (self._has_several & (codes == layout.BAD_SHAPE)))
        times[undecided] = layout.NO_TIME
        known = timestamps.days_of(times, times != layout.NO_TIME)
        days, reasons, strays = placed(known, REASON_OF[codes], self._days)
        texts = texts_of(offsets, workspace.other_texts[: offsets[-1]])
        if len(undecided):
            parsed = self.plain(texts.take(numbers(undecided)))
            found = placed(parsed.days, parsed.reasons, self._days)
            days[undecided], reasons[undecided], strays[undecided] = found
            accepted = reasons[undecided] == ACCEPTED
            wanted = accepted & self._wanted.have(days[undecided])
            if wanted.any():
                of_rows = undecided[wanted]
                at = places[of_rows] - (begin + of_rows) - np.searchsorted(self._elsewhere, places[of_rows])
                formats = np.zeros(len(wanted), np.int64) if parsed.formats is None else parsed.formats
                self._slow.append(Slow(at, requests_table(parsed, wanted, self._classifier), formats[wanted]))
            if accepted.any():
                elsewhere = undecided[accepted & ~wanted]
                self._slow_elsewhere.append((places[elsewhere], days[elsewhere]))
        of_all = self._neither.judged(texts, places, reasons)
        masked, statuses = self._shown.of(offsets, workspace.other_texts, of_all)
        others = Others(places, masked, of_all, statuses, days, strays)
        self._judged.append(others.but(reasons == ACCEPTED) if (reasons == ACCEPTED).any() else others)

    def _declare_methods(self) -> None:
        """Tell the kernel which methods there are."""
        methods, _ = _methods()
        self._frame[layout.METHOD_TABLE] = methods.ctypes.data
        self._frame[layout.METHOD_COUNT] = len(methods)

    def _declare_keys(self) -> None:
        """Tell the kernel which names have values that are wanted."""
        wanted = [field for field in self._format.fields if self._role_of(field) != layout.IGNORED]
        wanted.sort(key=lambda field: field.role is not Role.REQUEST)  # one in parts counts only without it
        prefix = [field.name == PREFIX_TIME and isinstance(self._format, Logfmt) for field in wanted]
        names = Names.of(field.name for field in wanted) if self._shape == layout.JSON else None
        if names is None:
            flat = sorted((field.name, n) for n, field in enumerate(wanted) if not prefix[n])
            names = Names([(name, 0, n) for name, n in flat], [-1])
        self._keys = np.array(
            [
                (
                    self._role_of(field),
                    field.scale,
                    field.kind is Kind.PLAIN and field.role is not Role.RESPONSE_BYTES,
                )
                for field in wanted
            ],
            np.int64,
        ).reshape(len(wanted), layout.KEY_ROW)
        findable = len(wanted) + len(names.elements)
        self._found = np.zeros((findable, layout.VALUE_ROW), np.int64)
        self._expected = np.zeros((layout.EXPECTED_ROWS, layout.EXPECTED_ROW), np.int64)
        self._expected[:, layout.EXPECTED_BYTES] = -1
        self._names = names.table()
        self._elements = np.array(names.elements, np.int64)
        frame = self._frame
        for slot, memory in (
            (layout.KEYS, self._keys),
            (layout.FOUND, self._found),
            (layout.EXPECTED, self._expected),
            (layout.NAMES, self._names.rows),
            (layout.NAME_SIZES, self._names.sizes),
            (layout.ELEMENTS, self._elements),
        ):
            frame[slot] = memory.ctypes.data
        frame[layout.FIELDS], frame[layout.FINDABLE] = len(wanted), findable
        frame[layout.FIRST_DURATION] = self._format.first_duration
        frame[layout.PREFIX] = prefix.index(True) if True in prefix else -1

    def _columns_read(self) -> set[str]:
        """Return the columns of a batch that become some of `requests`, or are asked for in another way."""
        has, roles = self._format.has, {self._role_of(field) for field in self._format.fields}
        optional = {
            "durations": has(Role.DURATION),
            "upstream": has(Role.UPSTREAM_STATUS),
            "retried": has(Role.UPSTREAM_STATUS, Role.UPSTREAMS),
            "hosts": self._classifier.application_field is not None,
            "agents": layout.USER_AGENT in roles,
            "ends": self._ends is not None,
        }
        return {name for name in layout.COLUMN_TYPES if optional.get(name, True)}

    def _role_of(self, field: Field) -> int:
        if field.role is Role.HOST:
            return layout.HOST if field.name == self._classifier.application_field else layout.IGNORED
        if field.role is Role.TIME and self._format.has(Role.CLOCK):
            return layout.DATE
        if field.role is Role.USER_AGENT:
            return layout.USER_AGENT if self._classifier.synthetic_user_agents else layout.IGNORED
        return ROLES[field.role] if field.role else layout.IGNORED

    def _merged(self, found: dict[str, Numbers], slow: Slow) -> dict[str, Numbers]:
        """Return the kernel's columns with the plain parser's rows between them."""
        rows = slow.rows
        more: dict[str, Any] = {
            "times": to_numpy(rows["ts"].cast(pa.int64())),
            "sizes": to_numpy(filled(rows["response_bytes"], -1)),
            "durations": to_numpy(filled(rows["duration_seconds"], np.nan)),
            "paths": self._workspace.paths.numbers_of(whole(rows["path"])),
            "hosts": layout.NO_ID,
            "agents": layout.NO_ID,
            "methods": _numbers(rows["method"], METHODS),
            "statuses": to_numpy(rows["status"]),
            "upstream": to_numpy(filled(rows["upstream_status"], -1)),
            "retried": to_numpy(filled(rows["retried"].cast(pa.int8()), -1)),
        }
        return {name: np.insert(found[name], slow.at, values) for name, values in more.items()}

    def _rows(self, found: dict[str, Numbers], slow: Slow | None) -> pa.Table:
        """Return a batch's rows of `requests`.

        Args:
            found: Their columns in numbers.
            slow: Those that the plain parser found, of which the application and the class are no number yet.
        """
        count, paths = len(found["times"]), self._workspace.paths.values().cast(pa.string())

        def optional(name: str, kind: pa.DataType, *roles: Role) -> pa.Array:
            if not self._whole.has(*roles):
                return pa.nulls(count, kind)
            values = found[name]
            return _nullable(values, np.isnan(values) if kind == pa.float64() else values < 0).cast(kind)

        return pa.table(
            [
                numbers(found["times"]).view(pa.timestamp("us")),
                _encoded(*self._applications(found, paths, slow)),
                _encoded(np.zeros(count, np.int32), [self._classifier.vantage]),
                _encoded(found["methods"], METHODS),
                _encoded(found["paths"], paths),
                numbers(found["statuses"]),
                _nullable(found["sizes"], found["sizes"] < 0),
                optional("durations", pa.float64(), Role.DURATION),
                optional("upstream", pa.int16(), Role.UPSTREAM_STATUS),
                optional("retried", pa.bool_(), Role.UPSTREAM_STATUS, Role.UPSTREAMS),
                _encoded(self._classes(found, paths, slow), TRAFFIC_CLASSES),
            ],
            schema=SCHEMA,
        )

    def _applications(
        self, found: dict[str, Numbers], paths: pa.StringArray, slow: Slow | None
    ) -> tuple[Numbers, pa.StringArray]:
        """Return each row's application, as its place among the values, and these; nobody's without a host."""
        hosts, mapped = found["hosts"], self._classifier.mapped
        if self._classifier.application is not None:
            return np.zeros(len(hosts), np.int32), array([self._classifier.application], pa.string())
        if mapped is not None:
            names = array(mapped.names, pa.string())
            of_rows = self._mapped(mapped, found, paths)
            if slow:
                of_rows[slow.places] = _numbers(slow.rows["application"], mapped.names)
            return of_rows, names
        of_hosts = [
            parse.application_names(self._workspace.hosts.values()),
            array([parse.NO_APPLICATION], pa.string()),
        ]
        of_slow = [whole(slow.rows["application"])] if slow else []
        encoded = pa.concat_arrays([*of_hosts, *of_slow]).dictionary_encode()
        places = to_numpy(encoded.indices)
        hosts_and_none = len(encoded) - (len(slow.at) if slow else 0)
        applications = places[:hosts_and_none][hosts]
        if slow:
            applications[slow.places] = places[hosts_and_none:]
        return applications, encoded.dictionary

    def _mapped(self, mapped: Applications, found: dict[str, Numbers], paths: pa.StringArray) -> Numbers:
        """Return each row's application, as its place in the map's names; of the plain parser's rows any."""
        hosts: tuple[Numbers, list[str]] = (np.full(len(found["times"]), layout.NO_ID), [])
        if self._classifier.application_field is not None:
            hosts = found["hosts"], parse.application_names(self._workspace.hosts.values()).to_pylist()
        days = _days_of(numbers(found["times"]))
        return mapped.places(days, hosts, (found["paths"], paths.to_pylist()))

    def _classes(self, found: dict[str, Numbers], paths: pa.StringArray, slow: Slow | None) -> Numbers:
        """Return each row's traffic class, as its place in TRAFFIC_CLASSES."""
        classes = np.zeros(len(found["times"]), np.int32)
        for field in (each for each in self._format.fields if self._role_of(each) == layout.USER_AGENT):
            agents = parse.unified(field, self._workspace.agents.values())
            synthetic = np.append(to_numpy(self._classifier.are_synthetic(agents)), [False])
            classes[synthetic[found["agents"]]] = TRAFFIC_CLASSES.index("synthetic")
        if self._classifier.health_check_paths:
            health_checks = self._classifier.are_health_checks(paths)
            classes[np.append(to_numpy(health_checks), [False])[found["paths"]]] = TRAFFIC_CLASSES.index(
                "health_check"
            )
        if slow:
            classes[slow.places] = _numbers(slow.rows["traffic_class"], TRAFFIC_CLASSES)
        return classes


def _days_of(times: pa.TimestampArray) -> timestamps.Integers:
    """Return the days of times; of those of one day without dividing each."""
    microseconds: timestamps.Integers = to_numpy(times.view(pa.int64()))
    if not len(microseconds):
        return microseconds
    first, last = (int(each) // timestamps.DAY_MICROSECONDS for each in (microseconds.min(), microseconds.max()))
    return np.full(len(microseconds), first) if first == last else microseconds // timestamps.DAY_MICROSECONDS


def _numbers(values: pa.ChunkedArray, known: tuple[str, ...]) -> Numbers:
    return to_numpy(filled(pc.index_in(values, array(known, pa.string())), layout.NO_ID))


def _nullable(values: Numbers, is_null: Numbers) -> pa.Array:
    return numbers(values, is_null if is_null.any() else None)


def _encoded(places: Numbers, values: pa.StringArray | tuple[str, ...] | list[str]) -> pa.Array:
    """Return texts by their place among the values, NULL for NO_ID."""
    indices = _nullable(places.astype(np.int32, copy=False), places < 0)
    known = values if isinstance(values, pa.Array) else array(values, pa.string())
    return pa.DictionaryArray.from_arrays(indices, known)


if __name__ == "__main__":
    match sys.argv[1:]:
        case []:
            kernel()
        case ["--portable"]:
            keep_portable()
        case others:
            sys.exit(f"etl.lines.compiled: {' '.join(others)}: expected nothing, or --portable")
