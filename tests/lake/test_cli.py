"""The command `lake sql`, as its users run it."""

import os
import subprocess

import pytest

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
        (["sql", "create table a (b int)"], 2, "That statement has no answer to show"),
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
