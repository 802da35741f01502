"""Rows of .xlsx files are records: a cell is its text, its number, or an error."""

import io
import subprocess
import sys
import zipfile
from contextlib import closing
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path

import openpyxl
import pyarrow as pa
import pytest
from views import OF_DAY, VIEWS, found_in, texts

from etl.lines.batches import ANY_DAY
from etl.raw.files import RawFile
from etl.raw.reading import RawReader
from etl.records.excel_rows import ExcelTable
from etl.records.parser import RecordParser
from etl.records.records import Records
from lake.contract import Column, Contract
from lake.errors import ConfigError, InputError

REPOSITORY = Path(__file__).parents[3]
TEN = datetime(2026, 9, 17, 10, 5, 3, 120000)
NAMES = ["at", "path", "views", "share", "device", "reader"]
GOOD = [TEN, "/a", 2, 0.5, "mobile", "ann"]


def file_of(path, *rows, sheet=None, errors=()):
    """Write rows into a sheet, and return the file as a raw one; `errors` are the names of cells."""
    book = openpyxl.Workbook()
    cells = book.create_sheet(sheet) if sheet else book.active
    for row in rows:
        cells.append(row)
    for name in errors:
        cells[name].data_type = "e"
    book.save(path)
    return RawFile(path.name, str(path), None, table=ExcelTable(sheet))


def found_of(file, records, days=ANY_DAY):
    """Return what a file's rows are."""
    reader = RawReader(file)
    with closing(reader.blocks()) as blocks:
        found = found_in(RecordParser(records, days, name=file.name, own_day=0), map(bytes, blocks))
    assert reader.lines == len(found.kinds)
    return found


def value_of(tmp_path, value, kind, **values):
    """Return what a cell becomes in a column of a type, or why there is no row."""
    contract = Contract("things", 1, "a thing", (Column("x", kind, "1", "it", nullable=True),))
    records = Records.of(contract, {"format": "excel"} | values)
    found = found_of(file_of(tmp_path / "x.xlsx", ["x", "y"], [value, 1]), records)
    return found.rows[0]["x"] if found.rows else found.kinds[1]


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        (12, pa.int64(), 12),
        (12.0, pa.int64(), 12),
        (12.5, pa.int64(), "type"),
        (2.0**53, pa.int64(), 2**53),
        (1e17, pa.int64(), "type"),
        (0.1, pa.float64(), 0.1),
        (12.34, pa.decimal128(9, 2), Decimal("12.34")),
        (12.345, pa.decimal128(9, 2), "type"),
        ("12", pa.int64(), 12),
        ("12.0", pa.int64(), "type"),
        (" 12", pa.int64(), "type"),
        (12, pa.string(), "12"),
        ("tab\tline\nend", pa.string(), "tab\tline\nend"),
        ("#N/A in a sentence", pa.string(), "#N/A in a sentence"),
        ("", pa.string(), None),
        (None, pa.int64(), None),
        (True, pa.bool_(), True),
        (0, pa.bool_(), False),
        ("no", pa.bool_(), "type"),
        (date(2026, 9, 17), pa.date32(), date(2026, 9, 17)),
        (datetime(2026, 9, 17), pa.date32(), date(2026, 9, 17)),
        (TEN, pa.date32(), "type"),
        (20260917, pa.date32(), date(2026, 9, 17)),
        ("2026-09-17", pa.date32(), date(2026, 9, 17)),
        (TEN, pa.timestamp("us"), TEN),
        (datetime(2026, 9, 17), pa.timestamp("us"), datetime(2026, 9, 17)),
        (date(2026, 9, 17), pa.timestamp("us"), "type"),
        (time(10, 5), pa.string(), "10:05:00"),
        (timedelta(hours=30), pa.int64(), "type"),
        ("=1+1", pa.int64(), None),
    ],
)
def test_a_cell_is_what_it_holds_or_a_reject(tmp_path, value, kind, expected):
    """Whole numbers are whole, days are days, and texts are as those of CSV."""
    assert value_of(tmp_path, value, kind) == expected


def test_times_are_of_the_declared_zone(tmp_path):
    """For a sheet has none."""
    there = {"timezone": "Europe/Berlin"}
    assert value_of(tmp_path, TEN, pa.timestamp("us"), **there) == TEN - timedelta(hours=2)
    assert value_of(tmp_path, date(2026, 9, 17), pa.date32(), **there) == date(2026, 9, 17)


def test_rows_are_records(tmp_path):
    """A row has its number in the sheet; errors are of no type, empty rows blank, and those at the end nothing."""
    rows = [
        NAMES,
        GOOD,
        [TEN, "/a", 2.5, *GOOD[3:]],
        [],
        [TEN, "#N/A", 2, *GOOD[3:]],
        [TEN, "/a", None, *GOOD[3:]],
        [TEN, "/a", 2000, *GOOD[3:]],
        [TEN, "/", 1, *GOOD[3:]],
        [TEN + timedelta(1), *GOOD[1:]],
        [*GOOD[:5]],
        [*GOOD, None, ""],
        [*GOOD, "note"],
        [None, ""],
        [],
        [None, None],
    ]
    file = file_of(tmp_path / "x.xlsx", *rows, errors=["B5"])
    found = found_of(file, Records.of(VIEWS, {"format": "excel"}), OF_DAY)
    expected = ["directive", "row", "type", "blank", "type", "missing", "value", "rule", "wrong_day", "row", "row"]
    assert found.kinds == [*expected, "shape"]
    assert found.rows == [{"at": TEN, "path": "/a", "views": 2, "share": 0.5, "device": "mobile"}] * 3
    assert '"path":"#x/x"' in found.masks[4].replace("X", "x")
    assert found.masks[11].isprintable()


def test_formulas_count_by_what_they_gave(tmp_path):
    """Which stands in the file, if the program that wrote it has put it there."""
    path = tmp_path / "x.xlsx"
    file = file_of(path, ["a", "b"], ["=1+1", "x"], ["=1/0", "x"])
    again = io.BytesIO()
    with zipfile.ZipFile(path) as before, zipfile.ZipFile(again, "w") as after:
        for each in before.namelist():
            data = before.read(each)
            if each.endswith("sheet1.xml"):
                first, second, third = data.partition(b"<v />")
                assert second
                data = first + b"<v>2</v>" + third
            after.writestr(each, data)
    path.write_bytes(again.getvalue())
    records = Records.of(texts("a", "b"), {"format": "excel"})
    found = found_of(file, records)
    assert found.kinds == ["directive", "row", "missing"]
    assert found.rows == [{"a": "2", "b": "x"}]


def test_a_sheet_is_the_first_one_or_has_the_name(tmp_path):
    """Those that are there are said."""
    file = file_of(tmp_path / "x.xlsx", ["a"], ["x"], sheet="Views of May")
    records = Records.of(texts("a"), {"format": "excel"})
    assert found_of(file, records).rows == [{"a": "x"}]
    said = r"x\.xlsx has no sheet 'May', only 'Sheet', 'Views of May'\. Correct sheet"
    with pytest.raises(InputError, match=said):
        found_of(RawFile("x.xlsx", file.location, None, table=ExcelTable("May")), records)
    said = "the first row of the sheet, its header, lacks the field: 'a'. It has: nothing. Correct fields"
    with pytest.raises(InputError, match=said):
        found_of(RawFile("x.xlsx", file.location, None, table=ExcelTable()), records)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", r"x is an \.xls file, or has a password\. Save it as \.xlsx"),
        (b"a,b\n1,2\n", r"x is no \.xlsx file, as format says"),
        (None, r"x: the \.xlsx file is cut off or damaged after line 0 \("),
    ],
)
def test_other_files_are_refused(tmp_path, data, said):
    """What they should be is said; one without a byte has no rows, as with logs."""
    path = tmp_path / "x"
    if data is None:
        file_of(path.with_suffix(".xlsx"), ["a"], ["x"])
        data = path.with_suffix(".xlsx").read_bytes()[:-100]
    path.write_bytes(data)
    file = RawFile("x", str(path), None, table=ExcelTable())
    with pytest.raises(InputError, match=said):
        found_of(file, Records.of(texts("a"), {"format": "excel"}))
    path.write_bytes(b"")
    assert found_of(file, Records.of(texts("a"), {"format": "excel"})).kinds == []


def test_without_the_extra_it_is_said_how_to_get_it(tmp_path, monkeypatch):
    """What reads them is not installed for everybody."""
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(ConfigError, match=r"pip install 'error-rate-lake\[excel\]'"):
        value_of(tmp_path, 1, pa.int64())


def test_only_who_reads_tables_imports_what_they_need():
    """Records of other shapes are read without it, and their settings without either."""
    code = (
        "import sys; sys.path.append('tests/etl/records'); import views\n"
        "from etl.records.records import Records\n"
        "assert views.views(views.HEADER + views.GOOD).rows\n"
        "assert Records.of(views.VIEWS, {'format': 'excel'}).table\n"
        "assert 'openpyxl' not in sys.modules and 'pyarrow.parquet' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=REPOSITORY)
