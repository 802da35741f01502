"""The aggregation step: one day of a dataset made by SQL from one day of its inputs, and published."""

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from etl.sources import Source
from lake import sql
from lake.arrays import array, no_rows, stream
from lake.contract import Contract
from lake.contracts import contract
from lake.database import prepared
from lake.errors import ContractViolation, PartitionMissing, StoreError
from lake.lake import Lake
from lake.parquet import Footer, read_footer
from lake.partition import Partition
from lake.provenance import FIRST, Check, Input, Provenance, Revision, code_version

SOURCES = pa.schema(
    [
        pa.field("source", pa.string(), nullable=False),
        pa.field("vantage", pa.string(), nullable=False),
        pa.field("application", pa.string()),
        pa.field("is_missing", pa.bool_(), nullable=False),
        pa.field("incomplete", pa.string()),
    ]
)
"""What the SQL of a metric can ask of the day's active sources, by the name `sources`.

`application` is NULL if the lines name it, `is_missing` whether the source has no requests because it had no raw
logs, and `incomplete` what it lacks, NULL for nothing.
"""
MISSING = "no raw logs"
logger = logging.getLogger(__name__)


def run_query(made: Contract, inputs: Mapping[str, list[Path]], sources: pa.Table | None = None) -> pa.Table:
    """Run a dataset's SQL over one day.

    Args:
        made: The contract of the dataset to make; its SQL is `queries/<name>.sql`.
        inputs: For each input dataset, the Parquet files of its partitions; the SQL reads them by name.
        sources: The day's active sources, as SOURCES has them; None if there is nothing to say of them.

    Returns:
        The day's rows, in the contract's schema.

    Raises:
        ContractViolation: The SQL yields other columns than the contract has.
        StoreError: A file can't be read, or there is no room for what DuckDB sets aside.
    """
    macros = sql.metric_macros(made.name)

    def prepare(connection: duckdb.DuckDBPyConnection) -> None:
        for name in made.inputs:  # macros are made only where what they read is there
            connection.register(name, stream(no_rows(contract(name).schema)))
        connection.execute(macros)

    size = sum(file.stat().st_size for files in inputs.values() for file in files if file.exists())
    with prepared((made.inputs, macros), prepare, size) as connection:
        connection.register("given_sources", stream(no_rows(SOURCES) if sources is None else sources))
        try:
            connection.execute("create or replace temporary table sources as from given_sources")
            for name, files in inputs.items():
                paths = ", ".join(sql.quoted(str(file)) for file in files)
                connection.execute(
                    f"create or replace temporary view {name} as "  # noqa: S608 - a contract's name, quoted paths
                    f"select * from read_parquet([{paths}], hive_partitioning = false)"
                )
            rows = connection.execute(sql.metric(made.name)).to_arrow_table()
        except duckdb.IOException as error:
            reason = str(error).partition("\n")[0]
            raise StoreError(
                f"Can't make {made.name}: {reason}. Check the disks, then run the same again."
            ) from error
    if rows.schema.names != made.schema.names:
        raise ContractViolation(
            f"queries/{made.name}.sql yields {rows.schema.names}, its contract has {made.schema.names}."
        )
    return rows.cast(made.schema)


def aggregate_day(  # noqa: PLR0913 - each says another thing of what to make
    lake: Lake,
    made: Contract,
    day: date,
    sources: Sequence[Source],
    revision: Revision = FIRST,
    *,
    missing: Collection[str] = (),
) -> pa.Table:
    """Make one day of a dataset from the latest revisions of its inputs, check it and publish it.

    Args:
        lake: Where to read and publish.
        made: The contract of the dataset to make.
        day: The UTC day.
        sources: The sources whose partitions go in, where an input is kept per source.
        revision: The first, or a restatement and its reason.
        missing: The names of those that may be left out if they are not published; all others must be there.

    Returns:
        The rows published.

    Raises:
        PartitionMissing: An input is not published.
        ContractViolation: The rows break their contract, or don't add up to their inputs.
        PartitionExists: The day is published with other bytes.
        StoreError: The lake can't be read or written.
    """
    partition = Partition(made.name, made.version, day, revision=revision.number)
    with lake.staging() as folder:
        inputs = [
            _Read(each, file := lake.local_copy(each, folder), read_footer(file))
            for name in made.inputs
            for each in _input_partitions(lake, contract(name), day, sources, missing)
        ]
        lacking = _lacking(inputs, sources)
        incomplete = "; ".join(f"{name}: {what}" for name, what in lacking.items() if what) or None
        for name in (name for name, what in lacking.items() if what == MISSING):
            logger.warning("%s %s is made without source %s: %s", made.name, day, name, MISSING)
        files = {name: [each.file for each in inputs if each.partition.dataset == name] for name in made.inputs}
        rows = run_query(made, files, _sources(inputs, sources, lacking))
        rows_read = sum(each.footer.rows for each in inputs)
        checks = [Check("contract", "every row")]
        if made.counts:
            checks.append(check_sum(made, rows, rows_read, day))
        footer = Provenance(
            dataset=made.name,
            version=made.version,
            dt=day.isoformat(),
            source=None,
            revision=revision.number,
            inputs=tuple(
                Input(each.partition.key, each.file.stat().st_size, lake.sha256(each.partition)) for each in inputs
            ),
            rows_read=rows_read,
            rows_kept=rows_read,
            rows_rejected=0,
            rows_of_other_days=0,
            code_version=code_version(),
            checks=tuple(checks),
            sql_sha256=sql.digest(made.name),
            supersedes=lake.superseded(partition),
            reason=revision.reason,
            requested_by=revision.by,
            incomplete=incomplete,
        )
        with lake.writer(made, day, folder) as writer:
            writer.write(rows)
            staged = writer.finish(footer)
        lake.publish(partition, staged)
    return rows


@dataclass(frozen=True)
class _Read:
    """A partition that goes in, a local file with its bytes, and its footer."""

    partition: Partition
    file: Path
    footer: Footer


def _lacking(inputs: Sequence[_Read], sources: Sequence[Source]) -> dict[str, str | None]:
    """Return what each source lacks of a day (each dataset, where it is not kept per source), None for nothing."""
    found = {each.partition.source or each.partition.dataset: each.footer.provenance.incomplete for each in inputs}
    if any(each.partition.source for each in inputs):
        found |= {each.name: MISSING for each in sources if each.name not in found}
    return dict(sorted(found.items()))


def _sources(inputs: Sequence[_Read], sources: Sequence[Source], lacking: Mapping[str, str | None]) -> pa.Table:
    """Return what a day's sources are and lack."""
    there = {each.partition.source for each in inputs}
    columns: dict[str, list[Any]] = {
        "source": [each.name for each in sources],
        "vantage": [each.classifier.vantage for each in sources],
        "application": [each.classifier.application for each in sources],
        "is_missing": [each.name not in there for each in sources],
        "incomplete": [lacking.get(each.name) for each in sources],
    }
    return pa.table([array(columns[field.name], field.type) for field in SOURCES], schema=SOURCES)


def check_sum(made: Contract, rows: pa.Table, rows_read: int, day: date) -> Check:
    """Assert that the column `made.counts` adds up to the number of input rows.

    Raises:
        ContractViolation: It doesn't.
    """
    total = pc.sum(rows[made.counts]).as_py() or 0
    if total != rows_read:
        raise ContractViolation(
            f"{made.name} {day}: {made.counts} adds up to {total}, but {rows_read} rows of "
            f"{', '.join(made.inputs)} went in. Nothing was published; mend queries/{made.name}.sql."
        )
    return Check(f"sum({made.counts}) = rows of {', '.join(made.inputs)}", f"{total} rows")


def _input_partitions(
    lake: Lake, wanted: Contract, day: date, sources: Sequence[Source], missing: Collection[str]
) -> list[Partition]:
    """Return the latest revisions of a day's partitions, of the sources given where kept per source."""
    published = lake.latest_of_day(wanted, day)
    if not wanted.per_source:
        if not published:
            raise PartitionMissing(f"{wanted.name} {day} is not published. Build it first.")
        return published
    by_source = {p.source: p for p in published}
    lacking = [each.name for each in sources if each.name not in {*by_source, *missing}]
    found = [by_source[each.name] for each in sources if each.name in by_source]
    if lacking or not found:
        which = f"of source {lacking[0]}" if lacking else "of any source"
        raise PartitionMissing(f"{wanted.name} {day} {which} is not published. Build it first.")
    return found
