"""What is wrong with days that are there: a restatement was cut off, or a source or lines came that they lack."""

from collections.abc import Collection, Sequence
from datetime import date

from backfill import late
from backfill.days import DayRange, listed
from backfill.outdated import Look
from etl.sources.source import ONE_DAY, Source
from etl.steps import seen
from etl.steps.aggregate import MISSING
from etl.units import Unit, below
from lake import confirmed, restatements
from lake.lake import Lake
from lake.partition import Partition
from lake.provenance import Provenance
from lake.restatements import Begun


def told(begun: Sequence[Begun]) -> list[str]:
    """Say that restatements were begun and not finished, and what completes them."""
    return [f"{each}. To complete it: backfill restate --unfinished" for each in begun]


def concerns(days: DayRange, there: Collection[date]) -> list[str]:
    """Say what is wrong with the published days of a range, a line for each thing, however many days.

    A listing a dataset; footers are opened of days that a source may not be in, or that may be older than their
    inputs, and of no others but those of undated logs. No raw log is looked at: what was found late goes, and what
    was seen of undated logs.

    Args:
        days: The range.
        there: Its published days.

    Raises:
        StoreError: The lake can't be read.
    """
    if not there or not days.example.contracts:  # of a delivery, what it delivers is looked at by itself
        return []
    begun = restatements.unfinished(days.example.project.lake)  # of older days, too: nothing else would name them
    found = told(begun)
    outdated: dict[Unit, list[date]] = {}
    for each in Look().outdated(days):
        if not any(one.touches(each.unit.day, each.unit.day + ONE_DAY) for one in begun):
            outdated.setdefault(each.unit.on(days.start), []).append(each.unit.day)
    came = late.recorded(days)
    for unit, dates in _seen_late(days).items():
        came[unit] = sorted({*came.get(unit, ()), *dates})
    for unit, those in came.items():
        dates = [each for each in those if not any(one.touches(each, each + ONE_DAY) for one in begun)]
        if not dates:
            continue
        found.append(
            f"Raw logs of {unit.title} have come or changed since it was published: {listed(dates)}. "
            f"{_restate(days.example, dates, '--late')}"
        )
    for unit, dates in outdated.items():
        found.append(f"{unit.title} is older than what it is made from: {listed(dates)}. {_restate(unit, dates)}")
    lacking: dict[str, set[date]] = {}
    for source, dates in lacking_sources(days, there).items():
        lacking.setdefault(source.declared_as, set()).update(dates)
    for name, absent in lacking.items():
        found.append(
            _other_layout(days, name, min(absent))
            or f"Source {name} is not in {days.example.title} of days on which it is active: {listed(absent)}. "
            f"{_restate(days.example, absent)}; or correct since and until of [source.{name}]"
        )
    return found


def _seen_late(days: DayRange) -> dict[Unit, list[date]]:
    """Return the published days of which more lines of undated logs were seen since, by kind of unit."""
    found: dict[Unit, list[date]] = {}
    lake = days.example.project.lake
    for kind in below(days.example):
        if not kind.is_extracted or kind.sources()[0].files.is_dated:
            continue
        there = seen.total(seen.last(lake, kind.sources()[0]))
        partitions = [p for p in lake.latest(kind.contract, days.start, days.stop) if p.source in kind.names]
        partitions = [each for each in partitions if str(each.dt) in there]
        again = confirmed.latest(lake, kind.contract, partitions)
        for partition, footer in zip(partitions, lake.footers(partitions), strict=True):
            made = again.get(partition, footer.provenance)
            if there[str(partition.dt)] > made.rows_kept + made.rows_rejected:
                found.setdefault(kind.on(days.start), []).append(partition.dt)
    return found


def lacking_sources(days: DayRange, there: Collection[date]) -> dict[Source, list[date]]:
    """Return the active sources that published days of a range were made without, each with those days.

    That a source had no raw logs is said by the day itself, and is not meant.

    Raises:
        StoreError: The lake can't be read.
    """
    project, example = days.example.project, days.example
    kept = {each.contract for each in below(example) if each.source}
    if not there or example.source or not kept:
        return {}
    first, stop = min(there), max(there) + ONE_DAY
    published = {(each.source, each.dt) for made in kept for each in project.lake.latest(made, first, stop)}
    found: dict[Source, list[date]] = {}
    for source in example.sources():
        lacking = [
            day
            for day in there
            if source.is_active(day) and not any((name, day) in published for name in source.names)
        ]
        if lacking:
            found[source] = sorted(lacking)
    if not found:
        return {}
    wanted = set().union(*found.values())
    partitions = [each for each in project.lake.latest(example.contract, first, stop) if each.dt in wanted]
    footers = zip(partitions, project.lake.footers(partitions), strict=True)
    made = {partition.dt: footer.provenance for partition, footer in footers}
    judged = {
        source: [day for day in dates if not _has(project.lake, made[day], source)]
        for source, dates in found.items()
    }
    return {source: dates for source, dates in judged.items() if dates}


def _other_layout(days: DayRange, declared: str, day: date) -> str | None:
    """Say that a source isn't read in the shards that a day is published in."""
    kept = {each.contract for each in below(days.example) if each.source}
    published = {each.source or "" for made in kept for each in days.example.project.lake.latest_of_day(made, day)}
    its = (each for each in days.example.sources() if each.declared_as == declared and each.is_active(day))
    return next((text for each in its if (text := each.other_layout(day, published))), None)


def _has(lake: Lake, made: Provenance, source: Source) -> bool:
    """Tell whether a day was made with a source, or says that this had no raw logs."""
    if f"{source.declared_as}: {MISSING}" in (made.incomplete or ""):
        return True
    used = {each.source for each in _links(lake, made) if each.source and str(each.dt) == made.dt}
    return not used or bool(source.names_in(used))


def _links(lake: Lake, made: Provenance) -> list[Partition]:
    """Return what a day was made from, down to what is kept per source."""
    links = [found for each in made.inputs if (found := Partition.parse(each.name))]
    if any(each.source for each in links):
        return links
    there = [each for each in links if lake.exists(each)]
    return [link for footer in lake.footers(there) for link in _links(lake, footer.provenance)]


def _restate(unit: Unit, dates: Collection[date], what: str = "--stale") -> str:
    first, stop = min(dates), max(dates) + ONE_DAY
    return f'To restate them: backfill restate {unit.of} {what} --start {first} --stop {stop} --reason "…"'
