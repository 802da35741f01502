"""The time that days and commands are judged by: tests set it; publications are recorded by the real one."""

from datetime import datetime

from lake import clock


def utc_now() -> datetime:
    """Return the current time in UTC."""
    return clock.utc_now()
