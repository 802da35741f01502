"""Deliveries to BigQuery, or what stands in for it: what stands there is what the lake has, whatever happens."""

import os
import random
import sys
import time
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest
from conftest import FIRST_DAY
from postgres import Cutting

import lake
from etl.deliver.bring import bring, differences, due
from etl.deliver.opening import opened
from lake.contracts import CONTRACTS
from lake.errors import ConfigError, Damaged, StoreError, TargetRefused
from lake.partition import Partition
from lake.retention import Expired

RATES = CONTRACTS["error_rate"]


@pytest.fixture
def module(dataset, monkeypatch):
    """The module, which waits no longer than a test may."""
    from etl import bigquery_client
    from etl.deliver import bigquery

    monkeypatch.setattr(bigquery, "WAITS", (0.05,) * 8)
    monkeypatch.setattr(bigquery, "PATIENCE_SECONDS", 0.3)
    monkeypatch.setattr(bigquery, "UPLOAD_RETRIES", 0)
    monkeypatch.setattr(bigquery, "CONNECT_SECONDS", 0.5)
    monkeypatch.setattr(bigquery_client, "DEFAULT_RETRY", bigquery_client.DEFAULT_RETRY.with_delay(0.02, 0.1))
    return bigquery


def there(dataset, columns="*", table="error_rate"):
    """Return the rows that are delivered, in order."""
    where = " where dataset != ''" if table == "lake_receipts" else ""
    return sorted(dataset.ask(f"select {columns} from {table}{where}"))


def brought(figures, dataset, **more):
    """Bring all that is due, and return how many partitions were sent."""
    with figures.target(dataset.url, **more) as (delivery, target):
        return bring(delivery, target)


def changed(dataset, change, name="error_rate"):
    """Make a table anew as a function of it says, with its labels and without its rows."""
    table = dataset.table(name)
    from google.cloud import bigquery

    made = bigquery.Table(table.reference, schema=change(list(table.schema)))
    made.labels, made.time_partitioning = table.labels, table.time_partitioning
    dataset.client.delete_table(table)
    dataset.client.create_table(made)


def test_what_is_delivered_is_what_the_lake_has(figures, dataset, module):
    """The latest revision of each day, with typed columns and their meanings; sent once, then no more."""
    assert brought(figures, dataset) == 3
    assert there(dataset) == figures.rows()
    assert brought(figures, dataset) == 0
    assert dataset.tables() == ["error_rate", "lake_receipts"]
    table = dataset.table()
    assert (table.time_partitioning.field, table.time_partitioning.type_) == ("dt", "DAY")
    assert table.description == f"error_rate v1 of error-rate-lake: a row is {RATES.grain}, on one UTC day"
    columns = {each.name: each for each in table.schema}
    assert list(columns) == ["dt", *RATES.schema.names, "rev"]
    types = {name: module.ALSO_CALLED.get(each.field_type, each.field_type) for name, each in columns.items()}
    assert (types["dt"], types["application"], types["error_rate"]) == ("DATE", "STRING", "FLOAT64")
    assert (types["hours_observed"], types["rev"], types["valid_requests"]) == ("INT64", "INT64", "INT64")
    for column in RATES.columns:
        assert columns[column.name].description == f"{column.meaning} [{column.unit}]"
        assert columns[column.name].mode == ("NULLABLE" if column.nullable else "REQUIRED")
    assert columns["rev"].description == "Revision: 0, or that of a restatement [number]"


def test_receipts_name_revision_digest_and_lake(figures, dataset, module):
    """Those of the lake's partitions, and the table that they are of."""
    brought(figures, dataset)
    config = figures.folder / "luigi.cfg"
    wanted = [
        ("error_rate", each.dt, "", 1, each.revision, each.sha256, lake.identity(config))
        for each in lake.partitions("error_rate", config=config)
    ]
    columns = "dataset, dt, source, version, revision, sha256, lake"
    assert there(dataset, columns, "lake_receipts") == wanted
    ids = {id_ for (id_,) in there(dataset, "table_id", "lake_receipts")}
    assert ids == {dataset.table().labels["error_rate_lake_table"]}


def test_a_restatement_replaces_exactly_its_day(figures, dataset, module):
    """To more rows, fewer or none; what stands in other days' rows stays, even if it isn't the lake's."""
    brought(figures, dataset)
    dataset.ask("update error_rate set valid_requests = 5 where dt != '2026-09-03'")
    before = [row for row in there(dataset) if row[0].day != 3]
    for revision, errors in enumerate(({"shop": 1, "api": 2, "mail": 3}, {"api": 2}, {}), 1):
        figures.rates(2, revision=revision, **errors)
        assert brought(figures, dataset) == 1
        now = there(dataset)
        assert [row for row in now if row[0].day != 3] == before
        assert [row for row in now if row[0].day == 3] == [row for row in figures.rows() if row[0].day == 3]
        assert len(now) == len(before) + len(errors)
    assert brought(figures, dataset) == 0


def test_days_of_several_sources_are_replaced_by_themselves(figures, dataset, module, publish):
    """A dataset that is kept per source has a receipt for each; another source's rows stay."""
    made = CONTRACTS["rejects"]

    def rejects(source, revision, *lines):
        rows = [{"file": "a.log", "line_number": n, "reason": "shape", "masked_line": "?"} for n in lines]
        partition = Partition("rejects", 1, FIRST_DAY + timedelta(1), source, revision)
        publish(figures.lake, partition, pa.Table.from_pylist(rows, made.schema))

    rejects("web", 0, 1, 2)
    rejects("api", 0, 3)
    assert brought(figures, dataset, datasets="rejects") == 2
    rejects("web", 1, 4)
    assert brought(figures, dataset, datasets="rejects") == 1
    assert there(dataset, table="rejects") == figures.rows("rejects")
    assert there(dataset, "source, line_number, rev", "rejects") == [("api", 3, 0), ("web", 4, 1)]
    with figures.target(dataset.url, datasets="rejects") as (delivery, target):
        assert differences(delivery, target) == (2, [])


def test_only_what_is_asked_for_is_sent(figures, dataset, module):
    """Days from `since` on, and of those a range."""
    with figures.target(dataset.url, since="2026-09-02") as (delivery, target):
        assert bring(delivery, target, stop=delivery.since) == 0
        assert bring(delivery, target, start=delivery.since.replace(day=3)) == 1
        assert [str(each.published.dt) for each in due(delivery, target)] == ["2026-09-02"]


def test_what_retention_deletes_here_stays_there(figures, dataset, module):
    """A day that is gone from the lake keeps its rows and its receipt."""
    brought(figures, dataset)
    before = there(dataset)
    Expired.of(figures.lake, "error_rate", figures.lake.partitions(RATES)[1].dt).delete(
        figures.lake, "old", "test"
    )
    assert len(figures.rows()) == 4
    assert brought(figures, dataset) == 0
    assert there(dataset) == before


def test_what_is_not_of_this_lake_or_newer_is_refused(figures, dataset, module):
    """Nothing of it is changed there, other days are sent; a plan says the same."""
    brought(figures, dataset)
    identity = lake.identity(figures.folder / "luigi.cfg")
    refused = {
        "revision = 5": "is ahead of the lake: error_rate 2026-09-01 is there in revision 5",
        f"lake = '{'0' * 32}'": "from another lake (00000000000000000000000000000000",
        "version = 2": "by version 2 of its contract, and the lake has it by version 1",
        "sha256 = 'other'": "in revision 0 with other bytes than the lake has",
    }
    for revision, (change, said) in enumerate(refused.items(), 1):
        dataset.ask(f"update lake_receipts set {change} where dt = '2026-09-01'")
        figures.rates(2, revision=revision, shop=revision)
        with figures.target(dataset.url) as (delivery, target):
            with pytest.raises(TargetRefused) as error:
                bring(delivery, target)
            assert said in str(error.value)
            assert any(each.refused for each in due(delivery, target))
        assert there(dataset) == figures.rows()
        dataset.ask(
            f"update lake_receipts set revision = 0, version = 1, lake = '{identity}' where dt = '2026-09-01'"
        )


def retyped(columns):
    """Give a column another type."""
    from google.cloud import bigquery

    return [bigquery.SchemaField(c.name, "NUMERIC") if c.name == "error_rate" else c for c in columns]


def required(columns):
    """Have a column be never NULL."""
    from google.cloud import bigquery

    return [
        bigquery.SchemaField(c.name, c.field_type, "REQUIRED") if c.name == "error_rate" else c for c in columns
    ]


def more(columns):
    """Add a column."""
    from google.cloud import bigquery

    return [*columns, bigquery.SchemaField("team", "STRING")]


def test_a_table_that_somebody_changed_is_refused(figures, dataset, module):
    """The message says what is other, and nothing is written."""
    brought(figures, dataset)
    figures.rates(2, revision=1, shop=1)
    original = list(dataset.table().schema)
    missing = RATES.columns[2].name
    wrong = [
        (retyped, "error_rate is NUMERIC and should be FLOAT64"),
        (lambda columns: [each for each in columns if each.name != missing], f"{missing} is missing"),
        (more, "team is not one of ours"),
        (required, "error_rate is required, and may be NULL here"),
    ]
    for change, said in wrong:
        changed(dataset, lambda _, change=change: change(original))
        with pytest.raises(TargetRefused) as error:
            brought(figures, dataset)
        assert said in str(error.value)
        assert "Nothing was changed" in str(error.value)
        assert there(dataset, "dt") == []


@pytest.mark.parametrize("name", ["error_rate", "lake_receipts"])
def test_somebody_elses_table_is_not_touched(figures, dataset, module, name):
    """One of that name that was there before, and one whose label somebody took away."""
    dataset.ask(f"create table {name} (dataset string)", f"insert into {name} values ('7')")
    with pytest.raises(TargetRefused, match=f"{name} in bigquery://lake-test/.* isn't a table of this delivery"):
        brought(figures, dataset)
    assert dataset.ask(f"select * from {name}") == [("7",)]


def test_what_expires_is_refused(figures, dataset, module, monkeypatch):
    """A table whose rows go while its receipts stay; the stand-in lets nothing expire."""
    brought(figures, dataset)
    in_a_year = datetime(2030, 1, 1, tzinfo=UTC)
    figures.rates(2, revision=1, shop=1)
    with monkeypatch.context() as patch:
        patch.setattr("google.cloud.bigquery.Table.expires", in_a_year)
        with pytest.raises(TargetRefused, match="Set its expiration to never"):
            brought(figures, dataset)
    with monkeypatch.context() as patch:
        patch.setattr("google.cloud.bigquery.Dataset.default_partition_expiration_ms", 1000)
        with pytest.raises(TargetRefused, match="Set the default expiration of that dataset to never"):
            brought(figures, dataset)


def test_a_column_that_the_contract_has_gained_is_added(figures, dataset, module, monkeypatch):
    """It is NULL in the days of before, as it is in the lake, and is added once."""
    incomplete = RATES.columns[-1]
    monkeypatch.setitem(CONTRACTS, "error_rate", replace(RATES, columns=RATES.columns[:-1]))
    brought(figures, dataset)
    grown = replace(RATES, columns=(*RATES.columns[:-1], replace(incomplete, added=True, nullable=True)))
    monkeypatch.setitem(CONTRACTS, "error_rate", grown)
    names = ", ".join(["dt", *RATES.schema.names, "rev"])
    for day in (3, 4):
        figures.rates(day, shop=1)
        assert brought(figures, dataset) == 1
        assert sorted(there(dataset, names), key=str) == sorted(figures.rows(), key=str)


def test_a_table_that_was_dropped_is_delivered_anew(figures, dataset, module):
    """Its receipts say nothing any more; and without receipts, rows are replaced by the same."""
    brought(figures, dataset)
    dataset.client.delete_table(f"{dataset.name}.error_rate")
    assert brought(figures, dataset) == 3
    assert there(dataset) == figures.rows()
    dataset.client.delete_table(f"{dataset.name}.lake_receipts")
    assert brought(figures, dataset) == 3
    assert there(dataset) == figures.rows()
    assert len(there(dataset, "dt", "lake_receipts")) == 3


def test_verification_finds_what_is_other(figures, dataset, module):
    """A changed figure, a row that is gone, rows that no delivery has sent; and nothing where all is well."""
    names = ", ".join([*RATES.schema.names, "rev"])
    with figures.target(dataset.url) as (delivery, target):
        bring(delivery, target)
        assert differences(delivery, target) == (3, [])
        dataset.ask(
            "update error_rate set valid_requests = 999 where dt = '2026-09-01' and application = 'shop'",
            "delete from error_rate where dt = '2026-09-02' and application = 'shop'",
            f"insert into error_rate (dt, {names}) "
            f"select date '2030-01-01', {names} from error_rate where dt = '2026-09-03'",
        )
        compared, found = differences(delivery, target)
    assert compared == 3
    assert found[0] == "error_rate 2026-09-01: valid_requests 1,999, in the lake 2,000"
    assert found[1].startswith("error_rate 2026-09-02: rows 1, in the lake 2; ")
    assert found[2] == "error_rate 2030-01-01: 2 rows there that no delivery has sent"


def test_many_days_take_few_jobs(figures, dataset, module, monkeypatch):
    """Whole days, up to a number of them or of rows; each job is one load or one transaction."""
    for day in range(3, 10):
        figures.rates(day, shop=day)
    monkeypatch.setattr(module, "PARTITIONS_AT_ONCE", 4)
    loads = []
    load = module.bigquery.Client.load_table_from_file

    def counted(client, file, table, **more):
        job = load(client, file, table, **more)
        loads.append(job.result().output_rows)
        return job

    monkeypatch.setattr(module.bigquery.Client, "load_table_from_file", counted)
    assert brought(figures, dataset) == 10
    assert loads == [7, 4, 2]
    assert there(dataset) == figures.rows()
    monkeypatch.setattr(module, "ROWS_AT_ONCE", 1)
    figures.rates(0, revision=1, shop=1)
    figures.rates(1, revision=2, shop=1, api=3)
    assert brought(figures, dataset) == 2
    assert loads[3:] == [1, 2]


def test_a_staging_table_expires(figures, dataset, module, monkeypatch):
    """What a kill leaves is gone a day later; two attempts have two of them."""
    made = []
    create = module.bigquery.Client.create_table

    def noted(client, table, **more):
        made.append(table)
        return create(client, table, **more)

    monkeypatch.setattr(module.bigquery.Client, "create_table", noted)
    brought(figures, dataset)
    figures.rates(0, revision=1, shop=1)
    brought(figures, dataset)
    staging = [each for each in made if each.table_id.startswith("lake_staging_error_rate_")]
    assert len({each.table_id for each in staging}) == 2
    for each in staging:
        assert timedelta(hours=23) < each.expires - datetime.now(UTC) < timedelta(hours=25)  # noqa: TID251
    assert dataset.tables() == ["error_rate", "lake_receipts"]


@pytest.fixture
def aborting(module, monkeypatch):
    """Has transactions end as BigQuery ends one of two that run at once, so many times, or without end."""
    from google.api_core.exceptions import BadRequest

    times = []
    run = module.BigQuery.run

    def run_or_abort(self, statements):
        if "begin transaction" in statements and times:
            text = times.pop()
            raise BadRequest(text, errors=[{"reason": "invalidQuery", "message": text}])
        return run(self, statements)

    monkeypatch.setattr(module.BigQuery, "run", run_or_abort)
    return times


BigQuerys_words = (
    "Transaction is aborted due to concurrent update against table lake-test:figures.lake_receipts. "
    "Transaction ID: 1"
)


def test_an_aborted_transaction_is_tried_again(figures, dataset, aborting):
    """Until it has been often enough; then it is said, nothing is there, and the next run does it."""
    aborting += [BigQuerys_words] * 3
    assert brought(figures, dataset) == 3
    assert aborting == []
    assert there(dataset) == figures.rows()
    figures.rates(2, revision=1, shop=1)
    before = there(dataset)
    aborting += [BigQuerys_words] * 20
    with pytest.raises(StoreError, match=r"can't deliver error_rate 2026-09-03: Transaction is aborted"):
        brought(figures, dataset)
    assert there(dataset) == before
    aborting.clear()
    assert brought(figures, dataset) == 1


def test_who_is_slower_sends_the_rest(figures, dataset, module):
    """Another one that has some of the days, or another lake's, or none but a newer one, keeps what is there."""
    for day in range(3, 6):
        figures.rates(day, shop=day)
    with figures.target(dataset.url) as (delivery, target):
        found = [each.published for each in due(delivery, target)]
        identity = lake.identity(delivery.config)
        with opened(delivery) as other:
            assert list(other.deliver(found[1:3], identity, list)) == found[1:3]
            assert list(target.deliver(found, identity, list)) == [found[0], *found[3:]]
        assert there(dataset) == figures.rows()
        assert list(target.deliver(found, identity, list)) == []
        figures.rates(0, revision=1, shop=1)
        figures.rates(1, revision=2, shop=1)
        newer = [each.published for each in due(delivery, target)]
        dataset.ask("update lake_receipts set revision = 7 where dt = '2026-09-01'")
        sent = []
        with pytest.raises(TargetRefused, match="is ahead of the lake: error_rate 2026-09-01"):
            sent.extend(target.deliver(newer, identity, list))
    assert there(dataset, "dt, rev") == [
        row for row in there(dataset, "dt, rev") if row[0].day != 1 or row[1] == 0
    ]
    assert {rev for dt, rev in there(dataset, "dt, rev") if dt.day == 2} == {2}


def test_several_deliverers_at_once_send_each_day_once(figures, dataset, module, monkeypatch):
    """Whoever comes second to a day finds nothing to do; tables are made by one of them."""
    monkeypatch.setattr(module, "PARTITIONS_AT_ONCE", 10)
    for day in range(3, 20):
        figures.rates(day, shop=day, api=1)
    assert sum(figures.at_once(figures.deliver(dataset.url), 4)) == 20
    assert there(dataset) == figures.rows()
    assert len(there(dataset, "dt", "lake_receipts")) == 20


def test_a_server_that_is_away_is_said(figures, dataset, module, monkeypatch):
    """Before, and in the middle of days: then what was sent is there, and a later run does the rest."""
    cutting = Cutting(dataset.emulator.port)
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", f"http://127.0.0.1:{cutting.port}")
    monkeypatch.setattr(module, "PARTITIONS_AT_ONCE", 1)
    with figures.target(dataset.url) as (delivery, target):

        def cut(_):
            cutting.left["from"] = 0

        with pytest.raises(
            StoreError, match=r"can't deliver error_rate 2026-09-02: .*Check that it is there"
        ) as e:
            bring(delivery, target, done=cut)
    assert "\n" not in str(e.value)
    assert {str(dt) for (dt,) in there(dataset, "dt")} == {"2026-09-01"}
    cutting.left["from"] = None
    assert brought(figures, dataset) == 2
    assert there(dataset) == figures.rows()
    cutting.close()
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", "http://127.0.0.1:1")
    with (
        pytest.raises(StoreError, match=rf"Can't reach {dataset.url}: .*refused.*Check that it is there"),
        opened(figures.deliver(dataset.url)),
    ):
        pass


def test_a_dataset_that_is_not_there_is_said(figures, dataset, module):
    """It is made by whoever decides where the data is; nor may it be elsewhere."""
    with (
        pytest.raises(StoreError, match=r"Can't reach bigquery://lake-test/none: .*Check that it is there"),
        opened(figures.deliver("bigquery://lake-test/none")),
    ):
        pass
    with (
        pytest.raises(ConfigError, match="is in US, and not in EU"),
        opened(figures.deliver(f"{dataset.url}?location=EU")),
    ):
        pass
    with figures.target(f"{dataset.url}?location=us") as (delivery, target):
        assert bring(delivery, target) == 3


def test_what_is_missing_to_deliver_is_named(figures, monkeypatch):
    """How to install it, where it is not."""
    monkeypatch.setitem(sys.modules, "google.cloud.bigquery", None)
    monkeypatch.delattr("google.cloud.bigquery", raising=False)
    for name in ("etl.deliver.bigquery", "etl.bigquery_client"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    with pytest.raises(ConfigError, match=r"pip install 'error-rate-lake\[bigquery\]'"):
        opened(figures.deliver("bigquery://project/x"))


@pytest.mark.parametrize("text", ["", '{"type": "service_account", "private_key": "s3cr3t"}', "s3cr3t"])
def test_missing_and_wrong_credentials_are_said_without_them(figures, module, monkeypatch, tmp_path, text):
    """Where they are looked for is Google's affair; nothing outside is asked."""
    key = tmp_path / "key.json"
    key.write_text(text)
    for name in ("BIGQUERY_EMULATOR_HOST", "GOOGLE_APPLICATION_CREDENTIALS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    if text:
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(key))
    with (
        pytest.raises(StoreError, match=r"Can't reach bigquery://project/x: .* the credentials, ") as error,
        opened(figures.deliver("bigquery://project/x")),
    ):
        pass
    assert "s3cr3t" not in str(error.value)
    assert "\n" not in str(error.value)


def test_a_user_without_rights_is_told_so(figures, dataset, module, monkeypatch):
    """By BigQuery's own words, with what was to be done; a quota that is used up is no refusal."""
    from google.api_core.exceptions import Forbidden

    def refuse(reason):
        def refused(self, statements):
            text = "Access Denied: Table lake-test:figures.error_rate"
            raise Forbidden(text, errors=[{"reason": reason, "message": text}])

        return refused

    monkeypatch.setattr(module.BigQuery, "run", refuse("accessDenied"))
    said = r"can't prepare error_rate: Access Denied: Table .*\. Nothing was changed there\."
    with pytest.raises(TargetRefused, match=said):
        brought(figures, dataset)
    monkeypatch.setattr(module.BigQuery, "run", refuse("rateLimitExceeded"))
    with pytest.raises(StoreError, match="can't prepare error_rate: "):
        brought(figures, dataset)


def test_a_partition_that_can_not_be_read_keeps_no_earlier_one_from_its_place(figures, dataset, module):
    """What was sent before it stays; it is named by its file."""
    path = figures.folder / "lake" / figures.lake.partitions(RATES)[-1].key
    path.chmod(0o644)
    path.write_bytes(b"broken")
    with pytest.raises(Damaged, match="has no footer that can be read"):
        brought(figures, dataset)
    assert {str(dt) for (dt,) in there(dataset, "dt")} == {"2026-09-01", "2026-09-02"}


def mixed(dataset, rows):
    """Return the delivered days that have other rows than those of the revision that their receipt names.

    Args:
        dataset: Where they were delivered.
        rows: How many rows the lake has of a day and a revision.
    """
    if not {"lake_receipts", "error_rate"} <= {*dataset.tables()}:
        return []
    receipts = dict(there(dataset, "dt, revision", "lake_receipts"))
    found = {(dt, rev): n for dt, rev, n in dataset.ask("select dt, rev, count(*) from error_rate group by 1, 2")}
    wanted = {(dt, revision): rows[dt, revision] for dt, revision in receipts.items() if rows[dt, revision]}
    return sorted(found.items() ^ wanted.items())


def counted(figures, rows):
    """Add how many rows the lake has of each day, in its latest revision."""
    for each in lake.partitions("error_rate", config=figures.folder / "luigi.cfg"):
        rows[each.dt, each.revision] = each.batches().read_all().num_rows


@pytest.mark.parametrize("cuts", [3, pytest.param(40, marks=pytest.mark.slow)])
def test_a_connection_that_is_cut_anywhere_leaves_whole_days(figures, dataset, module, monkeypatch, cuts):
    """After any number of bytes of either direction, before a commit or its reply; the next run does the rest."""
    cutting = Cutting(dataset.emulator.port)
    chance, rows, failed = random.Random(cuts), {}, 0  # noqa: S311 - places
    figures.deliver(dataset.url)
    for revision in range(2, cuts + 2):
        for day in range(3):
            figures.rates(day, revision=revision, **{f"app{n}": n for n in range(chance.randrange(4))})
        counted(figures, rows)
        cutting.left = {"from": None, "to": None, chance.choice(["from", "to"]): chance.randrange(1, 25_000)}
        monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", f"http://127.0.0.1:{cutting.port}")
        try:
            with figures.target(dataset.url) as (delivery, target):
                bring(delivery, target)
        except StoreError:
            failed += 1
        assert mixed(dataset, rows) == []
    assert failed >= cuts // 4
    cutting.close()
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", dataset.emulator.url)
    brought(figures, dataset)
    assert there(dataset) == figures.rows()


@pytest.mark.slow
def test_a_killed_delivery_leaves_whole_days(figures, dataset, module):
    """At whatever moment: a day has the rows that its receipt names, and the next run does the rest."""
    kills = int(os.environ.get("KILLS", "20"))
    chance, rows = random.Random(kills), {}  # noqa: S311 - moments
    figures.deliver(dataset.url)
    with figures.deliverers() as kill_one:
        for revision in range(2, kills + 2):
            for day in range(12):
                figures.rates(day, revision=revision, **{f"app{n}": n for n in range(chance.randrange(4))})
            counted(figures, rows)
            kill_one(chance.uniform(0, 0.6))
            assert mixed(dataset, rows) == []
    brought(figures, dataset)
    assert there(dataset) == figures.rows()


@pytest.mark.slow
def test_many_days_of_fifty_applications(figures, dataset, module):
    """Row by row the same; and a restated day of it."""
    days = figures.fill()
    began = time.monotonic()
    assert brought(figures, dataset) == days
    print(f"{len(figures.rows()) / (time.monotonic() - began):,.0f} rows a second")  # noqa: T201
    assert there(dataset) == figures.rows()
    for revision, errors in enumerate(({f"app{n}": n for n in range(60)}, {"app1": 1}, {}), 1):
        figures.rates(20, revision=revision, **errors)
        assert brought(figures, dataset) == 1
        assert there(dataset) == figures.rows()


@pytest.fixture
def delivering(a_project, dataset):
    """A project with four days of logs, and a delivery of every kind of dataset."""
    a_project.environment["BIGQUERY_EMULATOR_HOST"] = dataset.emulator.url
    section = f"[deliver.figures]\nto = {dataset.url}\ndatasets = error_rate, requests, rejects\n"
    with (a_project.folder / "luigi.cfg").open("a") as file:
        file.write(section)
    return a_project


@pytest.mark.slow
def test_commands_deliver_there_as_anywhere(delivering, dataset):
    """`run` builds and delivers, `check` and a plan find nothing late, `verify` what somebody has changed."""

    def run(*command):
        return delivering.run(*command)

    done = run("backfill", "run", "--deliver", "figures", "--start", "2015-05-17", "--workers", "2")
    assert done.returncode == 0, done
    assert run("lake", "deliver", "--to", "figures").stdout == "figures: up to date\n"
    assert run("backfill", "check", "--deliver", "figures").returncode == 0
    for name in ("error_rate", "requests", "rejects"):
        rows = [
            tuple(value.replace(tzinfo=UTC) if isinstance(value, datetime) else value for value in row.values())
            for each in lake.partitions(name, config=delivering.folder / "luigi.cfg")
            for row in each.batches().read_all().to_pylist()
        ]
        assert Counter(dataset.ask(f"select * from {name}")) == Counter(rows), name
        assert rows or name == "rejects"
    assert "12 partitions in bigquery://lake-test/" in run("lake", "verify", "--deliver", "figures").stdout
    dataset.ask(
        "delete from error_rate where dt = '2015-05-18'",
        "delete from lake_receipts where dataset = 'error_rate' and dt = '2015-05-19'",
    )
    planned = run("lake", "deliver", "--to", "figures", "--plan").stdout.splitlines()
    assert planned == [
        f"figures: 1 partitions to send to {dataset.url}",
        "  error_rate 2015-05-19: revision 0, which is new there",
    ]
    assert run("backfill", "check", "--deliver", "figures").returncode != 0
    verified = run("lake", "verify", "--deliver", "figures")
    assert verified.returncode == 1
    assert "figures: error_rate 2015-05-18: rows 0, in the lake 1; " in verified.stdout
