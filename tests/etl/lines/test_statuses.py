"""The status that a rejected line shows: where its format has it, and nowhere else."""

import csv
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from etl.lines.blocks import BlockParser
from etl.lines.formats import FORMATS, Alternatives, Format, shaped
from etl.lines.parse import ACCEPTED, Classifier, Parser, split_lines
from etl.lines.statuses import shown_statuses
from etl.raw import reading
from etl.sources.sections import read_sources
from lake import config
from lake.contracts.rejects import REASONS

GOLDEN = sorted((Path(__file__).parents[1] / "golden").iterdir())
SHAPE = REASONS.index("shape")
COMBINED = FORMATS["combined"]
BEGIN = b'192.0.2.7 - - [17/Sep/2026:10:05:03 +0000] "GET / HTTP/1.1"'


def shown(lines: list[bytes], log_format: Format) -> list[int]:
    """Return what lines show, all of them rejects for their shape."""
    return shown_statuses(pa.array(lines, pa.binary()), np.full(len(lines), SHAPE), log_format).tolist()


@pytest.mark.parametrize("case", GOLDEN, ids=lambda path: path.name)
def test_every_format_has_a_place_of_the_status(case: Path, tmp_path: Path) -> None:
    """In each golden request it is where the place says, whatever else is wrong with the line."""
    path = tmp_path / "luigi.cfg"
    path.write_text("[lake]\nroot = lake\n" + case.joinpath("source.ini").read_text())
    (source,) = read_sources(config.read(path))
    blocks = source.wrapping.inner_blocks([memoryview(case.joinpath("access.log").read_bytes())])
    lines = split_lines(b"".join(map(bytes, blocks)))
    for row in csv.DictReader(case.joinpath("expected.csv").read_text().splitlines()):
        number, status = int(row["line_number"]), int(row["status"])
        parser = Parser(source.format)
        parser.parse(lines[:number])  # whose header it has
        found = shown([lines[number - 1].as_py()], parser.current)
        assert found == [status if status >= 100 else 0]


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (BEGIN + b" 502 5\n", 502),  # cut off
        (BEGIN + b' 503 "-" "-" more\n', 503),
        (BEGIN + b" 504", 504),
        (b"shop:80 " + BEGIN + b' 502 5 "-" "-"\n', 502),  # fields before it that nobody declared
        (BEGIN.replace(b"/ HTTP", rb"/\" 500 1 HTTP") + b" 404 5\n", 404),
        (BEGIN + rb' 200 5 "\" 500 1" "-', 200),
        (BEGIN + b" 5020 5\n", 0),
        (BEGIN + b" 50", 0),
        (b"GET /500 500 500\n", 0),
        (b'{"status": 500}\n', 0),
        (b"\n", 0),
    ],
)
def test_a_status_counts_in_its_place_only(line: bytes, status: int) -> None:
    """What a client sends stands in quotes, and is no status wherever it looks like one."""
    assert shown([line], COMBINED) == [status]


def test_where_a_status_is_none_the_upstreams_next_to_it_is_shown() -> None:
    """A guess may have taken the one for the other; what stands elsewhere is no answer."""
    twins = shaped("log_format", '$msec "$request" $status $upstream_status $body_bytes_sent')
    lines = [b'1789639503.123 "GET / HTTP/1.1" ' + end for end in (b"- 503 512\n", b"- - 503\n", b"x 503 1\n")]
    assert shown(lines, twins) == [503, 0, 0]
    assert shown(lines[:1], shaped("log_format", '$msec "$request" $status $body_bytes_sent 512')) == [0]


@pytest.mark.parametrize(
    ("name", "line", "status"),
    [
        ("json", rb'{"request_uri": "/\",\"status\": 500", "x": {"status": 501}, "status": "503", "ti', 503),
        ("json", b'{"upstream": {"status": 500}, "time": "', 0),
        ("ecs", b'{"http": {"response": {"status_code": 502}}, "x', 502),
        ("ecs", b'{"http.response.status_code": 502, "x', 502),
        ("heroku", b'at=error path="/ status=500 " status=503 bytes=', 503),
        ("ltsv", b"uri:/ status:500\tstatus:503\tx", 503),
        ("w3c", b"503 503 503\n", 0),  # without a header nothing has a place
    ],
)
def test_keys_and_labels_have_places_too(name: str, line: bytes, status: int) -> None:
    """That of a key of the outermost object, outside of quotes, after a tab."""
    assert shown([line], FORMATS[name]) == [status]


def test_of_several_formats_the_first_that_shows_one_counts() -> None:
    """As of the first that fits a line."""
    both = Alternatives.of((shaped("log_format", "$status|$time_iso8601|$host"), COMBINED), ("bars", "combined"))
    assert shown([b"503|x", BEGIN + b" 502 "], both) == [503, 502]


def test_only_rejects_show_one() -> None:
    """A request has its own; a line that is blank or too long is not looked at."""
    reasons = np.array([ACCEPTED, REASONS.index("blank"), REASONS.index("too_long"), SHAPE])
    lines = pa.array([BEGIN + b" 502 5\n"] * len(reasons), pa.binary())
    assert shown_statuses(lines, reasons, COMBINED).tolist() == [0, 0, 0, 502]


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("name", ["combined", "json", "logfmt", "w3c"])
def test_both_parsers_say_the_same(name: str, *, compiled: bool) -> None:
    """Each batch has the statuses of its rejects, in their order."""
    lines = {
        "combined": [BEGIN + b' 502 "-" "-"', b"x", BEGIN + b' 200 5 "-" "-"', BEGIN + b" 503"],
        "json": [
            b'{"status": 502',
            b"x",
            b'{"status": 200, "time_iso8601": "2026-09-17T10:05:03Z"}',
            b'{"status":503',
        ],
        "logfmt": [
            b"status=502 x",
            b"x",
            b"time_iso8601=2026-09-17T10:05:03Z status=200",
            b"status=503 ",
        ],
        "w3c": [b"#Fields: date time sc-status", b"- - 502", b"x", b"2026-09-17 10:05:03 200", b"x x 503"],
    }[name]
    data = b"\n".join(lines) + b"\n"
    parser = BlockParser(FORMATS[name], Classifier("origin", "web", None, (), ()), compiled=compiled)
    buffer = bytearray(data) + bytes(reading.PADDING)
    batches = list(parser.batches([memoryview(buffer)[: len(data)]]))
    found = [
        (status, reason)
        for batch in batches
        for status, reason in zip(batch.statuses.tolist(), batch.reasons.tolist(), strict=True)
        if reason > ACCEPTED
    ]
    assert [status for status, _ in found] == [502, 0, 503]
