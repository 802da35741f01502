"""SQL as data: what is in `queries/`, and its digest."""

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
    before = sql.digest("error_rate")
    assert before == sql.digest("error_rate") != sql.digest("status_mix")
    monkeypatch.setattr(sql, "macros", lambda: "create macro one() as 1;")
    assert sql.digest("error_rate") != before


def test_views_are_named_after_their_files():
    """An analysts' view is a SELECT under its file's name."""
    assert "from error_rate" in sql.views()["error_rate_by_application"]


@pytest.mark.parametrize("name", ["nothing", "../pyproject"])
def test_a_dataset_without_sql_has_none(name):
    """There is no query for a dataset that has no file."""
    with pytest.raises(FileNotFoundError):
        sql.metric(name)
