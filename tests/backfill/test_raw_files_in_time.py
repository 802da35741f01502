"""Raw logs grow, rotate, are renamed, compressed and deleted, and each day's figures stay those of its lines."""

import gzip
from collections.abc import Sequence
from datetime import date, timedelta
from itertools import pairwise

import pytest
from conftest import Project

FIRST = date(2015, 5, 17)
LATE = ("--late", "--reason", "late lines", "--yes")


def log(day: int, errors: int = 1, start: int = 0, stop: int = 24, path: str = "/") -> str:
    """Return lines of the n-th day, one each ten minutes; so many of them are errors."""
    text = ""
    for n in range(6 * start, 6 * stop):
        moment = f"{FIRST + timedelta(days=day):%d/%b/%Y}:{n // 6:02}:{n % 6}0:00 +0000"
        status = 500 if n - 6 * start < errors else 200
        text += f'192.0.2.{n % 250} - - [{moment}] "GET {path} HTTP/1.1" {status} 10 "-" "curl"\n'
    return text


def figures(project: Project) -> dict[int, tuple[int, int]]:
    """Return the requests and server errors of each day, by its number."""
    query = "select dt, requests_total, server_error_requests from error_rate order by dt"
    ran = project.run("lake", "sql", "--csv", query)
    rows = [row.split(",") for row in ran.stdout.splitlines()[1:]]
    return {(date.fromisoformat(day) - FIRST).days: (int(n), int(errors)) for day, n, errors in rows}


def backfill(project: Project, command: str, *options: str, code: int = 0) -> str:
    """Run a command on the error rates, and return what it says."""
    ran = project.run("backfill", command, "--of", "ErrorRateDaily", *options)
    assert ran.returncode == code, ran.stdout + ran.stderr
    return ran.stdout + ran.stderr


@pytest.fixture
def undated(a_project: Project) -> Project:
    """A project with one undated log."""
    (a_project.folder / "logs").mkdir(exist_ok=True)
    for each in (a_project.folder / "logs").iterdir():
        each.unlink()
    a_project.configure(web=a_project.source | {"files": "logs/access.log*"})
    return a_project


def write(project: Project, name: str, *texts: str, append: bool = False) -> None:
    """Write a raw log, compressed if it is called so."""
    path, data = project.folder / "logs" / name, "".join(texts).encode()
    if append:
        data = path.read_bytes() + data
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)


def rotate(project: Project, names: Sequence[str]) -> None:
    """Rename logs as logrotate does, and compress the one that was renamed last time."""
    logs = project.folder / "logs"
    for name, after in reversed(list(pairwise(names))):
        if (logs / name).exists():
            data = (logs / name).read_bytes()
            if after.endswith(".gz") and not name.endswith(".gz"):
                (logs / after).write_bytes(gzip.compress(data))
                (logs / name).unlink()
            else:
                (logs / name).rename(logs / after)


def test_late_lines_of_an_undated_log_are_found_and_restated(undated: Project) -> None:
    """What was appended to it after a day was published is named by plan, and gone once it is restated."""
    write(undated, "access.log", log(0), log(1), log(2))
    backfill(undated, "run", "--stop", "2015-05-20")
    write(undated, "access.log", log(1, errors=60, stop=10), log(3), append=True)
    late = "Raw logs of RequestsDaily web have come or changed since it was published: 2015-05-18."
    assert late in backfill(undated, "nightly", code=1)
    assert figures(undated) == {0: (144, 1), 1: (144, 1), 2: (144, 1), 3: (144, 1)}
    assert late in backfill(undated, "check", code=1)
    said = backfill(undated, "plan", "--late")
    assert "2015-05-18  late input: logs/access.log has 60 more lines of the day" in said
    assert said.count("late input") == 1
    backfill(undated, "restate", *LATE)
    assert figures(undated) == {0: (144, 1), 1: (204, 61), 2: (144, 1), 3: (144, 1)}
    assert "late input" not in backfill(undated, "plan", "--late")
    assert not backfill(undated, "nightly")
    backfill(undated, "check")


def test_late_lines_before_the_window_of_an_undated_log_are_named(undated: Project) -> None:
    """However many days nightly looks at: what the log holds of older ones is known."""
    write(undated, "access.log", *map(log, range(6)))
    backfill(undated, "run", "--stop", "2015-05-23")
    write(undated, "access.log", log(0, errors=60, stop=10), append=True)
    late = "Raw logs of RequestsDaily web have come or changed since it was published: 2015-05-17."
    assert late in backfill(undated, "nightly", "--days", "2", code=1)
    assert late in backfill(undated, "check", "--days", "2", code=1)
    backfill(undated, "restate", *LATE)
    assert not backfill(undated, "nightly", "--days", "2")
    backfill(undated, "check", "--days", "2")


def test_what_nightly_found_late_is_named_until_it_is_restated(a_project: Project) -> None:
    """By check and status, which look at no raw log: dated logs, too, and where a restatement comes out equal."""
    dated = {"files": "logs/{YYYY}-{MM}-{DD}*", "until": "2015-05-19", "duplicates": "lines"}
    a_project.configure(web=a_project.source | dated)
    logs = a_project.folder / "logs"
    for each in logs.iterdir():
        each.unlink()
    for day in range(2):
        write(a_project, f"2015-05-{17 + day}.log", log(day))
    backfill(a_project, "run", "--stop", "2015-05-19")
    window = "--start", "2015-05-17", "--stop", "2015-05-19"
    late = "Raw logs of RequestsDaily web have come or changed since it was published: 2015-05-17."
    again = log(0, stop=3)  # the same lines
    for name, text in {"2015-05-17.log": log(0, 20, stop=5, path="/late"), "2015-05-17.again": again}.items():
        write(a_project, name, text, append=(logs / name).exists())
        backfill(a_project, "check", *window)
        assert late in backfill(a_project, "nightly", code=1)
        assert late in backfill(a_project, "check", *window, code=1)
        assert late in backfill(a_project, "status", *window, code=1)
        backfill(a_project, "restate", *window, *LATE)
        backfill(a_project, "check", *window)
        assert "have come or changed" not in backfill(a_project, "status", *window)
    assert figures(a_project) == {0: (174, 21), 1: (144, 1)}


def test_a_record_of_undated_logs_that_is_cut_off_stops_no_command(undated: Project) -> None:
    """It is named and counts for nothing: the logs are read again."""
    write(undated, "access.log", log(0))
    backfill(undated, "run", "--stop", "2015-05-18")
    (record,) = (undated.folder / "lake" / "_seen" / "web").iterdir()
    record.chmod(0o644)
    record.write_text(record.read_text("utf-8")[:20], "utf-8")
    window = "--start", "2015-05-17", "--stop", "2015-05-18"
    for command in (("check",), ("status",), ("plan", "--late")):
        said = backfill(undated, *command, *window)
        assert said.count(f"{record.name} can't be read, so it counts for nothing.") == 1
    write(undated, "access.log", log(0, errors=60, stop=10), append=True)
    assert "has 60 more lines of the day" in backfill(undated, "plan", "--late", *window)
    backfill(undated, "restate", *window, *LATE)
    assert "Nothing to build." in backfill(undated, "plan", "--late", *window)


def test_a_file_that_comes_later_is_late_for_its_days_only(undated: Project) -> None:
    """A collector that was hours behind brings another undated file."""
    write(undated, "access.log.1", log(0), log(1))
    backfill(undated, "run", "--stop", "2015-05-19")
    write(undated, "access.log.late", log(1, stop=3, path="/late"))
    said = backfill(undated, "plan", "--late", "--stop", "2015-05-19")
    assert "2015-05-18  late input: logs/access.log.late has come, with 18 lines of the day" in said
    assert said.count("late input") == 1
    said = backfill(undated, "restate", *LATE, "--stop", "2015-05-19")
    assert "RequestsDaily web 2015-05-18: came: logs/access.log.late has come, with 18 lines of the day" in said
    assert figures(undated) == {0: (144, 1), 1: (162, 2)}


@pytest.mark.slow
def test_numbered_rotation_makes_no_day_late_and_no_file_damaged(undated: Project) -> None:
    """`access.log`, `.1`, `.2.gz` … each night: the same contents under other names, compressed once."""
    names = ["access.log", "access.log.1", *(f"access.log.{n}.gz" for n in (2, 3, 4))]
    for day in range(4):
        rotate(undated, names)
        write(undated, "access.log", log(day))
        stop = str(FIRST + timedelta(days=day + 1))
        assert "late input" not in backfill(undated, "plan", "--late", "--deep", "--stop", stop)
        backfill(undated, "run", "--stop", stop)
        ran = undated.run("lake", "verify", "--deep")
        assert (ran.returncode, " 0 findings" in ran.stdout) == (0, True), ran.stdout
    assert "Nothing to restate" in backfill(undated, "restate", *LATE)
    assert figures(undated) == dict.fromkeys(range(4), (144, 1))


def test_a_day_whose_raw_file_was_rotated_away_is_not_shrunk(undated: Project) -> None:
    """Rotated at six, the oldest deleted: it is not late, and a restatement for another reason refuses it."""
    for day in range(1, 4):
        write(undated, f"access.log-{day}.gz", log(day - 1, start=6), log(day, stop=6))
    undated.configure(
        web=undated.source | {"files": "logs/access.log-*", "since": "2015-05-18", "until": "2015-05-20"}
    )
    backfill(undated, "run")
    (undated.folder / "logs/access.log-1.gz").unlink()
    write(undated, "access.log-4.gz", log(3, start=6))
    before = figures(undated)
    assert before == {1: (144, 2), 2: (144, 2)}
    assert "late input" not in backfill(undated, "plan", "--late")
    assert "Nothing to restate" in backfill(undated, "restate", *LATE)
    undated.configure(
        web=undated.source
        | {
            "files": "logs/access.log-*",
            "since": "2015-05-18",
            "until": "2015-05-20",
            "health_check_paths": "/health",
        }
    )
    said = backfill(undated, "restate", "--stale", *LATE, code=1)
    gone = "logs/access.log-1.gz, of which it has 36 lines, is no longer there"
    assert f"RequestsDaily web 2015-05-18 is not restated, since it would lose requests: {gone}" in said
    assert figures(undated) == before
    day = ("--of", "RequestsDaily", "--source", "web", "--date", "2015-05-18")
    ran = undated.run("backfill", "restate", *day, "--reason", "a loss", "--yes", "--accept-loss")
    assert ran.returncode == 0, ran.stderr
    assert f"gone: {gone}" in ran.stdout
    assert figures(undated) == {1: (108, 1), 2: (144, 2)}


def test_of_two_equal_files_the_one_that_is_gone_is_named(undated: Project) -> None:
    """And not the one that is still there under its name."""
    with (undated.folder / "luigi.cfg").open("a", encoding="utf-8") as settings:
        settings.write("[completeness]\nduplicate_files = warn\n")
    write(undated, "access.log.1", log(0))
    write(undated, "access.log.2", log(0))
    backfill(undated, "run", "--stop", "2015-05-18")
    (undated.folder / "logs/access.log.1").unlink()
    ran = undated.run(
        *("backfill", "restate", "--of", "RequestsDaily", "--source", "web", "--date", "2015-05-17"),
        *("--reason", "again", "--yes"),
    )
    assert ran.returncode == 1
    assert "logs/access.log.1, of which it has 144 lines, is no longer there" in ran.stderr
    assert "access.log.2" not in ran.stderr


@pytest.mark.slow
def test_a_dated_file_that_is_gone_or_shorter_is_not_lost(a_project: Project) -> None:
    """Of several files of a day one is deleted, another is copied again and breaks off."""
    a_project.write_logs(days=2)
    extra = a_project.folder / "logs/2015-05-17-b.log"
    extra.write_text(log(0), encoding="utf-8")
    a_project.configure(web=a_project.source | {"files": "logs/{YYYY}-{MM}-{DD}*.log", "until": "2015-05-19"})
    backfill(a_project, "run")
    before = figures(a_project)
    day = ("--of", "RequestsDaily", "--source", "web", "--date", "2015-05-17", "--reason", "again", "--yes")
    whole = extra.read_bytes()
    extra.write_bytes(whole[:500])
    ran = a_project.run("backfill", "restate", *day)
    assert ran.returncode == 1
    assert "it would lose requests: logs/2015-05-17-b.log has 500 bytes, had" in ran.stderr
    extra.unlink()
    ran = a_project.run("backfill", "restate", *day)
    assert "logs/2015-05-17-b.log, of which it has 144 lines, is no longer there" in ran.stderr
    extra.with_suffix(".log.gz").write_bytes(gzip.compress(whole))
    a_project.configure(web=a_project.source | {"files": "logs/{YYYY}-{MM}-{DD}*.log*", "until": "2015-05-19"})
    assert a_project.run("backfill", "restate", *day).returncode == 0
    assert figures(a_project) == before


@pytest.mark.parametrize("name", ["2015-05-17.log.gz", "2015-05-17.late"])
def test_a_dated_file_that_grew_and_got_another_name_is_no_loss(a_project: Project, name: str) -> None:
    """As logrotate compresses it the next night: it has more lines, and a restatement reads them."""
    a_project.configure(web=a_project.source | {"files": "logs/{YYYY}-{MM}-{DD}*", "until": "2015-05-19"})
    logs = a_project.folder / "logs"
    for each in logs.iterdir():
        each.unlink()
    for day in range(2):
        write(a_project, f"2015-05-{17 + day}.log", log(day))
    backfill(a_project, "run")
    logs.joinpath("2015-05-17.log").unlink()
    write(a_project, name, log(0), log(0, errors=20, stop=5, path="/late"))
    assert f"late input: logs/{name} has 30 more lines of the day" in backfill(a_project, "plan", "--late")
    backfill(a_project, "restate", *LATE)
    assert figures(a_project) == {0: (174, 21), 1: (144, 1)}
    assert "late input" not in backfill(a_project, "plan", "--late", "--deep")


def test_stop_bounds_a_pass_over_an_undated_log(undated: Project) -> None:
    """No day at or after it is published, nor any beside a single day that is asked for."""
    write(undated, "access.log", log(0), log(1), log(2), log(3, stop=6))
    backfill(undated, "run", "--stop", "2015-05-20")
    days = {key.split("dt=")[1][:10] for key in undated.published()}
    assert days == {"2015-05-17", "2015-05-18", "2015-05-19"}
    write(undated, "access.log", log(3, start=6), append=True)
    backfill(undated, "run")
    assert figures(undated)[3] == (144, 2)


@pytest.mark.parametrize("command", [("RequestsDaily", "--date"), ("RangeDailyBase", "--stop")])
def test_luigis_own_commands_publish_what_they_are_asked_for(undated: Project, command: tuple[str, str]) -> None:
    """One day of `luigi RequestsDaily --date`, and none from `--stop` on of a range."""
    write(undated, "access.log", log(0), log(1), log(2))
    task, option = command
    own = ["--source", "web"] if task == "RequestsDaily" else ["--of", "ErrorRateDaily", "--start", "2015-05-17"]
    ran = undated.run("luigi", task, *own, option, "2015-05-18")
    assert ran.returncode == 0, ran.stderr
    days = {key.split("dt=")[1][:10] for key in undated.published()}
    assert days == {"2015-05-18" if option == "--date" else "2015-05-17"}
