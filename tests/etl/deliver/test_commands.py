"""`lake deliver` and `lake verify --deliver`, as somebody runs them."""

from collections import Counter
from datetime import datetime, time

import pytest
from mongo import PASSWORD as MONGO_PASSWORD
from postgres_server import PASSWORD

import lake
from lake.datasets import DATASETS


@pytest.fixture
def delivering(a_project, database):
    """A project with four days of error rates in its lake, and deliveries to a database and to none."""
    sections = (
        f"[deliver.figures]\nto = {database.url}\ndatasets = error_rate, status_mix\n"
        "[deliver.away]\nto = postgresql://nobody@127.0.0.1:1/figures\ndatasets = error_rate\n"
    )
    with (a_project.folder / "luigi.cfg").open("a") as file:
        file.write(sections)
    assert a_project.run("backfill", "run", "--of", "ErrorRateDaily").returncode == 0
    assert a_project.run("backfill", "run", "--of", "StatusMixDaily").returncode == 0
    return a_project


def test_a_lake_is_delivered_and_says_so(delivering, database):
    """A plan sends nothing; then all is sent; then nothing, and a comparison finds nothing."""
    place = f"postgresql://127.0.0.1:{database.server.port}/{database.name}"

    def run(*command):
        return delivering.run("lake", *command, PGPASSWORD=PASSWORD)

    planned = run("deliver", "--to", "figures", "--plan")
    assert planned.returncode == 0, planned
    lines = planned.stdout.splitlines()
    assert lines[0] == f"figures: 8 partitions to send to {place}"
    assert lines[1] == "  error_rate 2015-05-17: revision 0, which is new there"
    assert len(lines) == 9
    assert database.ask("select to_regclass('error_rate')::text") == [(None,)]
    assert run("deliver", "--to", "figures").stdout == f"figures: 8 partitions sent to {place}\n"
    assert run("deliver", "--to", "figures").stdout == "figures: up to date\n"
    assert run("verify", "--deliver", "figures").stdout == (
        f"figures: 8 partitions in {place} compared with the lake; 0 differ. "
        "0 are not delivered yet, or not in their latest revision.\n"
    )
    (first, *_) = database.ask("select valid_requests, server_error_requests from error_rate order by dt")
    assert first == (3, 1)
    assert "; 0 findings." in run("verify").stdout  # the lake's id is one of its records
    database.ask("delete from status_mix where dt = '2015-05-18'")
    done = run("verify", "--deliver", "figures")
    assert done.returncode == 1
    assert done.stdout.startswith("figures: status_mix 2015-05-18: rows 0, in the lake 2; ")


def test_every_dataset_is_there_as_it_is_here(delivering, database):
    """Row by row, both ways, whatever its columns are; and in a spreadsheet, too."""
    config = delivering.folder / "luigi.cfg"
    published = [name for name in DATASETS if lake.partitions(name, config=config)]
    assert {"requests", "rejects", "error_rate", "status_mix"} <= {*published}
    config.write_text(config.read_text().replace("error_rate, status_mix", ", ".join(published)))
    assert delivering.run("lake", "deliver", "--to", "figures", PGPASSWORD=PASSWORD).returncode == 0
    for name in published:
        rows = [
            tuple(row.values())
            for each in lake.partitions(name, config=config)
            for row in each.batches().read_all().to_pylist()
        ]
        assert Counter(database.ask(f"select * from {name}")) == Counter(rows), name
        assert rows or name == "rejects"
    config.write_text(config.read_text().replace(database.url, "file://all.xlsx"))
    assert delivering.run("lake", "deliver", "--to", "figures").returncode == 0
    assert delivering.run("lake", "verify", "--deliver", "figures").returncode == 0


def test_what_is_delivered_to_mongodb_is_there_as_it_is_here(delivering, mongo):
    """Row by row, both ways, whatever the columns are; sent once, and what somebody changes is found."""
    config = delivering.folder / "luigi.cfg"
    published = [name for name in DATASETS if lake.partitions(name, config=config)]
    with config.open("a") as file:
        file.write(f"[deliver.documents]\nto = {mongo.url}\ndatasets = {', '.join(published)}\n")

    def run(*command):
        return delivering.run("lake", *command, MONGO_PASSWORD=MONGO_PASSWORD)

    partitions = {name: lake.partitions(name, config=config) for name in published}
    count = sum(map(len, partitions.values()))
    planned = run("deliver", "--to", "documents", "--plan").stdout.splitlines()
    assert planned[0] == f"documents: {count} partitions to send to {mongo.place}"
    assert planned[1] == "  error_counts 2015-05-17: revision 0, which is new there"
    assert list(mongo.there.list_collections()) == []
    assert run("deliver", "--to", "documents").stdout == f"documents: {count} partitions sent to {mongo.place}\n"
    assert run("deliver", "--to", "documents").stdout == "documents: up to date\n"
    for name, every in partitions.items():
        rows = [row for each in every for row in each.batches().read_all().to_pylist()]
        midnight = [row | {"dt": datetime.combine(row["dt"], time.min)} for row in rows]
        theirs = [
            {key: value for key, value in each.items() if key not in {"_id", "digest", "ts_us"}}
            for each in mongo.there[name].find()
        ]
        assert Counter(tuple(row.items()) for row in theirs) == Counter(tuple(row.items()) for row in midnight), (
            name
        )
    assert run("verify", "--deliver", "documents").stdout == (
        f"documents: {count} partitions in {mongo.place} compared with the lake; 0 differ. "
        "0 are not delivered yet, or not in their latest revision.\n"
    )
    mongo.there.requests.delete_one({"dt": datetime(2015, 5, 18)})
    done = run("verify", "--deliver", "documents")
    assert done.returncode == 1
    assert done.stdout.startswith("documents: requests 2015-05-18 of source web: rows 2, in the lake 3; ")


def test_a_target_that_is_away_does_not_keep_others_from_theirs(delivering, database):
    """It is named, and the exit code is its own."""
    done = delivering.run("lake", "deliver", "--to", "away", "figures", PGPASSWORD=PASSWORD)
    assert done.returncode == 3
    assert "lake: away: Can't reach postgresql://127.0.0.1:1/figures: " in done.stderr
    assert done.stdout.startswith("figures: 8 partitions sent to ")


def test_a_name_that_is_none_is_said_before_anything_is_sent(delivering, database):
    """With those that there are."""
    done = delivering.run("lake", "deliver", "--to", "figures", "figuers", PGPASSWORD=PASSWORD)
    assert done.returncode == 2
    assert "has no [deliver.figuers]. It has: away, figures. Did you mean 'figures'?" in done.stderr
    assert database.ask("select to_regclass('error_rate')::text") == [(None,)]
    done = delivering.run("lake", "deliver", "--to", "figures", "--start", "2015-05-18", "--stop", "2015-05-18")
    assert done.returncode == 2


def test_who_runs_only_the_lake_imports_nothing_of_it(delivering):
    """Nor does a wrong section matter to them."""
    with (delivering.folder / "luigi.cfg").open("a") as file:
        file.write("[deliver.wrong]\nto = nowhere\n")
    assert delivering.run("backfill", "status", "--of", "ErrorRateDaily").returncode == 0
    code = (
        "import sys, lake; from etl import cli, units; from lake import config; from pathlib import Path; "
        "lake.read('error_rate', arrow=True); "
        "others = ('etl.deliver', 'adbc', 'bson', 'google', 'pymongo', 'xlsxwriter'); "
        "print(sorted(name for name in sys.modules if name.startswith(others)))"
    )
    assert delivering.run("python", "-c", code).stdout == "[]\n"
