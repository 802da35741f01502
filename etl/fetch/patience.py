"""Patience: what is asked again while another system is busy or away, how often, and how long after."""

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from time import monotonic, sleep
from typing import TypeVar

from etl.fetch.environment import Secrets
from lake.config import whole_number
from lake.errors import LakeError, StoreError

ATTEMPTS = 8
OF_A_SERVER, OF_A_DATABASE = "120", "3600"
"""How many seconds an answer may take, if nothing else is said."""
IN_ALL = "600"
HIGHEST_SECONDS = 86_400
PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 60.0
T = TypeVar("T")


def read_seconds(values: Mapping[str, str], timeout: str) -> tuple[int, int]:
    """Return how many seconds an answer may take, and in how many it is asked for again; ConfigError if wrong."""
    said = {"timeout_seconds": timeout, "patience_seconds": IN_ALL}
    longest, in_all = (
        whole_number(key, values.get(key, usual), 1, HIGHEST_SECONDS) for key, usual in said.items()
    )
    return longest, in_all


class TryAgain(Exception):
    """What was asked wasn't answered, or not wholly, which may be otherwise next time.

    Attributes:
        wait_seconds: How long the other system wants to be left alone, None if it doesn't say.
    """

    def __init__(self, reason: str, wait_seconds: float | None = None) -> None:
        super().__init__(reason)
        self.wait_seconds = wait_seconds


@contextmanager
def hiding(secrets: Secrets) -> Iterator[None]:
    """Have messages of errors show no secret."""
    try:
        yield
    except LakeError as error:
        if (text := secrets.hidden(str(error))) == str(error):
            raise
        raise type(error)(text).with_traceback(error.__traceback__) from None  # its cause may show it, too


def patiently(place: str, attempt: Callable[[], T], secrets: Secrets, patience_seconds: float) -> T:
    """Return what an attempt returns; made again while it raises TryAgain, later each time.

    Args:
        place: What is asked, for messages.
        attempt: Asks it.
        secrets: What no message shows.
        patience_seconds: After so long there is no further attempt.

    Raises:
        StoreError: It stays so.
        LakeError: What the attempt raises; without any secret, as all messages.
    """
    begun = monotonic()
    for number in range(1, ATTEMPTS + 1):
        try:
            with hiding(secrets):
                return attempt()
        except TryAgain as error:
            longest = min(PAUSE_SECONDS * 2**number, LONGEST_PAUSE_SECONDS)
            pause = random.uniform(longest / 2, longest)  # noqa: S311 - so that many don't come back at once
            wait = max(error.wait_seconds or 0, pause)
            reason = secrets.hidden(str(error)).rstrip(". ")
            if number == ATTEMPTS or monotonic() - begun + wait > patience_seconds:
                raise StoreError(_given_up(place, reason, number, error.wait_seconds)) from error
        sleep(wait)
    raise AssertionError


def _given_up(place: str, reason: str, attempts: int, wait_seconds: float | None) -> str:
    times = f"{attempts} attempts" if attempts > 1 else "1 attempt"
    step = "Run the same again later."
    if wait_seconds:
        step = f"It wants to be left alone for {wait_seconds:.0f} s: run the same again then."
    return f"Can't fetch from {place}: {reason} ({times}). Nothing is kept. {step}"
