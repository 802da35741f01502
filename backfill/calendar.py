"""A range as a calendar: a month a row, a character a day."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from itertools import groupby

from backfill.days import NO_GAP, Day, State

SIGNS: Mapping[State, str] = {
    State.THERE: "■",
    State.MISSING: "·",
    State.FAILED: "!",
    State.SKIPPED: "x",
    State.NO_INPUT: "?",
    State.UNSETTLED: "~",
    State.INACTIVE: "-",
}
COLOURS: Mapping[State, int] = {  # of a terminal; the sign says the same
    State.THERE: 32,
    State.MISSING: 33,
    State.FAILED: 31,
    State.SKIPPED: 31,
    State.NO_INPUT: 35,
    State.UNSETTLED: 36,
    State.INACTIVE: 90,
}
MARKED = (1, 8, 15, 22, 29)


def rows(days: Sequence[Day], *, colours: bool = False) -> Iterator[str]:
    """Yield the calendar's rows, the legend with how many days are in each state, and the oldest gap."""
    yield " " * 9 + "".join(f"{number:<7}" for number in MARKED).rstrip()
    for (year, month), of_month in groupby(days, lambda day: (day.date.year, day.date.month)):
        signs = [" "] * 31
        for day in of_month:
            signs[day.date.day - 1] = _sign(day.state, colours=colours)
        yield f"{year}-{month:02}  {''.join(signs)}".rstrip()
    yield ""
    counts = Counter(day.state for day in days)
    yield ", ".join(
        f"{_sign(state, colours=colours)} {counts[state]:,} {state}" for state in State if counts[state]
    )
    gap = oldest_gap(days)
    if gap:
        yield f"Oldest gap: {gap}."


def oldest_gap(days: Sequence[Day]) -> date | None:
    """Return the first day that is not there and should be, once it is settled; None if there is none."""
    return next((day.date for day in days if day.state not in NO_GAP | {State.UNSETTLED}), None)


def _sign(state: State, *, colours: bool) -> str:
    return f"\x1b[{COLOURS[state]}m{SIGNS[state]}\x1b[0m" if colours else SIGNS[state]
