"""Stores that are out of order: how long they are waited for, and by whom."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

PATIENCE_SECONDS = 120
WAIT_SECONDS = 5.0
TOO_MANY_REQUESTS, SERVER_ERROR = 429, 500


class _Patience:
    """How many of those who are building now want stores to be waited for."""

    wanted = 0


@contextmanager
def patient() -> Iterator[None]:
    """Let a store that is out of order be waited for, PATIENCE_SECONDS instead of a few: for those who build."""
    _Patience.wanted += 1
    try:
        yield
    finally:
        _Patience.wanted -= 1


def patience_seconds() -> float:
    """Return how long a store that is out of order may be waited for."""
    return PATIENCE_SECONDS if _Patience.wanted else 0


class Outage:
    """An S3 server that is out of order: how long it may be waited for after boto3's own tries.

    It counts from the first request that failed to the next one that doesn't, so that a process waits for a long
    outage once, and not with each request anew.
    """

    def __init__(self, unreachable: tuple[type[Exception], ...]) -> None:
        """Take the errors of a server that can't be reached."""
        self._unreachable = unreachable
        self._since: float | None = None

    def wait_seconds(
        self, response: tuple[Any, Any] | None, caught_exception: Exception | None, **_: object
    ) -> float | None:
        """Return after how many seconds to try a request again, None not to; botocore asks after each."""
        status = response[0].status_code if response else 0
        is_out = status >= SERVER_ERROR or status == TOO_MANY_REQUESTS
        if not is_out and not isinstance(caught_exception, self._unreachable):
            self._since = None
            return None
        self._since = self._since or time.monotonic()
        return WAIT_SECONDS if time.monotonic() - self._since < patience_seconds() else None
