"""The `backfill` command: what it understands. What it does is imported once it is chosen."""

import argparse
import sys
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, NoReturn

from backfill.engines.local.registration import register
from lake.cli import add_command, add_version, chosen, day, printable, run
from lake.errors import ConfigError
from lake.exit_codes import epilog

NIGHTLY_DAYS = 14
UNKNOWN = 3  # to Nagios
HIGHEST = 99_999  # of days, rows, processes and the like; as days, some centuries
SKIPPED = """\
A day that failed max_attempts times ([backfill] in luigi.cfg, 3 by default) with the same raw files, code and
settings is skipped, and named, until one of them is another, or --retry-failed.
"""
LOOKS = "It looks at the lake, not at what the last run said. Days that are settled and not there are late."
FOR_CRON = """\
For cron: it prints nothing and exits 0 if all is well. Two at once do no harm. With late_days in [backfill] of
luigi.cfg it restates so many of the latest days whose raw files came late, and says what that has changed.
"""
COMPARED = """\
The new revision, and those of what is made from it, are built first and compared with the old ones. They are
published if you agree; the old ones stay, readers get the new ones. Reason, previous digest and who asked for it
are in the provenance. One that was cut off is completed by the next one that touches its days, or by --unfinished.
"""
MASKED = "Lines are shown masked, as the lake keeps rejects."
PLAN = """
backfill plan --of ErrorRateDaily --start 2015-05-17
backfill plan --of ErrorRateDaily --start 2015-05-17 --stop 2015-05-21 --json
backfill plan --of ErrorRateDaily --late --stale
"""
RUN = """
backfill run --of ErrorRateDaily --start 2015-05-17 --workers 2
backfill run --of ErrorRateDaily --start 2015-05-17 --order newest --max-failures 3
backfill run --of RequestsDaily --source web --start 2015-05-17 --retry-failed
backfill run --deliver figures --start 2015-05-17
backfill run --of ErrorRateDaily --start 2015-05-17 --stop 2015-05-21 --part 0/4
backfill run --of ErrorRateDaily --start 2015-05-17 --engine spark --workers 8
"""
STATUS = """
backfill status --of ErrorRateDaily --start 2015-05-17 --stop 2015-05-21
backfill status --of ErrorRateDaily --json
backfill status --of RequestsDaily --source web --start 2015-05-17
"""
CHECK = """
backfill check --of ErrorRateDaily
backfill check --of ErrorRateDaily --days 30 --warning 1 --critical 3 --incomplete 2
backfill check --of ErrorRateDaily --unusual
backfill check --of ErrorRateDaily --format prometheus --output /var/lib/prometheus/node-exporter/lake.prom
backfill check --of ErrorRateDaily --start 2015-05-17 --format junit --output days.xml
backfill check --deliver figures
"""
NIGHTLY = """
backfill nightly --of ErrorRateDaily
backfill nightly --of ErrorRateDaily --days 30 --workers 2 --verbose
backfill nightly --of ErrorRateDaily --all-gaps
backfill nightly --of ErrorRateDaily --deliver figures dashboards
"""
RESTATE = """
backfill restate --of RequestsDaily --source web --date 2015-05-18 --reason "the log came late"
backfill restate --of ErrorRateDaily --date 2015-05-18 --reason "the SQL was wrong" --yes
backfill restate --of ErrorRateDaily --late --start 2015-05-17 --reason "logs came late"
backfill restate --of ErrorRateDaily --stale --reason "new health checks" --yes
backfill restate --unfinished
"""
EXPLAIN = """
backfill explain --of ErrorRateDaily --date 2015-05-18
backfill explain --of RequestsDaily --source web --date 2015-05-18
"""
IDENTIFY = """
backfill identify access.log.gz
backfill identify access.log --format combined
backfill identify access.log --source web --lines 20
backfill identify logs/ --raw
"""
REJECTS = """
backfill rejects --source web --date 2015-05-18
backfill rejects --source web --date 2015-05-18 --limit 100
"""
FETCH = """
backfill fetch --source analytics --date 2015-05-18
backfill fetch --source analytics --start 2015-05-17 --stop 2015-05-20
"""
EXAMPLES = """
backfill plan --of ErrorRateDaily --start 2015-05-17
backfill run --of ErrorRateDaily --start 2015-05-17
backfill status --of ErrorRateDaily --start 2015-05-17 --stop 2015-05-21
backfill check --of ErrorRateDaily
backfill nightly --of ErrorRateDaily
backfill explain --of ErrorRateDaily --date 2015-05-18
backfill restate --of ErrorRateDaily --date 2015-05-18 --reason "the SQL was wrong"
backfill identify access.log.gz
backfill rejects --source web --date 2015-05-18
"""


def main() -> None:
    """Run the command and exit with its code."""
    arguments = _parser(sys.argv[1] if len(sys.argv) > 1 else "").parse_args()
    from backfill import options  # noqa: PLC0415 - help doesn't wait for it

    if "deliver" in arguments:
        _complete(arguments, options.DELIVERED_DAILY)
    given = vars(arguments)
    name, kind = given.pop("command"), getattr(options, given.pop("kind"))
    run("backfill", lambda: _done(name, kind(**given)))


def _complete(arguments: argparse.Namespace, delivered: str) -> None:
    """Make sure that it is said of what a command is: --deliver alone says it, too."""
    parser = arguments.__dict__.pop("parser")
    if not arguments.of and not arguments.deliver:
        parser.error("the following arguments are required: --of, or --deliver")
    if not arguments.of and isinstance(arguments.deliver, str):
        arguments.of = delivered


def _done(name: str, asked: object) -> int:
    """Do what is asked and return the exit code; of `check`, UNKNOWN if that can't even be begun."""
    try:
        command = chosen(name, register)
    except ConfigError as error:
        # there is no need of them otherwise
        from backfill import options  # noqa: PLC0415
        from backfill.check import say_unknown  # noqa: PLC0415

        if not isinstance(asked, options.Check):
            raise

        return say_unknown(asked, error)
    return int(command(asked))


class _Parser(argparse.ArgumentParser):
    """A parser that a monitor doesn't misunderstand: to Nagios, 2 is critical and 3 is unknown."""

    def error(self, message: str) -> NoReturn:
        """Exit with 2, and with 3 from `check`."""
        self.print_usage(sys.stderr)
        code = ConfigError.exit_code
        if sys.argv[1:2] == ["check"]:
            code = UNKNOWN
            print(printable(f"{self.prog} UNKNOWN: {message}"))
        self.exit(code, f"{self.prog}: error: {message}\n")


def _add_of(command: argparse.ArgumentParser, *, several: bool = False, required: bool = True) -> None:
    more: dict[str, Any] = {"nargs": "+", "action": "extend", "default": []} if several else {}
    what = "daily tasks, one after the other" if several else "a daily task"
    command.add_argument("--of", metavar="TASK", help=f"{what}, such as ErrorRateDaily", **more)
    command.add_argument("--source", help="the source, for a task of one source")
    if required:
        delivered = "deliveries, after them" if several else "a delivery, in place of a task"
        command.add_argument("--deliver", metavar="NAME", help=f"{delivered}: of [deliver.NAME]", **more)
        command.set_defaults(parser=command)
    command.add_argument("--json", action="store_true", help=f"print one JSON object{' a task' * several}")


def _add_range(command: argparse.ArgumentParser, *, of_required: bool = True) -> None:
    _add_of(command, required=of_required)
    command.add_argument(
        "--start", type=day, metavar="DAY", help="first day, YYYY-MM-DD; default: the first of any source"
    )
    command.add_argument(
        "--stop",
        type=day,
        metavar="DAY",
        help="the day after the last; default: up to the last settled day with an active source",
    )


def _add_part(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--part",
        type=_part,
        metavar="K/N",
        help="only one of N parts of the days, each some days in a row; K counts from 0, as job arrays do",
    )


def _add_raw(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--raw", action="store_true", help="show raw lines, not masked ones: they may hold personal data"
    )


def _add_date(command: argparse.ArgumentParser) -> None:
    command.add_argument("--date", required=True, type=day, metavar="DAY", help="the day, YYYY-MM-DD")


def _add_order(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--order", choices=("oldest", "newest"), default="oldest", help="which to build first; default: oldest"
    )
    command.add_argument("--workers", type=_positive, default=1, metavar="N", help="units at a time; default: 1")


def _add_outdated(command: argparse.ArgumentParser) -> None:
    """Add what finds published days that would be others today."""
    command.add_argument("--late", action="store_true", help="days whose raw files came or changed since")
    command.add_argument("--stale", action="store_true", help="days made by other SQL, contract or settings")
    command.add_argument(
        "--deep", action="store_true", help="with --late: read all raw files, not their sizes only"
    )


def _add_restating(command: argparse.ArgumentParser) -> None:
    _add_range(command, of_required=False)
    command.add_argument("--date", type=day, metavar="DAY", help="the day, YYYY-MM-DD; or --late, --stale or both")
    _add_outdated(command)
    command.add_argument(
        "--unfinished", action="store_true", help="complete restatements that were cut off, with their own reason"
    )
    command.add_argument(
        "--drop-source",
        action="append",
        default=[],
        metavar="NAME",
        help="leave out a source that the published revisions have and luigi.cfg no longer declares",
    )
    command.add_argument(
        "--accept-loss",
        action="store_true",
        help="restate without raw files that a published day was made from and that are gone: this loses requests",
    )
    command.add_argument("--reason", type=_text, help="why, for the provenance; not with --unfinished")
    command.add_argument("--yes", action="store_true", help="publish without asking")


def _add_building(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--engine",
        choices=("local", "spark"),
        default="local",
        help="what builds: this host, or Spark as [spark] in luigi.cfg says; default: local",
    )
    command.add_argument("--retry-failed", action="store_true", help="build what is skipped, too")
    command.add_argument(
        "--max-failures",
        type=_positive,
        metavar="N",
        help="begin no more days once so many failed; default: never",
    )


def _add_night(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--all-gaps", action="store_true", help="build older days that are missing, too; they are named anyway"
    )
    command.add_argument("--workers", type=_positive, default=1, metavar="N", help="units at a time; default: 1")
    command.add_argument("--verbose", action="store_true", help="say what was done even if all is well")


def _add_days(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--days", type=_positive, default=NIGHTLY_DAYS, metavar="N", help=f"the last N; default: {NIGHTLY_DAYS}"
    )


def _add_monitoring(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--format", choices=("nagios", "prometheus", "junit"), default="nagios", help="default: nagios"
    )
    command.add_argument("--warning", type=_positive, default=1, metavar="N", help="late days; default: 1")
    command.add_argument("--critical", type=_positive, default=2, metavar="N", help="late days; default: 2")
    command.add_argument(
        "--incomplete",
        type=_positive,
        default=1,
        metavar="N",
        help="from how many days with incomplete raw logs on it is a warning; default: 1",
    )
    command.add_argument(
        "--unusual",
        action="store_true",
        help="warn if the newest day, or any of a range, is unusual by its own history",
    )
    command.add_argument("--output", metavar="FILE", help="write there, as a whole or not at all")


def _add_log(command: argparse.ArgumentParser) -> None:
    from etl.lines.formats import FORMATS  # noqa: PLC0415 - other commands don't wait for it

    command.add_argument(
        "files",
        metavar="FILE",
        nargs="+",
        help="a log's files, plain, compressed or in archives: also folders, globs, or - for the standard input",
    )
    known = command.add_mutually_exclusive_group()
    known.add_argument("--source", help="don't guess: read it by this source of luigi.cfg")
    known.add_argument("--format", choices=FORMATS, metavar="FORMAT", help=f"don't guess: {', '.join(FORMATS)}")
    command.add_argument("--lines", type=_number, default=10, metavar="N", help="rows to show; default: 10")
    _add_raw(command)


def _add_fetching(command: argparse.ArgumentParser) -> None:
    command.add_argument("--source", required=True, help="a source with fetch in luigi.cfg")
    command.add_argument("--date", type=day, metavar="DAY", help="the day, YYYY-MM-DD")
    command.add_argument("--start", type=day, metavar="DAY", help="in place of --date: the first of several days")
    command.add_argument(
        "--stop", type=day, metavar="DAY", help="the day after the last; default: up to the last settled day"
    )


def _add_rejects(command: argparse.ArgumentParser) -> None:
    command.add_argument("--source", required=True, help="the source")
    _add_date(command)
    command.add_argument("--limit", type=_number, default=20, metavar="N", help="rejects to show; default: 20")
    _add_raw(command)


def _positive(text: str) -> int:
    number = _number(text)
    if not number:
        raise argparse.ArgumentTypeError("0 is too few, expected 1 or more")
    return number


def _part(text: str) -> tuple[int, int]:
    index, slash, of = text.partition("/")
    if not slash:
        raise argparse.ArgumentTypeError(f"{text!r} is no part, expected K/N, such as 0/4 for the first of four")
    part = _number(index), _positive(of)
    if part[0] >= part[1]:
        raise argparse.ArgumentTypeError(f"{text!r} is no part: of {of} parts, the last is {part[1] - 1}/{of}")
    return part


def _text(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("is empty, say why")
    return text.strip()


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is not a number, expected 0 or more")
    if len(text.lstrip("0")) > len(str(HIGHEST)):
        raise argparse.ArgumentTypeError(f"is more than {HIGHEST:,}")
    return int(text)


class _Command(NamedTuple):
    """One of the commands.

    Attributes:
        does: The function that does it, as `module:name`.
        asked: What that takes, of `options`; in lower case, the command's name.
        short: What it is for, in the list of commands.
        description: The same for its own help.
        examples: Those in its help.
        options: What each add some of its options.
        note: What else its help says.
    """

    does: str
    asked: str
    short: str
    description: str
    examples: str
    options: tuple[Callable[[argparse.ArgumentParser], None], ...]
    note: str = ""


COMMANDS = (
    _Command(
        "backfill.range_commands:plan",
        "Plan",
        "what would be built, and why days are not there",
        "Print which days of [start, stop) would be built, in which order, and why the others are not there.",
        PLAN,
        (_add_range, _add_part, _add_order, _add_outdated),
    ),
    _Command(
        "backfill.range_commands:run",
        "Run",
        "build what plan says; exit 0 only when all is there",
        "Build the days of [start, stop) that can be built, and say what came of it.",
        RUN,
        (_add_range, _add_part, _add_order, _add_building),
        SKIPPED,
    ),
    _Command(
        "backfill.range_commands:status",
        "Status",
        "a calendar; exit 0 only when all is there",
        "Print [start, stop) as a calendar, a month a row, and why days are not there.",
        STATUS,
        (_add_range,),
    ),
    _Command(
        "backfill.range_commands:checked",
        "Check",
        "how late the days are, for Nagios, Prometheus or Jenkins",
        "Tell a monitor how many settled days are not there, and how many are incomplete.",
        CHECK,
        (_add_range, _add_days, _add_monitoring),
        LOOKS,
    ),
    _Command(
        "backfill.range_commands:nightly",
        "Nightly",
        "for cron: build what is missing of the last two weeks, and check it",
        "Build the settled days of the last two weeks that are missing, oldest first, and say so if one is not.",
        NIGHTLY,
        (partial(_add_of, several=True), _add_days, _add_building, _add_night),
        FOR_CRON,
    ),
    _Command(
        "backfill.range_commands:restated",
        "Restate",
        "a new revision of a day, after a look at what it changes",
        "Publish a new revision of a day and of what is made from it.",
        RESTATE,
        (_add_restating,),
        COMPARED,
    ),
    _Command(
        "backfill.range_commands:explained",
        "Explain",
        "everything that is known about a day",
        "Print a day's state, its revisions with what they were made from, its attempts, and what depends on it.",
        EXPLAIN,
        (_add_of, _add_date),
    ),
    _Command(
        "backfill.log_commands:identify_log",
        "Identify",
        "which format a log has, and a section for luigi.cfg",
        "Print which format the first 1,000 lines of a log have, what they become, and a section for luigi.cfg.",
        IDENTIFY,
        (_add_log,),
        MASKED,
    ),
    _Command(
        "backfill.log_commands:replay_rejects",
        "Rejects",
        "what a day's rejects are to today's code and settings",
        "Read a day's published rejects again from their raw files, by today's code and settings.",
        REJECTS,
        (_add_rejects,),
    ),
    _Command(
        "backfill.fetch_commands:fetched",
        "Fetch",
        "fetch days of a source again, and say which have changed",
        "Fetch days of a source from the system that has them, be they there or not. What is built stays.",
        FETCH,
        (_add_fetching,),
    ),
)


def _parser(only: str | None = None) -> argparse.ArgumentParser:
    """Return what reads the command line; with the options of one command alone, if it is said which."""
    parser = _Parser(
        prog="backfill",
        description="Build ranges of days, say what is there of them, what a log is, and what its rejects are.",
        epilog=epilog("backfill", EXAMPLES),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_version(parser)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for each in COMMANDS:
        name = each.asked.lower()
        command = add_command(commands, "backfill", name, each.short, each.description, each.examples, each.note)
        for add in each.options if only in {None, name} else ():
            add(command)
        command.set_defaults(command=each.does, kind=each.asked)
    return parser
