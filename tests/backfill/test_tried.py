"""What counts against a day: code, settings that matter, and of its inputs what is the day's."""

import gzip
from datetime import UTC, date, datetime

import pytest
from s3_servers import client

from backfill.attempts import Attempt, Outcome
from backfill.tried import Trial
from etl.project import project
from etl.units import Unit

DAY, OTHER = date(2015, 5, 18), date(2015, 5, 19)


def tried(name: str = "error_rate") -> Attempt:
    """Return a failed attempt with what there is now."""
    trial = Trial(Unit(project(), name, DAY, "web" if name == "requests" else None), [DAY])
    started = datetime(2015, 5, 22, 3, tzinfo=UTC)
    return Attempt(DAY, Outcome.FAILED, started, 1.0, "why", "host", "run", trial.setup(DAY), trial.logs)


def counts(attempt: Attempt, name: str = "error_rate") -> bool:
    """Tell whether an attempt counts against the day by now."""
    return Trial(Unit(project(), name, DAY, "web" if name == "requests" else None), [DAY]).has_same(attempt)


def test_settings_that_matter_count(in_project):
    """Other settings may make a failed day succeed; threads, and when to look, don't count."""
    before = tried()
    text = (in_project.folder / "luigi.cfg").read_text()
    (in_project.folder / "luigi.cfg").write_text(text + "[extraction]\nthreads = 1\n")
    assert counts(before)
    in_project.configure(web=in_project.source | {"settle_hours": "9", "until": "2016-01-01"})
    assert counts(before)
    in_project.configure(web=in_project.source | {"max_reject_rate": "0.5"})
    assert not counts(before)


def test_another_folder_of_the_configuration_is_no_other_try(in_project, monkeypatch):
    """A path that is relative to it names the same files wherever it is mounted."""
    before = tried()
    moved = in_project.folder.rename(in_project.folder.with_name("moved"))
    monkeypatch.setenv("LUIGI_CONFIG_PATH", str(moved / "luigi.cfg"))
    assert counts(before)


@pytest.mark.parametrize(
    ("change", "is_same"),
    [
        (lambda folder: (folder / f"logs/{DAY}.log").write_text("another\n"), False),
        (lambda folder: (folder / f"logs/{DAY}.log").unlink(), False),
        (lambda folder: (folder / f"logs/{OTHER}.log").write_text("another\n"), True),
    ],
)
def test_the_day_s_own_files_count(in_project, change, is_same):
    """A file that is replaced or gone is a new try, and one of another day is none."""
    before = tried()
    change(in_project.folder)
    assert counts(before) is is_same


LINES = "one line of some log\n" * 10_000


@pytest.mark.parametrize(
    ("new", "is_same"),
    [
        (LINES + "of the next day\n" * 10_000, True),
        (LINES.replace("some", "an other", 1), False),
        (LINES[: len(LINES) // 2], False),
        (LINES[: len(LINES) // 2] + "mended\n" * 20_000, False),
        (gzip.compress(LINES.encode()), False),
    ],
)
def test_an_undated_log_that_has_grown_is_no_other_try(in_project, new, is_same):
    """One that was replaced, cut or compressed is."""
    log = in_project.folder / "access.log"
    log.write_text(LINES)
    in_project.configure(web=in_project.source | {"files": "access.log*"})
    before = tried("requests")
    log.write_bytes(new if isinstance(new, bytes) else new.encode())
    assert counts(before, "requests") is is_same


def test_a_rotated_log_is_no_other_try(in_project):
    """Undated files are told by what is in them; a new one that has nothing of the day changes nothing."""
    log = in_project.folder / "access.log"
    log.write_text(LINES)
    in_project.configure(web=in_project.source | {"files": "access.log*"})
    before = tried()
    log.rename(in_project.folder / "access.log.1")
    log.write_text("the next day\n")
    assert counts(before)


def test_a_compressed_log_that_is_whole_by_now_is_another(in_project):
    """What was cut off begins as the whole does."""
    whole = gzip.compress(LINES.encode())
    log = in_project.folder / "access.log.gz"
    log.write_bytes(whole[:-9])
    in_project.configure(web=in_project.source | {"files": "access.log*"})
    before = tried()
    log.write_bytes(whole)
    assert not counts(before)


def test_raw_files_on_s3_count_by_their_tags(on_s3, monkeypatch):
    """One listing tells whether a file is another; of an undated one, its begin and its end."""
    monkeypatch.setenv("LUIGI_CONFIG_PATH", str(on_s3.folder / "luigi.cfg"))
    lake = on_s3.lake()
    bucket = lake["root"].split("/")[2]
    s3 = client(lake["endpoint_url"])
    for files, grown in ((f"s3://{bucket}/{{YYYY}}-{{MM}}-{{DD}}.log", False), (f"s3://{bucket}/*.log", True)):
        on_s3.configure(lake, web=on_s3.source | {"files": files})
        s3.put_object(Bucket=bucket, Key=f"{DAY}.log", Body=LINES)
        before = tried()
        assert counts(before)
        s3.put_object(Bucket=bucket, Key=f"{DAY}.log", Body=LINES + "of the next day\n")
        assert counts(before) is grown
        s3.put_object(Bucket=bucket, Key=f"{DAY}.log", Body=LINES.replace("some", "an other", 1))
        assert not counts(before)
