"""Provenance as text and back."""

import json
import tomllib
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lake.errors import ConfigError
from lake.partition import Partition
from lake.provenance import FIRST, Check, Input, Provenance, Revision, code_version


@given(st.from_type(Provenance))
def test_provenance_survives_the_footer(provenance):
    """Whatever it says, it is read back as it was written."""
    assert Provenance.from_json(provenance.to_json()) == provenance


def test_what_a_later_version_adds_is_passed_over(provenance_of):
    """An older version reads the footers of a newer one's files, of inputs and checks too."""
    made = replace(
        provenance_of(Partition("error_rate", 1, date(2015, 5, 17)), 3),
        inputs=(Input("a.log", 1, "00"),),
        checks=(Check("contract", "every row"),),
    )
    text = json.loads(made.to_json())
    for each in (text, *text["inputs"], *text["checks"]):
        each["later"] = {"more": 1}
    assert Provenance.from_json(json.dumps(text)) == made


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


def test_what_is_not_said_is_null():
    """A partition without SQL, restatement or gap says nothing of them; a first publication is revision 0."""
    made = Provenance("x", 1, "2015-05-17", None, 0, (Input("a", 1, "00"),), 0, 0, 0, 0, "1", ())
    told = json.loads(made.to_json())
    assert {name: value for name, value in told.items() if value is None} == dict.fromkeys(
        (
            *("source", "sql_sha256", "source_sha256", "supersedes", "reason", "requested_by", "incomplete"),
            *("counted", "reject_statuses", "requests_by_hour"),
        )
    )
    assert told["directives"] == 0
    assert told["inputs"] == [{"bytes": 1, "lines": None, "name": "a", "sha256": "00"}]
    assert Revision() == FIRST == Revision(0, None, None)


def test_the_version_is_that_of_the_project():
    """What made a partition is told by the version that CHANGELOG and package have."""
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))
    assert code_version() == project["project"]["version"]
