"""Parsing: what a line means, and that the vectorised path and the slow reference agree on any bytes."""

import io
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st

from etl.kernel.layout import PADDING
from etl.lines import parse, privacy, timestamps
from etl.lines.blocks import BlockParser
from etl.lines.formats import FORMATS
from etl.lines.parse import Classifier
from etl.lines.places import places_of
from etl.raw import reading
from etl.sources.source import Source
from lake.contracts.rejects import REASONS

NOON = datetime(2026, 9, 17, 12, tzinfo=UTC)
FORMAT_NAMES = ["combined", "common", "vhost_combined"]
MEBIBYTE = 1 << 20


def _classifier(**changes: Any) -> Classifier:
    usual = {
        "vantage": "origin",
        "application": "web",
        "application_field": None,
        "health_check_paths": (),
        "synthetic_user_agents": (),
    }
    return Classifier(**(usual | changes))


def _of_format(name: str) -> Classifier:
    return _classifier(application=None, application_field="vhost") if name == "vhost_combined" else _classifier()


def _verdicts(
    data: bytes, format_name: str, classifier: Classifier | None = None
) -> Iterator[tuple[date | None, str | None, dict[str, Any] | None]]:
    """Yield what etl says of each line: its day, the reason for a reject, the row of a request."""
    line_number = 1
    for block in reading.whole_lines(io.BytesIO(data)):
        parsed = parse.parse_lines(parse.split_lines(block), FORMATS[format_name])
        accepted = parsed.reasons == parse.ACCEPTED
        rows = iter(parse.requests_table(parsed, accepted, classifier or _of_format(format_name)).to_pylist())
        others = np.flatnonzero(~accepted)
        masked = privacy.mask_lines(parsed.lines.take(pa.array(others)), places_of(FORMATS[format_name]))
        rejects = iter(
            parse.rejects_table(masked, parsed.reasons[others], "a.log", line_number + others).to_pylist()
        )
        for day, is_request in zip(parsed.days, accepted, strict=True):
            shown = None if day == timestamps.NO_DAY else date(1970, 1, 1) + timedelta(days=int(day))
            if is_request:
                yield shown, None, next(rows)
            else:
                reject = next(rejects)
                assert reject["line_number"] == line_number
                yield shown, reject["reason"], None
            line_number += 1


def _row(line: bytes, classifier: Classifier | None = None) -> dict[str, Any]:
    """Return the request that a line, of the format that its fields tell, becomes."""
    name = (
        "vhost_combined" if line.lower().startswith(b"shop") else "combined" if line.endswith(b'"\n') else "common"
    )
    ((_, reason, row),) = _verdicts(line, name, classifier)
    assert reason is None
    assert row is not None
    return row


def _reason(line: bytes, format_name: str = "combined") -> str | None:
    ((_, reason, _),) = _verdicts(line, format_name)
    return reason


@settings(derandomize=True, deadline=None, max_examples=100)
@given(st.binary(max_size=300), st.integers(1, 50))
def test_blocks_are_the_bytes_cut_after_line_ends(data: bytes, block_bytes: int) -> None:
    """No byte is lost or moved by reading in blocks, and every block but the last ends with a line."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "BLOCK_BYTES", block_bytes)
        blocks = [bytes(block) for block in reading.whole_lines(io.BytesIO(data))]
    assert b"".join(blocks) == data
    assert all(block.endswith(b"\n") for block in blocks[:-1])
    assert [line for block in blocks for line in parse.split_lines(block).to_pylist()] == io.BytesIO(
        data
    ).readlines()


@pytest.mark.parametrize("format_name", FORMAT_NAMES)
def test_a_block_without_a_request_gives_no_row(format_name: str) -> None:
    """Where every line is a reject, the tables have the contract's columns and no row."""
    assert [reason for _, reason, _ in _verdicts(b"\n\r\nx\n", format_name)] == ["blank", "blank", "shape"]


@pytest.mark.parametrize("block_bytes", [100_000, 4 << 20, 16 << 20])
@pytest.mark.parametrize("excess", [0, 1, 5 << 20])
@pytest.mark.parametrize("end", [b"\n", b""])
def test_a_line_over_1_mib_is_too_long_in_blocks_of_any_size(
    log_line: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch, block_bytes: int, excess: int, end: bytes
) -> None:
    """One byte over 1 MiB makes a reject, its neighbours are untouched, and block borders change nothing."""
    monkeypatch.setattr(reading, "BLOCK_BYTES", block_bytes)
    good = log_line(NOON)
    padding = "a" * (MEBIBYTE + excess - len(log_line(NOON, request="GET / HTTP/1.1")) + len(b"\n") - len(end))
    long = log_line(NOON, request=f"GET /{padding} HTTP/1.1").rstrip(b"\n") + end
    assert len(long) == MEBIBYTE + excess
    found = [(day, reason) for day, reason, _ in _verdicts(good + long, "combined")]
    assert found == [(NOON.date(), None), (NOON.date(), "too_long" if excess else None)]


@pytest.mark.parametrize("block_bytes", [100_000, 16 << 20])
@pytest.mark.parametrize(
    ("begin", "end", "day"),
    [
        ("", "[17/Sep/2026:12:00:00 +0000]", None),
        ("[16/Sep/2026:12:00:00 +0000] ", "[17/Sep/2026:12:00:00 +0000]", date(2026, 9, 16)),
        ('192.0.2.7 - - [-] "[16/Sep/2026:12:00:00 +0000]', '" 200 1', date(2026, 9, 16)),
    ],
)
def test_the_day_of_a_too_long_line_is_looked_for_in_its_first_1_mib(
    *,
    monkeypatch: pytest.MonkeyPatch,
    block_bytes: int,
    begin: str,
    end: str,
    day: date | None,
) -> None:
    """Where a block happens to end can't move a too long line to another day."""
    monkeypatch.setattr(reading, "BLOCK_BYTES", block_bytes)
    line = (begin + "x" * (MEBIBYTE + 1) + end + "\n").encode()
    assert list(_verdicts(line, "common")) == [(day, "too_long", None)]
    assert reference.judge(line, "common") == (day, "too_long", None)


@pytest.mark.parametrize(
    "cut", [10, 25, 45, 60, 70, -30, -15, -1, None], ids=lambda cut: f"cut at {cut}" if cut else "whole"
)
@pytest.mark.parametrize("format_name", ["common", "combined"])
def test_two_glued_lines_are_one_reject(log_line: Callable[..., bytes], cut: int | None, format_name: str) -> None:
    """A line that runs into the next, wherever it was cut off, is no request."""
    line = log_line(NOON, tail=None if format_name == "common" else ' "-" "curl/8.16.0"')
    glued = line.rstrip(b"\n")[:cut] + line
    assert _reason(glued, format_name) == "shape"


@pytest.mark.parametrize("status", ["99", "600", "000", "-", "2xx", "20", "2000", "+200", "200.0", "\xb2\xb2\xb2"])
def test_a_status_is_three_digits_from_100_to_599(log_line: Callable[..., bytes], status: str) -> None:
    """Anything else in its place is a reject that names the status."""
    assert _reason(log_line(NOON, status=status)) == "status"


@pytest.mark.parametrize("status", [100, 200, 404, 499, 599])
def test_a_status_is_kept_as_a_number(log_line: Callable[..., bytes], status: int) -> None:
    """The limits and codes that no standard has are kept as they are."""
    assert _row(log_line(NOON, status=str(status)))["status"] == status


@pytest.mark.parametrize(
    "time",
    [
        "31/Feb/2026:10:00:00 +0000",
        "17/Sep/2026:24:00:00 +0000",
        "17/Sep/2026:10:00:60 +0000",
        "17/Sep/0000:10:00:00 +0000",
        "-",
        "",
    ],
)
def test_a_time_that_does_not_exist_is_a_reject(log_line: Callable[..., bytes], time: str) -> None:
    """A reject that names the time, and is of no known day."""
    assert list(_verdicts(log_line(time), "combined")) == [(None, "time", None)]


@pytest.mark.parametrize(
    ("size", "response_bytes"), [("-", 0), ("0", 0), ("512", 512), ("0512", 512), ("9" * 18, 10**18 - 1)]
)
def test_response_bytes_are_digits_or_a_dash_for_none(
    log_line: Callable[..., bytes], size: str, response_bytes: int
) -> None:
    """A dash is 0, and 18 digits fit."""
    assert _row(log_line(NOON, size=size))["response_bytes"] == response_bytes


@pytest.mark.parametrize("size", ["9" * 19, "-1", "1e5", "1_000", "2.7", "+1", "--"])
def test_other_response_bytes_are_not_known(log_line: Callable[..., bytes], size: str) -> None:
    """Numbers too large, and what a lenient cast would take for a number: NULL, and the request counts."""
    assert _row(log_line(NOON, size=size))["response_bytes"] is None


@pytest.mark.parametrize(
    ("status", "size", "time", "reason"),
    [("99", "x", "-", "time"), ("99", "x", None, "status"), ("200", "x", None, None)],
)
def test_a_reject_has_one_reason_the_first_that_holds(
    log_line: Callable[..., bytes], status: str, size: str, time: str | None, reason: str
) -> None:
    """Of several faults in a line, the time comes before the status and the status before the bytes."""
    assert _reason(log_line(time or NOON, status=status, size=size)) == reason


@pytest.mark.parametrize(
    "request_line", [r"\x16\x03\x01", "\x16\x03\x01\0", "", "-", "GET", "get / HTTP/1.1", "GET a b"]
)
def test_a_request_that_is_no_http_counts_without_method_or_path(
    log_line: Callable[..., bytes], request_line: str
) -> None:
    """TLS bytes, nothing, a dash: it was answered, so it is a row, and its path is NULL."""
    row = _row(log_line(NOON, request=request_line, status="400"))
    assert (row["status"], row["path"]) == (400, None)
    assert row["method"] == ("GET" if request_line.startswith("GET") else None)


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("/a", "/a"),
        ("*", "*"),
        ("https://example.com*", None),
        ("/a b c", "/a%20b%20c"),
        ("/a  ", "/a%20%20"),
        ("http://user:secret@example.com:8080/a/b", "/a/b"),
        ("https://example.com", None),
        ("https://example.com?q=1", None),
        ("example.com:443", None),
        ("/a?q=1", "/a"),
        ("/a#top", "/a"),
        ("/a;jsessionid=7/b", "/a"),
        ("/a%3Fq=1", "/a"),
        ("/a%3fq=1", "/a"),
        ("/a%3Bx", "/a"),
        ("/a%3bx", "/a"),
        ("/a%23top", "/a"),
        ("/?http://example.com/b", "/"),
        ("/\xc3\xa9", "/%C3%A9"),
        ("/\xff\0\x1f\x7f", "/%FF%00%1F%7F"),
        (r"/say\"hi\"", r"/say\"hi\""),
        ("/" + "a/" * 1000, "/" + "a/" * 499 + "a"),
        ("/" + " " * 1000, "/" + "%20" * 333),
    ],
)
def test_a_path_is_kept_without_what_stands_before_and_behind_it(
    log_line: Callable[..., bytes], target: str, path: str | None
) -> None:
    """Scheme, authority, query, fragment and parameters go; what is no printable ASCII is encoded; long is cut."""
    assert _row(log_line(NOON, request=f"GET {target} HTTP/1.1"))["path"] == path


@pytest.mark.parametrize(
    ("request_line", "method", "path"),
    [
        ("GET /a", "GET", "/a"),
        ("GET /a b", "GET", None),
        ("BREW /pot HTTP/1.1", None, "/pot"),
        ("PROPFIND /a HTTP/2", "PROPFIND", "/a"),
        ("VERSION-CONTROL /a HTTP/1.0", "VERSION-CONTROL", "/a"),
        ("CONNECT example.com:443 HTTP/1.1", "CONNECT", None),
        ("OPTIONS * HTTP/1.1", "OPTIONS", "*"),
    ],
)
def test_a_method_is_kept_if_it_is_registered(
    log_line: Callable[..., bytes], request_line: str, method: str | None, path: str | None
) -> None:
    """An unregistered method is NULL and keeps its path; without a protocol, a path has no space."""
    row = _row(log_line(NOON, request=request_line))
    assert (row["method"], row["path"]) == (method, path)


@pytest.mark.parametrize(
    ("vhost", "application"),
    [
        ("shop.example.com", "shop.example.com"),
        ("SHOP.Example.COM:8443", "shop.example.com"),
        ("shop:123456", "(invalid)"),
        ("shop@example", "(invalid)"),
        ("shop\xff", "(invalid)"),
        ("shop" + "p" * 249, "shop" + "p" * 249),
        ("shop" + "p" * 250, "(invalid)"),
    ],
)
def test_an_application_from_the_line_is_a_host_name(
    log_line: Callable[..., bytes], vhost: str, application: str
) -> None:
    """In lower case and without port; what is no host name is not kept."""
    row = _row(log_line(NOON, vhost=vhost), _classifier(application=None, application_field="vhost"))
    assert row["application"] == application


@pytest.mark.parametrize(
    ("path", "agent", "traffic_class"),
    [
        ("/healthz", "curl", "health_check"),
        ("/healthz?verbose", "curl", "health_check"),
        ("/healthz/deep", "curl", "user"),
        ("/probe/", "curl", "health_check"),
        ("/probe/db", "curl", "health_check"),
        ("/probes", "curl", "user"),
        ("/", "Mozilla/5.0+(compatible; uptimeROBOT/2.0)", "synthetic"),
        ("/", "Pingdom.com_bot", "synthetic"),
        ("/", r"\"PINGDOM\"", "synthetic"),
        ("/healthz", "pingdom", "health_check"),
        ("/pingdom", "\xff", "user"),
        ("", "pingdom", "synthetic"),
        ("", "curl", "user"),
    ],
)
def test_traffic_class_is_told_by_path_and_user_agent(
    log_line: Callable[..., bytes], path: str, agent: str, traffic_class: str
) -> None:
    """A path, or its beginning before a star; a part of the agent in any case; else a user; NULL is no path."""
    classifier = _classifier(
        health_check_paths=("/healthz", "/probe/*"), synthetic_user_agents=("UptimeRobot", "Pingdom")
    )
    row = _row(log_line(NOON, request=f"GET {path} HTTP/1.1", tail=f' "-" "{agent}"'), classifier)
    assert row["traffic_class"] == traffic_class


def test_what_a_format_lacks_is_null(log_line: Callable[..., bytes]) -> None:
    """Duration and upstream are no fields of these formats; the vantage is the source's."""
    row = _row(log_line(NOON))
    assert [row[name] for name in ("duration_seconds", "upstream_status", "retried")] == [None] * 3
    assert row["vantage"] == "origin"


def test_rejects_keep_file_and_line_number() -> None:
    """A reject is its file's name, its number, its reason and its masked line."""
    lines = parse.split_lines(b"b\n\n1\n")
    reasons = np.array([REASONS.index(each) for each in ("shape", "blank", "shape")])
    masked = privacy.mask_lines(lines, ())
    table = parse.rejects_table(masked, reasons, "logs/a.log", np.array([101, 102, 105]))
    assert [tuple(each.values()) for each in table.to_pylist()] == [
        ("logs/a.log", 101, "shape", "x"),
        ("logs/a.log", 102, "blank", ""),
        ("logs/a.log", 105, "shape", "9"),
    ]


@pytest.mark.parametrize("compiled", [False, True])
def test_fields_that_not_every_line_has_make_no_line_a_reject(
    declare: Callable[..., Source], *, compiled: bool
) -> None:
    """With `...` at the end, lines with others, fewer or none are requests; two that are glued are a reject."""
    source = declare(trailing="$request_time $field_11 $upstream_status [$field_12] ...")
    line = b'192.0.2.7 - - [17/Sep/2026:10:05:03 +0000] "GET /a HTTP/1.1" 502 512 "-" "curl/8"'
    ends = (b" 0.5 a b, c 502 [x/y]", b" 0.5 a, b 502, 503 [x]", b"", b" 0.5 a 4711 [x]", b' 1 [a] "b c" d=e')
    glued = b" " + line
    head = b"".join(line + end + b"\n" for end in (*ends, glued, b"x"))
    block = memoryview(bytearray(head + bytes(PADDING)))[: len(head)]
    (batch,) = BlockParser(source.format, source.classifier, compiled=compiled).batches([block])
    assert batch.rows["status"].to_pylist() == [502] * len(ends)
    assert batch.rows["upstream_status"].to_pylist() == [502, 503, None, None, None]
    assert batch.rows["duration_seconds"].to_pylist() == [0.5, 0.5, None, None, None]
    assert batch.numbers.tolist() == [5, 6]
