"""Exports that are replaced in their place: which day one is of is told by when it was written.

    written = next_day      it is written in the night after the day, and is of the day before; this if not said
    written = same_day      it is written in the course of the day that it is of

What a day's export was before it was replaced is known by its snapshot alone: a day that nobody fetched is lost.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Self
from zoneinfo import ZoneInfo

from etl.fetch.asked import NotReady
from lake.errors import ConfigError

KEY = "written"
DAYS = {"next_day": 1, "same_day": 0}
"""By the setting: how many days after the day that it is of an export is written."""


@dataclass(frozen=True)
class Written:
    """When an export of a day is written.

    Attributes:
        setting: One of DAYS.
        zone: Of the days, None for UTC.
    """

    setting: str
    zone: ZoneInfo | None = None

    @classmethod
    def read(cls, values: Mapping[str, str], zone: ZoneInfo | None) -> Self:
        """Return what a section says; ConfigError if it means nothing."""
        setting = values.get(KEY, next(iter(DAYS)))
        if setting not in DAYS:
            raise ConfigError(f"{KEY} = {setting}: expected {' or '.join(DAYS)}.")
        return cls(setting, zone)

    def check(self, place: str, day: date, moment: datetime) -> None:
        """Make sure that what was written at a moment is of a day.

        Raises:
            NotReady: It is of another one.
        """
        found = moment.astimezone(self.zone or UTC).date() - timedelta(days=DAYS[self.setting])
        if found == day:
            return
        when = f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        said = f"it was written {when}, so it is of {found} by {KEY} = {self.setting}"
        if found < day:
            raise NotReady(f"{place} is not of {day} yet: {said}.")
        raise NotReady(
            f"{place} is of {day} no longer: {said}. What it was before is lost, for no snapshot has it. "
            "Set since to the first day that was fetched."
        )
