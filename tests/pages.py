"""The documentation's blocks, and what runs them as a reader would.

A comment before a block says what becomes of it; readers of the page don't see it:

    <!-- run -->            its commands, Python or SQL run, and exit with 0; output that is shown is what comes
    <!-- run: 1 -->         likewise, with that exit code
    <!-- config -->         it is luigi.cfg from here on
    <!-- config: added -->  it is added to luigi.cfg
    <!-- example: NAME -->  a test of its own runs it
    <!-- not run: WHY -->   nothing runs it

In output that is shown, `…` stands for anything in a line, and as a line for any lines.
"""

import os
import re
import shlex
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import Project


REPOSITORY = Path(__file__).parent.parent
PAGES = (
    "README.md",
    "glossary.md",
    *sorted(str(path.relative_to(REPOSITORY)) for path in REPOSITORY.glob("docs/**/*.md")),
)
BLOCK = re.compile(
    r"(?:<!-- (?P<marker>[^\n]*) -->\n(?:`[^\n]*\n\n)?)?^(?P<indent> *)```(?P<language>\w*)\n(?P<text>.*?)^ *```$",
    re.DOTALL | re.MULTILINE,
)


@dataclass(frozen=True)
class Block:
    """What stands between a page's fences.

    Attributes:
        kind: What the comment before it says up to a colon; empty without one.
        argument: What it says after that.
        language: As the fence names it.
        text: Its lines.
    """

    kind: str
    argument: str
    language: str
    text: str


def read(page: str) -> str:
    """Return a page's text."""
    return (REPOSITORY / page).read_text(encoding="utf-8")


def blocks(page: str) -> Iterator[Block]:
    """Yield a page's blocks in their order."""
    for found in BLOCK.finditer(read(page)):
        kind, _, argument = (found["marker"] or "").partition(": ")
        yield Block(kind, argument, found["language"], dedent(found["text"]))


def example(page: str, name: str) -> str:
    """Return the block that a test of its own runs."""
    (found,) = (each.text for each in blocks(page) if (each.kind, each.argument) == ("example", name))
    return found


def commands(text: str) -> Iterator[tuple[str, str]]:
    """Yield each command of a block with the output that is shown below it."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        line, _, output = part.partition("\n")
        yield line, output


def run(page: str, project: "Project") -> None:
    """Run a page from top to bottom in a project's folder, and assert that all goes as it says."""
    try:
        _run(page, project)
    finally:  # of servers that it began
        for file in project.folder.rglob("*.pid"):
            with suppress(ProcessLookupError):
                os.kill(int(file.read_text()), signal.SIGTERM)


def _run(page: str, project: "Project") -> None:
    for block in blocks(page):
        settings = project.folder / "luigi.cfg"
        if block.kind == "config":
            before = f"{settings.read_text(encoding='utf-8')}\n" if block.argument == "added" else ""
            settings.write_text(before + block.text, encoding="utf-8")
        elif block.kind == "run":
            code = int(block.argument or 0)
            if block.language == "console":
                for line, shown in commands(block.text):
                    project = _command(project, line, shown, code)
            else:
                program = ("lake", "sql") if block.language == "sql" else ("python", "-c")
                _check(project.run(*program, block.text), block.text, "", code)


def _command(project: "Project", line: str, shown: str, code: int) -> "Project":
    """Run a line of a shell, check it, and return the project in the folder where the shell then is."""
    if re.fullmatch(r"(backfill|lake|luigi) [^$*~`\\;&|<>()]*", line):
        _check(project.run(*shlex.split(line)), line, shown, code)
        return project
    place = project.folder / ".place"
    _check(project.run("sh", "-ec", f'{line}\npwd > "{place}"'), line, shown, code)
    return replace(project, folder=Path(place.read_text().strip())) if place.exists() else project


def _check(done: subprocess.CompletedProcess[str], line: str, shown: str, code: int) -> None:
    assert done.returncode == code, (line, done.stdout, done.stderr)
    if shown:
        pattern = "\n".join(
            r"(?s:.*)" if each == "…" else re.escape(each).replace("…", ".*") for each in _lines(shown)
        )
        pattern = pattern.replace("\n(?s:.*)", "(?s:\n.*)?")  # of any number of lines, or none
        assert re.fullmatch(pattern, "\n".join(_lines(done.stdout + done.stderr))), (
            line,
            done.stdout,
            done.stderr,
        )
    else:
        assert done.stderr == "", line


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.strip().splitlines()]
