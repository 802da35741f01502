"""Deliveries in ranges: what Luigi, `run`, `nightly`, `status` and `check` make of the days of a target."""

import json

import pytest
from mongo import PASSWORD as MONGO_PASSWORD
from postgres_server import PASSWORD

from backfill import options
from etl import delivered


@pytest.fixture
def delivering(a_project, database):
    """A project with four days of logs, and deliveries to a database and to none."""
    with (a_project.folder / "luigi.cfg").open("a") as file:
        file.write(
            f"[deliver.figures]\nto = {database.url}\ndatasets = error_rate, rejects\n"
            "[deliver.away]\nto = postgresql://nobody@127.0.0.1:1/figures\ndatasets = error_rate\n"
        )
    a_project.environment["PGPASSWORD"] = PASSWORD
    return a_project


def days(database):
    """Return which days stand there, by their receipts."""
    rows = database.ask("select dt, revision from lake_receipts where dataset = 'error_rate' order by dt")
    return [(str(dt), revision) for dt, revision in rows]


WHOLE = [("2015-05-17", 0), ("2015-05-18", 0), ("2015-05-19", 0), ("2015-05-20", 0)]


def test_the_name_is_the_same_everywhere():
    """Options know it without what takes long to import."""
    assert options.DELIVERED_DAILY == delivered.NAME


def test_a_range_is_built_and_delivered(delivering, database):
    """What is missing is built first; again, there is nothing to do; a restated day is delivered anew."""
    done = delivering.run("backfill", "run", "--deliver", "figures", "--start", "2015-05-17", "--workers", "2")
    assert done.returncode == 0, done
    assert "DeliveredDaily 2015-05-17 … 2015-05-20, 4 days asked for: 4 built, 0 already there" in done.stdout
    assert days(database) == WHOLE
    again = delivering.run("backfill", "run", "--deliver", "figures")
    assert "0 built, 4 already there" in again.stdout
    log = delivering.folder / "logs/2015-05-18.log"
    log.write_text(log.read_text().replace('" 500 ', '" 200 '))
    command = (
        "restate",
        "--of",
        "RequestsDaily",
        "--source",
        "web",
        "--date",
        "2015-05-18",
        "--reason",
        "r",
        "--yes",
    )
    assert delivering.run("backfill", *command).returncode == 0
    status = delivering.run("backfill", "status", "--deliver", "figures")
    assert status.returncode == 1
    assert "2015-05-18  missing" in status.stdout
    late = delivering.run("backfill", "check", "--deliver", "figures", "--days", "30")
    assert late.returncode == 1
    assert late.stdout.startswith("DeliveredDaily figures WARNING: 3 days there, 1 late, the oldest: 2015-05-18")
    assert "backfill status --of DeliveredDaily --deliver figures --start" in late.stdout
    done = delivering.run("backfill", "run", "--of", "DeliveredDaily", "--deliver", "figures")
    assert "1 built, 3 already there" in done.stdout
    assert days(database)[1] == ("2015-05-18", 1)
    (errors,) = database.ask("select sum(server_error_requests)::text from error_rate where dt = '2015-05-18'")
    assert errors == ("0",)
    assert delivering.run("backfill", "check", "--deliver", "figures", "--days", "30").returncode == 0
    prometheus = delivering.run("backfill", "check", "--deliver", "figures", "--format", "prometheus").stdout
    assert 'error_rate_lake_late_days{task="DeliveredDaily figures"} 0' in prometheus
    junit = delivering.run(
        "backfill", "check", "--deliver", "figures", "--days", "5000", "--format", "junit"
    ).stdout
    assert '<testsuite name="DeliveredDaily figures" tests="4" failures="0"' in junit
    answer = json.loads(delivering.run("backfill", "check", "--deliver", "figures", "--json").stdout)
    assert (answer["of"], answer["severity"]) == ("DeliveredDaily", "OK")


def test_luigi_delivers_in_its_ranges(delivering, database):
    """By its own name and parameter; a day alone, too."""
    done = delivering.run("luigi", "DeliveredDaily", "--deliver", "figures", "--date", "2015-05-18")
    assert done.returncode == 0, done
    assert days(database) == [("2015-05-18", 0)]
    parameters = json.dumps({"deliver": "figures"})
    command = ("luigi", "RangeDailyBase", "--of", "DeliveredDaily", "--start", "2015-05-17")
    done = delivering.run(*command, "--of-params", parameters)
    assert done.returncode == 0, done
    assert "4 days asked for: 3 built, 1 already there" in done.stdout
    assert days(database) == WHOLE
    done = delivering.run("luigi", "DeliveredDaily", "--deliver", "figure", "--date", "2015-05-18")
    assert done.returncode == 35
    assert "has no [deliver.figure]. It has: away, figures. Did you mean 'figures'?" in done.stdout + done.stderr


def test_since_is_where_a_delivery_begins(delivering, database):
    """Earlier days are no gap of it."""
    config = delivering.folder / "luigi.cfg"
    config.write_text(config.read_text().replace("rejects\n", "rejects\nsince = 2015-05-19\n"))
    done = delivering.run("backfill", "run", "--deliver", "figures")
    assert "DeliveredDaily 2015-05-19 … 2015-05-20, 2 days asked for: 2 built" in done.stdout
    assert days(database) == WHOLE[2:]


def test_a_night_delivers_what_it_built_whatever_other_targets_do(delivering, database):
    """The one that is away is named, and the exit code says so; without it nothing is printed."""
    command = ("backfill", "nightly", "--of", "ErrorRateDaily", "--days", "5000", "--deliver", "away", "figures")
    done = delivering.run(*command)
    assert done.returncode == 3
    assert done.stdout.startswith("DeliveredDaily away: Can't reach postgresql://127.0.0.1:1/figures: ")
    assert days(database) == WHOLE
    done = delivering.run("backfill", "nightly", "--of", "ErrorRateDaily", "--deliver", "figures")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_what_is_deleted_here_is_delivered_all_the_same(delivering, database):
    """Requests that retention took away are not built again for a delivery that has had them."""
    config = delivering.folder / "luigi.cfg"
    config.write_text(config.read_text().replace("error_rate, rejects", "requests, error_rate"))
    assert delivering.run("backfill", "run", "--deliver", "figures").returncode == 0
    command = ("lake", "retention", "--dataset", "requests", "--before", "2015-05-19", "--even-if-needed")
    code = delivering.run(*command).stdout.rpartition("--delete ")[2].split()[0]
    assert delivering.run(*command, "--delete", code, "--reason", "old").returncode == 0
    done = delivering.run("backfill", "run", "--deliver", "figures")
    assert "0 built, 4 already there" in done.stdout
    assert database.ask("select count(distinct dt)::text from requests") == [("4",)]


def test_what_a_target_refuses_fails_the_day_and_is_tried_again(delivering, database):
    """Until it is put right there; a day doesn't count as one that can't be built."""
    assert delivering.run("backfill", "run", "--deliver", "figures", "--stop", "2015-05-19").returncode == 0
    database.ask("alter table error_rate add team text")
    for _ in range(4):
        done = delivering.run("backfill", "run", "--deliver", "figures")
        assert done.returncode == 1
        assert "2 failed" in done.stdout
    explained = delivering.run("backfill", "explain", "--deliver", "figures", "--date", "2015-05-19")
    assert "team is not one of ours" in explained.stdout
    assert "Made from: ErrorRateDaily 2015-05-19, there" in explained.stdout
    database.ask("alter table error_rate drop team")
    assert delivering.run("backfill", "run", "--deliver", "figures").returncode == 0
    assert days(database) == WHOLE


@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        (("run",), 2, "the following arguments are required: --of, or --deliver"),
        (("check",), 3, "the following arguments are required: --of, or --deliver"),
        (("run", "--of", "DeliveredDaily"), 2, "is of one delivery. Give --deliver, one of: away, figures."),
        (("run", "--deliver", "figuers"), 2, "has no [deliver.figuers]. It has: away, figures. Did you mean"),
        (
            ("run", "--of", "ErrorRateDaily", "--deliver", "figures"),
            2,
            "--deliver is of DeliveredDaily, and not of",
        ),
        (
            ("run", "--deliver", "figures", "--source", "web"),
            2,
            "DeliveredDaily is of all sources. Take --source out.",
        ),
        (("status", "--deliver", "away"), 3, "Can't reach postgresql://127.0.0.1:1/figures: "),
        (("check", "--deliver", "away"), 3, "DeliveredDaily away UNKNOWN: Can't reach postgresql://127.0.0.1:1/"),
        (
            ("restate", "--of", "DeliveredDaily", "--date", "2015-05-17", "--reason", "r"),
            2,
            "DeliveredDaily has no revisions. Restate what is delivered, then deliver it.",
        ),
    ],
)
def test_what_is_asked_wrongly_is_said(delivering, command, code, said):
    """With the code of the command, and what to give."""
    done = delivering.run("backfill", *command)
    assert done.returncode == code, done
    assert said in done.stdout + done.stderr


def test_a_range_is_delivered_to_mongodb(a_project, mongo):
    """Built first; again, there is nothing to do; a restated day is late until it is delivered anew."""
    with (a_project.folder / "luigi.cfg").open("a") as file:
        file.write(f"[deliver.documents]\nto = {mongo.url}\ndatasets = error_rate, rejects\n")
    a_project.environment["MONGO_PASSWORD"] = MONGO_PASSWORD

    def run(command, *more):
        return a_project.run("backfill", command, "--deliver", "documents", *more)

    done = run("run", "--start", "2015-05-17", "--workers", "2")
    assert "DeliveredDaily 2015-05-17 … 2015-05-20, 4 days asked for: 4 built, 0 already there" in done.stdout
    assert "0 built, 4 already there" in run("run").stdout
    log = a_project.folder / "logs/2015-05-18.log"
    log.write_text(log.read_text().replace('" 500 ', '" 200 '))
    restate = ("restate", "--of", "RequestsDaily", "--source", "web", "--date", "2015-05-18")
    assert a_project.run("backfill", *restate, "--reason", "r", "--yes").returncode == 0
    late = run("check", "--days", "30")
    assert late.stdout.startswith("DeliveredDaily documents WARNING: 3 days there, 1 late, the oldest: 2015-05-18")
    assert "1 built, 3 already there" in run("run").stdout
    found = {each["dt"].day: each["server_error_requests"] for each in mongo.there.error_rate.find()}
    assert found == {17: 1, 18: 0, 19: 1, 20: 1}
    assert run("check", "--days", "30").returncode == 0
