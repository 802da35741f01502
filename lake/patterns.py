"""Patterns of applications' names, as objectives and events have them: `*` is any text, `?` any character."""

import re

from lake.errors import ConfigError

PATTERN = re.compile(r"[a-z0-9*?][a-z0-9*?._-]{0,252}")
"""What an application's name may be, and the two signs; `application_covers` says what is matched."""


def parse(text: str) -> tuple[str, ...]:
    """Return the patterns that are written with a comma, or a new line, between two.

    Raises:
        ConfigError: One is no pattern, or there is none.
    """
    patterns = tuple(part.strip() for part in text.replace("\n", ",").split(",") if part.strip())
    for pattern in patterns:
        if not PATTERN.fullmatch(pattern):
            raise ConfigError(
                f"applications: {pattern}: expected names of applications with a comma between two, in lower "
                "case; in a name, * is any text and ? any one character."
            )
    if not patterns:
        raise ConfigError(f"applications = {text}: expected one name of an application, or *, at least.")
    return patterns
