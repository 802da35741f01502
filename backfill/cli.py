"""The `backfill` command."""

import argparse
import json
import os
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict
from datetime import date
from pathlib import Path

import luigi

from backfill import report
from backfill.days import DayRange, State
from etl import identify, replay
from etl.formats import FORMATS
from etl.raw_files import RawFile
from lake import config
from lake.cli import run
from lake.errors import ConfigError
from tasks import clock
from tasks.daily import DailyTask, publishing_tasks
from tasks.project import project

STATUS = """\
examples:
  backfill status --of ErrorRateDaily --start 2015-05-17 --stop 2015-05-21
  backfill status --of ErrorRateDaily --json
  backfill status --of RequestsDaily --source web --start 2015-05-17

exit codes:
  0  every day on which a source is active is there
  1  some day is not there
  2  luigi.cfg or an argument is wrong
  3  the lake can't be read
"""
IDENTIFY = """\
Lines are shown masked, as the lake keeps rejects.

examples:
  backfill identify access.log.gz
  backfill identify access.log --format combined
  backfill identify access.log --source web --lines 20

exit codes:
  0  a format reads all lines but 1 % at most; with --source, but max_reject_rate
  1  none does
  2  luigi.cfg or an argument is wrong, or the file can't be read
"""
REJECTS = """\
examples:
  backfill rejects --source web --date 2015-05-18
  backfill rejects --source web --date 2015-05-18 --limit 100

exit codes:
  0  all are still rejects
  1  some are not, or can't be told to be, since the raw file is gone, changed or broken
  2  luigi.cfg or an argument is wrong
  3  the lake can't be read, or the day is not there
"""
EXAMPLES = """\
examples:
  backfill status --of ErrorRateDaily --start 2015-05-17 --stop 2015-05-21
  backfill identify access.log.gz
  backfill rejects --source web --date 2015-05-18

exit codes:
  0  all is well: the days are there, the log is read, the rejects are still rejects
  1  it is not
  2  luigi.cfg or an argument is wrong
  3  the lake can't be read
"""


def main() -> None:
    """Run the command and exit with its code."""
    arguments = _parser().parse_args()
    run("backfill", lambda: arguments.command(arguments))


def status(arguments: argparse.Namespace) -> int:
    """Print the state of every day of a range; return 0 if all is there, else 1."""
    now = clock.utc_now()
    parameters = {"source": arguments.source} if arguments.source else {}
    day = arguments.start or arguments.stop or now.date()
    try:
        example = _daily_task(arguments.of)(date=day, **parameters)
    except luigi.parameter.ParameterException as error:
        raise ConfigError(f"{error}. Give --source with RequestsDaily, and only there.") from error
    days = DayRange.resolve(example, arguments.start, arguments.stop, now)
    found = days.survey_with_input(now)
    counts = Counter(each.state for each in found)
    if arguments.json:
        print(
            json.dumps(
                {
                    "of": example.task_family,
                    "start": days.start,
                    "stop": days.stop,
                    "counts": {state: counts[state] for state in State},
                    "days": [asdict(each) for each in found],
                },
                default=str,
                indent=1,
            )
        )
    else:
        print(days)
        for each in found:
            print(f"{each.date}  {each.state:8}  {each.reason or ''}".rstrip())
        print(", ".join(f"{counts[state]} {state}" for state in State))
    return 0 if counts[State.MISSING] + counts[State.WAITING] == 0 else 1


def identify_log(arguments: argparse.Namespace) -> int:
    """Print what the first lines of a log become; return 0 if nearly all of them are read, else 1."""
    file = RawFile(report.printable(arguments.file), str(Path(arguments.file).absolute()), None)
    head = identify.first_lines(file)
    if arguments.source or arguments.format:
        by_format = {"format": arguments.format}
        source = project().source(arguments.source) if arguments.source else identify.declare(by_format)
        best = identify.read(head, source)
        _print(report.of_known(best, file.name, arguments.lines))
    else:
        readings = identify.identify(head)
        best, files = readings[0], _in_configuration(arguments.file)
        _print(report.of_unknown(readings, head, file.name, files, arguments.lines))
    return 0 if best.is_good else 1


def replay_rejects(arguments: argparse.Namespace) -> int:
    """Print what a day's published rejects are to today's code; return 0 if all are still rejects, else 1."""
    found = project()
    source, day = found.source(arguments.source), arguments.date
    partition = replay.published_rejects(found.lake, source, day)
    tally = replay.tally(replay.replay(found.lake, source, partition), arguments.limit)
    _print(report.of_replay(tally, raw=arguments.raw))
    if tally.days:
        _print(["To restate that, and then the metrics of the same days:"])
        _print(f"  {replay.restatement(found.lake, source, each)}" for each in sorted({day, *tally.days}))
    return 0 if tally.rejects == tally.total else 1


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        print(report.printable(line))


def _in_configuration(path: str) -> str:
    """Return a path as luigi.cfg names it: relative to its folder, unless it is absolute."""
    try:
        folder = config.find().parent
    except ConfigError:  # none so far: it will lie here
        folder = Path.cwd()
    return path if Path(path).is_absolute() else os.path.relpath(path, folder)


def _daily_task(name: str) -> type[DailyTask]:
    known = publishing_tasks()
    if name not in known:
        raise ConfigError(f"No daily task {name!r}. There are: {', '.join(sorted(known))}.")
    return known[name]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="backfill",
        description="What is there of a range of days, what a log is, and what its rejects are now.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(
        name: str, run_it: Callable[[argparse.Namespace], int], short: str, description: str, epilog: str
    ) -> argparse.ArgumentParser:
        command = commands.add_parser(
            name,
            help=short,
            description=description,
            epilog=epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.set_defaults(command=run_it)
        return command

    command = add(
        "status",
        status,
        "a line a day; exit 0 only when all is there",
        "Print the state of every day of [start, stop).",
        STATUS,
    )
    command.add_argument("--of", required=True, metavar="TASK", help="a daily task, such as ErrorRateDaily")
    command.add_argument("--source", help="the source, for a task of one source")
    command.add_argument(
        "--start", type=_day, metavar="DAY", help="first day, YYYY-MM-DD; default: the first of any source"
    )
    command.add_argument(
        "--stop",
        type=_day,
        metavar="DAY",
        help="the day after the last; default: up to the last settled day with an active source",
    )
    command.add_argument("--json", action="store_true", help="print one JSON object")

    command = add(
        "identify",
        identify_log,
        "which format a log has, and a section for luigi.cfg",
        "Print which format the first 1,000 lines of a log have, what they become, and a section for luigi.cfg.",
        IDENTIFY,
    )
    command.add_argument("file", metavar="FILE", help="a log, plain or gzip")
    known = command.add_mutually_exclusive_group()
    known.add_argument("--source", help="don't guess: read it by this source of luigi.cfg")
    known.add_argument("--format", choices=FORMATS, metavar="FORMAT", help=f"don't guess: {', '.join(FORMATS)}")
    command.add_argument("--lines", type=_number, default=10, metavar="N", help="rows to show; default: 10")

    command = add(
        "rejects",
        replay_rejects,
        "what a day's rejects are to today's code and settings",
        "Read a day's published rejects again from their raw files, by today's code and settings.",
        REJECTS,
    )
    command.add_argument("--source", required=True, help="the source")
    command.add_argument("--date", required=True, type=_day, metavar="DAY", help="the day, YYYY-MM-DD")
    command.add_argument("--limit", type=_number, default=20, metavar="N", help="rejects to show; default: 20")
    command.add_argument(
        "--raw", action="store_true", help="show raw lines, not masked ones: they may hold personal data"
    )
    return parser


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is no number, expected 0 or more")
    return int(text)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no day, expected YYYY-MM-DD") from None
