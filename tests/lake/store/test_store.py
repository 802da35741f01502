"""What every store promises, on disk and on S3: created once, never changed, listed in order."""

import errno
import os
import tempfile
from datetime import UTC, datetime, timedelta

import pytest

from lake.contracts import CONTRACTS
from lake.errors import ConfigError, PartitionExists, PartitionMissing, StoreError
from lake.lake import open_store
from lake.store.disk import disk_error, temporary_folder

KEY = "a/v1/dt=2015-05-17/rev=0/part-0.parquet"


def content(store, key, folder):
    """Return the bytes of an object."""
    return store.local_copy(key, folder).read_bytes()


def test_an_object_is_created_once(store, create, tmp_path):
    """The first creation says so; the same bytes again are a success that creates nothing."""
    assert [create(store, KEY, b"one") for _ in range(3)] == [True, False, False]
    assert content(store, KEY, tmp_path) == b"one"


def test_other_bytes_are_refused(store, create, tmp_path):
    """Other bytes under a taken key are refused, with both digests in the message, and change nothing."""
    create(store, KEY, b"one")
    with pytest.raises(PartitionExists) as refusal:
        create(store, KEY, b"two")
    assert f"{store.root}/{KEY} is published with other bytes" in str(refusal.value)
    assert "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed" in str(refusal.value)
    assert "3fc4ccfe745870e2c0d99f71f30ff0656c8dedd41cc1d7d3d376b0dbe685e2f3" in str(refusal.value)
    assert content(store, KEY, tmp_path) == b"one"


@pytest.mark.parametrize(("mine", "outcome"), [(b"one", False), (b"two", PartitionExists)])
def test_an_object_of_another_tool_counts(store, create, write_foreign, mine, outcome):
    """Bytes that another tool has put there, without our metadata, are compared like our own."""
    write_foreign(store, KEY, b"one")
    assert store.sha256(KEY).startswith("7692c3ad")
    if outcome is False:
        assert create(store, KEY, mine) is False
    else:
        with pytest.raises(outcome, match="there sha256 7692c3ad"):
            create(store, KEY, mine)


def test_what_is_not_there(store, tmp_path):
    """A key without an object does not exist, has no digest and no copy, and the message names it."""
    assert not store.exists(KEY)
    for ask in (store.sha256, lambda key: store.local_copy(key, tmp_path)):
        with pytest.raises(PartitionMissing, match=f"{store.root}/{KEY} is not published"):
            ask(KEY)


def test_what_is_there(store, create):
    """A created object exists under its whole key only, with the digest of its bytes."""
    create(store, KEY, b"one")
    assert store.exists(KEY)
    assert not store.exists(KEY.removesuffix("/part-0.parquet"))
    assert store.sha256(KEY) == "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed"


def test_an_empty_store_lists_nothing(store):
    """Before anything is written there is nothing, and that is no error."""
    assert list(store.keys("a/", "", "~")) == []


@pytest.fixture
def filled(store, create, s3_name):
    """Lists a store with a few objects."""
    for key in ("a/c/d/e", "a/b/2", "a/b.", "a/b/10", "a/b/1", "a/b-/x", "b/b", "a0/b"):
        create(store, key, b"")

    def listed(first, last):
        found = [key.removeprefix("a/") for key in store.keys("a/", first, last)]
        # SeaweedFS has `b/1` before `b.`, as folders are listed and not texts
        return sorted(found) if s3_name == "seaweedfs" else found

    return listed


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        ("", "~", ["b-/x", "b.", "b/1", "b/10", "b/2", "c/d/e"]),
        ("b/1", "b/2", ["b/10"]),
        ("b/0", "b/2", ["b/1", "b/10"]),
        ("b/", "c", ["b/1", "b/10", "b/2"]),
        ("c/d/", "c/d/f", ["c/d/e"]),
        ("d", "~", []),
    ],
)
def test_keys_are_listed_in_order(filled, first, last, expected):
    """A listing is ordered as text, has no key at or beyond its bounds, and none of another prefix."""
    assert filled(first, last) == expected


def test_staging_is_emptied(store):
    """What a staging folder holds is gone afterwards, also when the work in it failed."""
    folders = []

    def fail():
        with store.staging() as folder:
            folders.append(folder)
            (folder / "half.unfinished").write_bytes(b"PAR1")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert [folder.exists() for folder in folders] == [False]


def test_staging_folders_are_apart(store):
    """Two at once don't see each other's files."""
    with store.staging() as one, store.staging() as two:
        (one / "same").touch()
        assert not (two / "same").exists()
        assert one.exists()


@pytest.mark.parametrize("root", ["relative/lake", "gs://bucket/lake", "file:///lake", ""])
def test_other_places_are_refused(root):
    """A store is an absolute path or an S3 URL, nothing else."""
    with pytest.raises(ConfigError, match="expected a folder or s3://bucket/prefix"):
        open_store(root)


@pytest.mark.parametrize(
    "root",
    [
        *("/lake/dt=2015-05-17", "s3://b/source=web", "/rev=1/lake", "/a*", "/a?", "/[a]", "/DT=1/lake"),
        *("/size=5/lake", "/filename=x", "s3://b/content="),
        *sorted(f"/data/{name}=5/lake" for each in CONTRACTS.values() for name in each.schema.names),
    ],
)
def test_roots_that_mislead_readers_are_refused(root):
    """A root that reads as a glob, as part of a partition's path or as a column would give wrong answers."""
    with pytest.raises(ConfigError, match="would mislead readers"):
        open_store(root)


def named(number, *names):
    """Return an error as the operating system has it."""
    return OSError(number, os.strerror(number), *names)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            named(errno.ENOSPC, "/a"),
            "No space left on device (/a). Make room on that disk, then run the same again.",
        ),
        (named(errno.EDQUOT), "Disk quota exceeded. Make room on that disk, then run the same again."),
        (named(errno.EROFS, "/a"), "Read-only file system (/a). Look."),
        (named(errno.EIO), "Input/output error. Look."),
        (named(errno.ENOENT, "/a", None, "/b"), "No such file or directory (/b). Look."),
        (OSError("a story"), "a story. Look."),
        (OSError(errno.EIO, "a long story by Arrow"), "Input/output error. Look."),
        (OSError(errno.ENOENT, "another story"), "another story. Look."),
    ],
)
def test_a_disk_error_says_what_where_and_what_next(error, said):
    """In the operating system's own words where the disk is the reason, with the file where one is known."""
    assert str(disk_error("read the lake", error, "Look.")) == f"Can't read the lake: {said}"


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM])
def test_a_right_that_is_lacking_names_the_user(number):
    """So it can be seen at once that cron runs it as somebody else."""
    assert str(disk_error("write", named(number, "/a"), "Look.")) == (
        f"Can't write: {os.strerror(number)} (/a). Check owner and mode of the folder and those above it; "
        f"this runs as user {os.geteuid()}."
    )


def test_temporary_folders_are_named_after_the_project_and_go_away(tmp_path, monkeypatch):
    """Who finds one after a power cut knows whose it is; what fails in it is not changed."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with temporary_folder() as folder:
        assert folder.parent == tmp_path
        assert folder.name.startswith("error-rate-lake-")
        (folder / "file").touch()
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(FileNotFoundError, match="gone"), temporary_folder():
        raise FileNotFoundError(errno.ENOENT, "gone")
    assert list(tmp_path.iterdir()) == []


def test_a_full_temporary_disk_names_its_folder(tmp_path, monkeypatch):
    """And the setting that names another."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(StoreError) as failure, temporary_folder():
        raise OSError(errno.EROFS, "a story")
    assert str(failure.value) == (
        f"Can't write temporary files to {tmp_path}: Read-only file system. Set TMPDIR to a folder with room."
    )


def test_sizes_and_times_go_with_their_keys(store, create):
    """In the same order and between the same bounds as a listing of keys; times are of now, in UTC."""

    def listed(*bounds):
        return [(each.key, each.bytes) for each in store.objects(*bounds)]

    now = datetime.now(UTC)  # noqa: TID251 - the stores' own clock
    before = now - timedelta(seconds=2)  # S3's are whole seconds
    for key, content in (("a/1", b""), ("a/2", b"22"), ("a/3/4", b"4444"), ("b/1", b"1")):
        create(store, key, content)
    assert listed("a/", "", "~") == [("a/1", 0), ("a/2", 2), ("a/3/4", 4)]
    assert listed("a/", "1", "3") == [("a/2", 2)]
    assert listed("", "", "\U0010ffff")[-1] == ("b/1", 1)
    after = now + timedelta(seconds=60)
    assert all(before < each.published < after for each in store.objects("a/", "", "~"))


def test_arrow_reads_what_is_there(store, create):
    """By the file system that the store gives, and its root there."""
    create(store, KEY, b"one")
    filesystem, root = store.filesystem()
    with filesystem.open_input_stream(f"{root}/{KEY}") as file:
        assert file.read() == b"one"
