"""What is kept of rejected lines: their shape, and a whole time in its place, whatever was done to them."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from etl.kernel.layout import PADDING
from etl.lines import privacy
from etl.lines.blocks import BlockParser
from etl.lines.formats import FORMATS, Field, Format, Role, shaped
from etl.lines.parse import Classifier
from etl.lines.places import places_of

# What is personal is made of 4, 5, 8, q and w, of which no time, path or host of these lines has any
ADDRESSES = ("45.84.58.85", "0458:85::48", "0548:45::", "::84", "5:45:58::8")
PERSONAL = re.compile("[458qwQW]")
AGENT, USER, QUERY = "Qwqw/5.4 (wq; 8)", "wqw48", "q=48&w=%40wq"
REFERER = "48wq84qw48wq84qw48wq84"
SHAPES = {
    "zoned": '$remote_addr $remote_user [$time_iso8601] "$request" $status $bytes_sent "$http_user_agent"',
    "words": '$host $time_iso8601 $remote_addr $remote_user "$request" $status $bytes_sent "$http_user_agent"',
    "quoted": '"$remote_user" "$time_local" $remote_addr "$request" $status "$http_user_agent"',
}
JSON_FIELDS = tuple(
    Field(name, Role(role)) for role, name in {"time": "at.time", "target": "uri", "status": "status"}.items()
)
LOGFMT_FIELDS = tuple(
    Field(name, Role(role)) for role, name in {"time": "ts", "target": "uri", "status": "code"}.items()
)
CLF_TIME, ISO_TIME = "17/Sep/2026:12:00:03 +0000", "2026-09-17T12:00:03.120Z"
W3C = "#Fields: date time c-ip cs-username cs-method cs-uri-stem cs-uri-query sc-status cs(User-Agent)\n"
W3C_LATER = "#Fields: c-ip cs-username cs(User-Agent) date time cs-method cs-uri-stem cs-uri-query sc-status\n"
# Of each format: its header, if it has one, and a line
LINES: dict[str, tuple[Format, str, str]] = {
    "common": (FORMATS["common"], "", f'{{a}} - {USER} [{CLF_TIME}] "GET /kept?{QUERY} HTTP/1.1" 200 12'),
    "combined": (
        FORMATS["combined"],
        "",
        f'{{a}} - {USER} [{CLF_TIME}] "GET /kept?{QUERY} HTTP/1.1" 200 12 "https://wq.wq/{REFERER}" "{AGENT}"',
    ),
    "vhost_combined": (
        FORMATS["vhost_combined"],
        "",
        f'shop.test:443 {{a}} - {USER} [{CLF_TIME}] "GET /kept?{QUERY} HTTP/1.1" 200 12 "-" "{AGENT}"',
    ),
    "trailing": (
        shaped(
            "trailing",
            '$remote_addr - $remote_user [$time_local] "$request" $status $bytes_sent "$http_user_agent" $host',
        ),
        "",
        f'{{a}} - {USER} [{CLF_TIME}] "GET /kept?{QUERY} HTTP/1.1" 200 12 "{AGENT}" shop.test',
    ),
    "zoned": (
        replace(shaped("zoned", SHAPES["zoned"]), timezone="Europe/Berlin"),
        "",
        f'{{a}} {USER} [2026-09-17 12:00:03] "GET /kept?{QUERY} HTTP/1.1" 200 12 "{AGENT}"',
    ),
    "words": (
        replace(shaped("words", SHAPES["words"]), timezone="Europe/Berlin"),
        "",
        f'shop.test 2026-09-17T12:00:03 {{a}} {USER} "GET /kept?{QUERY} HTTP/1.1" 200 12 "{AGENT}"',
    ),
    "quoted": (
        shaped("quoted", SHAPES["quoted"]),
        "",
        f'"{USER}" "{CLF_TIME}" {{a}} "GET /kept?{QUERY} HTTP/1.1" 200 "{AGENT}"',
    ),
    "alb": (
        FORMATS["alb"],
        "",
        (
            f"http {ISO_TIME} app/web/1 {{a}}:2317 10.0.0.1:30 0.000 0.001 0.000 200 200 3 36 "
            f'"GET http://shop.test:30/kept?{QUERY} HTTP/1.1" "{AGENT}" - - arn "Root=1" "-" "-" 0 {ISO_TIME} '
            f'"forward" "-" "-" "10.0.0.1:30" "200" "-" "-"'
        ),
    ),
    "cloudfront": (
        FORMATS["cloudfront"],
        "#Fields: date time sc-bytes c-ip cs-method cs-uri-stem sc-status cs(User-Agent) cs-uri-query\n",
        f"2026-09-17\t12:00:03\t12\t{{a}}\tGET\t/kept\t200\t{AGENT.replace(' ', '%20')}\t{QUERY}",
    ),
    "w3c": (FORMATS["w3c"], W3C, f"2026-09-17 12:00:03 {{a}} {USER} GET /kept {QUERY} 200 Qwqw/5.4"),
    "w3c_later": (FORMATS["w3c"], W3C_LATER, f"{{a}} {USER} Qwqw/5.4 2026-09-17 12:00:03 GET /kept {QUERY} 200"),
    "iis": (FORMATS["iis"], W3C, f"2026-09-17 12:00:03 {{a}} {USER} GET /kept {QUERY} 200 Qwqw/5.4"),
    "json": (
        FORMATS["json"],
        "",
        (
            f'{{{{"remote_addr":"{{a}}","time_iso8601":"{ISO_TIME}","remote_user":"{USER}","request_uri":'
            f'"/kept?{QUERY}","status":"200","host":"shop.test","http_user_agent":"{AGENT}"}}}}'
        ),
    ),
    "json_nested": (
        replace(FORMATS["json"], fields=JSON_FIELDS),
        "",
        (
            f'{{{{"ip": "{{a}}", "headers": {{{{"x": ["{AGENT}"]}}}}, "at": {{{{"time": "{ISO_TIME}"}}}}, '
            f'"uri": "/kept?{QUERY}", "status": 200}}}}'
        ),
    ),
    "fastly": (
        FORMATS["fastly"],
        "",
        (
            f'{{{{"timestamp": "2026-09-17T12:00:03+0000", "client_ip": "{{a}}", "host": "shop.test", "url": '
            f'"/kept?{QUERY}", "response_status": 200, "request_user_agent": "{AGENT}"}}}}'
        ),
    ),
    "logfmt": (
        replace(FORMATS["logfmt"], fields=LOGFMT_FIELDS),
        "",
        f'ip={{a}} user="{USER}" ts={ISO_TIME} uri=/kept?{QUERY} code=200 agent="{AGENT}"',
    ),
    "heroku": (
        FORMATS["heroku"],
        "",
        (
            f'2026-09-17T12:00:03+00:00 heroku[router]: at=info method=GET path="/kept?{QUERY}" host=shop.test '
            f'fwd="{{a}}" connect=1ms service=2ms status=200 bytes=13'
        ),
    ),
}
STAMPS = {
    name: re.search(rf"{re.escape(CLF_TIME)}|2026-09-17[T \t]12:00:03(?:\.120Z|\+00:00|\+0000)?", line)
    for name, (_, _, line) in LINES.items()
}


def _line(name: str, address: str) -> bytes:
    return LINES[name][2].format(a=address).encode()


def _cut(name: str) -> Iterator[bytes]:
    """Yield a line cut at every byte, alone and with the next one glued to it, and the rest of it likewise."""
    one, *others = (_line(name, each) for each in (ADDRESSES[0], *ADDRESSES))
    for at in range(len(one) + 1):
        yield one[at:]
        yield from (one[:at] + other for other in (b"", *others))


def _shifted(name: str) -> Iterator[bytes]:
    """Yield a line with a field less, one more, or two that have changed places."""
    for address in ADDRESSES:
        one = _line(name, address)
        separator = b"\t" if b"\t" in one else b" " if b" " in one else b","
        fields = one.split(separator)
        for n in range(len(fields)):
            yield separator.join(fields[:n] + fields[n + 1 :])
            yield separator.join([*fields[:n], address.encode(), *fields[n:]])
            yield separator.join([*fields[:n], b"17", *fields[n:]])
            swapped = fields[:]
            swapped[n], swapped[n - 1] = swapped[n - 1], swapped[n]
            yield separator.join(swapped)
            yield one.replace(b"2026", address.encode()).replace(b"12:00:03", b"12:00:" + address[:2].encode())
            yield one.replace(b"200", b"2o0").replace(b"kept?", b"kept?at=" + CLF_TIME.encode() + b"&")


def _kept(name: str, damaged: Iterator[bytes], *, is_compiled: bool) -> tuple[list[str], list[dict[str, Any]]]:
    """Return what is kept of lines: of rejects, and of those that are requests all the same."""
    log_format, header, _ = LINES[name]
    data = header.encode() + b"".join(line.replace(b"\n", b"") + b"\n" for line in damaged)
    block = memoryview(bytearray(data + bytes(PADDING)))[: len(data)]
    host = next(iter(log_format.hosts), None)
    classifier = Classifier("origin", None if host else "site", host, (), ())
    batches = list(BlockParser(log_format, classifier, compiled=is_compiled).batches([block]))
    rejects = [line for batch in batches for line in batch.masked.to_pylist()]
    rows = [
        {key: row[key] for key in ("path", "application", "method")}
        for batch in batches
        for row in batch.rows.to_pylist()
    ]
    return rejects, rows


@pytest.mark.parametrize("damage", [_cut, _shifted])
@pytest.mark.parametrize("name", LINES)
def test_nothing_personal_is_kept_of_a_damaged_line(name: str, damage: Callable[[str], Iterator[bytes]]) -> None:
    """Of an address, user, agent, query or token no character stays, be a line cut, glued or shifted anywhere."""
    plain = _kept(name, damage(name), is_compiled=False)
    rejects, rows = plain
    assert len(rejects) > len(LINES[name][2]) // 3
    assert [line for line in rejects if PERSONAL.search(line)] == []
    personal = [row for row in rows if PERSONAL.search(f"{row['path']} {row['application']}")]
    assert personal == []
    assert _kept(name, damage(name), is_compiled=True) == plain


@pytest.mark.parametrize("is_compiled", [False, True])
@pytest.mark.parametrize(
    ("log_format", "end"),
    [
        ("lograge", b"I, [2026-09-16T23:05:03.1 #7]  INFO -- : method=GET error='cut"),
        ("lograge", b"I, [2026-09-17T23:05:03.1 #7] 2026-09-16T23:05:03.1 -- : method=GET cut off"),
        ("words", b"a 2026-09-16 23:05:03 cut"),
    ],
)
def test_a_reject_is_of_the_day_of_its_time_in_its_place(
    log_format: str, end: bytes, *, is_compiled: bool
) -> None:
    """Also of one without an offset, in its place; one in brackets counts if there is none without."""
    known = FORMATS[log_format] if log_format in FORMATS else shaped("words", SHAPES["words"])
    data = end + b"\n"
    block = memoryview(bytearray(data + bytes(PADDING)))[: len(data)]
    classifier = Classifier("origin", "site", None, (), ())
    (batch,) = BlockParser(replace(known, timezone="UTC"), classifier, compiled=is_compiled).batches([block])
    assert batch.numbers.tolist() == [0]
    assert batch.other_days.tolist() == [(date(2026, 9, 16) - date(1970, 1, 1)).days]
    assert re.search("2026-09-16[T ]23:05:03", batch.masked[0].as_py())


@pytest.mark.parametrize("name", LINES)
def test_a_whole_time_in_its_place_is_kept(name: str) -> None:
    """Of a line that is cut after it, or whose status is none, so that people see when it was."""
    log_format, header, _ = LINES[name]
    line = _line(name, ADDRESSES[0])
    stamp = STAMPS[name]
    assert stamp
    shown = stamp[0].replace("\t", "?")
    end = line.index(stamp[0].encode()) + len(stamp[0])
    for damaged in (line.replace(b"200", b"2x0"), line[: end + 1]):
        rejects, _ = _kept(name, iter([damaged]), is_compiled=False)
        assert shown in rejects[-1], damaged
    assert bool(header) == (places_of(log_format) == ())


@pytest.mark.parametrize(
    "line",
    [
        b"45.84.58.85 - - [17/May/2015:10:05:03 +2001:db8::7 - - [17/May/2015:10:05:04 +0000] ",
        b"45.84.58.85 - - [17/May/2015:10:05:03 +2001] ",
        b"45.84.58.85 - - [17/May/2015:10:05:03 +0160] ",
        b"45.84.58.85 - - [31/Feb/2015:10:05:03 +0000] ",
        b"45.84.58.85 - - [17/May/2015:10:05:03 +0000",
        b"- - [17/May/2015:10:05:03 +0000] ",
        b'GET /?at=[17/May/2015:10:05:03 +0000] HTTP/1.1" 200',
        b"2015-05-17T10:05:03Z",
    ],
)
def test_what_is_no_whole_time_in_its_place_is_masked(line: bytes) -> None:
    """Be it cut, glued, of no calendar, or part of something else."""
    masked = privacy.mask_line(line, places_of(FORMATS["combined"]))
    assert masked == line.translate(privacy.MASK).decode()


def test_the_first_of_two_glued_lines_shows_its_time() -> None:
    """The second one's is in no place."""
    stamp = "17/Sep/2026:12:00:00 +0000"
    line = f'a1 - - [{stamp}] "a1 \xff - - [{stamp}] 2026-09-17T12:00:00Z\n'.encode("latin-1")
    masked = privacy.mask_line(line, places_of(FORMATS["combined"]))
    assert masked == f'x9 - - [{stamp}] "x9 ? - - [99/xxx/9999:99:99:99 +9999] 9999-99-99x99:99:99x'


@pytest.mark.parametrize("name", LINES)
def test_masks_of_masked_lines_are_the_same(name: str) -> None:
    """So that what is published already can be looked through: of what is kept today, nothing would be masked."""
    log_format = LINES[name][0]
    rejects, _ = _kept(
        name, iter([_line(name, each).replace(b"200", b"2x0") for each in ADDRESSES]), is_compiled=False
    )
    places = places_of(log_format, is_masked=True)
    rejects = [line for line in rejects if not line.startswith("#")]
    assert [privacy.mask_line(line.encode(), places) for line in rejects] == rejects
    assert any("2026" in line for line in rejects)
