"""Records: JSON that any version of the project may have written, read back by any other.

What a later version has added is passed over. What can't be read is named once, and counts for nothing.
"""

import json
import logging
from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from typing import Any

WRONG = (ValueError, KeyError, TypeError, AttributeError)
"""What is raised where a text is no record, as one that was cut off."""
ADVICE = "Bring it back from a copy, or delete it"
logger = logging.getLogger(__name__)


def known(kind: type, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of a record's values that a dataclass has a field for; a later version's may have more."""
    names = {each.name for each in fields(kind)}
    return {name: value for name, value in values.items() if name in names}


def check_lines(text: str) -> None:
    """Make sure that each line is an object of JSON; ValueError, which says which is none."""
    for number, line in enumerate(text.splitlines(), 1):
        try:
            is_record = isinstance(json.loads(line), dict)
        except ValueError as error:
            raise ValueError(f"line {number}: {error}") from error
        if not is_record:
            raise ValueError(f"line {number} is no object of JSON")


@cache
def name_unreadable(name: str) -> None:
    """Warn of a record that can't be read, once a process."""
    logger.warning("%s can't be read, so it counts for nothing. %s; `lake verify` names all such.", name, ADVICE)
