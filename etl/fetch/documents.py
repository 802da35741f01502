"""JSON as it was sent: a value that a pointer (RFC 6901) names, and the records of an array, byte for byte."""

import json
import re
from collections.abc import Iterator
from typing import Any

from lake.errors import ConfigError

WHOLE = "."
"""A pointer to the document itself, which RFC 6901 writes as nothing."""
POINTER = re.compile(r"(/([^~/]|~[01])*)+")
WHITESPACE = re.compile(r"[ \t\n\r]*")
LINE_ENDS = re.compile(rb"[\r\n]+")
DECODER = json.JSONDecoder()


class NoSuchValue(Exception):
    """A document has nothing where a pointer points."""


def check_pointer(key: str, text: str) -> str:
    """Return a pointer; ConfigError if it is none."""
    if text != WHOLE and not POINTER.fullmatch(text):
        raise ConfigError(
            f"{key} = {text}: expected a JSON pointer such as /result/items, or {WHOLE} for the whole."
        )
    return text


def value_at(document: str, pointer: str) -> Any:  # noqa: ANN401 - whatever stands there
    """Return the value that a pointer names.

    Raises:
        NoSuchValue: There is none.
        ValueError: The document is no JSON.
    """
    found = _decoded(document)
    for name in _names(pointer):
        try:
            found = found[int(name)] if isinstance(found, list) else found[name]
        except (KeyError, IndexError, ValueError, TypeError):
            raise NoSuchValue(pointer) from None
    return found


def records_at(document: str, pointer: str) -> list[bytes]:
    """Return the elements of the array that a pointer names, each as it stands there, in one line.

    Raises:
        NoSuchValue: There is no array.
        ValueError: The document is no JSON.
    """
    at = _place(document, pointer)
    if document[at] != "[":
        raise NoSuchValue(pointer)
    return [_in_a_line(document[begin:end]) for _, begin, end in _elements(document, at)]


def raw_at(document: str, pointer: str) -> bytes:
    """Return the value that a pointer names, as it stands there, in one line.

    Raises:
        NoSuchValue: There is none.
        ValueError: The document is no JSON.
    """
    at = _place(document, pointer)
    return _in_a_line(document[at : DECODER.raw_decode(document, at)[1]])


def _place(document: str, pointer: str) -> int:
    """Return where the value begins that a pointer names."""
    _decoded(document)
    at = _skip(document, 0)
    for name in _names(pointer):
        at = _member(document, at, name)
    return at


def _in_a_line(text: str) -> bytes:
    # between its parts, where alone JSON has line ends, spaces mean the same
    return LINE_ENDS.sub(b" ", text.encode())


def _decoded(document: str) -> Any:  # noqa: ANN401 - whatever it is
    try:
        return DECODER.decode(document)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _names(pointer: str) -> list[str]:
    if pointer == WHOLE:
        return []
    return [each.replace("~1", "/").replace("~0", "~") for each in pointer.split("/")[1:]]


def _member(document: str, at: int, name: str) -> int:
    """Return where a member of what begins somewhere begins; of several of a name, the last."""
    found = None
    if document[at] in "{[":
        found = next((begin for each, begin, _ in reversed([*_elements(document, at)]) if each == name), None)
    if found is None:
        raise NoSuchValue(name)
    return found


def _elements(document: str, at: int) -> Iterator[tuple[str, int, int]]:
    """Yield the name (or number), begin and end of each member of the array or object that begins somewhere."""
    is_object, at, number = document[at] == "{", _skip(document, at + 1), 0
    while document[at] not in "]}":
        name = str(number)
        if is_object:
            name, at = DECODER.raw_decode(document, at)
            at = _skip(document, _skip(document, at) + 1)  # the colon
        _, end = DECODER.raw_decode(document, at)
        yield name, at, end
        at, number = _skip(document, end), number + 1
        if document[at] == ",":
            at = _skip(document, at + 1)


def _skip(document: str, at: int) -> int:
    found = WHITESPACE.match(document, at)
    return found.end() if found else at
