"""Envelopes: what comes out of them, line for line, wherever blocks end, and what the parsers make of it."""

import dataclasses
import datetime as dt
import json
import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl.kernel import machine_code
from etl.kernel.layout import MAX_LINE_BYTES, PADDING
from etl.lines.batches import Days, Ends
from etl.lines.blocks import BlockParser
from etl.lines.envelopes import DOCKERS_PART, ENVELOPES, Wrapping, envelope, found_around
from etl.lines.formats import FORMATS, Format, Json, Role, shaped
from etl.lines.noise import Noise
from etl.lines.parse import ACCEPTED, CONTINUED, Classifier
from etl.looks import identify
from etl.raw.content import ContentDigest
from etl.sources.source import Source
from lake.errors import ConfigError

LINE = b'192.0.2.7 - - [17/Sep/2026:10:05:03 +0000] "GET /a HTTP/1.1" 200 512 "-" "curl/8"'
ISO = b"2026-09-17T10:05:03.123456789Z"
EVERYONE = Classifier("origin", "web", None, (), ())
DAY = 20_713  # 2026-09-17, since 1970-01-01
Declare = Callable[..., Source]


def _json(**values: object) -> bytes:
    return json.dumps(values).encode()


TEXT = LINE.decode()
WRAPPED = [
    ("cri", ISO + b" stdout F " + LINE),
    ("cri", b"2026-09-17T12:05:03.1+02:00 stderr F:tag " + LINE),
    ("docker", _json(log=TEXT + "\n", stream="stdout", time=ISO.decode())),
    ("docker", _json(attrs={"tag": "web"}, stream="stderr", time=ISO.decode(), log=TEXT + "\n")),
    ("fluentbit", _json(date=1789639503.125, log=TEXT, kubernetes={"pod_name": "web-1"})),
    ("fluentd, fluentbit", ISO + b"\tdocker.web\t" + _json(log=TEXT)),
    ("gcp", _json(insertId="x", textPayload=TEXT, timestamp=ISO.decode(), resource={"type": "k8s_container"})),
    ("journald", _json(MESSAGE=TEXT, __REALTIME_TIMESTAMP="1789639503123456", _PID="42")),
    ("journald", _json(MESSAGE=list(LINE), __REALTIME_TIMESTAMP="1789639503123456")),
    ("syslog", b"Sep  9 10:05:03 web1 nginx: " + LINE),
    ("syslog", b"Sep 10 10:05:03 web1 nginx[4242]: " + LINE),
    ("syslog", b"<190>Sep 1 10:05:03 nginx: " + LINE),
    ("syslog", b"Sep 17 10:05:03.123456 2001:db8::1 docker/web-1[7]: " + LINE),
    ("syslog", b"2026-09-17T10:05:03.123456+02:00 web1 httpd[4242]: " + LINE),
    ("syslog", b"2026-09-17T10:05:03+0200 web1 nginx[1]: " + LINE),
    ("syslog", b"1789639503.123456 web1 nginx[1]: " + LINE),
    ("syslog", b"Thu 2026-09-17 10:05:03 UTC web1 nginx[1]: " + LINE),
    ("syslog", b"<134>1 2026-09-17T10:05:03.1Z web1 nginx 42 - - " + LINE),
    ("syslog", b'280 <134>1 - web1 nginx - access [a@1 b="]\\"" c=""][d@2] \xef\xbb\xbf' + LINE),
    ("rails", b"I, [2026-09-17T10:05:03.123456 #4242]  INFO -- : " + LINE),
    ("rails", b"E, [2026-09-17T10:05:03.123456#4242] ERROR -- Web::Log: " + LINE),
    ("compose", b"web-1  | " + LINE),
    ("compose", b"\x1b[36mshop_web_1   |\x1b[0m " + LINE),
    ("compose", b"0|web      | " + LINE),
    ("kubectl", b"[pod/web-5d4f/nginx] " + LINE),
    ("timestamp", ISO + b" " + LINE),
    ("compose, timestamp", b"web-1 | " + ISO + b" " + LINE),
    ("cri, syslog", ISO + b" stdout F <190>Sep 17 10:05:03 web1 nginx: " + LINE),
    ("json:event.original", _json(event={"original": TEXT})),
    ("json:message", _json(message=TEXT, **{"@timestamp": ISO.decode()})),
]


def _names(text: str) -> list[str]:
    return text.split(", ")


def _wrapping(text: str, log_format: Format = FORMATS["combined"]) -> Wrapping:
    return Wrapping.of(_names(text), log_format)


def _split(log: bytes) -> list[bytes]:
    """Return lines with their ends; a CR alone is none."""
    return re.findall(rb"[^\n]*\n|[^\n]+", log)


def _blocks(log: bytes, sizes: Iterator[int]) -> Iterator[memoryview]:
    """Yield a log in blocks of so many lines each, as RawReader does."""
    lines = _split(log)
    while lines:
        size = next(sizes)
        block, lines = b"".join(lines[:size]), lines[size:]
        yield memoryview(bytearray(block + bytes(PADDING)))[: len(block)]


def _inner(log: bytes, wrapping: Wrapping, lines_a_block: int = 1000) -> tuple[list[bytes], list[int]]:
    """Return what comes out, line by line, and which lines go on in another one."""
    found: list[bytes] = []
    continued: list[int] = []
    for inner in wrapping.taken_off(_blocks(log, iter(lambda: lines_a_block, 0))):
        continued += (inner.continued + len(found)).tolist()
        assert len(inner.ends) == len(inner.raw_ends)
        found += _split(bytes(inner.block))
    return found, continued


@pytest.mark.parametrize(("names", "line"), WRAPPED)
def test_what_is_wrapped_comes_out_as_it_was(names: str, line: bytes) -> None:
    """With its line end, LF or CRLF; the last line of a file may lack it."""
    for end in (b"\n", b"\r\n"):
        raw = line if line.endswith(b"}") else line + end
        wanted = LINE + (b"\n" if line.endswith(b"}") else end)
        assert _inner(raw, _wrapping(names)) == ([wanted], [])
    assert _inner(line, _wrapping(names)) == ([LINE + b"\n"], [])


@pytest.mark.parametrize(("names", "line"), WRAPPED)
def test_the_kernel_reads_what_is_usual(names: str, line: bytes) -> None:
    """Many lines of each come out as they do without it."""
    log = b"\n".join([line, line.replace(b"/a", b"/"), b"x"] * 99)
    found = [
        bytes(each.block) for each in _wrapping(names).taken_off(_blocks(log, iter([50] * 9)), machine_code.kernel)
    ]
    assert b"".join(found) == b"".join(_inner(log, _wrapping(names))[0])


@pytest.mark.parametrize(("names", "line"), WRAPPED)
def test_envelopes_are_found(names: str, line: bytes) -> None:
    """By most of the lines, whatever the others are."""
    found = found_around([line] * 3 + [b"Starting", b""])
    assert found == ["json:event.original"] if names == "json:event.original" else found == _names(names)


def test_what_only_looks_like_fluentds_begin_is_none() -> None:
    """A time and a word between tabs may be a log's first columns: Fluentd writes an object of JSON after them."""
    begin = ISO + b"\tdocker.web\t"
    assert found_around([begin + b"GET /a HTTP/1.1\t200\t5"] * 3) == []
    assert found_around([begin + b'{"a":1}'] * 3) == ["fluentd"]


@pytest.mark.parametrize("name", ENVELOPES)
def test_what_lacks_the_envelope_stays_as_it_is(name: str) -> None:
    """A bare line, another text, JSON of other keys or in several lines, what is no UTF-8, and too long a line."""
    lines = [LINE, b"", b"\xff\xfe", b"{", b"[1]", b'{"log": 7, "MESSAGE": [300], "textPayload": null}']
    lines += [b'{"log": "a\\nb", "MESSAGE": "a\\nb", "textPayload": "a\\nb"}', b"2026-09-17", b"Sep 17 a: b"]
    lines += [ISO + b" stdout F " + b"a" * MAX_LINE_BYTES] * (name == "cri")
    found, continued = _inner(b"\n".join(lines), _wrapping(name))
    assert found == [line + b"\n" for line in lines]
    assert continued == []


PARTS = [
    ISO + b" stdout P one ",
    ISO + b" stderr P other ",
    b"no envelope",
    ISO + b" stdout P and two",
    ISO + b" stderr F one",
    ISO + b" stdout F ",
    ISO + b" stdout F next",
    ISO + b" stdout P open ",
    ISO + b" stderr F next",
    ISO + b" stdout P end",
]
JOINED = [b"", b"", b"no envelope", b"", b"other one", b"one and two", b"next", b"", b"next", b"open end"]


@pytest.mark.parametrize("lines_a_block", [1, 2, 3, 1000])
def test_parts_of_a_line_are_joined(lines_a_block: int) -> None:
    """Each stream on its own, in the last part, across blocks; at the end of a file the last one is the end."""
    found, continued = _inner(b"\n".join(PARTS), _wrapping("cri"), lines_a_block)
    assert found == [line + b"\n" for line in JOINED]
    assert continued == [0, 1, 3, 7]


@pytest.mark.parametrize("lines_a_block", [1, 2, 1000])
def test_dockers_parts_are_joined(lines_a_block: int) -> None:
    """A text without a line end goes on in the next one; where all lack it, each is a line."""
    long = "a" * DOCKERS_PART
    texts = [long, long, "end\n", "short ", "end\n", "one", "two", "three", long]
    log = b"\n".join(_json(log=text, stream="stdout") for text in texts)
    found, continued = _inner(log, _wrapping("docker"), lines_a_block)
    assert found == [
        each.encode() + b"\n" for each in ("", "", 2 * long + "end", "", "short end", "one", "two", "three", long)
    ]
    assert continued == [0, 1, 3]


def test_a_line_that_never_ends_takes_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its parts are given up as one that is too long, and what follows is read on."""
    part = ISO + b" stdout P " + b"a" * (MAX_LINE_BYTES // 2) + b"\n"
    log = part * 8 + ISO + b" stdout F end\n" + ISO + b" stdout F next\n"
    found, continued = _inner(log, _wrapping("cri"), 1)
    assert len(found) == 10
    assert max(map(len, found)) == MAX_LINE_BYTES + 2
    assert found[-1] == b"next\n"
    assert len(continued) < 8


@pytest.mark.parametrize(
    ("log_format", "line", "wanted"),
    [
        (
            shaped("log_format", '$level: $remote_addr - "$request" $status'),
            b'INFO: - - "GET / HTTP/1.1" 502',
            502,
        ),
        (FORMATS["combined"], LINE, 200),
        (
            Json("json", tuple(f for f in FORMATS["json"].fields if f.role is not Role.TIME)),
            b'{"status": 503}',
            503,
        ),
    ],
)
@pytest.mark.parametrize("compiled", [False, True])
def test_its_time_counts_only_if_the_line_has_none(
    log_format: Format, line: bytes, wanted: int, *, compiled: bool
) -> None:
    """Then it is that of the innermost envelope that tells one; a line without an envelope has none."""
    wrapping = _wrapping("cri, timestamp", log_format)
    raw = (
        b"2026-09-18T00:00:00Z stdout F 2026-09-19T00:00:00.5Z "
        + line
        + b"\n"
        + ISO
        + b" stdout F "
        + line
        + b"\n"
    )
    raw += line + b"\n"
    parser = BlockParser(wrapping.timed or log_format, EVERYONE, compiled=compiled, wrapping=wrapping)
    (batch,) = parser.batches(_blocks(raw, iter([9])))
    assert batch.rows["status"].to_pylist()[:2] == [wanted] * 2
    if log_format.has(Role.TIME):
        assert batch.days.tolist() == [DAY] * 3
    else:
        assert (batch.days.tolist(), batch.numbers.tolist()) == ([DAY + 2, DAY], [2])
        assert [str(each) for each in batch.rows["ts"].to_pylist()] == [
            "2026-09-19 00:00:00.500000",
            "2026-09-17 10:05:03.123456",
        ]


def test_a_wrong_envelope_is_refused(declare: Declare) -> None:
    """With the ones that there are; and so is a format without a time in one that tells none."""
    with pytest.raises(ConfigError, match=r"unknown envelope .crio.\. Known ones: cri, docker, "):
        declare(envelope="crio")
    with pytest.raises(ConfigError, match="unknown envelope 'json:'"):
        envelope("json:")
    timeless: dict[str, str] = {"format": "log_format", "log_format": '"$request" $status'}
    with pytest.raises(ConfigError, match="log_format has no time, and neither has the envelope"):
        declare(**timeless, envelope="compose")
    assert declare(**timeless, envelope="compose, cri").format.has(Role.TIME)


def test_envelopes_shape_rows(declare: Declare) -> None:
    """So they are in the settings' digest, in their order; without one, it is as it was."""
    plain, one, other = declare(), declare(envelope="cri, syslog"), declare(envelope="syslog, cri")
    assert len({each.settings_sha256 for each in (plain, one, other)}) == 3
    assert len(plain.known_as) == 2
    assert one.known_as == {one.settings_sha256}


def _line(day: int, status: int, tail: str) -> bytes:
    return f'- - - [{17 + day}/Sep/2026:10:00:00 +0000] "GET /{tail} HTTP/1.1" {status} 5 "-" "-"'.encode()


LINES = st.builds(
    _line, st.integers(-1, 2), st.sampled_from([200, 503, 999]), st.sampled_from(["", "a" * 99, "é\\x"])
)
OTHERS = st.sampled_from(
    [
        b"",
        b"\r",
        b"2026/09/17 10:05:03 [error] 1#1: *1 a",
        b"#Fields: a",
        b"{}",
        b"\xff",
        b"x [17/Sep/2026:10:00:00 +0000]",
    ]
)


def _cri(line: bytes, cuts: list[int], stream: bytes) -> list[bytes]:
    bounds = [0, *sorted(cut % (len(line) + 1) for cut in cuts), len(line)]
    parts = [line[a:b] for a, b in pairwise(bounds)]
    return [b" ".join((ISO, stream, b"P" if n < len(parts) - 1 else b"F", part)) for n, part in enumerate(parts)]


CUT = st.builds(
    _cri, LINES | OTHERS, st.lists(st.integers(0, 200), max_size=3), st.sampled_from([b"stdout", b"stderr"])
)
LOGS = st.lists(CUT | st.lists(OTHERS, min_size=1, max_size=1), min_size=1, max_size=20)


def _told(log: bytes, sizes: list[int], *, compiled: bool) -> list[Any]:
    """Return what the parser says of each line of a log, by its number, and that of what file it is the end."""
    wrapping, noise = _wrapping("cri"), Noise.of("nginx, blank", FORMATS["combined"])
    wanted = Days(DAY, DAY + 3, wanted=Days(DAY, DAY + 2))
    parser = BlockParser(
        *(FORMATS["combined"], EVERYONE, wanted), compiled=compiled, ends=Ends(), wrapping=wrapping, noise=noise
    )
    lines, begin = {}, 0
    raw = np.cumsum([len(line) for line in _split(log)])
    for batch in parser.batches(_blocks(log, iter([*sizes, *[1000] * 1000]))):
        rows = batch.rows.cast(
            pa.schema(
                [
                    f.with_type(f.type.value_type) if pa.types.is_dictionary(f.type) else f
                    for f in batch.rows.schema
                ]
            )
        )
        for place, row in zip(
            batch.numbers_of(np.arange(len(batch.days))).tolist(), rows.to_pylist(), strict=True
        ):
            lines[begin + place] = row
        for place, day in zip(batch.elsewhere.tolist(), batch.elsewhere_days.tolist(), strict=True):
            lines[begin + place] = ("elsewhere", day)
        for place, *told in zip(
            *(each.tolist() for each in (batch.numbers, batch.reasons, batch.other_days)),
            batch.masked.to_pylist(),
            strict=True,
        ):
            lines[begin + place] = told if told[0] > ACCEPTED else told[0]
        last = [p for p in range(batch.lines) if not isinstance(lines[begin + p], int | tuple)]
        assert not last or last[-1] in batch.ends
        for place, end in batch.ends.items():
            digest = ContentDigest()
            digest.update(memoryview(log)[: raw[begin + place]])
            assert end.content() == digest.content()
        begin += batch.lines
    assert sorted(lines) == [*range(begin)] == [*range(len(raw))]
    return [lines[n] for n in range(begin)]


@pytest.mark.slow
@settings(derandomize=True, deadline=None, max_examples=60)
@given(
    parts=LOGS,
    order=st.randoms(use_true_random=False),
    sizes=st.lists(st.integers(1, 4), max_size=6),
    cut=st.booleans(),
)
def test_both_parsers_say_the_same_wherever_blocks_end(
    parts: list[list[bytes]], order: Any, sizes: list[int], *, cut: bool
) -> None:
    """Line by line, of mixed streams; the digests of what a file is up to a day are those of raw bytes."""
    log = b""
    left = [list(each) for each in parts]
    while left:
        at = order.randrange(min(2, len(left)))
        log += left[at].pop(0) + b"\n"
        left = [each for each in left if each]
    log = log[:-1] if cut and not log.endswith(b"\n\n") else log
    told = _told(log, [], compiled=False)
    assert (
        told
        == _told(log, sizes, compiled=False)
        == _told(log, sizes, compiled=True)
        == _told(log, [], compiled=True)
    )
    assert told.count(CONTINUED) <= sum(b" P " in line for line in log.splitlines())


@settings(derandomize=True, deadline=None, max_examples=40)
@given(
    data=st.data(),
    name=st.sampled_from([*ENVELOPES, "json:message"]),
    sizes=st.lists(st.integers(1, 3), max_size=5),
)
def test_any_bytes_come_out_line_for_line(data: st.DataObject, name: str, sizes: list[int]) -> None:
    """As many lines as went in, and the same wherever blocks end, with the kernel and without."""
    pool = [line for names, line in WRAPPED if name in names] + [LINE, b"", b"{}", b'{"log": "a"', b"\xff|"]
    pool += [
        line.replace(b"/a", each) for line in pool for each in (b"\\\\x16", b"\\x16", b"\\u00e9\\n", b"\xc3\xa9")
    ]
    piece = st.sampled_from(pool) | st.binary(max_size=40).map(lambda b: b.replace(b"\n", b""))
    lines = data.draw(st.lists(st.tuples(piece, piece, st.integers(0, 300)), min_size=1, max_size=12))
    log = b"\n".join(one[:cut] + two[cut:] for one, two, cut in lines) + b"\n"
    wrapping = _wrapping(name)
    whole = b"".join(bytes(each) for each in wrapping.inner_blocks(_blocks(log, iter([1000]))))
    fast = wrapping.taken_off(_blocks(log, iter([*sizes, *[9] * 9])), machine_code.kernel)
    assert whole == b"".join(bytes(each.block) for each in fast)
    assert whole == b"".join(bytes(each) for each in wrapping.inner_blocks(_blocks(log, iter([*sizes, *[9] * 9]))))
    assert whole.count(b"\n") == log.count(b"\n")


DAMAGE = (
    b'\\"',
    b"\\x16",
    b"\\\\x16",
    b"\\u00e9",
    b"\\n",
    b"\xc3\xa9",
    b"\xff",
    b" ",
    b":",
    b"[",
    b"]",
    b"{",
    b"}",
    b'"',
)
DAMAGE += (b",", b"\\", b"0", b"2", b"P", b"F", b"\t", b"\r", b".", b"+02", b"<1>", b"|")


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted({name for names, _ in WRAPPED for name in _names(names)}))
def test_many_damaged_lines_come_out_alike(name: str) -> None:
    """With the kernel as without it: lines of every envelope, two in three of them damaged."""
    rng, lines = Random(name), []  # noqa: S311 - no secret
    for _ in range(20_000):
        line = bytearray(rng.choice(WRAPPED)[1])
        for _ in range(rng.choice((0, 0, 1, 1, 2, 4))):
            at = rng.randrange(min(len(line), rng.choice((60, 1000))))
            line[at : at + rng.randrange(3)] = rng.choice((*DAMAGE, b"", rng.randbytes(1)))
        lines.append(bytes(line).replace(b"\n", b""))
    log = b"\n".join(lines)
    found = _wrapping(name).taken_off(_blocks(log, iter([7000] * 9)), machine_code.kernel)
    assert b"".join(bytes(each.block) for each in found) == b"".join(_inner(log, _wrapping(name))[0])


LOGRAGE = b"method=GET path=/a format=html controller=Items action=show status=500 duration=12.3 view=1 db=2"
OBJECT = b'{"method":"GET","path":"/a","format":"html","controller":"I","action":"a","status":500,"duration":12.3}'
LABELS = b"host:192.0.2.7\treq:GET /a HTTP/1.1\tstatus:500\tsize:7"
UNTIMED = [
    ("lograge", "syslog", b"2026-09-17T10:05:03Z web1 rails[4242]: ", LOGRAGE),
    ("lograge", "syslog", b"Sep 17 10:05:03 web1 rails[4242]: ", LOGRAGE),
    ("lograge", "cri, syslog", ISO + b" stdout F Sep  9 10:05:03 web1 rails: ", LOGRAGE),
    ("lograge_json", "cri", ISO + b" stdout F ", OBJECT),
    ("ltsv", "cri", ISO + b" stdout F ", LABELS),
]
TIMED = {
    "lograge": b"2026-09-17T11:05:03Z INFO " + LOGRAGE,
    "lograge_json": b'{"@timestamp":"2026-09-17T11:05:03Z",' + OBJECT[1:],
    "ltsv": b"time:17/Sep/2026:11:05:03 +0000\t" + LABELS,
}


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize(("name", "envelopes", "before", "line"), UNTIMED)
def test_a_line_without_a_time_has_its_envelopes(
    name: str, envelopes: str, before: bytes, line: bytes, *, compiled: bool
) -> None:
    """Of formats whose lines may have one: those that do keep it, and another line of the log is left alone."""
    log = b"".join(before + each + b"\n" for each in (line, TIMED[name], b"GET / 500", line, b"", TIMED[name]))
    wrapping = _wrapping(envelopes, FORMATS[name])
    log_format = dataclasses.replace(wrapping.timed or FORMATS[name], timezone="UTC")
    block = memoryview(bytearray(log + bytes(PADDING)))[: len(log)]
    parser = BlockParser(
        log_format, EVERYONE, compiled=compiled, wrapping=wrapping, year_begin=dt.date(2026, 1, 1)
    )
    (batch,) = parser.batches([block])
    assert [f"{each['ts']:%F %H:%M} {each['status']}" for each in batch.rows.to_pylist()] == [
        f"2026-09-17 {hour}:05 500" for hour in (10, 11, 10, 11)
    ]
    assert batch.numbers.tolist() == [2, 4]


@pytest.mark.parametrize("compiled", [True, False])
def test_of_several_times_before_pairs_the_first_counts(*, compiled: bool) -> None:
    """Also where it has no year, which the kernel leaves to the plain parser."""
    line = b"Sep__9_10:05:03 2026-09-17T11:05:03Z " + LOGRAGE + b"\n"
    block = memoryview(bytearray(line + bytes(PADDING)))[: len(line)]
    log_format = dataclasses.replace(FORMATS["lograge"], timezone="UTC")
    parser = BlockParser(log_format, EVERYONE, compiled=compiled, year_begin=dt.date(2026, 1, 1))
    (batch,) = parser.batches([block])
    assert f"{batch.rows['ts'][0].as_py():%F %T}" == "2026-09-09 10:05:03"


def test_journald_tells_the_time_of_a_line_without_one() -> None:
    """In microseconds; and identify finds both."""
    log = b"".join(
        _json(MESSAGE=LOGRAGE.decode(), __REALTIME_TIMESTAMP=f"178963950{n}123456") + b"\n" for n in range(5)
    )
    found = identify.identify(log)[0]
    assert (found.settings, len(found.rows), found.without_offset) == (
        {"format": "lograge", "envelope": "journald"},
        *(5, 0),
    )
