"""The `backfill` command."""

import argparse
import json
from collections import Counter
from dataclasses import asdict
from datetime import date

import luigi

from backfill.days import DayRange, State
from lake.cli import run
from lake.errors import ConfigError
from tasks import clock
from tasks.daily import DailyTask, publishing_tasks

EXAMPLES = """\
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


def main() -> None:
    """Run the command and exit with its code."""
    arguments = _parser().parse_args()
    run("backfill", lambda: status(arguments))


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


def _daily_task(name: str) -> type[DailyTask]:
    known = publishing_tasks()
    if name not in known:
        raise ConfigError(f"No daily task {name!r}. There are: {', '.join(sorted(known))}.")
    return known[name]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="backfill",
        description="What is there of a range of days, and what is not.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    command = commands.add_parser(
        "status",
        help="a line a day; exit 0 only when all is there",
        description="Print the state of every day of [start, stop).",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
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
    return parser


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no day, expected YYYY-MM-DD") from None
