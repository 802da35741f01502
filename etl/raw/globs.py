"""Globs as regular expressions, for names that no folder on disk lists."""

import fnmatch
import re


def expression(pattern: str) -> str:
    """Return a regular expression for a glob in which `*` stays within a folder and `**/` spans folders."""
    parts = []
    for part in re.split(r"(\*\*/|\*|\?|\[[^\]]+\])", pattern):
        spans = {"**/": "(?:.*/)?", "*": "[^/]*", "?": "[^/]"}
        is_set = part.startswith("[") and part.endswith("]")
        parts.append(spans.get(part) or (fnmatch.translate(part)[4:-3] if is_set else re.escape(part)))
    return "".join(parts)
