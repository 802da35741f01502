"""A range as a calendar."""

from datetime import date, timedelta

from backfill.calendar import oldest_gap, rows
from backfill.days import Day, State

FIRST = date(2016, 1, 30)


def days(*states: State) -> list[Day]:
    """Return days in a row."""
    return [Day(FIRST + timedelta(days=n), state) for n, state in enumerate(states)]


def test_a_month_is_a_row_and_a_day_a_character():
    """Each under its number, in months of any length."""
    found = days(*[State.THERE] * 31, State.MISSING, State.UNSETTLED)
    assert list(rows(found)) == [
        "         1      8      15     22     29",
        "2016-01  " + " " * 29 + "■■",
        "2016-02  ■■■■■■■■■■■■■■■■■■■■■■■■■■■■■",
        "2016-03  ·~",
        "",
        "■ 31 there, · 1 missing, ~ 1 unsettled",
        "Oldest gap: 2016-03-01.",
    ]


def test_each_state_has_a_sign_of_its_own():
    """Readable without colour; with it, the signs are the same."""
    found = days(*State)
    plain, coloured = ("\n".join(rows(found, colours=colours)) for colours in (False, True))
    assert f"2016-01  {' ' * 29}■·\n2016-02  o!x?~-" in plain
    assert coloured != plain
    for code in (32, 33, 31, 35, 36, 90, 0):
        coloured = coloured.replace(f"\x1b[{code}m", "")
    assert coloured == plain


def test_the_oldest_gap_is_a_settled_day():
    """A day that nobody could have built yet, or that has no logs, is none."""
    assert oldest_gap(days(State.THERE, State.INACTIVE, State.UNSETTLED)) is None
    for gap in (State.MISSING, State.FAILED, State.SKIPPED, State.NO_INPUT):
        assert oldest_gap(days(State.THERE, gap, gap)) == FIRST + timedelta(days=1)
