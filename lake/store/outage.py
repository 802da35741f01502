"""Stores that are out of order: how long they are waited for, and by whom."""

import errno
import os
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

from lake.errors import StoreError

PATIENCE_SECONDS = 120
WAIT_SECONDS = 5.0
TOO_MANY_REQUESTS, SERVER_ERROR = 429, 500
REMEMBERED = 16
OF_A_BROKEN_DISK = tuple(f": {os.strerror(each)}" for each in (errno.EIO, errno.ESTALE))
_patience: ContextVar[float] = ContextVar("patience", default=0)
_remembered: deque[StoreError] = deque(maxlen=REMEMBERED)
E = TypeVar("E", bound=StoreError)


@contextmanager
def patient(seconds: float = PATIENCE_SECONDS) -> Iterator[None]:
    """Let a store that is out of order be waited for by what is done within: for those who build.

    What other threads do is not waited for, unless they run in a copy of this one's context.
    """
    before = _patience.set(seconds)
    try:
        yield
    finally:
        _patience.reset(before)


def patience_seconds() -> float:
    """Return how long a store that is out of order may be waited for by what is done here."""
    return _patience.get()


class Outage:
    """An S3 server that is out of order: how long it may be waited for after boto3's own tries.

    It counts from the first request that failed to the next one that doesn't, so that a process waits for a long
    outage once, and not with each request anew.
    """

    def __init__(
        self, unreachable: tuple[type[Exception], ...], lasting: tuple[type[Exception], ...] = ()
    ) -> None:
        """Take the errors of a server that can't be reached, and those that waiting does not help."""
        self._unreachable = unreachable
        self._lasting = lasting
        self._since: float | None = None

    def wait_seconds(
        self, response: tuple[Any, Any] | None, caught_exception: Exception | None, **_: object
    ) -> float | None:
        """Return after how many seconds to try a request again, None not to; botocore asks after each."""
        status = response[0].status_code if response else 0
        is_out = status >= SERVER_ERROR or status == TOO_MANY_REQUESTS
        is_away = isinstance(caught_exception, self._unreachable) and not isinstance(
            caught_exception, self._lasting
        )
        if not is_out and not is_away:
            self._since = None
            return None
        self._since = self._since or time.monotonic()
        return WAIT_SECONDS if time.monotonic() - self._since < patience_seconds() else None


def remembered(error: E) -> E:
    """Remember an error that DuckDB or Arrow will carry on as a text, and return it."""
    _remembered.append(error)
    return error


def behind(error: Exception) -> StoreError | None:
    """Return the store's error whose text is in another one's, as DuckDB's, or which a disk's means; else None."""
    text = str(error)
    line = text.partition("\n")[0]
    if line.endswith(OF_A_BROKEN_DISK):
        return StoreError(f"{line}. Check the disk, or what is mounted there.")
    return next((each for each in reversed(_remembered) if str(each) in text), None)
