"""A day, as Luigi's tasks have it."""

import datetime as dt
from copy import copy
from functools import cache
from typing import Self

import luigi

from etl import clock
from etl.project import project
from etl.sources.source import latest_settled_day
from lake.contracts import CONTRACTS
from lake.partition import parse_day


class DayParameter(luigi.DateParameter):
    """A day as YYYY-MM-DD."""

    def parse(self, s: str) -> dt.date:
        """Read a day; ParameterException, which names it, if it is none."""
        try:
            return parse_day(s)
        except ValueError as error:
            raise luigi.parameter.ParameterException(
                f"{s!r} is not a date, expected YYYY-MM-DD, 1970 to 2999."
            ) from error


class SettledDayParameter(DayParameter):
    """A UTC day; without one, the latest settled day on which a source is active.

    Attributes:
        dataset: Whose sources are meant, None for all.
    """

    dataset: str | None = None

    def of(self, dataset: str) -> Self:
        """Return this parameter of a task that builds a dataset."""
        found = copy(self)
        found.dataset = dataset
        return found

    def normalize(self, x: dt.date | None) -> dt.date | None:
        """Return the day itself, or the latest settled one for None."""
        if not x:
            found = project()
            sources = found.sources_of(self.dataset) if self.dataset in CONTRACTS else found.sources
            x = latest_settled_day(sources, clock.utc_now())
        return super().normalize(x)


class DayTask(luigi.Task):
    """Something of one UTC day."""

    @classmethod
    @cache  # Luigi asks some thirty times a day, and looks through all of the class each time
    def get_params(cls) -> list[tuple[str, luigi.Parameter]]:
        """Return the names and parameters of such a task."""
        return super().get_params()
