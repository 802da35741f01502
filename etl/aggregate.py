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
import pyarrow.parquet as pq

from etl.sources import ONE_DAY, Source, active_on
from lake import provenance, sql
from lake.arrays import array, no_rows, stream
from lake.contract import Contract, Input
from lake.contracts import contract, counted
from lake.database import prepared
from lake.errors import ContractViolation, PartitionMissing, StoreError
from lake.lake import Lake
from lake.parquet import Footer, read_footer
from lake.partition import Partition
from lake.provenance import FIRST, Check, Provenance, Revision, code_version

SOURCES = pa.schema(
    [
        pa.field("source", pa.string(), nullable=False),
        pa.field("vantage", pa.string(), nullable=False),
        pa.field("application", pa.string()),
        pa.field("is_missing", pa.bool_(), nullable=False),
        pa.field("incomplete", pa.string()),
        pa.field("files", pa.int64()),
        pa.field("lines_read", pa.int64()),
    ]
)
"""What the SQL of a metric can ask of the day's active sources, by the name `sources`.

`application` is NULL if the lines name it, `is_missing` whether the source has nothing because it had no raw logs,
and `incomplete` what it lacks, NULL for nothing. `files` and `lines_read` tell of the raw logs where an input was
extracted from them, and are NULL elsewhere.
"""
MISSING = "no raw logs"
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Rows:
    """A partition that goes in, a local file with its rows, and its footer."""

    partition: Partition
    file: Path
    footer: Footer

    @property
    def source(self) -> str | None:
        """Which source it is of."""
        return self.partition.source

    @property
    def day(self) -> date:
        """Which day it is of."""
        return self.partition.dt


def run_query(made: Contract, inputs: Mapping[str, Sequence[Rows]], sources: pa.Table | None = None) -> pa.Table:
    """Run a dataset's SQL over one day.

    Args:
        made: The contract of the dataset to make; its SQL is `queries/<name>.sql`.
        inputs: For each input, the files of its partitions. The SQL reads them by the dataset's name, with a
            column `source` where it is kept per source, and `dt` where several days of it are taken.
        sources: The day's active sources, as SOURCES has them; None if there is nothing to say of them.

    Returns:
        The day's rows, in the contract's schema.

    Raises:
        ContractViolation: The SQL yields other columns than the contract has.
        StoreError: A file can't be read, or there is no room for what DuckDB sets aside.
    """
    macros = sql.metric_macros(made.name)

    def prepare(connection: duckdb.DuckDBPyConnection) -> None:
        for wanted in made.inputs:  # macros are made only where what they read is there
            connection.register(f"no_{wanted.dataset}", stream(no_rows(_schema(wanted))))
            connection.execute(f"create temporary view {wanted.dataset} as from no_{wanted.dataset}")
        connection.execute(macros)

    size = sum(each.file.stat().st_size for files in inputs.values() for each in files if each.file.exists())
    with prepared((made.inputs, macros), prepare, size) as connection:
        connection.register("given_sources", stream(no_rows(SOURCES) if sources is None else sources))
        try:
            connection.execute("create or replace temporary table sources as from given_sources")
            for wanted in made.inputs:
                _show(connection, wanted, inputs[wanted.dataset])
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


def _schema(wanted: Input) -> pa.Schema:
    """Return the columns that the SQL sees of an input."""
    read = contract(wanted.dataset)
    place = [pa.field("source", pa.string())] * read.per_source + [pa.field("dt", pa.date32())] * (wanted.days > 1)
    return pa.schema([*read.schema, *place])


def _show(connection: duckdb.DuckDBPyConnection, wanted: Input, files: Sequence[Rows]) -> None:
    """Make a view of an input's files."""
    read = contract(wanted.dataset)
    shown = f"from no_{read.name}"
    if files:
        paths = ", ".join(sql.quoted(str(each.file)) for each in files)
        grown = ", union_by_name = true" if read.has_grown else ""
        rows = f"read_parquet([{paths}], hive_partitioning = false{grown}"
        place = [name for name in _schema(wanted).names if name not in read.schema.names]
        if len(files) == 1:
            values = {"source": sql.quoted(files[0].source or ""), "dt": f"date '{files[0].day}'"}
            more = "".join(f", {values[name]} as {name}" for name in place)
            shown = f"select *{more} from {rows})"  # noqa: S608 - a source's name, quoted; a date
        elif place:
            columns = {
                "filename": array([str(each.file) for each in files], pa.string()),
                "source": array([each.source for each in files], pa.string()),
                "dt": array([str(each.day) for each in files], pa.string()),
            }
            told = ["filename", *place]
            given = pa.Table.from_arrays([columns[name] for name in told], told)
            connection.register("given_files", stream(given))
            table = f"files_of_{read.name}"
            days = "* replace (cast(dt as date) as dt)" if "dt" in place else "*"
            connection.execute(f"create or replace temporary table {table} as select {days} from given_files")  # noqa: S608 - likewise
            shown = f"select * exclude (filename) from {rows}, filename = true) join {table} using (filename)"  # noqa: S608 - names of contracts
        else:
            shown = f"from {rows})"
    connection.execute(f"create or replace temporary view {read.name} as {shown}")


def aggregate_day(
    lake: Lake,
    partition: Partition,
    sources: Sequence[Source],
    revision: Revision = FIRST,
    *,
    missing: Collection[str] = (),
) -> pa.Table:
    """Make one day of a dataset from the latest revisions of its inputs, check it and publish it.

    Args:
        lake: Where to read and publish.
        partition: What to make.
        sources: All sources that it may be made from; what isn't active on a day has nothing of it.
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
    made, day = contract(partition.dataset), partition.dt
    with lake.staging() as folder:
        inputs = {
            wanted.dataset: [
                Rows(each, file := lake.local_copy(each, folder), read_footer(file))
                for each in _input_partitions(lake, wanted, partition, sources, missing)
            ]
            for wanted in made.inputs
        }
        read = [each for files in inputs.values() for each in files]
        lacking = _lacking(made, day, inputs, sources)
        for name in (name for name, what in lacking.items() if what == MISSING):
            logger.warning("%s %s is made without source %s: %s", made.name, day, name, MISSING)
        rows = run_query(made, inputs, _sources(read, active_on(sources, day), lacking))
        rows_read = sum(each.footer.rows for each in read)
        checks, total = [Check("contract", "every row")], rows_read
        if made.counts:
            total = counted_in(inputs[made.inputs[0].dataset])
            checks.append(check_sum(made, rows, total, day))
        footer = Provenance(
            dataset=made.name,
            version=made.version,
            dt=day.isoformat(),
            source=partition.source,
            revision=revision.number,
            inputs=tuple(
                provenance.Input(each.partition.key, each.file.stat().st_size, lake.sha256(each.partition))
                for each in read
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
            incomplete=_incomplete(partition, inputs, lacking, sources),
            counted=None if total == rows_read else total,
        )
        with lake.writer(made, day, folder) as writer:
            writer.write(rows)
            staged = writer.finish(footer)
        lake.publish(partition, staged)
    return rows


def _lacking(
    made: Contract, day: date, inputs: Mapping[str, Sequence[Rows]], sources: Sequence[Source]
) -> dict[str, str | None]:
    """Return what each source lacks of a day, None for nothing; of none, if no input is kept per source."""
    found: dict[str, str | None] = {}
    for wanted in made.inputs:
        if contract(wanted.dataset).per_source:
            found |= dict.fromkeys((each.name for each in active_on(sources, day)), MISSING) | found
            found |= {
                each.source or "": each.footer.provenance.incomplete
                for each in inputs[wanted.dataset]
                if each.day == day
            }
    return dict(sorted(found.items()))


def _incomplete(
    partition: Partition,
    inputs: Mapping[str, Sequence[Rows]],
    lacking: Mapping[str, str | None],
    sources: Sequence[Source],
) -> str | None:
    """Say what a day lacks, by what it is made from; None for nothing."""
    said = [what if partition.source else f"{name}: {what}" for name, what in lacking.items() if what]
    for wanted in contract(partition.dataset).inputs:
        texts = {each.day: each.footer.provenance.incomplete for each in inputs[wanted.dataset]}
        found = {each: text for each, text in sorted(texts.items()) if text}
        if wanted.days > 1:
            idle = [each for each in wanted.window(partition.dt) if not active_on(sources, each)]
            if idle:
                said.append(f"{wanted.dataset}: no source was active on {len(idle)} of {wanted.days} days")
            if found:
                latest = max(found)
                said.append(
                    f"{wanted.dataset}: {len(found)} of {wanted.days} days are incomplete, "
                    f"the latest: {latest} {found[latest]}"
                )
        elif found and not lacking:
            said += found.values()
    return "; ".join(dict.fromkeys(said)) or None


def _sources(inputs: Sequence[Rows], sources: Sequence[Source], lacking: Mapping[str, str | None]) -> pa.Table:
    """Return what a day's sources are and lack."""
    made = {each.source: each.footer.provenance for each in inputs if each.source}
    read = {name: each for name, each in made.items() if not contract(each.dataset).inputs}
    columns: dict[str, list[Any]] = {
        "source": [each.name for each in sources],
        "vantage": [each.classifier.vantage for each in sources],
        "application": [each.classifier.application for each in sources],
        "is_missing": [each.name not in made for each in sources],
        "incomplete": [lacking.get(each.name) for each in sources],
        "files": [len(read[each.name].inputs) if each.name in read else None for each in sources],
        "lines_read": [read[each.name].rows_read if each.name in read else None for each in sources],
    }
    return pa.table([array(columns[field.name], field.type) for field in SOURCES], schema=SOURCES)


def counted_in(files: Sequence[Rows]) -> int:
    """Return what the counts of some partitions add up to; of those without counts, how many rows they have."""
    total = 0
    for each in files:
        counts = contract(each.partition.dataset).counts
        if counts:
            with pq.ParquetFile(each.file) as file:
                total += pc.sum(file.read([counts])[counts]).as_py() or 0
        else:
            total += each.footer.rows
    return total


def check_sum(made: Contract, rows: pa.Table, expected: int, day: date) -> Check:
    """Assert that the column `made.counts` adds up to what went in.

    Raises:
        ContractViolation: It doesn't.
    """
    total = pc.sum(rows[made.counts]).as_py() or 0
    if total != expected:
        raise ContractViolation(
            f"{made.name} {day}: {made.counts} adds up to {total}, but {counted(made)} is {expected}. "
            f"Nothing was published; correct queries/{made.name}.sql."
        )
    return Check(f"sum({made.counts}) = {counted(made)}", f"{total}")


def _input_partitions(
    lake: Lake, wanted: Input, partition: Partition, sources: Sequence[Source], missing: Collection[str]
) -> list[Partition]:
    """Return the latest revisions of what an input has of a day, or of several, of the sources active then."""
    read = contract(wanted.dataset)
    days = wanted.window(partition.dt)
    published = {(p.dt, p.source): p for p in lake.latest(read, days[0], partition.dt + ONE_DAY)}
    found = []
    for day in days:
        active = [each.name for each in active_on(sources, day)]
        names = active if read.per_source else [None] * bool(active)
        of_day = [published[day, name] for name in names if (day, name) in published]
        lacking = [name for name in names if (day, name) not in published and name not in missing]
        if lacking or (day == partition.dt and not of_day):
            which = f" of source {lacking[0]}" if lacking and lacking[0] else " of any source" * read.per_source
            raise PartitionMissing(f"{read.name} {day}{which} is not published. Build it first.")
        found += of_day
    return found
