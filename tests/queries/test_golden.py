"""Golden cases: golden/DATASET/CASE/ holds a CSV of each input and `expected.csv`, all of one day.

A CSV of an input of several days has a column `dt`. Columns that a CSV of an input leaves out are filled: the
day's midnight, the first allowed value, the minimum, or NULL.
"""

import math
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from etl.steps.aggregate import SOURCES, Rows, check_sum, counted_in, run_query
from lake.contract import Column, Contract, Input
from lake.contracts import CONTRACTS, contract
from lake.parquet.writer import Footer
from lake.partition import Partition

GOLDEN = Path(__file__).with_name("golden")
CASES = sorted(path for path in GOLDEN.glob("*/*") if path.is_dir())
DAY = date(2026, 9, 17)
TOLERANCE = 1e-12
A_SOURCE = pa.Table.from_pylist(
    [{"source": "web", "vantage": "edge", "is_missing": False, "files": 1, "lines_read": 0}], schema=SOURCES
)


def _is_same(found: object, expected: object) -> bool:
    if isinstance(found, float) and isinstance(expected, float):
        return math.isclose(found, expected, rel_tol=0, abs_tol=TOLERANCE)
    return found == expected


def _of(case: Path) -> Path:
    return case / "expected.csv"


def _contract(name: str) -> Contract:
    """Return the contract of what a CSV holds; `sources` is what the SQL can ask of the day's sources."""
    columns = tuple(Column(each.name, each.type, "", "", nullable=each.nullable) for each in SOURCES)
    return Contract("sources", 1, "", columns) if name == "sources" else contract(name)


def _made(made: Contract, read: dict[str, pa.Table], folder: Path) -> pa.Table:
    """Return what the SQL of a dataset makes of a case's rows, and of what is made of those where no CSV is."""
    inputs: dict[str, list[Rows]] = {}
    for wanted in made.inputs:
        of = contract(wanted.dataset)
        if of.name in read:
            rows = read[of.name]
        elif of.inputs:
            rows = _made(of, read, folder)
        else:
            rows = of.schema.empty_table()
        inputs[of.name] = [_partition(of, day, table, folder) for day, table in _by_day(of, rows, wanted).items()]
    found = run_query(made, DAY, inputs, read.get("sources", A_SOURCE))
    if made.counts:
        (first,) = inputs[made.inputs[0].dataset]
        with pq.ParquetFile(first.file) as file:
            assert check_sum(made, found, counted_in(contract(first.partition.dataset), file), DAY)
    return found


def _by_day(of: Contract, rows: pa.Table, wanted: Input) -> dict[date, pa.Table]:
    if "dt" not in rows.schema.names:
        return {DAY: rows}
    days = set(rows["dt"].to_pylist())
    assert days <= set(wanted.window(DAY))
    found = {day: rows.filter(pc.equal(rows["dt"], pa.scalar(day))) for day in sorted(days)}
    return {day: table.select(of.schema.names).cast(of.schema) for day, table in found.items()}


def _partition(of: Contract, day: date, rows: pa.Table, folder: Path) -> Rows:
    of.validate(rows, day)
    file = folder / f"{of.name}-{day}.parquet"
    pq.write_table(rows, file)
    footer = Footer(None, rows.schema, rows.num_rows)  # type: ignore[arg-type] - no golden case has a provenance
    return Rows(Partition(of.name, 1, day, "web" if of.per_source else None), file, footer)


@pytest.mark.parametrize("case", CASES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_query_gives_what_is_expected(
    case: Path, tmp_path: Path, read_rows: Callable[[Path, Contract], pa.Table]
) -> None:
    """The SQL turns the case's inputs into its expected rows, in order, and they keep their contract."""
    made = contract(case.parent.name)
    read = {path.stem: read_rows(path, _contract(path.stem)) for path in case.glob("*.csv") if path != _of(case)}
    found, expected = _made(made, read, tmp_path), read_rows(_of(case), made)
    made.validate(found, DAY)
    assert found.num_rows == expected.num_rows
    for row, wanted in zip(found.to_pylist(), expected.to_pylist(), strict=True):
        assert {name: row[name] for name in row if not _is_same(row[name], wanted[name])} == {}, wanted


@pytest.mark.parametrize("name", [each.name for each in CONTRACTS.values() if each.inputs])
def test_every_dataset_made_by_sql_has_a_golden_case(name: str) -> None:
    """No metric can be added without one."""
    assert [case for case in CASES if case.parent.name == name]


@pytest.mark.parametrize("case", CASES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_golden_case_is_whole_and_used(case: Path) -> None:
    """It has the expected rows, and no file that nothing reads."""
    names = {path.stem for path in case.iterdir()} - {"expected", "sources"}
    below = _below(contract(case.parent.name))
    assert _of(case).exists()
    assert names
    assert names <= below


def _below(made: Contract) -> set[str]:
    return {name for each in made.inputs for name in (each.dataset, *_below(contract(each.dataset)))}
