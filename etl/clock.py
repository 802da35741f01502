"""The time that days and commands are judged by, which tests can set."""

from lake.clock import utc_now

__all__ = ["utc_now"]
