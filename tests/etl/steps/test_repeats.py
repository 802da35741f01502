"""A delivery that is repeated in part is found, and counted once where that is asked for."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.lines import blocks
from etl.raw.doubled import doubled_lines
from etl.raw.files import RawFile
from etl.sources.completeness import Severities, Severity
from etl.sources.source import Source
from etl.steps import bundle
from etl.steps.aggregate import aggregate_day
from etl.steps.extract import extract_day
from lake.contracts import contract
from lake.errors import InputError
from lake.lake import Lake
from lake.partition import Partition
from lake.provenance import Revision

DAY = date(2026, 9, 17)
MIDNIGHT = datetime(2026, 9, 17, tzinfo=UTC)
Declare = Callable[..., Source]


def _log(seed: int, count: int, apart: float = 7.3) -> list[bytes]:
    """Return lines of a busy host, in the order of time."""
    random = np.random.default_rng(seed)
    times = (MIDNIGHT + timedelta(seconds=n * apart) for n in range(count))
    return [
        b'192.0.2.%d - - [%s +0000] "GET /%d HTTP/1.1" %d %d "-" "curl"\n'
        % (n % 250, f"{time:%d/%b/%Y:%H:%M:%S}".encode(), number, 500 if n % 100 == 3 else 200, size)
        for n, (time, number, size) in enumerate(
            zip(times, random.integers(50, size=count), random.integers(1000, size=count), strict=True)
        )
    ]


def _incomplete(lake: Lake) -> str:
    (partition,) = lake.latest_of_day(contract("requests"), DAY)
    return lake.provenance(partition).incomplete or ""


@pytest.mark.parametrize("worth_loading", [0, 1 << 40])
def test_a_part_of_a_delivery_that_comes_again_is_said(
    lake: Lake, declare: Declare, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, worth_loading: int
) -> None:
    """A run of lines in two files, between others: with about how many they are, by either parser."""
    monkeypatch.setattr(blocks, "WORTH_LOADING", worth_loading)
    first, other = _log(1, 5000), _log(2, 500)
    (tmp_path / "a.log").write_bytes(b"".join(first))
    (tmp_path / "b.log").write_bytes(b"".join([*first[-1000:], *other]))
    (tmp_path / "c.log").write_bytes(b"".join(_log(3, 5000)))
    source = declare(files="?.log", expected_hours="0")
    assert extract_day(lake, source, DAY).kept == 11_500
    about, said = _incomplete(lake).removeprefix("about ").split(" ", 1)
    assert said == "requests of b.log are in a.log, too"
    assert int(about.replace(",", "")) == pytest.approx(1000, rel=0.3)
    failing = replace(source, severities=Severities(repeated_lines=Severity.FAIL))
    with pytest.raises(InputError, match=r"Bring each file once, or set duplicates = lines in \[source\.web\]"):
        extract_day(lake, failing, DAY)


@pytest.mark.parametrize("run", [100, 150, 400])
def test_runs_of_a_hundred_are_found(lake: Lake, declare: Declare, tmp_path: Path, run: int) -> None:
    """Each of some, wherever it is."""
    first = _log(1, 5000)
    (tmp_path / "a.log").write_bytes(b"".join(first))
    for n in range(10):
        lines = [*_log(10 + n, 50), *first[400 * n + 37 : 400 * n + 37 + run], *_log(30 + n, 50)]
        (tmp_path / f"b{n}.log").write_bytes(b"".join(lines))
    extract_day(lake, declare(files="*.log", expected_hours="0"), DAY)
    assert " of b0.log are in a.log, too" in _incomplete(lake)
    assert "; and so in 8 more" in _incomplete(lake)


def test_what_chance_explains_is_not_said(lake: Lake, declare: Declare, tmp_path: Path) -> None:
    """Busy hosts have equal lines, in another order; idle ones are asked the same, in the same order."""
    for host in range(4):
        random = np.random.default_rng(host)
        seconds = np.sort(random.integers(600, size=20_000))
        lines = [
            b'192.0.2.1 - - [17/Sep/2026:00:%02d:%02d +0000] "GET /%d HTTP/1.1" 200 5 "-" "curl"\n'
            % (second // 60, second % 60, page)
            for second, page in zip(seconds, random.integers(20, size=20_000), strict=True)
        ]
        (tmp_path / f"busy{host}.log").write_bytes(b"".join(lines))
    extract_day(lake, declare(files="busy*.log", expected_hours="0"), DAY)
    assert "too" not in _incomplete(lake)


def test_lines_that_come_again_count_once_where_that_is_asked_for(
    lake: Lake, declare: Declare, tmp_path: Path
) -> None:
    """Whole files, parts of them, and rejects; a line that one file has twice counts twice."""
    first, other = [*_log(1, 2000), b"junk\n"], _log(2, 300)
    (tmp_path / "access-20260917-a.log").write_bytes(b"".join([*first, first[5]]))
    (tmp_path / "access-20260917-b.log").write_bytes(b"".join([*first[-900:], *other, first[5]]))
    (tmp_path / "access-20260917-c.log").write_bytes(b"".join([*first, first[5], first[5]]))
    source = declare(files="access-{YYYY}{MM}{DD}-*.log", duplicates="lines", expected_hours="0")
    lines = extract_day(lake, source, DAY)
    assert (lines.read, lines.kept, lines.rejected, lines.doubled) == (5206, 2302, 1, 2903)
    assert not _incomplete(lake)
    (partition,) = lake.latest_of_day(contract("requests"), DAY)
    assert lake.provenance(partition).doubled == 2903
    assert (
        declare(files="access-{YYYY}{MM}{DD}-*.log", expected_hours="0").settings_sha256 != source.settings_sha256
    )


@pytest.mark.parametrize("bundle_files", [1, 256])
def test_the_last_line_of_a_day_in_a_neighbours_file_may_come_again(  # noqa: PLR0913, PLR0917 - fixtures
    lake: Lake,
    declare: Declare,
    tmp_path: Path,
    log_line: Callable[..., bytes],
    monkeypatch: pytest.MonkeyPatch,
    bundle_files: int,
) -> None:
    """What is recorded of that file goes up to it all the same, whether files are read together or not."""
    monkeypatch.setattr(bundle, "BUNDLE_FILES", bundle_files)
    late = [log_line(MIDNIGHT + timedelta(seconds=n), request=f"GET /{n} HTTP/1.1") for n in range(3)]
    (tmp_path / "access-20260916-a.log").write_bytes(late[0] + late[1])
    (tmp_path / "access-20260916-b.log").write_bytes(late[2] + late[1] + b"junk\n")
    (tmp_path / "access-20260917-a.log").write_bytes(late[2])
    source = declare(files="access-{YYYY}{MM}{DD}-*.log", duplicates="lines", covers="0 to 1")
    lines = extract_day(lake, source, DAY)
    assert (lines.read, lines.kept, lines.doubled) == (6, 3, 2)
    (partition,) = lake.latest_of_day(contract("requests"), DAY)
    inputs = lake.provenance(partition).inputs
    assert [(each.name, each.lines, each.of_day) for each in inputs] == [
        ("access-20260916-a.log", 2, 2),
        ("access-20260916-b.log", 2, 1),
        ("access-20260917-a.log", None, 0),
    ]


@given(st.lists(st.lists(st.sampled_from([b"a", b"b", b"", b"cc"]), max_size=12), min_size=1, max_size=4))
def test_a_line_counts_as_often_as_one_file_has_it_most(files: list[list[bytes]]) -> None:
    """What is left of all files is, of each line, the largest number that a file has."""
    with pytest.MonkeyPatch.context() as patched:
        texts = {str(n): b"".join(line + b"\n" for line in lines) for n, lines in enumerate(files)}

        class Reader:
            def __init__(self, file: RawFile, *_: object, **__: object) -> None:
                self.text = texts[file.name]

            def blocks(self) -> list[memoryview]:
                return [memoryview(self.text)] if self.text else []

        patched.setattr("etl.raw.doubled.RawReader", Reader)
        found = doubled_lines([RawFile(name, name, None) for name in texts])
    left = [
        line
        for lines, doubled in zip(files, found, strict=True)
        for n, line in enumerate(lines)
        if n not in set(doubled.tolist())
    ]
    for line in {each for lines in files for each in lines}:
        assert left.count(line) == max(lines.count(line) for lines in files)


@pytest.mark.parametrize("lines", [(10, 10), (100, 140)])
def test_sources_that_read_the_same_file_are_refused(
    lake: Lake, declare: Declare, tmp_path: Path, caplog: pytest.LogCaptureFixture, lines: tuple[int, int]
) -> None:
    """Its requests would count twice at a vantage, whatever it is called there; at two, they are counted apart.

    As after a source was renamed without `formerly`: its log has grown by then.
    """
    for name, count in zip(("a.log", "b.log"), lines, strict=True):
        (tmp_path / name).write_bytes(b"".join(_log(1, 140)[:count]))
    sources = [replace(declare(files=f"{name}.log"), name=name) for name in ("a", "b")]
    counts = [contract(name) for name in ("source_counts", "source_days", "source_breakdown")]
    for source in sources:
        extract_day(lake, source, DAY)
        aggregate_day(lake, [Partition(each.name, each.version, DAY, source.name) for each in counts], [source])
    summed, broken_down = (
        [Partition(name, contract(name).version, DAY)] for name in ("error_counts", "error_breakdown")
    )
    for partitions in (summed, broken_down):
        with pytest.raises(InputError, match="sources a and b have read a raw file with the same content"):
            aggregate_day(lake, partitions, sources)
    warned = [replace(each, severities=Severities(duplicate_files=Severity.WARN)) for each in sources]
    aggregate_day(lake, summed, warned)
    said = "sources a and b have read a raw file with the same content"
    assert said in (lake.provenance(summed[0]).incomplete or "")
    assert said in caplog.text
    edge = replace(sources[1], classifier=replace(sources[1].classifier, vantage="edge"))
    revision = Revision(1, "elsewhere")
    aggregate_day(lake, [replace(summed[0], revision=1)], [sources[0], edge], revision)
    assert said not in (lake.provenance(replace(summed[0], revision=1)).incomplete or "")
