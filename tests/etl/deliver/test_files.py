"""Deliveries to files: whole, atomic, and told from what somebody else wrote."""

import csv
import json
import os
import random
import sys
from datetime import datetime, timedelta

import openpyxl
import pyarrow as pa
import pytest

import lake
from etl.deliver import spreadsheet
from etl.deliver.bring import bring, differences
from lake.contracts import CONTRACTS
from lake.errors import ConfigError, StoreError, TargetRefused
from lake.partition import Partition

RATES = CONTRACTS["error_rate"]
CSV, XLSX = "file://figures.csv", "file://figures.xlsx"


def brought(figures, to, **more):
    """Bring all that is due, and return how many partitions were sent."""
    with figures.target(to, **more) as (delivery, target):
        return bring(delivery, target)


def rows_of(path):
    """Return the rows of a CSV file, all as texts."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def texts(rows):
    """Return rows as a CSV file has them."""
    return sorted(["" if value is None else _text(value) for value in row] for row in rows)


def _text(value):
    return f"{value:g}" if isinstance(value, float) else str(value)


def test_a_csv_file_is_what_the_lake_has(figures):
    """Names first, then all rows in order of days; again, nothing is written."""
    path = figures.folder / "figures.csv"
    assert brought(figures, CSV) == 3
    head, *rows = rows_of(path)
    assert head == ["dt", *RATES.schema.names, "rev"]
    assert sorted(rows) == texts(figures.rows())
    before = path.stat().st_mtime_ns, path.read_bytes()
    assert brought(figures, CSV) == 0
    assert (path.stat().st_mtime_ns, path.read_bytes()) == before


@pytest.mark.parametrize(
    "errors", [{"shop": 1, "api": 2, "mail": 3}, {"api": 2}, {}], ids=["more", "fewer", "none"]
)
@pytest.mark.parametrize("to", [CSV, XLSX])
def test_a_restated_day_is_the_new_one(figures, to, errors):
    """To more rows, fewer or none."""
    brought(figures, to)
    figures.rates(2, revision=1, **errors)
    assert brought(figures, to) == 1
    if to == CSV:
        assert sorted(rows_of(figures.folder / "figures.csv")[1:]) == texts(figures.rows())
    else:
        assert sorted(sheet(figures)["error_rate"][1:]) == figures.rows()


def sheet(figures):
    """Return the rows of each tab of the spreadsheet."""
    book = openpyxl.load_workbook(figures.folder / "figures.xlsx")
    found = {tab.title: [tuple(cell.value for cell in row) for row in tab.iter_rows()] for tab in book}
    book.close()
    return {
        name: [
            tuple(v.date() if isinstance(v, datetime) and n == 0 else v for n, v in enumerate(row)) for row in rows
        ]
        for name, rows in found.items()
    }


def test_a_spreadsheet_has_a_tab_a_dataset_and_a_dictionary(figures, publish):
    """Numbers are numbers, days are days, a text that looks like a formula is a text; each column is explained."""
    from conftest import FIRST_DAY

    row = {"file": "=1+1", "line_number": 7, "reason": "shape", "masked_line": "@x"}
    at = FIRST_DAY + timedelta(1)
    rows = pa.Table.from_pylist([row], CONTRACTS["rejects"].schema)
    publish(figures.lake, Partition("rejects", 1, at, "web"), rows)
    assert brought(figures, XLSX, datasets="error_rate, rejects") == 4
    found = sheet(figures)
    assert list(found) == ["error_rate", "rejects", "dictionary"]
    assert found["error_rate"][0] == ("dt", *RATES.schema.names, "rev")
    assert sorted(found["error_rate"][1:]) == figures.rows()
    assert found["rejects"][1:] == [(at, "web", "=1+1", 7, "shape", "@x", 0)]
    meanings = {(dataset, column): (unit, meaning) for dataset, column, _, unit, meaning, _ in found["dictionary"]}
    for each in RATES.columns:
        assert meanings["error_rate", each.name] == (each.unit, each.meaning)
    assert meanings["rejects", "source"] == ("name", "The source of the raw logs")
    content = (figures.folder / "figures.xlsx").read_bytes()
    for name in ("figures.xlsx", "figures.xlsx.receipts.json"):
        (figures.folder / name).unlink()
    assert brought(figures, XLSX, datasets="error_rate, rejects") == 4
    assert (figures.folder / "figures.xlsx").read_bytes() == content


def test_what_a_spreadsheet_can_not_hold_is_refused(figures, monkeypatch, publish):
    """Too many rows, or too long a text; what was there stays."""
    brought(figures, XLSX)
    before = (figures.folder / "figures.xlsx").read_bytes()
    monkeypatch.setattr(spreadsheet, "MOST_ROWS", 7)
    figures.rates(3, shop=1)
    with pytest.raises(TargetRefused, match="error_rate has more than the 6 rows"):
        brought(figures, XLSX)
    monkeypatch.setattr(spreadsheet, "LONGEST_TEXT", 3)
    with pytest.raises(TargetRefused, match="application has a text of 4 characters"):
        brought(figures, XLSX)
    assert (figures.folder / "figures.xlsx").read_bytes() == before
    assert sorted(each.name for each in figures.folder.iterdir()) == [
        "figures.xlsx",
        "figures.xlsx.receipts.json",
        "lake",
        "luigi.cfg",
    ]


@pytest.mark.parametrize("to", [CSV, XLSX])
def test_a_file_of_somebody_else_is_not_touched(figures, to):
    """One that was there, one that was changed, one whose receipts are gone or broken."""
    path = figures.folder / to.removeprefix("file://")
    receipts = path.with_name(f"{path.name}.receipts.json")
    path.write_text("mine")
    with pytest.raises(TargetRefused, match="was not written by this delivery"):
        brought(figures, to)
    assert path.read_text() == "mine"
    path.unlink()
    assert brought(figures, to) == 3
    path.write_bytes(path.read_bytes() + b"more")
    with pytest.raises(TargetRefused, match="was changed since it was delivered"):
        brought(figures, to)
    receipts.write_text("{}")
    with pytest.raises(TargetRefused, match=r"receipts\.json is missing, or is none"):
        brought(figures, to)
    path.unlink()
    assert brought(figures, to) == 3


def test_another_lake_or_a_newer_revision_is_refused(figures):
    """As it is everywhere."""
    brought(figures, CSV)
    receipts = figures.folder / "figures.csv.receipts.json"
    text = receipts.read_text()
    receipts.write_text(text.replace('"revision": 0', '"revision": 4'))
    with pytest.raises(TargetRefused, match=r"is ahead of the lake.*delete .*figures\.csv and .*receipts\.json"):
        brought(figures, CSV)
    receipts.write_text(text.replace(lake.identity(figures.folder / "luigi.cfg"), "0" * 32))
    with pytest.raises(TargetRefused, match="from another lake"):
        brought(figures, CSV)


def test_verification_compares_what_was_written(figures):
    """By the sums that were noted; a changed file is said."""
    with figures.target(CSV) as (delivery, target):
        bring(delivery, target)
        assert differences(delivery, target) == (3, [])
        receipts = figures.folder / "figures.csv.receipts.json"
        found = json.loads(receipts.read_text())
        found["receipts"][0]["tally"]["rows"] = 9
        receipts.write_text(json.dumps(found))
        assert differences(delivery, target) == (3, ["error_rate 2026-09-01: rows 9, in the lake 2"])


@pytest.mark.parametrize(
    ("to", "datasets", "said"),
    [
        ("file://figures.ods", "error_rate", "expected the name of a file that ends in .csv or .xlsx."),
        ("file://figures.csv", "error_rate, rejects", "a CSV file holds one dataset."),
    ],
)
def test_what_a_file_can_not_be_is_said(figures, to, datasets, said):
    """Before anything is written."""
    with pytest.raises(ConfigError) as error:
        figures.deliver(to, datasets=datasets)
    assert said in str(error.value)


def test_a_folder_that_is_missing_and_a_writer_that_is_not_installed_are_said(figures, monkeypatch):
    """With the next step."""
    with pytest.raises(StoreError, match="There is no folder .*/gone for figures.csv"):  # noqa: RUF043
        brought(figures, "file://gone/figures.csv")
    monkeypatch.setitem(sys.modules, "xlsxwriter", None)
    monkeypatch.delitem(sys.modules, "etl.deliver.spreadsheet", raising=False)
    with pytest.raises(ConfigError, match=r"pip install 'error-rate-lake\[spreadsheet\]'"):
        brought(figures, XLSX)


def test_several_deliverers_at_once_leave_one_whole_file(figures):
    """One of them writes it; an absolute path is one, too."""
    delivery = figures.deliver(f"file://{figures.folder}/figures.csv")
    assert figures.at_once(delivery, 4) == [0, 0, 0, 3]
    assert sorted(rows_of(figures.folder / "figures.csv")[1:]) == texts(figures.rows())


@pytest.mark.parametrize("to", [CSV, XLSX])
@pytest.mark.parametrize("kills", [3, pytest.param(int(os.environ.get("KILLS", "20")), marks=pytest.mark.slow)])
def test_a_killed_delivery_leaves_a_whole_file(figures, to, kills):
    """The old one or the new one, and the next run takes it for what it is; nothing else is left."""
    chance = random.Random(kills)  # noqa: S311 - moments
    figures.deliver(to)
    path = figures.folder / to.removeprefix("file://")
    with figures.deliverers() as kill_one:
        for revision in range(2, kills + 2):
            for day in range(4):
                figures.rates(day, revision=revision, **{f"app{n}": n for n in range(chance.randrange(1, 30))})
            before = path.read_bytes() if path.exists() else b""
            kill_one(chance.uniform(0, 0.06))
            if path.exists() and path.read_bytes() != before:
                assert brought(figures, to) == 0
    brought(figures, to)
    if to == CSV:
        assert sorted(rows_of(path)[1:]) == texts(figures.rows())
    else:
        assert sorted(sheet(figures)["error_rate"][1:]) == figures.rows()
    names = {"lake", "luigi.cfg", path.name, f"{path.name}.receipts.json"}
    assert {each.name for each in figures.folder.iterdir()} == names
