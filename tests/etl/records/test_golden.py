"""Golden cases: golden/DATASET/CASE/ holds a source as luigi.cfg has it, a file of records, and what it becomes.

`expected.csv` has the rows of a day, and `rejects.csv`, if it is there, the other records with their reason.
"""

import csv
from datetime import date, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from etl.sources.sections import read_sources
from etl.sources.source import REQUESTS
from etl.steps.extract import extract_day
from lake import config
from lake.contracts import CONTRACTS
from lake.lake import Lake

GOLDEN = Path(__file__).with_name("golden")
CASES = sorted(path for path in GOLDEN.glob("*/*") if path.is_dir())
DAY = date(2026, 9, 17)


def _written(value):
    """Return a value as the CSV files have it, NULL as nothing."""
    if value is None or isinstance(value, bool):
        return "" if value is None else str(value).lower()
    return value.isoformat() if isinstance(value, datetime | date) else str(value)


def _rows(folder, names):
    """Return the columns of a dataset that a case shows."""
    (path,) = folder.rglob("*.parquet")
    return [
        {name: _written(row[name]) for name in names} for row in pq.read_table(path, partitioning=None).to_pylist()
    ]


@pytest.mark.parametrize("case", CASES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_records_become_what_is_expected(case, tmp_path):
    """Each record is the row or the reject that the case says."""
    text = case.joinpath("source.ini").read_text().replace("files = ", f"files = {case}/")
    (tmp_path / "luigi.cfg").write_text(f"[lake]\nroot = lake\n\n{text}")
    found = config.read(tmp_path / "luigi.cfg")
    (source,) = read_sources(found)
    assert source.dataset == case.parent.name
    extract_day(Lake.of(found), source, DAY)
    for dataset, name in ((source.dataset, "expected.csv"), ("rejects", "rejects.csv")):
        shown = case / name
        reader = csv.DictReader(shown.read_text().splitlines() if shown.exists() else ["line_number,reason"])
        expected = [*reader]
        assert _rows(tmp_path / "lake" / dataset, reader.fieldnames) == expected


@pytest.mark.parametrize("name", [each.name for each in CONTRACTS.values() if each.is_extracted])
def test_every_dataset_of_records_has_a_golden_case(name):
    """No source of records can be added without one; requests have theirs in tests/etl/golden."""
    assert name == REQUESTS or [case for case in CASES if case.parent.name == name]
