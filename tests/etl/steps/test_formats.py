"""Several formats in one file: how many of a day's requests were of which."""

import hashlib
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from etl.lines import blocks
from etl.raw import reading
from etl.sources.source import Source
from etl.steps.extract import extract_day
from lake.contracts import contract
from lake.lake import Lake
from lake.partition import Partition
from lake.provenance import Provenance

DAY = date(2026, 9, 17)
NOON = datetime(2026, 9, 17, 12, tzinfo=UTC)
LISTED = {
    "format": "common, combined trailing, combined",
    "trailing": '$request_time "$upstream_status" $host',
    "max_reject_rate": 1,
}


@pytest.fixture
def log(tmp_path: Path, log_line: Callable[..., bytes]) -> None:
    """access.log: lines of three formats in turn on two days, and rejects of each kind."""
    tails = (
        "",
        ' "-" "curl" 0.5 "502, 200" a.example',
        ' "-" "curl"',
        "",
        ' "-" "curl" 0.5 "-" b.example',
        " x y z",
    )
    lines = [
        log_line(NOON + timedelta(hours=n % 24), request=f"GET /{n} HTTP/1.1", status=status, tail=tail)
        for n in range(36)
        for status in ("200", "503", "600")
        for tail in tails
    ]
    tmp_path.joinpath("access.log").write_bytes(b"\n".join(lines[:300]) + b"".join(lines[300:]))


def _file(lake: Lake, dataset: str) -> Path:
    return Path(lake.root) / Partition(dataset, contract(dataset).version, DAY, "web").key


@pytest.mark.usefixtures("log")
def test_each_format_has_its_requests_by_either_parser(
    monkeypatch: pytest.MonkeyPatch, declare: Callable[..., Source], new_lake: Callable[[str], Lake]
) -> None:
    """The provenance has a day's requests by format, whatever reads them, in blocks of any size."""
    found = []
    for worth, block_bytes in ((0, 4 << 20), (0, 5000), (1 << 40, 4 << 20), (1 << 40, 5000)):
        monkeypatch.setattr(blocks, "WORTH_LOADING", worth)
        monkeypatch.setattr(reading, "BLOCK_BYTES", block_bytes)
        lake = new_lake(f"lake-{worth}-{block_bytes}")
        extract_day(lake, declare(**LISTED), DAY)
        made = Provenance.from_json(pq.read_metadata(_file(lake, "requests")).metadata[b"provenance"])
        # the first 12 hours of 24 are of the day, so the first 12 of each 24 numbers, with two good statuses
        assert made.formats == {"common": 96, "combined trailing": 96, "combined": 48}
        assert made.rows_kept == 240
        files = [_file(lake, each).read_bytes() for each in ("requests", "rejects")]
        found.append([hashlib.sha256(each).hexdigest() for each in files])
    assert all(each == found[0] for each in found)


@pytest.mark.usefixtures("log")
def test_what_the_first_format_lacks_is_as_if_each_line_was_read_alone(
    declare: Callable[..., Source], lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The compiled parser of the first format knows no duration and no list of upstreams; the others do."""
    monkeypatch.setattr(blocks, "WORTH_LOADING", 0)
    extract_day(lake, declare(**LISTED), DAY)
    rows = pq.ParquetFile(_file(lake, "requests")).read().to_pylist()
    kinds = {(each["duration_seconds"], each["upstream_status"], each["retried"]) for each in rows}
    assert kinds == {(None, None, False), (0.5, 200, True), (0.5, None, False)}


def test_one_format_has_no_counts(
    declare: Callable[..., Source], lake: Lake, tmp_path: Path, log_line: Callable[..., bytes]
) -> None:
    """Nothing is said of formats where there is no other."""
    tmp_path.joinpath("access.log").write_bytes(log_line(NOON))
    extract_day(lake, declare(), DAY)
    made = pq.read_metadata(_file(lake, "requests")).metadata[b"provenance"]
    assert b'"formats"' not in made
    assert b'"unmapped"' not in made
