"""What all daily tasks share."""

import functools
import inspect
from datetime import date, timedelta

import luigi
import pytest

import tasks
from etl.project import project
from etl.units import DELIVERED, SNAPSHOT, names
from lake.errors import ConfigError, InputError
from tasks.daily import DailyTask, daily_tasks
from tasks.day import DayParameter
from tasks.error_counts import ErrorCountsDaily
from tasks.error_rate import ErrorRateDaily
from tasks.raw_logs import RawLogsDaily
from tasks.requests import RequestsDaily
from tasks.source_counts import SourceCountsDaily

pytestmark = pytest.mark.usefixtures("now")
DAYS = [date(2015, 5, day) for day in (17, 18, 19, 20)]


def test_every_dataset_has_its_task():
    """The daily tasks publish all datasets between them, none twice."""
    others = {"DeliveredDaily": DELIVERED, "SnapshotDaily": SNAPSHOT}
    assert {name: each.dataset for name, each in daily_tasks().items()} == {**names(), **others}
    assert daily_tasks().keys() <= set(luigi.task_register.Register.task_names())
    assert inspect.getdoc(tasks)


def test_day_defaults_to_the_latest_settled_one(in_project):
    """Without a date, a task is of the latest day that is over and settled."""
    assert ErrorRateDaily().date == date(2015, 5, 19)
    assert RequestsDaily(source="web").date == date(2015, 5, 19)
    assert RawLogsDaily(source="web").date == date(2015, 5, 19)


def test_text_that_is_no_day_is_refused():
    """A day that does not exist is named in the message."""
    assert DayParameter().parse("2015-05-18") == date(2015, 5, 18)
    with pytest.raises(
        luigi.parameter.ParameterException, match="'2015-02-30' is not a date, expected YYYY-MM-DD"
    ):
        DayParameter().parse("2015-02-30")


def test_oldest_days_run_first(in_project, build):
    """Luigi runs the days in their order, though it is given them in another."""
    order = []
    ErrorRateDaily.event_handler(luigi.Event.SUCCESS)(lambda task: order.append(task.date))
    assert build(*(ErrorRateDaily(date=day) for day in (DAYS[2], DAYS[0], DAYS[1])))
    assert order == DAYS[:3]
    assert ErrorRateDaily(date=date.max).priority > 0


@pytest.mark.parametrize("as_partial", [False, True])
def test_bulk_complete_is_one_listing(in_project, build, monkeypatch, as_partial):
    """Which of many days are complete is answered by one listing a dataset, as Luigi's ranges call it too."""
    build(ErrorRateDaily(date=DAYS[0]), ErrorRateDaily(date=DAYS[2]))
    lake = project().lake
    listings = []
    keys = lake.store.keys
    monkeypatch.setattr(lake.store, "keys", lambda *arguments: (listings.append(arguments), keys(*arguments))[1])
    for cls, datasets in ((ErrorRateDaily, 1), (RequestsDaily, 2)):
        listings.clear()
        parameters = {"source": "web"} if cls is RequestsDaily else {}
        ask = functools.partial(cls, **parameters) if as_partial or parameters else cls
        assert cls.bulk_complete.__func__(ask, iter(DAYS)) == [DAYS[0], DAYS[2]]
        assert len(listings) == datasets
    assert ErrorRateDaily.bulk_complete([]) == []


def test_day_is_complete_only_with_its_rejects(in_project, build):
    """Requests without their rejects are not complete, for one task and in bulk."""
    task = RequestsDaily(source="web", date=DAYS[0])
    assert build(task)
    assert task.complete()
    assert task.unit.published_days(DAYS[0], DAYS[3]) == {DAYS[0]}
    (rejects,) = (in_project.folder / "lake/rejects").rglob("*.parquet")
    rejects.unlink()
    assert not task.complete()
    assert task.unit.published_days(DAYS[0], DAYS[3]) == set()


def test_metric_requires_active_sources_only(in_project, build):
    """A metric is made from the sources that are active on its day, and from no day that has none."""
    source = {
        "format": "common",
        "files": "api.log",
        "application": "api",
        "vantage": "edge",
        "since": "2015-05-19",
    }
    in_project.configure(web=in_project.source, api=source)
    (in_project.folder / "api.log").touch()
    assert [each.source for each in ErrorCountsDaily(date=DAYS[1]).requires()] == ["web"]
    assert [each.source for each in ErrorCountsDaily(date=DAYS[2]).requires()] == ["api", "web"]
    assert {each.unit.title for each in ErrorRateDaily(date=DAYS[1]).requires()} == {
        "ErrorCountsDaily",
        "SourceCountsDaily web",
    }
    with pytest.raises(InputError, match="No source is active on 1999-01-01"):
        ErrorRateDaily(date=date(1999, 1, 1)).requires()


def test_a_restatement_that_would_not_see_a_newer_revision_is_refused(in_project, build):
    """A figure made from counts that are older than the requests would be wrong; in order, each is made."""
    day = {"date": DAYS[0]}
    assert build(ErrorRateDaily(**day))
    again = day | {"revision": 1, "reason": "the log came late"}
    assert build(RequestsDaily(source="web", **again))
    with pytest.raises(
        ConfigError, match="would not see requests v1 2015-05-17 of source web revision 1"
    ) as error:
        ErrorRateDaily(**again).run()
    assert "backfill restate --of SourceCountsDaily --source web --date 2015-05-17 --reason" in str(error.value)
    assert not ErrorRateDaily(**again).complete()
    assert build(SourceCountsDaily(source="web", **again))
    with pytest.raises(ConfigError, match="would not see source_counts v1 2015-05-17 of source web revision 1"):
        ErrorRateDaily(**again).run()
    assert build(ErrorCountsDaily(**again))
    assert build(ErrorRateDaily(**again))


def test_unknown_source_is_refused(in_project):
    """A source that luigi.cfg doesn't declare is named with those it does."""
    with pytest.raises(ConfigError, match=r"no \[source.nope\]. It has: web"):
        RequestsDaily(source="nope", date=DAYS[0]).requires()[0].complete()


def test_changed_configuration_is_read_again(in_project):
    """The project follows luigi.cfg, within one process too."""
    assert [source.settle_hours for source in project().sources] == [6]
    in_project.configure(web=in_project.source | {"settle_hours": "48"})
    assert [source.settle_hours for source in project().sources] == [48]
    assert ErrorRateDaily().date == date(2015, 5, 17)


def test_target_is_named_by_its_key(in_project):
    """A target prints as where it lies, the same each time: Luigi counts on that."""
    (target,) = ErrorRateDaily(date=DAYS[0]).output()
    assert str(target) == f"{in_project.folder}/lake/error_rate/v1/dt=2015-05-17/rev=0/part-0.parquet"
    assert isinstance(ErrorRateDaily(date=DAYS[0]), DailyTask)


@pytest.mark.parametrize(
    ("settings", "day", "reason"),
    [
        ({}, DAYS[2], None),
        ({}, DAYS[3], "2015-05-20 is unsettled: its logs may arrive until 2015-05-21 06:00 UTC"),
        ({"settle_hours": "13"}, DAYS[2], "until 2015-05-20 13:00 UTC"),
        ({}, DAYS[3] + timedelta(days=1), "source web is not active on 2015-05-21"),
        ({"expected_files": "2"}, DAYS[0], "1 of 2 files for 2015-05-17"),
        ({"files": "logs/x{YYYY}{MM}{DD}"}, DAYS[0], "0 of 1 files for 2015-05-17 match logs/x20150517"),
        ({"files": "logs/x{YYYY}{MM}{DD}", "allow_empty": "true"}, DAYS[0], None),
        ({"files": "gone/{YYYY}{MM}{DD}", "allow_empty": "true"}, DAYS[0], "there is no folder"),
    ],
)
def test_raw_logs_say_what_is_missing(in_project, settings, day, reason):
    """Raw logs are there when the day is settled and its files are; else the reason is told."""
    in_project.configure(web=in_project.source | settings)
    task = RawLogsDaily(source="web", date=day)
    assert task.complete() == (reason is None)
    assert reason is None or reason in task.why_not()
