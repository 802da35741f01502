"""The commands of the README and of the issue tracker, run as a user runs them."""

import configparser
import contextlib
import csv
import io
import os
import pty
import re
import signal
import subprocess
import sys
import termios
import time
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from backfill.engines.local import settings
from backfill.engines.local.settings import DEFAULTS

RANGE = ("RangeDailyBase", "--of", "ErrorRateDaily", "--start", "2015-05-17", "--stop", "2015-05-21")
QUERY = "select dt, application, valid_requests, server_error_requests from error_rate order by all"
REPOSITORY = Path(__file__).parents[4]


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(("luigi", *RANGE), id="with stop", marks=pytest.mark.slow),
        pytest.param(("luigi", *RANGE[:-2]), id="up to the last settled day"),
        pytest.param(("luigi", *RANGE[:-2], "--workers", "2"), id="two workers"),
        pytest.param(("luigi", "RangeDaily", *RANGE[1:]), id="RangeDaily", marks=pytest.mark.slow),
        pytest.param(
            ("luigi", "--module", "backfill", *RANGE), id="our script, stock form", marks=pytest.mark.slow
        ),
        pytest.param((sys.executable, "-m", "luigi", "--module", "backfill", *RANGE), id="luigi's own script"),
    ],
)
def test_range_builds_all_days(a_project, command):
    """Every form of the range command builds the four days, says so, and exits with 0."""
    done = a_project.anew().run(*command)
    assert (done.returncode, done.stderr) == (0, "")
    expected = "4 days asked for: 4 built, 0 already there, 0 failed, 0 waiting."
    assert done.stdout == f"ErrorRateDaily 2015-05-17 … 2015-05-20, {expected}\n"
    answer = a_project.run("lake", "sql", "--csv", QUERY)
    rows = list(csv.reader(io.StringIO(answer.stdout)))[1:]
    assert rows == [[f"2015-05-{day}", "shop", "3", "1"] for day in range(17, 21)]


@pytest.mark.parametrize("workers", ["1", "2"])
def test_progress_on_a_terminal(a_project, workers):
    """On a terminal a bar counts the days, in whichever process they are built; it is gone at the end."""
    terminal, inside = pty.openpty()
    termios.tcsetwinsize(inside, (24, 100))
    running = subprocess.Popen(
        ("luigi", *RANGE, "--workers", workers),
        cwd=a_project.folder,
        env=a_project.environment,
        stdout=subprocess.DEVNULL,
        stderr=inside,
    )
    os.close(inside)
    shown = b""
    with contextlib.suppress(OSError):  # the terminal's end, once nobody holds the other side
        while part := os.read(terminal, 4096):
            shown += part
    os.close(terminal)
    assert running.wait(timeout=60) == 0
    assert "ErrorRateDaily:   0%" in shown.decode()
    assert re.search(r"[234]/4 \[.*2015-05-(18|19|20)", shown.decode())
    assert b"ERROR" not in shown
    assert shown.endswith(b"\r")


@pytest.mark.parametrize("workers", ["1", "2"])
def test_interrupted_range_says_what_is_left(a_project, workers):
    """Ctrl-C ends a range with a line and no traceback; days not reached are not called failed."""
    a_project.write_logs(days=1, lines=1)
    log = a_project.folder / "logs/2015-05-17.log"
    log.write_text(log.read_text() * 2_000_000)  # long enough to be interrupted in
    running = a_project.start("luigi", *RANGE, "--workers", workers)
    deadline = time.monotonic() + 60
    while not list(a_project.folder.glob("lake/_staging/*/requests-*.unfinished")):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    output, errors = running.communicate(timeout=60)
    assert "Traceback" not in errors
    if running.returncode == 0:  # the signal was lost in a library's callback; then nothing is missing
        assert "4 built" in output
        return
    assert running.returncode == 130
    assert "interrupted. What is published stays" in errors
    assert "waiting for another run (interrupted, or task_limit): 201" in output


SOMEBODY_ELSES = """
import luigi, pathlib

class Report(luigi.Task):
    day = luigi.DateParameter()
    colour = luigi.Parameter()

    def output(self):
        return luigi.LocalTarget(f"reports/{self.colour}-{self.day}")

    def run(self):
        assert str(self.day) != "2015-05-19"
        self.output().makedirs()
        pathlib.Path(self.output().path).touch()
"""


@pytest.mark.parametrize("luigi", ["luigi --module reports", "python -m luigi --module backfill_and_reports"])
def test_range_of_somebody_elses_task(a_project, luigi):
    """It is Luigi's own: days are built that no source has, and nothing is said of the lake's."""
    (a_project.folder / "reports.py").write_text(SOMEBODY_ELSES)
    (a_project.folder / "backfill_and_reports.py").write_text("import backfill, reports")
    days = 'RangeDailyBase --of Report --of-params \'{"colour": "red"}\' --start 2015-05-18 --stop'
    command = f"PYTHONPATH=. exec {luigi} {days}"
    done = a_project.run("sh", "-c", f"{command} 2015-05-20")
    assert (done.returncode, done.stdout) == (30, ""), done.stderr
    assert "AssertionError" in done.stderr
    assert [each.name for each in (a_project.folder / "reports").iterdir()] == ["red-2015-05-18"]
    done = a_project.run("sh", "-c", f"{command} 2015-05-19")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_second_run_rebuilds_nothing_and_says_so(a_project):
    """A range that is there is not built again."""
    a_project.run("luigi", *RANGE)
    before = {path: path.stat().st_mtime_ns for path in a_project.folder.rglob("*.parquet")}
    done = a_project.run("luigi", *RANGE)
    assert done.returncode == 0
    assert "0 built, 4 already there" in done.stdout
    assert "Nothing to do, nothing was rebuilt." in done.stdout
    assert before == {path: path.stat().st_mtime_ns for path in a_project.folder.rglob("*.parquet")}


@pytest.mark.slow
def test_from_any_folder(a_project, tmp_path):
    """With LUIGI_CONFIG_PATH set the current folder does not matter."""
    path = str(a_project.folder / "luigi.cfg")
    commands = [
        f"luigi {' '.join(RANGE)}",
        "backfill status --of ErrorRateDaily",
        "lake sql 'from error_rate'",
    ]
    done = a_project.run("sh", "-ec", f"cd {tmp_path}; {'; '.join(commands)}", LUIGI_CONFIG_PATH=path)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(a_project.published()) == 24


@pytest.mark.parametrize("workers", ["1", "2"])
def test_one_day_says_whether_it_was_built(a_project, workers):
    """Or was there before: then nothing is done. It is not built because what it needs was."""
    one_day = ("luigi", "ErrorRateDaily", "--date", "2015-05-18", "--workers", workers)
    done = a_project.run(*one_day)
    assert done.stdout == "ErrorRateDaily(date=2015-05-18, revision=0) is there: built now.\n"
    done = a_project.run(*one_day)
    assert (done.returncode, done.stdout) == (
        0,
        "ErrorRateDaily(date=2015-05-18, revision=0) is there: it was there before, and nothing was built.\n",
    )


def test_one_day_and_the_latest_settled_day(a_project):
    """`luigi ErrorRateDaily` builds the latest settled day of any source, and names it."""
    done = a_project.run("luigi", "ErrorRateDaily", "--date", "2015-05-18")
    assert (done.returncode, done.stdout) == (
        0,
        "ErrorRateDaily(date=2015-05-18, revision=0) is there: built now.\n",
    )
    done = a_project.run("luigi", "ErrorRateDaily")
    assert (done.returncode, done.stdout) == (
        0,
        "ErrorRateDaily(date=2015-05-20, revision=0) is there: built now.\n",
    )
    assert [key for key in a_project.published() if key.startswith("error_rate/")] == [
        f"error_rate/v1/dt=2015-05-{day}/rev=0/part-0.parquet" for day in (18, 20)
    ]


def test_restatement_is_a_revision_beside_the_first(a_project):
    """`--revision 1 --reason …` publishes beside revision 0, and readers get the latest."""
    a_project.run("luigi", "ErrorRateDaily", "--date", "2015-05-18")
    first = a_project.published()
    day = ("ErrorRateDaily", "--date", "2015-05-18", "--revision", "1")
    assert "a reason belongs to every revision" in a_project.run("luigi", *day).stderr
    assert a_project.run("luigi", *day, "--reason", "why not").returncode == 0
    second = a_project.published()
    assert first.items() < second.items()
    answer = a_project.run("lake", "sql", "--csv", "select dt, rev from error_rate")
    assert answer.stdout == "dt,rev\n2015-05-18,1\n"


def test_day_that_is_stuck_between_two_publications_has_a_way_out(a_project):
    """Rejects without requests, and other raw logs since: the next revision of both makes the day complete."""
    day = ("--date", "2015-05-18")
    a_project.run("luigi", "RequestsDaily", "--source", "web", *day)
    (requests,) = (a_project.folder / "lake/requests").rglob("*.parquet")
    requests.unlink()
    log = a_project.folder / "logs/2015-05-18.log"
    log.write_text(log.read_text() + '- - - [18/May/2015:05:00:00 +0000] "" 200 1 "" ""\n')
    assert a_project.run("luigi", "ErrorRateDaily", *day).returncode == 0
    assert {each.name for each in (a_project.folder / "lake/requests").rglob("rev=*")} == {"rev=0", "rev=1"}
    answer = a_project.run("lake", "sql", "--csv", "select valid_requests from error_rate")
    assert answer.stdout == "valid_requests\n4\n"


@pytest.mark.parametrize("module", [("--module", "mine"), ("--module=mine.days",)], ids=" ".join)
def test_a_module_that_is_not_found_is_named_with_the_way_out(a_project, module):
    """A command doesn't look in the current folder; what a module itself fails to import is another matter."""
    done = a_project.run("luigi", *module, "Mine")
    advice = "If it is in this folder, set PYTHONPATH=. in the environment."
    said = f"luigi: --module: Python finds no module mine. {advice}\n"
    assert (done.returncode, done.stdout, done.stderr) == (40, "", said)
    (a_project.folder / "mine.py").write_text("import what_it_needs\n", encoding="utf-8")
    done = a_project.run("env", "PYTHONPATH=.", "luigi", "--module", "mine", "Mine")
    assert "No module named 'what_it_needs'" in done.stderr


def test_help_is_luigis_own(a_project):
    """`--help` is printed once."""
    for command in (("luigi", "--help"), ("luigi", "ErrorRateDaily", "--help")):
        done = a_project.run(*command)
        assert done.returncode == 0
        assert done.stdout.count("usage:") == 1


def test_installed_luigi_is_ours():
    """The console script `luigi` is the project's, not that of Luigi's own distribution."""
    script = (Path(sys.executable).parent / "luigi").read_text(encoding="utf-8")
    assert "from backfill.luigi_cli import main" in script
    values = {script.value for script in entry_points(group="console_scripts", name="luigi")}
    assert "backfill.luigi_cli:main" in values


def test_the_defaults_are_in_one_place():
    """The shipped luigi.cfg repeats none of them, and says where they are."""
    text = (REPOSITORY / "luigi.cfg").read_text(encoding="utf-8")
    parser = configparser.ConfigParser()
    parser.read_string(text)
    assert not DEFAULTS.keys() & set(parser.sections())
    (said,) = re.findall(r"\S+settings\.py", text)
    assert (REPOSITORY / said).samefile(settings.__file__)


def test_what_luigi_cfg_says_goes_before_the_defaults(a_project):
    """Each of them, one by one: here of an exit code."""
    (a_project.folder / "logs/2015-05-18.log").unlink()
    day = ("luigi", "ErrorRateDaily", "--date", "2015-05-18")
    assert a_project.run(*day).returncode == 20
    with (a_project.folder / "luigi.cfg").open("a") as file:
        file.write("[retcode]\nmissing_data = 21\n")
    assert a_project.run(*day).returncode == 21


FORGETFUL = """
import os, signal, threading
from backfill.engines.local import script

interrupts = script._noted_interrupts()
once = [signal.SIGINT]
os.register_at_fork(after_in_parent=lambda: once and signal.raise_signal(once.pop()))
try:
    child = os.fork()
    if not child:
        os._exit(0)
    os.waitpid(child, 0)
    threading.Event().wait(30)
except KeyboardInterrupt:
    print("interrupted", len(interrupts), once)
"""


def test_an_interrupt_where_python_can_not_raise_is_not_forgotten():
    """As around a fork, where `logging` holds its lock, or in a finaliser: it is raised a moment later."""
    command = (sys.executable, "-W", "ignore", "-c", FORGETFUL)  # Python 3.12 warns of a fork beside threads
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "interrupted 2 []\n", "")
