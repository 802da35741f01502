"""The recipes of the documentation, done for real: a metric and a format are added to a copy of the repository."""

import ast
import inspect
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
from pages import commands, example

from etl.lines.formats import FORMATS, Json

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).parent.parent
GOLDEN = ("tests/queries/test_golden.py", "tests/etl/records/test_golden.py")
FORMATS_FILE = Path(inspect.getsourcefile(Json)).relative_to(REPOSITORY)
NEW = (
    ("pipeline", "page_scores"),
    ("metric", "aaa_busiest_minutes"),
)  # before all others, as no metric's is so far
LAKE = "from etl.cli import main; main()"
# what all metrics are looked at by, and a metric that was added like this one
METRICS = (
    r"(?<!setitem\()\b(CONTRACTS|DATASETS)\b(?!\[)|\b(in_build_order|daily_tasks|names)\("
    r"|StatusMixDaily|status_mix|Daily\)\("
)
FIELDS = """\
BUNNY = (
    Field("When", Role.TIME),
    Field("Host", Role.HOST),
    Field("Path", Role.TARGET),
    Field("Verb", Role.METHOD),
    Field("Code", Role.STATUS),
    Field("Sent", Role.RESPONSE_BYTES),
    Field("Agent", Role.USER_AGENT),
)

"""
DECLARED = '        Json("bunny", BUNNY),\n'
FORMAT = {
    Path("tests/etl/golden/bunny/source.ini"): """\
[source.bunny]
format = bunny
files = access.log
application = field:Host
vantage = edge
synthetic_user_agents = pingdom
""",
    Path("tests/etl/golden/bunny/access.log"): "".join(
        f"{{{line}}}\n"
        for line in (
            (
                '"When": "2026-09-17T10:05:03Z", "Host": "shop.example.com", "Path": "/item/7?a=b", '
                '"Verb": "GET", "Code": 200, "Sent": 5, "Agent": "curl/8"'
            ),
            (
                '"When": "2026-09-17T10:05:04Z", "Host": "shop.example.com", "Path": "/pay", "Verb": "POST", '
                '"Code": 503, "Sent": 0, "Agent": "pingdom"'
            ),
            '"When": "", "Host": "shop.example.com", "Path": "/", "Verb": "GET", "Code": 200',
            '"When": "2026-09-17T10:05:06Z", "Host": "shop.example.com", "Path": "/", "Verb": "GET", "Code": null',
        )
    ),
    Path("tests/etl/golden/bunny/expected.csv"): """\
line_number,ts,application,method,path,status,response_bytes,duration_seconds,upstream_status,retried,traffic_class
1,2026-09-17T10:05:03,shop.example.com,GET,/item/7,200,5,,,,user
2,2026-09-17T10:05:04,shop.example.com,POST,/pay,503,0,,,,synthetic
""",
    Path("tests/etl/golden/bunny/rejects.csv"): """\
line_number,reason,day
3,time,
4,status,2026-09-17
""",
}
PAGE = Path("docs/reference/formats.md")
TRIED = Path("docs/reference/identified.md")
SECTION = """\
## bunny

<!-- golden: bunny -->
```text
{line}
```

```ini
{source}```

<!-- format bunny -->
<!-- end -->

"""
# likewise of formats
OF_FORMATS = r"\bFORMATS\b(?!\[)|fastly|\bGOLDEN\b"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Return a copy of the repository: what is tracked, as it is here, in a repository of its own."""
    folder = tmp_path / "copy"
    tracked = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, tracked.stdout.split("\0")):
        if (REPOSITORY / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(REPOSITORY / name, folder / name)
    compiled = Path("etl/kernel/__pycache__")
    if (REPOSITORY / compiled).exists():  # else each process of the copy's tests takes a minute to do so
        shutil.copytree(REPOSITORY / compiled, folder / compiled, ignore=shutil.ignore_patterns("*.pyc"))
    in_copy(folder, "git", "init", "--quiet")
    in_copy(folder, "git", "add", "--all")
    in_copy(
        folder, "git", "-c", "user.name=x", "-c", "user.email=x@y", "commit", "--quiet", "--message", "As it is"
    )
    return folder


def in_copy(folder: Path, *command: str) -> str:
    """Run a command in the copy, by its modules, and return what it says; it must not fail."""
    variables = {"PYTHONPATH": str(folder), "GIT_CEILING_DIRECTORIES": str(folder.parent)}
    done = subprocess.run(
        command, cwd=folder, env=os.environ | variables, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def add(folder: Path, files: dict[Path, str]) -> None:
    """Write new files, and document them."""
    for name, text in files.items():
        assert not (folder / name).exists()
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    document(folder)


def document(folder: Path) -> None:
    """Let `make glossary` write its tables anew, and put all under version control."""
    in_copy(folder, "make", "glossary", f"VENV={sys.prefix}", "-o", f"{sys.prefix}/run")
    in_copy(folder, "git", "add", "--all")


def concerned(words: str) -> list[str]:
    """Return the tests in which one of these words is, be it in a function, fixture or table that they use."""
    found = []
    for path in sorted((REPOSITORY / "tests").rglob("test_*.py")):
        name = str(path.relative_to(REPOSITORY))
        if "bench" not in path.parts and path != Path(__file__):
            found += [f"{name}::{each}" for each in _with(words, path.read_text(encoding="utf-8"))]
    return found


def _with(words: str, module: str) -> list[str]:
    """Return the names of a module's tests in which one of these words is, or that use what has it."""
    texts, uses = {}, {}
    for node in ast.parse(module).body:
        inside = [*ast.walk(node)]
        names = {each.id: each.ctx for each in inside if isinstance(each, ast.Name)}
        made = [name for name, context in names.items() if isinstance(context, ast.Store)]
        for name in made if isinstance(node, ast.Assign | ast.AnnAssign) else [getattr(node, "name", "")]:
            first = min(each.lineno for each in (node, *getattr(node, "decorator_list", [])))
            texts[name] = "\n".join(module.splitlines()[first - 1 : node.end_lineno])
            uses[name] = {*names, *(each.arg for each in inside if isinstance(each, ast.arg))}
    found = {name for name, text in texts.items() if name and re.search(words, text)}
    while more := {name for name, used in uses.items() if name and used & found} - found:
        found |= more
    return sorted(name for name in found if name.startswith("test_"))


def run_but(folder: Path, tests: list[str], values: Iterable[str]) -> None:
    """Run the quick ones of these tests in the copy, but those with one of these values as a parameter."""
    pytest_here = (sys.executable, "-m", "pytest", "-q", "-m", "not slow")
    left_out = re.compile(rf"::\S+\[(.*-)?({'|'.join(map(re.escape, values))})(-.*)?\]$")
    collected = in_copy(folder, *pytest_here, "--collect-only", *tests).splitlines()
    kept = [each for each in collected if "::" in each and not left_out.search(each)]
    assert 0 < len(kept) < len(collected)
    (folder / "var").mkdir(exist_ok=True)
    (folder / "var/tests.txt").write_text("\n".join(kept), encoding="utf-8")
    assert " passed" in in_copy(folder, *pytest_here, "@var/tests.txt")


@pytest.mark.longest
def test_adding_a_metric_and_a_pipeline(copy):
    """The files that `lake new` writes: whatever asks all datasets, or knows one, passes with three more."""
    for kind, name in NEW:
        said = in_copy(copy, sys.executable, "-c", LAKE, "new", kind, name)
        assert f"lake/contracts/{name}.py" in said
        document(copy)
        if kind == "pipeline":
            told = in_copy(copy, "git", "diff", "--cached", "--stat=100")
            *_, shown = commands(example("docs/how-to/add-a-pipeline.md", "fifth pipeline"))
            assert told == shown[1]
    tests = concerned(METRICS)
    assert {each.partition("::")[0] for each in tests} >= {
        "tests/queries/test_golden.py",
        "tests/etl/records/test_golden.py",
        "tests/tasks/test_daily.py",
        "tests/test_pages.py",
    }
    run_but(copy, tests, ["s3", "athena", "trino"])  # a metric is the same wherever the lake lies, for any engine
    cases = in_copy(copy, sys.executable, "-m", "pytest", "--collect-only", "-q", *GOLDEN)
    assert all(
        f"[{each}/example]" in cases for each in ("aaa_busiest_minutes", "page_scores", "page_scores_7_days")
    )
    linters = ("ruff", "check", "."), ("ruff", "format", "--check", "."), ("sqlfluff", "lint", "queries")
    for linter, *arguments in linters:
        in_copy(copy, str(Path(sys.executable).with_name(linter)), *arguments)


@pytest.mark.longest
def test_adding_a_format(copy):
    """Its fields, a line, a golden folder and a section of the page: what asks all formats passes with it."""
    text = (copy / FORMATS_FILE).read_text(encoding="utf-8")
    last = '        Json("fastly", FASTLY),\n'
    assert text.count(last) == 1
    text = text.replace(last, last + DECLARED).replace("FORMATS: dict", f"{FIELDS}FORMATS: dict")
    (copy / FORMATS_FILE).write_text(text, encoding="utf-8")
    line, source = (FORMAT[Path(f"tests/etl/golden/bunny/{name}")] for name in ("access.log", "source.ini"))
    page, mark, recipe = (copy / PAGE).read_text(encoding="utf-8").partition("## Add a format\n")
    section = SECTION.format(line=line.splitlines()[0], source=source)
    (copy / PAGE).write_text(f"{page}{section}{mark}{recipe}", encoding="utf-8")
    tried = (copy / TRIED).read_text(encoding="utf-8")
    next_row = "| `bunyan` |"
    assert tried.count(next_row) == 1
    tried = tried.replace(next_row, f"| `bunny` | public shape | `format = bunny` |\n{next_row}")
    (copy / TRIED).write_text(tried, encoding="utf-8")
    add(copy, FORMAT)
    tests = concerned(OF_FORMATS)
    assert {each.partition("::")[0] for each in tests} >= {"tests/etl/test_golden.py", "tests/test_documents.py"}
    run_but(copy, tests, FORMATS)
    identified = "tests/etl/looks/test_identify.py::test_a_golden_log_is_identified_and_read_alike[bunny]"
    assert "1 passed" in in_copy(copy, sys.executable, "-m", "pytest", "-q", identified)
