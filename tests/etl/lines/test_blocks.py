"""With and without the compiled kernel, by one reader and by several: the same bytes are published."""

import builtins
import gzip
import hashlib
import logging
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from llvmlite import binding

from etl.kernel import machine_code
from etl.lines import blocks
from etl.raw import reading
from etl.sources.limits import Limits
from etl.sources.source import Source
from etl.steps import extract, file_reader
from etl.steps.extract import extract_day
from lake.errors import InputError
from lake.lake import Lake
from lake.parquet import writer as parquet

DAY = date(2026, 9, 17)
MIDNIGHT = datetime(2026, 9, 17, tzinfo=UTC)
PATHS = (
    "/",
    "/item/{n}",
    "/order/{n:032x}",
    "/mail/{n}@example.com/x",
    "/a%20b/{n}?q={n}",
    "/{n:09d}1",
    "/\xe9{n}",
)
NewLake = Callable[[str], Lake]


@pytest.fixture
def hourly(tmp_path: Path, log_line: Callable[..., bytes]) -> int:
    """24 files of a day, plain and gzip in turn, with requests of all kinds and some rejects; how many lines."""
    for hour in range(24):
        lines = [
            log_line(
                MIDNIGHT + timedelta(hours=hour, seconds=n),
                request=f"GET {PATHS[n % len(PATHS)].format(n=n % 97)} HTTP/1.1",
                status="503" if n % 50 == 0 else "99" if n % 333 == 0 else "200",
                user="a b" if n % 41 == 0 else "-",
            )
            for n in range(3000)
        ]
        data = b"".join(lines)
        name = tmp_path / f"access.log-20260917{hour:02}"
        name.write_bytes(gzip.compress(data) if hour % 2 else data)
    return 24 * 3000


def _digests(lake: Lake) -> dict[str, str]:
    root = Path(lake.root)
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*.parquet"))
    }


@pytest.mark.slow
@pytest.mark.parametrize("block_bytes", [50_000, 16 << 20])
def test_readers_and_kernel_change_no_byte(
    monkeypatch: pytest.MonkeyPatch,
    declare: Callable[..., Source],
    new_lake: NewLake,
    hourly: int,
    block_bytes: int,
) -> None:
    """One reader and encoder or three, compiled or plain, in blocks of any size: the same partitions."""
    monkeypatch.setattr(reading, "BLOCK_BYTES", block_bytes)
    monkeypatch.setattr(extract, "FEW_BYTES", 0)
    monkeypatch.setattr(parquet, "ROW_GROUP_ROWS", hourly // 5)
    source = declare(files="access.log-{YYYY}{MM}{DD}{HH}")
    found = []
    for readers, worth in ((1, 0), (3, 0), (3, 1 << 40), (1, 1 << 40)):
        monkeypatch.setattr(blocks, "WORTH_LOADING", worth)
        lake = new_lake(f"lake-{readers}-{worth}")
        lines = extract_day(lake, replace(source, limits=Limits(readers, 2, readers)), DAY)
        assert lines.read == lines.kept + lines.rejected == hourly
        found.append(_digests(lake))
    assert len(found[0]) == 2
    assert all(each == found[0] for each in found)


@pytest.mark.usefixtures("hourly")
def test_reading_a_file_ahead_changes_no_byte(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, declare: Callable[..., Source], new_lake: NewLake
) -> None:
    """One large gzip file is inflated in a thread where there is a core left: same partitions, and same errors."""
    monkeypatch.setattr(reading, "BLOCK_BYTES", 50_000)
    monkeypatch.setattr(file_reader, "BLOCK_BYTES", 50_000)
    monkeypatch.setattr(extract, "FEW_BYTES", 0)
    hours = [file.read_bytes() for file in sorted(tmp_path.glob("access.log-*"))]
    data = b"".join(gzip.decompress(each) if each.startswith(b"\x1f\x8b") else each for each in hours)
    file, source = tmp_path / f"whole-{DAY:%Y%m%d}", declare(files="whole-{YYYY}{MM}{DD}")
    file.write_bytes(gzip.compress(data, 1))
    found = []
    for readers in (1, 2):
        lake = new_lake(f"lake-{readers}")
        extract_day(lake, replace(source, limits=Limits(readers)), DAY)
        found.append(_digests(lake))
    assert found[0] == found[1]
    file.write_bytes(file.read_bytes()[:-1000])
    with pytest.raises(InputError, match="cut off or damaged after line"):
        extract_day(new_lake("lake-damaged"), replace(source, limits=Limits(2)), DAY)
    assert not [each for each in threading.enumerate() if each.name.endswith("(_fill)")]


def test_few_bytes_are_read_without_a_thread(
    monkeypatch: pytest.MonkeyPatch, hourly: int, declare: Callable[..., Source], new_lake: NewLake
) -> None:
    """To begin threads takes longer than to read small files; the same is published."""
    source = replace(declare(files="access.log-{YYYY}{MM}{DD}{HH}"), limits=Limits(3, 2, 3))
    started: list[threading.Thread] = []
    start = threading.Thread.start

    def noted(thread: threading.Thread) -> None:
        started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", noted)
    found = []
    for few in (0, 1 << 30):
        monkeypatch.setattr(extract, "FEW_BYTES", few)
        started.clear()
        lake = new_lake(f"lake-{few}")
        assert extract_day(lake, source, DAY).read == hourly
        found.append((bool(started), _digests(lake)))
    (has_threads, digests), small = found
    assert has_threads
    assert small == (False, digests)


def test_without_numba_extraction_goes_on_and_says_so_once(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    declare: Callable[..., Source],
    new_lake: NewLake,
    hourly: int,
) -> None:
    """Where the compiled kernel can't be had, a warning tells that it is slower, and the bytes are the same."""
    source = declare(files="access.log-{YYYY}{MM}{DD}{HH}")
    monkeypatch.setattr(blocks, "WORTH_LOADING", 0)
    extract_day(new_lake("with"), source, DAY)
    imported = builtins.__import__

    def without(name: str, *arguments: Any, **named: Any) -> Any:
        if name.startswith(("numba", "llvmlite", "etl.lines.compiled")) or "compiled" in (
            named.get("fromlist") or ()
        ):
            raise ImportError("No module named 'numba'")
        if name == "etl.lines" and arguments[2:3] == (("compiled",),):
            raise ImportError("No module named 'numba'")
        return imported(name, *arguments, **named)

    blocks._loaded.cache_clear()  # noqa: SLF001 - as in a new process
    monkeypatch.setattr(builtins, "__import__", without)
    with caplog.at_level(logging.WARNING):
        lines = extract_day(new_lake("without"), source, DAY)
    monkeypatch.undo()
    blocks._loaded.cache_clear()  # noqa: SLF001
    assert lines.read == hourly
    assert caplog.text.count("Extraction takes five to ten times the CPU without its compiled kernel") == 1
    assert "pip install 'error-rate-lake[fast]'" in caplog.text
    assert _digests(new_lake("without")) == _digests(new_lake("with"))


def test_the_kernel_is_loaded_once_by_threads_that_begin_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that where it can't be had, one warning says so."""
    begun, several = [], threading.Event()

    @lru_cache
    def loaded() -> None:
        begun.append(1)
        if len(begun) > 1:
            several.set()
        several.wait(0.2)

    monkeypatch.setattr(blocks, "_loaded", loaded)
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(blocks._load) for _ in range(4)]:  # noqa: SLF001
            done.result()
    assert len(begun) == 1


def test_damaged_machine_code_is_compiled_anew(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A file that is not what was written is not run, but replaced."""
    right = machine_code._compiled_or_kept()  # noqa: SLF001 - what there is
    monkeypatch.setattr(machine_code, "_folders", lambda: [tmp_path / "not there yet"])
    monkeypatch.setattr(machine_code, "_compiled", lambda _: right)
    machine_code._compiled_or_kept()  # noqa: SLF001
    (kept,) = tmp_path.glob("*/*.o")
    assert kept.read_bytes() == right
    kept.chmod(0o644)
    kept.write_bytes(right[:-1] + b"x")
    assert machine_code._compiled_or_kept() == right  # noqa: SLF001
    assert kept.read_bytes() == right


def test_what_compiles_takes_no_other_argument():
    """A slip of the pen would leave a machine that is copied with code for this one's processor."""
    command = [sys.executable, "-m", "etl.lines.compiled", "--portabel"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "etl.lines.compiled: --portabel: expected nothing, or --portable\n"


@pytest.mark.parametrize(("lacks", "compiled"), [("nothing", False), ("ssse3", True)])
def test_portable_machine_code_is_for_processors_that_have_its_instructions(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, lacks: str, *, compiled: bool
) -> None:
    """It is taken where there is none for this processor, but not by one that would fail on it."""
    has = {each: each != lacks for _, needed in machine_code.PORTABLE.values() for each in needed}
    monkeypatch.setattr(machine_code.binding, "get_host_cpu_features", lambda: binding.FeatureMap(has))
    monkeypatch.setattr(machine_code.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(machine_code, "_folders", lambda: iter([tmp_path / "code"]))
    made = []

    def compile_for(processor: machine_code.Processor) -> bytes:
        made.append(processor.name)
        return hashlib.sha256(processor.name.encode()).digest() + processor.name.encode()

    monkeypatch.setattr(machine_code, "_compiled", compile_for)
    machine_code.keep_portable()
    machine_code._compiled_or_kept()  # noqa: SLF001
    assert made == ["x86-64-v2", *[machine_code.binding.get_host_cpu_name()] * compiled]


def test_machine_code_that_cannot_be_kept_is_used_all_the_same(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Where no folder is writable, each process compiles its own, and says so."""
    right = machine_code._compiled_or_kept()  # noqa: SLF001
    tmp_path.joinpath("a file").touch()
    monkeypatch.setattr(machine_code, "_folders", lambda: [tmp_path / "a file"])
    monkeypatch.setattr(machine_code, "_compiled", lambda _: right)
    assert machine_code._compiled_or_kept() == right  # noqa: SLF001
    assert "could not be kept" in caplog.text
