"""Figures as people read them."""

from decimal import ROUND_HALF_UP, Context

from lake.report.data import Row

THREE_DIGITS = Context(prec=3, rounding=ROUND_HALF_UP)  # as the browser rounds
NOTHING = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"


def percent(share: float | None) -> str:
    """Return a share in percent with three significant digits, a dash for none."""
    if not share:
        return NOTHING if share is None else "0 %"
    rounded = THREE_DIGITS.create_decimal_from_float(share)
    return f"{rounded.scaleb(2):.{max(0, -rounded.adjusted())}f} %"


def exactly(share: float) -> str:
    """Return a share in percent as somebody set it, such as 99.95 %."""
    return f"{share * 100:.10g} %"


def rate(counted: Row) -> str:
    """Return an error rate in percent."""
    return percent(counted["error_rate"])


def interval(counted: Row, of: str = "") -> str:
    """Return both ends of an error rate's interval in percent."""
    low, high = (counted[f"error_rate_{end}{of}"] for end in ("low", "high"))
    return NOTHING if low is None else f"{percent(low).removesuffix(' %')} to {percent(high)}"


def count(number: int | None) -> str:
    """Return a number with its thousands marked."""
    return NOTHING if number is None else f"{number:,}"


def plural(number: int, one: str, several: str = "") -> str:
    """Return a number and what it counts."""
    return f"{number:,} {one if number == 1 else several or f'{one}s'}"
