"""Records: what luigi.cfg says of how those of a source are written, and of which dataset they are."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self
from zoneinfo import ZoneInfo

import pyarrow as pa

from etl.raw.streams import Table
from etl.records import types
from lake.contract import Contract
from lake.errors import ConfigError
from lake.memory.arrays import array
from lake.names import hint

KEYS = ("format", "fields", "timezone", "delimiter", "sheet", "where")
"""The settings that say it."""
CSV, NDJSON, PARQUET, EXCEL = "csv", "ndjson", "parquet", "excel"
SHAPES = (CSV, NDJSON, PARQUET, EXCEL)
TABLES = (PARQUET, EXCEL)
"""The shapes whose files are no lines of text."""
ONLY_FOR = {"delimiter": CSV, "sheet": EXCEL}
NO_FIELD = "-"
"""What `fields` gives to a column that the files don't have."""
DAY = "dt"
"""What `fields` calls the day of a record that has no time."""
DEFAULT_DELIMITER, TAB = ",", "tab"
DELIMITER = re.compile(r"""[!#-/:-@\[-`{-~]""")


@dataclass(frozen=True)
class Records:
    """How the records of a source are written, and what they become.

    Attributes:
        shape: One of SHAPES.
        contract: That of their dataset.
        fields: Of each column the name of the field that it is read from: one of a CSV's or a sheet's header, a
            column of Parquet, or a key of JSON; with dots between the keys of nested objects, unless the whole is
            a key itself. NO_FIELD for a column that is NULL in all records.
        day_field: The field that has a record's UTC day, which is not stored; None if its time or file tells it.
        timezone: IANA name of the zone of times without an offset; UTC if None.
        delimiter: What stands between the fields of CSV: one character of ASCII.
        sheet: The name of the sheet that has the records, None for the first one.
        where: The values that columns must have, in pairs of both; of one that is there more often, any of them. A
            record that has others is noise.
        declared: What the section says, key by key.
    """

    shape: str
    contract: Contract
    fields: Mapping[str, str] = field(hash=False)
    day_field: str | None = None
    timezone: str | None = None
    delimiter: str = DEFAULT_DELIMITER
    sheet: str | None = None
    where: tuple[tuple[str, str], ...] = ()
    declared: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        """Make sure that records can be read so.

        Raises:
            ConfigError: They can't.
        """
        self._check_columns()
        if self.shape not in SHAPES:
            raise ConfigError(f"format = {self.shape}: expected {_either(SHAPES)} for records.")
        if self.day_field is not None and self.contract.time:
            raise ConfigError(
                f"fields: {DAY} = {self.day_field}: a record of {self.contract.name} is of the day of its "
                f"{self.contract.time}. Take {DAY} out."
            )
        columns = {each.name: each for each in self.contract.columns}
        for name, text in self.where:
            column = columns.get(name)
            if column is None:
                raise ConfigError(f"where: {self._no_column(name)}")
            if not types.read(array([text], pa.string()), column.type, self.timezone)[1].all():
                raise ConfigError(f"where: {name} = {text}: expected a value of type {column.type}.")

    def _check_columns(self) -> None:
        for each in self.contract.columns:
            if not types.is_known(each.type):
                raise ConfigError(
                    f"dataset {self.contract.name}: column {each.name} is {each.type}, which no field of a "
                    "record is read as. Take a whole number, decimal128, double, bool, string, date32 or "
                    "timestamp[us]."
                )
            if each.name == self.contract.time and not pa.types.is_timestamp(each.type):
                raise ConfigError(
                    f"dataset {self.contract.name}: its time, {each.name}, is {each.type}. Take timestamp[us]; or "
                    f"let it have no time, and say in fields which field has the day, as {DAY} = FIELD."
                )
            if self.fields[each.name] == NO_FIELD and not each.nullable:
                raise ConfigError(
                    f"fields: {each.name} = {NO_FIELD}: {self.contract.name} needs {each.name}. Name its field."
                )

    @property
    def has_header(self) -> bool:
        """Whether a file's first line says what the others mean."""
        return self.shape != NDJSON

    @property
    def table(self) -> Table | None:
        """What reads a file's rows, None for lines."""
        if self.shape == PARQUET:
            from etl.records.parquet_rows import ParquetTable  # noqa: PLC0415 - most have none

            return ParquetTable()
        if self.shape == EXCEL:
            from etl.records.excel_rows import ExcelTable  # noqa: PLC0415 - most have none

            return ExcelTable(self.sheet)
        return None

    @property
    def told_by(self) -> str:
        """The field that tells a record's day, where the file's name doesn't."""
        return self.day_field or self.fields.get(self.contract.time or "", "")

    @property
    def read_fields(self) -> tuple[tuple[str, pa.DataType], ...]:
        """The fields of the columns that have one, in their order, and then that of the day, if there is one.

        With each comes the type of its column, null for the day: this may be a date or a time.
        """
        of_columns = [
            (self.fields[each.name], each.type)
            for each in self.contract.columns
            if self.fields[each.name] != NO_FIELD
        ]
        return (*of_columns, *([(self.day_field, pa.null())] if self.day_field is not None else []))

    @property
    def places_without_field(self) -> list[int]:
        """The places of the columns that no field has, ascending."""
        return [at for at, each in enumerate(self.contract.columns) if self.fields[each.name] == NO_FIELD]

    def _no_column(self, name: str, *others: str) -> str:
        known = [each.name for each in self.contract.columns] + [*others]
        return (
            f"{self.contract.name} has no column {name!r}. Expected one of {', '.join(known)}.{hint(name, known)}"
        )

    @classmethod
    def of(cls, contract: Contract, values: Mapping[str, str]) -> Self:
        """Return what a section's values say.

        Args:
            contract: That of the dataset that it names.
            values: The section; other keys than KEYS are for others.

        Raises:
            ConfigError: A value is none, or names what isn't there.
        """
        shape = values.get("format", "")
        for key, only in ONLY_FOR.items():
            if key in values and shape != only:
                raise ConfigError(f"{key}: not for format {shape}, only for {only}. Take the key out.")
        mapped: dict[str, str] = {}
        for name, of_record in _pairs("fields", values, "column = field of the record"):
            if name in mapped:
                raise ConfigError(f"fields: {name} stands there twice. Take one out.")
            mapped[name] = of_record
        columns = [each.name for each in contract.columns]
        found = cls(
            shape,
            contract,
            {name: mapped.get(name, name) for name in columns},
            mapped.pop(DAY, None),
            _timezone(values),
            _delimiter(values),
            values.get("sheet") or None,
            tuple(_pairs("where", values, "column = value")),
            tuple((key, " ".join(values[key].split())) for key in KEYS if key in values),
        )
        for name in mapped.keys() - set(columns):
            raise ConfigError(f"fields: {found._no_column(name, DAY)}")
        return found


def _either(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}"


def _pairs(key: str, values: Mapping[str, str], expected: str) -> Iterator[tuple[str, str]]:
    """Yield the pairs of a setting, between commas or line ends."""
    for pair in filter(None, map(str.strip, values.get(key, "").replace("\n", ",").split(","))):
        name, _, other = (each.strip() for each in pair.partition("="))
        if not (name and other):
            raise ConfigError(f"{key}: {pair}: expected `{expected}`.")
        yield name, other


def _timezone(values: Mapping[str, str]) -> str | None:
    if "timezone" not in values:
        return None
    try:
        return ZoneInfo(values["timezone"]).key
    except (ValueError, KeyError, OSError) as error:
        expected = "expected an IANA time zone, like Europe/Berlin"
        raise ConfigError(f"timezone = {values['timezone']}: {expected}.") from error


def _delimiter(values: Mapping[str, str]) -> str:
    text = values.get("delimiter", DEFAULT_DELIMITER)
    if text == TAB:
        return "\t"
    if not DELIMITER.fullmatch(text):
        raise ConfigError(f"delimiter = {text}: expected one character, such as ; or |, or the word {TAB}.")
    return text
