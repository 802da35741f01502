"""Where in a line of a format its time stands: all that is kept of a rejected line, beside its shape.

A timestamp anywhere else may be part of what a client sent, and one that runs into other characters may be half
a line with the beginning of the next one: `[17/May/2015:10:05:03 +` and `2001:db8::7 - - [17/May…`. So what is
kept is a whole field, in its place after all that its format has before it.
"""

import re
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from etl.lines import timestamps
from etl.lines.formats import PREFIX_TIME, Alternatives, Delimited, Format, Headed, Json, Kind, Ltsv, Role
from lake.memory.arrays import to_numpy

ONE_WORD = rf"{timestamps.unnamed(timestamps.DATE)}T{timestamps.unnamed(timestamps.PRECISE_CLOCK)}"
ONE_WORD += rf"{timestamps.unnamed(timestamps.OFFSET)}?"
WORDS = timestamps.WORDS
DATE, CLOCK = timestamps.unnamed(timestamps.DATE), timestamps.unnamed(timestamps.CLOCK)
STRING = r'"(?:[^"\\]|\\.)*"'
PAIR = rf'[^ ="]+=(?:{STRING}|[^ "]*)'
DEEPEST = 1
"""Of objects in JSON that may stand before a time."""

MASK = bytes(
    ord("x")
    if chr(code).isalpha() and code < 128  # noqa: PLR2004 - the end of ASCII
    else ord("9")
    if chr(code).isdigit() and code < 128  # noqa: PLR2004
    else code
    if 32 <= code < 127  # noqa: PLR2004 - printable ASCII
    else ord("?")
    for code in range(256)
)
"""What becomes of each byte of a rejected line: letters x, digits 9, and what is not printable a question mark."""


@lru_cache(maxsize=1024)
def places_of(log_format: Format, *, is_masked: bool = False) -> tuple[str, ...]:
    """Return regular expressions, as RE2 reads them, of lines up to the end of a time in its place.

    The group `before` is what stands before the time, and `time` is the time itself.

    Args:
        log_format: The format of the lines. A Headed one has such a place once its header is known.
        is_masked: Whether the lines are masked already, the time excepted. What header they had is not known then,
            so that a Headed format's time may be any whole field.
    """
    if isinstance(log_format, Alternatives):
        of_each = (places_of(each, is_masked=is_masked) for each in log_format.in_zone)
        return tuple(dict.fromkeys(place for places in of_each for place in places))
    shown = _masked if is_masked else str
    if isinstance(log_format, Delimited):
        found = _of_delimited(
            log_format, shown(log_format.separator), [shown(each) for each in log_format.literals]
        )
    elif isinstance(log_format, Headed):
        between = re.escape(shown(log_format.separator))
        found = [rf"(?P<before>(?:[^{between}]+{between})*?)(?P<time>{DATE}{between}{CLOCK})(?:{between}|$)"]
        found = found if is_masked else []
    elif log_format.has(Role.CLOCK):
        found = []
    else:
        names = [field.name for field in log_format.fields if field.role is Role.TIME]
        of_name = {Json: _of_json, Ltsv: _of_ltsv}.get(type(log_format), _of_logfmt)
        found = [place for name in names for place in of_name(name if name == PREFIX_TIME else shown(name))]
    return tuple(f"(?s)^{place}" for place in found)


def ends_of(lines: pa.BinaryArray, place: str) -> timestamps.Integers:
    """Return where a place ends in each line, 0 where it isn't there; to find its groups takes thrice the time."""
    rest = pc.replace_substring_regex(lines, place, b"")
    ends: timestamps.Integers = to_numpy(pc.subtract(pc.binary_length(lines), pc.binary_length(rest)))
    return ends.astype(np.int64)


def _masked(text: str) -> str:
    return text.encode("utf-8").translate(MASK).decode("ascii")


def _of_delimited(log_format: Delimited, separator: str, literals: list[str]) -> list[str]:
    shown, bodies = log_format.parts(literals, separator)
    before = log_format.prefix + shown[0]
    for number, (field, (opened, body, closed)) in enumerate(zip(log_format.fields, bodies, strict=True)):
        after = literals[number + 1]
        end = re.escape(after[:1]) if after else "(?: |$)"
        if field.role is Role.TIME and not log_format.has(Role.CLOCK):
            may_hold_spaces = field.kind in {Kind.BRACKETED, Kind.QUOTED, Kind.STAMP}
            quote = '"' if opened else ""
            return [f"(?P<before>{before}{quote})(?P<time>{WORDS if may_hold_spaces else ONE_WORD}){end}"]
        if field.role is Role.TIME:
            following = log_format.fields[number + 1 : number + 2]
            if not following or following[0].role is not Role.CLOCK:
                return []
            end = re.escape(literals[number + 2][:1]) or "$"
            return [f"(?P<before>{before})(?P<time>{DATE}{shown[number + 1]}{CLOCK}){end}"]
        before += f"{opened}(?:{body}){closed}{shown[number + 1]}"
    return []


def _of_json(name: str) -> list[str]:
    """Return the place of a string of that name, dotted where objects are nested."""
    return [rf'(?P<before>{json_value(*name.split("."))}")(?P<time>{WORDS})"']


def json_value(*keys: str) -> str:
    """Return a line of JSON up to the value at a path of keys, before which anything may be."""
    other = rf'[^"{{}}]|{STRING}'
    for _ in range(DEEPEST):
        other = rf'[^"{{}}]|{STRING}|\{{(?:{other})*?\}}'
    *outer, last = (rf'\{{(?:(?:{other})*?,)?\s*"{re.escape(key)}"\s*:\s*' for key in keys)
    return rf"\s*{''.join(outer)}{last}"


def _of_logfmt(name: str) -> list[str]:
    if name == PREFIX_TIME:
        before = r'(?P<before>(?:[^ ="]+ +)*?'
        return [rf"{before}{bracket})(?P<time>{ONE_WORD})(?: |$)" for bracket in ("", r"\[")]
    before = rf'(?:[^ ="]+ +)*(?:{PAIR} +)*?{re.escape(name)}='
    return [
        rf"(?P<before>{before})(?P<time>{ONE_WORD})(?: |$)",
        rf'(?P<before>{before}")(?P<time>{WORDS})"(?: |$)',
    ]


def _of_ltsv(name: str) -> list[str]:
    return [rf"(?P<before>(?:[^\t]*\t)*?{re.escape(name)}:\[?)(?P<time>{WORDS})(?:\]|\t|$)"]
