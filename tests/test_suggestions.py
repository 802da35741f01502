"""Commands that messages and help texts suggest: the program takes each of them, and those of messages work."""

import argparse
import re
import shlex
from importlib.metadata import metadata

import duckdb
import pytest
from suggestions import suggestions

from backfill import cli as backfill_cli
from etl import cli as lake_cli

SUGGESTIONS = list(suggestions())
EXAMPLES = sorted({each.command for each in SUGGESTIONS if each.is_example})
OF_MESSAGES = sorted({each.command for each in SUGGESTIONS if not each.is_example})
PARSERS = {"backfill": backfill_cli._parser, "lake": lake_cli._parser}  # noqa: SLF001 - what the commands take
CODE = "0f3a9c41d7be"
VALUES = {
    "asked.incident_threshold": "0.05",
    "asked.start": "2015-05-17",
    "asked.stop": "2015-05-19",
    "day": "2015-05-17",
    "day + ONE_DAY": "2015-05-18",
    "days.example.of": "--of ErrorRateDaily",
    "days.start": "2015-05-17",
    "days.stop": "2015-05-19",
    "each.day": "2015-05-17",
    "each.day + ONE_DAY": "2015-05-18",
    "each.of": "--of RequestsDaily --source web",
    "expired.before": "2015-05-18",
    "expired.code": CODE,
    "expired.dataset": "requests",
    "first": "2015-05-17",
    "given.file": "lake.duckdb",
    "needed.day": "2015-05-17",
    "needed.of": "--of SourceCountsDaily --source web",
    "of": "--of ErrorRateDaily",
    "quote(worst.location)": "logs/2015-05-17.log",
    "self.range.example.of": "--of ErrorRateDaily",
    "self.range.start": "2015-05-17",
    "self.range.stop": "2015-05-19",
    "source.name": "web",
    "source.task": "RequestsDaily",
    "stop": "2015-05-19",
    "told": " --even-if-needed",
    "unit.day": "2015-05-17",
    "unit.of": "--of RequestsDaily --source web",
    "where": " --dataset rejects",
    "what": "--stale",
}
"""What is filled in, by the expression in the source: true of the project below."""
FILLED_IN = re.compile(r"\{([^{}]+)\}")


def filled(command):
    """Return a suggestion with values; KeyError names an expression that has none here yet."""
    return FILLED_IN.sub(lambda each: VALUES[each[1]], command)


def test_all_that_is_filled_in_is_known():
    """Each expression has a value above, and no value is left of a suggestion that is gone."""
    assert {each for command in OF_MESSAGES for each in FILLED_IN.findall(command)} == set(VALUES)
    assert not any(map(FILLED_IN.search, EXAMPLES))


@pytest.mark.parametrize("command", [*EXAMPLES, *OF_MESSAGES])
def test_the_program_takes_it(command):
    """Its subcommand and its options are there. Luigi's: see below. Prose belongs into suggestions.PROSE."""
    program, *arguments = shlex.split(re.sub(r" [<>] \S+$", "", filled(command)))
    if program in PARSERS:
        assert isinstance(PARSERS[program]().parse_args(arguments), argparse.Namespace)
    else:
        assert program in {"duckdb", "luigi", "pip"}


@pytest.fixture
def built(a_project):
    """Return a project with two days that are built, and a catalog file."""
    assert a_project.run("backfill", "run", "--of", "ErrorRateDaily", "--stop", "2015-05-19").returncode == 0
    for of in set(re.findall(r"backfill status --of (\w+Daily)", "\n".join(OF_MESSAGES))) - {"ErrorRateDaily"}:
        assert a_project.run("backfill", "run", "--of", of, "--stop", "2015-05-21").returncode == 0
    assert a_project.run("lake", "catalog", "lake.duckdb").returncode == 0
    return a_project


def code_for_deleting(project):
    """Return the code that the lake tells for what the suggestion deletes."""
    retention = ("lake", "retention", "--dataset", "requests", "--before", "2015-05-18", "--even-if-needed")
    (code,) = re.findall(r"--delete (\w+)", project.run(*retention).stdout)
    return code


@pytest.mark.slow
def test_those_of_messages_work(built):
    """Each exits with 0, as it is printed, one after the other; what a terminal is asked is answered."""
    for command in OF_MESSAGES:
        line = filled(command)
        if CODE in line:
            line = line.replace(CODE, code_for_deleting(built))
        program, *arguments = shlex.split(line)
        if program == "duckdb":
            option, file, query = arguments
            with duckdb.connect(built.folder / file, read_only=option == "-readonly") as connection:
                assert connection.sql(query).columns
        elif program == "pip":
            (extra,) = re.findall(r"\[(\w+)\]", arguments[1])
            assert extra in metadata("error-rate-lake").get_all("Provides-Extra")
        elif arguments[0] == "fetch":  # which nothing here is: see test_fetched
            assert "source web has no fetch" in built.run(program, *arguments).stderr
        else:
            answered = ["--yes"] if arguments[0] == "restate" else []
            done = built.run(program, *arguments, *answered)
            assert done.returncode == 0, (command, done)
