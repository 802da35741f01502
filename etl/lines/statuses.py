"""Which status a rejected line shows: read in its place only, for anywhere else it may be what a client sent."""

import re
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from etl.kernel.layout import LOOKED_AT
from etl.lines.formats import Alternatives, Delimited, Format, Headed, Json, Ltsv, Role
from etl.lines.parse import ACCEPTED, keyed_statuses
from etl.lines.places import PAIR, ends_of, json_value
from etl.lines.timestamps import Booleans, Integers
from lake.contracts.rejects import REASONS
from lake.memory.arrays import filled, numbers

NO_STATUS = 0
SERVER_ERRORS = 500
"""The first of the hundred statuses that say that a server failed."""
STATUS, END = "(?P<status>[1-5][0-9]{2})", "(?:[^0-9A-Za-z.]|$)"
DIGITS = np.arange(ord("0"), ord("9") + 1)
WORDLESS = [REASONS.index(each) for each in ("blank", "too_long")]


def shown_statuses(lines: pa.BinaryArray, reasons: Integers, log_format: Format) -> Integers:
    """Return the status that each rejected line shows, NO_STATUS where none can be read and for other lines.

    Args:
        lines: The lines.
        reasons: Why they are rejects; ACCEPTED or less for those that are none.
        log_format: The format that they should have.
    """
    found = np.full(len(lines), NO_STATUS, np.int64)
    left = np.flatnonzero(may_show(reasons))
    for each in log_format.in_zone if isinstance(log_format, Alternatives) else [log_format]:
        if len(left):
            chosen = lines if len(left) == len(lines) else lines.take(numbers(left))
            of_format = _shown(pc.binary_slice(chosen, 0, LOOKED_AT), each)
            found[left] = of_format
            left = left[of_format == NO_STATUS]
    return found


def may_show(reasons: Integers) -> Booleans:
    """Tell which lines may show a status, by why they are rejects; see `shown_statuses`."""
    found: Booleans = (reasons > ACCEPTED) & ~np.isin(reasons, WORDLESS)
    return found


def _shown(lines: pa.BinaryArray, log_format: Format) -> Integers:
    """Return the statuses of lines of one format: of a whole one as it is read, of others by their places."""
    found = np.full(len(lines), NO_STATUS, np.int64)
    left = np.arange(len(lines))
    if not isinstance(log_format, Delimited | Headed):
        fits, texts = keyed_statuses(lines, log_format)
        _set(found, left, filled(texts, b""), f"^{STATUS}$")
        left = left[~fits]
    for place in status_places(log_format):
        if len(left):
            chosen = lines if len(left) == len(lines) else lines.take(numbers(left))
            left = _set(found, left, chosen, place)
    return found


def _set(found: Integers, places: Integers, texts: pa.BinaryArray, pattern: str) -> Integers:
    """Set what texts show at their places, and return the places of those that show nothing.

    A status is what the pattern ends with, or all but a last byte that is no digit.
    """
    ends = ends_of(texts, pattern)
    there = ends > 0
    _, offsets, data = texts.buffers()
    raw, starts = np.frombuffer(data or b"", np.uint8), np.frombuffer(offsets, np.int32)[texts.offset :]
    stops = starts[: len(texts)][there] + ends[there]
    stops -= ~np.isin(raw[stops - 1], DIGITS)
    found[places[there]] = (raw[stops[:, np.newaxis] - [3, 2, 1]] - DIGITS[0]) @ np.array([100, 10, 1])
    others: Integers = places[~there]
    return others


@lru_cache(maxsize=1024)
def status_places(log_format: Format) -> tuple[str, ...]:
    """Return regular expressions of lines up to the status in its place, the group `status`; the first counts."""
    if isinstance(log_format, Headed):  # no header so far
        return ()
    if isinstance(log_format, Delimited):
        return tuple(f"(?s)^{place}" for place in _of_delimited(log_format))
    names = [field.name for field in log_format.fields if field.role is Role.STATUS]
    of_name = {Json: _of_json, Ltsv: _of_ltsv}.get(type(log_format), _of_logfmt)
    return tuple(f"(?s)^{place}" for name in names for place in of_name(name))


def _of_delimited(log_format: Delimited) -> list[str]:
    """Return what a line is up to its status, whatever follows.

    Where that is `-`, an upstream's status right after it is shown. Where the line begins otherwise, a status
    still follows the request, if that is what is in quotes first.
    """
    shown, bodies = log_format.parts(log_format.literals, log_format.separator)
    number = number_of(log_format, Role.STATUS)
    if number is None:
        return []
    before = log_format.prefix + shown[0]
    for (opened, body, closed), literal in zip(bodies[:number], shown[1:], strict=False):
        before += f"{opened}(?:{body}){closed}{literal}"
    found = [f'{before}"?{STATUS}{END}']
    if has_upstream_after(log_format, number):
        found.append(f'{before}"?-{shown[number + 1]}"?{STATUS}{END}')
    if after_request := literal_after_request(log_format, number):
        found.append(rf'[^"]*"(?:[^"\\]|\\.)*{re.escape(after_request)}{STATUS}{END}')
    return found


def number_of(log_format: Delimited, role: Role) -> int | None:
    """Return which field is the first of a role."""
    return next((n for n, field in enumerate(log_format.fields) if field.role is role), None)


def has_upstream_after(log_format: Delimited, number: int) -> bool:
    """Tell whether an upstream's status comes right after the status, the field of that number."""
    return [field.role for field in log_format.fields[number + 1 : number + 2]] == [Role.UPSTREAM_STATUS]


def literal_after_request(log_format: Delimited, number: int) -> str | None:
    """Return what stands between a request, if that is what is in quotes first, and the status, the next field."""
    literals = log_format.literals[: number + 1]
    quotes = "".join(literals).count('"')
    if literals[-1].startswith('"') and quotes == 2 and log_format.fields[number - 1].role is Role.REQUEST:  # noqa: PLR2004 - the request's own
        return literals[-1]
    return None


def _of_json(name: str) -> list[str]:
    paths = dict.fromkeys([(name,), tuple(name.split("."))])
    return [rf'{json_value(*keys)}"?{STATUS}{END}' for keys in paths]


def _of_logfmt(name: str) -> list[str]:
    return [rf'(?:[^ ="]+ +)*(?:{PAIR} +)*?{re.escape(name)}="?{STATUS}{END}']


def _of_ltsv(name: str) -> list[str]:
    return [rf"(?:[^\t]*\t)*?{re.escape(name)}:{STATUS}{END}"]
