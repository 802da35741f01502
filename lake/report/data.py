"""What a report says: the catalog's answers about a range of days, as plain values."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Any

import duckdb

from lake import rejected
from lake.contracts import CONTRACTS
from lake.errors import ConfigError, StoreError
from lake.lake import Lake
from lake.provenance import Provenance, code_version
from lake.report import INCIDENT_THRESHOLD
from lake.silence import silences

Row = dict[str, Any]
LONGEST_DAYS = 365  # that are shown unless more are asked for
MOST_DAYS = 3660  # ten years: more is a slip of the pen
DAILY_UP_TO = 31  # days; the figures of more than that are shown by month
LEAST_LOST = 5  # requests that fail in an incident, so that 1 of 2 at night is none
MOST_NAMED = 10  # applications, to whoever asked for others
MOVERS_DAYS = 7  # that `movers` sums on each side: the page says how many, and how many of them there are
DAYS = """
    from error_rate_daily
    where dt >= $start and dt < $stop and application glob $applications
    order by application, vantage, dt
"""
# As error_rate_monthly, but cut at the range's ends and of other periods too, for which there is no question.
SUMS = """
    select
        application,
        vantage,
        {period} as period,
        count(*) as days,
        cast(sum(valid_requests) as bigint) as valid_requests,
        cast(sum(server_error_requests) as bigint) as server_error_requests,
        unnest(rate_and_interval(sum(server_error_requests), sum(valid_requests)))
    from error_rate_daily
    where dt >= $start and dt < $stop and application glob $applications
    group by application, vantage, period
    order by application, vantage, period
"""
COMPLETENESS = """
    from completeness
    where dt >= $start and dt < $stop and application glob $applications
    order by application, vantage, dt
"""
BUDGETS = """
    select
        *,
        allowed_error_rate(objective) as allowed_error_rate
    from error_budget
    where dt >= $start and dt < $stop and application glob $applications
    qualify dt = max(dt) over (partition by slo, application, vantage)
    order by budget_left nulls last, slo, application, vantage
"""
INCIDENTS = """
    from incidents($threshold, start := $start, stop := $stop, min_lost := $lost)
    where application glob $applications
    order by server_error_requests desc, started, application, vantage
"""
EVENTS = """
    with shown as (
        select distinct application, vantage
        from error_rate_daily
        where dt >= $start and dt < $stop and application glob $applications
    )

    select shown.application, shown.vantage, events.*
    from events
    inner join shown on slo_covers(events.applications, null, shown.application, null)
    where
        events.started < cast($stop as timestamp)
        and coalesce(events.ended, events.started + interval 1 second) > cast($start as timestamp)
    order by events.started, events.event, shown.application, shown.vantage
"""
MOVERS = """
    from movers(stop := $stop)
    where application glob $applications
    order by abs(difference) desc, application, vantage
"""
APPLICATIONS = """
    select distinct application, application glob $applications as matches
    from error_rate
    order by application
"""
BUILT = "select distinct dt from {dataset}_files where dt >= $start and dt < $stop"
# The two are made of the same requests: where their sums differ, one was restated and the other wasn't.
COUNTED_OTHERWISE = """
    with signed as (
        select dt, application, vantage, valid_requests, server_error_requests
        from error_rate
        where dt >= $start and dt < $stop and application glob $applications
        union all
        select dt, application, vantage, -valid_requests, -server_error_requests
        from error_counts
        where dt >= $start and dt < $stop and application glob $applications
    )

    select dt
    from signed
    group by dt, application, vantage
    having sum(valid_requests) <> 0 or sum(server_error_requests) <> 0
"""


@dataclass(frozen=True)
class Scope:
    """What is asked for.

    Attributes:
        start: The first day.
        stop: The day after the last.
        applications: A glob that their names match.
        incident_threshold: The share of requests of which more fail in each five minutes of an incident.
    """

    start: date
    stop: date
    applications: str = "*"
    incident_threshold: float = INCIDENT_THRESHOLD

    @property
    def days(self) -> list[date]:
        """Each day of it."""
        return [self.start + timedelta(n) for n in range((self.stop - self.start).days)]

    @property
    def period(self) -> str:
        """What figures are summed by: `day`, or `month` if there are many days."""
        return "day" if len(self.days) <= DAILY_UP_TO else "month"


@dataclass(frozen=True)
class Series:
    """An application at a vantage.

    Attributes:
        label: Its name, with the vantage if it is seen at several.
        total: Its counts and rate over all days of the scope.
        days: The row of error_rate_daily of each of the scope's days, None where there is none.
        completeness: What `completeness` says, for each day from its first on.
        allowed_error_rate: The share of requests that may fail by its strictest objective, None if none is set.
        incidents: Its incidents, those with the most failed requests first.
        events: What happened to it, as `events` has it, the first one first.
    """

    application: str
    vantage: str
    label: str
    total: Row
    days: tuple[Row | None, ...]
    completeness: tuple[Row, ...]
    allowed_error_rate: float | None
    incidents: tuple[Row, ...]
    events: tuple[Row, ...]


@dataclass(frozen=True)
class Report:
    """All that a page says.

    Attributes:
        series: Each application at each vantage, the one with the least budget left first.
        periods: Its counts and rate by day or month.
        budgets: The error budget on the last day that the application has in the scope, of each objective.
        movers: Whose rate of the last seven days differs from that of the seven before.
        restatements: What was published as a revision after the first, and why.
        absent: The applications of which there is nothing in these days, but was before.
        days_not_built: Days without error_rate.
        days_without_counts: Days of error_rate without error_counts: of these no incident is known.
        days_counted_otherwise: Days whose error_counts are other counts than those of their error_rate.
        rejects: A sentence on the lines that no rate counts, None if there are none or nobody looked.
        silences: In which hours sources are silent, by day and source.
        weeks_built: How many days there are of the seven that `movers` compares with, and of the last seven.
    """

    scope: Scope
    root: str
    code_version: str
    series: tuple[Series, ...]
    periods: tuple[Row, ...]
    budgets: tuple[Row, ...]
    movers: tuple[Row, ...]
    restatements: tuple[Provenance, ...]
    absent: tuple[str, ...]
    days_not_built: tuple[date, ...]
    days_without_counts: tuple[date, ...]
    days_counted_otherwise: tuple[date, ...]
    rejects: str | None
    silences: dict[date, dict[str, str]]
    weeks_built: tuple[int, int]

    @property
    def published(self) -> int:
        """How many of the days are published."""
        return len(self.scope.days) - len(self.days_not_built)

    @property
    def days_without_incidents(self) -> int:
        """Of how many published days incidents are not known, or not those of the error rates."""
        return len(self.days_without_counts) + len(self.days_counted_otherwise)

    @property
    def knows_incidents(self) -> bool:
        """Whether no incident means that there was none, of some day at least."""
        return any(each.incidents for each in self.series) or self.published > self.days_without_incidents

    @property
    def incidents(self) -> list[tuple[Series, Row]]:
        """All incidents, those with the most failed requests first."""
        found = [(series, each) for series in self.series for each in series.incidents]
        return sorted(
            found, key=lambda pair: (-pair[1]["server_error_requests"], pair[1]["started"], pair[0].label)
        )

    @property
    def events(self) -> list[Row]:
        """The events of any application that is shown, the last one first."""
        found = {each["event"]: each for series in self.series for each in series.events}
        return sorted(found.values(), key=lambda each: (each["started"], each["event"]), reverse=True)


def scope(lake: Lake, start: date | None, stop: date | None, applications: str, threshold: float) -> Scope:
    """Return what is asked for; from the first to the last day that is there, a year at most, unless it is told.

    Raises:
        ConfigError: There is no day or too many, or the threshold is no share.
        StoreError: There is nothing to show, or the lake can't be listed.
    """
    if not 0 <= threshold < 1:
        raise ConfigError(f"--incident-threshold {threshold}: expected a share, 0 to less than 1, such as 0.05.")
    if not (start and stop):
        there = [each.dt for each in lake.latest(CONTRACTS["error_rate"])]
        if not there:
            raise StoreError(
                f"No day of error_rate is published at {lake.root}. "
                "Build one with `luigi ErrorRateDaily`, or correct [lake] root."
            )
        stop = stop or there[-1] + timedelta(1)
        start = start or max(there[0], stop - timedelta(LONGEST_DAYS))
    if start >= stop:
        raise ConfigError(f"{start} is not before {stop}, which is exclusive: there is no day to report on.")
    if (stop - start).days > MOST_DAYS:
        raise ConfigError(f"{start} to {stop} are more than ten years, {MOST_DAYS:,} days. Ask for fewer.")
    return Scope(start, stop, applications, threshold)


def require_applications(connection: duckdb.DuckDBPyConnection, asked: Scope) -> None:
    """Raise ConfigError if there are applications, of any day, but none that is asked for."""
    names = _ask(connection, APPLICATIONS, asked)
    if names and not any(each["matches"] for each in names):
        there = [each["application"] for each in names]
        more = ", …" if len(there) > MOST_NAMED else ""
        raise ConfigError(
            f"--applications {asked.applications!r} matches none of the {len(there):,} there are: "
            f"{', '.join(there[:MOST_NAMED])}{more}."
        )


def gather(lake: Lake, connection: duckdb.DuckDBPyConnection, asked: Scope) -> Report:
    """Return what a catalog's connection, and the lake's own listing, say of a range of days."""
    days = _by_series(_ask(connection, DAYS, asked))
    completeness = _by_series(_ask(connection, COMPLETENESS, asked))
    rates = _built(connection, "error_rate", asked.start, asked.stop)
    counts = _built(connection, "error_counts", asked.start, asked.stop)
    values = {"threshold": asked.incident_threshold, "lost": LEAST_LOST}
    # without counts the question is an error, and the page says so itself
    incidents = _by_series(_ask(connection, INCIDENTS, asked, **values) if counts else [])
    events = _by_series(_ask(connection, EVENTS, asked))
    budgets = _ask(connection, BUDGETS, asked)
    vantages: dict[str, set[str]] = {}
    for application, vantage in completeness | days:
        vantages.setdefault(application, set()).add(vantage)
    totals = _by_series(_ask(connection, SUMS.format(period="null"), asked))
    series = []
    for key in sorted(days):
        application, vantage = key
        of_day = {each["dt"]: each for each in days[key]}
        allowed = [each["allowed_error_rate"] for each in budgets if _key(each) == key]
        series.append(
            Series(
                application,
                vantage,
                f"{application} ({vantage})" if len(vantages[application]) > 1 else application,
                totals[key][0],
                tuple(of_day.get(each) for each in asked.days),
                tuple(completeness.get(key, [])),
                min(allowed, default=None),
                tuple(incidents.get(key, [])),
                tuple(events.get(key, [])),
            )
        )
    made = _made(lake, asked.start, asked.stop)
    otherwise = {each["dt"] for each in _ask(connection, COUNTED_OTHERWISE, asked)}
    weeks = [asked.stop - timedelta(MOVERS_DAYS * n) for n in (2, 1, 0)]
    return Report(
        asked,
        lake.root,
        code_version(),
        tuple(sorted(series, key=lambda each: _urgency(each, budgets))),
        tuple(_ask(connection, SUMS.format(period=f"date_trunc('{asked.period}', dt)"), asked)),
        tuple(budgets),
        tuple(_ask(connection, MOVERS, asked)),
        tuple(_restatements(lake, asked)),
        tuple(f"{application} ({vantage})" for application, vantage in sorted(completeness.keys() - days.keys())),
        tuple(each for each in asked.days if each not in rates),
        tuple(sorted(rates - counts)),
        tuple(sorted(otherwise & rates & counts)),
        rejected.of_days(made),
        silences(made, lambda start, stop: _made(lake, start, stop)),
        (len(_built(connection, "error_rate", *weeks[:2])), len(_built(connection, "error_rate", *weeks[1:]))),
    )


def _ask(connection: duckdb.DuckDBPyConnection, query: str, asked: Scope, **values: float) -> list[Row]:
    """Return the rows about the applications that are asked for."""
    known = {"start": asked.start, "stop": asked.stop, "applications": asked.applications} | values
    # a value that a statement doesn't name is an error
    answer = connection.execute(query, {name: value for name, value in known.items() if f"${name}" in query})
    names = [column[0] for column in answer.description or ()]
    return [dict(zip(names, row, strict=True)) for row in answer.fetchall()]


def _built(connection: duckdb.DuckDBPyConnection, dataset: str, start: date, stop: date) -> set[date]:
    """Return the days of a dataset that are published, also those without a row."""
    return {each["dt"] for each in _ask(connection, BUILT.format(dataset=dataset), Scope(start, stop))}


def _key(row: Row) -> tuple[str, str]:
    return row["application"], row["vantage"]


def _by_series(rows: list[Row]) -> dict[tuple[str, str], list[Row]]:
    """Return rows by application and vantage, each's in their order."""
    found: dict[tuple[str, str], list[Row]] = {}
    for key, group in groupby(sorted(rows, key=_key), _key):
        found[key] = list(group)
    return found


def _urgency(series: Series, budgets: list[Row]) -> tuple[float, float, str]:
    """Return what puts first who has the least budget left, and then who surely fails most."""
    key = (series.application, series.vantage)
    left = [each["budget_left"] for each in budgets if _key(each) == key and each["budget_left"] is not None]
    return min(left, default=float("inf")), -(series.total["error_rate_low"] or 0), series.label


def _made(lake: Lake, start: date, stop: date) -> dict[date, Provenance]:
    """Return how the error rates of days were made."""
    latest = list(lake.latest(CONTRACTS["error_rate"], start, stop))
    return {each.dt: footer.provenance for each, footer in zip(latest, lake.footers(latest), strict=True)}


def _restatements(lake: Lake, asked: Scope) -> list[Provenance]:
    """Return the provenance of each revision after the first, latest day first."""
    revised = [
        each
        for contract in CONTRACTS.values()
        for each in lake.partitions(contract, asked.start, asked.stop)
        if each.revision
    ]
    found = [footer.provenance for footer in lake.footers(revised)]
    return sorted(found, key=lambda each: (each.dt, each.dataset, each.source or "", each.revision), reverse=True)


def begin_of(day: date) -> datetime:
    """Return when a day begins, in UTC, without zone as DuckDB has times."""
    return datetime(day.year, day.month, day.day)  # noqa: DTZ001


def minutes_since(start: date, moment: datetime) -> int:
    """Return how many minutes after a day's beginning a moment (UTC, without zone) is."""
    return int((moment - begin_of(start)) / timedelta(minutes=1))
