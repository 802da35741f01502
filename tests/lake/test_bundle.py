"""The JavaScript that draws is kept, and is the same as if it weren't."""

import os
from pathlib import Path

import pytest

pytest.importorskip("vl_convert")
from lake.report import bundle as kept
from lake.report.bundle import bundle

TEXT = "window.vegaEmbed=1;\r\nlet \N{GREEK SMALL LETTER MU}='\n';\n"


@pytest.fixture
def made(monkeypatch, tmp_path):
    """How often a bundle was made, in a cache of its own."""
    calls = []

    def make(snippet, vl_version):
        calls.append((snippet, vl_version))
        return TEXT

    monkeypatch.setattr(kept.vl_convert, "javascript_bundle", make)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return calls


def file(folder: Path) -> Path:
    """Return the one file that is kept."""
    (found,) = (folder / "error-rate-lake").iterdir()
    return found


def test_it_is_made_once(made, tmp_path):
    """What is read is what was made, to the byte, and nothing else is left behind."""
    assert [bundle() for _ in range(3)] == [TEXT] * 3
    assert made == [("window.vegaEmbed=vegaEmbed;", "6.4")]
    assert file(tmp_path).name.startswith("drawing-")


@pytest.mark.parametrize("content", [b"", b"\n", b"0" * 64 + b"\nalert(1)", b"\xff\xfe", b"window.vegaEmbed=1;"])
def test_what_is_damaged_is_made_anew(made, tmp_path, content):
    """A file that isn't what its digest says, as one cut off; then it is right again."""
    bundle()
    file(tmp_path).write_bytes(content)
    assert [bundle(), bundle()] == [TEXT] * 2
    assert len(made) == 2


def test_one_byte_is_enough(made, tmp_path):
    """Any byte of it that is another one."""
    bundle()
    content = bytearray(file(tmp_path).read_bytes())
    content[-3] ^= 1
    file(tmp_path).write_bytes(content)
    assert bundle() == TEXT
    assert len(made) == 2


def test_of_other_versions_it_is_another(made, monkeypatch, tmp_path):
    """Of the package that makes it, of Vega-Lite, and with other names exported."""
    bundle()
    for name, value in (("version", lambda _: "9"), ("VEGA_LITE", "7.0"), ("EXPORTED", "window.x=1;")):
        with monkeypatch.context() as patched:
            patched.setattr(kept, name, value)
            bundle()
            bundle()
    assert len(made) == 4
    assert len(list((tmp_path / "error-rate-lake").iterdir())) == 4


def test_without_a_place_it_is_made_each_time(made, tmp_path):
    """A cache that is a file, say, is no reason to fail."""
    (tmp_path / "error-rate-lake").write_text("")
    assert [bundle(), bundle()] == [TEXT] * 2
    assert len(made) == 2


def test_a_full_disk_leaves_nothing_behind(made, monkeypatch, tmp_path):
    """Nor a part of it that might be read."""

    def full(*_):
        raise OSError(28, "no space left")

    monkeypatch.setattr(os, "replace", full)
    monkeypatch.setattr(Path, "replace", full)
    assert bundle() == TEXT
    assert list((tmp_path / "error-rate-lake").iterdir()) == []
