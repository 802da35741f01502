"""What is said of events by chance, and what is found where something happened: traffic with known changes."""

from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa

FIVE = timedelta(minutes=5)
MIDNIGHT = datetime(2026, 9, 17)
BUCKETS = 288
APPLICATIONS = 200
NAMES = [f"app{n:03}" for n in range(APPLICATIONS)]


def _counted(rates, seed):
    """Return five-minute counts of a day: about 100 requests each, of which so many fail; a row an application."""
    random = np.random.default_rng(seed)
    requests = random.poisson(100, rates.shape)
    errors = random.binomial(requests, rates)
    at = [MIDNIGHT + FIVE * n for n in range(BUCKETS)]
    return pa.table(
        {
            "dt": pa.array([MIDNIGHT.date()] * rates.size),
            "application": np.repeat(NAMES, BUCKETS),
            "vantage": ["edge"] * rates.size,
            "bucket_start": at * APPLICATIONS,
            "status_class": ["2xx"] * rates.size,
            "valid_requests": requests.ravel(),
            "server_error_requests": errors.ravel(),
        }
    )


def _events(started):
    """Return a deploy of each application."""
    return pa.table(
        {
            "event": [f"{n:012x}" for n in range(APPLICATIONS)],
            "kind": ["deploy"] * APPLICATIONS,
            "name": NAMES,
            "applications": NAMES,
            "started": [started] * APPLICATIONS,
            "ended": pa.nulls(APPLICATIONS, pa.timestamp("us")),
        }
    )


def test_nothing_is_found_where_nothing_happened(catalog):
    """In 5 % at most: a change of the rate. A release that was good or bad in 5 %, as the interval has it."""
    rates = np.repeat(np.linspace(0.001, 0.1, APPLICATIONS)[:, None], BUCKETS, axis=1)
    with catalog(error_counts=_counted(rates, 1), events=_events(MIDNIGHT + FIVE * 144)) as connection:
        assert len(connection.execute("from since_when()").fetchall()) <= APPLICATIONS * 0.05
        query = "select verdict from release_impact(minutes := 240)"
        said = [verdict for (verdict,) in connection.execute(query).fetchall()]
    assert len(said) == APPLICATIONS
    assert (
        sum(each in {"worse", "better"} for each in said) <= APPLICATIONS * 0.05 + 9
    )  # three standard deviations


def test_a_change_is_found_where_it_happened(catalog):
    """To within ten minutes if the rate doubles, and the release then is said to be worse."""
    changed = np.linspace(60, 230, APPLICATIONS).astype(int)
    rates = np.where(np.arange(BUCKETS)[None, :] < changed[:, None], 0.02, 0.04)
    with catalog(error_counts=_counted(rates, 2)) as connection:
        found = dict(connection.execute("select application, since from since_when()").fetchall())
    expected = {name: MIDNIGHT + FIVE * int(bucket) for name, bucket in zip(NAMES, changed, strict=True)}
    assert len(found) == APPLICATIONS
    off = sorted(abs(found[name] - expected[name]) for name in NAMES)
    assert off[APPLICATIONS // 2] <= timedelta(minutes=10)
    assert off[APPLICATIONS * 9 // 10] <= timedelta(minutes=60)
    rates = np.where(np.arange(BUCKETS) < 145, 0.02, 0.04)[None, :].repeat(APPLICATIONS, axis=0)
    with catalog(error_counts=_counted(rates, 3), events=_events(MIDNIGHT + FIVE * 144 + FIVE / 2)) as connection:
        query = "select verdict from release_impact(minutes := 240)"
        said = [verdict for (verdict,) in connection.execute(query).fetchall()]
    assert sum(each == "worse" for each in said) >= APPLICATIONS * 0.99
    assert "better" not in said
