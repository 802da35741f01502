"""`lake new`: it writes what is not there, in a clone. tests/test_recipes.py runs what it writes."""

import argparse

import pytest

import lake
from lake.commands.new import CLONE, FILES, new
from lake.errors import ConfigError


@pytest.fixture
def clone(tmp_path, monkeypatch):
    """Return a folder that has what tells a clone."""
    for name in CLONE:
        (tmp_path / name).mkdir(parents=True)
    monkeypatch.setattr(lake, "__file__", str(tmp_path / "lake/__init__.py"))
    return tmp_path


def asked(kind, name):
    """Return the arguments of the command."""
    return argparse.Namespace(kind=kind, name=name)


@pytest.mark.parametrize("kind", FILES)
def test_files_are_written_once(clone, capsys, kind):
    """Their names are printed; what is there already is left alone, and so is all else then."""
    assert new(asked(kind, "page_scores")) == 0
    said = capsys.readouterr().out.splitlines()
    written = {str(path.relative_to(clone)) for path in clone.rglob("*") if path.is_file()}
    assert written == set(said[: len(FILES[kind])])
    assert all("$" not in (clone / each).read_text() for each in written)
    assert "PageScoresDaily" in (clone / "tasks/page_scores.py").read_text()
    (clone / "lake/contracts/page_scores.py").unlink()
    (clone / "tasks/page_scores.py").write_text("mine")
    with pytest.raises(ConfigError, match=r"page_scores.* is there already.*Nothing was written"):
        new(asked(kind, "page_scores"))
    assert not (clone / "lake/contracts/page_scores.py").exists()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Page", "expected a name"),
        ("page-scores", "expected a name"),
        ("../x", "expected a name"),
        ("class", "expected a name"),
        ("x" * 41, "expected a name"),
        ("requests", "the name of a dataset"),
        ("error_rate_weekly", "or a question already"),
        ("wilson_low", "or a question already"),
        ("sources", "already"),
    ],
)
def test_names_that_cant_be_one_are_refused(clone, name, said):
    """Before anything is written."""
    with pytest.raises(ConfigError, match=said):
        new(asked("metric", name))
    assert not [path for path in clone.rglob("*") if path.is_file()]


def test_what_pip_installs_is_no_clone(tmp_path, monkeypatch):
    """There are no tests in it."""
    monkeypatch.setattr(lake, "__file__", str(tmp_path / "lake/__init__.py"))
    with pytest.raises(ConfigError, match="is no clone of the repository"):
        new(asked("metric", "page_scores"))
