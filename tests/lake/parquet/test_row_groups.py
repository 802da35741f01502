"""Row groups that are encoded in threads: the same bytes as Arrow's own writer gives, and no thread left over."""

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import date
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lake.contracts import CONTRACTS
from lake.errors import ContractViolation
from lake.parquet import writer as parquet
from lake.parquet.row_groups import Encoders, SplicedFile
from lake.parquet.writer import PartitionWriter
from lake.partition import Partition
from lake.store.protocol import StagedFile

GROUP_ROWS = parquet.FEW_ROWS  # fewer are written plain
BIG = [0, 1, -1, 63, 64, -65, 2**31, -(2**31) - 1, 2**62, -(2**63), 2**63 - 1]


@pytest.fixture
def others() -> set[threading.Thread]:
    """The threads that other tests have left running."""
    return set(threading.enumerate())


Write = Callable[..., StagedFile]


@pytest.fixture(scope="module")
def write(tmp_path_factory: pytest.TempPathFactory, readings: Any, day: date, provenance_of: Any) -> Write:
    """Writes batches of rows with so many threads, and returns the finished file."""

    def written(threads: int, *batches: pa.Table) -> StagedFile:
        path = tmp_path_factory.mktemp("row-groups") / "readings.unfinished"
        with Encoders(threads) as encoders, PartitionWriter(readings, day, path, encoders) as writer:
            for batch in batches:
                writer.write(batch)
            return writer.finish(provenance_of(Partition("readings", 2, day), writer.rows))

    return written


@pytest.fixture
def small_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    """Row groups of few rows."""
    monkeypatch.setattr(parquet, "ROW_GROUP_ROWS", GROUP_ROWS)


def _any_rows(schema: pa.Schema, rows: int, seed: int = 0) -> pa.Table:
    """Return rows of a schema's types: few and many different values, low and high, nulls where they may be."""

    def column(field: pa.Field, position: int) -> pa.Array:
        numbers = [(n * 7919 + seed + position) % (3 if position % 2 else rows) for n in range(rows)]
        texts = [f"{field.name}-{n}" * (1 + n % 3) for n in numbers]
        of_kind = {
            pa.string(): texts,
            pa.bool_(): [n % 3 == 0 for n in numbers],
            pa.float64(): [n / 7 for n in numbers],
            pa.timestamp("us"): [n * 1_000_003 for n in numbers],
        }
        big = [n for n in BIG if field.type == pa.int64() or abs(n) < 2**31]
        values = of_kind.get(field.type, [big[n % len(big)] if n % 5 == 0 else n for n in numbers])
        if field.nullable:
            values = [None if n % 11 == 0 else value for n, value in enumerate(values)]
        return pa.array(values, field.type)

    columns = [column(field, position) for position, field in enumerate(schema)]
    return pa.Table.from_arrays(columns, schema=schema)


def _spliced(
    path: Path, writer: Callable[..., pq.ParquetWriter], row_groups: Iterable[pa.Table], threads: int
) -> bytes:
    with Encoders(threads) as encoders:
        file = SplicedFile(path, writer, encoders)
        for each in row_groups:
            file.add(partial(lambda table: table, each))
        file.finish({"provenance": "{}"})
    return path.read_bytes()


def _by_arrow(path: Path, writer: Callable[..., pq.ParquetWriter], row_groups: Iterable[pa.Table]) -> bytes:
    with writer(path) as file:
        for each in row_groups:
            file.write_table(each, row_group_size=each.num_rows)
        file.add_key_value_metadata({"provenance": "{}"})
    return path.read_bytes()


@pytest.mark.parametrize("name", CONTRACTS)
@pytest.mark.parametrize(
    "groups", [0, 1, *(pytest.param(many, marks=pytest.mark.slow) for many in (2, 14, 15, 200))]
)
@pytest.mark.parametrize("rows", [300, GROUP_ROWS])
def test_a_file_is_what_arrow_writes(tmp_path: Path, name: str, groups: int, rows: int) -> None:
    """To the byte: every contract's columns, plain and by dictionary, with no row group, one, and many."""
    schema = CONTRACTS[name].schema
    different = [parquet._encoded(_any_rows(schema, rows - seed, seed)) for seed in range(3)]  # noqa: SLF001
    row_groups = list(islice(cycle(different), groups))
    of_dictionaries = parquet._encoded(schema.empty_table()).schema  # noqa: SLF001
    writer = partial(parquet._parquet_writer, schema=of_dictionaries, rows=rows)  # noqa: SLF001
    of_arrow = _by_arrow(tmp_path / "by-arrow.parquet", writer, row_groups)
    assert _spliced(tmp_path / "spliced.parquet", writer, row_groups, 3) == of_arrow


VALUES = {
    pa.int64(): st.integers(-(2**63), 2**63 - 1) | st.sampled_from(BIG),
    pa.float64(): st.floats(),
    pa.string(): st.text(max_size=300),
    pa.bool_(): st.booleans(),
    pa.timestamp("us"): st.integers(-(2**62), 2**62),
}
OPTIONS = st.fixed_dictionaries(
    {
        "compression": st.sampled_from(["zstd", "snappy", "none", "gzip"]),
        "use_dictionary": st.booleans(),
        "write_statistics": st.booleans(),
        "data_page_size": st.sampled_from([64, 1 << 20]),
        "data_page_version": st.sampled_from(["1.0", "2.0"]),
        "version": st.sampled_from(["1.0", "2.6"]),
    }
)


@st.composite
def _tables(draw: st.DrawFn) -> tuple[pa.Schema, list[pa.Table]]:
    kinds = draw(st.lists(st.sampled_from(list(VALUES)), min_size=1, max_size=20))
    schema = pa.schema(
        [pa.field(draw(st.sampled_from(["a", "ü" * 90])) + str(n), kind) for n, kind in enumerate(kinds)]
    )
    tables = []
    for rows in draw(st.lists(st.integers(1, 30), max_size=20)):
        few = [[draw(st.none() | VALUES[kind]) for _ in range(3)] for kind in kinds]
        columns = [pa.array((values * rows)[:rows], kind) for values, kind in zip(few, kinds, strict=True)]
        tables.append(pa.Table.from_arrays(columns, schema=schema))
    return schema, tables


@pytest.mark.slow
@settings(deadline=None, max_examples=60)
@given(tables=_tables(), options=OPTIONS, threads=st.integers(1, 4))
def test_any_flat_file_is_what_arrow_writes(
    tmp_path_factory: pytest.TempPathFactory,
    tables: tuple[pa.Schema, list[pa.Table]],
    options: dict[str, Any],
    threads: int,
) -> None:
    """Whatever the columns, values and options, but nested columns, page index and bloom filters."""
    schema, row_groups = tables
    folder = tmp_path_factory.mktemp("any")
    writer = partial(pq.ParquetWriter, schema=schema, store_schema=False, **options)
    of_arrow = _by_arrow(folder / "by-arrow", writer, row_groups)
    assert _spliced(folder / "spliced", writer, row_groups, threads) == of_arrow


@pytest.mark.usefixtures("small_groups")
@pytest.mark.parametrize("count", [0, 1, GROUP_ROWS - 1, GROUP_ROWS, GROUP_ROWS + 1, 7 * GROUP_ROWS + 1])
def test_threads_change_no_byte(write: Write, rows: Any, others: set[threading.Thread], count: int) -> None:
    """Of no rows, less than one row group, just one, and many, in batches of any size."""
    table = rows(count) if count else rows(1).slice(1)
    batches = [table.slice(n, 777) for n in range(0, count, 777)]
    assert write(3, *batches).sha256 == write(1, table).sha256
    assert set(threading.enumerate()) <= others


@pytest.mark.slow
def test_pages_are_the_same_in_row_groups_of_full_size(write: Write, rows: Any) -> None:
    """Where a column has many pages, and the file several row groups."""
    table = rows(2 * parquet.ROW_GROUP_ROWS + 5)
    assert write(2, table).sha256 == write(1, table).sha256


@pytest.mark.usefixtures("small_groups")
def test_a_small_day_starts_no_thread(write: Write, rows: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Less than one row group is encoded where it is written, as with one thread."""
    monkeypatch.setattr(Encoders, "begin", None)
    assert pq.read_table(write(4, rows(GROUP_ROWS - 1)).path).num_rows == GROUP_ROWS - 1
    with pytest.raises(TypeError):
        write(4, rows(GROUP_ROWS))


@pytest.mark.usefixtures("small_groups")
def test_all_readers_read_it(write: Write, rows: Any) -> None:
    """pyarrow, also one row group and one column at a time, DuckDB, pandas, and Polars where it is there."""
    table = rows(5 * GROUP_ROWS + 1)
    path = write(3, table).path
    file = pq.ParquetFile(path)
    assert file.read().equals(table)
    for number in range(file.num_row_groups):
        part = table.slice(number * GROUP_ROWS, GROUP_ROWS)
        assert file.read_row_group(number, ["name", "hits"]).equals(part.select(["name", "hits"]))
    assert (
        duckdb.execute("select * from read_parquet(?)", [str(path)])
        .to_arrow_table()
        .cast(table.schema)
        .equals(table)
    )
    found = duckdb.execute(
        "select count(*), sum(hits) from read_parquet(?) where name = 'x2001'", [str(path)]
    ).fetchone()
    assert found == (1, table["hits"][2001].as_py())
    pd.testing.assert_frame_equal(pd.read_parquet(path), table.to_pandas())
    try:
        import polars as pl
    except ImportError:
        return
    assert pl.read_parquet(path).to_arrow().cast(table.schema).equals(table)


@pytest.mark.usefixtures("small_groups")
def test_bad_rows_end_the_writing(write: Write, rows: Any, others: set[threading.Thread]) -> None:
    """A row group that breaks the contract in a thread is told at the latest where the file would be finished."""
    good = rows(3 * GROUP_ROWS)
    for first in (0, GROUP_ROWS, 3 * GROUP_ROWS):
        bad = rows(GROUP_ROWS, hits=-1)
        with pytest.raises(ContractViolation, match="hits is -1"):
            write(3, good.slice(0, first), bad, good.slice(first))
        assert set(threading.enumerate()) <= others


class _Steps:
    """Work that ends when it is told to, and counts how much of it is under way."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.may_end = threading.Event()
        self.done: list[bytes] = []

    def work(self, number: int) -> pa.Buffer:
        self.counts["begun"] += 1
        self.may_end.wait(10)
        return pa.py_buffer(bytes([number]))

    def take(self, result: pa.Buffer) -> None:
        self.done.append(result.to_pybytes())


@pytest.fixture
def steps() -> Iterator[_Steps]:
    """Work that is let go in the end."""
    made = _Steps()
    yield made
    made.may_end.set()


def test_no_more_are_in_the_making_than_may_be(steps: _Steps, others: set[threading.Thread]) -> None:
    """The next one waits for the oldest; results come in order, by the thread that asks."""
    with Encoders(2) as encoders:
        for number in range(2):
            encoders.begin(partial(steps.work, number), steps.take)
        threading.Timer(0.2, steps.may_end.set).start()
        encoders.begin(partial(steps.work, 2), steps.take)
        assert steps.done == [b"\0"]
        encoders.end()
    assert steps.done == [b"\0", b"\1", b"\2"]
    assert steps.counts["begun"] == 3
    assert {each for each in threading.enumerate() if not isinstance(each, threading.Timer)} <= others


def test_what_is_left_early_is_waited_for(steps: _Steps, others: set[threading.Thread]) -> None:
    """After an error no thread is left, and nothing more is written."""
    steps.may_end.set()
    with suppress(KeyboardInterrupt), Encoders(3) as encoders:
        encoders.begin(partial(steps.work, 0), steps.take)
        raise KeyboardInterrupt
    assert steps.done == []
    assert set(threading.enumerate()) <= others


@pytest.mark.usefixtures("small_groups")
def test_files_share_their_threads(tmp_path: Path, rows: Any, write: Write) -> None:
    """Several files of one pass, written in turn: each is as if it were written alone."""
    tables = [rows(3 * GROUP_ROWS + n) for n in (1, 2, 3)]
    with Encoders(2) as encoders:
        files = [
            SplicedFile(tmp_path / str(n), partial(pq.ParquetWriter, schema=tables[0].schema), encoders)
            for n in range(3)
        ]
        for begin in range(0, 3 * GROUP_ROWS + 1, 500):
            for file, table in zip(files, tables, strict=True):
                file.add(partial(table.slice, begin, 500))
        for file in reversed(files):
            file.finish({})
    assert [pq.read_table(tmp_path / str(n)) for n in range(3)] == tables


@pytest.mark.usefixtures("small_groups")
def test_a_writer_that_is_left_early_closes_its_file(
    tmp_path: Path, readings: Any, rows: Any, day: date, others: set[threading.Thread]
) -> None:
    """What it has written stays in staging, and is no Parquet file."""
    path = tmp_path / "readings.unfinished"
    with Encoders(2) as encoders, PartitionWriter(readings, day, path, encoders) as writer:
        writer.write(rows(5 * GROUP_ROWS))
    with pytest.raises(pa.ArrowInvalid):
        pq.read_metadata(path)
    assert set(threading.enumerate()) <= others
