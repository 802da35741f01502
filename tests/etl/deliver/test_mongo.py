"""Deliveries to MongoDB, of which there is a double: what stands there is what the lake has, in the end."""

import os
import random
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from threading import Event

import pyarrow as pa
import pytest
from bson.int64 import Int64
from conftest import FIRST_DAY
from postgres import Cutting
from pymongo.errors import WriteError

import lake
from etl.deliver.bring import bring, differences, due
from etl.deliver.opening import opened
from lake.contracts import CONTRACTS
from lake.errors import ConfigError, Damaged, StoreError, TargetRefused
from lake.partition import Partition
from lake.retention import Expired

RATES = CONTRACTS["error_rate"]
FIRST, SECOND, THIRD = (datetime(2026, 9, day) for day in (1, 2, 3))


def there(mongo, dataset="error_rate"):
    """Return the rows that are delivered, in order, as the lake has them."""
    contract = CONTRACTS[dataset]
    names = ["dt", *(["source"] if contract.per_source else []), *contract.schema.names, "rev"]
    found = []
    for each in mongo.there[dataset].find():
        row = {name: each[name] for name in names} | {"dt": each["dt"].date()}
        if "ts_us" in each:
            row["ts"] += timedelta(microseconds=each["ts_us"])
        found.append(tuple(row.values()))
    return sorted(found)


def schema_of(mongo, name="error_rate"):
    """Return what the validator of a collection demands."""
    (found,) = mongo.there.list_collections(filter={"name": name})
    return found["options"]["validator"]["$jsonSchema"]


def brought(figures, mongo, **more):
    """Bring all that is due, and return how many partitions were sent."""
    with figures.target(mongo.url, **more) as (delivery, target):
        return bring(delivery, target)


def test_what_is_delivered_is_what_the_lake_has(figures, mongo):
    """The latest revision of each day, each value as what it is, with its meaning; sent once, then no more."""
    assert brought(figures, mongo) == 3
    assert there(mongo) == figures.rows()
    mongo.server.written.clear()
    assert brought(figures, mongo) == 0
    assert mongo.server.written == []
    one = mongo.there.error_rate.find_one({"dt": SECOND, "application": "shop"})
    assert one["_id"] == {"dt": SECOND, "application": "shop", "vantage": "origin"}
    kinds = {"dt": datetime, "valid_requests": Int64, "hours_observed": int, "error_rate": float, "rev": int}
    assert {name: type(one[name]) for name in kinds} == kinds
    assert one["incomplete"] is None
    fields = schema_of(mongo)["properties"]
    for column in RATES.columns:
        assert fields[column.name]["description"] == f"{column.meaning} [{column.unit}]"
    assert fields["rev"]["description"] == "Revision: 0, or that of a restatement [number]"


def test_a_document_that_is_none_of_ours_is_not_let_in(figures, mongo):
    """The validator has the contract's types, and no other field."""
    brought(figures, mongo)
    one = mongo.there.error_rate.find_one()
    for wrong in ({"valid_requests": "many"}, {"team": "web"}):
        with pytest.raises(WriteError, match="failed validation"):
            mongo.there.error_rate.replace_one({"_id": one["_id"]}, {**one, **wrong})
    assert there(mongo) == figures.rows()


def test_receipts_name_revision_digest_and_lake(figures, mongo):
    """Those of the lake's partitions."""
    brought(figures, mongo)
    config = figures.folder / "luigi.cfg"
    wanted = [
        ("error_rate", each.dt, None, 1, each.revision, each.sha256, lake.identity(config))
        for each in lake.partitions("error_rate", config=config)
    ]
    assert mongo.there.lake_receipts.find_one({"sending": {"$exists": True}}) is None
    names = ("dataset", "dt", "source", "version", "revision", "sha256", "lake")
    found = [
        tuple((each | {"dt": each["dt"].date()})[name] for name in names)
        for each in mongo.there.lake_receipts.find()
    ]
    assert sorted(found) == wanted


@pytest.mark.parametrize(
    "errors", [{"shop": 1, "api": 2, "mail": 3}, {"api": 2}, {}], ids=["more", "fewer", "none"]
)
def test_a_restatement_replaces_exactly_its_day(figures, mongo, errors):
    """To more rows, fewer or none; nothing is asked that could touch rows of other days."""
    brought(figures, mongo)
    figures.rates(2, revision=1, **errors)
    mongo.server.written.clear()
    assert brought(figures, mongo) == 1
    assert there(mongo) == figures.rows()
    assert {each.get("dt", each["_id"]["dt"] if "_id" in each else None) for each in mongo.server.written} == {
        THIRD
    }
    mongo.server.written.clear()
    assert brought(figures, mongo) == 0
    assert mongo.server.written == []


def test_days_of_several_sources_are_replaced_by_themselves(figures, mongo, publish):
    """A dataset that is kept per source has a receipt for each; another source's rows stay."""
    made = CONTRACTS["rejects"]

    def rejects(source, revision, *lines):
        rows = [{"file": "a.log", "line_number": n, "reason": "shape", "masked_line": "?"} for n in lines]
        partition = Partition("rejects", 1, FIRST_DAY + timedelta(1), source, revision)
        publish(figures.lake, partition, pa.Table.from_pylist(rows, made.schema))

    rejects("web", 0, 1, 2)
    rejects("api", 0, 1)
    assert brought(figures, mongo, datasets="rejects") == 2
    rejects("web", 1, 4)
    assert brought(figures, mongo, datasets="rejects") == 1
    assert there(mongo, "rejects") == figures.rows("rejects")
    assert [(row[1], row[3], row[-1]) for row in there(mongo, "rejects")] == [("api", 1, 0), ("web", 4, 1)]
    assert brought(figures, mongo, datasets="rejects") == 0


def test_a_time_is_kept_to_the_microsecond(figures, mongo, publish):
    """Of events, which have no key, so that each has its number; a restatement to fewer takes the last away."""
    made = CONTRACTS["requests"]

    def requests(revision, *microseconds):
        same = {"application": "shop", "vantage": "origin", "status": 200, "traffic_class": "user"}
        rows = [{"ts": datetime(2015, 5, 18, 1, 2, 3, each), **same} for each in microseconds]
        partition = Partition("requests", 1, FIRST_DAY + timedelta(1), "web", revision)
        publish(figures.lake, partition, pa.Table.from_pylist(rows, made.schema))

    requests(0, 0, 999, 123_456, 999_999, 999_999)
    assert brought(figures, mongo, datasets="requests") == 1
    assert there(mongo, "requests") == figures.rows("requests")
    assert sorted(each["_id"]["row"] for each in mongo.there.requests.find()) == [0, 1, 2, 3, 4]
    requests(1, 5, 7)
    assert brought(figures, mongo, datasets="requests") == 1
    assert there(mongo, "requests") == figures.rows("requests")
    assert len(there(mongo, "requests")) == 2


def test_only_what_is_asked_for_is_sent(figures, mongo):
    """Days from `since` on, and of those a range."""
    with figures.target(mongo.url, since="2026-09-02") as (delivery, target):
        assert bring(delivery, target, stop=delivery.since) == 0
        assert bring(delivery, target, start=delivery.since.replace(day=3)) == 1
        assert [str(each.published.dt) for each in due(delivery, target)] == ["2026-09-02"]


def test_what_retention_deletes_here_stays_there(figures, mongo):
    """A day that is gone from the lake keeps its rows and its receipt."""
    brought(figures, mongo)
    before = there(mongo)
    Expired.of(figures.lake, "error_rate", figures.lake.partitions(RATES)[1].dt).delete(
        figures.lake, "old", "test"
    )
    assert len(figures.rows()) == 4
    assert brought(figures, mongo) == 0
    assert there(mongo) == before


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"revision": 5}, "is ahead of the lake: error_rate 2026-09-01 is there in revision 5"),
        ({"lake": "0" * 32}, "from another lake (00000000000000000000000000000000"),
        ({"sha256": "other"}, "in revision 0 with other bytes than the lake has"),
        ({"version": 2}, "by version 2 of its contract, and the lake has it by version 1"),
    ],
)
def test_what_is_not_of_this_lake_or_newer_is_refused(figures, mongo, other, said):
    """Nothing is changed there; a plan says the same."""
    brought(figures, mongo)
    mongo.there.lake_receipts.update_many({}, {"$set": other})
    if "revision" in other:
        mongo.there.error_rate.update_many({}, {"$set": {"rev": 5}})
    figures.rates(2, revision=1, shop=1)
    before = there(mongo)
    with figures.target(mongo.url) as (delivery, target):
        planned = due(delivery, target)
        with pytest.raises(TargetRefused) as error:
            bring(delivery, target)
    assert said in str(error.value)
    assert any(each.refused for each in planned)
    if "sha256" in other:  # which matters only of the revision that the lake has
        assert there(mongo) == figures.rows()
    else:
        assert there(mongo) == before


def change(mongo, name="error_rate", **more):
    """Change the options of a collection."""
    mongo.there.command("collMod", name, **more)


def changed(mongo, of, **rule):
    """Return the validator with another field."""
    found = schema_of(mongo)
    fields = {**found["properties"], of: rule}
    return {"validator": {"$jsonSchema": {**found, "properties": {k: v for k, v in fields.items() if v}}}}


@pytest.mark.parametrize(
    ("change_of", "said"),
    [
        (
            lambda m: changed(m, "error_rate", bsonType="string"),
            "error_rate is {'bsonType': 'string'} and should be",
        ),
        (lambda m: changed(m, "team", bsonType="string"), "team is not one of ours"),
        (lambda m: changed(m, "incomplete"), "incomplete is missing"),
        (lambda m: {"validator": {"$jsonSchema": {**schema_of(m), "required": []}}}, "required was changed"),
        (lambda _: {"validationAction": "warn"}, "validationAction is warn"),
        (lambda _: {"validator": {}}, "error_rate in mongodb://127.0.0.1"),
        (lambda _: {"name": "lake_receipts", "validator": {}}, "lake_receipts in mongodb://127.0.0.1"),
    ],
)
def test_a_validator_that_somebody_changed_is_refused(figures, mongo, change_of, said):
    """The message says what is other, and nothing is written."""
    brought(figures, mongo)
    change(mongo, **change_of(mongo))
    figures.rates(2, revision=1, shop=1)
    before = there(mongo)
    with pytest.raises(TargetRefused) as error:
        brought(figures, mongo)
    assert said in str(error.value)
    assert "Nothing was changed" in str(error.value)
    assert there(mongo) == before


def test_somebody_elses_collection_is_not_touched(figures, mongo):
    """One of that name that was there before."""
    mongo.there.error_rate.insert_one({"_id": 7})
    with pytest.raises(TargetRefused, match="isn't a collection of this delivery"):
        brought(figures, mongo)
    assert list(mongo.there.error_rate.find()) == [{"_id": 7}]


def test_a_field_that_the_contract_has_gained_is_added(figures, mongo, monkeypatch):
    """It is missing in the days of before, where the lake has NULL, and says what it means."""
    incomplete = RATES.columns[-1]
    monkeypatch.setitem(CONTRACTS, "error_rate", replace(RATES, columns=RATES.columns[:-1]))
    brought(figures, mongo)
    monkeypatch.setitem(
        CONTRACTS, "error_rate", replace(RATES, columns=(*RATES.columns[:-1], replace(incomplete, added=True)))
    )
    figures.rates(3, shop=1)
    assert brought(figures, mongo) == 1
    found = {(each["dt"], each.get("incomplete", "missing")) for each in mongo.there.error_rate.find()}
    assert found == {(day, "missing") for day in (FIRST, SECOND, THIRD)} | {(datetime(2026, 9, 4), None)}
    assert schema_of(mongo)["properties"]["incomplete"]["description"].startswith(incomplete.meaning)
    with figures.target(mongo.url) as (delivery, target):
        assert differences(delivery, target) == (4, [])


def test_a_collection_that_was_dropped_is_delivered_anew(figures, mongo):
    """Its receipts say nothing any more; and without receipts, rows are replaced by the same."""
    brought(figures, mongo)
    mongo.there.error_rate.drop()
    assert brought(figures, mongo) == 3
    assert there(mongo) == figures.rows()
    mongo.there.lake_receipts.drop()
    assert brought(figures, mongo) == 3
    assert there(mongo) == figures.rows()


def test_without_its_receipt_a_day_is_made_what_the_lake_has(figures, mongo):
    """Rows that other bytes of the same revision had are deleted."""
    brought(figures, mongo)
    one = mongo.there.error_rate.find_one({"dt": SECOND, "application": "shop"})
    other = {**one, "_id": {**one["_id"], "application": "gone"}, "application": "gone", "digest": "0" * 16}
    mongo.there.error_rate.insert_one(other)
    mongo.there.lake_receipts.delete_one({"dt": SECOND})
    assert brought(figures, mongo) == 1
    assert there(mongo) == figures.rows()


def test_rows_of_a_later_revision_are_not_overwritten(figures, mongo):
    """Without a receipt that says so, too; once somebody has deleted them, the day is delivered."""
    brought(figures, mongo)
    mongo.there.error_rate.update_many({"dt": SECOND, "application": "shop"}, {"$set": {"rev": 5}})
    mongo.there.lake_receipts.delete_one({"dt": SECOND})
    with pytest.raises(TargetRefused, match="has rows of a later revision than the lake, which has 1"):
        brought(figures, mongo)
    assert mongo.there.error_rate.find_one({"dt": SECOND, "application": "shop"})["rev"] == 5
    mongo.there.error_rate.delete_many({"dt": SECOND})
    assert brought(figures, mongo) == 1
    assert there(mongo) == figures.rows()


def test_verification_finds_what_is_other(figures, mongo):
    """A changed figure, a row that is gone, rows that no delivery has sent; and nothing where all is well."""
    with figures.target(mongo.url) as (delivery, target):
        bring(delivery, target)
        assert differences(delivery, target) == (3, [])
        rows = mongo.there.error_rate
        rows.update_one({"dt": FIRST, "application": "shop"}, {"$set": {"valid_requests": Int64(999)}})
        rows.delete_one({"dt": SECOND, "application": "shop"})
        for each in rows.find({"dt": THIRD}):
            moved = datetime(2030, 1, 1)
            rows.insert_one({**each, "_id": {**each["_id"], "dt": moved}, "dt": moved})
        compared, found = differences(delivery, target)
    assert compared == 3
    assert found[0] == "error_rate 2026-09-01: valid_requests 1,999, in the lake 2,000"
    assert found[1].startswith("error_rate 2026-09-02: rows 1, in the lake 2; ")
    assert found[2] == "error_rate 2030-01-01: 2 rows there that no delivery has sent"


@pytest.mark.parametrize("password", ["wr@ng/%pw", "x"])
def test_a_wrong_password_is_not_printed(figures, mongo, monkeypatch, password):
    """Nor is a right one; the message says where to look."""
    monkeypatch.setenv("MONGO_PASSWORD", password)
    with pytest.raises(StoreError) as error, figures.target(mongo.url):
        pass
    assert str(error.value) == (
        f"Can't reach {mongo.place}: Authentication failed. Check that it runs, and its host, port and database, "
        "user and password (docs/how-to/deliver.md)."
    )


def test_a_server_that_is_away_is_said(figures, mongo):
    """Before, and in the middle of days: then what was sent is there, and a later run does the rest."""
    way = Cutting(mongo.server.port)
    with figures.target(mongo.at(way.port) + "?retryWrites=false") as (delivery, target):

        def cut(_):
            way.left = {"from": 0, "to": 0}
            way.close()

        with pytest.raises(
            StoreError, match=r"can't deliver error_rate 2026-09-02: .*Check that it runs"
        ) as error:
            bring(delivery, target, done=cut)
        assert "Topology" not in str(error.value)
        assert "\n" not in str(error.value)
    assert {row[0].day for row in there(mongo)} == {1}
    assert brought(figures, mongo) == 2
    assert there(mongo) == figures.rows()
    away = figures.deliver(
        "mongodb://u@127.0.0.1:1/figures?serverSelectionTimeoutMS=100&authMechanism=MONGODB-X509&tls=true"
    )
    with (
        pytest.raises(StoreError, match=r"Can't reach mongodb://127\.0\.0\.1:1/figures: .*refused\. Check"),
        opened(away),
    ):
        pass


def test_a_wrong_option_is_said(figures, mongo):
    """In one line, without what else the URL has."""
    with (
        pytest.raises(
            ConfigError, match=r"Can't reach .*: .*authmechanism.*\. Correct the options of `to`\."
        ) as error,
        figures.target(f"{mongo.url}?authMechanism=NONE"),
    ):
        pass
    assert "s3cr" not in str(error.value)


def test_what_is_missing_to_deliver_is_named(figures, monkeypatch):
    """How to install it, where it is not."""
    monkeypatch.setitem(sys.modules, "pymongo", None)
    monkeypatch.delitem(sys.modules, "etl.deliver.mongo", raising=False)
    for scheme in ("mongodb", "mongodb+srv"):
        with pytest.raises(ConfigError, match=r"pip install 'error-rate-lake\[mongodb\]'"):
            opened(figures.deliver(f"{scheme}://db/x"))


def test_several_deliverers_at_once_send_each_day_once(figures, mongo, monkeypatch):
    """Their writes mix, and only one receipt of each day counts; collections are made by one of them."""
    for day in range(3, 20):
        figures.rates(day, shop=day, api=1)
    monkeypatch.setattr(mongo.server, "delay", 0.001)
    delivery = figures.deliver(mongo.url)
    assert sum(figures.at_once(delivery, 4)) == 20
    assert there(mongo) == figures.rows()
    assert brought(figures, mongo) == 0


def late(figures, mongo, ends):
    """Let a deliverer of the third day's revision 1 be late: meanwhile, another delivers revision 2.

    Args:
        figures: The lake.
        mongo: Where.
        ends: Whether the late one ends there, with only its rows written.
    """
    figures.rates(2, revision=1, shop=1, mail=1)
    with figures.target(mongo.url) as (delivery, target):
        (old,) = [
            each.published
            for each in due(delivery, target)
            if each.published.revision == 1 and each.published.dt == THIRD.date()
        ]

        def rows():
            figures.rates(2, revision=2, api=2)
            brought(figures, mongo)
            yield from old.batches()
            if ends:
                raise KeyboardInterrupt

        list(target.deliver([replace(old, batches=rows)], lake.identity(delivery.config), lambda _: []))


def test_a_deliverer_of_an_earlier_revision_that_is_late_leaves_nothing(figures, mongo):
    """It finds the later receipt, takes its rows away and says so."""
    with pytest.raises(TargetRefused, match="is ahead of the lake: error_rate 2026-09-03 is there in revision 2"):
        late(figures, mongo, ends=False)
    assert there(mongo) == figures.rows()
    assert brought(figures, mongo) == 0


def test_what_a_late_deliverer_has_left_is_deleted_by_the_next(figures, mongo):
    """Killed before it could: then the day's receipt doesn't count, and verification finds its rows."""
    with pytest.raises(KeyboardInterrupt):
        late(figures, mongo, ends=True)
    assert Counter(there(mongo)) - Counter(figures.rows())
    with figures.target(mongo.url) as (delivery, target):
        assert [str(each.published.dt) for each in due(delivery, target)] == ["2026-09-03"]
        assert differences(delivery, target)[1] == [
            "error_rate 2026-09-03: 3 rows there that no delivery has sent"
        ]
        assert bring(delivery, target) == 1
        assert bring(delivery, target) == 0
    assert there(mongo) == figures.rows()


def whole_day(mongo):
    """Return the third day's revision and figures, read as documented; None while it is not whole."""
    receipts, rows = mongo.there.lake_receipts, mongo.there.error_rate
    before = receipts.find_one({"dt": THIRD}) or {"sending": 0}
    found = {
        each["application"]: (each["server_error_requests"], each["rev"]) for each in rows.find({"dt": THIRD})
    }
    is_whole = "sending" not in before and before == receipts.find_one({"dt": THIRD})
    if is_whole and {rev for _, rev in found.values()} <= {before["revision"]}:
        return before["revision"], {name: errors for name, (errors, _) in found.items()}
    return None


def test_who_reads_the_receipt_before_and_after_sees_whole_days(figures, mongo, monkeypatch):
    """While one restatement after the other is sent; there are moments in which no day is whole."""
    monkeypatch.setattr(mongo.server, "delay", 0.001)
    chance, published, seen, is_over = random.Random(3), {}, [], Event()  # noqa: S311 - figures

    def read():
        while not is_over.is_set():
            seen.append(whole_day(mongo))

    with ThreadPoolExecutor(1) as readers:
        reader = readers.submit(read)
        try:
            for revision in range(1, 21):
                published[revision] = {f"app{n}": chance.randrange(9) for n in range(chance.randrange(6))}
                figures.rates(2, revision=revision, **published[revision])
                brought(figures, mongo)
        finally:
            is_over.set()
        reader.result()
    assert None in seen
    assert len({revision for revision, _ in filter(None, seen)}) > 5
    assert all(published[revision] == rows for revision, rows in filter(None, seen))


def untrue(figures, mongo):
    """Return the days whose receipt names the lake's revision and that have other rows than it."""
    with figures.target(mongo.url) as (delivery, target):
        late = {each.published.dt for each in due(delivery, target)}
        receipts = {each.dt for each in target.receipts("error_rate", None, None)}
    ours, theirs = (
        Counter(row for row in rows if row[0] in receipts - late) for rows in (figures.rows(), there(mongo))
    )
    return {row[0] for row in (ours - theirs) + (theirs - ours)}


def restated(figures, chance, revision, days):
    """Restate days to some rows or none."""
    for day in range(days):
        figures.rates(day, revision=revision, **{f"app{n}": n for n in range(chance.randrange(4))})


def test_a_connection_that_is_cut_anywhere_is_made_good(figures, mongo):
    """After any number of bytes of either direction: no receipt says what isn't so; the next run does the rest."""
    chance, cuts = random.Random(7), 0  # noqa: S311 - places
    way = Cutting(mongo.server.port)
    to = f"{mongo.at(way.port)}?serverSelectionTimeoutMS=100&retryReads=false"
    for revision in range(2, 14):
        restated(figures, chance, revision, days=3)
        way.left = {"from": None, "to": None, chance.choice(["from", "to"]): chance.randrange(600, 9_000)}
        with suppress(StoreError), figures.target(to) as (delivery, target):
            cuts += 1
            bring(delivery, target)
            cuts -= 1
        assert untrue(figures, mongo) == set()
    way.close()
    assert cuts >= 5
    brought(figures, mongo)
    assert there(mongo) == figures.rows()


@pytest.mark.parametrize("kills", [3, pytest.param(int(os.environ.get("KILLS", "20")), marks=pytest.mark.slow)])
def test_a_killed_delivery_is_made_good(figures, mongo, monkeypatch, kills):
    """At whatever moment: no receipt says what isn't so; the next run does the rest."""
    days, chance, halves = 12, random.Random(kills), 0  # noqa: S311 - moments
    monkeypatch.setattr(mongo.server, "delay", 0.001)
    figures.deliver(mongo.url)
    with figures.deliverers() as kill_one:
        for revision in range(2, kills + 2):
            restated(figures, chance, revision, days)
            kill_one(chance.uniform(0, 0.25))
            assert untrue(figures, mongo) == set()
            halves += mongo.there.lake_receipts.find_one({"sending": {"$exists": True}}) is not None
    assert halves >= kills // 4
    brought(figures, mongo)
    assert there(mongo) == figures.rows()


@pytest.mark.slow
def test_many_days_of_fifty_applications(figures, mongo):
    """Row by row the same; and a restated day of it."""
    days = figures.fill()
    assert brought(figures, mongo) == days
    assert there(mongo) == figures.rows()
    for errors in ({f"app{n}": n for n in range(60)}, {"app1": 1}, {}):
        figures.rates(20, revision=1 + len(figures.lake.partitions(RATES)) - days - 1, **errors)
        assert brought(figures, mongo) == 1
        assert there(mongo) == figures.rows()


def test_a_partition_that_can_not_be_read_keeps_no_earlier_one_from_its_place(figures, mongo):
    """What was sent before it stays; it is named by its file."""
    path = figures.folder / "lake" / figures.lake.partitions(RATES)[-1].key
    path.chmod(0o644)
    path.write_bytes(b"broken")
    with pytest.raises(Damaged, match="has no footer that can be read"):
        brought(figures, mongo)
    assert {row[0].day for row in there(mongo)} == {1, 2}


@pytest.mark.parametrize("command", ["create", "update"])
def test_a_user_without_rights_is_told_so(figures, mongo, monkeypatch, command):
    """By MongoDB's words, with what was to be done."""
    from mongo_double import Refused

    monkeypatch.setitem(mongo.server.refuses, command, Refused(13, "not authorized on figures to execute it"))
    said = (
        r"can't (prepare|deliver) error_rate.*: not authorized on figures to execute it\. Correct that there, and"
    )
    with pytest.raises(TargetRefused, match=said):
        brought(figures, mongo)


def test_what_others_read_as_half_a_day_is_not_called_delivered(figures, mongo):
    """A value that the collection doesn't take ends a delivery in the middle; the message has none of it."""
    brought(figures, mongo)
    figures.rates(2, revision=1, api=3, shop=1)
    with figures.target(mongo.url) as (delivery, target):
        (wrong,) = [each.published for each in due(delivery, target)]
        table = pa.Table.from_batches(wrong.batches())
        lacking = table.set_column(1, "application", pa.array(["api", None]))
        broken = replace(wrong, batches=lambda: iter(lacking.to_batches()))
        with pytest.raises(
            TargetRefused, match=r"error_rate 2026-09-03: Document failed validation\. Correct that"
        ):
            list(target.deliver([broken], lake.identity(delivery.config), lambda _: []))
        assert {row[-1] for row in there(mongo) if row[0] == THIRD.date()} == {0, 1}
        assert mongo.there.lake_receipts.find_one({"dt": THIRD}, {"_id": 0, "sending": 1, "revision": 1}) == {
            "revision": 0,
            "sending": 1,
        }
        assert bring(delivery, target) == 1
    assert there(mongo) == figures.rows()
