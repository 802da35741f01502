"""The `lake` command: asks the lake, verifies it down to the raw logs, and deletes what is too old."""

import argparse
import sys

from tqdm import tqdm

from etl.sources import read_sources
from etl.verify import RawLogs, rebuilt
from lake import config
from lake.cli import add_commands, day, printable, run
from lake.contracts import CONTRACTS
from lake.errors import ConfigError, StoreError
from lake.lake import Lake
from lake.provenance import requester
from lake.report.command import add_report
from lake.retention import Expired
from lake.verify import Finding, Scope, Verification

EXAMPLES = """\
examples:
  lake ls
  lake sql "select dt, application, valid_requests, error_rate from error_rate order by all"
  lake catalog lake.duckdb
  lake verify --deep
  lake retention --dataset requests --before 2025-01-01

exit codes:
  0  answered; all is well; deleted, or shown what would be
  1  the SQL is wrong, or the answer can't be printed; something in the lake is wrong; what goes is needed
  2  luigi.cfg or an argument is wrong
  3  the lake can't be read
"""
VERIFY = """\
examples:
  lake verify
  lake verify --deep
  lake verify --dataset error_rate --start 2015-05-17 --stop 2015-05-21
  lake verify --rebuild-sample 10

exit codes:
  0  all is well
  1  something is wrong, and is named; nothing is repaired
  2  luigi.cfg or an argument is wrong
  3  the lake can't be read
"""
RETENTION = """\
examples:
  lake retention --dataset requests --before 2025-01-01
  lake retention --dataset requests --before 2025-01-01 --even-if-needed --delete 0f3a9c41d7be --reason "90 days"

exit codes:
  0  nothing is that old; or it is shown, or deleted
  1  something that stays was made from what would go
  2  luigi.cfg or an argument is wrong, the code too
  3  the lake can't be read, or something in it can't be deleted
"""


def main() -> None:
    """Run the command and exit with its code."""
    arguments = _parser().parse_args()
    run("lake", lambda: int(arguments.run(arguments)))


def verify(arguments: argparse.Namespace) -> int:
    """Look at all that was published; print what is wrong, and a summary; return 0 if nothing is, else 1."""
    if arguments.start and arguments.stop and arguments.start >= arguments.stop:
        raise ConfigError(f"--start {arguments.start} is not before --stop {arguments.stop}, which is exclusive.")
    settings = config.read(config.find())
    lake, sources = Lake.of(settings), {each.name: each for each in read_sources(settings)}
    raw_logs = RawLogs(sources, arguments.deep)
    scope = Scope(arguments.dataset, arguments.start, arguments.stop, arguments.deep)
    look = Verification(lake, scope, raw_logs.changed)
    wrong = 0
    with tqdm(total=len(look.partitions), desc="verified", unit=" partitions", leave=False, disable=None) as bar:
        for finding in look.findings(done=bar.update):
            wrong += 1
            bar.clear()
            _say(finding.key, finding.what)
    if not look.partitions and not wrong:  # as of a disk that is not mounted
        raise StoreError(
            f"Nothing is published at {lake.root} of what was asked for. Check [lake] root, and the days."
        )
    same = 0
    for partition, what in rebuilt(lake, sources, look.partitions, arguments.rebuild_sample):
        wrong += isinstance(what, Finding)
        same += what is None
        if what:
            _say(partition.key, what.what if isinstance(what, Finding) else f"not made anew: {what}")
    print(
        f"{len(look.partitions):,} partitions {'read to the last byte' if arguments.deep else 'looked at'}, "
        f"{same:,} of them made anew with the same bytes; {wrong:,} findings. "
        f"{len(raw_logs.gone):,} raw logs are no longer there to compare with."
    )
    return int(wrong > 0)


def retention(arguments: argparse.Namespace) -> int:
    """Print what of a dataset is too old; delete it if its code is given back. Return 0, or 1 if it is needed."""
    lake = Lake.of(config.read(config.find()))
    lake.require()
    expired = Expired.of(lake, arguments.dataset, arguments.before)
    if arguments.delete and not (arguments.reason or "").strip():
        raise ConfigError("Give --reason: why it is deleted, for the record that stays.")
    if arguments.delete not in {None, expired.code}:
        raise ConfigError(
            f"{arguments.delete} is not the code of what would go now. Look at it again, without --delete."
        )
    if not arguments.delete:
        for partition, size in expired.sizes.items():
            _say(partition.key, f"{size:,} bytes")
    print(
        f"{len(expired.sizes):,} partitions of {expired.dataset} before {expired.before}, {expired.bytes:,} "
        f"bytes, and {len(expired.records):,} records of their publication.",
        flush=True,
    )
    if not (expired.sizes or expired.records):
        return 0
    needed = [] if arguments.even_if_needed else list(expired.needed(lake))
    if needed:
        stays, goes = needed[0]
        print(
            f"{len(needed):,} partitions that stay were made from them, such as {stays} from {goes}: they could "
            "no longer be made anew, nor verified down to the raw logs. Nothing was deleted. If that is meant: "
            "--even-if-needed",
            file=sys.stderr,
        )
        return 1
    if not arguments.delete:
        told = " --even-if-needed" if arguments.even_if_needed else ""
        print(
            f"Nothing was deleted. To delete it for good: lake retention --dataset {expired.dataset} "
            f'--before {expired.before}{told} --delete {expired.code} --reason "…"'
        )
        return 0
    with tqdm(total=len(expired.sizes), desc="deleted", unit=" partitions", leave=False, disable=None) as bar:
        record = expired.delete(lake, arguments.reason, requester(), bar.update)
    print(f"Deleted. {lake.root}/{record} says what it was.")
    return 0


def _say(key: str, what: str) -> None:
    print(printable(f"{key}: {what}"), flush=True)


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number.")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lake",
        description="Ask the lake, verify it, and delete what is too old.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    add_commands(commands)
    add_report(commands)
    command = commands.add_parser(
        "verify",
        help="is all that was published still there, unchanged, and made from what it says?",
        description="Look at every partition: its name, size and digest, its footer and contract, what it was "
        "made from, and its sums. Find and name what is wrong; repair nothing.",
        epilog=VERIFY,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("--dataset", choices=sorted(CONTRACTS), help="one dataset; default: all")
    command.add_argument("--start", type=day, metavar="DAY", help="first day; default: the first there is")
    command.add_argument("--stop", type=day, metavar="DAY", help="day after the last; default: after the last")
    command.add_argument("--deep", action="store_true", help="read and hash every byte, raw logs too")
    command.add_argument(
        "--rebuild-sample",
        type=_count,
        default=0,
        metavar="N",
        help="make N partitions anew, chosen at random, and compare the bytes",
    )
    command.set_defaults(run=verify)
    command = commands.add_parser(
        "retention",
        help="show what of a dataset is older than a day, and delete it",
        description="Show what of a dataset is older than a day: all revisions, in all versions of its contract. "
        "With the code that is printed then, delete it for good, after a record of what it was. A day that is "
        "deleted counts as not built: let ranges begin later, by since of its sources.",
        epilog=RETENTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("--dataset", choices=sorted(CONTRACTS), required=True, help="which")
    command.add_argument("--before", type=day, metavar="DAY", required=True, help="the first day that stays")
    command.add_argument(
        "--even-if-needed", action="store_true", help="also if partitions that stay were made from them"
    )
    command.add_argument("--delete", metavar="CODE", help="delete what was shown with this code")
    command.add_argument("--reason", help="why, for the record that stays")
    command.set_defaults(run=retention)
    return parser
