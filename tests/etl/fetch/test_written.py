"""Exports that are replaced in their place: each is of the day that tells when it was written, and of no other."""

import gzip
import os
from datetime import UTC, date, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest
from fetching import DAY, Said

from etl import clock
from etl.fetch import file as fetching_file
from etl.fetch.asked import NotReady
from etl.fetch.opening import read_asked
from lake.errors import ConfigError, StoreError
from lake.store.protocol import StagedFile

NIGHT = datetime(2026, 9, 2, 2, tzinfo=UTC)  # after DAY


@pytest.fixture
def export(tmp_path):
    """An export that was written in the night after the day."""
    path = tmp_path / "content.json.gz"
    path.write_bytes(gzip.compress(b'{"a": 1}\n'))
    os.utime(path, (NIGHT.timestamp(),) * 2)
    return path


def fetched(folder, day=DAY, **settings):
    """Return the parts of a day of that export."""
    asked = read_asked({"fetch": "file", "path": "content.json.gz", **settings}, folder)
    made = folder / "made"
    made.mkdir(exist_ok=True)
    return asked.fetch(day, made)


def test_an_export_is_kept_as_it_was(export, tmp_path):
    """Byte by byte, under its ending."""
    (part,) = fetched(tmp_path)
    assert part.path.read_bytes() == export.read_bytes()
    assert part.ending == "json.gz"


@pytest.mark.parametrize(
    ("moment", "settings", "day"),
    [
        (NIGHT, {}, DAY),
        (NIGHT.replace(hour=0), {}, DAY),
        (NIGHT.replace(hour=23), {"timezone": "Europe/Berlin"}, DAY + timedelta(days=1)),
        (NIGHT.replace(day=1, hour=23), {"timezone": "Europe/Berlin"}, DAY),
        (NIGHT, {"written": "same_day"}, DAY + timedelta(days=1)),
    ],
)
def test_its_day_is_that_when_it_was_written(export, tmp_path, moment, settings, day):
    """Or the one before; of each other day it is not ready, or no longer."""
    os.utime(export, (moment.timestamp(),) * 2)
    assert fetched(tmp_path, day, **settings)
    with pytest.raises(NotReady, match=r"content.json.gz is not of .* yet: it was written 2026-09-0"):
        fetched(tmp_path, day + timedelta(days=1), **settings)
    with pytest.raises(NotReady, match=r"is of .* no longer.*Set since to the first day that was fetched"):
        fetched(tmp_path, day - timedelta(days=1), **settings)


def test_an_export_that_is_not_there_yet_waits(tmp_path):
    """It may come."""
    with pytest.raises(NotReady, match="there is no such file yet"):
        fetched(tmp_path)


def test_an_export_that_is_written_meanwhile_is_copied_again(export, tmp_path, pauses, monkeypatch):
    """Until it is the same before and after."""
    states = iter([(NIGHT.timestamp() * 1e9, 1), (NIGHT.timestamp() * 1e9, 2)])
    real = fetching_file._state  # noqa: SLF001 - what moves under it
    monkeypatch.setattr(fetching_file, "_state", lambda file: next(states, None) or real(file))
    (part,) = fetched(tmp_path)
    assert part.path.read_bytes() == export.read_bytes()
    assert len(pauses) == 1
    sizes = count()
    monkeypatch.setattr(fetching_file, "_state", lambda _: (NIGHT.timestamp() * 1e9, next(sizes)))
    with pytest.raises(StoreError, match="written to while it was copied"):
        fetched(tmp_path)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("", "expected one file that is replaced"),
        ("exports/*.json", "expected one file that is replaced"),
        ("exports/{YYYY}.json", "Set files to it"),
        ("https://host/x", "expected a path or s3"),
    ],
)
def test_what_is_no_such_export_is_refused(tmp_path, path, said):
    """With what to do."""
    with pytest.raises(ConfigError, match=said):
        fetched(tmp_path, path=path)
    with pytest.raises(ConfigError, match="written = sometimes: expected next_day or same_day"):
        fetched(tmp_path, written="sometimes")


def test_an_export_in_a_bucket(s3_store, tmp_path, moto_url):
    """It is of the day before the one on which the bucket says that it was written."""
    path = tmp_path / "x"
    path.write_bytes(b"1\n" * 1_000_000)
    s3_store.create("content.csv", StagedFile.of(path))
    (written,) = s3_store.objects("", "", "~")
    day = written.published.date() - timedelta(days=1)
    settings = {"path": f"{s3_store.root}/content.csv", "endpoint_url": moto_url}
    (part,) = fetched(tmp_path, day, **settings)
    assert part.path.read_bytes() == path.read_bytes()
    with pytest.raises(NotReady, match="no longer"):
        fetched(tmp_path, DAY, **settings)


def test_an_export_of_one_url_is_of_the_day_that_it_tells(server, fetch, monkeypatch):
    """By Last-Modified, or else by when it is fetched; what names the day is of that day."""
    server.answers = [Said(b"x\n", headers={"Last-Modified": "Wed, 02 Sep 2026 02:00:00 GMT"})]
    url = f"{server.url}/content.json"
    assert fetch(url=url) == [b"x\n"]
    with pytest.raises(NotReady, match=r"content.json is of 2026-08-31 no longer"):
        fetch(date(2026, 8, 31), url=url)
    with pytest.raises(NotReady, match="is not of 2026-09-02 yet"):
        fetch(date(2026, 9, 2), url=url)
    assert fetch(date(2026, 9, 2), url=url, written="same_day") == [b"x\n"]
    server.answers = [Said(b"y\n")]
    assert fetch(url=url) == [b"y\n"]
    monkeypatch.setattr(clock, "utc_now", lambda: NIGHT + timedelta(days=1))
    with pytest.raises(NotReady, match="no longer"):
        fetch(url=url)
    assert fetch(date(2026, 7, 1), url=url + "?day={YYYY}{MM}{DD}") == [b"y\n"]
    with pytest.raises(ConfigError, match="written is of an export that is the same URL every day"):
        fetch(url=url + "?day={YYYY}{MM}{DD}", written="same_day")


def test_what_is_recorded_says_when_it_is_written(server):
    """So that a snapshot tells why it is of its day."""
    asked = read_asked({"fetch": "http", "url": f"{server.url}/x"}, Path())
    assert asked.recorded()["written"] == "next_day"
    asked = read_asked({"fetch": "file", "path": "x", "written": "same_day", "timezone": "Europe/Paris"}, Path())
    assert asked.recorded() == {"fetch": "file", "path": "x", "written": "same_day", "timezone": "Europe/Paris"}
    assert asked.parameters(DAY)["start"] == "2026-08-31T22:00:00Z"
