"""The `luigi` command: Luigi's own, with our tasks and ranges loaded."""

import logging
import multiprocessing
import signal
import sys
from types import FrameType
from typing import TYPE_CHECKING

import luigi
import luigi.interface
from luigi.cmdline import luigi_run
from luigi.cmdline_parser import CmdlineParser
from luigi.parameter import ParameterException
from luigi.task_register import TaskClassException

from backfill.engines.local.settings import DEFAULTS
from etl.project import project
from lake.cli import printable
from lake.errors import ConfigError, LakeError
from tasks.daily import DailyTask

if TYPE_CHECKING:
    from multiprocessing.sharedctypes import Synchronized

INTERRUPTED = 130  # 128 and the number of SIGINT, as shells have it
AGAIN = 0.05  # s


def main() -> None:
    """Run `luigi` as if `--module backfill` were given; exit codes as in the README."""
    arguments = sys.argv[1:]
    if not arguments or {"--help", "--help-all", "-h"} & set(arguments):
        luigi_run(arguments)
    interrupts = _noted_interrupts()
    built = _noted_successes()
    task = None
    try:
        project()
        task = _task(arguments)
        luigi_run(arguments)
    except (LakeError, ParameterException, TaskClassException) as error:
        print(printable(f"luigi: {error}"), file=sys.stderr)  # noqa: T201
        sys.exit(int(DEFAULTS["retcode"]["unhandled_exception"]))
    except (KeyboardInterrupt, SystemExit) as end:
        code = end.code if isinstance(end, SystemExit) else INTERRUPTED
        if interrupts and code:
            print("luigi: interrupted. What is published stays; run the same again for the rest.", file=sys.stderr)  # noqa: T201
            sys.exit(INTERRUPTED)
        # a range speaks for itself; a single day may have been the latest settled one, so name it
        if isinstance(task, DailyTask) and not code and task.complete():
            how = "built now" if built.value else "it was there before, and nothing was built"
            print(f"{task} is there: {how}.")  # noqa: T201 - the command's result
        raise


def _noted_successes() -> "Synchronized[int]":
    """Return what counts the days that are built, be it in other processes."""
    count: Synchronized[int] = multiprocessing.Value("i", 0)

    def note(_task: DailyTask) -> None:
        with count.get_lock():
            count.value += 1

    DailyTask.event_handler(luigi.Event.SUCCESS)(note)
    return count


def _noted_interrupts() -> list[int]:
    """Return a list that each Ctrl-C is added to.

    Luigi may take the interrupted task for a failed one; from then on it is not asked what it thinks. An interrupt
    that comes in what must not raise, such as a finaliser, or `logging`'s lock around a fork, is printed and
    forgotten by Python: that one is raised again a moment later.
    """
    noted: list[int] = []
    otherwise = sys.unraisablehook

    def note(number: int, frame: FrameType | None) -> None:
        noted.append(number)
        logging.getLogger("luigi-interface").disabled = True
        signal.default_int_handler(number, frame)

    def unraisable(ignored: "sys.UnraisableHookArgs") -> None:
        if not issubclass(ignored.exc_type, KeyboardInterrupt):
            otherwise(ignored)
        else:
            signal.setitimer(signal.ITIMER_REAL, AGAIN)

    signal.signal(signal.SIGINT, note)
    signal.signal(signal.SIGALRM, note)
    sys.unraisablehook = unraisable
    return noted


def _task(arguments: list[str]) -> luigi.Task:
    """Return the task that is asked for.

    Raises:
        ConfigError: A value can't be read, or the module isn't there.
        ParameterException: A parameter is missing, or unknown.
    """
    try:
        with CmdlineParser.global_instance(arguments) as parser:
            luigi.interface.core()  # what is asked of Luigi itself, such as --workers
            return parser.get_task_obj()
    except ValueError as error:
        raise ConfigError(f"Bad argument: {error}") from error
    except ModuleNotFoundError as error:
        if error.name not in _names(arguments):
            raise
        raise ConfigError(
            f"--module: Python finds no module {error.name}. If it is in this folder, set PYTHONPATH=. in the "
            "environment."
        ) from error


def _names(arguments: list[str]) -> set[str]:
    """Return what the arguments may mean by a module, and the packages that it is in."""
    texts = [each.removeprefix("--module=").split(".") for each in arguments]
    return {".".join(parts[:n]) for parts in texts for n in range(1, len(parts) + 1)}
