"""Privacy: what people send never reaches the lake, in whatever shape the line is."""

import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl.lines import privacy
from etl.lines.formats import FORMATS
from etl.lines.places import places_of
from etl.sources.source import Source
from etl.steps.extract import extract_day
from lake.contracts import contract
from lake.errors import InputError
from lake.lake import Lake
from lake.partition import Partition

DAY = date(2026, 9, 17)
NOON = datetime(2026, 9, 17, 12, tzinfo=UTC)
COMBINED = places_of(FORMATS["combined"])
UUID = "0e8d1f6a-93b7-4c1e-8a55-2f6d9b7c4e10"
MARKS = {
    "client": ["198.51.100.77", "2001:db8:77::abcd"],
    "user": ["mallory", "evelina adamson"],
    "referer": ["https://referer.example/letter/of/robert"],
    "agent": ["Mozilla/5.0 (PersonalPhone 77)"],
    "query": [
        "/q?name=trudy",
        "/q#trudy",
        "/q;sid=trudy",
        "/q%3Fname=trudy",
        "/q%3bsid=trudy",
        "/q%23trudy",
        "/q%253Fname=trudy",
    ],
    "path": [
        "/u/carol@example.org/edit",
        "/u/carol%40example.org",
        "/u/carol%2540example.org",
        "/t/eyJhbGci-iJIUzI1_NiIsInR-cCI6Ikp",
        f"/reset/{UUID}",
        f"/reset/{UUID.upper()}/x",
        "/t/Zq9Zq9Zq9Zq9Zq9Zq9Zq9",
        "/t/feedfacecafebeef",
        "/ip/203.0.113.99/log",
        "/ip/2001:db8:99::beef",
        "/ip/2001%3Adb8%3A99%3A%3Abeef",
        "/ip/2001%3adb8%3a99%3a%3abeef",
        "/tel/+491719876543",
        "/tel/0171-98-76-543",
        "http://dave:secret@proxy.example/a",
    ],
}
TRACES = (
    *("198.51.100", "2001:db8", "2001%3adb8", ":beef", "3abeef", "203.0.113", "mallory", "evelina", "adamson"),
    *(
        "referer.example",
        "robert",
        "personalphone",
        "trudy",
        "carol@",
        "carol%40",
        "carol%2540",
        "hbgci",
        "uzi1",
        "0e8d1f6a",
        "93b7-",
        "zq9zq9",
    ),
    *("feedfacecafe", "49171987", "98-76-543", "dave:", ":secret", "proxy.example"),
)
MALFORMED: tuple[Callable[[bytes], bytes], ...] = (
    lambda line: line,
    lambda line: line.replace(b'" 200 ', b'" 99 '),
    lambda line: line.replace(b" 512 ", b" 5l2 "),
    lambda line: line.replace(b":12:00:00", b":24:00:00"),
    lambda line: line.replace(b'"', b"'"),
    lambda line: line[: len(line) - 5] + b"\n",
    lambda line: line[: len(line) // 2] + line,
    lambda line: line.replace(b"/", b"\xff\x00/"),
    lambda line: line.replace(b" [17", b" [17/Sep/2026:12:00:00 +0000] [17"),
)


@pytest.fixture
def marked_log(log_line: Callable[..., bytes]) -> bytes:
    """Lines with marks in every field, whole and malformed in every way."""
    lines = [log_line(NOON, request="GET /kept HTTP/1.1")]
    lines += [log_line(NOON, client=mark) for mark in MARKS["client"]]
    lines += [log_line(NOON, user=mark) for mark in MARKS["user"]]
    lines += [log_line(NOON, request=f"GET {mark} HTTP/1.1") for mark in MARKS["query"] + MARKS["path"]]
    lines += [log_line(NOON, request=mark) for mark in MARKS["query"] + MARKS["path"]]
    lines += [log_line(NOON, tail=f' "{mark}" "-"') for mark in MARKS["referer"]]
    lines += [log_line(NOON, tail=f' "-" "{mark}"') for mark in MARKS["agent"]]
    return b"".join(malform(line) for malform in MALFORMED for line in lines)


def _all_text(lake: Lake) -> str:
    """Return every byte of the lake's files, as they lie there and decompressed, in lower case."""
    files = sorted(Path(lake.root).rglob("*.parquet"))
    assert len(files) == 2
    found = [file.read_bytes().decode("latin-1") for file in files]
    found += [str(row) for file in files for row in pq.ParquetFile(file).read().to_pylist()]
    found += [str(pq.read_metadata(file).to_dict()) + str(pq.read_metadata(file).metadata) for file in files]
    return "\n".join(found).lower()


def test_no_mark_in_any_line_reaches_the_lake(
    lake: Lake, declare: Callable[..., Source], tmp_path: Path, marked_log: bytes
) -> None:
    """No byte of what is published, footers included, has a trace of an address, name, agent, query or token."""
    tmp_path.joinpath("access.log").write_bytes(marked_log)
    lines = extract_day(lake, declare(max_reject_rate=1), DAY)
    text = _all_text(lake)
    assert lines.kept > len(MARKS["path"])
    assert lines.rejected > len(MARKS["path"])
    assert "/kept" in text
    assert " - xxxxxxx [" in text
    assert [trace for trace in TRACES if trace in text] == []


def test_every_trace_is_in_the_raw_log(marked_log: bytes) -> None:
    """What the test above looks for was there to be found."""
    raw = marked_log.decode("latin-1").lower()
    assert [trace for trace in TRACES if trace not in raw] == []


def test_an_application_from_the_line_is_the_only_text_kept_beside_the_path(
    lake: Lake, declare: Callable[..., Source], tmp_path: Path, log_line: Callable[..., bytes]
) -> None:
    """A virtual host that is no host name, such as a mail address, is not kept either."""
    hosts = ("shop.example.com:443", "carol@example.org", "b\xf6b")
    tmp_path.joinpath("access.log").write_bytes(b"".join(log_line(NOON, vhost=host) for host in hosts))
    extract_day(lake, declare(format="vhost_combined", application="field:vhost"), DAY)
    requests = Path(lake.root) / Partition("requests", contract("requests").version, DAY, "web").key
    assert set(pq.ParquetFile(requests).read()["application"].to_pylist()) == {"shop.example.com", "(invalid)"}
    assert "carol@" not in _all_text(lake)


def test_the_message_about_too_many_rejects_shows_no_mark(
    lake: Lake, declare: Callable[..., Source], tmp_path: Path, log_line: Callable[..., bytes]
) -> None:
    """Its examples are masked too."""
    line = log_line(NOON, client="198.51.100.77", user="mallory", status="99")
    tmp_path.joinpath("access.log").write_bytes(line)
    with pytest.raises(InputError, match=r"access.log:1 \(status\) 999\.99\.999\.99 - xxxxxxx ") as caught:
        extract_day(lake, declare(), DAY)
    assert [trace for trace in TRACES if trace in str(caught.value)] == []


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        ("/plain/path-1.2_3~x", "/plain/path-1.2_3~x"),
        ("/{literal}", "/{literal}"),
        ("/a/carol@example.org/b/eve%40example.org", "/a/{email}/b/{email}"),
        (f"/a/{UUID}.json/b", "/a/{token}/b"),
        (f"/{'z' * 19}/{'z' * 20}", f"/{'z' * 19}/{{token}}"),
        ("/0123456789abcde/0123456789abcdef", "/{number}abcde/{token}"),
        ("/from-192.0.2.1-to-::1", "/from-{address}-to-{address}"),
        ("/12345678/123456789/1-2-3-4-5-6-7-8-9x", "/12345678/{number}/{number}x"),
        ("/\xe9 \x00", "/%E9%20%00"),
        ("/carol\xff@x", "/{email}"),
        ("/" + "x/" * 499 + "carol@example.org", "/" + "x/" * 499 + "{"),
    ],
)
def test_a_path_keeps_what_is_not_personal(path: str, kept: str) -> None:
    """A mark takes its segment with it (an address or number only itself), and the rest stays readable."""
    assert privacy.clean_path(path.encode("latin-1")) == kept


@pytest.mark.parametrize("part", ["a b", "12.", "a:", "%3a", "1-", "x", "@/", "0123abc-"])
def test_a_long_path_is_masked_in_linear_time(part: str) -> None:
    """Nobody can hold up an extraction by a path as long as servers allow, which once took 7 seconds of CPU."""
    begun = time.process_time()
    masked = privacy.clean_path(b"/" + part.encode() * (8000 // len(part)))
    assert len(masked) <= privacy.PATH_CHARACTERS
    assert time.process_time() - begun < 2


@settings(derandomize=True, deadline=None, max_examples=200)
@given(st.binary(max_size=700), st.integers(400, 520))
def test_a_masked_line_shows_its_shape_and_no_letter_or_digit(end: bytes, size: int) -> None:
    """Beside x, 9 and the time in its place, only punctuation of ASCII is left, and 500 characters at most."""
    stamp = "17/Sep/2026:12:00:00 +0000"
    begin = b"1 - ".ljust(size, b"a") + b" ["
    masked = privacy.mask_line(begin + stamp.encode() + b"]" + end + b"\r\n", COMBINED)
    assert len(masked) <= privacy.LINE_BYTES
    assert (stamp in masked) == (len(begin) + len(stamp) <= privacy.LINE_BYTES)
    rest = masked.replace(stamp, "", 1)
    assert all(" " <= letter <= "~" and (not letter.isalnum() or letter in "x9") for letter in rest)


def test_what_the_clean_check_finds_nothing_in_is_left_as_it_is() -> None:
    """Every pattern that masks is part of the check that lets most paths pass unmasked."""
    patterns: list[Any] = [pattern for pattern, _ in (*privacy.SEGMENT_MASKS, *privacy.MASKS)]
    assert all(pattern in privacy.UNSAFE for pattern in patterns)


def test_the_shorter_way_to_a_time_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Times as Apache writes them are found without the expression's groups: what is kept is the same."""
    times = (
        *("17/Sep/2026:12:00:00 +0000", "17/Sep/2026:23:59:59 -0730", "29/Feb/2024:12:00:00 +0000"),
        *("29/Feb/2026:12:00:00 +0000", "17/Sep/2026:24:00:00 +0000", "17/Sep/2026:12:60:00 +0000"),
        *("17/Sep/2026:12:00:60 +0000", "17/Sep/2026:12:00:00 +1500", "17/Xxx/2026:12:00:00 +0000"),
        *("31/Dec/9999:23:30:00 -0100", "31/Dec/9999:23:30:00 +0000", "17/Sep/1969:12:00:00 +0000"),
        *("17/Sep/2026:12:00:00", "17/Sep/2026:12:00:00.123 +0000", "17/Sep/2026 12:00:00 +0000"),
        *("2026-09-17T12:00:00Z", "2026-09-17 12:00:00", "2026/09/17 - 12:00:00", "y" * 26, ""),
    )
    texts = [
        f"{'h' * size} 192.0.2.7 - {user} [{time}{end}".encode()
        for time in times
        for size in (1, *range(446, 464), 600)
        for user in ("-", "[17/Sep/2026:12:00:00 +0000]", "carol smith")
        for end in ("]", '] "GET / HTTP/1.1" x', "", " ]")
    ]
    lines = pa.array(texts, pa.binary())
    places = places_of(FORMATS["vhost_combined"])
    found = privacy.mask_lines(lines, places)
    monkeypatch.setattr(privacy, "IN_BRACKETS", "nowhere")
    assert found.equals(privacy.mask_lines(lines, places))
    kept = [time for time in times if time and f" [{time}]" in "\n".join(found.to_pylist())]
    assert kept == [time for time in times if time in {*times[:3], times[10], *times[12:18]}]
