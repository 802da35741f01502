"""The one place that reads the clock; everywhere else time is a parameter, but where a publication is recorded."""

from datetime import UTC, datetime


def utc_now() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(UTC)  # noqa: TID251 - the one place
