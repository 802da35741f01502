"""Documents under test: the README's commands work, the glossary is not stale, and both match the code."""

import csv
import re
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from etl import formats_page
from etl.formats import FORMATS
from etl.sources import LOG_FORMAT, read_sources
from lake import config, glossary, sql
from lake.catalog import connect
from lake.contracts import CONTRACTS
from lake.lake import Lake
from lake.local import LocalStore

REPOSITORY = Path(__file__).parent.parent
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
GLOSSARY = (REPOSITORY / "glossary.md").read_text(encoding="utf-8")
FORMATS_PAGE = (REPOSITORY / "docs/formats.md").read_text(encoding="utf-8")
GOLDEN = REPOSITORY / "tests/etl/golden"


def example(name):
    """Return the README's code block after a marker."""
    return re.search(rf"<!-- example: {name} -->\n```\w+\n(.*?)```", README, re.DOTALL)[1]


def test_glossary_is_not_stale():
    """The glossary's tables are what `make glossary` would write, and there is one for each dataset."""
    assert glossary.update(GLOSSARY) == GLOSSARY
    assert {found["name"] for found in glossary.BLOCK.finditer(GLOSSARY)} == set(CONTRACTS)


def test_glossary_gains_a_section_for_a_new_dataset():
    """A dataset that the glossary lacks is added by the same command."""
    whole = GLOSSARY[: GLOSSARY.index("\n## Questions")]
    assert glossary.update(whole[: whole.index("### status_mix")]) == whole


def test_formats_page_is_not_stale():
    """Its tables are what `make glossary` would write, and there is one for each format."""
    assert formats_page.update(FORMATS_PAGE) == FORMATS_PAGE
    assert {found["name"] for found in formats_page.BLOCK.finditer(FORMATS_PAGE)} >= set(FORMATS)


def test_formats_page_gains_a_section_for_a_new_format(tmp_path, monkeypatch):
    """A format that the page lacks is added by the same command, with its table."""
    page = tmp_path / "formats.md"
    page.write_text("# Formats\n\n<!-- keys -->\n<!-- end -->\n", encoding="utf-8")
    monkeypatch.setattr(sys, "argv", ["formats_page", str(page)])
    formats_page.main()
    found = page.read_text(encoding="utf-8")
    assert f"<!-- keys -->\n{formats_page.keys()}\n<!-- end -->\n" in found
    for name, each in FORMATS.items():
        assert f"## {name}\n\n<!-- format {name} -->\n{formats_page.table(each)}\n<!-- end -->\n" in found


@pytest.mark.parametrize("name", FORMATS)
def test_formats_page_is_true_of_golden_rows(name):
    """A column that is never NULL is not in the golden rows, and one that always is has no value there."""
    with (GOLDEN / name / "expected.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    claims = re.findall(r"^\| `(\w+)` \| .* \| (.*) \|$", formats_page.table(FORMATS[name]), re.MULTILINE)
    assert [column for column, _ in claims] == [c for c in CONTRACTS["requests"].schema.names if c != "vantage"]
    for column, null in claims:
        values = [row[column] for row in rows if row[column]]
        assert null != "never" or len(values) == len(rows), column
        assert null != "always" or not values, column


def test_formats_page_shows_golden_lines():
    """What is shown as a line of a log is one, of a case whose format has that section."""
    blocks = re.findall(r"<!-- golden: (\w+) -->\n```text\n(.*?)```", FORMATS_PAGE, re.DOTALL)
    assert {case for case, _ in blocks} == {case.name for case in GOLDEN.iterdir()}
    for case, shown in blocks:
        lines = (GOLDEN / case / "access.log").read_text(encoding="utf-8").splitlines()
        assert [line for line in shown.splitlines() if line not in lines] == [], case


def test_formats_page_shows_sections_that_are_read(tmp_path):
    """Every section for luigi.cfg is a source, and every format has one."""
    path, found = tmp_path / "luigi.cfg", set()
    for section in re.findall(r"```ini\n(.*?)```", FORMATS_PAGE, re.DOTALL):
        path.write_text(f"[lake]\nroot = lake\n\n{section}", encoding="utf-8")
        found |= {source.format.name for source in read_sources(config.read(path))}
    assert found == {*FORMATS, LOG_FORMAT}


def test_formats_page_shows_code_as_it_is():
    """'Add a format' shows the declaration of fastly, and all files of its golden case."""
    excerpts = re.findall(r"<!-- excerpt: (\S+) -->\n.*?```\w+\n(.*?)```", FORMATS_PAGE, re.DOTALL)
    assert len(excerpts) == 2
    for name, excerpt in excerpts:
        assert excerpt in (REPOSITORY / name).read_text(encoding="utf-8")
    files = re.findall(r"<!-- file: (\S+) -->\n.*?```\w+\n(.*?)```", FORMATS_PAGE, re.DOTALL)
    assert {name for name, _ in files} == {
        f"tests/etl/golden/fastly/{each.name}" for each in (GOLDEN / "fastly").iterdir()
    }
    for name, shown in files:
        assert shown.rstrip("\n") == (REPOSITORY / name).read_text(encoding="utf-8").rstrip("\n"), name


@pytest.mark.parametrize("contract", CONTRACTS.values(), ids=CONTRACTS)
def test_every_column_is_explained(contract, tmp_path):
    """Every column has a unit and a meaning, in the glossary and, the same, as a comment in the catalog."""
    with connect(Lake(LocalStore(str(tmp_path)))) as connection:
        query = (
            "select column_name, comment from duckdb_columns() where table_name = $name and comment is not null"
        )
        comments = dict(connection.execute(query, {"name": contract.name}).fetchall())
    for column in contract.columns:
        assert column.unit
        assert column.meaning
        assert f"| `{column.name}` | {column.type} | {column.unit} |" in GLOSSARY
        assert comments[column.name] == f"{column.meaning} [{column.unit}]"


@pytest.mark.parametrize("name", re.findall(r"<!-- file: (\S+) -->", README))
def test_readme_shows_the_files_as_they_are(name):
    """'Add a metric' shows the very files of status_mix."""
    block = re.search(rf"<!-- file: {re.escape(name)} -->\n.*?```\w+\n(.*?)```", README, re.DOTALL)[1]
    assert block == (REPOSITORY / name).read_text(encoding="utf-8")


def test_add_a_metric_is_four_files():
    """What is shown of status_mix is all there is of it."""
    shown = set(re.findall(r"<!-- file: (\S+) -->", README))
    found = subprocess.run(
        [
            "git",
            "grep",
            "-lE",
            "status_mix|StatusMix",
            "--",
            "*.py",
            "*.sql",
            "*.csv",
            "*.cfg",
            "*.toml",
            "Makefile",
        ],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    code = {path for path in found if not path.startswith("tests/") or "/golden/" in path}
    assert code <= shown


@pytest.mark.slow
def test_readme_commands_on_the_real_log(make_project, real_log, with_report):
    """The README's section for luigi.cfg and its commands work as they stand, of the installed wheel."""
    there = make_project("readme").anew()
    there.environment.update(with_report.variables)
    shared = there.folder.parent / "shared/data"
    shared.mkdir(parents=True)
    shutil.copy(real_log, shared)
    (there.folder / "luigi.cfg").write_text(example("luigi.cfg"), encoding="utf-8")
    first, *others = example("commands").splitlines()
    done = there.run("sh", "-ec", first.removeprefix("$ "))
    cut = ["2015-05-17 of source web is incomplete: no request in UTC hours 0-9"]
    cut.append("2015-05-20 of source web is incomplete: no request in UTC hours 22-23")
    assert (done.returncode, sorted(done.stderr.splitlines())) == (0, cut)
    for line in others:
        done = there.run("sh", "-ec", line.removeprefix("$ "))
        assert (done.returncode, done.stderr) == (0, ""), line
    assert "2015-05-18 │ semicomplete │           2893" in done.stdout
    for line in example("backfill").splitlines():
        done = there.run("sh", "-ec", line.removeprefix("$ "))
        is_check = " check " in line
        assert (done.returncode, done.stderr) == (int(is_check), ""), line
        assert not is_check or "4 days there, 0 late, 2 incomplete, the latest: 2015-05-20 web: no" in done.stdout
    for line in example("restate").splitlines():
        done = there.run("sh", "-ec", line.removeprefix("$ "))
        assert (done.returncode, done.stderr) == (0, ""), line
    done = there.run("lake", "sql", "--csv", "select dt, rev from error_rate where rev > 0")
    assert done.stdout == "dt,rev\n2015-05-18,1\n"
    done = there.run("python", "-c", example("python"))
    assert (done.returncode, done.stderr) == (0, "")
    assert "semicomplete" in done.stdout
    with (there.folder / "luigi.cfg").open("a", encoding="utf-8") as settings:
        settings.write(f"\n{example('slo.cfg')}")
    shown = ""
    for line in "".join(map(example, ("ask", "counts", "slo", "report"))).splitlines():
        done = there.run("sh", "-ec", line.removeprefix("$ "), XDG_CACHE_HOME=str(there.folder / "cache"))
        assert (done.returncode, done.stderr) == (0, ""), line
        assert done.stdout, line
        shown += done.stdout
    assert "error_rate: 4 partitions fetched, 0 superseded ones dropped." in shown
    assert "report.html and report.png: 2015-05-17 … 2015-05-20, 4 of 4 days published, 1 application" in shown
    assert {"lake.duckdb", "report.html", "report.png"} <= {path.name for path in there.folder.iterdir()}


@pytest.mark.slow
def test_tour(sample_project):
    """What `make run` runs: twice, the second time nothing is rebuilt; the sample's incident stands out."""
    first = sample_project.run("sh", str(REPOSITORY / "backfill/tour.sh"))
    assert (first.returncode, first.stderr) == (0, "")
    assert "30 built, 0 already there, 0 failed, 0 waiting" in first.stdout
    assert "shop.example.com" in first.stdout
    assert "■ 30 there\n" in first.stdout
    second = sample_project.run("sh", str(REPOSITORY / "backfill/tour.sh"))
    assert second.returncode == 0
    assert "Nothing to do, nothing was rebuilt." in second.stdout
    *_, told = second.stdout.splitlines()
    assert told.startswith(
        "var/report.html: 2026-09-01 … 2026-09-30, 30 of 30 days published, 3 applications, 1 incident"
    )
    assert "shop.example.com" in (sample_project.folder / "var/report.html").read_text(encoding="utf-8")
    next_steps = re.findall(r"^  (.*)$", second.stdout.partition("Try next")[2], re.MULTILINE)
    assert len(next_steps) == 4
    for line in next_steps:
        done = sample_project.run("sh", "-ec", f"{line} < /dev/null")
        assert (done.returncode, done.stderr) == (0, ""), line
    query = (
        "select dt, application from error_rate where error_rate_low > "
        "(select max(error_rate_high) from error_rate_by_application)"
    )
    done = sample_project.run("lake", "sql", "--csv", query)
    assert done.stdout == "dt,application\n2026-09-17,shop.example.com\n"


def test_sql_is_pure():
    """Every metric is one SELECT statement, every macro and question creates itself and nothing else."""
    for each in CONTRACTS.values():
        if each.inputs:
            (statement,) = duckdb.extract_statements(sql.metric(each.name))
            assert statement.type == duckdb.StatementType.SELECT
    for each in (*sql.macros(), *sql.questions()):
        (statement,) = duckdb.extract_statements(each.statement)
        assert statement.type == duckdb.StatementType.CREATE
