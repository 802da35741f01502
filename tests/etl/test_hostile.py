"""Hostile logs: whatever is in the lines or in a file's name, memory and time are bounded, the end is clear."""

import gzip
import os
import re
import subprocess
import sys
import time
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from etl.kernel import machine_code
from etl.kernel.layout import PADDING
from etl.lines import privacy
from etl.lines.blocks import BlockParser
from etl.lines.formats import FORMATS
from etl.lines.parse import Classifier
from etl.looks import identify
from etl.raw.files import RawFile
from etl.raw.reading import RawReader
from etl.steps import extract
from etl.steps.extract import extract_day
from lake.errors import ConfigError, InputError
from lake.parquet.writer import ROW_GROUP_ROWS

DAY = date(2026, 9, 17)
NOON = datetime(2026, 9, 17, 12, tzinfo=UTC)
MEBIBYTE = 1 << 20
PARTS = ("a", "%3", "%25", "%2525", "%30", "1%2d", "a a=", 'a="', "\\x", '\\"', " ", "@", "[", "{")
LONG_BYTES = 200_000  # what takes quadratic time takes minutes for so many
LINE = b'192.0.2.7 - - [17/Sep/2026:12:00:00 +0000] "GET /%b HTTP/1.1" 200 512 "-" "curl/8"\n'
JSON = '{{"time_iso8601": "2026-09-17T12:00:00Z", "status": 200, {}}}\n'
NASTY = (
    *("'; drop table requests; --", "$(reboot)", "`id`", "; rm -rf /", "| cat /etc/passwd", "../../../etc/passwd"),
    *("..%2f..%2fetc", "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{7*7}}", "%s%n", "\0"),
    *("\x1b[31mred\x1b[0m", "\x1b]0;title\x07", "\u202egnp.exe", "\u200b", "\x9b31m", "a\rb", "=cmd()", "\x7f"),
)
MEASURED = """
from datetime import date
from pathlib import Path
from etl.steps.extract import extract_day
from etl.sources.sections import read_sources
from lake import config
from lake.errors import LakeError
from lake.lake import Lake, open_store

(source,) = read_sources(config.read(Path("luigi.cfg").absolute()))
try:
    print(extract_day(Lake(open_store(str(Path("lake").absolute()))), source, date(2026, 9, 17)))
except LakeError as error:
    print(error)
print(int(Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0]) // 1024)
"""


def measured(folder: Path) -> tuple[str, int]:
    """Extract the day in a process of its own; return what it said, and the megabytes it took.

    By its own peak: getrusage's begins with that of the process which started it.
    """
    machine_code.kernel()  # compiled here if need be, since that takes memory
    done = subprocess.run(
        [sys.executable, "-c", MEASURED], cwd=folder, capture_output=True, text=True, check=True, timeout=120
    )
    *said, megabytes = done.stdout.splitlines()
    return "\n".join(said), int(megabytes)


def bomb(path: Path, piece: bytes, megabytes: int) -> None:
    """Write a small gzip file that holds a line, and then many times the same."""
    member = gzip.compress(piece * (MEBIBYTE // len(piece)), 9)
    path.write_bytes(gzip.compress(LINE % b"") + member * megabytes)


def parsed(log_format: str, text: bytes, *, compiled: bool) -> list[dict]:
    """Return the rows of `requests` that lines are, their application the format's last host, if it has any."""
    known = FORMATS[log_format]
    field = known.hosts[-1] if known.hosts else None
    classifier = Classifier("edge", None if field else "web", field, (), ())
    block = memoryview(bytearray(text + bytes(PADDING)))[: len(text)]
    batches = BlockParser(known, classifier, compiled=compiled).batches([block])
    return [row for each in batches for row in each.rows.to_pylist()]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("piece", "settings", "words"),
    [
        (b"\0", {"max_reject_rate": 1}, "kept=1, rejected=1,"),
        (
            b"\n",
            {},
            r"of the first 5,\d{3},\d{3} lines are rejects \(5,\d{3},\d{3} blank\), more than max_reject_",
        ),
        (b"#\n", {"format": "w3c"}, r"of the first 5,\d{3},\d{3} lines are rejects \(5,\d{3},\d{3} shape\)"),
    ],
    ids=["one endless line", "line ends", "no directives"],
)
def test_a_small_file_that_inflates_to_gigabytes(declare, tmp_path, piece, settings, words):
    """An endless line is one reject; of millions of short ones so many are read that it is clear what they are."""
    declare(**settings)
    bomb(tmp_path / "access.log", piece, 2048)
    assert (tmp_path / "access.log").stat().st_size < 3 * MEBIBYTE
    begun = time.monotonic()
    said, used = measured(tmp_path)
    assert re.search(words, said), said
    assert used < 450
    assert time.monotonic() - begun < 60


def test_an_endless_line_is_one_reject(declare, lake, tmp_path, monkeypatch):
    """Of which a mebibyte is looked at, the lines around it are read, and no more than a block is in memory."""
    monkeypatch.setattr("etl.raw.reading.BLOCK_BYTES", 2 * MEBIBYTE)
    (tmp_path / "access.log").write_bytes(LINE % b"a" + b"x" * 30 * MEBIBYTE + b"\n" + LINE % b"b")
    lines = extract_day(lake, declare(max_reject_rate=1), DAY)
    assert (lines.kept, lines.rejected, dict(lines.reasons)) == (2, 1, {"too_long": 1})
    blocks = RawReader(RawFile("a", str(tmp_path / "access.log"), None)).blocks()
    assert max(map(len, blocks)) <= 3 * MEBIBYTE + 1


def test_a_day_is_given_up_once_its_rejects_are_hopeless(declare, lake, tmp_path, monkeypatch):
    """The rest of the file isn't read; where so many rejects are allowed, it is."""
    monkeypatch.setattr(extract, "ENOUGH_REJECTS", 1000)
    monkeypatch.setattr("etl.raw.reading.BLOCK_BYTES", 1 << 14)
    (tmp_path / "access.log").write_bytes(LINE % b"" + b"x\n" * 9000 + LINE % b"" * 9000)
    with pytest.raises(
        InputError, match=r"[89],\d{3} of the first [89],\d{3} lines are rejects \([89],\d{3} shape\)"
    ):
        extract_day(lake, declare(max_reject_rate=0.4), DAY)
    assert extract_day(lake, declare(max_reject_rate=1), DAY).rejected == 9000


@pytest.mark.parametrize("compiled", [True, False])
def test_short_lines_are_taken_apart_a_few_at_a_time(compiled):
    """A block of a byte a line takes no hundreds of times its memory, and no line is lost where pieces meet."""
    text = b"#Fields: date time sc-status\n" + b"#\n" * 70_000 + b"2026-09-17 12:00:00 200\n" * 70_000 + b"x"
    block = memoryview(bytearray(text + bytes(PADDING)))[: len(text)]
    parser = BlockParser(FORMATS["w3c"], Classifier("edge", "web", None, (), ()), compiled=compiled)
    batches = list(parser.batches([block]))
    assert max(each.lines for each in batches) <= (ROW_GROUP_ROWS if compiled else 65_536)
    assert sum(each.lines for each in batches) == 140_002
    assert sum(each.rows.num_rows for each in batches) == 70_000
    others = [text for each in batches for text in each.masked.to_pylist()]
    assert others == ["#xxxxxx: xxxx xxxx xx-xxxxxx", *["#"] * 70_000, "x"]


@pytest.mark.slow
def test_a_million_distinct_paths(declare, tmp_path):
    """Each is kept; memory depends on a row group's paths and not on how many there are."""
    declare()
    (tmp_path / "access.log").write_bytes(b"".join(LINE % b"%d" % n for n in range(1_000_000)))
    said, used = measured(tmp_path)
    assert "kept=1000000" in said
    assert used < 450


def test_more_applications_than_anybody_has_fail_the_day(declare, lake, tmp_path, published):
    """Whoever asks for many made-up hosts; the message says what to do, and nothing is published."""
    path = tmp_path / "access.log"
    path.write_bytes(b"".join(b"h%d.example.com:443 " % n + LINE % b"" for n in range(5001)))
    settings = {"format": "vhost_combined", "application": "field:vhost"}
    with pytest.raises(
        InputError, match=r"more than max_applications = 5,000 applications.*raise max_applications in"
    ):
        extract_day(lake, declare(**settings), DAY)
    assert published(lake, "requests", DAY) == []
    assert extract_day(lake, declare(**settings, max_applications=5001), DAY).kept == 5001
    with pytest.raises(ConfigError, match="max_applications = 0: expected a number, 1 to 1,000,000"):
        declare(max_applications=0)


@pytest.mark.slow
@pytest.mark.parametrize("opening", ["[", '{"a": '])
@pytest.mark.parametrize("key", ["status", "request_time", "msec", "other"])
def test_deep_json_is_a_reject_or_nothing(declare, lake, tmp_path, key, opening):
    """However deep, in a field that is read or in another; `identify` doesn't fall over it, either."""
    closing = "]" if opening == "[" else "}"
    deep = [f'"{key}": {opening * n}1{closing * n}' for n in (1, 500, 990, 1000, 1010, 1023, 1100, 100_000)]
    text = "".join(JSON.format(each) for each in deep) + JSON.format('"host": "a"')
    (tmp_path / "access.log").write_text(text)
    lines = extract_day(lake, declare(format="json", max_reject_rate=1), DAY)
    assert lines.kept + lines.rejected == 9
    assert lines.kept >= 1
    assert identify.identify(text.encode())


@pytest.mark.slow
@pytest.mark.parametrize("key", ["status", "body_bytes_sent", "request_time", "msec", "upstream_status"])
def test_huge_numbers_are_rejects_or_nothing(declare, lake, tmp_path, key):
    """No value of JSON that says it is a number ends an extraction, nor a look at the log."""
    numbers = ("9" * 400, "-1e308", "1e400", "0." + "1" * 400, "1e-400", "9" * 19, "-0", "1E5")
    for number in numbers:
        assert identify.identify((JSON.format(f'"{key}": {number}') + JSON.format('"host": "a"')).encode())
    text = "".join(JSON.format(f'"{key}": {number}') for number in numbers)
    (tmp_path / "access.log").write_text(text)
    lines = extract_day(lake, declare(format="json", max_reject_rate=1), DAY)
    assert (lines.kept + lines.rejected, lines.read) == (len(numbers), len(numbers))


@pytest.mark.parametrize("compiled", [True, False])
def test_times_at_the_ends_of_the_calendar(compiled):
    """Of the years 0 to 1969 and 10000 none is a time, whatever the offset; the last one is 9999's."""
    stamps = (
        *("01/Jan/0000:00:00:00 +0000", "31/Dec/0001:00:00:00 +1400", "31/Dec/1969:23:59:59 +0000"),
        *("01/Jan/1970:00:00:00 +0100", "31/Dec/9999:23:59:59 -1400", "31/Dec/9999:23:59:59 +0000"),
    )
    text = b"".join((LINE % b"").replace(b"17/Sep/2026:12:00:00 +0000", each.encode()) for each in stamps)
    rows = parsed("combined", text, compiled=compiled)
    assert [row["ts"] for row in rows if row["ts"] >= datetime(1970, 1, 1)] == [datetime(9999, 12, 31, 23, 59, 59)]


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("nasty", NASTY)
def test_what_is_nasty_in_a_line_stays_text(compiled, nasty):
    """A path is printable ASCII without its query; a host that is no host name is nobody's; a method is known."""
    raw = nasty.encode("utf-8", "surrogateescape")
    line = b"%b " % raw + (LINE % raw)
    rows = parsed("vhost_combined", line + line.replace(b"GET", raw), compiled=compiled)
    rows += parsed(
        "json", JSON.format(f'"request": "GET /{nasty}", "host": "{nasty}"').encode(), compiled=compiled
    )
    for row in rows:
        assert re.fullmatch(r"[a-z0-9][a-z0-9._-]*|\(invalid\)", row["application"])
        assert row["method"] in {"GET", None}
        assert re.fullmatch(r"/[!-~]*", row["path"] or "/")
    assert re.fullmatch(r"[ -~]*", privacy.mask_line(line))


@pytest.mark.parametrize("compiled", [True, False])
def test_encoded_secrets_in_a_path_are_masked(compiled):
    """With some or all of their characters percent-encoded, once or twice; what is harmless stays as it was."""
    token, uuid, address = (
        "0f1e2d3c4b5a69788796a5b4c3d2e1f0",
        "0e8d1f6a-93b7-4c1e-8a55-2f6d9b7c4e10",
        "203.0.113.9",
    )
    every = {ord(c): f"%{ord(c):02X}" for c in (*token, *uuid, *address, "Z")}
    paths = {
        f"/a/{token.translate(every)}/b": "/a/{token}/b",
        f"/a/{uuid.replace('-', '%2d')}": "/a/{token}",
        f"/a/{uuid.replace('-', '%252D')}": "/a/{token}",
        f"/a/{address.replace('.', '%2e')}/b": "/a/{address}/b",
        f"/a/{address.translate(every)}": "/a/{address}",
        "/a/%30171%2D9876543": "/a/{number}",
        "/a/%61%6c%40example.org": "/a/{email}",
        "/a%20b/%41bc/%2e%2e/%7Ex%2Dy": "/a%20b/%41bc/%2e%2e/%7Ex%2Dy",
    }
    rows = parsed("combined", b"".join(LINE % path[1:].encode() for path in paths), compiled=compiled)
    assert [row["path"] for row in rows] == list(paths.values())


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("log_format", ["combined", "alb", "json", "logfmt", "w3c"])
def test_a_long_line_takes_no_time(log_format, part):
    """Whatever makes regular expressions look again is done with in a second."""
    begin = {
        "combined": LINE.partition(b"/%b")[0] + b"/",
        "json": b'{"request": "GET /',
        "logfmt": b"time=1 path=/",
    }
    text = begin.get(log_format, b"") + part.encode() * (LONG_BYTES // len(part)) + b"\n"
    begun = time.process_time()
    parsed(log_format, text, compiled=False)
    assert time.process_time() - begun < 3


@pytest.mark.parametrize("part", PARTS)
def test_a_long_line_is_masked_in_no_time(part):
    """So are what is masked of a line, and of a path."""
    text = part.encode() * (LONG_BYTES // len(part)) + b"\n"
    begun = time.process_time()
    privacy.mask_line(text)
    privacy.clean_path(text)
    assert time.process_time() - begun < 3


@pytest.mark.parametrize("part", ["a", " a", ' "', " [", 'a="', "a=b ", '{"a":', "\\x41", "20260917"])
def test_a_long_line_is_identified_in_no_time(part):
    """The guesses at a log's format look at nothing twice, either."""
    line = b"" if part.startswith("{") else LINE.rstrip() % b""
    begun = time.process_time()
    identify.identify(line + part.encode() * (LONG_BYTES // len(part)) + b"\n")
    assert time.process_time() - begun < 3


@pytest.mark.parametrize(
    "name", [b"\xff.log", b"\x1b[31m\xe2\x80\xae.log", b"a\n'; drop --.log", b"$(id).log", b" .log"]
)
def test_a_raw_file_may_have_any_name(declare, lake, tmp_path, published, name):
    """It is read, and named in the rejects as far as that is text."""
    Path(os.fsdecode(bytes(tmp_path) + b"/" + name)).write_bytes(LINE % b"" + b"x\n")
    assert extract_day(lake, declare(files="*.log", max_reject_rate=1), DAY).kept == 1
    (reject,) = published(lake, "rejects", DAY)
    assert reject["file"] == name.decode("utf-8", "backslashreplace")


@pytest.mark.parametrize(
    "files", ["s3://AKIAKEY:hidden@bucket/a.log", "https://user:hidden@logs.example/a.log", "ftp://hidden/a"]
)
def test_credentials_in_a_url_are_refused_unseen(declare, files):
    """`files` is no place for them, and the message doesn't repeat them."""
    with pytest.raises(ConfigError) as refusal:
        declare(files=files)
    assert "files " in str(refusal.value)
    assert "hidden" not in str(refusal.value)
