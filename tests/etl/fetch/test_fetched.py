"""Snapshots of what a server says: it answers half, or differently, or not yet; fetchers are killed, or are many.

KILLS=200 python -m pytest tests/etl/fetch/test_fetched.py
"""

import gzip
import multiprocessing
import os
import random
import signal
import threading
import time
from pathlib import Path

import pytest
from fetching import DAY, NOW, Said

from etl.fetch.asked import NotReady
from etl.fetch.opening import read_asked
from etl.fetch.snapshots import MANIFEST, Snapshots
from lake.errors import StoreError

FORKED = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


def asked(server, **settings):
    """Return what is asked of a server."""
    return read_asked({"fetch": "http", "url": f"{server.url}/{{DD}}?key=${{TOKEN}}", **settings}, Path())


def kept(snapshots):
    """Return what the latest snapshot of the day holds, part by part."""
    return [gzip.decompress(Path(each.location).read_bytes()) for each in snapshots.files("views", DAY)]


@pytest.fixture(autouse=True)
def token(monkeypatch):
    """A secret of the environment."""
    monkeypatch.setenv("TOKEN", "hunter2")


def test_a_source_that_changes_its_mind_is_a_new_revision(disk_store, server, pauses):
    """What it answered before stays; half an answer, no data and the same once more change nothing."""
    snapshots = Snapshots(disk_store)

    def fetched(*answers):
        server.answers = [*answers]
        return snapshots.fetch("views", DAY, asked(server, missing="404"), NOW, "1")

    with pytest.raises(NotReady):
        fetched(Said(status=404))
    assert list(disk_store.keys("", "", "~")) == []
    assert fetched(Said(b"one\n")).revision == 0
    assert fetched(Said(status=429, headers={"Retry-After": "7"}), Said(b"one\n")).revision == 0
    assert fetched(Said(b"one, and another\n")).revision == 1
    for answer, error in ((Said(b"one, and", cut=3), StoreError), (Said(), NotReady)):
        with pytest.raises(error):
            fetched(answer)
    assert kept(snapshots) == [b"one, and another\n"]
    assert [each.number for each in snapshots.revisions("views", DAY)] == [0, 1]
    everything = b"".join(path.read_bytes() for path in Path(disk_store.root).rglob("*.json"))
    assert b"hunter2" not in everything
    assert b"key=${TOKEN}" in everything


@pytest.mark.slow
@FORKED
def test_a_killed_fetch_leaves_a_whole_day_or_none(disk_store, server):
    """Whenever it is killed: while it asks, writes or publishes; the next one goes on as if it had not been."""
    kills = int(os.environ.get("KILLS", "25"))
    chance, snapshots = random.Random(kills), Snapshots(disk_store)  # noqa: S311 - moments
    revision, last = -1, []
    for number in range(kills):
        content = [b"%d\n" % number * 50_000, b"two\n"]
        first = Said(content[0], headers={"Link": "</next>; rel=next"}, end="chunked")
        pages = {"/next": Said(content[1])}
        # by what is asked for: a request of a killed one may still come
        server.answers = [lambda got, pages=pages, first=first: pages.get(got.path, first)]
        fetcher = os.fork()
        if not fetcher:
            try:
                snapshots.fetch("views", DAY, asked(server, next="link"), NOW, "1")
            finally:
                os._exit(0)
        time.sleep(chance.uniform(0, 0.25))
        os.kill(fetcher, signal.SIGKILL)
        os.waitpid(fetcher, 0)
        there = kept(snapshots)
        assert there in (last, content)
        made = snapshots.fetch("views", DAY, asked(server, next="link"), NOW, "1")
        assert made.revision == revision + 1
        assert kept(snapshots) == content
        revision, last = made.revision, content


@FORKED
@pytest.mark.parametrize("count", [4])
def test_processes_that_fetch_at_once(disk_store, server, count):
    """Each gets another answer; all end with the same snapshot, and only its parts are left."""
    lock, answers = threading.Lock(), iter(range(1_000))

    def other(_):
        with lock:
            return Said(b"answer %d\n" % next(answers))

    server.answers = [other]
    snapshots = Snapshots(disk_store)
    for turn in range(5):
        begin = multiprocessing.get_context("fork").Barrier(count)
        fetchers = []
        for _ in range(count):
            fetcher = os.fork()
            if not fetcher:
                status = 1
                try:
                    begin.wait(20)
                    snapshots.fetch("views", DAY, asked(server), NOW, "1")
                    status = 0
                finally:
                    os._exit(status)
            fetchers.append(fetcher)
        assert [os.waitpid(each, 0)[1] for each in fetchers] == [0] * count
        revisions = snapshots.revisions("views", DAY)
        keys = list(disk_store.keys("views/", "", "~"))
        assert sum(key.endswith(MANIFEST) for key in keys) == len(revisions) == len(keys) // 2
        assert turn < len(revisions) <= (turn + 1) * count
        assert len(kept(snapshots)) == 1
