"""What stands in MongoDB: a partition's rows as documents, and its contract as the JSON Schema that they meet."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from typing import Any

import pyarrow as pa
from bson.int64 import Int64

from lake.contract import Column, Contract
from lake.published import Published

Document = dict[str, Any]

OURS = "of error-rate-lake"
TYPES = {
    "bool": "bool",
    "date32[day]": "date",  # its midnight, UTC
    "double": "double",
    "int16": "int",
    "int32": "int",
    "int64": "long",
    "string": "string",
    "timestamp[us]": "date",  # of milliseconds
}
"""BSON's types by Arrow's."""
TIME = pa.timestamp("us")
MICROSECONDS = "_us"
"""The end of the name of a field for the microseconds that a date lacks."""
DIGITS = 16
"""So many of a partition's digest stand in each of its documents."""
AT_ONCE = 1_000
"""So many documents are in memory, and in a bulk."""


def documents(published: Published, rows: Iterator[pa.RecordBatch]) -> Iterator[list[Document]]:
    """Yield a partition's rows as documents: NULL is null, and no field is left out.

    Args:
        published: The partition.
        rows: Its rows, in their order.

    Yields:
        Up to `AT_ONCE` of them. The same row has the same `_id` in each revision: by the contract's key, or else
        by its number.
    """
    contract, digest, row = published.contract, digest_of(published), 0
    identity = [*place_of(contract), *contract.key]
    for batch in rows:
        for begin in range(0, batch.num_rows, AT_ONCE):
            part = batch.slice(begin, AT_ONCE)
            values: dict[str, list[Any]] = {}
            for column in published.columns:
                values |= _values(part.column(column.name), column, contract)
            made = []
            for each in zip(*values.values(), strict=True):
                document = dict(zip(values, each, strict=True))
                key = {name: document[name] for name in identity} | ({} if contract.key else {"row": row})
                made.append({"_id": key, **document, "digest": digest})
                row += 1
            yield made


def schema_of(published: Published) -> Document:
    """Return the JSON Schema of a dataset's documents: what its contract says of types, meanings and units."""
    contract = published.contract
    identity = ", ".join((*place_of(contract), *(contract.key or ("number of the row",))))
    fields: dict[str, Document] = {"_id": {"bsonType": "object", "description": identity}}
    required = ["_id"]
    for each in published.columns:
        kept = {each.name: (TYPES[str(each.type)], f"{each.meaning} [{each.unit}]")}
        if _has_microseconds(each, contract):
            kept[f"{each.name}{MICROSECONDS}"] = ("int", f"Microseconds beyond the milliseconds of {each.name}")
        for name, (kind, meaning) in kept.items():
            kinds = [kind, "null"] if each.nullable or each.added else kind
            fields[name] = {"bsonType": kinds, "description": meaning}
        required += [] if each.added else kept
    fields["digest"] = {"bsonType": "string", "description": "Begin of the SHA-256 of the lake's partition"}
    return {
        "title": f"{mark(contract)}: a document is {contract.grain}, on one UTC day",
        "bsonType": "object",
        "required": [*required, "digest"],
        "properties": fields,
        "additionalProperties": False,
    }


def mark(contract: Contract) -> str:
    """Return what the title of a dataset's schema begins with."""
    return f"{contract.name} v{contract.version} {OURS}"


def place_of(contract: Contract) -> list[str]:
    """Return the fields that say which partition a document is of."""
    return ["dt", *(["source"] if contract.per_source else [])]


def digest_of(published: Published) -> str:
    """Return what a document says of the partition that it was sent from."""
    return published.sha256[:DIGITS]


def midnight(day: date) -> datetime:
    """Return a day as MongoDB has it."""
    return datetime.combine(day, time.min, UTC)


def _values(array: pa.Array, column: Column, contract: Contract) -> dict[str, list[Any]]:
    """Return a column's values as the driver takes them, and the microseconds of a time if they are kept."""
    values = array.to_pylist()
    if column.type == pa.int64():
        values = [each if each is None else Int64(each) for each in values]
    elif column.type == pa.date32():
        values = [each if each is None else midnight(each) for each in values]
    elif _has_microseconds(column, contract):
        beyond = [each if each is None else each.microsecond % 1_000 for each in values]
        return {column.name: values, f"{column.name}{MICROSECONDS}": beyond}
    return {column.name: values}


def _has_microseconds(column: Column, contract: Contract) -> bool:
    """Tell whether a time is kept to the microsecond; one of a key begins an interval."""
    return bool(column.type == TIME and column.name not in contract.key)
