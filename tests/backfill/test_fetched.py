"""Sources that another system has, through the whole pipeline: fetched, built from what was kept, fetched again.

KILLS=50 python -m pytest tests/backfill/test_fetched.py -m slow
"""

import json
import os
import random
import re
import shutil
import signal
import stat
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import pytest
from fetching import Misbehaving, Said
from pages import blocks
from s3_servers import KEYS, make_bucket

SOURCE = {
    "dataset": "page_views",
    "format": "csv",
    "fetch": "http",
    "headers": "Authorization: Bearer ${VIEWS_TOKEN}",
    "missing": "404",
    "patience_seconds": "1",
    "since": "2015-05-17",
    "until": "2015-05-19",
}
KIND = ("--of", "PageViewsDaily", "--source", "analytics")
BUILD = ("backfill", "run", *KIND, "--start", "2015-05-17")
FETCH = ("backfill", "fetch", "--source", "analytics")
ALL = "select dt, path, views from page_views order by all"
SECRET = "hunter2hunter2"  # noqa: S105 - looked for in all that is kept
LINE = '192.0.2.1 - - [{day}:08:00:0{n} +0000] "GET /{n} HTTP/1.1" {status} 10 "-" "curl"\n'


class Days:
    """What a server has: the content of each day, none of which means 404."""

    def __init__(self) -> None:
        self.of: dict[str, bytes] = {}
        self.server = Misbehaving()
        self.server.answers = [self._answer]

    def put(self, day: str, *rows: str) -> None:
        """Have these page views of a day from now on."""
        self.of[day] = "".join(f"{row}\n" for row in ("application,path,views,visitors", *rows)).encode()

    def _answer(self, got) -> Said:
        day = re.search(r"\d{4}-\d\d-\d\d", got.path)[0]
        return Said(self.of[day]) if day in self.of else Said(b"not yet", status=404)


@pytest.fixture
def days():
    """A server that has two days."""
    made = Days()
    made.put("2015-05-17", "shop,/,1204,931", "shop,/basket,310,")
    made.put("2015-05-18", "shop,/,1100,900")
    yield made
    made.server.close()


@pytest.fixture
def analytics(make_project, days):
    """A project with a source that is fetched from that server, and nothing else."""
    made = make_project("analytics")
    for name in [each for each in made.environment if each.lower().endswith("_proxy")]:
        del made.environment[name]
    made.environment["VIEWS_TOKEN"] = SECRET
    configure(made, analytics=SOURCE | {"url": days.server.url + "/{YYYY}-{MM}-{DD}.csv"})
    return made


def configure(made, **sources):
    """Write luigi.cfg, with a place for snapshots."""
    made.configure(**sources)
    with (made.folder / "luigi.cfg").open("a") as file:
        file.write("[snapshots]\nroot = snapshots\n")


def asked(made, query):
    """Return the rows that `lake sql` prints."""
    done = made.run("lake", "sql", "--csv", query)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()[1:]


def test_days_are_fetched_once(analytics, days):
    """Built from what was kept, by our commands or Luigi's; the lake built anew needs no server."""
    planned = analytics.run("backfill", "plan", *KIND, "--start", "2015-05-17")
    assert planned.returncode == 0
    assert days.server.requests == []
    done = analytics.run(*BUILD)
    assert done.returncode == 0, done.stderr
    assert asked(analytics, ALL) == ["2015-05-17,/,1204", "2015-05-17,/basket,310", "2015-05-18,/,1100"]
    assert days.server.paths == ["/2015-05-17.csv", "/2015-05-18.csv"]
    assert {each.headers["Authorization"] for each in days.server.requests} == {f"Bearer {SECRET}"}
    assert analytics.run(*BUILD).returncode == 0
    explained = analytics.run("backfill", "explain", *KIND, "--date", "2015-05-18").stdout
    assert "a snapshot of analytics, there" in explained
    before = analytics.published()
    days.server.close()
    (analytics.folder / "lake").rename(analytics.folder / "gone")
    luigi = ("luigi", "RangeDailyBase", "--of", "PageViewsDaily", "--start", "2015-05-17", "--stop", "2015-05-19")
    done = analytics.run(*luigi, "--of-params", '{"source": "analytics"}')
    assert done.returncode == 0, done.stderr
    assert set(analytics.published()) == set(before)
    assert asked(analytics, ALL) == ["2015-05-17,/,1204", "2015-05-17,/basket,310", "2015-05-18,/,1100"]
    assert analytics.run("lake", "verify", "--deep", "--rebuild-sample", "2").returncode == 0


def test_what_is_kept_has_no_secret_and_one_reader(analytics):
    """Nor does anything that is printed, or recorded of attempts; the snapshots are their owner's."""
    done = analytics.run(*BUILD)
    assert done.returncode == 0, done.stderr
    for each in analytics.folder.rglob("*"):
        if each.is_file():
            assert SECRET.encode() not in each.read_bytes(), each
    assert SECRET not in done.stdout + done.stderr
    assert stat.S_IMODE((analytics.folder / "snapshots").stat().st_mode) == stat.S_IRWXU


def test_a_day_that_is_not_there_yet_waits(analytics, days):
    """As a day without a raw file does; it is asked for again by the next run."""
    there = days.of.pop("2015-05-18")
    done = analytics.run(*BUILD)
    assert done.returncode == 1
    assert "2015-05-18" in done.stdout
    assert "doesn't have 2015-05-18 yet" in done.stdout + done.stderr
    assert asked(analytics, "select distinct dt from page_views") == ["2015-05-17"]
    status = analytics.run("backfill", "status", *KIND, "--start", "2015-05-17")
    assert status.returncode == 1
    assert "doesn't have 2015-05-18 yet" in status.stdout
    explained = analytics.run("backfill", "explain", *KIND, "--date", "2015-05-18")
    assert "Made from: a snapshot of analytics, to be fetched" in explained.stdout
    days.of["2015-05-18"] = there
    done = analytics.run(*BUILD)
    assert done.returncode == 0, done.stderr
    assert len(asked(analytics, ALL)) == 3


@pytest.mark.slow
def test_a_source_that_cant_be_reached_is_no_failure_of_the_day(analytics, days):
    """The message names where; however often that was tried, the days are tried again."""
    days.server.close()
    for _ in range(4):
        done = analytics.run(*BUILD)
        assert done.returncode == 1, done.stdout + done.stderr
    assert "Can't fetch from http://127.0.0.1" in done.stdout + done.stderr
    assert SECRET not in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    again = Days()
    again.of = days.of
    configure(analytics, analytics=SOURCE | {"url": again.server.url + "/{YYYY}-{MM}-{DD}.csv"})
    done = analytics.run(*BUILD)
    again.server.close()
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_wrong_answer_is_asked_for_again_however_often_it_came(analytics, days):
    """Nothing here tells that the other system has been put right: no attempt counts against the day."""
    there = days.of["2015-05-18"]
    days.of["2015-05-18"] = b"<html>log in</html>"
    for _ in range(4):
        done = analytics.run(*BUILD)
        assert done.returncode == 1
        assert "answers with a page of HTML" in done.stdout + done.stderr
    days.of["2015-05-18"] = there
    done = analytics.run(*BUILD)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(asked(analytics, ALL)) == 3


def test_a_source_that_answers_otherwise_is_late_data(analytics, days):
    """Fetched again, found by --late, restated with the difference shown; what was published stays."""
    assert analytics.run(*BUILD).returncode == 0
    done = analytics.run(*FETCH, "--start", "2015-05-17", "--stop", "2015-05-19")
    assert done.returncode == 0, done.stderr
    assert [line.split(",")[0] for line in done.stdout.splitlines()] == [
        "2015-05-17 as it was: revision 0",
        "2015-05-18 as it was: revision 0",
    ]
    days.put("2015-05-17", "shop,/,1300,931", "shop,/basket,310,", "shop,/help,5,5")
    done = analytics.run(*FETCH, "--date", "2015-05-17")
    assert done.returncode == 0, done.stderr
    assert "2015-05-17 another content: revision 1" in done.stdout
    assert "backfill restate --of PageViewsDaily --source analytics --late --start 2015-05-17" in done.stdout
    assert asked(analytics, ALL)[0] == "2015-05-17,/,1204"
    late = analytics.run("backfill", "plan", *KIND, "--late", "--start", "2015-05-17")
    assert "2015-05-17" in late.stdout
    days.server.close()
    done = analytics.run(
        "backfill", "restate", *KIND, "--late", "--start", "2015-05-17", "--reason", "refetched", "--yes"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert asked(analytics, ALL)[:3] == ["2015-05-17,/,1300", "2015-05-17,/basket,310", "2015-05-17,/help,5"]
    assert asked(analytics, "select count(*) from page_views_history") == ["6"]
    assert analytics.run("lake", "verify", "--deep", "--rebuild-sample", "2").returncode == 0


def test_a_source_that_takes_rows_back(analytics, days):
    """That is no loss of raw files: what it said before is still there."""
    assert analytics.run(*BUILD).returncode == 0
    days.put("2015-05-17", "shop,/,1204,931")
    assert analytics.run(*FETCH, "--date", "2015-05-17").returncode == 0
    restate = ("backfill", "restate", *KIND, "--late", "--start", "2015-05-17", "--reason", "x", "--yes")
    done = analytics.run(*restate)
    assert done.returncode == 0, done.stdout + done.stderr
    assert asked(analytics, ALL) == ["2015-05-17,/,1204", "2015-05-18,/,1100"]
    assert len(list((analytics.folder / "snapshots/analytics/dt=2015-05-17").glob("rev=*"))) == 2


def test_two_runs_at_once(analytics, days):
    """Both build all days from one snapshot each, though the server tells each another number."""
    count, lock = [0], threading.Lock()

    def another(got):
        with lock:
            count[0] += 1
            number = count[0]
        time.sleep(0.2)
        return Said(f"application,path,views,visitors\nshop,/,{number},1\n".encode())

    days.server.answers = [another]
    with ThreadPoolExecutor(2) as pool:
        ended = list(pool.map(lambda _: analytics.anew().run(*BUILD), range(2)))
    assert [each.returncode for each in ended] == [0, 0], [each.stdout + each.stderr for each in ended]
    snapshots = list((analytics.folder / "snapshots").rglob("manifest.json"))
    assert len(snapshots) == len({each.parent.parent for each in snapshots}) or count[0] > 2
    assert asked(analytics, "select count(*), count(distinct dt) from page_views") == ["2,2"]
    assert analytics.run("lake", "verify", "--deep", "--rebuild-sample", "2").returncode == 0


def test_a_log_is_fetched_too(analytics, days):
    """Error rates of a log that a server gives out by the day: nothing else is declared for it."""
    days.of = {
        f"2015-05-{day}": "".join(
            LINE.format(day=f"{day}/May/2015", n=n, status=500 if n == 3 else 200) for n in range(4)
        ).encode()
        for day in (17, 18)
    }
    source = {
        "format": "combined",
        "fetch": "http",
        "url": days.server.url + "/{YYYY}-{MM}-{DD}.log",
        "application": "shop",
        "vantage": "origin",
        "since": "2015-05-17",
        "until": "2015-05-19",
    }
    configure(analytics, web=source)
    done = analytics.run("luigi", "RangeDailyBase", "--of", "ErrorRateDaily", "--start", "2015-05-17")
    assert done.returncode == 0, done.stderr
    assert asked(analytics, "select dt, error_rate from error_rate order by all") == [
        "2015-05-17,0.25",
        "2015-05-18,0.25",
    ]
    checked = analytics.run("backfill", "check", "--of", "ErrorRateDaily")
    assert checked.returncode in {0, 1}
    assert "Traceback" not in checked.stderr


def test_a_log_whose_lines_are_in_the_next_file(analytics, days):
    """The day after the last one is fetched too, for it holds lines of that; none before the first is."""
    days.of = {
        f"2015-05-{day}": "".join(
            LINE.format(day=f"{day - (n == 0):02}/May/2015", n=n, status=500 if n == 0 else 200) for n in range(4)
        ).encode()
        for day in (16, 17, 18, 19)
    }
    source = {
        "format": "combined",
        "fetch": "http",
        "url": days.server.url + "/{YYYY}-{MM}-{DD}.log",
        "application": "shop",
        "vantage": "origin",
        "covers": "-1 to 0",
        "since": "2015-05-17",
        "until": "2015-05-19",
    }
    configure(analytics, web=source)
    done = analytics.run("backfill", "run", "--of", "ErrorRateDaily", "--start", "2015-05-17")
    assert done.returncode == 0, done.stderr
    assert sorted(days.server.paths) == [f"/2015-05-{day}.log" for day in (17, 18, 19)]
    assert asked(analytics, "select dt, requests_total, error_rate from error_rate order by all") == [
        "2015-05-17,4,0.25",
        "2015-05-18,4,0.25",
    ]
    for day, status in (("2015-05-19", 0), ("2015-05-20", 1), ("2015-05-16", 1)):
        done = analytics.run("backfill", "fetch", "--source", "web", "--date", day)
        assert (done.returncode, "web has no data for this day" in done.stderr) == (status, bool(status))


def test_what_was_fetched_and_is_of_no_use(analytics, days):
    """A day fails with it, however often, and says how to fetch it again; then it is built."""
    days.of["2015-05-18"] = b"page,views\n/,1\n"
    done = analytics.run(*BUILD)
    assert done.returncode == 1
    again = "backfill fetch --source analytics --date 2015-05-18"
    assert f"If analytics has it right by now, fetch it again: {again}" in done.stderr
    days.put("2015-05-18", "shop,/,1100,900")
    assert analytics.run(*BUILD).returncode == 1
    done = analytics.run(*again.split())
    assert "To build it: backfill run --of PageViewsDaily --source analytics --start 2015-05-18" in done.stdout
    done = analytics.run(*BUILD)
    assert done.returncode == 0, done.stdout + done.stderr
    assert asked(analytics, ALL)[-1] == "2015-05-18,/,1100"


def test_snapshots_by_themselves(analytics, days):
    """By Luigi's range; `run` names what they are fetched with. Of two workers each fetches."""
    luigi = ("luigi", "RangeDailyBase", "--of", "SnapshotDaily", "--start", "2015-05-17", "--stop", "2015-05-19")
    done = analytics.run(*luigi, "--of-params", '{"source": "analytics"}')
    assert done.returncode == 0, done.stderr
    assert sorted(days.server.paths) == ["/2015-05-17.csv", "/2015-05-18.csv"]
    done = analytics.run("backfill", "run", "--of", "SnapshotDaily", "--source", "analytics")
    assert done.returncode == 2
    assert "SnapshotDaily is built with what is made of it, one of: " in done.stderr
    shutil.rmtree(analytics.folder / "snapshots")
    done = analytics.run(*BUILD, "--workers", "2")
    assert done.returncode == 0, done.stderr
    assert len(days.server.paths) == 4


@pytest.mark.parametrize("on_s3", ["snapshots", "lake"])
def test_one_of_the_two_is_in_a_bucket(analytics, moto_url, tmp_path, on_s3):
    """Snapshots on S3 and the lake on a disk, or the other way round."""
    bucket = f"bucket-{abs(hash(tmp_path)):x}"
    make_bucket(moto_url, bucket)
    analytics.environment.update(KEYS)
    text = (analytics.folder / "luigi.cfg").read_text()
    there = f"root = s3://{bucket}/some/prefix\nendpoint_url = {moto_url}\n"
    (analytics.folder / "luigi.cfg").write_text(text.replace(f"root = {on_s3}\n", there))
    done = analytics.run(*BUILD)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(asked(analytics, ALL)) == 3
    assert analytics.run("lake", "verify", "--deep", "--rebuild-sample", "2").returncode == 0
    assert (analytics.folder / "lake").exists() == (on_s3 == "snapshots")
    assert (analytics.folder / "snapshots").exists() == (on_s3 == "lake")


def test_a_night_says_why(analytics, days):
    """As far as a mail goes, and not an address alone."""
    days.server.answers = [Said(b"no", status=401)]
    done = analytics.run("backfill", "nightly", *KIND, COLUMNS="")
    assert done.returncode == 1
    assert re.search(r"SnapshotDaily analytics: http://.* answers 401: no. It doesn't let us in", done.stdout)


def test_a_fetch_that_is_ended(analytics, days):
    """With the status that a shell shows for that; nothing runs on, and what it left is gone with the next one."""
    begun, end = threading.Event(), threading.Event()
    there = days.of["2015-05-17"]

    def answer(_):
        begun.set()
        return Said(there, wait=end)

    days.server.answers = [answer]
    started = analytics.start(*FETCH, "--date", "2015-05-17")
    assert begun.wait(60)
    started.terminate()
    started.communicate(timeout=20)
    end.set()
    assert started.returncode == -signal.SIGTERM
    assert not list((analytics.folder / "snapshots").rglob("manifest.json"))
    assert analytics.run(*FETCH, "--date", "2015-05-17").returncode == 0
    left = [each for each in (analytics.folder / "snapshots").rglob("*") if each.is_file()]
    assert len(left) == 2


def test_an_export_that_is_replaced_is_kept_each_day(analytics):
    """Each night it is the day before's. What is kept is built again; a day that was missed is named as lost."""
    export = analytics.folder / "views.csv"
    source = {key: SOURCE[key] for key in ("dataset", "format", "since", "until")}
    configure(analytics, analytics=source | {"fetch": "file", "path": "views.csv", "max_reject_rate": "0"})

    def write(day, views):
        export.write_text(f"application,path,views,visitors\nshop,/,{views},\n")
        os.utime(export, (datetime.fromisoformat(f"2015-05-{day}T02:00:00+00:00").timestamp(),) * 2)

    write(18, 1204)
    done = analytics.run(*BUILD)
    assert done.returncode == 1
    assert "is not of 2015-05-18 yet: it was written 2015-05-18 02:00 UTC" in done.stdout
    write(19, 1300)
    done = analytics.run(*BUILD)
    assert done.returncode == 0, done.stdout
    assert asked(analytics, "select dt, views from page_views order by all") == [
        "2015-05-17,1204",
        "2015-05-18,1300",
    ]
    late = analytics.run("backfill", "plan", *KIND, "--late", "--start", "2015-05-17")
    assert "Nothing to build." in late.stdout
    assert analytics.run("lake", "verify", "--deep", "--rebuild-sample", "2").returncode == 0
    shutil.rmtree(analytics.folder / "lake")
    shutil.rmtree(analytics.folder / "snapshots/analytics/dt=2015-05-17")
    done = analytics.run(*BUILD)
    assert done.returncode == 1
    assert "views.csv is of 2015-05-17 no longer" in done.stdout
    assert asked(analytics, "select dt, views from page_views") == ["2015-05-18,1300"]


def test_snapshots_expire(analytics):
    """After keep_days they are deleted by whoever fetches; what was made of them stays, and is no finding."""
    assert analytics.run(*BUILD).returncode == 0
    cfg = analytics.folder / "luigi.cfg"
    cfg.write_text(cfg.read_text() + "keep_days = 30\n")
    old = analytics.folder / "snapshots/analytics/dt=2015-05-17"
    for each in old.rglob("*"):
        os.utime(each, (0, 0))
    assert analytics.run(*FETCH, "--date", "2015-05-18").returncode == 0
    assert [each.name for each in old.parent.iterdir() if any(each.rglob("*.json"))] == ["dt=2015-05-18"]
    done = analytics.run("lake", "verify", "--deep")
    assert done.returncode == 0, done.stdout
    assert "1 raw logs are no longer there" in done.stdout
    assert analytics.run("backfill", "plan", *KIND, "--late", "--start", "2015-05-17").returncode == 0
    cfg.write_text(cfg.read_text().replace("keep_days = 30", "keep_days = 0"))
    done = analytics.run(*BUILD)
    assert done.returncode == 2
    assert "[snapshots]" in done.stderr
    assert "keep_days = 0" in done.stderr


def test_a_log_of_a_search_index_is_fetched(analytics, indices):
    """As docs/how-to/fetch.md has it: its documents are lines of JSON."""
    indices.ask("PUT", "/{logs}", {"mappings": {"properties": {"@timestamp": {"type": "date"}}}})
    body = b""
    for n, status in enumerate((200, 200, 200, 503)):
        document = {
            "@timestamp": f"2015-05-17T08:00:0{n}.250Z",
            "http": {"request": {"method": "GET"}, "response": {"status_code": status}},
            "url": {"path": f"/{n}"},
        }
        body += b'{"index": {}}\n' + json.dumps(document).encode() + b"\n"
    assert not indices.ask_bulk(f"/{indices.name('logs')}/_bulk?refresh=true", body)["errors"]
    (section,) = (each.text for each in blocks("docs/how-to/fetch.md") if "[source.edge]" in each.text)
    values = dict(line.split(" = ", 1) for line in section.splitlines()[1:])
    there = {
        "url": f"http://127.0.0.1:{indices.server.port}",
        "index": indices.name("logs"),
        "since": "2015-05-17",
        "until": "2015-05-18",
    }
    del values["headers"], values["query"]
    configure(analytics, edge=values | there)
    done = analytics.run("luigi", "ErrorRateDaily", "--date", "2015-05-17")
    assert done.returncode == 0, done.stderr
    assert asked(analytics, "select application, valid_requests, error_rate from error_rate") == ["shop,4,0.25"]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"fetch": "htttp"}, "Did you mean"),
        ({"files": "exports/{YYYY}-{MM}-{DD}.csv"}, "files is for raw files that are put somewhere"),
        ({"url": "https://me:secret@host/"}, "password"),
        ({"headers": "Authorization: Bearer 1234"}, "looks like a secret"),
        ({"urll": "x"}, "urll"),
    ],
)
def test_what_cant_be_meant_is_refused(analytics, changed, said):
    """The message names the section and the key."""
    configure(analytics, analytics=SOURCE | {"url": "https://host/{DD}"} | changed)
    done = analytics.run(*BUILD)
    assert done.returncode == 2
    assert "source.analytics" in done.stderr
    assert said in done.stderr
    assert "1234" not in done.stderr


@pytest.mark.parametrize("root", ["lake", "lake/snapshots", "."])
def test_snapshots_are_never_in_the_lake(analytics, root):
    """Nor the lake in them: they may hold what it must not know."""
    text = (analytics.folder / "luigi.cfg").read_text()
    (analytics.folder / "luigi.cfg").write_text(text.replace("root = snapshots", f"root = {root}"))
    done = analytics.run(*BUILD)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Choose a folder or prefix beside it" in done.stdout + done.stderr
    text = text.partition("[snapshots]")[0]
    (analytics.folder / "luigi.cfg").write_text(text)
    done = analytics.run(*BUILD)
    assert done.returncode == 2
    assert "a section [snapshots] with root" in done.stderr


@pytest.mark.slow
def test_runs_that_are_killed(analytics, days):
    """Whenever: the next run ends what is open, and the figures are those of one answer of the server."""
    kills = int(os.environ.get("KILLS", "10"))
    chance = random.Random(kills)  # noqa: S311 - moments
    for number in range(kills):
        (analytics.folder / "luigi.cfg").write_text(
            (analytics.folder / "luigi.cfg").read_text().replace("root = lake", f"root = lake{number}")
        )
        days.put("2015-05-17", *(f"shop,/{n},{number},1" for n in range(20_000)))
        configure(
            analytics,
            analytics=SOURCE | {"url": days.server.url + "/{YYYY}-{MM}-{DD}.csv"},
        )
        cfg = analytics.folder / "luigi.cfg"
        cfg.write_text(
            cfg.read_text()
            .replace("root = lake\n", f"root = lake{number}\n")
            .replace("root = snapshots\n", f"root = snapshots{number}\n")
        )
        started = analytics.start(*BUILD)
        time.sleep(chance.uniform(0.2, 3))
        started.send_signal(signal.SIGKILL)
        started.communicate()
        done = analytics.run(*BUILD)
        assert done.returncode == 0, done.stdout + done.stderr
        assert asked(analytics, "select dt, count(*), min(views) from page_views group by all order by all") == [
            f"2015-05-17,20000,{number}",
            "2015-05-18,1,1100",
        ]
        assert analytics.run("lake", "verify", "--deep").returncode == 0
        assert len(list(Path(analytics.folder / f"snapshots{number}").rglob("manifest.json"))) == 2
