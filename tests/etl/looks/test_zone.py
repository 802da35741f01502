"""The time zone that an envelope shows: by the lines of a sample, or none at all."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from etl.looks import identify
from etl.looks.zone import FEWEST, shown_offset, zone_of

BEGIN = datetime(2026, 9, 16, 14, 0, 5)
SECOND = 1_000_000
Line = Callable[[datetime, datetime], str]


def _gin(own: datetime, around: datetime) -> str:
    return f'{around.isoformat()}.25Z stdout F [GIN] {own:%Y/%m/%d - %H:%M:%S} | 200 | 3ms | 192.0.2.7 | GET "/a"'


def _without_year(own: datetime, around: datetime) -> str:
    return f'{around.isoformat()}.25Z stdout F {own:%b %d %H:%M:%S} app GET "/a HTTP/1.1" "GET /a HTTP/1.1" 200'


def _suggested(folder: Path, line: Line, offset: timedelta, lines: int = 40) -> identify.Reading:
    times = [BEGIN + timedelta(minutes=13 * n) for n in range(lines)]
    log = "".join(line(each + offset, each) + "\n" for each in times).encode()
    folder.joinpath("app.log").write_bytes(log)
    return identify.suggestion(identify.identify(log)[0], log, "app.log", folder)


@pytest.mark.parametrize("line", [_gin, _without_year])
@pytest.mark.parametrize(
    ("hours", "zone"),
    [(0, "UTC"), (8, "Etc/GMT-8"), (-7, "Etc/GMT+7"), (5.5, "Asia/Kolkata"), (5.75, "Asia/Kathmandu")],
)
def test_the_zone_is_that_of_the_envelopes_times(tmp_path: Path, line: Line, hours: float, zone: str) -> None:
    """Each request is read at the time that its envelope has, which is said to be shown, not assumed."""
    found = _suggested(tmp_path, line, timedelta(hours=hours))
    assert (found.settings["timezone"], found.assumes_zone, found.is_good) == (zone, False, True)
    assert found.rows["ts"].to_pylist() == [BEGIN + timedelta(minutes=13 * n) for n in range(40)]
    assert "of the envelope" in identify.section(found, "app").split("timezone =")[0]
    assert found.settings["since"] == "2026-09-16"


@pytest.mark.parametrize("offset", [timedelta(hours=3, minutes=7), timedelta(hours=15), timedelta(hours=3.25)])
def test_what_is_no_offset_of_a_zone_is_none(tmp_path: Path, offset: timedelta) -> None:
    """A clock that is wrong by some minutes shows no zone."""
    found = _suggested(tmp_path, _gin, offset)
    assert (found.settings["timezone"], found.assumes_zone) == ("UTC", True)


def test_a_few_lines_show_nothing(tmp_path: Path) -> None:
    """Of four, each may be late."""
    assert _suggested(tmp_path, _gin, timedelta(hours=8), FEWEST - 1).assumes_zone


def test_requests_that_took_long_are_passed_over() -> None:
    """Up to a tenth of them; two clocks show nothing."""
    around = np.arange(100) * SECOND
    late = np.where(np.arange(100) < 10, -400 * SECOND, 0)
    assert shown_offset(around + late + 7200 * SECOND, around) == timedelta(hours=2)
    assert shown_offset(around + 2 * late + 7200 * SECOND, around) == timedelta(hours=2)
    two = np.where(np.arange(100) < 20, 3600 * SECOND, 0)
    assert shown_offset(around + two, around) is None


@pytest.mark.parametrize("minutes", range(-12 * 60, 14 * 60 + 1, 15))
def test_a_zone_has_the_offset_all_year(minutes: int) -> None:
    """As Python knows it, in January and in July."""
    offset = timedelta(minutes=minutes)
    zone = zone_of(offset)
    if zone is not None:
        for month in (1, 7):
            assert datetime(2026, month, 1, tzinfo=ZoneInfo(zone)).utcoffset() == offset
    assert zone is not None or minutes % 60
