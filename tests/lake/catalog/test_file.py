"""The catalog as a file, asked by DuckDB with nothing of ours."""

import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest
from s3_servers import KEYS

from lake import sql
from lake.catalog import file as catalog_file
from lake.catalog.connections import connect
from lake.catalog.slo import Slo
from lake.contracts import CONTRACTS, is_everybodys
from lake.errors import ConfigError, StoreError
from lake.lake import Lake, open_store
from lake.partition import Partition

QUERY = "select dt, application, server_error_requests, rev from error_rate order by all"


@pytest.fixture
def path(tmp_path):
    """Where the catalog is written."""
    return tmp_path / "lake.duckdb"


@pytest.fixture
def filled(disk_lake, publish, error_rates, day):
    """A lake with three days of error rates: the first was restated, and the second restated to nothing."""
    for n in range(3):
        publish(disk_lake, Partition("error_rate", 1, day + timedelta(n)), error_rates(shop=n, api=10))
    publish(disk_lake, Partition("error_rate", 1, day, revision=1), error_rates(shop=100))
    publish(disk_lake, Partition("error_rate", 1, day + timedelta(1), revision=1), error_rates())
    return disk_lake


@pytest.fixture
def asked(filled, path):
    """A connection to the catalog of that lake, which can't write."""
    catalog_file.write(filled, path)
    with duckdb.connect(str(path), read_only=True) as connection:
        yield connection


def test_it_says_what_the_connection_says(asked, filled, day):
    """The same rows, history, files, as_of and provenance, and the same names, types and comments."""
    queries = [
        QUERY,
        "from error_rate_history order by all",
        "select * exclude (file) from error_rate_files order by all",
        "from error_rate_as_of('2100-01-01') order by all",
        f"from error_rate where dt = '{day}'",
        "select dataset, dt, source, rev, rows_kept, reason, inputs, checks from provenance order by all",
        "from error_rate_daily order by all",
    ]
    few = {  # which this lake doesn't have
        f"{name}{kind}"
        for name, each in CONTRACTS.items()
        for kind in ("", "_history", "_files", "_as_of")
        if not is_everybodys(each)
    }
    with connect(filled) as connection:
        for query in queries:
            expected, found = (each.execute(query).to_arrow_table() for each in (connection, asked))
            assert found == expected, query
        assert found.num_rows == 3
        for query in (
            "select view_name, comment from duckdb_views() where comment is not null and view_name <> 'events'",
            "select table_name, column_name, comment from duckdb_columns() where comment is not null",
            "select function_name, comment from duckdb_functions() where comment is not null",
        ):
            expected, found = (set(each.execute(query).fetchall()) for each in (connection, asked))
            shown = {row for row in found if row[0] != "lake_root" and row[0] not in few}
            assert shown == expected
    for name in CONTRACTS:
        assert asked.execute("select 1 from duckdb_views() where view_name = $1", [name]).fetchone()


def test_every_question_is_in_it(asked):
    """Views and macros alike."""
    views = {name for (name,) in asked.execute("select view_name from duckdb_views()").fetchall()}
    macros = {name for (name,) in asked.execute("select function_name from duckdb_functions()").fetchall()}
    for each in (*sql.macros(), *sql.questions()):
        assert each.name in (views if each.kind == "view" else macros)


def test_what_is_published_later_is_shown(asked, filled, publish, error_rates, day):
    """The file holds no list of files, so it is never behind."""
    publish(filled, Partition("error_rate", 1, day + timedelta(5)), error_rates(shop=7))
    publish(filled, Partition("error_rate", 1, day, revision=2), error_rates(shop=8))
    found = asked.execute(QUERY).fetchall()
    assert found[0] == (day, "shop", 8, 2)
    assert found[-1] == (day + timedelta(5), "shop", 7, 0)


def test_a_dataset_without_files_says_so(asked):
    """An error that names the place, and not an empty answer; what there is can be asked all the same."""
    with pytest.raises(duckdb.IOException, match=r"No files found that match the pattern .*status_mix/v1"):
        asked.execute("from status_mix")
    assert asked.execute("select count(*) from provenance").fetchone() == (5,)


def test_a_day_is_one_file(asked):
    """A condition on dt prunes files through the view."""
    ((_, plan),) = asked.execute(
        "explain analyze select application from error_rate where dt = '2015-05-19'"
    ).fetchall()
    assert "Total Files Read: 1" in plan


def test_it_can_be_asked_for_a_copy_of_the_lake(asked, filled, tmp_path, day):
    """A variable names another root than the one that is written in it."""
    shutil.copytree(filled.root, tmp_path / "copy")
    (tmp_path / "copy" / Partition("error_rate", 1, day, revision=1).key).unlink()
    for root in (f"{tmp_path}/copy", f"{tmp_path}/copy/"):
        asked.execute("set variable lake_root = $1", [root])
        assert (day, "shop", 0, 0) in asked.execute(QUERY).fetchall()
        assert asked.execute("select count(*) from provenance").fetchone() == (4,)


def test_a_copy_at_a_place_that_misleads_is_refused(asked):
    """Its rows would all be of the application that its path names."""
    asked.execute("set variable lake_root = '/data/Application=web/lake'")
    for name in ("error_rate", "error_rate_files", "provenance"):
        with pytest.raises(duckdb.InvalidInputException, match=r"/data/Application=web/lake: NAME= in it"):
            asked.execute(f"from {name}")


def test_duckdb_of_its_own_asks_it(filled, path):
    """DuckDB's own command line, in an empty home, knows all of it."""
    catalog_file.write(filled, path)
    command = shutil.which("duckdb", path=str(Path(sys.executable).parent))
    assert command, "duckdb-cli is not installed"
    done = subprocess.run(
        [command, "-readonly", "-csv", str(path), QUERY],
        env={"HOME": str(path.parent / "home")},
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[:2] == ["dt,application,server_error_requests,rev", "2015-05-17,shop,100,1"]


def test_it_holds_no_secret_and_needs_no_network(path, monkeypatch):
    """It is made for a bucket that nobody answers for, and has nothing of the credentials in it."""
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAMARKED")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "marked-secret")
    lake = Lake(open_store("s3://bucket/some/prefix", "http://127.0.0.1:9"))
    catalog_file.write(lake, path)
    content = path.read_bytes()
    assert b"s3://bucket/some/prefix" in content
    assert b"AKIAMARKED" not in content
    assert b"marked-secret" not in content


def test_it_is_written_anew_while_it_is_asked(asked, filled, path):
    """Over one of ours; who has it open is not disturbed, and nothing is left beside it."""
    before = path.stat().st_ino
    catalog_file.write(filled, path)
    assert path.stat().st_ino != before
    assert asked.execute(QUERY).fetchall()
    assert [each.name for each in path.parent.iterdir() if each.name.startswith(".")] == []


@pytest.mark.parametrize("what", ["a text", "a database"])
def test_another_file_is_not_written_over(filled, path, what):
    """Whatever it is, it stays."""
    if what == "a text":
        path.write_text("important")
    else:
        with duckdb.connect(str(path)) as connection:
            connection.execute("create table important (a int)")
    before = path.read_bytes()
    with pytest.raises(ConfigError, match=r"lake\.duckdb is .*no catalog.*Use another name"):
        catalog_file.write(filled, path)
    assert path.read_bytes() == before


def test_a_name_is_no_reason(filled, tmp_path):
    """Another file whose name speaks of locks is no catalog that is open elsewhere."""
    path = tmp_path / "lockers/lock.duckdb"
    path.parent.mkdir()
    path.write_text("important " * 500)
    with pytest.raises(ConfigError, match=r"lock\.duckdb is there and is no catalog"):
        catalog_file.write(filled, path)


def test_a_catalog_that_is_open_for_writing_is_no_other_file(filled, path):
    """It is said to be in use."""
    catalog_file.write(filled, path)
    holds = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('open', flush=True); sys.stdin.read()"
    holder = subprocess.Popen(
        [sys.executable, "-c", holds, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with holder:
        assert holder.stdout.readline() == "open\n"
        with pytest.raises(ConfigError, match="is open for writing elsewhere"):
            catalog_file.write(filled, path)
        holder.stdin.close()


def test_a_broken_file_is_not_taken_for_an_open_one(filled, tmp_path):
    """Whatever its name is, which DuckDB's error tells as well."""
    path = tmp_path / "lock.duckdb"
    path.write_bytes(b"no database")
    with pytest.raises(ConfigError, match="is there and is no catalog"):
        catalog_file.write(filled, path)


def test_a_place_that_can_not_be_written(filled, tmp_path):
    """It is named, with the reason and the next step, in a line."""
    said = r"Can't write the catalog .*gone/lake\.duckdb: IO Error: Cannot open file.*Choose another place"
    with pytest.raises(StoreError, match=said):
        catalog_file.write(filled, tmp_path / "gone/lake.duckdb")


def test_objectives_are_those_of_when_it_was_written(filled, path):
    """They are in the file, which asks no luigi.cfg."""
    catalog_file.write(filled, path, (Slo("web", ("*",), None, 0.999, 30),))
    with duckdb.connect(str(path), read_only=True) as connection:
        assert connection.sql("select slo, objective from slo").fetchall() == [("web", 0.999)]
        assert connection.sql("select distinct application from error_budget order by all").fetchall() == [
            ("api",),
            ("shop",),
        ]


def test_a_column_that_older_files_lack_is_null(filled, path, monkeypatch):
    """In a catalog that was written since a contract has a column more."""
    rates = CONTRACTS["error_rate"]
    more = replace(rates.columns[-1], name="more", added=True)
    monkeypatch.setitem(CONTRACTS, "error_rate", replace(rates, columns=(*rates.columns, more)))
    catalog_file.write(filled, path)
    with duckdb.connect(str(path), read_only=True) as connection:
        assert connection.sql("select distinct more, rev from error_rate order by all").fetchall() == [
            (None, 0),
            (None, 1),
        ]


def test_a_root_with_a_quote_is_quoted(tmp_path, publish, error_rates, day):
    """A folder's name is no SQL."""
    lake = Lake(open_store(str(tmp_path / "it's; drop view error_rate; --")))
    publish(lake, Partition("error_rate", 1, day), error_rates(shop=1))
    catalog_file.write(lake, tmp_path / "a.duckdb")
    with duckdb.connect(str(tmp_path / "a.duckdb"), read_only=True) as connection:
        assert connection.execute(QUERY).fetchall() == [(day, "shop", 1, 0)]


@pytest.fixture
def httpfs():
    """DuckDB's extension for S3, as a package brings it; other versions of DuckDB fetch theirs."""
    package = pytest.importorskip("duckdb_extension_httpfs")
    found = sorted(Path(package.__file__).parent.rglob("httpfs.duckdb_extension"))
    if not any(f"v{duckdb.__version__}" in each.parts for each in found):
        pytest.skip(f"there is no package of httpfs for DuckDB {duckdb.__version__}")
    return found[0]


def test_on_s3_it_is_asked_with_its_readers_credentials(  # noqa: PLR0913, PLR0917 - each is a fixture
    s3_root, moto_url, publish, error_rates, day, path, httpfs
):
    """Those of the environment; which revisions there are is found out when it is asked."""
    lake = Lake(open_store(s3_root, moto_url))
    publish(lake, Partition("error_rate", 1, day), error_rates(shop=1))
    catalog_file.write(lake, path)
    publish(lake, Partition("error_rate", 1, day, revision=1), error_rates(shop=2))
    with duckdb.connect(str(path), read_only=True) as connection:
        connection.execute(f"load {sql.quoted(str(httpfs))}")
        connection.execute("set s3_url_style = 'path'")
        connection.execute("set s3_use_ssl = false")
        connection.execute("set s3_endpoint = $1", [moto_url.removeprefix("http://")])
        assert connection.execute(QUERY).fetchall() == [(day, "shop", 2, 1)]
        query = "select rev, rows_kept from provenance order by rev"
        assert [row[0] for row in connection.execute(query).fetchall()] == [0, 1]
