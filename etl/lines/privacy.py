"""What the lake must never know: masking of paths and of rejected lines.

The lake can't forget, so nothing personal may reach it. Client addresses, user names, user agents, referers
and query strings are never kept; this module deals with what hides in paths and in lines that don't parse.
"""

import re

from etl.lines import timestamps

PATH_CHARACTERS = 1000
LINE_BYTES = 500

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
_TIMESTAMP = re.compile(timestamps.SHOWN.encode())
_MASKED_CHARACTERS = bytes(
    ord("x")
    if chr(code).isalpha() and code < 128  # noqa: PLR2004 - the end of ASCII
    else ord("9")
    if chr(code).isdigit() and code < 128  # noqa: PLR2004
    else code
    if 32 <= code < 127  # noqa: PLR2004 - printable ASCII
    else ord("?")
    for code in range(256)
)


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


def mask_line(line: bytes) -> str:
    """Return the shape of a rejected line: letters as x, digits as 9, its first timestamp as it is.

    Only the first 500 bytes; what is not printable ASCII is `?`. The line end is dropped. A timestamp is one in
    words or in ISO 8601; a date and a time of day with a tab between them are one too.
    """
    kept = line.rstrip(b"\r\n")[:LINE_BYTES]
    masked = kept.translate(_MASKED_CHARACTERS)
    found = _TIMESTAMP.search(kept)
    if found:
        masked = masked[: found.start()] + found[0].replace(b"\t", b"?") + masked[found.end() :]
    return masked.decode("ascii")
