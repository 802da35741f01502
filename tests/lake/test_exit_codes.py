"""Exit codes: one table, in the help of every command and in the documentation."""

import argparse
from pathlib import Path

import pytest

import backfill.cli
import etl.cli
from lake import exit_codes

REPOSITORY = Path(__file__).parents[2]
MARK = "<!-- `python -m lake.exit_codes` prints this table -->\n"


def commands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """Return a parser and those of its commands, and of theirs, by their names."""
    found = {parser.prog: parser}
    for each in parser._actions:  # noqa: SLF001
        if isinstance(each, argparse._SubParsersAction):  # noqa: SLF001
            for below in each.choices.values():
                found |= commands(below)
    return found


@pytest.mark.parametrize("name", ["backfill", "lake"])
def test_every_command_says_its_own(name):
    """There is no command without them, and none that is not there any more."""
    found = commands({"backfill": backfill.cli, "lake": etl.cli}[name]._parser())  # noqa: SLF001
    assert sorted(found) == sorted(each for each in exit_codes.OWN if each.split()[0] == name)
    for command, parser in found.items():
        said = parser.epilog.partition("exit codes:\n")[2].splitlines()
        codes = [int(line.split()[0]) for line in said]
        assert codes == sorted({*exit_codes.COMMON, *exit_codes.OWN[command]})
        assert all(f"  {code}  {meaning}" in said for code, meaning in exit_codes.OWN[command].items())


def test_the_documentation_has_the_same():
    """One page has the table, as `python -m lake.exit_codes` prints it."""
    pages = [REPOSITORY / "README.md", *(REPOSITORY / "docs").rglob("*.md")]
    (page,) = (text for each in pages if MARK in (text := each.read_text(encoding="utf-8")))
    table = page.partition(MARK)[2].partition("\n\n")[0]
    assert table.splitlines() == list(exit_codes.markdown())
