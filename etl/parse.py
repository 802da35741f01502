"""From raw lines to columns: vectorised over a block of lines, one parser for every format."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from etl import privacy, timestamps
from etl.formats import Format
from lake.contracts import contract
from lake.contracts.rejects import REASONS
from lake.contracts.requests import METHODS

MAX_LINE_BYTES = 1 << 20
ACCEPTED = -1
NO_APPLICATION = "(invalid)"
LOWEST_STATUS, HIGHEST_STATUS = 100, 599

STATUS = r"^[0-9]{3}$"
RESPONSE_BYTES = r"^(?:-|[0-9]{1,18})$"  # 18 digits always fit a 64-bit integer
# A request line is METHOD TARGET PROTOCOL; without a protocol (HTTP/0.9) a target with spaces can't be told.
# Of an absolute target, scheme and authority go; query, fragment and parameters go too, encoded or not.
REQUEST = (
    r"(?s)^(?P<method>[A-Z-]+)(?: (?:[A-Za-z][A-Za-z0-9+.-]*://[^/?#; ]*)?(?P<path>/.*|\*)"
    r" HTTP/[0-9](?:\.[0-9])?| (?:[A-Za-z][A-Za-z0-9+.-]*://[^/?#; ]*)?(?P<bare_path>/[^ ]*)| .*|)$"
)
QUERY = r"(?s)(?:[?#;]|%(?:25)*(?:3[BbFf]|23)).*$"
HOST_NAME = r"^[a-z0-9][a-z0-9._-]{0,252}$"
ADDRESS = r"^[0-9.]+$"
PORT = r":[0-9]{1,5}$"

Booleans = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class ParsedLines:
    """A block of lines, taken apart; all arrays have one element a line.

    Attributes:
        lines: The raw lines with their ends.
        fields: A struct of the format's fields as bytes; NULL where the line has another shape.
        microseconds: The line's time, since 1970 in UTC; 0 where unreadable.
        days: The line's day since 1970-01-01, timestamps.NO_DAY where unreadable.
        reasons: ACCEPTED, or the index in the contract's REASONS of why the line is a reject.
    """

    lines: pa.BinaryArray
    fields: pa.StructArray
    microseconds: timestamps.Integers
    days: timestamps.Integers
    reasons: timestamps.Integers


def split_lines(block: bytes) -> pa.BinaryArray:
    """Return the lines of a block with their ends, without copying; the last may lack its LF."""
    data = np.frombuffer(block, dtype=np.uint8)
    ends = np.flatnonzero(data == ord("\n")) + 1
    if len(block) and (not len(ends) or ends[-1] != len(block)):
        ends = np.append(ends, len(block))
    offsets = np.append(0, ends).astype(np.int32)
    return pa.BinaryArray.from_buffers(pa.binary(), len(ends), [None, pa.py_buffer(offsets), pa.py_buffer(block)])


def parse_lines(lines: pa.BinaryArray, log_format: Format) -> ParsedLines:
    """Take lines apart and say of each whether it is a request, and if not why.

    The shape of the line decides, not that of its request: whatever was answered with a status counts.
    """
    lengths = pc.binary_length(lines).to_numpy(zero_copy_only=False)
    too_long = lengths > MAX_LINE_BYTES
    fields = pc.extract_regex(lines, log_format.pattern)
    fits = _mask(fields.is_valid()) & ~too_long
    times = pc.struct_field(fields, "time")
    others = np.flatnonzero(~fits)
    if len(others):  # a line of another shape may still show its day, in what is read of it in any case
        begins = pc.binary_slice(lines.take(pa.array(others)), 0, MAX_LINE_BYTES)
        times = pc.replace_with_mask(times, pa.array(~fits), timestamps.first_in(begins))
    microseconds, readable = timestamps.parse(times)

    # the later, the stronger
    reasons = np.full(len(lines), ACCEPTED, dtype=np.int64)
    reasons[fits & ~_fits(fields, "response_bytes", RESPONSE_BYTES)] = REASONS.index("bytes")
    reasons[fits & ~_valid_status(fields)] = REASONS.index("status")
    reasons[fits & ~readable] = REASONS.index("time")
    reasons[~fits] = REASONS.index("shape")
    reasons[(lengths <= len("\r\n")) & _mask(pc.match_substring_regex(lines, r"^\r?\n?$"))] = REASONS.index(
        "blank"
    )
    reasons[too_long] = REASONS.index("too_long")
    return ParsedLines(lines, fields, microseconds, timestamps.days_of(microseconds, readable), reasons)


def rejects_table(parsed: ParsedLines, chosen: Booleans, file: str, first_line_number: int) -> pa.Table:
    """Return the chosen lines as rows of `rejects`, masked.

    Args:
        parsed: A block of lines.
        chosen: Which of them to take.
        file: The raw file's name.
        first_line_number: Number in that file of the block's first line.
    """
    index = np.flatnonzero(chosen)
    return pa.table(
        {
            "file": pa.repeat(file, len(index)),
            "line_number": pa.array(index + first_line_number),
            "reason": pa.array([REASONS[code] for code in parsed.reasons[index]], pa.string()),
            "masked_line": pa.array(
                [privacy.mask_line(line.as_py()) for line in parsed.lines.take(pa.array(index))], pa.string()
            ),
        },
        schema=contract("rejects").schema,
    )


def requests_table(parsed: ParsedLines, chosen: Booleans, classifier: "Classifier") -> pa.Table:
    """Return the chosen lines, all of them accepted ones, as rows of `requests`."""
    index = pa.array(np.flatnonzero(chosen))
    fields = parsed.fields.take(index)
    request = pc.extract_regex(pc.struct_field(fields, "request"), REQUEST)
    path = _paths(request)
    rows = len(index)
    return pa.table(
        {
            "ts": pa.array(parsed.microseconds[chosen]).cast(pa.timestamp("us")),
            "application": classifier.applications(fields),
            "vantage": pa.repeat(classifier.vantage, rows),
            "method": _methods(request),
            "path": path,
            "status": pc.struct_field(fields, "status").cast(pa.string()).cast(pa.int16()),
            "response_bytes": _response_bytes(fields),
            "duration_seconds": pa.nulls(rows, pa.float64()),
            "upstream_status": pa.nulls(rows, pa.int16()),
            "retried": pa.nulls(rows, pa.bool_()),
            "traffic_class": classifier.traffic_classes(path, fields),
        },
        schema=contract("requests").schema,
    )


@dataclass(frozen=True)
class Classifier:
    """What a source's settings say of a request: whose it is, and what it asks.

    Attributes:
        application: A constant, or None where `application_field` names a field of the line.
        health_check_paths: Paths; one that ends in `*` stands for all that begin so.
        synthetic_user_agents: Parts of user agents, in any case.
    """

    vantage: str
    application: str | None
    application_field: str | None
    health_check_paths: tuple[str, ...]
    synthetic_user_agents: tuple[str, ...]

    def applications(self, fields: pa.StructArray) -> pa.StringArray:
        """Return each request's application: a constant, or a host name in lower case without its port."""
        if self.application_field is None:
            return pa.repeat(self.application, len(fields))
        names = pc.ascii_lower(_text(pc.struct_field(fields, self.application_field)))
        names = pc.replace_substring_regex(names, PORT, "")
        valid = pc.and_not(pc.match_substring_regex(names, HOST_NAME), pc.match_substring_regex(names, ADDRESS))
        return pc.if_else(valid, names, NO_APPLICATION)

    def traffic_classes(self, path: pa.StringArray, fields: pa.StructArray) -> pa.StringArray:
        """Return each request's traffic class; a health check is one whoever asks."""
        health_check = synthetic = pa.repeat(pa.scalar(value=False), len(path))
        for wanted in self.health_check_paths:
            begins = wanted.endswith("*")
            found = pc.starts_with(path, wanted[:-1]) if begins else pc.equal(path, wanted)
            health_check = pc.or_(health_check, pc.fill_null(found, False))  # noqa: FBT003 - the filler
        for part in self.synthetic_user_agents:
            agents = pc.struct_field(fields, "user_agent")
            synthetic = pc.or_(synthetic, pc.match_substring(agents, part.encode(), ignore_case=True))
        return pc.if_else(health_check, "health_check", pc.if_else(synthetic, "synthetic", "user"))


def _mask(values: pa.BooleanArray) -> Booleans:
    """Return a NumPy mask, NULL as False."""
    mask: Booleans = pc.fill_null(values, False).to_numpy(zero_copy_only=False)  # noqa: FBT003 - the filler
    return mask


def _fits(fields: pa.StructArray, name: str, pattern: str) -> Booleans:
    return _mask(pc.match_substring_regex(pc.struct_field(fields, name), pattern))


def _valid_status(fields: pa.StructArray) -> Booleans:
    """Tell where the status is three digits, 100 to 599."""
    text = pc.struct_field(fields, "status")
    digits = pc.match_substring_regex(text, STATUS)
    number = pc.if_else(digits, text, b"000").cast(pa.string()).cast(pa.int16())
    return _mask(pc.and_(pc.greater_equal(number, LOWEST_STATUS), pc.less_equal(number, HIGHEST_STATUS)))


def _response_bytes(fields: pa.StructArray) -> pa.Int64Array:
    text = pc.struct_field(fields, "response_bytes")
    return pc.if_else(pc.equal(text, b"-"), b"0", text).cast(pa.string()).cast(pa.int64())


def _methods(request: pa.StructArray) -> pa.StringArray:
    methods = pc.struct_field(request, "method")
    registered = pc.is_in(methods, pa.array([m.encode() for m in METHODS]))
    return pc.if_else(registered, methods, pa.scalar(None, pa.binary())).cast(pa.string())


def _paths(request: pa.StructArray) -> pa.StringArray:
    """Return each request's path as it may be kept, NULL where it can't be told."""
    # a group that took no part in the match is empty
    parts = (pc.struct_field(request, name) for name in ("path", "bare_path"))
    path = pc.coalesce(*(pc.if_else(pc.equal(p, b""), pa.scalar(None, pa.binary()), p) for p in parts))
    path = pc.replace_substring_regex(path, QUERY, b"")
    unsafe = pc.or_(
        pc.match_substring_regex(path, privacy.UNSAFE),
        pc.greater(pc.binary_length(path), privacy.PATH_CHARACTERS),
    )
    unsafe = pc.fill_null(unsafe, False)  # noqa: FBT003 - the filler
    encoded = path.filter(unsafe).dictionary_encode()
    clean = pa.array([privacy.clean_path(each.as_py()) for each in encoded.dictionary], pa.string())
    safe = pc.if_else(unsafe, pa.scalar(None, pa.binary()), path).cast(pa.string())
    return pc.replace_with_mask(safe, unsafe, clean.take(encoded.indices))


def _text(values: pa.BinaryArray) -> pa.StringArray:
    """Return bytes as text; where they are no ASCII, an empty one, which is no name of anything."""
    return pc.if_else(pc.match_substring_regex(values, r"^[ -~]*$"), values, b"").cast(pa.string())
