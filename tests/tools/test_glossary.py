"""The glossary's tables: what a reader learns of a dataset, made from its contract."""

import runpy
import sys

import pyarrow as pa
import pytest
from tools import glossary

from lake.contract import Column, Contract, Input, Rule

EVENTS = Contract(
    name="events",
    version=3,
    grain="one event",
    columns=(
        Column("at", pa.timestamp("us"), "UTC", "When"),
        Column("kind", pa.string(), "name", "a | b", nullable=True),
    ),
)
SUMS = Contract(
    name="sums",
    version=1,
    grain="one sum",
    key=("at", "kind"),
    inputs=(Input("requests"), Input("error_counts", days=7)),
    counts="total",
    columns=(Column("total", pa.int64(), "1", "How many"),),
    rules=(Rule("total > 0", "a sum is of something"), Rule("total < 9", "it is small")),
)


def test_a_table_says_what_the_contract_says():
    """Type, unit and meaning of each column, and whether it may be NULL; a bar in a text ends no cell."""
    assert glossary.table(EVENTS) == (
        "A row is one event. Version 3; key: none, rows are events; made from raw files.\n"
        "\n"
        "| column | type | unit | may be NULL | meaning |\n"
        "|---|---|---|---|---|\n"
        "| `at` | timestamp[us] | UTC | no | When |\n"
        "| `kind` | string | name | yes | a \\| b |\n"
    )


def test_rules_stand_below_the_table():
    """Each with its reason, and the law that nothing is lost on the way from the inputs."""
    text = glossary.table(SUMS)
    assert text.startswith(
        "A row is one sum. Version 1; key: `at`, `kind`; made from requests, error_counts (7 days).\n"
    )
    assert text.endswith(
        "| `total` | int64 | 1 | no | How many |\n"
        "\n"
        "- `total > 0`: a sum is of something\n"
        "- `total < 9`: it is small\n"
        "- `sum(total)` = rows of requests: nothing is lost\n"
    )


@pytest.fixture
def datasets(monkeypatch):
    """Has the glossary know two datasets."""
    monkeypatch.setattr(glossary, "CONTRACTS", {"events": EVENTS, "sums": SUMS})


@pytest.mark.usefixtures("datasets")
def test_prose_is_kept_and_tables_are_made_anew():
    """What a hand wrote around the markers stays; a dataset without a section gains one at the end."""
    before = "# Words\n\nProse.\n\n<!-- dataset events -->\nstale\n\nstale\n<!-- end -->\n\nMore prose. \n\n\n"
    after = (
        f"# Words\n\nProse.\n\n<!-- dataset events -->\n{glossary.table(EVENTS)}<!-- end -->\n\nMore prose.\n\n"
        f"### sums\n\n<!-- dataset sums -->\n{glossary.table(SUMS)}<!-- end -->\n"
    )
    assert glossary.update(before) == after
    assert glossary.update(after) == after


def test_the_command_writes_the_file_anew(tmp_path, monkeypatch):
    """`python tests/tools/glossary.py FILE`; what is no ASCII stays what it is."""
    path = tmp_path / "glossary.md"
    path.write_text("# Wörter\n", encoding="utf-8")
    monkeypatch.setattr(sys, "argv", ["glossary", str(path)])
    runpy.run_path(glossary.__file__, run_name="__main__")
    assert path.read_text(encoding="utf-8") == glossary.update("# Wörter\n")


@pytest.mark.parametrize("files", [[], ["one.md", "two.md"]])
def test_the_command_takes_one_file(files, monkeypatch):
    """None, or more than one, is refused before anything is written."""
    monkeypatch.setattr(sys, "argv", ["glossary", *files])
    with pytest.raises(ValueError, match="values to unpack"):
        glossary.main()
