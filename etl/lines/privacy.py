"""What the lake must never know: masking of paths and of rejected lines.

The lake can't forget, so nothing personal may reach it. Client addresses, user names, user agents, referers
and query strings are never kept; this module deals with what hides in paths and in lines that don't parse.
"""

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from etl.kernel.layout import LINE_BYTES
from etl.lines import timestamps
from etl.lines.places import MASK, ends_of
from lake.memory.arrays import array, numbers, to_numpy

PATH_CHARACTERS = 1000
TAB = ord("\t")
Bytes = npt.NDArray[np.uint8]
CLF = np.frombuffer(b"99/xxx/9999:99:99:99 +9999", np.uint8)
"""What an Apache server's time is masked: the most usual one, so it is looked for by a shorter way."""
SIGN = 21
CLOCK, LAST_OF_CLOCK = np.array([12, 15, 18]), np.array([23, 59, 59])  # where hours, minutes and seconds begin
IN_BRACKETS = r"\]"
"""How a place ends that has a time in brackets."""

# What a segment of a path must not hold: all of the segment goes. Python's `re` and RE2 read them alike.
SEGMENT_MASKS = (
    (r"@|%(?:25)*40", "{email}"),
    (r"[0-9A-Za-z]{20}|[0-9A-Fa-f]{16}|[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-", "{token}"),
)
# And what goes alone, in order: each works on what the one before left.
MASKS = (
    (r"(?:[0-9]{1,3}\.){3}[0-9]{1,3}|(?:[0-9A-Fa-f]{0,4}(?::|%(?:25)*3[Aa])){2,7}[0-9A-Fa-f]{0,4}", "{address}"),
    (r"[0-9](?:[-+]?[0-9]){8,}", "{number}"),
)
# A run that may be a token with separators in it, as base64url has them: one if all kinds of characters are in it.
LONG_RUN = r"[0-9A-Za-z_-]{20}"
# A letter, a digit, or what may stand between them, percent-encoded; once or several times.
ENCODED = r"%(?:25)*(?:2[BbDdEe]|[3-7][0-9A-Fa-f])"
UNSAFE = r"(?s)[^!-~]|" + "|".join((LONG_RUN, ENCODED, *(pattern for pattern, _ in (*SEGMENT_MASKS, *MASKS))))
"""A path in which this finds nothing, and which is not too long, is clean as it is."""

_LONG_RUN = re.compile(LONG_RUN + "[0-9A-Za-z_-]*")
_ENCODED = re.compile(ENCODED)
_KINDS = tuple(re.compile(kind) for kind in ("[0-9]", "[a-z]", "[A-Z]"))
_SEGMENT_MASKS = tuple((re.compile(pattern), replacement) for pattern, replacement in SEGMENT_MASKS)
_MASKS = tuple((re.compile(pattern), replacement) for pattern, replacement in MASKS)
_UNPRINTABLE = re.compile(rb"[^!-~]")


def clean_path(path: bytes) -> str:
    """Return a path, its query already cut off, as it may be kept.

    E-mail addresses, long tokens, network addresses and long numbers become `{email}`, `{token}`,
    `{address}` and `{number}`; bytes other than printable ASCII are percent-encoded; what follows the
    1,000th character is cut.
    """
    text = _UNPRINTABLE.sub(lambda found: b"%%%02X" % found[0][0], path).decode("ascii")
    return "/".join(_clean_segment(segment) for segment in text.split("/"))[:PATH_CHARACTERS]


def _clean_segment(segment: str) -> str:
    """Return what stands for a segment, which is decoded if that shows something to mask."""
    decoded = _ENCODED.sub(_decoded, segment)
    masked = _masked(decoded)
    return masked if masked != decoded else _masked(segment)


def _decoded(found: re.Match[str]) -> str:
    character = chr(int(found[0][-2:], 16))
    return character if character.isalnum() or character in "@:._+-" else found[0]


def _masked(segment: str) -> str:
    """Return a segment with masks: searched, not matched whole, since that takes quadratic time."""
    if any(all(kind.search(run) for kind in _KINDS) for run in _LONG_RUN.findall(segment)):
        return "{token}"
    for pattern, mask in _SEGMENT_MASKS:
        if pattern.search(segment):
            return mask
    for pattern, mask in _MASKS:
        segment = pattern.sub(mask, segment)
    return segment


def clean_words(text: str) -> str:
    """Return a text of several words with each masked as a part of a path is."""
    return " ".join(map(_masked, text.split()))


def mask_line(line: bytes, places: Sequence[str] = ()) -> str:
    """Return a rejected line as `mask_lines` does."""
    found: str = mask_lines(array([line], pa.binary()), places)[0].as_py()
    return found


def mask_lines(lines: pa.BinaryArray, places: Sequence[str]) -> pa.StringArray:
    """Return the shape of rejected lines: letters as x, digits as 9, and of each its time as it is.

    Only the first 500 bytes; what is not printable ASCII is `?`. The line end is dropped. A time is kept if it is
    a whole field in its place, and exists.

    Args:
        lines: The lines.
        places: Where a time may stand, see etl.lines.places; the first that fits counts.
    """
    if not len(lines):
        return array([], pa.string())
    begin = _without_end(pc.binary_slice(lines, 0, LINE_BYTES + 1))
    kept = pc.binary_slice(begin, 0, LINE_BYTES)
    _, offsets, data = kept.buffers()
    raw = np.frombuffer(data or b"", np.uint8)
    masked = np.frombuffer(bytearray(raw).translate(MASK), np.uint8)
    starts = np.frombuffer(offsets, np.int32)[: len(kept) + 1]
    left = np.arange(len(kept) if len(raw) else 0)
    for place in places:
        if not len(left):
            break
        texts = begin if len(left) == len(begin) else begin.take(numbers(left))
        ends = ends_of(texts, place)
        found, left, ends = left[ends > 0], left[ends == 0], ends[ends > 0]
        if place.endswith(IN_BRACKETS):
            at = starts[found] + ends - len(CLF) - 1
            usual, exist = _usual(raw, masked, at, ends)
            _windows(masked)[at[exist]] = _windows(raw)[at[exist]]
            found = found[~usual]
        _keep_times(raw, masked, starts[found].astype(np.int64), begin.take(numbers(found)), place)
    return pa.StringArray.from_buffers(len(kept), offsets, pa.py_buffer(masked))


def _usual(
    raw: Bytes, masked: Bytes, at: timestamps.Integers, ends: timestamps.Integers
) -> tuple[timestamps.Booleans, timestamps.Booleans]:
    """Tell which times in brackets are written as Apache does, with their offset, and which of those exist.

    Args:
        raw: The lines.
        masked: The same, masked.
        at: Where such a time would begin in them.
        ends: Where in its line each one's place ends.
    """
    usual = (ends > len(CLF)) & (ends <= LINE_BYTES)
    there = np.flatnonzero(usual)
    shapes = _windows(masked)[at[there]]
    shapes[:, SIGN] = np.where(shapes[:, SIGN] == ord("-"), ord("+"), shapes[:, SIGN])
    there = there[(shapes == CLF).all(axis=1)]
    texts = _windows(raw)[at[there]]
    tens, units = texts[:, CLOCK] - ord("0"), texts[:, CLOCK + 1] - ord("0")
    exists = (10 * tens + units <= LAST_OF_CLOCK).all(axis=1)
    texts[:, CLOCK] = texts[:, CLOCK + 1] = ord("0")  # few are different then
    offsets = np.arange(len(texts) + 1, dtype=np.int32) * np.int32(len(CLF))
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(texts))]
    days = pa.BinaryArray.from_buffers(pa.binary(), len(texts), buffers).dictionary_encode()
    _, are_days = timestamps.parse(days.dictionary, "UTC")
    untold = to_numpy(pc.match_substring(days.dictionary, b"/9999:"))  # its last hours may be of the year 10000
    places = to_numpy(days.indices)
    usual[:] = False
    usual[there] = ~untold[places]
    exist = np.zeros_like(usual)
    exist[there] = exists & are_days[places] & ~untold[places]
    return usual, exist


def _windows(text: Bytes) -> Bytes:
    """Return of each place in a text the bytes from there on that a time of CLF would have, without copying."""
    return np.lib.stride_tricks.as_strided(text, (max(len(text) - len(CLF) + 1, 0), len(CLF)), (1, 1))


def _keep_times(raw: Bytes, masked: Bytes, starts: timestamps.Integers, lines: pa.BinaryArray, place: str) -> None:
    """Put the times of lines that have them in a place back into their masked ones, if they exist."""
    if not len(lines):
        return
    parts = pc.extract_regex(lines, place)
    times = pc.struct_field(parts, "time")
    at = to_numpy(pc.binary_length(pc.struct_field(parts, "before"))).astype(np.int64)
    sizes = to_numpy(pc.binary_length(times)).astype(np.int64)
    _, exists = timestamps.parse(pc.replace_substring_regex(times, r"[\t?]", " "), "UTC")  # ? is a masked tab
    chosen = exists & (at + sizes <= LINE_BYTES)
    at, sizes = (starts + at)[chosen], sizes[chosen]
    places_kept = np.arange(sizes.sum()) + np.repeat(at - np.append(0, np.cumsum(sizes)[:-1]), sizes)
    of_times = raw[places_kept]
    masked[places_kept] = np.where(of_times == TAB, ord("?"), of_times)


def _without_end(lines: pa.BinaryArray) -> pa.BinaryArray:
    _, offsets, data = lines.buffers()
    as_text = pa.StringArray.from_buffers(len(lines), offsets, data, None, 0, lines.offset)
    return pc.ascii_rtrim(as_text, characters="\r\n").view(pa.binary())
