"""A day, as Luigi's tasks have it."""

import datetime as dt
from functools import cache

import luigi

from etl import clock
from etl.project import project
from etl.sources.source import latest_settled_day
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
    """A UTC day; without one, the latest settled day on which a source is active."""

    def normalize(self, x: dt.date | None) -> dt.date | None:
        """Return the day itself, or the latest settled one for None."""
        return super().normalize(x or latest_settled_day(project().sources, clock.utc_now()))


class DayTask(luigi.Task):
    """Something of one UTC day."""

    @classmethod
    @cache  # Luigi asks some thirty times a day, and looks through all of the class each time
    def get_params(cls) -> list[tuple[str, luigi.Parameter]]:
        """Return the names and parameters of such a task."""
        return super().get_params()
