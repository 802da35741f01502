"""What each command is asked, as `cli` has read it: a value per command, by the names of its options."""

from dataclasses import dataclass
from datetime import date

DELIVERED_DAILY = "DeliveredDaily"
"""The name of the units of deliveries; `etl.units`, which has it too, takes long to import."""
SNAPSHOT_DAILY = "SnapshotDaily"
"""That of the units of what is fetched."""
LOCAL, SPARK = "local", "spark"
"""What builds: Luigi's workers on this host, or what a central scheduler has; or Spark's executors."""


@dataclass(frozen=True, kw_only=True)
class Units:
    """Of which units, and whether the answer is JSON.

    Attributes:
        of: Their name, such as ErrorRateDaily.
        source: Their source, where they are kept per source.
        json: Whether to print JSON.
        deliver: Their delivery, where they are of one.
    """

    of: str
    source: str | None
    json: bool
    deliver: str | None = None

    @property
    def title(self) -> str:
        """What they are called in what is said of them before they are looked at."""
        return f"{self.of} {self.deliver}" if self.deliver else self.of


@dataclass(frozen=True, kw_only=True)
class Range(Units):
    """Which days.

    Attributes:
        start: The first, None for the first of any source.
        stop: The day after the last, None for after the last settled one on which a source is active.
    """

    start: date | None
    stop: date | None


@dataclass(frozen=True, kw_only=True)
class Status(Range):
    """`backfill status`."""


@dataclass(frozen=True, kw_only=True)
class Outdated:
    """Which published days that would be others today, see `outdated.Look`."""

    late: bool
    stale: bool
    deep: bool


@dataclass(frozen=True, kw_only=True)
class Divided(Range):
    """Which days, or which part of them.

    Attributes:
        part: Which part, from 0, and how many there are; None for all days.
    """

    part: tuple[int, int] | None = None


@dataclass(frozen=True, kw_only=True)
class Plan(Divided, Outdated):
    """`backfill plan`.

    Attributes:
        order: "oldest" or "newest", which days to build first.
        workers: How many processes build.
    """

    order: str
    workers: int


@dataclass(frozen=True, kw_only=True)
class Building:
    """What builds, and what to do about days that failed.

    Attributes:
        retry_failed: Whether to build what failed so often that it is skipped.
        max_failures: After how many failed days to begin no more; None for never.
        engine: LOCAL or SPARK, what builds the days.
    """

    retry_failed: bool
    max_failures: int | None
    engine: str = LOCAL


@dataclass(frozen=True, kw_only=True)
class Run(Divided, Building):
    """`backfill run`; see `Plan`."""

    order: str
    workers: int


@dataclass(frozen=True, kw_only=True)
class Nightly(Building):
    """`backfill nightly`.

    Attributes:
        of: The names of units, one after the other.
        source: Their source, where they are kept per source.
        json: Whether to print a JSON object for each.
        days: How many of the latest settled days.
        all_gaps: Whether to build older days that are missing, too.
        workers: How many processes build.
        verbose: Whether to say what was done even if all is well.
        deliver: The deliveries that come after them.
    """

    of: list[str]
    source: str | None
    json: bool
    deliver: list[str]
    days: int
    all_gaps: bool
    workers: int
    verbose: bool

    def each(self) -> list[Units]:
        """Return what is asked for, a name at a time, each once; deliveries last."""
        built = [Units(of=name, source=self.source, json=self.json) for name in dict.fromkeys(self.of)]
        delivered = [
            Units(of=DELIVERED_DAILY, source=None, json=self.json, deliver=name)
            for name in dict.fromkeys(self.deliver)
        ]
        return built + delivered


@dataclass(frozen=True, kw_only=True)
class Check(Range):
    """`backfill check`.

    Attributes:
        days: How many of the latest settled days, where no range is given.
        format: "nagios", "prometheus" or "junit".
        warning: From how many late days on it is a warning.
        critical: From how many on it is critical.
        incomplete: From how many incomplete days on it is a warning.
        unusual: Whether it is a warning that the newest of these days, or any of a range, is unusual.
        output: The file to write, None to print.
    """

    days: int
    format: str
    warning: int
    critical: int
    incomplete: int
    unusual: bool
    output: str | None


@dataclass(frozen=True, kw_only=True)
class Restate(Range, Outdated):
    """`backfill restate`; `of` may be empty, where --unfinished says which days.

    Attributes:
        date: The day, None where the outdated ones are meant, or those of restatements that were cut off.
        unfinished: Whether to complete those.
        drop_source: The sources to leave out, though the published revisions have them.
        accept_loss: Whether to restate days without raw files that they were made from and that are gone.
        reason: Why, for the provenance; None where they say so themselves.
        yes: Whether to publish without asking.
    """

    date: date | None
    unfinished: bool
    drop_source: list[str]
    accept_loss: bool
    reason: str | None
    yes: bool


@dataclass(frozen=True, kw_only=True)
class Explain(Units):
    """`backfill explain`.

    Attributes:
        date: The day.
    """

    date: date


@dataclass(frozen=True, kw_only=True)
class Fetch:
    """`backfill fetch`.

    Attributes:
        source: Of which source.
        start: The first day.
        stop: The day after the last, None for after the last settled one on which the source is active.
        date: The one day in place of those.
    """

    source: str
    start: date | None
    stop: date | None
    date: date | None


@dataclass(frozen=True, kw_only=True)
class Identify:
    """`backfill identify`.

    Attributes:
        files: The log's files, as they were asked for: also folders, globs, and `-` for the standard input.
        source: By which source to read it, None to find out.
        format: By which format, None to find out.
        lines: How many rows to show.
        raw: Whether to show lines as they are.
    """

    files: list[str]
    source: str | None
    format: str | None
    lines: int
    raw: bool


@dataclass(frozen=True, kw_only=True)
class Rejects:
    """`backfill rejects`.

    Attributes:
        source: The source.
        date: The day.
        limit: How many to show.
        raw: Whether to show the lines as they are.
    """

    source: str
    date: date
    limit: int
    raw: bool
