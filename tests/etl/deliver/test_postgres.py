"""Deliveries to Postgres: what stands there is what the lake has, whatever happens in between.

KILLS=200 python -m pytest -m slow tests/etl/deliver/test_postgres.py
"""

import os
import random
import sys
from dataclasses import replace
from datetime import timedelta

import pyarrow as pa
import pytest
from conftest import FIRST_DAY
from postgres_server import PASSWORD

import lake
from etl.deliver.bring import bring, differences, due
from etl.deliver.opening import opened
from lake.contracts import CONTRACTS
from lake.errors import ConfigError, Damaged, StoreError, TargetRefused
from lake.partition import Partition
from lake.retention import Expired

RATES = CONTRACTS["error_rate"]


def there(database, columns="*", table="error_rate"):
    """Return the rows that are delivered, in order."""
    return sorted(database.ask(f"select {columns} from {table}"))


def brought(figures, database, **more):
    """Bring all that is due to a database or a URL, and return how many partitions were sent."""
    with figures.target(getattr(database, "url", database), **more) as (delivery, target):
        return bring(delivery, target)


def test_what_is_delivered_is_what_the_lake_has(figures, database):
    """The latest revision of each day, with typed columns and their meanings; sent once, then no more."""
    assert brought(figures, database) == 3
    assert there(database) == figures.rows()
    assert brought(figures, database) == 0
    types = dict(
        database.ask(
            "select column_name, data_type from information_schema.columns where table_name = 'error_rate'"
        )
    )
    assert (types["dt"], types["application"], types["error_rate"]) == ("date", "text", "double precision")
    assert (types["hours_observed"], types["rev"], types["valid_requests"]) == ("smallint", "integer", "bigint")
    comments = dict(
        database.ask(
            "select attname::text, col_description(attrelid, attnum) from pg_attribute "
            "where attrelid = 'error_rate'::regclass and attnum > 0"
        )
    )
    for column in RATES.columns:
        assert comments[column.name] == f"{column.meaning} [{column.unit}]"
    assert comments["rev"] == "Revision: 0, or that of a restatement [number]"


def test_receipts_name_revision_digest_and_lake(figures, database):
    """Those of the lake's partitions."""
    brought(figures, database)
    config = figures.folder / "luigi.cfg"
    wanted = [
        ("error_rate", each.dt, "", 1, each.revision, each.sha256, lake.identity(config))
        for each in lake.partitions("error_rate", config=config)
    ]
    columns = "dataset, dt, source, version, revision, sha256, lake"
    assert there(database, columns, "lake_receipts") == wanted


@pytest.mark.parametrize(
    "errors", [{"shop": 1, "api": 2, "mail": 3}, {"api": 2}, {}], ids=["more", "fewer", "none"]
)
def test_a_restatement_replaces_exactly_its_day(figures, database, errors):
    """To more rows, fewer or none; rows of other days stay where they are."""
    brought(figures, database)
    before = dict(database.ask("select ctid::text, dt from error_rate where dt <> '2026-09-03'"))
    figures.rates(2, revision=1, **errors)
    assert brought(figures, database) == 1
    assert there(database) == figures.rows()
    assert dict(database.ask("select ctid::text, dt from error_rate where dt <> '2026-09-03'")) == before
    assert brought(figures, database) == 0


def test_days_of_several_sources_are_replaced_by_themselves(figures, database, publish):
    """A dataset that is kept per source has a receipt for each; another source's rows stay."""
    made = CONTRACTS["rejects"]

    def rejects(source, revision, *lines):
        rows = [{"file": "a.log", "line_number": n, "reason": "shape", "masked_line": "?"} for n in lines]
        partition = Partition("rejects", 1, FIRST_DAY + timedelta(1), source, revision)
        publish(figures.lake, partition, pa.Table.from_pylist(rows, made.schema))

    rejects("web", 0, 1, 2)
    rejects("api", 0, 3)
    assert brought(figures, database, datasets="rejects") == 2
    rejects("web", 1, 4)
    assert brought(figures, database, datasets="rejects") == 1
    assert there(database, table="rejects") == figures.rows("rejects")
    assert there(database, "source, line_number, rev", "rejects") == [("api", 3, 0), ("web", 4, 1)]


def test_only_what_is_asked_for_is_sent(figures, database):
    """Days from `since` on, and of those a range."""
    with figures.target(database.url, since="2026-09-02") as (delivery, target):
        assert bring(delivery, target, stop=delivery.since) == 0
        assert bring(delivery, target, start=delivery.since.replace(day=3)) == 1
        assert [str(each.published.dt) for each in due(delivery, target)] == ["2026-09-02"]


def test_what_retention_deletes_here_stays_there(figures, database):
    """A day that is gone from the lake keeps its rows and its receipt."""
    brought(figures, database)
    before = there(database)
    Expired.of(figures.lake, "error_rate", figures.lake.partitions(RATES)[1].dt).delete(
        figures.lake, "old", "test"
    )
    assert len(figures.rows()) == 4
    assert brought(figures, database) == 0
    assert there(database) == before


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        (
            "update lake_receipts set revision = 5",
            "is ahead of the lake: error_rate 2026-09-01 is there in revision 5",
        ),
        ("update lake_receipts set lake = repeat('0', 32)", "from another lake (00000000000000000000000000000000"),
        ("update lake_receipts set sha256 = 'other'", "in revision 0 with other bytes than the lake has"),
        ("update lake_receipts set version = 2", "by version 2 of its contract, and the lake has it by version 1"),
    ],
)
def test_what_is_not_of_this_lake_or_newer_is_refused(figures, database, statement, said):
    """Nothing is changed there; a plan says the same."""
    brought(figures, database)
    database.ask(statement)
    figures.rates(2, revision=1, shop=1)
    before = there(database)
    with figures.target(database.url) as (delivery, target):
        with pytest.raises(TargetRefused) as error:
            bring(delivery, target)
        assert said in str(error.value)
        assert any(each.refused for each in due(delivery, target))
    if "sha256" in statement:  # which matters only of the revision that the lake has
        assert there(database) == figures.rows()
    else:
        assert there(database) == before


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        (
            "alter table error_rate alter error_rate type numeric",
            "error_rate is numeric and should be double precision",
        ),
        ("alter table error_rate drop incomplete", "incomplete is missing"),
        ("alter table error_rate add team text", "team is not one of ours"),
        ("alter table error_rate alter error_rate set not null", "error_rate is not null, and may be NULL here"),
        ("comment on table error_rate is 'ours'", "error_rate in postgresql://127.0.0.1"),
        ("comment on table lake_receipts is null", "lake_receipts in postgresql://127.0.0.1"),
    ],
)
def test_a_table_that_somebody_changed_is_refused(figures, database, statement, said):
    """The message says what is other, and nothing is written."""
    brought(figures, database)
    database.ask(statement)
    figures.rates(2, revision=1, shop=1)
    before = there(database, "dt, application, rev")
    with pytest.raises(TargetRefused) as error:
        brought(figures, database)
    assert said in str(error.value)
    assert "Nothing was changed" in str(error.value)
    assert there(database, "dt, application, rev") == before


def test_somebody_elses_table_is_not_touched(figures, database):
    """One of that name that was there before."""
    database.ask("create table error_rate (x integer)", "insert into error_rate values (7)")
    with pytest.raises(TargetRefused, match="isn't a table of this delivery"):
        brought(figures, database)
    assert there(database) == [(7,)]


def test_a_column_that_the_contract_has_gained_is_added(figures, database, monkeypatch):
    """It is NULL in the days of before, as it is in the lake, and says what it means."""
    incomplete = RATES.columns[-1]
    monkeypatch.setitem(CONTRACTS, "error_rate", replace(RATES, columns=RATES.columns[:-1]))
    brought(figures, database)
    monkeypatch.setitem(
        CONTRACTS, "error_rate", replace(RATES, columns=(*RATES.columns[:-1], replace(incomplete, added=True)))
    )
    figures.rates(3, shop=1)
    assert brought(figures, database) == 1
    names = ", ".join(["dt", *RATES.schema.names, "rev"])
    assert there(database, names) == figures.rows()


def test_a_table_that_was_dropped_is_delivered_anew(figures, database):
    """Its receipts say nothing any more; and without receipts, rows are replaced by the same."""
    brought(figures, database)
    database.ask("drop table error_rate")
    assert brought(figures, database) == 3
    assert there(database) == figures.rows()
    database.ask("drop table lake_receipts")
    assert brought(figures, database) == 3
    assert there(database) == figures.rows()


def test_verification_finds_what_is_other(figures, database):
    """A changed figure, a row that is gone, rows that no delivery has sent; and nothing where all is well."""
    with figures.target(database.url) as (delivery, target):
        bring(delivery, target)
        assert differences(delivery, target) == (3, [])
        database.ask(
            "update error_rate set valid_requests = 999 where dt = '2026-09-01' and application = 'shop'",
            "delete from error_rate where dt = '2026-09-02' and application = 'shop'",
            "create temporary table more as select * from error_rate where dt = '2026-09-03'",
            "update more set dt = '2030-01-01'",
            "insert into error_rate select * from more",
        )
        compared, found = differences(delivery, target)
    assert compared == 3
    assert found[0] == "error_rate 2026-09-01: valid_requests 1,999, in the lake 2,000"
    assert found[1].startswith("error_rate 2026-09-02: rows 1, in the lake 2; ")
    assert found[2] == "error_rate 2030-01-01: 2 rows there that no delivery has sent"


@pytest.mark.parametrize("password", ["wr@ng/%pw", ""])
def test_a_wrong_password_is_not_printed(figures, database, monkeypatch, password):
    """Nor is a right one; the message says where to look."""
    monkeypatch.setenv("PGPASSWORD", password)
    with pytest.raises(StoreError) as error, figures.target(database.url):
        pass
    assert str(error.value).startswith(
        f"Can't reach postgresql://127.0.0.1:{database.server.port}/{database.name}: "
    )
    assert "password" in str(error.value)
    assert "wr@ng" not in str(error.value)
    assert "\n" not in str(error.value)


def test_a_password_may_be_that_of_a_variable(figures, database, monkeypatch):
    """Percent signs and all."""
    monkeypatch.setenv("FIGURES_PASSWORD", PASSWORD)
    monkeypatch.delenv("PGPASSWORD")
    to = database.url.replace("@", ":${FIGURES_PASSWORD}@")
    with figures.target(to) as (delivery, target):
        assert bring(delivery, target) == 3


def test_a_server_that_is_away_is_said(figures, database):
    """Before, and in the middle of days: then what was sent is there, and a later run does the rest."""
    with figures.target(database.url) as (delivery, target):

        def cut(_):
            database.ask(
                "select pg_terminate_backend(pid) from pg_stat_activity "
                "where application_name = 'error-rate-lake' and pid <> pg_backend_pid()"
            )

        with pytest.raises(StoreError, match=r"can't deliver error_rate 2026-09-02: .*Check that it runs"):
            bring(delivery, target, done=cut)
    assert {str(dt) for (dt,) in there(database, "dt")} == {"2026-09-01"}
    assert brought(figures, database) == 2
    assert there(database) == figures.rows()
    away = figures.deliver("postgresql://figures@127.0.0.1:1/figures")
    with (
        pytest.raises(StoreError, match=r"Can't reach postgresql://127\.0\.0\.1:1/figures: .*refused"),
        opened(away),
    ):
        pass


def test_what_is_missing_to_deliver_is_named(figures, monkeypatch):
    """How to install it, where it is not."""
    monkeypatch.setitem(sys.modules, "adbc_driver_postgresql", None)
    monkeypatch.delitem(sys.modules, "etl.deliver.postgres", raising=False)
    with pytest.raises(ConfigError, match=r"pip install 'error-rate-lake\[postgres\]'"):
        opened(figures.deliver("postgresql://db/x"))


def test_several_deliverers_at_once_send_each_day_once(figures, database):
    """Whoever comes second to a day finds nothing to do; tables are made by one of them."""
    for day in range(3, 20):
        figures.rates(day, shop=day, api=1)

    delivery = figures.deliver(database.url)
    assert sum(figures.at_once(delivery, 4)) == 20
    assert there(database) == figures.rows()


def mixed(database, rows):
    """Return the delivered days that have other rows than those of the revision that their receipt names.

    Args:
        database: Where they were delivered.
        rows: How many rows the lake has of a day and a revision.
    """
    if not database.ask("select to_regclass('lake_receipts')::text")[0][0]:
        return []
    found = database.ask(
        "select dt, revision, (select count(*) from error_rate as rows where rows.dt = receipts.dt), "
        "(select count(*) from error_rate as rows where rows.dt = receipts.dt and rows.rev = revision) "
        "from lake_receipts as receipts"
    )
    return [each for each in found if not rows[each[0], each[1]] == each[2] == each[3]]


def test_a_connection_that_is_cut_anywhere_leaves_whole_days(figures, database, cutting):
    """After any number of bytes of either direction, before a commit or its reply; the next run does the rest."""
    chance, rows, cuts = random.Random(7), {}, 0  # noqa: S311 - places
    to = database.url.replace(f":{database.server.port}/", f":{cutting.port}/")
    figures.deliver(to)
    for revision in range(2, 26):
        for day in range(3):
            figures.rates(day, revision=revision, **{f"app{n}": n for n in range(chance.randrange(4))})
        for each in lake.partitions("error_rate", config=figures.folder / "luigi.cfg"):
            rows[each.dt, each.revision] = each.batches().read_all().num_rows
        cutting.left = {"from": None, "to": None, chance.choice(["from", "to"]): chance.randrange(1, 9_000)}
        try:
            with figures.target(to) as (delivery, target):
                bring(delivery, target)
        except StoreError:
            cuts += 1
        assert mixed(database, rows) == []
    assert cuts >= 10
    brought(figures, database)
    assert there(database) == figures.rows()


def test_tls_checks_the_certificate(figures, database):
    """Against a file; a certificate that no authority vouches for is refused, as libpq says it."""
    assert brought(figures, f"{database.url}?sslmode=verify-full&sslrootcert={database.server.ca}") == 3
    assert there(database) == figures.rows()
    with pytest.raises(StoreError, match=r"Can't reach .*: .*certificate"):
        brought(figures, f"{database.url}?sslmode=verify-full&sslrootcert=system")


@pytest.mark.parametrize("kills", [4, pytest.param(int(os.environ.get("KILLS", "60")), marks=pytest.mark.slow)])
def test_a_killed_delivery_leaves_whole_days(figures, database, kills):
    """At whatever moment: a day has the rows that its receipt names, and the next run does the rest."""
    days, chance = 12, random.Random(kills)  # noqa: S311 - moments
    figures.deliver(database.url)
    rows = {}
    with figures.deliverers() as kill_one:
        for revision in range(2, kills + 2):
            for day in range(days):
                figures.rates(day, revision=revision, **{f"app{n}": n for n in range(chance.randrange(4))})
            for each in lake.partitions("error_rate", config=figures.folder / "luigi.cfg"):
                rows[each.dt, each.revision] = each.batches().read_all().num_rows
            kill_one(chance.uniform(0, 0.1))
            assert mixed(database, rows) == []
    brought(figures, database)
    assert there(database) == figures.rows()


@pytest.mark.slow
def test_many_days_of_fifty_applications(figures, database):
    """Row by row the same; and a restated day of it."""
    days = figures.fill()
    assert brought(figures, database) == days
    assert there(database) == figures.rows()
    figures.rates(20, revision=1, **{f"app{n}": n for n in range(50)})
    assert brought(figures, database) == 1
    assert there(database) == figures.rows()


def test_a_partition_that_can_not_be_read_keeps_no_earlier_one_from_its_place(figures, database):
    """What was sent before it stays; it is named by its file."""
    path = figures.folder / "lake" / figures.lake.partitions(RATES)[-1].key
    path.chmod(0o644)
    path.write_bytes(b"broken")
    with pytest.raises(Damaged, match="has no footer that can be read"):
        brought(figures, database)
    assert {str(dt) for (dt,) in there(database, "dt")} == {"2026-09-01", "2026-09-02"}


def test_a_user_without_rights_is_told_so(figures, database, monkeypatch):
    """By Postgres' own words, with what was to be done."""
    database.ask("revoke create on schema public from public", "create role reader login password 'reader'")
    to = database.url.replace("deliverer@", "reader@")
    monkeypatch.setenv("PGPASSWORD", "reader")
    said = r"can't prepare error_rate: .*permission denied for schema public.* Nothing was changed there\."
    with pytest.raises(TargetRefused, match=said), figures.target(to) as (delivery, target):
        bring(delivery, target)


def test_a_deliverer_that_holds_a_day_is_not_waited_for_without_end(figures, database, monkeypatch):
    """What it holds is said after a while; what it doesn't is delivered."""
    from adbc_driver_postgresql import dbapi

    from etl.deliver import postgres

    brought(figures, database)
    figures.rates(2, revision=1, shop=1)
    monkeypatch.setitem(postgres.SETTINGS, "lock_timeout", "100ms")
    with dbapi.connect(database.url) as other:
        with other.cursor() as cursor:
            cursor.execute("update lake_receipts set revision = revision where dt = '2026-09-03'")
        with pytest.raises(StoreError, match="can't deliver error_rate 2026-09-03: .*lock timeout"):  # noqa: RUF043
            brought(figures, database)
        other.rollback()
    assert brought(figures, database) == 1
