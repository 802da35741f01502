"""Records beside the datasets."""

import pytest

from lake.errors import PartitionExists
from lake.journal import Journal
from lake.lake import open_store


@pytest.fixture
def store(tmp_path):
    """Return a store in an empty folder."""
    return open_store(str(tmp_path / "lake"))


def test_records_are_listed_in_order_and_read(store):
    """By their names, whatever the order they were written in."""
    journal = Journal(store, "notes")
    for name in ("b/2.txt", "a/1.txt", "b/1.txt"):
        journal.write(name, f"text of {name}\n")
    assert list(journal.names()) == ["a/1.txt", "b/1.txt", "b/2.txt"]
    assert list(journal.names("b/")) == ["b/1.txt", "b/2.txt"]
    assert journal.read(["b/2.txt", "a/1.txt"]) == ["text of b/2.txt\n", "text of a/1.txt\n"]


def test_a_record_is_never_changed(store):
    """A name that is taken stays as it is; the same again is no error."""
    journal = Journal(store, "notes")
    journal.write("one", "first")
    journal.write("one", "first")
    with pytest.raises(PartitionExists):
        journal.write("one", "second")
    assert journal.read(["one"]) == ["first"]


def test_nothing_there_is_nothing_listed(store):
    """A lake without records has none, whether or not there is a lake."""
    assert list(Journal(store, "notes").names()) == []


def test_readers_of_datasets_see_none_of_it(store, tmp_path):
    """What a reader globs has no record in it."""
    Journal(store, "notes").write("error_rate/v1/x", "text")
    assert not list(tmp_path.rglob("*.parquet"))
    assert not [each for each in (tmp_path / "lake").iterdir() if not each.name.startswith("_")]


def test_records_are_texts_of_any_kind(store):
    """What is no ASCII comes back as it was, and more records than are read at once in their order."""
    journal = Journal(store, "notes")
    names = [f"{n:02}" for n in range(20)]
    for name in names:
        journal.write(name, f"Tag {name}: größer\n")
    assert journal.read(names[::-1]) == [f"Tag {name}: größer\n" for name in names[::-1]]


def test_journals_are_apart(store):
    """The records of one name are none of another."""
    Journal(store, "notes").write("one", "text")
    assert list(Journal(store, "note").names()) == []
    assert list(store.keys("", "", "~")) == ["_notes/one"]
