"""From raw lines to columns: one parser for every format, vectorised over a block of lines where it can be.

A format says which field is read for what (its role); from there on all formats are one.
"""

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from etl.kernel.layout import MAX_LINE_BYTES
from etl.lines import privacy, timestamps
from etl.lines.applications import Applications
from etl.lines.formats import (
    PREFIX_TIME,
    Alternatives,
    Delimited,
    Field,
    Format,
    Headed,
    Json,
    Kind,
    Ltsv,
    Role,
)
from etl.lines.passes import Passes
from etl.lines.places import places_of
from lake.contracts import contract
from lake.contracts.rejects import REASONS
from lake.contracts.requests import METHODS
from lake.memory.arrays import array, filled, numbers, scalar, to_numpy

ACCEPTED, DIRECTIVE, CONTINUED, NOISE = -1, -2, -3, -4
"""What a line is that is no reject: a request, or neither, since it is about the file, goes on in another line, or
is no access line at all."""
NO_APPLICATION = "(invalid)"
AUTHORITY = "authority"

STATUS = r"[1-5][0-9]{2}"
NO_STATUS = r"000|0|-1"  # CloudFront's, Caddy's, HAProxy's
RESPONSE_BYTES = r"-|[0-9]{1,18}"  # 18 digits always fit a 64-bit integer
# A duration has a unit once its field's scale has been added; 1h2m3.5s is Go's. Anything else is not known.
NUMBER = r"[0-9]{1,18}(?:\.[0-9]{1,9})?"
DURATION = re.compile(
    rf"(?:(?:(?P<hours>[0-9]{{1,6}})h)?(?P<minutes>[0-9]{{1,2}})m)?(?P<number>{NUMBER})(?P<unit>s|ms|us|ns)"
)
SCALES = {"s": 0, "ms": 3, "us": 6, "ns": 9}
MICRO = (b"\xc2\xb5s", b"\xce\xbcs")  # as Go writes it, with the sign of micro or the letter mu
UPSTREAM_STATUS = r"(?:(?:.*[, ])?(?P<last>[0-5][0-9]{2}|-))?"
SEPARATOR = "[, ]"  # is in a list of upstreams, whichever way nginx separates them, if it has two or more
# A request line is METHOD TARGET PROTOCOL; without a protocol (HTTP/0.9) a target with spaces can't be told.
# Of an absolute target, scheme and authority go; query, fragment and parameters go too, encoded or not.
SCHEME = r"[A-Za-z][A-Za-z0-9+.-]*://"
PROTOCOL = r" HTTP/[0-9](?:\.[0-9])?"
REQUEST = (
    rf"(?s)^(?P<method>[A-Z-]+)(?: (?:{SCHEME}[^/?#; ]*)?(?P<path>/.*){PROTOCOL}| (?P<asterisk>\*){PROTOCOL}"
    rf"| (?:{SCHEME}[^/?#; ]*)?(?P<bare_path>/[^ ]*)| .*|)$"
)
ABSOLUTE = rf"(?s)^[A-Z-]+ {SCHEME}(?:[^/?#; ]*@)?(?P<authority>[^/?#; @]*)(?:.*{PROTOCOL}|[^ ]*)$"
QUERY = r"(?s)(?:[?#;]|%(?:25)*(?:3[BbFf]|23)).*$"
HOST_NAME, LONGEST_HOST = r"^[a-z0-9][a-z0-9._-]*$", 253
ADDRESS = r"^[0-9.]+$"
PORT = r":[0-9]{1,5}$"
HEADER = r"(?i)^#Fields:"
ANY_DIRECTIVE = r"(?i)^#(?:Version|Fields|Software|Date|Start-Date|End-Date|Remark):"

TEXTS = (Role.REQUEST, Role.METHOD, Role.TARGET, Role.UPSTREAMS, Role.HOST, Role.USER_AGENT)
"""Roles that only a string can have in JSON; another value is none."""
_ESCAPE = re.compile(rb"\\(?:x([0-9A-Fa-f]{2})|.)", re.DOTALL)
# Text in single quotes ends at one before another pair or the line's end: Rails' lograge escapes none in messages.
# No possessive repetition: before Python 3.11.5 it finds nothing where a lookahead within it fails.
_VALUE = rb'"(?:[^"\\]|\\.)*"|[^ "]*'
_SINGLE = rb"""'(?:[^']|'(?! +[^ ="]+=| *\Z))*'"""


def _pairs_of(value: bytes) -> tuple[re.Pattern[bytes], re.Pattern[bytes]]:
    """Return what a line of pairs is, and each of them."""
    pair = rb'[^ ="]+=(?:%s)' % value
    whole = rb'(?P<words>(?:[^ ="]+ +)*)(?P<pairs>(?:%s(?: +|\Z))+)' % pair
    return re.compile(whole, re.DOTALL), re.compile(rb'([^ ="]+)=(%s)' % value, re.DOTALL)


_PAIRS, _PAIRS_IN_SINGLE_QUOTES = _pairs_of(_VALUE), _pairs_of(rb"(?!')(?:%s)|%s" % (_VALUE, _SINGLE))
_TIME = re.compile(f"{timestamps.unnamed(timestamps.ISO)}|{timestamps.unnamed(timestamps.BSD)}".encode())
WHITE_SPACE = b" \t\r\n"  # as JSON has it
MOST_CORRECTED = 1 << 16  # bytes of a line of JSON whose values are looked at one by one
_LABEL = re.compile(rb"[0-9A-Za-z_.-]+")
# A string; or what stands after a colon, is neither string, object nor array, and comes before another key or the
# object's end, as nginx writes variables without quotes around them.
_UNQUOTED = re.compile(
    rb'"(?:[^"\\]|\\.)*+"?'  # one without end goes to the line's, so that nothing is looked at twice
    rb'|(?P<before>:[ \t]*)(?P<value>[^"{}\[\]\\\s][^"{}\[\]\\\r\n]{0,200}?|)(?=[ \t]*(?:,[ \t]*"|\}))',
    re.DOTALL,
)

NO_BYTES, EMPTY, DASH, ZERO = scalar(None, pa.binary()), scalar(b""), scalar(b"-"), scalar(b"0")
NO = scalar(value=False)

Booleans = npt.NDArray[np.bool_]
Row = list[bytes | None]


@dataclass(frozen=True)
class ParsedLines:
    """A block of lines, taken apart; all arrays have one element a line.

    Attributes:
        lines: The raw lines with their ends.
        fields: A struct of bytes, a child for each Role that the format has; NULL where the line lacks it. A
            request in parts has become one, and each host has a child of its own (see host_column).
        microseconds: The line's time, since 1970 in UTC; 0 where unreadable.
        days: The line's day since 1970-01-01, timestamps.NO_DAY where unreadable.
        reasons: ACCEPTED, or the index in the contract's REASONS of why the line is a reject, or DIRECTIVE
            where it is about the file and neither a request nor a reject.
        formats: Which of several formats each line has, from 0; None if there is but one.
    """

    lines: pa.BinaryArray
    fields: pa.StructArray
    microseconds: timestamps.Integers
    days: timestamps.Integers
    reasons: timestamps.Integers
    formats: timestamps.Integers | None = None


class Parser:
    """Parses the lines of one raw file in their order: what a Headed format's lines mean, those before say.

    Attributes:
        current: The format of the lines that come next: a Headed one's is Delimited once its header was read.
    """

    def __init__(self, log_format: Format, passes: Passes | None = None, year_begin: date | None = None) -> None:
        self._format = log_format
        self._passes = passes
        self._year_begin = year_begin
        self.current = log_format

    def parse(self, lines: pa.BinaryArray) -> ParsedLines:
        """Take the file's next lines apart, as parse_lines does."""
        if not isinstance(self._format, Headed):
            return parse_lines(lines, self._format, self._passes, self._year_begin)
        short = pc.less_equal(pc.binary_length(lines), scalar(MAX_LINE_BYTES))
        headers = np.flatnonzero(_mask(pc.and_(short, pc.match_substring_regex(lines, HEADER))))
        parts, begin = [], 0
        for end in headers.tolist():
            parts.append(parse_lines(lines.slice(begin, end - begin), self.current))
            header = lines[end].as_py().partition(b":")[2]
            self.current = self._format.with_header([name.decode("latin-1") for name in header.split()])
            begin = end
        parts.append(parse_lines(lines.slice(begin), self.current))
        directives = _mask(pc.and_(short, pc.match_substring_regex(lines, ANY_DIRECTIVE)))
        names = dict.fromkeys(name for part in parts for name in part.fields.type.names)
        return ParsedLines(
            lines,
            pa.StructArray.from_arrays(
                [pa.concat_arrays([_column(part.fields, name) for part in parts]) for name in names], list(names)
            ),
            np.where(directives, 0, np.concatenate([part.microseconds for part in parts])),
            np.where(directives, timestamps.NO_DAY, np.concatenate([part.days for part in parts])),
            np.where(directives, DIRECTIVE, np.concatenate([part.reasons for part in parts])),
        )


def split_lines(block: bytes) -> pa.BinaryArray:
    """Return the lines of a block with their ends, without copying; the last may lack its LF."""
    data = np.frombuffer(block, dtype=np.uint8)
    ends = np.flatnonzero(data == ord("\n")) + 1
    if len(block) and (not len(ends) or ends[-1] != len(block)):
        ends = np.append(ends, len(block))
    offsets = np.append(0, ends).astype(np.int32)
    return pa.BinaryArray.from_buffers(pa.binary(), len(ends), [None, pa.py_buffer(offsets), pa.py_buffer(block)])


def parse_lines(
    lines: pa.BinaryArray, log_format: Format, passes: Passes | None = None, year_begin: date | None = None
) -> ParsedLines:
    """Take lines apart and say of each whether it is a request, and if not why.

    The shape of the line decides, not that of its request: whatever was answered with a status counts.

    Args:
        lines: The lines.
        log_format: Their format.
        passes: Follows the times of the raw file whose next lines they are; without it, of a time that clocks
            showed twice it is the first.
        year_begin: The first day of the twelve months that times without a year are of; see timestamps.
    """
    too_long = to_numpy(pc.binary_length(lines)) > MAX_LINE_BYTES
    found = _taken_apart(lines, too_long, log_format, year_begin)
    microseconds = passes.placed(found.microseconds, found.local & found.fits) if passes else found.microseconds
    reasons = found.reasons
    blank = _mask(pc.match_substring_regex(pc.binary_slice(lines, 0, 3), r"^\r?\n?$"))
    reasons[blank] = REASONS.index("blank")
    reasons[too_long] = REASONS.index("too_long")
    days = timestamps.days_of(microseconds, found.readable)
    return ParsedLines(lines, found.fields, microseconds, days, reasons, found.formats)


@dataclass(frozen=True)
class _Parts:
    """What was found of lines, each with one element a line; see ParsedLines.

    Attributes:
        fits: Whether it has the format's shape.
        readable: Whether its time is one.
        local: Whether that is written without an offset.
        formats: Which of several formats it has; None if there is but one.
    """

    fits: Booleans
    fields: pa.StructArray
    microseconds: timestamps.Integers
    readable: Booleans
    local: Booleans
    reasons: timestamps.Integers
    formats: timestamps.Integers | None = None

    @classmethod
    def of(cls, parts: "list[_Parts]", places: timestamps.Integers) -> "_Parts":
        """Return what there is in several parts; `places` says which of them each line is."""
        names = dict.fromkeys(name for part in parts for name in part.fields.type.names)
        order = numbers(places)
        columns = [pa.concat_arrays([_column(part.fields, name) for part in parts]).take(order) for name in names]

        def joined(name: str) -> npt.NDArray[Any]:
            return np.concatenate([getattr(part, name) for part in parts])[places]

        rest = (joined(name) for name in ("microseconds", "readable", "local", "reasons"))
        return cls(joined("fits"), pa.StructArray.from_arrays(columns, list(names)), *rest)

    def of_those(self, chosen: Booleans) -> "_Parts":
        """Return what was found of some of the lines."""
        index = numbers(np.flatnonzero(chosen))
        arrays = (getattr(self, name)[chosen] for name in ("microseconds", "readable", "local", "reasons"))
        return _Parts(self.fits[chosen], self.fields.take(index), *arrays)


def _taken_apart(lines: pa.BinaryArray, too_long: Booleans, log_format: Format, year_begin: date | None) -> _Parts:
    """Return what is found of lines; that they are blank or too long is for others to say."""
    if isinstance(log_format, Alternatives):
        return _of_the_first_that_fits(lines, too_long, log_format, year_begin)
    fits, values = _read(lines, too_long, log_format)
    columns = _columns(log_format, values, len(lines))
    times = columns[Role.TIME]
    others = np.flatnonzero(~fits)
    if len(others):  # a line of another shape may still show its day, in what is read of it in any case
        begins = pc.binary_slice(lines.take(numbers(others)), 0, MAX_LINE_BYTES)
        shown = timestamps.first_in(begins, _shown_time(log_format))
        # of one without an offset, its place shows that it is the line's; in half an object, no place is sure
        for place in () if isinstance(log_format, Json) else places_of(log_format):
            shown = _with_those_of(place, shown, begins)
        times = pc.replace_with_mask(times, numbers(~fits), shown)
    microseconds, readable, local = timestamps.parse_local(times, log_format.timezone, year_begin)
    fields = _fields(columns)

    # the later, the stronger; what a column that may be NULL holds makes no line a reject
    reasons = np.full(len(lines), ACCEPTED, dtype=np.int64)
    status = f"{STATUS}|{NO_STATUS}" if log_format.zero_status else STATUS
    has_status = pc.match_substring_regex(_column(fields, Role.STATUS), f"(?s)^(?:{status})$")
    reasons[~_mask(has_status)] = REASONS.index("status")
    if log_format.has_sessions:
        reasons[_are_sessions(fields)] = REASONS.index("status")
    if log_format.has(Role.BESIDE):
        reasons[_are_beside(fields)] = REASONS.index("status")
    reasons[~readable] = REASONS.index("time")
    reasons[~fits] = REASONS.index("shape")
    return _Parts(fits, fields, microseconds, readable, local, reasons)


def _with_those_of(place: str, times: pa.BinaryArray, lines: pa.BinaryArray) -> pa.BinaryArray:
    """Return times, of lines without one that which they have in a place of their format's."""
    if not times.null_count:
        return times
    lack = times.is_null()
    found = pc.struct_field(pc.extract_regex(lines.filter(lack), place), "time")
    return pc.replace_with_mask(times, lack, found)


def _are_sessions(fields: pa.StructArray) -> Booleans:
    """Tell which lines are connections of TCP: without a status, and with a dash or nothing for their request."""
    without_status = pc.match_substring_regex(_column(fields, Role.STATUS), f"^(?:{NO_STATUS})$")
    request = pc.fill_null(_column(fields, Role.REQUEST), DASH)
    return _mask(pc.and_(without_status, pc.match_substring_regex(request, r"^-(?: - -| - HTTP/1\.1)?$")))


def _are_beside(fields: pa.StructArray) -> Booleans:
    """Tell which lines are records that stand beside their request's own."""
    return _mask(_column(fields, Role.BESIDE).is_valid())


def beside(lines: pa.BinaryArray, log_format: Format) -> Booleans:
    """Tell which lines are such records of a format."""
    formats = log_format.formats if isinstance(log_format, Alternatives) else (log_format,)
    found = np.zeros(len(lines), np.bool_)
    for each in formats:
        if each.has(Role.BESIDE):
            _, values = _read(lines, np.zeros(len(lines), np.bool_), each)
            found |= _are_beside(_fields(_columns(each, values, len(lines))))
    return found


def may_fit(lines: pa.BinaryArray, log_format: Format) -> bool:
    """Tell whether a line may have a format's shape, by a look that takes a moment."""
    if isinstance(log_format, Delimited):
        return bool(pc.any(pc.match_substring_regex(lines, log_format.pattern)).as_py())
    if isinstance(log_format, Json):
        return bool(pc.any(pc.match_substring_regex(lines, r"^\s*\{")).as_py())
    return True


def keyed_statuses(lines: pa.BinaryArray, log_format: Format) -> tuple[Booleans, pa.BinaryArray]:
    """Return which lines of keys and values can be read, and the text of their status, NULL for none."""
    fits, values = _read(lines, np.zeros(len(lines), np.bool_), log_format)
    return fits, _column(_fields(_columns(log_format, values, len(lines))), Role.STATUS)


def _of_the_first_that_fits(
    lines: pa.BinaryArray, too_long: Booleans, log_format: Alternatives, year_begin: date | None
) -> _Parts:
    parts, found = [], []
    left = np.arange(len(lines))
    for number, each in enumerate(log_format.in_zone, 1):
        part = _taken_apart(lines.take(numbers(left)), too_long[left], each, year_begin)
        chosen = part.fits | (number == len(log_format.formats))
        parts.append(part.of_those(chosen))
        found.append(left[chosen])
        left = left[~chosen]
    places = np.argsort(np.concatenate(found))
    formats = np.repeat(np.arange(len(parts)), [len(each) for each in found])[places]
    return replace(_Parts.of(parts, places), formats=formats)


def rejects_table(
    masked: pa.StringArray,
    reasons: timestamps.Integers,
    files: str | pa.StringArray,
    line_numbers: timestamps.Integers,
) -> pa.Table:
    """Return rejected lines as rows of `rejects`, their reasons and a file of all dictionary-encoded.

    Args:
        masked: The lines as they may be kept.
        reasons: Why they are rejects, as indices in the contract's REASONS.
        files: The name of their raw file, or of each one's.
        line_numbers: Their numbers in that file, from 1.
    """
    columns = {
        "file": _encoded(np.zeros(len(masked), np.int32), [files]) if isinstance(files, str) else files,
        "line_number": numbers(line_numbers),
        "reason": _encoded(reasons.astype(np.int32), REASONS),
        "masked_line": masked,
    }
    fields = contract("rejects").schema
    return pa.table(columns, schema=pa.schema(field.with_type(columns[field.name].type) for field in fields))


def _encoded(places: npt.NDArray[np.int32], texts: Sequence[str]) -> pa.DictionaryArray:
    """Return texts by their places among some."""
    return pa.DictionaryArray.from_arrays(numbers(places), array(texts, pa.string()))


def requests_table(parsed: ParsedLines, chosen: Booleans, classifier: "Classifier") -> pa.Table:
    """Return the chosen lines, all of them accepted ones, as rows of `requests`."""
    index = numbers(np.flatnonzero(chosen))
    fields = parsed.fields.take(index)
    request = pc.extract_regex(_column(fields, Role.REQUEST), REQUEST)
    path = _paths(request)
    return pa.table(
        {
            "ts": numbers(parsed.microseconds[chosen]).cast(pa.timestamp("us")),
            "application": classifier.applications(fields, path, parsed.days[chosen]),
            "vantage": pa.repeat(scalar(classifier.vantage), len(index)),
            "method": _methods(request),
            "path": path,
            "status": _statuses(fields),
            "response_bytes": _response_bytes(fields),
            "duration_seconds": _durations(fields),
            "upstream_status": _upstream_status(fields),
            "retried": _retried(fields),
            "traffic_class": classifier.traffic_classes(path, fields),
        },
        schema=contract("requests").schema,
    )


def host_column(name: str) -> str:
    """Return the name of the child of ParsedLines.fields that has the host field of a name."""
    return f"{Role.HOST}:{name}"


@dataclass(frozen=True)
class Classifier:
    """What a source's settings say of a request: whose it is, and what it asks.

    Attributes:
        application: A constant, or None where lines tell it.
        application_field: A host field, or AUTHORITY for that of a request with an absolute target.
        health_check_paths: Paths; one that ends in `*` stands for all that begin so.
        synthetic_user_agents: Parts of user agents, in any case.
        mapped: What hosts, if there is a field of them, and paths are; None where the host is the application.
    """

    vantage: str
    application: str | None
    application_field: str | None
    health_check_paths: tuple[str, ...]
    synthetic_user_agents: tuple[str, ...]
    mapped: Applications | None = None

    def applications(
        self, fields: pa.StructArray, paths: pa.StringArray, days: timestamps.Integers
    ) -> pa.StringArray:
        """Return each request's application: a constant, a host name without its port, or what a map has for it.

        Args:
            fields: The fields of the requests' lines.
            paths: Their paths, as they may be kept.
            days: Their days.
        """
        if self.application is not None:
            return pa.repeat(scalar(self.application), len(fields))
        hosts = self._hosts(fields)
        if self.mapped is None:
            return hosts
        parts = (each.dictionary_encode() for each in (hosts, paths))
        places = ((to_numpy(filled(each.indices, -1)), each.dictionary.to_pylist()) for each in parts)
        return array(self.mapped.names, pa.string()).take(numbers(self.mapped.places(days, *places)))

    def _hosts(self, fields: pa.StructArray) -> pa.StringArray:
        """Return each request's host in lower case without its port, NULL where none is asked for."""
        if self.application_field is None:
            return pa.nulls(len(fields), pa.string())
        column = host_column(self.application_field)
        if self.application_field == AUTHORITY and column not in fields.type.names:
            hosts = pc.struct_field(pc.extract_regex(_column(fields, Role.REQUEST), ABSOLUTE), "authority")
        else:
            hosts = _column(fields, column)
        return application_names(hosts)

    def traffic_classes(self, path: pa.StringArray, fields: pa.StructArray) -> pa.StringArray:
        """Return each request's traffic class; a health check is one whoever asks."""
        synthetic = self.are_synthetic(_column(fields, Role.USER_AGENT))
        health_check, other, user = map(scalar, ("health_check", "synthetic", "user"))
        return pc.if_else(self.are_health_checks(path), health_check, pc.if_else(synthetic, other, user))

    def are_health_checks(self, paths: pa.StringArray) -> pa.BooleanArray:
        """Tell which paths are those of health checks."""
        found = pa.repeat(NO, len(paths))
        for wanted in self.health_check_paths:
            begins = wanted.endswith("*")
            these = pc.starts_with(paths, wanted[:-1]) if begins else pc.equal(paths, scalar(wanted))
            found = pc.or_(found, pc.fill_null(these, NO))
        return found

    def are_synthetic(self, agents: pa.BinaryArray) -> pa.BooleanArray:
        """Tell which user agents are those of synthetic requests."""
        found = pa.repeat(NO, len(agents))
        for part in self.synthetic_user_agents:
            these = pc.match_substring(agents, part.encode(), ignore_case=True)
            found = pc.or_(found, pc.fill_null(these, NO))
        return found


def application_names(hosts: pa.BinaryArray) -> pa.StringArray:
    """Return the applications that hosts name: in lower case without a port, NO_APPLICATION if it is no name."""
    lower = pc.ascii_lower(hosts.view(pa.string())).view(pa.binary())  # which looks at each byte by itself
    names = pc.replace_substring_regex(lower, PORT, b"")
    valid = pc.and_not(pc.match_substring_regex(names, HOST_NAME), pc.match_substring_regex(names, ADDRESS))
    valid = pc.and_(valid, pc.less_equal(pc.binary_length(names), scalar(LONGEST_HOST)))
    return pc.if_else(pc.fill_null(valid, NO), names, scalar(NO_APPLICATION.encode())).cast(pa.string())


def _read(
    lines: pa.BinaryArray, too_long: Booleans, log_format: Format
) -> tuple[Booleans, Sequence[pa.BinaryArray]]:
    """Return which lines have the format's shape, and the values of its fields, NULL for those without role."""
    nothing = pa.nulls(len(lines), pa.binary())
    if isinstance(log_format, Delimited):
        fits = _mask(pc.match_substring_regex(lines, log_format.pattern)) & ~too_long
        parts = _fitting_parts(lines, log_format.pattern, fits)
        values = [
            pc.struct_field(parts, f"f{number}") if field.role else nothing
            for number, field in enumerate(log_format.fields)
        ]
        return fits, values
    if isinstance(log_format, Headed):  # no header so far
        return np.zeros(len(lines), dtype=np.bool_), [nothing] * len(log_format.fields)
    reader = {Json: _json_reader, Ltsv: _ltsv_reader}.get(type(log_format), _logfmt_reader)
    read = reader(log_format)
    rows = [None if long else read(line) for line, long in zip(lines.to_pylist(), too_long, strict=True)]
    fits = np.array([row is not None for row in rows], dtype=np.bool_)
    fitting = [row for row in rows if row is not None]
    if not fitting:
        return fits, [nothing] * len(log_format.fields)
    values = [array(column, pa.binary()) for column in zip(*fitting, strict=True)]
    if len(fitting) < len(rows):
        places = numbers(np.cumsum(fits) - 1, ~fits)
        values = [each.take(places) for each in values]
    return fits, values


def _fitting_parts(lines: pa.BinaryArray, pattern: str, fits: Booleans) -> pa.StructArray:
    """Return the groups of a pattern in the lines that fit it, NULL for others.

    To find out that a line doesn't fit takes ten times as long where groups are asked for.
    """
    if fits.all():
        return pc.extract_regex(lines, pattern)
    places = np.cumsum(fits) - 1
    return pc.extract_regex(lines.filter(numbers(fits)), pattern).take(numbers(places, ~fits))


def _json_reader(log_format: Format) -> Callable[[bytes], Row | None]:
    paths = [(field.name.split("."), field.role) for field in log_format.fields]

    def read(line: bytes) -> Row | None:
        found = _json_object(line)
        return None if found is None else [_json_text(_at(found, keys), role) for keys, role in paths]

    return read


def _json_object(line: bytes) -> dict[str, Any] | None:
    r"""Return the object that a line is, None if it is none.

    What nginx writes that is not JSON is corrected first: \xHH, and then values that are not in quotes.
    """
    if not line.rstrip(WHITE_SPACE).endswith(b"}"):  # cut off, as lines of rejects are: all below would be in vain
        return None
    escaped = _ESCAPE.sub(_corrected, line) if rb"\x" in line else line
    for text in (line, escaped) if escaped is not line else (line,):
        with suppress(orjson.JSONDecodeError):
            found = orjson.loads(text)
            return found if isinstance(found, dict) else None
    if len(escaped) <= MOST_CORRECTED and escaped.lstrip(b" \t").startswith(b"{"):
        with suppress(orjson.JSONDecodeError):
            found = orjson.loads(_UNQUOTED.sub(_in_quotes, escaped))
            return found if isinstance(found, dict) else None
    return None


def _in_quotes(value: re.Match[bytes]) -> bytes:
    """Return a string as it is, and in quotes what is no value of JSON."""
    if value["before"] is None:
        return value[0]
    with suppress(orjson.JSONDecodeError):
        orjson.loads(value["value"])
        return value[0]
    return b'%s"%s"' % (value["before"], value["value"])


def _corrected(escape: re.Match[bytes]) -> bytes:
    """Return an escape as JSON has it; a character of ASCII stays escaped, and so ends no string."""
    if escape[1] is None:
        return escape[0]
    byte = bytes.fromhex(escape[1].decode())
    return byte if byte > b"\x7f" else b"\\u00" + escape[1]


def _at(found: object, keys: Sequence[str]) -> object:
    """Return the value at a path of keys, None if there is none; objects may be nested or their keys dotted."""
    if not keys:
        return found
    if isinstance(found, list):
        return _at(found[0], keys[1:]) if found and keys[0] == "0" else None
    if not isinstance(found, dict):
        return None
    for count in range(1, len(keys) + 1):
        value = _at(found.get(".".join(keys[:count])), keys[count:])
        if value is not None:
            return value
    return None


def _json_text(value: object, role: Role | None) -> bytes | None:
    """Return a value as its text, which is no value of the role if the type is none that it has."""
    if isinstance(value, str):
        return value.encode()
    if value is None or role in TEXTS:
        return None
    if isinstance(value, dict | list):
        return b"{}"  # no value of any role; Python gives up on a deep one's own text
    text = repr(value)
    if isinstance(value, float) and role is Role.DURATION and ("e" in text or len(text.partition(".")[2]) > 9):  # noqa: PLR2004
        text = f"{value:.9f}"  # Go's loggers write more digits than there are nanoseconds
    return text.encode()


def _logfmt_reader(log_format: Format) -> Callable[[bytes], Row | None]:
    names = [field.name.encode() for field in log_format.fields]

    def read(line: bytes) -> Row | None:
        found = _logfmt_pairs(line.removesuffix(b"\n").removesuffix(b"\r"))
        return None if found is None else [found.get(name) for name in names]

    return read


def _logfmt_pairs(line: bytes) -> dict[bytes, bytes | None] | None:
    """Return the values by key, and of PREFIX_TIME; None if the line has another shape."""
    whole, pair = _PAIRS_IN_SINGLE_QUOTES if b"='" in line else _PAIRS
    parts = whole.fullmatch(line)
    if not parts and whole is not _PAIRS[0]:  # a single quote may be no more than a character
        whole, pair = _PAIRS
        parts = whole.fullmatch(line)
    if not parts:
        return None
    pairs = pair.findall(parts["pairs"])
    found = {key: _logfmt_value(text) for key, text in pairs}
    if len(found) < len(pairs):
        return None
    words = parts["words"].split(b" ")
    in_brackets = (word[1:] for word in words if word.startswith(b"["))
    times = (word for word in (*words, *in_brackets) if _TIME.fullmatch(word))
    return found | {PREFIX_TIME.encode(): next(times, None)}


def _ltsv_reader(log_format: Format) -> Callable[[bytes], Row | None]:
    names = [(field.name.encode(), field.role) for field in log_format.fields]

    def read(line: bytes) -> Row | None:
        found = _ltsv_pairs(line.removesuffix(b"\n").removesuffix(b"\r"))
        return None if found is None else [_without_brackets(found.get(name), role) for name, role in names]

    return read


def _ltsv_pairs(line: bytes) -> dict[bytes, bytes] | None:
    """Return the values by label, None if the line has another shape."""
    pairs = [each.partition(b":") for each in line.split(b"\t")]
    found = {label: value for label, _, value in pairs}
    is_whole = len(found) == len(pairs) and all(colon and _LABEL.fullmatch(label) for label, colon, _ in pairs)
    return found if is_whole and b"\r" not in line else None


def _without_brackets(value: bytes | None, role: Role | None) -> bytes | None:
    if value is not None and role is Role.TIME and value[:1] == b"[" and value[-1:] == b"]":
        return value[1:-1]
    return value


def _logfmt_value(text: bytes) -> bytes | None:
    if len(text) > 1 and text[:1] == text[-1:] == b"'":
        return text[1:-1] or None
    return re.sub(rb'\\(["\\])', rb"\1", text[1:-1]) if text.startswith(b'"') else text or None


def _columns(log_format: Format, values: Sequence[pa.BinaryArray], count: int) -> dict[str, pa.BinaryArray]:
    """Return the values by what they are for; there is always a time and a request."""
    found: dict[str, list[pa.BinaryArray]] = {}
    for field, texts in zip(log_format.fields, values, strict=True):
        if field.role:
            name = host_column(field.name) if field.role is Role.HOST else field.role
            found.setdefault(name, []).append(unified(field, texts))
    several = (Role.UPSTREAMS,) if log_format.first_duration else (Role.DURATION, Role.UPSTREAMS)
    columns = {
        name: _joined(*(pc.fill_null(each, EMPTY) for each in texts), by=b"+")
        if name in several
        else pc.coalesce(*texts)
        for name, texts in found.items()
    }
    nothing = pa.nulls(count, pa.binary())
    time = columns.pop(Role.TIME, nothing)
    clock = columns.pop(Role.CLOCK, None)
    method, target = (columns.pop(role, nothing) for role in (Role.METHOD, Role.TARGET))
    method = pc.if_else(pc.equal(pc.fill_null(method, EMPTY), EMPTY), DASH, method)
    request = pc.coalesce(_joined(method, target, b"HTTP/1.1", by=b" "), method)
    return columns | {
        Role.TIME: time if clock is None else _joined(time, _joined(clock, b"Z", by=b""), by=b"T"),
        Role.REQUEST: pc.coalesce(columns.get(Role.REQUEST, nothing), request),
    }


def _fields(columns: dict[str, pa.BinaryArray]) -> pa.StructArray:
    return pa.StructArray.from_arrays(list(columns.values()), list(columns))


def unified(field: Field, texts: pa.BinaryArray) -> pa.BinaryArray:
    """Return a field's values as every format could have them: durations with a unit, agents with spaces."""
    plain = field.kind is Kind.PLAIN
    if plain and field.role is not Role.RESPONSE_BYTES:
        texts = pc.if_else(pc.equal(texts, DASH), NO_BYTES, texts)
    if plain and field.role is Role.USER_AGENT:  # as it is too: somebody may look for the encoded one
        return _joined(texts, pc.replace_substring_regex(texts, r"\+|%20", " "), by=b"\n")
    if field.role is Role.DURATION:
        for sign in MICRO:
            texts = pc.replace_substring(texts, sign, b"us")
        unit = next(unit for unit, scale in SCALES.items() if scale == field.scale)
        bare = pc.match_substring_regex(texts, f"^{NUMBER}$")
        texts = pc.if_else(bare, _joined(texts, unit.encode(), by=b""), texts)
        return pc.replace_substring(texts, b"+", b"?")  # by which several will be joined
    return texts


def _joined(*parts: pa.BinaryArray | bytes, by: bytes) -> pa.BinaryArray:
    return pc.binary_join_element_wise(*(scalar(p) if isinstance(p, bytes) else p for p in (*parts, by)))


def _shown_time(log_format: Format) -> str:
    """Return what to look for in lines of another shape."""
    kind = next((field.kind for field in log_format.fields if field.role is Role.TIME), None)
    if kind is Kind.BRACKETED:
        return timestamps.IN_BRACKETS
    return timestamps.date_and_clock(log_format.separator) if log_format.separator else timestamps.ANYWHERE


def _column(fields: pa.StructArray, name: str) -> pa.BinaryArray:
    """Return a child of a struct, NULLs if there is none of that name."""
    if name not in fields.type.names:
        return pa.nulls(len(fields), pa.binary())
    return pc.struct_field(fields, name)


def _mask(values: pa.BooleanArray) -> Booleans:
    """Return a NumPy mask, NULL as False."""
    mask: Booleans = to_numpy(pc.fill_null(values, NO))
    return mask


def _statuses(fields: pa.StructArray) -> pa.Int16Array:
    text = _column(fields, Role.STATUS)
    return pc.if_else(pc.equal(text, scalar(b"-1")), ZERO, text).cast(pa.string()).cast(pa.int16())


def _response_bytes(fields: pa.StructArray) -> pa.Int64Array:
    text = _column(fields, Role.RESPONSE_BYTES)
    text = pc.if_else(pc.match_substring_regex(text, f"(?s)^(?:{RESPONSE_BYTES})$"), text, NO_BYTES)
    return pc.if_else(pc.equal(text, DASH), ZERO, text).cast(pa.string()).cast(pa.int64())


def _durations(fields: pa.StructArray) -> pa.DoubleArray:
    encoded = _column(fields, Role.DURATION).dictionary_encode()
    seconds = [
        None if each is None else _seconds(each.decode("latin-1")) for each in encoded.dictionary.to_pylist()
    ]
    return array(seconds, pa.float64()).take(encoded.indices)


def _seconds(durations: str) -> float | None:
    """Return the sum of durations, None if one of them is not known."""
    total = Decimal(0)
    for text in durations.split("+"):
        part = DURATION.fullmatch(text)
        if not part:
            return None
        total += 3600 * int(part["hours"] or 0) + 60 * int(part["minutes"] or 0)
        total += Decimal(part["number"]).scaleb(-SCALES[part["unit"]])
    return float(total)


def _upstream_status(fields: pa.StructArray) -> pa.Int16Array:
    """Return the status of the last upstream in a list, NULL where none was asked."""
    found = pc.extract_regex(_column(fields, Role.UPSTREAM_STATUS), f"(?s)^{UPSTREAM_STATUS}$")
    last = pc.struct_field(found, "last")
    asked = pc.match_substring_regex(last, "[0-9]")
    return pc.if_else(asked, last, NO_BYTES).cast(pa.string()).cast(pa.int16())


def _retried(fields: pa.StructArray) -> pa.BooleanArray:
    """Tell where a list of upstreams has more than one element; NULL if the format has no such list."""
    lists = [role for role in (Role.UPSTREAM_STATUS, Role.UPSTREAMS) if role in fields.type.names]
    retried = pa.repeat(NO if lists else scalar(None, pa.bool_()), len(fields))
    for role in lists:
        more = pc.match_substring_regex(_column(fields, role), SEPARATOR)
        retried = pc.or_(retried, pc.fill_null(more, NO))
    return retried


def _methods(request: pa.StructArray) -> pa.StringArray:
    methods = pc.struct_field(request, "method")
    registered = pc.is_in(methods, array([m.encode() for m in METHODS], pa.binary()))
    return pc.if_else(registered, methods, NO_BYTES).cast(pa.string())


def _paths(request: pa.StructArray) -> pa.StringArray:
    """Return each request's path as it may be kept, NULL where it can't be told."""
    # a group that took no part in the match is empty
    parts = (pc.struct_field(request, name) for name in ("path", "asterisk", "bare_path"))
    return clean_paths(pc.coalesce(*(pc.if_else(pc.equal(p, EMPTY), NO_BYTES, p) for p in parts)))


def clean_paths(path: pa.BinaryArray) -> pa.StringArray:
    """Return paths as they may be kept: without what follows them, masked, in printable ASCII."""
    path = pc.replace_substring_regex(path, QUERY, b"")
    unsafe = pc.or_(
        pc.match_substring_regex(path, privacy.UNSAFE),
        pc.greater(pc.binary_length(path), scalar(privacy.PATH_CHARACTERS)),
    )
    unsafe = pc.fill_null(unsafe, NO)
    encoded = path.filter(unsafe).dictionary_encode()
    clean = array([privacy.clean_path(each.as_py()) for each in encoded.dictionary], pa.string())
    safe = pc.if_else(unsafe, NO_BYTES, path).cast(pa.string())
    return pc.replace_with_mask(safe, unsafe, clean.take(encoded.indices))
