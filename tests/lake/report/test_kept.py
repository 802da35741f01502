"""What is kept is the same as if it weren't."""

from pathlib import Path

import pytest

from lake.report.kept import kept

TEXT = "window.vegaEmbed=1;\r\nlet \N{GREEK SMALL LETTER MU}='\n';\n"


@pytest.fixture
def ask(monkeypatch, tmp_path):
    """Asks for a text in a cache of its own; `ask.made` says how often it was made."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    def asked(name="drawing", made_of="versions"):
        def make():
            asked.made += 1
            return TEXT

        return kept(name, made_of, make)

    asked.made = 0
    return asked


def file(folder: Path) -> Path:
    """Return the one file that is kept."""
    (found,) = (folder / "error-rate-lake").iterdir()
    return found


def test_it_is_made_once(ask, tmp_path):
    """What is read is what was made, to the byte, and nothing else is left behind."""
    assert [ask() for _ in range(3)] == [TEXT] * 3
    assert ask.made == 1
    assert file(tmp_path).name.startswith("drawing-")


@pytest.mark.parametrize("content", [b"", b"\n", b"0" * 64 + b"\nalert(1)", b"\xff\xfe", TEXT.encode()])
def test_what_is_damaged_is_made_anew(ask, tmp_path, content):
    """A file that isn't what its digest says, as one cut off; then it is right again."""
    ask()
    file(tmp_path).write_bytes(content)
    assert [ask(), ask()] == [TEXT] * 2
    assert ask.made == 2


def test_one_byte_is_enough(ask, tmp_path):
    """Any byte of it that is another one."""
    ask()
    content = bytearray(file(tmp_path).read_bytes())
    content[-3] ^= 1
    file(tmp_path).write_bytes(content)
    assert ask() == TEXT
    assert ask.made == 2


def test_made_of_something_else_it_is_another(ask, tmp_path):
    """As by another version, or of another name."""
    for asked in (("drawing", "versions"), ("drawing", "other versions"), ("chart", "versions")):
        assert [ask(*asked), ask(*asked)] == [TEXT] * 2
    assert ask.made == 3
    assert len(list((tmp_path / "error-rate-lake").iterdir())) == 3


def test_without_a_place_it_is_made_each_time(ask, tmp_path):
    """A cache that is a file, say, is no reason to fail."""
    (tmp_path / "error-rate-lake").write_text("")
    assert [ask(), ask()] == [TEXT] * 2
    assert ask.made == 2


def test_a_full_disk_leaves_nothing_behind(ask, monkeypatch, tmp_path):
    """Nor a part of it that might be read."""

    def full(*_):
        raise OSError(28, "no space left")

    monkeypatch.setattr(Path, "replace", full)
    assert ask() == TEXT
    assert list((tmp_path / "error-rate-lake").iterdir()) == []
