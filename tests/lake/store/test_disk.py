"""A file that is put in its place: whole, for whom it is meant, or not at all."""

import os
import re
from pathlib import Path

import pytest

from lake.store.disk import replace_file


@pytest.mark.parametrize(("mode", "expected"), [(None, 0o640), (0o600, 0o600), (0o644, 0o644)])
def test_a_file_takes_the_place_of_another(tmp_path, mode, expected):
    """With the mode that is asked for, else with that of the process's new files; nothing else is left."""
    path = tmp_path / "file"
    path.write_text("old and longer")
    mask = os.umask(0o027)
    try:
        replace_file(path, b"new", mode)
    finally:
        os.umask(mask)
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == expected
    assert list(tmp_path.iterdir()) == [path]


def test_what_was_there_stays_if_the_new_one_can_not_be_written(tmp_path, monkeypatch):
    """And nothing unfinished lies beside it."""

    def full(*_):
        raise OSError(28, "no space left")

    path = tmp_path / "file"
    path.write_text("old")
    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="no space left"):
        replace_file(path, b"new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_not_there_is_an_error(tmp_path):
    """It is not made."""
    with pytest.raises(FileNotFoundError):
        replace_file(tmp_path / "none/file", b"new")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", [".", "..", "folder"])
def test_a_folder_is_not_replaced(tmp_path, monkeypatch, name):
    """It stays, and nothing is left beside it or in it."""
    (tmp_path / "in" / "folder").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "in")
    with pytest.raises(OSError, match=re.escape(name)):
        replace_file(Path(name), b"new")
    assert list(tmp_path.rglob("*")) == [tmp_path / "in", tmp_path / "in" / "folder"]
