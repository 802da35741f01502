"""Small files taken apart together: each has what it has when it is read alone, to the last count and digest."""

import gzip
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import agreement
import lines
import numpy as np
import pytest

from etl.lines import blocks
from etl.lines.parse import DIRECTIVE
from etl.raw.files import RawFile
from etl.raw.reading import RawReader
from etl.sources.completeness import Severities, Severity
from etl.sources.source import Source
from etl.steps import bundle
from etl.steps.bundle import BUNDLE_FILES, SMALL_BYTES, Bundle, bundled
from etl.steps.extract import extract_day
from etl.steps.file_reader import FileReader, passes_in
from etl.steps.repeats import Sample
from lake.contracts import contract
from lake.errors import InputError
from lake.lake import Lake
from lake.partition import days_since_epoch

DAY = date(2026, 9, 17)
NUMBER = days_since_epoch(DAY)
DATED = "logs/{YYYY}-{MM}-{DD}/*.log"
Declare = Callable[..., Source]


def _readers(source: Source, day: int, *, doubled: bool = False) -> list[FileReader]:
    files, ends = source.find_files(DAY), {}

    def left_out(n: int, file: RawFile) -> Any:
        """Return every third line."""
        return np.arange(n % 3, RawReader(file).whole(1 << 20).count(b"\n"), 3) if doubled else None

    return [
        FileReader(
            *(source, each, frozenset({day}), passes_in(source, files, n, ends)),
            sample=Sample(),
            doubled=left_out(n, each),
        )
        for n, each in enumerate(files)
    ]


def _all_of(readers: list[FileReader], bundles: Sequence[FileReader | Bundle], day: int) -> Any:
    """Return all that files tell for a day, and what becomes of their lines."""
    portions = [portion for each in bundles for found in each.portions() for portion in found]
    tables = [
        [row for portion in portions for row in getattr(portion, name).to_pylist()]
        for name in ("requests", "rejects")
    ]
    statuses = [status for portion in portions for status in portion.statuses.tolist()]
    told = [
        (
            *(each.lines, each.neither, each.days, each.strays, each.is_cut, each.own_day, each.content),
            *(each.input(day), each.of_day(day), each.others(day), each.untold(DAY), each.doubled),
            [part.tolist() for part in each.sample.runs()] if each.sample else None,
            *((part := each.part(day)).lines, part.others, part.neither, part.end.content()),
        )
        for each in readers
    ]
    return tables, statuses, told


def _write(folder: Path, rng: Random, case: Any, name: str, count: int) -> None:
    """Write files of drawn lines: of any length, empty ones, compressed ones, and those whose last line is cut."""
    for n in range(count):
        text = lines.log(rng, name, case.dialect, rng.choice((0, 1, 3, 20, 50)), damaged=0.2)
        path = folder / "logs" / f"{DAY.replace(day=rng.choice((16, 17, 17)))}" / f"{n:03}.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(text) if rng.random() < 0.3 else text)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(agreement.CASES))
def test_files_together_are_what_each_is_alone(
    declare: Declare, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """In every format, by either parser, of the files' own day and of another one, wherever a block ends."""
    case = agreement.CASES[name]
    rng = lines.seeded(f"bundle {name}")
    _write(tmp_path, rng, case, name, 8)
    source = declare(files=DATED, neighbour_days=1, noise="^noise", max_reject_rate=1)
    source = replace(source, format=case.format, classifier=case.classifier)
    for day, threshold in ((NUMBER, 0), (NUMBER - 1, sys.maxsize)):
        monkeypatch.setattr(blocks, "WORTH_LOADING", threshold)
        monkeypatch.setattr(bundle, "BLOCK_BYTES", rng.choice((5000, 50_000)))
        is_doubled = day == NUMBER
        alone, together = (_readers(source, day, doubled=is_doubled) for _ in range(2))
        bundles = bundled(together)
        assert len(bundles) < len(alone)
        assert _all_of(together, bundles, day) == _all_of(alone, alone, day)


def test_files_with_the_same_head_have_it_each(declare: Declare, tmp_path: Path) -> None:
    """Its lines are counted in each, and one without a head, with another or a second one is read by its own."""
    fields, version = b"#Fields: date time cs-method cs-uri-stem sc-status\n", b"#Version: 1.0\n"
    other = b"#Fields: date time sc-status cs-method cs-uri-stem\n"
    rows = [b"2026-09-%d\t00:00:%02d\tGET\t/a\t200\n" % (day, n) for n, day in enumerate((16, 17, 17, 18))]
    head, body = version + fields, b"".join(rows) + b"bad\n"
    of_other = other + b"2026-09-17\t10:00:00\t500\tGET\t/b\n"
    texts = [head + body, head + body[:-1], head[:-1], b"", head + rows[0] + rows[1] + b"#Remark: x\nbad\n", body]
    texts += [of_other, of_other, b"#Odd\n" + head + body, b"#Odd\n" + head + body, head + body + other + of_other]
    texts += [head + body, head + rows[1], head + body]
    for day in (16, 17):
        for n, text in enumerate(texts):
            path = tmp_path / "logs" / f"2026-09-{day}" / f"{n:02}.log"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text)
    source = declare(files=DATED, format="cloudfront", neighbour_days=1)
    for day in (NUMBER - 1, NUMBER, NUMBER + 1):
        alone, together = (_readers(source, day, doubled=day == NUMBER) for _ in range(2))
        assert [len(each.readers) for each in bundled(together)] == [len(texts), len(texts)]
        assert _all_of(together, bundled(together), day) == _all_of(alone, alone, day)
    assert together[len(texts)].neither == {DIRECTIVE: 2}
    assert together[len(texts) + 1].neither == {DIRECTIVE: 2}
    assert not together[len(texts) + 5].neither


def _lines_of(log_line: Any, minute: int, count: int) -> bytes:
    start = datetime(2026, 9, 17, 0, minute, tzinfo=UTC)
    times = (start + timedelta(seconds=n) for n in range(count))
    return b"".join(log_line(time, request=f"GET /{minute}/{n} HTTP/1.1") for n, time in enumerate(times))


def test_a_day_of_many_small_files_is_the_same_to_the_byte(
    new_lake: Callable[[str], Lake],
    declare: Declare,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    log_line: Any,
) -> None:
    """Small ones, a large one between them, more than a bundle has, and what is wrong with them: as one by one."""
    folder = tmp_path / "logs" / f"{DAY}"
    folder.mkdir(parents=True)
    for n in range(3 * 4 + 1):
        bad = b"" if n % 3 else b"unreadable\n" + log_line(datetime(2026, 9, 19, tzinfo=UTC))
        (folder / f"{n:02}.log").write_bytes(_lines_of(log_line, n, 120 if n % 2 else 3) + bad)
    (folder / "05.log").write_bytes((folder / "04.log").read_bytes())
    (folder / "06.log").write_bytes(gzip.compress(_lines_of(log_line, 6, 2000)))  # not small once decompressed
    (folder / "07.log").write_bytes(b"")
    (folder / "08.log").write_bytes(_lines_of(log_line, 8, 3)[:-20])
    (folder / "12.log").write_bytes(
        _lines_of(log_line, 9, 120) + _lines_of(log_line, 12, 1)
    )  # of one that has others, too
    told_of = Severities(duplicate_files=Severity.WARN)
    source = replace(declare(files=DATED, max_reject_rate=1), severities=told_of)
    monkeypatch.setattr(bundle, "BUNDLE_FILES", 4)
    monkeypatch.setattr(bundle, "MOST_BYTES", 100_000)
    together, alone = new_lake("together"), new_lake("alone")
    extract_day(together, source, DAY)
    monkeypatch.setattr(bundle, "BUNDLE_FILES", 1)
    extract_day(alone, source, DAY)
    found, wanted = (
        {path.relative_to(lake.root): path.read_bytes() for path in Path(lake.root).rglob("*.parquet")}
        for lake in (together, alone)
    )
    assert len(found) == 2
    assert found == wanted
    told = together.provenance(together.latest_of_day(contract("requests"), DAY)[0]).incomplete
    assert "04.log, logs/2026-09-17/05.log have the same content" in told
    assert "120 requests of logs/2026-09-17/12.log are in logs/2026-09-17/09.log, too" in told


def test_what_is_wrong_with_a_small_file_names_it(
    declare: Declare, tmp_path: Path, lake: Lake, log_line: Any
) -> None:
    """One that is cut off, or nothing that is read here, is told as if it were read alone."""
    folder = tmp_path / "logs" / f"{DAY}"
    folder.mkdir(parents=True)
    good = _lines_of(log_line, 1, 20)
    for n in range(3):
        (folder / f"{n}.log").write_bytes(good)
    for data, said in (
        (gzip.compress(good)[:-9], r"1\.log: the gzip stream is cut off or damaged after line [0-9]+ "),
        (b"PAR1\0\0", r"1\.log is a Parquet file"),
    ):
        (folder / "1.log").write_bytes(data)
        with pytest.raises(InputError, match=said):
            extract_day(lake, declare(files=DATED), DAY)


def test_files_are_bundled_while_they_are_small_and_of_a_day(declare: Declare, tmp_path: Path) -> None:
    """So many at most, and never beside a large one; what must be read in its order is read alone."""
    folder = tmp_path / "logs" / f"{DAY}"
    folder.mkdir(parents=True)
    sizes = [1] * (BUNDLE_FILES + 1) + [SMALL_BYTES + 1, 0] + [SMALL_BYTES] * 5
    for n, size in enumerate(sizes):
        (folder / f"{n:03}.log").write_bytes(bytes(size))
    (tmp_path / "logs" / "2026-09-16").mkdir()
    (tmp_path / "logs" / "2026-09-16" / "a.log").write_bytes(b"")

    def together(**settings: Any) -> list[int]:
        readers = _readers(declare(files=DATED, **settings), NUMBER)
        return [len(each.readers) for each in bundled(readers)]

    assert together(neighbour_days=1) == [1, BUNDLE_FILES, 1, 1, 5, 1]
    assert together(format="json", envelope="docker") == [1] * len(sizes)
