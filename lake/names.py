"""Names that are nearly ones of ours: what luigi.cfg misspells is refused, and the name that is meant is said."""

import re
from collections.abc import Collection
from difflib import get_close_matches

SECTIONS = ("lake", "completeness", "extraction", "backfill", "snapshots", "spark")
LUIGIS = ("pyspark",)
"""Sections of Luigi's own whose names are near to one of ours."""
NAMED = ("source", "slo", "deliver")
"""Sections of which there may be several: `[source.NAME]`."""
SHORT = {"src": "source"}
"""What people write for one of these, and difflib takes for none."""
HEAD = re.compile(r"[\s.:/_-]*([^\s.:/_-]*)[\s.:/_-]*(.*)", re.DOTALL)
CLOSE = 0.8  # of difflib's ratio: `lke` and `lakes` are near to `lake`, `take` is not


def nearest(name: str, known: Collection[str]) -> str | None:
    """Return the one of some names that another was meant to be; None if it is near to none."""
    folded = {each.casefold(): each for each in known}
    found = get_close_matches(name.casefold().strip(), folded, n=1, cutoff=CLOSE)
    return folded[found[0]] if found else None


def meant(section: str) -> str | None:
    """Return the section of ours that another in luigi.cfg was meant to be, None if it is none of ours.

    Sections of Luigi, and those of whatever tasks there are beside ours, are theirs.
    """
    before, _, name = section.partition(".")
    if section in {*SECTIONS, *LUIGIS} or (before in NAMED and name.strip()):
        return None
    kind, rest = (part.strip() for part in HEAD.fullmatch(section).groups())  # type: ignore[union-attr] # it always does
    near = nearest(kind, NAMED) or SHORT.get(kind.casefold())
    if near and (rest or kind.casefold() in {near, f"{near}s"}):
        return f"{near}.{rest or 'NAME'}"
    return nearest(section, SECTIONS)


def hint(name: str, known: Collection[str]) -> str:
    """Return what ends a message of an unknown name: ` Did you mean 'since'?`, or nothing."""
    near = nearest(name, known)
    return f" Did you mean {near!r}?" if near else ""
