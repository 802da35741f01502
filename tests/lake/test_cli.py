"""The command `lake sql`, as its users run it."""

import argparse
import os
import re
import subprocess
import sys

import duckdb
import pytest

from lake import cli
from lake.errors import ConfigError, LakeError, StoreError
from lake.exit_codes import epilog
from lake.lake import Lake, open_store
from lake.partition import Partition


@pytest.fixture
def project(make_project, publish, error_rates, day):
    """A project whose lake has one day of error rates."""
    made = make_project("asked")
    publish(Lake(open_store(str(made.folder / "lake"))), Partition("error_rate", 1, day), error_rates(shop=20))
    return made


def test_a_table_is_shown(project):
    """An answer is a table with names, types and values."""
    answer = project.run("lake", "sql", "select dt, application, error_rate from error_rate")
    assert (answer.returncode, answer.stderr) == (0, "")
    assert {"application", "2015-05-17", "shop", "0.02"} <= set(answer.stdout.split())


def test_csv_is_appended(project):
    """With --csv the answer is CSV and nothing else, and `>>` keeps what is in the file."""
    path = project.folder / "out.csv"
    path.write_text("before\n")
    with path.open("a") as out:
        subprocess.run(
            ["lake", "sql", "--csv", "select dt, application, null as nothing from error_rate"],
            cwd=project.folder,
            env=project.environment,
            stdout=out,
            check=True,
        )
    assert path.read_text() == "before\ndt,application,nothing\n2015-05-17,shop,\n"


@pytest.mark.parametrize("csv", [[], ["--csv"]])
def test_a_closed_pipe_is_no_traceback(project, csv):
    """A reader that goes away, as `head` does, ends the command with 1 and one line."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as pipe:
        answer = subprocess.run(
            ["lake", "sql", *csv, "from range(10)"],
            cwd=project.folder,
            env=project.environment,
            stdout=pipe,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (answer.returncode, answer.stderr) == (1, "lake: can't print the answer: Broken pipe\n")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["sql", "select nothing from error_rate"], 1, 'Referenced column "nothing" not found'),
        (["sql", "select from where"], 1, "syntax error"),
        (["sql", "create table a (b int)"], 2, "That statement returns no rows"),
        (["sql", "select 1; select 2"], 2, "That is more than one statement"),
        (["sql"], 2, "the following arguments are required: query"),
        ([], 2, "the following arguments are required: COMMAND"),
    ],
)
def test_a_wrong_question_is_explained(project, arguments, code, message):
    """Wrong SQL exits with 1 and wrong arguments with 2; the reason is on stderr, and no traceback."""
    answer = project.run("lake", *arguments)
    assert (answer.returncode, answer.stdout) == (code, "")
    assert message in answer.stderr
    assert "Traceback" not in answer.stderr


@pytest.mark.parametrize(
    ("settings", "code", "message"),
    [
        (None, 2, "No configuration at"),
        ({"root": "s3://"}, 2, "s3:// names no bucket"),
        ({"root": "luigi.cfg"}, 3, "Can't list the lake at"),
        ({"root": "s3://bucket/lake", "endpoint_url": "http://127.0.0.1:1"}, 3, "Could not connect"),
        ({"root": "s3://bucket/lake"}, 3, "no AWS credentials found"),
    ],
    ids=["no luigi.cfg", "no bucket", "no folder", "no server", "no credentials"],
)
def test_a_lake_out_of_reach_is_explained(project, settings, code, message):
    """A wrong configuration exits with 2 and a lake that can't be read with 3; one line says why."""
    if settings:
        project.configure(lake=settings)
    else:
        (project.folder / "luigi.cfg").unlink()
    keys = {"AWS_ACCESS_KEY_ID": "test-key", "AWS_SECRET_ACCESS_KEY": "test-secret"}
    answer = project.run("lake", "sql", "from error_rate", **(keys if settings and len(settings) > 1 else {}))
    assert (answer.returncode, answer.stdout) == (code, "")
    assert answer.stderr.startswith("lake: ")
    assert message in answer.stderr
    assert answer.stderr.count("\n") == 1
    assert "test-secret" not in answer.stderr


def test_a_broken_file_is_explained(project, day):
    """A file that is no Parquet is named, with exit code 1."""
    key = Partition("error_rate", 1, day, revision=1).key
    (project.folder / "lake" / key).parent.mkdir()
    (project.folder / "lake" / key).write_text("broken")
    answer = project.run("lake", "sql", "from error_rate")
    assert answer.returncode == 1
    assert key in answer.stderr
    assert "Traceback" not in answer.stderr


@pytest.fixture
def here(project, monkeypatch, capfd):
    """Runs the command in this process, in the project; returns its exit code, what it prints, and its errors."""

    def run(*arguments):
        monkeypatch.setenv("LUIGI_CONFIG_PATH", str(project.folder / "luigi.cfg"))
        parser = argparse.ArgumentParser(prog="lake")
        cli.add_commands(parser.add_subparsers(required=True))
        with pytest.raises(SystemExit) as ended:
            cli.run("lake", lambda: cli.chosen((told := parser.parse_args(arguments)).run)(told))
        return ended.value.code, *capfd.readouterr()

    return run


def test_a_long_and_wide_answer_is_shown_whole(here):
    """A thousand rows, and texts longer than any terminal."""
    code, out, err = here("sql", "select range as n, repeat('x', 900) as long from range(1000)")
    assert (code, err) == (0, "")
    assert out.count("x" * 900) == 1000
    assert out.endswith("\n")
    assert not out.endswith("\n\n\n")


def test_of_a_longer_answer_the_middle_is_left_out(here):
    """A thousand rows are shown of it, and how many there are."""
    _, out, _ = here("sql", "select 'row ' || range as n from range(5000)")
    assert out.count("row ") == 1000
    assert {"row 0 ", "row 4999 "} <= set(re.findall(r"row \d+ ", out))
    assert "5000 rows" in out


def test_csv_is_all_of_the_answer(here):
    """Thousands of rows, with their names, and nothing else."""
    code, out, err = here("sql", "--csv", "select range as n, 'a,b' as text from range(3000)")
    assert (code, err) == (0, "")
    assert out == "n,text\n" + "".join(f'{n},"a,b"\n' for n in range(3000))


def test_help_shows_examples_line_by_line(here):
    """With the exit codes, as they are written."""
    code, out, err = here("sql", "--help")
    assert (code, err) == (0, "")
    assert out.startswith("usage: lake sql [-h] [--csv] query\n")
    assert f"\n{epilog('lake sql', cli.SQL)}" in out
    assert "  query       the query\n" in out
    assert "  --csv       print CSV instead of a table\n" in out
    assert "\nRun one DuckDB query; every dataset is a view of its latest revisions.\n" in out


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (LakeError("a \x1b[31m\nb"), 1, "lake: a \\x1b[31m\nb\n"),
        (ConfigError("wrong"), 2, "lake: wrong\n"),
        (StoreError("gone"), 3, "lake: gone\n"),
        (duckdb.Error("no \u202e"), 1, "lake: no \\u202e\n"),
        (KeyboardInterrupt(), 130, "lake: interrupted\n"),
        (RuntimeError("Query interrupted"), 130, "lake: interrupted\n"),
    ],
)
def test_an_error_is_a_line_and_an_exit_code(capsys, error, code, said):
    """Its own code, and what it says; nothing that a terminal would obey."""

    def fail():
        raise error

    with pytest.raises(SystemExit) as ended:
        cli.run("lake", fail)
    assert ended.value.code == code
    assert capsys.readouterr() == ("", said)


def test_a_defect_is_no_error_of_ours():
    """Python says more of it."""

    def fail():
        raise RuntimeError("a defect")

    with pytest.raises(RuntimeError, match="a defect"):
        cli.run("lake", fail)


def test_what_a_command_returns_is_the_exit_code(capsys):
    """And nothing is said."""
    with pytest.raises(SystemExit) as ended:
        cli.run("lake", lambda: 7)
    assert ended.value.code == 7
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("raised", "said"),
    [("sys.stdout.write('x' * 100_000)", "No space left on device"), ("raise OSError('odd')", "odd")],
)
def test_an_answer_that_can_not_be_written_is_explained(raised, said):
    """A full disk: exit code 1 and the reason, and no traceback when what is left is flushed at the end."""
    script = f"""
import sys
from lake.cli import run

def fail():
    {raised}

run("lake", fail)
"""
    with open("/dev/full", "w") as full:  # noqa: PTH123 - no file that a Path would be about
        done = subprocess.run(
            [sys.executable, "-c", script], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert (done.returncode, done.stderr) == (1, f"lake: can't print the answer: {said}\n")


@pytest.mark.parametrize("csv", [True, False])
def test_a_statement_without_an_answer_changes_nothing(here, csv):
    """It is refused, since what it made would be gone at once."""
    code, out, err = here("sql", *(["--csv"] if csv else []), "create table a (b int)")
    assert (code, out) == (2, "")
    assert err == "lake: That statement returns no rows. Use select, from or describe.\n"


def test_the_lake_is_listed_described_pulled_and_written_down(here, project, monkeypatch):
    """By the commands that README shows: each says in a line what it did, or shows what there is."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(project.folder / "cache"))
    monkeypatch.chdir(project.folder)
    code, out, err = here("pull", "error_rate", "status_mix")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "error_rate: 1 partitions fetched, 0 superseded ones dropped.",
        "status_mix: 0 partitions fetched, 0 superseded ones dropped.",
    ]
    code, out, err = here("ls")
    assert (code, err) == (0, "")
    assert [line.split()[:2] for line in out.splitlines() if line.endswith("yes")] == [
        ["error_rate", "1"],
        ["status_mix", "0"],
    ]
    code, out, err = here("describe", "error_rate")
    assert (code, err) == (0, "")
    assert "1 partitions of 1 days, 2015-05-17 … 2015-05-17" in out
    code, out, err = here("ddl", "spark", "--schema", "logs")
    assert (code, err) == (0, "")
    assert "logs.error_rate_history" in out
    assert here("catalog", "lake.duckdb") == (
        0,
        'lake.duckdb is written. Query it with: duckdb -readonly lake.duckdb "from error_rate_weekly"\n',
        "",
    )
    with duckdb.connect(str(project.folder / "lake.duckdb"), read_only=True) as connection:
        assert connection.execute("select application from error_rate").fetchall() == [("shop",)]


@pytest.mark.parametrize(
    "command", ["sql", "shell", "ls", "questions", "describe", "catalog", "pull", "ddl", "backtest"]
)
def test_help_has_a_summary_examples_and_codes(here, command):
    """Of each command."""
    code, out, _ = here(command, "--help")
    assert code == 0
    summary, examples, codes = re.fullmatch(
        r"usage: .*?\n\n(\S.*?)\n\n.*\nexamples:\n(.*)\nexit codes:\n(.*)", out, re.DOTALL
    ).groups()
    assert summary[0].isupper()
    assert summary.endswith(".")
    assert f"  lake {command}" in examples
    assert re.search(r"^  0  ", codes)
    assert "\n  3  the lake can't be read" in codes or command == "catalog"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["describe", "incidence"], 2, "There is no dataset, view or macro incidence. Did you mean incidents"),
        (["pull", "nothing"], 2, "invalid choice: 'nothing'"),
        (["pull"], 2, "the following arguments are required: DATASET"),
        (["ddl", "oracle"], 2, "invalid choice: 'oracle'"),
        (["ddl", "athena"], 2, "Athena and Trino read it on S3 only"),
        (["catalog", "luigi.cfg"], 2, "luigi.cfg is there and is no catalog"),
        (["catalog", "gone/lake.duckdb"], 3, "Can't write the catalog"),
    ],
)
def test_what_can_not_be_done_is_explained(project, arguments, code, message):
    """On stderr, with the exit code that --help tells."""
    done = project.run("lake", *arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert message in done.stderr


@pytest.mark.parametrize("command", [["ls"], ["describe", "error_rate"], ["pull", "error_rate"], ["shell"]])
def test_a_lake_that_is_not_there_can_not_be_asked(make_project, command):
    """Exit code 3, the place and the next step."""
    done = make_project("empty").run("lake", *command)
    assert (done.returncode, done.stdout) == (3, "")
    assert "There is no lake at" in done.stderr
