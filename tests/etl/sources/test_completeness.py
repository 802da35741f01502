"""What a day lacks, and how bad that is."""

from pathlib import Path

import pytest

from etl.sources.completeness import Severities, Severity, parse_hours, severities, silent_hours
from lake import config
from lake.errors import ConfigError
from lake.silence import listed_hours

BUSY = [100] * 24


@pytest.mark.parametrize(
    ("text", "hours"),
    [("0-23", [*range(24)]), ("6-8", [6, 7, 8]), ("0-1, 22", [0, 1, 22]), ("5", [5]), ("7-7", [7])],
)
def test_hours_are_read(text: str, hours: list[int]) -> None:
    """First and last are both meant."""
    assert sorted(parse_hours(text)) == hours


@pytest.mark.parametrize("text", ["", "24", "-1", "8-6", "1-", "x", "1,,2", "0-24", "6:00"])
def test_text_that_names_no_hours_is_refused(text: str) -> None:
    """Rather than taken for none."""
    with pytest.raises(ValueError, match=r".*"):
        parse_hours(text)


def without(counts: list[int], *hours: int) -> list[int]:
    """Return counts with none in some hours."""
    return [0 if hour in hours else count for hour, count in enumerate(counts)]


@pytest.mark.parametrize(
    ("requests", "expected", "silent"),
    [
        (without(BUSY, 3, 12), "6-21", [12]),
        (without(BUSY, 3), "6-21", []),
        ([0] * 24, "6-7", [6, 7]),
        ([1] * 24, "0-23", []),
    ],
)
def test_an_hour_is_silent_where_requests_are_expected(
    requests: list[int], expected: str, silent: list[int]
) -> None:
    """As the source says, however many there are in others."""
    assert silent_hours(requests, parse_hours(expected)) == silent


def test_hours_are_listed_by_runs() -> None:
    """The way they are read."""
    hours = [0, 3, 4, 5, 7, 22, 23]
    assert listed_hours(hours) == "0, 3-5, 7, 22-23"
    assert sorted(parse_hours(listed_hours(hours))) == hours
    assert listed_hours([]) == ""


def test_severities_are_those_of_luigi_cfg(tmp_path: Path) -> None:
    """Files are waited for unless it says otherwise; silence is but a warning."""
    path = tmp_path / "luigi.cfg"
    path.write_text("[lake]\nroot = lake\n")
    assert severities(config.read(path)) == Severities(Severity.FAIL, Severity.WARN, Severity.FAIL)
    path.write_text("[completeness]\nfewer_files = warn\nsilent_hours = fail\n")
    assert severities(config.read(path)) == Severities(Severity.WARN, Severity.FAIL, Severity.FAIL)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("silent_hour = warn", "unknown key 'silent_hour'. Known keys: fewer_files, silent_hours, missing_source"),
        ("fewer_files = error", "fewer_files = error: expected warn or fail"),
    ],
)
def test_wrong_severities_are_refused(tmp_path: Path, line: str, message: str) -> None:
    """By name, and with what is right."""
    path = tmp_path / "luigi.cfg"
    path.write_text(f"[completeness]\n{line}\n")
    with pytest.raises(ConfigError, match=message):
        severities(config.read(path))
