"""HTML, with everything escaped that isn't said to be HTML; and figures as people read them."""

import re
from collections.abc import Iterable, Sequence
from decimal import ROUND_HALF_UP, Context
from html import escape

from lake.report.data import Row

THREE_DIGITS = Context(prec=3, rounding=ROUND_HALF_UP)  # as the browser rounds
NOTHING = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"
CODE = re.compile(r"`([^`]*)`")


class Html(str):
    """A text that is HTML already."""

    __slots__ = ()


def html(text: object) -> Html:
    """Return a text as HTML, escaped unless it is HTML already."""
    return text if isinstance(text, Html) else Html(escape(str(text)))


def join(parts: Iterable[object], between: str = "") -> Html:
    """Return parts one after the other."""
    return Html(between.join(html(each) for each in parts))


def paragraph(*parts: object) -> Html:
    """Return parts as a paragraph."""
    return Html(f"<p>{join(parts, ' ')}</p>\n")


def prose(text: str) -> Html:
    """Return a text with its `code` as such."""
    return Html(CODE.sub(r"<code>\1</code>", html(text)))


def long(text: object) -> Html:
    """Return a text that may take several lines of its cell."""
    return Html(f'<div class="prose">{html(text)}</div>')


def table(
    caption: str, heads: Sequence[object], rows: Sequence[Sequence[object]], text: Iterable[int] = ()
) -> Html:
    """Return a table in a region that scrolls by itself; the first column names the row.

    Args:
        caption: What it shows.
        heads: The columns' names.
        rows: Their cells.
        text: The places of the columns that are no figures, beside the first.
    """
    kinds = [' class="text"' if n in {0, *text} else "" for n in range(len(heads))]
    head = "".join(f'<th scope="col"{kind}>{html(each)}</th>' for each, kind in zip(heads, kinds, strict=True))
    body = "".join(
        f'<tr><th scope="row" class="text">{html(row[0])}</th>'
        + "".join(f"<td{kind}>{html(each)}</td>" for each, kind in zip(row[1:], kinds[1:], strict=True))
        + "</tr>\n"
        for row in rows
    )
    caption = f"{caption} · {plural(len(rows), 'row')}"
    return Html(
        f'<div class="scroll table" tabindex="0" role="region" aria-label="{html(caption)}"><table>'
        f"<caption>{html(caption)}</caption><thead><tr>{head}</tr></thead><tbody>\n{body}</tbody></table></div>\n"
    )


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
