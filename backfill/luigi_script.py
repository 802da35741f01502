"""The `luigi` command: Luigi's own, with our tasks and ranges loaded."""

import sys

from luigi.cmdline import luigi_run
from luigi.cmdline_parser import CmdlineParser
from luigi.task_register import TaskClassException

from backfill.luigi_settings import DEFAULTS
from lake.errors import LakeError
from tasks.daily import DailyTask
from tasks.project import project


def main() -> None:
    """Run `luigi` as if `--module backfill` were given; exit codes as in the README."""
    arguments = sys.argv[1:]
    if arguments and not {"--help", "--help-all", "-h"} & set(arguments):
        try:
            project()
        except LakeError as error:
            _stop(error)
    try:
        luigi_run(arguments)
    except TaskClassException as error:
        _stop(error)
    except SystemExit as end:
        if not end.code:
            _say_what_is_there(arguments)
        raise


def _say_what_is_there(arguments: list[str]) -> None:
    """Name the day of a single task: it may have been the latest settled one. Ranges speak for themselves."""
    with CmdlineParser.global_instance(arguments) as parser:
        task = parser.get_task_obj()
    if isinstance(task, DailyTask):
        print(f"{task} is there.")  # noqa: T201 - the command's result


def _stop(error: Exception) -> None:
    print(f"luigi: {error}", file=sys.stderr)  # noqa: T201
    sys.exit(int(DEFAULTS["retcode"]["unhandled_exception"]))
