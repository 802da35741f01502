"""What Luigi is told where luigi.cfg says nothing: its own defaults cut ranges short and hide failures."""

import logging
import re
import traceback

import luigi.configuration
from luigi.parameter import ParameterException
from luigi.task_register import TaskClassException

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
LOGGED_TRACEBACK = re.compile(
    r"\nTraceback \(most recent call last\):.*\nlake\.errors\.\w+: (?P<text>.*)$", re.DOTALL
)


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
    """Reduces a log record of an expected error to its message; others keep their traceback."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Change the record where needed, and let it pass."""
        error = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
        if isinstance(error, EXPECTED_ERRORS) or (error and _is_bad_argument(error)):
            tasks = [arg for arg in record.args if isinstance(arg, luigi.Task)] if record.args else []
            where = f"{tasks[0]}: " if tasks else ""
            record.msg, record.args = "%s%s", (where, _text(error))
            record.exc_info = record.exc_text = None
            return True
        found = LOGGED_TRACEBACK.search(record.getMessage())  # Luigi's scheduling errors carry it in the text
        if found:
            before = record.getMessage()[: found.start()]
            record.msg, record.args = "%s %s", (before, found["text"].rstrip())
        return True


def _is_bad_argument(error: BaseException) -> bool:
    """Tell whether Luigi failed to read a value from the command line."""
    return isinstance(error, ValueError) and any(
        frame.name in {"parse", "_parse_or_no_value"} and frame.filename.endswith("parameter.py")
        for frame in traceback.extract_tb(error.__traceback__)
    )


def _text(error: BaseException) -> str:
    return str(error).strip() or type(error).__name__
