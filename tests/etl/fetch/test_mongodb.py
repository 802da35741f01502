"""Documents of MongoDB, of a double of it: all of a day, in the same order, as JSON."""

import json
from datetime import UTC, date, datetime, timedelta

import bson
import pytest
from fetching import DAY, content, parts_of
from mongo import PASSWORD

from etl.fetch import mongodb
from etl.fetch.asked import NotReady
from etl.fetch.opening import read_asked
from lake.errors import ConfigError, InputError, StoreError

BEGIN = datetime(2026, 9, 1, tzinfo=UTC)


@pytest.fixture
def lines(mongo, tmp_path):
    """Fetches a day, and returns its documents."""

    def fetched(day=DAY, **settings):
        asked = {"fetch": "mongodb", "url": mongo.url, "collection": "feedback", "time": "at", **settings}
        parts = parts_of(tmp_path, day, **asked)
        found = [json.loads(line) for each in parts for line in content(each).splitlines()]
        assert sum(each.rows for each in parts) == len(found)
        return found

    return fetched


def test_a_day_has_its_documents(mongo, lines):
    """From its first moment to before the next day's, in order; values as JSON has them, or as texts."""
    made = {
        "at": BEGIN,
        "id": bson.ObjectId("0" * 24),
        "exact": bson.Decimal128("1.10"),
        "big": bson.Int64(2**62),
        "data": b"\x00\xff",
        "in": [{"t": "é", "none": None, "yes": True}],
    }
    day = timedelta(days=1)
    others = [
        (1, BEGIN - timedelta(milliseconds=1)),
        (2, BEGIN + day),
        (3, BEGIN + day - timedelta(milliseconds=1)),
    ]
    mongo.there["feedback"].insert_many([{"_id": 9, **made}, *({"_id": n, "at": at} for n, at in others)])
    first, last = lines()
    assert first == {
        "_id": 9,
        "at": "2026-09-01T00:00:00.000Z",
        "id": "0" * 24,
        "exact": "1.10",
        "big": 2**62,
        "data": "AP8=",
        "in": [{"t": "é", "none": None, "yes": True}],
    }
    assert last == {"_id": 3, "at": "2026-09-01T23:59:59.999Z"}


def test_many_come_in_order_whatever_their_number(mongo, lines, monkeypatch):
    """In parts of a bounded size; the double gives them in one batch."""
    monkeypatch.setattr(mongodb, "PART_BYTES", 20_000)
    documents = [{"_id": n, "at": BEGIN + timedelta(seconds=n // 3)} for n in range(2_500)]
    mongo.there["feedback"].insert_many(reversed(documents))
    assert [each["_id"] for each in lines()] == list(range(2_500))


def test_which_documents_and_which_day(mongo, lines):
    """By a query, and in a zone."""
    mongo.there["feedback"].insert_many(
        {"_id": n, "at": BEGIN + timedelta(hours=n), "kind": n % 2} for n in range(24)
    )
    assert len(lines(query='{"kind": 1}')) == 12
    assert [each["_id"] for each in lines(timezone="Europe/London")] == list(range(23))
    assert lines(date(2026, 9, 2), allow_empty="true") == []
    with pytest.raises(NotReady, match="doesn't have 2026-09-02 yet: feedback has no document"):
        lines(date(2026, 9, 2))


def test_what_json_does_not_have_is_refused(mongo, lines):
    """Not a number is no null."""
    mongo.there["feedback"].insert_one({"at": BEGIN, "x": float("nan")})
    with pytest.raises(InputError, match="can't be written as JSON"):
        lines()


def test_who_is_not_let_in_does_not_ask_again(lines, pauses, monkeypatch):
    """And the password is shown nowhere."""
    monkeypatch.setenv("MONGO_PASSWORD", "hunter2hunter2")
    with pytest.raises(StoreError, match="doesn't let us in") as error:
        lines()
    assert "hunter2" not in str(error.value)
    assert pauses == []


def test_a_server_that_is_away(lines, mongo, pauses, monkeypatch):
    """Is asked again, some times."""
    monkeypatch.setitem(mongodb.OPTIONS, "serverSelectionTimeoutMS", 50)
    with pytest.raises(StoreError, match="8 attempts") as error:
        lines(url=mongo.at(9))
    assert PASSWORD not in str(error.value)
    assert len(pauses) == 7


def test_settings_that_can_not_be_meant(tmp_path):
    """Are refused, and no password is repeated or recorded."""
    usual = {"fetch": "mongodb", "url": "mongodb://h/d", "collection": "a", "time": "at"}
    for settings, said in (
        ({"url": "mongodb://h"}, "expected mongodb://"),
        ({"url": "http://h/d"}, "expected mongodb://"),
        ({"url": "mongodb://me:hunter2@h/d"}, "url holds a password"),
        ({"url": "mongodb://h/d?tlsCertificateKeyFilePassword=hunter2"}, "looks like a secret"),
        ({"collection": ""}, "collection is missing"),
        ({"time": "$at"}, "time is missing"),
        ({"query": "[]"}, "query: expected JSON"),
    ):
        with pytest.raises(ConfigError, match=said) as error:
            read_asked(usual | settings, tmp_path)
        assert "hunter2" not in str(error.value)
    asked = read_asked(usual | {"url": "mongodb://me:${PW}@h/d?authSource=admin"}, tmp_path)
    assert asked.recorded()["url"] == "mongodb://me:${PW}@h/d?authSource=admin"
