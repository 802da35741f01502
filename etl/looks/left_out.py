"""The files that `files` of a log has to take: those that were given, and those that are named like it.

Nothing is read here but names.
"""

import re
from collections.abc import Collection, Iterable
from fnmatch import fnmatchcase
from pathlib import Path

from etl.looks.siblings import COMPRESSED_END, MONTH, PLACEHOLDER, UUID, WEEKDAY, is_random
from etl.raw.files import FilePattern
from lake.store.protocol import S3_SCHEME

NUMBERED_WORD = re.compile("([A-Za-z]+)[0-9]{1,4}")
HOST_FOLDER = re.compile("^([A-Za-z][A-Za-z_.-]*)[0-9]{1,3}$")
WEEK = re.compile("W[0-9]{2}")
MARK = "#"


def takes(pattern: str, name: str) -> bool:
    """Tell whether a name is one of a pattern's files, of whichever day."""
    return FilePattern(pattern, Path("/")).takes(name)


def widened(pattern: str, given: Iterable[str]) -> str:
    """Return a pattern that also takes files that differ from its own only in their folders, but for the date."""
    for each in given:
        parts, others = pattern.split("/"), each.split("/")
        if len(parts) != len(others) or takes(pattern, each):
            continue
        fixed = 3 if pattern.startswith(S3_SCHEME) else 0  # the bucket
        wider = [
            "*"
            if fixed <= place < len(parts) - 1 and not (PLACEHOLDER.search(part) or fnmatchcase(other, part))
            else part
            for place, (part, other) in enumerate(zip(parts, others, strict=True))
        ]
        pattern = "/".join(wider) if takes("/".join(wider), each) else pattern
    return pattern


def of_other_hosts(pattern: str) -> str | None:
    """Return a relative pattern for other folders like `web1` or a stream's id; None if it has no such folder."""
    if pattern.startswith(("/", "~", S3_SCHEME)):
        return None
    folder, slash, name = pattern.rpartition("/")
    parts = folder.split("/")
    wider = ["*" if is_random(each) or UUID.fullmatch(each) else HOST_FOLDER.sub(r"\1*", each) for each in parts]
    return None if wider == parts else "/".join(wider) + slash + name


def left_out(
    pattern: str, path: str, there: Collection[str], given: Collection[str], current: str | None
) -> list[str]:
    """Return the names, in order, of files that a pattern doesn't take and that it may be expected to.

    Args:
        pattern: `files` of luigi.cfg.
        path: The name of the log.
        there: Names of files around it; those that are named like it are expected.
        given: Names of files that were said to be the same log; all of them are expected.
        current: What the file is called that is still written to, and that a later name is expected of.
    """
    like = _key(path)
    expected = {*given, *(each for each in there if _key(each) == like)}
    waits = current.rpartition("/")[2] if current else None
    return sorted(each for each in expected if each.rpartition("/")[2] != waits and not takes(pattern, each))


def _key(name: str) -> str:
    """Return what names have in common that differ by dates, numbers and what nobody chose."""
    text = WEEKDAY.sub(MARK, MONTH.sub(MARK, UUID.sub(MARK, COMPRESSED_END.sub("", name))))
    text = re.sub(rf"[A-Za-z0-9{MARK}]+", lambda found: _word(found[0]), text)
    return re.sub(rf"[-_.:+T]*{MARK}", "", text)


def _word(word: str) -> str:
    numbered = NUMBERED_WORD.fullmatch(word)
    if numbered and not WEEK.fullmatch(word):
        return numbered[1] + "1"
    return MARK if is_random(word) or re.search(f"[0-9{MARK}]", word) else word
