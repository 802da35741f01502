"""The end of summer time in logs without offsets: each request is in its own hour, or the day says so."""

import gzip
import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from etl.lines import blocks
from etl.lines.passes import BEGINS_WITHIN, BY_THE_FILE_BEFORE, MIXED
from etl.raw import reading
from etl.raw.reading import RawReader
from etl.sources.limits import Limits
from etl.sources.source import Source
from etl.steps.extract import extract_day
from lake.contracts import contract
from lake.lake import Lake

Berlin = Callable[..., Source]
Published = Callable[..., list[dict[str, Any]]]
DAY = date(2026, 10, 25)
MIDNIGHT = datetime(2026, 10, 25, tzinfo=UTC)
SHAPE = '$remote_addr $remote_user [$time_iso8601] "$request" $status $bytes_sent'
FORMATS: dict[str, tuple[dict[str, str], str]] = {
    "log_format": (
        {"format": "log_format", "log_format": SHAPE},
        '192.0.2.7 {user} [{time}] "GET /{n} HTTP/1.1" {status} 5',
    ),
    "json": ({"format": "json"}, '{{"time_iso8601": "{time}", "request_uri": "/{n}", "status": "{status}"}}'),
    "logfmt": ({"format": "logfmt"}, 'time_iso8601={time} request_uri=/{n} status={status} user="{user}"'),
}
OFF = "times that clocks showed twice may be an hour off: "


def _log(  # noqa: PLR0913 - what may differ between logs
    start: datetime,
    hours: float,
    style: str = "log_format",
    zone: str = "Europe/Berlin",
    *,
    has_offsets: bool = False,
    host: object = "",
) -> bytes:
    """Return a log in a zone's time, with a request each ten seconds, some of them rejects."""
    found = []
    for n in range(int(hours * 360)):
        time = (start + timedelta(seconds=10 * n)).astimezone(ZoneInfo(zone))
        shown = (time if has_offsets else time.replace(tzinfo=None)).isoformat()
        status, user = "99" if n % 50 == 7 else "200", "a b" if n % 9 else "-"
        found.append(FORMATS[style][1].format(time=shown, n=f"{host}{n}", status=status, user=user))
    return "".join(f"{line}\n" for line in found).encode()


@pytest.fixture
def berlin(declare: Callable[..., Source]) -> Berlin:
    """Declares a source in Berlin's time, in one of the FORMATS."""

    def source(style: str = "log_format", **settings: Any) -> Source:
        usual = {"files": "access.log-{YYYY}{MM}{DD}*", "timezone": "Europe/Berlin", "max_reject_rate": 1}
        return declare(**(usual | {"since": DAY} | FORMATS[style][0] | settings))

    return source


def _incomplete(lake: Lake) -> str | None:
    (partition,) = lake.latest_of_day(contract("requests"), DAY)
    return lake.provenance(partition).incomplete


@pytest.mark.parametrize("style", FORMATS)
@pytest.mark.parametrize("is_compiled", [False, True])
def test_a_complete_day_has_as_many_requests_in_each_hour(  # noqa: PLR0913, PLR0917 - fixtures
    lake: Lake,
    berlin: Berlin,
    tmp_path: Path,
    published: Published,
    monkeypatch: pytest.MonkeyPatch,
    style: str,
    *,
    is_compiled: bool,
) -> None:
    """Logs cut at midnight in Berlin: the day has two hours of one name, and nothing is missing."""
    monkeypatch.setattr(blocks, "WORTH_LOADING", 0 if is_compiled else 1 << 40)
    for day, begin, hours in ((24, -26, 24), (25, -2, 25), (26, 23, 24)):
        lines = _log(MIDNIGHT + timedelta(hours=begin), hours, style)
        tmp_path.joinpath(f"access.log-202610{day}").write_bytes(lines)
    extract_day(lake, berlin(style, neighbour_days=1), DAY)
    times = [row["ts"] for row in published(lake, "requests", DAY)]
    rejects = published(lake, "rejects", DAY)
    assert len(times) + len(rejects) == 24 * 360
    assert times == sorted(times)
    by_hour = Counter(time.hour for time in times)
    assert set(by_hour) == set(range(24))
    assert set(by_hour.values()) <= {352, 353}
    assert _incomplete(lake) is None


@pytest.mark.slow
@pytest.mark.parametrize("block_bytes", [20_011, 16 << 20])
def test_blocks_readers_and_the_kernel_change_no_byte(  # noqa: PLR0913, PLR0917 - fixtures
    monkeypatch: pytest.MonkeyPatch,
    berlin: Berlin,
    new_lake: Callable[[str], Lake],
    tmp_path: Path,
    published: Published,
    block_bytes: int,
) -> None:
    """What a file has shown is remembered over its blocks and batches, and is what offsets would say."""
    monkeypatch.setattr(reading, "BLOCK_BYTES", block_bytes)
    for host in ("a", "b"):
        data = _log(MIDNIGHT, 24, host=host)
        tmp_path.joinpath(f"access.log-20261025-{host}").write_bytes(gzip.compress(data) if host == "a" else data)
        tmp_path.joinpath(f"exact.log-20261025-{host}").write_bytes(
            _log(MIDNIGHT, 24, has_offsets=True, host=host)
        )
    found = set()
    for readers, worth in ((1, 0), (3, 0), (1, 1 << 40)):
        monkeypatch.setattr(blocks, "WORTH_LOADING", worth)
        lake = new_lake(f"lake-{readers}-{worth}")
        extract_day(lake, replace(berlin(), limits=Limits(readers)), DAY)
        files = sorted(Path(lake.root).rglob("*.parquet"))
        assert len(files) == 2
        found.add(tuple(hashlib.sha256(file.read_bytes()).hexdigest() for file in files))
        assert _incomplete(lake) is None
    assert len(found) == 1
    exact = new_lake("exact")
    extract_day(exact, berlin(files="exact.log-{YYYY}{MM}{DD}*"), DAY)
    assert published(lake, "requests", DAY) == published(exact, "requests", DAY)


def test_an_hour_that_is_half_an_hour_is_told_too(
    lake: Lake, berlin: Berlin, tmp_path: Path, published: Published
) -> None:
    """On Lord Howe Island, clocks go back by 30 minutes."""
    start, day = datetime(2026, 4, 4, tzinfo=UTC), date(2026, 4, 4)
    tmp_path.joinpath("access.log-20260404").write_bytes(_log(start, 24, zone="Australia/Lord_Howe"))
    extract_day(lake, berlin(timezone="Australia/Lord_Howe"), day)
    times = [row["ts"] for row in published(lake, "requests", day)]
    assert times == sorted(times)
    assert set(Counter((time.hour, time.minute // 30) for time in times).values()) <= {176, 177}


def test_a_day_whose_log_was_sorted_says_that_it_cannot_tell(
    lake: Lake, berlin: Berlin, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Both passes are mixed: the day is published, and what may be wrong of it is said wherever it is shown."""
    lines = _log(MIDNIGHT - timedelta(hours=2), 26).splitlines(keepends=True)
    lines.sort(key=lambda line: line[line.index(b"[") :])
    tmp_path.joinpath("access.log-20261025").write_bytes(b"".join(lines))
    extract_day(lake, berlin(), DAY)
    said = f"{OFF}02:00-03:00 Europe/Berlin ({MIXED}) in access.log-20261025"
    assert _incomplete(lake) == said
    assert said in caplog.text


def test_hourly_files_of_one_name_each_are_told_by_the_file_before(
    lake: Lake, berlin: Berlin, tmp_path: Path, published: Published
) -> None:
    """Files that lie within the hour are read in the order of their names, and the day says that this is all."""
    for number in range(24):
        data = _log(MIDNIGHT + timedelta(hours=number - 1), 1, host=f"{number}-")
        tmp_path.joinpath(f"access.log-20261025.{number:02}").write_bytes(data)
    extract_day(lake, berlin(), DAY)
    times = [row["ts"] for row in published(lake, "requests", DAY)]
    assert times == sorted(times)
    assert {time.hour for time in times} == set(range(23))
    assert _incomplete(lake) == (
        f"{OFF}02:00-03:00 Europe/Berlin ({BY_THE_FILE_BEFORE}) in access.log-20261025.01 and 1 more"
    )


@pytest.mark.slow
def test_many_small_files_within_the_hour_are_each_told_by_the_one_before(
    lake: Lake, berlin: Berlin, tmp_path: Path, published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A chain of them is followed file by file: each is read a few times, not once for each that follows."""
    opened: Counter[str] = Counter()
    blocks_of = RawReader.blocks

    def counted(reader: RawReader, *arguments: int) -> Iterator[memoryview]:
        opened[reader.file.name] += 1
        return blocks_of(reader, *arguments)

    monkeypatch.setattr(RawReader, "blocks", counted)
    for number in range(180):
        data = _log(MIDNIGHT + timedelta(minutes=number - 30), 1 / 60, host=f"{number}-")
        tmp_path.joinpath(f"access.log-20261025.{number:03}").write_bytes(data)
    extract_day(lake, berlin(neighbour_days=0), DAY)
    times = [row["ts"] for row in published(lake, "requests", DAY)]
    assert times == sorted(times)
    assert {time.hour for time in times} == {0, 1, 2}
    assert BY_THE_FILE_BEFORE in (_incomplete(lake) or "")
    assert max(opened.values()) <= 20


def test_a_file_of_that_hour_alone_says_that_it_cannot_tell(lake: Lake, berlin: Berlin, tmp_path: Path) -> None:
    """There is no file before it, and nothing after the hour."""
    tmp_path.joinpath("access.log-20261025").write_bytes(_log(MIDNIGHT, 1))
    extract_day(lake, berlin(expected_hours="0"), DAY)
    assert _incomplete(lake) == f"{OFF}02:00-03:00 Europe/Berlin ({BEGINS_WITHIN}) in access.log-20261025"
