"""HTML by templates, which escape whatever isn't HTML already."""

import re
from collections.abc import Iterable, Sequence
from importlib.resources import files

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from lake.report.figures import plural

CODE = re.compile(r"`([^`]*)`")


def file(name: str) -> str:
    """Return the text of a file that lies here."""
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


TEMPLATES = Environment(
    loader=FunctionLoader(file),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    keep_trailing_newline=True,
)
PARTS = TEMPLATES.get_template("parts.html").module


def part(name: str, *values: object) -> Markup:
    """Return a part of the page, by the macro that has its name."""
    made: Markup = getattr(PARTS, name)(*values)
    return made


def join(parts: Iterable[str]) -> Markup:
    """Return parts one after the other."""
    return Markup().join(parts)


def paragraph(*parts: object) -> Markup:
    """Return parts as a paragraph."""
    return part("paragraph", parts)


def prose(text: str) -> Markup:
    """Return a text with its `code` as such."""
    return part("prose", CODE.split(text))


def long(text: object) -> Markup:
    """Return a text that may take several lines of its cell."""
    return part("long", text)


def table(
    caption: str, heads: Sequence[object], rows: Sequence[Sequence[object]], text: Iterable[int] = ()
) -> Markup:
    """Return a table in a region that scrolls by itself; the first column names the row.

    Args:
        caption: What it shows.
        heads: The columns' names.
        rows: Their cells.
        text: The places of the columns that are no figures, beside the first.
    """
    return part("table", f"{caption} · {plural(len(rows), 'row')}", heads, rows, {0, *text})
