"""Documents of Elasticsearch and OpenSearch, of stand-ins for both: all of a day, each once, in the same order."""

import json
from datetime import UTC, date, datetime, timedelta

import pytest
from elastic import Between
from fetching import DAY, Said, content, parts_of

from etl.fetch import elasticsearch
from etl.fetch.asked import NotReady
from etl.fetch.opening import read_asked
from lake.errors import ConfigError, InputError

BEGIN = datetime(2026, 9, 1, tzinfo=UTC)


def put(indices, documents, name="logs"):
    """Index documents by their ids, with `@timestamp` as a date."""
    mapping = {"properties": {"@timestamp": {"type": "date"}, "kind": {"type": "keyword"}}}
    indices.ask("PUT", f"/{{{name}}}", {"mappings": mapping})
    body = b""
    for key, document in documents.items():
        body += json.dumps({"index": {"_id": key}}).encode() + b"\n" + document + b"\n"
    assert not indices.ask_bulk(f"/{indices.name(name)}/_bulk?refresh=true", body)["errors"]


def at(moment, **more):
    """Return a document of a moment."""
    time = moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
    return json.dumps({"@timestamp": time, **more}).encode()


@pytest.fixture
def lines(indices, tmp_path):
    """Fetches a day, and returns its lines."""

    def fetched(day=DAY, url=f"http://127.0.0.1:{indices.server.port}", **settings):
        asked = {"fetch": "elasticsearch", "url": url, "index": indices.name("logs"), **settings}
        parts = parts_of(tmp_path, day, **asked)
        found = [line for each in parts for line in content(each).splitlines()]
        assert sum(each.rows for each in parts) == len(found)
        return found

    return fetched


def test_a_day_has_its_documents(indices, lines):
    """As they were indexed, digit by digit; from its first moment to before the next day's."""
    raw = b'{"@timestamp": "2026-09-01T00:00:00.000Z", "n": 1.10, "t": "\\u00e9 x"}'
    last = at(BEGIN + timedelta(days=1, milliseconds=-1))
    put(
        indices,
        {"b": raw, "z": last, "a": at(BEGIN - timedelta(milliseconds=1)), "c": at(BEGIN + timedelta(days=1))},
    )
    found = lines()
    assert [json.loads(each) for each in found] == [json.loads(raw), json.loads(last)]
    if indices.server.name == "osmem":
        assert b"1.10" in found[0]
    (before,) = lines(date(2026, 8, 31))
    assert json.loads(before) == json.loads(at(BEGIN - timedelta(milliseconds=1)))


def test_equal_times_lose_nothing(indices, lines, monkeypatch):
    """However many a millisecond has, and wherever a page ends; the order is the same each time."""
    monkeypatch.setattr(elasticsearch, "PAGE", 7)
    times = [0, *[1] * 6, *[2] * 9, *[3] * 7, 4, 5, 5, 9]
    documents = {f"{n:03}": at(BEGIN + timedelta(milliseconds=ms), n=n) for n, ms in enumerate(times)}
    put(indices, dict(reversed(documents.items())))
    found = lines()
    assert [json.loads(each)["n"] for each in found] == list(range(len(times)))
    monkeypatch.setattr(elasticsearch, "PAGE", 3)
    assert lines() == found
    monkeypatch.setattr(elasticsearch, "PAGE", 5_000)
    assert lines() == found
    for name in ("PAGE", "LARGEST_PAGE"):
        monkeypatch.setattr(elasticsearch, name, 8)
    with pytest.raises(InputError, match="more than 8 documents have the same @timestamp"):
        lines()


def test_which_documents_and_which_day(indices, lines):
    """By a query, and in a zone."""
    hours = {f"{n:02}": at(BEGIN + timedelta(hours=n), kind="ab"[n % 2], n=n) for n in range(24)}
    put(indices, hours)
    assert len(lines(query='{"term": {"kind": "a"}}')) == 12
    found = [json.loads(each)["n"] for each in lines(timezone="Europe/London")]
    assert found == list(range(23))


def test_what_is_not_there_is_not_ready(indices, lines):
    """No document of the day; or no index, where that is declared."""
    with pytest.raises(InputError, match="answers 404"):
        lines()
    with pytest.raises(NotReady, match="it answers 404"):
        lines(missing="404")
    put(indices, {"a": at(BEGIN - timedelta(days=1))})
    with pytest.raises(NotReady, match=r"doesn't have 2026-09-01 yet: it has no document"):
        lines()
    assert lines(allow_empty="true") == []


def test_an_answer_that_lacks_something_is_refused(indices, lines):
    """A shard that didn't answer, or another number than the server counts; the point in time is closed."""
    put(indices, {f"{n}": at(BEGIN, n=n) for n in range(5)})
    between = Between(indices.server.port)
    whole = {}

    def less(_, path, body):
        if "_search?" not in path:
            return None
        answer = indices.ask("POST", "/_search", json.loads(body))
        answer |= whole
        if "total" in str(whole):
            answer["hits"]["hits"] = answer["hits"]["hits"][:3]
        return 200, json.dumps(answer)

    between.answers = less
    try:
        for change, said in (
            ({"timed_out": True}, "some shards"),
            ({"_total": 1}, "counts 5 documents, and 3 came"),
        ):
            whole.clear()
            whole.update(change)
            with pytest.raises(InputError, match=said):
                lines(url=f"http://127.0.0.1:{between.port}")
            assert between.requests[-1][0] == "DELETE"
    finally:
        between.close()


def test_settings_that_can_not_be_meant(tmp_path):
    """Are refused; what is recorded names index, field and query, and no secret."""
    usual = {"fetch": "elasticsearch", "url": "http://h:9200", "index": "a"}
    for settings, said in (
        ({"index": ""}, "index: expected"),
        ({"index": "a/b"}, "index: expected"),
        ({"index": "a-{DAY}"}, r"\{DAY\} means nothing"),
        ({"url": "h"}, "url is no URL"),
        ({"query": "{"}, "query: expected JSON"),
        ({"headers": "Authorization: ApiKey abc"}, "looks like a secret"),
    ):
        with pytest.raises(ConfigError, match=said):
            read_asked(usual | settings, tmp_path)
    asked = read_asked(usual | {"query": "{}", "headers": "Authorization: ApiKey ${KEY}"}, tmp_path)
    wanted = {"fetch": "elasticsearch", "url": "http://h:9200", "index": "a", "time": "@timestamp", "query": "{}"}
    assert asked.recorded().items() >= wanted.items()
    assert asked.recorded()["headers"] == {"Authorization": "ApiKey ${KEY}"}


def test_no_server_answers_so(server, tmp_path):
    """What isn't Elasticsearch is said to be none."""
    server.answers = [Said(b'{"ok": true}')]
    with pytest.raises(InputError, match="not as Elasticsearch's are"):
        parts_of(tmp_path, fetch="elasticsearch", url=server.url, index="a")
