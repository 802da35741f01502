"""Elasticsearch and OpenSearch: an index a dataset, and one of receipts, whose names begin with the URL's path.

    PREFIX-error_rate       a document for each row: dt, the contract's columns, rev, and its partition's digest
    PREFIX-lake_receipts    a document for each delivered day of a dataset (and source): revision, digest, lake

There are no transactions, so a day is sent in steps that can be done again: its rows, each with an id of its own
and the revision as its version, so that no older revision takes its place; then rows of other partitions of that
day are deleted; then the receipt is written, over none but the one that was read before. A deliverer of an older
revision that ends at the wrong moment may leave rows beside those of a later one: `receipts` finds them, and the
day is sent again.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import quote

import orjson
import pyarrow as pa

from etl.deliver.ahead import read_ahead
from etl.deliver.deliveries import Delivery
from etl.deliver.elastic_server import BAD_REQUEST, CONFLICT, NOT_FOUND, Document, ElasticServer
from etl.deliver.target import Place, Receipt, Tally, is_counted, is_due
from lake.contract import Column
from lake.errors import StoreError, TargetRefused
from lake.published import Published

EXISTS = "resource_already_exists_exception"
RECEIPTS = "lake_receipts"
OURS = "error-rate-lake"
TYPES = {
    "bool": "boolean",
    "date32[day]": "date",
    "double": "double",
    "int16": "short",
    "int32": "integer",
    "int64": "long",
    "string": "keyword",
    "timestamp[us]": "date_nanos",  # a `date` has milliseconds
}
"""Elasticsearch's types by Arrow's."""
LONGEST_TERM = 8_191
"""Characters of a text that can be searched for: a third of the 32,766 bytes that a term may have."""
DIGEST = Column("sha256", pa.string(), "hexadecimal", "Digest of the partition that the row was sent from")
RECEIPT_COLUMNS = (
    Column("dataset", pa.string(), "name", "The dataset"),
    Column("version", pa.int32(), "number", "Version of its contract"),
    Column("dt", pa.date32(), "UTC day", "The day"),
    Column("source", pa.string(), "name", "The source, empty where the dataset is not kept per source"),
    Column("revision", pa.int32(), "number", "Revision that was delivered"),
    Column("sha256", pa.string(), "hexadecimal", "Digest of its bytes"),
    Column("lake", pa.string(), "id", "Id of the lake"),
)
JSON = orjson.OPT_NAIVE_UTC | orjson.OPT_UTC_Z
LONGEST_ID = 512
"""Bytes that an id may have."""
ROWS = 2_000
"""So many rows are taken from a batch at a time."""
BODY_BYTES = 5_000_000
"""A request is sent once it has so many bytes; some servers take 10 MB at most."""
OPERATION_BYTES = 80
"""What a document's operation takes beside its id, about."""
PAGE = 1_000
DAYS = 100
SOURCES = 600
"""So many days, and sources of each, are added up in a request: a server adds up 65,536 at most."""
RESTATED = 200
"""So many restated days are looked at in a request, with four conditions each, of 1,024 that a query may have."""
FIRST_DAY = date(1970, 1, 1)
DAY_MS = 86_400_000


class Seen(NamedTuple):
    """A receipt as it was read, and the number of that write, which a later one replaces."""

    receipt: Receipt
    seq_no: int
    primary_term: int


class Elasticsearch:
    """The indices of a prefix; it is a `Target`."""

    to_forget = "delete the dataset's index there: then all its days are sent anew"

    def __init__(self, server: ElasticServer) -> None:
        self.place = server.place
        self._server = server
        self._prepared: set[str] = set()
        self._mixed: set[tuple[str, Place]] = set()
        self._is_ours(RECEIPTS)  # it answers, and as Elasticsearch does

    def receipts(self, dataset: str, start: date | None, stop: date | None) -> dict[Place, Receipt]:
        """See Target; that of a day with rows of an older revision beside its own is of an older revision."""
        if not self._is_ours(RECEIPTS) or not self._mapping(dataset):
            return {}
        found = self._receipts(dataset, start, stop)
        for place in self._with_older_rows(dataset, list(found.values())):
            self._mixed.add((dataset, place))
            found[place] = replace(found[place], revision=found[place].revision - 1)
        return found

    def deliver(
        self,
        due: Sequence[Published],
        lake: str,
        every: Callable[[str], list[Published]],  # noqa: ARG002 - it can replace a day
    ) -> Iterator[Published]:
        """See Target."""
        for each, rows in read_ahead(due):
            if each.contract.name not in self._prepared:
                self._prepare(each, lake)
                self._prepared.add(each.contract.name)
            if self._deliver(each, rows, lake):
                yield each

    def tallies(self, published: Published, start: date | None, stop: date | None) -> dict[Place, Tally]:
        """See Target."""
        dataset, has_source = published.contract.name, published.contract.per_source
        place = ("dt", "source") if has_source else ("dt",)
        columns = [each for each in published.columns if each.name not in place]
        sums = {each.name: _sum_of(each) for each in columns}
        self._refresh(dataset)
        found: dict[Place, Tally] = {}
        for at, sum_of in self._by_place(dataset, _days(start, stop), sums, has_source=has_source):
            count = sum_of["doc_count"]
            tally = {"rows": count, **dict.fromkeys(place, count)}
            for each in columns:
                values = sum_of[each.name]
                tally[each.name] = int(values["value"]) if is_counted(each) else values["doc_count"]
            found[at] = tally
        return found

    def _receipts(self, dataset: str, start: date | None, stop: date | None) -> dict[Place, Receipt]:
        self._refresh(RECEIPTS)
        query = {"bool": {"filter": [{"term": {"dataset": dataset}}, *_days(start, stop)]}}
        asked: dict[str, Any] = {"size": PAGE, "query": query, "sort": [{"dt": "asc"}, {"source": "asc"}]}
        found: dict[Place, Receipt] = {}
        while True:
            hits = self._search(RECEIPTS, asked)["hits"]["hits"]
            receipts = [_receipt(each["_source"]) for each in hits]
            found |= {each.place: each for each in receipts}
            if len(hits) < PAGE:
                return found
            asked["search_after"] = hits[-1]["sort"]

    def _with_older_rows(self, dataset: str, receipts: Sequence[Receipt]) -> Iterator[Place]:
        """Yield the delivered days that have rows of an older revision than that of their receipt."""
        restated = [each for each in receipts if each.revision]
        if restated:
            self._refresh(dataset)
        for first in range(0, len(restated), RESTATED):
            some = restated[first : first + RESTATED]
            anyone = {"bool": {"should": [_others(each) for each in some], "minimum_should_match": 1}}
            for place, _ in self._by_place(dataset, [anyone], {}, has_source=some[0].source is not None):
                yield place

    def _by_place(
        self, dataset: str, filters: Sequence[Any], sums: dict[str, Any], *, has_source: bool
    ) -> Iterator[tuple[Place, dict[str, Any]]]:
        """Yield each day (and source) of the rows that pass filters, with their number and sums."""
        of_source = {"source": {"terms": {"field": "source", "size": SOURCES}, "aggs": sums}}
        days = {"date_histogram": {"field": "dt", "fixed_interval": "1d", "min_doc_count": 1}}
        by_day = {"days": {**days, "aggs": of_source if has_source else sums}}
        start: date | None = FIRST_DAY
        while start := self._first_day(dataset, [*filters, *_days(start, None)]):
            stop = start + timedelta(days=DAYS)
            found = self._aggregate(dataset, [*filters, *_days(start, stop)], by_day)
            for each in found["days"]["buckets"]:
                dt = FIRST_DAY + timedelta(days=each["key"] // DAY_MS)
                for rows in each["source"]["buckets"] if has_source else [each]:
                    yield Place(dt, rows["key"] if has_source else None), rows
            start = stop

    def _deliver(self, published: Published, rows: Iterable[pa.RecordBatch], lake: str) -> bool:
        """Deliver a partition; return whether it was sent, and not there already."""
        receipt = Receipt.of(published, lake)
        seen = self._seen(receipt)
        is_mixed = (receipt.dataset, receipt.place) in self._mixed
        if not is_due(receipt, seen.receipt if seen else None, self) and not is_mixed:
            return False
        for documents in _bodies(_documents(published, rows)):
            self._write(receipt, documents)
        self._delete_others(receipt)
        if self._replace(receipt, seen):
            return True
        self._check_overtaken(receipt)
        return False

    def _write(self, receipt: Receipt, documents: Sequence[Document]) -> None:
        """Write rows, over those of older revisions, and over what somebody has changed."""
        version = {"version": receipt.revision + 1, "version_type": "external_gte"}
        index = self._name(receipt.dataset)
        conflicts = self._server.bulk(
            index, [({"index": {"_id": each[0], **version}}, each) for each in documents]
        )
        if not conflicts:
            return
        asked = {"ids": [each[0] for each in conflicts]}
        there = self._server.ask("POST", f"/{index}/_mget?_source=rev", asked).content["docs"]
        again: list[tuple[dict[str, Any], Document]] = []
        for document, found in zip(conflicts, there, strict=True):
            if not found.get("found"):  # it was deleted a moment ago
                again.append(({"create": {"_id": document[0]}}, document))
            elif found["_source"]["rev"] <= receipt.revision:  # by hand: that counts versions, too
                expected = {"if_seq_no": found["_seq_no"], "if_primary_term": found["_primary_term"]}
                again.append(({"index": {"_id": document[0], **expected}}, document))
            else:
                self._check_overtaken(receipt)
                raise self._busy(receipt)
        if self._server.bulk(index, again):
            raise self._busy(receipt)

    def _delete_others(self, receipt: Receipt) -> None:
        """Delete a day's rows that are of older revisions, or of other bytes of the same one."""
        self._refresh(receipt.dataset)
        path = f"/{self._name(receipt.dataset)}/_delete_by_query?conflicts=proceed"
        done = self._server.ask("POST", path, {"query": _others(receipt)}).content
        if done.get("failures") or done.get("timed_out"):
            raise StoreError(f"{self.place}: could not delete the older rows of {receipt}. Run the command again.")

    def _check_overtaken(self, receipt: Receipt) -> None:
        """After somebody else has written the same day: leave no rows beside theirs; see `is_due`.

        Raises:
            TargetRefused: Theirs is newer, or of another lake.
            StoreError: They are not ready.
        """
        seen = self._seen(receipt)
        if seen and seen.receipt.revision > receipt.revision:
            self._delete_others(seen.receipt)
        if is_due(receipt, seen.receipt if seen else None, self):
            raise self._busy(receipt)

    def _busy(self, receipt: Receipt) -> StoreError:
        return StoreError(
            f"{self.place}: another deliverer sends {receipt} at this moment, or somebody changes it there. Run "
            "the command again once they have ended."
        )

    def _seen(self, receipt: Receipt) -> Seen | None:
        """Return the receipt that is there of the same day, as the last write left it."""
        path = f"/{self._name(RECEIPTS)}/_doc/{_receipt_id(receipt)}"
        found = self._server.ask("GET", path, expected=[NOT_FOUND]).content
        if not found.get("found"):
            return None
        return Seen(_receipt(found["_source"]), found["_seq_no"], found["_primary_term"])

    def _replace(self, receipt: Receipt, seen: Seen | None) -> bool:
        """Write a receipt over the one that was seen, or over none; return whether that was still so."""
        name, made = self._name(RECEIPTS), _receipt_id(receipt)
        path = f"/{name}/_create/{made}"
        if seen:
            path = f"/{name}/_doc/{made}?if_seq_no={seen.seq_no}&if_primary_term={seen.primary_term}"
        document = asdict(receipt) | {"source": receipt.source or ""}
        return self._server.ask("PUT", path, document, expected=[CONFLICT]).status != CONFLICT

    def _prepare(self, published: Published, lake: str) -> None:
        """Make sure that a dataset's index is there, is ours and has our fields, and so for the receipts."""
        made, name = published.contract, published.contract.name
        columns = (*published.columns, DIGEST)
        if not self._is_ours(RECEIPTS):
            self._create(RECEIPTS, RECEIPT_COLUMNS, {"of": OURS, "dataset": RECEIPTS, "version": 1})
            self._is_ours(RECEIPTS)
        mark = {"of": OURS, "dataset": name, "version": made.version, "lake": lake}
        meta = {**mark, "grain": f"A document is {made.grain}, on one UTC day"}
        if not self._mapping(name):
            self._refresh(RECEIPTS)  # those of an index that somebody deleted
            path = f"/{self._name(RECEIPTS)}/_delete_by_query?conflicts=proceed"
            self._server.ask("POST", path, {"query": {"term": {"dataset": name}}})
            self._create(name, columns, meta)
        there = self._mapping(name) or {}
        self._check_mark(name, there, mark)
        self._check_fields(name, columns, there, meta)

    def _create(self, name: str, columns: Sequence[Column], meta: dict[str, Any]) -> None:
        """Create an index; another deliverer may do so at the same time."""
        mapping = {"dynamic": "strict", **_meta(columns, meta), **_properties(columns)}
        answer = self._server.ask("PUT", f"/{self._name(name)}", {"mappings": mapping}, expected=[BAD_REQUEST])
        if answer.status == BAD_REQUEST and answer.content["error"]["type"] != EXISTS:
            raise TargetRefused(
                f"{self.place}: can't create index {self._name(name)}: {self._server.told(answer.content)}."
            )

    def _check_fields(
        self, name: str, columns: Sequence[Column], there: dict[str, Any], meta: dict[str, Any]
    ) -> None:
        """Add what the contract has gained; TargetRefused if anything else is not as the contract has it."""
        fields = {field: each.get("type", "object") for field, each in there.get("properties", {}).items()}
        wanted = {each.name: each for each in columns}
        wrong = [f"{each} is not one of ours" for each in fields if each not in wanted]
        if there.get("dynamic") != "strict":
            wrong.append(f"dynamic is {there.get('dynamic', 'true')} and should be strict")
        missing = [each for each in columns if each.name not in fields]
        wrong += [f"{each.name} is missing" for each in missing if not each.added]
        wrong += [
            f"{field} is {kind} and should be {_type(wanted[field])}"
            for field, kind in fields.items()
            if field in wanted and kind != _type(wanted[field])
        ]
        if wrong:
            raise TargetRefused(
                f"Index {self._name(name)} in {self.place} has other fields: {'; '.join(wrong)}. Nothing was "
                "changed. A field can't be changed back: copy the index to another name if need be, and delete "
                "it. Then all its days are sent anew."
            )
        if missing:
            added = {**_meta(columns, meta), **_properties(missing)}
            self._server.ask("PUT", f"/{self._name(name)}/_mapping", added)

    def _is_ours(self, name: str) -> bool:
        """Tell whether the index of the receipts is there; TargetRefused if it is somebody else's."""
        there = self._mapping(name)
        if there is None:
            return False
        self._check_mark(name, there, {"of": OURS, "dataset": name})
        return True

    def _check_mark(self, name: str, there: dict[str, Any], mark: dict[str, Any]) -> None:
        meta = there.get("_meta", {})
        if any(meta.get(key) != value for key, value in mark.items() if key != "lake"):
            raise self._not_ours(name)
        if "lake" in mark and meta.get("lake") != mark["lake"]:
            raise TargetRefused(
                f"{self._name(name)} in {self.place} is another lake's ({meta.get('lake')}, this one is "
                f"{mark['lake']}). Nothing was changed. Deliver to another prefix, or {self.to_forget}."
            )

    def _not_ours(self, name: str) -> TargetRefused:
        return TargetRefused(
            f"{self._name(name)} in {self.place} isn't an index of this delivery: the _meta of its mapping "
            "doesn't say so. Nothing was changed. Deliver to another prefix, which is the path of the URL."
        )

    def _mapping(self, name: str) -> dict[str, Any] | None:
        """Return an index's mapping, None if it is missing; TargetRefused if the name is that of an alias."""
        answer = self._server.ask("GET", f"/{self._name(name)}/_mapping", expected=[NOT_FOUND])
        if answer.status == NOT_FOUND:
            return None
        if self._name(name) not in answer.content:
            raise self._not_ours(name)
        return dict(answer.content[self._name(name)]["mappings"])

    def _first_day(self, dataset: str, filters: Sequence[Any]) -> date | None:
        """Return the first day of the rows that pass filters, None if none does."""
        asked = {"size": 1, "query": {"bool": {"filter": [*filters]}}, "sort": [{"dt": "asc"}], "_source": ["dt"]}
        hits = self._search(dataset, asked)["hits"]["hits"]
        return date.fromisoformat(hits[0]["_source"]["dt"]) if hits else None

    def _aggregate(self, dataset: str, filters: Sequence[Any], sums: dict[str, Any]) -> dict[str, Any]:
        asked = {"size": 0, "query": {"bool": {"filter": [*filters]}}, "aggs": sums}
        return dict(self._search(dataset, asked)["aggregations"])

    def _search(self, name: str, asked: dict[str, Any]) -> dict[str, Any]:
        found = self._server.ask("POST", f"/{self._name(name)}/_search", asked).content
        if found["timed_out"] or found["_shards"]["failed"]:
            raise StoreError(f"{self.place}: a part of {self._name(name)} doesn't answer. Run the command again.")
        return dict(found)

    def _refresh(self, name: str) -> None:
        """Have searches see all that was written."""
        self._server.ask("POST", f"/{self._name(name)}/_refresh")

    def _name(self, name: str) -> str:
        """Return the name of a dataset's index."""
        return f"{self._server.prefix}{name}"


@contextmanager
def opened(delivery: Delivery) -> Iterator[Elasticsearch]:
    """Give the indices of a delivery; the connection is closed afterwards.

    Raises:
        ConfigError: Its URL has a path or options that mean nothing.
        StoreError: The server doesn't answer, or doesn't let us in.
    """
    server = ElasticServer(delivery)
    try:
        yield Elasticsearch(server)
    finally:
        server.close()


def _documents(published: Published, rows: Iterable[pa.RecordBatch]) -> Iterator[Document]:
    """Yield a partition's rows, each with its id: of its key, or of its number where the dataset has none."""
    nullable = {each.name for each in published.columns if each.nullable}
    key = [] if nullable & {*published.contract.key} else published.contract.key
    place = [published.dt, *([published.source] if published.source is not None else [])]
    digest, number = {DIGEST.name: published.sha256}, 0
    for batch in rows:
        for first in range(0, len(batch), ROWS):
            for row in batch.slice(first, ROWS).to_pylist():
                yield (
                    _id(*place, *([row[each] for each in key] or [number])),
                    orjson.dumps(row | digest, option=JSON),
                )
                number += 1


def _bodies(documents: Iterable[Document]) -> Iterator[list[Document]]:
    """Yield documents in lists of a bounded size."""
    made: list[Document] = []
    size = 0
    for each in documents:
        made.append(each)
        size += OPERATION_BYTES + len(each[0]) + len(each[1])
        if size >= BODY_BYTES:
            yield made
            made, size = [], 0
    if made:
        yield made


def _id(*parts: object) -> str:
    """Return an id: its parts, which differ if it does, or their digest where it would be too long."""
    texts = (each.isoformat() if isinstance(each, datetime) else str(each) for each in parts)
    text = "|".join(each.replace("%", "%25").replace("|", "%7C") for each in texts)
    return text if len(text.encode()) <= LONGEST_ID else hashlib.sha256(text.encode()).hexdigest()


def _receipt_id(receipt: Receipt) -> str:
    return quote(_id(receipt.dataset, receipt.dt, receipt.source or ""), safe="")


def _receipt(found: dict[str, Any]) -> Receipt:
    """Return the receipt that a document is."""
    return Receipt(**found | {"dt": date.fromisoformat(found["dt"]), "source": found["source"] or None})


def _others(receipt: Receipt) -> dict[str, Any]:
    """Return a query for a day's rows that are not a receipt's, nor of a later revision."""
    place = [{"term": {"dt": receipt.dt.isoformat()}}]
    place += [{"term": {"source": receipt.source}}] if receipt.source is not None else []
    older = {"range": {"rev": {"lte": receipt.revision}}}
    return {"bool": {"filter": [*place, older], "must_not": [{"term": {DIGEST.name: receipt.sha256}}]}}


def _days(start: date | None, stop: date | None) -> list[dict[str, Any]]:
    """Return filters for the days `[start, stop)`."""
    bounds = {sign: day.isoformat() for sign, day in (("gte", start), ("lt", stop)) if day}
    return [{"range": {"dt": bounds}}] if bounds else []


def _sum_of(column: Column) -> dict[str, Any]:
    """Return what adds up a column's values, or counts the documents that have one."""
    if is_counted(column):
        return {"sum": {"field": column.name}}
    return {"filter": {"exists": {"field": column.name}}}


def _properties(columns: Iterable[Column]) -> dict[str, Any]:
    """Return the fields of a mapping."""
    texts = {"ignore_above": LONGEST_TERM}
    return {
        "properties": {
            each.name: {"type": _type(each), **(texts if _type(each) == "keyword" else {})} for each in columns
        }
    }


def _meta(columns: Iterable[Column], meta: dict[str, Any]) -> dict[str, Any]:
    """Return what a mapping says of itself: whose it is, and what each of its fields means."""
    return {
        "_meta": {**meta, "columns": {each.name: {"meaning": each.meaning, "unit": each.unit} for each in columns}}
    }


def _type(column: Column) -> str:
    return TYPES[str(column.type)]
