"""`lake retention`, as who keeps requests for some days and error rates for ever runs it."""

import re
import sys

import pytest
from pages import blocks, commands

from etl import cli

REQUESTS = ("--dataset", "requests", "--before", "2015-05-19")
RANGE = ("--start", "2015-05-17", "--stop", "2015-05-21")
KEYS = [f"requests/v1/dt=2015-05-{day}/source=web/rev=0/part-0.parquet" for day in (17, 18)]


@pytest.fixture
def built(in_project):
    """The project with its four days of error rates built."""
    assert in_project.run("backfill", "run", "--of", "ErrorRateDaily", *RANGE).returncode == 0
    return in_project


@pytest.fixture
def lake(monkeypatch, capsys):
    """Return a function that runs the command in this process, and returns its exit code and what it says."""

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["lake", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        return ended.value.code, said.out, said.err

    return run


@pytest.mark.slow
def test_requests_go_and_error_rates_stay(built, lake):
    """Shown first, deleted with the code, recorded; ranges, verification and readers go on."""
    before = built.published()
    first = next(block for block in blocks("docs/how-to/retention.md") if block.kind == "run")
    ((command, _),) = commands(first.text)
    code, out, err = lake(*command.split()[1:])
    assert (code, err) == (0, "")
    assert built.published() == before
    *shown, summary, advice = out.splitlines()
    assert [line.split(":")[0] for line in shown] == KEYS
    size = sum(len(before[key]) for key in KEYS)
    assert summary == (
        f"2 partitions of requests before 2015-05-19, {size:,} bytes, and 2 records of their publication."
    )
    told = re.fullmatch(r'Nothing was deleted\. To delete it for good: lake (.*) --reason "…"', advice)
    code, out, err = lake(*told[1].split(), "--reason", "90 days")
    assert (code, err) == (0, "")
    assert built.published() == {key: content for key, content in before.items() if key not in KEYS}
    (record,) = (built.folder / "lake/_retention/requests").iterdir()
    assert out.splitlines()[-1] == f"Deleted. {record} says what it was."
    code, out, err = lake("verify", "--deep")
    assert (code, err) == (0, "")
    assert out.startswith(
        "22 partitions read to the last byte, 0 of them rebuilt with the same bytes; 0 findings."
    )
    again = built.run("backfill", "run", "--of", "ErrorRateDaily", *RANGE)
    assert (again.returncode, again.stderr) == (0, "")
    assert "0 built, 4 already there" in again.stdout
    old = built.run("backfill", "restate", "--of", "ErrorRateDaily", "--late", "--stale", "--reason", "x", *RANGE)
    assert (old.returncode, old.stderr) == (0, "")
    assert "Nothing to restate." in old.stdout
    assert lake("sql", "--csv", "select count(distinct dt) from requests")[1].split()[-1] == "2"
    assert lake("sql", "--csv", "select sum(valid_requests) from error_rate")[1].split()[-1] == "12"


@pytest.mark.slow
def test_what_explains_the_errors_stays(built, lake):
    """Built by Luigi's range, error_breakdown answers, and is verified, after requests went."""
    luigi = (
        "luigi",
        "--local-scheduler",
        "RangeDailyBase",
        "--of",
        "ErrorBreakdownDaily",
        "--start",
        "2015-05-18",
    )
    assert built.run(*luigi, "--stop", "2015-05-21").returncode == 0
    counts = "sum(requests_total), sum(server_error_requests)"
    by_day = f"select dt, {counts} from {{}} where dt >= '2015-05-18' group by dt order by dt"
    asked = [by_day.format(name) for name in ("error_breakdown", "error_rate")]
    asked.append("from worst_path_templates()")
    before = [lake("sql", "--csv", query) for query in asked]
    assert before[0] == before[1]
    told = re.search(r"(--dataset .* --delete \w+) ", lake("retention", *REQUESTS, "--even-if-needed")[1])
    assert lake("retention", *told[1].split(), "--reason", "90 days")[0] == 0
    assert [lake("sql", "--csv", query) for query in asked] == before
    assert lake("verify", "--deep")[0] == 0
    again = built.run(*luigi, "--stop", "2015-05-21")
    assert again.returncode == 0
    assert not list(built.folder.glob("lake/requests/v1/dt=2015-05-1[78]"))


@pytest.mark.slow
def test_late_lines_of_deleted_requests_are_said_and_keep_no_other_day(built, lake):
    """Restating leaves such a day alone, with exit code 1, until what is printed has built it again."""
    told = re.search(r"(--dataset .* --delete \w+) ", lake("retention", *REQUESTS, "--even-if-needed")[1])
    assert lake("retention", *told[1].split(), "--reason", "90 days")[0] == 0
    before = {day: _valid(lake, day) for day in (17, 20)}
    for day in before:
        with built.folder.joinpath(f"logs/2015-05-{day}.log").open("r+b") as log:
            line = log.readline()
            log.seek(0, 2)
            log.write(line)
    late = ("backfill", "restate", "--of", "ErrorRateDaily", *RANGE, "--late", "--reason", "x", "--yes")
    found = built.run(*late)
    assert (found.returncode, found.stderr) == (1, "")
    assert {day: _valid(lake, day) for day in before} == {17: before[17], 20: before[20] + 1}
    command = re.search(r"Its requests were deleted\..* the same again: (backfill run .*)", found.stdout)[1]
    assert "2015-05-17  late input: " in built.run("backfill", "plan", *late[2:6], "--late").stdout
    assert built.run(*command.split()).returncode == 0
    assert built.run(*late).returncode == 0
    assert _valid(lake, 17) == before[17] + 1


def _valid(lake, day):
    """Return how many valid requests a day has."""
    query = f"select sum(valid_requests) from error_rate where dt = date '2015-05-{day}'"
    return int(lake("sql", "--csv", query)[1].split()[-1])


def test_what_is_needed_is_not_deleted_unless_told(built, lake):
    """It says by what, and deletes nothing, with the code neither; what nothing is made from needs no word."""
    before = built.published()
    shown = lake("retention", *REQUESTS, "--even-if-needed")[1]
    code = re.search(r"--delete ([0-9a-f]{12}) ", shown)[1]
    for options in ((), ("--delete", code, "--reason", "90 days")):
        ended, _, err = lake("retention", *REQUESTS, *options)
        assert ended == 1
        assert err.startswith(
            "4 partitions that stay were made from them, such as source_counts v1 2015-05-17 of source web "
            "from requests v1 2015-05-17 of source web: "
        )
        assert "Nothing was deleted. To delete them all the same, add --even-if-needed.\n" in err
    assert built.published() == before
    ended, out, err = lake("retention", "--dataset", "error_rate", "--before", "2015-05-19")
    assert (ended, err) == (0, "")
    assert "2 partitions of error_rate before 2015-05-19" in out


def test_a_wrong_code_deletes_nothing(built, lake):
    """Nor a missing reason."""
    before = built.published()
    for options, said in (
        (("--delete", "0123456789ab", "--reason", "x"), "0123456789ab is not the code of what would go now"),
        (("--delete", "", "--reason", "x"), " is not the code of what would go now"),
        (("--delete", "0123456789ab"), "Give --reason: why it is deleted"),
        (("--delete", "0123456789ab", "--reason", " "), "Give --reason: why it is deleted"),
    ):
        code, _, err = lake("retention", "--dataset", "error_rate", "--before", "2015-05-19", *options)
        assert code == 2
        assert said in err
    assert built.published() == before


def test_nothing_is_that_old(built, lake):
    """That is no error, and there is no code to give back."""
    code, out, err = lake("retention", "--dataset", "requests", "--before", "2015-05-17")
    assert (code, err) == (0, "")
    assert out == "0 partitions of requests before 2015-05-17, 0 bytes, and 0 records of their publication.\n"


def test_a_lake_that_is_not_there_is_no_lake_without_old_days(in_project, lake):
    """As when its disk is not mounted: exit code 3 and the next step."""
    code, out, err = lake("retention", *REQUESTS)
    assert (code, out) == (3, "")
    assert "There is no lake at" in err


@pytest.mark.parametrize(
    "words",
    [
        ("--dataset", "requests"),
        ("--before", "2015-05-17"),
        ("--dataset", "../requests", "--before", "2015-05-17"),
        ("--dataset", "requests", "--before", "17.5.2015"),
        ("--dataset", "requests", "--before", "9999-01-01"),
    ],
)
def test_wrong_arguments_end_with_usage(lake, words):
    """Before a lake is looked at."""
    code, out, err = lake("retention", *words)
    assert (code, out) == (2, "")
    assert "usage: lake retention" in err
