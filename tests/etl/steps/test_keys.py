"""Keys of records: the first of each counts, in however many batches they come."""

from dataclasses import replace
from datetime import date

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl.lines.parse import rejects_table
from etl.lines.statuses import NO_STATUS
from etl.steps.keys import Keys
from etl.steps.portions import Portion
from lake.contract import Column, Contract
from lake.contracts.rejects import REASONS

PLACES = Contract(
    name="places",
    version=1,
    grain="a place",
    key=("name", "day"),
    columns=(
        Column("name", pa.string(), "name", "Its name", nullable=True),
        Column("day", pa.date32(), "day", "Its day", nullable=True),
        Column("size", pa.int64(), "m", "Its size"),
    ),
)
KEY = st.tuples(st.sampled_from([None, "", "None", "a", "a\x1f", "é"]), st.sampled_from([None, date(2015, 5, 17)]))


def rows(keys):
    """Return rows with some keys."""
    names, days = ([key[n] for key in keys] for n in (0, 1))
    return pa.table([names, days, list(range(len(keys)))], schema=PLACES.schema)


@settings(deadline=None)
@given(st.lists(st.lists(KEY, max_size=12), max_size=12))
def test_each_key_counts_once(batches):
    """A row is there again if an equal key came before it, be that in its batch or in an earlier one."""
    keys, seen = Keys(PLACES), set()
    for batch in batches:
        expected = []
        for key in batch:
            expected.append(key in seen)
            seen.add(key)
        assert keys.again(rows(batch)).tolist() == expected


def test_many_batches_are_searched_in_few_runs():
    """What was seen lies in runs of which there are as many as its number has digits."""
    keys = Keys(PLACES)
    for n in range(200):
        assert not keys.again(rows([(f"{n} {m}", None) for m in range(50)])).any()
    assert len(keys._runs) < 15  # noqa: SLF001 - what searching costs
    assert keys.again(rows([("0 0", None), ("199 49", None), ("200 0", None)])).tolist() == [True, True, False]


@pytest.mark.parametrize("numbers", [[2, 3, 5], [12, 13, 15]])
def test_those_that_are_there_again_are_rejects_in_their_place(numbers):
    """With the reason, masked, between those that are rejects by themselves."""
    others = rejects_table(pa.array(["{}"]), np.array([REASONS.index("type")]), "f", np.array([4]))
    found = rows([("a", None), ("a", None), ("b", None)])
    portion = Portion(0, found, others, {}, np.array([NO_STATUS]), "f", np.array(numbers))
    made = Keys(PLACES).once_each(portion)
    assert made.requests["name"].to_pylist() == ["a", "b"]
    assert made.row_numbers.tolist() == [numbers[0], numbers[2]]
    told = [(each["line_number"], each["reason"], each["masked_line"]) for each in made.rejects.to_pylist()]
    assert told == sorted([(4, "type", "{}"), (numbers[1], "key", '{"name":"x","day":null,"size":"1"}')])
    assert len(made.statuses) == 2
    same = replace(portion, requests=found.slice(0, 1), row_numbers=np.array(numbers[:1]))
    assert Keys(PLACES).once_each(same) is same
