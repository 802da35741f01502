"""The aggregation step: one day of a dataset made by SQL from one day of its inputs, and published."""

import hashlib
import logging
from collections import Counter
from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple, Self

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from etl.raw.content import begins_alike
from etl.sources.completeness import Severity
from etl.sources.source import ONE_DAY, Source, active_on, of_dataset
from etl.steps.judge import judge_applications, judge_shards
from lake import provenance, sql
from lake.contract import Contract, Input
from lake.contracts import contract, counted, extracted_for
from lake.errors import ConfigError, ContractViolation, InputError, PartitionMissing, StoreError
from lake.lake import Lake
from lake.memory.arrays import array, no_rows, stream
from lake.memory.database import prepared
from lake.parquet.writer import Footer, footer_of
from lake.partition import Partition, source_of
from lake.provenance import FIRST, Check, Content, Provenance, Revision, code_version

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
SQL_TYPES = {pa.string(): "varchar", pa.bool_(): "boolean", pa.int64(): "bigint"}
SHOW_SOURCES = "select unnest(getvariable('sources'), recursive := true)"
MISSING = "no raw logs"
MOST_CONTENTS = 1000
SMALL_BYTES = 1 << 20
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Rows:
    """A partition that goes in.

    Attributes:
        file: A local file with its rows.
        footer: That file's.
        sha256: The digest of its bytes.
        bytes: Its size.
        counted: What its counts add up to; without counts, how many rows it has.
    """

    partition: Partition
    file: Path
    footer: Footer
    sha256: str = ""
    bytes: int = 0
    counted: int = 0

    @classmethod
    def of(cls, lake: Lake, partition: Partition, folder: Path) -> Self:
        """Return a published partition, of which there may be a copy in `folder` then; a small file is read once.

        Raises:
            PartitionMissing: It is not published.
            StoreError: The lake can't be read.
        """
        file = lake.local_copy(partition, folder)
        size = file.stat().st_size
        content = file.read_bytes() if size <= SMALL_BYTES else None
        with pq.ParquetFile(file if content is None else pa.BufferReader(content)) as opened:
            footer, counted = footer_of(opened.metadata), counted_in(contract(partition.dataset), opened)
        digest = lake.sha256(partition) if content is None else hashlib.sha256(content).hexdigest()
        return cls(partition, file, footer, digest, size, counted)

    @property
    def source(self) -> str | None:
        """Which source it is of."""
        return self.partition.source

    @property
    def day(self) -> date:
        """Which day it is of."""
        return self.partition.dt


def run_query(
    made: Contract, day: date, inputs: Mapping[str, Sequence[Rows]], sources: pa.Table | None = None
) -> pa.Table:
    """Run a dataset's SQL over one day.

    Args:
        made: The contract of the dataset to make; its SQL is `queries/<name>.sql`.
        day: The day.
        inputs: For each input, the files of its partitions. The SQL reads them by the dataset's name, with a
            column `source` where it is kept per source, and `dt` where several days of it are taken.
        sources: The day's active sources, as SOURCES has them; None if there is nothing to say of them.

    Returns:
        The day's rows, in the contract's schema. They keep its rules; all else is still to be checked.

    Raises:
        ContractViolation: The SQL yields other columns than the contract has, or a row breaks a rule.
        StoreError: A file can't be read, or there is no room for what DuckDB sets aside.
    """
    query, macros = sql.metric(made.name), sql.metric_macros(made.name)
    shown = [_show(wanted, inputs[wanted.dataset]) for wanted in made.inputs]
    if _asks_for_sources(made.name):
        shown.append(_Shown("sources", SHOW_SOURCES, {"sources": _literal(sources or no_rows(SOURCES))}))
    # a view takes longer than to set what it reads, so views are made once, and read what is set for the day
    values = "; ".join(f"set variable {name} = {value}" for each in shown for name, value in each.values.items())

    def prepare(connection: duckdb.DuckDBPyConnection) -> None:
        for wanted in made.inputs:
            connection.register(f"no_{wanted.dataset}", stream(no_rows(_schema(wanted))))
        connection.execute(values)
        for each in shown:
            connection.execute(f"create temporary view {each.name} as {each.query}")
        connection.execute(macros)  # which are made only where what they read is there

    size = sum(each.bytes for files in inputs.values() for each in files)
    try:
        with prepared((tuple(each.query for each in shown), macros), prepare, size) as connection:
            try:
                rows = connection.execute(f"{values}; {made.judged(query)}").to_arrow_table()
            except duckdb.BinderException:  # the query's own, or a rule asks for a column that it doesn't yield
                names = connection.sql(query).columns
                if names != made.schema.names:
                    raise _other_columns(made, names) from None
                raise
    except duckdb.IOException as error:
        reason = str(error).partition("\n")[0]
        raise StoreError(f"Can't make {made.name}: {reason}. Check the disks, then run the same again.") from error
    *names, keeps_rules = rows.schema.names
    if names != made.schema.names:
        raise _other_columns(made, names)
    found = rows.select(names).cast(made.schema)
    if not pc.all(rows[keeps_rules], min_count=0).as_py():
        made.check_rules(found, day)
    return found


def _other_columns(made: Contract, names: Sequence[str]) -> ContractViolation:
    return ContractViolation(f"queries/{made.name}.sql yields {names}, its contract has {made.schema.names}.")


def _schema(wanted: Input) -> pa.Schema:
    """Return the columns that the SQL sees of an input."""
    read = contract(wanted.dataset)
    place = [pa.field("source", pa.string())] * read.per_source + [pa.field("dt", pa.date32())] * (wanted.days > 1)
    return pa.schema([*read.schema, *place])


class _Shown(NamedTuple):
    """What the SQL reads: its name, the query of its view, and SQL for each variable that this reads."""

    name: str
    query: str
    values: Mapping[str, str]


def _show(wanted: Input, files: Sequence[Rows]) -> _Shown:
    """Return how an input's files are shown."""
    read = contract(wanted.dataset)
    name = read.name
    if not files:
        return _Shown(name, f"from no_{name}", {})
    grown = ", union_by_name = true" if read.has_grown else ""
    rows = f"read_parquet(getvariable('files_of_{name}'), hive_partitioning = false{grown}"
    values = {f"files_of_{name}": _list(sql.quoted(str(each.file)) for each in files)}
    place = [column for column in _schema(wanted).names if column not in read.schema.names]
    if not place:
        return _Shown(name, f"from {rows})", values)
    if len(files) == 1:
        for column in place:
            values[f"{column}_of_{name}"] = _place_of(files[0])[column]
        more = ", ".join(f"getvariable('{column}_of_{name}') as {column}" for column in place)
        return _Shown(name, f"select *, {more} from {rows})", values)  # noqa: S608 - names of a contract
    values[f"places_of_{name}"] = _list(
        f"{{filename: {sql.quoted(str(each.file))}, "
        + ", ".join(f"{column}: {_place_of(each)[column]}" for column in place)
        + "}"
        for each in files
    )
    places = f"select unnest(getvariable('places_of_{name}'), recursive := true)"
    return _Shown(
        name,
        f"select * exclude (filename) from {rows}, filename = true) join ({places}) using (filename)",  # noqa: S608 - likewise
        values,
    )


def _place_of(rows: Rows) -> dict[str, str]:
    """Return SQL for what a partition's path says of its rows."""
    return {"source": sql.quoted(source_of(rows.source or "")), "dt": f"date '{rows.day}'"}


def _literal(sources: pa.Table) -> str:
    """Return SQL for a day's sources: a list of structs."""
    kinds = ", ".join(f"{field.name} {SQL_TYPES[field.type]}" for field in SOURCES)
    rows = (
        f"{{{', '.join(f'{name}: {_value(value)}' for name, value in each.items())}}}"
        for each in sources.to_pylist()
    )
    return f"cast({_list(rows)} as struct({kinds})[])"


def _value(value: str | int | None) -> str:
    """Return SQL for a value."""
    return sql.quoted(value) if isinstance(value, str) else "null" if value is None else str(value)


def _list(values: Iterable[str]) -> str:
    return f"[{', '.join(values)}]"


def aggregate_day(  # noqa: PLR0913 - each says another thing of what goes in
    lake: Lake,
    partitions: Sequence[Partition],
    sources: Sequence[Source],
    revision: Revision = FIRST,
    *,
    missing: Collection[str] = (),
    kept: Collection[Partition] = (),
) -> pa.Table:
    """Make what a unit has of one day from the latest revisions of its inputs, check it and publish it.

    Args:
        lake: Where to read and publish.
        partitions: What to make, in this order, each from other datasets; what they share is fetched once.
        sources: All sources that it may be made from; what isn't active on a day has nothing of it.
        revision: The first, or a restatement and its reason.
        missing: The names of those that may be left out if they are not published; all others must be there.
        kept: What of sources an earlier revision was made from: those go in too, whatever `sources` says.

    Returns:
        The rows of the last one.

    Raises:
        ConfigError: What is to be kept of a source is not there, so that its requests would be lost.
        PartitionMissing: An input is not published.
        ContractViolation: The rows break their contract, or don't add up to their inputs.
        PartitionExists: The day is published with other bytes.
        StoreError: The lake can't be read or written.
    """
    with lake.staging() as folder:

        @cache
        def fetched(partition: Partition) -> Rows:
            return Rows.of(lake, partition, folder)

        for partition in partitions:
            inputs = {
                wanted.dataset: list(
                    map(fetched, _input_partitions(lake, wanted, partition, sources, missing, kept)),
                )
                for wanted in contract(partition.dataset).inputs
            }
            rows, footer = _made(lake, partition, inputs, sources, revision)
            with lake.writer(contract(partition.dataset), partition.dt, folder, rules_hold=True) as writer:
                writer.write(rows)
                staged = writer.finish(footer)
            lake.publish(partition, staged)
    return rows


def _made(
    lake: Lake,
    partition: Partition,
    inputs: Mapping[str, Sequence[Rows]],
    sources: Sequence[Source],
    revision: Revision,
) -> tuple[pa.Table, Provenance]:
    """Return the rows of a partition, and what its footer says."""
    made, day = contract(partition.dataset), partition.dt
    read = [each for files in inputs.values() for each in files]
    lacking = _lacking(made, day, inputs, sources)
    if not partition.source:
        lacking = _judged_together(day, read, active_on(sources, day), lacking)
    shared = "" if partition.source else _shared(made, day, read, sources)
    for name in (name for name, what in lacking.items() if what == MISSING):
        _tell_missing(day, name)
    asked = _sources(read, active_on(sources, day), lacking) if _asks_for_sources(made.name) else None
    rows = run_query(made, day, inputs, asked)
    rows_read = sum(each.footer.rows for each in read)
    checks, total = [Check("contract", "every row")], rows_read
    if made.counts:
        total = sum(each.counted for each in inputs[made.inputs[0].dataset])
        checks.append(check_sum(made, rows, total, day))
    return rows, Provenance(
        dataset=made.name,
        version=made.version,
        dt=day.isoformat(),
        source=partition.source,
        revision=revision.number,
        inputs=tuple(provenance.Input(each.partition.key, each.bytes, each.sha256) for each in read),
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
        incomplete="; ".join(filter(None, (_incomplete(partition, inputs, lacking, sources), shared))) or None,
        counted=None if total == rows_read else total,
        raw_contents=_raw_contents(read) if partition.source else (),
        reject_statuses=_reject_statuses(read, day),
        requests_by_hour=_requests_by_hour(read, day),
        shard=read[0].footer.provenance.shard if partition.source else None,
    )


def _raw_contents(read: Sequence[Rows]) -> tuple[str, ...]:
    """Return what the raw files were that one source's requests were extracted from."""
    contents = {
        " ".join([str(raw.content.bytes), raw.content.xxh3, *raw.content.prefixes])
        for each in read
        if not contract(each.partition.dataset).inputs
        for raw in each.footer.provenance.inputs
        if raw.content and raw.content.bytes
    }
    return tuple(sorted(contents)[:MOST_CONTENTS])


def _reject_statuses(read: Sequence[Rows], day: date) -> dict[str, int] | None:
    """Return how many rejects of a day's sources show which status; None if none was looked at."""
    of_sources = {
        each.source: each.footer.provenance.reject_statuses for each in read if each.source and each.day == day
    }
    known = [each for each in of_sources.values() if each is not None]
    return dict(sorted(sum(map(Counter, known), Counter[str]()).items())) if known else None


def _requests_by_hour(read: Sequence[Rows], day: date) -> dict[str, tuple[int, ...]] | None:
    """Return the requests in each hour of a day by source, as far as its inputs say; None if none does."""
    found: dict[
        str, dict[str, tuple[int, ...]]
    ] = {}  # of each source by what tells it: all of them, or each shard
    for each in read:
        if each.day == day:
            for source, hours in (each.footer.provenance.requests_by_hour or {}).items():
                found.setdefault(source, {})[each.source or ""] = hours
    added = {
        source: told.get("") or tuple(map(sum, zip(*told.values(), strict=True)))
        for source, told in sorted(found.items())
    }
    return added or None


def _shared(made: Contract, day: date, read: Sequence[Rows], sources: Sequence[Source]) -> str:
    """Say which sources at a vantage have read the same raw files, so that requests count twice; empty for none.

    Raises:
        InputError: luigi.cfg has that fail.
    """
    vantages = {name: each.classifier.vantage for each in sources for name in each.names}
    alike: dict[tuple[str | None, str], list[tuple[str, Content]]] = {}
    for each in read:
        if each.day == day and each.source:
            for content in each.footer.provenance.raw_contents or _raw_contents([each]):
                size, whole, *prefixes = content.split()
                key = vantages.get(each.source), prefixes[0] if prefixes else f"{size} {whole}"
                file = Content(int(size), whole, 0, tuple(prefixes))
                alike.setdefault(key, []).append((each.source, file))
    found = sorted(
        {
            tuple(sorted((name, other)))
            for files in alike.values()
            for (name, one), (other, two) in combinations(files, 2)
            if name != other and begins_alike(one, two)
        }
    )
    if not found:
        return ""
    text = f"sources {' and '.join(found[0])} have read a raw file with the same content, or what it grew to"
    if any(each.severities.duplicate_files is Severity.FAIL for each in sources):
        raise InputError(
            f"{made.name} {day}: {text}, so its requests would count twice. Correct files of one of them in "
            "luigi.cfg, and restate its requests; or set duplicate_files = warn in [completeness]."
        )
    logger.warning("%s %s: %s", made.name, day, text)
    return text


@cache
def _tell_missing(day: date, source: str) -> None:
    """Say that a day is made without a source; once a process, whatever is made of it."""
    logger.warning("%s is made without source %s: %s", day, source, MISSING)


def _lacking(
    made: Contract, day: date, inputs: Mapping[str, Sequence[Rows]], sources: Sequence[Source]
) -> dict[str, str | None]:
    """Return what each source lacks of a day, None for nothing; of none, if no input is kept per source."""
    found: dict[str, str | None] = {}
    for wanted in made.inputs:
        if contract(wanted.dataset).per_source:
            read = {
                each.source or "": each.footer.provenance.incomplete
                for each in inputs[wanted.dataset]
                if each.day == day
            }
            of_input = of_dataset(sources, wanted.dataset)
            absent = (each.name for each in active_on(of_input, day) if not each.names_in(read))
            found |= dict.fromkeys(absent, MISSING) | found
            found |= read
    return dict(sorted(found.items()))


def _judged_together(
    day: date, read: Sequence[Rows], sources: Sequence[Source], lacking: Mapping[str, str | None]
) -> dict[str, str | None]:
    """Return what each source lacks of a day, of all its shards together, which are judged so.

    Raises:
        InputError: A source's lines are such that luigi.cfg has the day fail.
    """
    found = dict(lacking)
    shards: dict[str, list[Source]] = {}
    for source in sources:
        if source.shard:
            shards.setdefault(source.declared_as, []).append(source)
    for name, parts in shards.items():
        names = {each for part in parts for each in part.names}
        said = {found.pop(each) for each in names & found.keys()}
        rows = [each for each in read if each.day == day and each.source in names]
        if not rows:
            found |= {name: MISSING} if said else {}
            continue
        of_shards = {each.source: each.footer.provenance.shard for each in rows}
        text = judge_shards(parts[0], day, [*filter(None, of_shards.values())])
        if parts[0].classifier.application_field and not parts[0].classifier.mapped:
            judge_applications(parts[0], day, len(set().union(*map(_applications, rows))))
        found[name] = ", ".join(dict.fromkeys(filter(None, (*sorted(filter(None, said)), text)))) or None
    return dict(sorted(found.items()))


def _applications(rows: Rows) -> set[str]:
    """Return the applications that counts of a shard name."""
    made = contract(rows.partition.dataset)
    if made.is_extracted or "application" not in made.key:
        return set()
    return set(pq.ParquetFile(rows.file).read(["application"])["application"].unique().to_pylist())


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


def _asks_for_sources(dataset: str) -> bool:
    """Tell whether a dataset's SQL asks for the day's sources."""
    return "sources" in sql.used(sql.metric(dataset))


def _sources(inputs: Sequence[Rows], sources: Sequence[Source], lacking: Mapping[str, str | None]) -> pa.Table:
    """Return what a day's sources are and lack."""
    made = {each.source: each.footer.provenance for each in inputs if each.source}
    read = {name: each for name, each in made.items() if not contract(each.dataset).inputs}
    named: dict[str, tuple[Source, list[str]]] = {}  # of a source in shards, the names of those
    for each in sources:
        for name in each.names_in(made) or [each.name]:
            named.setdefault(source_of(name), (each, []))[1].append(name)
    read_of = {name: [read[each] for each in names if each in read] for name, (_, names) in named.items()}
    columns: dict[str, list[Any]] = {
        "source": [*named],
        "vantage": [each.classifier.vantage for each, _ in named.values()],
        "application": [each.classifier.application for each, _ in named.values()],
        "is_missing": [not any(name in made for name in names) for _, names in named.values()],
        "incomplete": [lacking.get(name, lacking.get(names[0])) for name, (_, names) in named.items()],
        "files": [sum(len(each.inputs) for each in of) if of else None for of in read_of.values()],
        "lines_read": [sum(each.rows_read for each in of) if of else None for of in read_of.values()],
    }
    return pa.table([array(columns[field.name], field.type) for field in SOURCES], schema=SOURCES)


def counted_in(made: Contract, file: pq.ParquetFile) -> int:
    """Return what the counts in a file of a dataset add up to; of one without counts, how many rows it has."""
    rows: int = file.metadata.num_rows
    return (pc.sum(file.read([made.counts])[made.counts]).as_py() or 0) if made.counts else rows


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


def _input_partitions(  # noqa: PLR0913, PLR0917 - each says another thing of what goes in
    lake: Lake,
    wanted: Input,
    partition: Partition,
    sources: Sequence[Source],
    missing: Collection[str],
    kept: Collection[Partition],
) -> list[Partition]:
    """Return the latest revisions of what an input has of a day, or of several, of the sources active then.

    Of a source that was renamed, a day is there under one of its names; if under several, the current one counts.
    """
    read, sources = contract(wanted.dataset), of_dataset(sources, wanted.dataset)
    days = wanted.window(partition.dt)
    published = {(p.dt, p.source): p for p in lake.latest(read, days[0], partition.dt + ONE_DAY)}
    found = []
    for day in days:
        active = active_on(sources, day)
        names: list[str | None] = [None] * bool(active)
        if read.per_source:
            there = {source for of, source in published if of == day}
            names = [name for each in active for name in _names(each, there, partition.source)]
            had = {each.source or "" for each in kept if each.dt == day and _are_of_one(each.dataset, read.name)}
            for each in active:
                each.check_layout(day, had)
            again = had.difference(*(each.names for each in active))
            _check_kept(read, day, again - there, partition)
            names += sorted(again)
            missing = {each.name for each in active if each.name in missing and not had.intersection(each.names)}
        of_day = [published[day, name] for name in names if (day, name) in published]
        lacking = [name for name in names if (day, name) not in published and name not in missing]
        if lacking or (day == partition.dt and not of_day):
            which = f" of source {lacking[0]}" if lacking and lacking[0] else " of any source" * read.per_source
            raise PartitionMissing(f"{read.name} {day}{which} is not published. Build it first.")
        found += of_day
    return found


def _are_of_one(dataset: str, other: str) -> bool:
    """Tell whether two datasets are made from the same raw files, or share some."""
    return bool(extracted_for(dataset) & extracted_for(other))


def _names(source: Source, there: Container[str | None], asked: str | None) -> list[str]:
    """Return under which names a source's day is there, or would be; under the one that is asked for, if there."""
    return [asked] if asked and asked in there else source.names_in(there) or [source.name]


def _check_kept(read: Contract, day: date, lost: Collection[str], partition: Partition) -> None:
    """Make sure that all is there of sources that luigi.cfg no longer declares, or that are no longer active.

    Raises:
        ConfigError: Something isn't.
    """
    for name in sorted(lost):
        raise ConfigError(
            f"{partition} would lose the requests of source {name}: the revision before it has them, {read.name} "
            f"of {day} of that source is not there, and luigi.cfg doesn't declare it for that day. Nothing was "
            f"published. Declare [source.{name}] again, or leave them out with --drop-source {name}."
        )
