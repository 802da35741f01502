"""What is begun when, and what is made of what came: with executors that are this process, and no Spark."""

import pickle
from contextlib import contextmanager
from dataclasses import replace
from datetime import date

import pytest
from fetching import Misbehaving, Said

from backfill import attempts
from backfill.attempts import Outcome
from backfill.days import DayRange
from backfill.engines.spark import runner, work
from backfill.engines.spark.session import Lost
from backfill.engines.stop import Stop
from backfill.plan import Plan
from etl import clock
from etl.delivered import Delivered
from etl.project import project
from etl.units import Unit
from lake.errors import ConfigError, StoreError

START = date(2015, 5, 17)


def sent(value):
    """Return what another process gets."""
    return pickle.loads(pickle.dumps(value))  # noqa: S301 - it is our own


class Executors:
    """A session whose executors are threads of this process, which know what they are sent, and no more.

    Attributes:
        began: What was built, in this order.
        trouble: What happens to a unit of a dataset, in place of its building.
    """

    def __init__(self):
        self.order, self.began, self.trouble = None, [], {}

    @contextmanager
    def started(self, _settings, _name, _workers, order):
        """As the session's."""
        self.order = sent(order)
        yield self

    def build(self, named):
        """Build a unit as an executor does."""
        self.began.append((named.dataset, named.day.day))
        if trouble := self.trouble.get(named.dataset):
            trouble()
        came = work.build(self.order, sent(named))
        return sent(came)

    def is_idle(self):
        """Nothing waits long here."""
        return False


@pytest.fixture
def executors(monkeypatch):
    """Return what the engine takes for Spark."""
    made = Executors()
    monkeypatch.setattr(runner, "started", made.started)
    return made


@pytest.fixture
def run(in_project, executors):
    """Return a function that builds the project's days, and returns the result with the attempts by their days."""

    def built(of="error_rate", source=None, example=None, **asked):
        example = example or Unit(project(), of, START, source)
        days = DayRange.resolve(example, None, None, clock.utc_now())
        past = attempts.Attempts(project().lake.journal(attempts.NAME), days.example)
        plan = Plan.of(days, clock.utc_now(), past, max_attempts=3)
        result = runner.run(plan, past, **{"workers": 2, **asked})
        return result, {day.day: past.of_day(day) for day in plan.chosen}

    return built


def test_each_unit_is_begun_after_what_it_is_made_from(run, executors, in_project):
    """Oldest days first, and each once; all are there in the end, with an attempt each."""
    result, tried = run(workers=1)
    order = ["requests", "source_counts", "error_counts", "error_rate"]
    assert executors.began == [(name, day) for day in range(17, 21) for name in order]
    assert (result.failed, result.waiting, result.stopped) == (frozenset(), {}, None)
    assert [(day, each.outcome) for day, its in tried.items() for each in its] == [
        (day, Outcome.BUILT) for day in range(17, 21)
    ]
    assert {unit.dataset: len(days) for unit, days in result.below.items()} == dict.fromkeys(order[:-1], 4)
    executors.began.clear()
    run()
    assert executors.began == []


def test_what_is_there_is_not_begun(run, executors):
    """Only what is missing is handed out."""
    run("source_counts", "web")
    executors.began.clear()
    run()
    assert {name for name, _ in executors.began} == {"error_counts", "error_rate"}


def test_a_bad_day_blocks_no_other(run, executors, in_project, caplog):
    """It has the reason that the local engine gives, and what is made from it is not begun."""
    (in_project.folder / "logs/2015-05-18.log").write_text("no log at all\n" * 3)
    result, tried = run()
    assert result.failed == {date(2015, 5, 18)}
    (attempt,) = tried[18]
    assert (attempt.outcome, attempt.source) == (Outcome.FAILED, "web")
    assert attempt.error.startswith("RequestsDaily web: source web, 2015-05-18: 3 of 3 lines are rejects")
    assert "2015-05-18 RequestsDaily web: source web" in caplog.text
    assert ("source_counts", 18) not in executors.began
    caplog.clear()
    result, _ = run(says_errors=False)
    assert (result.failed, caplog.text) == ({date(2015, 5, 18)}, "")


def test_no_more_is_begun_after_so_many_failures(run, executors, in_project):
    """The third day is not tried."""
    for day in (17, 18):
        (in_project.folder / f"logs/2015-05-{day}.log").write_text("no log at all\n" * 3)
    result, _ = run(workers=1, max_failures=2)
    assert len(result.failed) == 2
    assert executors.began == [("requests", 17), ("requests", 18)]


def test_an_undated_log_is_read_once(run, executors, in_project):
    """The pass of one day publishes the others: they wait for it, and then there is nothing to do."""
    logs = [(in_project.folder / f"logs/2015-05-{day}.log").read_text() for day in range(17, 21)]
    (in_project.folder / "access.log").write_text("".join(logs))
    in_project.configure(web=in_project.source | {"files": "access.log"})
    result, _ = run(workers=4)
    assert [each for each in executors.began if each[0] == "requests"] == [("requests", 17)]
    assert result.failed == frozenset()


def test_a_day_without_its_log_waits(run, in_project):
    """Nothing is recorded of it, and nothing failed."""
    (in_project.folder / "logs/2015-05-19.log").unlink()
    result, tried = run()
    assert (result.failed, tried[19]) == (frozenset(), [])
    assert [each.outcome for each in tried[20]] == [Outcome.BUILT]


def test_logs_that_an_executor_does_not_see_are_said(run, executors, monkeypatch):
    """That is no fault of the day."""
    monkeypatch.setattr(work, "host", lambda: "far")
    order, build = executors, work.build
    monkeypatch.setattr(
        work,
        "build",
        lambda _, named: (
            build(order.order, named)
            if named.dataset != "requests"
            else work.Came(waits="source web: 0 of 1 files", host="far")
        ),
    )
    result, tried = run()
    assert len(result.failed) == 4
    assert {its[0].outcome for its in tried.values()} == {Outcome.HINDERED}
    assert tried[17][0].error == "RequestsDaily web: on far, and not here: source web: 0 of 1 files"


def raising(error):
    """Return what raises it."""

    def trouble():
        raise error

    return trouble


def test_what_spark_gives_up_has_failed(run, executors):
    """As where a worker of the local engine dies."""
    executors.trouble["source_counts"] = raising(Lost("ExecutorLostFailure (executor 1 exited)"))
    _, tried = run()
    (attempt,) = tried[17]
    assert attempt.outcome is Outcome.FAILED
    assert attempt.error == "SourceCountsDaily web: Spark gave it up: ExecutorLostFailure (executor 1 exited)"


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (StoreError("the disk is away"), Outcome.HINDERED),
        (ZeroDivisionError("no bug of ours is raised into Spark"), Outcome.FAILED),
        (MemoryError(), Outcome.FAILED),
    ],
)
def test_errors_are_told_and_not_raised(run, monkeypatch, caplog, error, outcome):
    """Ours by their texts, others with their traceback, too."""
    monkeypatch.setattr(Unit, "build", lambda *_: raising(error)())
    _, tried = run()
    (attempt,) = tried[17]
    assert (attempt.outcome, attempt.host) == (outcome, attempts.host())
    assert attempt.error == f"RequestsDaily web: {str(error) or repr(error)}"
    assert ("Traceback" in caplog.text) != isinstance(error, StoreError)


@pytest.mark.parametrize("name", ["code", "duckdb", "[lake] root", "the lake's id", "[source.web]"])
def test_an_executor_that_differs_builds_nothing(run, executors, in_project, name):
    """What it has is named, with what the driver has."""
    begin = executors.started

    @contextmanager
    def otherwise(*arguments):
        with begin(*arguments) as session:
            session.order = replace(session.order, setup={**session.order.setup, name: "another"})
            yield session

    runner.started = otherwise  # undone with the fixture's
    with pytest.raises(ConfigError) as caught:
        run()
    assert "An executor is not as the driver is, so it built nothing: " in str(caught.value)
    assert f"{name} is " in str(caught.value)
    assert "and another on the driver" in str(caught.value)
    assert in_project.published() == {}


def test_what_is_delivered_is_built_first(run, executors, in_project):
    """A delivery's day is a unit as any other, of which executors know the name."""
    with (in_project.folder / "luigi.cfg").open("a") as file:
        file.write("[deliver.figures]\nto = file://figures.csv\ndatasets = error_rate\n")
    result, _ = run(example=Delivered.of_name(project(), "figures", START), workers=1)
    assert result.failed == frozenset()
    assert executors.began[-1] == ("delivered", 20)
    assert (in_project.folder / "figures.csv").read_text().count('"shop","origin"') == 4


def test_what_is_fetched_comes_first(run, executors, in_project):
    """A snapshot is a unit, too: a day that the other system lacks waits, and says so."""
    server = Misbehaving()
    rows = b"application,path,views,visitors\nshop,/,1204,931\n"
    server.answers = [lambda got: Said(rows) if "05-17" in got.path else Said(b"not yet", status=404)]
    source = {"dataset": "page_views", "format": "csv", "fetch": "http", "since": "2015-05-17"}
    source |= {
        "until": "2015-05-19",
        "patience_seconds": "1",
        "missing": "404",
        "url": server.url + "/{YYYY}-{MM}-{DD}.csv",
    }
    in_project.configure(web=in_project.source, analytics=source)
    with (in_project.folder / "luigi.cfg").open("a") as file:
        file.write("[snapshots]\nroot = snapshots\n")
    result, tried = run("page_views", "analytics", workers=1)
    server.close()
    assert executors.began == [("snapshot", 17), ("page_views", 17), ("snapshot", 18)]
    assert list(result.waiting) == [date(2015, 5, 18)]
    assert [each.outcome for its in tried.values() for each in its] == [Outcome.BUILT, Outcome.NO_INPUT]


def test_a_signal_that_ends_spark_first_is_no_failure(run, executors, monkeypatch):
    """As where a service manager sends it to all processes: nothing is recorded of what was given up."""
    entered = Stop.on_signals

    @contextmanager
    def stopped():
        with entered() as stop:
            executors.trouble["requests"] = lambda: (stop.signals.append(15), raising(ConfigError("ended"))())
            yield stop

    monkeypatch.setattr(Stop, "on_signals", stopped)
    result, tried = run()
    assert (result.stopped, result.failed) == (143, frozenset())
    assert tried[17] == []
