"""The generated tables of glossary.md: `python tests/tools/glossary.py glossary.md` writes them anew.

Between the markers stands what the contracts say; the prose around them is written by hand and kept.
"""

import re
import sys
from pathlib import Path

from lake import sql
from lake.contract import Contract
from lake.contracts import CONTRACTS, counted

HEADING = "\n## Questions\n"
QUESTIONS = re.compile(r"(<!-- questions -->\n).*?(<!-- end -->)", re.DOTALL)
BLOCK = re.compile(r"(<!-- dataset (?P<name>\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def table(contract: Contract) -> str:
    """Return a dataset as Markdown: what a row is, the key, each column, each rule."""
    key = ", ".join(f"`{name}`" for name in contract.key) or "none, rows are events"
    lines = [
        f"A row is {contract.grain}. Version {contract.version}; key: {key}; made from {contract.made_from}.",
        "",
        "| column | type | unit | may be NULL | meaning |",
        "|---|---|---|---|---|",
        *(
            f"| `{c.name}` | {c.type} | {c.unit} | {'yes' if c.nullable else 'no'} | {_cell(c.meaning)} |"
            for c in contract.stored
        ),
        "",
        *(f"- `{rule.condition}`: {rule.meaning}" for rule in contract.rules),
        *([f"- `sum({contract.counts})` = {counted(contract)}: nothing is lost"] if contract.counts else []),
    ]
    return "\n".join(lines).rstrip() + "\n"


def questions() -> str:
    """Return the analysts' views and macros as Markdown: how each is asked, and what it answers."""
    lines = ["| query | answer |", "|---|---|"]
    return (
        "\n".join([*lines, *(f"| `{each.call}` | {_cell(each.meaning)} |" for each in sql.definitions())]) + "\n"
    )


def update(text: str) -> str:
    """Return a glossary with its tables made anew, and a section added for each dataset that lacks one."""
    described = {found["name"] for found in BLOCK.finditer(text)}
    for name in CONTRACTS:
        if name not in described:
            before, heading, after = text.partition(HEADING)
            text = f"{before.rstrip()}\n\n### {name}\n\n<!-- dataset {name} -->\n<!-- end -->\n{heading}{after}"
    text = QUESTIONS.sub(lambda found: f"{found[1]}{questions()}{found[2]}", text)
    return BLOCK.sub(lambda found: f"{found[1]}{table(CONTRACTS[found['name']])}{found[3]}", text)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def main() -> None:
    """Write the tables of the named file anew."""
    (path,) = map(Path, sys.argv[1:])
    path.write_text(update(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
