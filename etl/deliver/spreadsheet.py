"""Spreadsheets: a tab a dataset, and one that says what each column means."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

import pyarrow as pa

from lake.contract import Column
from lake.errors import ConfigError, TargetRefused
from lake.published import Published

try:
    import xlsxwriter
except ImportError as error:
    raise ConfigError(
        "What writes spreadsheets is not installed. Install it with: pip install 'error-rate-lake[spreadsheet]'"
    ) from error

DICTIONARY = "dictionary"
HEADS = ("dataset", "column", "type", "unit", "meaning", "may be empty")
MOST_ROWS = 1_048_576  # of a tab, its head included
LONGEST_NAME, LONGEST_TEXT = 31, 32_767  # characters
MADE = datetime(2000, 1, 1)  # noqa: DTZ001 - any time will do: the same rows are the same file
FORMATS = {"dt": "yyyy-mm-dd", "ts": "yyyy-mm-dd hh:mm:ss"}
WIDTHS = {"dt": 11, "text": 24, "number": 12, "meaning": 80}


def write_spreadsheet(path: Path, partitions: Mapping[str, Sequence[Published]]) -> None:
    """Write a tab a dataset, whose first row names the columns, and the dictionary as the last tab.

    Raises:
        TargetRefused: There are more rows, or a longer text, than a spreadsheet holds.
    """
    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(path, options) as book:
        book.set_properties({"created": MADE})
        bold = book.add_format({"bold": True})
        day, time = (book.add_format({"num_format": each}) for each in FORMATS.values())
        for dataset, found in partitions.items():
            tab = book.add_worksheet(dataset[:LONGEST_NAME])
            columns = found[0].columns if found else ()
            tab.freeze_panes(1, 0)
            for n, column in enumerate(columns):
                is_text = pa.types.is_string(column.type)
                tab.set_column(n, n, WIDTHS["text" if is_text else "number"])
            tab.write_row(0, 0, [each.name for each in columns], bold)
            last = _write_rows(tab, dataset, found, {pa.date32(): day, pa.timestamp("us"): time})
            if columns:
                tab.autofilter(0, 0, last, len(columns) - 1)
        _write_dictionary(book.add_worksheet(DICTIONARY), partitions, bold)


def _write_rows(tab: Any, dataset: str, found: Sequence[Published], formats: Mapping[pa.DataType, Any]) -> int:  # noqa: ANN401 - XlsxWriter's
    """Write the rows of a dataset, and return the number of the last one."""
    numbers, last = count(1), 0
    for published in found:
        for batch in published.batches():
            for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                last = next(numbers)
                if last >= MOST_ROWS:
                    raise TargetRefused(
                        f"{dataset} has more than the {MOST_ROWS - 1:,} rows that a tab of a spreadsheet holds. "
                        "Nothing was changed. Give the delivery a later `since`, or deliver to a .csv file."
                    )
                for n, (value, column) in enumerate(zip(row, published.columns, strict=True)):
                    _write_cell(tab, last, n, value, column, formats.get(column.type))
    return last


def _write_cell(tab: Any, row: int, n: int, value: object, column: Column, shown: Any) -> None:  # noqa: ANN401, PLR0913, PLR0917 - XlsxWriter's
    """Write a value, as what it is: a text that looks like a formula stays a text."""
    if value is None:
        return
    if isinstance(value, str):
        if len(value) > LONGEST_TEXT:
            raise TargetRefused(
                f"{column.name} has a text of {len(value):,} characters, and a cell of a spreadsheet holds "
                f"{LONGEST_TEXT:,}. Nothing was changed. Deliver to a .csv file."
            )
        tab.write_string(row, n, value)
    elif isinstance(value, bool):
        tab.write_boolean(row, n, value)
    elif shown:
        tab.write_datetime(row, n, value, shown)
    else:
        tab.write_number(row, n, value)


def _write_dictionary(tab: Any, partitions: Mapping[str, Sequence[Published]], bold: Any) -> None:  # noqa: ANN401 - XlsxWriter's
    rows = count(1)
    tab.freeze_panes(1, 0)
    tab.set_column(0, 3, WIDTHS["text"])
    tab.set_column(4, 4, WIDTHS["meaning"])
    tab.write_row(0, 0, HEADS, bold)
    for dataset, found in partitions.items():
        if not found:
            continue
        tab.write_row(next(rows), 0, [dataset, "", "", "", f"A row is {found[0].contract.grain}, on one UTC day"])
        for each in found[0].columns:
            empty = "yes" if each.nullable else "no"
            tab.write_row(next(rows), 0, [dataset, each.name, str(each.type), each.unit, each.meaning, empty])
