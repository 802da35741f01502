"""The public Python API: what `__all__` of the public modules names is on its page, and nothing else is."""

import inspect
import re
import tomllib
from dataclasses import fields, is_dataclass
from importlib import import_module
from importlib.resources import files
from pathlib import Path

import pytest
from pages import REPOSITORY, blocks, read

PAGE = "docs/reference/python.md"
MODULES = re.findall(r"^## Module `([\w.]+)`$", read(PAGE), re.MULTILINE)
SIGNATURES = {block.argument: block.text for block in blocks(PAGE) if block.kind == "signature"}
NAMES = [f"{module}.{name}" for module in MODULES for name in import_module(module).__all__]


def section(title):
    """Return what the page says below a heading, up to the next one of its level."""
    level = title.partition(" ")[0]
    return re.split(rf"^#{{1,{len(level)}}} ", read(PAGE).partition(f"\n{title}\n")[2], flags=re.MULTILINE)[0]


def rows(text):
    """Return the names in the first column of the tables in a text."""
    return re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)


def found(name):
    """Return what a public name stands for."""
    module, _, last = name.rpartition(".")
    return getattr(import_module(module), last)


def test_the_page_has_every_public_module():
    """A module is public if it says what of it is; the page has a section for each and for no other."""
    packages = ("lake", "etl", "tasks", "backfill", "queries")
    paths = [path for name in packages for path in sorted((REPOSITORY / name).rglob("*.py"))]
    public = [path for path in paths if re.search(r"^__all__\b", path.read_text(encoding="utf-8"), re.MULTILINE)]
    names = [".".join(path.relative_to(REPOSITORY).with_suffix("").parts) for path in public]
    assert sorted(name.removesuffix(".__init__") for name in names) == sorted(MODULES)


@pytest.mark.parametrize("module", MODULES)
def test_the_page_has_every_public_name(module):
    """Each name has a heading of its own, or a row where they are errors; nothing is there that is gone."""
    text = section(f"## Module `{module}`")
    told = re.findall(rf"^### `{re.escape(module)}\.(\w+)`$", text, re.MULTILINE) or rows(text)
    assert sorted(told) == sorted(import_module(module).__all__)


@pytest.mark.parametrize("module", MODULES)
def test_all_names_what_a_module_defines(module):
    """Whatever a public module defines without an underscore is public, but for constants."""
    defined = {
        name
        for name, value in vars(import_module(module)).items()
        if not name.startswith("_") and inspect.getmodule(value) is import_module(module)
    }
    assert set(import_module(module).__all__) | INTERNAL.get(module, set()) == defined


INTERNAL = {
    "lake.contract": {"decoded"},
    "lake.published": {"columns_of", "rows_of"},
    "lake.spark": {"Decided"},
}
"""What other packages of the project use, and nobody else should."""


@pytest.mark.parametrize("name", [name for name in NAMES if inspect.isfunction(found(name))])
def test_a_function_is_documented_as_it_is(name):
    """Its parameters with their defaults, in the signature and in the table."""
    parameters = inspect.signature(found(name)).parameters
    shown = re.fullmatch(r"([\w.]+)\((.*)\) -> .*\n", SIGNATURES[name])
    assert shown[1] == name
    bare = [each.replace(annotation=inspect.Parameter.empty) for each in parameters.values()]
    assert f"({shown[2]})" == str(inspect.Signature(bare))
    assert rows(section(f"### `{name}`")) == list(parameters)


@pytest.mark.parametrize("name", [name for name in NAMES if is_dataclass(found(name))])
def test_a_class_is_documented_as_it_is(name):
    """Its fields in their order."""
    assert sorted(rows(section(f"### `{name}`"))) == sorted(field.name for field in fields(found(name)))


def test_errors_are_documented_with_their_exit_codes():
    """Each class says on the page what a command exits with."""
    errors = import_module("lake.errors")
    told = dict(re.findall(r"^\| `(\w+)` \| (\d) \|", section("## Module `lake.errors`"), re.MULTILINE))
    assert told == {name: str(getattr(errors, name).exit_code) for name in errors.__all__}


def test_packages_say_that_they_are_typed():
    """Each has py.typed, which the wheel carries as all files of its packages."""
    project = tomllib.loads(Path(REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert [name for name in packages if not files(name).joinpath("py.typed").is_file()] == []
