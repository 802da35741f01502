"""Postgres: a table a dataset, and one of receipts, in the schema that the connection creates tables in.

    error_rate        dt, the contract's columns, rev; the comments are the contract's
    lake_receipts     a row for each delivered day of a dataset (and source): revision, digest, lake

A day is replaced and its receipt written in one transaction. The receipt comes first, so that its row is the lock
for which another deliverer of that day waits. Rows go by binary COPY, a batch at a time.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import date, timedelta
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

import pyarrow as pa

from etl.deliver.ahead import read_ahead
from etl.deliver.deliveries import Delivery
from etl.deliver.target import Place, Receipt, Tally, is_counted, is_due
from lake.contract import Column, Contract
from lake.errors import ConfigError, StoreError, TargetRefused
from lake.published import Published

try:
    from adbc_driver_postgresql import dbapi
except ImportError as error:
    raise ConfigError(
        "What delivers to Postgres is not installed. Install it with: pip install 'error-rate-lake[postgres]'"
    ) from error

RECEIPTS = "lake_receipts"
OURS = "of error-rate-lake"
RECEIPTS_MARK = f"receipts {OURS}"
TYPES = {
    "bool": "boolean",
    "date32[day]": "date",
    "double": "double precision",
    "int16": "smallint",
    "int32": "integer",
    "int64": "bigint",
    "string": "text",
    "timestamp[us]": "timestamp without time zone",
}
"""Postgres' types, as it names them itself, by Arrow's."""
RECEIPT_COLUMNS = {
    "dataset": "text",
    "dt": "date",
    "source": "text",  # empty where the dataset is not kept per source
    "version": "integer",
    "revision": "integer",
    "sha256": "text",
    "lake": "text",
}
OPTIONS = {
    "connect_timeout": "10",  # s
    "application_name": "error-rate-lake",
    "keepalives_idle": "60",  # s: a server that is gone without a word is noticed after two minutes
    "keepalives_interval": "10",
    "keepalives_count": "6",
}
SETTINGS = {
    # who has waited for another deliverer must see what that has committed, whatever is the default here
    "default_transaction_isolation": "read committed",
    "lock_timeout": "5min",
    "idle_in_transaction_session_timeout": "5min",  # a deliverer that is gone keeps no other from its days
}
AWAY = ("08", "53", "55", "57", "58")
"""Classes of errors of a server that is away, full, busy or going down, and not of what is asked of it."""
HIDDEN = "***"
ONE_DAY = timedelta(days=1)


class Postgres:
    """A schema of a database, as long as there is a connection to it; it is a `Target`."""

    to_forget = f"delete its row from {RECEIPTS} there"

    def __init__(self, delivery: Delivery, connection: Any) -> None:  # noqa: ANN401 - ADBC's
        self.place = delivery.place
        self._connection = connection
        self._url = delivery.to
        self._prepared: set[str] = set()
        self._cursors: dict[str, Any] = {}  # a new one costs as much as what is done with it
        with self._transaction("look for a schema"):
            for name, value in SETTINGS.items():
                self._do(f"set {name} = '{value}'")
            (self._schema,) = self._ask("select current_schema()::text")[0]
        if not self._schema:
            raise TargetRefused(
                f"{self.place} has no schema in which this user creates tables. Create one, and set its name as "
                "search_path of the user."
            )

    def receipts(self, dataset: str, start: date | None, stop: date | None) -> dict[Place, Receipt]:
        """See Target."""
        with self._transaction("read receipts"):
            if not self._is_ours(RECEIPTS, RECEIPTS_MARK) or not self._relation(dataset):
                return {}
            return self._receipts(dataset, start, stop)

    def deliver(
        self,
        due: Sequence[Published],
        lake: str,
        every: Callable[[str], list[Published]],  # noqa: ARG002 - it can replace a day
    ) -> Iterator[Published]:
        """See Target."""
        for each, rows in read_ahead(due):
            if each.contract.name not in self._prepared:
                self._prepare(each)
                self._prepared.add(each.contract.name)
            if self._deliver(each, rows, lake):
                yield each

    def tallies(self, published: Published, start: date | None, stop: date | None) -> dict[Place, Tally]:
        """See Target."""
        has_source = published.contract.per_source
        place = ("dt", "source") if has_source else ("dt",)
        columns = [each for each in published.columns if each.name not in place]
        sums = ", ".join(
            f"{f'coalesce(sum({_name(c.name)}), 0)' if is_counted(c) else f'count({_name(c.name)})'}::text"
            for c in columns
        )
        days, bounds = _days(start, stop)
        names = ", ".join(map(_name, place))
        with self._transaction(f"add up {published.contract.name}"):
            rows = self._ask(
                f"select {names}, count(*)::text, {sums} from {self._table(published.contract.name)} "
                f"where true{days} group by {names}",
                *bounds,
            )
        found: dict[Place, Tally] = {}
        for row in rows:
            count, *others = map(int, row[len(place) :])
            tally = {"rows": count, **dict.fromkeys(place, count)}
            tally |= dict(zip((each.name for each in columns), others, strict=True))
            found[Place(row[0], row[1] if has_source else None)] = tally
        return found

    def _receipts(self, dataset: str, start: date | None, stop: date | None) -> dict[Place, Receipt]:
        days, bounds = _days(start, stop, first=2)
        columns = ", ".join(RECEIPT_COLUMNS)
        rows = self._ask(
            f"select {columns} from {self._table(RECEIPTS)} where dataset = $1{days}", dataset, *bounds
        )
        found = (
            Receipt(name, version, dt, source or None, revision, sha256, lake)
            for name, dt, source, version, revision, sha256, lake in rows
        )
        return {each.place: each for each in found}

    def _deliver(self, published: Published, rows: Iterator[pa.RecordBatch], lake: str) -> bool:
        """Deliver a partition in a transaction; return whether it was sent, and not there already."""
        receipt = Receipt.of(published, lake)
        with self._transaction(f"deliver {receipt}"):
            is_ours = self._write(receipt)
            if is_ours:
                self._replace(published, rows)
        if not is_ours:
            with self._transaction("read receipts"):
                there = self._receipts(receipt.dataset, receipt.dt, receipt.dt + ONE_DAY).get(receipt.place)
            is_due(receipt, there, self)  # another one was faster, be it with the same, or with what is refused
        return is_ours

    def _write(self, receipt: Receipt) -> bool:
        """Write a receipt over an older one; return whether there is none that it may not replace.

        Until the transaction ends, another deliverer of the same day waits here, and then sees this receipt.
        """
        source = receipt.source or ""
        values = (
            *(receipt.dataset, receipt.dt, source, receipt.version),
            receipt.revision,
            receipt.sha256,
            receipt.lake,
        )
        columns = ", ".join(RECEIPT_COLUMNS)
        written = self._cursor("write").execute(
            f"insert into {self._table(RECEIPTS)} as there ({columns}) values ($1, $2, $3, $4, $5, $6, $7) "
            "on conflict (dataset, dt, source) do update set revision = excluded.revision, "
            "sha256 = excluded.sha256, delivered_at = excluded.delivered_at "
            "where there.lake = excluded.lake and there.version = excluded.version "
            "and there.revision < excluded.revision returning revision",
            values,
        )
        return bool(written.fetchall())

    def _replace(self, published: Published, rows: Iterator[pa.RecordBatch]) -> None:
        dataset = published.contract.name
        of_source = "" if published.source is None else " and source = $2"
        place = [published.dt, *([published.source] if of_source else [])]
        self._cursor(f"delete {dataset}").execute(
            f"delete from {self._table(dataset)} where dt = $1{of_source}", place
        )
        for batch in rows:
            self._cursor("copy").adbc_ingest(dataset, batch, mode="append", db_schema_name=self._schema)

    def _prepare(self, published: Published) -> None:
        """Make sure that a dataset's table is there, is ours and has our columns, and so for the receipts."""
        contract, name = published.contract, published.contract.name
        with self._transaction(f"prepare {name}"):
            self._lock("tables")
            if not self._is_ours(RECEIPTS, RECEIPTS_MARK):
                columns = "".join(f"{each} {kind} not null, " for each, kind in RECEIPT_COLUMNS.items())
                self._do(
                    f"create table {self._table(RECEIPTS)} ({columns}"
                    "delivered_at timestamptz not null default now(), primary key (dataset, dt, source))"
                )
                self._comment(
                    f"table {self._table(RECEIPTS)}",
                    f"{RECEIPTS_MARK}: which revision of which day was delivered here",
                )
            if self._is_ours(name, _mark(contract)):
                self._check_columns(published)
                return
            self._create(published)
            self._do(
                f"delete from {self._table(RECEIPTS)} where dataset = $1", name
            )  # of a table that somebody dropped

    def _create(self, published: Published) -> None:
        contract, table = published.contract, self._table(published.contract.name)
        columns = ", ".join(
            f"{_name(c.name)} {_type(c)}{'' if c.nullable else ' not null'}" for c in published.columns
        )
        place = ["dt", *(["source"] if contract.per_source else [])]
        nullable = {each.name for each in published.columns if each.nullable}
        is_key = bool(contract.key) and not nullable & {*contract.key}
        key = ", ".join(map(_name, [*place, *contract.key]))
        self._do(f"create table {table} ({columns}{f', primary key ({key})' if is_key else ''})")
        if not is_key:
            self._do(f"create index on {table} ({', '.join(map(_name, place))})")
        self._comment(f"table {table}", f"{_mark(contract)}: a row is {contract.grain}, on one UTC day")
        for each in published.columns:
            self._comment(f"column {table}.{_name(each.name)}", f"{each.meaning} [{each.unit}]")

    def _check_columns(self, published: Published) -> None:
        """Add what the contract has gained; TargetRefused if anything else is not as the contract has it."""
        name = published.contract.name
        there = {
            column: (kind, is_not_null)
            for column, kind, is_not_null in self._ask(
                "select attname::text, format_type(atttypid, atttypmod), attnotnull from pg_attribute "
                "where attrelid = to_regclass($1) and attnum > 0 and not attisdropped",
                self._table(name),
            )
        }
        wanted = {each.name: each for each in published.columns}
        wrong = [f"{each} is not one of ours" for each in there if each not in wanted]
        for column in wanted.values():
            if column.name not in there:
                if column.added:
                    self._do(f"alter table {self._table(name)} add column {_name(column.name)} {_type(column)}")
                    self._comment(
                        f"column {self._table(name)}.{_name(column.name)}", f"{column.meaning} [{column.unit}]"
                    )
                else:
                    wrong.append(f"{column.name} is missing")
                continue
            kind, is_not_null = there[column.name]
            if kind != _type(column):
                wrong.append(f"{column.name} is {kind} and should be {_type(column)}")
            elif is_not_null and column.nullable:
                wrong.append(f"{column.name} is not null, and may be NULL here")
        if wrong:
            raise TargetRefused(
                f"Table {name} in {self.place} has other columns: {'; '.join(wrong)}. Nothing was changed. "
                "Change it back, or drop it: then all its days are delivered anew."
            )

    def _is_ours(self, table: str, mark: str) -> bool:
        """Tell whether a table is there; TargetRefused if it is somebody else's."""
        found = self._relation(table)
        if not found:
            return False
        kind, comment = found[0]
        if kind not in {"r", "p"} or not (comment or "").startswith(mark):
            raise TargetRefused(
                f"{table} in {self.place} isn't a table of this delivery: its comment doesn't begin with "
                f"{mark!r}. Nothing was changed. Rename it, or deliver to another schema."
            )
        return True

    def _relation(self, name: str) -> list[Any]:
        """Return the kind and the comment of what has a name in the schema, nothing where it is free."""
        return self._ask(
            "select relkind::text, obj_description(oid, 'pg_class') from pg_class "
            "where relnamespace = to_regnamespace($1) and relname = $2",
            *(_name(self._schema), name),
        )

    def _table(self, name: str) -> str:
        """Return a table's name in SQL."""
        return f"{_name(self._schema)}.{_name(name)}"

    def _lock(self, what: str) -> None:
        """Wait until no other deliverer is at the same; until the transaction ends."""
        self._ask("select pg_advisory_xact_lock(hashtextextended($1, 0))", f"{OURS} {self._schema} {what}")

    def _comment(self, on: str, text: str) -> None:
        quoted = text.replace("'", "''")
        self._do(f"comment on {on} is '{quoted}'")

    def _cursor(self, name: str) -> Any:  # noqa: ANN401 - ADBC's
        """Return the cursor of a statement that is done again and again; the connection closes it."""
        if name not in self._cursors:
            self._cursors[name] = self._connection.cursor()
        return self._cursors[name]

    def _ask(self, query: str, *values: object) -> list[Any]:
        with self._connection.cursor() as cursor:
            cursor.execute(query, values or None)
            return list(cursor.fetchall())

    def _do(self, statement: str, *values: object) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute(statement, values or None)

    @contextmanager
    def _transaction(self, doing: str) -> Iterator[None]:
        try:
            yield
            self._connection.commit()
        except dbapi.Error as error:
            self._roll_back()
            raise _translated(error, f"{self.place}: can't {doing}", self._url) from error
        except BaseException:
            self._roll_back()
            raise

    def _roll_back(self) -> None:
        with suppress(dbapi.Error):  # without a connection there is nothing to take back
            self._connection.rollback()


@contextmanager
def opened(delivery: Delivery) -> Iterator[Postgres]:
    """Give a connection to a delivery's schema; it is closed afterwards.

    Raises:
        StoreError: The server doesn't answer, or doesn't let us in.
    """
    parts = urlsplit(delivery.to)
    options = OPTIONS | dict(parse_qsl(parts.query))
    url = urlunsplit(parts._replace(query=urlencode(options)))
    try:
        connection = dbapi.connect(url)
    except dbapi.Error as error:
        raise _translated(error, f"Can't reach {delivery.place}", delivery.to, StoreError) from error
    with connection:
        yield Postgres(delivery, connection)


def _translated(
    error: Exception, what: str, url: str, kind: type[StoreError | TargetRefused] | None = None
) -> StoreError | TargetRefused:
    """Return the error that a database's is to a user, in one line and without the password."""
    text = " ".join(str(error).partition("SQLSTATE")[0].partition("\nCONTEXT")[0].split())
    password = urlsplit(url).password
    for secret in filter(None, (password, password and unquote(password))):
        text = text.replace(secret, HIDDEN)
    code = getattr(error, "sqlstate", None) or "08"
    is_away = code.startswith(AWAY)
    kind = kind or (StoreError if is_away else TargetRefused)
    step = (
        "Check that it runs, and its host, port and database, user and password (docs/how-to/deliver.md)."
        if kind is StoreError
        else "Nothing was changed there."
    )
    return kind(f"{what}: {text.rstrip('. ')}. {step}")


def _days(start: date | None, stop: date | None, first: int = 1) -> tuple[str, list[date]]:
    """Return SQL for the days `[start, stop)`, and its values, whose numbers begin with `first`."""
    bounds = [(sign, day) for sign, day in ((">=", start), ("<", stop)) if day]
    texts = [f" and dt {sign} ${n}" for n, (sign, _) in enumerate(bounds, first)]
    return "".join(texts), [day for _, day in bounds]


def _mark(contract: Contract) -> str:
    """Return what the comment of a dataset's table begins with."""
    return f"{contract.name} v{contract.version} {OURS}"


def _name(name: str) -> str:
    """Return a name as SQL has it, whatever it is."""
    return '"' + name.replace('"', '""') + '"'


def _type(column: Column) -> str:
    return TYPES[str(column.type)]
