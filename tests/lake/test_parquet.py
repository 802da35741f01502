"""Partition files: the same bytes for the same rows, and only rows that keep to the contract."""

from itertools import pairwise

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lake import parquet
from lake.errors import ContractViolation
from lake.parquet import PartitionWriter, read_footer, sha256_of
from lake.partition import Partition


@pytest.fixture(scope="module")
def write(tmp_path_factory, readings, day, provenance_of):
    """Writes batches of rows and returns the finished file."""

    def written(*batches):
        path = tmp_path_factory.mktemp("parquet") / "readings.unfinished"
        with PartitionWriter(readings, day, path) as writer:
            for batch in batches:
                writer.write(batch)
            return writer.finish(provenance_of(Partition("readings", 2, day), writer.rows))

    return written


@settings(deadline=None, max_examples=15)
@given(st.lists(st.integers(0, 25), max_size=6), st.integers(1, 30))
def test_bytes_do_not_depend_on_batches(write, rows, cuts, row_group_rows):
    """However the rows were cut into batches, empty ones included, the file is the same to the byte."""
    table, edges = rows(25), [0, *sorted(cuts), 25]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parquet, "ROW_GROUP_ROWS", row_group_rows)
        whole = write(table)
        cut = write(*(table.slice(a, b - a) for a, b in pairwise(edges)))
    assert cut.sha256 == whole.sha256
    groups = pq.ParquetFile(cut.path).metadata
    assert {groups.row_group(i).num_rows for i in range(groups.num_row_groups - 1)} <= {row_group_rows}


def test_bytes_do_not_depend_on_batches_in_many_pages(write, rows):
    """The same holds where a column is too long for one page of a row group."""
    table = rows(150_000)
    assert write(*(table.slice(n, 7777) for n in range(0, 150_000, 7777))).sha256 == write(table).sha256


def test_what_is_written_can_be_read(write, rows):
    """The file holds the rows, the contract's schema and its own digest and size, and no column of the path."""
    table = rows(10)
    file = write(table)
    assert pq.ParquetFile(file.path).read().equals(table)
    assert (file.sha256, file.bytes) == (sha256_of(file.path), file.path.stat().st_size)
    assert not {"dt", "source", "rev"} & set(table.schema.names)


def test_provenance_is_readable_by_sql(write, rows, readings, day, provenance_of):
    """What made a file can be asked for with plain DuckDB, and read back whole."""
    path = write(rows(3)).path
    query = "select value from parquet_kv_metadata(?) where key = 'provenance'"
    (text,) = duckdb.execute(query, [str(path)]).fetchone()
    written = provenance_of(Partition("readings", readings.version, day), 3)
    assert text.decode() == written.to_json()
    assert read_footer(path).provenance == written


def test_a_day_without_rows_is_a_file(write, readings):
    """No rows at all still give a file with the schema."""
    assert pq.ParquetFile(write().path).read().equals(readings.schema.empty_table())


def test_bad_rows_end_the_writing(write, rows):
    """A later batch that breaks the contract is refused before there is a finished file."""
    with pytest.raises(ContractViolation, match="hits is -1"):
        write(rows(3), rows(hits=-1, name="y"))


def test_a_key_is_checked_over_all_batches(write, rows):
    """Two rows with one key are refused though each batch is in order."""
    with pytest.raises(ContractViolation, match=r"2015-05-17: 1 keys occur twice, such as \{'name': 'x0'"):
        write(rows(1), rows(1))


def test_rows_of_two_batches_keep_their_order(write, rows):
    """Rows stand in the file as they were written."""
    batches = [rows(1, name=name) for name in ("c", "a", "b")]
    assert pq.ParquetFile(write(*batches).path).read().equals(pa.concat_tables(batches).combine_chunks())
