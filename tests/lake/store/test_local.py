"""What is special to a lake on disk: modes, staging, killed processes, and roots that can't be used."""

import fcntl
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from lake.errors import StoreError
from lake.lake import Lake
from lake.partition import Partition
from lake.store import local
from lake.store.local import STAGING, LocalStore

KEY = "a/v1/dt=2015-05-17/rev=0/part-0.parquet"
HOLD_STAGING = """\
import sys
from lake.store.local import LocalStore
with LocalStore(sys.argv[1]).staging() as folder:
    (folder / "half.unfinished").write_bytes(b"PAR1")
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def disk(disk_root):
    """An empty store on disk."""
    return LocalStore(disk_root)


@pytest.fixture
def holder(disk):
    """A process that holds a staging folder with a half file in it, and that folder."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD_STAGING, disk.root],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield process, Path(process.stdout.readline().strip())
        process.kill()


def test_published_files_are_read_only(disk, create):
    """A published file has mode 0444, whatever the umask."""
    create(disk, KEY, b"one")
    assert stat.S_IMODE((Path(disk.root) / KEY).stat().st_mode) == 0o444


def test_nothing_shows_before_it_is_published(disk_lake, publish, error_rates, day):
    """No file below the root ends in .parquet until a whole one does, for globs see dot and underscore names."""
    root, partition = Path(disk_lake.root), Partition("error_rate", 1, day)
    seen = []

    class Watched(Lake):
        def publish(self, partition, file):
            seen.append((file.path.is_relative_to(root), list(root.rglob("*.parquet"))))
            return super().publish(partition, file)

    publish(Watched(disk_lake.store), partition, error_rates(shop=1))
    assert seen == [(True, [])]
    assert list(root.rglob("*.parquet")) == [root / partition.key]


def test_a_killed_process_leaves_nothing_for_long(disk, holder):
    """What a process killed with -9 left in staging is swept by the next one."""
    process, folder = holder
    assert (folder / "half.unfinished").exists()
    process.kill()
    process.wait()
    assert folder.exists()
    with disk.staging() as mine:
        assert list((Path(disk.root) / STAGING).iterdir()) == [mine]


def test_a_live_process_keeps_its_folder(disk, holder):
    """What a living process holds in staging is not swept."""
    process, folder = holder
    with disk.staging():
        assert (folder / "half.unfinished").exists()
    process.communicate()
    assert not folder.exists()


def test_stray_files_in_staging_do_no_harm(disk, create):
    """A file that somebody has put into the staging folder stops nothing."""
    stray = Path(disk.root) / STAGING / "README"
    stray.parent.mkdir(parents=True)
    stray.touch()
    assert create(disk, KEY, b"one")


@pytest.mark.parametrize("root", ["file", "file/below"])
@pytest.mark.parametrize(
    "use",
    [lambda store, _: store.staging().__enter__(), lambda store, file: store.create(KEY, file)],
    ids=["staging", "create"],
)
def test_a_root_that_can_not_be_written_is_named(tmp_path, stage, root, use):
    """Where the root can't be a folder, the message names root, reason and next step, in one line."""
    file = stage(tmp_path, b"one")
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"(Not a directory|File exists).*Check \[lake\] root") as refusal:
        use(LocalStore(str(tmp_path / root)), file)
    assert f"Can't write to the lake at {tmp_path / root}: " in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_root_that_is_a_file_can_not_be_listed(tmp_path):
    """A root that is there and no folder is an error, not an empty lake."""
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=f"Can't list the lake at {tmp_path / 'file'}: Not a directory"):
        list(LocalStore(str(tmp_path / "file")).keys("a/", "", "~"))


def test_a_folder_under_a_key_is_an_error(disk, create):
    """A folder that has taken an object's name is neither overwritten nor taken for the object."""
    (Path(disk.root) / KEY).mkdir(parents=True)
    assert not disk.exists(KEY)
    with pytest.raises(StoreError, match="Is a directory"):
        create(disk, KEY, b"one")


def test_a_publication_outlives_a_power_cut(disk, create, monkeypatch):
    """The bytes are on the disk before the name is, and the name and every new folder before success is told."""
    target, synced = Path(disk.root) / KEY, []

    def fsync(handle):
        synced.append((Path(f"/proc/self/fd/{handle}").readlink(), target.exists()))

    monkeypatch.setattr("os.fsync", fsync)
    create(disk, KEY, b"one")
    (staged, was_there), *folders = synced
    assert staged.is_relative_to(Path(disk.root) / STAGING)
    assert not was_there
    made = {each for each in target.parents if each.is_relative_to(disk.root)}
    assert {path for path, _ in folders} == made
    assert all(is_there for _, is_there in folders)
    synced.clear()
    create(disk, KEY.replace("rev=0/", "rev=1/"), b"two")
    assert {path for path, _ in synced[1:]} == {target.parent.with_name("rev=1"), target.parents[1]}


def test_what_is_safe_is_not_brought_to_the_disk_again(disk_lake, publish, error_rates, day, monkeypatch):
    """Of the two records of a publication, which are one file, the second only has its folder synced."""
    synced = []
    monkeypatch.setattr("os.fsync", lambda handle: synced.append(Path(f"/proc/self/fd/{handle}").readlink()))
    publish(disk_lake, Partition("error_rate", 1, day), error_rates())
    assert sorted(each.suffix for each in synced if STAGING in each.parts) == [".json", ".unfinished"]
    records = [*Path(disk_lake.root, "_evidence").rglob("*.json")]
    assert len({each.stat().st_ino for each in records}) == 1
    assert {each.parent for each in records} <= set(synced)


def test_no_handles_stay_open(disk, create):
    """Whoever publishes ten years of days has as many handles afterwards as before."""
    create(disk, KEY, b"one")
    before = len(list(Path("/proc/self/fd").iterdir()))
    for n in range(3):
        create(disk, KEY.replace("rev=0", f"rev={n}"), b"one")
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_file_that_vanishes_under_a_listing_is_an_error(disk, create, monkeypatch):
    """It is named with the lake, as any other trouble of the disk."""
    create(disk, KEY, b"one")
    monkeypatch.setattr("lake.store.local._walk", lambda *_: iter(["a/gone"]))
    with pytest.raises(StoreError, match=r"Can't list the lake at .*No such file or directory \(.*a/gone"):
        list(disk.objects("a/", "", "~"))


def test_a_copy_is_the_object_itself(disk, create, tmp_path):
    """Nothing is copied on a disk."""
    create(disk, KEY, b"one")
    assert disk.local_copy(KEY, tmp_path) == Path(disk.root) / KEY


def test_a_staging_folder_that_was_swept_too_soon_is_made_anew(disk, monkeypatch):
    """Another process may take it for a dead one's, between its making and its locking."""
    make, lock, made = tempfile.mkdtemp, fcntl.flock, []

    def made_and_swept(**where):
        made.append(Path(make(**where)))
        if len(made) == 1:
            made[0].rmdir()
        return str(made[-1])

    def swept_and_locked(handle, how):
        if how == fcntl.LOCK_EX and len(made) == 2 and made[1].exists():
            made[1].rmdir()
        lock(handle, how)

    monkeypatch.setattr("tempfile.mkdtemp", made_and_swept)
    monkeypatch.setattr("fcntl.flock", swept_and_locked)
    before = len(list(Path("/proc/self/fd").iterdir()))
    with disk.staging() as folder:
        assert folder == made[2]
        assert folder.parent == Path(disk.root) / STAGING
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    assert list((Path(disk.root) / STAGING).iterdir()) == []


def test_a_staging_folder_that_is_gone_is_no_error(disk):
    """What was to be removed is removed."""
    with disk.staging() as folder:
        folder.rmdir()


def test_an_unfinished_file_may_go_while_all_is_listed(disk, monkeypatch):
    """Its writer has finished it, beside `lake verify`."""
    (Path(disk.root) / "a").mkdir(parents=True)
    (Path(disk.root) / "a/stays").write_bytes(b"1")
    keys = local._walk  # noqa: SLF001 - nothing else shows a file that is gone at once
    monkeypatch.setattr(local, "_walk", lambda *bounds: ("_staging/x/goes", *keys(*bounds)))
    assert [each.key for each in disk.objects("", "", "~")] == ["a/stays"]


def test_a_name_that_is_taken_is_safe_before_it_is_said(disk_root, create, monkeypatch):
    """Whoever has it there may not have brought its folders to the disk; all of them are, up to the root."""
    key = "a/v1/dt=2015-05-17/rev=0/part-0.parquet"
    made = LocalStore(disk_root)
    assert create(made, key, b"one")
    synced = []
    monkeypatch.setattr("lake.store.local._sync_folder", lambda folder: synced.append(str(folder)))
    assert not create(made, key, b"one")
    folders = ["", "/a", "/a/v1", "/a/v1/dt=2015-05-17", "/a/v1/dt=2015-05-17/rev=0"]
    assert synced == [f"{disk_root}{each}" for each in reversed(folders)]
