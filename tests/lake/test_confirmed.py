"""Records of partitions that came out equal when they were made anew."""

from dataclasses import replace
from datetime import UTC, date, datetime

from lake import confirmed
from lake.contracts import contract
from lake.journal import Journal
from lake.partition import Partition

RATES = Partition("error_rate", 1, date(2015, 5, 17))
NIGHT = datetime(2026, 11, 29, 3, 0, 0, 123456, tzinfo=UTC)


def test_the_last_record_counts(lake, provenance_of):
    """Of each partition that is asked for."""
    first, second = (replace(provenance_of(RATES, n), reason=f"number {n}") for n in (1, 2))
    confirmed.record(lake, RATES, second, NIGHT.replace(hour=4))
    confirmed.record(lake, RATES, first, NIGHT)
    other = replace(RATES, dt=date(2015, 5, 18))
    assert confirmed.latest(lake, contract("error_rate"), [RATES, other]) == {RATES: second}


def test_a_record_that_can_not_be_read_is_named_once(lake, caplog):
    """The partition is then as old as its footer says."""
    name = "error_rate/v1/dt=2015-05-17_rev=0_20261129T030000.123456Z_" + "0" * 32 + ".json"
    Journal(lake.store, confirmed.NAME).write(name, '{"dataset": "error_rate", "ver')
    for _ in range(2):
        assert confirmed.latest(lake, contract("error_rate"), [RATES]) == {}
    (said,) = (each.getMessage() for each in caplog.records if each.name.startswith("lake"))
    assert name in said
