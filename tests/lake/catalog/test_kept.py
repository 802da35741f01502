"""What is kept on this machine answers as the lake does, and never for another lake than the one that is there."""

import json
import os
import subprocess
import sys
import threading
from datetime import datetime, time, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

import lake as product
from lake import config
from lake.catalog import connections as catalog
from lake.catalog import kept, opening
from lake.catalog.cache import Cache
from lake.catalog.pull import pull
from lake.contracts import CONTRACTS
from lake.errors import LakeError, StoreError
from lake.lake import Lake
from lake.partition import Partition

RATES, REJECTS = CONTRACTS["error_rate"], CONTRACTS["rejects"]
DATA = (
    "from error_rate order by all",
    "from error_rate_history order by all",
    "from error_rate_files order by all",
    "from error_rate_as_of('2100-01-01') order by all",
    "from rejects order by all",
    "from slo",
    "from events",
    "select dataset, dt, source, rev, rows_kept from provenance order by all",
    "from error_rate_weekly order by all",
)
SHOWN = (
    "select table_name, column_name, data_type, comment from duckdb_columns() where not internal order by all",
    "select view_name, comment from duckdb_views() where not internal order by all",
    "select function_name, parameters, comment from duckdb_functions() where not internal order by all",
    "select table_name, comment from duckdb_tables() where not internal order by all",
    "show tables",
    "select current_setting('TimeZone')",
)
CALLS = (
    "calendar(interval 1 day)",
    "error_rate_by('Europe/London')",
    "error_rate_rolling(7)",
    "movers()",
    "worst_days()",
    "worst_paths('2015-05-17')",
    "incidents(0.05)",
    "window_counts(60, null, null)",
    "burn_rate(60)",
    "slo_alerts()",
    "slo_alerts_compared('web', 'web')",
)
REJECT = {"file": "a.log", "line_number": 1, "reason": "shape", "masked_line": "xxx"}


@pytest.fixture(autouse=True)
def few(monkeypatch):
    """Two partitions are enough for a copy."""
    monkeypatch.setattr("lake.catalog.pull.MANY", 2)


@pytest.fixture
def configure(disk_root, tmp_path):
    """Returns a function that writes a luigi.cfg for a lake on disk, and reads it."""

    def written(more="", root=disk_root):
        path = tmp_path / "luigi.cfg"
        path.write_text(f"[lake]\nroot = {root}\n{more}", encoding="utf-8")
        return config.read(path)

    return written


@pytest.fixture
def filled(configure, publish, error_rates, day):
    """A lake of three days of error rates, one restated, and a reject; with its luigi.cfg."""
    found = configure()
    there = Lake.of(found)
    for n in range(3):
        publish(there, Partition("error_rate", 1, day + timedelta(n)), error_rates(shop=n, api=10))
    publish(there, Partition("error_rate", 1, day, revision=1), error_rates(shop=7))
    publish(there, Partition("rejects", 1, day, "web"), pa.Table.from_pylist([REJECT], REJECTS.schema))
    return found


def answers(connection, queries=DATA):
    """Return what a catalog says of the lake, an error's first line included."""

    def answer(query):
        try:
            return sorted(connection.execute(query).fetchall(), key=repr)
        except duckdb.Error as error:
            return str(error).partition("\n")[0]

    with connection:
        return [answer(query) for query in queries]


def direct(found, queries=DATA):
    """Return what the catalog says that is made for this question alone."""
    return answers(catalog.connect(Lake.of(found), catalog.read_slos(found)), queries)


def is_reopened(found):
    """Tell whether the catalog is opened as it was kept."""
    connection = kept.reopened(found)
    if connection:
        connection.close()
    return connection is not None


def copies(found):
    """Return the datasets of which there are copies."""
    cache = Cache.of(Lake.of(found))
    return {name for name, contract in CONTRACTS.items() if cache.has(contract)}


def test_what_is_kept_answers_as_what_is_made(filled):
    """The same rows before there is a copy, when it is made, and when all is opened as it was kept."""
    expected = direct(filled)
    assert len(expected[0]) == 5
    assert not is_reopened(filled)
    for _ in range(2):
        assert answers(opening.connect(filled)) == expected
        assert is_reopened(filled)
    assert direct(filled) == expected
    assert copies(filled) == {"error_rate"}


def test_what_is_kept_is_the_whole_catalog(filled, configure, publish, day):
    """Every name with its type and comment, and every view and macro with its answer."""
    found = configure("[slo.web]\napplications = *\nobjective = 0.99\n")
    rows = [
        {"application": "shop", "vantage": "origin", "status_class": "5xx", "valid_requests": 9}
        | {"bucket_start": datetime.combine(day, time(n)), "requests_total": 9, "server_error_requests": 9}
        for n in range(3)
    ]
    schema = CONTRACTS["error_counts"].schema
    zeros = {field.name: 0 for field in schema if pa.types.is_integer(field.type)}
    table = pa.Table.from_pylist([zeros | row for row in rows], schema)
    publish(Lake.of(found), Partition("error_counts", 1, day), table)
    answers(opening.connect(found), ())
    assert is_reopened(found)
    with opening.connect(found) as connection:
        views = connection.execute("select view_name from duckdb_views() where not internal").fetchall()
    queries = [*SHOWN, *(f"from {name}" for name in (*(name for (name,) in views), *CALLS))]
    expected = direct(found, queries)
    for query, one, other in zip(queries, answers(opening.connect(found), queries), expected, strict=True):
        assert one == other, query
    assert sum(isinstance(each, list) and bool(each) for each in expected) > len(queries) / 2


def test_what_is_kept_can_be_worked_with(filled):
    """As any connection: the copy answers, and tables may be made beside it."""
    opening.connect(filled).close()
    with opening.connect(filled) as connection:
        ((_, plan),) = connection.execute("explain from error_rate").fetchall()
        assert "PARQUET" not in plan
        connection.execute("create table mine as from error_rate")
        assert connection.execute("select count(*) from mine").fetchall() == [(5,)]


def restate_to_nothing(there, publish, error_rates, day):
    publish(there, Partition("error_rate", 1, day, revision=2), error_rates())


def publish_a_day(there, publish, error_rates, day):
    publish(there, Partition("error_rate", 1, day + timedelta(9)), error_rates(shop=9))


def publish_another_dataset(there, publish, error_rates, day):
    publish(there, Partition("status_mix", 1, day), CONTRACTS["status_mix"].schema.empty_table())


def publish_of_another_source(there, publish, error_rates, day):
    publish(there, Partition("rejects", 1, day, "api"), pa.Table.from_pylist([REJECT], REJECTS.schema))


def delete_a_day(there, publish, error_rates, day):
    there.store.remove([Partition("error_rate", 1, day + timedelta(1)).key])


def delete_a_revision(there, publish, error_rates, day):
    there.store.remove([Partition("error_rate", 1, day, revision=1).key])


def build_a_day_anew(there, publish, error_rates, day):
    partition = Partition("error_rate", 1, day + timedelta(1))
    there.store.remove([partition.key, *there.store.keys("_evidence/", "", "~")])
    publish(there, partition, error_rates(shop=5, api=10))


def build_all_anew(there, publish, error_rates, day):
    times = {key: (Path(there.root) / key).stat().st_mtime_ns for key in there.store.keys("", "", "~")}
    there.store.remove(list(times))
    for n in range(3):
        publish(there, Partition("error_rate", 1, day + timedelta(n)), error_rates(shop=n + 1, api=10))
    for key in there.store.keys("error_rate/", "", "~"):
        os.utime(Path(there.root) / key, ns=(times[key], times[key]))


def change_bytes_in_place(there, publish, error_rates, day):
    first, second = (Path(there.root) / Partition("error_rate", 1, day + timedelta(n)).key for n in (1, 2))
    found = first.stat()
    first.chmod(0o644)
    first.write_bytes(second.read_bytes())
    os.utime(first, ns=(found.st_atime_ns, found.st_mtime_ns))


OTHER_CHANGES = (
    restate_to_nothing,
    publish_another_dataset,
    publish_of_another_source,
    delete_a_day,
    delete_a_revision,
    build_all_anew,
)


@pytest.mark.parametrize(
    "change",
    [
        publish_a_day,
        build_a_day_anew,
        change_bytes_in_place,
        *(pytest.param(each, marks=pytest.mark.slow) for each in OTHER_CHANGES),
    ],
)
def test_what_changed_in_the_lake_is_seen(filled, publish, error_rates, day, change):
    """At the next question, and kept again then, with a copy that is true."""
    opening.connect(filled).close()
    before = direct(filled)
    assert is_reopened(filled)
    change(Lake.of(filled), publish, error_rates, day)
    assert not is_reopened(filled)
    expected = direct(filled)
    assert expected != before
    for _ in range(2):
        assert answers(opening.connect(filled)) == expected
        assert is_reopened(filled)


def test_what_changed_in_the_settings_is_seen(filled, configure):
    """Objectives are of luigi.cfg as it is; what it says of sources plays no part."""
    opening.connect(filled).close()
    assert is_reopened(configure("[source.x]\nformat = common\n"))
    other = configure("[slo.web]\napplications = shop\nobjective = 0.99\n")
    assert not is_reopened(other)
    for _ in range(2):
        with opening.connect(other) as connection:
            assert connection.execute("select slo from slo").fetchall() == [("web",)]
    assert not is_reopened(filled)


def test_another_lake_at_another_root_is_another(filled, configure, publish, error_rates, day):
    """Nothing is shared between them."""
    opening.connect(filled).close()
    root = filled.folder / "other"
    other = configure(root=root)
    for n in range(2):
        publish(Lake.of(other), Partition("error_rate", 1, day + timedelta(n)), error_rates(shop=50))
    assert not is_reopened(other)
    for _ in range(2):
        assert answers(opening.connect(other)) == direct(other)


def test_a_lake_that_is_gone_can_not_be_asked(filled, configure, tmp_path):
    """Whatever is kept of it."""
    opening.connect(filled).close()
    Path(filled.lake().root).rename(tmp_path / "elsewhere")
    with pytest.raises(StoreError, match="There is no lake at"):
        opening.connect(filled)


def test_a_lost_disk_is_not_an_empty_lake(filled, monkeypatch):
    """A process that has opened what is kept knows on which disk the lake was."""
    opening.connect(filled).close()
    opening.connect(filled).close()
    root = Path(filled.lake().root)
    for module in ("catalog.kept", "store.local"):
        monkeypatch.setattr(f"lake.{module}.disk_of", lambda folder: -1 if folder == root else 0)
    with pytest.raises(StoreError, match="no longer on the disk"):
        opening.connect(filled)


@pytest.mark.parametrize("content", [b"no database", pytest.param(b"\0" * 20_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", ["catalog", "error_rate"])
def test_a_file_that_is_damaged_is_made_anew(filled, cache_home, name, content):
    """It is no error, and no answer."""
    opening.connect(filled).close()
    (path,) = cache_home.glob(f"*/*/{name}-*.duckdb")
    path.write_bytes(content)
    assert not is_reopened(filled)
    assert answers(opening.connect(filled)) == direct(filled)
    assert is_reopened(filled)
    assert answers(opening.connect(filled)) == direct(filled)


def test_a_copy_that_was_taken_away_is_made_again(filled, cache_home):
    """As one that never was."""
    opening.connect(filled).close()
    (path,) = cache_home.glob("*/*/error_rate-*.duckdb")
    path.unlink()
    assert not is_reopened(filled)
    opening.connect(filled).close()
    assert path.exists()


def test_a_dataset_that_is_pulled_later_is_asked_from_its_copy(filled, day):
    """What is kept knows which copies there were not."""
    opening.connect(filled).close()
    there = Lake.of(filled)
    assert pull(there, REJECTS, Cache.of(there)) == (1, 0)
    assert not is_reopened(filled)
    for _ in range(2):
        with opening.connect(filled) as connection:
            ((_, plan),) = connection.execute("explain from rejects").fetchall()
            assert "PARQUET" not in plan


def test_what_is_pulled_is_kept_true(filled, publish, day):
    """Though it is kept per source, and nobody would have made a copy of it by itself."""
    there = Lake.of(filled)
    pull(there, REJECTS, Cache.of(there))
    publish_of_another_source(there, publish, None, day)
    with opening.connect(filled) as connection:
        ((_, plan),) = connection.execute("explain from rejects").fetchall()
        assert "PARQUET" not in plan
        assert connection.execute("select source from rejects order by all").fetchall() == [("api",), ("web",)]


def test_a_large_dataset_is_not_copied(filled, configure, publish, error_rates, day, monkeypatch):  # noqa: PLR0913, PLR0917 - each is a fixture
    """One that has grown too large keeps the copy that it has, and the lake answers for the rest."""
    there = Lake.of(filled)
    monkeypatch.setattr("lake.config.MB", 1)
    small = configure(f"copy_mb = {sum(there.objects(RATES)[each].bytes for each in there.latest(RATES))}\n")
    assert answers(opening.connect(small)) == direct(small)
    assert copies(small) == {"error_rate"}
    publish(there, Partition("error_rate", 1, day + timedelta(3)), error_rates(shop=3))
    for _ in range(2):
        with opening.connect(small) as connection:
            ((_, plan),) = connection.execute("explain from error_rate").fetchall()
            assert "PARQUET" in plan
            assert "SEQ_SCAN" in plan
            assert connection.execute("select count(*) from error_rate").fetchall() == [(6,)]
    Cache.of(there).path(RATES).unlink()
    assert answers(opening.connect(small)) == direct(small)
    assert copies(small) == set()


def test_nothing_is_kept_where_luigi_cfg_says_so(filled, configure, cache_home):
    """Not even a folder is made."""
    found = configure("copy_mb = 0\n")
    assert answers(opening.connect(found)) == direct(found)
    assert not cache_home.exists()


def test_few_partitions_are_not_copied(filled, monkeypatch):
    """The catalog is kept all the same."""
    monkeypatch.setattr("lake.catalog.pull.MANY", 100)
    assert answers(opening.connect(filled)) == direct(filled)
    assert copies(filled) == set()
    assert is_reopened(filled)
    assert answers(opening.connect(filled)) == direct(filled)


def test_without_a_place_the_lake_answers(filled, cache_home, monkeypatch):
    """A file where the folder should be, no home at all, or a folder that others may write to; nothing is left."""
    expected = direct(filled)
    cache_home.write_text("a file")
    assert answers(opening.connect(filled)) == expected
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr("os.path.expanduser", lambda path: path)
    monkeypatch.chdir(cache_home.parent)
    assert answers(opening.connect(filled)) == expected
    assert not Path("~").exists()
    there = Lake.of(filled)
    with pytest.raises(StoreError, match=r"this user has no home\. Set XDG_CACHE_HOME"):
        pull(there, RATES, Cache.of(there))


def test_what_others_could_change_is_not_believed(filled, monkeypatch):
    """A folder that is open to others is closed before anything is kept there; somebody else's is not used."""
    folder = kept.folder_of(filled.lake().root)
    opening.connect(filled).close()
    folder.chmod(0o777)
    assert not is_reopened(filled)
    assert copies(filled) == set()
    opening.connect(filled).close()
    assert folder.stat().st_mode & 0o777 == 0o700
    assert is_reopened(filled)
    monkeypatch.setattr("os.geteuid", lambda: 12345)
    assert not is_reopened(filled)
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert answers(opening.connect(filled)) == direct(filled)
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before
    there = Lake.of(filled)
    with pytest.raises(StoreError, match="is somebody else's"):
        pull(there, RATES, Cache.of(there))


def test_a_broken_file_of_the_lake_is_said_as_without_a_copy(filled, day):
    """No copy is kept of such a dataset; who asks for what is broken is told so."""
    path = Path(filled.lake().root) / Partition("error_rate", 1, day + timedelta(2)).key
    path.chmod(0o644)
    path.write_bytes(b"no Parquet" * 20)
    for _ in range(2):
        with opening.connect(filled) as connection:
            assert connection.execute(f"select count(*) from error_rate where dt = '{day}'").fetchall() == [(1,)]
            with pytest.raises(duckdb.Error, match="No magic bytes"):
                connection.execute("select sum(rev), max(application) from error_rate").fetchall()
    assert copies(filled) == set()
    first = Path(filled.lake().root) / Partition("error_rate", 1, day, revision=1).key
    first.chmod(0o644)
    first.write_bytes(b"no Parquet" * 20)
    with pytest.raises(LakeError, match="Can't read error_rate"):
        opening.connect(filled)


def test_a_publication_while_the_catalog_is_made_is_not_missed(filled, publish, error_rates, day, monkeypatch):
    """What was made of the lake before is not kept as if it were of the lake after."""
    made = catalog._made  # noqa: SLF001 - the moment that matters

    def and_publish(*arguments):
        found = made(*arguments)
        publish_a_day(Lake.of(filled), publish, error_rates, day)
        return found

    monkeypatch.setattr("lake.catalog.connections._made", and_publish)
    opening.connect(filled).close()
    monkeypatch.setattr("lake.catalog.connections._made", made)
    assert not is_reopened(filled)
    assert answers(opening.connect(filled)) == direct(filled)


def test_a_copy_that_another_process_puts_there_meanwhile_is_seen(filled, publish, error_rates, day, monkeypatch):
    """It is of a lake that was listed later, or earlier: the catalog is not opened with it."""
    opening.connect(filled).close()
    seen = kept.seen

    def and_replace(*arguments):
        (path,) = kept.folder_of(filled.lake().root).glob("error_rate-*.duckdb")
        other = path.with_name("other")
        other.write_bytes(path.read_bytes())
        other.replace(path)
        return seen(*arguments)

    monkeypatch.setattr("lake.catalog.kept.seen", and_replace)
    assert not is_reopened(filled)


def test_files_of_older_code_are_dropped(filled, cache_home, monkeypatch):
    """But for a few, which another version beside this one may use."""
    for n in range(5):
        monkeypatch.setattr("lake.catalog.kept.CODE", f"{n}" * 12)
        opening.connect(filled).close()
    assert sorted(path.name for path in cache_home.glob("*/*/*")) == [
        *(f"catalog-{f'{n}' * 12}.duckdb" for n in (2, 3, 4)),
        Cache.of(Lake.of(filled)).path(RATES).name,
    ]


@pytest.mark.slow
def test_who_asks_at_once_gets_one_answer(filled, publish, error_rates, day):
    """Threads that make, refresh and open what is kept, while days are published: no error, and no day is lost."""
    wrong = []
    published = [3]

    def ask():
        for _ in range(6):
            least = published[0]
            try:
                with opening.connect(filled) as connection:
                    ((days, rows),) = connection.execute(
                        "select count(distinct dt), count(*) from error_rate"
                    ).fetchall()
                if days < least or rows != days * 2 - 1:
                    wrong.append((least, days, rows))
            except Exception as error:  # noqa: BLE001 - any is a failure
                wrong.append(error)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for each in threads:
        each.start()
    for n in range(3, 8):
        publish(Lake.of(filled), Partition("error_rate", 1, day + timedelta(n)), error_rates(shop=n, api=1))
        published[0] = n + 1
    for each in threads:
        each.join()
    assert wrong == []
    assert answers(opening.connect(filled)) == direct(filled)


def test_what_is_kept_is_opened_without_what_it_does_not_need(filled):
    """A process that asks imports neither pyarrow nor NumPy nor pandas: they take longer than the answer."""
    opening.connect(filled).close()
    script = (
        "import json, sys; from pathlib import Path; from lake import config; from lake.catalog import opening\n"
        f"connection = opening.connect(config.read(Path({str(filled.path)!r})), has_footers=False)\n"
        "rows = connection.sql('select application, sum(rev) from error_rate group by all order by all')\n"
        "rows.show()\n"
        "print(json.dumps(sorted({'pyarrow', 'numpy', 'pandas', 'luigi', 'boto3'} & set(sys.modules))))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "shop" in done.stdout
    assert json.loads(done.stdout.splitlines()[-1]) == []


@pytest.fixture
def on_s3(configure, s3_root, moto_url):
    """The luigi.cfg of a lake on S3."""
    return configure(f"endpoint_url = {moto_url}\n", root=s3_root)


@pytest.mark.slow
def test_a_lake_on_s3_is_asked_from_what_was_pulled(on_s3, publish, error_rates, day):
    """What is pulled is kept true by who asks; nothing is copied by itself."""
    found = on_s3
    there = Lake.of(found)
    for n in range(2):
        publish(there, Partition("error_rate", 1, day + timedelta(n)), error_rates(shop=n))
    assert answers(opening.connect(found)) == direct(found)
    assert copies(found) == set()
    pull(there, RATES, Cache.of(there))
    publish(there, Partition("error_rate", 1, day, revision=1), error_rates(shop=9))
    with opening.connect(found) as connection:
        ((_, plan),) = connection.execute("explain from error_rate").fetchall()
        assert "ARROW_SCAN" not in plan
    assert answers(opening.connect(found)) == direct(found)


def test_lake_connect_is_answered_from_what_is_kept(filled, monkeypatch):
    """Provenance included, of which only the footers asked for are read."""
    for _ in range(2):
        with product.connect(filled.path) as connection:
            found = connection.execute("select rows_kept from provenance where rev = 1").fetchall()
        assert found == [(1,)]
        monkeypatch.setattr("lake.catalog.connections.made", lambda _: pytest.fail("it is kept"))
