"""The time that days and commands are judged by: tests set it, and publications are still recorded by the clock."""

from datetime import datetime

from lake import clock


def utc_now() -> datetime:
    """Return the current time in UTC."""
    return clock.utc_now()
