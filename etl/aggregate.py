"""The aggregation step: one day of a dataset made by SQL from one day of its inputs, and published."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lake import sql
from lake.contract import Contract
from lake.contracts import contract
from lake.database import connected
from lake.errors import ContractViolation, PartitionMissing
from lake.lake import Lake
from lake.partition import Partition
from lake.provenance import FIRST, Check, Input, Provenance, Revision, code_version


def run_query(made: Contract, inputs: Mapping[str, list[Path]]) -> pa.Table:
    """Run a dataset's SQL over one day.

    Args:
        made: The contract of the dataset to make; its SQL is `queries/<name>.sql`.
        inputs: For each input dataset, the Parquet files of its partitions; the SQL reads them by name.

    Returns:
        The day's rows, in the contract's schema.

    Raises:
        ContractViolation: The SQL yields other columns than the contract has.
    """
    with connected() as connection:
        connection.execute(sql.macros())
        for name, files in inputs.items():
            paths = ", ".join(sql.quoted(str(file)) for file in files)
            connection.execute(
                f"create temporary view {name} as "  # noqa: S608 - a contract's name, quoted paths
                f"select * from read_parquet([{paths}], hive_partitioning = false)"
            )
        rows = connection.execute(sql.metric(made.name)).to_arrow_table()
    if rows.schema.names != made.schema.names:
        raise ContractViolation(
            f"queries/{made.name}.sql yields {rows.schema.names}, its contract has {made.schema.names}."
        )
    return rows.cast(made.schema)


def aggregate_day(
    lake: Lake,
    made: Contract,
    day: date,
    sources: list[str],
    revision: Revision = FIRST,
) -> pa.Table:
    """Make one day of a dataset from the latest revisions of its inputs, check it and publish it.

    Args:
        lake: Where to read and publish.
        made: The contract of the dataset to make.
        day: The UTC day.
        sources: The sources whose partitions go in, where an input is kept per source; all must be there.
        revision: The first, or a restatement and its reason.

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
        found = {name: _input_partitions(lake, contract(name), day, sources) for name in made.inputs}
        files = {n: [lake.local_copy(p, folder) for p in partitions] for n, partitions in found.items()}
        rows = run_query(made, files)
        rows_read = sum(pq.read_metadata(file).num_rows for each in files.values() for file in each)
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
                Input(p.key, file.stat().st_size, lake.sha256(p))
                for name, partitions in found.items()
                for p, file in zip(partitions, files[name], strict=True)
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
        )
        with lake.writer(made, day, folder) as writer:
            writer.write(rows)
            staged = writer.finish(footer)
        lake.publish(partition, staged)
    return rows


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


def _input_partitions(lake: Lake, wanted: Contract, day: date, sources: list[str]) -> list[Partition]:
    """Return the latest revisions of a day's partitions, of the named sources where kept per source."""
    published = lake.latest_of_day(wanted, day)
    if not wanted.per_source:
        if not published:
            raise PartitionMissing(f"{wanted.name} {day} is not published. Build it first.")
        return published
    by_source = {p.source: p for p in published}
    missing = [name for name in sources if name not in by_source]
    if missing or not sources:
        which = f"of source {missing[0]}" if missing else "of any source"
        raise PartitionMissing(f"{wanted.name} {day} {which} is not published. Build it first.")
    return [by_source[name] for name in sources]
