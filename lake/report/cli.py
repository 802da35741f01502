"""What the command `lake report` understands."""

import argparse
from pathlib import Path

from lake.cli import add_command, day
from lake.report import INCIDENT_THRESHOLD

EXAMPLES = """
lake report --start 2026-09-01 --stop 2026-10-01 -o september.html
lake report -o report.html --png report.png
lake report --applications 'eu-*' --incident-threshold 0.02 -o eu.html
"""


def add_report(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command `report`."""
    command = add_command(
        commands,
        "lake",
        "report",
        "write a page for people: error rates, budgets, incidents, what is missing",
        "Write one HTML file that needs nothing else: a calendar of days and applications,\n"
        "each application's error rate over time, error budgets, incidents, what changed, and what is\n"
        "missing or was restated. A file that is there is replaced.",
        EXAMPLES,
    )
    command.add_argument(
        "--start", type=day, metavar="DAY", help="first day; default: the first there is, a year ago at most"
    )
    command.add_argument("--stop", type=day, metavar="DAY", help="day after the last; default: after the last")
    command.add_argument(
        "-o", "--output", type=Path, default=Path("report.html"), metavar="FILE", help="default: report.html"
    )
    command.add_argument("--png", type=Path, metavar="FILE", help="write a picture, too, as for a mail")
    command.add_argument(
        "--applications", default="*", metavar="GLOB", help="those whose names match, as 'eu-*'; default: all"
    )
    command.add_argument(
        "--incident-threshold",
        type=float,
        default=INCIDENT_THRESHOLD,
        metavar="SHARE",
        help="of requests that fail in each five minutes of an incident; default: %(default)s",
    )
    command.set_defaults(run="lake.report.command:report")
