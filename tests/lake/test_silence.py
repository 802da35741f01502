"""Silence: of complete days hardly one is called silent, and of days that lack a busy hour hardly one is not.

The back-test generates traffic with fixed seeds, each source for HISTORY_DAYS and then 1,000 days that count:

- poisson: independent requests around a rate that has a day's curve (from a tenth to twice its mean) and a week's
  (Saturdays half, Sundays 0.4 of it).
- uneven: the same, with each day's rate times a log-normal factor (sigma 0.4), each hour's times a gamma of a
  shape (10, or 4).
- holidays: office hours on five days of the week, and ten days a year, by chance, without a request.
- bursts: the day's and week's curve, which goes on and off for exponential times, of a mean of so many hours.
- batches: a small site, to which requests come in batches of a mean of 30.
- outages: poisson, with hours without a request at random, all of the same length.
"""

from collections.abc import Callable
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lake.provenance import Provenance
from lake.silence import (
    BUSY,
    GUARD_DAYS,
    HISTORY_DAYS,
    UNKNOWN,
    WEEK_DAYS,
    WEEKS,
    are_quiet,
    are_silent,
    silences,
    silent_hours,
)

DAYS = 1000
MOST_CALLED = 5  # of them
LEAST_FOUND = 0.99
HOURS = np.arange(24)
CURVE = 1 + 0.9 * np.cos((HOURS - 15) / 24 * 2 * np.pi)
WEEK = np.array([1, 1, 1, 1, 1, 0.5, 0.4])
DAY = date(2026, 9, 17)
Make = Callable[[np.random.Generator], np.ndarray]


def rates(mean: float) -> np.ndarray:
    """Return the rate of each hour of all days."""
    days = np.arange(HISTORY_DAYS + DAYS)
    return mean * CURVE[None, :] * WEEK[days % 7][:, None]


def poisson(mean: float) -> Make:
    """Return a generator."""
    return lambda chance: chance.poisson(rates(mean))


def uneven(mean: float, shape: float) -> Make:
    """Return a generator."""

    def make(chance: np.random.Generator) -> np.ndarray:
        of_days = chance.lognormal(0, 0.4, (len(rates(mean)), 1))
        return chance.poisson(rates(mean) * of_days * chance.gamma(shape, 1 / shape, rates(mean).shape))

    return make


def holidays(mean: float) -> Make:
    """Return a generator."""
    days = np.arange(HISTORY_DAYS + DAYS)
    open_at = ((HOURS >= 8) & (HOURS < 18))[None, :] & (days % 7 < 5)[:, None]
    return lambda chance: chance.poisson(mean * open_at * (chance.random((len(days), 1)) > 10 / 365))


def bursts(mean_on: float, mean_off: float) -> Make:
    """Return a generator."""

    def make(chance: np.random.Generator) -> np.ndarray:
        is_on, at = np.zeros(rates(1).size, bool), 0
        while at < is_on.size:
            on, off = (int(np.ceil(chance.exponential(mean))) for mean in (mean_on, mean_off))
            is_on[at : at + on] = True
            at += on + off
        return chance.poisson(rates(500) * is_on.reshape(-1, 24))

    return make


def batches(an_hour: float) -> Make:
    """Return a generator."""

    def make(chance: np.random.Generator) -> np.ndarray:
        return chance.negative_binomial(np.maximum(chance.poisson(rates(an_hour)), 1e-9), 1 / 30)

    return make


def outages(every_days: int, hours: int) -> Make:
    """Return a generator."""

    def make(chance: np.random.Generator) -> np.ndarray:
        counts = chance.poisson(rates(500)).ravel()
        for start in np.flatnonzero(chance.random(counts.size) < 1 / (24 * every_days)):
            counts[start : start + hours] = 0
        return counts.reshape(-1, 24)

    return make


STEADY = {
    **{f"poisson, {mean} an hour": poisson(mean) for mean in (50, 120, 1000)},
    **{f"uneven, {mean} an hour": uneven(mean, 10) for mean in (50, 120, 1000)},
}
OTHERS = {
    "poisson, 5 an hour": poisson(5),
    **{f"very uneven, {mean} an hour": uneven(mean, 4) for mean in (50, 120, 1000)},
    "holidays": holidays(500),
    **{f"bursts, {on} h on, {off} off": bursts(on, off) for on, off in ((8, 2), (48, 3), (500, 2), (2000, 2))},
    **{f"bursts, {on} h on, {off} off": bursts(on, off) for on, off in ((100, 24), (2000, 30), (2000, 100))},
    **{f"batches, {mean} an hour": batches(mean) for mean in (1, 5, 20, 40)},
    **{f"outages every {days} days": outages(days, 2) for days in (7, 20, 40, 84, 119, 200, 400)},
    **{f"long outages every {days} days": outages(days, 40) for days in (40, 119, 300)},
}


def share_called(make: Make, seed: int, sources: int) -> float:
    """Return how many of 1,000 complete days are called silent."""
    called = 0
    for n in range(sources):
        silent = are_silent(make(np.random.default_rng([seed, n])))
        called += int(silent[HISTORY_DAYS:].any(axis=1).sum())
    return called / sources


def share_found(make: Make, seed: int, tried: int) -> float:
    """Return which share of hours that were busy in the four weeks before is found where it is lost."""
    chance = np.random.default_rng(seed)
    counts = make(chance)
    lost = np.where(np.arange(len(counts))[:, None] >= HISTORY_DAYS, 0, counts)
    could_be = np.zeros(counts.shape, bool)
    for n in range(1, 5):
        could_be[28:] |= counts[28 - 7 * n : len(counts) - 7 * n] < BUSY
    days, hours = np.nonzero(~could_be & (lost != counts))
    found = 0
    for n in chance.choice(len(days), tried):
        seen = counts[days[n] - HISTORY_DAYS : days[n] + 1].copy()
        seen[-1, hours[n]] = 0
        found += int(are_silent(seen)[-1, hours[n]])
    return found / tried


@pytest.mark.parametrize("name", [*STEADY, *OTHERS])
def test_complete_days_are_not_called_silent(name: str) -> None:
    """At most 5 of 1,000, whatever the traffic: of ten sources, so that one of them doesn't decide."""
    assert share_called({**STEADY, **OTHERS}[name], 17, 10) <= MOST_CALLED


@pytest.mark.parametrize("name", STEADY)
def test_a_lost_hour_is_found(name: str) -> None:
    """At least 99 of 100, of sources that have no silence of their own."""
    assert share_found(STEADY[name], 17, 300) >= LEAST_FOUND


def test_a_lost_hour_is_found_where_silences_are_longer() -> None:
    """A source that is closed for whole days loses no single hours."""
    assert share_found(OTHERS["holidays"], 17, 300) >= LEAST_FOUND


@pytest.mark.parametrize(
    ("name", "least"),
    [
        ("outages every 400 days", 0.9),
        ("outages every 200 days", 0.6),
        ("outages every 119 days", 0.5),
        ("bursts, 2000 h on, 30 off", 0.2),
    ],
)
def test_a_lost_hour_is_found_less_often_where_silence_is_usual(name: str, least: float) -> None:
    """A silence that is like the source's own is not called a loss: some are found, others not."""
    assert least <= share_found(OTHERS[name], 17, 300) <= 1


def counts_of(days: int, *quiet: tuple[int, int]) -> np.ndarray:
    """Return BUSY requests in each hour of some days, but none in some hours of a day, counted from the last."""
    found = np.full((days, 24), BUSY)
    for day, hour in quiet:
        found[day - 1, hour] = 0
    return found


def silent_of_last(counts: np.ndarray) -> list[int]:
    return np.flatnonzero(are_silent(counts)[-1]).tolist()


FAR = [(-60, 9), (-120, 9)]  # on two days
FARTHER = [*FAR, (-GUARD_DAYS, 5)]


@pytest.mark.parametrize(
    ("quiet", "silent"),
    [
        ([(0, 3)], [3]),
        ([(0, 3), (0, 4), (0, 20)], [3, 4, 20]),
        ([(0, 3), *FAR], [3]),
        ([(0, 3), *FARTHER], []),  # the source has such hours
        ([(0, 3), *FAR, (-GUARD_DAYS - 1, 5)], [3]),
        ([(0, 3), *FAR, (-60, 11), (-120, 15)], [3]),  # on two days
        ([(0, 3), *[(day, hour + n) for day, hour in FARTHER for n in range(2)]], [3]),  # which are longer
        ([(0, 3), (0, 4), *[(day, hour + n) for day, hour in FARTHER for n in range(2)]], []),
        ([(0, 3), (0, 9), (0, 10), *[(day, hour + n) for day, hour in FARTHER for n in range(2)]], [3]),
        ([(0, 3), (-1, 3), *FAR], []),
        ([(0, 3), (-7, 3)], []),
        ([(0, 0), (-1, 22), (-1, 23), *FAR], [0]),  # over midnight
        ([(0, 0), (-1, 23), (-1, 21), *FAR], []),
        ([(0, 0), *((-1, hour) for hour in range(17, 24))], []),  # begun too early: said the day before
        ([(0, 0), *((-1, hour) for hour in range(18, 24)), *FAR], [0]),
        ([(0, hour) for hour in range(24)], [*range(24)]),
    ],
)
def test_an_hour_is_silent_if_it_is_unlike_the_source(quiet: list[tuple[int, int]], silent: list[int]) -> None:
    """One on more than two days before, as short, is like it; but not what goes on over midnight."""
    assert silent_of_last(counts_of(HISTORY_DAYS + 1, *quiet)) == silent


@pytest.mark.parametrize(("known", "allowed"), [(100, 0), (244, 0), (245, 1), (404, 1), (405, 2)])
def test_the_longer_a_source_is_known_the_more_it_may_have_had(known: int, allowed: int) -> None:
    """On a day that nobody knows of, it may have been silent."""
    for days in range(4):
        counts = counts_of(HISTORY_DAYS + 1, (0, 3), *((-33 * n - 5, 9) for n in range(days)))
        counts[WEEKS * WEEK_DAYS : HISTORY_DAYS - known] = UNKNOWN
        assert silent_of_last(counts) == ([3] if days <= allowed else [])


@pytest.mark.parametrize("week", [1, 2, 3, 4])
@pytest.mark.parametrize("count", [BUSY - 1, UNKNOWN, 0])
def test_an_hour_is_silent_only_if_it_was_busy_in_each_of_four_weeks(week: int, count: int) -> None:
    """One in which there were fewer, or of which nobody knows, says nothing."""
    counts = counts_of(HISTORY_DAYS + 1, (0, 3))
    counts[-1 - 7 * week, 3] = count
    assert silent_of_last(counts) == []
    counts[-1 - 7 * week, 3] = BUSY
    assert silent_of_last(counts) == [3]


def test_four_weeks_are_enough() -> None:
    """A new source is judged as soon as there are; before, nothing is."""
    assert silent_of_last(counts_of(29, (0, 3))) == [3]
    assert silent_of_last(counts_of(28, (0, 3))) == []


def test_days_in_between_need_not_be_there() -> None:
    """Days that are not published are unknown; those of the same weekday say what is normal."""
    hours = {DAY - timedelta(7 * n): [BUSY] * 24 for n in range(1, 5)}
    hours[DAY] = [BUSY] * 3 + [0] + [BUSY] * 20
    assert silent_hours(hours, [DAY]) == {DAY: [3]}
    assert silent_hours(hours, [DAY - timedelta(7)]) == silent_hours(hours, []) == {}


@pytest.mark.slow
@settings(derandomize=True, deadline=None, max_examples=30)
@given(st.integers(0, 2**32), st.floats(0.0001, 0.05))
def test_an_hour_is_judged_by_a_days_history_alone(seed: int, share: float) -> None:
    """What is told of a day is the same from its HISTORY_DAYS as from all that there is."""
    chance = np.random.default_rng(seed)
    counts = np.where(chance.random((600, 24)) < share, 0, BUSY)
    first = date(2026, 1, 1)
    hours = {first + timedelta(n): each.tolist() for n, each in enumerate(counts)}
    assert are_silent(counts).sum() <= are_quiet(counts).sum()
    for n in range(580, 600):
        day = first + timedelta(n)
        seen = counts[n - HISTORY_DAYS : n + 1]
        assert silent_hours(hours, [day]).get(day, []) == silent_of_last(seen)


def made(**hours: list[int]) -> Provenance:
    """Return how a day was made, with the requests of its sources by hour."""
    of_sources = {name: tuple(each) for name, each in hours.items()}
    return Provenance("error_rate", 1, str(DAY), None, 0, (), 0, 0, 0, 0, "1", (), requests_by_hour=of_sources)


def test_days_say_which_sources_are_silent() -> None:
    """By source; what was before the days is asked for once, and only if a day may be silent."""
    full, holed = [BUSY] * 24, [BUSY] * 3 + [0] * 2 + [BUSY] * 19
    small = [1] * 12 + [0] * 12
    past = {DAY - timedelta(n): made(web=full, api=full, small=small) for n in range(1, HISTORY_DAYS + 1)}
    asked = []

    def before(start: date, stop: date) -> dict[date, Provenance]:
        asked.append((start, stop))
        return {day: each for day, each in past.items() if start <= day < stop}

    assert silences({DAY: made(web=full, small=small)}, before) == silences({}, before) == {}
    assert asked == []
    said = "no request in UTC hours 3-4, which had 50 and more in each of the 4 weeks before"
    found = silences({DAY: made(web=holed, api=full, small=small)}, before)
    assert found == {DAY: {"web": said}}
    assert asked == [(DAY - timedelta(HISTORY_DAYS), DAY)]
    assert silences({DAY: made(web=[0] * 24)}, before)[DAY]["web"].startswith("no request in UTC hours 0-23, ")
