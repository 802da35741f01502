"""Applications' logs: the shape that a guess gives them, and that it holds for the lines of failures."""

from pathlib import Path

import pytest

from etl.looks import identify
from etl.looks.identify import Reading, first_lines, suggestion
from etl.looks.shapes import shapes

LINES = [
    (
        '2026-09-16 20:00:05,123 INFO     192.0.2.10:40000 - "GET / HTTP/1.1" 200',
        '$time_iso8601 $field_4 "$request" $status',
    ),
    (
        "[2026-09-17 10:05:03,123] INFO access - 192.0.2.1 GET /a 200 12ms",
        "[$time_iso8601] $field_2 $field_3 $field_4 $field_5 $request_method $request_uri $status $field_9",
    ),
    (
        "2026-09-17 10:05:03.123  INFO 1 --- [nio-8080-exec-1] c.e.Log GET /a 200",
        "$time_iso8601  $field_2 $field_3 $field_4 $field_5 $field_6 $request_method $request_uri $status",
    ),
    (
        '2026/09/17 10:05:03 [host/a-000001] "GET http://localhost/a HTTP/1.1" from 127.0.0.1:1 - 200 12B in 1ms',
        '$time_iso8601 $field_2 "$request" $field_4 $field_5 $field_6 $status $field_8',
    ),
    (
        "2026-09-17T10:05:03Z | 200 | 12us | localhost:80 | GET /a",
        "$time_iso8601 |  $status |  $field_3 |  $field_4 |  $request_method $request_uri",
    ),
    (
        "2026-09-17 10:05:03,123\tGET\t/a b\t200\t-\t1",
        "$time_iso8601\t$request_method\t$request_uri\t$status\t$field_5",
    ),
    (
        '2026-09-17 10:05:03,123 INFO werkzeug: 192.0.2.1 - - [17/Sep/2026 10:05:03] "GET / HTTP/1.1" 200 -',
        '$time_iso8601 $field_2 $field_3 $field_4 $field_5 $field_6 $field_7 "$request" $status $field_10',
    ),
    ("1789639503.123 GET /a 200", "$msec $request_method $request_uri $status"),
    (
        'INFO 2026-09-17 10:05:03 x 192.0.2.1 - - [17/Sep/2026:10:05:03 +0000] "GET / HTTP/1.1" 200 1',
        '$field_1 $field_2 $field_3 $field_4 $field_5 $field_6 [$time_local] "$request" $status $field_10',
    ),
    (
        '192.0.2.1 "a b" [2026-09-17T10:05:03+02:00] "GET / HTTP/1.1" -> [200] 12',
        '$field_1 $field_2 [$time_iso8601] "$request" $field_5 [$status] $field_7',
    ),
    (
        "2026-09-17 10:05:03,123 INFO access: method=GET path=/a status=200, took=3",
        "$time_iso8601 $field_2 $field_3 method=$request_method path=$request_uri status=$status, $field_7",
    ),
]


@pytest.mark.parametrize(("line", "shape"), LINES)
def test_time_request_and_status_are_named_and_nothing_else(line: str, shape: str) -> None:
    """Be the request quoted or not, before the status or after it; a time with its offset goes before another."""
    assert next(shapes([line.encode()] * 5)) == shape


@pytest.mark.parametrize("line", [line for line, _ in LINES])
def test_failures_are_read_whatever_their_level_is(line: str) -> None:
    """The level changes where a request fails, and its name is shorter or longer: none of them is lost."""
    failed = line.replace(" 200", " 503").replace("[200", "[503").replace("\t200", "\t503")
    failed = failed.replace("=200", "=503").replace("INFO ", "CRITICAL ")
    head = (f"{line}\n" * 9 + f"{failed}\n").encode()
    source = identify.identify(head)[0].source
    found = identify.read(head, identify.in_some_zone(source))
    assert (len(found.rows), len(found.rejects)) == (10, 0)
    assert found.rows["status"].to_pylist()[-1] == 503


@pytest.mark.parametrize(
    "lines",
    [
        ["2026-09-17 10:05:03 started worker 1"],
        ['INFO:     192.0.2.1:4000 - "GET / HTTP/1.1" 200 OK'],
        ['2026-09-17 10:05:03 "GET /" 1234', '2026-09-17 10:05:03 "GET /" 4711'],
        ["2026-09-17 10:05:03 GET /a 299", "2026-09-17 10:05:03 GET /a 577"],
        [""],
    ],
)
def test_what_lacks_one_of_them_is_no_access_log(lines: list[str]) -> None:
    """No request, no time, or no number that is a status of HTTP nearly always."""
    assert not identify.identify(("\n".join(lines) + "\n").encode() * 5)[0].fits


TWO_STATUSES = [
    '192.0.2.1 - - [17/Sep/2026:10:05:03 +0000] "GET / HTTP/1.1" {} {} 512 "-" "curl/8"',
    '192.0.2.1 - - [17/Sep/2026:10:05:03 +0000] "GET / HTTP/1.1" {} {} 512',
    '192.0.2.1 - - [17/Sep/2026:10:05:03 +0000] "GET / HTTP/1.1" {} {}',
    "2026-09-17T10:05:03Z|192.0.2.1|GET / HTTP/1.1|{}|{}|0.035|Curl (x; y)",
    "17/Sep/2026:10:05:03 +0000\t192.0.2.1\tGET\t/\t{}\t{}\t0.035\tcurl",
    '2026-09-17T10:05:03Z "GET / HTTP/1.1" "{}" 0.035 "{}" 512',
]
CLIENT = ["200"] * 40 + ["404", "200", "503", "200"] + ["304"] * 5
UPSTREAM = ["200"] * 40 + ["404", "502, 200", "-", "200"] + ["304"] * 5


def _guessed(line: str, columns: tuple[list[str], list[str]], first: int = 1000) -> Reading:
    """Return what is suggested of lines with two columns of statuses; only so many are looked at first."""
    sample = "".join(line.format(*both) + "\n" for both in zip(*columns, strict=True)).encode()
    head = b"\n".join(sample.split(b"\n", first)[:first])
    return suggestion(identify.identify(first_lines(head))[0], sample, "access.log", Path("/nowhere"))


@pytest.mark.parametrize(
    ("line", "first"), [*((line, 1000) for line in TWO_STATUSES), *((line, 41) for line in TWO_STATUSES[::3])]
)
@pytest.mark.parametrize("columns", [(CLIENT, UPSTREAM), (UPSTREAM, CLIENT)], ids=["before", "after"])
def test_an_upstreams_status_is_not_taken_for_the_clients(
    line: str, first: int, columns: tuple[list[str], list[str]]
) -> None:
    """Whichever is first: what no upstream answered, or several did, tells them apart. No bytes are a status."""
    found = _guessed(line, columns, first)
    assert ([*map(str, found.rows["status"].to_pylist())], len(found.rejects)) == (CLIENT, 0)
    assert "log_format" not in found.comments
    assert found.rows["response_bytes"].to_pylist()[0] in (None, 512)


@pytest.mark.parametrize("line", TWO_STATUSES[::2])
def test_statuses_that_lines_do_not_tell_apart_are_said(line: str) -> None:
    """The first is the client's, and it is said; a later line in which it is none is a reject that shows a 503."""
    found = _guessed(line, (CLIENT[:42], CLIENT[:42]))
    assert "exchange $status and $upstream_status" in found.comments["log_format"]
    assert found.rows["upstream_status"] == found.rows["status"]
    later = identify.read((line.format("-", "503") + "\n").encode(), found.source)
    assert (len(later.rows), later.failed) == (0, 1)


def test_bytes_that_are_as_many_as_the_status_are_bytes() -> None:
    """A health check's answer may have a size of 200 each time."""
    found = _guessed(TWO_STATUSES[2], (["200"] * 50, ["200"] * 50))
    assert found.settings["format"] == "common"


@pytest.mark.parametrize("separator", ["\t", "|"])
def test_a_request_that_is_a_cell_may_be_none(separator: str) -> None:
    """Of a client that sent nothing, or TLS to a port without it; what stands before is not taken for it."""
    requests = ["GET /a HTTP/1.1", "GET /a HTTP/1.1", "GET /b HTTP/2.0", "-", "", r"\x16\x03\x01", "POST /a"]
    lines = [["2026-09-17T10:05:03+02:00", "192.0.2.7", "a b", each, "400", "5"] for each in requests]
    head = "\n".join(map(separator.join, lines)).encode()
    best = identify.identify(head)[0]
    assert len(best.rejects) == 0
    assert "$request" + separator.replace("\t", "\t") + "$status" in best.settings["log_format"]
    assert best.rows["path"].to_pylist() == ["/a", "/a", "/b", None, None, None, "/a"]
