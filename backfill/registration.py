"""Tasks and honest ranges, registered with Luigi, and its settings."""

import configparser
import sys
import warnings
from functools import cache

from lake.config import unreadable
from lake.errors import ConfigError


@cache
def register() -> None:
    """Import what Luigi is to know; exit with 2 where it can't read luigi.cfg, which it does as it is imported."""
    warnings.filterwarnings("ignore", "Config file does not exist")  # Luigi's words; ours have the next step
    try:
        # what imports Luigi is not imported before this is called, so that a command's help doesn't wait for it
        import tasks  # noqa: F401, PLC0415
        from backfill import central, luigi_settings, ranges  # noqa: F401, PLC0415

        luigi_settings.apply()
        central.install()
    except (configparser.Error, UnicodeError) as error:
        print(unreadable("luigi.cfg", error), file=sys.stderr)  # noqa: T201
        sys.exit(ConfigError.exit_code)
