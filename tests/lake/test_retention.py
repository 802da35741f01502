"""Retention: what is too old goes for good, with a record that stays, and nothing else goes."""

import json
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import boto3
import pytest

from lake import retention
from lake.contracts import CONTRACTS
from lake.errors import StoreError
from lake.evidence import Evidence
from lake.lake import open_store
from lake.partition import Partition
from lake.provenance import Input
from lake.retention import Expired, Purged, deleted, purge, purged
from lake.verify import Scope, Verification

BEFORE = date(2015, 5, 19)
DAYS = [BEFORE + timedelta(days=n) for n in (-2, -1, 0)]
OLD, YOUNGER, KEPT = (Partition("error_rate", 1, day) for day in DAYS)
RESTATED = replace(OLD, revision=1)


@pytest.fixture
def filled(lake, publish, error_rates):
    """A lake with error rates of three days, the first restated."""
    for errors, partition in enumerate((OLD, RESTATED, YOUNGER, KEPT)):
        publish(lake, partition, error_rates(shop=errors))
    return lake


@pytest.fixture
def put(lake, provenance_of, error_rates):
    """Publishes a partition of a dataset, made from others."""

    def published(partition, *made_from):
        contract = CONTRACTS[partition.dataset]
        rows = error_rates(shop=1) if partition.dataset == "error_rate" else contract.schema.empty_table()
        inputs = tuple(Input(each.key, 1, lake.sha256(each)) for each in made_from)
        told = replace(provenance_of(partition, 0), inputs=(Input("logs/a.log", 3, "00ff"), *inputs))
        with lake.staging() as folder, lake.writer(contract, partition.dt, folder) as writer:
            writer.write(rows)
            lake.publish(partition, writer.finish(told))

    return published


def test_what_stays_and_was_made_from_it_is_named(lake, put):
    """Each partition that stays with the first that goes of what it was made from, and no other."""
    requests = [Partition("requests", 1, day, "web") for day in DAYS]
    restated = replace(requests[1], revision=1)
    for each in (*requests, restated):
        put(each)
    put(OLD, requests[0])
    put(YOUNGER, requests[1], restated)
    put(KEPT, requests[2])
    put(Partition("status_mix", 1, DAYS[0]), requests[0])
    found = list(Expired.of(lake, "requests", BEFORE).needed(lake))
    assert found == [
        (OLD, requests[0]),
        (YOUNGER, requests[1]),
        (Partition("status_mix", 1, DAYS[0]), requests[0]),
    ]
    assert list(Expired.of(lake, "requests", DAYS[1]).needed(lake)) == [found[0], found[2]]
    assert list(Expired.of(lake, "error_rate", BEFORE).needed(lake)) == []


def everything(store):
    """Return all keys of a store."""
    return list(store.keys("", "", "\U0010ffff"))


def delete(expired, lake):
    """Delete what has expired."""
    return expired.delete(lake, "90 days", "somebody")


def test_what_is_older_than_a_day_is_listed(filled, write_foreign):
    """All revisions and versions before the day, with their sizes; no other dataset, no foreign file."""
    older_version = replace(OLD, version=2)
    another = replace(OLD, dataset="status_mix")
    for key in (older_version.key, another.key, "error_rate/v1/dt=2015-05-17/notes.txt"):
        write_foreign(filled.store, key, b"123")
    expired = Expired.of(filled, "error_rate", BEFORE)
    assert set(expired.sizes) == {OLD, RESTATED, YOUNGER, older_version}
    assert expired.sizes[older_version] == 3
    assert expired.bytes == sum(
        size
        for key, size, *_ in filled.store.objects("error_rate/", "v", "v~")
        if ((found := Partition.parse(key)) and found.dt < BEFORE)
    )
    assert [each.partition for each in expired.records] == [OLD, RESTATED, YOUNGER]
    assert Expired.of(filled, "error_rate", DAYS[0]) == Expired(filled.root, "error_rate", DAYS[0], {}, ())


def test_what_is_purged_goes_whatever_its_day_and_verify_knows(filled):
    """One revision of it, with its record of publication; a later one stays, and nothing is called damage."""
    name = purge(filled, "error_rate", [OLD], "addresses", "somebody")
    assert [each for each in filled.partitions(CONTRACTS["error_rate"]) if each == OLD] == []
    assert filled.revisions(RESTATED) == [1]
    assert list(purged(filled.store)) == [Purged(name, (OLD.key,), "addresses", "somebody")]
    assert [each.key for each in deleted(filled.store)] == [OLD.key]
    wrong = [each.what for each in Verification(filled, Scope()).findings() if each.key == OLD.key]
    assert wrong == []
    delete(Expired.of(filled, "error_rate", BEFORE), filled)
    assert [each.name for each in purged(filled.store)] == [name]


def test_a_code_stands_for_one_list(filled, publish, error_rates):
    """It is the same when asked again, and another for another day or when something has come."""
    code = Expired.of(filled, "error_rate", BEFORE).code
    assert Expired.of(filled, "error_rate", BEFORE).code == code
    assert Expired.of(filled, "error_rate", BEFORE - timedelta(days=1)).code != code
    assert replace(Expired.of(filled, "error_rate", BEFORE), root="/elsewhere").code != code
    publish(filled, replace(OLD, revision=2), error_rates(shop=7))
    assert Expired.of(filled, "error_rate", BEFORE).code != code


def test_what_has_expired_goes_for_good(filled, tmp_path):
    """Its partitions and the records of their publication go, all else stays; the record says what went."""
    store = filled.store
    before = set(everything(store))
    digests = {each: filled.sha256(each) for each in (OLD, RESTATED, YOUNGER)}
    expired = Expired.of(filled, "error_rate", BEFORE)
    gone = {each.key for each in expired.sizes} | {each.name for each in expired.records} | {*expired.published}
    assert len(expired.published) == 3
    numbers = []
    name = expired.delete(filled, "90 days", "somebody", numbers.append)
    assert set(everything(store)) == before - gone | {name}
    assert sum(numbers) == 3
    assert filled.latest(CONTRACTS["error_rate"]) == [KEPT]
    said = json.loads(store.local_copy(name, tmp_path).read_text())
    assert {key: said[key] for key in ("dataset", "before", "reason", "by")} == {
        "dataset": "error_rate",
        "before": "2015-05-19",
        "reason": "90 days",
        "by": "somebody",
    }
    assert {(each["key"], each["sha256"]) for each in said["deleted"]} == {
        (each.key, sha256) for each, sha256 in digests.items()
    }
    assert {each.key: each.sha256 for each in deleted(store)} == {p.key: s for p, s in digests.items()}


def test_nothing_is_left_of_a_day_on_disk(disk_lake, publish, error_rates):
    """Not even its folders, which readers would list; the dataset's own stays with its other days."""
    for partition in (OLD, KEPT):
        publish(disk_lake, partition, error_rates(shop=1))
    delete(Expired.of(disk_lake, "error_rate", BEFORE), disk_lake)
    days = (Path(disk_lake.root) / "error_rate/v1").iterdir()
    assert [each.name for each in days] == ["dt=2015-05-19"]


def test_what_nobody_recorded_is_recorded_by_its_bytes(lake, write_foreign):
    """A partition of another tool goes too; its digest is taken first."""
    write_foreign(lake.store, OLD.key, b"one")
    delete(Expired.of(lake, "error_rate", BEFORE), lake)
    assert not lake.exists(OLD)
    sha256 = "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed"
    assert list(deleted(lake.store)) == [Evidence(OLD.key, sha256, 3)]


def test_a_deletion_that_was_cut_off_goes_on(filled, monkeypatch):
    """Verification says what is gone; a second deletion takes the rest, and then all is well."""
    real, calls = filled.store.remove, []

    def cut_off(keys):
        calls.append(keys)
        if len(calls) > 1:
            raise StoreError("the network is down")
        real(keys)

    monkeypatch.setattr(filled.store, "remove", cut_off)
    with pytest.raises(StoreError):
        delete(Expired.of(filled, "error_rate", BEFORE), filled)
    assert filled.latest(CONTRACTS["error_rate"]) == [RESTATED, KEPT]  # never OLD without RESTATED
    found = {each.key: each.what for each in Verification(filled, Scope()).findings()}
    assert found.keys() >= {OLD.key, YOUNGER.key}
    assert found[OLD.key].startswith("gone: ")
    monkeypatch.setattr(filled.store, "remove", real)
    delete(Expired.of(filled, "error_rate", BEFORE), filled)
    assert filled.latest(CONTRACTS["error_rate"]) == [KEPT]
    assert not any("gone" in each.what for each in Verification(filled, Scope()).findings())


def test_a_day_may_be_published_again_afterwards(filled, publish, error_rates):
    """Its name is free again; if that is lost then, verification says so whatever retention said before."""
    delete(Expired.of(filled, "error_rate", BEFORE), filled)
    assert publish(filled, OLD, error_rates(shop=42)) is True
    filled.store.remove([OLD.key])
    (finding,) = (each for each in Verification(filled, Scope()).findings() if each.key == OLD.key)
    assert finding.what.startswith("gone: ")


def test_what_is_gone_already_goes_from_the_records(filled):
    """A partition that somebody deleted counts as deleted on purpose once retention has passed over its day."""
    filled.store.remove([OLD.key, RESTATED.key, YOUNGER.key])
    expired = Expired.of(filled, "error_rate", BEFORE)
    assert (expired.sizes, len(expired.records)) == ({}, 3)
    delete(expired, filled)
    assert not any(each.what.startswith("gone") for each in Verification(filled, Scope()).findings())


def test_a_record_that_cannot_be_read_is_named(lake, write_foreign):
    """Then nothing tells what was deleted on purpose, and who asks must know that; all else is looked at."""
    record = "_retention/error_rate/before=2015-05-19_0.json"
    write_foreign(lake.store, record, b'{"deleted": [{"key": 1}]}')
    (finding,) = Verification(lake, Scope()).findings()
    assert finding.key == record
    assert finding.what.startswith("unreadable: TypeError(")
    assert "Bring it back from a copy" in finding.what


def test_a_record_of_a_later_version_is_read(lake, write_foreign):
    """What it says beside what is known here is passed over."""
    text = json.dumps({"deleted": [{"key": OLD.key, "sha256": "00", "bytes": 1, "later": True}], "later": 1})
    write_foreign(lake.store, "_retention/error_rate/before=2015-05-19_0.json", text.encode())
    assert [each.key for each in retention.deleted(lake.store)] == [OLD.key]
    assert not list(Verification(lake, Scope()).findings())


def test_removing_is_for_named_objects_only(store, create):
    """What begins with the same letters stays; what is not there is no error, nor is nothing to remove."""
    keys = [f"a/v1/dt=2015-05-17/rev={rev}/part-0.parquet" for rev in (1, 10, 100)]
    for key in keys:
        create(store, key, b"")
    store.remove([keys[1], "a/v1/dt=2015-05-18/rev=0/part-0.parquet"])
    store.remove([keys[1]])
    store.remove([])
    assert everything(store) == [keys[0], keys[2]]


def test_all_versions_of_an_object_are_removed(s3_root, moto_url, create):
    """A plain DELETE hides an object only, where versions are kept: none of them is left, and no marker."""
    bucket = s3_root.split("/")[2]
    s3 = boto3.client("s3", endpoint_url=moto_url)
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    store = open_store(s3_root, moto_url)
    create(store, OLD.key, b"one")
    create(store, KEPT.key, b"three")
    s3.put_object(Bucket=bucket, Key=f"some/prefix/{OLD.key}", Body=b"two")
    s3.delete_object(Bucket=bucket, Key=f"some/prefix/{OLD.key}")
    store.remove([OLD.key])
    left = s3.list_object_versions(Bucket=bucket)
    assert "DeleteMarkers" not in left
    assert [each["Key"] for each in left["Versions"]] == [f"some/prefix/{KEPT.key}"]


def test_the_folder_of_its_records_is_no_foreign_one(filled):
    """Verification takes the records for ours."""
    name = delete(Expired.of(filled, "error_rate", BEFORE), filled)
    assert name.startswith(f"_{retention.NAME}/")
    assert name not in {each.key for each in Verification(filled, Scope()).findings()}
