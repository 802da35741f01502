"""Lines of every golden case, damaged in many ways, are the same to the compiled parser and the plain one."""

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import damaged
import lines
import numpy as np
import pyarrow as pa
import pytest

from etl.lines.batches import Batch
from etl.lines.blocks import BlockParser, passes_of
from etl.lines.formats import FORMATS, Role
from etl.lines.parse import Classifier
from etl.raw import reading
from lake.contracts import contract

DAMAGED = 200  # lines of a case
USUAL = b'{"a":{"b":{"t":1789639503,"s":200,"h":["/u"]}}}\n'


def told(source: Any, data: bytes, block_bytes: int, *, compiled: bool) -> list[Any]:
    """Return all that a parser says of a file, wherever its batches end."""
    parser = BlockParser(source.format, source.classifier, compiled=compiled, passes=passes_of(source.format))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "BLOCK_BYTES", block_bytes)
        batches: list[Batch] = list(parser.batches(reading.whole_lines(io.BytesIO(data))))
    begins = np.cumsum([0, *(batch.lines for batch in batches)])
    rows = pa.concat_tables([batch.rows.cast(contract("requests").schema) for batch in batches])
    names = ("days", "strays", "reasons", "statuses", "other_days")
    arrays = [np.concatenate([getattr(batch, name) for batch in batches]).tolist() for name in names]
    places = [batch.numbers + begin for batch, begin in zip(batches, begins, strict=False)]
    masked = [text for batch in batches for text in batch.masked.to_pylist()]
    return [int(begins[-1]), rows.to_pylist(), *arrays, np.concatenate(places).tolist(), masked]


def assert_alike(source: Any, data: bytes, block_bytes: int) -> None:
    """Both parsers say the same of a file."""
    found = (told(source, data, block_bytes, compiled=each) for each in (False, True))
    for one, other in zip(*found, strict=True):
        assert one == other


@pytest.mark.slow
@pytest.mark.parametrize("case", damaged.CASES, ids=lambda path: path.name)
def test_damaged_lines_are_alike(case: Path, tmp_path: Path) -> None:
    """Their rows, days, reasons, statuses and masked texts, in blocks of some lines and of all."""
    source, (head, log) = damaged.of_case(case, tmp_path), damaged.lines_of(case)
    data = b"".join([*head, *damaged.damaged(lines.seeded(case.name), log, DAMAGED, lines.MUTATIONS)])
    for block_bytes in (3000, 4 << 20):
        assert_alike(source, data, block_bytes)


def test_numbers_of_json_are_what_they_are_to_python() -> None:
    """Seconds since 1970 as programs write them, and durations with more digits than there are nanoseconds."""
    source, rng = (
        damaged.of_json(ts=(Role.TIME, 0), s=(Role.STATUS, 0), d=(Role.DURATION, 3)),
        lines.seeded("numbers"),
    )
    times = [f"{rng.uniform(2**30, 2**31):.{rng.choice((1, 3, 5, 6, 7, 8, 9))}f}" for _ in range(3000)]
    times += [repr(rng.uniform(2**30, 2**31)) for _ in range(3000)]
    durations = [repr(rng.uniform(0, rng.choice((0.1, 10, 999)))) for _ in times]
    made = zip(times, durations, strict=True)
    data = "".join(f'{{"ts":{at},"s":200,"d":{took}}}\n' for at, took in made).encode()
    assert_alike(source, data, 4 << 20)
    parser = BlockParser(source.format, source.classifier, compiled=True)
    assert sum(len(batch.days) for batch in parser.batches(reading.whole_lines(io.BytesIO(data)))) == len(times)
    assert parser.plain_lines < len(times) / 20


@pytest.mark.parametrize(
    "line",
    [
        b'{"a":{"b":{"t":1789639503,"s":200}}}',
        b'{"a.b":{"t":1789639503,"s":200}}',
        b'{"a":{"b.t":1789639503,"b.s":200}}',
        b'{"a":{"b":{"x":{"s":[1]}},"b.t":1}, "a.b.t" : 1789639503 , "a.b.s": "200"}',
        b'{"a":{"b":{"t":1789639503}},"a.b":{"s":200}}',
        b'{"a":{"b":{"t":1789639503,"s":500}},"a":{"b":{"t":1789639503,"s":200}}}',
        b'{"a":{"b":{"t":1789639503,"s":200}},"a":null}',
        b'{"a":null,"a.b.t":1789639503,"a.b.s":200}',
        b'{"a":[{"b":1}],"a.b.t":1789639503,"a.b.s":200}',
        b'{"a":{},"a.b":{},"a.b.t":1789639503,"a.b.s":-}',
        b'{"a":{"b":{"t":"1789639503","s":"2\\u0030\\u0030"}}}',
        b'{"a":{"\\u0062":{"t":1789639503,"s":"2\\u0030\\u0030"}}}',
        b'{"a":{"b":{"t":1789639503,"s":200}}}}',
        b'{"a":{"b":{"t":1789639503,"s":200}}',
        b'{"a":{"b":{"t":1789639503,"s":200},}}',
        b'{"a":{"b":{"t":1789639503,"s":200,"h":["/x","/y"]}},"a.b.h":[]}',
        b'{"a":{"b":{"t":1789639503,"s":200,"h":{"0":"/x"}}}}',
        b'{"a":{"b":{"t":1789639503,"s":200,"h":["\\u002fx",{"0":1}]}}}',
        b'{"a":{"b":{"t":1789639503,"s":200,"h.0":"/x","h":["/y"]}}}',
        b'{"a":{"b":{"t":1789639503,"s":200,"h":[7]}}}',
    ],
)
def test_keys_nested_and_dotted(line: bytes) -> None:
    """In any mixture, twice, as arrays, cut off: what the plain parser makes of them."""
    source = damaged.of_json(a_b_t=(Role.TIME, 0), a_b_s=(Role.STATUS, 0), a_b_h_0=(Role.TARGET, 0))
    assert_alike(source, USUAL + line + b"\n" + USUAL, 4 << 20)


@pytest.mark.parametrize(
    "value",
    [b"", b"-", b"0.1, 0.2", b",", b" ,", b"1e400", b"tru", b"nullx", b"1 2", b"\xc3\xa9", b"a]", b"x" * 250],
)
def test_values_without_quotes(value: bytes) -> None:
    """As nginx writes variables that are empty, lists, or no numbers: first, in the middle and last."""
    source, time = damaged.of_json(t=(Role.TIME, 0), s=(Role.STATUS, 0), u=(Role.UPSTREAMS, 0)), b'"t":1789639503'
    shapes = (
        b'{"u":%s,"s":200,%s}',
        b'{"s":200,"u": %s , "x":1,%s}',
        b'{"s":200,%s,"u":%s}',
        b'{"u":{"x":%s},%s}',
    )
    made = [shape % ((time, value) if shape.startswith(b'{"s":200,%s') else (value, time)) for shape in shapes]
    padding = b'{"x":"%s","u":%s,"s":200,%s}' % (b"x" * 41_000, value, time)
    assert_alike(source, b"".join(each + b"\n" for each in (*made, padding)), 4 << 20)


def test_labels_that_come_twice() -> None:
    """No line of LTSV has one twice, whatever labels those before it had."""
    source = SimpleNamespace(format=FORMATS["ltsv"], classifier=Classifier("edge", "web", None, (), ()))
    parts, rng = (b"time:2026-09-17T10:05:03Z", b"status:200", b"x:1", b"y:", b"z", b"x:2"), lines.seeded("labels")
    drawn = (b"\t".join(rng.choices(parts, k=rng.randrange(2, 6))) for _ in range(2000))
    assert_alike(source, b"".join(each + b"\n" for each in drawn), 4 << 20)
