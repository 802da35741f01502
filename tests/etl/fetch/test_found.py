"""A fetched source's files are found and read as those of any other are."""

import inspect
from datetime import timedelta
from pathlib import Path

from fetching import DAY, NOW, Said

from etl.fetch.found import SnapshotFiles
from etl.fetch.opening import read_asked
from etl.fetch.snapshots import Snapshots
from etl.raw.files import FilePattern, mark_of, part_of, size_of


def test_they_are_found_as_raw_files_are(store, server, request):
    """By day, and for a range by one listing; a later revision is the same file, changed."""
    endpoint_url = request.getfixturevalue("moto_url") if store.root.startswith("s3") else None
    files = SnapshotFiles("views", store.root, endpoint_url)
    asked = read_asked({"fetch": "http", "url": server.url, "format": "csv"}, Path())
    assert files.find(DAY) == []
    found = []
    for number in range(2):
        server.answers = [Said(b"a\n%d\n" % number)]
        made = Snapshots(store).fetch("views", DAY, asked, NOW, "1")
        (file,) = files.find(DAY)
        assert files.finder(DAY - timedelta(days=1), DAY)(DAY) == [file]
        assert files.finder(DAY - timedelta(days=2), DAY - timedelta(days=1))(DAY) == []
        assert size_of(file, endpoint_url) == made.bytes
        assert part_of(file, 0, 2, endpoint_url) == b"\x1f\x8b"
        found.append((file.name, mark_of(file, endpoint_url)))
    assert found[0][0] == found[1][0] == f"views/dt={DAY}/part-0.csv.gz"
    assert found[0][1] != found[1][1]


def test_it_has_what_a_pattern_is_asked_for():
    """The same names, with the same parameters."""
    files, pattern = SnapshotFiles("views", "/snapshots"), FilePattern("{YYYY}{MM}{DD}", Path("/"))
    for name in ("find", "finder", "of_day"):
        ours, theirs = (list(inspect.signature(getattr(each, name)).parameters) for each in (files, pattern))
        assert ours == theirs
    for name in ("is_dated", "lost_folder", "text", "root", "endpoint_url"):
        assert hasattr(files, name)
        assert hasattr(pattern, name)
    assert files.of_day(DAY) == "/snapshots/views/dt=2026-09-01"
    assert hash(files) == hash(SnapshotFiles("views", "/snapshots"))
