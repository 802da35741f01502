"""Requests that are logged more than once, by the ids that their server gave them."""

import gzip
import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from etl.lines import blocks
from etl.sources.source import Source
from etl.steps.extract import extract_day
from etl.steps.identified import repeated_requests
from lake.errors import ConfigError
from lake.lake import Lake

DAY = date(2026, 9, 17)
DATED = "{YYYY}-{MM}-{DD}-*.log"
S3 = (
    "79a5 bucket [17/Sep/2026:10:00:0{n} +0000] 192.0.2.3 79a5 {id} REST.GET.OBJECT key "
    '"GET /bucket/key?n={n} HTTP/1.1" {status} - 113 113 7 6 "-" "S3Console/0.4" -\n'
)
NGINX = '192.0.2.1 [17/Sep/2026:10:00:0{n} +0000] "GET /{n} HTTP/1.1" {status} 5 {id}\n'
LTSV = "time:[17/Sep/2026:10:00:0{n} +0000]\treq:GET /{n} HTTP/1.1\tstatus:{status}\treqid:{id}\n"
LOGFMT = 'time=2026-09-17T10:00:0{n}Z status={status} request="GET /{n} HTTP/1.1" id={id}\n'
HEAD = "#Version: 1.0\n#Fields: date time cs-method cs-uri-stem sc-status x-edge-request-id\n"
CLOUDFRONT = "2026-09-17\t10:00:0{n}\tGET\t/{n}\t{status}\t{id}\n"
KINDS: dict[str, tuple[str, str, str, dict[str, str]]] = {
    "s3": ("request_id", "", S3, {"format": "s3"}),
    "nginx": (
        *("request_id", "", NGINX),
        {
            "format": "log_format",
            "log_format": '$remote_addr [$time_local] "$request" $status $body_bytes_sent $request_id',
        },
    ),
    "ltsv": ("reqid", "", LTSV, {"format": "ltsv"}),
    "logfmt": (
        "id",
        "",
        LOGFMT,
        {"format": "logfmt", "fields": "\n time = time\n status = status\n request = request"},
    ),
    "cloudfront": ("x-edge-request-id", HEAD, CLOUDFRONT, {"format": "cloudfront"}),
}


def _json(request_id: str | None, second: int = 1, status: int = 200, **more: Any) -> bytes:
    line = {"time_iso8601": f"2026-09-17T10:00:0{second}Z", "status": status, "trace": {"id": request_id}, **more}
    return json.dumps(line).encode() + b"\n"


def _left_out(source: Source) -> list[list[int]]:
    return [each.tolist() for each in repeated_requests(source, source.request_id or "", source.find_files(DAY))]


def test_ids_of_json_may_be_numbers(declare: Callable[..., Source], tmp_path: Path) -> None:
    """As counters of a server are."""
    lines = [_json("7", 1), json.dumps({**json.loads(_json(None, 1)), "trace": {"id": 7}}).encode() + b"\n"]
    (tmp_path / "2026-09-17-a.log").write_bytes(b"".join([*lines, _json("8", 1)]))
    source = declare(format="json", files=DATED, duplicates="field:trace.id")
    assert _left_out(source) == [[1]]


@pytest.mark.parametrize("kind", KINDS)
def test_a_request_that_comes_again_counts_once(
    declare: Callable[..., Source], tmp_path: Path, lake: Lake, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """In its file or in a later one, in every kind of format; a line without an id is a request of its own."""
    monkeypatch.setattr(blocks, "LINES_A_PIECE", 2)
    field, head, shape, settings = KINDS[kind]
    lines = [shape.format(n=n, id=f"id{n}", status=500 if n == 1 else 200) for n in range(4)]
    without = shape.format(n=5, id="-", status=200)
    (tmp_path / f"{DAY}-1.log").write_text(head + lines[0] + lines[1] + lines[0] + without)
    (tmp_path / f"{DAY}-2.log").write_bytes(
        gzip.compress((head + "bad\n" + without + lines[2] + lines[1] + "bad\n" + lines[3] + lines[3]).encode())
    )
    source = declare(**settings, files=DATED, duplicates=f"field:{field}", max_reject_rate=1)
    about = head.count("\n")
    assert _left_out(source) == [[about + 2], [about + 3, about + 6]]
    found = extract_day(lake, source, DAY)
    assert (found.read, found.kept, found.rejected, found.doubled) == (11 + 2 * about, 6, 2, 3)


def test_an_id_alone_makes_no_repetition(declare: Callable[..., Source], tmp_path: Path) -> None:
    """A client may send one and the same with many requests: time and status have to be the same, too."""
    lines = [
        *(_json("a"), _json("a", second=2), _json("a", status=500), _json(None), _json(None), _json("")),
        *(_json("a", second=3), b"bad\n", _json("a", more="order and fields don't matter"), _json("b")),
    ]
    (tmp_path / f"{DAY}-1.log").write_bytes(b"".join(lines))
    (tmp_path / f"{DAY}-2.log").write_bytes(lines[2])
    assert _left_out(declare(format="json", files=DATED, duplicates="field:trace.id")) == [[8], [0]]


def test_ids_are_found_in_envelopes(declare: Callable[..., Source], tmp_path: Path) -> None:
    """Whatever each line is wrapped in, as when one collector wraps it and another doesn't."""
    wrapped = [json.dumps({"log": _json(each).decode(), "stream": "stdout", "time": "x"}) for each in "aba"]
    (tmp_path / f"{DAY}-1.log").write_text("\n".join(wrapped))
    source = declare(format="json", envelope="docker", files=DATED, duplicates="field:trace.id")
    assert _left_out(source) == [[2]]


def test_a_file_without_lines_or_without_the_field_repeats_nothing(
    declare: Callable[..., Source], tmp_path: Path
) -> None:
    """As a header without it, or of no file at all."""
    source = declare(format="cloudfront", files=DATED, duplicates="field:x-edge-request-id")
    assert _left_out(source) == []
    (tmp_path / f"{DAY}-1.log").write_bytes(b"")
    text = HEAD.replace(" x-edge-request-id", "") + 2 * "2026-09-17\t10:00:00\tGET\t/\t200\n"
    (tmp_path / f"{DAY}-2.log").write_text(text)
    assert _left_out(source) == [[], []]


def test_of_several_formats_one_has_to_have_the_field(declare: Callable[..., Source], tmp_path: Path) -> None:
    """Lines of the others are no repetitions."""
    lines = [
        S3.format(n=1, id="a", status=200),
        '192.0.2.1 - - [17/Sep/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 5\n',
    ]
    (tmp_path / f"{DAY}-1.log").write_text("".join(lines * 2))
    source = declare(format="s3, common", files=DATED, duplicates="field:request_id")
    assert _left_out(source) == [[2]]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"duplicates": "twice"}, r"duplicates = twice: expected keep, lines or field:NAME\."),
        ({"duplicates": "field:request_id"}, r"duplicates = field:request_id: format combined has no such field"),
        ({"duplicates": "field:status"}, "format combined has no such field, or reads it for something else"),
        (
            {"format": "json", "duplicates": "field:status"},
            "format json has no such field, or reads it for something",
        ),
        ({"format": "combined, common", "duplicates": "field:id"}, "format combined, common has no such field"),
        ({"format": "json", "duplicates": "field:id", "files": "a.log"}, "duplicates is for dated files"),
    ],
)
def test_what_can_not_be_an_id_is_refused(declare: Callable[..., Source], settings: Any, said: str) -> None:
    """When luigi.cfg is read, with what is known of the format."""
    with pytest.raises(ConfigError, match=said):
        declare(**{"files": DATED} | settings)


def test_the_field_shapes_rows(declare: Callable[..., Source]) -> None:
    """A day that was made with another one is stale."""
    named = [declare(format="s3", files=DATED, duplicates=each) for each in ("keep", "lines", "field:request_id")]
    assert len({each.settings_sha256 for each in named}) == 3
    assert named[0].settings_sha256 == declare(format="s3", files=DATED).settings_sha256
