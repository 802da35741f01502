"""Ranges that don't lie: what Luigi's own would cut off, skip or call a success."""

from datetime import date, datetime, timedelta
from typing import ClassVar

import luigi
import pytest
from luigi.task_register import Register

from backfill.engines.local.ranges import RangeDaily, RangeDailyBase
from etl.project import project
from lake.errors import ConfigError, RangeIncomplete
from tasks.error_rate import ErrorRateDaily
from tasks.raw_logs import RawLogsDaily
from tasks.requests import RequestsDaily
from tasks.status_mix import StatusMixDaily

pytestmark = pytest.mark.usefixtures("now")
START, STOP = date(2015, 5, 17), date(2015, 5, 20)
KINDS = pytest.mark.parametrize("kind", [RangeDailyBase, RangeDaily])


def error_rates(folder):
    """Return the days of the published error rates."""
    return [path.parts[-3] for path in sorted((folder / "lake/error_rate").rglob("*.parquet"))]


def test_luigi_finds_ours_by_name():
    """`RangeDailyBase` and `RangeDaily` on the command line are ours."""
    assert Register.get_task_cls("RangeDailyBase") is RangeDailyBase
    assert Register.get_task_cls("RangeDaily") is RangeDaily


@KINDS
def test_builds_every_missing_day(in_project, build, kind):
    """A range builds its days, and is complete then and not before."""
    days = kind(of=ErrorRateDaily, start=START, stop=STOP)
    assert not days.complete()
    assert build(days)
    assert days.complete()
    assert error_rates(in_project.folder) == ["dt=2015-05-17", "dt=2015-05-18", "dt=2015-05-19"]


@KINDS
def test_unfinished_day_is_never_built(in_project, build, kind):
    """A day that is not settled is left alone, and a range that names it fails."""
    assert build(kind(of=ErrorRateDaily, start=START))
    assert error_rates(in_project.folder)[-1] == "dt=2015-05-19"
    days = kind(of=ErrorRateDaily, start=START, stop=STOP + timedelta(days=1))
    assert not build(days)
    assert error_rates(in_project.folder)[-1] == "dt=2015-05-19"
    with pytest.raises(RangeIncomplete, match="4 days: missing: 2015-05-20"):
        days.run()


@pytest.mark.parametrize(
    ("kind", "start"),
    [
        ("RangeHourly", datetime(2015, 5, 17)),
        ("RangeHourlyBase", datetime(2015, 5, 17)),
        ("RangeByMinutes", datetime(2015, 5, 17)),
        ("RangeByMinutesBase", datetime(2015, 5, 17)),
        ("RangeMonthly", date(2015, 5, 1)),
    ],
)
def test_ranges_of_other_lengths_are_refused_over_days(in_project, kind, start):
    """They would build the first day of each month, or each day 24 times; somebody else's tasks are theirs."""
    found = Register.get_task_cls(kind)
    with pytest.raises(ConfigError, match=rf"{kind} --of ErrorRateDaily: .* Use RangeDailyBase"):
        found(of=ErrorRateDaily, start=start)
    with pytest.raises(ConfigError, match=rf"{kind} --of Both: .* Use RangeDailyBase"):
        found(of=Both, start=start)
    with pytest.raises(ConfigError, match=rf"{kind} --of Both: .* Use RangeDailyBase"):
        found(of=Both, stop=start)
    assert found(of=Theirs, start=start).of is Theirs
    assert found(of=Month, start=start).of is Month


class Theirs(luigi.Task):
    """A task of somebody else's, of whatever has a date."""

    date = luigi.DateParameter()


class Month(luigi.WrapperTask):
    """Somebody else's name for the days of a month, of which a range of months is right."""

    month = luigi.MonthParameter()

    def requires(self):
        """Return the first of them."""
        return [ErrorRateDaily(date=self.month)]


class Both(luigi.WrapperTask):
    """Somebody else's name for two tasks of ours."""

    date = luigi.DateParameter()

    def requires(self):
        """Return both."""
        return [ErrorRateDaily(date=self.date), StatusMixDaily(date=self.date)]


@KINDS
def test_a_wrapper_of_ours_has_the_days_that_can_be_there(in_project, build, kind):
    """Those on which a source is active; without a stop, the settled ones; with one, an unsettled day fails."""
    days = kind(of=Both, start=START - timedelta(days=1))
    assert [each.date for each in days.requires()] == [date(2015, 5, n) for n in (17, 18, 19)]
    assert build(days)
    assert error_rates(in_project.folder) == ["dt=2015-05-17", "dt=2015-05-18", "dt=2015-05-19"]
    assert len(list((in_project.folder / "lake/status_mix").rglob("*.parquet"))) == 3
    assert kind(of=Both, start=START, stop=STOP).complete()
    longer = kind(of=Both, start=START, stop=STOP + timedelta(days=1))
    assert build(longer)  # as Luigi has it, where data of others is missing
    assert not longer.complete()


@pytest.mark.slow
def test_long_range_is_not_cut(in_project, build):
    """130 days of five years ago are all built: neither 100 days back nor 50 tasks is a limit."""
    source = in_project.source | {"files": "logs/{YYYY}.log", "since": "2010-01-01"}
    lines = "".join(
        f'- - - [{date(2010, 1, 1) + timedelta(days=n):%d/%b/%Y}:00:00:00 +0000] "GET / HTTP/1.1" 200 1 "" ""\n'
        for n in range(130)
    )
    (in_project.folder / "logs/all.log").write_text(lines, encoding="utf-8")
    in_project.configure(web=source | {"files": "logs/all.log"})
    days = RangeDailyBase(of=ErrorRateDaily, start=date(2010, 1, 1), stop=date(2010, 1, 1) + timedelta(days=130))
    assert build(days)
    assert len(error_rates(in_project.folder)) == 130


def test_bad_day_blocks_no_other(in_project, build):
    """The oldest day fails, the others are built, and the range is not a success."""
    (in_project.folder / "logs/2015-05-17.log").write_text("broken\n", encoding="utf-8")
    days = RangeDailyBase(of=ErrorRateDaily, start=START, stop=STOP)
    assert not build(days)
    assert error_rates(in_project.folder) == ["dt=2015-05-18", "dt=2015-05-19"]
    assert not days.complete()


@pytest.mark.parametrize(("reverse", "built"), [(False, "dt=2015-05-17"), (True, "dt=2015-05-19")])
def test_task_limit_is_kept_to_and_told(in_project, build, reverse, built):
    """A range that task_limit cuts builds the oldest days (newest, reversed), and fails."""
    days = RangeDailyBase(of=ErrorRateDaily, start=START, stop=STOP, task_limit=1, reverse=reverse)
    assert not build(days)
    assert error_rates(in_project.folder) == [built]


@KINDS
def test_range_is_looked_at_anew(in_project, build, kind):
    """In one process the same range asked for twice sees what has come in between."""
    assert build(kind(of=ErrorRateDaily, start=START, stop=STOP))
    (in_project.folder / "lake/error_rate/v1/dt=2015-05-18/rev=0/part-0.parquet").unlink()
    again = kind(of=ErrorRateDaily, start=START, stop=STOP)
    assert not again.complete()
    assert [task.date for task in again.requires()] == [date(2015, 5, 18)]


def test_inactive_days_are_no_gap(in_project, build):
    """Days on which no source is active are neither built nor missed."""
    days = RangeDailyBase(of=ErrorRateDaily, start=date(2015, 5, 1), stop=STOP)
    assert build(days)
    assert len(error_rates(in_project.folder)) == 3


def test_range_of_one_source(in_project, build):
    """`--of-params` picks the source of RequestsDaily."""
    days = RangeDailyBase(of=RequestsDaily, of_params={"source": "web"}, start=START, stop=STOP)
    assert build(days)
    assert days.complete()
    assert not error_rates(in_project.folder)


def test_only_daily_tasks_of_the_lake(in_project):
    """A task that publishes nothing to the lake is refused with an example of one that does."""
    with pytest.raises(
        ConfigError, match="--of RawLogsDaily is no daily task of the lake, such as ErrorRateDaily"
    ):
        RangeDailyBase(of=RawLogsDaily, start=START, stop=STOP).complete()


class SomebodyElses(luigi.Task):
    """Days that are not the lake's."""

    day = luigi.DateParameter()
    done: ClassVar[set[date]] = set()

    def complete(self):
        """Tell whether it is done."""
        return self.day in self.done

    def run(self):
        """Do it."""
        self.done.add(self.day)


def test_range_of_somebody_elses_task_is_luigis_own(in_project, build, monkeypatch):
    """Its days are those that Luigi's own range has, whatever the lake and its sources are."""
    monkeypatch.setattr(SomebodyElses, "done", {date(2014, 1, 2)})
    wanted = {"of": SomebodyElses, "start": date(2014, 1, 1), "stop": date(2014, 1, 4), "days_back": 36500}
    days = RangeDailyBase(**wanted)
    assert [each.day.day for each in days.requires()] == [1, 3]
    assert build(RangeDailyBase(**wanted, task_limit=1))
    assert SomebodyElses.done == {date(2014, 1, 1), date(2014, 1, 2)}
    assert build(RangeDailyBase(**wanted, now=1_400_000_000))
    assert SomebodyElses.done == {date(2014, 1, day) for day in (1, 2, 3)}
    assert not in_project.published()


def test_luigis_own_range_works_as_well(in_project, build):
    """Luigi's own RangeDaily finds out what is there by our bulk_complete."""
    stock = luigi.tools.range.RangeDaily
    noon = 1431950400  # 2015-05-18 12:00 UTC
    days = stock(
        of=ErrorRateDaily, start=START, stop=STOP, now=noon, days_back=100, days_forward=0, param_name="date"
    )
    assert build(days)
    assert days.missing_datetimes([datetime(2015, 5, 18), datetime(2015, 5, 19)]) == {datetime(2015, 5, 19)}
    assert error_rates(in_project.folder) == ["dt=2015-05-17", "dt=2015-05-18"]


@KINDS
def test_complete_range_is_one_listing(in_project, build, kind, monkeypatch):
    """A range with everything there asks the store for nothing but one listing."""
    build(kind(of=ErrorRateDaily, start=START, stop=STOP))
    store = project().lake.store
    calls = []
    for name in ("keys", "exists", "sha256", "local_copy"):
        method = getattr(store, name)
        monkeypatch.setattr(
            store, name, lambda *args, name=name, method=method: (calls.append(name), method(*args))[1]
        )
    assert build(kind(of=ErrorRateDaily, start=START, stop=STOP))
    assert calls.count("keys") <= 2
    assert set(calls) == {"keys"}
