"""Deliveries to Elasticsearch and OpenSearch: what stands there is what the lake has, after whatever happened."""

import json
import os
import random
import ssl
import time
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pytest
import urllib3
from certificates import certificate
from conftest import FIRST_DAY
from elastic import Between
from postgres import Cutting

import lake
from etl.deliver import elastic_server, elasticsearch
from etl.deliver.bring import bring, differences, due
from etl.deliver.deliveries import read_delivery
from etl.deliver.opening import opened
from lake import config
from lake.contracts import CONTRACTS
from lake.errors import ConfigError, Damaged, StoreError, TargetRefused
from lake.partition import Partition
from lake.retention import Expired

RATES = CONTRACTS["error_rate"]
IMPATIENT = elastic_server.PATIENCE.new(backoff_factor=0)
SECRET = "s3cr@t/:%pw"  # noqa: S105 - what must not be printed
WRITING = "if_primary_term if_seq_no op_type pipeline refresh routing timeout version version_type require_alias"
SPECIFIED = {
    "GET {index}/_doc/{id}": ("preference realtime refresh routing stored_fields version version_type", ""),
    "GET {index}/_mapping": ("allow_no_indices expand_wildcards ignore_unavailable local master_timeout", ""),
    "POST {index}/_bulk": ("pipeline refresh routing timeout wait_for_active_shards require_alias", None),
    "POST {index}/_delete_by_query": (
        "conflicts max_docs refresh requests_per_second routing slices timeout wait_for_completion",
        "max_docs query slice",
    ),
    "POST {index}/_mget": ("preference realtime refresh routing stored_fields _source", "docs ids"),
    "POST {index}/_refresh": ("allow_no_indices expand_wildcards ignore_unavailable", ""),
    "POST {index}/_search": (
        "allow_no_indices preference request_cache routing timeout typed_keys",
        "aggregations aggs from query search_after size sort track_total_hits timeout _source",
    ),
    "PUT {index}": ("master_timeout timeout wait_for_active_shards", "aliases mappings settings"),
    "PUT {index}/_create/{id}": (WRITING, None),
    "PUT {index}/_doc/{id}": (WRITING, None),
    "PUT {index}/_mapping": ("master_timeout timeout write_index_only", "dynamic _meta properties runtime"),
}
"""Of Elastic's published specification (elastic/elasticsearch-specification): endpoints with parameters of their
query, and the keys of their body; None for a document, or for operations and documents."""
MAPPING = {"dynamic", "_meta", "properties", "runtime", "_routing", "_source"}
OPERATION = {"_id", "_index", "routing", "if_primary_term", "if_seq_no", "version", "version_type"}


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """What is tried again is so without pauses."""
    monkeypatch.setattr(elastic_server, "PATIENCE", IMPATIENT)


def row_of(published, document):
    """Return the values of a document in the order of a partition's columns, as the lake has them."""
    values = []
    for each in published.columns:
        value = document[each.name]
        if value is not None and each.type == pa.date32():
            value = date.fromisoformat(value)
        elif value is not None and each.type == pa.timestamp("us"):
            value = datetime.fromisoformat(value).astimezone(UTC).replace(tzinfo=None)
        values.append(value)
    return tuple(values)


def there(figures, indices, dataset="error_rate", sort=("dt", "application")):
    """Return the rows that are delivered, in order; each has its partition's digest, and no field more."""
    partitions = lake.partitions(dataset, config=figures.folder / "luigi.cfg")
    documents = indices.documents(dataset, *sort)
    names = {*(each.name for each in partitions[0].columns), "sha256"}
    assert all(each.keys() == names for each in documents)
    return sorted((row_of(partitions[0], each) for each in documents), key=str)


def here(figures, dataset="error_rate"):
    """Return the lake's rows, in order."""
    return sorted(figures.rows(dataset), key=str)


def brought(figures, to, **more):
    """Bring all that is due, and return how many partitions were sent."""
    with figures.target(to, **more) as (delivery, target):
        return bring(delivery, target)


def declared(folder, to):
    """Return a delivery of a lake that need not be there."""
    path = folder / "luigi.cfg"
    path.write_text(f"[lake]\nroot = lake\n[deliver.figures]\nto = {to}\ndatasets = error_rate\n")
    return read_delivery(config.read(path), "figures")


def receipt_path(day, source=""):
    """Return where a receipt of error rates stands."""
    return f"/{{lake_receipts}}/_doc/error_rate%7C{day}%7C{source}"


def test_what_is_delivered_is_what_the_lake_has(figures, indices):
    """The latest revision of each day, by typed fields whose meanings are said; sent once, then no more."""
    assert brought(figures, indices.url) == 3
    assert there(figures, indices) == here(figures)
    before = indices.hits("error_rate"), indices.hits("lake_receipts")
    assert brought(figures, indices.url) == 0
    assert (indices.hits("error_rate"), indices.hits("lake_receipts")) == before
    mapping = indices.mapping("error_rate")
    assert mapping["dynamic"] == "strict"
    types = {name: each["type"] for name, each in mapping["properties"].items()}
    assert (types["dt"], types["application"], types["error_rate"]) == ("date", "keyword", "double")
    assert (types["hours_observed"], types["rev"], types["valid_requests"]) == ("short", "integer", "long")
    meta = mapping["_meta"]
    assert (meta["of"], meta["dataset"], meta["version"]) == ("error-rate-lake", "error_rate", 1)
    for column in RATES.columns:
        assert meta["columns"][column.name] == {"meaning": column.meaning, "unit": column.unit}
    assert meta["columns"]["rev"]["meaning"] == "Revision: 0, or that of a restatement"


def test_receipts_name_revision_digest_and_lake(figures, indices):
    """Those of the lake's partitions."""
    brought(figures, indices.url)
    config = figures.folder / "luigi.cfg"
    assert indices.documents("lake_receipts", "dt") == [
        {
            "dataset": "error_rate",
            "version": 1,
            "dt": str(each.dt),
            "source": "",
            "revision": each.revision,
            "sha256": each.sha256,
            "lake": lake.identity(config),
        }
        for each in lake.partitions("error_rate", config=config)
    ]


def test_values_come_back_exactly(figures, indices, publish):
    """Whole numbers of 64 bits, floats to the last bit, microseconds, NULL; and a row that is there twice."""
    made = CONTRACTS["requests"]
    rows = [
        {
            "ts": datetime(2015, 5, 18, 23, 59, 59, 999_999),
            "application": "shop",
            "vantage": "origin",
            "method": None,
            "path": "/%2F|" + "x" * 995,
            "status": 200,
            "response_bytes": (1 << 63) - 1 - n,
            "duration_seconds": 0.1 + 0.2 if n else 5e-324,
            "upstream_status": None,
            "retried": [None, True, False][n],
            "traffic_class": "user",
        }
        for n in range(3)
    ]
    rows.append(rows[0])  # it is there twice
    table = pa.Table.from_pylist(rows, made.schema)
    publish(figures.lake, Partition("requests", made.version, FIRST_DAY + timedelta(1), "web"), table)
    assert brought(figures, indices.url, datasets="requests") == 1
    assert there(figures, indices, "requests", sort=()) == here(figures, "requests")
    assert len(indices.hits("requests")) == 4


def test_ids_differ_if_their_parts_do():
    """Whatever is in a name, and however long it is; an id has 512 bytes at most."""
    names = ["a|b", "a%7Cb", "a%257Cb", "a", "ä" * 250, "ä" * 251, "x" * 600, "A", " a"]
    parts = [*((name,) for name in names), ("a", "b")]
    ids = {elasticsearch._id(day, *each) for day in (1, 2) for each in parts}  # noqa: SLF001
    assert len(ids) == 20
    assert max(len(each.encode()) for each in ids) <= 512


@pytest.mark.parametrize(
    "errors", [{"shop": 1, "api": 2, "mail": 3}, {"api": 2}, {}], ids=["more", "fewer", "none"]
)
def test_a_restatement_replaces_exactly_its_day(figures, indices, errors):
    """To more rows, fewer or none; documents of other days are not touched."""

    def others():
        return [
            each
            for each in indices.hits("error_rate", "dt", "application")
            if each["_source"]["dt"] != "2026-09-03"
        ]

    brought(figures, indices.url)
    before = others()
    figures.rates(2, revision=1, **errors)
    assert brought(figures, indices.url) == 1
    assert there(figures, indices) == here(figures)
    assert others() == before
    assert brought(figures, indices.url) == 0


def test_days_of_several_sources_are_replaced_by_themselves(figures, indices, publish):
    """A dataset that is kept per source has a receipt for each; another source's rows stay."""
    made = CONTRACTS["rejects"]

    def rejects(source, revision, *lines):
        rows = [{"file": "a.log", "line_number": n, "reason": "shape", "masked_line": "?"} for n in lines]
        partition = Partition("rejects", 1, FIRST_DAY + timedelta(1), source, revision)
        publish(figures.lake, partition, pa.Table.from_pylist(rows, made.schema))

    rejects("web", 0, 1, 2)
    rejects("api", 0, 3)
    assert brought(figures, indices.url, datasets="rejects") == 2
    rejects("web", 1, 4)
    assert brought(figures, indices.url, datasets="rejects") == 1
    found = [(each["source"], each["line_number"], each["rev"]) for each in indices.documents("rejects", "source")]
    assert found == [("api", 3, 0), ("web", 4, 1)]
    with figures.target(indices.url, datasets="rejects") as (delivery, target):
        assert differences(delivery, target) == (2, [])


def test_only_what_is_asked_for_is_sent(figures, indices):
    """Days from `since` on, and of those a range."""
    with figures.target(indices.url, since="2026-09-02") as (delivery, target):
        assert bring(delivery, target, stop=delivery.since) == 0
        assert bring(delivery, target, start=delivery.since.replace(day=3)) == 1
        assert [str(each.published.dt) for each in due(delivery, target)] == ["2026-09-02"]


def test_what_retention_deletes_here_stays_there(figures, indices):
    """A day that is gone from the lake keeps its rows and its receipt."""
    brought(figures, indices.url)
    before = there(figures, indices)
    day = figures.lake.partitions(RATES)[1].dt
    Expired.of(figures.lake, "error_rate", day).delete(figures.lake, "old", "test")
    assert len(here(figures)) == 4
    assert brought(figures, indices.url) == 0
    assert there(figures, indices) == before


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"revision": 5}, "is ahead of the lake: error_rate 2026-09-01 is there in revision 5"),
        ({"lake": "0" * 32}, "from another lake (00000000000000000000000000000000"),
        ({"sha256": "other"}, "in revision 0 with other bytes than the lake has"),
        ({"version": 2}, "by version 2 of its contract, and the lake has it by version 1"),
    ],
)
def test_what_is_not_of_this_lake_or_newer_is_refused(figures, indices, changed, said):
    """Nothing is changed there; a plan says the same; other days are sent."""
    brought(figures, indices.url)
    receipt = indices.ask("GET", receipt_path("2026-09-01"))["_source"]
    assert indices.ask("PUT", receipt_path("2026-09-01"), receipt | changed)["http"] == 200
    figures.rates(2, revision=1, shop=1)
    before = [each for each in there(figures, indices) if each[0].day == 1]
    with figures.target(indices.url) as (delivery, target):
        with pytest.raises(TargetRefused) as error:
            bring(delivery, target)
        assert said in str(error.value)
        assert any(each.refused for each in due(delivery, target))
    assert [each for each in there(figures, indices) if each[0].day == 1] == before
    assert [each[-1] for each in there(figures, indices) if each[0].day == 3] == [1]


def remade(indices, name, change):
    """Make an index anew, empty, with another mapping."""
    mapping = indices.mapping(name)
    change(mapping)
    assert indices.ask("DELETE", f"/{{{name}}}")["http"] == 200
    assert indices.ask("PUT", f"/{{{name}}}", {"mappings": mapping})["http"] == 200


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda made: made["properties"].update(team={"type": "text"}), "team is not one of ours"),
        (lambda made: made["properties"].pop("incomplete"), "incomplete is missing"),
        (
            lambda made: made["properties"].update(error_rate={"type": "float"}),
            "error_rate is float and should be double",
        ),
        (
            lambda made: made["properties"].update(rev={"properties": {"x": {"type": "long"}}}),
            "rev is object and should be integer",
        ),
        (lambda made: made.update(dynamic="true"), "dynamic is true and should be strict"),
        (lambda made: made.pop("_meta"), "isn't an index of this delivery"),
        (lambda made: made["_meta"].update(version=2), "isn't an index of this delivery"),
        (lambda made: made["_meta"].update(lake="other"), "is another lake's (other, this one is "),
    ],
    ids=["added", "dropped", "type", "object", "dynamic", "mark", "version", "lake"],
)
def test_an_index_that_somebody_changed_is_refused(figures, indices, change, said):
    """The message says what is other, and nothing is written."""
    brought(figures, indices.url)
    remade(indices, "error_rate", change)
    figures.rates(2, revision=1, shop=1)
    receipts = indices.documents("lake_receipts", "dt")
    with pytest.raises(TargetRefused) as error:
        brought(figures, indices.url)
    assert said in str(error.value)
    assert "Nothing was changed" in str(error.value)
    assert indices.documents("error_rate") == []
    assert indices.documents("lake_receipts", "dt") == receipts


@pytest.mark.parametrize("name", ["error_rate", "lake_receipts"])
def test_somebody_elses_index_is_not_touched(figures, indices, name):
    """Neither one of that name that was there before, nor one behind an alias."""
    assert indices.ask("PUT", f"/{{{name}}}/_doc/1?refresh=true", {"x": 7})["http"] == 201
    with pytest.raises(TargetRefused, match="isn't an index of this delivery"):
        brought(figures, indices.url)
    assert indices.documents(name) == [{"x": 7}]
    indices.ask("DELETE", f"/{{{name}}}")
    assert indices.ask("PUT", "/{mine}/_doc/1?refresh=true", {"x": 7})["http"] == 201
    assert indices.ask("PUT", f"/{{mine}}/_alias/{indices.name(name)}")["http"] == 200
    with pytest.raises(TargetRefused, match="isn't an index of this delivery"):
        brought(figures, indices.url)
    assert indices.documents("mine") == [{"x": 7}]


def test_a_column_that_the_contract_has_gained_is_added(figures, indices, monkeypatch):
    """It is missing in the documents of before, as it is in the lake's files, and says what it means."""
    incomplete = RATES.columns[-1]
    monkeypatch.setitem(CONTRACTS, "error_rate", replace(RATES, columns=RATES.columns[:-1]))
    brought(figures, indices.url)
    assert "incomplete" not in indices.mapping("error_rate")["properties"]
    monkeypatch.setitem(
        CONTRACTS, "error_rate", replace(RATES, columns=(*RATES.columns[:-1], replace(incomplete, added=True)))
    )
    figures.rates(3, shop=1)
    assert brought(figures, indices.url) == 1
    mapping = indices.mapping("error_rate")
    assert mapping["properties"]["incomplete"]["type"] == "keyword"
    assert mapping["_meta"]["columns"]["incomplete"]["meaning"] == incomplete.meaning
    assert mapping["_meta"]["lake"] == lake.identity(figures.folder / "luigi.cfg")
    example = lake.partitions("error_rate", config=figures.folder / "luigi.cfg")[0]
    found = [row_of(example, {"incomplete": None, **each}) for each in indices.documents("error_rate")]
    assert sorted(found, key=str) == here(figures)


def test_an_index_that_was_deleted_is_delivered_anew(figures, indices):
    """Its receipts say nothing any more; and without receipts, rows are replaced by the same."""
    brought(figures, indices.url)
    assert indices.ask("DELETE", "/{error_rate}")["http"] == 200
    assert brought(figures, indices.url) == 3
    assert there(figures, indices) == here(figures)
    assert indices.ask("DELETE", "/{lake_receipts}")["http"] == 200
    assert brought(figures, indices.url) == 3
    assert there(figures, indices) == here(figures)


def test_verification_finds_what_is_other_and_a_day_is_put_right_by_itself(figures, indices):
    """A changed figure, a row that is gone, rows that no delivery has sent; without its receipt, it comes anew."""
    brought(figures, indices.url)
    with figures.target(indices.url) as (delivery, target):
        assert differences(delivery, target) == (3, [])
    rows = {each["_source"]["application"] + each["_source"]["dt"]: each for each in indices.hits("error_rate")}
    changed, gone, more = (rows[key] for key in ("shop2026-09-01", "shop2026-09-02", "shop2026-09-03"))
    for _ in range(3):  # each counts the version up, beyond that of the next revision
        done = indices.ask(
            "PUT",
            f"/{{error_rate}}/_doc/{changed['_id'].replace('|', '%7C')}",
            changed["_source"] | {"valid_requests": 999},
        )
        assert done["http"] == 200
    assert indices.ask("DELETE", f"/{{error_rate}}/_doc/{gone['_id'].replace('|', '%7C')}")["http"] == 200
    assert indices.ask("PUT", "/{error_rate}/_doc/x", more["_source"] | {"dt": "2030-01-01"})["http"] == 201
    with figures.target(indices.url) as (delivery, target):
        compared, found = differences(delivery, target)
    assert compared == 3
    assert found[0] == "error_rate 2026-09-01: valid_requests 1,999, in the lake 2,000"
    assert found[1].startswith("error_rate 2026-09-02: rows 1, in the lake 2; ")
    assert found[2] == "error_rate 2030-01-01: 1 rows there that no delivery has sent"
    for day in ("2026-09-01", "2026-09-02"):
        assert indices.ask("DELETE", receipt_path(day))["http"] == 200
    assert indices.ask("DELETE", "/{error_rate}/_doc/x")["http"] == 200
    assert brought(figures, indices.url) == 2
    assert there(figures, indices) == here(figures)
    for _ in range(3):
        indices.ask(
            "PUT",
            f"/{{error_rate}}/_doc/{changed['_id'].replace('|', '%7C')}",
            changed["_source"] | {"valid_requests": 999},
        )
    figures.rates(0, revision=1, shop=5, api=6)
    assert brought(figures, indices.url) == 1
    assert there(figures, indices) == here(figures)


def test_requests_are_of_the_shapes_that_are_specified(figures, indices, between, monkeypatch):
    """Whatever a delivery asks: rows changed by hand, a column that is new, sums; the stand-ins take more."""
    incomplete = RATES.columns[-1]
    monkeypatch.setitem(CONTRACTS, "error_rate", replace(RATES, columns=RATES.columns[:-1]))
    brought(figures, indices.through(between.port))
    monkeypatch.setitem(
        CONTRACTS, "error_rate", replace(RATES, columns=(*RATES.columns[:-1], replace(incomplete, added=True)))
    )
    changed = indices.hits("error_rate")[0]
    for _ in range(3):
        indices.ask("PUT", f"/{{error_rate}}/_doc/{changed['_id'].replace('|', '%7C')}", changed["_source"])
    for day in range(3):
        figures.rates(day, revision=2, shop=5, api=6)
    brought(figures, indices.through(between.port))
    with figures.target(indices.through(between.port)) as (delivery, target):
        assert differences(delivery, target) == (3, [])
    seen = set()
    for method, url, _, body in between.requests:
        path, _, query = url.partition("?")
        _, _, *rest = path.split("/")
        endpoint = "/".join([f"{method} {{index}}", *rest[:1], *("{id}" for _ in rest[1:])])
        parameters, keys = SPECIFIED[endpoint]
        assert {each.partition("=")[0] for each in query.split("&") if each} <= {*parameters.split()}, url
        if endpoint.endswith("_bulk"):
            for line in body.splitlines()[::2]:
                ((operation, said),) = json.loads(line).items()
                assert operation in {"create", "index"}
                assert said.keys() <= OPERATION
        elif keys is not None:
            said = json.loads(body or "{}")
            assert said.keys() <= {*keys.split()}, url
            assert said.get("mappings", {}).keys() <= MAPPING
        seen.add(endpoint)
    assert seen == set(SPECIFIED)


def test_many_days_and_bodies_are_asked_and_sent_in_parts(figures, indices, between, monkeypatch):
    """The same as in one; a request's body stays below a bound."""
    for name, value in {"PAGE": 2, "DAYS": 2, "RESTATED": 1, "ROWS": 3, "BODY_BYTES": 2_000}.items():
        monkeypatch.setattr(elasticsearch, name, value)
    for day in range(3, 8):
        figures.rates(day, revision=0, **{f"app{n}": n for n in range(20)})
        figures.rates(day, revision=1, **{f"app{n}": n for n in range(30)})
    assert brought(figures, indices.through(between.port)) == 8
    assert there(figures, indices) == here(figures)
    sizes = [len(body) for _, path, _, body in between.requests if path.endswith("_bulk")]
    assert len(sizes) > 30
    assert max(sizes) < 4_000
    deleting = [n for n, (_, path, *_) in enumerate(between.requests) if "error_rate/_delete_by_query" in path]
    assert len(deleting) == 8
    assert all(between.requests[n - 1][1].endswith("error_rate/_refresh") for n in deleting)
    assert brought(figures, indices.url) == 0
    with figures.target(indices.url) as (delivery, target):
        assert differences(delivery, target) == (8, [])


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_server_is_asked_again(figures, indices, between, status):
    """Whether it refuses a request or some documents of it; not without end."""
    refused = []

    def busy(method, path, body):
        refused.append(path)
        return (
            (status, '{"error": {"type": "es_rejected_execution_exception", "reason": "queue full"}}')
            if len(refused) % 2
            else None
        )

    between.answers = busy
    assert brought(figures, indices.through(between.port)) == 3
    assert there(figures, indices) == here(figures)
    figures.rates(2, revision=1, **{f"app{n}": n for n in range(10)})

    def busy_for_some(method, path, body):
        lines = body.splitlines()
        if not path.endswith("_bulk") or len(lines) < 4:
            return None
        half = len(lines) // 4 * 2
        answer = indices.ask_bulk(path, b"\n".join(lines[:half]) + b"\n")
        left = [json.loads(line)["index"]["_id"] for line in lines[half::2]]
        answer["items"] += [{"index": {"_id": each, "status": status}} for each in left]
        return 200, json.dumps(answer)

    between.answers = busy_for_some
    assert brought(figures, indices.through(between.port)) == 1
    assert there(figures, indices) == here(figures)
    figures.rates(1, revision=2, shop=1)
    figures.rates(2, revision=2, shop=1)
    between.answers = lambda _, path, body: (
        (200, '{"items": [{"index": {"status": 429}}]}') if b'"2026-09-03' in body and "_bulk" in path else None
    )
    with pytest.raises(StoreError, match="it stays too busy"):
        brought(figures, indices.through(between.port))
    assert indices.ask("GET", receipt_path("2026-09-02"))["_source"]["revision"] == 2
    assert indices.ask("GET", receipt_path("2026-09-03"))["_source"]["revision"] == 1
    between.answers = lambda *_: (503, "{}")
    with pytest.raises(StoreError, match="Can't reach "):
        brought(figures, indices.through(between.port))
    assert brought(figures, indices.url) == 1
    assert there(figures, indices) == here(figures)


def test_a_document_that_is_refused_is_named(figures, indices, between):
    """With the server's reason; its day has no receipt."""
    item = {"index": {"status": 400, "error": {"type": "document_parsing_exception", "reason": "no\nnumber"}}}
    between.answers = lambda _, path, body: (
        (200, json.dumps({"errors": True, "items": [item] * (body.count(b"\n") // 2)}))
        if "_bulk" in path
        else None
    )
    said = r"can't write 2026-09-01\|shop\|origin to .*: document_parsing_exception: no number\. What was sent"
    with pytest.raises(TargetRefused, match=said):
        brought(figures, indices.through(between.port))
    assert indices.documents("lake_receipts") == []


def credentials(between, expected):
    """Have a server ask for who it is: others are told 401, with what they have sent."""

    def check(method, path, body):
        sent = between.requests[-1][2].get("Authorization", "")
        if sent == expected:
            return None
        reason = f"unable to authenticate {sent} {SECRET} for REST request [{path}]"
        return 401, json.dumps({"error": {"type": "security_exception", "reason": reason}})

    between.answers = check


def test_a_password_or_an_api_key_is_sent_and_never_printed(figures, indices, between, monkeypatch):
    """Any character may be in a password; the message says where to look."""
    credentials(between, urllib3.make_headers(basic_auth=f"deliverer:{SECRET}")["authorization"])
    place = indices.through(between.port)
    monkeypatch.setenv("FIGURES_PASSWORD", SECRET)
    to = place.replace("://", "://deliverer:${FIGURES_PASSWORD}@")
    with figures.target(to) as (delivery, target):
        assert bring(delivery, target) == 3
        assert SECRET not in repr(delivery) + repr(target) + repr(vars(target)) + target.place
    for wrong in (to.replace("deliverer", "other"), place):
        with pytest.raises(StoreError) as error, figures.target(wrong):
            pass
        assert str(error.value).startswith(f"Can't reach {place}: GET /{indices.name('lake_receipts')}/_mapping: ")
        assert "user and password" in str(error.value)
        assert "\n" not in str(error.value)
    with pytest.raises(StoreError) as error, figures.target(to.replace("deliverer", "other")):
        pass
    assert SECRET not in str(error.value)
    assert between.requests[-1][2]["Authorization"].split()[1] not in str(error.value)
    assert "unable to authenticate Basic *** *** for REST request" in str(error.value)
    credentials(between, "ApiKey key==")
    monkeypatch.setenv("FIGURES_PASSWORD", "key==")
    assert brought(figures, to.replace("deliverer", "api_key")) == 0
    monkeypatch.setenv("FIGURES_PASSWORD", f"{SECRET}\n")
    with pytest.raises(ConfigError, match="the API key is empty, or has characters that none has") as error:
        brought(figures, to.replace("deliverer", "api_key"))
    assert SECRET not in str(error.value)


def test_a_user_without_rights_is_told_so(figures, indices, between):
    """By the server's own words, with what was to be done."""
    forbidden = (
        '{"error": {"type": "security_exception", "reason": "action [indices:admin/create] is unauthorized"}}'
    )
    between.answers = lambda method, *_: (403, forbidden) if method == "PUT" else None
    said = f"PUT /{indices.name('lake_receipts')}: security_exception: action .* is unauthorized"
    with pytest.raises(TargetRefused, match=said):
        brought(figures, indices.through(between.port))


def test_what_is_no_such_server_is_said(figures, indices, between):
    """One that is away, and one that answers something else; in one line that names what to check."""
    with pytest.raises(StoreError) as error, figures.target("elasticsearch://127.0.0.1:1/figures"):
        pass
    assert str(error.value) == (
        "Can't reach elasticsearch://127.0.0.1:1/figures: Failed to establish a new connection: [Errno 111] "
        "Connection refused. Check that it runs, its host, port, user and password, and whether it speaks TLS "
        "(docs/how-to/deliver.md)."
    )
    between.answers = lambda *_: (200, "<html>")
    with pytest.raises(StoreError, match="was answered 200, and not as Elasticsearch does"):
        brought(figures, indices.through(between.port))


@pytest.mark.parametrize(
    ("to", "said"),
    [
        ("elasticsearch://127.0.0.1/Upper", "the path is what names of indices begin with"),
        ("elasticsearch://127.0.0.1/a/b", "the path is what names of indices begin with"),
        ("elasticsearch://127.0.0.1/_x", "the path is what names of indices begin with"),
        ("elasticsearch://127.0.0.1/a?tlss=true", "unknown option. Known: tls, ca. Did you mean 'tls'?"),
        ("elasticsearch://127.0.0.1/a?api_key=secret", "unknown option. Known: tls, ca."),
        ("elasticsearch://127.0.0.1/a?tls=yes", "the option tls is true or false."),
        ("elasticsearch://127.0.0.1/a?ca=ca.pem", "ca is of TLS, and "),
        ("elasticsearch://db.example.org/a?ca=none.pem", "can't read certificates from ca = "),
    ],
)
def test_a_url_that_means_nothing_is_refused(tmp_path, to, said):
    """Before anything is sent, without what may be secret."""
    with pytest.raises(ConfigError) as error, opened(declared(tmp_path, to)):
        pass
    assert said in str(error.value)
    assert "secret" not in str(error.value)


def server_side(folder):
    """Make a certificate in a folder, and return the server's side of TLS by it."""
    certificate(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "ca.pem", folder / "key.pem")
    return context


def test_tls_checks_the_certificate(figures, indices):
    """Against a file beside luigi.cfg; a certificate that no authority vouches for is refused."""
    secure = Between(indices.server.port, server_side(figures.folder))
    to = indices.through(secure.port)
    assert brought(figures, f"{to}?tls=true&ca=ca.pem") == 3
    assert there(figures, indices) == here(figures)
    with pytest.raises(StoreError, match=r"certificate verify failed: self.signed certificate"):
        brought(figures, f"{to}?tls=true")
    with pytest.raises(StoreError, match=r"Can't reach .*whether it speaks TLS"):
        brought(figures, to)
    with pytest.raises(StoreError, match=r"SSL.*whether it speaks TLS"):
        brought(figures, f"{indices.url}?tls=true")
    secure.close()


@pytest.mark.parametrize(
    ("to", "scheme"),
    [
        ("elasticsearch://db.example.org", "https"),
        ("opensearch://db.example.org:443/x?tls=true", "https"),
        ("elasticsearch://db.example.org?tls=false", "http"),
        ("elasticsearch://127.0.0.1", "http"),
        ("elasticsearch://[::1]", "http"),
        ("elasticsearch://localhost/x", "http"),
        ("elasticsearch://localhost/x?tls=true", "https"),
    ],
)
def test_tls_is_the_default_elsewhere(tmp_path, to, scheme):
    """And not on this machine, unless the URL says so."""
    server = elastic_server.ElasticServer(declared(tmp_path, to))
    assert server._pool.scheme == scheme  # noqa: SLF001 - it must not depend on a host that is there


@pytest.mark.parametrize("days", [6, pytest.param(60, marks=pytest.mark.slow)])
def test_several_deliverers_at_once_send_each_day_once(figures, indices, days):
    """Of those who send the same day, one writes its receipt; at the same time they make the indices, too."""
    delivery = figures.deliver(indices.url)
    figures.at_once(delivery, 4)
    assert there(figures, indices) == here(figures)
    for day in range(3, days):
        figures.rates(day, shop=day, api=1)
    assert sum(figures.at_once(delivery, 4)) == days - 3
    assert there(figures, indices) == here(figures)
    for day in range(days):
        figures.rates(day, revision=3, shop=day, mail=1)
    assert sum(figures.at_once(delivery, 4)) == days
    assert there(figures, indices) == here(figures)
    assert brought(figures, indices.url) == 0


def test_a_deliverer_of_an_older_revision_changes_nothing(figures, indices):
    """It comes too late, is told so, and leaves no row beside the newer ones."""
    brought(figures, indices.url)
    figures.rates(2, revision=1, shop=1, old=1)
    late = figures.deliver(indices.url)
    with opened(late) as target:
        older = [each.published for each in due(late, target)]
        figures.rates(2, revision=2, shop=2, new=2)
        assert brought(figures, indices.url) == 1
        with pytest.raises(TargetRefused, match="is ahead of the lake"):
            list(target.deliver(older, lake.identity(late.config), lambda _: []))
    assert there(figures, indices) == here(figures)


@pytest.mark.parametrize("step", ["_write", "_delete_others", "_replace"])
@pytest.mark.parametrize("lives", [True, False])
def test_one_that_is_overtaken_in_the_middle_leaves_nothing_after_the_next_run(
    figures, indices, monkeypatch, step, lives
):
    """While it sends an older revision, another one sends the newer; then it goes on, or ends after its rows."""
    brought(figures, indices.url)
    figures.rates(2, revision=1, shop=1, old=1, older=1)
    delivery = figures.deliver(indices.url)
    whole = getattr(elasticsearch.Elasticsearch, step)

    def overtaken(self, *arguments):
        monkeypatch.setattr(elasticsearch.Elasticsearch, step, whole)
        figures.rates(2, revision=2, shop=2, new=2)
        assert brought(figures, indices.url) == 1
        if step != "_write" and not lives:
            raise KeyboardInterrupt
        try:
            return whole(self, *arguments)
        finally:
            if not lives:
                raise KeyboardInterrupt

    with opened(delivery) as target:
        older = [each.published for each in due(delivery, target)]
        monkeypatch.setattr(elasticsearch.Elasticsearch, step, overtaken)
        with pytest.raises((TargetRefused, KeyboardInterrupt)):
            list(target.deliver(older, lake.identity(delivery.config), lambda _: []))
    if lives:
        assert there(figures, indices) == here(figures)
    brought(figures, indices.url)
    assert there(figures, indices) == here(figures)
    assert brought(figures, indices.url) == 0


def test_rows_that_a_killed_deliverer_left_beside_newer_ones_are_found(figures, indices):
    """They make the day due again, though its receipt is the lake's; a plan says so."""
    brought(figures, indices.url)
    row = indices.documents("error_rate", "dt")[2]
    assert row["dt"] == "2026-09-02"
    indices.ask(
        "PUT", "/{error_rate}/_doc/left", row | {"application": "old", "rev": 0, "sha256": "of revision 0"}
    )
    with figures.target(indices.url) as (delivery, target):
        (found,) = due(delivery, target)
        assert (str(found.published.dt), found.there.revision) == ("2026-09-02", 0)
        assert bring(delivery, target) == 1
    assert there(figures, indices) == here(figures)
    assert brought(figures, indices.url) == 0


@pytest.mark.parametrize("rounds", [6, pytest.param(40, marks=pytest.mark.slow)])
def test_a_connection_that_is_cut_anywhere_is_made_good(figures, indices, rounds):
    """After any number of bytes of either direction; the next run does the rest."""
    cutting = Cutting(indices.server.port)
    chance, cuts = random.Random(7), 0  # noqa: S311 - places
    to = indices.through(cutting.port)
    for revision in range(2, rounds + 2):
        for day in range(3):
            figures.rates(day, revision=revision, **{f"app{n}": n for n in range(chance.randrange(4))})
        cutting.left = {"from": None, "to": None, chance.choice(["from", "to"]): chance.randrange(1, 9_000)}
        try:
            brought(figures, to)
        except StoreError:
            cuts += 1
        cutting.left = {"from": None, "to": None}
        if revision % 4 == 0:
            brought(figures, indices.url)
            assert there(figures, indices) == here(figures)
    assert cuts >= rounds / 2
    brought(figures, indices.url)
    assert there(figures, indices) == here(figures)
    cutting.close()


def test_an_answer_that_is_lost_is_asked_for_again(figures, indices, between):
    """What was done is not done twice: a receipt that was written is found by the second try."""
    lost = set()

    def lose(method, path, body):
        if (method, path) in lost:
            return
        lost.add((method, path))
        kind = "application/x-ndjson" if path.endswith("_bulk") else "application/json"
        urllib3.request(
            method,
            f"http://127.0.0.1:{indices.server.port}{path}",
            body=body or None,
            headers={"Content-Type": kind},
        )
        raise ConnectionResetError

    between.answers = lose
    brought(figures, indices.through(between.port))
    assert len(lost) > 10
    assert there(figures, indices) == here(figures)
    assert brought(figures, indices.url) == 0


@pytest.mark.parametrize("kills", [2, pytest.param(int(os.environ.get("KILLS", "20")), marks=pytest.mark.slow)])
def test_a_killed_delivery_is_made_good_by_the_next(figures, indices, kills):
    """At whatever moment; receipts never name a revision of which rows are missing."""
    days, chance = 12, random.Random(kills)  # noqa: S311 - moments
    figures.deliver(indices.url)
    with figures.deliverers() as kill_one:
        for revision in range(2, kills + 2):
            for day in range(days):
                figures.rates(day, revision=revision, **{f"app{n}": n for n in range(chance.randrange(4))})
            kill_one(chance.uniform(0, 0.15))
            if revision % 3 == 0:
                brought(figures, indices.url)
                assert there(figures, indices) == here(figures)
    brought(figures, indices.url)
    assert there(figures, indices) == here(figures)
    assert brought(figures, indices.url) == 0


def test_a_partition_that_can_not_be_read_keeps_no_earlier_one_from_its_place(figures, indices):
    """What was sent before it stays; it is named by its file."""
    path = figures.folder / "lake" / figures.lake.partitions(RATES)[-1].key
    path.chmod(0o644)
    path.write_bytes(b"broken")
    with pytest.raises(Damaged, match="has no footer that can be read"):
        brought(figures, indices.url)
    assert {each["dt"] for each in indices.documents("error_rate")} == {"2026-09-01", "2026-09-02"}


@pytest.mark.slow
def test_many_days_of_fifty_applications(figures, indices):
    """Row by row the same; and a restated day of it."""
    days = figures.fill()
    begun = time.perf_counter()
    assert brought(figures, indices.url) == days
    seconds = time.perf_counter() - begun
    rows = here(figures)
    print(f"{indices.server.name}: {len(rows):,} rows in {seconds:.1f} s, {len(rows) / seconds:,.0f} a second")  # noqa: T201
    assert there(figures, indices) == rows
    figures.rates(20, revision=1, **{f"app{n}": n for n in range(50)})
    assert brought(figures, indices.url) == 1
    assert there(figures, indices) == here(figures)
    with figures.target(indices.url) as (delivery, target):
        assert differences(delivery, target) == (days, [])


@pytest.mark.parametrize("elastic_server", ["osmem"], indirect=True)
def test_commands_deliver_plan_compare_and_tell_the_lag(a_project, indices):
    """As somebody runs them; the datasets are there as they are here, kept per source or not."""
    datasets = "error_rate, requests, rejects"
    with (a_project.folder / "luigi.cfg").open("a") as file:
        file.write(f"[deliver.figures]\nto = {indices.url}\ndatasets = {datasets}\n")
    late = a_project.run("backfill", "check", "--deliver", "figures", "--days", "5000")
    assert "0 days there, 4 late" in late.stdout
    done = a_project.run("backfill", "run", "--deliver", "figures", "--stop", "2015-05-19")
    assert "2 days asked for: 2 built, 0 already there" in done.stdout, done
    assert a_project.run("backfill", "run", "--of", "ErrorRateDaily").returncode == 0
    planned = a_project.run("lake", "deliver", "--to", "figures", "--plan")
    assert planned.stdout.splitlines()[:2] == [
        f"figures: 6 partitions to send to {indices.url}",
        "  error_rate 2015-05-19: revision 0, which is new there",
    ]
    assert a_project.run("lake", "deliver", "--to", "figures").stdout == (
        f"figures: 6 partitions sent to {indices.url}\n"
    )
    assert a_project.run("lake", "deliver", "--to", "figures").stdout == "figures: up to date\n"
    assert a_project.run("backfill", "check", "--deliver", "figures", "--days", "5000").returncode == 0
    for name in datasets.split(", "):
        partitions = lake.partitions(name, config=a_project.folder / "luigi.cfg")
        rows = [tuple(row.values()) for each in partitions for row in each.batches().read_all().to_pylist()]
        found = [row_of(partitions[0], each) for each in indices.documents(name)]
        assert Counter(found) == Counter(rows), name
    compared = a_project.run("lake", "verify", "--deliver", "figures")
    assert compared.stdout.startswith(f"figures: 12 partitions in {indices.url} compared with the lake; 0 differ.")
    query = {"query": {"term": {"dt": "2015-05-18"}}}
    assert indices.ask("POST", "/{error_rate}/_delete_by_query", query)["deleted"] == 1
    compared = a_project.run("lake", "verify", "--deliver", "figures")
    assert compared.returncode == 1
    assert compared.stdout.startswith("figures: error_rate 2015-05-18: rows 0, in the lake 1; ")
