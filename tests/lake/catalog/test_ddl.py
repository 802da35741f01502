"""What other engines are told of the lake: read by a parser of their SQL, and run by Spark where there is one."""

import json
import re
import subprocess
import sys
from datetime import date, timedelta
from hashlib import sha256
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlglot
from s3_servers import make_bucket
from sqlglot import exp

import lake as the_lake
from lake import cli
from lake.catalog import ddl
from lake.catalog.connections import connect
from lake.catalog.ddl import ENGINES
from lake.contracts import CONTRACTS, is_everybodys
from lake.errors import ConfigError
from lake.lake import Lake, open_store
from lake.partition import Partition

REPOSITORY = Path(__file__).parents[3]
PAGE = (REPOSITORY / "docs/how-to/engines.md").read_text(encoding="utf-8")
DIALECT = {"athena": "athena", "trino": "trino", "spark": "spark"}
TYPES = {
    "string": {"athena": "STRING", "trino": "VARCHAR", "spark": "STRING"},
    "int16": dict.fromkeys(("athena", "trino", "spark"), "SMALLINT"),
    "int32": {"athena": "INT", "trino": "INTEGER", "spark": "INT"},
    "int64": dict.fromkeys(("athena", "trino", "spark"), "BIGINT"),
    "double": dict.fromkeys(("athena", "trino", "spark"), "DOUBLE"),
    "bool": dict.fromkeys(("athena", "trino", "spark"), "BOOLEAN"),
    "date32[day]": dict.fromkeys(("athena", "trino", "spark"), "DATE"),
    "timestamp[us]": {"athena": "TIMESTAMP", "trino": "TIMESTAMP(6)", "spark": "TIMESTAMP_NTZ"},
}
GLUE_COMMENT_BYTES = 255
PROJECT_DAYS = date(2026, 9, 14), date(2026, 9, 17)
SPARK = """
import json, sys
from pathlib import Path
from pyspark.sql import SparkSession

folder, names = Path(sys.argv[1]), sys.argv[2:]
settings = {
    "spark.ui.enabled": "false",
    "spark.driver.host": "127.0.0.1",
    "spark.sql.shuffle.partitions": "1",
    "spark.sql.session.timeZone": "America/New_York",
    "spark.sql.warehouse.dir": str(folder / "warehouse"),
    "spark.driver.extraJavaOptions": f"-XX:TieredStopAtLevel=1 -Dderby.system.home={folder / 'metastore'}",
}
spark = SparkSession.builder.master("local[1]").config(map=settings).enableHiveSupport().getOrCreate()
spark.sparkContext.setLogLevel("ERROR")
for statement in (folder / "ddl.sql").read_text().split(";\\n"):
    if statement.strip():
        spark.sql(statement)
told = {}
for name in names:
    spark.table(f"lake.{name}").coalesce(1).write.parquet(str(folder / name))
    told[name] = {
        "comments": {row.col_name: row.comment for row in spark.sql(f"describe lake.{name}").collect()},
        "files": spark.sql(f"select * from lake.{name} where dt = date'2026-09-15'").inputFiles(),
    }
for name in names:
    spark.sql(f"drop table lake.{name}_history")
    spark.sql(f"drop table lake.{name}_files")
(folder / "told.json").write_text(json.dumps(told))
"""


@pytest.fixture
def filled(s3_root, moto_url, publish, error_rates, day):
    """A lake on S3: two days of error_rate, the first one twice, and one of rejects of two sources."""
    lake = Lake(open_store(s3_root, moto_url))
    for n in range(2):
        publish(lake, Partition("error_rate", 1, day + timedelta(n)), error_rates(shop=n))
    publish(lake, Partition("error_rate", 1, day, revision=1), error_rates(shop=100))
    for source in ("web", "api"):
        publish(lake, Partition("rejects", 1, day, source), CONTRACTS["rejects"].schema.empty_table())
    return lake


@pytest.fixture
def whole(s3_root, moto_url, publish, day):
    """A lake on S3 with a partition of each dataset."""
    lake = Lake(open_store(s3_root, moto_url))
    for contract in CONTRACTS.values():
        source = "web" if contract.per_source else None
        publish(lake, Partition(contract.name, contract.version, day, source), contract.schema.empty_table())
    return lake


def parsed(lake, engine, **others):
    """Return what CREATE statements an engine is told, each read by a parser of its SQL, by what they create."""
    found = {}
    for text in ddl.statements(lake, engine, **others).split(";\n"):
        statement = re.sub(r"^--.*\n|^\n", "", text, flags=re.MULTILINE)
        if statement.startswith("create"):
            read = sqlglot.parse_one(statement, dialect=DIALECT[engine])
            assert isinstance(read, exp.Create), statement
            assert sqlglot.parse_one(read.sql(dialect=DIALECT[engine]), dialect=DIALECT[engine]) == read
            found[read.this.sql(dialect=DIALECT[engine]).partition(" (")[0]] = read
    return found


def columns(create, engine):
    """Return the columns of a CREATE TABLE: types and comments, those it is partitioned by too."""
    dialect = DIALECT[engine].replace(
        "athena", "hive"
    )  # to sqlglot, Athena has Hive's types in whole statements only
    return {
        each.name: (
            each.kind.sql(dialect=dialect),
            next(c.kind.this.name for c in each.constraints if isinstance(c.kind, exp.CommentColumnConstraint)),
        )
        for each in create.find_all(exp.ColumnDef)
    }


def meaning(column):
    """Return a column's comment, as the catalog has it but for semicolons."""
    return f"{column.meaning} [{column.unit}]".replace(";", ",")


def test_the_command_knows_the_engines():
    """It names them without importing what each is."""
    assert tuple(ENGINES) == cli.ENGINES


@pytest.mark.parametrize("engine", ENGINES)
def test_each_table_is_its_contract(whole, engine):
    """Columns and those of the path, with the engine's types and the contract's meanings, where the files lie."""
    found = parsed(whole, engine)
    schema, dialect = ENGINES[engine].schema, DIALECT[engine]
    for name, contract in CONTRACTS.items():
        table = found[f"{schema}.{name}_history"]
        place = {"dt": "date32[day]", **({"source": "string"} if contract.per_source else {}), "rev": "int32"}
        types = {c.name: str(c.type) for c in contract.columns} | place
        told = columns(table, engine)
        assert {column: kind for column, (kind, _) in told.items()} == {
            column: TYPES[kind][dialect] for column, kind in types.items()
        }
        assert list(told) == list(types)
        for column in contract.columns:
            assert told[column.name][1] == meaning(column)
        assert f"A row is {contract.grain}. All revisions." in table.sql(dialect=dialect)
        assert f"{whole.root}/{name}/v{contract.version}/" in table.sql(dialect=dialect)


@pytest.mark.parametrize("engine", ENGINES)
def test_each_view_has_the_catalogs_columns(whole, engine):
    """In their order; the latest revision is of each day, and of each source where the dataset is kept so."""
    found = parsed(whole, engine)
    with connect(whole) as connection:
        for name, contract in CONTRACTS.items():
            view = found[f"{ENGINES[engine].schema}.{name}"]
            expected = connection.sql(f"from {name} limit 0").columns
            assert view.expression.named_selects == expected
            (join,) = view.expression.args["joins"]
            folder = ["dt", "source"] if contract.per_source else ["dt"]
            assert [each.name for each in join.args["using"]] == [*folder, "rev"]
            assert [each.name for each in join.find(exp.Group).expressions] == folder


@pytest.mark.parametrize(
    ("engine", "relation"),
    [
        ("athena", 'lake."error_rate_history$partitions"'),
        ("trino", 'hive.lake."error_rate_history$partitions"'),
        ("spark", "lake.error_rate_files"),
    ],
)
def test_the_latest_is_told_by_partitions(filled, engine, relation):
    """And not by rows, as the latest may have none."""
    view = parsed(filled, engine)[f"{ENGINES[engine].schema}.error_rate"]
    (join,) = view.expression.args["joins"]
    assert join.find(exp.Table).sql(dialect=DIALECT[engine]) == relation
    assert "projection." not in ddl.statements(filled, engine)  # with which Athena would know of rows only


@pytest.mark.parametrize("engine", ENGINES)
def test_what_is_not_published_is_named(filled, engine):
    """A dataset without files has no table yet, and a line says so."""
    there = {"error_rate", "rejects"}
    missing = ", ".join(name for name, each in CONTRACTS.items() if name not in there and is_everybodys(each))
    assert f"\n-- Nothing is published yet of: {missing}. Run" in ddl.statements(filled, engine)
    assert {name.rpartition(".")[2] for name in parsed(filled, engine)} >= {"error_rate", "rejects"}
    assert not any("status_mix" in name for name in parsed(filled, engine))


@pytest.mark.parametrize("lake", ["whole", "filled"])
@pytest.mark.parametrize("engine", ENGINES)
def test_it_is_split_at_semicolons(request, lake, engine):
    """By whoever knows neither texts nor comments: each part is a statement, and nothing follows the last one."""
    *parts, rest = ddl.statements(request.getfixturevalue(lake), engine).split(";")
    assert rest == "\n"
    assert len(parts) > 5
    for part in parts:
        (statement,) = sqlglot.parse(part, dialect=DIALECT[engine])
        assert statement


@pytest.mark.parametrize(
    ("engine", "statements"),
    [
        ("athena", ["msck repair table web_logs.error_rate_history"]),
        (
            "trino",
            [
                "set session glue.timestamp_precision = 'MICROSECONDS'",
                "call glue.system.sync_partition_metadata('web_logs', 'error_rate_history', 'FULL')",
            ],
        ),
        (
            "spark",
            [
                "msck repair table web_logs.error_rate_history sync partitions",
                "msck repair table web_logs.error_rate_files sync partitions",
            ],
        ),
    ],
)
def test_they_go_where_they_are_told_to(filled, engine, statements):
    """All names are in the schema that was given, also of the statements that register partitions."""
    schema = "glue.web_logs" if engine == "trino" else "web_logs"
    text = ddl.statements(filled, engine, schema)
    for each in statements:
        assert f"{each};\n" in text
    assert not re.search(r"\blake\.|\bhive\.lake", text)


@pytest.mark.parametrize(
    ("engine", "schema"),
    [("athena", "a.b"), ("trino", "lake"), ("spark", "x; drop"), ("spark", "A"), ("trino", "a.")],
)
def test_a_schema_that_is_none(filled, engine, schema):
    """It is refused by name."""
    with pytest.raises(ConfigError, match=re.escape(f"--schema {schema}: expected a name such as")):
        ddl.statements(filled, engine, schema)


@pytest.mark.parametrize("engine", ["athena", "trino"])
def test_who_reads_s3_only(disk_lake, publish, error_rates, day, engine):
    """A lake on disk is refused, with what could read it."""
    publish(disk_lake, Partition("error_rate", 1, day), error_rates(shop=1))
    with pytest.raises(ConfigError, match=r"Athena and Trino read it on S3 only\. Use spark"):
        ddl.statements(disk_lake, engine)


def test_spark_reads_a_disk(disk_lake, publish, error_rates, day):
    """A root with a quote in it is one text."""
    publish(disk_lake, Partition("error_rate", 1, day), error_rates(shop=1))
    table = parsed(disk_lake, "spark")["lake.error_rate_history"]
    assert table.find(exp.LocationProperty).this.name == f"file://{disk_lake.root}/error_rate/v1/"


def test_glue_takes_the_comments():
    """Its comments of columns are single lines of 255 bytes at most."""
    for contract in CONTRACTS.values():
        for column in contract.columns:
            comment = f"{column.meaning} [{column.unit}]"
            assert len(comment.encode()) <= GLUE_COMMENT_BYTES
            assert comment.isprintable()


@pytest.mark.parametrize("engine", ENGINES)
def test_the_page_shows_what_is_printed(engine, moto_url, s3_root, publish, error_rates):
    """docs/how-to/engines.md has the statements for error_rate as they are, for a lake as it says."""
    bucket = f"page-{engine}"
    make_bucket(moto_url, bucket)
    lake = Lake(open_store(f"s3://{bucket}/lake", moto_url))
    publish(lake, Partition("error_rate", 1, date(2026, 9, 1)), error_rates(shop=1))
    printed = ddl.statements(lake, engine).replace(f"s3://{bucket}/", "s3://acme-lake/")
    shown = re.search(rf"<!-- ddl: {engine} -->\n```sql\n(.*?)```", PAGE, re.DOTALL)[1]
    assert shown.strip() in printed
    assert "create or replace view" in shown


@pytest.fixture
def restated(sample_project, publish):
    """A project of three days with all datasets: one day was restated, and others to nothing."""
    project = sample_project
    start, stop = (each.isoformat() for each in PROJECT_DAYS)
    assert project.run(sys.executable, REPOSITORY / "tests/tools/sample.py", "var/logs").returncode == 0
    for task in ("ErrorRateDaily", "ErrorCountsDaily", "StatusMixDaily"):
        done = project.run("luigi", "RangeDailyBase", "--of", task, "--start", start, "--stop", stop)
        assert done.returncode == 0, done.stderr
    config = project.folder / "luigi.cfg"
    lake = Lake(open_store(str(project.folder / "var/lake")))
    day = PROJECT_DAYS[0] + timedelta(1)
    for name, source, rows in (("error_rate", None, 1), ("error_counts", None, 0), ("rejects", "shop", 0)):
        there = the_lake.read(name, day, day + timedelta(1), arrow=True, config=config)
        table = there.slice(0, rows).select(CONTRACTS[name].schema.names).cast(CONTRACTS[name].schema)
        publish(lake, Partition(name, 1, day, source, revision=1), table)
    return lake, config


def _below(name):
    """Return a dataset, and all that it is made of."""
    return {name}.union(*(_below(each.dataset) for each in CONTRACTS[name].inputs))


@pytest.mark.slow
@pytest.mark.spark
def test_spark_answers_as_the_catalog_does(spark, restated, tmp_path):
    """With a Hive catalog and a zone of its own: each dataset's rows and comments, and of a day its files only."""
    lake, config = restated
    (tmp_path / "ddl.sql").write_text(ddl.statements(lake, "spark"), encoding="utf-8")
    before = digests(lake)
    there = {name: each for name, each in CONTRACTS.items() if lake.partitions(each)}
    assert set(there) >= _below("error_rate")
    done = subprocess.run(
        [sys.executable, "-c", SPARK, str(tmp_path), *there],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=580,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads((tmp_path / "told.json").read_text(encoding="utf-8"))
    with the_lake.connect(config) as connection:
        for name, contract in there.items():
            expected = connection.sql(f"from {name}").to_arrow_table()
            (file,) = (tmp_path / name).glob("*.parquet")
            found = pq.ParquetFile(file).read()
            assert found.schema.names == expected.schema.names
            assert found.schema.types == expected.schema.types
            assert in_order(found) == in_order(expected), name
            assert expected.num_rows
            for column in contract.columns:
                assert told[name]["comments"][column.name] == meaning(column)
            assert told[name]["files"]
            assert all("/dt=2026-09-15/" in each for each in told[name]["files"])
        query = "select count(*) from {} where dt = '2026-09-15' {}"
        assert connection.sql(query.format("error_counts_history", "")).fetchone() != (0,)
        assert connection.sql(query.format("error_counts", "")).fetchone() == (0,)
        assert connection.sql(query.format("error_rate", "and rev = 1")).fetchone() == (1,)
    assert digests(lake) == before


def in_order(table: pa.Table) -> list[str]:
    """Return a table's rows in an order of their own."""
    return sorted(map(repr, table.to_pylist()))


def digests(lake):
    """Return the digest of each file of a lake on disk."""
    return {path: sha256(path.read_bytes()).hexdigest() for path in Path(lake.root).rglob("*.parquet")}
