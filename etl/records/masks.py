"""What is kept of records that are no rows: what their own columns allow, and the shape of all else.

A record may be shifted, glued to another one, or cut off, so that a field holds what belongs to another. A value
is shown only if its column allows it and nothing personal could be so: a number of up to eight digits, a time, a
truth value, or one of a column's few values. Of all else letters are x and digits 9.
"""

import json
from collections.abc import Sequence

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from etl.kernel.layout import LINE_BYTES
from etl.lines import privacy
from etl.lines.timestamps import Booleans, Integers
from etl.records.types import FINE, Typed
from lake.contract import Column, Contract
from lake.memory.arrays import numbers, scalar, to_numpy, whole

MOST_DIGITS = 8
"""Of a number that is shown; see privacy.MASKS."""
LIMITS = (200, 50, 10, 1)
"""How many bytes of a value are kept, until the whole is short enough."""


def masked(
    columns: Sequence[Column], texts: Sequence[pa.StringArray], found: Sequence[Typed], places: Integers
) -> list[str]:
    """Return some records as they may be kept: JSON of printable ASCII, up to LINE_BYTES.

    Args:
        columns: The columns.
        texts: The fields of each, one for each record.
        found: The columns' values, likewise.
        places: Which records.
    """
    if not len(places):
        return []
    shown = [_shown(*each, places) for each in zip(columns, texts, found, strict=True)]
    names = [each.name for each in columns]
    return [_as_json(names, values) for values in zip(*shown, strict=True)]


def of_rows(contract: Contract, rows: pa.Table) -> list[str]:
    """Return rows of a dataset as they may be kept among its rejects."""
    texts = [whole(rows[each.name]).cast(pa.string()) for each in contract.stored]
    fine = np.full(rows.num_rows, FINE)
    return masked(contract.stored, texts, [Typed(each, fine) for each in texts], np.arange(rows.num_rows))


def _shown(column: Column, texts: pa.StringArray, found: Typed, places: Integers) -> list[str | None]:
    """Return what is shown of a column's fields, None where there is none."""
    fields = texts.take(numbers(places))
    shapes = privacy.mask_lines(pc.fill_null(fields.view(pa.binary()), scalar(b"")), ())
    allowed = (found.flaws[places] == FINE) & _may_be_shown(column, fields)
    shown: list[str | None] = pc.if_else(
        numbers(allowed | ~to_numpy(fields.is_valid())), fields, shapes
    ).to_pylist()
    return shown


def _may_be_shown(column: Column, fields: pa.StringArray) -> Booleans:
    """Tell which fields may be shown as they are, if their column allows them."""
    if column.personal or (pa.types.is_string(column.type) and not column.values):
        return np.zeros(len(fields), np.bool_)
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type) or pa.types.is_decimal(column.type):
        digits = pc.fill_null(pc.count_substring_regex(fields, "[0-9]"), scalar(0, pa.int32()))
        return to_numpy(digits) <= MOST_DIGITS
    return np.ones(len(fields), np.bool_)


def _as_json(names: Sequence[str], values: Sequence[str | None]) -> str:
    """Return names and values as JSON that is short enough: of all values less, or else not the whole of it."""
    text = ""
    for limit in LIMITS:
        cut = (each if each is None else each[:limit] for each in values)
        text = orjson.dumps(dict(zip(names, cut, strict=True))).decode()
        if not text.isascii():
            text = json.dumps(orjson.loads(text), separators=(",", ":"))
        if len(text) <= LINE_BYTES:
            break
    return text[:LINE_BYTES]
