"""BigQuery: a table a dataset, partitioned by day, and one of receipts, in a dataset that BigQuery has.

    error_rate        dt, the contract's columns, rev; the descriptions are the contract's
    lake_receipts     a row for each delivered day of a dataset (and source): revision, digest, lake; and a row
                      that every delivery changes, so that BigQuery aborts one of two that run at the same time

Many days go together, for BigQuery counts jobs: their rows in one file to a staging table of their own, and from
it in one transaction with their receipts to where they belong. If a day of them is there in this revision or a
later one, the transaction ends with an error before it has changed anything; then the others are tried.
"""

import json
import random
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import date, timedelta
from tempfile import TemporaryFile
from typing import IO, Any
from urllib.parse import parse_qsl, urlsplit
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq

from etl.bigquery_client import (
    CALL_SECONDS,
    CONNECT_SECONDS,
    FAILURES,
    OWNER,
    PASSING,
    PATIENCE_SECONDS,
    bigquery,
    cause_of,
    client_of,
    exceptions,
    retry_for,
    told,
)
from etl.clock import utc_now
from etl.deliver.ahead import read_ahead
from etl.deliver.deliveries import Delivery
from etl.deliver.target import Place, Receipt, Tally, is_counted, is_due
from lake.contract import Column, Contract
from lake.errors import ConfigError, LakeError, StoreError, TargetRefused
from lake.published import Published

RECEIPTS = "lake_receipts"
TABLE_ID = "error_rate_lake_table"
"""The label that tells a table from one of the same name that was there before, and so which receipts hold."""
RECEIPTS_MARK = "receipts"
RECEIPTS_ID = "1"
TYPES = {
    "bool": ("BOOL", pa.bool_()),
    "date32[day]": ("DATE", pa.date32()),
    "double": ("FLOAT64", pa.float64()),
    "int16": ("INT64", pa.int64()),
    "int32": ("INT64", pa.int64()),
    "int64": ("INT64", pa.int64()),
    "string": ("STRING", pa.string()),
    "timestamp[us]": ("TIMESTAMP", pa.timestamp("us", "UTC")),  # times of the lake are in UTC
}
"""By Arrow's type: BigQuery's, and that of the file which is loaded."""
ALSO_CALLED = {"BOOLEAN": "BOOL", "FLOAT": "FLOAT64", "INTEGER": "INT64"}
RECEIPT_COLUMNS = {
    "dataset": "STRING",  # empty in the row that every delivery changes
    "dt": "DATE",
    "source": "STRING",  # empty where the dataset is not kept per source
    "version": "INT64",
    "revision": "INT64",
    "sha256": "STRING",
    "lake": "STRING",
    "table_id": "STRING",  # the table that the rows are in
    "delivered_at": "TIMESTAMP",
}
PARTITIONS_AT_ONCE = 400
"""BigQuery allows 4,000 in a transaction, and a text of 1 MB; this many take 200 KB."""
ROWS_AT_ONCE = 5_000_000
STAGING_DAYS = 1
UPLOAD_RETRIES = 4
"""After 1, 2, 4 and 8 seconds."""
WAITS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 32.0, 32.0)
"""Seconds after which a transaction is tried again that another one has stopped: each time, up to so many."""
OVERTAKEN = "error-rate-lake: another delivery was faster"
UNLOCKED = "error-rate-lake: the row that every delivery changes is gone, run it again"
ABORTED = "concurrent update"
"""What BigQuery says of one of two transactions that change the same table at the same time."""
FIRST_DAY = date(1970, 1, 1)
IN_SQL = re.compile(r"[A-Za-z0-9_-]*")
IN_A_TEXT = re.compile(r"[A-Za-z0-9_.-]*")  # as names of shards are
UPLOAD = re.compile(r"(?<=upload_id=)[^&\s'\"]+")
"""Whoever has it may go on with the upload."""
HIDDEN = "***"
ONE_DAY = timedelta(days=1)


class BigQuery:
    """A dataset of BigQuery's; it is a `Target`."""

    to_forget = f"delete its row from {RECEIPTS} there"

    def __init__(self, delivery: Delivery, client: bigquery.Client, home: bigquery.Dataset) -> None:
        self.place = delivery.place
        self._client = client
        self._home = home
        self._prepared: dict[str, bigquery.Table] = {}
        self._retry = retry_for(PATIENCE_SECONDS)

    def receipts(self, dataset: str, start: date | None, stop: date | None) -> dict[Place, Receipt]:
        """See Target."""
        with self._doing("read receipts"):
            table = self._found(dataset)
            if not self._ours(RECEIPTS, RECEIPTS_MARK) or not table or TABLE_ID not in table.labels:
                return {}
            return self._receipts(dataset, table, start, stop)

    def deliver(
        self,
        due: Sequence[Published],
        lake: str,
        every: Callable[[str], list[Published]],  # noqa: ARG002 - it can replace a day
    ) -> Iterator[Published]:
        """See Target."""
        if not due:
            return
        table = self._prepared.get(due[0].contract.name) or self._prepare(due[0])
        waiting, is_more = read_ahead(due), True
        while is_more:
            with TemporaryFile() as file:
                found, failure = _filled(file, _arrow_schema(due[0]), waiting)
                is_more = failure is None and bool(found)
                if found:
                    yield from self._deliver(table, found, file, lake)
            if failure:
                raise failure

    def tallies(self, published: Published, start: date | None, stop: date | None) -> dict[Place, Tally]:
        """See Target."""
        has_source = published.contract.per_source
        place = ("dt", "source") if has_source else ("dt",)
        columns = [each for each in published.columns if each.name not in place]
        sums = ", ".join(
            f"ifnull(sum({_name(c.name)}), 0)" if is_counted(c) else f"count({_name(c.name)})" for c in columns
        )
        with self._doing(f"add up {published.contract.name}"):
            rows = self.run(
                f"select {', '.join(place)}, count(*), {sums} from {self._table(published.contract.name)} "
                f"where {_days(start, stop)} group by {', '.join(place)}"
            )
        found: dict[Place, Tally] = {}
        for row in rows:
            count, *others = map(int, row[len(place) :])
            tally = {"rows": count, **dict.fromkeys(place, count)}
            tally |= dict(zip((each.name for each in columns), others, strict=True))
            found[Place(row[0], row[1] if has_source else None)] = tally
        return found

    def _receipts(
        self, dataset: str, table: bigquery.Table, start: date | None, stop: date | None
    ) -> dict[Place, Receipt]:
        """Return the receipts of what is in a table."""
        rows = self.run(
            f"select dataset, version, dt, source, revision, lake, sha256 from {self._table(RECEIPTS)} "
            f"where dataset = {_literal(dataset)} and table_id = {_literal(table.labels[TABLE_ID])} "
            f"and {_days(start, stop)}"
        )
        found = (
            Receipt(name, version, dt, source or None, revision, sha256, lake)
            for name, version, dt, source, revision, lake, sha256 in rows
        )
        return {each.place: each for each in found}

    def _deliver(
        self, table: bigquery.Table, partitions: Sequence[Published], file: IO[bytes], lake: str
    ) -> Iterator[Published]:
        """Deliver partitions whose rows are in a file; yield those that no other one has sent."""
        left = {Receipt.of(each, lake): each for each in partitions}
        days = f"{partitions[0].contract.name} {partitions[0].dt}"
        days += f" to {partitions[-1].dt}" if len(partitions) > 1 else ""
        sent: list[Published] = []
        refused: TargetRefused | None = None
        with self._doing(f"deliver {days}"), self._staged(partitions[0], file) as staging:
            for wait in (*WAITS, None):
                if self._is_replaced(table, staging, list(left), is_last=wait is None):
                    sent += left.values()
                    break
                time.sleep(random.uniform(0, wait or 0))  # noqa: S311 - so that two don't meet again
                first, last = partitions[0].dt, partitions[-1].dt
                there = self._receipts(partitions[0].contract.name, table, first, last + ONE_DAY)
                left, wrong = self._still_due(left, there)
                refused = refused or wrong
                if not left:
                    break
        yield from sent
        if refused:
            raise refused

    def _still_due(
        self, left: Mapping[Receipt, Published], there: Mapping[Place, Receipt]
    ) -> tuple[dict[Receipt, Published], TargetRefused | None]:
        """Return what another deliverer has left to be sent, and why something else may not be sent any more."""
        found, refused = {}, None
        for receipt, each in left.items():
            try:
                if is_due(receipt, there.get(receipt.place), self):
                    found[receipt] = each
            except TargetRefused as error:
                refused = refused or error
        return found, refused

    def _is_replaced(
        self, table: bigquery.Table, staging: str, receipts: Sequence[Receipt], *, is_last: bool
    ) -> bool:
        """Replace partitions in a transaction; tell whether no other one was in its way.

        Args:
            table: Where they belong.
            staging: The name of the table that has their rows, and maybe others'.
            receipts: Theirs.
            is_last: Whether this is the last try, after which an error is raised.
        """
        script = self._script(table, staging, receipts)
        try:
            self.run(script)
        except exceptions.GoogleAPICallError as error:
            reasons = {each.get("reason") for each in error.errors or []}
            text = str(error)
            if is_last or not (OVERTAKEN in text or ABORTED in text or reasons & PASSING):
                raise
            return False
        return True

    def _script(self, table: bigquery.Table, staging: str, receipts: Sequence[Receipt]) -> str:
        """Return the statements of a transaction; one that ends by an error changes nothing."""
        given, name, id_ = self._table(RECEIPTS), table.table_id, _literal(table.labels[TABLE_ID])
        brought = f"unnest([{', '.join(map(_struct, receipts))}])"
        places = _places(receipts, has_source=any(each.name == "source" for each in table.schema))
        columns = ", ".join(_name(each.name) for each in table.schema)
        receipt = "dataset, dt, source, version, revision, sha256, lake"
        return f"""
begin transaction;
update {given} set revision = revision + 1, delivered_at = current_timestamp() where dataset = '';
if not exists (select 1 from {given} where dataset = '') then select error('{UNLOCKED}'); end if;
if exists (
    select 1 from {given} as there join {brought} as brought
        on there.dataset = brought.dataset and there.dt = brought.dt and there.source = brought.source
    where there.table_id = {id_}
        and (there.lake != brought.lake or there.version != brought.version
            or there.revision >= brought.revision)
) then select error('{OVERTAKEN}'); end if;
delete from {self._table(name)} where {places};
insert into {self._table(name)} ({columns}) select {columns} from {self._table(staging)} where {places};
delete from {given} where dataset = {_literal(name)} and {_places(receipts, has_source=True)};
insert into {given} ({receipt}, table_id, delivered_at)
    select {receipt}, {id_}, current_timestamp() from {brought};
commit transaction;
"""

    @contextmanager
    def _staged(self, published: Published, file: IO[bytes]) -> Iterator[str]:
        """Give the name of a table with the rows of a file; it is gone afterwards, or a day after a kill."""
        name = f"lake_staging_{published.contract.name}_{uuid4().hex}"
        made = bigquery.Table(self._home.table(name), schema=_schema(published))
        made.expires = utc_now() + timedelta(days=STAGING_DAYS)
        made.labels = {OWNER: "staging"}
        try:
            self._client.create_table(made, retry=self._retry, timeout=CALL_SECONDS)
            if pq.read_metadata(file).num_rows:
                self._load(file, made)
            yield name
        finally:
            with suppress(*FAILURES):
                self._client.delete_table(
                    made.reference, not_found_ok=True, retry=self._retry, timeout=CONNECT_SECONDS
                )

    def _load(self, file: IO[bytes], table: bigquery.Table) -> None:
        """Load a file to an empty table."""
        config = bigquery.LoadJobConfig(
            source_format=bigquery.SourceFormat.PARQUET,
            schema=table.schema,
            create_disposition=bigquery.CreateDisposition.CREATE_NEVER,
            write_disposition=bigquery.WriteDisposition.WRITE_EMPTY,  # what is sent twice is there once
        )
        job = self._client.load_table_from_file(
            file,
            table.reference,
            rewind=True,
            num_retries=UPLOAD_RETRIES,
            location=self._home.location,
            job_config=config,
            timeout=CALL_SECONDS,
        )
        job.result(retry=self._retry)

    def _prepare(self, published: Published) -> bigquery.Table:
        """Make sure that a dataset's table is there, is ours and has our columns, and so for the receipts."""
        contract, name = published.contract, published.contract.name
        with self._doing(f"prepare {name}"):
            if not self._ours(RECEIPTS, RECEIPTS_MARK):
                columns = [bigquery.SchemaField(each, kind, "REQUIRED") for each, kind in RECEIPT_COLUMNS.items()]
                made = bigquery.Table(self._home.table(RECEIPTS), schema=columns)
                made.description = "Receipts of error-rate-lake: which revision of which day was delivered here"
                made.labels = {OWNER: RECEIPTS_MARK, TABLE_ID: RECEIPTS_ID}
                self._create(made)
            self.run(
                f"insert into {self._table(RECEIPTS)} ({', '.join(RECEIPT_COLUMNS)}) "
                "select '', date '1970-01-01', '', 0, 0, '', '', '', current_timestamp() from (select 1) "
                f"where not exists (select 1 from {self._table(RECEIPTS)} where dataset = '')"
            )
            if not self._ours(name, _mark(contract)):
                made = bigquery.Table(self._home.table(name), schema=_schema(published))
                made.time_partitioning = bigquery.TimePartitioning(field="dt")
                made.description = (
                    f"{name} v{contract.version} of error-rate-lake: a row is {contract.grain}, on one UTC day"
                )
                made.labels = {OWNER: _mark(contract), TABLE_ID: uuid4().hex}
                self._create(made)
            table = self._ours(name, _mark(contract))
            if not table:
                raise StoreError(f"{self.place}: {name} was dropped while it was made. Run it again.")
            self._check_columns(published, table)
            # of a column that was just added, the table's own schema doesn't tell
            table.schema = _schema(published)
        self._prepared[name] = table
        return table

    def _create(self, table: bigquery.Table) -> None:
        """Make a table, unless another deliverer has done so at the same time."""
        self._client.create_table(table, exists_ok=True, retry=self._retry, timeout=CALL_SECONDS)

    def _check_columns(self, published: Published, table: bigquery.Table) -> None:
        """Add what the contract has gained; TargetRefused if anything else is not as the contract has it."""
        there = {each.name: each for each in table.schema}
        wanted = {each.name: each for each in published.columns}
        wrong = [f"{each} is not one of ours" for each in there if each not in wanted]
        added = []
        for column in wanted.values():
            found = there.get(column.name)
            if not found:
                added += [column] if column.added else []
                wrong += [] if column.added else [f"{column.name} is missing"]
                continue
            kind = ALSO_CALLED.get(found.field_type, found.field_type)
            if kind != _type(column) or found.mode == "REPEATED":
                wrong.append(f"{column.name} is {kind} and should be {_type(column)}")
            elif found.mode == "REQUIRED" and column.nullable:
                wrong.append(f"{column.name} is required, and may be NULL here")
        if wrong:
            raise TargetRefused(
                f"Table {table.table_id} in {self.place} has other columns: {'; '.join(wrong)}. Nothing was "
                "changed. Change it back, or drop it: then all its days are delivered anew."
            )
        for column in added:
            self.run(
                f"alter table {self._table(table.table_id)} add column if not exists {_name(column.name)} "
                f"{_type(column)} options (description = {json.dumps(_description(column), ensure_ascii=False)})"
            )

    def _ours(self, name: str, mark: str) -> bigquery.Table | None:
        """Return a table, None if there is none; TargetRefused if it is somebody else's, or is not to stay."""
        table = self._found(name)
        if not table:
            return None
        if table.table_type != "TABLE" or table.labels.get(OWNER) != mark or TABLE_ID not in table.labels:
            raise TargetRefused(
                f"{name} in {self.place} isn't a table of this delivery: its label {OWNER} is not {mark!r}. "
                "Nothing was changed. Rename it, or deliver to another dataset of BigQuery."
            )
        if table.expires or (table.time_partitioning and table.time_partitioning.expiration_ms):
            raise TargetRefused(
                f"{name} in {self.place} expires, or its partitions do, and its receipts would stay. Nothing was "
                "changed. Set its expiration to never."
            )
        return table

    def _found(self, name: str) -> bigquery.Table | None:
        try:
            return self._client.get_table(self._home.table(name), retry=self._retry, timeout=CALL_SECONDS)
        except exceptions.NotFound:
            return None

    def _table(self, name: str) -> str:
        """Return a table's name in SQL."""
        parts = (self._home.project, self._home.dataset_id, name)
        if not all(map(IN_SQL.fullmatch, parts)):
            raise ConfigError(f"{'.'.join(parts)} is not a valid name for a table. Correct the delivery's `to`.")
        return f"`{'.'.join(parts)}`"

    def run(self, statements: str) -> list[Any]:
        """Run statements, and return the rows of the last one."""
        job = self._client.query(
            statements,
            location=self._home.location,
            retry=self._retry,
            job_retry=None,  # what may be tried again is known where it is asked for
            timeout=CALL_SECONDS,
        )
        return [tuple(row) for row in job.result(retry=self._retry, job_retry=None)]

    @contextmanager
    def _doing(self, doing: str) -> Iterator[None]:
        try:
            yield
        except FAILURES as error:
            raise _translated(error, f"{self.place}: can't {doing}") from error


@contextmanager
def opened(delivery: Delivery) -> Iterator[BigQuery]:
    """Give a delivery's dataset of BigQuery's, which must be there.

    Raises:
        ConfigError: It is not where the delivery says.
        StoreError: BigQuery doesn't answer, or refuses the credentials.
        TargetRefused: What is written there is not to stay.
    """
    parts = urlsplit(delivery.to)
    location = dict(parse_qsl(parts.query)).get("location")
    try:
        client = client_of(parts.netloc, location)
        home = client.get_dataset(
            f"{parts.netloc}.{parts.path.strip('/')}",
            retry=retry_for(CONNECT_SECONDS),
            timeout=CONNECT_SECONDS,
        )
    except FAILURES as error:
        raise _translated(error, f"Can't reach {delivery.place}", StoreError) from error
    with closing(client):
        if location and location.lower() != home.location.lower():
            raise ConfigError(
                f"{delivery.place} is in {home.location}, and not in {location}. Correct location in the "
                "delivery's `to`, or deliver to another dataset of BigQuery."
            )
        if home.default_table_expiration_ms or home.default_partition_expiration_ms:
            raise TargetRefused(
                f"Tables or partitions in {delivery.place} expire by default, and receipts would stay. Nothing "
                "was changed. Set the default expiration of that dataset to never."
            )
        yield BigQuery(delivery, client, home)


def _filled(
    file: IO[bytes], schema: pa.Schema, partitions: Iterator[tuple[Published, Iterator[pa.RecordBatch]]]
) -> tuple[list[Published], LakeError | None]:
    """Write the rows of the next partitions to a Parquet file, until those are enough for a transaction.

    Returns:
        The partitions that are in it, and why the one after them can't be read; a part of it may be there, too.
    """
    found: list[Published] = []
    count = 0
    with pq.ParquetWriter(file, schema) as writer:
        try:
            for each, rows in partitions:
                for batch in rows:
                    writer.write_batch(batch.cast(schema))
                    count += len(batch)
                found.append(each)
                if len(found) >= PARTITIONS_AT_ONCE or count >= ROWS_AT_ONCE:
                    break
        except LakeError as error:
            return found, error
    return found, None


def _translated(
    error: Exception, what: str, kind: type[StoreError | TargetRefused] | None = None
) -> StoreError | TargetRefused:
    """Return the error that one of BigQuery's is to a user, in one line."""
    error = cause_of(error)
    reason, text = told(error)
    text = UPLOAD.sub(HIDDEN, text)
    is_of_asking = isinstance(error, exceptions.ClientError) and not isinstance(
        error, exceptions.Conflict | exceptions.TooManyRequests
    )
    is_passing = reason in PASSING or ABORTED in text or OVERTAKEN in text
    kind = kind or (TargetRefused if is_of_asking and not is_passing else StoreError)
    step = (
        "Check that it is there, its project and dataset, the credentials, and the rights that these give "
        "(docs/how-to/deliver.md)."
        if kind is StoreError
        else "Nothing was changed there."
    )
    return kind(f"{what}: {text}. {step}")


def _places(receipts: Iterable[Receipt], *, has_source: bool) -> str:
    """Return SQL that is true of the rows of partitions."""
    days: dict[str | None, list[str]] = {}
    for each in receipts:
        days.setdefault(each.source, []).append(_literal(each.dt))
    of_source = " and source = {}" if has_source else ""
    return "({})".format(
        " or ".join(
            f"dt in ({', '.join(found)}){of_source.format(_literal(source or ''))}"
            for source, found in days.items()
        )
    )


def _struct(receipt: Receipt) -> str:
    """Return a receipt in SQL; its numbers' and texts' types are those of the columns."""
    values: dict[str, date | int | str] = {
        "dataset": receipt.dataset,
        "dt": receipt.dt,
        "source": receipt.source or "",
        "version": receipt.version,
        "revision": receipt.revision,
        "sha256": receipt.sha256,
        "lake": receipt.lake,
    }
    return f"struct({', '.join(f'{_literal(value)} as {name}' for name, value in values.items())})"


def _literal(value: date | int | str) -> str:
    """Return a value in SQL; scripts of BigQuery's emulator take no parameters.

    Raises:
        ConfigError: It is a text of other characters than names and digests have.
    """
    if isinstance(value, date):
        return f"date '{value.isoformat()}'"
    if isinstance(value, int):
        return str(value)
    if not IN_A_TEXT.fullmatch(value):
        raise ConfigError(f"{value!r} may not stand in SQL: letters, digits, '_', '.' and '-' may.")
    return f"'{value}'"


def _days(start: date | None, stop: date | None) -> str:
    """Return SQL for the days `[start, stop)`."""
    until = f" and dt < {_literal(stop)}" if stop else ""
    return f"dt >= {_literal(start or FIRST_DAY)}{until}"


def _schema(published: Published) -> list[bigquery.SchemaField]:
    """Return the columns of a dataset's table."""
    return [
        bigquery.SchemaField(
            c.name, _type(c), "NULLABLE" if c.nullable else "REQUIRED", description=_description(c)
        )
        for c in published.columns
    ]


def _arrow_schema(published: Published) -> pa.Schema:
    """Return the columns of the file that is loaded to it."""
    return pa.schema([pa.field(c.name, TYPES[str(c.type)][1], nullable=c.nullable) for c in published.columns])


def _description(column: Column) -> str:
    return f"{column.meaning} [{column.unit}]"


def _mark(contract: Contract) -> str:
    """Return what the label of a dataset's table says."""
    return f"{contract.name}_v{contract.version}"


def _name(name: str) -> str:
    """Return a column's name, which a contract has, in SQL."""
    return f"`{name}`"


def _type(column: Column) -> str:
    return TYPES[str(column.type)][0]
