"""The datasets' contracts hold together."""

import duckdb
import pyarrow as pa
import pytest

from lake import sql
from lake.contracts import CONTRACTS, contract
from lake.errors import ConfigError
from lake.partition import NAME

EVERY = pytest.mark.parametrize("name", CONTRACTS)


@EVERY
def test_a_contract_is_found_by_its_name(name):
    """A dataset's module, its name and its folder in the lake are called the same."""
    assert contract(name).name == name
    assert NAME.fullmatch(name)


def test_an_unknown_dataset_is_refused():
    """A wrong name is refused, with the right ones in the message."""
    with pytest.raises(ConfigError) as refusal:
        contract("error_rates")
    assert "'error_rates'" in str(refusal.value)
    assert all(name in str(refusal.value) for name in CONTRACTS)


@EVERY
def test_a_contract_refers_to_what_there_is(name):
    """Key, counts and time are columns, and inputs are datasets."""
    each = CONTRACTS[name]
    assert {*each.key, *filter(None, (each.counts, each.time))} <= set(each.schema.names)
    assert each.time is None or pa.types.is_timestamp(each.schema.field(each.time).type)
    assert {wanted.dataset for wanted in each.inputs} <= set(CONTRACTS)


@EVERY
def test_columns_are_described(name):
    """Every column has a unit and a meaning, and a name that is not in the path and needs no quotes in SQL."""
    for column in CONTRACTS[name].columns:
        assert column.unit
        assert column.meaning
        assert column.name not in {"dt", "source", "rev"}
        duckdb.execute(f"select 1 as {column.name}")


@EVERY
def test_rules_are_sql_over_the_columns(name, day):
    """Every rule can be evaluated on the dataset's schema."""
    CONTRACTS[name].validate(CONTRACTS[name].schema.empty_table(), day)


@pytest.mark.parametrize("name", [name for name, each in CONTRACTS.items() if each.inputs])
def test_a_derived_dataset_has_its_sql(name):
    """A dataset with inputs has a query of its name."""
    assert "select" in sql.metric(name)
