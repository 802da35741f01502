"""The rows of a sheet of .xlsx files: each cell as the text that it is, and an error as such.

A cell holds a text, a double or a truth value, and what a formula gave when the file was written; the format of a
number says whether it is a day or a time.
"""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from itertools import islice
from typing import IO, Any

from etl.raw.opening import HEAD_BYTES, ZIPPED
from etl.raw.streams import Damaged, Unreadable
from etl.records import table_lines
from etl.records.table_lines import ANY, ERROR, MOST_EXACT, NULL, TAB
from lake.errors import ConfigError

KIND = ".xlsx file"
OLD = b"\xd0\xcf\x11\xe0"
"""What .xls files begin with, and .xlsx files with a password."""
ROWS_AT_ONCE = 1024
AN_ERROR = "e"  # among openpyxl's types of cells


@dataclass(frozen=True)
class ExcelTable:
    """Reads .xlsx files.

    Attributes:
        sheet: The name of the sheet that is read, None for the first one.
    """

    sheet: str | None = None

    def lines(self, file: IO[bytes]) -> Iterator[bytes]:
        """Yield a sheet's rows as lines, the first of which has the names.

        Raises:
            ConfigError: openpyxl is not installed.
            Unreadable: It is something else, or has no such sheet.
            Damaged: It is cut off or damaged.
        """
        head = file.read(HEAD_BYTES)
        file.seek(0)
        if not head:  # nothing, as an empty log is
            return
        if head.startswith(OLD):
            raise Unreadable(
                "is an .xls file, or has a password. Save it as .xlsx without a password, then run again."
            )
        if not ZIPPED.match(head):
            raise Unreadable("is no .xlsx file, as format says. Correct format or files, then run again.")
        try:
            yield from self._lines(file)
        except (ConfigError, Unreadable, GeneratorExit, MemoryError):
            raise
        except OSError as error:
            if error.errno is not None:  # of the file below it
                raise
            raise Damaged(KIND, error) from error
        except Exception as error:  # whatever a damaged one makes openpyxl stumble over
            raise Damaged(KIND, error) from error

    def _lines(self, file: IO[bytes]) -> Iterator[bytes]:
        try:
            import openpyxl  # noqa: PLC0415 - not everybody has it
        except ImportError as error:
            raise ConfigError(
                "What reads .xlsx files is not installed. Install it with: pip install 'error-rate-lake[excel]'"
            ) from error
        # of what it leaves out, such as colours that depend on values
        warnings.filterwarnings("ignore", category=UserWarning, module=r"openpyxl\.")
        book = openpyxl.load_workbook(file, read_only=True, data_only=True, keep_links=False)
        try:
            sheets = {each.title: each for each in book.worksheets}
            name = next(iter(sheets), None) if self.sheet is None else self.sheet
            if name not in sheets:
                there = ", ".join(map(repr, sheets)) or "none with cells"
                raise Unreadable(f"has no sheet {name!r}, only {there}. Correct sheet, then run again.")
            sheet = sheets[name]
            sheet.reset_dimensions()  # which programs write that only guess them
            lines = _lines_of(sheet.iter_rows())
            while several := b"".join(islice(lines, ROWS_AT_ONCE)):
                yield several
        finally:
            book.close()


def _lines_of(rows: Iterator[Sequence[Any]]) -> Iterator[bytes]:
    """Yield the line of each row, up to the last one that has a value."""
    first = next(rows, ())
    names = [(_text(cell) or "") for cell in first]
    while names and not names[-1]:
        names.pop()
    yield table_lines.header(names, [ANY] * len(names)) + b"\n"
    empty = 0
    for row in rows:
        fields = [_field(cell) for cell in row]
        while len(fields) > len(names) and fields[-1] == NULL:
            fields.pop()
        if all(each == NULL for each in fields):
            empty += 1
            continue
        fields += [NULL] * (len(names) - len(fields))
        yield b"\n" * empty + TAB.join(fields) + b"\n"
        empty = 0


def _field(cell: Any) -> bytes:  # noqa: ANN401 - openpyxl has several classes of them
    """Return what stands in a line for a cell."""
    text = _text(cell)
    if text is None:
        return NULL
    field = table_lines.field(text)
    return ERROR + field if cell.data_type == AN_ERROR else field


def _text(cell: Any) -> str | None:  # noqa: ANN401 - likewise
    """Return a cell's value as text, None if it has none."""
    value = cell.value
    if value is None or isinstance(value, str):
        return value or None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) <= MOST_EXACT else repr(value)
    if isinstance(value, datetime):
        from openpyxl.styles.numbers import is_datetime  # noqa: PLC0415 - as above

        is_day = value.time() == time() and is_datetime(cell.number_format) == "date"
        return value.date().isoformat() if is_day else value.isoformat()
    return str(value)
