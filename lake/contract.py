"""Contracts: what a dataset's columns are, mean and must satisfy.

The one source of truth for the Parquet schema, the checks before publication, the glossary's tables and
the comments in the catalog.
"""

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from lake.errors import ConfigError, ContractViolation
from lake.memory.arrays import array, filled, scalar, stream, to_numpy, whole

__all__ = ["Column", "Contract", "Input", "Rule"]

FEW_VALUES = 100
PRINTABLE = {"[ -~]*": (0, " "), "[!-~]+": (1, "!")}  # patterns by the fewest bytes, and by the lowest that may be
RAW = "raw files"
WORD = re.compile("[A-Za-z0-9_]+")
HIGHEST_REACH = 1 << 31  # so that the numbers of two columns are one of 64 bits


@dataclass(frozen=True)
class Column:
    """A column: its Arrow type, unit, meaning, and the values it may hold.

    Attributes:
        unit: `1` for a pure number, else the unit or the kind of value in a few words.
        minimum: Smallest allowed value, inclusive.
        maximum: Largest allowed value, inclusive.
        values: The only allowed values, where they are few.
        pattern: A regular expression (RE2) that the whole text must match.
        added: Whether it came after the first files of this version, so that some lack it.
        varied: Whether few rows share a text, so that a dictionary of them only costs time and room.
        personal: Whether it is used to select and to check, and never stored.
        is_url_path: Whether records' values are kept as the paths of requests are: without query, and masked.
    """

    name: str
    type: pa.DataType
    unit: str
    meaning: str
    nullable: bool = False
    minimum: float | None = None
    maximum: float | None = None
    values: tuple[str, ...] = ()
    pattern: str | None = None
    added: bool = False
    varied: bool = False
    personal: bool = False
    is_url_path: bool = False

    def allows(self, text: str) -> bool:
        """Tell whether a text matches the column's pattern."""
        return self.pattern is None or re.fullmatch(self.pattern, text) is not None


@dataclass(frozen=True)
class Rule:
    """A condition that every row meets: an SQL expression over the columns, and why it holds."""

    condition: str
    meaning: str


@dataclass(frozen=True)
class Input:
    """A dataset that another one is made from.

    Attributes:
        days: How many days of it a day is made from: that day and those before it.
    """

    dataset: str
    days: int = 1

    def window(self, day: date) -> list[date]:
        """Return the days of it that a day is made from, oldest first."""
        return [day - timedelta(days=n) for n in reversed(range(self.days))]


@dataclass(frozen=True)
class Contract:
    """A dataset: its columns, its grain (what one row is), its key and its rules.

    Attributes:
        columns: In the order in which they are stored; those that are personal are not, see `stored`.
        key: Columns whose values are unique within a partition; none for a dataset of events.
        per_source: Whether a day has one partition for each source.
        inputs: What it is made from by SQL; none if it comes from raw files.
        made_with: The dataset that is built in one go with it, and published after it; RAW if that is each one
            that comes from raw files.
        counts: The column whose sum equals that of the first input's `counts`, or else its number of rows.
        time: The column whose values lie in the partition's UTC day.
        former_sql: Digests of SQL that made the same rows before, so that those are not stale.
    """

    name: str
    version: int
    grain: str
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()
    per_source: bool = False
    inputs: tuple[Input, ...] = ()
    made_with: str | None = None
    counts: str | None = None
    time: str | None = None
    rules: tuple[Rule, ...] = ()
    former_sql: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Make sure that nothing that is stored, or checked of what is stored, needs a personal column.

        Raises:
            ConfigError: The key, the time, the counts or a rule does.
        """
        for column in self.columns:
            if not column.personal:
                continue
            uses = [
                *(["key"] if column.name in self.key else []),
                *(each for each in ("time", "counts") if getattr(self, each) == column.name),
                *(each.condition for each in self.rules if column.name in WORD.findall(each.condition)),
            ]
            if uses:
                raise ConfigError(
                    f"the contract of {self.name}: {column.name} is personal, so it is never stored, and "
                    f"{uses[0]!r} needs it. Take it out there, or don't declare it personal."
                )

    @cached_property
    def stored(self) -> tuple[Column, ...]:
        """The columns that its files have: those that aren't personal."""
        return tuple(column for column in self.columns if not column.personal)

    @cached_property
    def schema(self) -> pa.Schema:
        """The Arrow schema of a partition's file; `dt`, `source` and `rev` are in its path."""
        return pa.schema([pa.field(c.name, c.type, nullable=c.nullable) for c in self.stored])

    @property
    def made_from(self) -> str:
        """What it is made from, as text."""
        texts = (each.dataset + (f" ({each.days} days)" if each.days > 1 else "") for each in self.inputs)
        return ", ".join(texts) or "raw files"

    @property
    def is_extracted(self) -> bool:
        """Whether raw files are taken apart for it, and not for another dataset that it is made with."""
        return not self.inputs and self.made_with is None

    @property
    def has_grown(self) -> bool:
        """Whether files of this version differ in columns."""
        return any(column.added for column in self.stored)

    def validate(self, table: pa.Table, day: date, *, rules_hold: bool = False) -> None:
        """Check rows of one day against everything above, the key within this table included.

        A dictionary-encoded column is checked by its dictionary, so every value in it counts.

        Args:
            table: The rows.
            day: The day.
            rules_hold: Whether the rules are known to hold, as for rows of a query that `judged` returned.

        Raises:
            ContractViolation: Some row or the schema breaks the contract.
        """
        if not decoded(table.schema).equals(self.schema):
            raise self._violation(day, f"the schema is\n{table.schema}\nand should be\n{self.schema}")
        for column in self.stored:
            self._validate_column(column, table[column.name], day)
        if self.time:
            self._validate_day(table[self.time], day)
        if not rules_hold:
            self.check_rules(table, day)
        self.validate_key(table, day)

    def validate_key(self, table: pa.Table, day: date) -> None:
        """Check that no two rows share a key.

        Args:
            table: Rows with at least the key's columns.
            day: The partition's day, for the message.

        Raises:
            ContractViolation: Two rows do.
        """
        keys = table.select(self.key)
        if _are_distinct(keys):
            return
        # decoded, for pyarrow groups by the place in a dictionary, which may have a value twice
        types = [each.type.value_type if pa.types.is_dictionary(each.type) else each.type for each in keys.schema]
        decoded = keys.cast(pa.schema(zip(self.key, types, strict=True)))
        groups = decoded.group_by(list(self.key), use_threads=False).aggregate([([], "count_all")])
        twice = groups.filter(pc.greater(groups["count_all"], scalar(1)))
        raise self._violation(day, f"{twice.num_rows} keys occur twice, such as {twice.to_pylist()[0]}")

    def _validate_column(self, column: Column, data: pa.ChunkedArray, day: date) -> None:
        if not column.nullable and data.null_count:
            raise self._violation(day, f"{column.name} is NULL in {data.null_count} rows, it may not be")
        distinct, what = data, "rows"
        if pa.types.is_dictionary(data.type):
            distinct, what = pa.chunked_array([each.dictionary for each in data.chunks], column.type), "values"
        within = _within(column, distinct)  # as nearly always; else each row is compared, to tell how many are not
        allowed = [
            (
                None if within or column.minimum is None else pc.greater_equal(distinct, scalar(column.minimum)),
                ">=",
                column.minimum,
            ),
            (
                None if within or column.maximum is None else pc.less_equal(distinct, scalar(column.maximum)),
                "<=",
                column.maximum,
            ),
            (
                pc.is_in(distinct, array(column.values, pa.string())) if column.values else None,
                "one of",
                column.values,
            ),
            (
                None
                if not column.pattern or _is_printable(column.pattern, distinct)
                else _matching(column, distinct),
                "like",
                column.pattern,
            ),
        ]
        for fits, word, expected in allowed:
            if fits is None or pc.all(fits, min_count=0).as_py():
                continue
            bad = distinct.filter(pc.and_not(pc.is_valid(distinct), fits))
            if len(bad):
                raise self._violation(
                    day, f"{column.name} is {bad[0].as_py()!r} in {len(bad)} {what}, expected {word} {expected}"
                )

    def _validate_day(self, times: pa.ChunkedArray, day: date) -> None:
        if not len(times):
            return
        first = datetime(day.year, day.month, day.day)  # noqa: DTZ001 - the lake's times are UTC without zone
        bounds = pc.min_max(times)
        if bounds["min"].as_py() < first or bounds["max"].as_py() >= first + timedelta(days=1):
            raise self._violation(day, f"{self.time} reaches from {bounds['min']} to {bounds['max']}")

    def judged(self, query: str) -> str:
        """Return SQL for a query's rows, in its order, with one more column: whether a row keeps all rules."""
        rules = " and ".join(f"(({rule.condition}) is true)" for rule in self.rules)
        return f"select *, {rules or 'true'} as keeps_rules from (\n{query}\n)"  # noqa: S608 - a contract's own text

    def check_rules(self, table: pa.Table, day: date) -> None:
        """Check that rows keep the rules.

        Raises:
            ContractViolation: One doesn't.
        """
        if not self.rules:
            return
        # most of what is written has no rules, and it takes a tenth of a second
        from lake.memory.database import connected  # noqa: PLC0415

        broken = ", ".join(f"count(*) filter (({rule.condition}) is not true)" for rule in self.rules)
        with connected(table.nbytes) as connection:
            connection.register("rows_to_check", stream(table))
            counts = connection.execute(f"select {broken} from rows_to_check").fetchall()[0]  # noqa: S608 - a contract's own text
        for rule, count in zip(self.rules, counts, strict=True):
            if count:
                raise self._violation(day, f"{count} rows break {rule.condition} ({rule.meaning})")

    def _violation(self, day: date, what: str) -> ContractViolation:
        return ContractViolation(
            f"{self.name} v{self.version} {day}: {what}. Nothing was published; this is a defect of the code "
            "that made the rows or of the contract."
        )


def _are_distinct(keys: pa.Table) -> bool:
    """Tell whether no two rows are the same; those without columns count as such."""
    # a row becomes a number, since pyarrow would import pandas to group rows (see lake.memory.arrays)
    rows, count = np.zeros(keys.num_rows, np.int64), 1
    for column in keys.columns:
        places, values = _places(whole(column))
        if count * values > np.iinfo(np.int64).max:
            distinct, rows = np.unique(rows, return_inverse=True)
            count = len(distinct)
        rows, count = rows * values + places, count * values
    if not keys.num_columns or (rows[1:] > rows[:-1]).all():  # as those of most are in order
        return True
    ordered = np.sort(rows, kind="stable")
    return bool((ordered[1:] != ordered[:-1]).all())


def _places(column: pa.Array) -> tuple[npt.NDArray[np.int64], int]:
    """Return a number for each value, the same for the same, and how many numbers there are, from 0."""
    if pa.types.is_integer(column.type) and len(column) and not column.null_count:
        values = to_numpy(column).astype(np.int64)
        lowest, reach = int(values.min()), int(values.max()) - int(values.min()) + 1
        if reach <= HIGHEST_REACH:
            return values - lowest, reach
    if pa.types.is_dictionary(column.type) and len(column.dictionary) == 1 and not column.null_count:
        return np.zeros(len(column), np.int64), 1
    encoded = column.dictionary_encode()
    places = encoded.indices
    if pa.types.is_dictionary(column.type):  # which may have a value twice
        encoded = column.dictionary.dictionary_encode()
        places = encoded.indices.take(places)
    null = len(encoded.dictionary)
    return to_numpy(filled(places, null)), null + 1


def _is_printable(pattern: str, values: pa.ChunkedArray) -> bool:
    """Tell whether texts are surely like a pattern of printable ASCII, by their lowest and their highest byte."""
    if pattern not in PRINTABLE:
        return False
    fewest, lowest = PRINTABLE[pattern]
    for chunk in values.chunks:
        _, offsets, texts = chunk.buffers()
        ends = np.frombuffer(offsets, np.int32)[chunk.offset : chunk.offset + len(chunk) + 1]
        if fewest and len(chunk) and np.diff(ends).min() < fewest:
            return False
        if len(ends) and ends[-1] > ends[0]:
            data = np.frombuffer(texts, np.uint8)[ends[0] : ends[-1]]
            if data.min() < ord(lowest) or data.max() > ord("~"):
                return False
    return True


def _within(column: Column, values: pa.ChunkedArray) -> bool:
    """Tell whether whole numbers are surely within a column's bounds, by the lowest and the highest of them."""
    if not pa.types.is_integer(values.type):
        return False
    lowest, highest = pc.min_max(values).values()
    low, high = lowest.as_py(), highest.as_py()
    if low is None:
        return True
    return (column.minimum is None or low >= column.minimum) and (column.maximum is None or high <= column.maximum)


def _matching(column: Column, values: pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Tell which values match a column's pattern, NULL for those that are NULL."""
    if len(values) > FEW_VALUES:
        return pc.match_substring_regex(values, f"^(?:{column.pattern})$")
    # Arrow compiles the pattern each time, which takes longer than a small day's few values
    return array([None if text is None else column.allows(text) for text in values.to_pylist()], pa.bool_())


def decoded(schema: pa.Schema) -> pa.Schema:
    """Return a schema in which every dictionary-encoded column has the type of its values."""
    return pa.schema(
        field.with_type(field.type.value_type) if pa.types.is_dictionary(field.type) else field for field in schema
    )
