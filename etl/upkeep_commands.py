"""The commands that look after a lake: verify, retention and purge."""

import argparse
import sys

from tqdm import tqdm

from etl import clock
from etl.looks.verify import RawLogs, rebuilt
from etl.sources.sections import read_sources
from etl.steps import purge as steps
from lake import config
from lake.cli import printable
from lake.errors import ConfigError, StoreError
from lake.lake import Lake
from lake.provenance import requester
from lake.retention import Expired, purged
from lake.verify import Finding, Scope, Verification


def verify(arguments: argparse.Namespace) -> int:
    """Look at all that was published; print what is wrong, and a summary; return 0 if nothing is, else 1."""
    _check_days(arguments)
    settings = config.read(config.find())
    lake, sources = Lake.of(settings), {each.name: each for each in read_sources(settings)}
    raw_logs = RawLogs(lake, sources, arguments.deep)
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
            _say(partition.key, what.what if isinstance(what, Finding) else f"not rebuilt: {what}")
    print(
        f"{len(look.partitions):,} partitions {'read to the last byte' if arguments.deep else 'looked at'}, "
        f"{same:,} of them rebuilt with the same bytes; {wrong:,} findings. "
        f"{len(raw_logs.gone):,} raw logs are no longer there to compare with."
    )
    for each in purged(lake.store):
        print(f"{len(each.keys):,} partitions were purged on purpose, by {each.by}: {each.reason} ({each.name})")
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
            "no longer be rebuilt, nor verified down to the raw logs. Nothing was deleted. To delete them "
            "all the same, add --even-if-needed.",
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


def purge(arguments: argparse.Namespace) -> int:
    """Print what leaks; with --yes, replace it. Return 0 if nothing leaks now, else 1."""
    _check_days(arguments)
    if arguments.yes and not (arguments.reason or "").strip():
        raise ConfigError("Give --reason: why it is deleted, for the records that stay.")
    settings = config.read(config.find())
    lake, sources = Lake.of(settings), {each.name: each for each in read_sources(settings)}
    lake.require()
    datasets = [arguments.dataset] if arguments.dataset else list(steps.COLUMNS)
    partitions = steps.to_look_at(lake, datasets, arguments.start, arguments.stop)
    with tqdm(total=len(partitions), desc="looked at", unit=" partitions", leave=False, disable=None) as bar:
        found = list(steps.leaks(lake, sources, partitions, bar.update))
    for each in found:
        known = "" if each.partition.source in sources else "; luigi.cfg doesn't declare its source"
        _say(each.partition.key, f"{each.rows:,} rows hold more than is kept today{known}")
    print(f"{len(found):,} of {len(partitions):,} partitions hold more than is kept today.", flush=True)
    if not found:
        return 0
    if not arguments.yes:
        given = ((f"--{name}", getattr(arguments, name)) for name in ("dataset", "start", "stop"))
        where = "".join(f" {name} {value}" for name, value in given if value)
        print(f'Nothing was changed. To mask them and delete the old bytes: lake purge{where} --yes --reason "…"')
        return 1
    records = steps.purge(lake, sources, found, reason=arguments.reason, by=requester(), now=clock.utc_now())
    for record in records:
        print(f"Purged. {lake.root}/{record} says what it was.")
    *firsts, last = [f"{name}_as_of" for name in dict.fromkeys(each.partition.dataset for each in found)]
    names = f"{', '.join(firsts)} and {last}" if firsts else last
    print(f"Of what is purged, {names} have no rows for a time before now: what readers saw then is gone.")
    return 0


def _check_days(arguments: argparse.Namespace) -> None:
    if arguments.start and arguments.stop and arguments.start >= arguments.stop:
        raise ConfigError(f"--start {arguments.start} is not before --stop {arguments.stop}, which is exclusive.")


def _say(key: str, what: str) -> None:
    print(printable(f"{key}: {what}"), flush=True)
