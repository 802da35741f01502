"""`fetch = elasticsearch`: a day's documents of an index of Elasticsearch or OpenSearch, as lines of NDJSON.

    url = https://logs.example.org:9200     with headers (Authorization: ApiKey ${KEY}), basic_auth, ca
    index = nginx-*                         or nginx-{YYYY}.{MM}.{DD}
    time = @timestamp                       the field that tells a document's day; this one if not said
    query = {"term": {"kind": "access"}}    which documents; all if not said
    timezone = Europe/London                of the days; UTC if not said

Each document is a line, as it was indexed. They are read at a point in time, so that what is indexed meanwhile
is not among them, and by their time: a page ends before its last millisecond, with which the next one begins. So
equal times lose nothing, on both servers. Those of a millisecond are in the order of their ids. In the end their
number is compared with what the server counts.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from etl.fetch import http_settings
from etl.fetch.asked import NotReady
from etl.fetch.days import check_template
from etl.fetch.documents import NoSuchValue, raw_at, records_at, value_at
from etl.fetch.environment import Secrets
from etl.fetch.http_settings import HttpSettings
from etl.fetch.parts import GZIP, Part, part_file
from lake.errors import ConfigError, InputError, LakeError

if TYPE_CHECKING:
    from etl.fetch.pages import Pages

OF_HTTP = ("headers", "basic_auth", "ca", "ready", "ready_if", "missing", "timeout_seconds", "patience_seconds")
KEYS = ("url", "index", "time", "query", *OF_HTTP)
"""The settings of a source that is fetched so, beside `timezone` and `allow_empty`."""
TIME = "@timestamp"
KEEP = "keep_alive=10m"
PAGE, LARGEST_PAGE = 2_000, 10_000
MILLIS_END = 10**14
"""So large a time is one of nanoseconds."""
PART_BYTES = 256_000_000
PIT = "PIT"
NO_HANDLER = "no handler found"
"""What both servers say of a path that they don't know."""


@dataclass(frozen=True)
class Elasticsearch:
    """Documents of an index; it is an Asked.

    Attributes:
        http: How the server is asked.
        index: A template of its name, or of a pattern of names.
        time: The field of a document's time.
        query: As JSON, None for all documents.
    """

    http: HttpSettings
    index: str
    time: str = TIME
    query: str | None = None

    @classmethod
    def read(cls, values: Mapping[str, str], folder: Path) -> Self:
        """Return what a source's section says.

        Raises:
            ConfigError: Something is missing, unknown, or a secret that doesn't come from the environment.
        """
        index = values.get("index", "")
        if not index or set(index) & set('/?#\\"<> '):
            raise ConfigError("index: expected the name of an index, or a pattern of names, such as nginx-*.")
        check_template("index", index)
        http_settings.check_url("url", values.get("url", ""))
        query = values.get("query")
        try:
            is_query = query is None or isinstance(json.loads(query), dict)
        except ValueError:
            is_query = False
        if not is_query:
            raise ConfigError('query: expected JSON, such as {"term": {"kind": "access"}}.')
        shared = ("url", "timezone", "allow_empty", *OF_HTTP)
        more = {key: value for key, value in values.items() if key in shared}
        return cls(HttpSettings.read(more, folder), index, values.get("time", TIME), query)

    def recorded(self) -> dict[str, object]:
        """See Asked."""
        said = {"fetch": "elasticsearch", "index": self.index, "time": self.time}
        return self.http.recorded() | said | ({"query": self.query} if self.query else {})

    def parameters(self, day: date) -> dict[str, object]:
        """See Asked."""
        return self.http.parameters(day)

    def fetch(self, day: date, folder: Path) -> list[Part]:
        """See Asked."""
        # urllib3 takes long to import, and planning needs none
        from etl.fetch.asking import Client  # noqa: PLC0415
        from etl.fetch.pages import Pages  # noqa: PLC0415

        http = self.http
        client = Client(Secrets(), http.ca, http.timeout_seconds, http.patience_seconds)
        parts: list[Part] = []
        with closing(client):
            pages = Pages(http, client, day, folder)
            pages.check_ready()
            documents = self._documents(pages)
            line = next(documents, None)
            while line is not None or not parts:
                with part_file(folder / f"fetched-{len(parts)}", f"ndjson{GZIP}") as file:
                    file.rows = 0
                    while line is not None and file.content_bytes < PART_BYTES:
                        file.write(line + b"\n")
                        file.rows += 1
                        line = next(documents, None)
                    parts.append(file.finish())
        if not parts[0].rows and not http.allow_empty:
            raise NotReady(
                f"{self._base}/{self.index} doesn't have {day} yet: it has no document. If a day may have none, "
                "set allow_empty = true."
            )
        return parts

    @property
    def _base(self) -> str:
        return self.http.url.rstrip("/")

    def _documents(self, pages: "Pages") -> Iterator[bytes]:
        """Yield the documents of the day, by their time, then by their id."""
        pit, of_opensearch = self._opened(pages)
        try:
            yield from self._read(pages, pit)
        finally:
            path, name = ("_search/point_in_time", "pit_id") if of_opensearch else ("_pit", "id")
            with suppress(LakeError):  # the server closes it, too, a little later
                pages.document(f"{self._base}/{path}", "DELETE", f'{{"{name}": "{{{PIT}}}"}}', {PIT: pit})

    def _opened(self, pages: "Pages") -> tuple[str, bool]:
        """Return a point in time, and whether it is one of OpenSearch, which opens them in another way."""
        url = f"{self._base}/{self.index}"
        try:
            return str(_value(pages.document(f"{url}/_pit?{KEEP}", "POST"), "/id")), False
        except InputError as error:
            if NO_HANDLER not in str(error):
                raise
        document = pages.document(f"{url}/_search/point_in_time?{KEEP}", "POST")
        return str(_value(document, "/pit_id")), True

    def _read(self, pages: "Pages", pit: str) -> Iterator[bytes]:
        after, size, rows, total = "{START_SECONDS}000", PAGE, 0, None
        while True:
            url = f"{self._base}/_search?allow_partial_search_results=false"
            document = pages.document(url, "POST", self._search(after, size, is_counted=total is None), {PIT: pit})
            if _value(document, "/timed_out") or _value(document, "/_shards/failed"):
                raise InputError(f"{self._base}: some shards didn't answer. Run the same again later.")
            total = _value(document, "/hits/total/value") if total is None else total
            hits = list(zip(_value(document, "/hits/hits"), records_at(document, "/hits/hits"), strict=True))
            is_last = len(hits) < size
            last = _millis(hits[-1][0]) if hits else None
            # of the last millisecond there may be more: they come with the next page
            whole = [each for each in hits if is_last or _millis(each[0]) != last]
            for hit, text in sorted(whole, key=lambda each: (_millis(each[0]), _id(each[0]))):
                yield _source(text, hit)
                rows += 1
            if is_last:
                break
            if not whole:
                if size == LARGEST_PAGE:
                    raise InputError(
                        f"{self._base}: more than {LARGEST_PAGE:,} documents have the same {self.time}. Fetch "
                        "them by another field, or in parts by query."
                    )
                size = LARGEST_PAGE
            after = str(last)
        if rows != total:
            raise InputError(f"{self._base}: it counts {total} documents, and {rows} came. Run the same again.")

    def _search(self, after: str, size: int, *, is_counted: bool) -> str:
        """Return the template of a search."""
        bounds = {"gte": after, "lt": "{STOP_SECONDS}000", "format": "epoch_millis"}
        filters: list[Any] = [{"range": {self.time: bounds}}]
        filters += [json.loads(self.query)] if self.query else []
        return json.dumps(
            {
                "size": size,
                "pit": {"id": f"{{{PIT}}}", "keep_alive": KEEP.partition("=")[2]},
                "query": {"bool": {"filter": filters}},
                "sort": [{self.time: "asc"}],
                "track_total_hits": is_counted,
            }
        )


def _source(text: bytes, hit: Mapping[str, Any]) -> bytes:
    """Return a hit's document, as it was indexed, in one line."""
    if "_source" not in hit:
        raise InputError("An index without _source keeps no documents: nothing can be fetched of it.")
    return raw_at(text.decode(), "/_source")


def _value(document: str, pointer: str) -> Any:  # noqa: ANN401 - whatever stands there
    try:
        return value_at(document, pointer)
    except (NoSuchValue, ValueError) as error:
        raise InputError(f"An answer is not as Elasticsearch's are: {pointer} is not there.") from error


def _millis(hit: Mapping[str, Any]) -> int:
    """Return a hit's time in milliseconds."""
    moment = int(hit["sort"][0])
    return moment // 1_000_000 if moment >= MILLIS_END else moment


def _id(hit: Mapping[str, Any]) -> str:
    return f"{hit['_index']}/{hit['_id']}"
