"""The page that lists which logs were tried, and what `backfill identify` says of each."""

import re
from pathlib import Path

from etl.looks.identify import Reading

PAGE = Path(__file__).parents[1] / "docs/reference/identified.md"
SHOWN = ("envelope", "noise", "timezone", "log_format", "trailing", "fields")
ROW = re.compile(r"\| `([^`]+)` \| ([^|]+) \| (.+) \|")


def said(found: Reading) -> str:
    """Return the format that a log is taken for, and the keys that say more of its lines."""
    if not found.fits:
        return "no format that is known here fits"
    names = ", ".join(f"`{key}`" for key in SHOWN if key in found.settings)
    return f"`format = {found.settings['format']}`" + (f" with {names}" if names else "")


def rows() -> dict[str, str]:
    """Return what the page says of each log, by its name."""
    found = ROW.findall(PAGE.read_text(encoding="utf-8"))
    return {name: says for name, _, says in found}
