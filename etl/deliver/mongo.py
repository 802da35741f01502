"""MongoDB: a collection a dataset, and one of receipts, in the database that the URL names.

    error_rate        a document a row: dt, the contract's columns, rev, digest; the validator is the contract
    lake_receipts     a document for each delivered day of a dataset (and source): revision, digest, lake

A server by itself has no transactions, so a day is sent in steps that can be repeated: its receipt is begun, its
rows replace those of earlier revisions, what is not of this revision is deleted, and the receipt names the
revision. Each write has a condition that no later revision meets. So all that a late deliverer can do is to add
rows of its own, earlier revision. A receipt beside such rows doesn't count, and the next delivery deletes them.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import date
from typing import Any, NoReturn
from urllib.parse import unquote, urlsplit

import pyarrow as pa

from etl.deliver.ahead import read_ahead
from etl.deliver.deliveries import Delivery
from etl.deliver.target import Place, Receipt, Tally, is_counted, is_due
from lake.contract import Column
from lake.errors import ConfigError, StoreError, TargetRefused
from lake.published import Published

try:
    from pymongo import DeleteOne, MongoClient, ReadPreference, ReplaceOne, WriteConcern
    from pymongo.collection import Collection
    from pymongo.database import Database
    from pymongo.errors import (
        BulkWriteError,
        ConfigurationError,
        ConnectionFailure,
        DuplicateKeyError,
        ExecutionTimeout,
        OperationFailure,
        PyMongoError,
        WriteConcernError,
    )
    from pymongo.uri_parser import split_options

    from etl.deliver.mongo_documents import (
        AT_ONCE,
        MICROSECONDS,
        OURS,
        Document,
        digest_of,
        documents,
        mark,
        midnight,
        place_of,
        schema_of,
    )
except ImportError as error:
    raise ConfigError(
        "What delivers to MongoDB is not installed. Install it with: pip install 'error-rate-lake[mongodb]'"
    ) from error

RECEIPTS = "lake_receipts"
SENDING = "sending"
"""The field of a receipt that says which revision is being sent, or was when its deliverer ended."""
RECEIPTS_MARK = f"receipts {OURS}"
INDEX = "lake_day"
STRICT = {"validationLevel": "strict", "validationAction": "error"}
OPTIONS = {"appname": "error-rate-lake", "serverSelectionTimeoutMS": 10_000, "connectTimeoutMS": 10_000}
MAJORITY = WriteConcern("majority", wtimeout=60_000)  # ms
DUPLICATE_KEY, NAMESPACE_EXISTS = 11_000, 48
AWAY = (ConnectionFailure, ExecutionTimeout, WriteConcernError)
"""Errors of a server that is away, too slow or going down, and not of what is asked of it."""
TIMEOUTS = re.compile(r"\s*\(configured timeouts:[^)]*\)|, Timeout: .*", re.DOTALL)
HIDDEN = "***"
LONGEST = 300  # characters of what the driver or the server says


class Mongo:
    """A database, as long as there is a client of it; it is a `Target`."""

    to_forget = f"delete its document from {RECEIPTS} there, and the documents of that day"

    def __init__(self, delivery: Delivery, database: Database[Document]) -> None:
        self.place = delivery.place
        self._database = database
        self._receipts: Collection[Document] = database[RECEIPTS]
        self._url = delivery.to
        self._prepared: set[str] = set()

    def receipts(self, dataset: str, start: date | None, stop: date | None) -> dict[Place, Receipt]:
        """See Target; a day beside whose receipt there are rows of an earlier revision has none."""
        with self._asking("read receipts"):
            if not self._is_ours(RECEIPTS, RECEIPTS_MARK) or not self._options(dataset):
                return {}
            found = self._find_receipts({"dataset": dataset, **_days(start, stop)})
            left_over = self._left_over(dataset, found)
        return {each.place: each for each in found if each.place not in left_over}

    def deliver(
        self,
        due: Sequence[Published],
        lake: str,
        every: Callable[[str], list[Published]],  # noqa: ARG002 - it can replace a day
    ) -> Iterator[Published]:
        """See Target."""
        for each, rows in read_ahead(due):
            if each.contract.name not in self._prepared:
                with self._asking(f"prepare {each.contract.name}"):
                    self._prepare(each)
                self._prepared.add(each.contract.name)
            if self._deliver(each, rows, lake):
                yield each

    def tallies(self, published: Published, start: date | None, stop: date | None) -> dict[Place, Tally]:
        """See Target."""
        has_source, place = published.contract.per_source, place_of(published.contract)
        columns = [each for each in published.columns if each.name not in place]
        sums = {each.name: {"$sum": f"${each.name}" if is_counted(each) else _is_there(each)} for each in columns}
        group = {"_id": {name: f"${name}" for name in place}, "rows": {"$sum": 1}, **sums}
        with self._asking(f"add up {published.contract.name}"):
            rows = list(
                self._database[published.contract.name].aggregate(
                    [{"$match": _days(start, stop)}, {"$group": group}]
                )
            )
        found: dict[Place, Tally] = {}
        for row in rows:
            of, count = row["_id"], int(row["rows"])
            tally = {"rows": count, **dict.fromkeys(place, count)}
            tally |= {each.name: int(row[each.name]) for each in columns}
            found[Place(of["dt"].date(), of.get("source") if has_source else None)] = tally
        return found

    def _deliver(self, published: Published, rows: Iterator[pa.RecordBatch], lake: str) -> bool:
        """Deliver a partition; return whether anything was to be done, and not done already."""
        receipt = Receipt.of(published, lake)
        begun = {"$set": {**_place_of(receipt), SENDING: receipt.revision}}
        whole = {
            "$set": {**_place_of(receipt), "revision": receipt.revision, "sha256": receipt.sha256},
            "$unset": {SENDING: ""},
            "$currentDate": {"delivered_at": True},
        }
        with self._asking(f"deliver {receipt}"):
            is_begun = self._write(receipt, begun)
            if is_begun and self._replace(published, rows) and self._write(receipt, whole):
                return True
            there = next(iter(self._find_receipts({"_id": _place_of(receipt)})), None)
            deleted = 0
            if there and there.lake == receipt.lake and (is_begun or there.revision == receipt.revision):
                # what a late deliverer has left there, this one or another
                older = {**_rows_of(there), "rev": {"$lt": there.revision}}
                deleted = self._database[receipt.dataset].delete_many(older).deleted_count
        if is_due(receipt, there, self):  # another one was faster, be it with the same, or with what is refused
            raise TargetRefused(
                f"{receipt} in {self.place} has rows of a later revision than the lake, which has "
                f"{receipt.revision}. Run this again once no other delivery is at work. If it says the same, "
                "delete the documents of that day there: then it is delivered anew."
            )
        return deleted > 0

    def _write(self, receipt: Receipt, change: Document) -> bool:
        """Change a receipt, or insert it; return whether there is none that it may not replace."""
        replaced = {
            "_id": _place_of(receipt),
            "lake": receipt.lake,
            "version": receipt.version,
            "revision": {"$not": {"$gte": receipt.revision}},  # one that is begun has none
        }
        for _ in range(2):  # the first is in vain where another one has inserted it at the same moment
            with suppress(DuplicateKeyError):
                self._receipts.update_one(replaced, change, upsert=True)
                return True
        return False

    def _replace(self, published: Published, rows: Iterator[pa.RecordBatch]) -> bool:
        """Make a partition's rows those of its day; return whether there are none of a later revision."""
        collection = self._database[published.contract.name]
        for some in documents(published, rows):
            if not _put(collection, some):
                return False
        others = {**_rows_of(published), "digest": {"$ne": digest_of(published)}}
        collection.delete_many({**others, "rev": {"$lte": published.revision}})
        return collection.find_one(others, {"_id": 1}) is None

    def _find_receipts(self, which: Document) -> list[Receipt]:
        """Return receipts of days that were once delivered whole."""
        return [
            Receipt(
                each["dataset"],
                each["version"],
                each["dt"].date(),
                each["source"],
                each["revision"],
                each["sha256"],
                each["lake"],
            )
            for each in self._receipts.find({**which, "revision": {"$exists": True}})
        ]

    def _left_over(self, dataset: str, receipts: Sequence[Receipt]) -> set[Place]:
        """Return the places with rows of an earlier revision than that of their receipt."""
        older = [{**_rows_of(each), "rev": {"$lt": each.revision}} for each in receipts if each.revision]
        return {
            Place(each["dt"].date(), each.get("source"))
            for begin in range(0, len(older), AT_ONCE)
            for each in self._database[dataset].find(
                {"$or": older[begin : begin + AT_ONCE]}, {"_id": 0, "dt": 1, "source": 1}
            )
        }

    def _prepare(self, published: Published) -> None:
        """Make sure that a dataset's collection is there, is ours and has our fields, and so for the receipts."""
        contract, name = published.contract, published.contract.name
        if not self._is_ours(RECEIPTS, RECEIPTS_MARK):
            self._create(RECEIPTS, {"title": f"{RECEIPTS_MARK}: which revision of which day was delivered here"})
            self._is_ours(RECEIPTS, RECEIPTS_MARK)
        if not self._is_ours(name, mark(contract)):
            of_a_dropped_one = list(self._receipts.find({"dataset": name}, {"delivered_at": 1}))
            if not self._is_ours(name, mark(contract)):  # else another one has made it, and its receipts count
                deletions = [DeleteOne({"_id": None, "delivered_at": None, **each}) for each in of_a_dropped_one]
                if deletions:
                    self._receipts.bulk_write(deletions)
                self._create(name, schema_of(published))
        self._is_ours(name, mark(contract))
        self._check_fields(published)
        fields = (*place_of(contract), "rev", "digest")  # by which it is asked what isn't of a revision
        self._database[name].create_index([(each, 1) for each in fields], name=INDEX)

    def _create(self, name: str, schema: Document) -> None:
        """Create a collection, unless another one does at the same moment."""
        try:
            self._set_schema("create", name, schema)
        except OperationFailure as error:
            if error.code != NAMESPACE_EXISTS:
                raise

    def _check_fields(self, published: Published) -> None:
        """Add what the contract has gained; TargetRefused if anything else is not as the contract has it."""
        name, schema = published.contract.name, schema_of(published)
        options = self._options(name) or {}
        there = options.get("validator", {}).get("$jsonSchema", {})
        wanted, fields = schema["properties"], there.get("properties", {})
        added = {each.name for each in published.columns if each.added} - fields.keys()
        wrong = [f"{each} is not one of ours" for each in fields if each not in wanted]
        for field in wanted:
            if field not in fields:
                wrong += [] if field.removesuffix(MICROSECONDS) in added else [f"{field} is missing"]
            elif _rule(fields[field]) != _rule(wanted[field]):
                wrong.append(f"{field} is {_rule(fields[field])} and should be {_rule(wanted[field])}")
        rest = {"required", "additionalProperties"}
        wrong += [f"{each} was changed" for each in sorted(rest) if there.get(each) != schema[each]]
        wrong += [
            f"{each} is {options.get(each)}" for each in STRICT if options.get(each, STRICT[each]) != STRICT[each]
        ]
        if wrong:
            raise TargetRefused(
                f"Collection {name} in {self.place} has another validator: {'; '.join(wrong)}. Nothing was "
                "changed. Change it back, or drop the collection: then all its days are delivered anew."
            )
        if added:
            self._set_schema("collMod", name, schema)

    def _set_schema(self, command: str, name: str, schema: Document) -> None:
        how = {"validator": {"$jsonSchema": schema}, **STRICT, "writeConcern": MAJORITY.document}
        self._database.command({command: name, **how})

    def _is_ours(self, name: str, mark: str) -> bool:
        """Tell whether a collection is there; TargetRefused if it is somebody else's."""
        options = self._options(name)
        if options is None:
            return False
        title = options.get("validator", {}).get("$jsonSchema", {}).get("title", "")
        if not str(title).startswith(mark):
            raise TargetRefused(
                f"{name} in {self.place} isn't a collection of this delivery: the title of its validator doesn't "
                f"begin with {mark!r}. Nothing was changed. Rename it, or deliver to another database."
            )
        return True

    def _options(self, name: str) -> Document | None:
        """Return the options of a collection (or view) of a name, None where it is free."""
        found = next(iter(self._database.list_collections(filter={"name": name})), None)
        return None if found is None else {**found.get("options", {})}

    @contextmanager
    def _asking(self, doing: str) -> Iterator[None]:
        try:
            yield
        except PyMongoError as error:
            _raise(error, f"{self.place}: can't {doing}", self._url)


@contextmanager
def opened(delivery: Delivery) -> Iterator[Mongo]:
    """Give a client of a delivery's database; it is closed afterwards.

    Raises:
        ConfigError: An option of the URL is wrong.
        StoreError: The server doesn't answer, or doesn't let us in.
    """
    doing = f"Can't reach {delivery.place}"
    try:
        given = split_options(query) if (query := urlsplit(delivery.to).query) else {}
        options: Document = {name: value for name, value in OPTIONS.items() if name not in given}
        client: MongoClient[Document] = MongoClient(delivery.to, tz_aware=False, **options)
    except (PyMongoError, ValueError) as error:
        _raise(error, doing, delivery.to, StoreError)
    with client:
        try:
            database = client.get_default_database().with_options(
                read_preference=ReadPreference.PRIMARY, write_concern=MAJORITY
            )
            database.command("ping")
        except PyMongoError as error:
            _raise(error, doing, delivery.to, StoreError)
        yield Mongo(delivery, database)


def _raise(
    error: PyMongoError | ValueError, what: str, url: str, kind: type[StoreError] | None = None
) -> NoReturn:
    """Raise the error that the driver's is to a user, in one line and without the password."""
    text = " ".join(_text(error).split())
    password = urlsplit(url).password
    for secret in filter(None, (password, password and unquote(password))):
        text = text.replace(secret, HIDDEN)
    is_away = kind is StoreError or isinstance(error, AWAY)
    if isinstance(error, BulkWriteError) and not (error.details or {}).get("writeErrors"):
        is_away = True  # it was written, and too few have said so
    is_option = isinstance(error, ConfigurationError | ValueError)
    if urlsplit(url).scheme == "mongodb+srv" and isinstance(error, ConfigurationError):
        is_option = False  # it's what the driver says of the DNS, too
    said = f"{what}: {text[:LONGEST].rstrip('. ')}."  # a server repeats a command that it refuses
    if is_option:
        raise ConfigError(f"{said} Correct the options of `to`.") from error
    if is_away:
        raise StoreError(
            f"{said} Check that it runs, and its host, port and database, user and password "
            "(docs/how-to/deliver.md)."
        ) from error
    raise TargetRefused(
        f"{said} Correct that there, and run this again: a day that was being sent is then sent whole."
    ) from error


def _text(error: PyMongoError | ValueError) -> str:
    """Return what the driver says, without a document's values and the state of its pools."""
    if isinstance(error, BulkWriteError):
        details: Mapping[str, Any] = error.details or {}
        wrong = [*details.get("writeErrors", ()), *details.get("writeConcernErrors", ())]
        return str(wrong[0].get("errmsg", "")) if wrong else "a bulk was refused"
    if isinstance(error, OperationFailure):
        return str((error.details or {}).get("errmsg") or str(error).partition(", full error")[0])
    return TIMEOUTS.sub("", str(error))


def _put(collection: Collection[Document], rows: Sequence[Document]) -> bool:
    """Put documents in the place of those with their `_id`; return whether none there is of a later revision."""
    replacements = [
        ReplaceOne({"_id": each["_id"], "rev": {"$lte": each["rev"]}}, each, upsert=True) for each in rows
    ]
    done, in_vain = 0, -1
    while done < len(replacements):
        try:
            collection.bulk_write(replacements[done:], ordered=True)
        except BulkWriteError as error:
            first = next(iter((error.details or {}).get("writeErrors", ())), None)
            if not first or first["code"] != DUPLICATE_KEY:
                raise
            done += first["index"]
            if done == in_vain:  # so it isn't one that another one has inserted at the same moment
                return False
            in_vain = done
        else:
            return True
    return True


def _rule(field: Document) -> Document:
    """Return what a validator demands of a field."""
    return {name: value for name, value in field.items() if name != "description"}


def _is_there(column: Column) -> Document:
    """Return an expression that is 1 where a field has a value, 0 where it is null or missing."""
    return {"$cond": [{"$eq": [{"$ifNull": [f"${column.name}", None]}, None]}, 0, 1]}


def _days(start: date | None, stop: date | None) -> Document:
    """Return a filter for the days `[start, stop)`."""
    bounds = {sign: midnight(day) for sign, day in (("$gte", start), ("$lt", stop)) if day}
    return {"dt": bounds} if bounds else {}


def _rows_of(what: Published | Receipt) -> Document:
    """Return a filter for the documents of a partition's place."""
    return {"dt": midnight(what.dt), **({"source": what.source} if what.source else {})}


def _place_of(receipt: Receipt) -> Document:
    """Return what a receipt is for: its `_id`, and fields of it."""
    return {"dataset": receipt.dataset, "dt": midnight(receipt.dt), "source": receipt.source}
