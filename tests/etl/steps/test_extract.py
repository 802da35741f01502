"""Extraction: every raw line of a source becomes a row or a reject of exactly one day."""

import filecmp
import gzip
import hashlib
import subprocess
import sys
import zlib
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import xxhash

from etl.lines import blocks
from etl.raw import reading
from etl.sources.completeness import Severities, Severity
from etl.sources.source import Source
from etl.steps import extract
from etl.steps.extract import Lines, extract_day
from lake.contracts import contract
from lake.errors import ConfigError, ContractViolation, InputError, PartitionExists
from lake.lake import Lake
from lake.partition import Partition
from lake.provenance import Content, Revision

DAY = date(2026, 9, 17)
ONE_DAY = timedelta(days=1)
DAYS = [DAY + n * ONE_DAY for n in range(-1, 4)]
NOON = datetime(2026, 9, 17, 12, tzinfo=UTC)
DATED = "access.log-{YYYY}{MM}{DD}"
REPOSITORY = Path(__file__).parents[3]
SHARED_LOG = REPOSITORY.parent / "shared" / "data" / "semicomplete.access.log.gz"
Declare = Callable[..., Source]
LogLine = Callable[..., bytes]
Published = Callable[..., list[dict[str, Any]]]


def _partition(dataset: str, day: date = DAY, revision: int = 0) -> Partition:
    return Partition(dataset, contract(dataset).version, day, "web", revision)


def _line_numbers(rows: list[dict[str, Any]]) -> list[tuple[str, int, str]]:
    return [(row["file"], row["line_number"], row["reason"]) for row in rows]


def _day_by_day(lake: Lake, source: Source, days: list[date]) -> dict[date, Lines]:
    return {day: extract_day(lake, source, day) for day in days}


@pytest.fixture
def undated(tmp_path: Path, log_line: LogLine) -> bytes:
    """access.log: 40 hours around two midnights, and rejects with and without a time, first of all two without."""
    good = [log_line(NOON + timedelta(minutes=30 * n), request=f"GET /{n} HTTP/1.1") for n in range(80)]
    bad = log_line(NOON + timedelta(days=1), status="99")
    data = b"\nunreadable\n" + b"".join(good[:40]) + bad + b"cut " + bad + b"unreadable\n" + b"".join(good[40:])
    tmp_path.joinpath("access.log").write_bytes(data)
    return data


def test_the_days_of_an_undated_file_make_up_the_file(
    lake: Lake, declare: Declare, published: Published, undated: bytes
) -> None:
    """Each day keeps its own lines, and over all days every line is a row or a reject exactly once."""
    days = [DAY, DAY + ONE_DAY]
    found = _day_by_day(lake, declare(max_reject_rate=1), days)
    paths = [row["path"] for day in days for row in published(lake, "requests", day)]
    assert paths == [
        f"/{n}" for n in range(80) if NOON.date() + ONE_DAY >= (NOON + n * timedelta(minutes=30)).date()
    ]
    for day in days:
        assert {row["ts"].date() for row in published(lake, "requests", day)} == {day}
    third = extract_day(lake, declare(max_reject_rate=1), DAY + 2 * ONE_DAY)
    of_days = [*found.values(), third]
    assert sum(lines.kept + lines.rejected for lines in of_days) == undated.count(b"\n")
    assert all(lines.kept + lines.rejected + lines.of_other_days == lines.read for lines in of_days)


def test_a_reject_counts_for_the_day_it_shows_else_for_the_files_first(
    lake: Lake, declare: Declare, published: Published, undated: bytes
) -> None:
    """Once only, also where unreadable lines come before the first timestamp."""
    _day_by_day(lake, declare(max_reject_rate=1), [DAY, DAY + ONE_DAY])
    assert undated.startswith(b"\n")
    assert _line_numbers(published(lake, "rejects", DAY)) == [
        ("access.log", 1, "blank"),
        ("access.log", 2, "shape"),
        ("access.log", 45, "shape"),
    ]
    assert _line_numbers(published(lake, "rejects", DAY + ONE_DAY)) == [
        ("access.log", 43, "status"),
        ("access.log", 44, "shape"),
    ]


def test_the_first_day_is_looked_for_beyond_the_first_block(
    lake: Lake, declare: Declare, published: Published, undated: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where whole blocks pass before the first timestamp, their lines still count for that day."""
    monkeypatch.setattr(reading, "BLOCK_BYTES", 4)
    lines = extract_day(lake, declare(max_reject_rate=1), DAY)
    assert lines.read == undated.count(b"\n")
    assert [number for _, number, _ in _line_numbers(published(lake, "rejects", DAY))] == [1, 2, 45]


def test_an_undated_file_without_any_timestamp_is_an_error(lake: Lake, declare: Declare, tmp_path: Path) -> None:
    """No line's day can be told, so the file and the format are named."""
    tmp_path.joinpath("access.log").write_bytes(b"no\ntime\n")
    with pytest.raises(InputError, match=r"access.log: no line has a timestamp of format combined"):
        extract_day(lake, declare(), DAY)


def test_an_empty_undated_file_has_no_line_of_any_day(lake: Lake, declare: Declare, tmp_path: Path) -> None:
    """It is no input, and no crash."""
    tmp_path.joinpath("access.log").touch()
    with pytest.raises(InputError, match="no input: source web has not one line of 2026-09-17"):
        extract_day(lake, declare(), DAY)


@pytest.fixture
def rotated(tmp_path: Path, log_line: LogLine) -> int:
    """Files that end at 06:25 of the day in their name, with hourly lines, rejects with and without a time."""
    count = 0
    for day in [DAYS[0] - ONE_DAY, *DAYS, DAYS[-1] + ONE_DAY]:
        end = datetime(day.year, day.month, day.day, 6, 25, tzinfo=UTC)
        lines = [log_line(end - timedelta(hours=n)) for n in range(24, 0, -1)]
        lines[3:3] = [log_line(end - timedelta(hours=20), status="99"), b"unreadable\n"]
        tmp_path.joinpath(f"access.log-{day:%Y%m%d}").write_bytes(b"".join(lines))
        count += len(lines)
    return count


def test_lines_rotated_off_midnight_are_each_of_one_day(
    lake: Lake, declare: Declare, published: Published, rotated: int
) -> None:
    """With neighbour_days = 1 each day has its 24 hours, from two files, and no line is lost or counted twice."""
    found = _day_by_day(lake, declare(files=DATED, neighbour_days=1, max_reject_rate=1), DAYS)
    for day in DAYS:
        assert [row["ts"].hour for row in published(lake, "requests", day)] == list(range(24))
        rejects = Counter(row["reason"] for row in published(lake, "rejects", day))
        assert rejects == {"shape": 1, "status": 1}
    assert {lines.read for lines in found.values()} == {3 * 26}
    assert sum(lines.kept + lines.rejected for lines in found.values()) == 5 * 26
    assert rotated == 7 * 26


def test_lines_no_other_day_would_read_are_rejects(
    lake: Lake, declare: Declare, published: Published, rotated: int
) -> None:
    """With neighbour_days = 0, a dated file's lines of the day before are `wrong_day`, not dropped."""
    lines = extract_day(lake, declare(files=DATED, max_reject_rate=1), DAY)
    assert (lines.read, lines.kept, lines.rejected, lines.of_other_days) == (26, 6, 20, 0)
    assert lines.reasons == {"wrong_day": 18, "status": 1, "shape": 1}
    assert {row["file"] for row in published(lake, "rejects", DAY)} == {"access.log-20260917"}
    assert rotated > lines.read


@pytest.mark.parametrize("since", [{}, {"since": str(DAY)}])
def test_too_many_lines_of_the_wrong_day_advise_what_to_cover(
    lake: Lake, declare: Declare, rotated: int, since: dict[str, str]
) -> None:
    """The message says what is wrong with the source rather than with the lines, on its first day, too."""
    assert rotated
    advice = r"18 wrong_day.*not cut at UTC midnight: set covers = -1 to 0 \(now neighbour_days = 0\)"
    with pytest.raises(InputError, match=advice):
        extract_day(lake, declare(files=DATED, **since), DAY)


def test_lines_of_another_month_are_no_matter_of_midnight(
    lake: Lake, declare: Declare, tmp_path: Path, log_line: LogLine
) -> None:
    """A file whose name has another date than its lines is named as such."""
    (tmp_path / "access.log-20260917").write_bytes(log_line(NOON + 30 * ONE_DAY) * 5)
    with pytest.raises(InputError, match=r"5 wrong_day.*more than a week from the date in the file's name: check"):
        extract_day(lake, declare(files=DATED), DAY)


def test_requests_of_days_far_away_are_said(
    lake: Lake, declare: Declare, tmp_path: Path, log_line: LogLine
) -> None:
    """Few lines of another week, which no setting covers."""
    (tmp_path / "access.log-20260917").write_bytes(log_line(NOON) * 398 + log_line(NOON - 20 * ONE_DAY) * 2)
    extract_day(lake, declare(files=DATED), DAY)
    said = "its files hold 2 requests of days more than a week away, which no day counts"
    assert lake.provenance(_partition("requests")).incomplete == said


def test_requests_that_no_day_counts_are_said(
    lake: Lake, declare: Declare, tmp_path: Path, log_line: LogLine, caplog: pytest.LogCaptureFixture
) -> None:
    """A file that is rotated after midnight holds some of the next day: the day says so, and what mends it."""
    midnight = datetime(2026, 9, 18, tzinfo=UTC)
    lines = [NOON, midnight, midnight + timedelta(minutes=4), midnight + 30 * ONE_DAY]
    (tmp_path / "access.log-20260917").write_bytes(b"".join(map(log_line, lines)))
    days = "2 requests of 2026-09-18, 1 of days more than a week away"
    said = f"its files hold {days}, which no day counts (covers = 0 to 1 does)"
    source = declare(files=DATED, max_reject_rate=1)
    extract_day(lake, source, DAY)
    made = lake.provenance(_partition("requests"))
    assert made.incomplete == said
    assert made.inputs[0].strays == {"2026-09-18": 2}
    assert said in caplog.text
    failing = replace(source, severities=Severities(uncounted_lines=Severity.FAIL))
    with pytest.raises(InputError, match=r"no day counts.*Set covers = 0 to 1 in \[source\.web\]"):
        extract_day(lake, failing, DAY, Revision(1, "again"))
    extract_day(lake, replace(source, until=DAY + ONE_DAY), DAY, Revision(1, "the next day is none of its"))
    assert lake.provenance(_partition("requests", revision=1)).incomplete is None


def test_what_a_file_covers_is_counted_once_and_by_its_day(
    lake: Lake, declare: Declare, tmp_path: Path, log_line: LogLine
) -> None:
    """`covers = 0 to 1`: the lines after midnight are the next day's, and need no file of the day after that."""
    for day in DAYS[:2]:
        begin = datetime(day.year, day.month, day.day, 0, 5, tzinfo=UTC)
        times = [begin + timedelta(hours=1, minutes=n) for n in range(0, 24 * 60, 10)]
        (tmp_path / f"access.log-{day:%Y%m%d}").write_bytes(b"".join(map(log_line, times)))
    source = declare(files=DATED, covers="0 to 1", since=DAYS[0], until=DAYS[2])
    found = _day_by_day(lake, source, DAYS[:2])
    assert {day: (lines.kept, lines.rejected) for day, lines in found.items()} == {
        DAYS[0]: (138, 0),
        DAYS[1]: (144, 0),
    }


@pytest.mark.parametrize("second", ["b.log", "b.log.gz", "a symlink", "a hard link"])
def test_files_of_the_same_content_are_refused(  # noqa: PLR0913 - one example's parts
    *,
    lake: Lake,
    declare: Declare,
    tmp_path: Path,
    log_line: LogLine,
    second: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """By their content, whatever they are called and however compressed; empty ones are no duplicates."""
    text = log_line(NOON) + log_line(NOON + timedelta(seconds=1))
    first = tmp_path / "a.log"
    first.write_bytes(text)
    if second == "a symlink":
        (tmp_path / "b.log").symlink_to(first)
    elif second == "a hard link":
        (tmp_path / "b.log").hardlink_to(first)
    else:
        (tmp_path / second).write_bytes(gzip.compress(text) if second.endswith(".gz") else text)
    for name in ("empty.log", "another.log"):
        (tmp_path / name).touch()
    (tmp_path / "other.log").write_bytes(log_line(NOON))
    source = declare(files="*.log*")
    with pytest.raises(InputError, match=r"a\.log, b\.log(\.gz)? have the same content\. Take one away"):
        extract_day(lake, source, DAY)
    assert not lake.partitions(contract("requests"))
    assert extract_day(lake, replace(source, severities=Severities(duplicate_files=Severity.WARN)), DAY).kept == 5
    assert "have the same content" in (lake.provenance(_partition("requests")).incomplete or "")
    assert "have the same content" in caplog.text


def test_a_line_farther_than_its_neighbours_is_a_reject_of_the_files_day(
    lake: Lake, declare: Declare, tmp_path: Path, published: Published, log_line: LogLine
) -> None:
    """Two days off with neighbour_days = 1: no other day reads it, so it counts once, for the file's day."""
    for day in DAYS:
        at_noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
        tmp_path.joinpath(f"access.log-{day:%Y%m%d}").write_bytes(log_line(at_noon) + log_line(NOON + 2 * ONE_DAY))
    tmp_path.joinpath(f"access.log-{DAYS[-1] + ONE_DAY:%Y%m%d}").touch()
    source = declare(files=DATED, neighbour_days=1, max_reject_rate=1, since=DAYS[0])
    found = _day_by_day(lake, source, DAYS)
    assert sum(lines.kept + lines.rejected for lines in found.values()) == 2 * len(DAYS)
    assert [found[day].reasons["wrong_day"] for day in DAYS] == [1, 1, 0, 0, 0]
    assert _line_numbers(published(lake, "rejects", DAY)) == [("access.log-20260917", 2, "wrong_day")]


@pytest.mark.parametrize(
    ("settings", "files"), [({"files": DATED}, {}), ({"files": DATED}, {"access.log-20260917": b""}), ({}, {})]
)
def test_a_day_without_a_line_is_no_input_unless_that_is_allowed(  # noqa: PLR0913 - a lake, a source, its files
    *,
    lake: Lake,
    declare: Declare,
    tmp_path: Path,
    published: Published,
    settings: dict[str, str],
    files: dict[str, bytes],
) -> None:
    """It fails and publishes nothing; with allow_empty it publishes partitions without rows."""
    for name, data in files.items():
        tmp_path.joinpath(name).write_bytes(data)
    with pytest.raises(InputError, match=r"no input: source web has not one line .* allow_empty = true"):
        extract_day(lake, declare(**settings), DAY)
    assert not lake.exists(_partition("requests"))
    assert not lake.exists(_partition("rejects"))
    lines = extract_day(lake, declare(**settings, allow_empty="true"), DAY)
    assert (lines.read, published(lake, "requests", DAY), published(lake, "rejects", DAY)) == (0, [], [])
    assert lake.exists(_partition("requests"))
    assert lake.exists(_partition("rejects"))


def test_too_many_rejects_fail_the_day_with_examples(
    lake: Lake, declare: Declare, tmp_path: Path, log_line: LogLine
) -> None:
    """More than max_reject_rate: counted by reason, shown masked, and nothing is published."""
    data = log_line(NOON) * 97 + log_line(NOON, status="99") * 2 + b"x\n"
    tmp_path.joinpath("access.log").write_bytes(data)
    expected = (
        r"source web, 2026-09-17: 3 of 100 lines are rejects \(2 status, 1 shape\), more than max_reject_rate = "
        r"0.029 allows. Is it really format combined\? First ones: access.log:98 \(status\) 999.9.9.9 - - \["
    )
    with pytest.raises(InputError, match=expected):
        extract_day(lake, declare(max_reject_rate=0.029), DAY)
    assert lake.partitions(contract("rejects")) == lake.partitions(contract("requests")) == []
    assert extract_day(lake, declare(max_reject_rate=0.03), DAY).rejected == 3


def test_a_failed_day_says_that_second_records_of_requests_are_noise(
    lake: Lake, declare: Declare, tmp_path: Path
) -> None:
    """Caddy's, of requests that failed, with a status of 5xx like these."""
    golden = Path(__file__).parents[1].joinpath("golden/caddy/access.log").read_bytes()
    tmp_path.joinpath("access.log").write_bytes(golden)
    expected = r"2 of 5 lines are rejects .*second records of requests.* Then declare noise = caddy\. First"
    with pytest.raises(InputError, match=expected):
        extract_day(lake, declare(format="caddy"), DAY)
    found = extract_day(lake, declare(format="caddy", noise="caddy"), DAY)
    assert (found.kept, found.rejected, found.noise) == (3, 0, 2)


def test_a_broken_file_publishes_nothing(lake: Lake, declare: Declare, tmp_path: Path, log_line: LogLine) -> None:
    """A file that ends in mid-stream fails its day, though lines before the end were read."""
    tmp_path.joinpath("access.log").write_bytes(gzip.compress(log_line(NOON) * 1000)[:-9])
    with pytest.raises(InputError, match=r"access.log: the gzip stream is cut off"):
        extract_day(lake, declare(), DAY)
    assert lake.partitions(contract("rejects")) == lake.partitions(contract("requests")) == []


@pytest.mark.parametrize("block_bytes", [50, 1 << 12, 4 << 20])
def test_the_same_day_has_the_same_bytes_in_any_lake(  # noqa: PLR0913 - a lake, a source, and how it is read
    *,
    new_lake: Callable[[str], Lake],
    declare: Declare,
    tmp_path: Path,
    undated: bytes,
    monkeypatch: pytest.MonkeyPatch,
    block_bytes: int,
) -> None:
    """Built twice, and read in blocks of another size: the files are equal, byte by byte."""
    extract_day(new_lake("one"), declare(max_reject_rate=1), DAY)
    monkeypatch.setattr(reading, "BLOCK_BYTES", block_bytes)
    extract_day(new_lake("two"), declare(max_reject_rate=1), DAY)
    assert undated
    for dataset in ("requests", "rejects"):
        key = _partition(dataset).key
        assert filecmp.cmp(tmp_path / "one" / key, tmp_path / "two" / key, shallow=False)


def test_extracting_twice_succeeds_and_extracting_otherwise_does_not(
    lake: Lake, declare: Declare, tmp_path: Path, undated: bytes
) -> None:
    """The same bytes are no error; a raw file that has changed since is, and nothing is overwritten."""
    source = declare(max_reject_rate=1)
    assert extract_day(lake, source, DAY) == extract_day(lake, source, DAY)
    before = lake.sha256(_partition("requests"))
    tmp_path.joinpath("access.log").write_bytes(undated + undated)
    with pytest.raises(PartitionExists, match="web"):
        extract_day(lake, source, DAY)
    assert lake.sha256(_partition("requests")) == before


def test_a_day_is_restated_by_a_revision_with_its_reason(
    lake: Lake, declare: Declare, tmp_path: Path, undated: bytes, published: Published
) -> None:
    """Revision 1 stands beside the first, names its digest and why; without a reason there is none."""
    source = declare(max_reject_rate=1)
    extract_day(lake, source, DAY)
    kept = len(published(lake, "requests", DAY))
    tmp_path.joinpath("access.log").write_bytes(undated + undated)
    with pytest.raises(ConfigError, match="a reason belongs to every revision"):
        extract_day(lake, source, DAY, Revision(1))
    extract_day(lake, source, DAY, Revision(1, "the log was incomplete"))
    for dataset in ("requests", "rejects"):
        footer = lake.provenance(_partition(dataset, revision=1))
        assert (footer.revision, footer.reason) == (1, "the log was incomplete")
        assert footer.supersedes == lake.sha256(_partition(dataset))
    assert len(published(lake, "requests", DAY)) == 2 * kept


def test_a_log_that_grows_changes_no_bytes(
    new_lake: Callable[[str], Lake], declare: Declare, tmp_path: Path, undated: bytes
) -> None:
    """Lines of later days, appended to a live log after a crash between the two publications, don't matter."""
    source = declare(max_reject_rate=1)
    interrupted, undisturbed = new_lake("interrupted"), new_lake("undisturbed")
    extract_day(interrupted, source, DAY)
    (requests,) = Path(interrupted.root, "requests").rglob("*.parquet")
    requests.unlink()
    extract_day(undisturbed, source, DAY)
    later = b'- - - [30/Sep/2026:00:00:00 +0000] "GET / HTTP/1.1" 200 1 "-" "-"\n' * 100_000
    tmp_path.joinpath("access.log").write_bytes(undated + later)
    extract_day(interrupted, source, DAY)
    for dataset in ("requests", "rejects"):
        assert interrupted.sha256(_partition(dataset)) == undisturbed.sha256(_partition(dataset))


def test_the_footer_says_what_was_read_and_what_became_of_it(
    lake: Lake, declare: Declare, tmp_path: Path, rotated: int
) -> None:
    """Both partitions name all files with size and digest, the counts, the checks and the settings' digest."""
    source = declare(files=DATED, neighbour_days=1, max_reject_rate=1)
    lines = extract_day(lake, source, DAY)
    assert rotated
    for dataset in ("requests", "rejects"):
        footer = lake.provenance(_partition(dataset))
        assert (footer.dataset, footer.dt, footer.source) == (dataset, "2026-09-17", "web")
        assert [each.name for each in footer.inputs] == [f"access.log-202609{n}" for n in (16, 17, 18)]
        before, own, after = footer.inputs
        assert (own.bytes, own.lines) == (tmp_path.joinpath(own.name).stat().st_size, None)
        for each in (before, after):
            text = b"".join(tmp_path.joinpath(each.name).read_bytes().splitlines(keepends=True)[: each.lines])
            content = Content(len(text), xxhash.xxh3_64(text).hexdigest(), zlib.crc32(text))
            assert (each.bytes, each.sha256, each.content) == (len(text), None, content)
            assert b"[17/Sep" in text.splitlines()[-1] if text else each.lines == 0
        assert (footer.rows_kept, footer.rows_rejected) == (lines.kept, lines.rejected)
        assert footer.rows_read == lines.kept + lines.rejected + footer.rows_of_other_days <= lines.read
        assert footer.source_sha256 == source.settings_sha256
        assert "lines_read = rows + rejects + noise + directives + lines_of_other_days + continued + doubled" in [
            check.name for check in footer.checks
        ]


@pytest.mark.parametrize(
    "counted", [{"read": 9}, {"kept": 4}, {"rejected": 3}, {"of_other_days": 1}, {"directives": 2}]
)
def test_the_conservation_law_can_fail(counted: dict[str, int]) -> None:
    """A line lost or counted twice is a violation that shows the counts."""
    right = {"read": 11, "kept": 5, "rejected": 2, "of_other_days": 3, "directives": 1}
    assert Lines(**right).check().result == "11 lines"
    with pytest.raises(ContractViolation, match="lines were lost"):
        Lines(**right | counted).check()


@pytest.mark.skipif(not SHARED_LOG.exists(), reason="the real log is not beside the repository")
def test_a_real_log_is_read_to_its_last_line(lake: Lake, declare: Declare) -> None:
    """10,000 lines of Apache over four days, every one of them kept or rejected once."""
    source = declare(files=SHARED_LOG)
    found = _day_by_day(lake, source, [date(2015, 5, day) for day in (17, 18, 19, 20)])
    assert [lines.kept + lines.rejected for lines in found.values()] == [1632, 2893, 2896, 2579]
    assert {lines.read for lines in found.values()} == {10_000}


MEASURE = """
import resource, sys
from datetime import date
from pathlib import Path
from etl.steps.extract import extract_day
from etl.sources.sections import read_sources
from lake import config
from lake.lake import Lake

settings = config.read(Path(sys.argv[1]))
small, large = read_sources(settings)[::-1]
lake = Lake.of(settings)
extract_day(lake, small, date(2026, 9, 17))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
lines = extract_day(lake, large, date(2026, 9, 17))
print(lines.kept, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)
"""


@pytest.mark.slow
@pytest.mark.parametrize("megabytes", [60, 240])
def test_memory_does_not_grow_with_the_file(
    read_settings: Callable[..., list[Source]], tmp_path: Path, log_line: LogLine, megabytes: int
) -> None:
    """Beyond what a file of 30 MB takes, less than 60 MB, whether the file has 60 MB or 240 MB."""
    usual = {"format": "combined", "application": "web", "vantage": "origin"}
    read_settings(small=usual | {"files": "small.log"}, large=usual | {"files": "large.log"})
    block = b"".join(log_line(NOON + timedelta(seconds=n), request=f"GET /{n} HTTP/1.1") for n in range(10_000))
    for name, size in (("small", 30), ("large", megabytes)):
        with tmp_path.joinpath(f"{name}.log").open("wb") as file:
            while file.tell() < size * 1_000_000:
                file.write(block)
    command = [sys.executable, "-c", MEASURE, str(tmp_path / "luigi.cfg")]
    answer = subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, text=True).stdout
    kept, growth = map(int, answer.split())
    assert kept * 100 > megabytes * 1_000_000
    assert growth < 60_000_000


@pytest.fixture
def scattered(tmp_path: Path, log_line: LogLine) -> list[date]:
    """access.log of ten days, hour by hour; two lines of the first come last, and the fourth has only rejects."""
    days = [DAY + n * ONE_DAY for n in range(10)]
    lines = [
        log_line(
            NOON + n * ONE_DAY + timedelta(minutes=m),
            request=f"GET /{m} HTTP/1.1",
            status="99" if n == 3 else "200",
        )
        for n in range(10)
        for m in range(100)
    ]
    lines.append(log_line(NOON + timedelta(hours=1), request="GET /late HTTP/1.1"))
    lines.append(b"unreadable\n")
    tmp_path.joinpath("access.log").write_bytes(b"".join(lines))
    return days


def _shas(lake: Lake) -> dict[str, str]:
    root = Path(lake.root)
    return {str(p.relative_to(root)): hashlib.sha256(p.read_bytes()).hexdigest() for p in root.rglob("*.parquet")}


def test_a_pass_publishes_the_other_days_too(
    new_lake: Callable[[str], Lake], declare: Declare, scattered: list[date]
) -> None:
    """Read once for all days, they are the same bytes as read once a day; the bad day is left for its own call."""
    source = declare(max_reject_rate=0.05)
    at_once, each = new_lake("at once"), new_lake("each")
    lines = extract_day(at_once, source, DAY, also=[*scattered, DAY + 99 * ONE_DAY])
    assert (lines.read, lines.kept, lines.rejected) == (1002, 101, 1)
    for day in scattered:
        with suppress(InputError):
            extract_day(each, source, day)
    assert _shas(at_once) == _shas(each)
    assert len(_shas(at_once)) == 9 * 2


def test_days_that_come_back_too_late_are_left_for_their_own_call(
    new_lake: Callable[[str], Lake], declare: Declare, scattered: list[date], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where memory bounds what waits, a day that was given up and comes again is not published by the pass."""
    source = declare(max_reject_rate=0.05)
    whole, bounded = new_lake("whole"), new_lake("bounded")
    extract_day(whole, source, DAY + ONE_DAY, also=scattered)
    monkeypatch.setattr(extract, "WAITING_ROWS", 150)
    monkeypatch.setattr(reading, "BLOCK_BYTES", 1000)
    extract_day(bounded, source, DAY + ONE_DAY, also=scattered)
    missing = _shas(whole).keys() - _shas(bounded).keys()
    assert {key.split("dt=")[1][:10] for key in missing} == {str(DAY)}
    assert _shas(bounded).items() <= _shas(whole).items()
    extract_day(bounded, source, DAY)
    assert f"dt={DAY}" in "".join(_shas(bounded))


def test_a_pass_takes_on_no_more_days_than_it_may(
    new_lake: Callable[[str], Lake], declare: Declare, scattered: list[date], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The day that was asked for, and the first others that it meets."""
    monkeypatch.setattr(extract, "DAYS_A_PASS", 3)
    lake = new_lake("few")
    extract_day(lake, declare(max_reject_rate=0.05), DAY, also=scattered)
    assert {key.split("dt=")[1][:10] for key in _shas(lake)} == {str(day) for day in scattered[:3]}


@pytest.fixture
def busy(tmp_path: Path, log_line: LogLine) -> None:
    """access.log-20260917: 100 requests in each hour but the fourth."""
    midnight = NOON - timedelta(hours=12)
    times = [midnight + timedelta(hours=h, seconds=s) for h in range(24) if h != 3 for s in range(100)]
    tmp_path.joinpath("access.log-20260917").write_bytes(b"".join(map(log_line, times)))


@pytest.mark.usefixtures("busy")
@pytest.mark.parametrize(
    ("settings", "severities", "incomplete"),
    [
        ({}, Severities(silent_hours=Severity.FAIL), None),
        ({"expected_hours": "0-23"}, Severities(), "no request in UTC hours 3"),
        ({"expected_hours": "0-2, 4-23"}, Severities(silent_hours=Severity.FAIL), None),
        (
            {"expected_files": 3, "expected_hours": "0-23"},
            Severities(fewer_files=Severity.WARN),
            "1 of 3 files for 2026-09-17, no request in",
        ),
        (
            {"neighbour_days": 1, "expected_hours": "3"},
            Severities(fewer_files=Severity.WARN),
            "0 of 1 files for 2026-09-18, 0 of 1 files for 2026-09-16, no request",
        ),
    ],
)
def test_what_a_day_lacks_is_in_its_footers(
    lake: Lake, declare: Declare, settings: dict[str, Any], severities: Severities, incomplete: str | None
) -> None:
    """Of requests and of rejects; what a source says is normal is not lacking."""
    extract_day(lake, replace(declare(files=DATED, **settings), severities=severities), DAY)
    for dataset in ("requests", "rejects"):
        found = lake.provenance(_partition(dataset)).incomplete
        assert found is None if incomplete is None else str(found).startswith(incomplete)


@pytest.mark.usefixtures("busy")
def test_a_file_that_may_be_gone_is_named_where_a_later_one_is_there(
    lake: Lake, declare: Declare, tmp_path: Path
) -> None:
    """A day beside it is published, and says so: nobody knows whether there was nothing to log."""
    tmp_path.joinpath("access.log-20260919").touch()
    source = declare(files=DATED, covers="-1 to 0", expected_hours="0-2, 4-23")
    extract_day(lake, source, DAY)
    assert lake.provenance(_partition("requests")).incomplete == "0 of 1 files for 2026-09-18"


@pytest.mark.usefixtures("busy")
@pytest.mark.parametrize(
    ("settings", "severities", "message"),
    [
        (
            {"expected_hours": "3"},
            Severities(silent_hours=Severity.FAIL),
            "source web, 2026-09-17: no request in UTC hours 3. Bring what",
        ),
        ({"expected_files": 3}, Severities(), "source web, 2026-09-17: 1 of 3 files for 2026-09-17. Bring what"),
    ],
)
def test_a_day_that_lacks_what_it_must_not_publishes_nothing(
    lake: Lake, declare: Declare, settings: dict[str, Any], severities: Severities, message: str
) -> None:
    """It can be built when the rest has come, as if nothing had been."""
    with pytest.raises(InputError, match=message):
        extract_day(lake, replace(declare(files=DATED, **settings), severities=severities), DAY)
    assert not lake.exists(_partition("rejects"))
    assert not lake.exists(_partition("requests"))


@pytest.mark.usefixtures("busy")
@pytest.mark.parametrize("expected", [None, "0-23"])
def test_a_days_files_keep_its_requests_by_hour(lake: Lake, declare: Declare, expected: str | None) -> None:
    """For who looks at the day; where luigi.cfg says which hours have some, that was judged."""
    extract_day(lake, declare(files=DATED, **({"expected_hours": expected} if expected else {})), DAY)
    by_hour = {"web": (100, 100, 100, 0, *[100] * 20)}
    for dataset in ("requests", "rejects"):
        assert lake.provenance(_partition(dataset)).requests_by_hour == (None if expected else by_hour)


def test_hours_are_counted_over_all_batches_of_a_day() -> None:
    """Each request once, in its own hour, whichever chunk it is in."""
    times = [NOON + timedelta(minutes=25 * n) for n in range(-20, 20)]
    naive = pa.array([each.replace(tzinfo=None) for each in times], pa.timestamp("us"))
    table = pa.table({"ts": pa.chunked_array([naive[:7], naive[7:7], naive[7:]])})
    expected = Counter(each.hour for each in times)
    assert extract.hours_of(table, DAY).tolist() == [expected[hour] for hour in range(24)]


def test_many_lines_of_the_plain_parser_are_told_once(  # noqa: PLR0913 - fixtures
    *,
    declare: Declare,
    lake: Lake,
    log_line: LogLine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: Any,
) -> None:
    """With their share and what to look at; of few nothing is said."""
    monkeypatch.setattr(extract, "MANY_PLAIN_LINES", 3)
    monkeypatch.setattr(extract, "_told", set())
    monkeypatch.setattr(blocks, "WORTH_LOADING", 0)
    blocks._loaded.cache_clear()  # noqa: SLF001 - another test's process may have gone without the kernel
    source = declare(files=DATED)
    lines = [log_line(NOON, user=user) for user in ("a b", "a c", "-", "a d")]
    for day, count in ((DAY, 2), (DAY + ONE_DAY, 4), (DAY + 2 * ONE_DAY, 4)):
        data = b"".join(lines[:count]).replace(b"17/Sep", f"{day:%d/%b}".encode())
        (tmp_path / f"access.log-{day:%Y%m%d}").write_bytes(data)
        extract_day(lake, source, day)
    (told,) = (each.getMessage() for each in caplog.records if "plain parser" in each.getMessage())
    assert told.startswith("source web: 75 % of 4 lines were read by the plain parser")
    assert told.endswith(f"To see them: backfill identify {tmp_path}/access.log-20260918 --source web")


def test_the_plain_parser_is_expected_around_a_change_of_clocks(  # noqa: PLR0913 - fixtures
    *,
    declare: Declare,
    lake: Lake,
    log_line: LogLine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: Any,
) -> None:
    """It reads a log without offsets then, about which nothing is to be done; a week before, the kernel does."""
    monkeypatch.setattr(extract, "MANY_PLAIN_LINES", 1)
    monkeypatch.setattr(blocks, "WORTH_LOADING", 0)
    blocks._loaded.cache_clear()  # noqa: SLF001
    source = declare(files=DATED, timezone="Europe/Berlin")
    for day in (date(2026, 10, 18), date(2026, 10, 25)):
        line = log_line(datetime(day.year, day.month, day.day, 12, tzinfo=UTC)).replace(b" +0000]", b"]")
        (tmp_path / f"access.log-{day:%Y%m%d}").write_bytes(line * 4)
        extract_day(lake, source, day)
    assert "plain parser" not in caplog.text


@pytest.fixture
def with_errors(tmp_path: Path, log_line: LogLine) -> Callable[..., None]:
    """Writes access.log: requests without an error, and then errors whose lines are no request."""
    error = log_line(NOON, status="502").replace(b'"curl', b"curl")

    def write(count: int, requests: int) -> None:
        tmp_path.joinpath("access.log").write_bytes(log_line(NOON) * requests + error * count)

    return write


def test_a_rate_that_lacks_the_errors_of_its_rejects_fails_the_day(
    lake: Lake, declare: Declare, with_errors: Callable[..., None]
) -> None:
    """One percent of the lines, all of them errors: days, counts, examples and what to do are said."""
    with_errors(10, 990)
    expected = (
        r"^source web, 2026-09-17: 10 rejects show a server error \(10 502\) that no rate counts\. With them, the "
        r"error rate is out of its interval\. First ones: access.log:991, access.log:992, access.log:993\. Look "
        r"at such lines, and correct format in \[source.web\], or have such days published with a warning, by "
        r"\[completeness\] in luigi.cfg\.$"
    )
    with pytest.raises(InputError, match=expected):
        extract_day(lake, declare(expected_hours="12"), DAY)
    assert lake.partitions(contract("rejects")) == []
    loose = replace(declare(expected_hours="12"), severities=Severities(rejected_errors=Severity.WARN))
    extract_day(lake, loose, DAY)
    for dataset in ("requests", "rejects"):
        made = lake.provenance(_partition(dataset))
        assert made.incomplete == "10 rejects show a server error (10 502) that no rate counts"
        assert made.reject_statuses == {"502": 10}


def test_too_many_rejects_say_which_statuses_they_show(
    lake: Lake, declare: Declare, with_errors: Callable[..., None]
) -> None:
    """Who reads that a day failed learns at once that failing requests are among them."""
    with_errors(10, 100)
    with pytest.raises(InputError, match=r"10 of 110 lines are rejects \(10 [a-z]+; 10 show 502\), more than "):
        extract_day(lake, declare(expected_hours="12"), DAY)


@pytest.mark.parametrize(("count", "requests"), [(1, 100), (9, 900)])
def test_a_few_such_rejects_are_said(
    lake: Lake, declare: Declare, with_errors: Callable[..., None], count: int, requests: int
) -> None:
    """The day is there, and does not look clean."""
    with_errors(count, requests)
    extract_day(lake, declare(expected_hours="12"), DAY)
    assert f"({count} 502) that no rate counts" in (lake.provenance(_partition("requests")).incomplete or "")


def test_a_client_cannot_have_a_reject_count_as_an_error(
    lake: Lake, declare: Declare, tmp_path: Path, log_line: LogLine
) -> None:
    """What it sends in place of a status stands in quotes, as its server writes it."""
    forged = log_line(NOON, user='" 502 1', request=r"GET /\" 502 5 \" HTTP/1.1", tail=r' "\" 502 5" "x')
    tmp_path.joinpath("access.log").write_bytes(log_line(NOON) * 990 + forged.replace(b'" 502 1 [', b"x y [") * 10)
    assert extract_day(lake, declare(expected_hours="12"), DAY).rejected == 10
    made = lake.provenance(_partition("requests"))
    assert (made.incomplete, made.reject_statuses) == (None, {"200": 10})
