"""Planted causes: how often `compare` names the one that is there, and how often one on days that have none.

    .venv/bin/python tests/bench/causes.py [PLANTED [NULL [SEED]]]

Each case is a day of one application against the four same weekdays before, as error_breakdown has them. Traffic
has a long tail of path templates with methods of their own. From day to day, the requests of all vary by 8 %,
those of each path template by 8 % and of each cell (with a method) by 4 %, the error rate of each cell by 15 %,
and counts by chance. A planted cause makes more errors in one segment, a path template, a method or a template
with a method: its error rate rises, or its requests do, where its error rate is three times the usual or more.
It has at least 30 errors more than usual, and 5 to 25 standard deviations of what the segment's errors are on
other days, chance and all the above included; half of the days are at less than 11. It can be told from its
neighbours: had the other methods of the path template had it as well (or not, where it is the whole template),
there were 5 errors more (or fewer), or, where requests rise, others have 20 at least.

Right is a first segment that has the planted one's requests and no others. The same cases are given to what most
would ask, and to Adtributor (Bhagwan et al., Adtributor: Revenue Debugging in Advertising Systems, NSDI 2014),
once as published and once with path template and method as a third attribute.
"""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import duckdb
import numpy as np
import pyarrow as pa

from lake.catalog.connections import define
from lake.catalog.events import create_table
from lake.catalog.relations import partition_columns, with_partition_columns
from lake.contracts import CONTRACTS

METHODS = ("GET", "POST", "PUT", "DELETE", "HEAD")
KINDS = ("template", "method", "pair")
DAY = date(2026, 9, 17)
DAYS = (*(DAY - timedelta(weeks=n) for n in (4, 3, 2, 1)), DAY)
FEWEST = 5
"""Requests that a path template needs on a day for error_breakdown to name it."""
OF_ALL, OF_TEMPLATE, OF_CELL, OF_RATE = 0.08, 0.08, 0.04, 0.15
Segment = tuple[str | None, str | None]


@dataclass(frozen=True)
class Case:
    """An application's days.

    Attributes:
        cells: Path template and method of each cell.
        requests: Of each day (the last is the one asked about), of each cell.
        errors: The same.
        cause: What was planted: a path template, a method or both; None on a null day.
        moved_by: `rate` or `mix`, empty on a null day.
    """

    cells: tuple[tuple[str, str], ...]
    requests: np.ndarray
    errors: np.ndarray
    cause: Segment | None
    moved_by: str

    @property
    def before(self) -> tuple[np.ndarray, np.ndarray]:
        """Requests and errors of each cell in the days before."""
        return self.requests[:-1].sum(axis=0), self.errors[:-1].sum(axis=0)

    @property
    def after(self) -> tuple[np.ndarray, np.ndarray]:
        """Requests and errors of each cell on the day."""
        return self.requests[-1], self.errors[-1]

    def of(self, segment: Segment) -> np.ndarray:
        """Return which cells with any requests are in a segment."""
        template, method = segment
        return np.array([template in (None, t) and method in (None, m) for t, m in self.cells], dtype=bool) & (
            self.requests.sum(axis=0) > 0
        )


def noise(chance: np.random.Generator, sigma: float, shape: tuple[int, ...]) -> np.ndarray:
    """Return factors around 1 with a relative deviation."""
    return np.exp(chance.normal(-(sigma**2) / 2, sigma, shape))


def made(seed: int, *, planted: bool) -> Case:
    """Return a case; a seed gives the same one each time."""
    chance = np.random.default_rng((20261130, seed, planted))
    while True:
        found = _drawn(chance, planted=planted)
        if found:
            return found


def _drawn(chance: np.random.Generator, *, planted: bool) -> Case | None:
    """Return a case, or None where the application has no segment for the cause that was drawn."""
    count = int(chance.integers(40, 400))
    daily = 10 ** chance.uniform(4.3, 6.3)
    popularity = chance.permutation(1 / np.arange(1, count + 1) ** chance.uniform(0.8, 1.3))
    common = 10 ** chance.uniform(-3, -2)
    cells, volumes, rates, template_of = [], [], [], []
    for n, share in enumerate(popularity / popularity.sum()):
        others = chance.choice(METHODS[1:], int(chance.integers(0, 3)), replace=False, p=[0.6, 0.15, 0.1, 0.15])
        parts = chance.dirichlet([4, *[1] * len(others)])
        rate = min(0.3, common * np.exp(chance.normal(0, 1)))
        for method, part in zip(("GET", *others), parts, strict=True):
            cells.append((f"/page/{n}", str(method)))
            volumes.append(daily * share * part)
            rates.append(min(0.5, rate * np.exp(chance.normal(0, 0.5))))
            template_of.append(n)
    volume, rate, owner = np.array(volumes), np.array(rates), np.array(template_of)
    days = len(DAYS)
    requests = volume * noise(chance, OF_ALL, (days, 1)) * noise(chance, OF_CELL, (days, len(volume)))
    requests *= noise(chance, OF_TEMPLATE, (days, count))[:, owner]
    daily_rate = np.minimum(1, rate * noise(chance, OF_RATE, (days, len(volume))))
    cause, moved_by = None, ""
    if planted:
        cause, moved_by = _planted(chance, cells, volume, rate, requests, daily_rate)
        if cause is None:
            return None
    counts = chance.poisson(requests)
    errors = chance.binomial(counts, daily_rate)
    return _named(Case(tuple(cells), counts, errors, cause, moved_by))


def _planted(  # noqa: PLR0913, PLR0917 - all that is to be changed
    chance: np.random.Generator,
    cells: list[tuple[str, str]],
    volume: np.ndarray,
    rate: np.ndarray,
    requests: np.ndarray,
    daily_rate: np.ndarray,
) -> tuple[Segment | None, str]:
    """Change the last day, and return what was changed, or None where nothing can be."""
    kind, moved_by = str(chance.choice(KINDS)), str(chance.choice(["rate", "mix"]))
    strength = float(np.exp(chance.uniform(np.log(5), np.log(25))))
    all_rate = (volume * rate).sum() / volume.sum()
    for place in chance.permutation(len(cells))[:200]:
        template, method = cells[place]
        segment: Segment = {"template": (template, None), "method": (None, method)}.get(kind, (template, method))
        of = np.array([segment[0] in (None, t) and segment[1] in (None, m) for t, m in cells])
        own = volume[of].sum()
        own_rate = (volume * rate)[of].sum() / own
        sd = np.sqrt(_variance(volume[of], rate[of]))
        excess = max(30.0, strength * sd)
        if own > 0.5 * volume.sum():
            continue
        # what the cause leaves out of a path template, or its smaller parts: without, it could not be told from it
        others = np.array([t == template for t, _ in cells]) & (np.arange(len(cells)) != place)
        if kind == "template":
            others = of & (np.arange(len(cells)) != np.flatnonzero(of)[volume[of].argmax()])
        told_apart = others if kind != "method" else of
        if kind == "method" and (own > 0.5 * volume.sum() or (volume * rate)[of].max() > 0.5 * own * own_rate):
            continue
        more = excess / (own * own_rate)
        if moved_by == "rate" and own_rate * (1 + more) < 0.5 and (volume * rate)[told_apart].sum() * more >= 5:
            daily_rate[-1, of] = np.minimum(1, daily_rate[-1, of] * (1 + more))
            return segment, moved_by
        growth = 1 + excess / (own * (own_rate - all_rate)) if own_rate >= 3 * all_rate else np.inf
        if moved_by == "mix" and growth * own < 0.5 * volume.sum() and min(own, volume[told_apart].sum()) >= 20:
            requests[-1, of] *= growth
            return segment, moved_by
    return None, ""


def _variance(volume: np.ndarray, rate: np.ndarray) -> float:
    """Return that of a segment's errors of a day: by chance, and by what varies from day to day."""
    errors = volume * rate
    of_cells = (OF_CELL**2 + OF_RATE**2 + OF_TEMPLATE**2) * (errors**2).sum()
    return float(errors.sum() + of_cells + (OF_ALL * errors.sum()) ** 2)


def _named(case: Case) -> Case:
    """Return a case with what error_breakdown names, and the rest in `(other)`."""
    templates = np.array([t for t, _ in case.cells])
    rows: dict[tuple[str, str], list[np.ndarray]] = {}
    zero = np.zeros(len(DAYS), dtype=int)
    for n, (template, method) in enumerate(case.cells):
        is_named = case.requests[:, templates == template].sum(axis=1) >= FEWEST
        for name, part in ((template, is_named), ("(other)", ~is_named)):
            requests, errors = rows.setdefault((name, method), [zero, zero])
            rows[name, method] = [requests + case.requests[:, n] * part, errors + case.errors[:, n] * part]
    kept = {cell: pair for cell, pair in rows.items() if pair[0].any()}
    requests, errors = (np.array([pair[n] for pair in kept.values()]).T for n in (0, 1))
    return Case(tuple(kept), requests, errors, case.cause, case.moved_by)


def catalog(cases: dict[str, Case]) -> duckdb.DuckDBPyConnection:
    """Return a connection with the lake's macros, in which each case is an application of error_breakdown."""
    connection = duckdb.connect()
    for name, of in CONTRACTS.items():
        connection.register("nothing", with_partition_columns(of).empty_table())
        connection.execute(f"create table {name} as from nothing")
        connection.execute(f"create table {name}_files as select {', '.join(partition_columns(of))} from nothing")
    create_table(connection, ())  # of events
    define(connection)
    for name, case in cases.items():
        connection.register("given", _rows(name, case))
        connection.execute("insert into error_breakdown by name from given")
    connection.execute("insert into error_breakdown_files by name select distinct dt, rev from error_breakdown")
    return connection


def _rows(name: str, case: Case) -> pa.Table:
    days, cells = np.nonzero(case.requests)
    requests, errors = case.requests[days, cells], case.errors[days, cells]
    size = len(days)
    zeros = np.zeros(size, dtype=np.int64)
    return pa.table(
        {
            "dt": [DAYS[n] for n in days],
            "hour": [datetime(DAYS[n].year, DAYS[n].month, DAYS[n].day) for n in days],
            "application": [name] * size,
            "vantage": ["edge"] * size,
            "path_template": [case.cells[n][0] for n in cells],
            "method": [case.cells[n][1] for n in cells],
            "status": zeros.astype(np.int16),
            "requests_total": requests,
            "valid_requests": requests,
            "server_error_requests": errors,
            **dict.fromkeys(
                (
                    "health_check_requests",
                    "synthetic_requests",
                    "client_error_requests",
                    "client_abort_requests",
                    "throttled_requests",
                ),
                zeros,
            ),
            "rev": zeros.astype(np.int32),
        }
    )


def ours(cases: dict[str, Case], connection: duckdb.DuckDBPyConnection) -> dict[str, list[Segment]]:
    """Return the segments that `why` names, of all cases at once."""
    query = (
        "select application, nullif(path_template, '(any)'), nullif(method, '(any)') from why(null, $1) "
        "where path_template != '(rest)'"
    )
    found: dict[str, list[Segment]] = {name: [] for name in cases}
    for name, template, method in connection.execute(query, [DAY]).fetchall():
        found[name].append((template, method))
    return found


def most_errors(cases: dict[str, Case], _: duckdb.DuckDBPyConnection) -> dict[str, list[Segment]]:
    """Return what `group by path_template, method order by errors desc limit 1` names on the day."""
    return {name: [case.cells[int(case.after[1].argmax())]] for name, case in cases.items()}


def most_errors_more(cases: dict[str, Case], _: duckdb.DuckDBPyConnection) -> dict[str, list[Segment]]:
    """Return the cell with the largest growth of errors over the mean of the days before."""
    found = {}
    for name, case in cases.items():
        growth = case.after[1] - case.before[1] / (len(DAYS) - 1)
        found[name] = [case.cells[int(growth.argmax())]]
    return found


def adtributor(cases: dict[str, Case], *, has_pairs: bool = False) -> dict[str, list[Segment]]:
    """Return the elements of the attribute that Adtributor ranks first, for the derived measure errors / requests.

    With the paper's thresholds: an element must explain 10 % of the change, a set of them 67 %. Forecasts are the
    means of the days before. The surprise of a derived measure is the sum of those of its two.
    """
    return {name: _adtributed(case, has_pairs=has_pairs) for name, case in cases.items()}


def _adtributed(case: Case, *, has_pairs: bool) -> list[Segment]:
    attributes: list[Callable[[str, str], Segment]] = [lambda t, _: (t, None), lambda _, m: (None, m)]
    if has_pairs:
        attributes.append(lambda t, m: (t, m))
    expected = [counts / (len(DAYS) - 1) for counts in case.before]
    candidates = []
    for attribute in attributes:
        keys = [attribute(*cell) for cell in case.cells]
        elements = sorted(set(keys), key=str)
        index = np.array([elements.index(key) for key in keys])
        of = [np.bincount(index, counts, len(elements)) for counts in (*expected, *case.after)]
        requests_f, errors_f, requests_a, errors_a = of
        moved = (errors_a - errors_f) * requests_f.sum() - (requests_a - requests_f) * errors_f.sum()
        power = moved / (requests_f.sum() * (requests_f.sum() + requests_a - requests_f))
        power /= power.sum()
        surprise = _surprise(requests_f, requests_a) + _surprise(errors_f, errors_a)
        chosen, explained, surprised = [], 0.0, 0.0
        for n in np.argsort(-surprise):
            if power[n] > 0.1:
                chosen.append(elements[n])
                explained += power[n]
                surprised += surprise[n]
            if explained > 0.67:
                candidates.append((surprised, chosen))
                break
    return max(candidates, key=lambda each: each[0])[1] if candidates else []


def _surprise(forecast: np.ndarray, actual: np.ndarray) -> np.ndarray:
    p, q = forecast / forecast.sum(), actual / actual.sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        return 0.5 * (
            np.where(p > 0, p * np.log(2 * p / (p + q)), 0) + np.where(q > 0, q * np.log(2 * q / (p + q)), 0)
        )


METHODS_COMPARED: dict[str, Callable[[dict[str, Case], duckdb.DuckDBPyConnection], dict[str, list[Segment]]]] = {
    "`why`": ours,
    "most errors (`group by … order by errors desc`)": most_errors,
    "most errors more than before": most_errors_more,
    "Adtributor": lambda cases, _: adtributor(cases),
    "Adtributor, with the pair as an attribute": lambda cases, _: adtributor(cases, has_pairs=True),
}


def cases_of(planted: int, null: int, seed: int) -> dict[str, Case]:
    """Return so many cases of each kind, by name."""
    found = {f"planted-{n}": made(seed + n, planted=True) for n in range(planted)}
    return found | {f"null-{n}": made(seed + n, planted=False) for n in range(null)}


def is_right(case: Case, named: list[Segment]) -> bool:
    """Tell whether the first segment named has the requests of the planted one, and no others."""
    if not named or case.cause is None:
        return False
    return bool((case.of(named[0]) == case.of(case.cause)).all())


def judged(cases: dict[str, Case]) -> Iterator[tuple[str, dict[str, float]]]:
    """Yield each method with the shares of days it is right on, by what was planted, and names anything on."""
    with catalog(cases) as connection:
        for label, method in METHODS_COMPARED.items():
            found = method(cases, connection)
            shares: dict[str, list[bool]] = {}
            for name, case in cases.items():
                if case.cause is None:
                    shares.setdefault("null", []).append(bool(found[name]))
                    continue
                right = is_right(case, found[name])
                dimensions = "two" if None not in case.cause else "one"
                for group in ("planted", dimensions, case.moved_by):
                    shares.setdefault(group, []).append(right)
            yield label, {group: float(np.mean(each)) for group, each in shares.items()}


def main() -> None:
    """Print the table of the documentation."""
    planted, null, seed = _arguments()
    groups = ("planted", "one", "two", "rate", "mix", "null")
    print(
        "| method | right, of all planted | one dimension | two | rate | mix | null days on which it names any |"
    )
    print("|---|---|---|---|---|---|---|")
    for label, shares in judged(cases_of(planted, null, seed)):
        print(f"| {label} | {' | '.join(f'{shares.get(group, 0):.1%}'.replace('%', ' %') for group in groups)} |")


def _arguments() -> tuple[int, int, int]:
    usual = (200, 200, 42_000)
    given = tuple(map(int, sys.argv[1:]))
    return (*given, *usual[len(given) :])  # type: ignore[return-value]


if __name__ == "__main__":
    main()
