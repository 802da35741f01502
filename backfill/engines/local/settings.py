"""What Luigi is told where luigi.cfg says nothing: its own defaults cut ranges short and hide failures."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import luigi.configuration
from luigi.parameter import ParameterException
from luigi.task_register import TaskClassException

from backfill.engines.local.internals.messages import says_no_data, scheduling_error
from lake.cli import printable
from lake.errors import LakeError

ALL_DAYS = {"days_back": "36500", "days_forward": "-1", "task_limit": "100000"}
DEFAULTS = {
    "core": {"local_scheduler": "true", "no_lock": "true", "log_level": "WARNING"},
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


@contextmanager
def quiet() -> Iterator[None]:
    """Let Luigi log no expected error for a while, for one who says all of them at the end."""
    logger = logging.getLogger("luigi-interface")
    logger.addFilter(_is_unexpected)
    try:
        yield
    finally:
        logger.removeFilter(_is_unexpected)


def _is_unexpected(record: logging.LogRecord) -> bool:
    return not getattr(record, "is_expected", False)


class WithoutTraceback(logging.Filter):
    """Reduces a log record of an expected error to what the user needs; others keep their traceback.

    Whatever is in it, such as the name of a file, does nothing to a terminal.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Change the record where needed; drop what RawLogsDaily has said in better words."""
        error = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
        wanted = not says_no_data(record)
        if isinstance(error, EXPECTED_ERRORS):
            tasks = [f"{arg}: " for arg in record.args or () if isinstance(arg, luigi.Task)]
            record.msg, record.args = "%s%s", ("".join(tasks), error)
            record.exc_info = record.exc_text = None
            record.is_expected = True
        elif found := scheduling_error(record, EXPECTED_ERRORS):
            record.msg, record.args = "%s: %s", found
        record.msg, record.args = printable(record.getMessage()), None
        if isinstance(record.exc_info, tuple):
            record.exc_text = printable(logging.Formatter().formatException(record.exc_info))
        return wanted
