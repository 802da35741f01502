"""What is unusual about published days, in the words of the catalog's `unusual`."""

from collections.abc import Collection
from datetime import date

from backfill.days import DayRange
from etl.sources.source import ONE_DAY
from lake.errors import ConfigError

DATASET = "error_rate"
MOST_SAID = 5
"""Findings that a monitor shows; the others are counted."""


def said(days: DayRange, there: Collection[date], *, of_all: bool) -> list[str]:
    """Say what is unusual about the newest published day of a range, or about all of them: a line a finding.

    Args:
        days: The range, of error rates.
        there: Its published days.
        of_all: Whether all of them are judged.

    Raises:
        ConfigError: The range is of something else.
        StoreError, LakeError: The lake can't be read.
    """
    if DATASET not in {each.name for each in days.example.contracts}:
        raise ConfigError(f"--unusual judges error rates: give --of ErrorRateDaily, not {days.example.title}.")
    if not there:
        return []
    from lake.catalog.connections import connect  # noqa: PLC0415 - other checks do without DuckDB's views

    last = max(there)
    first, stop = min(there) if of_all else last, last + ONE_DAY
    with connect(days.example.project.lake) as connection:
        rows = connection.execute("select dt, says from unusual($1, $2)", [first, stop]).fetchall()
    found = [f"Unusual: {says}" for dt, says in rows if dt in there]
    if len(found) <= MOST_SAID:
        return found
    query = f"from unusual('{first}', '{stop}')"
    return [*found[:MOST_SAID], f'Unusual: {len(found) - MOST_SAID} more. See all: lake sql "{query}"']
