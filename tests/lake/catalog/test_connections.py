"""The catalog: views of the latest revisions, the same numbers as with other readers, and the macros."""

import os
import re
import shutil
from contextlib import suppress
from dataclasses import asdict, replace
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as pads
import pyarrow.fs
import pytest
from s3_servers import KEYS

from lake import clock, sql
from lake.catalog.connections import connect, read
from lake.catalog.file import write
from lake.catalog.slo import Slo
from lake.contracts import CONTRACTS, is_everybodys
from lake.errors import LakeError, StoreError
from lake.lake import Lake, open_store
from lake.partition import Partition

EVERY_DATASET = pytest.mark.parametrize("name", [name for name, each in CONTRACTS.items() if is_everybodys(each)])
REJECT = {"file": "a.log", "line_number": 1, "reason": "shape", "masked_line": "xxx"}
PER_APPLICATION = """
    select application, count(*), sum(server_error_requests), sum(valid_requests), avg(error_rate), max(rev)
    from {} group by application order by application
"""


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    """The catalog of an empty lake."""
    with connect(Lake(open_store(str(tmp_path_factory.mktemp("empty"))))) as connection:
        yield connection


@pytest.fixture
def fill(publish, error_rates, day):
    """Publishes two days of error rates."""

    def filled(lake):
        publish(lake, Partition("error_rate", 1, day), error_rates(api=10, shop=20))
        publish(lake, Partition("error_rate", 1, day + timedelta(1)), error_rates(shop=30))
        return lake

    return filled


def test_a_view_shows_the_latest_revisions(lake, publish, error_rates, day):
    """Of each day the rows of the highest revision are shown, 10 over 9, and say which it is."""
    for revision in (0, 9, 10):
        publish(lake, Partition("error_rate", 1, day, revision=revision), error_rates(shop=revision))
    publish(lake, Partition("error_rate", 1, day + timedelta(1)), error_rates(shop=500))
    with connect(lake) as connection:
        found = connection.sql("select dt, server_error_requests, rev from error_rate order by dt").fetchall()
    assert found == [(day, 10, 10), (day + timedelta(1), 500, 0)]


def test_a_view_shows_all_sources(lake, publish, day):
    """A dataset kept per source is one view, with the source as a column."""
    table = pa.Table.from_pylist([REJECT], CONTRACTS["rejects"].schema)
    for source in ("web", "api-2"):
        publish(lake, Partition("rejects", 1, day, source), table)
    with connect(lake) as connection:
        found = connection.sql("select dt, source, file, rev from rejects order by source").fetchall()
    assert found == [(day, "api-2", "a.log", 0), (day, "web", "a.log", 0)]


def test_a_catalog_is_of_its_moment(disk_lake, fill, publish, error_rates, day):
    """What is published later is shown by the next catalog, and doesn't disturb this one."""
    with connect(fill(disk_lake)) as before:
        publish(disk_lake, Partition("error_rate", 1, day, revision=1), error_rates(shop=0))
        assert before.sql("select max(rev) from error_rate").fetchone() == (0,)
    with connect(disk_lake) as after:
        assert after.sql("select max(rev) from error_rate").fetchone() == (1,)


@EVERY_DATASET
def test_an_empty_dataset_is_an_empty_view(empty, name):
    """Without partitions a view has no rows, and already its columns."""
    view, contract = empty.sql(f"from {name}"), CONTRACTS[name]
    assert view.fetchall() == []
    assert view.columns == ["dt", *(["source"] if contract.per_source else []), *contract.schema.names, "rev"]


@pytest.mark.parametrize("name", [name for name, each in CONTRACTS.items() if not is_everybodys(each)])
def test_what_few_have_is_shown_where_it_is_there(empty, disk_lake, publish, day, name):
    """Whoever has no source of other records doesn't see their datasets."""
    contract = CONTRACTS[name]
    query = "select count(*) from duckdb_views() where view_name = ?"
    assert empty.execute(query, [name]).fetchone() == (0,)
    source = "web" if contract.per_source else None
    publish(disk_lake, Partition(name, contract.version, day, source), contract.schema.empty_table())
    with connect(disk_lake) as connection:
        assert connection.execute(query, [name]).fetchone() == (1,)
        assert connection.sql(f"from {name}").fetchall() == []


def test_columns_are_the_same_empty_or_not(empty, lake, fill):
    """Names and types of a view don't depend on whether, or where, there are partitions."""
    with connect(fill(lake)) as connection:
        full = connection.sql("describe error_rate").fetchall()
    assert full == empty.sql("describe error_rate").fetchall()
    assert ("dt", "DATE") in [column[:2] for column in full]


@pytest.mark.parametrize("revisions", [1, 2], ids=["old files only", "old and new files"])
def test_a_column_that_a_file_lacks_is_null(  # noqa: PLR0913, PLR0917 - each is a fixture
    lake, publish, provenance_of, error_rates, monkeypatch, revisions
):
    """Files that are older than a column of their version stay readable beside those that have it."""
    day, old = date(2015, 5, 17), CONTRACTS["error_rate"]
    grown = [replace(each, added=each.name == "incomplete") for each in old.columns]
    monkeypatch.setitem(CONTRACTS, "error_rate", replace(old, columns=tuple(grown)))
    old = replace(old, columns=old.columns[:-1])
    rows = error_rates(shop=10)
    with lake.staging() as folder, lake.writer(old, day, folder) as writer:
        writer.write(rows.select(old.schema.names).cast(old.schema))
        partition = Partition("error_rate", 1, day)
        lake.publish(partition, writer.finish(provenance_of(partition, 1)))
    expected = [(day, 10, None)]
    if revisions > 1:
        position = rows.schema.get_field_index("incomplete")
        noted = rows.set_column(position, rows.schema.field(position), pa.array(["web: no raw logs"]))
        publish(lake, Partition("error_rate", 1, day + timedelta(1)), noted)
        expected.append((day + timedelta(1), 10, "web: no raw logs"))
    with connect(lake) as connection:
        found = connection.sql("select dt, server_error_requests, incomplete from error_rate order by dt")
        assert found.fetchall() == expected


def test_objectives_given_are_asked_of(tmp_path):
    """Questions about budgets find them in a table."""
    with connect(Lake(open_store(str(tmp_path))), (Slo("web", ("*",), None, 0.999, 30),)) as connection:
        assert connection.sql("select slo, objective from slo").fetchall() == [("web", 0.999)]


@EVERY_DATASET
def test_comments_are_the_contract(empty, name):
    """Views and columns are commented with the contract's own words."""
    contract = CONTRACTS[name]
    query = "select comment from duckdb_views() where view_name = ?"
    assert empty.execute(query, [name]).fetchone() == (f"A row is {contract.grain}. Latest revisions.",)
    expected = {column.name: f"{column.meaning} [{column.unit}]" for column in contract.columns}
    for view in (name, f"{name}_history"):
        query = "select column_name, comment from duckdb_columns() where table_name = ?"
        found = dict(empty.execute(query, [view]).fetchall())
        assert found.pop("dt") == "The partition's day [UTC day]"
        assert found.pop("rev") == "Revision: 0, or that of a restatement [number]"
        assert not contract.per_source or found.pop("source") == "The source of the raw logs [name]"
        assert found == expected


def test_analysts_views_are_there(empty):
    """Every view in queries/questions can be asked, also of an empty lake."""
    for each in sql.questions():
        if each.kind == "view":
            assert empty.sql(f"from {each.name}").fetchall() == []


def test_rates_over_all_days_are_made_of_sums(disk_lake, fill):
    """`error_rate_by_application` sums the counts and makes rate and interval anew, it averages nothing."""
    with connect(fill(disk_lake)) as connection:
        found = connection.sql("from error_rate_by_application").fetchall()
    assert [row[:7] for row in found] == [
        ("api", "origin", 1, 0, 1000, 10, 0.01),
        ("shop", "origin", 2, 0, 2000, 50, 0.025),
    ]
    assert all(low < rate < high for *_, rate, low, high in found)


def test_other_readers_see_the_same_numbers_on_disk(disk_lake, fill):
    """DuckDB without us, pandas and pyarrow read the files by the Hive convention, and agree with the catalog."""
    folder = f"{fill(disk_lake).root}/error_rate/v1"
    with connect(disk_lake) as connection:
        expected = connection.sql(PER_APPLICATION.format("error_rate")).fetchall()
    frame = pd.read_parquet(folder)  # noqa: F841 - DuckDB finds it by its name
    dataset = pads.dataset(folder, partitioning="hive")  # noqa: F841 - likewise
    files = f"read_parquet({sql.quoted(folder + '/**/*.parquet')}, hive_partitioning = true)"
    assert [row[:4] for row in expected] == [("api", 1, 10, 1000), ("shop", 2, 50, 2000)]
    for relation in (files, "frame", "dataset"):
        assert duckdb.sql(PER_APPLICATION.format(relation)).fetchall() == expected


def test_other_readers_see_the_same_numbers_on_s3(s3_root, moto_url, fill):
    """On S3, pyarrow by the Hive convention agrees with the catalog."""
    lake = fill(Lake(open_store(s3_root, moto_url)))
    with connect(lake) as connection:
        expected = connection.sql(PER_APPLICATION.format("error_rate")).fetchall()
    filesystem = pyarrow.fs.S3FileSystem(
        access_key=KEYS["AWS_ACCESS_KEY_ID"],
        secret_key=KEYS["AWS_SECRET_ACCESS_KEY"],
        region=KEYS["AWS_DEFAULT_REGION"],
        endpoint_override=moto_url,
    )
    folder = f"{s3_root.removeprefix('s3://')}/error_rate/v1"
    dataset = pads.dataset(folder, filesystem=filesystem, partitioning="hive")
    assert dataset.to_table()["dt"].to_pylist() == ["2015-05-17", "2015-05-17", "2015-05-18"]
    assert [row[:4] for row in expected] == [("api", 1, 10, 1000), ("shop", 2, 50, 2000)]
    assert duckdb.sql(PER_APPLICATION.format("dataset")).fetchall() == expected


def files_read(connection, query):
    """Return how many files a query reads, by DuckDB's own account."""
    ((_, plan),) = connection.execute(f"explain analyze {query}").fetchall()
    return [int(number) for number in re.findall(r"Total Files Read: (\d+)", plan)]


@pytest.fixture
def restated(lake, publish, error_rates, day):
    """A lake with two days, of which the first was restated to something else, and then to nothing."""
    for revision, rates in enumerate((error_rates(shop=10), error_rates(api=20), error_rates())):
        publish(lake, Partition("error_rate", 1, day, revision=revision), rates)
    publish(lake, Partition("error_rate", 1, day + timedelta(1)), error_rates(shop=30))
    return lake


def test_a_day_restated_to_nothing_has_no_rows(restated, day):
    """It is the listing that says which revision is the latest: the rows of such a one don't."""
    with connect(restated) as connection:
        found = connection.sql("select dt, application, rev from error_rate").fetchall()
        assert found == [(day + timedelta(1), "shop", 0)]
    assert read(restated, CONTRACTS["error_rate"])["dt"].to_pylist() == [day + timedelta(1)]


def test_history_has_all_revisions(restated, day):
    """Each row with the revision that it is of; the files have a line even without rows."""
    with connect(restated) as connection:
        found = connection.sql("select dt, application, rev from error_rate_history order by all").fetchall()
        assert found == [(day, "api", 1), (day, "shop", 0), (day + timedelta(1), "shop", 0)]
        files = connection.sql("select dt, rev, bytes, file from error_rate_files order by all").fetchall()
    assert [row[:2] for row in files] == [(day, 0), (day, 1), (day, 2), (day + timedelta(1), 0)]
    assert {row[3]: row[2] for row in files} == {
        f"{restated.root}/{each.key}": stored.bytes
        for each, stored in restated.objects(CONTRACTS["error_rate"]).items()
    }


def test_the_lake_as_of_a_time(restated, day):
    """Rows are those of the revisions that had been published by then, as recorded; before, none."""
    times = restated.published(CONTRACTS["error_rate"]).values()
    query = "select dt, application, rev from error_rate_as_of($1) order by all"
    with connect(restated) as connection:
        assert connection.execute(query, [min(times) - timedelta(seconds=1)]).fetchall() == []
        assert connection.execute(query, [max(times)]).fetchall() == [(day + timedelta(1), "shop", 0)]
        assert connection.execute("from error_rate_as_of('2015-01-01')").fetchall() == []


@pytest.fixture
def at(disk_lake, publish, error_rates, day):
    """Publishes a revision at a time."""

    def published(revision, time):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(clock, "utc_now", lambda: time)
            publish(disk_lake, Partition("error_rate", 1, day, revision=revision), error_rates(shop=10 + revision))

    return published


@pytest.mark.parametrize("is_recorded", [True, False])
def test_as_of_shows_what_was_superseded_later(disk_lake, at, day, is_recorded):
    """A revision that came after the time asked for hides nothing; a time without an offset is UTC.

    A lake of an earlier version has but the times of its files.
    """
    for revision, hour in ((0, 10), (1, 12)):
        partition, then = (
            Partition("error_rate", 1, day, revision=revision),
            datetime(2026, 9, 18, hour, tzinfo=UTC),
        )
        at(revision, then)
        if not is_recorded:
            os.utime(Path(disk_lake.root) / partition.key, (then.timestamp(), then.timestamp()))
    if not is_recorded:
        shutil.rmtree(Path(disk_lake.root) / "_evidence/published")
    query = "select server_error_requests, rev from error_rate_as_of($1)"
    with connect(disk_lake) as connection:
        connection.execute("set TimeZone = 'Asia/Tokyo'")
        for time, expected in (
            ("2026-09-18 09:59:59Z", []),
            ("2026-09-18 10:00:00Z", [(10, 0)]),
            ("2026-09-18 13:59:59+02", [(10, 0)]),
            ("2026-09-18 12:00:00Z", [(11, 1)]),
            ("2026-09-18 09:59:59.999", []),
            ("2026-09-18 11:59", [(10, 0)]),
            ("2026-09-18", []),
            ("2026-09-19", [(11, 1)]),
            (datetime(2026, 9, 18, 11), [(10, 0)]),
            (datetime(2026, 9, 18, 9, 30, tzinfo=timezone(timedelta(hours=-1))), [(10, 0)]),
        ):
            assert connection.execute(query, [time]).fetchall() == expected


def test_what_was_shown_at_a_time_is_known_in_a_copy(disk_lake, at, tmp_path):
    """Its files are as old as the copy; the records of their publication are not."""
    for revision, hour in ((0, 10), (1, 12)):
        at(revision, datetime(2026, 9, 18, hour, tzinfo=UTC))
    shutil.copytree(disk_lake.root, tmp_path / "copy", copy_function=shutil.copyfile)
    copy = Lake(open_store(str(tmp_path / "copy")))
    write(copy, tmp_path / "catalog.duckdb")
    for connection in (connect(copy), duckdb.connect(tmp_path / "catalog.duckdb", read_only=True)):
        for time, revisions in (
            ("09:59:59", []),
            ("10:00:00", [(0,)]),
            ("11:59:59.999999Z", [(0,)]),
            ("12:00:00Z", [(1,)]),
        ):
            assert connection.sql(f"select rev from error_rate_as_of('2026-09-18 {time}')").fetchall() == revisions
        connection.close()


def test_provenance_is_a_view_of_the_footers(restated, day):
    """All that a footer says, for all revisions of all datasets."""
    with connect(restated) as connection:
        found = connection.sql("from provenance where dataset = 'error_rate' order by dt, rev").to_arrow_table()
    said = restated.footers(restated.partitions(CONTRACTS["error_rate"]))
    assert found["rev"].to_pylist() == [0, 1, 2, 0]
    for row, footer in zip(found.to_pylist(), said, strict=True):
        made = asdict(footer.provenance)
        assert date.fromisoformat(made.pop("dt")) == row["dt"]
        assert (made.pop("revision"), made.pop("version")) == (row["rev"], 1)
        assert {name: list(v) if isinstance(v, tuple) else v for name, v in made.items()} == {
            name: row[name] for name in made
        }
    assert found.schema.names[:4] == ["dataset", "dt", "source", "rev"]


def test_provenance_reads_the_footers_asked_for(restated, day, monkeypatch):
    """Of one day, not those of the whole lake."""
    asked = []
    footers = Lake.footers
    monkeypatch.setattr(Lake, "footers", lambda lake, each: asked.extend(each) or footers(lake, each))
    with connect(restated) as connection:
        assert connection.sql("select rev, rows_kept > 0 from provenance where dt = '2015-05-18'").fetchall() == [
            (0, True)
        ]
    assert asked == [Partition("error_rate", 1, day + timedelta(1))]


def test_provenance_of_a_dataset_kept_per_source(lake, publish, day):
    """Each source's is its own."""
    for source, rows in (("api", 1), ("web", 0)):
        table = pa.Table.from_pylist(rows * [REJECT], CONTRACTS["rejects"].schema)
        publish(lake, Partition("rejects", 1, day, source), table)
    with connect(lake) as connection:
        found = connection.sql("select dt, source, rev, rows_kept from provenance order by source").fetchall()
    assert found == [(day, "api", 0, 1), (day, "web", 0, 0)]


@pytest.mark.parametrize(
    ("condition", "files"),
    [
        ("dt = '2015-05-20'", 1),
        ("dt in ('2015-05-18', '2015-05-20')", 2),
        ("dt between '2015-05-18' and '2015-05-20'", 3),
        ("dt >= '2015-05-20' and dt < '2015-05-22'", 2),
        ("date_trunc('week', dt) = '2015-05-18'", 7),
        ("dt = '2015-05-17'", 1),
        ("dt = '2014-05-17'", 0),
    ],
)
def test_a_view_reads_the_days_asked_for(disk_lake, publish, error_rates, day, condition, files):  # noqa: PLR0913, PLR0917 - fixtures
    """Conditions on dt prune files through a view, of a restated day the old revisions too."""
    for n in range(10):
        publish(disk_lake, Partition("error_rate", 1, day + timedelta(n)), error_rates(shop=n))
    publish(disk_lake, Partition("error_rate", 1, day, revision=1), error_rates(shop=100))
    with connect(disk_lake) as connection:
        assert sum(files_read(connection, f"select count(application) from error_rate where {condition}")) == files


@pytest.mark.slow
def test_a_day_of_ten_years_opens_that_day(disk_lake, publish, error_rates, day):
    """Whoever asks for one day has its file read, the first one opened for its schema, and no other."""
    partitions = [Partition("error_rate", 1, day + timedelta(n)) for n in range(0, 3650, 50)]
    for each in partitions:
        publish(disk_lake, each, error_rates(shop=1))
    with connect(disk_lake) as connection:
        with suppress(duckdb.InvalidInputException):  # it answers with a time, for which Python wants a package
            connection.execute("call enable_logging('FileSystem')")
        connection.execute("select * from error_rate where dt = '2020-04-20'").fetchall()
        log = connection.execute("select path, op, bytes from duckdb_logs_parsed('FileSystem')").to_arrow_table()
    assert partitions[36].dt == date(2020, 4, 20)
    first, asked = (f"{disk_lake.root}/{partitions[n].key}" for n in (0, 36))
    read = dict.fromkeys((each["path"] for each in log.to_pylist() if each["op"] == "OPEN"), 0)
    for each in log.to_pylist():
        read[each["path"]] += each["bytes"] if each["op"] == "READ" else 0
    assert set(read) == {first, asked}
    assert read[first] == 0
    assert 0 < read[asked] < Path(asked).stat().st_size * 1.2  # the footer, read with the last bytes, and again


def test_a_day_is_one_file(disk_lake, fill):
    """A condition on `dt` opens only that day's file."""
    with connect(fill(disk_lake)) as connection:
        query = "explain analyze select count(application) from error_rate where dt = '2015-05-18'"
        ((_, plan),) = connection.execute(query).fetchall()
    assert "Total Files Read: 1" in plan


def test_a_lake_of_another_version_says_so(disk_lake, provenance_of, error_rates, day):
    """Files that lack a column of the contract, which no file may lack, are named with the next step."""
    old = replace(CONTRACTS["error_rate"], columns=CONTRACTS["error_rate"].columns[:-1])
    with disk_lake.staging() as folder, disk_lake.writer(old, day, folder) as writer:
        writer.write(error_rates(shop=10).select(old.schema.names).cast(old.schema))
        partition = Partition("error_rate", 1, day)
        disk_lake.publish(partition, writer.finish(provenance_of(partition, 1)))
    with pytest.raises(
        StoreError, match=r"error_rate at .* has other columns .*\"incomplete\" not found.*Rebuild it"
    ) as raised:
        connect(disk_lake)
    assert "\n" not in str(raised.value)


def test_a_broken_file_is_an_error_of_ours(disk_lake, fill, day):
    """Whoever opens or reads such a lake is told which file it is, and where to look."""
    path = Path(fill(disk_lake).root) / Partition("error_rate", 1, day).key
    path.unlink()
    path.touch()
    for ask in (connect, lambda lake: read(lake, CONTRACTS["error_rate"])):
        with pytest.raises(
            LakeError, match=r"Can't read error_rate: .*part-0\.parquet.*`lake verify` tells"
        ) as raised:
            ask(disk_lake)
        assert "\n" not in str(raised.value)


def test_no_lake_is_no_empty_catalog(tmp_path):
    """A root that is not there yet, or no longer, is an error with the next step."""
    with pytest.raises(StoreError, match=r"There is no lake at .*/gone\. Build one with `luigi ErrorRateDaily`"):
        connect(Lake(open_store(str(tmp_path / "gone"))))


def test_a_lake_that_can_not_be_listed_has_no_catalog(tmp_path):
    """A root that is no folder is an error at once, and not a catalog of empty views."""
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="Can't list the lake"):
        connect(Lake(open_store(str(tmp_path / "file"))))


@pytest.mark.parametrize(
    ("hits", "total", "low", "high", "digits"),
    [
        (0, 10, 0, 0.2775, 4),
        (1, 3, 0.0615, 0.7923, 4),
        (1, 1000, 0.00018, 0.00564, 5),
        (50, 1000, 0.0381, 0.0653, 4),
        (10, 10, 0.7225, 1, 4),
    ],
)
def test_wilson_intervals(empty, hits, total, low, high, digits):  # noqa: PLR0913, PLR0917 - a table of figures
    """The macros give the published intervals, in all digits."""
    found = empty.execute(
        "select round(wilson_low($1, $2), $3), round(wilson_high($1, $2), $3)", [hits, total, digits]
    ).fetchone()
    assert found == (low, high)


def test_there_is_no_interval_of_nothing(empty):
    """0 of 0 has no share, so no interval either."""
    assert empty.sql("select wilson_low(0, 0), wilson_high(0, 0)").fetchone() == (None, None)


def test_wilson_intervals_hold_the_share(empty):
    """For all counts up to 200, and large ones, 0 <= low <= hits / total <= high <= 1, low below high."""
    query = """
        with counts as (
            select hits, total from range(0, 201) h(hits), range(1, 201) t(total) where hits <= total
            union all select hits, 4_000_000_000 from (values (0), (1), (3_999_999_999), (4_000_000_000)) v(hits)
        ), intervals as (
            select hits / total as share, wilson_low(hits, total) as low, wilson_high(hits, total) as high
            from counts
        )
        select count(*), count(*) filter (0 <= low and low <= share and share <= high and high <= 1 and low < high)
        from intervals
    """
    total, good = empty.sql(query).fetchone()
    assert total == good == 200 * 203 // 2 + 4
