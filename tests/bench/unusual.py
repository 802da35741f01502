"""Planted unusual days: how many of them `unusual` finds, and how many of the days it names are planted.

    .venv/bin/python tests/bench/unusual.py [APPLICATIONS [SEED]]

Each application has eight weeks of history and then a half year that is judged, day by day. It has from 2,000 to
2,000,000 requests a day, most in the evening of a local time zone whose clocks change in the judged half year, and
on each weekday fewer by a factor of its own. Day by day, its volume varies by a standard deviation of 2 to 8 %,
its error rate by 15 %, and counts by chance. The datasets have UTC days, so a clock change moves an hour of local
traffic over each midnight.

On 5 % of the UTC days something is off, in the history too. On half of these days the volume is 30 to 90 % lower,
or 30 to 150 % higher. On the others the error rate rises, by a factor of 2 to 10 and by 50 errors at least. Four
holidays, declared as events of a local day, have 20 to 60 % fewer requests.

A day is found if a method says that of it which was planted. All else that is said is a false alarm.
"""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import duckdb
import numpy as np
import pyarrow as pa

from lake.catalog.connections import define
from lake.catalog.events import create_table
from lake.catalog.relations import partition_columns, with_partition_columns
from lake.contracts import CONTRACTS

FIRST = date(2026, 7, 6)
HISTORY, JUDGED = 56, 182
ZONES = ("Europe/London", "Europe/Berlin", "America/New_York", "Australia/Sydney")
OF_RATE, SHARE_OFF = 0.15, 0.05
HOLIDAYS = (date(2026, 8, 26), date(2026, 11, 26), date(2026, 12, 25), date(2027, 1, 1))
Said = set[tuple[str, date, str]]
"""What is said: application, day, and `volume` or `error_rate`."""


@dataclass(frozen=True)
class Traffic:
    """An application's days.

    Attributes:
        zone: Its local time zone.
        requests: Of each day.
        errors: The same.
        planted: What is off, by day.
    """

    zone: str
    requests: np.ndarray
    errors: np.ndarray
    planted: dict[date, str]


def days() -> list[date]:
    """Return the days of the history and those that are judged."""
    return [FIRST + timedelta(n) for n in range(HISTORY + JUDGED)]


def changes(zone: str) -> set[date]:
    """Return the days on which the clocks of a time zone change, and the days after them."""
    at = [datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)).utcoffset() for day in days()]
    pairs = zip(days(), at, at[1:], strict=False)
    return {each for day, now, then in pairs if now != then for each in (day, day + timedelta(1))}


def made(seed: int) -> Traffic:
    """Return an application's days; a seed gives the same ones each time."""
    chance = np.random.default_rng((20261201, seed))
    count = HISTORY + JUDGED
    zone = str(chance.choice(ZONES))
    volume = 10 ** chance.uniform(3.3, 6.3) * chance.uniform(0.4, 1, 7)
    noise = chance.uniform(0.02, 0.08)
    of_day = np.array([volume[day.weekday()] for day in days()]) * chance.normal(1, noise, count)
    for n, day in enumerate(days()):
        if day in HOLIDAYS:
            of_day[n] *= chance.uniform(0.4, 0.8)
    volumes = _in_utc(of_day, zone, chance)
    rate = 10 ** chance.uniform(-3, -2) * np.exp(chance.normal(0, OF_RATE, count))
    planted = {}
    for n, day in enumerate(days()):
        if day in touched(zone) or chance.random() >= SHARE_OFF:
            continue
        if chance.random() < 0.5:
            planted[day] = "volume"
            volumes[n] *= chance.uniform(0.1, 0.7) if chance.random() < 0.5 else chance.uniform(1.3, 2.5)
        else:
            planted[day] = "error_rate"
            rate[n] = max(rate[n] * chance.uniform(2, 10), rate[n] + 50 / volumes[n])
    requests = chance.poisson(volumes)
    return Traffic(zone, requests, chance.binomial(requests, np.minimum(1, rate)), planted)


def holiday(day: date, zone: str) -> tuple[datetime, datetime]:
    """Return when a local day begins and ends, in UTC."""
    first, last = (
        datetime(each.year, each.month, each.day, tzinfo=ZoneInfo(zone)).astimezone(UTC).replace(tzinfo=None)
        for each in (day, day + timedelta(1))
    )
    return first, last


@cache
def touched(zone: str) -> frozenset[date]:
    """Return the UTC days that have a part of a holiday."""
    times = [holiday(day, zone) for day in HOLIDAYS]
    return frozenset(at.date() for first, last in times for at in (first, last - timedelta(seconds=1)))


def _in_utc(local: np.ndarray, zone: str, chance: np.random.Generator) -> np.ndarray:
    """Return the volumes of UTC days, of those of local days whose hours peak in the evening."""
    hours = 1 + chance.uniform(0.3, 0.9) * np.cos((np.arange(24) - chance.uniform(17, 21)) / 24 * 2 * np.pi)
    hours /= hours.sum()
    start = datetime(FIRST.year, FIRST.month, FIRST.day)
    found = np.zeros(len(local))
    of_zone = ZoneInfo(zone)
    for n in range(24 * len(local)):
        at = (start + timedelta(hours=n)).replace(tzinfo=UTC).astimezone(of_zone)
        day = min(max((at.date() - FIRST).days, 0), len(local) - 1)
        found[n // 24] += local[day] * hours[at.hour]
    return found


def catalog(cases: dict[str, Traffic]) -> duckdb.DuckDBPyConnection:
    """Return a connection with the lake's macros, in which each case is an application of error_rate."""
    connection = duckdb.connect()
    for name, of in CONTRACTS.items():
        connection.register("nothing", with_partition_columns(of).empty_table())
        connection.execute(f"create table {name} as from nothing")
        connection.execute(f"create table {name}_files as select {', '.join(partition_columns(of))} from nothing")
    create_table(connection, [])
    define(connection)
    zeros = pa.array(np.zeros(HISTORY + JUDGED, dtype=np.int64))
    others = ("client_error_requests", "client_abort_requests", "throttled_requests")
    for name, case in cases.items():
        given = pa.table(
            {
                "dt": days(),
                "application": [name] * len(days()),
                "vantage": ["edge"] * len(days()),
                "requests_total": case.requests,
                "valid_requests": case.requests,
                "server_error_requests": case.errors,
                **dict.fromkeys(others, zeros),
                "rev": zeros.cast(pa.int32()),
            }
        )
        connection.register("given", given)
        connection.execute("insert into error_rate by name from given")
        connection.executemany(
            "insert into events values ($1, 'holiday', $1, [$2], $3, $4)",
            [[f"{day} {name}", name, *holiday(day, case.zone)] for day in HOLIDAYS],
        )
    connection.execute("insert into error_rate_files by name select distinct dt, rev from error_rate")
    return connection


def ours(cases: dict[str, Traffic], connection: duckdb.DuckDBPyConnection) -> Said:
    """Return what `unusual` says."""
    query = "select application, dt, what from unusual($1, $2)"
    found = connection.execute(query, [days()[HISTORY], days()[-1] + timedelta(1)]).fetchall()
    assert {application for application, _, _ in found} <= cases.keys()
    return set(found)


def last_week(cases: dict[str, Traffic], _: duckdb.DuckDBPyConnection) -> Said:
    """Return what differs by more than 25 % from the same day of the week before."""
    return _said(cases, lambda series, n: abs(series[n] / series[n - 7] - 1) > 0.25 if series[n - 7] else False)


def z_score(cases: dict[str, Traffic], _: duckdb.DuckDBPyConnection) -> Said:
    """Return what is more than three standard deviations from the mean of the 28 days before."""
    return _said(cases, lambda series, n: _is_far(series[n], series[n - 28 : n]))


def with_itself(cases: dict[str, Traffic], _: duckdb.DuckDBPyConnection) -> Said:
    """Return what is more than three standard deviations from the mean of 29 days, the last of which it is."""
    return _said(cases, lambda series, n: _is_far(series[n], series[n - 28 : n + 1]))


def of_weekdays(cases: dict[str, Traffic], _: duckdb.DuckDBPyConnection) -> Said:
    """Return what is more than three standard deviations from the mean of the eight same weekdays before."""
    return _said(cases, lambda series, n: _is_far(series[n], series[n - HISTORY : n : 7]))


def _is_far(value: float, among: np.ndarray) -> bool:
    return bool(abs(value - among.mean()) > 3 * among.std(ddof=1))


def _said(cases: dict[str, Traffic], is_off: Callable[[np.ndarray, int], bool]) -> Said:
    """Return the days on which a rule says that the volume or the error rate is off; of rates, only rises."""
    found = set()
    for name, case in cases.items():
        rates = case.errors / np.maximum(1, case.requests)
        for n in range(HISTORY, HISTORY + JUDGED):
            day = days()[n]
            if day not in touched(case.zone) and is_off(case.requests.astype(float), n):
                found.add((name, day, "volume"))
            if rates[n] > rates[n - 7] and is_off(rates, n):
                found.add((name, day, "error_rate"))
    return found


METHODS: dict[str, Callable[[dict[str, Traffic], duckdb.DuckDBPyConnection], Said]] = {
    "`unusual`": ours,
    "±25 % against the week before": last_week,
    "z-score of 28 days": z_score,
    "z-score of 28 days, the day among them": with_itself,
    "z-score of the eight same weekdays": of_weekdays,
}


def judged(cases: dict[str, Traffic]) -> Iterator[tuple[str, dict[str, float]]]:
    """Yield each method with its precision, recall, and false alarms on days of clock changes and others."""
    planted = {
        (name, day, what)
        for name, case in cases.items()
        for day, what in case.planted.items()
        if day >= days()[HISTORY]
    }
    moved = {(name, day) for name, case in cases.items() for day in changes(case.zone) if day >= days()[HISTORY]}
    with catalog(cases) as connection:
        for label, method in METHODS.items():
            said = method(cases, connection)
            false = {(name, day) for name, day, _ in said - planted}
            shares = {
                "precision": len(said & planted) / max(1, len(said)),
                "recall": len(said & planted) / len(planted),
            }
            for what in ("volume", "error_rate"):
                own = {each for each in said if each[2] == what}
                there = {each for each in planted if each[2] == what}
                shares[f"precision of {what}"] = len(own & there) / max(1, len(own))
                shares[f"recall of {what}"] = len(own & there) / len(there)
            shares["false on clock changes"] = len(false & moved) / len(moved)
            shares["false on others"] = len(false - moved) / (len(cases) * JUDGED - len(moved))
            yield label, shares


def main() -> None:
    """Print the table of the documentation."""
    usual = (200, 42_000)
    given = tuple(map(int, sys.argv[1:]))
    count, seed = (*given, *usual[len(given) :])
    cases = {f"app{n}": made(seed + n) for n in range(count)}
    rows = list(judged(cases))
    groups = list(rows[0][1])
    print(f"| method | {' | '.join(groups)} |")
    print(f"|---|{'---|' * len(groups)}")
    for label, shares in rows:
        print(f"| {label} | {' | '.join(f'{shares[group]:.2%}'.replace('%', ' %') for group in groups)} |")


if __name__ == "__main__":
    main()
