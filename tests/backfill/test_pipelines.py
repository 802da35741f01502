"""The pipelines beside error rates, side by side: one correction goes through windows and joins to all targets."""

import json

import pytest
from postgres_server import PASSWORD

SECTIONS = """\
[lake]
root = lake

[source.web]
format = combined
files = logs/{{YYYY}}-{{MM}}-{{DD}}.log
application = shop
vantage = origin
since = 2015-05-17
until = 2015-05-21

[source.views]
dataset = page_views
format = csv
files = exports/views-{{YYYY}}-{{MM}}-{{DD}}.csv
fields = visitors = -
since = 2015-05-17
until = 2015-05-21

[source.feedback]
dataset = page_feedback
format = ndjson
files = exports/feedback-{{YYYY}}-{{MM}}-{{DD}}.json
since = 2015-05-17
until = 2015-05-21
allow_empty = true

[deliver.pages]
to = {database}
datasets = content_performance, page_popularity

[deliver.search]
to = {search}
datasets = page_popularity
"""
DAYS = [f"2015-05-{day}" for day in (17, 18, 19, 20)]
LINE = '192.0.2.1 - - [{day}:08:00:0{n} +0000] "GET /b HTTP/1.1" {status} 10 "-" "curl"\n'
OF_PAGES = ("--of", "ContentPerformanceDaily", "--start", "2015-05-17")
RESTATE = ("backfill", "restate", *OF_PAGES, "--late", "--reason", "the export was cut off", "--yes")
RANKS = "select dt, path, views_14_days from page_popularity where rank_14_days = 1 order by dt"
PAGES = (
    "select dt, path, views, rank_14_days, useful, server_error_requests, valid_requests "
    "from content_performance where path = '/b' order by dt"
)


@pytest.fixture
def site(make_project):
    """Return a project of a site: four days of its log, of its page views and of its feedback."""
    made = make_project("site")
    for folder in ("logs", "exports"):
        (made.folder / folder).mkdir()
    for day in DAYS:
        lines = (LINE.format(day=f"{day[-2:]}/May/2015", n=n, status=500 if n == 5 else 200) for n in range(6))
        (made.folder / f"logs/{day}.log").write_text("".join(lines))
        put_views(made, day, "/a,100", "/b,20")
        (made.folder / f"exports/feedback-{day}.json").write_text(
            json.dumps({"application": "shop", "path": "/b", "useful": 3, "not_useful": 1}) + "\n"
        )
    configure(made, "file://pages.xlsx", "file://ranks.csv")
    return made


def configure(made, database, search):
    """Say where to deliver."""
    (made.folder / "luigi.cfg").write_text(SECTIONS.format(database=database, search=search))


def put_views(made, day, *rows):
    """Write a day's page views."""
    text = "application,path,views\n" + "".join(f"shop,{row}\n" for row in rows)
    (made.folder / f"exports/views-{day}.csv").write_text(text)


def asked(made, query):
    """Return the rows that `lake sql` prints."""
    done = made.run("lake", "sql", "--csv", query)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()[1:]


def well(made, *command):
    """Run a command that must succeed, and return what it says."""
    done = made.run(*command)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_a_correction_goes_through_windows_and_joins(site):
    """To each day whose window holds it, to what is made of that, and each target once; nothing is left then."""
    well(site, "backfill", "run", *OF_PAGES)
    assert asked(site, PAGES) == [f"{day},/b,20,2,3,1,6" for day in DAYS]
    assert "8 partitions sent" in well(site, "lake", "deliver", "--to", "pages")
    assert "4 partitions sent" in well(site, "lake", "deliver", "--to", "search")
    put_views(site, "2015-05-18", "/a,100", "/b,9000")
    said = well(site, *RESTATE)
    assert "2015-05-18" in said
    assert asked(site, RANKS) == [
        "2015-05-17,/a,100",
        "2015-05-18,/b,9020",
        "2015-05-19,/b,9040",
        "2015-05-20,/b,9060",
    ]
    assert asked(site, PAGES) == [
        "2015-05-17,/b,20,2,3,1,6",
        "2015-05-18,/b,9000,1,3,1,6",
        "2015-05-19,/b,20,1,3,1,6",
        "2015-05-20,/b,20,1,3,1,6",
    ]
    for name, days in (
        ("page_views", ["2015-05-18"]),
        ("page_popularity", DAYS[1:]),
        ("content_performance", DAYS[1:]),
    ):
        assert asked(site, f"select distinct dt from {name}_history where rev = 1 order by dt") == days
    assert asked(site, "select count(*) from error_breakdown_history where rev > 0") == ["0"]
    assert "6 partitions sent" in well(site, "lake", "deliver", "--to", "pages")
    assert "3 partitions sent" in well(site, "lake", "deliver", "--to", "search")
    assert '2015-05-20,"shop","/b",9060,' in (site.folder / "ranks.csv").read_text()
    assert "up to date" in well(site, "lake", "deliver", "--to", "search")
    well(site, "lake", "verify", "--deep", "--rebuild-sample", "5")
    assert "Nothing" in well(site, "backfill", "plan", *OF_PAGES, "--late", "--stale")


def test_each_target_has_the_corrected_figures(site, database, indices):
    """A database and a search index: those of the days that changed are replaced there, and no others."""
    site.environment["PGPASSWORD"] = PASSWORD
    configure(site, database.url, indices.url)
    for of in ("pages", "search"):
        well(site, "backfill", "run", "--deliver", of, "--start", "2015-05-17")
    put_views(site, "2015-05-18", "/a,100", "/b,9000")
    well(site, *RESTATE)
    for of, sent in (("pages", 3), ("search", 3)):
        assert f"{sent} built, 1 already there" in well(
            site, "backfill", "run", "--deliver", of, "--start", "2015-05-17"
        )
    expected = [tuple(row.split(",")) for row in asked(site, PAGES)]
    found = database.ask(PAGES)
    assert [tuple(map(str, row)) for row in found] == expected
    ranks = [tuple(row.split(",")) for row in asked(site, RANKS)]
    documents = indices.documents("page_popularity")
    first = sorted(
        (each["dt"], each["path"], str(each["views_14_days"])) for each in documents if each["rank_14_days"] == 1
    )
    assert first == ranks
