"""The table of the tasks: `python tests/tools/commands_page.py FILE` adds a row for each task without one.

Rows are written by hand and kept; one that is added says what the task's docstring says.
"""

import importlib
import pkgutil
import re
import sys
from pathlib import Path

import tasks
from tasks.daily import DailyTask

ROW = re.compile(r"^\| (`\w+Daily`.*?) \|.*\n", re.MULTILINE)


def update(text: str) -> str:
    """Return the page with a row for each task."""
    for module in pkgutil.iter_modules(tasks.__path__):
        importlib.import_module(f"tasks.{module.name}")
    described = {name for row in ROW.finditer(text) for name in re.findall(r"`(\w+)`", row[1])}
    *_, last = (row.end() for row in ROW.finditer(text) if "`RangeDaily`" not in row[1])
    added = "".join(_row(each) for each in DailyTask.__subclasses__() if each.__name__ not in described)
    return text[:last] + added + text[last:]


def _row(task: type[DailyTask]) -> str:
    said = (task.__doc__ or "").strip().rstrip(".")
    names = ["--source", "--date"] if "source" in dict(task.get_params()) else ["--date"]
    parameters = ", ".join(f"`{each}`" for each in names)
    return f"| `{task.__name__}` | {said[:1].lower()}{said[1:]} | {parameters} |\n"


def main() -> None:
    """Add rows to the table of the named file."""
    (path,) = map(Path, sys.argv[1:])
    path.write_text(update(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
