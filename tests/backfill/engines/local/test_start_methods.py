"""Several workers, where Python's default is to begin a process by a fork, and where it is not."""

import json
import re
import sys

import pytest

COMMANDS = {
    "backfill": ("backfill.cli", "run", "--of", "ErrorRateDaily"),
    "luigi": ("backfill.luigi_cli", "RangeDailyBase", "--of", "ErrorRateDaily", "--start", "2015-05-17"),
}
MAIN = """
import multiprocessing, sys
method, module = sys.argv[1:3]
del sys.argv[1:3]
multiprocessing.set_start_method(method)  # as that version of Python or that platform has it
from importlib import import_module
import_module(module).main()
"""


@pytest.fixture(params=["fork", "spawn", pytest.param("forkserver", marks=pytest.mark.slow)])
def run_of(request, a_project):
    """Return a function that runs a command with two workers, where that is the default way to begin them."""

    def run(command, *options):
        module, *arguments = COMMANDS[command]
        started = (sys.executable, "-c", MAIN, request.param, module)
        return a_project.run(*started, *arguments, "--workers", "2", *options)

    return run


@pytest.mark.parametrize(("command", "code"), [("backfill", 1), ("luigi", 30)])
def test_a_failure_is_told_and_recorded(a_project, run_of, command, code):
    """The report has it, and so has the record of attempts; the error comes without a traceback."""
    (a_project.folder / "logs/2015-05-18.log").write_text("no log at all\n")
    done = run_of(command)
    assert (done.returncode, "Traceback" in done.stderr) == (code, False), done.stderr
    assert "3 built, 0 already there, 1 failed, 0 waiting" in done.stdout
    (record,) = (a_project.folder / "lake/_attempts/ErrorRateDaily").iterdir()
    attempts = [json.loads(line) for line in record.read_text().splitlines()]
    assert [each["outcome"] for each in attempts] == ["built", "failed", "built", "built"]
    assert "1 of 1 lines are rejects" in attempts[1]["error"]


def test_no_more_days_are_begun_after_a_failure(a_project, run_of):
    """The workers tell the one who hands out the days: those that ran may fail, the others wait."""
    for log in (a_project.folder / "logs").iterdir():
        log.write_text("no log at all\n")
    done = run_of("backfill", "--max-failures", "1")
    assert done.returncode == 1
    failed, waiting = re.search(r"0 built, 0 already there, (\d) failed, (\d) waiting", done.stdout).groups()
    assert (int(failed) in {1, 2}, int(waiting) in {2, 3}) == (True, True), done.stdout
