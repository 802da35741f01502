"""The commands over days: plan, run, status, check, nightly; restate and explain for one of them."""

import contextlib
import io
import json
import shutil
import sys
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict
from datetime import date, timedelta
from itertools import groupby
from typing import TextIO

from backfill import absent, calendar, check, concerns, explain, gaps, late, options, restate, unusual
from backfill.attempts import NAME, Attempts
from backfill.days import NO_GAP, Day, DayRange, State, listed
from backfill.engines.engine import Engine
from backfill.outdated import Look, Outdated
from backfill.plan import Plan
from backfill.settings import settings
from etl import clock
from etl.project import project
from etl.sources.source import ONE_DAY, latest_settled_day
from etl.units import Unit, names
from lake import rejected, restatements
from lake.cli import printable
from lake.contracts import contract
from lake.errors import ConfigError, InputError, LakeError, RangeIncomplete
from lake.provenance import Provenance, requester

REASONS_SHOWN = 10
COLUMNS_OF_MAIL = 200
COUNTS, COMMAND = " asked for: ", ": backfill "  # in lines that are never cut
LATE = "raw files came late, as the nightly run has found"


def plan(asked: options.Plan) -> int:
    """Print what would be built, in which order, and why the other days are not there; return 0."""
    days, past = _range(asked)
    found = _plan(days, past, newest=asked.order == "newest").with_input()
    seconds = past.seconds_a_day()
    estimate = None if seconds is None else seconds * len(found.chosen) / asked.workers
    old = Look(late=asked.late, stale=asked.stale, deep=asked.deep).outdated(days)
    begun = concerns.told(restatements.unfinished(project().lake, days.start, days.stop))
    if asked.json:
        restate_days = [
            {"of": e.unit.name, "source": e.unit.source, "date": e.unit.day, "reason": e.reason} for e in old
        ]
        _print_json(
            days, found.days, build=found.chosen, restate=restate_days, estimated_seconds=estimate, concerns=begun
        )
        return 0
    print(days)
    if found.chosen:
        took = "; no past run to estimate the time from" if estimate is None else f", about {_duration(estimate)}"
        print(f"To build, {asked.order} first: {len(found.chosen):,} of them{took}")
        print(f"  {listed(found.chosen)}")
        for text in _requirements(days.unit(found.chosen[0])):
            print(f"  {text}")
    else:
        print("Nothing to build.")
    _print_reasons(found.days)
    for text in begun:
        print(printable(text))
    for each in old:
        print(printable(f"{each.unit.day}  {each.reason}: {each.command}"))
    return 0


def run(asked: options.Run) -> int:
    """Build what `plan` says; return 0 if all is there, 1 if not, 128 and the signal's number if stopped."""
    days, past = _range(asked)
    code, _ = _run(days, past, asked, workers=asked.workers, newest=asked.order == "newest", as_json=asked.json)
    return code


def nightly(asked: options.Nightly) -> int:
    """Build the settled days of the last two weeks that are missing, task by task; silent if all is well."""
    ranges = [_latest(each, asked.days) for each in asked.each()]  # so that no wrong name comes after hours
    settings()
    codes = []
    for n, (days, past) in enumerate(ranges, 1):
        try:
            code, stopped = _night(days, past, asked)
        except LakeError as error:
            if days.example.contracts:
                raise
            print(printable(f"{days.example.title}: {error}"), file=_beside(as_json=asked.json), flush=True)
            code, stopped = error.exit_code, None  # of one target, which keeps no other from its days
        codes.append(code)
        if stopped and n < len(ranges):
            return stopped
    return max(codes)


def _night(days: DayRange, past: Attempts, asked: options.Nightly) -> tuple[int, int | None]:
    """Build what is missing of one kind; return the exit code, and that of a command that was stopped."""
    older = gaps.before(days, clock.utc_now())
    if older and asked.all_gaps:
        days, older = DayRange(days.example, older[0], days.stop), []
    said = io.StringIO()
    is_brief = not asked.verbose and not asked.json
    with contextlib.redirect_stdout(sys.stdout if asked.verbose else said):
        code, stopped = _run(days, past, asked, workers=asked.workers, as_json=asked.json, says_errors=is_brief)
        code |= _name_older(days, older, as_json=asked.json)
    anew, late_days = io.StringIO(), settings().late_days
    with contextlib.redirect_stdout(anew):
        if late_days and not stopped and days.example.contracts:
            code |= _restate_late(days, late_days, as_json=asked.json)
    with contextlib.redirect_stdout(sys.stdout if asked.verbose else said):
        code = code or _concerned(days, as_json=asked.json)
    if code and not asked.verbose:
        _tell(days, said.getvalue(), is_cut=is_brief)
    sys.stdout.write(anew.getvalue())
    return code, stopped


def _tell(days: DayRange, said: str, *, is_cut: bool) -> None:
    """Print what a night has said; for people, cut to the terminal, and with what says all of it."""
    if not is_cut:
        sys.stdout.write(said)
        return
    # what a mail of cron leaves out is not to be seen by making it wider
    columns = shutil.get_terminal_size(fallback=(COLUMNS_OF_MAIL, 24)).columns
    for line in said.splitlines():
        if COUNTS in line:
            print(textwrap.fill(line, columns, subsequent_indent="  "))
        else:
            print(line if len(line) <= columns or COMMAND in line else f"{line[: columns - 1]}…")
    print(f"  All of it: backfill status {days.example.of} --start {days.start} --stop {days.stop}")


def _name_older(days: DayRange, older: Sequence[date], *, as_json: bool) -> int:
    """Say which days before a range are not there; return 1 if there are some."""
    if older:
        of = days.example.of
        said = f"{len(older):,} older days are missing: {listed(older)}"
        print(said, f"  To build them: backfill nightly {of} --all-gaps", sep="\n", file=_beside(as_json=as_json))
    return RangeIncomplete.exit_code if older else 0


def _restate_late(days: DayRange, count: int, *, as_json: bool) -> int:
    """Restate those of the latest settled days whose raw files came late, and say what that has changed."""
    unit = days.example
    latest = DayRange(unit, days.stop - timedelta(days=count), days.stop)
    codes = [0]
    with contextlib.redirect_stdout(_beside(as_json=as_json)):
        try:
            found = Look(late=True).outdated(latest)
        except LakeError as error:
            print(printable(f"Can't look for late raw files of {latest}: {error}"))
            return error.exit_code
        asked = options.Restate(
            of=unit.name,
            source=unit.source,
            json=False,
            start=latest.start,
            stop=latest.stop,
            late=True,
            stale=False,
            deep=False,
            date=None,
            unfinished=False,
            drop_source=[],
            accept_loss=False,
            reason=LATE,
            yes=True,
        )
        whole, code = _without_deleted(found)
        codes.append(code)
        for group in restate.groups([each.unit for each in whole]):
            for each in whole:
                if each.unit in group:
                    print(printable(f"{each.unit}  {each.reason}"))
            try:
                codes.append(_restate(_drafted(group, asked), asked))
            except LakeError as error:
                print(printable(f"Not restated: {error}"))
                codes.append(error.exit_code)
    return max(codes)


def _beside(*, as_json: bool) -> TextIO:
    """Return where people are told something, beside an answer that may be JSON."""
    return sys.stderr if as_json else sys.stdout


def status(asked: options.Status) -> int:
    """Print the range as a calendar, and why days are not there; return 0 if all is there, else 1."""
    days, past = _range(asked)
    found = _plan(days, past).with_input().days
    there = {day.date for day in found if day.state is State.THERE}
    lacking, wrong = absent.absent(days, there), concerns.concerns(days, there)
    made = days.made(found)
    lacks, rejects = days.lacking(made), rejected.of_days(made)
    if asked.json:
        of_lacking = [
            {"of": e.unit.name, "source": e.unit.source, "dates": e.days, "gone": e.gone} for e in lacking
        ]
        _print_json(
            days,
            found,
            absent=of_lacking,
            concerns=wrong,
            incomplete={str(day): text for day, text in lacks.items()},
            rejects=_rejects(made),
        )
    else:
        print(days)
        for row in calendar.rows(found, lacks, colours=sys.stdout.isatty()):
            print(row)
        _print_reasons(found)
        _print_groups((day, f"incomplete: {text}") for day, text in lacks.items())
        if rejects:
            print(f"{rejects}.")
        for each in lacking:
            for line in _absent(each):
                print(line)
        for text in wrong:
            print(printable(text))
    return 0 if all(day.state in NO_GAP for day in found) and not wrong else 1


def checked(asked: options.Check) -> int:
    """Print how late the days are, for a monitor; return 0, 1, 2 or 3 as Nagios' plugins do."""
    try:
        days, past = _range(asked) if asked.start or asked.stop else _latest(asked, asked.days)
        found = _plan(days, past).with_input(is_elsewhere=True).days
        lacks = days.lacking(days.made(found))
        there = {day.date for day in found if day.state is State.THERE}
        wrong = concerns.concerns(days, there)
        if asked.unusual:
            wrong += unusual.said(days, there, of_all=bool(asked.start or asked.stop))
        older = [] if asked.start or asked.stop else gaps.before(days, clock.utc_now())
    except Exception as error:  # noqa: BLE001 - whatever it is, a monitor must not take it for a warning
        return check.say_unknown(asked, error)
    finding = check.Finding(
        days.example.name if days.example.contracts else days.example.title,
        found,
        asked.warning,
        asked.critical,
        lacks,
        asked.incomplete,
        wrong,
        days.example.of,
        [*dict.fromkeys(each.declared_as for each in days.example.sources())],
        older,
    )
    texts = {
        "nagios": lambda: printable(check.nagios(finding)) + "\n",
        "prometheus": lambda: check.prometheus(finding, clock.utc_now()),
        "junit": lambda: check.junit(finding),
        "json": lambda: _as_json(
            days,
            found,
            severity=finding.status.name,
            incomplete={str(k): v for k, v in lacks.items()},
            concerns=wrong,
            older=older,
        ),
    }
    text = texts["json" if asked.json else asked.format]()
    if asked.output:
        check.write(asked.output, text)
    else:
        sys.stdout.write(text)
    return finding.status


def restated(asked: options.Restate) -> int:
    """Show what new revisions of days change, and publish them; return 0, or 1 if nobody agreed to one.

    Restatements of these days that were cut off are completed first.
    """
    if asked.of == options.DELIVERED_DAILY:
        raise ConfigError(f"{asked.of} has no revisions. Restate what is delivered, then deliver it.")
    if sum((bool(asked.date), asked.late or asked.stale, asked.unfinished)) != 1:
        raise ConfigError("Give --date, or else --late, --stale or both, which find the days; or --unfinished.")
    if asked.unfinished:
        begun = restatements.unfinished(project().lake, asked.start, asked.stop)
        if not begun and not asked.json:
            print("No restatement is unfinished.")
        return max((_resume(each, asked) for each in begun), default=0)
    if not asked.reason:
        raise ConfigError("Give --reason: why, for the provenance.")
    if asked.date:
        unit = _example(asked, asked.date)
        days = DayRange(unit, unit.day, unit.day + ONE_DAY)
    else:
        days, _ = _range(asked)
    codes = [_resume(each, asked) for each in restatements.unfinished(project().lake, days.start, days.stop)]
    if not asked.json:
        print(days)
    return max(
        [*codes, *(_restate_day(days.example, asked) if asked.date else _restate_found(days, asked))], default=0
    )


def _restate_day(unit: Unit, asked: options.Restate) -> Iterator[int]:
    """Restate a day, and yield the exit code."""
    yield _restate(_drafted([unit], asked), asked)


def _restate_found(days: DayRange, asked: options.Restate) -> Iterator[int]:
    """Restate what is outdated of a range, and yield the exit codes."""
    left = Look(late=asked.late, stale=asked.stale, deep=asked.deep).outdated(days)
    with contextlib.redirect_stdout(_beside(as_json=asked.json)):
        found, code = _without_deleted(left)
    yield code
    if not asked.json:
        print(f"{len(found)} to restate" if found else "Nothing to restate.")
    for group in restate.groups([each.unit for each in found]):
        if not asked.json:
            for each in found:
                if each.unit in group:
                    print(printable(f"{each.unit}  {each.reason}"))
        try:
            code = _restate(_drafted(group, asked), asked)
        except InputError as error:  # which is no reason to leave the other days as they are
            print(printable(f"backfill: {error}"), file=sys.stderr)
            code = error.exit_code
        if not code:
            left = [each for each in left if each.unit not in group]
        yield code
    if asked.late:  # a day that came out equal isn't late any more, though it has no new revision
        late.record(days, left, clock.utc_now())


def _without_deleted(found: Sequence[Outdated]) -> tuple[list[Outdated], int]:
    """Return those that can be restated, and 1 if there are others, which are said: retention deleted of them."""
    whole = [each for each in found if each.is_whole]
    others = [each for each in found if each not in whole]
    for each in others:
        print(printable(f"{each.unit}  {each.reason}"))
        print(f"  Its requests were deleted. Build them again, and then run the same again: {each.command}")
    return whole, RangeIncomplete.exit_code if others else 0


def _drafted(units: Sequence[Unit], asked: options.Restate) -> AbstractContextManager[restate.Restatement]:
    return restate.drafted(
        *(units, asked.reason or "", requester(), asked.drop_source), accepts_loss=asked.accept_loss
    )


def _resume(begun: restatements.Begun, asked: options.Restate) -> int:
    """Complete a restatement that was cut off."""
    if not asked.json:
        print(printable(f"To complete: {begun}"))
    return _restate(restate.resumed(project(), begun, accepts_loss=asked.accept_loss), asked)


def _restate(drafted: AbstractContextManager[restate.Restatement], asked: options.Restate) -> int:
    lake = project().lake
    with drafted as found:
        said = sys.stdout
        if asked.json:
            print(json.dumps([asdict(each) for each in found.changes], default=str))
            said = sys.stderr
        else:
            for line in restate.lines(found):
                print(printable(line))
        if not found.changes:
            found.publish(lake, clock.utc_now())
            print("Nothing differs, so nothing was published.", file=said)
            return 0
        if not asked.yes and not _agreed(f"Publish {len(found.changes)} new revisions?"):
            print("Nothing was published.", file=said)
            return 1
        found.publish(lake, clock.utc_now())
    print("Published. Readers get the new revisions, the old ones stay.", file=said)
    return 0


def explained(asked: options.Explain) -> int:
    """Print everything that is known about a day; return 0."""
    unit = _example(asked, asked.date)
    days = DayRange(unit, asked.date, asked.date + ONE_DAY)
    past = Attempts(project().lake.journal(NAME), unit)
    (day,) = _plan(days, past).with_input().days
    found = explain.explain(unit, day, past, clock.utc_now())
    if asked.json:
        print(json.dumps(asdict(found), default=str, indent=1))
    else:
        for line in explain.lines(found):
            print(printable(line))
    return 0


def _agreed(question: str) -> bool:
    """Tell whether somebody at a terminal says yes.

    Raises:
        ConfigError: There is no terminal to ask at.
    """
    if not sys.stdin.isatty():
        raise ConfigError("There is no terminal to ask at. Look at the differences, then give --yes.")
    return input(f"{question} [y/N] ").strip().lower() in {"y", "yes"}


def _run(  # noqa: PLR0913 - each says another thing of what to do
    days: DayRange,
    past: Attempts,
    how: options.Building,
    *,
    workers: int,
    as_json: bool,
    newest: bool = False,
    says_errors: bool = False,
) -> tuple[int, int | None]:
    """Build what is missing of a range; return the exit code, and that of a command that was stopped."""
    found = _plan(days, past, newest=newest, retry_failed=how.retry_failed)
    if not as_json:
        print(days, flush=True)
    result = _engine(how.engine)(
        found,
        past,
        workers=workers,
        max_failures=how.max_failures,
        say=None if as_json or sys.stderr.isatty() else _say,
        says_errors=not says_errors,
    )
    if as_json:
        after = _plan(days, past, retry_failed=how.retry_failed).with_input().days
        before = {day.date for day in found.days if day.state is State.THERE}
        built = [day for day in after if day.state is State.THERE and day.date not in before]
        _print_json(days, after, built=[day.date for day in built], rejects=_rejects(days.made(built)))
    else:
        print(
            printable(
                found.report(result.failed, result.waiting, result.below, result.errors if says_errors else {})
            ),
            flush=True,
        )
    left = Plan.of(days, clock.utc_now(), past, max_attempts=0)
    if result.stopped and left.not_there:
        print("Stopped. What is published stays; run the same again for the rest.", file=sys.stderr)
        return result.stopped, result.stopped
    return RangeIncomplete.exit_code if left.not_there else 0, result.stopped


def _engine(name: str) -> Engine:
    """Return the engine of a name; only one of them is imported."""
    if name == options.SPARK:
        from backfill.engines.spark import runner as on_spark  # noqa: PLC0415

        return on_spark.run
    from backfill.engines.local import runner as on_luigi  # noqa: PLC0415

    return on_luigi.run


def _concerned(days: DayRange, *, as_json: bool) -> int:
    """Say what is wrong with the days that are there; return 1 if anything is, else 0."""
    now = clock.utc_now()
    published = {day.date for day in days.survey(now) if day.state is State.THERE}
    late.look(days, now)
    wrong = concerns.concerns(days, published)
    for text in wrong:
        print(printable(text), file=sys.stderr if as_json else sys.stdout)
    return int(bool(wrong))


def _range(asked: options.Range) -> tuple[DayRange, Attempts]:
    """Return the days that are asked for, or all that there may be; or a part of them."""
    part = asked.part if isinstance(asked, options.Divided) else None
    if part and not asked.stop:
        raise ConfigError("Give --stop with --part: else a part that begins a day later is of another range.")
    days, past = _resolved(asked, asked.start, asked.stop)
    return days.part(*part) if part else days, past


def _latest(asked: options.Units, count: int) -> tuple[DayRange, Attempts]:
    """Return the last so many settled days."""
    now = clock.utc_now()
    latest = latest_settled_day(_example(asked, now.date()).sources(), now)
    return _resolved(asked, latest - timedelta(days=count - 1), latest + ONE_DAY)


def _resolved(asked: options.Units, start: date | None, stop: date | None) -> tuple[DayRange, Attempts]:
    now = clock.utc_now()
    example = _example(asked, start or stop or now.date())
    return DayRange.resolve(example, start, stop, now), Attempts(project().lake.journal(NAME), example)


def _say(text: str) -> None:
    print(text, flush=True)


def _example(asked: options.Units, day: date) -> Unit:
    known = names()
    if asked.of == options.DELIVERED_DAILY:
        from etl.delivered import Delivered  # noqa: PLC0415 - whoever delivers nothing does without

        if asked.source:
            raise ConfigError(f"{asked.of} is of all sources. Take --source out.")
        return Delivered.of_name(project(), asked.deliver, day)
    if asked.deliver:
        raise ConfigError(
            f"--deliver is of {options.DELIVERED_DAILY}, and not of {asked.of}. Take one of them out."
        )
    if asked.of not in known:
        every = ", ".join(sorted(name for name, dataset in known.items() if project().uses(dataset)))
        if asked.of == options.SNAPSHOT_DAILY:
            raise ConfigError(
                f"{asked.of} is built with what is made of it, one of: {every}. docs/how-to/fetch.md "
                "says how it is fetched alone."
            )
        raise ConfigError(
            f"No daily task {asked.of!r}. There are: {every}." if asked.of else f"Give --of, one of: {every}."
        )
    dataset = known[asked.of]
    if not contract(dataset).per_source:
        if asked.source:
            raise ConfigError(f"{asked.of} is made from all sources. Take --source out.")
        return Unit(project(), dataset, day)
    if not asked.source:
        every = ", ".join(dict.fromkeys(each.declared_as for each in project().sources_of(dataset)))
        raise ConfigError(f"{asked.of} is of one source. Give --source, one of: {every}.")
    return Unit(project(), dataset, day, project().source(asked.source).name)


def _plan(days: DayRange, past: Attempts, *, newest: bool = False, retry_failed: bool = False) -> Plan:
    maximum = 0 if retry_failed else settings().max_attempts
    return Plan.of(days, clock.utc_now(), past, max_attempts=maximum, newest=newest)


def _requirements(unit: Unit) -> Iterator[str]:
    """Yield a unit and what it requires, each once, after what it is made from."""
    for each in _in_order(unit):
        is_there = each.is_published()
        if each != unit or not is_there:
            yield f"{each.day} {each.title}: {'there' if is_there else 'to build'}"


def _in_order(unit: Unit) -> list[Unit]:
    above = [each for required in unit.requires() for each in _in_order(required)]
    return list(dict.fromkeys([*above, unit]))


def _print_reasons(days: Sequence[Day]) -> None:
    """Print the days that are not there with why, those in a row with the same reason together."""
    _print_groups((day.date, day.reason or day.state) for day in days if day.state not in NO_GAP)


def _print_groups(said: Iterable[tuple[date, str]]) -> None:
    """Print days with what is said of them, those in a row of which the same is said together."""
    groups = [(key, [day for day, _ in group]) for key, group in groupby(said, lambda each: each[1])]
    for reason, dates in groups[:REASONS_SHOWN]:
        print(printable(f"{listed(dates)}  {reason}"))
    if len(groups) > REASONS_SHOWN:
        print(f"and {len(groups) - REASONS_SHOWN:,} more; --json has all")


def _as_json(days: DayRange, found: Sequence[Day], **more: object) -> str:
    counts = Counter(each.state for each in found)
    answer = {
        "of": days.example.name,
        "start": days.start,
        "stop": days.stop,
        "counts": {state: counts[state] for state in State},
        "oldest_gap": calendar.oldest_gap(found),
        **more,
        "days": [asdict(each) for each in found],
    }
    return json.dumps(answer, default=str, indent=1) + "\n"


def _rejects(made: Mapping[date, Provenance]) -> dict[str, dict[str, int]]:
    """Return how many rejects of which days show which status."""
    return {str(day): each.reject_statuses for day, each in made.items() if each.reject_statuses}


def _absent(found: absent.Absent) -> Iterator[str]:
    """Yield what is said of datasets that days are complete without, since they came with a later version."""
    unit = found.unit
    if found.days:
        yield f"{unit.title} is not there on {len(found.days):,} of them, and can be built: {listed(found.days)}"
        first, stop = min(found.days), max(found.days) + ONE_DAY
        yield f"  backfill run {unit.of} --start {first} --stop {stop}"
    if found.gone:
        yield (
            f"{unit.title} is not there on {len(found.gone):,} of them, and can't be built, since what it is made "
            f"from was deleted: {listed(found.gone)}"
        )


def _print_json(days: DayRange, found: Sequence[Day], **more: object) -> None:
    print(_as_json(days, found, **more), end="")


def _duration(seconds: float) -> str:
    if seconds < 100:  # noqa: PLR2004 - no longer easy to read in seconds
        return f"{max(seconds, 1):.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"  # noqa: PLR2004
