"""The `luigi` command: Luigi's own, with our tasks and ranges loaded."""

import sys
from contextlib import suppress

import luigi
from luigi.cmdline import luigi_run
from luigi.cmdline_parser import CmdlineParser
from luigi.parameter import ParameterException
from luigi.task_register import TaskClassException

from backfill.luigi_settings import DEFAULTS
from lake.errors import LakeError
from tasks.daily import DailyTask
from tasks.project import project


def main() -> None:
    """Run `luigi` as if `--module backfill` were given; exit codes as in the README."""
    arguments = sys.argv[1:]
    if not arguments or {"--help", "--help-all", "-h"} & set(arguments):
        luigi_run(arguments)
    try:
        project()
        task = _task(arguments)
        luigi_run(arguments)
    except (LakeError, TaskClassException) as error:
        print(f"luigi: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(int(DEFAULTS["retcode"]["unhandled_exception"]))
    except SystemExit as end:
        # a range speaks for itself; a single day may have been the latest settled one, so name it
        if not end.code and isinstance(task, DailyTask) and task.complete():
            print(f"{task} is there.")  # noqa: T201 - the command's result
        raise


def _task(arguments: list[str]) -> luigi.Task | None:
    """Return the task that is asked for, None where Luigi will say what is wrong with it."""
    with suppress(ParameterException, ValueError), CmdlineParser.global_instance(arguments) as parser:
        return parser.get_task_obj()
    return None
