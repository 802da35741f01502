"""`backfill status`, as an operator and a script read it."""

import json
import sys

import pytest

import etl.cli
from backfill import cli
from etl.units import names
from lake.contracts import contract, is_everybodys

STATUS = ("backfill", "status", "--of", "ErrorRateDaily")


def test_status_is_a_calendar(a_project):
    """A month is a row, a day a character, and then why days are not there; the exit code tells."""
    a_project.run("luigi", "ErrorRateDaily", "--date", "2015-05-17")
    (a_project.folder / "logs/2015-05-19.log").unlink()
    done = a_project.run(*STATUS, "--start", "2015-05-17", "--stop", "2015-05-22")
    assert (done.returncode, done.stderr) == (1, "")
    lines = done.stdout.splitlines()
    assert lines[:6] == [
        "ErrorRateDaily 2015-05-17 … 2015-05-21, 5 days",
        "         1      8      15     22     29",
        f"2015-05  {' ' * 16}■·?·-",
        "",
        "■ 1 there, · 2 missing, ? 1 no input, - 1 inactive",
        "Oldest gap: 2015-05-18.",
    ]
    assert lines[6] == "2015-05-18  missing"
    assert lines[7].startswith("2015-05-19  no input: source web: 0 of 1 files for 2015-05-19")
    assert lines[8:] == ["2015-05-20  missing"]


def test_status_of_a_complete_range(a_project):
    """With all days there the exit code is 0; the JSON says the same as the text."""
    a_project.run("luigi", "RangeDailyBase", "--of", "ErrorRateDaily", "--start", "2015-05-17")
    done = a_project.run(*STATUS, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    answer = json.loads(done.stdout)
    assert answer["of"] == "ErrorRateDaily"
    assert (answer["start"], answer["stop"]) == ("2015-05-17", "2015-05-21")
    assert answer["counts"].pop("there") == 4
    assert set(answer["counts"].values()) == {0}
    assert answer["days"][0] == {"date": "2015-05-17", "state": "there", "reason": None, "source": None}


def test_status_of_one_source(a_project):
    """A task of one source needs its name, and no other takes one."""
    task = ("backfill", "status", "--of", "RequestsDaily")
    done = a_project.run(*task)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "backfill: RequestsDaily is of one source. Give --source, one of: web.\n"
    done = a_project.run(*STATUS, "--source", "web")
    assert (done.returncode, done.stderr) == (
        2,
        "backfill: ErrorRateDaily is made from all sources. Take --source out.\n",
    )
    assert "luigi.cfg has no [source.nope]" in a_project.run(*task, "--source", "nope").stderr
    done = a_project.run(*task, "--source", "web")
    assert done.returncode == 1
    assert "· 4 missing\n" in done.stdout


def test_unknown_task_and_bad_day(a_project):
    """What there is, is said when something else is asked for."""
    done = a_project.run("backfill", "status", "--of", "Nope")
    assert done.returncode == 2
    known = sorted(name for name, dataset in names().items() if is_everybodys(contract(dataset)))
    assert f"There are: {', '.join(known)}." in done.stderr
    assert "ErrorRateDaily" in names()
    done = a_project.run(*STATUS, "--start", "2015-02-30")
    assert done.returncode == 2
    assert "'2015-02-30' is not a date, expected YYYY-MM-DD" in done.stderr


@pytest.mark.parametrize(
    ("main", "words"),
    [
        (cli.main, ()),
        *((cli.main, (name,)) for name in ("plan", "run", "status", "check", "nightly", "restate", "explain")),
        *((cli.main, (name,)) for name in ("identify", "rejects")),
        (etl.cli.main, ()),
        *((etl.cli.main, (name,)) for name in ("sql", "verify")),
    ],
)
def test_help_has_examples_and_exit_codes(main, words, monkeypatch, capsys):
    """`--help` shows commands that can be copied, and what the exit codes mean."""
    monkeypatch.setattr(sys, "argv", ["command", *words, "--help"])
    with pytest.raises(SystemExit, match=r"^0$"):
        main()
    said = capsys.readouterr().out
    assert "examples:" in said
    assert "exit codes:" in said
