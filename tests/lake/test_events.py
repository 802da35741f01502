"""Events: one listing tells them, twice the same is one, and what is withdrawn is not shown any more."""

from datetime import UTC, datetime

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lake import config, events
from lake.catalog import file
from lake.catalog.connections import connect, made
from lake.errors import ConfigError
from lake.events import KINDS, MOST_BYTES, Event
from lake.journal import Journal
from lake.partition import Partition
from lake.verify import Scope, Verification

NOON = datetime(2026, 9, 17, 12, tzinfo=UTC)
RELEASE = Event(NOON, None, "deploy", "release_512 für 100 % + /shop", ("shop", "web-*", "a_b?"))
HOLIDAY = Event(NOON.replace(hour=0), NOON.replace(day=18, hour=0), "holiday", "fair")
BOTH = [HOLIDAY, RELEASE]
ROWS = [
    (HOLIDAY.id, "holiday", "fair", ["*"], datetime(2026, 9, 17), datetime(2026, 9, 18)),
    (RELEASE.id, "deploy", RELEASE.name, ["shop", "web-*", "a_b?"], datetime(2026, 9, 17, 12), None),
]
NAMES = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), min_size=1, max_size=30)


def test_events_are_recorded_once(lake):
    """In any order, by anybody; the oldest is told first."""
    assert events.record(lake, [RELEASE, HOLIDAY, RELEASE]) == 2
    assert events.record(lake, BOTH) == 0
    assert list(events.read(lake).known) == BOTH


def test_an_event_is_withdrawn(lake):
    """It stays in the journal, is shown by no question, and can't come back by being imported again."""
    events.record(lake, BOTH)
    assert events.withdraw(lake, HOLIDAY.id, "no fair this year") == HOLIDAY
    assert events.read(lake) == events.Events((RELEASE,), frozenset({HOLIDAY.id}))
    with pytest.raises(ConfigError, match="was withdrawn: "):
        events.record(lake, BOTH)
    with pytest.raises(ConfigError, match="withdrawn before"):
        events.withdraw(lake, HOLIDAY.id, "twice")
    with pytest.raises(ConfigError, match=r"There is no event 0123456789ab\. `lake event list`"):
        events.withdraw(lake, "0123456789ab", "")


@given(name=NAMES, kind=st.sampled_from(KINDS), seconds=st.integers(0, 10**6) | st.none())
@settings(deadline=None, max_examples=200)
def test_a_name_of_a_record_tells_all_of_its_event(name, kind, seconds):
    """Whatever letters are in the name: it is a file's name everywhere, and tells the same event back."""
    ended = None if not seconds else datetime.fromtimestamp(NOON.timestamp() + seconds, UTC)
    try:
        event = Event(NOON, ended, kind, name, ("a_b*", "c"))
    except ConfigError:
        assert "@" in name or not name.strip() or not name.isprintable() or len(events.encoded(name)) > MOST_BYTES
        return
    assert len(event.record.encode()) <= 255
    assert set(event.record) <= set("%+-_.abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789~")
    assert events.of_names([event.record]).known == (event,)


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ((NOON, NOON, "deploy", "x"), "not after its start"),
        ((NOON, None, "deplyo", "x"), "kind = deplyo: expected one of deploy, "),
        ((NOON, None, "deploy", " "), "expected a name in one line"),
        ((NOON, None, "deploy", "a\nb"), "expected a name in one line"),
        ((NOON, None, "deploy", "by joe@example.com"), "which isn't kept"),
        ((NOON, None, "deploy", "x" * 91), "too long"),
        ((NOON, None, "deploy", "x", tuple(f"application-{n}" for n in range(9))), "too long"),
    ],
)
def test_what_is_no_event_is_refused(values, error):
    """With what was expected."""
    with pytest.raises(ConfigError, match=error):
        Event(*values)


def test_names_that_tell_no_event_are_passed_over():
    """Those of a later version, and those that somebody put there."""
    names = ["", "x.json", "20260917T120000Z_-_deploy_%2A_.json", "20261317T120000Z_-_deploy_%2A_x.json"]
    later = "20260917T120000Z_-_eclipse_%2A_x.json"
    assert events.of_names([*names, later, RELEASE.record]).known == (RELEASE,)


def test_events_are_a_table_of_the_catalog(lake, publish, error_rates, day):
    """With what the columns mean."""
    publish(lake, Partition("error_rate", 1, day), error_rates(shop=1))
    events.record(lake, BOTH)
    with connect(lake) as connection:
        assert connection.execute("from events").fetchall() == ROWS
        query = "select comment from duckdb_columns() where table_name = 'events'"
        assert None not in [comment for (comment,) in connection.execute(query).fetchall()]


def test_events_are_a_view_of_a_catalog_in_a_file(disk_lake, publish, error_rates, day, tmp_path):
    """It shows what is recorded and withdrawn later."""
    publish(disk_lake, Partition("error_rate", 1, day), error_rates(shop=1))
    file.write(disk_lake, tmp_path / "lake.duckdb")
    with duckdb.connect(tmp_path / "lake.duckdb") as connection:
        assert connection.execute("from events").fetchall() == []
        events.record(disk_lake, BOTH)
        Journal(disk_lake.store, events.NAME).write("x.json", "{}")
        assert connection.execute("from events").fetchall() == ROWS
        events.withdraw(disk_lake, HOLIDAY.id, "")
        assert connection.execute("from events").fetchall() == ROWS[1:]


def test_a_kept_catalog_has_new_events(disk_lake, publish, error_rates, day, tmp_path):
    """What is kept on this machine is made anew when the journal has grown."""
    publish(disk_lake, Partition("error_rate", 1, day), error_rates(shop=1))
    (tmp_path / "luigi.cfg").write_text(f"[lake]\nroot = {disk_lake.root}\n")
    settings = config.read(tmp_path / "luigi.cfg")
    for expected in (ROWS[:1], ROWS):
        events.record(disk_lake, BOTH[: len(expected)])
        for _ in range(2):
            with made(settings) as connection:
                assert connection.execute("from events").fetchall() == expected


def test_a_record_that_holds_nothing_is_named(lake):
    """By `lake verify`, whatever its name says."""
    events.record(lake, BOTH)
    assert list(Verification(lake, Scope()).findings()) == []
    Journal(lake.store, events.NAME).write("withdrawn_0123456789ab.json", '{"ev')
    (found,) = Verification(lake, Scope()).findings()
    assert found.key == "_events/withdrawn_0123456789ab.json"
    assert found.what.startswith("unreadable: ")
