"""A dataset of page views, its records, and what they become."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa

from etl.lines.batches import ANY_DAY, Days
from etl.lines.parse import CONTINUED, DIRECTIVE, NOISE
from etl.records.parser import RecordParser
from etl.records.records import Records
from lake.contract import Column, Contract, Rule
from lake.contracts.rejects import REASONS
from lake.partition import days_since_epoch

DAY = date(2026, 9, 17)
OF_DAY = Days(days_since_epoch(DAY), days_since_epoch(DAY) + 1)
NEITHER = {DIRECTIVE: "directive", CONTINUED: "continued", NOISE: "noise"}
ROW, ELSEWHERE = "row", "elsewhere"

VIEWS = Contract(
    name="page_views",
    version=1,
    grain="one view of a page",
    per_source=True,
    time="at",
    columns=(
        Column("at", pa.timestamp("us"), "UTC", "When it was seen"),
        Column("path", pa.string(), "URL path", "Which page", pattern="/[!-~]*"),
        Column("views", pa.int64(), "1", "How often", minimum=1, maximum=1000),
        Column("share", pa.float64(), "1", "How much of it", nullable=True, minimum=0, maximum=1),
        Column("device", pa.string(), "name", "On what", values=("desktop", "mobile")),
        Column("reader", pa.string(), "name", "Who", nullable=True, personal=True),
    ),
    rules=(Rule("path <> '/' or views > 1", "the start page is seen more often"),),
)
HEADER = b"at,path,views,share,device,reader\n"
GOOD = b"2026-09-17T10:00:00Z,/a,2,0.5,mobile,ann\n"


def texts(*names: str) -> Contract:
    """Return a dataset of columns that hold any text, without a time."""
    return Contract("texts", 1, "a record", tuple(Column(each, pa.string(), "text", "any") for each in names))


@dataclass
class Found:
    """What the lines of a file are: each its kind, and the rows and masks of those that have one."""

    kinds: list[str] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)
    days: list[int] = field(default_factory=list)
    masks: dict[int, str] = field(default_factory=dict)
    ends: dict[int, object] = field(default_factory=dict)


def found_in(parser: RecordParser, blocks: Iterable[bytes]) -> Found:
    """Return what blocks are, each of which is overwritten when the next one is asked for."""

    def lent() -> Iterable[memoryview]:
        for each in blocks:
            block = bytearray(each)
            yield memoryview(block)
            block[:] = b'"' * len(block)

    found = Found()
    for batch in parser.batches(lent()):
        kinds: list[str | None] = [None] * batch.lines
        for place in batch.elsewhere.tolist():
            kinds[place] = ELSEWHERE
        for place, reason, mask in zip(batch.numbers.tolist(), batch.reasons.tolist(), batch.masked, strict=True):
            assert kinds[place] is None
            kinds[place] = NEITHER.get(reason) or REASONS[reason]
            found.masks[len(found.kinds) + place] = mask.as_py()
        assert kinds.count(None) == batch.rows.num_rows == len(batch.days)
        assert [*batch.numbers_of(np.arange(len(batch.days)))] == [
            n for n, each in enumerate(kinds) if each is None
        ]
        assert "reader" not in batch.rows.schema.names
        found.ends |= {len(found.kinds) + place: digest.content() for place, digest in batch.ends.items()}
        found.kinds += [each or ROW for each in kinds]
        found.rows += batch.rows.to_pylist()
        found.days += batch.days.tolist()
    return found


def read(records: Records, data: bytes, days: Days = ANY_DAY, **more: Any) -> Found:
    """Return what a file's bytes are."""
    return found_in(RecordParser(records, days, **more), [data] if data else [])


def views(data: bytes, days: Days = OF_DAY, **values: str) -> Found:
    """Return what a file of page views is."""
    return read(Records.of(VIEWS, {"format": "csv"} | values), data, days)
