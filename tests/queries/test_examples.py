"""The notebooks in `queries/examples`: they run as they stand, on the sample, and show what they show there."""

import shutil
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

REPOSITORY = Path(__file__).parents[2]
NOTEBOOKS = sorted((REPOSITORY / "queries/examples").glob("*.ipynb"))


def _shown(notebook: nbformat.NotebookNode) -> list[list[str]]:
    """Return what each cell of code shows, as text."""
    return [
        [output["data"]["text/plain"] if "data" in output else str(output) for output in cell.outputs]
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_shows_what_it_did(path, sample_project, monkeypatch):
    """Cell by cell, on the lake that the tour builds, in a folder as deep as its own."""
    done = sample_project.run("sh", str(REPOSITORY / "tests/tools/tour.sh"))
    assert done.returncode == 0, done.stderr
    folder = sample_project.folder / "queries/examples"
    folder.mkdir(parents=True)
    shutil.copy(path, folder)
    notebook = nbformat.read(path, as_version=4)
    before = _shown(notebook)
    monkeypatch.setenv("HOME", str(sample_project.folder))
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(folder)}}).execute()
    assert _shown(notebook) == before
    assert sum(map(bool, before)) >= len(before) - 1


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_short(path):
    """An answer in ten cells, and a word on each."""
    cells = nbformat.read(path, as_version=4).cells
    assert sum(cell.cell_type == "code" for cell in cells) <= 10
    assert cells[0].source.startswith("# ")


def test_there_is_a_notebook():
    """So that the tests above are of something."""
    assert NOTEBOOKS
