"""`fetch = postgres`: a day's rows of a query, as Parquet or CSV.

    url = postgresql://reader:${PASSWORD}@host:5432/database    with libpq's options: ?sslmode=verify-full
    query = select id, at, path from views where at >= $start and at < $stop order by id
    format = parquet                                            or csv, ndjson; json of a log; else parquet
    timezone = Europe/London                                    of the days; UTC if not said
    ready = select max(loaded_until) >= $stop from loads        must give one row with `true`
    timeout_seconds = 3600                                      of each of the two

`$start` and `$stop` are the first instants of the day and of the next, of type timestamptz. The session's time
zone is that of the days, so they compare as meant with a column of type timestamp or date, too. Rows come by COPY,
which takes no parameters: so the two are constants, made here of two dates; nothing else is put into the query.
Without `order by` the same rows may come in another order, which is another content, and so a new revision.

The driver is that of deliveries: adbc-driver-postgresql, record batches by binary COPY. `numeric` comes as a text,
so that no digit is lost. What the driver can't represent is refused, and has to be cast in the query.
"""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from etl.fetch.asked import NotReady
from etl.fetch.days import Span, read_zone
from etl.fetch.environment import Secrets, check_no_secret
from etl.fetch.parts import Part
from etl.fetch.patience import IN_ALL, OF_A_DATABASE, TryAgain, patiently, read_seconds
from etl.fetch.rows import PARQUET, check_format, written
from etl.raw.read_ahead import read_ahead
from lake.config import VARIABLE
from lake.errors import ConfigError, InputError, StoreError

KEYS = ("url", "query", "ready", "timeout_seconds", "patience_seconds")
"""The settings of a source that is fetched so, beside `format`, `timezone` and `allow_empty`."""
SCHEMES = ("postgresql", "postgres")
TOKENS = re.compile(
    r"""[eE]'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|/\*.*?\*/|\$(?P<tag>\w*)\$.*?\$(?P=tag)\$"""
    r"""|(?P<end>;)|(?<![\w$])\$(?P<name>[A-Za-z_]\w*|\d+)""",
    re.DOTALL,
)
"""What of SQL is no place for a parameter, and parameters."""
START, STOP = "start", "stop"
OPTIONS = {
    "connect_timeout": "10",  # s
    "application_name": "error-rate-lake",
    "keepalives_idle": "60",  # s: a server that is gone without a word is noticed after two minutes
    "keepalives_interval": "10",
    "keepalives_count": "6",
}
SETTINGS = {
    "synchronize_seqscans": "off",  # rows come in the order in which they lie,
    "max_parallel_workers_per_gather": "0",  # and from one worker
    "idle_in_transaction_session_timeout": "10min",
}
AWAY = ("08", "53", "57P", "40001", "40P01")
"""SQLSTATEs of a server that is away, full or going down, or had to let go of the rows, as replicas have to."""
COMING_BACK = ("starting up", "shutting down", "recovery mode", "too many", "connection slots")
"""Parts of what a server says that lets nobody in at the moment."""
OF_A_REPLICA = "conflict with recovery"
TRUE = "true"
TIMED_OUT, OF_A_TIMEOUT = "57014", "statement timeout"
NO_TYPES = ("money", "oid", "xid", "cid", "regproc", "regclass", "regtype")
"""Types of which the driver gives bare numbers."""
EARLIEST, LATEST, EPOCH = date.min, date.max, date(1970, 1, 1)
DAY_US = 86_400_000_000


@dataclass(frozen=True)
class Postgres:
    """A query of a database; it is an Asked.

    Attributes:
        url: Its template, with `${NAME}` for a password.
        query: As it is set.
        ready: A query that tells whether the day is complete, None for none.
        format: Of the files.
        zone: Of the days, None for UTC.
        timeout_seconds: How long each query may take.
        patience_seconds: How long is tried again in all.
        allow_empty: Whether a day may have no row.
    """

    url: str
    query: str
    ready: str | None = None
    format: str = PARQUET
    zone: ZoneInfo | None = None
    timeout_seconds: int = int(OF_A_DATABASE)
    patience_seconds: int = int(IN_ALL)
    allow_empty: bool = False

    @classmethod
    def read(cls, values: Mapping[str, str], folder: Path) -> Self:  # noqa: ARG003 - no file is named
        """Return what a source's section says.

        Raises:
            ConfigError: Something is missing or unknown, a password doesn't come from the environment, or the
                query isn't one of a day.
        """
        timeout, patience = read_seconds(values, OF_A_DATABASE)
        return cls(
            url=_url(values.get("url", "")),
            query=_query("query", values.get("query", "")),
            ready=_query("ready", values["ready"]) if "ready" in values else None,
            format=check_format(values.get("format", PARQUET)),
            zone=read_zone(values.get("timezone")),
            timeout_seconds=timeout,
            patience_seconds=patience,
            allow_empty=values.get("allow_empty") == TRUE,
        )

    def recorded(self) -> dict[str, object]:
        """See Asked."""
        said = {name: getattr(self, name) for name in ("url", "query", "ready", "format")}
        said["timezone"] = self.zone and self.zone.key
        return {"fetch": "postgres"} | {name: value for name, value in said.items() if value is not None}

    def parameters(self, day: date) -> dict[str, object]:
        """See Asked."""
        return dict(Span.of(day, self.zone).recorded())

    def fetch(self, day: date, folder: Path) -> list[Part]:
        """See Asked."""
        secrets = Secrets()
        url = _connectable(self.url, secrets)

        def attempt() -> list[Part]:
            with self._connected(url) as connection, connection.cursor() as cursor, self._translated(connection):
                self._begin(cursor)
                if self.ready:
                    self._check_ready(cursor, day)
                cursor.execute(self._of_day(self.query, day))
                reader = cursor.fetch_record_batch()
                schema = self._schema(reader.schema)
                # rows come while others are written
                with closing(read_ahead([lambda: reader], threads=2, items=1)) as ahead:
                    rows = (self._checked(each, schema) for each in next(ahead))
                    return written(self.format, schema, rows, folder)

        parts = patiently(self._place, attempt, secrets, self.patience_seconds)
        if not parts[0].rows and not self.allow_empty:
            raise NotReady(
                f"{self._place} doesn't have {day} yet: the query gives no row. If a day may have none, set "
                "allow_empty = true."
            )
        return parts

    def _check_ready(self, cursor: Any, day: date) -> None:  # noqa: ANN401 - ADBC's
        cursor.execute(self._of_day(self.ready or "", day))
        rows = cursor.fetchall()
        if len(rows) > 1 or any(len(row) != 1 or row[0] not in {True, False, None} for row in rows):
            raise InputError(
                f"{self._place}: ready gives something else than one value, true or false. Correct it."
            )
        if rows != [(True,)]:
            raise NotReady(f"{self._place} doesn't have {day} yet: ready doesn't give true.")

    def _of_day(self, query: str, day: date) -> str:
        """Return a query with the day's instants as constants."""
        span = Span.of(day, self.zone)
        constants = {START: span.recorded()["start"], STOP: span.recorded()["stop"]}

        def constant(found: re.Match[str]) -> str:
            return f"(timestamptz '{constants[found['name']]}')" if found["name"] else found[0]

        # COPY puts a ) after it, which a comment would take
        return TOKENS.sub(constant, query) + "\n"

    @property
    def _place(self) -> str:
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"

    def _schema(self, found: pa.Schema) -> pa.Schema:
        """Return the columns as they are written: texts for what comes as one.

        Raises:
            InputError: A column is of a type that the driver or the file can't represent, or has no own name.
        """
        names = [each.name for each in found]
        if twice := sorted({each for each in names if names.count(each) > 1}):
            raise InputError(f"{self._place}: two columns are called {twice[0]}. Write `as` and a name for one.")
        fields, wrong = [], []
        for each in found:
            kind = each.type.storage_type if isinstance(each.type, pa.BaseExtensionType) else each.type
            of = (each.metadata or {}).get(b"POSTGRESQL:type", b"?").decode()
            is_lost = isinstance(each.type, pa.BaseExtensionType) and not pa.types.is_string(kind)
            # of arrays the driver keeps no dimensions
            is_lost |= pa.types.is_nested(kind) or pa.types.is_interval(kind) or of in NO_TYPES
            if is_lost or (self.format != PARQUET and pa.types.is_binary(kind)):
                wrong.append(f"{each.name} is of type {of}")
            fields.append(pa.field(each.name, kind))
        if wrong:
            name = wrong[0].partition(" is of ")[0]
            raise InputError(
                f"{self._place}: {'; '.join(wrong)}, which can't be fetched as {self.format}. Cast it in the "
                f"query, such as {name}::text as {name}."
            )
        return pa.schema(fields)

    def _checked(self, batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
        """Return a batch without what its columns were in Postgres.

        Raises:
            InputError: It has a date or time that no calendar has, for which the driver gives any other.
        """
        columns = [each.storage if isinstance(each, pa.ExtensionArray) else each for each in batch.columns]
        for column, each in zip(columns, schema, strict=True):
            if pa.types.is_date(each.type) or pa.types.is_timestamp(each.type):
                ends = pc.min_max(column.view(pa.int32() if pa.types.is_date(each.type) else pa.int64()))
                first, last = (_bound(day, each.type) for day in (EARLIEST, LATEST))
                if ends["min"].is_valid and not first <= ends["min"].as_py() <= ends["max"].as_py() <= last:
                    raise InputError(
                        f"{self._place}: {each.name} is infinity somewhere, or not of the years 1 to 9999. Cast "
                        f"it in the query, such as {each.name}::text as {each.name}."
                    )
        return pa.RecordBatch.from_arrays(columns, schema=schema)

    def _begin(self, cursor: Any) -> None:  # noqa: ANN401 - ADBC's
        """Have the transaction read what there is now, and write nothing."""
        cursor.execute("set transaction isolation level repeatable read, read only")
        timeout = {"statement_timeout": f"{self.timeout_seconds}s", "lock_timeout": f"{self.timeout_seconds}s"}
        zone = {"TimeZone": self.zone.key if self.zone else "UTC"}
        for name, value in (SETTINGS | timeout | zone).items():
            cursor.execute("select set_config($1, $2, true)", (name, value))
            cursor.fetchall()

    @contextmanager
    def _connected(self, url: str) -> Iterator[Any]:
        dbapi = _driver()
        try:
            connection = dbapi.connect(url)
        except dbapi.Error as error:
            text = _told(error)
            if "FATAL:" not in text or any(each in text for each in COMING_BACK):
                raise TryAgain(text) from error
            raise StoreError(
                f"{self._place} doesn't let us in: {text}. Check its database, the user and the password."
            ) from error
        with connection:
            yield connection

    @contextmanager
    def _translated(self, connection: Any) -> Iterator[None]:  # noqa: ANN401 - ADBC's
        """Have errors of the database say what is wrong with what, and whether it may be otherwise later."""
        dbapi = _driver()
        try:
            yield
        except (dbapi.Error, OSError, pa.ArrowException) as error:
            if isinstance(error, OSError) and error.errno:  # the disk's
                raise
            text, code = _told(error), getattr(error, "sqlstate", None) or ""
            # what goes wrong while rows come has no SQLSTATE
            if code.startswith(AWAY) or OF_A_REPLICA in text or not _is_alive(connection):
                raise TryAgain(text) from error
            if code == TIMED_OUT or OF_A_TIMEOUT in text:
                raise StoreError(
                    f"{self._place}: {text}. Set timeout_seconds to more than {self.timeout_seconds}, or have the "
                    "query take less: is there an index for the day?"
                ) from error
            raise InputError(
                f"{self._place} refuses the query: {text}. Correct it, or what the user may read."
            ) from error


def _driver() -> Any:  # noqa: ANN401 - it ships no types
    try:
        from adbc_driver_postgresql import dbapi  # noqa: PLC0415 - only who fetches so needs it
    except ImportError as error:
        raise ConfigError(
            "What fetches from Postgres is not installed. Install it with: pip install 'error-rate-lake[postgres]'"
        ) from error
    return dbapi


def _told(error: Exception) -> str:
    """Return what an error says, in one line and without the query."""
    text = str(error).partition("SQLSTATE")[0].partition("\n\nQuery was")[0].partition("\nLINE ")[0]
    return " ".join(text.partition("\nCONTEXT")[0].split()).rstrip(". ")


def _is_alive(connection: Any) -> bool:  # noqa: ANN401 - ADBC's
    """Tell whether there still is a connection."""
    try:
        connection.rollback()
        with connection.cursor() as cursor:
            cursor.execute("select 1")
            return bool(cursor.fetchall())
    except (_driver().Error, OSError, pa.ArrowException):
        return False


def _bound(day: date, kind: pa.DataType) -> int:
    """Return a day's number in a type of dates or times: of a time, its last microsecond counts, too."""
    if pa.types.is_date(kind):
        return (day - EPOCH).days
    return (day - EPOCH).days * DAY_US + (DAY_US - 1 if day == LATEST else 0)


def _connectable(template: str, secrets: Secrets) -> str:
    """Return a URL that libpq takes, with the password in it."""
    url = secrets.put_in("url", template, {}, lambda value: quote(value, safe=""))
    parts = urlsplit(url)
    for each in (unquote(parts.password or ""), os.environ.get("PGPASSWORD", "")):
        if each:
            secrets.add(each)
    options = OPTIONS | dict(parse_qsl(parts.query))
    return urlunsplit(parts._replace(query=urlencode(options)))


def _url(text: str) -> str:
    parts = None
    try:
        parts = urlsplit(VARIABLE.sub("0", text))
        _ = [urlsplit(f"//{host}").port for host in parts.netloc.rpartition("@")[2].split(",")]
    except ValueError:
        parts = None
    if parts is None or parts.scheme not in SCHEMES or parts.fragment:
        raise ConfigError(
            f"url: expected {SCHEMES[0]}://user:${{NAME}}@host/database, NAME being of the environment."
        )
    user = text.partition("://")[2].partition("/")[0].rpartition("@")[0]
    password = user.partition(":")[2]
    if password and not VARIABLE.fullmatch(password):
        raise ConfigError("url holds a password. Write ${NAME} in its place, for a variable of the environment.")
    for name, value in parse_qsl(urlsplit(text).query):
        check_no_secret("url", name, value)
    return text


def _query(key: str, text: str) -> str:
    """Return a query without what ends it; ConfigError if it isn't one, of a day."""
    query = text.strip().rstrip(";").rstrip()
    found = list(TOKENS.finditer(query))
    if not query or any(each["end"] for each in found):
        raise ConfigError(f"{key}: expected one query, a `select`.")
    names = {each["name"] for each in found if each["name"]}
    if unknown := sorted(names - {START, STOP}):
        raise ConfigError(f"{key}: ${unknown[0]} means nothing here. Known: ${START}, ${STOP}.")
    if key == "query" and not names:
        raise ConfigError(
            f"{key} is the same every day. Compare a column with ${START} and ${STOP}; if a whole table is to be "
            f"kept each day, write the day as a column: select ${START} as fetched_for, …"
        )
    return query
