"""Verification of a lake of any making: each thing that can be wrong with it is found, and nothing else is."""

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lake.contracts import CONTRACTS
from lake.lake import Lake, open_store
from lake.partition import Partition
from lake.provenance import Input
from lake.verify import LAW, Inventory, Scope, Verification

DAY = date(2015, 5, 17)
RATES, REJECTS = Partition("error_rate", 1, DAY), Partition("rejects", 1, DAY, "web")
REQUESTS = Partition("requests", 1, DAY, "web")


@pytest.fixture
def put(lake, provenance_of) -> Callable[..., None]:
    """Publishes rows with a provenance that fits them, but for what is said otherwise."""

    def published(partition, rows, made_from=(), **made):
        contract = CONTRACTS[partition.dataset]
        kept = 0 if partition.dataset == "rejects" else rows.num_rows
        total = kept
        if contract.counts:
            total = kept = sum(rows[contract.counts].to_pylist())
        told = replace(
            provenance_of(partition, 0),
            rows_read=total if kept else rows.num_rows,
            rows_kept=kept,
            rows_rejected=0 if kept else rows.num_rows,
        )
        told = replace(told, **({"inputs": tuple(map(link, made_from))} if made_from else {}) | made)
        with lake.staging() as folder, lake.writer(contract, partition.dt, folder) as writer:
            writer.write(rows)
            lake.publish(partition, writer.finish(told))

    def link(partition):
        return Input(partition.key, 1, lake.sha256(partition))

    return published


@pytest.fixture
def findings(lake) -> Callable[..., list[str]]:
    """Verifies the lake and returns what is found, as `key: what`."""

    def found(scope=None, further=None):
        verification = Verification(lake, scope or Scope(), further)
        return [f"{each.key}: {each.what}" for each in verification.findings()]

    return found


def rejects(n):
    """Return so many rejected lines."""
    rows = [{"file": "a", "line_number": i + 1, "reason": "shape", "masked_line": "x"} for i in range(n)]
    return pa.Table.from_pylist(rows, CONTRACTS["rejects"].schema)


@pytest.fixture
def three_days(put, error_rates):
    """A sound lake: three days of two datasets."""
    for n in range(3):
        put(replace(REJECTS, dt=DAY + timedelta(n)), rejects(n))
        put(replace(RATES, dt=DAY + timedelta(n)), error_rates(shop=n))


@pytest.mark.usefixtures("three_days")
def test_a_sound_lake_has_nothing_wrong(findings):
    """Read lightly and to the last byte."""
    assert findings() == findings(Scope(is_deep=True)) == []


@pytest.mark.usefixtures("three_days")
@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        (Scope(), [(0, "rejects"), (0, "error_rate"), (1, "rejects"), (1, "error_rate"), (2, "rejects")]),
        (Scope("rejects"), [(0, "rejects"), (1, "rejects"), (2, "rejects")]),
        (Scope(None, DAY + timedelta(1)), [(1, "rejects"), (1, "error_rate"), (2, "rejects"), (2, "error_rate")]),
        (Scope(None, None, DAY + timedelta(1)), [(0, "rejects"), (0, "error_rate")]),
        (Scope("error_rate", DAY + timedelta(1), DAY + timedelta(2)), [(1, "error_rate")]),
    ],
)
def test_a_scope_is_a_dataset_and_a_range(lake, scope, expected):
    """Start inclusive, stop exclusive; what a day is made from comes before what is made from it."""
    looked_at = Verification(lake, scope).partitions
    found = [((each.dt - DAY).days, each.dataset) for each in looked_at]
    assert found[: len(expected)] == expected
    assert len(found) == (6 if scope == Scope() else len(expected))


@pytest.mark.usefixtures("three_days")
def test_progress_is_told_after_each_partition(lake):
    """Once for each, whatever is found."""
    done = []
    assert list(Verification(lake, Scope("rejects")).findings(lambda: done.append(1))) == []
    assert len(done) == 3


@pytest.mark.usefixtures("three_days")
def test_others_may_look_further(findings):
    """What they find is a finding of the partition; they are given its provenance."""

    def further(partition, made):
        if made.rows_rejected == 2:
            yield f"{partition.source} has two"

    assert findings(Scope("rejects"), further) == [f"{replace(REJECTS, dt=DAY + timedelta(2)).key}: web has two"]


@pytest.mark.parametrize(
    "key",
    [
        "notes.txt",
        "error_rate/v1/dt=2015-05-17/source=web/rev=0/part-0.parquet",
        "rejects/v1/dt=2015-05-17/rev=0/part-0.parquet",
        "error_rate/v2/dt=2015-05-17/rev=0/part-0.parquet",
        "unheard_of/v1/dt=2015-05-17/rev=0/part-0.parquet",
        "_evidence/README",
        "_attempts/x",
        "_staging/x/half.unfinished",
        "_other/x",
        "error_rate/_staging/x",
    ],
)
def test_what_the_lake_has_no_name_for_is_foreign(lake, write_foreign, findings, key):
    """Another dataset, version or folder; the lake's own records are not, and a scope leaves it out."""
    write_foreign(lake.store, key, b"x")
    beside = key.startswith(("_evidence", "_attempts", "_staging"))
    assert findings() == ([] if beside else [f"{key}: foreign: the lake has no such name"])
    assert findings(Scope("error_rate")) == []
    assert Inventory.of(lake).foreign == ([] if beside else [key])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("_attempts/ErrorRateDaily/20261122T030000.123456Z_2026-11-08_2026-11-21_13_1_4f.jsonl", b'{"date": "20'),
        ("_attempts/ErrorRateDaily/a.jsonl", b'{"date": "2026-11-08"}\n[1]\n'),
        ("_confirmed/error_rate/v1/dt=2015-05-17_rev=0_20261129T030000.123456Z_00.json", b"\xff{}"),
        ("_confirmed/error_rate/v1/dt=2015-05-17_rev=0_20261129T030000.123456Z_00.json", b"{}"),
        ("_identity/lake.json", b'{"id": "none"}'),
        ("_retention/error_rate/before=2015-05-19_0.json", b""),
    ],
)
def test_records_that_can_not_be_read_are_named(lake, write_foreign, findings, name, text):
    """Of each kind, whether cut off, undecodable or something else; all else is looked at."""
    write_foreign(lake.store, name, text)
    (found,) = findings()
    assert found.startswith(f"{name}: unreadable: ")
    assert "It counts for nothing. Bring it back from a copy, or delete it" in found


def test_records_of_attempts_of_a_later_version_are_sound(lake, write_foreign, findings):
    """And so is one that is empty, or a file that somebody left there."""
    write_foreign(lake.store, "_attempts/ErrorRateDaily/a.jsonl", b'{"date": "2026-11-08", "later": 1}\n')
    write_foreign(lake.store, "_attempts/ErrorRateDaily/notes.txt", b"no JSON")
    assert findings() == []


def test_sizes_and_records_are_listed(lake, put, error_rates, tmp_path):
    """Of each partition its size, and of each key all that was about to be published, and what was."""
    put(RATES, error_rates(shop=1))
    with pytest.raises(Exception, match="other bytes"):
        put(RATES, error_rates(shop=2))
    there = Inventory.of(lake)
    assert there.sizes == {RATES: lake.local_copy(RATES, tmp_path).stat().st_size}
    assert len(there.intents[RATES.key]) == 2
    assert {each.sha256 for each in there.records(RATES.key)} == {lake.sha256(RATES)}


def change(lake, partition, content):
    """Replace a published file, as a tool that keeps to no rule would."""
    path = Path(lake.root) / partition.key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_bytes(content)


@pytest.fixture
def lake(disk_lake):
    """A lake on disk, where a file can be changed as by any tool."""
    return disk_lake


def test_another_size_is_a_change(lake, put, findings, error_rates, tmp_path):
    """It is named with the sizes that were recorded, of which there may be two where nobody recorded what won."""
    put(RATES, error_rates(shop=1))
    shutil.rmtree(Path(lake.root) / "_evidence/published")
    content = (Path(lake.root) / RATES.key).read_bytes()
    with pytest.raises(Exception, match="other bytes"):
        put(RATES, error_rates(another_name=1))
    change(lake, RATES, b"PAR1" + content)
    first, *_ = findings()
    sizes = [f"{each.bytes:,}" for each in Inventory.of(lake).records(RATES.key)]
    assert len(set(sizes)) == 2
    assert first == (
        f"{RATES.key}: changed: it has {len(content) + 4:,} bytes, published were {' or '.join(sizes)}"
    )


def test_other_bytes_of_the_same_size_are_a_change(lake, put, findings, error_rates):
    """Only a deep look finds them; a digest stands once, however often it was recorded."""
    put(RATES, error_rates(shop=1))
    content = bytearray((Path(lake.root) / RATES.key).read_bytes())
    digest = lake.sha256(RATES)
    content[5] ^= 1
    change(lake, RATES, bytes(content))
    assert findings() == []
    (found,) = findings(Scope(is_deep=True))
    assert found == f"{RATES.key}: changed: its sha256 is {lake.sha256(RATES)}, published was {digest}"


def test_what_is_gone_is_named(lake, put, findings, error_rates):
    """If it is of what is looked at; in order."""
    others = [replace(RATES, dt=DAY + timedelta(n)) for n in range(3)]
    for n, each in enumerate(others):
        put(each, error_rates(shop=n))
    for each in others[::2]:
        (Path(lake.root) / each.key).unlink()
    said = "gone: its publication was recorded, and it is not there."
    assert [each.split(" It was")[0] for each in findings()] == [f"{each.key}: {said}" for each in others[::2]]
    assert [each.split(":")[0] for each in findings(Scope(stop=others[1].dt))] == [others[0].key]
    assert findings(Scope("rejects")) == []


def test_what_nobody_recorded_is_named(lake, put, findings, error_rates):
    """And that is all that is wrong with it."""
    put(RATES, error_rates(shop=1))
    for path in (Path(lake.root) / "_evidence").rglob("*.json"):
        path.unlink()
    (found,) = findings(Scope(is_deep=True))
    assert found.startswith(f"{RATES.key}: unrecorded: nothing says that it was published")


def test_a_file_under_another_name_is_swapped(lake, put, findings, error_rates):
    """By its footer; each part of the name counts."""
    put(RATES, error_rates(shop=1))
    other = replace(RATES, revision=1)
    change(lake, other, (Path(lake.root) / RATES.key).read_bytes())
    assert f"{other.key}: swapped: by its footer it is {RATES.key}" in findings()


def test_a_file_that_is_none_is_unreadable(lake, put, findings, error_rates):
    """What was found before stays found, and the others are looked at."""
    put(RATES, error_rates(shop=1))
    put(REJECTS, rejects(2), rows_read=3)
    change(lake, RATES, b"no Parquet")
    first, second, third = findings()
    assert first.startswith(f"{REJECTS.key}: rows read = kept")
    assert second.startswith(f"{RATES.key}: changed: it has 10 bytes")
    assert third.startswith(f"{RATES.key}: unreadable: ")


@pytest.mark.parametrize(
    ("made", "law"),
    [
        ({"rows_read": 5}, "5 and 2"),
        ({"rows_kept": 1}, "2 and 3"),
        ({"rows_of_other_days": 1}, "2 and 3"),
        ({"directives": 1000}, "2 and 1,002"),
    ],
)
def test_lines_that_do_not_add_up_are_named(put, findings, made, law):
    """What was read is what was kept, rejected, of other days, or a directive."""
    put(REJECTS, rejects(2), **made)
    assert findings() == [f"{REJECTS.key}: {LAW} doesn't hold: {law}"]


def test_all_that_lines_can_be_adds_up(put, findings):
    """Directives and lines of other days are neither kept nor rejected."""
    put(REJECTS, rejects(2), rows_read=16, rows_kept=2, rows_of_other_days=4, directives=8)
    assert findings() == []


def test_another_number_of_rows_is_named(put, findings):
    """The provenance says how many lines were rejected, and so many rows there are."""
    put(REJECTS, rejects(2), rows_rejected=1, rows_kept=1)
    assert findings() == [f"{REJECTS.key}: it has 2 rows, and by its provenance 1"]


def test_counts_add_up_to_what_went_in(put, findings, error_rates):
    """Not more, not less; nothing of nothing is right."""
    put(RATES, error_rates(shop=1, api=2), rows_read=1999, rows_kept=1999)
    assert findings() == [f"{RATES.key}: requests_total adds up to 2,000, but 1,999 went in"]
    put(replace(RATES, dt=DAY + timedelta(1)), error_rates())
    assert len(findings()) == 1


def test_inputs_have_as_many_rows_as_went_in(put, findings, error_rates):
    """All of them together; if one is not looked at, nothing is said of it."""
    other = replace(REJECTS, source="api")
    put(REJECTS, rejects(400))
    put(other, rejects(600))
    put(RATES, error_rates(shop=1), [REJECTS, other])
    assert findings() == []
    restated = replace(RATES, dt=DAY + timedelta(1))
    put(restated, error_rates(shop=1), [REJECTS])
    assert findings() == [f"{restated.key}: its inputs have 400 rows, and 1,000 went in"]
    assert findings(Scope("error_rate")) == []


def test_an_input_is_there_as_it_was(lake, put, findings, error_rates):
    """A partition made from one that is gone, or that never had those bytes."""
    put(REJECTS, rejects(1000))
    put(RATES, error_rates(shop=1), [REJECTS])
    other = replace(RATES, dt=DAY + timedelta(1))
    put(other, error_rates(shop=1), inputs=(Input(REJECTS.key, 1, "0" * 64),))
    assert findings(Scope("error_rate")) == [
        f"{other.key}: it was made from, or instead of, {REJECTS.key} with sha256 {'0' * 64}, never published"
    ]
    (Path(lake.root) / REJECTS.key).unlink()
    assert findings(Scope("error_rate")) == [
        f"{each.key}: it was made from, or instead of, {REJECTS.key}, which is not there"
        for each in (RATES, other)
    ]


def test_a_restatement_names_the_one_before(lake, put, findings, error_rates):
    """With the bytes that it had, whatever number it was; the first one of all names none."""
    put(RATES, error_rates(shop=1))
    third = replace(RATES, revision=3)
    put(third, error_rates(shop=2), supersedes=lake.sha256(RATES), reason="why")
    assert findings() == []
    fourth = replace(RATES, revision=4)
    put(fourth, error_rates(shop=3), supersedes=lake.sha256(RATES), reason="why")
    said = f"{fourth.key}: it was made from, or instead of, {third.key} with sha256 {lake.sha256(RATES)}"
    assert findings() == [f"{said}, never published"]
    (Path(lake.root) / third.key).unlink()
    (Path(lake.root) / RATES.key).unlink()
    last = [each for each in findings() if each.startswith(fourth.key)]
    assert last == [f"{fourth.key}: it was made from, or instead of, {third.key}, which is not there"]


def test_another_schema_is_named(lake, put, findings, error_rates, monkeypatch):
    """But for columns that came later than the file."""
    contract = CONTRACTS["error_rate"]
    grown = [replace(each, added=each.name == "incomplete") for each in contract.columns]
    monkeypatch.setitem(CONTRACTS, "error_rate", replace(contract, columns=tuple(grown)))
    put(RATES, error_rates(shop=1))
    path = Path(lake.root) / RATES.key
    told = pq.read_metadata(path).metadata[b"provenance"].decode()
    rows = pq.read_table(path, partitioning=None)

    def rewritten(table):
        copy = path.with_name("copy")
        with pq.ParquetWriter(copy, table.schema, store_schema=False) as writer:
            writer.write_table(table)
            writer.add_key_value_metadata({"provenance": told})
        os.replace(copy, path)  # noqa: PTH105 - over what is there
        return "\n".join(findings())

    assert "schema" not in rewritten(rows.drop_columns("incomplete"))
    assert f"{RATES.key}: its schema is not its contract's: " in rewritten(rows.drop_columns("hours_observed"))
    assert "its schema is not" in rewritten(rows.append_column("more", rows["vantage"]))


def test_a_file_that_can_be_read_in_part_is_unreadable(lake, put, findings, error_rates):
    """Its footer is whole, and where its rows should be is something else."""
    put(RATES, error_rates(shop=1))
    path = Path(lake.root) / RATES.key
    content = path.read_bytes()
    footer = int.from_bytes(content[-8:-4], "little") + 8
    change(lake, RATES, b"\xff" * (len(content) - footer) + content[-footer:])
    assert any(each.startswith(f"{RATES.key}: unreadable: ") for each in findings())


def test_a_lake_on_s3_is_looked_at_likewise(s3_root, moto_url, publish):
    """Rows are counted and bytes are compared there, too."""
    lake = Lake(open_store(s3_root, moto_url))
    publish(lake, REJECTS, rejects(2))
    (found,) = Verification(lake, Scope(is_deep=True)).findings()
    assert found.key == REJECTS.key
    assert found.what == "it has 2 rows, and by its provenance 0"


def test_an_input_that_nobody_recorded_was_never_published(lake, put, findings, error_rates):
    """It is there, and nothing says that it is what it was."""
    put(REJECTS, rejects(1000))
    put(RATES, error_rates(shop=1), [REJECTS])
    for name in ("_evidence/rejects", "_evidence/published/rejects"):
        shutil.rmtree(Path(lake.root) / name)
    said = f"it was made from, or instead of, {REJECTS.key} with sha256 {lake.sha256(REJECTS)}, never published"
    assert findings(Scope("error_rate")) == [f"{RATES.key}: {said}"]


@pytest.mark.parametrize("counts", [None, "text"])
def test_counts_that_can_not_be_added_up_are_unreadable(lake, put, findings, error_rates, counts):
    """The column is not there, or is none of numbers: that is said, and the others are looked at."""
    put(RATES, error_rates(shop=1))
    path = Path(lake.root) / RATES.key
    told = pq.read_metadata(path).metadata[b"provenance"].decode()
    rows = pq.read_table(path, partitioning=None)
    position = rows.schema.get_field_index("requests_total")
    changed = rows.remove_column(position)
    if counts:
        changed = changed.add_column(position, "requests_total", pa.array([counts]))
    copy = path.with_name("copy")
    with pq.ParquetWriter(copy, changed.schema, store_schema=False) as writer:
        writer.write_table(changed)
        writer.add_key_value_metadata({"provenance": told})
    os.replace(copy, path)  # noqa: PTH105 - over what is there
    put(REJECTS, rejects(2), rows_read=3)
    found = findings()
    assert any(each.startswith(f"{RATES.key}: its schema is not its contract's") for each in found)
    assert any(each.startswith(f"{RATES.key}: unreadable: ") for each in found)
    assert any(each.startswith(f"{REJECTS.key}: rows read = kept") for each in found)


@pytest.mark.parametrize("is_same_size", [True, False])
def test_bytes_that_lost_the_race_do_not_pass_for_those_that_won(lake, put, findings, error_rates, is_same_size):
    """Though their writer had recorded them, and though they are a sound file of that name."""
    put(RATES, error_rates(shop=1))
    won = lake.sha256(RATES)
    other = Lake(open_store(f"{lake.root}-other"))
    rates = error_rates(shop=2) if is_same_size else error_rates(another_name=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lake, "store", other.store)
        put(RATES, rates)
    with pytest.raises(Exception, match="other bytes"):
        put(RATES, rates)
    lost = other.sha256(RATES)
    assert findings(Scope(is_deep=True)) == []
    change(lake, RATES, (Path(other.root) / RATES.key).read_bytes())
    (found,) = findings(Scope(is_deep=True))
    assert found.startswith(f"{RATES.key}: changed: ")
    assert is_same_size == (found == f"{RATES.key}: changed: its sha256 is {lost}, published was {won}")


def test_what_it_was_made_from_is_compared_with_what_is_there(lake, put, findings, error_rates):
    """Also where nobody recorded what won: by the digests in the footers of what was made from it."""
    put(REQUESTS, no_requests(), rows_read=0)
    put(RATES, error_rates(shop=1), made_from=[REQUESTS], rows_read=0, rows_kept=0, counted=1000)
    read = lake.sha256(REQUESTS)
    assert findings(Scope(is_deep=True)) == []
    shutil.rmtree(Path(lake.root) / "_evidence/published")
    (Path(lake.root) / REQUESTS.key).unlink()
    put(REQUESTS, no_requests(), rows_read=0, code_version="9")
    shutil.rmtree(Path(lake.root) / "_evidence/published")
    assert findings() == []
    (found,) = findings(Scope(is_deep=True))
    assert found == (
        f"{RATES.key}: it was made from, or instead of, {REQUESTS.key} with sha256 {read}, and there is "
        f"{lake.sha256(REQUESTS)}"
    )


def no_requests():
    """Return no requests."""
    return CONTRACTS["requests"].schema.empty_table()
