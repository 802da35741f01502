"""Provenance as text and back."""

import json

from hypothesis import given
from hypothesis import strategies as st

from lake.provenance import Provenance


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
