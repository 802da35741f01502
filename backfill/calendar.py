"""A range as a calendar: a month a row, a character a day."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date
from itertools import groupby

from backfill.days import NO_GAP, Day, State

SIGNS: Mapping[State, str] = {
    State.THERE: "■",
    State.MISSING: "·",
    State.GONE: "o",
    State.FAILED: "!",
    State.SKIPPED: "x",
    State.NO_INPUT: "?",
    State.UNSETTLED: "~",
    State.INACTIVE: "-",
}
INCOMPLETE = "□"  # of a day that is there, and lacks some of its raw logs
COLOURS: Mapping[State, int] = {  # of a terminal; the sign says the same
    State.THERE: 32,
    State.MISSING: 33,
    State.GONE: 31,
    State.FAILED: 31,
    State.SKIPPED: 31,
    State.NO_INPUT: 35,
    State.UNSETTLED: 36,
    State.INACTIVE: 90,
}
MARKED = (1, 8, 15, 22, 29)


def rows(days: Sequence[Day], incomplete: Collection[date] = (), *, colours: bool = False) -> Iterator[str]:
    """Yield the calendar's rows, the legend with how many days are in each state, and the oldest gap."""
    yield " " * 9 + "".join(f"{number:<7}" for number in MARKED).rstrip()
    for (year, month), of_month in groupby(days, lambda day: (day.date.year, day.date.month)):
        signs = [" "] * 31
        for day in of_month:
            lacks = day.date in incomplete
            signs[day.date.day - 1] = (
                _coloured(INCOMPLETE, 33, colours) if lacks else _sign(day.state, colours=colours)
            )
        yield f"{year}-{month:02}  {''.join(signs)}".rstrip()
    yield ""
    counts = Counter(day.state for day in days)
    yield ", ".join(
        f"{_sign(state, colours=colours)} {counts[state]:,} {state}"
        + (
            f" ({_coloured(INCOMPLETE, 33, colours)} {len(incomplete):,} incomplete)"
            if incomplete and state is State.THERE
            else ""
        )
        for state in State
        if counts[state]
    )
    gap = oldest_gap(days)
    if gap:
        yield f"Oldest gap: {gap}."


def oldest_gap(days: Sequence[Day]) -> date | None:
    """Return the first day that is not there and should be, once it is settled; None if there is none."""
    return next((day.date for day in days if day.state not in NO_GAP | {State.UNSETTLED}), None)


def _sign(state: State, *, colours: bool) -> str:
    return _coloured(SIGNS[state], COLOURS[state], colours)


def _coloured(sign: str, colour: int, colours: bool) -> str:  # noqa: FBT001 - private
    return f"\x1b[{colour}m{sign}\x1b[0m" if colours else sign
