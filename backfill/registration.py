"""Tasks and honest ranges, registered with Luigi, and its settings: all of it by importing this."""

import configparser
import sys
import warnings

from lake.config import unreadable
from lake.errors import ConfigError

warnings.filterwarnings("ignore", "Config file does not exist")  # Luigi's words; ours follow, with the next step
try:
    import tasks  # noqa: F401 - registers the tasks with Luigi
    from backfill import central, luigi_settings
    from backfill.ranges import RangeDaily, RangeDailyBase

    luigi_settings.apply()
    central.install()
except (
    configparser.Error,
    UnicodeError,
) as error:  # Luigi reads luigi.cfg as it is imported, before anyone can catch this
    print(unreadable("luigi.cfg", error), file=sys.stderr)  # noqa: T201
    sys.exit(ConfigError.exit_code)

__all__ = ["RangeDaily", "RangeDailyBase"]
