"""Provenance as text and back."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lake.errors import ConfigError
from lake.provenance import Provenance, Revision


@given(st.from_type(Provenance))
def test_provenance_survives_the_footer(provenance):
    """Whatever it says, it is read back as it was written."""
    assert Provenance.from_json(provenance.to_json()) == provenance


@given(st.from_type(Provenance))
def test_equal_provenance_is_equal_text(provenance):
    """The text is canonical: sorted keys, no spaces, ASCII; so the same facts give the same bytes."""
    text = provenance.to_json()
    assert text == json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"))
    assert text.isascii()


@pytest.mark.parametrize(("number", "reason"), [(1, None), (0, "why"), (-1, "why")])
def test_a_revision_without_its_reason_is_refused(number, reason):
    """Every revision after the first has a reason, and only those; none is negative."""
    with pytest.raises(ConfigError, match="a reason belongs to every revision after the first"):
        Revision(number, reason)
