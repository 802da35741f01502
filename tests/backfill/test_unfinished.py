"""Restatements that are cut off: visible until they are completed, and then as if nothing had happened."""

import shutil
from contextlib import suppress
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from backfill.concerns import concerns
from backfill.days import DayRange
from backfill.outdated import Look
from backfill.restate import drafted, resumed
from etl.project import project
from lake import restatements
from lake.contracts import contract
from lake.errors import ConfigError, InputError
from lake.lake import Lake
from lake.provenance import Revision
from lake.verify import Scope, Verification
from tasks.error_counts import ErrorCountsDaily
from tasks.error_rate import ErrorRateDaily
from tasks.requests import RequestsDaily
from tasks.source_counts import SourceCountsDaily
from tasks.status_mix import StatusMixDaily

DATE, NEXT = date(2015, 5, 18), date(2015, 5, 19)
NOW = datetime(2015, 5, 30, 3, tzinfo=UTC)
PARTITIONS = ("rejects", "requests", "source_days", "source_counts", "error_counts", "error_rate", "status_mix")
pytestmark = pytest.mark.usefixtures("now")


class Killed(BaseException):
    """A process is no more; nothing of it catches this."""


@pytest.fixture
def built(in_project, build):
    """Return the project with two metrics of a day, whose log then gained a line."""
    assert build(ErrorRateDaily(date=DATE), StatusMixDaily(date=DATE))
    add_line(in_project)
    return in_project


def add_line(a_project, status=502):
    """Let the day's log gain a line."""
    with (a_project.folder / f"logs/{DATE}.log").open("a") as log:
        log.write(f'192.0.2.9 - - [18/May/2015:20:01:00 +0000] "GET /late HTTP/1.1" {status} 10 "-" "curl"\n')


def days(task=ErrorRateDaily):
    """Return the range of the day."""
    return DayRange(task(date=DATE).unit, DATE, NEXT)


def restate(units, reason="late", killed_after=None):
    """Restate units, and be killed after so many publications, or once all is published where there are fewer."""
    count, publish = 0, Lake.publish

    def counted(lake, partition, file):
        nonlocal count
        done = publish(lake, partition, file)
        count += lake.store is project().lake.store
        if count == killed_after:
            raise Killed
        return done

    with pytest.MonkeyPatch.context() as patch, drafted(units, reason, "who") as found:
        patch.setattr(Lake, "publish", counted)
        found.publish(project().lake, NOW)
    return count


def complete(*, accepts_loss=False):
    """Complete what was cut off."""
    lake = project().lake
    for each in restatements.unfinished(lake):
        with resumed(project(), each, accepts_loss=accepts_loss) as found:
            found.publish(lake, NOW)


def findings():
    """Return what `lake verify` says, to the last byte."""
    return [each.what for each in Verification(project().lake, Scope(is_deep=True)).findings()]


@pytest.mark.slow
def test_a_restatement_that_is_killed_is_seen_and_completed(built, build):
    """After each of its publications: it is named, and completing it leaves what an unkilled one leaves."""
    assert build(ErrorRateDaily(date=NEXT))
    lake = built.folder / "lake"
    shutil.copytree(lake, built.folder / "before", copy_function=shutil.copy2)
    units = [RequestsDaily(source="web", date=DATE).unit]
    assert restate(units) == len(PARTITIONS)
    expected = built.published()
    assert findings() == concerns(days(), {DATE}) == []
    for n in range(1, len(PARTITIONS) + 1):
        shutil.rmtree(lake)
        shutil.copytree(built.folder / "before", lake, copy_function=shutil.copy2)
        with suppress(Killed):
            restate(units, killed_after=n)
        assert len(built.published()) == len(expected) - len(PARTITIONS) + n
        assert "a restatement of 2015-05-18, begun 2015-05-30 03:00 UTC, is unfinished" in findings()[0]
        (said,) = concerns(days(), {DATE})
        assert said.endswith("backfill restate --unfinished")
        later = DayRange(days().example, NEXT, date(2015, 5, 20))  # nothing else would name it
        assert concerns(later, {NEXT}) == [said]
        complete()
        assert built.published() == expected
        assert findings() == concerns(days(), {DATE}) == []


def test_what_is_older_than_its_inputs_is_found_through_several_levels(built):
    """Whatever is looked for: where to begin by a plan, and by verification all that is made from it."""
    assert Look().outdated(days()) == []
    RequestsDaily(source="web", date=DATE).unit.build(Revision(1, "alone"))
    for look in (Look(), Look(stale=True)):
        for task in (ErrorRateDaily, StatusMixDaily, ErrorCountsDaily):
            (found,) = look.outdated(days(task))
            assert found.unit == SourceCountsDaily(source="web", date=DATE).unit
    outdated = [each for each in findings() if each.startswith("outdated: ")]
    assert len(outdated) == len(PARTITIONS) - 2  # rejects and requests are as new as can be
    assert "error_rate/v1/dt=2015-05-18/rev=0/part-0.parquet" not in "".join(outdated)
    (said,) = concerns(days(), {DATE})
    assert said.startswith("SourceCountsDaily web is older than what it is made from: 2015-05-18.")
    SourceCountsDaily(source="web", date=DATE).unit.build(Revision(1, "alone"))
    ErrorCountsDaily(date=DATE).unit.build(Revision(1, "alone"))
    ErrorRateDaily(date=DATE).unit.build(Revision(1, "alone"))
    (found,) = Look(late=True).outdated(days())
    assert found.unit == StatusMixDaily(date=DATE).unit  # which is beside what was asked for
    restate([found.unit])
    assert findings() == concerns(days(), {DATE}) == []
    assert built.published().keys() >= {f"status_mix/v1/dt={DATE}/rev=1/part-0.parquet"}


def test_what_came_out_equal_is_not_outdated(built):
    """A confirmation says that it would be the same from the newer inputs."""
    units = [RequestsDaily(source="web", date=DATE).unit]
    restate(units)
    path = built.folder / f"logs/{DATE}.log"
    path.write_text(path.read_text().replace("/0", "/9"))
    restate(units)
    latest = {name: project().lake.latest_of_day(contract(name), DATE)[0].revision for name in PARTITIONS}
    assert latest == dict.fromkeys(PARTITIONS, 1) | {"rejects": 2, "requests": 2}
    assert findings() == []
    assert Look().outdated(days()) == Look(late=True, stale=True).outdated(days()) == []


def test_restating_the_same_again_completes_what_is_older(built):
    """Also where nobody recorded that it had begun: the same day, restated under another reason."""
    with suppress(Killed):
        restate([RequestsDaily(source="web", date=DATE).unit], killed_after=2)
    shutil.rmtree(Path(project().lake.root) / "_restatements")
    restate([RequestsDaily(source="web", date=DATE).unit], reason="again")
    lake = project().lake
    assert {lake.latest_of_day(contract(name), DATE)[0].revision for name in PARTITIONS} == {1}
    assert lake.provenance(lake.latest_of_day(contract("status_mix"), DATE)[0]).reason == "again"
    assert findings() == []


def test_a_log_that_changed_in_between_gives_the_next_revision(built):
    """What is there of the one that was cut off stays; the next one has the lines that came since."""
    with suppress(Killed):
        restate([RequestsDaily(source="web", date=DATE).unit], killed_after=1)
    add_line(built, 200)
    complete()
    lake = project().lake
    (counts,) = lake.latest_of_day(contract("error_counts"), DATE)
    assert lake.provenance(counts).rows_read == 5
    assert lake.latest_of_day(contract("requests"), DATE)[0].revision == 2
    assert findings() == concerns(days(), {DATE}) == []


@pytest.mark.usefixtures("built")
def test_a_restatement_that_lacks_but_its_end_is_finished():
    """By what is there: nothing is made anew."""
    with suppress(Killed):
        restate([RequestsDaily(source="web", date=DATE).unit], killed_after=len(PARTITIONS))
    complete()
    lake = project().lake
    assert restatements.unfinished(lake) == []
    assert lake.latest_of_day(contract("error_rate"), DATE)[0].revision == 1


@pytest.mark.parametrize("is_told", [True, False])
def test_raw_files_that_are_gone_leave_no_restatement_unfinished_for_ever(built, monkeypatch, is_told):
    """One that was told to do without them does so to its end; another one, once it is told."""
    log = built.folder / f"logs/{DATE}.log"
    if is_told:
        log.write_text(log.read_text().partition("\n")[0] + "\n")
    with (
        suppress(Killed),
        monkeypatch.context() as patch,
        drafted([RequestsDaily(source="web", date=DATE).unit], "why", "who", accepts_loss=is_told) as found,
    ):
        patch.setattr(Lake, "publish", cut_off)
        found.publish(project().lake, NOW)
    log.write_text(log.read_text().partition("\n")[0] + "\n")
    if not is_told:
        with pytest.raises(InputError, match="to restate without them, give --accept-loss"):
            complete()
    complete(accepts_loss=not is_told)
    lake = project().lake
    (counts,) = lake.latest_of_day(contract("error_counts"), DATE)
    assert lake.provenance(counts).rows_read == 1
    assert findings() == concerns(days(), {DATE}) == []


@pytest.mark.parametrize("count", [2, 3, 4, 5, 9, 10, 11])
def test_a_first_publication_that_was_cut_off_is_completed_though_its_log_has_grown(in_project, count):
    """By the next revision, where a part of it is there: the day is built, and nothing is wrong with the lake."""
    store, left = project().lake.store, [count]

    def dying(key, file, create=store.create):
        if not left[0]:
            raise Killed
        left[0] -= 1
        return create(key, file)

    def build():
        for unit in (RequestsDaily, SourceCountsDaily, ErrorCountsDaily):
            one = unit(date=DATE, **({} if unit is ErrorCountsDaily else {"source": "web"})).unit
            if not one.is_published():
                one.build()

    store.create = dying
    with suppress(Killed):
        build()
    del store.create
    add_line(in_project)
    build()
    assert findings() == []
    lake = project().lake
    (requests,) = lake.latest_of_day(contract("requests"), DATE)
    assert requests.revision in {0, 1}
    if requests.revision:
        assert lake.provenance(requests).reason.startswith("its first publication was cut off")
        assert lake.provenance(requests).rows_kept == 4
    for each in Look(late=True).outdated(days(ErrorCountsDaily)):
        restate([each.unit])
    (counts,) = lake.latest_of_day(contract("error_counts"), DATE)
    assert lake.provenance(counts).rows_read
    assert Look(late=True, stale=True).outdated(days(ErrorCountsDaily)) == findings() == []


def cut_off(*_):
    """Publish nothing."""
    raise Killed


@pytest.mark.slow
def test_commands_name_it_and_complete_it(a_project):
    """Plan, status, check and verify name it; any restatement of its days, and what they suggest, completes it."""
    of = ("--of", "ErrorRateDaily")
    assert a_project.run("backfill", "run", *of, "--stop", "2015-05-19").returncode == 0
    range_ = (*of, "--start", "2015-05-17", "--stop", "2015-05-19")
    lake = Lake.of(project_config(a_project))
    wanted = restatements.Restatement((restatements.Wanted("requests", DATE, "web"),), "why", "who")
    for complete_by in (
        ("backfill", "restate", "--unfinished", "--yes"),
        ("backfill", "restate", *range_, "--late", "--reason", "again", "--yes"),
        ("backfill", "restate", *of, "--date", str(DATE), "--reason", "again", "--yes"),
    ):
        restatements.begin(lake, wanted, NOW)
        for code, *command in (
            (0, "backfill", "plan", *range_),
            (1, "backfill", "status", *range_),
            (1, "backfill", "check", *range_),
            (1, "lake", "verify"),
        ):
            done = a_project.run(*command)
            assert done.returncode == code, done
            assert "a restatement of 2015-05-18, begun 2015-05-30 03:00 UTC, is unfinished" in done.stdout
        done = a_project.run(*complete_by)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith("To complete: a restatement of 2015-05-18")
        assert a_project.run("backfill", "check", *range_).returncode == 0
    done = a_project.run("backfill", "restate", "--unfinished")
    assert (done.returncode, done.stdout) == (0, "No restatement is unfinished.\n")
    for words in (("--unfinished", "--date", str(DATE)), (), ("--late",)):
        assert a_project.run("backfill", "restate", *words).returncode == 2


def project_config(a_project):
    """Return what luigi.cfg says."""
    from lake import config

    return config.read(a_project.folder / "luigi.cfg")


def test_a_source_that_is_no_longer_declared_is_needed_to_complete(built):
    """It is named, with the way out: to declare it again for as long as that takes."""
    with suppress(Killed):
        restate([RequestsDaily(source="web", date=DATE).unit], killed_after=2)
    built.configure(other=built.source | {"files": "other/{YYYY}-{MM}-{DD}.log"})
    with pytest.raises(ConfigError, match=r"It has days of web, .* Declare \[source\.web\] again for as long as"):
        complete()
    built.configure(web=built.source)
    complete()
    assert findings() == concerns(days(), {DATE}) == []
