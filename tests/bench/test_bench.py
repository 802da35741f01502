"""Tests of what the benchmarks rest on: that their logs are what they say, and that every figure can be taken."""

import importlib
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import reference

from etl.lines.formats import FORMATS

HERE = Path(__file__).parent
DAY = datetime(2026, 5, 1, tzinfo=UTC)
LINES = 700


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Import a module of the benchmarks."""
    monkeypatch.syspath_prepend(HERE)
    return importlib.import_module


def facts_read(lines: Iterable[bytes], log_format: str, truth: ModuleType) -> dict[str, Any]:
    """Return the facts of lines, as truth.json has them, by the independent reader."""
    host = "vhost" if log_format == "vhost_combined" else "host"
    dialect = replace(reference.DIALECTS[log_format], host=host)
    verdicts = [reference.judge(line, dialect) for line in lines]
    rows = [each.row for each in verdicts if each.row and each.day == DAY.date()]
    others = sum(bool(each.row) for each in verdicts) - len(rows)
    reasons = Counter(each.reason for each in verdicts if each.reason) + Counter({"wrong_day": others})

    def counts(column: str) -> Counter[str]:
        return Counter(row[column] or truth.NO_NAME for row in rows)

    return {
        "requests": len(rows),
        "server_errors": sum(row["status"] >= truth.SERVER_ERROR for row in rows),
        "response_bytes": sum(row["response_bytes"] or 0 for row in rows),
        "epoch_seconds": sum(int(row["ts"].replace(tzinfo=UTC).timestamp()) for row in rows),
        "rejects": reasons,
        "days": {f"{DAY:%Y-%m-%d}": len(rows)} if rows else {},
        "applications": counts("application"),
        "methods": counts("method"),
        **truth.facts_of_paths("paths", counts("path")),
    }


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["vhost_combined", "json", "field", "field_crlf", "field_json", "field_rejects"])
def test_generated_logs_are_what_truth_json_says(kind: str, module: Any, tmp_path: Path) -> None:
    """An independent reader finds in each kind of generated log the facts that its truth.json has."""
    truth, figures = module("truth"), module("figures")
    arguments = [kind, str(LINES), f"{DAY:%Y-%m-%d}", "1", str(tmp_path), "plain"]
    subprocess.run([sys.executable, str(HERE / "logs.py"), *arguments], check=True)
    text = tmp_path.joinpath("access.log").read_bytes()
    lines = [line + b"\n" for line in text.removesuffix(b"\n").split(b"\n")]

    found = facts_read(lines, figures.FORMATS[kind], truth)

    assert truth.differences(json.loads(tmp_path.joinpath("truth.json").read_text()), found) == []


def test_every_unusual_template_is_right(module: Any) -> None:
    """An independent reader finds the path that its template says in each target with something odd about it."""
    targets = module("field_targets")
    unusual = ("probe", "few_dirty", "many_dirty", "long", "guess")
    asked = [("GET", f"GET {each.target} HTTP/1.1", each.kept) for name in unusual for each in targets.POOLS[name]]
    odd = [(each.method, each.before + each.target + each.protocol, each.path) for each in targets.ODDITIES]

    wrong = [
        (request, method, path)
        for method, request, path in [*asked[::3], *odd]
        if (reference.method_of(request.encode()), reference.path_of(request.encode())) != (method, path)
    ]

    assert wrong == []


def test_shapes_are_what_they_say(module: Any) -> None:
    """An independent reader finds in the lines of every shape the facts that its truth.json has."""
    shapes, truth = module("shapes"), module("truth")
    for name in (*shapes.SHAPES, *shapes.JSON_SHAPES):
        texts, lines = shapes.made(name, 10_000)

        found = facts_read(texts, shapes.format_of(name), truth)

        said = shapes.true(lines, is_json=name in shapes.JSON_SHAPES)
        assert truth.differences(said, found) == [], name


def test_a_wrong_result_is_told(module: Any) -> None:
    """Facts that differ from the truth are named, so that a fast but wrong run can't count."""
    truth = module("truth")

    assert truth.differences({"requests": 3, "days": {}}, {"requests": 2, "days": {}}) == ["requests 2, not 3"]


def test_the_model_is_bounded_by_its_slowest_stage(module: Any) -> None:
    """One file takes at least what taking it apart does, and many what half the cores take to encode them."""
    model = module("model")
    reading, encoding = (
        model.Stages(start=1, inflate=2, parse=4, encode=2),
        model.Stages(1, inflate=2, parse=4, encode=10),
    )

    assert [reading.wall(cores, 1) for cores in (1, 2, 16)] == [9, 5, 5]
    assert [reading.wall(cores, 24) for cores in (1, 2, 16)] == [9, 5, 1.5]
    assert [encoding.wall(cores, 24) for cores in (1, 2, 4, 16)] == [17, 11, 6, 2.25]


@pytest.mark.longest
@pytest.mark.slow
def test_every_figure_of_extraction_can_be_taken(tmp_path: Path) -> None:
    """A trial of a few thousand lines takes each figure but the shapes' once, and every result in it is right."""
    names = ("task", "field", "wall", "hours", "cores", "json", "rejects", "memory", "peers")
    command = [sys.executable, str(HERE / "run.py"), "--lines", "5000", "--runs", "1", "--logs", str(tmp_path)]

    done = subprocess.run([*command, "--only", *names], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "FAILED" not in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ours", "luigi"])
def test_trivial_days_are_run(name: str, tmp_path: Path) -> None:
    """By ours and by Luigi alone; what a chunk costs is told."""
    command = [sys.executable, str(HERE / "trivial.py"), name, "120"]

    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)

    found = json.loads(done.stdout.splitlines()[-1])
    assert found["wall"] > 0
    assert len(found["chunks"]) >= 2


@pytest.mark.slow
def test_the_worst_shape_is_named(module: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Of three shapes one is reported, by its name, and every result is right."""
    extraction, figures = module("extraction"), module("figures")
    for shapes in ("SHAPES", "JSON_SHAPES"):
        few = dict(list(getattr(extraction, shapes).items())[: 2 if shapes == "SHAPES" else 1])
        monkeypatch.setattr(extraction, shapes, few)

    (figure,) = extraction.shapes(figures.Bench(tmp_path, 50_000, 1))

    assert figure.problem is None
    assert figure.what.startswith("worst of 3 line shapes (")


def test_the_kernel_reads_the_usual_lines_of_every_format(module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of the benchmark: the plain parser, which takes dozens of times the CPU, is left a header at most."""
    formats = module("formats")
    monkeypatch.setattr(formats, "DIFFERENT_LINES", 500)
    monkeypatch.setattr(formats, "BLOCK_BYTES", 1 << 16)
    assert {formats.OF.get(name, name) for name in formats.TEMPLATES} <= {*FORMATS}
    assert [name for name in formats.TEMPLATES if formats.cost(name, 1 << 16)[1] > 0.01] == []


def test_the_page_of_scale_has_the_table_of_the_model(module: Any) -> None:
    """It is printed by the script that the page names."""
    page = (HERE.parent.parent / "docs/explanation/scale.md").read_text(encoding="utf-8")
    assert page.partition("<!-- scale -->\n")[2].partition("<!-- end -->")[0] == module("scale").table()
