"""The `lake` command: asks and verifies the lake, delivers from it, records events, deletes what is too old."""

import argparse

from lake.cli import add_command, add_commands, add_version, chosen, day, run
from lake.datasets import DATASETS
from lake.events import KINDS
from lake.exit_codes import epilog
from lake.report.cli import add_report

EXAMPLES = """
lake ls
lake sql "select dt, application, valid_requests, error_rate from error_rate order by all"
lake catalog lake.duckdb
lake verify --deep
lake retention --dataset requests --before 2025-01-01
"""
VERIFY = """
lake verify
lake verify --deep
lake verify --dataset error_rate --start 2015-05-17 --stop 2015-05-21
lake verify --rebuild-sample 10
lake verify --deliver figures
"""
RETENTION = """
lake retention --dataset requests --before 2025-01-01
lake retention --dataset requests --before 2025-01-01 --even-if-needed --delete 0f3a9c41d7be --reason "90 days"
"""

PURGE = """
lake purge
lake purge --dataset rejects --start 2026-09-01 --stop 2026-10-01
lake purge --yes --reason "addresses in glued lines"
"""
DELIVER = """
lake deliver --to figures --plan
lake deliver --to figures
lake deliver --to figures dashboards --start 2026-09-01
"""
DELIVERED = """
Each day goes there once a revision, with a receipt. A day that was restated is replaced, and no other is touched.
Nothing is built: `backfill run --deliver NAME` builds what is missing, too.
"""
EVENT = """
lake event add "release 512" --kind deploy --application shop
lake event import deploys.csv
lake event list --start 2026-09-01
"""
ADD = """
lake event add "release 512" --kind deploy --application shop
lake event add "bank holiday" --kind holiday --at 2026-12-25 --until 2026-12-26
"""
IMPORT = """
lake event import deploys.csv
lake event import --format grafana - < annotations.json
"""
IMPORTED = """
CSV has a header, and NDJSON the same names: started, kind, name, and if wanted ended and applications.
Of Grafana's annotations (/api/annotations), tags tell the kind and the application (application:shop).
"""
LIST = """
lake event list
lake event list --start 2026-09-17 --stop 2026-09-18
"""
WITHDRAW = """
lake event withdraw 3f0a9c41d7be --reason "it was rolled out on the next day"
"""


def main() -> None:
    """Run the command and exit with its code."""
    arguments = _parser().parse_args()
    if getattr(arguments, "deliver", None):
        arguments.run = "etl.delivery_commands:verify"
    command = chosen(arguments.run)
    run("lake", lambda: int(command(arguments)))


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number.")
    return int(text)


def _add_days(command: argparse.ArgumentParser) -> None:
    command.add_argument("--start", type=day, metavar="DAY", help="first day; default: the first there is")
    command.add_argument("--stop", type=day, metavar="DAY", help="day after the last; default: after the last")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lake",
        description="Query the lake, verify it, deliver from it, and delete what is too old.",
        epilog=epilog("lake", EXAMPLES),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_version(parser)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    add_commands(commands)
    add_report(commands)
    command = add_command(
        commands,
        "lake",
        "verify",
        "is all that was published still there, unchanged, and made from what it says?",
        "Look at every partition: its name, size and digest, its footer and contract, what it was "
        "made from, and its sums. Find and name what is wrong; repair nothing.",
        VERIFY,
    )
    command.add_argument(
        "--dataset", choices=DATASETS, metavar="DATASET", help="one, such as error_rate; default: all"
    )
    _add_days(command)
    command.add_argument("--deep", action="store_true", help="read and hash every byte, raw logs too")
    command.add_argument(
        "--rebuild-sample",
        type=_count,
        default=0,
        metavar="N",
        help="rebuild N partitions, chosen at random, and compare the bytes",
    )
    command.add_argument(
        "--deliver",
        nargs="+",
        metavar="NAME",
        help="compare with what was delivered by [deliver.NAME], and no more",
    )
    command.set_defaults(run="etl.upkeep_commands:verify")
    command = add_command(
        commands,
        "lake",
        "deliver",
        "bring what the lake has to a database or a spreadsheet",
        "Bring days of the lake to the target of [deliver.NAME] in luigi.cfg: those that are not there yet, or "
        "not in their latest revision.",
        DELIVER,
        DELIVERED,
    )
    command.add_argument("--to", nargs="+", required=True, metavar="NAME", help="the deliveries, by their names")
    _add_days(command)
    command.add_argument("--plan", action="store_true", help="say what would be sent, and send nothing")
    command.set_defaults(run="etl.delivery_commands:deliver")
    command = add_command(
        commands,
        "lake",
        "retention",
        "show what of a dataset is older than a day, and delete it",
        "Show what of a dataset is older than a day: all revisions, in all versions of its contract. "
        "With the code that is printed then, delete it for good, after a record of what it was. A day that is "
        "deleted counts as not built: let ranges begin later, by since of its sources.",
        RETENTION,
    )
    command.add_argument(
        "--dataset", choices=DATASETS, metavar="DATASET", required=True, help="which, such as requests"
    )
    command.add_argument("--before", type=day, metavar="DAY", required=True, help="the first day that stays")
    command.add_argument(
        "--even-if-needed", action="store_true", help="also if partitions that stay were made from them"
    )
    command.add_argument("--delete", metavar="CODE", help="delete what was shown with this code")
    command.add_argument("--reason", help="why, for the record that stays")
    command.set_defaults(run="etl.upkeep_commands:retention")
    command = add_command(
        commands,
        "lake",
        "purge",
        "show what holds more than today's masks let through, and replace it",
        "Look at all that is kept of rejected lines and of paths, and name the partitions of which an "
        "earlier version kept more than is kept today. With --yes, publish masked revisions of them, and delete "
        "their old bytes for good, after a record of what they were. No figure changes.",
        PURGE,
    )
    command.add_argument(
        "--dataset",
        choices=("error_breakdown", "rejects", "requests", "source_breakdown"),
        help="one of the four; default: all",
    )
    _add_days(command)
    command.add_argument("--yes", action="store_true", help="do it")
    command.add_argument("--reason", help="why, for the records that stay")
    command.set_defaults(run="etl.upkeep_commands:purge")
    _add_event(commands)
    return parser


def _add_event(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the commands about events."""
    short = "record what happened, such as a deploy, beside the figures that it may explain"
    event = add_command(
        commands,
        "lake",
        "event",
        short,
        "Record what happened: deploys, incidents, holidays. Questions name the events before an error rate "
        "moved, and `release_impact` compares the time after one with the time before it.",
        EVENT,
    )
    commands = event.add_subparsers(required=True, metavar="COMMAND")
    program = event.prog
    command = add_command(
        commands, program, "add", "record one event", "Record one event; twice the same is one.", ADD
    )
    command.add_argument("name", metavar="NAME", help="what people call it, such as 'release 512'; nobody's name")
    command.add_argument("--kind", required=True, choices=KINDS, metavar="KIND", help=", ".join(KINDS))
    command.add_argument("--at", metavar="TIME", help="when it happened or began, in UTC; default: now")
    command.add_argument("--until", metavar="TIME", help="when it was over, if it took some time")
    command.add_argument(
        "--application", nargs="+", metavar="NAME", help="those it is of, or patterns with * and ?; default: all"
    )
    command.set_defaults(run="etl.event_commands:add")
    about = "record the events of a file: CSV, NDJSON, or Grafana's annotations"
    command = add_command(
        commands,
        program,
        "import",
        about,
        "Record the events of a file: CSV, NDJSON, or Grafana's annotations. If one is wrong, none is recorded.",
        IMPORT,
        IMPORTED,
    )
    command.add_argument("file", metavar="FILE", help="such as deploys.csv; - for standard input, with --format")
    command.add_argument(
        "--format", choices=("csv", "ndjson", "grafana"), help="default: by its name, .json is Grafana's"
    )
    command.set_defaults(run="etl.event_commands:import_file")
    command = add_command(commands, program, "list", "list events, with their ids", "List events.", LIST)
    _add_days(command)
    command.set_defaults(run="etl.event_commands:show")
    command = add_command(
        commands,
        program,
        "withdraw",
        "say that an event doesn't stand",
        "Record that an event doesn't stand. Its record stays, and no question shows it any more.",
        WITHDRAW,
    )
    command.add_argument("event", metavar="EVENT", help="its id, as `lake event list` shows it")
    command.add_argument("--reason", required=True, help="why, for the record that stays")
    command.set_defaults(run="etl.event_commands:withdraw")
