"""`fetch = bigquery`: a day's rows of a query of BigQuery, as Parquet or CSV.

    project = figures                       which pays for the query
    query = select path, views from `site.search.views` where day = @day order by path
    location = EU                           of the data; if not said, BigQuery sees it by the query
    format = parquet                        or csv, ndjson, or json of a log; parquet if not said
    timezone = Europe/London                of the days; UTC if not said
    ready = select max(loaded_until) >= @stop from `site.search.loads`      must give one row with `true`
    maximum_bytes_billed = 100000000000     a query that would read more is refused, and costs nothing
    timeout_seconds = 3600                  of each of the two

`@start` and `@stop` are the first instants of the day and of the next, of type TIMESTAMP, and `@day` is its DATE.
They are parameters of the query: nothing is put into its text. Its functions of times take the zone of the days
where they are given none. Without `order by` the same rows may come in another order, which is another content,
and so a new revision. Credentials are those that Google's libraries find.

A query is tried before it is run, which costs nothing: one that isn't a single `select`, or whose columns can't be
fetched, is refused then. Rows come by pages of JSON, which needs no more than the client of deliveries. NUMERIC
and BIGNUMERIC come as a text, so that no digit is lost. A type that a file's column can't have is refused, and has
to be cast in the query.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any, Self
from zoneinfo import ZoneInfo

import pyarrow as pa

from etl.fetch.asked import NotReady
from etl.fetch.days import Span, read_zone
from etl.fetch.environment import Secrets
from etl.fetch.parts import Part
from etl.fetch.patience import IN_ALL, OF_A_DATABASE, TryAgain, patiently, read_seconds
from etl.fetch.rows import PARQUET, check_format, written
from etl.raw.read_ahead import read_ahead
from lake.errors import ConfigError, InputError, LakeError, StoreError

if TYPE_CHECKING:
    from google.cloud import bigquery

KEYS = ("project", "location", "query", "ready", "maximum_bytes_billed", "timeout_seconds", "patience_seconds")
"""The settings of a source that is fetched so, beside `format`, `timezone` and `allow_empty`."""
PROJECT = re.compile(r"([a-z0-9.-]+:)?[a-z0-9-]+")
LOCATION = re.compile(r"[A-Za-z0-9-]+")
BYTES = re.compile(r"[1-9][0-9]{0,17}")
TOKENS = re.compile(
    r'''"""(?:[^\\]|\\.)*?"""|\'\'\'(?:[^\\]|\\.)*?\'\'\'|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`(?:[^`\\]|\\.)*`'''
    r"""|(?:\#|--)[^\n]*|/\*.*?\*/|@@\w+|(?P<end>;)|(?<![\w@])@(?P<name>[A-Za-z_]\w*)""",
    re.DOTALL,
)
"""What of SQL is no place for a parameter, and parameters."""
START, STOP, DAY = "start", "stop", "day"
TYPES = {START: "TIMESTAMP", STOP: "TIMESTAMP", DAY: "DATE"}
MOST_BYTES = "100000000000"
SELECT, TRUE, REPEATED = "SELECT", "true", "REPEATED"
NUMBERS = ("NUMERIC", "BIGNUMERIC")
ARROW = {
    **dict.fromkeys(("BOOL", "BOOLEAN"), pa.bool_()),
    "BYTES": pa.binary(),
    "DATE": pa.date32(),
    "DATETIME": pa.timestamp("us"),
    **dict.fromkeys(("FLOAT", "FLOAT64"), pa.float64()),
    **dict.fromkeys(("INT64", "INTEGER"), pa.int64()),
    **dict.fromkeys((*NUMBERS, "STRING", "GEOGRAPHY"), pa.string()),
    "TIME": pa.time64("us"),
    "TIMESTAMP": pa.timestamp("us", "UTC"),
}
"""By BigQuery's type: that of the file. Other types, structs and arrays are refused."""
PAGE_ROWS = 20_000
"""BigQuery ends a page at 10 MB, too."""
QUOTA = "quotaExceeded"
TOO_MANY_BYTES = "bytesBilledLimitExceeded"
TOO_LARGE = "responseTooLarge"
STOPPED = frozenset({"stopped", "timeout"})
AWAY = frozenset({"tableUnavailable", "badGateway"})
POLLS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)  # s
SPARE_SECONDS = 60
"""So long after its time BigQuery may take to end a query, before we do."""


@dataclass(frozen=True)
class Bigquery:
    """A query of BigQuery; it is an Asked.

    Attributes:
        project: Who pays for it.
        query: As it is set.
        location: Of the data, None for wherever the query's are.
        ready: A query that tells whether the day is complete, None for none.
        format: Of the files.
        zone: Of the days, None for UTC.
        maximum_bytes_billed: What each query may read at most.
        timeout_seconds: How long each query may take.
        patience_seconds: How long is tried again in all.
        allow_empty: Whether a day may have no row.
    """

    project: str
    query: str
    location: str | None = None
    ready: str | None = None
    format: str = PARQUET
    zone: ZoneInfo | None = None
    maximum_bytes_billed: int = int(MOST_BYTES)
    timeout_seconds: int = int(OF_A_DATABASE)
    patience_seconds: int = int(IN_ALL)
    allow_empty: bool = False

    @classmethod
    def read(cls, values: Mapping[str, str], folder: Path) -> Self:  # noqa: ARG003 - no file is named
        """Return what a source's section says.

        Raises:
            ConfigError: Something is missing or unknown, or the query isn't one of a day.
        """
        if not PROJECT.fullmatch(values.get("project", "")):
            raise ConfigError("project: expected the id of the project of Google Cloud that pays for the query.")
        location = values.get("location")
        if location is not None and not LOCATION.fullmatch(location):
            raise ConfigError(f"location = {location}: expected where the data are, such as EU or europe-west2.")
        most = values.get("maximum_bytes_billed", MOST_BYTES)
        if not BYTES.fullmatch(most):
            raise ConfigError(f"maximum_bytes_billed = {most}: expected a number of bytes, such as {MOST_BYTES}.")
        timeout, patience = read_seconds(values, OF_A_DATABASE)
        return cls(
            project=values["project"],
            query=_query("query", values.get("query", "")),
            location=location,
            ready=_query("ready", values["ready"]) if "ready" in values else None,
            format=check_format(values.get("format", PARQUET)),
            zone=read_zone(values.get("timezone")),
            maximum_bytes_billed=int(most),
            timeout_seconds=timeout,
            patience_seconds=patience,
            allow_empty=values.get("allow_empty") == TRUE,
        )

    def recorded(self) -> dict[str, object]:
        """See Asked."""
        said = {name: getattr(self, name) for name in ("project", "location", "query", "ready", "format")}
        said["timezone"] = self.zone and self.zone.key
        return {"fetch": "bigquery"} | {name: value for name, value in said.items() if value is not None}

    def parameters(self, day: date) -> dict[str, object]:
        """See Asked."""
        return dict(Span.of(day, self.zone).recorded())

    def fetch(self, day: date, folder: Path) -> list[Part]:
        """See Asked."""

        def attempt() -> list[Part]:
            with self._translated(), closing(self._client()) as client:
                if self.ready:
                    self._check_ready(client, day)
                schema = self._tried(client, self.query, day)
                with (
                    self._running(client, self.query, day) as result,
                    closing(read_ahead([lambda: self._batches(result, schema)], threads=2, items=1)) as ahead,
                ):
                    parts = written(self.format, schema, next(ahead), folder)
                if (rows := sum(each.rows or 0 for each in parts)) != result.total_rows:
                    raise TryAgain(f"of {result.total_rows:,} rows {rows:,} came")
                return parts

        parts = patiently(self._place, attempt, Secrets(), self.patience_seconds)
        if not parts[0].rows and not self.allow_empty:
            raise NotReady(
                f"{self._place} doesn't have {day} yet: the query gives no row. If a day may have none, set "
                "allow_empty = true."
            )
        return parts

    @property
    def _place(self) -> str:
        return f"bigquery://{self.project}"

    def _client(self) -> "bigquery.Client":
        # Google's libraries take long to import, and only who fetches so needs them
        from etl.bigquery_client import client_of  # noqa: PLC0415

        return client_of(self.project, self.location)

    def _check_ready(self, client: "bigquery.Client", day: date) -> None:
        query = self.ready or ""
        self._tried(client, query, day, key="ready")
        with self._running(client, query, day) as result:
            rows = [tuple(row) for row in result]
        if len(rows) > 1 or any(len(row) != 1 or row[0] not in {True, False, None} for row in rows):
            raise InputError(
                f"{self._place}: ready gives something else than one value, true or false. Correct it."
            )
        if rows != [(True,)]:
            raise NotReady(f"{self._place} doesn't have {day} yet: ready doesn't give true.")

    def _tried(self, client: "bigquery.Client", query: str, day: date, key: str = "query") -> pa.Schema:
        """Return the columns that a query would give; it is not run.

        Raises:
            InputError: It is another statement than a `select`, or has a column that can't be written as it is.
        """
        options = self._options(query, day)
        options.dry_run, options.use_query_cache = True, False
        job = client.query(query, options, job_retry=None, **_calls())
        if job.statement_type not in {SELECT, None}:  # of some the emulator doesn't say it
            raise InputError(
                f"{self._place}: {key} is {job.statement_type}, and not a select. Nothing was run. Correct it."
            )
        return self._schema(job.schema or []) if key == "query" else pa.schema([])

    @contextmanager
    def _running(self, client: "bigquery.Client", query: str, day: date) -> Iterator[Any]:
        """Run a query, and give its rows; it is stopped if it goes on when its rows are no longer wanted."""
        from etl import bigquery_client as google  # noqa: PLC0415

        options = self._options(query, day)
        job = client.query(query, options, job_retry=None, **_calls())
        try:
            self._wait(job)
            yield job.result(PAGE_ROWS, job_retry=None, **_calls())
        except BaseException:
            if job.state != "DONE":
                with suppress(*google.FAILURES):
                    job.cancel(retry=None, timeout=google.CONNECT_SECONDS)
            raise

    def _wait(self, job: "bigquery.QueryJob") -> None:
        """Wait until a query has ended, which BigQuery itself sees to."""
        deadline, polls = monotonic() + self.timeout_seconds + SPARE_SECONDS, list(POLLS)
        while not job.done(**_calls()):
            if monotonic() > deadline:
                raise self._too_slow("it has not ended in its time")
            sleep(polls.pop(0) if len(polls) > 1 else polls[0])

    def _options(self, query: str, day: date) -> "bigquery.QueryJobConfig":
        from etl.bigquery_client import OWNER, bigquery  # noqa: PLC0415

        span = Span.of(day, self.zone)
        values = {START: span.start, STOP: span.stop, DAY: day}
        return bigquery.QueryJobConfig(
            query_parameters=[
                bigquery.ScalarQueryParameter(name, TYPES[name], values[name]) for name in sorted(_names(query))
            ],
            connection_properties=[
                bigquery.ConnectionProperty("time_zone", self.zone.key if self.zone else "UTC")
            ],
            maximum_bytes_billed=self.maximum_bytes_billed,
            job_timeout_ms=self.timeout_seconds * 1_000,
            labels={OWNER: "fetch"},
        )

    def _schema(self, fields: "list[bigquery.SchemaField]") -> pa.Schema:
        """Return the columns as they are written.

        Raises:
            InputError: One has a type that has no place there, or no name.
        """
        for each in fields:
            if each.mode == REPEATED or each.field_type in {"RECORD", "STRUCT", "JSON"}:
                kind, cast = (
                    "an array" if each.mode == REPEATED else each.field_type,
                    f"to_json_string({each.name})",
                )
            elif each.field_type not in ARROW:
                kind, cast = each.field_type, f"cast({each.name} as string)"
            elif each.field_type == "BYTES" and self.format != PARQUET:
                kind, cast = each.field_type, f"to_base64({each.name})"
            else:
                continue
            raise InputError(
                f"{self._place}: {each.name} is {kind}, which can't be fetched as {self.format}. Write it in the "
                f"query as {cast} as {each.name}."
            )
        return pa.schema([pa.field(each.name, ARROW[each.field_type]) for each in fields])

    def _batches(self, result: Any, schema: pa.Schema) -> Iterator[pa.RecordBatch]:  # noqa: ANN401 - a RowIterator
        """Yield the rows of each page.

        Raises:
            InputError: They are not as was said before the query ran, or a value has no place in its column.
        """
        numbers = [each.field_type in NUMBERS for each in result.schema]
        if [(each.name, ARROW.get(each.field_type)) for each in result.schema] != [
            (each.name, each.type) for each in schema
        ]:
            raise TryAgain("its tables were changed meanwhile: the columns are others")
        for page in result.pages:
            columns = list(zip(*(tuple(row) for row in page), strict=True))
            if not columns:
                continue
            try:
                arrays = [
                    pa.array(_texts(column) if is_number else column, each.type)
                    for column, each, is_number in zip(columns, schema, numbers, strict=True)
                ]
            except (pa.ArrowException, ValueError, TypeError, OverflowError) as error:
                raise InputError(
                    f"{self._place}: a value can't be written as {self.format}: {error}. Cast its column in the "
                    "query, such as cast(a as string) as a."
                ) from error
            yield pa.RecordBatch.from_arrays(arrays, schema=schema)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Have errors of BigQuery say what is wrong with what, and whether it may be otherwise later."""
        from etl.bigquery_client import FAILURES  # noqa: PLC0415

        try:
            yield
        except FAILURES as error:
            raise self._error(error) from error

    def _error(self, error: Exception) -> LakeError | TryAgain:
        from etl import bigquery_client as google  # noqa: PLC0415

        error = google.cause_of(error)
        reason, text = google.told(error)
        if reason == TOO_MANY_BYTES:
            return InputError(
                f"{self._place}: {text}. Nothing was billed. Have the query read less, by a condition on the "
                "column by which its tables are partitioned, or set maximum_bytes_billed to more than "
                f"{self.maximum_bytes_billed}."
            )
        if reason in STOPPED:
            return self._too_slow(text)
        if reason in google.PASSING | AWAY | {QUOTA} or not _is_answer(error):
            return TryAgain(text)
        if reason != TOO_LARGE and isinstance(error, _locked_out()):
            return StoreError(
                f"{self._place} doesn't let us in: {text}. Check the credentials, and that they permit to run "
                "jobs in the project and to read the tables."
            )
        return InputError(f"{self._place} refuses the query: {text}. Correct it, or location.")

    def _too_slow(self, text: str) -> StoreError:
        return StoreError(
            f"{self._place}: {text}. Set timeout_seconds to more than {self.timeout_seconds}, or have the query "
            "take less."
        )


def _calls() -> dict[str, Any]:
    """Return how calls are made: again where they fail by chance, and for so long."""
    from etl import bigquery_client as google  # noqa: PLC0415

    return {"retry": google.retry_for(google.PATIENCE_SECONDS), "timeout": google.CALL_SECONDS}


def _locked_out() -> tuple[type[Exception], ...]:
    from etl import bigquery_client as google  # noqa: PLC0415

    return (google.exceptions.Forbidden, google.exceptions.Unauthorized, google.GoogleAuthError)


def _is_answer(error: Exception) -> bool:
    """Tell whether an error is what BigQuery, or who gives out credentials, means to say."""
    from etl import bigquery_client as google  # noqa: PLC0415

    if isinstance(error, google.exceptions.GoogleAPICallError):
        return not isinstance(error, google.exceptions.ServerError | google.exceptions.TooManyRequests)
    return isinstance(error, google.GoogleAuthError) and not error.retryable


def _texts(column: tuple[Any, ...]) -> list[str | None]:
    """Return decimals with each of their digits."""
    return [None if each is None else format(each, "f") for each in column]


def _names(query: str) -> set[str]:
    """Return the parameters of a query, which may be written in capitals."""
    return {each["name"].lower() for each in TOKENS.finditer(query) if each["name"]}


def _query(key: str, text: str) -> str:
    """Return a query without what ends it; ConfigError if it isn't one, of a day."""
    query = text.strip().rstrip(";").rstrip()
    if not query or any(each["end"] for each in TOKENS.finditer(query)):
        raise ConfigError(f"{key}: expected one query, a `select`.")
    names, known = _names(query), ", ".join(f"@{each}" for each in TYPES)
    if unknown := sorted(names - set(TYPES)):
        raise ConfigError(f"{key}: @{unknown[0]} means nothing here. Known: {known}.")
    if key == "query" and not names:
        raise ConfigError(
            f"{key} is the same every day. Compare a column with one of {known}; if a whole table is to be kept "
            f"each day, write the day as a column: select @{DAY} as fetched_for, …"
        )
    return query
