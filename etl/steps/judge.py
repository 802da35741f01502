"""A source's day is judged by what became of its lines, whether they were read at once or in shards."""

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from functools import cache
from operator import attrgetter

from etl.sources.completeness import Flaw, Severity, silent_hours
from etl.sources.source import ONE_DAY, Source
from etl.steps.answers import Answers
from lake.errors import InputError, NoLines
from lake.provenance import OfShard
from lake.rejected import shown
from lake.silence import listed_hours

REASONS, LOST = attrgetter("reasons"), attrgetter("lost")
EXAMPLES = 3
logger = logging.getLogger(__name__)


def judge_lines(source: Source, day: date, of_day: int, read: int) -> None:
    """Make sure that there are lines of the day.

    Args:
        source: The source.
        day: The day.
        of_day: How many there are.
        read: How many lines its files have.

    Raises:
        InputError: There is none, and luigi.cfg doesn't allow that.
    """
    if of_day or source.allow_empty:
        return
    no_lines, yet = (InputError, "") if source.files.is_dated else (NoLines, " yet")
    raise no_lines(
        f"no input: source {source.declared_as} has not one line of {day}{yet} (looked through {read:,} lines of "
        f"{source.files.of_day(day)}). If a day without {source.rows_are} is right for it, set allow_empty = true."
    )


def judge_rejects(  # noqa: PLR0913 - each is a part of what is said
    source: Source,
    day: date,
    kept: int,
    rejected: int,
    *,
    reasons: Mapping[str, int],
    examples: Sequence[str],
    statuses: Mapping[str, int],
    advice: Callable[[], str],
    which: str = "",
) -> None:
    """Make sure that no more lines are rejects than luigi.cfg allows.

    Args:
        source: The source.
        day: The day.
        kept: How many lines are requests.
        rejected: How many are not.
        reasons: How many of these have which reason, most first.
        examples: The first of them.
        statuses: How many show which status; empty where that tells nothing.
        advice: Returns what to do.
        which: Which lines those are, where they are not all.

    Raises:
        InputError: More are.
    """
    if rejected <= source.max_reject_rate * (kept + rejected):
        return
    why = ", ".join(f"{n:,} {reason}" for reason, n in reasons.items())
    raise InputError(
        f"source {source.declared_as}, {day}: {rejected:,} of {which}{kept + rejected:,} lines are rejects "
        f"({why}{f'; {shown(statuses)}' if statuses else ''}), more than "
        f"max_reject_rate = {source.max_reject_rate:g} allows. {advice()} First ones: {'; '.join(examples)}"
    )


def judge_noise(source: Source, day: date, noise: int, lines: int) -> None:
    """Make sure that no more lines are noise than luigi.cfg allows, of those that describe no log.

    Raises:
        InputError: More are.
    """
    if noise > source.max_noise_rate * lines:
        raise InputError(
            f"source {source.declared_as}, {day}: {noise:,} of {lines:,} lines are noise, more than "
            f"max_noise_rate = {source.max_noise_rate:g} allows. Is noise only what is no access line? If so, "
            f"raise max_noise_rate in [source.{source.declared_as}]."
        )


def judge_applications(source: Source, day: date, applications: int) -> None:
    """Make sure that lines name no more applications than luigi.cfg allows.

    Raises:
        InputError: They do.
    """
    if applications > source.max_applications:
        raise InputError(
            f"source {source.declared_as}, {day}: its lines name more than max_applications = "
            f"{source.max_applications:,} applications. A client asks for whatever host it likes: for "
            "application, take a field that the server fills by its own settings, or a name of your own; or "
            f"raise max_applications in [source.{source.declared_as}]."
        )


def judge_shards(source: Source, day: date, shards: Sequence[OfShard]) -> str | None:
    """Return what a day lacks by what became of the lines of all its shards, which is warned of; None for nothing.

    Args:
        source: One of them, for what luigi.cfg says of all.
        day: The day.
        shards: What became of their lines.

    Raises:
        InputError: They are such that luigi.cfg has the day fail.
    """
    requests, rejects = sum(each.requests for each in shards), sum(each.rejects for each in shards)
    lines = sum(each.lines for each in shards)
    reasons, lost = (sum((Counter(of(each)) for each in shards), Counter[str]()) for of in (REASONS, LOST))
    examples = [example for each in shards for example in each.examples][:EXAMPLES]
    judge_lines(source, day, requests + rejects, lines)
    judge_rejects(
        *(source, day, requests, rejects),
        reasons=dict(reasons.most_common()),
        examples=examples,
        statuses=lost,
        advice=lambda: (
            "Once its files are right, restate it: backfill restate --of ErrorCountsDaily --late "
            f'--start {day} --stop {day + ONE_DAY} --reason "…".'
        ),
    )
    judge_noise(source, day, sum(each.noise for each in shards), lines)
    answers = Answers(
        valid=sum(each.valid for each in shards),
        failed=sum(each.failed for each in shards),
        lost=Counter({int(status): count for status, count in lost.items()}),
        examples=examples,
    )
    by_hour = [*map(sum, zip(*(each.by_hour for each in shards), strict=True))]
    return judge_flaws(source, day, [silence(source, by_hour), lost_answers(source, answers)])


def silence(source: Source, by_hour: Sequence[int]) -> Flaw:
    """Return what is wrong with the hours of a day, by its requests in each."""
    silent = silent_hours(by_hour, source.expected_hours or frozenset())
    return Flaw(
        f"no request in UTC hours {listed_hours(silent)}" if silent else "",
        source.severities.silent_hours,
        "Bring what is missing, or correct expected_hours",
    )


def lost_answers(source: Source, answers: Answers) -> Flaw:
    """Return what the error rate lacks of the answers that rejects show."""
    return Flaw(
        answers.lacking,
        source.severities.rejected_errors if answers.would_move_the_rate else Severity.WARN,
        f"With them, the error rate is out of its interval. First ones: {', '.join(answers.examples)}. Look at "
        "such lines, and correct format",
    )


def judge_flaws(source: Source, day: date, flaws: Sequence[Flaw]) -> str | None:
    """Return what a day lacks, which is warned of; None for nothing.

    Raises:
        InputError: It lacks what luigi.cfg has fail.
    """
    found = [each for each in flaws if each.text]
    for each in found:
        if each.severity is Severity.FAIL:
            raise InputError(
                f"source {source.declared_as}, {day}: {each.text}. {each.advice} in "
                f"[source.{source.declared_as}], or have such days published with a warning, by [completeness] in "
                "luigi.cfg."
            )
    texts = ", ".join(each.text for each in found)
    if found:
        (_warn_once if source.shard else logger.warning)(
            "%s of source %s is incomplete: %s", day, source.declared_as, texts
        )
    return texts or None


@cache
def _warn_once(text: str, *values: object) -> None:
    """Warn of what all shards lack, once a process: they are judged for each dataset that adds them up."""
    logger.warning(text, *values)
