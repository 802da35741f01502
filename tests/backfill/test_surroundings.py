"""What a host does to runs: a disk that is read-only or not mounted, a lake of another, a clock that is wrong."""

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

OF = ("--of", "ErrorRateDaily")
RUN = ("backfill", "run", *OF)
TWO_WORKERS = (*RUN, "--workers", "2")
STOCK = ("luigi", "RangeDailyBase", *OF, "--start", "2015-05-17")
COMMANDS = pytest.mark.parametrize("command", [RUN, STOCK], ids=["run", "luigi"])
WITH_TWO_WORKERS = pytest.mark.parametrize("command", [TWO_WORKERS, STOCK], ids=["two workers", "luigi"])
FIRST, LAST, AFTER = "2015-05-17", "2015-05-20", "2015-05-21"
SETTLED = datetime(2015, 5, 21, 6)
MANY_DAYS = 16
SUMS = ("lake", "sql", "--csv", "select * exclude rev from error_rate order by all")
AS_IF = """
import sys
from datetime import datetime, UTC
from backfill import cli, luigi_cli
from etl import clock
sys.argv.pop(0)
now, told = clock.utc_now, datetime.fromisoformat(sys.argv.pop(0)).replace(tzinfo=UTC)
begun = now()
clock.utc_now = lambda: told + (now() - begun)
{"backfill": cli, "luigi": luigi_cli}[sys.argv[0]].main()
"""


def as_if(now: datetime, *command: str) -> tuple[str, ...]:
    """Return a command of ours as a host runs it whose clock says something else."""
    return (sys.executable, "-c", AS_IF, now.isoformat(), *command)


def of_days(project, days: int):
    """Give a project logs of so many days, and return it."""
    until = {"until": str(date(2015, 5, 17) + timedelta(days=days))}
    project.configure(lake=project.lake(), web=project.source | until)
    project.write_logs(days=days)
    return project


@pytest.fixture(scope="module")
def known():
    """What `expected` has returned: it is the same for all tests."""
    return {}


@pytest.fixture
def expected(make_project, known):
    """A function that returns what a lake has of so many days if nothing happens to it."""

    def build(days: int = 4) -> dict[str, bytes]:
        if days not in known:
            made = of_days(make_project("undisturbed"), days)
            assert made.run(*RUN).returncode == 0
            known[days] = made.published()
        return known[days]

    return build


def published(lake: Path) -> dict[str, bytes]:
    """Return a lake's partitions by key."""
    return {str(path.relative_to(lake)): path.read_bytes() for path in lake.rglob("*.parquet")}


def files_below(folder: Path) -> list[Path]:
    """Return all that is no folder."""
    return [path for path in folder.rglob("*") if not path.is_dir()]


def refused(done, *words: str) -> None:
    """Assert that a command failed as the README says, and said why in lines that name the next step."""
    assert done.returncode in {1, 3, 30}, done
    assert "Traceback" not in done.stderr, done.stderr
    assert not [word for word in words if word not in done.stderr], done.stderr
    assert max(map(len, done.stderr.splitlines())) < 700


def completes(project, expected: dict[str, bytes], lake: Path, *command: str) -> None:
    """Assert that a run after all is well again has the same bytes in the lake as if nothing had been."""
    done = project.run(*command)
    assert (done.returncode, done.stderr) == (0, "")
    assert published(lake) == expected
    assert not list((lake / "_staging").iterdir())


@dataclass(frozen=True)
class Mount:
    """A small disk with a lake, mounted once more in a folder of which commands that are prefixed see it.

    Attributes:
        disk: The disk.
        at: The folder; this process sees what lies below, as who has lost the mount.
    """

    disk: Any
    at: Path

    @property
    def lake(self) -> Path:
        """Where this process sees the lake, mounted or not."""
        return self.disk.path / "lake"

    def now(self, *command: str) -> None:
        """Run a command until it succeeds: a disk that is being written to is busy."""
        deadline = time.monotonic() + 20
        while subprocess.run([*self.disk.prefix, *command], capture_output=True, check=False).returncode:
            assert time.monotonic() < deadline, command
            time.sleep(0.002)

    def mount(self) -> None:
        """Mount it, as at the machine's start."""
        self.now("mount", "--bind", str(self.disk.mounted_at), str(self.at))

    def lose(self) -> None:
        """Take the mount away under whoever uses it."""
        self.now("umount", "-l", str(self.at))

    def may(self, mode: str) -> None:
        """Have the disk be read only (`ro`), or read and written (`rw`)."""
        # with a source, mount(8) doesn't repeat the disk's own options, which an ordinary user's kernel refuses
        self.now("mount", "-o", f"remount,{mode}", "tmpfs", str(self.disk.mounted_at))


@pytest.fixture
def mount(a_project, small_disk, tmp_path):
    """A mount with the lake of `a_project`, whose root is a folder of it."""
    at = tmp_path / "mnt"
    at.mkdir()
    made = Mount(small_disk("8m"), at)
    made.mount()
    a_project.configure(lake={"root": str(at / "lake")})
    return made


def started_until_some_are_built(project, mount, command):
    """Start a command over many days, and return it when three of them are built."""
    process = project.start(*mount.disk.prefix, *command)
    deadline = time.monotonic() + 30
    while len(list(mount.lake.glob("error_rate/v1/*/*/*.parquet"))) < 3:
        assert time.monotonic() < deadline
        time.sleep(0.002)
    return process


def ended(process) -> subprocess.CompletedProcess[str]:
    """Wait for the end of a process, and return it with what it said."""
    output, errors = process.communicate(timeout=60)
    return subprocess.CompletedProcess(process.args, process.returncode, output, errors)


@COMMANDS
def test_a_disk_that_can_only_be_read(a_project, mount, expected, command):
    """Each day and the disk are named; what is there can still be asked for, and the rest is built afterwards."""
    whole, prefix = expected(), mount.disk.prefix
    assert a_project.run(*prefix, *RUN, "--stop", "2015-05-18").returncode == 0
    before = published(mount.lake)
    mount.may("ro")
    done = a_project.run(*prefix, *command)
    refused(
        done,
        f"RequestsDaily(date={LAST}, revision=0, source=web): Can't write to the lake at {mount.at}/lake: "
        "Read-only file system",
        "Check [lake] root in luigi.cfg, its permissions and its disk.",
    )
    assert "0 built, 1 already there, 3 failed" in done.stdout
    assert published(mount.lake) == before
    asked = a_project.run(*prefix, *SUMS)
    assert (asked.returncode, len(asked.stdout.splitlines())) == (0, 2)
    assert a_project.run(*prefix, "backfill", "check", *OF, "--start", FIRST).returncode == 2
    assert a_project.run(*prefix, "lake", "verify").returncode == 0
    mount.may("rw")
    completes(a_project, whole, mount.lake, *prefix, *command)


@WITH_TWO_WORKERS
def test_a_disk_that_turns_read_only_in_the_middle(a_project, mount, expected, command):
    """As Linux does to a disk with errors: what was built stays, no part of a day is there, the rest follows."""
    whole = expected(MANY_DAYS)
    process = started_until_some_are_built(of_days(a_project, MANY_DAYS), mount, command)
    mount.may("ro")
    done = ended(process)
    refused(done, f"Can't write to the lake at {mount.at}/lake: Read-only file system")
    assert published(mount.lake).items() <= whole.items()
    assert "already there" in done.stdout
    mount.may("rw")
    completes(a_project, whole, mount.lake, *mount.disk.prefix, *command)


@WITH_TWO_WORKERS
def test_a_mount_that_is_lost_in_the_middle(a_project, mount, expected, command):
    """Nothing is written to the disk below; the lake and the mount are named, and the next run goes on."""
    whole = expected(MANY_DAYS)
    process = started_until_some_are_built(of_days(a_project, MANY_DAYS), mount, command)
    mount.lose()
    refused(
        ended(process),
        f"RequestsDaily(date=2015-06-01, revision=0, source=web): The lake at {mount.at}/lake is no longer on the "
        "disk that it was on when this began: is one not mounted? Mount it, then run the same again.",
        "The attempts could not be recorded: The lake at ",
    )
    assert files_below(mount.at) == []
    assert published(mount.lake).items() <= whole.items()
    mount.mount()
    completes(a_project, whole, mount.lake, *mount.disk.prefix, *command)


@COMMANDS
def test_a_mount_that_is_missing_where_nobody_else_may_write(a_project, mount, expected, command):
    """A mount point that only root may write to is a guard: nothing is built below, and the folder is named."""
    whole, prefix = expected(), mount.disk.ordinary
    assert a_project.run(*prefix, *RUN, "--stop", "2015-05-19").returncode == 0
    mount.lose()
    mount.at.chmod(0o555)
    done = a_project.run(*prefix, *command)
    refused(
        done,
        f"Can't write to the lake at {mount.at}/lake: Permission denied ({mount.at}/lake). Check owner and mode ",
    )
    assert "0 built, 0 already there, 4 failed" in done.stdout
    assert a_project.run(*prefix, "backfill", "check", *OF, "--start", FIRST).returncode == 2
    assert a_project.run(*prefix, "lake", "verify").returncode == 3
    assert a_project.run(*prefix, *SUMS).returncode == 3
    assert list(mount.at.iterdir()) == []
    mount.mount()
    completes(a_project, whole, mount.lake, *prefix, *command)


def test_a_mount_that_is_missing_where_anybody_may_write(a_project, mount, expected):
    """It looks like a new lake, and one begins there, of whole days; that older days are missing is told.

    With the mount back, the lake is as it was, and goes on.
    """
    whole, prefix = expected(MANY_DAYS), mount.disk.prefix
    of_days(a_project, MANY_DAYS)
    nightly, check = ("backfill", "nightly", *OF), ("backfill", "check", *OF, "--days", "30")
    assert a_project.run(*prefix, *RUN, "--stop", "2015-05-31").returncode == 0
    before = published(mount.lake)
    mount.lose()
    checked = a_project.run(*prefix, *check)
    assert (checked.returncode, checked.stdout.split(",")[0]) == (2, "ErrorRateDaily CRITICAL: 0 days there")
    ran = a_project.run(*prefix, *nightly)
    assert ran.returncode == 1
    assert "2 older days are missing: 2015-05-17, 2015-05-18" in ran.stdout
    below = published(mount.at / "lake")
    assert below.items() < whole.items()
    checked = a_project.run(*prefix, *check)
    assert checked.returncode == 2
    assert "CRITICAL: 14 days there, 2 late, the oldest: 2015-05-17 missing" in checked.stdout
    mount.mount()
    assert published(mount.lake) == before
    completes(a_project, whole, mount.lake, *prefix, *nightly)


@pytest.mark.root
@COMMANDS
def test_a_lake_that_belongs_to_another(a_project, ordinary, expected, command):
    """As after a run by root: the folder and who runs are named, and all can be read; chown mends it."""
    whole = expected()
    assert a_project.run(*RUN, "--stop", "2015-05-18").returncode == 0
    lake = a_project.folder / "lake"
    owners = {path: path.stat().st_uid for path in (lake, *lake.rglob("*"))}
    try:
        for path in owners:
            os.chown(path, os.geteuid() + 1, -1)
    except PermissionError:
        pytest.skip("only root may give files away: `make test-root`")
    done = a_project.run(*ordinary, *command)
    refused(
        done,
        f"Can't write to the lake at {lake}: Permission denied ({lake}/_staging/",
        f"Check owner and mode of the folder and those above it; this runs as user {os.geteuid()}.",
    )
    assert "0 built, 1 already there, 3 failed" in done.stdout
    assert len(published(lake)) == 6
    for reading, code in ((SUMS, 0), (("lake", "verify"), 0), (("backfill", "status", *OF), 1)):
        assert a_project.run(*ordinary, *reading).returncode == code
    for path, owner in owners.items():
        os.chown(path, owner, -1)
    completes(a_project, whole, lake, *ordinary, *command)


@COMMANDS
def test_a_clock_that_is_set_back(a_project, expected, command):
    """Between two runs, by days: nothing is built twice, nothing is taken away, and time goes on from there."""
    whole, lake = expected(), a_project.folder / "lake"
    to_the_last = (*command, "--stop", AFTER)
    log = a_project.folder / f"logs/{LAST}.log"
    later = log.rename(log.with_suffix(".later"))
    assert a_project.run(*as_if(SETTLED, *to_the_last)).returncode in {1, 20}
    before = published(lake)
    later.rename(log)
    done = a_project.run(*as_if(SETTLED - timedelta(days=2), *to_the_last))
    assert done.returncode in {1, 30}
    assert f"waiting: {LAST} unsettled until 2015-05-21 06:00 UTC" in done.stdout
    assert "0 built, 3 already there, 0 failed, 1 waiting" in done.stdout
    assert published(lake) == before
    completes(a_project, whole, lake, *as_if(SETTLED + timedelta(days=1), *to_the_last))


def test_a_clock_that_was_lost(a_project, expected):
    """In 1970 no day is settled: that is said, nothing is built, and with the right time all is."""
    done = a_project.run(*as_if(datetime(1970, 1, 1), *STOCK))
    assert done.returncode in {35, 40}
    assert "Traceback" not in done.stderr
    assert "No source is active on any day that is settled by now" in done.stderr
    lake = a_project.folder / "lake"
    assert published(lake) == {}
    completes(a_project, expected(), lake, *as_if(SETTLED, *STOCK))


@COMMANDS
def test_a_host_that_is_behind(a_project, expected, command):
    """It builds what is settled by its clock and says what isn't; what another has built is there for it, too."""
    lake, to_the_last = a_project.folder / "lake", (*command, "--stop", AFTER)
    behind, right = (as_if(SETTLED - timedelta(hours=hours), *to_the_last) for hours in (5, 0))
    done = a_project.run(*behind)
    assert done.returncode in {1, 30}
    assert "3 built, 0 already there, 0 failed, 1 waiting" in done.stdout
    assert f"waiting: {LAST} unsettled until 2015-05-21 06:00 UTC" in done.stdout
    assert a_project.run(*as_if(SETTLED - timedelta(hours=5), "backfill", "nightly", *OF)).returncode == 0
    completes(a_project, expected(), lake, *right)
    done = a_project.run(*behind)
    assert (done.returncode, done.stderr) == (0, "")
    assert "0 built, 4 already there" in done.stdout


def test_hosts_with_different_clocks_at_the_same_time(a_project, expected):
    """Two that are hours apart build the same range of the same lake: the bytes are those of one alone."""
    of_days(a_project, MANY_DAYS)
    whole, end = expected(MANY_DAYS), datetime(2015, 6, 2, 6)
    hosts = [
        a_project.start(*as_if(end + timedelta(hours=hours), *TWO_WORKERS, "--stop", "2015-06-02"))
        for hours in (0, -5)
    ]
    right, behind = map(ended, hosts)
    assert (right.returncode, right.stderr, behind.stderr) == (0, "", "")
    assert behind.returncode in {0, 1}  # as it looks before or after the other has built the last day
    if behind.returncode:
        assert "waiting: 2015-06-01 unsettled until 2015-06-02 06:00 UTC" in behind.stdout
    assert published(a_project.folder / "lake") == whole
    assert a_project.run("lake", "verify", "--deep").returncode == 0


@COMMANDS
def test_a_host_that_is_ahead(a_project, make_project, command):
    """It takes a day for over and publishes it; the lines that come later are found by `--late`, and restated."""
    undisturbed = make_project("undisturbed")
    undisturbed.write_logs(lines=24)
    assert undisturbed.run(*RUN).returncode == 0
    a_project.write_logs(lines=24)
    log = a_project.folder / f"logs/{LAST}.log"
    whole = log.read_text()
    log.write_text("".join(whole.splitlines(keepends=True)[:22]))
    half_past_ten = SETTLED - timedelta(hours=7.5)
    right = ("backfill", "run", *OF, "--stop", AFTER)
    assert f"waiting: {LAST} unsettled" in a_project.run(*as_if(half_past_ten, *right)).stdout
    assert a_project.run(*as_if(half_past_ten + timedelta(hours=8), *command)).returncode == 0
    before = a_project.published()
    log.write_text(whole)
    late = f"late input: logs/{LAST}.log has 2 more lines of the day"
    done = a_project.run(*as_if(SETTLED, *right))
    assert (done.returncode, "0 built, 4 already there" in done.stdout) == (0, True)  # by this alone nobody knows
    done = a_project.run(*as_if(SETTLED, "backfill", "plan", *OF, "--late"))
    assert f"{LAST}  {late}" in done.stdout
    restate = ("backfill", "restate", *OF, "--late", "--reason", "a clock was ahead", "--yes")
    done = a_project.run(*as_if(SETTLED, *restate))
    assert done.returncode == 0
    assert f"{LAST}  {late}" in done.stdout
    assert "shop origin: 22 → 24 requests, error rate 0.0000% → 4.1667%" in done.stdout
    assert a_project.run(*SUMS).stdout == undisturbed.run(*SUMS).stdout
    assert before.items() < a_project.published().items()
    assert "Nothing to restate." in a_project.run(*as_if(SETTLED, *restate)).stdout
