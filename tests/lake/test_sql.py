"""SQL as data: what is in `queries/`, and its digest."""

from dataclasses import replace
from pathlib import Path

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lake import sql


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0")))
def test_a_quoted_text_is_a_literal(text):
    """Whatever the text, NUL excepted, SQL reads the literal as that text."""
    assert duckdb.execute(f"select {sql.quoted(text)}").fetchone() == (text,)


def test_the_digest_covers_query_and_macros(monkeypatch):
    """A change of the query or of a macro changes the digest, and nothing else does."""
    before = sql.digest("source_counts")
    assert before == sql.digest("source_counts") != sql.digest("status_mix")
    changed = [replace(each, statement=each.statement.replace("5 minutes", "6 minutes")) for each in sql.macros()]
    assert changed != list(sql.macros())
    monkeypatch.setattr(sql, "macros", lambda: tuple(changed))
    assert sql.digest("source_counts") != before


def test_the_digest_leaves_out_what_a_query_does_not_use(monkeypatch):
    """A new macro for another metric makes no published day stale; those used by a macro that is used count."""
    before = {name: sql.digest(name) for name in ("error_rate", "source_counts", "status_mix")}
    more = sql.Definition("-- One.\ncreate or replace macro one() as 1;\n")
    there = sql.macros()
    monkeypatch.setattr(sql, "macros", lambda: (more, *there))
    assert {name: sql.digest(name) for name in before} == before
    assert "macro status_class" in sql.metric_macros("source_counts")
    assert "macro wilson_low" not in sql.metric_macros("source_counts")
    assert sql.metric_macros("status_mix") == ""


def test_the_digest_is_of_what_the_sql_says(monkeypatch):
    """Comments and layout make no day stale; another word, literal or name does."""
    query = "-- Of a day.\nselect 'a--b' as x, /* all */ count(*)\nfrom error_counts"
    same = "select 'a--b' as x, count( * ) -- é\n  from  error_counts"
    others = (query.replace("a--b", "a--c"), query.replace("as x", "as y"), query.replace("count", "sum"))
    texts = dict(zip("abcde", (query, same, *others), strict=True))
    monkeypatch.setattr(sql, "metric", texts.__getitem__)
    digests = [sql.digest(name) for name in texts]
    assert digests[0] == digests[1]
    assert len({*digests}) == 4


def test_a_column_called_like_a_view_is_no_use_of_it():
    """Only what is read from or called is; else a column could close a circle of views."""
    one = sql.Definition("-- 1.\ncreate or replace view one as\nselect two from three join four using (dt);")
    found = [
        name
        for name in ("two", "three", "four", "dt")
        if one.uses(sql.Definition(f"-- 1.\ncreate or replace view {name} as\nfrom x;"))
    ]
    assert found == ["three", "four"]


@pytest.mark.parametrize("folder", ["macros", "questions"])
def test_a_definition_is_in_the_file_of_its_name(folder):
    """And begins with a comment that says what it is."""
    there = {path.stem: path for path in (Path(sql.__file__).parents[1] / "queries" / folder).glob("*.sql")}
    found = getattr(sql, folder)()
    assert sorted(each.name for each in found) == sorted(there)
    for each in found:
        assert each.statement == there[each.name].read_text()
        assert each.meaning.endswith(".")


def test_a_definition_follows_those_that_it_makes_use_of():
    """So that each can be created in this order."""
    names = [each.name for each in sql.macros()]
    assert names.index("status_class") < names.index("five_minute_counts")


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("-- All.\n-- Of it.\ncreate or replace view a as\nfrom b;", ("a", "view", "a", "All. Of it.")),
        ("-- 1.\ncreate or replace macro f(x, y := 2) as x + y;", ("f", "macro", "f(x, y := 2)", "1.")),
        ("-- 1.\ncreate or replace macro t() as table\nfrom b;", ("t", "macro table", "t()", "1.")),
    ],
)
def test_a_definition_says_what_it_is(statement, expected):
    """Its name, kind, call and meaning are in its text."""
    found = sql.Definition(statement)
    assert (found.name, found.kind, found.call, found.meaning) == expected


def test_another_statement_is_no_definition():
    """Nothing is run that is something else."""
    with pytest.raises(ValueError, match="no comment followed by"):
        _ = sql.Definition("drop table a;").name


@pytest.mark.parametrize("name", ["nothing", "../pyproject"])
def test_a_dataset_without_sql_has_none(name):
    """There is no query for a dataset that has no file."""
    with pytest.raises(FileNotFoundError):
        sql.metric(name)
