"""The kernel at work: a format as its program, its outputs as columns, the plain parser for what is undecided."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from etl import parse, timestamps
from etl.blocks import ParsedBlock, lines_of
from etl.formats import PREFIX_TIME, Delimited, Field, Format, Json, Kind, Logfmt, Role
from etl.kernel import layout
from etl.kernel.machine_code import kernel
from etl.parse import ACCEPTED, Booleans, Classifier, ParsedLines, requests_table
from etl.raw_files import buffer_of
from lake.contracts import contract
from lake.contracts.requests import METHODS, TRAFFIC_CLASSES

LINES = 65_536  # taken apart at a time
TEXTS = LINES // 4  # of a kind; few enough for the processor's cache
SLOTS = 2 * TEXTS
ARENA_BYTES = 4 << 20  # for paths, as they are kept
KINDS = {
    Kind.WORD: layout.WORD,
    Kind.HOST: layout.WORD,  # an address in brackets stays undecided
    Kind.USER: layout.WORD,  # so does a name with spaces
    Kind.PLAIN: layout.PLAIN,
    Kind.LIST: layout.LIST,
    Kind.QUOTED: layout.QUOTED,
    Kind.BRACKETED: layout.BRACKETED,
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
}
SHAPES = {Delimited: layout.DELIMITED, Json: layout.JSON, Logfmt: layout.LOGFMT}
FIRST_TIME = b"01/Jan/1970:00:00:00 +0000"
FIRST_DATE = b"1970-01-01"
LINE_FEED = ord("\n")
Numbers = npt.NDArray[Any]
MAX_LITERAL = 8  # bytes: a 64-bit number
SCHEMA = pa.schema(
    field.with_type(pa.dictionary(pa.int32(), pa.string())) if pa.types.is_string(field.type) else field
    for field in contract("requests").schema
)
NO_ROWS = contract("requests").schema.empty_table()


def program_of(log_format: Delimited, role_of: Callable[[Field], int]) -> Numbers:
    """Return a format as the kernel's program, a row a field and one for what follows."""
    rows = np.zeros((len(log_format.fields) + 1, layout.ROW), np.int64)
    for row, text in zip(rows, log_format.literals, strict=True):
        literal = text.encode()
        row[layout.LITERAL_BYTES] = len(literal)
        row[layout.LITERAL_MASK] = int.from_bytes(
            b"\xff" * len(literal), "little", signed=len(literal) == MAX_LITERAL
        )
        row[layout.LITERAL] = int.from_bytes(literal, "little", signed=len(literal) == MAX_LITERAL)
    for number, (row, field) in enumerate(zip(rows, log_format.fields, strict=False)):
        before, after = log_format.literals[number : number + 2]
        row[layout.KIND] = KINDS[field.kind]
        row[layout.END] = ord((after or before or " ")[0])
        row[layout.LAST] = not after
        row[layout.ROLE] = role_of(field)
        row[layout.SCALE] = field.scale
        if field.kind is Kind.BRACKETED and field.role is Role.TIME:
            row[layout.KIND] = layout.STAMP
    return rows


class Texts:
    """An interning table: distinct texts, in the order of first appearance."""

    def __init__(self, arena_bytes: int = 0) -> None:
        self._kernel = kernel()
        self._entries = np.zeros((SLOTS, 2), np.int64)
        self._slots = np.zeros(SLOTS, np.int64)
        self._arena = np.zeros(arena_bytes, np.uint8)
        self._table = np.zeros(layout.TABLE, np.int64)
        self._table[layout.SLOTS], self._table[layout.MASK] = self._slots.ctypes.data, SLOTS - 1
        self._table[layout.ENTRIES], self._table[layout.ENOUGH] = self._entries.ctypes.data, TEXTS
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

    @property
    def dirty(self) -> Numbers:
        """The numbers of the paths that have to be cleaned."""
        return np.flatnonzero(self._entries[: len(self), 1] < 0)

    def values(self) -> pa.BinaryArray:
        """Return the texts."""
        count = len(self)
        size = int(np.abs(self._entries[:count, 1]).sum())
        offsets = np.empty(count + 1, np.int32)
        data = np.empty(size + layout.PADDING, np.uint8)
        self._kernel(layout.GATHER, self._entries.ctypes.data, count, offsets.ctypes.data, data.ctypes.data)
        return pa.BinaryArray.from_buffers(
            pa.binary(), count, [None, pa.py_buffer(offsets), pa.py_buffer(data[:size])]
        )


class Workspace:
    """The memory that the kernel writes to: of use for a block of any format, and used for one after the other."""

    _idle: ClassVar[list["Workspace"]] = []

    def __init__(self) -> None:
        self.lines = np.zeros(LINES, layout.LINE)
        self.paths, self.hosts, self.agents = Texts(ARENA_BYTES), Texts(), Texts()

    @classmethod
    @contextmanager
    def lent(cls) -> Iterator["Workspace"]:
        """Lend a workspace to whoever takes a block apart, in whichever thread."""
        try:
            workspace = cls._idle.pop()
        except IndexError:
            workspace = cls()
        try:
            yield workspace
        finally:
            cls._idle.append(workspace)

    def clear(self) -> None:
        """Forget all texts."""
        for texts in (self.paths, self.hosts, self.agents):
            texts.clear()


class CompiledParser:
    """Takes blocks of lines of one format apart, LINES at a time.

    Attributes:
        plain: Says what undecided lines are.
    """

    @classmethod
    def of(
        cls, log_format: Format, classifier: Classifier, plain: Callable[[pa.BinaryArray], ParsedLines]
    ) -> "CompiledParser | None":
        """Return a parser of lines of a format, None if the kernel can't read it."""
        if isinstance(log_format, Delimited):
            can = all(len(literal) <= MAX_LITERAL for literal in log_format.literals)
        elif isinstance(log_format, Json):
            can = not any("." in field.name for field in log_format.fields)  # values in nested objects
        else:
            can = isinstance(log_format, Logfmt)
        return cls(log_format, classifier, plain) if can else None

    def __init__(
        self, log_format: Format, classifier: Classifier, plain: Callable[[pa.BinaryArray], ParsedLines]
    ) -> None:
        self.plain = plain
        self._kernel = kernel()
        self._format = log_format
        self._classifier = classifier
        self._named = (pa.array([], pa.binary()), pa.array([], pa.string()))
        self._methods = np.array(
            [
                (int.from_bytes(name.encode(), "little") | len(name) << 56, number)
                for number, name in enumerate(METHODS)
                if len(name) < 8  # noqa: PLR2004 - fits in a 64-bit number
            ],
            np.int64,
        )
        frame = self._frame = np.zeros(layout.FRAME, np.int64)
        self._shape = next(shape for kind, shape in SHAPES.items() if isinstance(log_format, kind))
        if isinstance(log_format, Delimited):
            self._program = program_of(log_format, self._role_of)
            frame[layout.PROGRAM] = self._program.ctypes.data
            frame[layout.FIELDS] = len(log_format.fields)
            frame[layout.EXTRA] = log_format.extra
        else:
            self._declare_keys()
        frame[layout.METHOD_TABLE] = self._methods.ctypes.data
        frame[layout.METHOD_COUNT] = len(self._methods)
        frame[layout.ZERO_STATUS] = log_format.zero_status
        frame[layout.NAIVE_IS_UTC] = log_format.timezone == "UTC"
        frame[layout.AUTHORITY] = classifier.application_field == parse.AUTHORITY
        for slot, text in ((layout.LAST_TIME, FIRST_TIME), (layout.LAST_DATE, FIRST_DATE)):
            frame[slot:].view(np.uint8)[: len(text)] = np.frombuffer(text, np.uint8)

    def parse(self, block: memoryview) -> Iterator[ParsedBlock]:
        """Yield what lines are; `block` is followed by at least layout.PADDING bytes that are ours to change."""
        buffer, size = buffer_of(block), len(block)
        data = np.frombuffer(block, np.uint8)
        base = at = data.ctypes.data
        behind = data.ctypes.data - np.frombuffer(buffer, np.uint8).ctypes.data + size
        if behind + layout.PADDING > len(buffer):
            raise AssertionError("a block without padding")
        frame = self._frame
        saved, buffer[behind] = buffer[behind], LINE_FEED
        try:
            with Workspace.lent() as workspace:
                frame[layout.ROWS] = workspace.lines.ctypes.data
                frame[layout.PATH_TEXTS] = workspace.paths.address
                frame[layout.HOST_TEXTS] = workspace.hosts.address
                frame[layout.AGENT_TEXTS] = workspace.agents.address
                while at < base + size:
                    workspace.clear()
                    frame[layout.LINES] = LINES
                    end = self._take_apart(at, base + size)
                    yield self._piece(block[at - base : end - base], workspace)
                    at = end
        finally:
            buffer[behind] = saved

    def _take_apart(self, at: int, end: int) -> int:
        return self._kernel(self._shape, self._frame.ctypes.data, at, end)

    def _declare_keys(self) -> None:
        """Tell the kernel which keys have values that are wanted."""
        wanted = [field for field in self._format.fields if self._role_of(field) != layout.IGNORED]
        self._key_texts = [
            np.frombuffer(field.name.encode() + bytes(layout.PADDING), np.uint8) for field in wanted
        ]
        self._keys = np.zeros((len(wanted), layout.KEY_ROW), np.int64)
        self._found = np.zeros((len(wanted), layout.VALUE_ROW), np.int64)
        self._expected = np.zeros((layout.EXPECTED_ROWS, layout.EXPECTED_ROW), np.int64)
        self._expected[:, layout.EXPECTED_BYTES] = -1
        frame = self._frame
        frame[layout.KEYS], frame[layout.FOUND] = self._keys.ctypes.data, self._found.ctypes.data
        frame[layout.EXPECTED], frame[layout.FIELDS] = self._expected.ctypes.data, len(wanted)
        frame[layout.PREFIX] = -1
        for number, (field, text) in enumerate(zip(wanted, self._key_texts, strict=True)):
            row = self._keys[number]
            row[layout.KEY_AT], row[layout.KEY_BYTES] = text.ctypes.data, len(text) - layout.PADDING
            row[layout.KEY_ROLE], row[layout.KEY_SCALE] = self._role_of(field), field.scale
            if isinstance(self._format, Logfmt) and field.name == PREFIX_TIME:
                frame[layout.PREFIX], row[layout.KEY_BYTES] = number, -1  # no key has its name

    def _role_of(self, field: Field) -> int:
        if field.role is Role.HOST:
            return layout.HOST if field.name == self._classifier.application_field else layout.IGNORED
        if field.role is Role.TIME and self._format.has(Role.CLOCK):
            return layout.DATE
        if field.role is Role.USER_AGENT:
            return layout.USER_AGENT if self._classifier.synthetic_user_agents else layout.IGNORED
        return ROLES[field.role] if field.role else layout.IGNORED

    def _piece(self, block: memoryview, workspace: Workspace) -> ParsedBlock:
        found = workspace.lines[: self._frame[layout.LINES]]
        starts = np.append(found["starts"], np.int32(len(block)))
        reasons = np.full(len(found), ACCEPTED, np.int64)
        times = found["times"]
        at = undecided = np.flatnonzero(found["codes"])
        slow = NO_ROWS
        if len(undecided):
            parsed = self.plain(lines_of(block, starts).take(pa.array(undecided)))
            accepted = parsed.reasons == ACCEPTED
            reasons[undecided], times[undecided] = parsed.reasons, parsed.microseconds
            at = undecided[accepted]
            slow = requests_table(parsed, accepted, self._classifier) if len(at) else NO_ROWS
        days = times // timestamps.DAY_MICROSECONDS
        if len(undecided):
            days[undecided] = parsed.days
        has_row = reasons == ACCEPTED
        return ParsedBlock(block, starts, days, reasons, self._rows(workspace, found, at, slow, has_row), has_row)

    def _rows(
        self,
        workspace: Workspace,
        found: Numbers,
        at: Numbers,
        slow: pa.Table,
        has_row: Booleans,
    ) -> pa.Table:
        """Return the rows of `requests` of the lines that have one.

        Args:
            workspace: The texts of what the kernel found.
            found: What the kernel found, of type layout.LINE; it is written over.
            at: The lines that the plain parser took apart and accepted.
            slow: Their rows.
            has_row: Which lines have a row.
        """
        paths, path_values = self._paths(workspace.paths, found["paths"], at, slow["path"].combine_chunks())
        hosts, host_values = self._applications(
            workspace.hosts, found["hosts"], at, slow["application"].combine_chunks()
        )
        classes = self._classes(paths, path_values, workspace.agents, found["agents"])
        if len(at):
            found["statuses"][at] = slow["status"]
            found["methods"][at] = _numbers(slow["method"], METHODS)
            classes[at] = _numbers(slow["traffic_class"], TRAFFIC_CLASSES)
            found["sizes"][at] = pc.fill_null(slow["response_bytes"], -1)
            found["durations"][at] = pc.fill_null(slow["duration_seconds"], np.nan)
            found["upstream"][at] = pc.fill_null(slow["upstream_status"], -1)
            found["retried"][at] = pc.fill_null(slow["retried"].cast(pa.int8()), -1)
        if has_row.all():

            def chosen(values: Numbers) -> Numbers:
                return values.copy()  # the next block is written over the outputs

        else:

            def chosen(values: Numbers) -> Numbers:
                return values[has_row]

        sizes = chosen(found["sizes"])
        rows = len(sizes)

        def optional(name: str, kind: pa.DataType, *roles: Role) -> pa.Array:
            if not self._format.has(*roles):
                return pa.nulls(rows, kind)
            values = chosen(found[name])
            return _nullable(values, np.isnan(values) if kind == pa.float64() else values < 0).cast(kind)

        return pa.table(
            [
                pa.array(chosen(found["times"])).view(pa.timestamp("us")),
                _encoded(chosen(hosts), host_values),
                _encoded(np.zeros(rows, np.int32), [self._classifier.vantage]),
                _encoded(chosen(found["methods"]), METHODS),
                _encoded(chosen(paths), path_values),
                pa.array(chosen(found["statuses"])),
                _nullable(sizes, sizes < 0),
                optional("durations", pa.float64(), Role.DURATION),
                optional("upstream", pa.int16(), Role.UPSTREAM_STATUS),
                optional("retried", pa.bool_(), Role.UPSTREAM_STATUS, Role.UPSTREAMS),
                _encoded(chosen(classes), TRAFFIC_CLASSES),
            ],
            schema=SCHEMA,
        )

    def _paths(
        self, texts: Texts, numbers: Numbers, at: Numbers, slow: pa.StringArray
    ) -> tuple[Numbers, pa.StringArray]:
        """Return each line's path, as its place among the values, and the values; NO_ID for NULL."""
        dirty, values = texts.dirty, texts.values()
        if len(dirty):
            clean = parse.clean_paths(values.take(pa.array(dirty))).cast(pa.binary())
            is_dirty = np.zeros(len(values), np.bool_)
            is_dirty[dirty] = True
            values = pc.replace_with_mask(values, pa.array(is_dirty), clean)
        elif not len(slow):
            return numbers, values.cast(pa.string())
        encoded = pa.concat_arrays([slow, values.cast(pa.string())]).dictionary_encode()
        place = pc.fill_null(encoded.indices, layout.NO_ID).to_numpy()
        numbers = np.append(place[len(slow) :], np.int32(layout.NO_ID))[numbers]
        numbers[at] = place[: len(slow)]
        return numbers, encoded.dictionary

    def _applications(
        self, texts: Texts, numbers: Numbers, at: Numbers, slow: pa.StringArray
    ) -> tuple[Numbers, pa.StringArray]:
        """Likewise for the application; a line without a host is nobody's."""
        if self._classifier.application is not None:
            return np.zeros(len(numbers), np.int32), pa.array([self._classifier.application])
        hosts = texts.values()
        if not hosts.equals(self._named[0]):  # the few hosts of a block are those of the one before
            self._named = (hosts, parse.application_names(hosts))
        names = self._named[1]
        encoded = pa.concat_arrays([slow, names, pa.array([parse.NO_APPLICATION])]).dictionary_encode()
        place = encoded.indices.to_numpy()
        applications = place[len(slow) :][numbers]
        applications[at] = place[: len(slow)]
        return applications, encoded.dictionary

    def _classes(self, paths: Numbers, path_values: pa.StringArray, texts: Texts, agents: Numbers) -> Numbers:
        """Return each line's traffic class, as its place in TRAFFIC_CLASSES."""
        classes = np.zeros(len(paths), np.int32)
        for field in (each for each in self._format.fields if self._role_of(each) == layout.USER_AGENT):
            synthetic = self._classifier.are_synthetic(parse.unified(field, texts.values()))
            classes[np.append(synthetic, [False])[agents]] = TRAFFIC_CLASSES.index("synthetic")
        if self._classifier.health_check_paths:
            health_checks = self._classifier.are_health_checks(path_values)
            classes[np.append(health_checks, [False])[paths]] = TRAFFIC_CLASSES.index("health_check")
        return classes


def _numbers(values: pa.ChunkedArray, known: tuple[str, ...]) -> Numbers:
    numbers: Numbers = pc.fill_null(pc.index_in(values, pa.array(known)), layout.NO_ID).to_numpy()
    return numbers


def _nullable(values: Numbers, is_null: Numbers) -> pa.Array:
    return pa.array(values, mask=is_null) if is_null.any() else pa.array(values)


def _encoded(numbers: Numbers, values: pa.StringArray | tuple[str, ...] | list[str]) -> pa.Array:
    """Return texts by their place among the values, NULL for NO_ID."""
    indices = _nullable(numbers.astype(np.int32, copy=False), numbers < 0)
    return pa.DictionaryArray.from_arrays(indices, pa.array(values, pa.string()))


if __name__ == "__main__":
    kernel()
