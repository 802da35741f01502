"""`lake questions`, `lake describe` of what answers them, and errors that say how else to ask."""

import re
from io import StringIO

import duckdb
import pytest

import lake as the_lake
from lake import sql
from lake.commands import questions, shell
from lake.lake import Lake, open_store
from lake.partition import Partition


@pytest.fixture
def project(make_project, publish, error_rates, day):
    """A project whose lake has one day of error rates."""
    made = make_project("asked")
    publish(Lake(open_store(str(made.folder / "lake"))), Partition("error_rate", 1, day), error_rates(shop=20))
    return made


def test_all_are_listed_or_those_with_a_word(project):
    """Each with its parameters and what it answers, within the terminal's width."""
    done = project.run("lake", "questions", COLUMNS="60")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert [line for line in lines if not line.startswith(" ")] == [each.call for each in sql.definitions()]
    assert max(len(line) for line in lines if line.startswith(" ")) <= 60
    done = project.run("lake", "questions", "PATHS")
    assert "worst_paths(day)\n    Which paths had the errors" in done.stdout
    assert "error_rate_weekly" not in done.stdout
    done = project.run("lake", "questions", "weather")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "No view and no macro has 'weather' in its name or answer.\n"


def test_each_can_be_described(project):
    """Of one that returns rows, the columns are named, too."""
    with the_lake.connect(project.folder / "luigi.cfg") as connection:
        for each in sql.definitions():
            said = questions.described(connection, each)
            assert said.startswith(f"{each.call}\n    ")
            assert ("\n\ncolumn" in said) == (each.kind != "macro")


def test_what_stands_beside_the_datasets_can_be_described(project):
    """Events, objectives, and the files of a dataset; a name that is none is hinted at."""
    done = project.run("lake", "describe", "events")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("events\n    A row is an event: ")
    assert re.search(r"^kind +VARCHAR +deploy, configuration, ", done.stdout, re.MULTILINE)
    for name in ("slo", "error_rate_files"):
        assert project.run("lake", "describe", name).stdout.startswith(f"{name}\n    ")
    assert project.run("lake", "describe", "evnts").returncode == 2


def test_of_a_view_the_columns_are_shown(project):
    """As of a dataset, by its name."""
    done = project.run("lake", "describe", "error_rate_weekly")
    assert (done.returncode, done.stderr) == (0, "")
    assert "\nweek " in done.stdout


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("from incidents", "incidents takes arguments: from incidents(threshold, start := null"),
        ("from Error_Rate_Weekly()", "error_rate_weekly takes no arguments: from error_rate_weekly\n"),
        ("from error_rate(1)", "error_rate takes no arguments: from error_rate\n"),
        ("from wilson_low", "wilson_low returns a value, and no rows: select wilson_low(hits, total)\n"),
        ("from nothing", "Table with name nothing does not exist!"),
        ("from nothing()", "Table Function with name nothing does not exist!"),
    ],
)
def test_an_error_says_how_else_to_ask(project, query, says, monkeypatch):
    """By `lake sql`, and by the shell."""
    done = project.run("lake", "sql", query)
    assert (done.returncode, done.stdout) == (1, "")
    assert says in done.stderr
    with the_lake.connect(project.folder / "luigi.cfg") as connection:
        monkeypatch.setattr("sys.stdin", StringIO(f"{query};"))
        with pytest.raises(duckdb.CatalogException, match=re.escape(says.strip())):
            shell.interact(connection, print)
