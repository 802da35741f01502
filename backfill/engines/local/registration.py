"""Tasks and honest ranges, registered with Luigi, and its settings."""

import configparser
import multiprocessing
import sys
import warnings
from functools import cache

from backfill.engines.local.internals.messages import NO_CONFIGURATION
from lake.config import unreadable
from lake.errors import ConfigError


@cache
def register() -> None:
    """Import what Luigi is to know; exit with 2 where it can't read luigi.cfg, which it does as it is imported."""
    # Luigi's workers are forks, whatever Python's default: so they have the handlers, settings and files that note
    # what came of each task. A new interpreter would also take 0.7 s of CPU a task to import everything.
    multiprocessing.set_start_method("fork", force=True)
    warnings.filterwarnings("ignore", NO_CONFIGURATION)  # our message has the next step
    try:
        # what imports Luigi is not imported before this is called, so that a command's help doesn't wait for it
        import tasks  # noqa: F401, PLC0415
        from backfill.engines.local import central, ranges, settings  # noqa: F401, PLC0415

        settings.apply()
        central.install()
    except (configparser.Error, UnicodeError) as error:
        print(unreadable("luigi.cfg", error), file=sys.stderr)  # noqa: T201
        sys.exit(ConfigError.exit_code)
