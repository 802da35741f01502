"""How backfills behave: the section `[backfill]` of luigi.cfg."""

import re
from dataclasses import dataclass, fields

from lake import config
from lake.errors import ConfigError

SECTION = "backfill"
HIGHEST = 1_000_000
DIGITS = re.compile(r"[0-9]{1,7}")


@dataclass(frozen=True)
class Settings:
    """What luigi.cfg says of backfills.

    Attributes:
        max_attempts: How often a day may fail before it is skipped; 0 for ever so often.
    """

    max_attempts: int = 3


def settings() -> Settings:
    """Return the settings of the current luigi.cfg.

    Raises:
        ConfigError: A key is unknown, or its value no number.
    """
    found = config.read(config.find())
    values = found.section(SECTION) if SECTION in found.sections else {}
    known = [field.name for field in fields(Settings)]
    for key, text in values.items():
        if key not in known:
            raise ConfigError(f"{found.path}, [{SECTION}]: unknown key {key!r}. Known keys: {', '.join(known)}.")
        if not DIGITS.fullmatch(text) or int(text) > HIGHEST:
            raise ConfigError(f"{found.path}, [{SECTION}]: {key} = {text}: expected a whole number, 0 or more.")
    return Settings(**{key: int(text) for key, text in values.items()})
