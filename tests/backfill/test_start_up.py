"""What the commands import: no more than what they do needs."""

import json
import subprocess
import sys

import pytest

LARGE = ("boto3", "duckdb", "luigi", "numpy", "pandas", "pyarrow", "tqdm", "vl_convert")
MODULES = {"lake": "etl.cli", "backfill": "backfill.cli", "luigi": "backfill.luigi_cli"}
RUN = """
import json, sys
from importlib import import_module
sys.argv = sys.argv[1:]
try:
    import_module(sys.argv.pop(0)).main()
finally:
    print(json.dumps(sorted(sys.modules)), file=sys.stderr)
"""


def _imported(a_project, *command):
    """Return which of the large packages a command has imported in the end, and what it said."""
    done = subprocess.run(
        [sys.executable, "-c", RUN, MODULES[command[0]], *command],
        cwd=a_project.folder,
        env=a_project.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    *_, modules = done.stderr.splitlines()
    return set(json.loads(modules)) & set(LARGE), done.stdout


@pytest.mark.parametrize(
    "command",
    [
        ("lake", "--help"),
        ("lake", "sql", "--help"),
        ("lake", "report", "--help"),
        ("lake", "verify", "--help"),
        ("backfill", "--help"),
        ("backfill", "run", "--help"),
        ("backfill", "identify", "--help"),
    ],
)
def test_help_needs_nothing(a_project, command):
    """Not even luigi.cfg, be it broken."""
    (a_project.folder / "luigi.cfg").write_text("[lake\n")
    imported, said = _imported(a_project, *command)
    assert imported == set()
    assert said.startswith(f"usage: {command[0]}")


def test_version_needs_nothing(a_project):
    """It is Luigi's and ours."""
    imported, said = _imported(a_project, "luigi", "--version")
    assert imported == set()
    assert said.startswith("luigi 3.")
    assert ", error-rate-lake " in said


def test_a_day_of_requests_does_without_the_rest(a_project):
    """Its metrics need DuckDB; neither needs pandas, nor what speaks to S3."""
    day = ("--date", "2015-05-18")
    imported, said = _imported(a_project, "luigi", "RequestsDaily", "--source", "web", *day)
    assert said == "RequestsDaily(date=2015-05-18, revision=0, source=web) is there: built now.\n"
    assert not imported & {"boto3", "duckdb", "pandas"}
    imported, said = _imported(a_project, "luigi", "ErrorRateDaily", *day)
    assert said == "ErrorRateDaily(date=2015-05-18, revision=0) is there: built now.\n"
    assert not imported & {"boto3", "pandas"}
    assert "duckdb" in imported


@pytest.mark.parametrize("shards", ["1", "3"])
def test_a_day_of_several_files_does_without_pandas(a_project, shards):
    """Though they are compared with each other, and what is counted of their shards is added up."""
    for hour in range(6):
        lines = (
            f'a 192.0.2.1 - - [17/May/2015:{hour:02}:{n // 60:02}:00 +0000] "GET /{n} HTTP/1.1" 200 1 "-" "-"\n'
            for n in range(300)
        )
        (a_project.folder / f"logs/2015-05-17-{hour:02}.log").write_text("".join(lines), encoding="utf-8")
    files = {"files": "logs/{YYYY}-{MM}-{DD}-{HH}.log", "application": "field:vhost", "format": "vhost_combined"}
    a_project.configure(web=a_project.source | files | {"shards": shards})
    command = ("backfill", "run", "--of", "ErrorRateDaily", "--start", "2015-05-17", "--stop", "2015-05-18")
    imported, said = _imported(a_project, *command)
    assert "1 built" in said
    assert not imported & {"boto3", "pandas"}


def test_processes_that_build_days_have_duckdb_from_the_first(a_project):
    """It is imported where a day's requirements are asked for, before a process is forked for each day."""
    code = (
        "import sys, datetime; from tasks.error_rate import ErrorRateDaily; found = ['duckdb' in sys.modules]; "
        "ErrorRateDaily(date=datetime.date(2015, 5, 18)).requires(); print(*found, 'duckdb' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=a_project.folder,
        env=a_project.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "False True\n"
