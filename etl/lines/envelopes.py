"""Envelopes: what a collector wraps around each raw line, taken off before any format reads it.

A source lists them from the outside in (`envelope = cri, syslog`). Each is either a prefix or a JSON object that
has the line in one of its keys. What comes out has as many lines as what goes in, so that line numbers stay those
of the raw file: a line that goes on in another one leaves an empty one, and the last part becomes the whole line.
A line that lacks the envelope stays as it is.

    2026-09-17T10:05:03.1Z stdout P 192.0.2.7 - - [17/Sep/2026:10:05:03 +0000] "GET /a
    2026-09-17T10:05:03.1Z stdout F /b HTTP/1.1" 200 512
    ──────────────────────────────► (empty, continued)
                                    192.0.2.7 - - [17/Sep/2026:10:05:03 +0000] "GET /a/b HTTP/1.1" 200 512
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from etl.kernel import layout
from etl.kernel.layout import MAX_LINE_BYTES, PADDING
from etl.lines import timestamps
from etl.lines.formats import PREFIX_TIME, Delimited, Field, Format, Headed, Json, Logfmt, Ltsv, Role
from etl.lines.places import ONE_WORD
from lake.errors import ConfigError
from lake.memory.arrays import array, filled, numbers, scalar, to_numpy
from lake.partition import date_of

TIME = "envelope_time"
"""The name of the field that has an envelope's time, in lines of a format that has none."""
OF_BSD = b"_"
"""What is between the parts of a BSD syslog's time, and in no other."""
JSON = "json:"
LINE_FEED = ord("\n")
MOST_PENDING = 2 * MAX_LINE_BYTES  # bytes of lines of which some may go on
DOCKERS_PART = 16 << 10  # bytes: Docker cuts longer lines
DEEPEST = 4  # envelopes in one another
MANY = 0.5  # of lines that are wrapped, for an envelope to be found

Kernel = Callable[..., int]
Booleans = npt.NDArray[np.bool_]
Places = npt.NDArray[np.int64]
NO_BYTES, DASH, END = scalar(None, pa.binary()), scalar(b"-"), scalar(b"\n")

SHAPED = ("log_format", "json", "logfmt", "ltsv")
"""Formats whose times a section may have written in any way; those of the others have a year."""
OF_BSD_TIME = timestamps.unnamed(timestamps.BSD).replace("[ _]", "_")
BSD_TIME = re.compile(
    timestamps.BSD.replace("(?P<year>[0-9]{4})", "(?P<year>(?:19|20)[0-9]{2})(?![0-9:.])").encode()
)
WITHOUT_YEAR = timestamps.unnamed(timestamps.BSD)
"""What may be a time without a year."""

_ESCAPES = r"(?:\x1b\[[0-9;]*m)*"
_FRACTION = r"(?:[.,][0-9]{1,9})?"
_CLOCK = rf"[0-2][0-9]:[0-5][0-9]:[0-5][0-9]{_FRACTION}"
_MONTH = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_WEEKDAY = "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_ELEMENT = r'\[[^\]\\"]*(?:"(?:[^"\\]|\\.)*"[^\]"]*)*\]'
_TAGS = r"(?:\[[^\[\] ]+\] )*"  # Rails' log_tags, the request's id by default
SYSLOG = (
    rf"(?:[0-9]{{1,6}} )?(?:<[0-9]{{1,3}}>)?"
    rf"(?:1 (?:-|(?P<time>{ONE_WORD})) [!-~]+ [!-~]+ [!-~]+ [!-~]+ (?:-|(?:{_ELEMENT})+) (?:\xef\xbb\xbf)?"
    rf"|(?:(?P<bsd>{_MONTH} (?: [1-9]|[0-3]?[0-9]) {_CLOCK}(?: [12][0-9]{{3}})?)|(?P<iso>{ONE_WORD})"
    rf"|(?P<unix>[0-9]{{10}}\.[0-9]{{6}})|{_WEEKDAY} [0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}} {_CLOCK} [A-Z0-9+-]+)"
    r" (?:[!-~]+ )?[^ :\[\]]+(?:\[[^ \]]*\])?: )"
)
"""RFC 5424, or what follows RFC 3164: its time in one word or without a year, as by rsyslog and journalctl."""


@dataclass(frozen=True)
class Envelope:
    """What is wrapped around lines.

    Attributes:
        name: As luigi.cfg calls it.
        pattern: The regular expression of a prefix, as RE2 and `re` read it; None for a JSON object. Its time is
            in one of its groups; `more` is there if the line goes on in the next one of the same `stream`.
        keys: The keys of an object that may have the line, dotted where objects are nested; the first counts.
        times: The keys of an object that may have the time.
        has_time: Whether it tells a time; that of BSD's syslog has no year.
        is_cut: Whether a text without a line end goes on in the next one of the same stream, as Docker has it.
        is_of_objects: Whether it is found only before objects of JSON; other lines may begin so too.
        prefix: What the kernel calls such a prefix; None for one that it can't read.
    """

    name: str
    pattern: str | None = None
    keys: tuple[str, ...] = ()
    times: tuple[str, ...] = ()
    has_time: bool = True
    is_cut: bool = False
    is_of_objects: bool = False
    prefix: int | None = None

    @property
    def joins(self) -> bool:
        """Whether it may have a line in parts."""
        return self.is_cut or "<more>" in (self.pattern or "")


TIMES = ("@timestamp", "timestamp", "time", "date", "ts")
ENVELOPES = {
    each.name: each
    for each in (
        Envelope(
            "cri",
            rf"(?P<time>{ONE_WORD}) (?P<stream>stdout|stderr) (?:(?P<more>P)|F)(?::[^ ]*)? ",
            prefix=layout.CRI_PREFIX,
        ),
        Envelope("docker", keys=("log",), times=("time",), is_cut=True),
        Envelope("fluentbit", keys=("log",), times=TIMES),
        Envelope("fluentd", rf"(?P<time>{ONE_WORD})\t[!-~]+\t", is_of_objects=True),
        Envelope("gcp", keys=("textPayload",), times=("timestamp", "receiveTimestamp")),
        Envelope("journald", keys=("MESSAGE",), times=("_SOURCE_REALTIME_TIMESTAMP", "__REALTIME_TIMESTAMP")),
        Envelope("syslog", SYSLOG, prefix=layout.SYSLOG_PREFIX),
        Envelope("rails", rf"[A-Z], \[(?P<time>{ONE_WORD}) ?#[0-9]+\] +[A-Z]+ -- (?:[^ :]|::)*: {_TAGS}"),
        Envelope("compose", rf"{_ESCAPES}[0-9A-Za-z][0-9A-Za-z_.|-]* *\|{_ESCAPES} {_ESCAPES}", has_time=False),
        Envelope("kubectl", r"\[pod/[^/\] ]+/[^\] ]+\] ", has_time=False),
        Envelope("timestamp", rf"(?P<time>{ONE_WORD}) ", prefix=layout.TIME_PREFIX),
    )
}
OTHER_KEYS = ("message", "msg", "line", "event.original", "body")
"""Keys of which one is looked for in JSON objects of unknown lines, as `json:KEY` declares them."""


def envelope(name: str) -> Envelope:
    """Return the envelope of a name.

    Raises:
        ConfigError: There is none.
    """
    if name.startswith(JSON) and name != JSON:
        return Envelope(name, keys=(name.removeprefix(JSON),), times=TIMES)
    if name not in ENVELOPES:
        raise ConfigError(f"unknown envelope {name!r}. Known ones: {', '.join(ENVELOPES)}, {JSON}KEY.")
    return ENVELOPES[name]


@dataclass(frozen=True)
class Wrapping:
    """What is wrapped around a source's lines.

    Attributes:
        envelopes: From the outside in.
        timed: What the format is if an envelope has a time and its lines have none, or may have none; None for
            others.
        lines: What tells which lines have no time of their own; None if none has or all have one.
        has_years: Whether the lines' own times have years, as far as anybody knows.
    """

    envelopes: tuple[Envelope, ...] = ()
    timed: Format | None = None
    lines: "OwnTime | None" = None
    has_years: bool = True

    @classmethod
    def of(cls, names: Sequence[str], log_format: Format) -> "Wrapping":
        """Return what luigi.cfg lists.

        Raises:
            ConfigError: There is no such envelope.
        """
        envelopes = tuple(map(envelope, names))
        tells_no_time = isinstance(log_format, Headed) or not any(each.has_time for each in envelopes)
        if tells_no_time or log_format.has(Role.CLOCK):
            return cls(envelopes)
        has_years = log_format.name not in SHAPED or not log_format.has(Role.TIME)
        if log_format.has(Role.TIME) and not isinstance(log_format, Json | Logfmt | Ltsv):
            return cls(envelopes, has_years=has_years)
        if isinstance(log_format, Delimited):
            first, *others = log_format.literals
            fields, literals = (Field(TIME, Role.TIME), *log_format.fields), ("", f" {first}", *others)
            return cls(envelopes, replace(log_format, fields=fields, literals=literals))
        lines = OwnTime.of(log_format) if log_format.has(Role.TIME) else None
        last = Field(PREFIX_TIME if isinstance(log_format, Logfmt) else TIME, Role.TIME)
        fields = (*(each for each in log_format.fields if each != last), last)
        return cls(envelopes, replace(log_format, fields=fields), lines, has_years)

    def taken_off(
        self, blocks: Iterable[memoryview], kernel: Callable[[], Kernel | None] = lambda: None
    ) -> Iterator["Inner"]:
        """Yield the lines of a raw file's blocks; one is done with when the next one is asked for.

        Args:
            blocks: The blocks; for the kernel, each in a bytearray with PADDING after it.
            kernel: Returns what reads the usual envelopes at a small part of the cost, None where it isn't there.
        """
        rest = b""
        for block in blocks:
            raw = _padded(rest + bytes(block)) if rest else block
            inner, size = self._taken(raw, kernel(), is_last=len(rest) > MOST_PENDING, wants_time=self._is_timed)
            if size:
                yield inner
            rest = bytes(raw[size:])
        if rest:
            yield self._taken(_padded(rest), kernel(), is_last=True, wants_time=self._is_timed)[0]

    def times_of(self, lines: bytes) -> pa.BinaryArray:
        """Return the times of the envelopes of some lines, the innermost one that has a year; NULL for none."""
        return self._taken(_padded(lines), None, is_last=True, wants_time=True)[0].times

    def inner_blocks(self, blocks: Iterable[memoryview]) -> Iterator[memoryview]:
        """Yield blocks of lines without their envelopes, as many lines as there are."""
        if not self.envelopes:
            yield from blocks
            return
        for each in self.taken_off(blocks):
            yield each.block

    @property
    def _is_timed(self) -> bool:
        """Whether every line gets its envelope's time."""
        return self.timed is not None and self.lines is None

    def _lack_times(self, lines: pa.BinaryArray) -> bool:
        """Tell whether some lines have no time of their own, or one without a year."""
        return bool(
            (self.lines and to_numpy(self.lines.lack(lines)).any())
            or (not self.has_years and pc.any(pc.match_substring_regex(lines, WITHOUT_YEAR)).as_py())
        )

    def _taken(
        self, raw: memoryview, kernel: Kernel | None, *, is_last: bool, wants_time: bool
    ) -> tuple["Inner", int]:
        """Return the lines of a block up to the first one whose end may follow, and how many bytes these are."""
        raw_ends = np.flatnonzero(np.frombuffer(raw, np.uint8) == LINE_FEED) + 1
        text = raw
        if raw[-1] != LINE_FEED:
            raw_ends, text = np.append(raw_ends, len(raw)), _padded(bytes(raw) + b"\n")
        block, ends = text, np.append(raw_ends[:-1], len(text))
        lines = _lines_of(block, ends)
        stop, runs, time, without_year = len(lines), [], NO_BYTES, NO_BYTES
        for each in self.envelopes:
            if kernel and not wants_time and (read := _by_kernel(block, lines, each, kernel)):
                block, ends = read
                lines = _lines_of(block, ends)
                continue
            level = _level(lines, each, wants_time=wants_time)
            lines, begun, pending = _joined(level, is_last=is_last)
            block, ends = _block_of(lines)
            runs += begun
            stop = min(stop, pending)
            lacks_year = pc.match_substring(level.times, OF_BSD)
            time = pc.coalesce(pc.if_else(lacks_year, NO_BYTES, level.times), time)
            without_year = pc.coalesce(pc.if_else(lacks_year, level.times, NO_BYTES), without_year)
        while straddling := [run[0] for run in runs if run[0] < stop <= run[-1]]:
            stop = min(straddling)
        if not wants_time and self._lack_times(lines):
            return self._taken(raw, None, is_last=is_last, wants_time=True)
        if wants_time:
            block, ends = _block_of(self._timed_lines(lines, time, pc.coalesce(time, without_year)))
        continued = sorted(place for run in runs for place in run[:-1] if place < stop)
        size = int(raw_ends[stop - 1]) if stop else 0
        block, ends = block[: int(ends[stop - 1]) if stop else 0], ends[:stop]
        inner = Inner(block, ends, raw[:size], raw_ends[:stop], np.array(continued, np.int64), time)
        return inner, size

    def _timed_lines(
        self, lines: pa.BinaryArray, with_year: pa.BinaryArray, times: pa.BinaryArray
    ) -> pa.BinaryArray:
        """Return lines with what they lack of their time.

        Args:
            lines: The lines.
            with_year: Their envelopes' times, NULL where these have no year.
            times: Their envelopes' times, NULL where there is none.
        """
        if not self.has_years:
            lines = _with_years(lines, with_year)
        if not self.timed:
            return lines
        timed = _with_time(lines, times, self.timed)
        return pc.if_else(self.lines.lack(lines), timed, lines) if self.lines else timed


@dataclass(frozen=True)
class OwnTime:
    """Which lines of keys and values have no time of their own.

    Attributes:
        line: A regular expression of lines that may be requests.
        time: A regular expression of those that have a time.
    """

    line: str
    time: str

    @classmethod
    def of(cls, log_format: Format) -> "OwnTime":
        """Return what tells it of lines of a format that has keys."""
        keys = [each.name for each in log_format.fields if each.role is Role.TIME]
        names = "|".join(re.escape(each.rpartition(".")[2]) for each in keys)
        if isinstance(log_format, Json):
            return cls(r"^[ \t]*\{", rf'"(?:{names})"[ \t]*:[ \t]*"?[0-9A-Z]')
        if isinstance(log_format, Ltsv):
            return cls("^[0-9A-Za-z_.-]+:", rf"(?:^|\t)(?:{names}):\[?[0-9A-Z]")
        statuses = "|".join(re.escape(each.name) for each in log_format.fields if each.role is Role.STATUS)
        first = rf'(?s)^ *(?:[^ ="]+ +)*\[?(?:{ONE_WORD}|{OF_BSD_TIME}) ' if PREFIX_TIME in keys else "^$"
        return cls(rf"(?:^| )(?:{statuses})=", rf'{first}|(?:^| )(?:{names})="?[0-9A-Z]')

    def lack(self, lines: pa.BinaryArray) -> pa.BooleanArray:
        """Tell which lines have none, though they may be requests."""
        has_one = pc.match_substring_regex(lines, self.time)
        if pc.all(has_one).as_py():
            return pc.invert(has_one)
        return pc.and_not(pc.match_substring_regex(lines, self.line), has_one)


class Inner(NamedTuple):
    """Lines without their envelopes.

    Attributes:
        block: The lines, each with an LF, as BlockParser.batches takes them.
        ends: Where each ends in the block.
        raw: The raw lines.
        raw_ends: Where each of those ends.
        continued: The places of those that go on in another one, ascending; here they are empty.
        times: Their envelopes' times, if they were wanted.
    """

    block: memoryview
    ends: Places
    raw: memoryview
    raw_ends: Places
    continued: Places
    times: pa.BinaryArray | pa.BinaryScalar = NO_BYTES


class _Level(NamedTuple):
    """Lines of which one envelope is taken off.

    Attributes:
        lines: The lines, those that lack it as they were.
        times: The envelope's times, NULL where there are none or nobody asks for them.
        goes_on: Which of them go on in the next one of their stream; None where none does.
        streams: Of each line the number of its stream; -1 where it lacks the envelope.
    """

    lines: pa.BinaryArray
    times: pa.BinaryArray | pa.BinaryScalar
    goes_on: Booleans | None = None
    streams: npt.NDArray[np.int8] | None = None


def _level(lines: pa.BinaryArray, envelope: Envelope, *, wants_time: bool = False) -> _Level:
    return _of_object(lines, envelope) if envelope.keys else _of_prefix(lines, envelope, wants_time=wants_time)


def _by_kernel(
    block: memoryview, lines: pa.BinaryArray, envelope: Envelope, kernel: Kernel
) -> tuple[memoryview, Places] | None:
    """Return lines without an envelope, and where each ends; None if some are in parts or the kernel can't tell.

    Args:
        block: The lines, with PADDING after them.
        lines: The same.
        envelope: What to take off.
        kernel: The kernel.
    """
    key = envelope.keys[0].encode() + bytes(PADDING) if len(envelope.keys) == 1 else b"."
    if envelope.prefix is None and b"." in key:
        return None
    text = np.frombuffer(key, np.uint8)
    given = np.zeros(layout.WRAPPED, np.int64)
    given[layout.WRAPPED_IN] = layout.OBJECT if envelope.prefix is None else envelope.prefix
    given[layout.WRAPPED_KEY], given[layout.WRAPPED_KEY_BYTES] = text.ctypes.data, len(text) - PADDING
    given[layout.WRAPPED_ENDED] = envelope.is_cut
    out = bytearray(len(block) + len(lines) + PADDING)
    written = np.frombuffer(out, np.uint8)
    ends = np.empty(len(lines), np.int64)
    begin = np.frombuffer(block, np.uint8).ctypes.data
    size = kernel(
        layout.UNWRAP, *(given.ctypes.data, begin, begin + len(block), written.ctypes.data, ends.ctypes.data)
    )
    undecided = ends < 0
    if envelope.prefix is None:  # of JSON, the kernel also takes escapes that aren't any
        undecided |= _have(block, lines, b"\\x")
    if not undecided.any():
        return memoryview(out)[:size], ends
    found = _lines_of(memoryview(out)[:size], np.where(ends < 0, -1 - ends, ends))
    level = _level(lines.filter(pa.array(undecided)), envelope)
    if level.goes_on is not None and level.goes_on.any():
        return None
    return _block_of(pc.replace_with_mask(found, pa.array(undecided), level.lines))


def _have(block: memoryview, lines: pa.BinaryArray, text: bytes) -> Booleans:
    """Tell which lines have a text."""
    data, at, found = bytes(block), -1, []
    while (at := data.find(text, at + 1)) >= 0:
        found.append(at)
    have = np.zeros(len(lines), np.bool_)
    have[np.searchsorted(np.frombuffer(lines.buffers()[1], np.int32)[1 : len(lines) + 1], found, side="right")] = (
        True
    )
    return have


def _of_prefix(lines: pa.BinaryArray, envelope: Envelope, *, wants_time: bool) -> _Level:
    pattern = f"(?s)^(?:{envelope.pattern})"
    too_long = pc.greater(pc.binary_length(lines), scalar(MAX_LINE_BYTES))
    inner = pc.replace_substring_regex(lines, pattern, b"", max_replacements=1)
    if pc.any(too_long).as_py():
        inner = pc.if_else(too_long, lines, inner)
    times: pa.BinaryArray | pa.BinaryScalar = NO_BYTES
    goes_on = streams = None
    may_go_on = envelope.joins and pc.any(pc.match_substring_regex(lines, "(?s)^[^ ]+ std(?:out|err) P")).as_py()
    if may_go_on or (wants_time and envelope.has_time):
        fits = to_numpy(pc.not_equal(pc.binary_length(inner), pc.binary_length(lines)))
        parts = pc.extract_regex(lines, pattern)
        groups = [each.name for each in parts.type if each.name not in {"more", "stream"}]
        found = (pc.struct_field(parts, each) for each in groups)
        times = pc.coalesce(*(pc.if_else(pc.equal(each, scalar(b"")), NO_BYTES, each) for each in found), NO_BYTES)
        times = pc.replace_substring(times, b" ", OF_BSD)  # one word, as it is before a line
        if may_go_on:
            goes_on = fits & to_numpy(filled(pc.equal(pc.struct_field(parts, "more"), scalar(b"P")), filler=False))
            is_error = filled(pc.equal(pc.struct_field(parts, "stream"), scalar(b"stderr")), filler=False)
            streams = np.where(fits, to_numpy(is_error), -1).astype(np.int8)
    return _Level(inner, times, goes_on, streams)


def _of_object(lines: pa.BinaryArray, envelope: Envelope) -> _Level:
    texts: list[bytes | None] = []
    times: list[bytes | None] = []
    streams: list[int] = []
    numbers_of: dict[object, int] = {}
    for line in lines.to_pylist():
        found = _object(line) if len(line) <= MAX_LINE_BYTES else {}
        text = _text(next((value for key in envelope.keys if (value := _value(found, key)) is not None), None))
        texts.append(text)
        times.append(next((time for key in envelope.times if (time := _time(_value(found, key)))), None))
        streams.append(
            -1 if text is None else numbers_of.setdefault(str(found.get("stream")), len(numbers_of) % 100)
        )
    of_streams = np.array(streams, np.int8)
    goes_on = None
    if envelope.is_cut:
        lacks_end = np.array([text is not None and not text.endswith(b"\n") for text in texts], np.bool_)
        goes_on = lacks_end.copy()
        is_short = lacks_end & (np.array([len(text or b"") for text in texts]) < DOCKERS_PART)
        for number in np.unique(of_streams[is_short]).tolist():
            places = np.flatnonzero(of_streams == number)
            alone = is_short[places[:-1]] & lacks_end[places[1:]]  # in a log of which somebody took the line ends
            goes_on[places[:-1][alone]] = False
    ended = [None if text is None else text if text.endswith(b"\n") else text + b"\n" for text in texts]
    inner = pc.coalesce(array(ended, pa.binary()), lines)
    return _Level(inner, array(times, pa.binary()), goes_on, of_streams)


def _object(line: bytes) -> Mapping[str, object]:
    with suppress(orjson.JSONDecodeError):
        found = orjson.loads(line)
        return found if isinstance(found, dict) else {}
    return {}


def _value(found: Mapping[str, object], key: str) -> object:
    """Return what an object has under a key, or under a dotted one in objects within it."""
    if key in found:
        return found[key]
    first, _, rest = key.partition(".")
    within = found.get(first)
    return _value(within, rest) if rest and isinstance(within, dict) else None


def _text(value: object) -> bytes | None:
    """Return one line of text; None of anything else, such as several lines."""
    if isinstance(value, list):  # as journald writes what is no UTF-8
        with suppress(ValueError, TypeError):
            value = bytes(value)
    text = value.encode() if isinstance(value, str) else value if isinstance(value, bytes) else None
    return None if text is None or b"\n" in text[:-1] else text


def _time(value: object) -> bytes | None:
    text = value.replace(" ", "T", 1) if isinstance(value, str) else str(value)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    is_word = text.isascii() and text.isprintable() and not {" ", '"', "\\"} & {*text}
    return text.encode() if text and is_word and (is_number or isinstance(value, str)) else None


def _joined(level: _Level, *, is_last: bool) -> tuple[pa.BinaryArray, list[list[int]], int]:
    """Return lines with their parts joined in the last one, the places of each one's, and the first that is open.

    Args:
        level: The lines.
        is_last: Whether nothing follows, so that a line ends with its last part.
    """
    lines, _, goes_on, streams = level
    if goes_on is None or streams is None or not goes_on.any():
        return lines, [], len(lines)
    runs, pending = [], len(lines)
    for number in np.unique(streams[goes_on]).tolist():
        places = np.flatnonzero(streams == number)
        ends = np.flatnonzero(~goes_on[places])
        tail = int(ends[-1]) + 1 if len(ends) else 0
        if tail < len(places) and is_last:
            ends = np.append(ends, len(places) - 1)
        elif tail < len(places):
            pending = min(pending, int(places[tail]))
        begins = np.append(0, ends[:-1] + 1)
        runs += [places[b : e + 1].tolist() for b, e in zip(begins, ends, strict=False) if b < e]
    if not runs:
        return lines, [], pending
    wholes = {}
    for run in runs:
        parts = (lines[place].as_py() for place in run)
        whole = b"".join(part.removesuffix(b"\n") for part in parts)
        wholes[run[-1]] = whole[: MAX_LINE_BYTES + 1] + b"\n"
        wholes.update(dict.fromkeys(run[:-1], b"\n"))
    changed = np.zeros(len(lines), np.bool_)
    changed[[*wholes]] = True
    values = array([wholes[place] for place in sorted(wholes)], pa.binary())
    return pc.replace_with_mask(lines, pa.array(changed), values), runs, pending


def _with_time(lines: pa.BinaryArray, times: pa.BinaryArray, log_format: Format) -> pa.BinaryArray:
    """Return lines with the envelope's times before them, or as their first key; blank ones stay so."""
    if isinstance(log_format, Json):
        opening = pc.binary_join_element_wise(b'{"' + TIME.encode() + b'":"', times, b"")
        rest = pc.replace_substring(lines, b"{", b"", max_replacements=1)
        timed = pc.binary_join_element_wise(opening, rest, b'",')
        fits = pc.and_(pc.starts_with(lines, b"{"), pc.is_valid(times))
        return pc.if_else(fits, timed, lines)
    if isinstance(log_format, Ltsv):
        return pc.coalesce(pc.binary_join_element_wise(TIME.encode() + b":", times, b"\t", lines, b""), lines)
    if isinstance(log_format, Logfmt):
        times = _in_words(times)
    timed = pc.binary_join_element_wise(pc.coalesce(times, DASH), lines, b" ")
    return pc.if_else(pc.match_substring_regex(lines, r"^\r?\n$"), lines, timed)


def _in_words(times: pa.BinaryArray) -> pa.BinaryArray:
    """Return times as they may stand before pairs, where a number may be anything."""
    if not pc.any(pc.match_substring_regex(times, r"^[0-9.]+$")).as_py():
        return times
    microseconds, readable = timestamps.parse(times)
    texts = numbers(microseconds).cast(pa.timestamp("us")).cast(pa.string()).cast(pa.binary())
    words = pc.binary_join_element_wise(pc.replace_substring(texts, b" ", b"T"), b"Z", b"")
    return pc.if_else(numbers(readable), words, times)


def _with_years(lines: pa.BinaryArray, times: pa.BinaryArray) -> pa.BinaryArray:
    """Return lines with a year behind a time that has none: the nearest one to their envelope's time."""
    places = np.flatnonzero(to_numpy(pc.match_substring_regex(lines, WITHOUT_YEAR)))
    index = pa.array(places)
    microseconds, readable = timestamps.parse(times.take(index))
    days = timestamps.days_of(microseconds, readable)
    texts = []
    for line, day in zip(lines.take(index).to_pylist(), days.tolist(), strict=True):
        found = BSD_TIME.search(line)
        end, year = 0, b""
        if found and not found["year"] and day != timestamps.NO_DAY:
            end = found.end()
            year = b" %d" % timestamps.year_near(date_of(day), found["month"].decode(), int(found["day"]))
        texts.append(line[:end] + year + line[end:])
    chosen = np.zeros(len(lines), np.bool_)
    chosen[places] = True
    return pc.replace_with_mask(lines, pa.array(chosen), array(texts, pa.binary()))


def _padded(text: bytes) -> memoryview:
    return memoryview(bytearray(text + bytes(PADDING)))[: len(text)]


def _lines_of(block: memoryview, ends: Places) -> pa.BinaryArray:
    """Return the lines of a block, without copying them."""
    starts = np.append(0, ends).astype(np.int32)
    return pa.BinaryArray.from_buffers(pa.binary(), len(ends), [None, pa.py_buffer(starts), pa.py_buffer(block)])


def _block_of(lines: pa.BinaryArray) -> tuple[memoryview, Places]:
    """Return lines as a block with PADDING after it, and where each of them ends."""
    _, offsets, data = lines.buffers()
    bounds = np.frombuffer(offsets, np.int32)[lines.offset : lines.offset + len(lines) + 1].astype(np.int64)
    size = int(bounds[-1] - bounds[0])
    buffer = bytearray(size + PADDING)
    buffer[:size] = memoryview(data)[int(bounds[0]) : int(bounds[-1])] if size else b""
    return memoryview(buffer)[:size], bounds[1:] - bounds[0]


def found_around(lines: Sequence[bytes]) -> list[str]:
    """Return the names of the envelopes that most lines have, from the outside in; none where they have none."""
    names: list[str] = []
    current = [line.rstrip(b"\r\n") for line in lines if line.strip()]
    while current and len(names) < DEEPEST:
        name, inner = _outermost(current)
        if not name:
            break
        names.append(name)
        current = inner
    return names


def _outermost(lines: Sequence[bytes]) -> tuple[str, list[bytes]]:
    """Return the envelope that most of some lines have, and those without it; no name for none."""
    block = array([line + b"\n" for line in lines], pa.binary())
    objects = [_object(line) for line in lines]
    keys = Counter(key for each in objects for key in OTHER_KEYS if _text(_value(each, key)) is not None)
    others = [envelope(f"{JSON}{key}") for key, _ in keys.most_common(1)]
    for each in (*ENVELOPES.values(), *others):
        if each.is_cut and not any(
            isinstance(one.get("log"), str) and {"stream", "time"} <= {*one} for one in objects
        ):
            continue
        level = _of_object(block, each) if each.keys else _of_prefix(block, each, wants_time=False)
        changed = to_numpy(pc.not_equal(level.lines, block))
        if each.is_of_objects:
            changed = changed & to_numpy(pc.starts_with(level.lines, pattern="{"))
        if len(changed) and np.count_nonzero(changed) > MANY * len(changed):
            inner, _, _ = _joined(level, is_last=True)
            return each.name, [line.rstrip(b"\r\n") for line in inner.to_pylist() if line.strip()]
    return "", []
