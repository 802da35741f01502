"""What Luigi is told where luigi.cfg says nothing: its own defaults cut ranges short and hide failures."""

import logging
import re
import traceback

import luigi.configuration
from luigi.parameter import ParameterException
from luigi.task_register import TaskClassException

from lake.cli import printable
from lake.errors import LakeError

ALL_DAYS = {"days_back": "36500", "days_forward": "-1", "task_limit": "100000"}
DEFAULTS = {
    "core": {"local_scheduler": "true", "no_lock": "true", "log_level": "WARNING", "autoload_range": "true"},
    "worker": {"check_complete_on_run": "true"},
    "retcode": {
        "already_running": "10",
        "missing_data": "20",
        "not_run": "25",
        "task_failed": "30",
        "scheduling_error": "35",
        "unhandled_exception": "40",
    },
    "RangeDailyBase": ALL_DAYS,
    "RangeDaily": ALL_DAYS,
}
EXPECTED_ERRORS = (LakeError, ParameterException, TaskClassException)
# Luigi's scheduling errors carry the traceback in their text
SCHEDULING_ERROR = re.compile(
    r"^(?P<what>Will not run .*) or any dependencies due to error in \w+\(\) method:\n.*"
    r"\n(?:lake\.errors|luigi\.parameter|luigi\.task_register)\.\w+: (?P<why>.*)$",
    re.DOTALL,
)
NO_DATA = "Data for %s does not exist"


def apply() -> None:
    """Set the defaults, and let errors that are meant for the user appear without a traceback."""
    config = luigi.configuration.get_config()
    for section, values in DEFAULTS.items():
        for key, value in values.items():
            if not config.has_option(section, key):
                config.set(section, key, value)
    logger = logging.getLogger("luigi-interface")
    if not any(isinstance(each, WithoutTraceback) for each in logger.filters):
        logger.addFilter(WithoutTraceback())


class WithoutTraceback(logging.Filter):
    """Reduces a log record of an expected error to what the user needs; others keep their traceback.

    Whatever is in it, such as the name of a file, does nothing to a terminal.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Change the record where needed; drop what RawLogsDaily has said in better words."""
        error = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
        if error and (isinstance(error, EXPECTED_ERRORS) or _is_bad_argument(error)):
            tasks = [f"{arg}: " for arg in record.args or () if isinstance(arg, luigi.Task)]
            bad = "" if isinstance(error, EXPECTED_ERRORS) else "Bad argument: "
            record.msg, record.args = "%s%s%s", ("".join(tasks), bad, error)
            record.exc_info = record.exc_text = None
        elif found := SCHEDULING_ERROR.match(record.getMessage()):
            record.msg, record.args = "%s: %s", (found["what"], found["why"].rstrip())
        wanted = not str(record.msg).startswith(NO_DATA)
        record.msg, record.args = printable(record.getMessage()), None
        if isinstance(record.exc_info, tuple):
            record.exc_text = printable(logging.Formatter().formatException(record.exc_info))
        return wanted


def _is_bad_argument(error: BaseException) -> bool:
    """Tell whether Luigi failed to read a value from the command line."""
    return isinstance(error, ValueError) and any(
        frame.name in {"parse", "_parse_or_no_value"} and frame.filename.endswith("parameter.py")
        for frame in traceback.extract_tb(error.__traceback__)
    )
