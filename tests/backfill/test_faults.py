"""A full disk, lost rights, S3 that answers 503: the other days are built, and the next run completes."""

import os
import random
import time
from datetime import UTC, date, datetime, timedelta

import pytest

from backfill.attempts import NAME, Attempt, Attempts, Outcome
from backfill.days import DayRange, State
from backfill.engines.local import runner
from backfill.plan import Plan
from backfill.tried import Trial
from etl.project import project
from lake.errors import StoreError
from tasks.error_rate import ErrorRateDaily

OF = ("--of", "ErrorRateDaily")
RUN = ("backfill", "run", *OF)
TWO_WORKERS = (*RUN, "--workers", "2")
STOCK = ("luigi", "RangeDailyBase", *OF, "--start", "2015-05-17")
pytestmark = pytest.mark.slow
COMMANDS = pytest.mark.parametrize(
    "command",
    [RUN, TWO_WORKERS, STOCK],
    ids=["run", "two workers", "luigi"],
)
BAD_DAY = "2015-05-18"
QUICK = {"AWS_MAX_ATTEMPTS": "2"}


def write_a_busy_day(folder, lines: int = 100_000) -> None:
    """Write a log whose requests don't compress well."""
    rng = random.Random(20150518)  # noqa: S311 - noise, no secrets
    with (folder / f"logs/{BAD_DAY}.log").open("w") as log:
        log.writelines(
            f'- - - [18/May/2015:{n % 24:02}:00:00 +0000] "GET / HTTP/1.1" 200 {rng.randrange(10**12)} "" ""\n'
            for n in range(lines)
        )


def published(lake) -> dict[str, bytes]:
    """Return a lake's partitions by key."""
    return {str(path.relative_to(lake)): path.read_bytes() for path in lake.rglob("*.parquet")}


def days_of(keys) -> set[str]:
    """Return the days whose error rates are among keys."""
    return {key.split("/")[2].removeprefix("dt=") for key in keys if key.startswith("error_rate/")}


def refused(done, *words: str) -> str:
    """Assert that a command failed and said so in a few clear lines; return what it said."""
    said = done.stdout + done.stderr
    assert done.returncode in {1, 30, 35}, said
    assert "Traceback" not in said
    assert not [word for word in words if word not in said], said
    assert max(map(len, said.splitlines())) < 700
    return said


def attempts_of(folder) -> dict[str, str]:
    """Return what the records of a lake say of each day's last attempt, by JSON."""
    records = sorted((folder / "_attempts/ErrorRateDaily").iterdir())
    lines = [line for record in records for line in record.read_text().splitlines()]
    return {line.split('"date": "')[1][:10]: line for line in lines}


@pytest.fixture(scope="session")
def built_before():
    """What `undisturbed` has built, by luigi.cfg and the logs."""
    return {}


@pytest.fixture
def undisturbed(make_project, built_before):
    """A function that returns the partitions which the logs of a project become without a fault."""

    def build(there):
        settings = (
            (there.folder / "luigi.cfg").read_text().replace(f"root = {there.lake()['root']}", "root = lake")
        )
        key = (settings, *((each.name, each.read_bytes()) for each in sorted((there.folder / "logs").iterdir())))
        if key not in built_before:
            made = make_project("undisturbed")
            (made.folder / "logs").symlink_to(there.folder / "logs")
            (made.folder / "luigi.cfg").write_text(settings)
            assert made.run(*RUN).returncode == 0
            built_before[key] = made.published()
        return built_before[key]

    return build


@pytest.mark.parametrize("command", [RUN, STOCK], ids=["run", "luigi"])  # of two at once both may find no room
def test_a_day_that_does_not_fit_holds_up_no_other(a_project, small_disk, undisturbed, command):
    """There is no room for one day: it is named with the disk, nothing half is left, the rest is built."""
    write_a_busy_day(a_project.folder)
    expected = undisturbed(a_project)
    disk = small_disk("4m")
    lake = disk.path / "lake"
    a_project.configure(lake={"root": str(disk.mounted_at / "lake")})
    ballast = disk.fill(leave=250_000)
    said = refused(
        a_project.run(*disk.prefix, *command), "3 built, 0 already there, 1 failed", f"failed: {BAD_DAY}"
    )
    assert (
        f"RequestsDaily(date={BAD_DAY}, revision=0, source=web): Can't write to the lake at {disk.mounted_at}"
        in said
    )
    assert "No space left on device. Make room on that disk, then run the same again." in said
    assert days_of(published(lake)) == days_of(expected) - {BAD_DAY}
    assert published(lake).items() <= expected.items()
    assert not list((lake / "_staging").iterdir())
    assert '"outcome": "hindered", ' in attempts_of(lake)[BAD_DAY]
    assert "No space left on device" in attempts_of(lake)[BAD_DAY]
    ballast.unlink()
    done = a_project.run(*disk.prefix, *command)
    assert (done.returncode, done.stderr) == (0, "")
    assert "1 built, 3 already there" in done.stdout
    assert published(lake) == expected


@COMMANDS
def test_a_disk_that_fills_up_leaves_whole_days(a_project, small_disk, undisturbed, command):
    """Days are built as long as there is room; that the attempts can't be recorded is said, and ends nothing."""
    expected = undisturbed(a_project)
    disk = small_disk("1m")
    lake = disk.path / "lake"
    a_project.configure(lake={"root": str(disk.mounted_at / "lake")})
    page = os.statvfs(disk.path).f_frsize
    ballast = disk.fill(leave=32 * page)  # for two days and a bit
    said = refused(a_project.run(*disk.prefix, *command), "No space left on device", "The range is incomplete")
    built = days_of(published(lake))
    assert built
    if "--workers" not in command:  # of two, the one that is ahead may have the later day
        assert sorted(built) == sorted(days_of(expected))[: len(built)]
    assert published(lake).items() <= expected.items()
    assert not list((lake / "_staging").iterdir())
    for path in (disk.path / "more", disk.path / "still more"):  # now even a record finds no room
        path.write_bytes(bytes(max(0, (os.statvfs(disk.path).f_bavail) * page)))
    said = refused(
        a_project.run(*disk.prefix, *command), "The attempts could not be recorded: Can't write to the lake"
    )
    assert f"0 built, {len(built)} already there, {4 - len(built)} failed" in said
    for path in (ballast, disk.path / "more"):
        path.unlink()
    done = a_project.run(*disk.prefix, *command)
    assert (done.returncode, done.stderr) == (0, "")
    assert published(lake) == expected


def test_a_full_folder_for_temporary_files(on_s3, small_disk):
    """What is built for S3 lies there first: it is named, and the other days are built."""
    write_a_busy_day(on_s3.folder)
    disk = small_disk("4m")
    ballast = disk.fill(leave=200_000)
    temporary = {"TMPDIR": str(disk.mounted_at)}
    said = refused(on_s3.run(*disk.prefix, *RUN, **temporary), "3 built, 0 already there, 1 failed")
    assert (
        f"Can't write temporary files to {disk.mounted_at}: No space left on device. Make room on that disk"
        in said
    )
    assert list(disk.path.iterdir()) == [ballast]
    ballast.unlink()
    assert "1 built, 3 already there" in on_s3.run(*disk.prefix, *RUN, **temporary).stdout
    assert list(disk.path.iterdir()) == []


@pytest.mark.parametrize("command", [RUN, TWO_WORKERS], ids=["run", "two workers"])
def test_what_happened_is_not_lost_on_a_full_disk(a_project, small_disk, command):
    """A run over many days needs no room for temporary files to tell which of them failed."""
    days = 40
    a_project.configure(web=a_project.source | {"until": str(date(2015, 5, 17) + timedelta(days=days))})
    a_project.write_logs(days=days)
    (a_project.folder / f"logs/{BAD_DAY}.log").write_text("no log at all\n")
    disk = small_disk("1m")
    disk.fill(leave=os.statvfs(disk.path).f_frsize)
    said = refused(a_project.run(*disk.prefix, *command, TMPDIR=str(disk.mounted_at)), f"failed: {BAD_DAY}")
    assert f"{days - 1} built, 0 already there, 1 failed, 0 waiting" in said
    assert len(attempts_of(a_project.folder / "lake")) == days


@COMMANDS
@pytest.mark.parametrize("dataset", ["requests", "error_rate"])
def test_a_day_whose_folder_can_not_be_written(a_project, ordinary, undisturbed, command, dataset):
    """It is named with its owner's question, the other days are built; with the right back, the rest is."""
    expected = undisturbed(a_project)
    folder = a_project.folder / f"lake/{dataset}/v1/dt={BAD_DAY}"
    folder.mkdir(parents=True)
    folder.chmod(0o555)
    said = refused(a_project.run(*ordinary, *command), "3 built, 0 already there, 1 failed", f"failed: {BAD_DAY}")
    assert f"Permission denied ({folder}" in said
    assert f"Check owner and mode of the folder and those above it; this runs as user {os.geteuid()}." in said
    assert a_project.published().items() <= expected.items()
    assert days_of(a_project.published()) == days_of(expected) - {BAD_DAY}
    folder.chmod(0o755)
    done = a_project.run(*ordinary, *command)
    assert (done.returncode, done.stderr) == (0, "")
    assert a_project.published() == expected


@pytest.mark.parametrize("command", [RUN, TWO_WORKERS], ids=["run", "two workers"])
def test_rights_lost_in_the_middle_of_a_range(a_project, ordinary, undisturbed, command):
    """What was built before stays, what comes after fails day by day, and completes once the rights are back."""
    days = 20
    a_project.configure(web=a_project.source | {"until": str(date(2015, 5, 17) + timedelta(days=days))})
    a_project.write_logs(days=days)
    expected = undisturbed(a_project)
    folder = a_project.folder / "lake/error_rate/v1"
    process = a_project.start(*ordinary, *command)
    deadline = time.monotonic() + 30
    while len(list(folder.glob("*/*/*.parquet"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.005)
    folder.chmod(0o555)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 1, (output, errors)
    assert "Traceback" not in errors
    assert "ErrorRateDaily(date=" in errors
    assert "Permission denied" in errors
    built = days_of(a_project.published())
    assert 3 <= len(built) < days
    assert f"{len(built)} built, 0 already there, {days - len(built)} failed" in output
    assert a_project.published().items() <= expected.items()
    assert not list(a_project.folder.glob("lake/_staging/*"))
    folder.chmod(0o755)
    assert a_project.run(*ordinary, *command).returncode == 0
    assert a_project.published() == expected


@COMMANDS
def test_a_raw_log_that_can_not_be_read(a_project, ordinary, undisturbed, command):
    """It is named with the reason, and the other days are built."""
    expected = undisturbed(a_project)
    log = a_project.folder / f"logs/{BAD_DAY}.log"
    log.chmod(0)
    said = refused(a_project.run(*ordinary, *command), "3 built, 0 already there, 1 failed", f"failed: {BAD_DAY}")
    assert (
        f"logs/{BAD_DAY}.log: can't be read after line 0: Permission denied. Check that it is there and its"
        in said
    )
    log.chmod(0o644)
    assert a_project.run(*ordinary, *command).returncode == 0
    assert a_project.published() == expected


def test_a_lake_that_can_not_be_written_at_all(a_project, ordinary):
    """The day and the attempts: both are said, and the next run completes."""
    lake = a_project.folder / "lake"
    lake.mkdir()
    lake.chmod(0o555)
    said = refused(a_project.run(*ordinary, *RUN), "0 built, 0 already there, 4 failed")
    assert said.count("Permission denied") == 5
    assert "The attempts could not be recorded: Can't write to the lake at" in said
    lake.chmod(0o755)
    assert a_project.run(*ordinary, *RUN).returncode == 0


def test_a_folder_that_can_not_be_listed_is_no_empty_one(a_project, ordinary):
    """What can't be looked at is not taken for missing: the exit code says that the lake can't be read."""
    assert a_project.run(*RUN, "--stop", BAD_DAY).returncode == 0
    folder = a_project.folder / "lake/error_rate/v1"
    folder.chmod(0)
    done = a_project.run(*ordinary, *RUN)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith(f"backfill: Can't list the lake at {a_project.folder}/lake: Permission denied (")
    folder.chmod(0o755)
    assert a_project.run(*ordinary, *RUN).returncode == 0


@pytest.fixture
def through_proxy(on_s3, faulty_s3):
    """The project with its lake on S3, to which requests go by `faulty_s3`."""
    on_s3.configure(lake=on_s3.lake() | {"endpoint_url": faulty_s3.url})
    return on_s3


@COMMANDS
@pytest.mark.parametrize("operation", ["PUT", "GET"])
def test_s3_refuses_all_of_a_day(through_proxy, faulty_s3, slow_down, command, operation):
    """Written or only looked for, S3 and its 503 are named, the other days are built, the next run completes."""

    def refuse(request):
        return slow_down if request.method == operation and f"requests/v1/dt={BAD_DAY}/" in request.path else None

    faulty_s3.refuse = refuse
    said = refused(
        through_proxy.run(*command, **QUICK), "3 built, 0 already there", "S3 answered 503 SlowDown to "
    )
    assert f"RequestsDaily(date={BAD_DAY}, revision=0, source=web): s3://" in said
    assert {f"dt={BAD_DAY}" in request.path for request in faulty_s3.refused} == {True}
    faulty_s3.refuse = lambda _: None
    explained = through_proxy.run("backfill", "explain", *OF, "--date", BAD_DAY).stdout
    assert "hindered: RequestsDaily web: s3://" in explained
    done = through_proxy.run(*command)
    assert (done.returncode, done.stderr) == (0, "")
    assert "1 built, 3 already there" in done.stdout


@COMMANDS
def test_s3_refuses_to_say_whether_a_day_is_there(through_proxy, faulty_s3, slow_down, command):
    """Before anything is built: Luigi leaves that day out, and neither forgets it nor the others."""

    def refuse(request):
        return slow_down if f"prefix=some/prefix/error_rate/v1/dt={BAD_DAY}/" in request.path else None

    faulty_s3.refuse = refuse
    said = refused(
        through_proxy.run(*command, **QUICK), "3 built, 0 already there, 1 failed", f"failed: {BAD_DAY}"
    )
    assert f"Will not run ErrorRateDaily(date={BAD_DAY}, revision=0): s3://" in said
    assert "S3 answered 503 SlowDown to ListObjectsV2" in said
    faulty_s3.refuse = lambda _: None
    explained = through_proxy.run("backfill", "explain", *OF, "--date", BAD_DAY).stdout
    assert "hindered: ErrorRateDaily: the lake did not say whether it is there" in explained
    assert through_proxy.run(*command).returncode == 0


def test_raw_logs_on_s3_that_are_refused(through_proxy, faulty_s3, slow_down, moto_url):
    """The day waits, with S3's answer as the reason; the others are built."""
    import boto3

    bucket = through_proxy.lake()["root"].split("/")[2]
    s3 = boto3.client("s3", endpoint_url=moto_url)
    for path in (through_proxy.folder / "logs").iterdir():
        s3.upload_file(str(path), bucket, f"logs/{path.name}")
    through_proxy.configure(
        lake={"root": "lake", "endpoint_url": faulty_s3.url},
        web=through_proxy.source | {"files": f"s3://{bucket}/logs/{{YYYY}}-{{MM}}-{{DD}}.log"},
    )
    for listing in (True, False):
        faulty_s3.refuse = lambda request, listing=listing: (
            slow_down if BAD_DAY in request.path and ("list-type" in request.path) == listing else None
        )
        said = refused(through_proxy.run(*RUN, **QUICK), f"{BAD_DAY}.log: S3 answered 503 SlowDown to ")
        assert ("3 built, 0 already there" in said) == listing
    faulty_s3.refuse = lambda _: None
    assert through_proxy.run(*RUN).returncode == 0


def during(seconds: float, begin: str, answer):
    """Return a function that refuses all from the first request with a text in its path on, for so long."""
    since: list[float] = []

    def refuse(request):
        if begin in request.path and request.method == "PUT":
            since.append(time.monotonic())
        return answer if since and time.monotonic() - since[0] < seconds else None

    return refuse


@pytest.mark.parametrize(
    ("command", "seconds"), [(RUN, 60), (TWO_WORKERS, 25), (STOCK, 25)], ids=["run", "two workers", "luigi"]
)
def test_a_minute_of_503_is_survived(through_proxy, faulty_s3, slow_down, command, seconds):
    """S3 refuses everything for longer than boto3 alone tries: the run waits for it, and no day fails."""
    faulty_s3.refuse = during(seconds, f"requests/v1/dt={BAD_DAY}/", slow_down)
    begun = time.monotonic()
    done = through_proxy.run(*command)
    assert (done.returncode, done.stderr) == (0, "")
    assert "4 built, 0 already there, 0 failed, 0 waiting" in done.stdout
    assert seconds < time.monotonic() - begun < seconds + 50
    assert 2 < len(faulty_s3.refused) < 60


def test_an_outage_that_is_not_waited_for(through_proxy, faulty_s3, slow_down):
    """Days within it fail with S3 and 503 named, those before and after are built, and the next run completes."""
    first, days, day = date(2015, 5, 17), 20, "2015-05-21"
    until = {"until": str(first + timedelta(days=days))}
    through_proxy.configure(lake=through_proxy.lake(), web=through_proxy.source | until)
    through_proxy.write_logs(days=days)
    faulty_s3.refuse = during(2, f"requests/v1/dt={day}/", slow_down)
    said = refused(through_proxy.run(*RUN, **QUICK), "S3 answered 503", f"(date={day}, revision=0")
    assert "\n  The range is incomplete." in said
    statement = ("lake", "sql", "--csv", "select dt from error_rate order by dt")
    built = through_proxy.run(*statement).stdout.split()[1:]
    assert built[0] == str(first)
    assert built[-1] == str(first + timedelta(days=days - 1))
    assert day not in built
    assert f"{len(built)} built" in said
    assert through_proxy.run(*RUN).returncode == 0
    assert len(through_proxy.run(*statement).stdout.split()) == days + 1


def test_who_only_looks_does_not_wait(through_proxy, faulty_s3, slow_down):
    """`status` and a monitor's `check` say after the usual tries that S3 answers 503."""
    faulty_s3.refuse = lambda _: slow_down
    begun = time.monotonic()
    done = through_proxy.run("backfill", "check", *OF, **QUICK)
    assert done.returncode == 3
    assert "UNKNOWN: s3://" in done.stdout
    assert "S3 answered 503 SlowDown to ListObjectsV2" in done.stdout
    done = through_proxy.run("backfill", "status", *OF, **QUICK)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("backfill: s3://")
    assert time.monotonic() - begun < 20
    assert len(faulty_s3.refused) == 4


def test_a_lake_that_does_not_say_what_a_day_needs(in_project, now, monkeypatch):
    """Nor is that day forgotten, and a run in the same process builds it."""
    first = date(2015, 5, 17)
    days = DayRange.resolve(ErrorRateDaily(date=first).unit, first, first + timedelta(days=3), now)
    past = Attempts(project().lake.journal(NAME), days.example)
    with monkeypatch.context() as hindered:
        requires = ErrorRateDaily.requires

        def refuse(task):
            if str(task.date) == BAD_DAY:
                raise StoreError("S3 answered 503")
            return requires(task)

        hindered.setattr(ErrorRateDaily, "requires", refuse)
        plan = Plan.of(days, now, past, max_attempts=3)
        result = runner.run(plan, past, workers=1)
        assert result.failed == {date.fromisoformat(BAD_DAY)}
    plan = Plan.of(days, now, past, max_attempts=3)
    assert [day.state for day in plan.days] == [State.THERE, State.FAILED, State.THERE]
    assert plan.days[1].reason == "failed once: ErrorRateDaily: S3 answered 503"
    runner.run(plan, past, workers=1)
    assert [each.outcome for each in past.of_day(plan.chosen[0])] == [Outcome.HINDERED, Outcome.BUILT]


def test_a_hindered_day_is_never_skipped(in_project, now):
    """Nights in which the disk was full or S3 away say nothing of the day, so it is always tried again."""
    day = date(2015, 5, 17)
    days = DayRange.resolve(ErrorRateDaily(date=day).unit, day, day + timedelta(days=2), now)
    past = Attempts(project().lake.journal(NAME), days.example)
    night = datetime(2015, 5, 19, 3, tzinfo=UTC)
    trial = Trial(days.example, days.dates)
    for n in range(5):
        for outcome, each in ((Outcome.HINDERED, day), (Outcome.FAILED, day + timedelta(days=1))):
            past.record(
                [
                    Attempt(
                        each,
                        outcome,
                        night + timedelta(hours=n),
                        1,
                        f"error {n}",
                        "host",
                        "run",
                        trial.setup(each),
                    )
                ]
            )
    plan = Plan.of(days, now, past, max_attempts=3)
    assert [each.state for each in plan.days] == [State.FAILED, State.SKIPPED]
    assert [each.reason for each in plan.days] == [
        "failed 5 times: error 4",
        "skipped: failed 5 times: error 4",
    ]
    assert plan.chosen == [day]
    assert past.seconds_a_day() is None
