"""Series of Graphite: all windows of a day and none of another; what is not known is not taken for 0.

What answers here is a double of the render API, which leaves out and takes in the moments that Graphite does.
`test_graphite_server` asks Graphite itself.
"""

import json
from datetime import UTC, date, datetime, timedelta
from itertools import chain, pairwise
from urllib.parse import parse_qs, urlsplit

import pytest
from fetching import DAY, Said, content, parts_of

from etl.fetch.asked import NotReady
from etl.fetch.opening import read_asked
from lake.errors import ConfigError, InputError

STEP = 600


def rendered(value, step=STEP):
    """Answer as Graphite does: from after `from` to `until`, as its storage rounds them."""

    def answer(got):
        asked = parse_qs(urlsplit(got.path).query)
        first, last = (int(asked[name][0]) // step * step + step for name in ("from", "until"))
        series = [
            {"target": each, "tags": {}, "datapoints": [[value(each, at), at] for at in range(first, last, step)]}
            for each in asked["target"]
        ]
        return Said(json.dumps(series).encode())

    return answer


@pytest.fixture
def lines(server, tmp_path):
    """Fetches a day, and returns its lines."""

    def fetched(day=DAY, **settings):
        asked = {"fetch": "graphite", "url": server.url, "target": "stats.*.5xx", **settings}
        (part,) = parts_of(tmp_path, day, **asked)
        found = [json.loads(each) for each in content(part).splitlines()]
        assert part.rows == len(found)
        return found

    return fetched


def test_a_day_has_all_its_windows(server, lines):
    """The first and the last included, and none of the days beside it; 0 stays 0, and null is no 0."""
    server.answers = [rendered(lambda _, at: None if at % 86_400 == 600 else 0 if at % 86_400 < 3600 else 2.50)]
    found = lines()
    assert len(found) == 144
    assert [each["value"] for each in found[:7]] == [0, None, 0, 0, 0, 0, 2.5]
    assert found[0] == {"target": "stats.*.5xx", "time": "2026-09-01T00:00:00Z", "value": 0}
    assert found[-1]["time"] == "2026-09-01T23:50:00Z"


def test_a_day_of_a_zone_has_23_or_25_hours_where_clocks_change(server, lines):
    """Each in its windows; days that follow each other leave none out and share none."""
    server.answers = [rendered(lambda *_: 1)]
    days = [date(2026, 10, 24) + timedelta(days=n) for n in range(3)]
    of_days = [[each["time"] for each in lines(day, timezone="Europe/London")] for day in days]
    assert [len(each) / 6 for each in of_days] == [24, 25, 24]
    times = [datetime.fromisoformat(each) for each in chain(*of_days)]
    assert times[0] == datetime(2026, 10, 23, 23, tzinfo=UTC)
    assert {later - earlier for earlier, later in pairwise(times)} == {timedelta(seconds=STEP)}


def test_numbers_are_kept_digit_by_digit(server, tmp_path):
    """And series in the order of their names, whatever Graphite's is."""
    at = int(datetime(2026, 9, 1, tzinfo=UTC).timestamp())
    body = f'[{{"target": "b", "datapoints": [[1.10, {at}]]}}, {{"target": "a\\"", "datapoints": [[1e-7, {at}]]}}]'
    server.answers = [Said(body.encode())]
    (part,) = parts_of(tmp_path, fetch="graphite", url=f"{server.url}/", target="b\na")
    assert content(part).decode().splitlines() == [
        '{"target": "a\\"", "time": "2026-09-01T00:00:00Z", "value": 1e-7}',
        '{"target": "b", "time": "2026-09-01T00:00:00Z", "value": 1.10}',
    ]
    asked = parse_qs(urlsplit(server.paths[0]).query)
    assert (asked["target"], asked["tz"], asked["format"]) == (["b", "a"], ["UTC"], ["json"])


def test_what_graphite_does_not_know_is_not_ready(server, lines):
    """No series, or no value in any."""
    for answer in (Said(b"[]"), rendered(lambda *_: None)):
        server.answers = [answer]
        with pytest.raises(NotReady, match=r"doesn't have 2026-09-01 yet: it knows no value of stats\.\*\.5xx"):
            lines()
        lines(allow_empty="true")


def test_values_that_are_not_of_the_day_are_refused(server, lines):
    """Or in other steps than those that are meant: averages of what was kept in shorter ones."""
    server.answers = [rendered(lambda *_: 1, step=3600)]
    assert len(lines()) == 24
    with pytest.raises(InputError, match="has values each 3600 s on 2026-09-01, and step_seconds = 600"):
        lines(step_seconds="600")
    server.answers = [Said(b'[{"target": "a", "datapoints": [[1, 1000]]}]')]
    with pytest.raises(InputError, match="a has a value at 1000, which is not of 2026-09-01"):
        lines()


@pytest.mark.parametrize(
    "body",
    [
        b"{}1",
        b'{"error": 1}',
        b'[{"target": "a"}]',
        b'[{"target": "a", "datapoints": [["x", []]]}]',
        b'[{"target": "a", "datapoints": [[Infinity, 5]]}]',
        b'[{"target": "a", "datapoints": [[true, 5]]}]',
    ],
)
def test_what_is_no_answer_of_graphite(server, lines, body):
    """Is refused."""
    server.answers = [Said(body)]
    with pytest.raises(InputError, match="is not as Graphite's are"):
        lines()


def test_settings_that_can_not_be_meant(tmp_path):
    """Are refused; what is recorded has no secret, and names the targets."""
    for settings, said in (
        ({"url": "http://h"}, "target is missing"),
        ({"target": "a"}, "url is missing"),
        ({"url": "http://h", "target": "a", "step_seconds": "0"}, "step_seconds = 0"),
        ({"url": "http://h", "target": "a", "headers": "Authorization: Basic abc"}, "looks like a secret"),
    ):
        with pytest.raises(ConfigError, match=said):
            read_asked({"fetch": "graphite", **settings}, tmp_path)
    asked = read_asked(
        {"fetch": "graphite", "url": "http://h/g", "target": "a", "basic_auth": "me:${X}"}, tmp_path
    )
    assert asked.recorded()["target"] == ["a"]
    assert asked.recorded()["url"].startswith("http://h/g/render?target=a&from={BEFORE_START_SECONDS}")
    assert asked.recorded()["basic_auth"] == "me:${X}"
