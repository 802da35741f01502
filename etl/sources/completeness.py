"""What a day lacks of its raw logs, and what to do then: the section `[completeness]` of luigi.cfg."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from enum import StrEnum

from lake.config import Config, check_keys
from lake.errors import ConfigError

SECTION = "completeness"
HOURS = 24


class Severity(StrEnum):
    """What becomes of a day that lacks something."""

    WARN = "warn"  # it is published, and says so
    FAIL = "fail"  # nothing is published


@dataclass(frozen=True)
class Severities:
    """How bad it is that a source's day lacks something.

    Attributes:
        fewer_files: Fewer files than `expected_files`, or no file of a neighbouring day that is read too.
        silent_hours: No request in an hour of `expected_hours`.
        missing_source: No file at all. Where luigi.cfg doesn't say, a warning of a source that alone
            brings its application, see `source.read_sources`; else it fails.
        duplicate_files: Several files with the same content.
        repeated_lines: Runs of requests that an earlier file of the day has, too.
        uncounted_lines: Requests in its files that no day counts, since the files may hold none of their day.
        rejected_errors: Rejects that show that a server failed, so many that the error rate is another with them.
        lost_lines: Lines that a host has numbered and that never came.
        missing_fields: A field that records are to have for a column, and that none of a day has.
    """

    fewer_files: Severity = Severity.FAIL
    silent_hours: Severity = Severity.WARN
    missing_source: Severity = Severity.FAIL
    duplicate_files: Severity = Severity.FAIL
    repeated_lines: Severity = Severity.WARN
    uncounted_lines: Severity = Severity.WARN
    rejected_errors: Severity = Severity.FAIL
    lost_lines: Severity = Severity.WARN
    missing_fields: Severity = Severity.WARN


@dataclass(frozen=True)
class Flaw:
    """What is not as it should be in a source's day.

    Attributes:
        text: What it is, for people; empty for nothing.
        severity: What becomes of the day.
        advice: What to do about it.
    """

    text: str
    severity: Severity
    advice: str


def severities(config: Config) -> Severities:
    """Return the severities that luigi.cfg sets.

    Raises:
        ConfigError: A key or a severity is unknown.
    """
    values = config.section(SECTION) if SECTION in config.sections else {}
    with config.named(SECTION):
        check_keys(values, [each.name for each in fields(Severities)])
        for key, text in values.items():
            if text not in list(Severity):
                raise ConfigError(f"{key} = {text}: expected warn or fail.")
    return Severities(**{key: Severity(text) for key, text in values.items()})


def parse_hours(text: str) -> frozenset[int]:
    """Return the hours that a text like `6-21` or `0-3, 22` names; ValueError if it names none."""
    found: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.partition("-")
        hours = range(int(first), int(last if dash else first) + 1)
        if not hours or not 0 <= hours[0] <= hours[-1] < HOURS:
            raise ValueError(text)
        found.update(hours)
    return frozenset(found)


def silent_hours(requests: Sequence[int], expected: frozenset[int]) -> list[int]:
    """Return the hours of a UTC day without a request, of those in which some are expected."""
    return [hour for hour, count in enumerate(requests) if not count and hour in expected]
