"""Generated documents under test: glossary and formats are not stale and match the code; the tour runs."""

import csv
import re
import subprocess
import sys
from datetime import date
from pathlib import Path

import duckdb
import pytest
from pages import blocks
from tools import formats_page, glossary

from etl.lines.envelopes import ENVELOPES, found_around
from etl.lines.formats import FORMATS, Alternatives
from etl.lines.noise import BUILT_IN
from etl.sources.sections import LOG_FORMAT, read_sources
from lake import config, sql
from lake.catalog.connections import connect
from lake.contracts import CONTRACTS, is_everybodys
from lake.lake import Lake
from lake.partition import Partition
from lake.store.local import LocalStore

REPOSITORY = Path(__file__).parent.parent
GLOSSARY = (REPOSITORY / "glossary.md").read_text(encoding="utf-8")
FORMATS_PAGE = (REPOSITORY / "docs/reference/formats.md").read_text(encoding="utf-8")
GOLDEN = REPOSITORY / "tests/etl/golden"


def test_glossary_is_not_stale():
    """The glossary's tables are what `make glossary` would write, and there is one for each dataset."""
    assert glossary.update(GLOSSARY) == GLOSSARY
    assert {found["name"] for found in glossary.BLOCK.finditer(GLOSSARY)} == set(CONTRACTS)


def test_glossary_gains_a_section_for_a_new_dataset():
    """A dataset that the glossary lacks is added by the same command."""
    whole = GLOSSARY[: GLOSSARY.index("\n## Questions")]
    rest, last = whole[: whole.rindex("### ")], whole[whole.rindex("### ") :]
    made = glossary.update(rest)
    assert made.startswith(rest)
    assert last.strip() in made


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
        for source in read_sources(config.read(path)):
            formats = source.format.formats if isinstance(source.format, Alternatives) else (source.format,)
            found |= {each.name for each in formats}
    assert found == {*FORMATS, LOG_FORMAT}


def test_add_a_format_shows_all_there_is():
    """It shows all files of the golden case of fastly, which test_pages compares, and two excerpts of its code."""
    shown = [(block.kind, block.argument) for block in blocks("docs/how-to/add-a-format.md")]
    assert shown.count(("excerpt", "etl/lines/formats.py")) == 2
    assert {name for kind, name in shown if kind == "file"} == {
        f"tests/etl/golden/fastly/{each.name}" for each in (GOLDEN / "fastly").iterdir()
    }


@pytest.mark.parametrize("contract", CONTRACTS.values(), ids=CONTRACTS)
def test_every_column_is_explained(contract, tmp_path, provenance_of):
    """Every column has a unit and a meaning, in the glossary and, the same, as a comment in the catalog."""
    there = Lake(LocalStore(str(tmp_path)))
    if not is_everybodys(contract):  # which is shown where a lake has it
        day = date(2015, 5, 17)
        partition = Partition(contract.name, contract.version, day, "web" if contract.per_source else None, 0)
        with there.staging() as folder, there.writer(contract, day, folder) as writer:
            there.publish(partition, writer.finish(provenance_of(partition)))
    with connect(there) as connection:
        query = (
            "select column_name, comment from duckdb_columns() where table_name = $name and comment is not null"
        )
        comments = dict(connection.execute(query, {"name": contract.name}).fetchall())
    for column in contract.columns:
        assert column.unit
        assert column.meaning
        assert f"| `{column.name}` | {column.type} | {column.unit} |" in GLOSSARY
        assert comments[column.name] == f"{column.meaning} [{column.unit}]"


def test_add_a_metric_is_four_files():
    """What is shown of status_mix is all there is of it."""
    shown = {block.argument for block in blocks("docs/how-to/add-a-metric.md") if block.kind == "file"}
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
def test_tour(sample_project):
    """What `make run` runs: twice, the second time nothing is rebuilt; the sample's incident stands out."""
    first = sample_project.run("sh", str(REPOSITORY / "tests/tools/tour.sh"))
    assert (first.returncode, first.stderr) == (0, "")
    assert "30 built, 0 already there, 0 failed, 0 waiting" in first.stdout
    assert "shop.example.com" in first.stdout
    assert "■ 30 there\n" in first.stdout
    second = sample_project.run("sh", str(REPOSITORY / "tests/tools/tour.sh"))
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


@pytest.mark.slow
def test_ten_questions_are_answered(sample_project):
    """Each one-liner of the table answers, on a lake that has what it asks for."""
    page = (REPOSITORY / "docs/how-to/query.md").read_text(encoding="utf-8")
    table = page.partition("## Ten questions in a line")[2].partition("\n\nPaths")[0]
    asked = re.findall(r"\| `(.*)` \|$", table, re.MULTILINE)
    assert len(asked) == 10
    first = sample_project.run("sh", str(REPOSITORY / "tests/tools/tour.sh"))
    assert first.returncode == 0
    for of in ("ErrorBreakdownDaily", "DurationsDaily"):
        built = sample_project.run("backfill", "run", "--of", of, "--start", "2026-09-01", "--stop", "2026-10-01")
        assert built.returncode == 0, built.stderr
    with connect(Lake(LocalStore(str(sample_project.folder / "var/lake")))) as connection:
        for question in asked:
            later = question.replace("2015-05", "2026-09").replace("'web'", "'shop.example.com'")
            later = later.replace("since_when()", "since_when(stop := '2026-09-17 15:30')")  # in the incident
            rows = connection.execute(later).fetchall()
            assert rows or "status_rose" in question, question


def test_sql_is_pure():
    """Every metric is one SELECT statement, every macro and question creates itself and nothing else."""
    for each in CONTRACTS.values():
        if each.inputs:
            (statement,) = duckdb.extract_statements(sql.metric(each.name))
            assert statement.type == duckdb.StatementType.SELECT
    for each in (*sql.macros(), *sql.questions()):
        (statement,) = duckdb.extract_statements(each.statement)
        assert statement.type == duckdb.StatementType.CREATE


def test_each_test_that_is_named_as_evidence_is_there():
    """Reliability's tables name tests by their functions or files."""
    text = (REPOSITORY / "docs/explanation/reliability.md").read_text(encoding="utf-8")
    sources = "\n".join(path.read_text(encoding="utf-8") for path in (REPOSITORY / "tests").rglob("*.py"))
    named = set(re.findall(r"`(test_\w+)`", text))
    assert len(named) > 40
    assert {name for name in named if f"def {name}(" not in sources} == set()
    files = set(re.findall(r"`(tests/[\w/]+\.py)`", text))
    assert {name for name in files if not (REPOSITORY / name).is_file()} == set()


def test_envelopes_page_is_complete():
    """It has each envelope and each name of noise, once, and its examples are found to be what they are."""
    page = (REPOSITORY / "docs/reference/envelopes.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`[a-z0-9:KEY`, ]+`) \| (.*) \|$", page, re.MULTILINE)
    names = [name for cell, _ in rows for name in re.findall(r"`([a-z0-9KEY:]+)`", cell)]
    assert names == [*dict.fromkeys(names)]
    assert {*names} == {*ENVELOPES, "json:KEY", *BUILT_IN}
    for cell, text in rows:
        for shown in re.findall(r"`([^`]*LINE[^`]*)`", text):
            line = shown.replace("<TAB>", "\t").replace("\\|", "|")
            found = found_around([line.replace("\\\\n", "\\n").encode()])
            wanted = {"`json:KEY`": "json:message"}.get(cell, cell.strip("`"))
            assert found[:1] == [wanted], line
