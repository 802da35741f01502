"""Hostile arguments, names and errors: none escapes into a path, a terminal or a report; no secret is shown."""

import logging
import os
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from backfill import check
from backfill.attempts import NAME, Attempts
from backfill.cli import main
from backfill.days import Day, State
from backfill.engines.local.settings import WithoutTraceback
from lake.errors import InputError
from lake.lake import Lake, open_store
from tasks.error_rate import ErrorRateDaily

FIRST = "2015-05-17"
NASTY = "\x1b[31m\u202e<script>alert('x')</script>\x07 | $(id)"
SECRETS = {"AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMIhidden", "AWS_SESSION_TOKEN": "IQoJb3JpZ2luhidden"}


def is_harmless(text: str) -> bool:
    """Tell whether a text does nothing to a terminal."""
    return all(c.isprintable() or c in "\n\t" for c in text)


@pytest.fixture
def call(in_project, monkeypatch, capfd):
    """Returns a function that runs `backfill` in this process, and returns its exit code and what it said."""

    def run(*arguments: str) -> tuple[int, str]:
        capfd.readouterr()
        monkeypatch.setattr(sys, "argv", ["backfill", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        printed = capfd.readouterr()
        return int(end.value.code or 0), printed.out + printed.err

    return run


@pytest.mark.parametrize(
    "day",
    [
        *("0000-01-01", "0001-01-01", "1969-12-31", "3000-01-01", "9999-12-31", "2015-W20-7", "20150517"),
        *(
            "2015-02-30",
            "../2015-05-17",
            "2015-05-17'",
            "2015-05-17\n",
            " 2015-05-17",
            "\u0662015-05-17",
            NASTY,
            "",
        ),
    ],
)
def test_a_day_is_a_day(call, day):
    """Of 1970 to 2999, and written as YYYY-MM-DD; else the exit code is 2, or 3 of `check`."""
    for command, code in ((("explain", "--date"), 2), (("status", "--start"), 2), (("check", "--stop"), 3)):
        found, said = call(command[0], "--of", "ErrorRateDaily", f"{command[1]}={day}")
        assert found == code
        assert "is not a date, expected YYYY-MM-DD, 1970 to 2999" in said


@pytest.mark.parametrize("number", ["100000", "9" * 30, "9" * 5000, "-1", "1e3", "\u0661", "0x10", NASTY])
def test_a_number_is_a_number(call, number):
    """Of at most five digits, so that no sum of days leaves the calendar."""
    for arguments in (
        *(("nightly", "--of", "ErrorRateDaily", "--days"), ("run", "--of", "ErrorRateDaily", "--workers")),
        *(("identify", "a.log", "--lines"), ("rejects", "--source", "web", "--date", FIRST, "--limit")),
    ):
        code, said = call(*arguments[:-1], f"{arguments[-1]}={number}")
        assert (code, "Traceback" in said) == (2, False)


def test_the_greatest_number_is_worked_with(call):
    """Days of some centuries are all looked at."""
    assert call("check", "--of", "ErrorRateDaily", "--days", "99999")[0] == check.Status.CRITICAL


@pytest.mark.parametrize("name", ["../../../etc", "a/b", "a'; drop table x; --", NASTY, "a\nb", "W"])
def test_a_source_is_one_of_luigi_cfg(call, name):
    """Another name is refused by each command before it becomes a path, and shown harmlessly."""
    for arguments in (
        *(("explain", "--of", "RequestsDaily", "--date", FIRST), ("rejects", "--date", FIRST)),
        *(("run", "--of", "RequestsDaily", "--start", FIRST), ("identify", os.environ["LUIGI_CONFIG_PATH"])),
    ):
        code, said = call(*arguments, f"--source={name}")
        assert code == 2
        assert "luigi.cfg has no [source." in said
        assert is_harmless(said)


def test_luigi_looks_at_no_path_that_a_name_makes(a_project):
    """`luigi` with such a source or revision fails, and says why harmlessly."""
    (a_project.folder / "lake").mkdir()
    for name, words in (("../../../../logs", "luigi.cfg has no [source."), (NASTY, "luigi.cfg has no [source.")):
        done = a_project.run("luigi", "RequestsDaily", "--source", name, "--date", FIRST)
        assert done.returncode == 35
        assert words in done.stderr
        assert is_harmless(done.stdout + done.stderr)
        assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_a_hostile_file_name_stays_in_its_line(a_project):
    """In Luigi's log, the report, the calendar, the explanation and what monitors read."""
    bad = a_project.folder / os.fsdecode(f"logs/{FIRST}{NASTY.replace('/', '')}\n".encode() + b"\xff.log")
    (a_project.folder / f"logs/{FIRST}.log").rename(bad)
    bad.write_text("x\n" * 3)
    a_project.configure(web=a_project.source | {"files": "logs/{YYYY}-{MM}-{DD}*.log"})
    said = ""
    for command in (
        ("backfill", "run", "--of", "ErrorRateDaily", "--stop", "2015-05-18"),
        ("luigi", "RangeDailyBase", "--of", "ErrorRateDaily", "--start", FIRST, "--log-level", "DEBUG"),
        ("backfill", "status", "--of", "ErrorRateDaily"),
        ("backfill", "explain", "--of", "ErrorRateDaily", "--date", FIRST),
        ("backfill", "check", "--of", "ErrorRateDaily", "--start", FIRST),
    ):
        done = a_project.run(*command)
        assert "Traceback" not in done.stderr
        assert is_harmless(done.stdout + done.stderr), command
        said += done.stdout + done.stderr
    assert r"\x1b[31m\u202e<script>" in said
    done = a_project.run("backfill", "check", "--of", "ErrorRateDaily", "--start", FIRST, "--format", "junit")
    assert is_harmless(done.stdout)
    assert "<script>" not in done.stdout
    (case, *_) = ET.fromstring(done.stdout).iter("failure")  # noqa: S314 - our own
    assert "<script>" in case.attrib["message"]


def test_a_log_record_does_nothing_to_a_terminal():
    """Neither its message, with whatever arguments, nor a traceback."""
    try:
        int(NASTY)
    except ValueError:
        trouble = sys.exc_info()
    for error in (trouble, (InputError, InputError(NASTY), None), None):
        record = logging.LogRecord("luigi-interface", logging.ERROR, "", 0, f"100 %% {NASTY} %s", (NASTY,), error)
        assert WithoutTraceback().filter(record)
        assert is_harmless(logging.Formatter("%(message)s").format(record))


def test_monitors_read_what_is_meant():
    """A reason can't begin performance data, end a line or an element."""
    day = Day(ErrorRateDaily.date.parse(FIRST), State.FAILED, NASTY + '\n"/></testcase>')
    finding = check.Finding("ErrorRateDaily", [day], 1, 2)
    assert check.nagios(finding).count("|") == 1
    assert check.unknown("ErrorRateDaily", ValueError(NASTY)).count("|") == 0
    assert len(list(ET.fromstring(check.junit(finding)))) == 1  # noqa: S314 - our own


@pytest.mark.parametrize(
    "name",
    [
        "a" * 250,
        "20150522T030000.000000Z_2015-05-17_2015-05-17_0_1_../x.jsonl",
        f"20150522T030000.000000Z_2015-05-17_2015-05-17_0_{'9' * 150}_{'a' * 32}.jsonl",
        f"20150522T030000.000000Z_9999-99-99_2015-05-17_0_1_{'a' * 32}.jsonl",
    ],
)
def test_a_record_of_another_name_is_not_opened(in_project, name):
    """Only what our own runs may have called theirs."""
    folder = in_project.folder / "lake/_attempts/ErrorRateDaily"
    path = Path(f"{folder}/{name}")
    path.parent.mkdir(parents=True)
    path.write_text("no JSON")
    day = ErrorRateDaily.date.parse(FIRST)
    past = Attempts(Lake(open_store(str(in_project.folder / "lake"))).journal(NAME), ErrorRateDaily(date=day).unit)
    assert past.of_day(day) == []
    assert past.failures([day]) == {}


@pytest.mark.slow
def test_credentials_are_nowhere(on_s3, tmp_path):
    """Not in logs at DEBUG, errors, --help, the catalog, or what was published; the lake is on S3."""
    with_keys = {**SECRETS, "TMPDIR": str(tmp_path)}
    said = []
    for environment in (
        with_keys,
        with_keys | {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_MAX_ATTEMPTS": "1"},
    ):
        for command in (
            ("luigi", "RangeDailyBase", "--of", "ErrorRateDaily", "--start", FIRST, "--log-level", "DEBUG"),
            ("backfill", "explain", "--of", "ErrorRateDaily", "--date", FIRST, "--json"),
            ("backfill", "check", "--of", "ErrorRateDaily"),
            ("lake", "sql", "from duckdb_settings() select name, value"),
            ("lake", "sql", "select sql from duckdb_views() union all select path from duckdb_databases()"),
            ("lake", "sql", "from duckdb_secrets()"),
        ):
            done = on_s3.run(*command, **environment)
            said.append(done.stdout + done.stderr)
        on_s3.configure(lake={"root": "s3://no-such-bucket/lake", "endpoint_url": "http://127.0.0.1:1"})
    said += [
        on_s3.run(*words, "--help", **with_keys).stdout
        for words in (("luigi",), ("backfill", "run"), ("lake", "sql"))
    ]
    assert any("DEBUG" in text for text in said)
    assert "Could not connect" in "".join(said)
    assert "hidden" not in "".join(said)


@pytest.mark.parametrize("key", ["aws_secret_access_key", "password"])
def test_a_secret_in_the_wrong_place_is_not_repeated(call, in_project, key):
    """A key that luigi.cfg can't have is named, its value is not."""
    for lake, source in (({key: "hidden"}, {}), ({}, {key: "hidden"})):
        in_project.configure(lake={"root": "lake"} | lake, web=in_project.source | source)
        code, said = call("status", "--of", "ErrorRateDaily")
        assert (code, key in said, "hidden" in said) == (2, True, False)
    in_project.configure(lake={"root": "s3://b-b-b/x", "endpoint_url": "http://me:hidden@127.0.0.1:1"})
    code, said = call("status", "--of", "ErrorRateDaily")
    assert (code, "holds credentials" in said, "hidden" in said) == (2, True, False)
