"""Golden cases: golden/CASE/ holds a source as luigi.cfg has it, a raw log, and what becomes of its lines.

`expected.csv` has the rows of `requests` with the lines they come from, `rejects.csv` the other lines with the
reason and the day that they show. A line in neither is a directive.
"""

import csv
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from etl.lines import parse, timestamps
from etl.lines.formats import FORMATS, Alternatives
from etl.lines.parse import ACCEPTED, DIRECTIVE, Parser
from etl.sources.sections import LOG_FORMAT, read_sources
from etl.sources.source import Source
from lake import config
from lake.contracts.rejects import REASONS

GOLDEN = Path(__file__).with_name("golden")
CASES = sorted(GOLDEN.iterdir())
Rows = list[dict[str, str]]


def _source(case: Path, folder: Path) -> Source:
    path = folder / "luigi.cfg"
    path.write_text("[lake]\nroot = lake\n" + case.joinpath("source.ini").read_text())
    (source,) = read_sources(config.read(path))
    return source


def _written(value: Any) -> str:
    """Return a value as the CSV files have it, NULL as nothing."""
    if value is None or isinstance(value, bool):
        return "" if value is None else str(value).lower()
    return value.isoformat() if isinstance(value, datetime | date) else str(value)


def _outcome(blocks: list[bytes], source: Source) -> tuple[Rows, Rows]:
    """Return the rows and the rejects of a raw file that is read in these blocks."""
    rows: Rows = []
    rejects: Rows = []
    parser, line_number = Parser(source.format), 0
    for block in blocks:
        parsed = parser.parse(parse.split_lines(block))
        accepted = parsed.reasons == ACCEPTED
        requests = iter(parse.requests_table(parsed, accepted, source.classifier).to_pylist())
        for day, reason in zip(parsed.days.tolist(), parsed.reasons.tolist(), strict=True):
            line_number += 1
            told: dict[str, Any] = {"line_number": line_number}
            if reason == ACCEPTED:
                rows.append({name: _written(value) for name, value in (told | next(requests)).items()})
            elif reason != DIRECTIVE:
                shown = None if day == timestamps.NO_DAY else date(1970, 1, 1) + timedelta(days=day)
                told |= {"reason": REASONS[reason], "day": shown}
                rejects.append({name: _written(value) for name, value in told.items()})
    return rows, rejects


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.name)
def test_a_raw_log_becomes_what_is_expected(case: Path, tmp_path: Path) -> None:
    """Each line is the row or the reject that the case says, read at once or line by line."""
    source, log = _source(case, tmp_path), case.joinpath("access.log").read_bytes()
    expected, rejects = (
        list(csv.DictReader(case.joinpath(name).read_text().splitlines()))
        for name in ("expected.csv", "rejects.csv")
    )
    for blocks in ([log], log.splitlines(keepends=True)):
        found, rejected = _outcome(blocks, source)
        assert [{name: row[name] for name in expected[0]} for row in found] == expected
        assert {row["vantage"] for row in found} == {source.classifier.vantage}
        assert rejected == rejects


def test_every_format_has_a_golden_case(tmp_path: Path) -> None:
    """No format can be added without one."""
    found = [_source(case, tmp_path).format for case in CASES]
    names = {each.name for one in found for each in (one.formats if isinstance(one, Alternatives) else (one,))}
    assert names == {*FORMATS, LOG_FORMAT}
