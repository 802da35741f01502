"""Lines of JSON: an object a line, and each field the text that stands there.

Numbers keep their digits: `12345678901234567890`, `0.10` and `1e3` come as they are written, and a key that occurs
twice makes a reject. Python's own json can do that, since it leaves numbers and pairs to its caller. orjson can't,
so it reads the lines of which it is sure that it gives the same, in half of the time, and json reads the others.
DuckDB's JSON functions give `1000.0` for `1e3` and `0.1` for `0.10`, and take trailing commas, NaN and keys that
occur twice for JSON.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from etl.lines.timestamps import Booleans
from etl.records.taken import A_RECORD, SHAPE, Taken, are_utf8, chosen, kinds_of, strings, without_ends
from lake.memory.arrays import numbers, to_numpy

TRUTHS = {True: "true", False: "false"}
UNSURE = r'[ \t\r]:|" *: *-0|\{.*\{'
"""What may be a space before a colon, a negative zero, or an object in another one."""
LEFT, ABSENT = object(), object()
TEXTS = {str, type(None), type(ABSENT)}
Row = Sequence[str | None]


class Number(str):
    """A number as it is written."""

    __slots__ = ()


class JsonReader:
    """Reads the records of one file."""

    def __init__(self, fields: Sequence[str], doubles: Sequence[bool]) -> None:
        """Take which fields are wanted.

        Args:
            fields: Keys, or the keys of nested objects with dots between them.
            doubles: Of which of them nothing but the nearest double matters, where it is a number.
        """
        self._paths = [(each, each.split(".")) for each in fields]
        self._doubles = doubles

    def take(self, lines: pa.BinaryArray, *, is_last: bool) -> Taken:  # noqa: ARG002 - as CsvReader
        """Return what the file's next lines are, each by itself."""
        texts = without_ends(lines)
        kinds = kinds_of(lines, texts)
        places = np.flatnonzero(kinds == A_RECORD)
        records = chosen(texts, kinds == A_RECORD)
        fit = are_utf8(records)
        read, fields, lacking = self._read(chosen(records, fit).view(pa.string()))
        fit[fit] = read
        kinds[places[~fit]] = SHAPE
        return Taken(kinds, fields, lacking)

    def _read(self, lines: pa.StringArray) -> tuple[Booleans, list[pa.StringArray], list[Booleans | None]]:
        """Return which lines are records, the fields of those, and which of them lack each field."""
        texts = lines.to_pylist()
        columns, by_orjson = self._plainly(texts, lines)
        rows = [self._exactly(texts[place]) for place in np.flatnonzero(~by_orjson).tolist()]
        found = [row for row in rows if row is not None]
        fit = by_orjson.copy()
        fit[~by_orjson] = [row is not None for row in rows]
        fields, lacking = _told(columns)
        if not found:
            return fit, fields, lacking
        order = np.empty(len(texts), np.int64)
        order[by_orjson] = np.arange(np.count_nonzero(by_orjson))
        order[fit & ~by_orjson] = np.count_nonzero(by_orjson) + np.arange(len(found))
        exact, lacking_exactly = _told([*zip(*found, strict=True)])
        pairs = zip(fields, exact, strict=True)
        fields = [pa.concat_arrays(pair).take(numbers(order[fit])) for pair in pairs]
        counts = (int(np.count_nonzero(by_orjson)), len(found))
        for at, lack in enumerate(zip(lacking, lacking_exactly, strict=True)):
            if any(each is not None for each in lack):
                pair = zip(lack, counts, strict=True)
                of_both = [np.zeros(n, np.bool_) if each is None else each for each, n in pair]
                lacking[at] = np.concatenate(of_both)[order[fit]]
        return fit, fields, lacking

    def _plainly(self, texts: list[str], lines: pa.StringArray) -> tuple[list[list[Any]], Booleans]:
        """Return the fields of lines that orjson surely reads as json does, and which these are.

        In those, `":` follows each key. So a line that has as many of it as its object has keys has each key once.
        """
        sure = ~to_numpy(pc.match_substring_regex(lines, UNSURE))
        counts = to_numpy(pc.count_substring(lines, '":')).tolist()
        objects = [_object(text) if is_sure else None for text, is_sure in zip(texts, sure.tolist(), strict=True)]
        pairs = zip(objects, counts, strict=True)
        sure &= np.array([found is not None and len(found) == count for found, count in pairs], np.bool_)
        plain = [
            found for found, is_sure in zip(objects, sure.tolist(), strict=True) if found is not None and is_sure
        ]
        columns = [
            _plain([each.get(key, ABSENT) for each in plain], is_double=is_double)
            for (key, _), is_double in zip(self._paths, self._doubles, strict=True)
        ]
        left = {at for column in columns if LEFT in column for at, value in enumerate(column) if value is LEFT}
        if left:
            sure[np.flatnonzero(sure)[[*left]]] = False
            columns = [[value for at, value in enumerate(column) if at not in left] for column in columns]
        return columns, sure

    def exactly(self, line: str) -> Row | None:
        """Return the fields of a line's object as they are written."""
        found = self._exactly(line)
        return None if found is None else [None if each is ABSENT else each for each in found]

    def _exactly(self, line: str) -> list[Any] | None:
        """Return the same, ABSENT for a field that isn't there."""
        try:
            found = _DECODER.decode(line)
            if not isinstance(found, dict):
                return None
            return [_text(found[key] if key in found else _nested(found, path)) for key, path in self._paths]
        except (ValueError, RecursionError):
            return None


def _object(text: str) -> dict[str, Any] | None:
    """Return the object that orjson finds, None if it finds none."""
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return found if type(found) is dict else None


def _plain(values: list[Any], *, is_double: bool) -> list[Any]:
    """Return values of orjson as fields, LEFT for those that may have been written in another way."""
    if {*map(type, values)} <= TEXTS:
        return values
    known: dict[type, Callable[[Any], str | None]] = {bool: TRUTHS.get, int: str}
    if is_double:
        known[float] = repr
    kinds = map(type, values)
    return [
        value if kind in TEXTS else known[kind](value) if kind in known else LEFT
        for kind, value in zip(kinds, values, strict=True)
    ]


def _told(columns: Sequence[Sequence[Any]]) -> tuple[list[pa.StringArray], list[Booleans | None]]:
    """Return fields as texts, and of each of them which records lack it, None if none does."""
    lacking = [np.array([each is ABSENT for each in column]) if ABSENT in column else None for column in columns]
    texts = [
        column if lack is None else [None if each is ABSENT else each for each in column]
        for column, lack in zip(columns, lacking, strict=True)
    ]
    return [strings(each) for each in texts], lacking


def _nested(found: Any, path: list[str]) -> Any:  # noqa: ANN401
    """Return what stands at the end of a path, ABSENT if it leads nowhere."""
    for key in path:
        if not isinstance(found, dict):
            return ABSENT
        found = found.get(key, ABSENT)
    return found


def _text(value: Any) -> Any:  # noqa: ANN401
    """Return a value as a field: a string or a number as it is, and else its JSON; ABSENT as it is.

    Raises:
        UnicodeEncodeError: It has half of a pair of surrogates, which is no text.
    """
    if value is None or value is ABSENT:
        return value
    text = value if isinstance(value, str) else _json(value)
    if not text.isascii():
        text.encode()
    return text


def _json(value: Any) -> str:  # noqa: ANN401
    """Return a value as JSON without spaces, its numbers as they were written."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{_json(key)}:{_json(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_json, value)) + "]"
    if isinstance(value, Number):
        return value
    return TRUTHS[value] if isinstance(value, bool) else json.dumps(value, ensure_ascii=False)


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key occurs twice")
    return found


def _refused(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_each_once, parse_int=Number, parse_float=Number, parse_constant=_refused
)
