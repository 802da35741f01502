"""The lake's id: what tells it from every other lake, wherever its data are carried.

    _identity/lake.json

It is written once, when it is first asked for. Two processes that ask at the same time get the same one.
"""

import json
import re
import uuid
from contextlib import suppress

from lake.errors import Damaged, PartitionExists
from lake.journal import Journal
from lake.lake import Lake
from lake.records import ADVICE, WRONG

NAME = "identity"
RECORD = "lake.json"
ID = re.compile(r"[0-9a-f]{32}")


def of(lake: Lake) -> str:
    """Return a lake's id; without one, it gets one.

    Raises:
        StoreError: It can't be read, or has none and can't be written.
        Damaged: What it has is no id.
    """
    journal = lake.journal(NAME)
    if not any(journal.names()):
        with suppress(PartitionExists):  # another one was faster
            journal.write(RECORD, json.dumps({"id": uuid.uuid4().hex}) + "\n")
    return _read(journal)


def known(lake: Lake) -> str | None:
    """Return a lake's id, None if it has none yet; StoreError and Damaged as `of`."""
    journal = lake.journal(NAME)
    return _read(journal) if any(journal.names()) else None


def _read(journal: Journal) -> str:
    (text,) = journal.read([RECORD])
    try:
        return parse(text)
    except WRONG as error:
        raise Damaged(f"{journal.place}/{RECORD} has no id of the lake: {error!r}. {ADVICE}.") from error


def parse(text: str) -> str:
    """Return the id that a record holds; one of `records.WRONG` if it holds none."""
    found = json.loads(text)["id"]
    if not ID.fullmatch(found):
        raise ValueError(f"{found!r} is no id")
    return str(found)
