"""Series of Debian's Graphite: windows of ten minutes by carbon, kept by whisper, rendered by graphite-web."""

import json
from itertools import count
from zoneinfo import ZoneInfo

import pytest
from fetching import content, parts_of
from graphite_server import COARSE_STEP, FINE_DAYS, STEP

from etl.fetch.asked import NotReady
from etl.fetch.days import ONE_DAY, Span
from lake.errors import InputError

NUMBERS = count()


def windows(day, zone=None):
    """Return when the windows of a day begin, in seconds."""
    span = Span.of(day, zone)
    return range(int(span.start.timestamp()), int(span.stop.timestamp()), STEP)


@pytest.fixture
def prefix():
    """A name under which no other test has series."""
    return f"test{next(NUMBERS)}"


@pytest.fixture
def lines(graphite_server, tmp_path):
    """Fetches a day, and returns the values of each series with their moments, in seconds."""

    def fetched(day, target, **settings):
        asked = {"fetch": "graphite", "url": graphite_server.url, "target": target, **settings}
        (part,) = parts_of(tmp_path, day, **asked)
        found = {}
        for each in map(json.loads, content(part).splitlines()):
            found.setdefault(each["target"], []).append((each["time"], each["value"]))
        return found

    return fetched


def test_a_day_has_all_its_windows(graphite_server, lines, prefix):
    """The first and the last; a window with 0 errors is 0, and one of which nothing came is null."""
    day = graphite_server.today - ONE_DAY
    at = windows(day)
    unknown = {at[1], at[100]}
    of_day = [(each, n % 5) for n, each in enumerate(at) if each not in unknown]
    others = [(at[0] - STEP, 77), (at[-1] + STEP, 77)]
    graphite_server.feed({f"{prefix}.shop.5xx": [*others, *of_day]})
    (found,) = lines(day, f"{prefix}.*.5xx", step_seconds=str(STEP)).values()
    assert [value for _, value in found] == [None if each in unknown else n % 5 for n, each in enumerate(at)]
    assert (found[0][0], found[-1][0]) == (f"{day}T00:00:00Z", f"{day}T23:50:00Z")


def test_days_that_follow_each_other_share_no_window(graphite_server, lines, prefix):
    """And leave none out, be they of UTC or of another zone."""
    days = [graphite_server.today - n * ONE_DAY for n in (4, 3, 2)]
    for name in (None, "America/New_York", "Asia/Kolkata"):
        zone = ZoneInfo(name) if name else None
        all_of_them = [each for day in days for each in windows(day, zone)]
        path = f"{prefix}.{(name or 'UTC').replace('/', '-')}"
        graphite_server.feed({path: [(each, n) for n, each in enumerate(all_of_them)]})
        settings = {"timezone": name} if name else {}
        found = [lines(day, path, step_seconds=str(STEP), **settings)[path] for day in days]
        assert [len(each) for each in found] == [len(windows(day, zone)) for day in days]
        assert [value for each in found for _, value in each] == list(range(len(all_of_them)))


def test_functions_may_be_asked_for(graphite_server, lines, prefix):
    """What is summed up, and where no value is meant to be 0."""
    day = graphite_server.today - 2 * ONE_DAY
    at = windows(day)
    values = {"a": [(each, 1) for each in at[:-1]], "b": [(each, 2) for each in at[:9]]}
    graphite_server.feed({f"{prefix}.{name}": points for name, points in values.items()})
    total, filled, both = (
        [value for _, value in lines(day, target).popitem()[1]]
        for target in (
            f"sumSeries({prefix}.*)",
            f"transformNull({prefix}.b, 0)",
            f"sumSeries(transformNull({prefix}.*, 0))",
        )
    )
    assert total == [3] * 9 + [1] * 134 + [None]
    assert filled == [2] * 9 + [0] * 135
    assert both == [3] * 9 + [1] * 134 + [0]
    assert len(lines(day, f"{prefix}.a\nscale({prefix}.b, 2)")) == 2


def test_what_is_kept_in_longer_steps_is_refused(graphite_server, lines, prefix):
    """If the step is said; it is an average of what was."""
    day = graphite_server.today - (FINE_DAYS + 20) * ONE_DAY
    graphite_server.feed({f"{prefix}.old": [(each, 1) for each in windows(day)]}, step=COARSE_STEP)
    (found,) = lines(day, f"{prefix}.old").values()
    assert len(found) == 24
    with pytest.raises(InputError, match=rf"has values each {COARSE_STEP} s on {day}, and step_seconds = {STEP}"):
        lines(day, f"{prefix}.old", step_seconds=str(STEP))


def test_what_it_does_not_know_is_not_ready(graphite_server, lines, prefix):
    """A series that is not there, or has no value of the day."""
    day = graphite_server.today - ONE_DAY
    with pytest.raises(NotReady, match=f"doesn't have {day} yet: it knows no value"):
        lines(day, f"{prefix}.none")
    graphite_server.feed({f"{prefix}.other": [(windows(day - ONE_DAY)[0], 1)]})
    with pytest.raises(NotReady):
        lines(day, f"{prefix}.other")
