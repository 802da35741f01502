"""Ranges, status and the command line.

`luigi --module backfill` gets the tasks and the honest ranges by this import.
"""

import configparser
import sys

try:
    import tasks  # noqa: F401 - registers the tasks with Luigi
    from backfill import luigi_settings
    from backfill.ranges import RangeDaily, RangeDailyBase

    luigi_settings.apply()
except configparser.Error as error:  # Luigi reads luigi.cfg as it is imported, before anyone can catch this
    sys.exit(f"Can't read the configuration: {' '.join(str(error).split())}. Mend that line.")

__all__ = ["RangeDaily", "RangeDailyBase"]
