"""What a range has to do, and later what came of it."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import cached_property
from types import MappingProxyType

from backfill.attempts import Attempt, Attempts, Outcome
from backfill.days import NO_GAP, TO_BUILD, WAITING, Day, DayRange, State, listed
from backfill.tried import Trial
from etl.units import Unit
from lake import rejected

WAITING_SHOWN = CAUSES_SHOWN = 3
DIGITS = re.compile(r"\d+")


@dataclass(frozen=True)
class Plan:
    """A range as the lake is now, and which of its days to build.

    Attributes:
        range: The range.
        days: All its days.
        chosen: The days to build, in the order wanted.
        now: When it was made.
    """

    range: DayRange
    days: Sequence[Day]
    chosen: Sequence[date]
    now: datetime

    @classmethod
    def of(  # noqa: PLR0913 - each says another thing of what to do
        cls,
        days: DayRange,
        now: datetime,
        attempts: Attempts,
        *,
        max_attempts: int,
        limit: int | None = None,
        newest: bool = False,
    ) -> "Plan":
        """Look at the lake: one listing a dataset, and one of the attempts if anything is missing.

        Args:
            days: The range.
            now: The time, which says what is settled.
            attempts: What became of the task before.
            max_attempts: How often a day may fail before it is skipped; 0 for ever so often.
            limit: How many days to build at most.
            newest: Whether to build the newest first.
        """
        found = days.survey(now)
        missing = {day.date for day in found if day.state is State.MISSING}
        failures = attempts.failures(missing) if missing else {}
        trial, gone = Trial(days.example, failures), days.gone(missing)
        found = [
            Day(day.date, State.GONE, f"gone: it was published on {gone[day.date]:%Y-%m-%d}, and is there no more")
            if day.date in gone
            else day
            for day in found
        ]
        for day, published in gone.items():
            failures[day] = [each for each in failures.get(day, ()) if each.started > published]
        judged = [_judged(day, failures.get(day.date, ()), trial, max_attempts) for day in found]
        chosen = [day.date for day in judged if day.state in TO_BUILD]
        return cls(days, judged, (chosen[::-1] if newest else chosen)[:limit], now)

    @cached_property
    def units(self) -> list[Unit]:
        """The units of the chosen days."""
        return [self.range.unit(day) for day in self.chosen]

    @property
    def not_there(self) -> list[date]:
        """The days that are no gap by right, and not there."""
        return [day.date for day in self.days if day.state not in NO_GAP]

    def with_input(self, *, is_elsewhere: bool = False) -> "Plan":
        """Return the plan after looking for the raw logs of each day to build, see `DayRange.with_input`."""
        days = self.range.with_input(self.days, is_elsewhere=is_elsewhere)
        gone = {day.date for day in days if day.state in WAITING}
        return replace(self, days=days, chosen=[day for day in self.chosen if day not in gone])

    def report(
        self,
        failures: Collection[date],
        no_lines: Mapping[date, str] = MappingProxyType({}),
        below: Mapping[Unit, Collection[date]] = MappingProxyType({}),
        errors: Mapping[date, str] = MappingProxyType({}),
    ) -> str:
        """Say how many days were asked for, built, already there, failed and waiting, and which.

        Args:
            failures: The days of which a unit has failed since the plan was made.
            no_lines: Those of which no raw log has a line yet, with what was said of it.
            below: Of which days something was built that their own unit is made from, by kinds of units.
            errors: Why days failed, where that was not said yet.
        """
        there_before = {day.date for day in self.days if day.state is State.THERE}
        skipped = [day for day in self.days if day.state is State.SKIPPED]
        waits = {day.date: day for day in self.days if day.state is State.NO_INPUT}
        waits |= {day: Day(day, State.NO_INPUT, said) for day, said in no_lines.items()}
        after = [
            waits.get(day.date, day) if day.state is State.MISSING else day
            for day in self.range.survey_with_input(self.now)
        ]
        built = [d.date for d in after if d.state is State.THERE and d.date not in there_before]
        missing = [d.date for d in after if d.state is State.MISSING and d.date not in {s.date for s in skipped}]
        failed = [day for day in missing if day in failures]
        left = [day for day in missing if day not in failures]
        waiting = [d for d in after if d.state in WAITING and d.date not in {s.date for s in skipped}]
        inactive = [d.date for d in after if d.state is State.INACTIVE]
        counts = (
            f"{len(built)} built, {len(there_before)} already there, {len(failed)} failed, "
            f"{len(waiting) + len(left)} waiting"
        ) + (f", {len(skipped)} skipped" if skipped else "")
        lines = [f"{self.range} asked for: {counts}."]
        if inactive:
            lines.append(f"  no source is active on {len(inactive)} of them: {listed(inactive)}")
        if failed:
            lines.append(f"  failed: {listed(failed)}")
            lines += _causes({day: errors[day] for day in failed if day in errors})
        lines += [f"  waiting: {day.date} {day.reason}" for day in waiting[:WAITING_SHOWN]]
        if len(waiting) > WAITING_SHOWN:
            lines.append(f"  waiting too: {listed(day.date for day in waiting[WAITING_SHOWN:])}")
        if left:
            lines.append(f"  waiting for another run (interrupted, or task_limit): {listed(left)}")
            lines += _begun(below, left)
        lines += [f"  {day.date} {day.reason}" for day in skipped[:WAITING_SHOWN]]
        if len(skipped) > WAITING_SHOWN:
            lines.append(f"  skipped too: {listed(day.date for day in skipped[WAITING_SHOWN:])}")
        if skipped:
            days = f"{self.range.example.of} --start {self.range.start} --stop {self.range.stop}"
            lines.append(f"  Skipped days are tried again by: backfill run {days} --retry-failed")
        rejects = rejected.of_days(self.range.made([day for day in after if day.date in {*built}]))
        if rejects:
            lines.append(f"  {rejects[0].lower()}{rejects[1:]}")
        if failed or waiting or left or skipped:
            lines.append("  The range is incomplete. Fix what is named above, and run the same again.")
        elif not built:
            lines.append("  Nothing to do, nothing was rebuilt.")
        return "\n".join(lines)


def _causes(errors: Mapping[date, str]) -> Iterator[str]:
    """Yield why days failed, the same cause once: those that differ in figures only are the same."""
    causes: dict[str, list[date]] = {}
    for day, error in errors.items():
        causes.setdefault(DIGITS.sub("0", error), []).append(day)
    found = sorted(causes.values(), key=len, reverse=True)
    for days in found[:CAUSES_SHOWN]:
        also = f" and {len(days) - 1:,} more" if len(days) > 1 else ""
        yield f"    {days[0]}{also}: {errors[days[0]]}"
    if len(found) > CAUSES_SHOWN:
        yield f"    and {len(found) - CAUSES_SHOWN:,} other causes"


def _begun(below: Mapping[Unit, Collection[date]], left: Collection[date]) -> Iterator[str]:
    """Yield what was published of days that nobody has come to the end of."""
    found = {kind: here for kind, days in below.items() if (here := set(days) & set(left))}
    if found:
        partitions = sum(len(kind.contracts) * len(days) for kind, days in found.items())
        of_days = len(set().union(*found.values()))
        yield f"  published under {of_days:,} of these days: {partitions:,} partitions, which stay"
        yield from (f"    {kind.title}: {listed(days)}" for kind, days in found.items())


def _judged(day: Day, failures: Sequence[Attempt], trial: Trial, max_attempts: int) -> Day:
    """Return a day as its failed attempts make it; those made with something else don't count.

    One that a disk or a server prevented is always tried again, and one of which no log has a line waits for more.
    What another system didn't have yet is asked for again: nothing here tells when it has it.
    """
    if failures and failures[-1].outcome is Outcome.NO_INPUT:
        if trial.is_fetched(failures[-1]):
            return Day(day.date, State.MISSING, failures[-1].error, failures[-1].source)
        waits = max_attempts and trial.has_no_more(failures[-1])
        return Day(day.date, State.NO_INPUT, failures[-1].error, failures[-1].source) if waits else day
    counting = [
        each
        for each in failures
        if each.outcome is Outcome.HINDERED or (each.outcome is Outcome.FAILED and trial.has_same(each))
    ]
    if not counting:
        return day
    failed = [each for each in counting if each.outcome is Outcome.FAILED]
    if max_attempts and len(failed) >= max_attempts:
        reason = f"skipped: failed {times(len(failed))}: {failed[-1].error}"
        return Day(day.date, State.SKIPPED, reason, failed[-1].source)
    return Day(day.date, State.FAILED, f"failed {times(len(counting))}: {counting[-1].error}", counting[-1].source)


def times(count: int) -> str:
    """Return a number of times in words."""
    return {1: "once", 2: "twice"}.get(count, f"{count} times")
