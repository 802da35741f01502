"""Sources that are removed, renamed, added, or of another luigi.cfg on the lake: no request is lost or doubled."""

import gzip
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from backfill.concerns import concerns
from backfill.days import DayRange
from backfill.outdated import Look
from backfill.restate import drafted
from etl.looks.verify import RawLogs, rebuilt
from etl.project import project
from lake import connect as connected_to_lake
from lake import read as read_of_lake
from lake.errors import ConfigError
from lake.verify import Scope, Verification
from tasks.error_counts import ErrorCountsDaily
from tasks.error_rate import ErrorRateDaily
from tasks.requests import RequestsDaily
from tasks.status_mix import StatusMixDaily

FIRST, SECOND, STOP = (date(2015, 5, day) for day in (17, 18, 19))
NOW = datetime(2015, 5, 30, 3, tzinfo=UTC)
pytestmark = pytest.mark.usefixtures("now")


@pytest.fixture
def api(in_project):
    """Return a second source, whose logs have another line."""
    for path in sorted((in_project.folder / "logs").iterdir()):
        day = date.fromisoformat(path.stem)
        line = f'192.0.2.7 - - [{day:%d/%b/%Y}:09:00:00 +0000] "GET /api HTTP/1.1" 200 10 "-" "curl"\n'
        (in_project.folder / f"logs/api-{day}.log").write_text(line)
    return in_project.source | {"files": "logs/api-{YYYY}-{MM}-{DD}.log", "application": "api"}


@pytest.fixture
def two(in_project, api, build):
    """Return the project with two days of two sources."""
    in_project.configure(web=in_project.source, api=api)
    assert build(*(task(date=day) for day in (FIRST, SECOND) for task in (ErrorRateDaily, StatusMixDaily)))
    return in_project


def unit(day=FIRST, task=ErrorRateDaily, **of):
    """Return a unit by luigi.cfg as it is now."""
    return task(date=day, **of).unit


def restate(*units, dropped=()):
    """Restate units."""
    with drafted(units, "why", "who", dropped) as found:
        found.publish(project().lake, NOW)


def restate_what_is_outdated(**look):
    """Restate what is found of the two days, and return what that was."""
    found = Look(**look or {"late": True, "stale": True}).outdated(DayRange(unit(), FIRST, STOP))
    if found:
        restate(*(each.unit for each in found))
    return [f"{each.unit} {each.reason}" for each in found]


def asked(query):
    """Return the answer of the lake as it is now."""
    with connected_to_lake() as connection:
        return connection.sql(query).fetchall()


def of_error_rate():
    """Return the requests of the first day, by application."""
    rows = read_of_lake("error_rate", FIRST, SECOND, arrow=True)
    return dict(zip(*(rows[name].to_pylist() for name in ("application", "requests_total")), strict=True))


def concerned(day=FIRST):
    """Return what is said of the two days."""
    return concerns(DayRange(unit(day), FIRST, STOP), {FIRST, SECOND})


def findings():
    """Return what `lake verify --deep --rebuild-sample` says."""
    sources = {each.name: each for each in project().sources}
    look = Verification(project().lake, Scope(is_deep=True), RawLogs(project().lake, sources).changed)
    made = [what for _, what in rebuilt(project().lake, sources, look.partitions, 100) if what]
    return [each.what for each in look.findings()] + made


def test_a_restatement_keeps_a_source_that_luigi_cfg_no_longer_has(two):
    """Health checks come to one source, the other one was switched off: its requests stay in all that is made."""
    two.configure(web=two.source | {"health_check_paths": "/0"})
    assert restate_what_is_outdated() == [
        f"RequestsDaily web {day} stale: the settings of source web have changed" for day in (FIRST, SECOND)
    ]
    assert of_error_rate() == {"shop": 3, "api": 1}
    assert asked("select sum(requests) from status_mix") == [(8,)]
    assert restate_what_is_outdated() == concerned() == []
    assert {*findings()} == {"luigi.cfg no longer has its source", "what it was made from has a newer revision"}


def test_a_source_of_another_luigi_cfg_is_named_and_comes_in_once(two, api):
    """Each of the two sees days of the other: theirs is added, and neither takes the other's away."""
    one, other = (
        two.source | {"health_check_paths": "/0"},
        two.source | {"application": "other", "files": api["files"]},
    )
    log = two.folder / "logs/api-2015-05-17.log"
    log.write_text(log.read_text().replace("/api", "/more") * 2)
    two.configure(more=other)
    (said,) = concerned()
    assert said.startswith(
        "Source more is not in ErrorRateDaily of days on which it is active: 2015-05-17, 2015-05-18."
    )
    with pytest.raises(ConfigError, match="set `formerly = api` in"):
        restate_what_is_outdated()  # the second day's log is one that the other has
    two.configure(more=other | {"until": "2015-05-18"})
    assert restate_what_is_outdated() == [
        "ErrorCountsDaily 2015-05-17 late input: raw logs of source more have come"
    ]
    assert of_error_rate() == {"shop": 3, "api": 1, "other": 2}
    two.configure(web=one)
    restate_what_is_outdated()
    assert of_error_rate() == {"shop": 3, "api": 1, "other": 2}
    two.configure(more=other | {"until": "2015-05-18"})
    assert restate_what_is_outdated() == concerned() == []


def test_a_source_is_left_out_only_if_it_is_named(two):
    """What would be lost is said; what was left out stays so."""
    two.configure(web=two.source)
    restate(unit(task=ErrorCountsDaily), dropped=["api"])
    assert of_error_rate() == {"shop": 3}
    restate(unit(task=ErrorCountsDaily))
    assert of_error_rate() == {"shop": 3}
    lake = project().lake
    for path in Path(lake.root).glob(f"source_counts/v1/dt={SECOND}/source=api/rev=*/*"):
        path.unlink()
    before = two.published()
    with pytest.raises(
        ConfigError, match=r"would lose the requests of source api.* or leave them out with --drop-source api"
    ):
        restate(unit(SECOND, ErrorCountsDaily))
    assert two.published() == before
    restate(unit(SECOND, ErrorCountsDaily), dropped=["api"])


def test_a_declared_source_whose_logs_and_counts_are_gone_is_not_dropped_without_a_word(two, api):
    """Even if luigi.cfg lets a day be made without it."""
    two.configure(web=two.source, api=api)
    with (two.folder / "luigi.cfg").open("a") as file:
        file.write("[completeness]\nmissing_source = warn\n")
    (two.folder / f"logs/api-{FIRST}.log").unlink()
    for dataset in ("requests", "rejects", "source_counts", "source_days"):
        for path in Path(project().lake.root).glob(f"{dataset}/v1/dt={FIRST}/source=api/rev=0/*"):
            path.unlink()
    with pytest.raises(Exception, match=r"of source api is not published|0 of 1 files for"):
        restate(unit(task=ErrorCountsDaily))


def test_a_renamed_source_that_does_not_say_so_is_refused(two, api):
    """Its log is published already: the message says how to declare it."""
    two.configure(front=two.source, api=api)
    said = "set `formerly = web` in \\[source.front\\]"
    with pytest.raises(ConfigError, match=said):
        restate_what_is_outdated()
    with pytest.raises(ConfigError, match=said):
        unit(task=RequestsDaily, source="front").build()
    assert asked(f"select count(*) from requests where dt = '{FIRST}'") == [(4,)]


def test_a_renamed_source_whose_log_has_grown_is_refused(two, api):
    """What was published of it would count twice, however many lines came since."""
    log = two.folder / f"logs/{FIRST}.log"
    with log.open("a") as file:
        file.write('192.0.2.9 - - [17/May/2015:20:00:00 +0000] "GET /late HTTP/1.1" 502 10 "-" "curl"\n')
    two.configure(front=two.source, api=api)
    with pytest.raises(ConfigError, match="set `formerly = web` in"):
        unit(task=RequestsDaily, source="front").build()
    (two.folder / f"logs/front-{FIRST}.log.gz").write_bytes(gzip.compress(log.read_bytes()))
    log.unlink()
    two.configure(front=two.source | {"files": "logs/front-{YYYY}-{MM}-{DD}.log.gz"}, api=api)
    with pytest.raises(ConfigError, match="set `formerly = web` in"):
        unit(task=RequestsDaily, source="front").build()
    assert of_error_rate() == {"shop": 3, "api": 1}


def test_a_renamed_source_is_the_same_source(two, api, build):
    """Its days stay under the name that they were published by, restated or not; new ones get the new name."""
    renamed = two.source | {"formerly": "web, older"}
    two.configure(front=renamed, api=api)
    assert restate_what_is_outdated() == concerned() == []
    assert unit(task=RequestsDaily, source="front").is_published()
    two.configure(front=renamed | {"health_check_paths": "/0"}, api=api)
    assert len(restate_what_is_outdated()) == 2
    with (two.folder / f"logs/{FIRST}.log").open("a") as log:
        log.write('192.0.2.9 - - [17/May/2015:20:00:00 +0000] "GET /late HTTP/1.1" 502 10 "-" "curl"\n')
    (late,) = restate_what_is_outdated()
    assert late.startswith(f"RequestsDaily front {FIRST} late input")
    assert of_error_rate() == {"shop": 4, "api": 1}
    assert build(ErrorRateDaily(date=STOP))
    query = "select dt, source, max(rev), count(*) from requests where source <> 'api' group by all order by all"
    assert asked(query) == [(FIRST, "web", 2, 4), (SECOND, "web", 1, 3), (STOP, "front", 0, 3)]
    (rows,) = asked(f"select sum(valid_requests) from worst_paths('{FIRST}')")
    assert rows == (3,)  # beside the health check
    assert restate_what_is_outdated() == concerned() == []
    assert {str(each) for each in findings()} == {"what it was made from has a newer revision"}


def test_a_name_is_one_sources(two, api):
    """Neither a declared one nor another's former one."""
    for front, other in (({"formerly": "api"}, api), ({"formerly": "old"}, api | {"formerly": "old"})):
        two.configure(front=two.source | front, api=other)
        with pytest.raises(ConfigError, match=r"formerly = .*: .* A name is one source's"):
            project()
    two.configure(front=two.source | {"formerly": "No Name"}, api=api)
    with pytest.raises(ConfigError, match="is no valid name"):
        project()
