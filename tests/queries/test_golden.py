"""Golden cases: golden/DATASET/CASE/ holds a CSV of each input and `expected.csv`, all of one day.

Columns that a CSV of an input leaves out are filled: the day's midnight, the first allowed value, the
minimum, or NULL.
"""

import math
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from etl.aggregate import check_sum, run_query
from lake.contract import Contract
from lake.contracts import CONTRACTS, contract

GOLDEN = Path(__file__).with_name("golden")
CASES = sorted(path for path in GOLDEN.glob("*/*") if path.is_dir())
DAY = date(2026, 9, 17)
TOLERANCE = 1e-12


def _is_same(found: object, expected: object) -> bool:
    if isinstance(found, float) and isinstance(expected, float):
        return math.isclose(found, expected, rel_tol=0, abs_tol=TOLERANCE)
    return found == expected


@pytest.mark.parametrize("case", CASES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_query_gives_what_is_expected(
    case: Path, tmp_path: Path, read_rows: Callable[[Path, Contract], pa.Table]
) -> None:
    """The SQL turns the case's inputs into its expected rows, in order, and they keep their contract."""
    made = contract(case.parent.name)
    files: dict[str, list[Path]] = {}
    rows_read = 0
    for name in made.inputs:
        rows = read_rows(case / f"{name}.csv", contract(name))
        contract(name).validate(rows, DAY)
        pq.write_table(rows, tmp_path / f"{name}.parquet")
        files[name] = [tmp_path / f"{name}.parquet"]
        rows_read += rows.num_rows
    found, expected = run_query(made, files), read_rows(case / "expected.csv", made)
    made.validate(found, DAY)
    assert not made.counts or check_sum(made, found, rows_read, DAY)
    assert found.num_rows == expected.num_rows
    for row, wanted in zip(found.to_pylist(), expected.to_pylist(), strict=True):
        assert {name: row[name] for name in row if not _is_same(row[name], wanted[name])} == {}, wanted


@pytest.mark.parametrize("name", [each.name for each in CONTRACTS.values() if each.inputs])
def test_every_dataset_made_by_sql_has_a_golden_case(name: str) -> None:
    """No metric can be added without one."""
    assert [case for case in CASES if case.parent.name == name]


@pytest.mark.parametrize("case", CASES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_golden_case_is_whole_and_used(case: Path) -> None:
    """It has the inputs of its dataset's contract, the expected rows, and no file that nothing reads."""
    wanted = {"expected.csv", *(f"{name}.csv" for name in contract(case.parent.name).inputs)}
    assert {path.name for path in case.iterdir()} == wanted
