"""Partition files: the same bytes for the same rows, and only rows that keep to the contract."""

from dataclasses import replace
from itertools import pairwise

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lake.digests import sha256_of
from lake.errors import ContractViolation
from lake.parquet import writer as parquet
from lake.parquet.writer import PartitionWriter, read_footer
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


def test_a_file_is_written_for_readers_of_all_kinds(write, rows):
    """zstd, Parquet 2.6, no schema of Arrow's; whole numbers by differences, and no statistics of texts."""
    metadata = pq.ParquetFile(write(rows(parquet.FEW_ROWS)).path).metadata
    assert metadata.format_version == "2.6"
    assert set(metadata.metadata) == {b"provenance"}
    columns = {metadata.row_group(0).column(i).path_in_schema: metadata.row_group(0).column(i) for i in range(6)}
    assert {each.compression for each in columns.values()} == {"ZSTD"}
    by_differences = {name for name, each in columns.items() if "DELTA_BINARY_PACKED" in each.encodings}
    by_dictionary = {name for name, each in columns.items() if each.has_dictionary_page}
    assert (by_differences, by_dictionary) == ({"at", "hits", "total"}, {"name", "kind", "share"})
    assert {name for name, each in columns.items() if each.is_stats_set} == {"at", "share", "hits", "total"}


def test_few_rows_are_written_plain(write, rows):
    """Without dictionaries and with snappy, which are quick to unpack; all else is as in a large file."""
    metadata = pq.ParquetFile(write(rows(parquet.FEW_ROWS - 1)).path).metadata
    assert metadata.format_version == "2.6"
    assert set(metadata.metadata) == {b"provenance"}
    columns = {metadata.row_group(0).column(i).path_in_schema: metadata.row_group(0).column(i) for i in range(6)}
    assert {each.compression for each in columns.values()} == {"SNAPPY"}
    assert {encoding for each in columns.values() for encoding in each.encodings} == {"PLAIN", "RLE"}
    assert {name for name, each in columns.items() if each.is_stats_set} == {"at", "share", "hits", "total"}


@pytest.fixture
def writer(readings, day, tmp_path, monkeypatch):
    """A writer of row groups of three rows."""
    monkeypatch.setattr(parquet, "ROW_GROUP_ROWS", 3)
    with PartitionWriter(readings, day, tmp_path / "readings.unfinished") as made:
        yield made


def test_what_waits_is_less_than_a_row_group(writer, rows):
    """So memory is bounded; rows are counted as they come."""
    counts = []
    for n in (2, 1, 7, 1):
        writer.write(rows(10).slice(0, n))
        counts.append((writer.rows, writer.waiting_rows))
        writer.contract = replace(writer.contract, key=())  # the rows are the same ones
    assert counts == [(2, 2), (3, 0), (10, 1), (11, 2)]


def test_nothing_is_written_before_it_must_be(writer, rows, provenance_of, day):
    """A pass over many days holds no file open for a day whose rows wait; what is flushed waits no more."""
    writer.write(rows(2))
    assert not writer.path.exists()
    writer.flush()
    writer.flush()
    assert writer.waiting_rows == 0
    writer.write(rows(4).slice(2))
    file = writer.finish(provenance_of(Partition("readings", 2, day), 4))
    metadata = pq.ParquetFile(file.path).metadata
    assert [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)] == [2, 2]


def test_a_file_without_rows_has_no_row_group(write):
    """So no reader stumbles over an empty one; its footer says that there is none."""
    path = write().path
    assert pq.ParquetFile(path).metadata.num_row_groups == 0
    assert (read_footer(path).rows, read_footer(path).provenance.rows_read) == (0, 0)


def test_a_footer_tells_schema_and_rows(write, rows, readings):
    """Without the rows being read."""
    footer = read_footer(write(rows(7)).path)
    assert footer.rows == 7
    assert footer.schema.equals(readings.schema)


def test_a_writer_that_is_left_early_closes_its_file(writer, rows):
    """What it has written stays in staging, and no handle of it stays open."""
    writer.write(rows(3))
    writer.__exit__(None, None, None)
    assert not writer._parquet.is_open  # noqa: SLF001


@given(st.lists(st.none() | st.sampled_from(["warm", "cold"]), min_size=1, max_size=8), st.integers(0, 8))
@settings(deadline=None, max_examples=25)
def test_bytes_do_not_depend_on_how_texts_were_encoded(write, rows, kinds, cut):
    """Plain, or by dictionaries with other values, in another order, that do not occur."""
    table = rows(len(kinds))
    position = table.schema.get_field_index("kind")
    plain = table.set_column(position, table.schema.field(position), pa.array(kinds, pa.string()))
    values = ["none such", "cold", "warm"]
    indices = pa.array([None if kind is None else values.index(kind) for kind in kinds], pa.int32())
    encoded = pa.DictionaryArray.from_arrays(indices, pa.array(values))
    field = table.schema.field(position).with_type(encoded.type)
    other = table.set_column(position, field, encoded)
    assert write(other.slice(0, cut), other.slice(cut)).sha256 == write(plain).sha256


def test_a_key_is_checked_over_all_row_groups(writer, rows, provenance_of, day):
    """Each is in order by itself; the message is the same as within one."""
    writer.write(rows(3))
    writer.write(rows(2))
    with pytest.raises(ContractViolation, match="readings v2 2015-05-17: 2 keys occur twice"):
        writer.finish(provenance_of(Partition("readings", 2, day), 5))
