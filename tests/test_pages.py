"""Documentation under test: what README and docs/ show works as it stands, and all that can be set is there."""

import argparse
import re
import sys
import tomllib
from dataclasses import fields, replace

import pytest
from pages import PAGES, REPOSITORY, blocks, read, run

from backfill import cli as backfill_cli
from backfill.engines.spark import settings as spark
from backfill.settings import Settings, settings
from etl import cli as lake_cli
from etl.deliver import deliveries
from etl.fetch import opening
from etl.records.records import KEYS
from etl.sources.completeness import Severities, severities
from etl.sources.limits import limits
from etl.sources.sections import OF_RECORDS, OF_SNAPSHOTS, OPTIONAL, REQUIRED, read_sources
from lake import config
from lake.catalog.slo import KNOWN, read_slos
from lake.config import LAKE_SETTINGS

CODE_BLOCK = re.compile(r"^ *```.*?^ *```$", re.DOTALL | re.MULTILINE)
RUN = [page for page in PAGES if any(block.kind == "run" for block in blocks(page))]
SHOWN = [
    (page, block)
    for page in PAGES
    for block in blocks(page)
    if block.kind in {"file", "excerpt"} and block.argument
]
CODE = {"console", "ini", "python", "sh", "sql", "toml", "yaml"}
TESTED = {"config", "ddl", "example", "excerpt", "file", "golden", "not run", "run", "signature"}
TUTORIAL = "docs/tutorial/first-lake.md"
SECTIONS = {
    "lake": LAKE_SETTINGS,
    "source.NAME": (*REQUIRED, *OPTIONAL),
    "completeness": [field.name for field in fields(Severities)],
    "extraction": ("threads", "memory_mb"),
    "backfill": [field.name for field in fields(Settings)],
    "slo.NAME": KNOWN,
    "deliver.NAME": deliveries.KNOWN,
    "snapshots": OF_SNAPSHOTS,
    "spark": spark.KEYS,
}


@pytest.fixture
def clone(make_project):
    """Return a project whose folder has what a page needs of a reader's clone: environment, documents, tools."""
    return _clone(make_project("clone"), sys.prefix)


@pytest.fixture
def installed(make_project, with_report):
    """Return such a project with nothing but the wheel and what it requires; each command is a new process."""
    made = _clone(make_project("installed"), with_report.folder)
    made.environment.update(with_report.variables)
    return made.anew()


def _clone(made, environment):
    (made.folder / "luigi.cfg").unlink()
    (made.folder / ".venv").symlink_to(environment)
    for name in ("docs", "backfill"):
        (made.folder / name).symlink_to(REPOSITORY / name)
    return made


@pytest.fixture
def begun(clone):
    """Return the project in the folder that a reader of the tutorial has made, with its luigi.cfg."""
    there = replace(clone, folder=clone.folder / "var/web")
    there.folder.mkdir(parents=True)
    first = next(block.text for block in blocks(TUTORIAL) if block.kind == "config")
    (there.folder / "luigi.cfg").write_text(first, encoding="utf-8")
    return there


@pytest.mark.slow
@pytest.mark.parametrize("page", RUN)
def test_page_runs(page, request):
    """Its commands, its queries and its Python work from top to bottom, and print what is shown."""
    if page in {"README.md", TUTORIAL}:
        run(page, request.getfixturevalue("installed" if page == "README.md" else "clone"))
        return
    if "<!-- sample -->" in read(page):
        there = request.getfixturevalue("sample_project")
        assert there.run("python", str(REPOSITORY / "tests/tools/sample.py"), "var/logs").returncode == 0
        run(page, there)
        return
    begun = request.getfixturevalue("begun")
    if "<!-- built -->" in read(page):
        assert begun.run("backfill", "run", "--of", "ErrorRateDaily").returncode == 0
    run(page, begun)


@pytest.mark.parametrize("page", PAGES)
def test_every_example_is_tested(page):
    """Each block of code says how it is tested, or is a section that luigi.cfg may have."""
    for block in blocks(page):
        assert block.kind in TESTED or block.language not in CODE or block.language == "ini", block
        assert block.kind != "not run" or block.argument, block


def test_examples_of_other_tests_have_one():
    """What a test of its own is said to run is asked for by name in some test."""
    tests = "".join(path.read_text(encoding="utf-8") for path in REPOSITORY.glob("tests/**/test_*.py"))
    for page in PAGES:
        for block in blocks(page):
            assert block.kind != "example" or re.search(rf"[\" ]{re.escape(block.argument)}[\" ]", tests), block


@pytest.mark.parametrize("page", PAGES)
def test_sections_are_read(page, tmp_path, monkeypatch):
    """Each section for luigi.cfg is one that the commands take, beside the map of applications that is shown."""
    path = tmp_path / "luigi.cfg"
    monkeypatch.setenv("LUIGI_CONFIG_PATH", str(path))
    for block in blocks(page):
        if block.language == "csv" and "path_prefix" in block.text:
            path.with_name("applications.csv").write_text(block.text, encoding="utf-8")
        if block.language != "ini" or block.kind == "file":
            continue
        for name in re.findall(r"\$\{(\w+)\}", block.text):
            monkeypatch.setenv(name, "x")
        path.write_text(
            ("" if "[lake]" in block.text else "[lake]\nroot = lake\n\n")
            + (
                "[snapshots]\nroot = kept\n\n"
                if "\nfetch" in block.text and "[snapshots]" not in block.text
                else ""
            )
            + block.text,
            encoding="utf-8",
        )
        found = config.read(path)
        assert found.lake().root
        for reader in (
            severities,
            limits,
            read_slos,
            spark.Settings.of,
            *([read_sources] if "[source." in block.text else []),
        ):
            reader(found)
        settings()
        for name in deliveries.names(found):
            assert deliveries.read_delivery(found, name)


@pytest.mark.parametrize(("page", "block"), SHOWN, ids=[f"{page} {block.argument}" for page, block in SHOWN])
def test_files_are_shown_as_they_are(page, block):
    """A file is shown whole, and an excerpt is in its file."""
    text = (REPOSITORY / block.argument).read_text(encoding="utf-8")
    assert block.text in text
    assert block.kind == "excerpt" or block.text.rstrip("\n") == text.rstrip("\n")


def test_readme_is_short():
    """The README is read at one sitting."""
    assert len(read("README.md").splitlines()) <= 180


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    """Each relative link or picture is a file that the site has too, and its heading is there."""
    for target in re.findall(r"\]\(([^)\s]+)\)", CODE_BLOCK.sub("", read(page))):
        if re.match(r"https?:", target):
            continue
        name, _, heading = target.partition("#")
        path = (REPOSITORY / page).parent / name if name else REPOSITORY / page
        assert path.is_file(), target
        shown = path.resolve().relative_to(REPOSITORY)
        assert str(shown) in PAGES or shown.is_relative_to("docs"), target
        assert not heading or heading in _headings(path), target


def _headings(path):
    """Return the headings of a page as GitHub and the site name them in links."""
    found = re.findall(r"^#+ (.*)$", CODE_BLOCK.sub("", path.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in found}


def test_every_page_is_in_the_navigation():
    """And the navigation has no other."""
    site = tomllib.loads((REPOSITORY / "docs/zensical.toml").read_text(encoding="utf-8"))
    assert sorted(_pages(site["project"]["nav"])) == sorted(PAGES)


def _pages(nav):
    for each in nav:
        if isinstance(each, dict):
            for value in each.values():
                yield from [value] if isinstance(value, str) else _pages(value)
        else:
            yield each


def test_configuration_page_has_every_key():
    """Each section of our own has a table of its keys, in the code's order or another, and of no others."""
    page = read("docs/reference/configuration.md")
    for name, keys in SECTIONS.items():
        _, _, rest = page.partition(f"\n## `[{name}]`\n")
        found = re.findall(r"^\| `(\w+)` \|", rest.partition("\n## ")[0], re.MULTILINE)
        assert sorted(found) == sorted(keys), name


def test_configuration_page_has_the_keys_of_records():
    """Those that logs have as well are named, and the others are in a table."""
    page = read("docs/reference/configuration.md")
    _, _, rest = page.partition("\n## `[source.NAME]` of other records\n")
    found = set(re.findall(r"`(\w+)`(?:,| and| \|)", rest.partition("\n## ")[0]))
    assert found >= set(OF_RECORDS)
    assert set(KEYS) <= set(OF_RECORDS)


def test_configuration_page_has_the_keys_of_fetching():
    """Each key is in the table, with the systems that it is of; those of sources are explained above."""
    page = read("docs/reference/configuration.md")
    _, _, rest = page.partition("\n## `[source.NAME]` that is fetched\n")
    found = {name: set() for name in opening.FETCHERS}
    for keys, of in re.findall(r"^\| (`.*?) \| (.*?) \|", rest.partition("\n## ")[0], re.MULTILINE):
        systems = set(found) if of == "all" else re.findall(r"(?!all|but)\w+", of)
        whose = set(found) - set(systems) if of.startswith("all but") else systems
        for name in whose:
            found[name] |= set(re.findall(r"`(\w+)`", keys))
    assert found == {name: {"fetch", "timezone", *opening.keys(name)} for name in opening.FETCHERS}


def test_commands_page_has_every_command():
    """Each command and each task has a row, and nothing else has."""
    page = read("docs/reference/commands.md")
    commands = {
        f"{name} {each}"
        for name, parser in (("backfill", backfill_cli._parser()), ("lake", lake_cli._parser()))  # noqa: SLF001
        for action in parser._actions  # noqa: SLF001 - argparse has no other way
        if isinstance(action, argparse._SubParsersAction)  # noqa: SLF001
        for each in action.choices
    }
    rows = page.partition("## Exit codes")[0]
    assert set(re.findall(r"^\| `((?:backfill|lake) \w+)` \|", rows, re.MULTILINE)) == commands
    code = "".join(path.read_text(encoding="utf-8") for path in REPOSITORY.glob("tasks/*.py"))
    tasks = set(re.findall(r"^class (\w+Daily)\(", code, re.MULTILINE))
    rows = "".join(re.findall(r"^\| (`[A-Z].*?) \|", page, re.MULTILINE))
    assert set(re.findall(r"`(\w+)`", rows)) == {*tasks, "RangeDailyBase", "RangeDaily"}


def test_the_log_of_the_tutorial_has_its_licence():
    """It lies beside it, and the page names it."""
    assert "Apache License" in (REPOSITORY / "docs/tutorial/LICENSE-2.0.txt").read_text(encoding="utf-8")
    assert "Apache License, Version 2.0" in read("docs/tutorial/about-the-log.md")
