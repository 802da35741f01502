"""The time zone of times without an offset, as far as the times of an envelope around them show it."""

from collections import Counter
from datetime import timedelta

import numpy as np

from etl.lines.timestamps import MICROSECONDS, Integers

QUARTER = 15 * 60  # seconds, of which the offset of every zone is a multiple
CLOSE = 60  # seconds within which the two times of a line are, but for requests that took longer
NEARLY_ALL = 0.9
FEWEST = 5  # lines
WEST, EAST = timedelta(hours=-12), timedelta(hours=14)
HOUR = timedelta(hours=1)
OTHERS = {
    timedelta(hours=3, minutes=30): "Asia/Tehran",
    timedelta(hours=4, minutes=30): "Asia/Kabul",
    timedelta(hours=5, minutes=30): "Asia/Kolkata",
    timedelta(hours=5, minutes=45): "Asia/Kathmandu",
    timedelta(hours=6, minutes=30): "Asia/Yangon",
    timedelta(hours=9, minutes=30): "Australia/Darwin",
}
"""A zone of each offset that is no whole hour, without summer time."""


def shown_offset(own: Integers, around: Integers) -> timedelta | None:
    """Return by how much the clocks that wrote lines are ahead of UTC, None if their envelopes don't show it.

    Args:
        own: The lines' times, in microseconds since 1970, as if they were UTC.
        around: Those of their envelopes.
    """
    apart = (own - around) // MICROSECONDS
    offsets = (apart + QUARTER // 2) // QUARTER * QUARTER
    close = offsets[np.abs(apart - offsets) <= CLOSE]
    if len(own) < FEWEST or not len(close):
        return None
    ((offset, lines),) = Counter(close.tolist()).most_common(1)
    found = timedelta(seconds=offset)
    return found if lines >= NEARLY_ALL * len(own) and WEST <= found <= EAST else None


def zone_of(offset: timedelta) -> str | None:
    """Return a time zone whose clocks are always so much ahead of UTC, None if none is known."""
    if not offset:
        return "UTC"
    if offset % HOUR:
        return OTHERS.get(offset)
    return f"Etc/GMT{-offset // HOUR:+d}"  # of which the sign is the opposite one
