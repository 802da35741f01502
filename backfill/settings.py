"""How backfills behave: the section `[backfill]` of luigi.cfg."""

from dataclasses import dataclass, fields

from lake import config

SECTION = "backfill"
HIGHEST = 1_000_000


@dataclass(frozen=True)
class Settings:
    """What luigi.cfg says of backfills.

    Attributes:
        max_attempts: How often a day may fail before it is skipped; 0 for ever so often.
        late_days: Of how many of the latest settled days `nightly` restates those whose raw files came late.
    """

    max_attempts: int = 3
    late_days: int = 0


def settings() -> Settings:
    """Return the settings of the current luigi.cfg.

    Raises:
        ConfigError: A key is unknown, or its value no number.
    """
    found = config.read(config.find())
    values = found.section(SECTION) if SECTION in found.sections else {}
    with found.named(SECTION):
        config.check_keys(values, [field.name for field in fields(Settings)])
        return Settings(**{key: config.whole_number(key, text, 0, HIGHEST) for key, text in values.items()})
