"""The program and the slow reference say the same of any bytes, in every format, wherever blocks end."""

import io
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import agreement
import lines
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st

from etl.raw import reading

pytestmark = pytest.mark.no_cover  # of the reference, which tracing would slow down by half
CASES, PARSERS, Case = agreement.CASES, agreement.PARSERS, agreement.Case
MEBIBYTE = 1 << 20
BLOCK_BYTES = (1, 7, 64, 1000, 4 << 20)
NOON = datetime(2026, 9, 17, 12)
DAY = NOON.date()
W3C = b"#Fields: date time cs-method cs-uri-stem sc-status sc-bytes time-taken cs(User-Agent)\n"
CLOUDFRONT = b"#Fields: date time sc-status sc-bytes cs-uri-stem cs-method time-taken x-host-header\n"
ALB = (
    b"https 2026-09-17T12:00:00.000000Z app/web/1 192.0.2.7:2817 10.0.0.1:80 %s 502 502 34 366"
    b' "GET https://u:p@Shop.example.com:443/a?b=c HTTP/1.1" "curl" - TLSv1.3 arn "Root=1" "-" "-" 0'
    b' 2026-09-17T11:59:59.000000Z "forward" "-" "-" "10.0.0.1:80 10.0.0.2:80" "502 502"%s'
)
COMMON = b'192.0.2.7 - - [17/Sep/2026:12:00:00 +0000] "GET /a HTTP/1.1" %s %s'
COMBINED = COMMON + b' "-" "curl"'
FASTLY = (
    b'{"timestamp": "2026-09-17T12:00:00+0000", "url": "/a?b", "response_status": 503, '
    b'"response_body_size": 42, "request_user_agent": "pingdom"}'
)
HEROKU = (
    b'<158>1 2026-09-17T12:00:00+00:00 host heroku router - at=error code=H12 desc="Request timeout" '
    b'method=GET path="/a" host=a.herokuapp.com dyno=web.1 connect=1ms service=30000ms status=503 bytes=0'
)
# A case, the file, and of its last line either the reason why it is a reject or some of its row's columns.
WANTED = (
    ("common", COMMON % (b"200", b"512"), {"ts": NOON, "method": "GET", "path": "/a", "retried": None}),
    ("common", COMMON % (b"600", b"x"), "status"),
    ("common", COMMON % (b"200", b"x"), {"status": 200, "response_bytes": None}),
    ("common", COMMON % (b"200", b"-") + b"\r\n", {"response_bytes": 0, "duration_seconds": None}),
    ("combined", COMBINED % (b"200", b"512"), {"status": 200, "application": "web"}),
    ("combined", COMBINED % (b"200", b"512") + COMBINED % (b"200", b"512"), "shape"),
    ("vhost_combined", b"Shop.Example.com:443 " + COMBINED % (b"200", b"5"), {"application": "shop.example.com"}),
    ("vhost_combined", b"[2001:db8::7]:443 " + COMBINED % (b"200", b"5"), {"application": "(invalid)"}),
    (
        "combined_trailing",
        COMBINED % (b"504", b"5") + b' 60.001 "502, 504" shop.example.com',
        {"duration_seconds": 60.001, "upstream_status": 504, "retried": True, "application": "shop.example.com"},
    ),
    (
        "combined_trailing",
        COMBINED % (b"499", b"5") + b' 0.000 "-" SHOP',
        {"duration_seconds": 0.0, "upstream_status": None, "retried": False, "application": "shop"},
    ),
    (
        "combined_trailing",
        COMBINED % (b"500", b"5") + b' x "700" a',
        {"status": 500, "duration_seconds": None, "upstream_status": None, "retried": False},
    ),
    ("combined_trailing", COMBINED % (b"200", b"5") + b" -1 - a", {"duration_seconds": None, "retried": False}),
    ("zoned", b'- - - [2026-09-17 14:00:00,5] "-" 200 5 "-" "-"', {"ts": NOON.replace(microsecond=500_000)}),
    ("zoned", b'- - - [2026-03-29T02:30:00] "-" 200 5 "-" "-"', "time"),
    ("zoned", b'- - - [2026-10-25T02:30:00] "-" 200 5 "-" "-"', {"ts": datetime(2026, 10, 25, 0, 30)}),
    (
        "words",
        b'[::1]:80 ::1 - [2026-09-17T07:00:00-05:00] GET /a 200 5 0.5 0.1, 0.4 : 0.1 502, 200 : 404 "-"',
        {"ts": NOON, "application": "(invalid)", "retried": True, "upstream_status": 404},
    ),
    ("pipes", b"1789646400.000|GET|/a b|200|-|0.001|10.0.0.1:80|a|", {"ts": NOON, "path": "/a%20b"}),
    ("pipes", b"1789646400.000||/a|200||||a|", {"method": None, "response_bytes": None, "duration_seconds": None}),
    (
        "pipes",
        b"1789646400.000|GET|/a?b|200|-|0.001|10.0.0.1:80|a|",
        {"ts": NOON, "path": "/a", "upstream_status": None, "retried": False},
    ),
    (
        "mixed",
        b'2026-09-17T14:00:00+02:00 rt=0.1s "GET /a\\"b HTTP/2" [502, 200] 700 512 "a \xff" 200 "a, b"',
        {"ts": NOON, "path": '/a\\"b', "response_bytes": 512, "upstream_status": 200, "retried": True},
    ),
    (
        "json",
        rb'{"msec": 1789646400.5, "request": "GET /\xC3\xA9\x22 HTTP/1.1", "status": "200", "host": "A"}',
        {"ts": NOON.replace(microsecond=500_000), "path": '/%C3%A9"', "application": "a", "response_bytes": None},
    ),
    ("json", rb'{"msec": 1789646400.5, "request": "GET /\xC3 HTTP/1.1", "status": "200", "host": "a"}', "shape"),
    (
        "json",
        rb'{"msec": 1789646400, "request": "\\\x41", "status": 200, "request_time": true}',
        {"duration_seconds": None},
    ),
    (
        "json",
        rb'{"msec": 1789646400, "request": "GET \/\u00e9\ud83d\uDE00\"\n\x7e", "st\u0061tus": 200, "x": ["\t\\"]}',
        {"path": '/%C3%A9%F0%9F%98%80"%0A~', "method": "GET", "status": 200},
    ),
    (
        "json",
        b'\t{"msec": 1789646400, "status": 200, "host": {"a": [1e5, 123456789012345678901]}, "request_uri": 7} ',
        {"application": "(invalid)", "path": None},
    ),
    ("json", rb'{"msec": 1789646400, "status": 200, "x": "\ude00\ud83d"}', "shape"),
    ("json", b'{"msec": 1789646400, "status": 200, "x": "\xe2\x82"}', "shape"),
    ("json", b'{"msec": 1789646400, "status": 500, "status": 200, "request_time": null}', {"status": 200}),
    ("json", b'{"msec": 1789646400, "status": 200.0}', "status"),
    ("json", b'{"msec": 1789646400, "status": 200, "x": NaN}', {"status": 200}),
    ("json", b'{"msec": 1789646400, "status": 200, "x": "\\ud800"}', "shape"),
    ("json", b'{"msec": 1789646400, "status": 200, "x": "\x01"}', "shape"),
    ("json", b'{"msec": 1789646400, "status": 200, "x": "\xff"}', "shape"),
    (
        "json_nested",
        b'{"request": {"method": "GET", "uri": "/a"}, "ts": 1789646400.0, "status": 200, "duration": 2}',
        {"ts": NOON, "method": "GET", "path": "/a", "duration_seconds": 2.0, "retried": None},
    ),
    (
        "json_apart",
        b'{"date": "2026-09-17", "clock": "12:00:00", "us": 1500, "status": "404"}',
        {"ts": NOON, "duration_seconds": 0.0015, "method": None, "path": None},
    ),
    (
        "fastly",
        FASTLY,
        {"path": "/a", "status": 503, "response_bytes": 42, "traffic_class": "synthetic", "retried": None},
    ),
    (
        "alb",
        ALB % (b"0.1 0.2 0.3", b""),
        {"ts": NOON, "duration_seconds": 0.6, "upstream_status": 502, "retried": True, "path": "/a"},
    ),
    ("alb", ALB % (b"-1 -1 -1", b' "-" "-" TID_1'), {"duration_seconds": None, "application": "shop.example.com"}),
    ("alb", ALB % (b"0.1 x -1", b' "-" "-" TID_1'), {"status": 502, "duration_seconds": None}),
    ("alb", ALB % (b"0.1 0.2 0.3", b"https"), "shape"),
    ("alb_domain", ALB % (b"0.1 0.2 0.3", b" "), {"application": "(invalid)"}),
    (
        "cloudfront",
        CLOUDFRONT + b"2026-09-17\t12:00:00\t000\t0\t/a%20b\tGET\t0.25\tshop.example.com",
        {"ts": NOON, "status": 0, "path": "/a%20b", "duration_seconds": 0.25, "application": "shop.example.com"},
    ),
    ("cloudfront", CLOUDFRONT + b"2026-09-17\t12:00:00\t200\t0\t/a b\tGET\t\tshop.example.com", "shape"),
    (
        "w3c",
        W3C + b"2026-09-17 12:00:00 GET /a 200 - 2 Synthetic+Check%20/1.0\r\n",
        {"ts": NOON, "duration_seconds": 2.0, "response_bytes": 0, "traffic_class": "synthetic", "method": "GET"},
    ),
    ("w3c", b"2026-09-17 12:00:00 GET /a 200 - 2 curl", "shape"),
    ("w3c", W3C + b"2026-09-17 12:00:00 GET /a - - x -", "status"),
    (
        "iis",
        W3C + b"2026-09-17 12:00:00 - - 200 7 15 -",
        {"duration_seconds": 0.015, "method": None, "path": None},
    ),
    ("iis", W3C + b"#Fields: date sc-status\n2026-09-17 200", "time"),
    (
        "heroku",
        HEROKU,
        {"ts": NOON, "duration_seconds": 30.001, "status": 503, "application": "a.herokuapp.com", "retried": None},
    ),
    ("heroku", b"2026-09-17T12:00:00Z app[web.1]: State changed from starting to up", "shape"),
    ("heroku", b"2026-09-17T12:00:00Z a: method=GET status=200 method=GET", "shape"),
    ("heroku", b"2026-09-17T12:00:00Z a: method=GET \tstatus=200", "status"),
    (
        "logfmt",
        rb'ts=1789646400 request="GET /\"a\" HTTP/1.1" code=200 size= took=5 upstream="502, 200"',
        {
            "path": '/"a"',
            "response_bytes": None,
            "duration_seconds": 0.005,
            "upstream_status": 200,
            "retried": True,
        },
    ),
    (
        "logfmt",
        b"ts=1789646400 code=500 error='NoMethodError: no 'x' for \"a=b\" in c=d' took='5'",
        {"status": 500, "duration_seconds": 0.005},
    ),
    ("logfmt", b"ts=1789646400 code=500 error='boom", {"status": 500}),
    ("logfmt", b"ts=1789646400 code=500 error='boom 'x", "shape"),
    ("logfmt", b"ts=1789646400 code=500 error='boom' code=200 x='", "shape"),
    ("logfmt", b'ts=1789646400 code=200 size=""', {"response_bytes": None}),
    ("logfmt", b"ts=1789646400 code=0 size=1", {"status": 0}),
    ("json", b'{"msec": 1789646400, "status": 502, "a":-, "upstream_status":502, 502,"b":}', {"retried": True}),
    ("json", b'{"msec": 1789646400123456789, "status": -1}', {"status": 0}),
    (
        "pipes",
        b"17/Sep/2026:12:00:00 +0000|GET|/a b|200|-|1h2m3.5s|x|a|",
        {"ts": NOON, "duration_seconds": 3723.5},
    ),
    # What once was judged otherwise by one of them
    ("combined", COMBINED.replace(b"/a", b"https://a*") % (b"200", b"5"), {"method": "GET", "path": None}),
    ("combined", COMBINED.replace(b"GET", b"GET\0") % (b"200", b"5"), {"method": None, "path": None}),
    ("iis", b"#Fields: cs-method\n2026-09-17 12:00:00 x", "shape"),
    ("w3c", b"#Fields: date time sc-status\n2026-09-17 12:00:00 200", {"traffic_class": "user"}),
    (
        "json_apart",
        b'{"date": "2026-09-17", "clock": "12:00:00", "us": 333593406.1, "status": 200}',
        {"duration_seconds": 333.5934061},
    ),
)

by_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


@pytest.fixture
def in_blocks(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Sets how many bytes are read at a time."""
    return lambda size: monkeypatch.setattr(reading, "BLOCK_BYTES", size)


@pytest.mark.parametrize("judge", ["reference", *PARSERS])
@pytest.mark.parametrize(("name", "log", "wanted"), WANTED)
def test_what_was_judged_by_hand(name: str, log: bytes, wanted: str | dict[str, Any], judge: str) -> None:
    """The reference and the program agree with a person too."""
    case = CASES[name]
    if judge == "reference":
        *_, (_, reason, row) = reference.judge_all(io.BytesIO(log), case.dialect)
    else:
        *_, (_, reason, row) = agreement.verdicts(log, case, judge)
    assert (reason or {key: row[key] for key in wanted}) == wanted


@by_case
@settings(derandomize=True, deadline=None, max_examples=4)
@given(data=st.data(), block_bytes=st.sampled_from(BLOCK_BYTES))
def test_small_files(case: Case, data: st.DataObject, block_bytes: int) -> None:
    """Every line's day, reason and row are the reference's, in blocks of any size."""
    log = data.draw(lines.logs(case.name, case.dialect))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "BLOCK_BYTES", block_bytes)
        assert agreement.differences(log, case) == []


@by_case
@pytest.mark.slow
def test_many_lines(case: Case) -> None:
    """So are those of many lines, two in five of them damaged."""
    rng = lines.seeded(f"{case.name} 1")
    for count in (600, 300):
        assert agreement.differences(lines.log(rng, case.name, case.dialect, count), case) == []


@pytest.mark.slow
@by_case
def test_more_lines_in_blocks(case: Case, in_blocks: Callable[[int], None]) -> None:
    """And those of as many more, in blocks of which some hold no whole line."""
    rng = lines.seeded(f"{case.name} 2")
    size = rng.choice((100, 10_000, 100_000, 4 << 20))
    in_blocks(size)
    log = lines.log(rng, case.name, case.dialect, 1000 if size > 100 else 300, damaged=rng.random())
    assert agreement.differences(log, case) == []


@pytest.mark.slow
@pytest.mark.parametrize("excess", [0, 1, 2 << 20])
@pytest.mark.parametrize("name", ["combined", "w3c", "json", "logfmt"])
def test_long_lines(name: str, excess: int, in_blocks: Callable[[int], None]) -> None:
    """A line of 1 MiB is a line; one byte more makes it too long, and its neighbours are untouched."""
    case = CASES[name]
    rng = lines.seeded(f"{name} {excess}")
    begin, dialect = b"", case.dialect
    if dialect.style == "headed":
        names = lines.HEADERS[name][1]
        begin, dialect = b"#Fields: " + names + b"\n", reference.headed_by(dialect, names)
    for block_bytes in (100_000, 4 << 20):
        in_blocks(block_bytes)
        for end in (b"\n", b"\r\n"):
            long = lines.long_line(rng, dialect, MEBIBYTE + excess, end)
            log = begin + lines.line(rng, dialect) + b"\n" + long + lines.line(rng, dialect)
            assert agreement.differences(log, case) == []


@pytest.mark.slow
def test_fuzz() -> None:
    """The command that compares the two parsers on a great many lines finds no difference; `make fuzz` runs it."""
    command = [sys.executable, Path(__file__).with_name("fuzz.py"), "--lines", "50000", "--format", "json"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr
