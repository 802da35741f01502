"""Lines that are neither requests nor rejects: counted at every extraction, in no dataset, on no day."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from etl.raw import reading
from etl.sources.source import Source
from etl.steps import seen
from etl.steps.extract import extract_day
from lake.contracts import contract
from lake.errors import InputError
from lake.lake import Lake
from lake.provenance import Provenance

DAY = date(2026, 9, 17)
NOON = datetime(2026, 9, 17, 12, tzinfo=UTC)
SECRET = ("alice@example.com", "10.9.8.7", "s3cr3t-pod", "token=Zm9vYmFyYmF6cXV4")
ERROR_LOG = b'2026/09/17 12:00:00 [error] 7#7: *1 open() "/x" failed, client: 10.9.8.7, login: alice@example.com\n'
Declare = Callable[..., Source]
LogLine = Callable[..., bytes]
Published = Callable[..., list[dict[str, Any]]]


def _cri(line: bytes, *, part: bytes = b"F", stream: bytes = b"stdout") -> bytes:
    return b" ".join((b"2026-09-17T12:00:00.1Z", stream, part, line if line.endswith(b"\n") else line + b"\n"))


def _provenance(lake: Lake, dataset: str = "requests", day: date = DAY) -> Provenance:
    (partition,) = lake.latest_of_day(contract(dataset), day)
    metadata = pq.ParquetFile(Path(lake.root) / partition.key).metadata.metadata
    return Provenance.from_json(metadata[b"provenance"])


@pytest.fixture
def log(tmp_path: Path, log_line: LogLine) -> bytes:
    """access.log: 60 requests of two days in CRI's envelope, two of them in parts, noise, and two rejects."""
    lines = [log_line(NOON + timedelta(minutes=24 * n), request=f"GET /{n} HTTP/1.1") for n in range(60)]
    raw = [_cri(line) for line in lines]
    for n in (7, 31):
        raw[n] = _cri(lines[n][:50], part=b"P") + _cri(lines[n][50:])
    raw[40] += _cri(b"cut off")
    raw[3] += _cri(ERROR_LOG, stream=b"stderr") + b"\n" + _cri(b"s3cr3t-pod is up, token=Zm9vYmFyYmF6cXV4")
    raw[50] += _cri(ERROR_LOG, stream=b"stderr")
    data = b"".join(raw)
    tmp_path.joinpath("access.log").write_bytes(data)
    return data


SETTINGS = {"envelope": "cri", "noise": "nginx, blank", "max_reject_rate": 0.1}


@pytest.fixture(params=[1, 200, 4 << 20])
def in_blocks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reads so many bytes at a time."""
    monkeypatch.setattr(reading, "BLOCK_BYTES", request.param)


@pytest.mark.usefixtures("in_blocks")
def test_every_line_is_one_thing(
    lake: Lake,
    declare: Declare,
    published: Published,
    log: bytes,
) -> None:
    """Counted when a day is made and in its provenance, where no more of a file is recorded than up to its day."""
    days = [DAY, DAY + timedelta(days=1)]
    found = [extract_day(lake, declare(**SETTINGS), day) for day in days]
    assert {(each.read, each.noise, each.continued, each.directives) for each in found} == {
        (log.count(b"\n"), 3, 2, 0)
    }
    assert [(each.kept, each.rejected) for each in found] == [(30, 2), (30, 0)]
    assert [row["path"] for day in days for row in published(lake, "requests", day)] == [
        f"/{n}" for n in range(60)
    ]
    rejects = published(lake, "rejects", DAY)
    assert [(row["line_number"], row["reason"]) for row in rejects] == [(7, "shape"), (47, "shape")]
    first, second = (_provenance(lake, day=day) for day in days)
    assert (first.noise, first.continued, first.rows_read) == (2, 2, 47)
    assert (second.noise, second.continued, second.rows_read) == (3, 2, log.count(b"\n"))
    for made in (first, second):
        neither = made.noise + made.continued + made.directives + made.doubled
        assert made.rows_read == made.rows_kept + made.rows_rejected + made.rows_of_other_days + neither
    end = b"".join(line + b"\n" for line in log.split(b"\n")[:47])
    (part,) = first.inputs
    assert part.content
    assert (part.bytes, part.lines, part.content.bytes) == (len(end), 47, len(end))


def test_nothing_of_an_envelope_or_of_noise_is_kept(
    lake: Lake, declare: Declare, log: bytes, tmp_path: Path
) -> None:
    """In no file of the lake; a reject in an envelope is masked as others are."""
    assert all(secret.encode() in log for secret in SECRET)
    extract_day(lake, declare(**SETTINGS), DAY)
    kept = [path for path in tmp_path.joinpath("lake").rglob("*") if path.is_file()]
    texts = [path.read_bytes() for path in kept]
    texts += [str(pq.read_table(path).to_pylist()).encode() for path in kept if path.suffix == ".parquet"]
    for secret in (*SECRET, "stdout", "stderr", "[error]"):
        assert not any(secret.encode() in text for text in texts)


def test_too_much_noise_fails_the_day(lake: Lake, declare: Declare, log: bytes, tmp_path: Path) -> None:
    """By its share of the lines that were read, lines in parts once; nothing is published."""
    tmp_path.joinpath("access.log").write_bytes(log + _cri(ERROR_LOG) * 58)
    with pytest.raises(InputError, match=r"61 of 123 lines are noise, more than max_noise_rate = 0\.49 allows"):
        extract_day(lake, declare(**SETTINGS, max_noise_rate=0.49), DAY)
    assert not lake.latest_of_day(contract("rejects"), DAY)
    extract_day(lake, declare(**SETTINGS), DAY)


def test_a_file_of_nothing_but_noise_has_no_day(lake: Lake, declare: Declare, tmp_path: Path) -> None:
    """Its lines' times are not those of requests."""
    tmp_path.joinpath("access.log").write_bytes(_cri(ERROR_LOG) * 9)
    with pytest.raises(InputError, match="no line has a timestamp"):
        extract_day(lake, declare(**SETTINGS), DAY)


def test_lines_that_count_once_are_told_by_the_raw_line(
    lake: Lake, declare: Declare, log: bytes, tmp_path: Path, log_line: LogLine
) -> None:
    """Two hosts' copies of a log in envelopes have the same lines; noise and parts are no doubled lines."""
    of_day = b"".join(line + b"\n" for line in log.split(b"\n")[:34])
    for name in ("a", "b"):
        tmp_path.joinpath(f"{name}-20260917.log").write_bytes(of_day)
    lines = extract_day(lake, declare(**SETTINGS, files="*-{YYYY}{MM}{DD}.log", duplicates="lines"), DAY)
    once = of_day.count(b"\n") - 2 - 1
    assert (lines.read, lines.doubled, lines.noise, lines.continued) == (2 * (once + 3), once, 4, 2)
    assert lines.kept + lines.rejected == once


def test_a_file_that_has_grown_within_a_line_is_read_anew(
    lake: Lake, declare: Declare, tmp_path: Path, log_line: LogLine
) -> None:
    """What an open part was, is known once the rest came."""
    source, line = declare(envelope="cri"), log_line(NOON)
    begun = _cri(line) + _cri(line[:40], part=b"P")
    path = tmp_path / "access.log"
    path.write_bytes(begun)
    before = seen.look(source, [])
    path.write_bytes(begun + _cri(line[40:]))
    after = seen.look(source, before)
    assert [each.days for each in (*before, *after)] == [{"2026-09-17": 2}, {"2026-09-17": 2}]


def test_times_that_clocks_showed_twice_are_followed_in_envelopes(
    lake: Lake, declare: Declare, published: Published, tmp_path: Path
) -> None:
    """By the order of the lines that are in them."""
    hour = [f"02:{minute:02}" for minute in range(0, 60, 5)]
    times = ["01:55", *hour, *hour, "03:00"]
    inner = (f'- - - [2026-10-25T{time}:00] "GET / HTTP/1.1" 200 5 "-" "-"'.encode() for time in times)
    tmp_path.joinpath("access.log").write_bytes(b"".join(map(_cri, inner)))
    day = date(2026, 10, 25)
    extract_day(lake, declare(envelope="cri", timezone="Europe/Berlin"), day)
    found = [f"{row['ts']:%H:%M}" for row in published(lake, "requests", day)]
    assert found == [f"{n // 12:02}:{n % 12 * 5:02}" for n in range(25)]
