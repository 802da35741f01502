"""Everything that is known about one day of a unit."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from backfill.attempts import Attempt, Attempts
from backfill.days import Day, DayRange, State
from etl.sources.source import ONE_DAY, REQUESTS, active_on
from etl.units import Unit
from lake.digests import DIGITS
from lake.provenance import Provenance
from lake.rejected import shown


@dataclass(frozen=True)
class Published:
    """A revision of one of the day's partitions, by its key, its digest and its provenance."""

    key: str
    sha256: str
    provenance: Provenance


@dataclass(frozen=True)
class Explanation:
    """What is known of a day.

    Attributes:
        task: Of which unit.
        day: Its state, with the reason.
        published: All its revisions.
        attempts: The recorded tries to build it.
        needs: What it is made from, and whether that is there.
        serves: What is made from it, and whether that is there.
        incomplete: What it lacks of its raw logs, None if nothing is known to be missing.
        restate: The command to restate it, None if it is not there.
        rows_are: What lines of its source become: requests, or records.
    """

    task: str
    day: Day
    published: list[Published]
    attempts: list[Attempt]
    needs: list[str]
    serves: list[str]
    incomplete: str | None
    restate: str | None
    rows_are: str = REQUESTS


def explain(unit: Unit, day: Day, past: Attempts, now: datetime) -> Explanation:
    """Look up what is known of a day.

    Raises:
        StoreError: The lake can't be read.
    """
    lake = unit.project.lake
    partitions = [
        partition
        for contract in unit.contracts
        for partition in lake.partitions(contract, day.date, day.date + ONE_DAY)
        if partition.source in unit.names
    ]
    is_active = bool(active_on(unit.sources(), day.date)) or not unit.contracts
    is_there = day.state is State.THERE
    nothing = ["nothing by now: no source is active on it, see since and until in luigi.cfg"] if is_there else []
    days = DayRange(unit, day.date, day.date + ONE_DAY)
    command = f'backfill restate {unit.of} --date {unit.day} --reason "…"'
    return Explanation(
        unit.title,
        day,
        [Published(each.key, lake.sha256(each), lake.provenance(each)) for each in partitions],
        past.of_day(day.date),
        list(_needs(unit, now)) if is_active else nothing,
        [_standing(each) for each in unit.serves()] if is_active else [],
        days.lacking(days.made([day])).get(day.date),
        command if is_there and is_active and unit.contracts else None,
        unit.sources()[0].rows_are if unit.source else REQUESTS,
    )


def lines(found: Explanation) -> Iterator[str]:
    """Yield an explanation for people."""
    yield f"{found.task} {found.day.date}, 1 day"
    reason = found.day.reason
    yield f"It is {found.day.state}." if reason is None else f"It is not there: {reason.removesuffix('.')}."
    for each in found.published:
        yield from ("", each.key, f"  sha256 {each.sha256}", *_made(each.provenance, found.rows_are))
    if found.attempts:
        yield from ("", "Attempts:", *map(_tried, found.attempts))
    yield ""
    if found.incomplete:
        yield f"Incomplete: {found.incomplete}"
    yield from (f"Made from: {each}" for each in found.needs)
    yield from (f"Depends on it: {each}" for each in found.serves)
    if found.restate:
        yield f"To restate it: {found.restate}"


def _made(made: Provenance, rows_are: str) -> Iterator[str]:
    counts = f"{made.rows_read:,} rows read"
    if made.source is not None:
        counts = (
            f"{made.rows_read:,} lines read, {made.rows_kept:,} {rows_are}, {made.rows_rejected:,} rejects, "
            f"{made.rows_of_other_days:,} of other days{f', {made.noise:,} noise' if made.noise else ''}"
        )
    if made.unmapped is not None:
        counts += f"; {made.unmapped:,} of the requests have no application in the source's map"
    yield f"  by error-rate-lake {made.code_version}; {counts}"
    if made.formats:
        shares = (
            f"{name} {count:,} ({count / (made.rows_kept or 1):.1%})" for name, count in made.formats.items()
        )
        yield f"  requests by format: {', '.join(shares)}"
    if made.reason:
        by = f" by {made.requested_by}" if made.requested_by else ""
        yield f"  restated{by}: {made.reason} (instead of {(made.supersedes or 'nothing')[:DIGITS]})"
    for each in made.inputs:
        part = "" if each.lines is None else f", its first {each.lines:,} lines"
        digest = f", sha256 {each.sha256[:DIGITS]}" if each.sha256 else ""
        yield f"  from {each.name}, {each.bytes:,} bytes{part}{digest}"
    if made.reject_statuses:
        yield f"  rejects: {shown(made.reject_statuses)}"
    if made.incomplete:
        yield f"  incomplete: {made.incomplete}"
    for check in made.checks:
        yield f"  checked: {check.name}: {check.result}"


def _tried(each: Attempt) -> str:
    error = f": {each.error}" if each.error else ""
    return f"  {each.started:%Y-%m-%d %H:%M:%S} UTC, {each.seconds:.1f} s, on {each.host}: {each.outcome}{error}"


def _needs(unit: Unit, now: datetime) -> Iterator[str]:
    if unit.is_extracted:
        source = unit.sources()[0]
        if source.asked and not source.files.find(unit.day):
            yield f"a snapshot of {unit.source}, {unit.why_not(now) or 'to be fetched'}"
        else:
            what = "a snapshot" if source.asked else "raw logs"
            yield f"{what} of {unit.source}, {unit.why_not(now) or 'there'}"
    yield from map(_standing, unit.requires())


def _standing(unit: Unit) -> str:
    return f"{unit}, {'there' if unit.is_published() else 'not there'}"
