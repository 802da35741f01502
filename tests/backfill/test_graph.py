"""A metric of a metric of a metric, over seven days: planned, built, restated, found stale, verified."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pytest

from backfill.days import DayRange, State
from backfill.outdated import Look
from backfill.restate import cascade, drafted, groups
from etl.project import project
from etl.units import Unit, below
from lake import sql
from lake.contract import Column, Contract, Input
from lake.contracts import CONTRACTS
from lake.contracts.requests import APPLICATION
from lake.provenance import Revision
from lake.verify import Scope, Verification
from tasks.daily import DailyTask

FIRST = date(2015, 5, 17)
NOW = datetime(2015, 6, 1, 12, tzinfo=UTC)
LAST = FIRST + timedelta(days=8)
REQUESTS = Column("requests", pa.int64(), "requests", "How many", minimum=0)
MADE = {
    "busy": (Input("error_counts"), "sum(requests_total) as requests from error_counts"),
    "busy_week": (Input("busy", days=7), "sum(requests) as requests from busy"),
    "busiest": (Input("busy_week"), "max(requests) as requests from busy_week"),
}


class BusyDaily(DailyTask):
    """Requests of a day."""

    dataset = "busy"


class BusyWeekDaily(DailyTask):
    """Requests of seven days."""

    dataset = "busy_week"


class BusiestDaily(DailyTask):
    """The most of them."""

    dataset = "busiest"


@pytest.fixture
def chain(in_project, monkeypatch):
    """Return the last day's unit of three datasets, each made from the one before, of nine days of logs."""
    from etl import clock

    in_project.write_logs(days=9)
    in_project.configure(web=in_project.source | {"until": "2015-05-26"})
    monkeypatch.setattr(clock, "utc_now", lambda: NOW)
    metric = sql.metric
    queries = {name: f"select application, cast({query} group by application" for name, (_, query) in MADE.items()}
    queries = {name: text.replace(" as requests", " as bigint) as requests") for name, text in queries.items()}
    monkeypatch.setattr(sql, "metric", lambda name: queries.get(name) or metric(name))
    for name, (wanted, _) in MADE.items():
        made = Contract(name, 1, "one application", (APPLICATION, REQUESTS), ("application",), inputs=(wanted,))
        monkeypatch.setitem(CONTRACTS, name, made)
    return Unit(project(), "busiest", LAST)


def rows(unit):
    """Return the latest rows of a unit."""
    lake = unit.project.lake
    (partition,) = lake.latest_of_day(unit.contract, unit.day)
    return pa.parquet.read_table(lake.store.root + "/" + partition.key, partitioning=None).to_pylist()


def append(in_project, day):
    """Let a day's log gain a line."""
    with (in_project.folder / f"logs/{day}.log").open("a") as log:
        log.write(f'192.0.2.9 - - [{day:%d/%b/%Y}:20:00:00 +0000] "GET /late HTTP/1.1" 200 1 "-" "x"\n')


def test_a_day_is_planned_and_built_with_the_days_before_it(chain, build):
    """Those on which no source is active count as empty, and the day says so."""
    days = DayRange(chain, FIRST, LAST + timedelta(days=1))
    assert [day.state for day in days.survey_with_input(NOW)] == [State.MISSING] * 9
    assert [each.dataset for each in below(chain)][-3:] == ["busy", "busy_week", "busiest"]
    assert len(chain.requires()) == 1
    assert len(replace(chain, dataset="busy_week").requires()) == 7
    assert build(BusiestDaily(date=LAST), BusiestDaily(date=FIRST))
    assert rows(chain) == [{"application": "shop", "requests": 21}]
    assert rows(chain.on(FIRST)) == [{"application": "shop", "requests": 3}]
    (first,) = chain.project.lake.latest_of_day(chain.contract, FIRST)
    assert chain.project.lake.provenance(first).incomplete == "busy: no source was active on 6 of 7 days"
    assert not list(Verification(chain.project.lake, Scope()).findings())


def test_a_day_waits_for_one_in_its_window_that_has_no_input(chain, in_project):
    """And says which raw log is missing."""
    (in_project.folder / f"logs/{LAST - timedelta(days=3)}.log").unlink()
    found = DayRange(chain, LAST, LAST + timedelta(days=1)).survey_with_input(NOW)
    assert found[0].state is State.NO_INPUT
    assert "2015-05-22.log" in found[0].reason


def test_a_restated_day_makes_every_day_that_holds_it_anew_once(chain, in_project, build):
    """Found by what was late, in the order in which they are made; then nothing is outdated any more."""
    assert build(*(BusiestDaily(date=FIRST + timedelta(days=n)) for n in range(9)))
    late = [FIRST, FIRST + timedelta(days=1)]
    for day in late:
        append(in_project, day)
    days = DayRange(chain, FIRST, LAST + timedelta(days=1))
    look = Look(late=True, stale=True)
    found = [each.unit for each in look.outdated(days)]
    assert [(each.dataset, each.day) for each in found] == [("requests", day) for day in late]
    assert groups(found) == [found]
    weeks = [each.day for each in cascade(found) if each.dataset == "busiest"]
    assert weeks == [FIRST + timedelta(days=n) for n in range(8)]
    with drafted(found, "late", "me") as made:
        restated = [each.new.dt for each in made.changes if each.new.dataset == "busiest"]
        assert restated == weeks
        made.publish(chain.project.lake, NOW)
    assert rows(chain.on(FIRST + timedelta(days=6))) == [{"application": "shop", "requests": 23}]
    assert rows(chain) == [{"application": "shop", "requests": 21}]
    assert look.outdated(days) == []
    assert not list(Verification(chain.project.lake, Scope()).findings())


def test_what_comes_out_equal_is_not_published_and_not_outdated_for_ever(chain, in_project, build, monkeypatch):
    """Other SQL with the same rows is recorded as looked at, and what is made from it is left alone."""
    assert build(*(BusiestDaily(date=FIRST + timedelta(days=n)) for n in range(2)))
    metric = sql.metric
    same = metric("busy").replace("group by application", "group by application order by application")
    monkeypatch.setattr(sql, "metric", lambda name: same if name == "busy" else metric(name))
    days, look = DayRange(chain, FIRST, FIRST + timedelta(days=2)), Look(stale=True)
    found = [each.unit for each in look.outdated(days)]
    assert [each.dataset for each in found] == ["busy", "busy"]
    before = in_project.published()
    with drafted(found, "other SQL", "me") as made:
        assert made.changes == []
        made.publish(chain.project.lake, NOW)
    assert in_project.published() == before
    assert look.outdated(days) == []


def test_a_newer_input_is_found_through_the_graph(chain, build):
    """A revision that somebody published alone makes the days stale whose window holds it."""
    assert build(*(BusiestDaily(date=FIRST + timedelta(days=n)) for n in range(8)))
    replace(chain, dataset="busy").on(FIRST).build(Revision(1, "alone"))
    days = DayRange(chain, FIRST, FIRST + timedelta(days=8))
    found = Look(stale=True).outdated(days)
    assert [(each.unit.dataset, each.unit.day) for each in found] == [
        ("busy_week", FIRST + timedelta(days=n)) for n in range(7)
    ]
