"""The words of Luigi's messages that are said better here, or not at all."""

import logging
import re
from collections.abc import Iterable

# Luigi logs an error of complete() or requires() as text alone, with its traceback
SCHEDULING_ERROR = (
    r"^(?P<what>Will not run .*) or any dependencies due to error in \w+\(\) method:\n.*"
    r"\n(?:{modules})\.\w+: (?P<why>.*)$"
)
NO_DATA = "Data for %s does not exist"
NO_CONFIGURATION = "Config file does not exist"  # a warning
OWN_SETTING = r".*'default_scheduler_(host|port|url)'"  # Luigi warns of its own, with UnconsumedParameterWarning


def scheduling_error(record: logging.LogRecord, kinds: Iterable[type[Exception]]) -> tuple[str, str] | None:
    """Return which task will not be run, and why, if a log record says that of an error of these kinds."""
    modules = "|".join(sorted({re.escape(each.__module__) for each in kinds}))
    found = re.match(SCHEDULING_ERROR.format(modules=modules), record.getMessage(), re.DOTALL)
    return (found["what"], found["why"].rstrip()) if found else None


def says_no_data(record: logging.LogRecord) -> bool:
    """Tell whether a log record says that an external task's data is not there."""
    return str(record.msg).startswith(NO_DATA)
