"""Snapshots: whole or not there, whoever else fetches at the same time and whenever it is killed."""

import gzip
import json
import os
import signal
import threading
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest
from fetching import DAY, NOW

from etl.fetch.asked import NotReady
from etl.fetch.parts import content_sha256, part_file
from etl.fetch.snapshots import MANIFEST, Revision, Snapshots, check_beside
from lake.errors import ConfigError, Damaged, PartitionMissing, StoreError
from lake.lake import open_store

LATER = NOW + timedelta(days=2)


@dataclass
class Given:
    """An Asked that gives parts of some contents."""

    contents: list[bytes] = field(default_factory=lambda: [b"a,b\n1,2\n"])
    ending: str = "csv.gz"

    def recorded(self):
        """See Asked."""
        return {"fetch": "given", "url": "https://host/{YYYY}?key=${TOKEN}"}

    def parameters(self, day):
        """See Asked."""
        return {"day": day.isoformat()}

    def fetch(self, day, folder):  # noqa: ARG002 - the same on every day
        """See Asked."""
        found = []
        for number, each in enumerate(self.contents):
            with part_file(folder / str(number), self.ending) as file:
                file.write(each)
                file.rows = each.count(b"\n")
                found.append(file.finish())
        return found


def fetched(snapshots, *contents, source="views", day=DAY, now=NOW):
    """Fetch a day that consists of parts with some contents."""
    return snapshots.fetch(source, day, Given(list(contents)), now, "1.2.3")


def keys(snapshots, source="views"):
    """Return the keys of all objects of a source."""
    return list(snapshots.store.keys(f"{source}/", "", "~"))


def contents(snapshots, folder, day=DAY):
    """Return what the raw files of a day hold."""
    found = []
    for each in snapshots.files("views", day):
        key = each.location.removeprefix(f"{snapshots.store.root}/")
        found.append(gzip.decompress(snapshots.store.local_copy(key, folder).read_bytes()))
    return found


def test_a_day_is_kept_as_it_came(snapshots, tmp_path):
    """With a manifest that says what was asked, when, by which version, and how much came."""
    made = fetched(snapshots, b"a,b\n1,2\n", b"a,b\n")
    assert contents(snapshots, tmp_path) == [b"a,b\n1,2\n", b"a,b\n"]
    (revision,) = snapshots.latest("views").values()
    assert revision == Revision("views", DAY, 0)
    assert snapshots.manifest(revision) == made
    said = json.loads(snapshots.store.local_copy(revision.folder + MANIFEST, tmp_path).read_text())
    assert said["asked"] == {"fetch": "given", "url": "https://host/{YYYY}?key=${TOKEN}"}
    assert (said["parameters"], said["fetched_at"]) == ({"day": "2026-09-01"}, "2026-09-02T03:00:00+00:00")
    assert (said["code_version"], said["rows"], said["bytes"]) == ("1.2.3", 3, made.bytes)
    for part in made.parts:
        assert snapshots.store.sha256(revision.folder + part.name) == part.sha256
    assert [each.content_bytes for each in made.parts] == [8, 4]


def test_names_of_raw_files_are_the_same_in_every_revision(snapshots, tmp_path):
    """So a later one is the same file, changed; where it lies tells them apart."""
    fetched(snapshots, b"one\n")
    (first,) = snapshots.files("views", DAY)
    fetched(snapshots, b"two\n")
    (second,) = snapshots.files("views", DAY)
    assert first.name == second.name == "views/dt=2026-09-01/part-0.csv.gz"
    assert first.day == second.day == DAY
    assert first.location != second.location
    assert contents(snapshots, tmp_path) == [b"two\n"]
    assert [each.number for each in snapshots.revisions("views", DAY)] == [0, 1]


def test_raw_files_are_read_as_all_are(disk_store):
    """What is compressed is opened by what reads raw logs."""
    snapshots = Snapshots(disk_store)
    fetched(snapshots, b"one\ntwo\n")
    (file,) = snapshots.files("views", DAY)
    assert gzip.decompress(Path(file.location).read_bytes()) == b"one\ntwo\n"


def test_the_same_content_is_no_new_revision(snapshots):
    """Whatever has fetched it, and whenever; a part more, or another order, is another content."""
    first = fetched(snapshots, b"one\n", b"two\n")
    before = keys(snapshots)
    assert fetched(snapshots, b"one\n", b"two\n", now=LATER) == first
    assert keys(snapshots) == before
    assert fetched(snapshots, b"two\n", b"one\n").revision == 1
    assert fetched(snapshots, b"two\none\n").revision == 2
    assert fetched(snapshots, b"one\n", b"two\n").revision == 3
    for number in range(4, 12):  # 10 comes before 9 in a listing
        fetched(snapshots, b"%d" % number)
    assert snapshots.latest("views")[DAY].number == 11


def test_bytes_are_the_same_for_the_same_content(tmp_path):
    """On whichever day."""
    made = []
    for name in "ab":
        (tmp_path / name).mkdir()
        made.append(Given().fetch(DAY, tmp_path / name))
    assert made[0][0].path.read_bytes() == made[1][0].path.read_bytes()
    assert content_sha256(made[0]) == content_sha256(made[1])


def test_days_are_found_by_one_listing(snapshots, monkeypatch):
    """Of a source alone, from the first to before the last; what follows another convention is passed over."""
    days = [DAY + timedelta(days=n) for n in range(4)]
    for day in days:
        fetched(snapshots, b"x", day=day)
    fetched(snapshots, b"x", source="views-more")
    fetched(snapshots, b"x", source="view")
    listed, objects = [], snapshots.store.objects
    monkeypatch.setattr(snapshots.store, "objects", lambda *bounds: listed.append(bounds) or objects(*bounds))
    assert list(snapshots.latest("views")) == days
    assert list(snapshots.latest("views", days[1], days[3])) == days[1:3]
    find = snapshots.finder("views", days[0], days[3])
    assert [len(find(day)) for day in days] == [1, 1, 1, 0]
    assert len(listed) == 3


def test_a_day_that_was_not_fetched_has_no_files(snapshots):
    """And no snapshot."""
    assert snapshots.files("views", DAY) == []
    assert snapshots.latest("views") == {}
    with pytest.raises(PartitionMissing):
        snapshots.manifest(Revision("views", DAY, 0))


def test_a_fetch_that_fails_leaves_nothing(snapshots):
    """And what was there stays."""

    class Failing(Given):
        def fetch(self, day, folder):
            super().fetch(day, folder)
            raise NotReady("not yet")

    for there in ([], [f"views/dt={DAY}/rev=0"]):
        with pytest.raises(NotReady):
            snapshots.fetch("views", DAY, Failing(), NOW, "1")
        assert sorted({each.rpartition("/")[0] for each in keys(snapshots)}) == there
        fetched(snapshots, b"one")


class Racing:
    """A store whose `create` waits for another's, when a manifest is created, and notes who did it."""

    def __init__(self, store, barrier):
        self._store, self._barrier = store, barrier

    def __getattr__(self, name):
        return getattr(self._store, name)

    def create(self, key, file):
        """See Store."""
        if key.endswith(MANIFEST):
            self._barrier.wait(20)
        return self._store.create(key, file)


@pytest.mark.parametrize("count", [2, 5])
@pytest.mark.parametrize("is_first", [True, False])
def test_of_several_fetchers_one_wins(snapshots, tmp_path, count, is_first):
    """The others take its manifest, remove their own parts, and there is one revision more."""
    if not is_first:
        fetched(snapshots, b"before")
    racing = Snapshots(Racing(snapshots.store, threading.Barrier(count)))
    made = [None] * count

    def one(number):
        made[number] = fetched(racing, b"content %d" % number)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(count)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert all(each == made[0] for each in made)
    assert made[0].revision == (0 if is_first else 1)
    (content,) = contents(snapshots, tmp_path)
    assert content.startswith(b"content ")
    assert len(keys(snapshots)) == (2 if is_first else 4)


class Killing:
    """A store that kills this process before or after its n-th writing."""

    def __init__(self, store, count, *, is_after):
        self._store, self._left, self._is_after = store, count, is_after

    def __getattr__(self, name):
        return getattr(self._store, name)

    def _count(self, write, *arguments):
        self._left -= 1
        if not self._left and not self._is_after:
            os.kill(os.getpid(), signal.SIGKILL)
        done = write(*arguments)
        if not self._left:
            os.kill(os.getpid(), signal.SIGKILL)
        return done

    def create(self, key, file):
        """See Store."""
        return self._count(self._store.create, key, file)

    def remove(self, names):
        """See Store."""
        return self._count(self._store.remove, names)


def killed(store, count, do, *, is_after):
    """Let a process do something until its n-th write; return whether it was killed."""
    process = os.fork()
    if not process:
        try:
            do(Snapshots(Killing(store, count, is_after=is_after)))
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == -signal.SIGKILL


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("is_after", [False, True])
def test_whenever_a_fetcher_is_killed_a_day_is_whole_or_as_before(disk_store, tmp_path, is_after):
    """The next one completes it, and what was left is gone a day later."""
    snapshots = Snapshots(disk_store)
    fetched(snapshots, b"before")
    wanted = [b"one", b"two", b"three"]
    for count in range(1, 6):
        was_killed = killed(disk_store, count, lambda them: fetched(them, *wanted), is_after=is_after)
        assert was_killed == (count < 5)
        is_done = count > 4 or (count == 4 and is_after)
        assert contents(snapshots, tmp_path) == (wanted if is_done else [b"before"])
        if is_done:
            break
    fetched(snapshots, *wanted)
    assert contents(snapshots, tmp_path) == wanted
    assert len(keys(snapshots)) > 2 + 4
    youngest = max(each.published for each in disk_store.objects("views/", "", "~"))
    fetched(snapshots, *wanted, now=youngest + timedelta(hours=25))
    assert len(keys(snapshots)) == 2 + 4
    assert contents(snapshots, tmp_path) == wanted


def test_what_a_running_fetcher_has_written_is_not_taken_away(snapshots):
    """Before a day has gone by nobody knows that it was killed."""

    class Dying(Given):
        def fetch(self, day, folder):
            found = super().fetch(day, folder)
            return [found[0], replace(found[0], path=Path("/no/such"))]

    with pytest.raises(FileNotFoundError):
        snapshots.fetch("views", DAY, Dying(), NOW, "1")
    (left,) = snapshots.store.objects("views/", "", "~")
    for hours, is_there in ((23, True), (25, False)):
        fetched(snapshots, b"x", now=left.published + timedelta(hours=hours))
        assert (left.key in keys(snapshots)) is is_there
    assert len(keys(snapshots)) == 2


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_snapshots_expire(disk_store, tmp_path):
    """Those fetched before a moment, of that source alone, also after it was killed; never to an older figure."""
    snapshots, days = Snapshots(disk_store), [DAY + timedelta(days=n) for n in range(3)]
    for day in days:
        fetched(snapshots, b"old", day=day)
        fetched(snapshots, b"new", day=day)
    fetched(snapshots, b"x", source="others")
    now = max(each.published for each in disk_store.objects("views/", "", "~"))
    for key in keys(snapshots):
        if str(days[2]) not in key:
            os.utime(f"{disk_store.root}/{key}", (now.timestamp() - 7200,) * 2)
    before = now - timedelta(hours=1)
    assert snapshots.expire("views", before - timedelta(hours=2)) == []
    for count in (1, 2, 2):
        assert killed(disk_store, count, lambda them: them.expire("views", before), is_after=True)
        for day in days[:2]:
            there = snapshots.latest("views", day, day + timedelta(days=1))
            assert there == {} or contents(snapshots, tmp_path, day) == [b"new"]
    snapshots.expire("views", before)
    assert list(snapshots.latest("views")) == days[2:]
    assert len(keys(snapshots)) == 4
    assert all(f"dt={days[2]}" in each for each in keys(snapshots))
    assert len(keys(snapshots, "others")) == 2
    assert snapshots.expire("views", before) == []


def test_snapshots_of_a_bucket_expire(s3_store):
    """By the bucket's clock."""
    snapshots = Snapshots(s3_store)
    fetched(snapshots, b"one")
    fetched(snapshots, b"two")
    (published,) = {
        each.published for each in s3_store.objects("views/", "", "~") if each.key.endswith("1/" + MANIFEST)
    }
    assert snapshots.expire("views", published - timedelta(days=1)) == []
    assert [each.number for each in snapshots.expire("views", published + timedelta(days=1))] == [0, 1]
    assert keys(snapshots) == []


@pytest.mark.parametrize("harm", ["gone", "cut", "manifest"])
def test_what_is_damaged_is_said(disk_store, harm):
    """A part that is gone or shorter, and a manifest that is none."""
    snapshots = Snapshots(disk_store)
    fetched(snapshots, b"one" * 100)
    path = next(
        Path(f"{disk_store.root}/{key}") for key in keys(snapshots) if (MANIFEST in key) == (harm == "manifest")
    )
    path.chmod(0o644)
    if harm == "gone":
        path.unlink()
    else:
        path.write_bytes(b"{}"[: 2 if harm == "manifest" else 1])
    said = {
        "gone": "is not there, and its manifest says",
        "cut": "has 1 bytes there",
        "manifest": "is no manifest",
    }
    with pytest.raises(Damaged, match=said[harm]):
        snapshots.files("views", DAY)


def test_a_source_whose_name_leads_elsewhere_is_refused(snapshots):
    """Before anything is fetched."""
    for name in ("../x", "_staging", "a/b", ""):
        with pytest.raises(ConfigError, match="is no valid name"):
            fetched(snapshots, b"x", source=name)
        with pytest.raises(ConfigError, match="is no valid name"):
            snapshots.expire(name, NOW)


def test_snapshots_lie_beside_the_lake(tmp_path):
    """Not in it, nor it in them; links are followed."""
    (tmp_path / "lake").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "lake")
    for root in ("lake", "lake/raw", "link/raw", "."):
        with pytest.raises(ConfigError, match="Choose a folder or prefix beside it"):
            check_beside(str(tmp_path / root), str(tmp_path / "lake"))
    with pytest.raises(ConfigError, match="beside it"):
        check_beside("s3://bucket/lake/raw", "s3://bucket/lake")
    check_beside(str(tmp_path / "lake-raw"), str(tmp_path / "lake"))


def test_what_goes_wrong_is_said_of_them(tmp_path):
    """And not of the lake, with the section that says where they are."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"Can't list the snapshots at .*Check \[snapshots\] root"):
        Snapshots.at(str(tmp_path / "file")).latest("views")
    with pytest.raises(ConfigError, match=r"\[snapshots\] root = .*would mislead readers"):
        Snapshots.at(str(tmp_path / "a*b"))


def test_only_its_owner_looks_into_a_new_root(tmp_path):
    """It may hold anything; a folder that is there keeps its mode."""
    for name, mode in (("new", 0o700), ("old", 0o755)):
        if name == "old":
            (tmp_path / name).mkdir(mode)
        fetched(Snapshots(open_store(str(tmp_path / name))), b"x")
        assert (tmp_path / name).stat().st_mode & 0o777 == mode


def test_a_part_that_goes_while_it_is_listed(disk_store, monkeypatch):
    """As those of a loser do: it is listed again, and a disk that fails every time says so."""
    snapshots = Snapshots(disk_store)
    fetched(snapshots, b"x")
    left, objects = [2], disk_store.objects

    def going(*bounds):
        left[0] -= 1
        if left[0] >= 0:
            raise StoreError("gone") from FileNotFoundError()
        return objects(*bounds)

    monkeypatch.setattr(disk_store, "objects", going)
    assert list(snapshots.latest("views")) == [DAY]
    left[0] = 99
    with pytest.raises(StoreError):
        snapshots.latest("views")
